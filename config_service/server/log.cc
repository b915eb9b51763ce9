#include "config_service/server/log.h"

#include <unistd.h>

#include "absl/time/clock.h"
#include "nlohmann/json.hpp"

namespace sallyport::server {
namespace {

void Write(absl::string_view level, absl::string_view message,
           const LogFields& fields) {
  const std::string line = LogLine(absl::Now(), level, message, fields);
  // One write, so that lines of several threads do not mix. There is nobody to
  // tell when it fails.
  const ssize_t written = write(STDERR_FILENO, line.data(), line.size());
  static_cast<void>(written);
}

}  // namespace

std::string LogLine(absl::Time time, absl::string_view level,
                    absl::string_view message, const LogFields& fields) {
  nlohmann::ordered_json json;
  json["time"] =
      absl::FormatTime("%Y-%m-%dT%H:%M:%E6SZ", time, absl::UTCTimeZone());
  json["level"] = std::string(level);
  json["message"] = std::string(message);
  for (const auto& [key, value] : fields) json[std::string(key)] = value;
  return json.dump(-1, ' ', /*ensure_ascii=*/true,
                   nlohmann::json::error_handler_t::replace) +
         "\n";
}

void LogInfo(absl::string_view message, const LogFields& fields) {
  Write("info", message, fields);
}

void LogError(absl::string_view message, const LogFields& fields) {
  Write("error", message, fields);
}

}  // namespace sallyport::server
