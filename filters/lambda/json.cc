#include "filters/lambda/json.h"

#include <set>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace sallyport::lambda {
namespace {

using nlohmann::json;

// What the reader's callback throws, since it cannot end the reading otherwise.
struct Refused {
  const char* why;
};

template <typename Json>
std::string Write(const Json& value) {
  return value.dump(-1, ' ', /*ensure_ascii=*/false,
                    Json::error_handler_t::replace);
}

}  // namespace

absl::StatusOr<json> ReadJson(absl::string_view text) {
  // Names of the objects that are open, innermost last.
  std::vector<std::set<std::string>> names;
  const auto watch = [&names](int depth, json::parse_event_t event,
                              const json& value) {
    switch (event) {
      case json::parse_event_t::object_start:
        names.emplace_back();
        [[fallthrough]];
      case json::parse_event_t::array_start:
        if (static_cast<size_t>(depth) >= kMaxJsonDepth) {
          throw Refused{"is nested too deeply"};
        }
        break;
      case json::parse_event_t::key:
        if (!names.back().insert(value.get<std::string>()).second) {
          throw Refused{"has an object with a name twice"};
        }
        break;
      case json::parse_event_t::object_end:
        names.pop_back();
        break;
      default:
        break;
    }
    return true;
  };
  try {
    json value = json::parse(text.begin(), text.end(), watch,
                             /*allow_exceptions=*/false);
    if (value.is_discarded()) {
      return absl::InvalidArgumentError("the JSON is malformed");
    }
    return value;
  } catch (const Refused& refused) {
    return absl::InvalidArgumentError(absl::StrCat("the JSON ", refused.why));
  }
}

std::string WriteJson(const json& value) { return Write(value); }
std::string WriteJson(const nlohmann::ordered_json& value) {
  return Write(value);
}

bool IsUtf8(absl::string_view text) {
  for (size_t i = 0; i < text.size();) {
    const auto at = [&](size_t k) {
      return static_cast<unsigned char>(text[i + k]);
    };
    const unsigned char lead = at(0);
    size_t len = 0;
    if (lead < 0x80) {
      len = 1;
    } else if (lead >= 0xc2 && lead <= 0xdf) {
      len = 2;
    } else if (lead >= 0xe0 && lead <= 0xef) {
      len = 3;
    } else if (lead >= 0xf0 && lead <= 0xf4) {
      len = 4;
    } else {
      return false;
    }
    if (text.size() - i < len) return false;
    for (size_t k = 1; k < len; ++k) {
      if ((at(k) & 0xc0) != 0x80) return false;
    }
    if ((lead == 0xe0 && at(1) < 0xa0) || (lead == 0xed && at(1) > 0x9f) ||
        (lead == 0xf0 && at(1) < 0x90) || (lead == 0xf4 && at(1) > 0x8f)) {
      return false;
    }
    i += len;
  }
  return true;
}

}  // namespace sallyport::lambda
