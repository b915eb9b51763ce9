// What the module answers in the style BAD_REQUEST.

#ifndef SALLYPORT_SETTINGS_BAD_REQUEST_H_
#define SALLYPORT_SETTINGS_BAD_REQUEST_H_

#include <cstddef>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace sallyport::settings {

constexpr size_t kMaxErrorPageBytes = size_t{64} << 10;
constexpr size_t kMaxContentTypeBytes = 256;
constexpr size_t kMaxRedirectBytes = 2048;

// CheckBadRequest: the fields of BadRequest of the module's configuration, ""
// where one is not set. InvalidArgument: a body over kMaxErrorPageBytes; a
// content type that is no printable ASCII or longer than kMaxContentTypeBytes;
// a redirection that is neither an http or https URL nor a path, or has a body
// beside it. The message begins with the field ("redirect: ...") and says how
// to mend it.
absl::Status CheckBadRequest(absl::string_view body,
                             absl::string_view content_type,
                             absl::string_view redirect);

}  // namespace sallyport::settings

#endif  // SALLYPORT_SETTINGS_BAD_REQUEST_H_
