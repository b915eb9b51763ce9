// Lines in Envoy's log.

#ifndef SALLYPORT_FILTERS_SHIM_LOG_H_
#define SALLYPORT_FILTERS_SHIM_LOG_H_

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "filters/abi/abi.h"

namespace sallyport::shim {

using abi::LogLevel;

// Log: one line at `level` from Envoy's logger `dynamic_modules`, prefixed with
// "sallyport: ". Any thread. `text` is printable ASCII: text from certificates,
// files and clients goes through Printable() first. Keys and PEM never go in.
void Log(LogLevel level, absl::string_view text);

// LogEnabled: whether such a line would be written. Ask before building a line
// on the way of a request.
bool LogEnabled(LogLevel level);

// LogRefused: an error that says that `what` ("sallyport.mtls: configuration")
// is refused, and why.
void LogRefused(absl::string_view what, const absl::Status& why);

}  // namespace sallyport::shim

#endif  // SALLYPORT_FILTERS_SHIM_LOG_H_
