// Names of request headers that the module removes.

#ifndef SALLYPORT_SETTINGS_HEADER_NAME_H_
#define SALLYPORT_SETTINGS_HEADER_NAME_H_

#include <cstddef>

#include "absl/strings/string_view.h"

namespace sallyport::settings {

// FoldHeaderCharacter: a character of a header's name as the most lenient
// backends read it: letters in lower case, and '-' for whatever is neither a
// letter nor a digit. ':' stays: only pseudo-headers have it.
constexpr char FoldHeaderCharacter(char c) {
  if (c >= 'A' && c <= 'Z') return static_cast<char>(c - 'A' + 'a');
  if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == ':') return c;
  return '-';
}

// RemovableHeaderProblem: why `name` cannot be in Forwarding.remove_headers:
// it is no header's name (RFC 9110, 5.1), a pseudo-header, has a '*', or is, by
// FoldHeaderCharacter(), a header that frames or routes the message or belongs
// to the connection. "" when it can. Static text.
absl::string_view RemovableHeaderProblem(absl::string_view name);

// Forwarding.max_header_bytes: its default, and the least that is accepted
// (what is never left out, and the note, take 116 at most).
constexpr size_t kDefaultMaxHeaderBytes = 16384;
constexpr size_t kMinMaxHeaderBytes = 128;

}  // namespace sallyport::settings

#endif  // SALLYPORT_SETTINGS_HEADER_NAME_H_
