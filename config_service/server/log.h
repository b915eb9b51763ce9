// The log: one JSON object on a line of standard error for each event.

#ifndef SALLYPORT_CONFIG_SERVICE_SERVER_LOG_H_
#define SALLYPORT_CONFIG_SERVICE_SERVER_LOG_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace sallyport::server {

using LogFields = std::vector<std::pair<absl::string_view, std::string>>;

// {"time": ..., "level": "info", "message": ..., FIELDS}. Whatever is in them,
// it stays one line. Thread-safe; nothing secret goes here.
void LogInfo(absl::string_view message, const LogFields& fields = {});
void LogError(absl::string_view message, const LogFields& fields = {});

// The line, with its LF.
std::string LogLine(absl::Time time, absl::string_view level,
                    absl::string_view message, const LogFields& fields);

}  // namespace sallyport::server

#endif  // SALLYPORT_CONFIG_SERVICE_SERVER_LOG_H_
