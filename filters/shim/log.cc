#include "filters/shim/log.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "base/text.h"
#include "filters/shim/buffers.h"

namespace sallyport::shim {

void Log(LogLevel level, absl::string_view text) {
  if (!LogEnabled(level)) return;
  const std::string line = absl::StrCat("sallyport: ", text);
  envoy_dynamic_module_callback_log(level, Buffer(line));
}

bool LogEnabled(LogLevel level) {
  return envoy_dynamic_module_callback_log_enabled(level);
}

void LogRefused(absl::string_view what, const absl::Status& why) {
  Log(LogLevel::kError,
      absl::StrCat(what, " refused: ", Printable(why.message(), 2048)));
}

}  // namespace sallyport::shim
