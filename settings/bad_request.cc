#include "settings/bad_request.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace sallyport::settings {
namespace {

// "//host" and "/\host" are other hosts to a browser.
bool IsPath(absl::string_view text) {
  return text.front() == '/' &&
         (text.size() == 1 || (text[1] != '/' && text[1] != '\\'));
}

bool IsVisibleAscii(absl::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return c > 0x20 && c < 0x7f; });
}

}  // namespace

absl::Status CheckBadRequest(absl::string_view body,
                             absl::string_view content_type,
                             absl::string_view redirect) {
  if (body.size() > kMaxErrorPageBytes) {
    return absl::InvalidArgumentError(absl::StrCat(
        "body: has ", body.size(), " bytes; at most ", kMaxErrorPageBytes));
  }
  if (content_type.size() > kMaxContentTypeBytes ||
      !std::all_of(content_type.begin(), content_type.end(),
                   [](char c) { return c >= 0x20 && c < 0x7f; })) {
    return absl::InvalidArgumentError(
        "content_type: is no media type; give one such as text/html; "
        "charset=utf-8");
  }
  if (redirect.empty()) return absl::OkStatus();
  const bool is_url = absl::StartsWithIgnoreCase(redirect, "https://") ||
                      absl::StartsWithIgnoreCase(redirect, "http://");
  if (!(IsPath(redirect) || is_url) || !IsVisibleAscii(redirect) ||
      redirect.size() > kMaxRedirectBytes) {
    return absl::InvalidArgumentError(absl::StrCat(
        "redirect: must be an http or https URL or a path, at most ",
        kMaxRedirectBytes, " visible ASCII characters"));
  }
  if (!body.empty()) {
    return absl::InvalidArgumentError(
        "redirect: a redirection has no body; set one of the two");
  }
  return absl::OkStatus();
}

}  // namespace sallyport::settings
