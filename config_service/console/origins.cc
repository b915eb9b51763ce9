#include "config_service/console/origins.h"

#include <algorithm>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/text.h"

namespace sallyport::console {
namespace {

constexpr absl::string_view kHttps = "https://";
constexpr absl::string_view kHttp = "http://";
constexpr int kMaxPort = 65535;
constexpr size_t kMaxHostBytes = 260;

bool IsPort(absl::string_view text) {
  int port = 0;
  return !text.empty() &&
         std::all_of(
             text.begin(), text.end(),
             [](char c) {
               return absl::ascii_isdigit(static_cast<unsigned char>(c));
             }) &&
         absl::SimpleAtoi(text, &port) && port > 0 && port <= kMaxPort;
}

// Of "HOST" and "HOST:PORT"; nothing: the port is none.
std::optional<absl::string_view> NameOf(absl::string_view host) {
  const size_t bracket = host.rfind(']');
  const size_t colon = host.rfind(':');
  if (colon == absl::string_view::npos ||
      (bracket != absl::string_view::npos && colon < bracket)) {
    return host;
  }
  if (!IsPort(host.substr(colon + 1))) return std::nullopt;
  return host.substr(0, colon);
}

bool IsName(absl::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '.' ||
           c == '-';
  });
}

}  // namespace

absl::StatusOr<Origins> Origins::Parse(absl::string_view text) {
  Origins out;
  for (absl::string_view part :
       absl::StrSplit(text, ',', absl::SkipWhitespace())) {
    const std::string origin =
        absl::AsciiStrToLower(absl::StripAsciiWhitespace(part));
    absl::string_view host = origin;
    if (!absl::ConsumePrefix(&host, kHttps) || host.size() > kMaxHostBytes ||
        !IsName(NameOf(host).value_or(""))) {
      return absl::InvalidArgumentError(
          absl::StrCat("\"", Printable(part, 100),
                       "\" is not https://NAME or https://NAME:PORT"));
    }
    // Browsers leave the scheme's own port out.
    absl::ConsumeSuffix(&host, ":443");
    out.more_.push_back(absl::StrCat(kHttps, host));
  }
  return out;
}

std::optional<std::string> Origins::Find(absl::string_view host) const {
  if (host.size() > kMaxHostBytes) return std::nullopt;
  const std::string lower = absl::AsciiStrToLower(host);
  const std::optional<absl::string_view> name = NameOf(lower);
  if (!name.has_value()) return std::nullopt;
  if (*name == "localhost" || *name == "127.0.0.1" || *name == "[::1]") {
    return absl::StrCat(kHttp, absl::StripSuffix(lower, ":80"));
  }
  const std::string origin =
      absl::StrCat(kHttps, absl::StripSuffix(lower, ":443"));
  if (std::find(more_.begin(), more_.end(), origin) == more_.end()) {
    return std::nullopt;
  }
  return origin;
}

}  // namespace sallyport::console
