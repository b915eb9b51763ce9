#include "filters/forwarding/dialect_readers.h"

#include <cstddef>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "google/protobuf/struct.pb.h"
#include "google/protobuf/util/json_util.h"

namespace sallyport::forwarding {

std::string PercentDecoded(absl::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size() &&
        absl::ascii_isxdigit(static_cast<unsigned char>(text[i + 1])) &&
        absl::ascii_isxdigit(static_cast<unsigned char>(text[i + 2]))) {
      out += absl::HexStringToBytes(text.substr(i + 1, 2));
      i += 2;
    } else {
      out.push_back(text[i]);
    }
  }
  return out;
}

bool ReadTraefikInfo(absl::string_view value,
                     std::vector<TraefikFields>* certificates) {
  const std::string text =
      PercentDecoded(absl::StrReplaceAll(value, {{"+", "%20"}}));
  certificates->assign(1, {});
  size_t i = 0;
  while (true) {
    const size_t equals = text.find('=', i);
    if (equals == std::string::npos || equals + 1 >= text.size() ||
        text[equals + 1] != '"') {
      return false;
    }
    const size_t end = text.find('"', equals + 2);
    if (end == std::string::npos) return false;
    certificates->back().emplace_back(
        text.substr(i, equals - i), text.substr(equals + 2, end - equals - 2));
    i = end + 1;
    if (i == text.size()) return true;
    if (text[i] == ',') {
      certificates->emplace_back();
    } else if (text[i] != ';') {
      return false;
    }
    ++i;
  }
}

std::vector<std::string> ReadTraefikList(absl::string_view list) {
  std::vector<std::string> out;
  for (const absl::string_view item : absl::StrSplit(list, ',')) {
    const std::vector<std::string> pair =
        absl::StrSplit(item, absl::MaxSplits('=', 1));
    out.push_back(pair.size() == 1
                      ? PercentDecoded(pair[0])
                      : absl::StrCat(pair[0], "=", PercentDecoded(pair[1])));
  }
  return out;
}

bool ReadClientCertJson(const std::string& json,
                        std::map<std::string, std::string>* members) {
  google::protobuf::Struct object;
  if (!google::protobuf::util::JsonStringToMessage(json, &object).ok()) {
    return false;
  }
  members->clear();
  for (const auto& [key, value] : object.fields()) {
    if (value.has_string_value()) {
      (*members)[key] = value.string_value();
      continue;
    }
    for (const auto& [inner, text] : value.struct_value().fields()) {
      if (!text.has_string_value()) return false;
      (*members)[absl::StrCat(key, ".", inner)] = text.string_value();
    }
  }
  return true;
}

}  // namespace sallyport::forwarding
