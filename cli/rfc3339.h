// Dates as RFC 3339 writes them.

#ifndef SALLYPORT_CLI_RFC3339_H_
#define SALLYPORT_CLI_RFC3339_H_

#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"

namespace sallyport::cli {

// ParseRfc3339: the instant that `text` (RFC 3339, 5.6: date-time) names, or
// nothing. Unlike absl::ParseTime it takes neither blanks around it, nor
// "infinite-future", nor an offset without a colon.
absl::optional<absl::Time> ParseRfc3339(absl::string_view text);

// FormatRfc3339: UTC, with fractions of a second only where there are any:
// "2026-11-22T08:00:00Z". "never" for InfiniteFuture.
std::string FormatRfc3339(absl::Time time);

}  // namespace sallyport::cli

#endif  // SALLYPORT_CLI_RFC3339_H_
