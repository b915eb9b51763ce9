// Text for people: what came from outside made safe to print, and times.

#ifndef SALLYPORT_BASE_TEXT_H_
#define SALLYPORT_BASE_TEXT_H_

#include <cstddef>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace sallyport {

// Printable: `text` with everything but printable ASCII written as \xHH, and
// cut to `max_len` bytes (three dots mark the cut). Use it for every name,
// path or value from a certificate or a file that goes into a log line or an
// error, so that nobody can forge a line or a terminal sequence.
std::string Printable(absl::string_view text, size_t max_len = 512);

// HexLower, HexUpper: two digits for each byte of `bytes`.
std::string HexLower(absl::string_view bytes);
std::string HexUpper(absl::string_view bytes);

// TimeText: `time` in UTC to the second, "2026-01-31T12:00:00Z".
std::string TimeText(absl::Time time);

}  // namespace sallyport

#endif  // SALLYPORT_BASE_TEXT_H_
