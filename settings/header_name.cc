#include "settings/header_name.h"

#include <algorithm>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"

namespace sallyport::settings {
namespace {

// RFC 9110, 5.6.2.
bool IsTokenChar(char c) {
  return absl::ascii_isalnum(static_cast<unsigned char>(c)) ||
         absl::StrContains("!#$%&'*+-.^_`|~", absl::string_view(&c, 1));
}

// Headers that frame a message, route it or belong to a connection; without
// them a request means something else.
constexpr absl::string_view kEssentialHeaders[] = {
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "expect",
    "host",
    "http2-settings",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "proxy-authenticate",
    "proxy-authorization",
};

}  // namespace

absl::string_view RemovableHeaderProblem(absl::string_view name) {
  if (name.empty()) return "is empty";
  if (name.front() == ':') return "is a pseudo-header";
  for (const char c : name) {
    if (!IsTokenChar(c)) return "is not a header name (RFC 9110, 5.1)";
  }
  if (absl::StrContains(name, "*")) {
    return "contains '*': write each name in full, there are no patterns";
  }
  std::string folded(name);
  std::transform(folded.begin(), folded.end(), folded.begin(),
                 FoldHeaderCharacter);
  for (const absl::string_view essential : kEssentialHeaders) {
    if (folded == essential) {
      return "is a header that a request cannot be passed on without";
    }
  }
  return "";
}

}  // namespace sallyport::settings
