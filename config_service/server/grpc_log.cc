#include "config_service/server/grpc_log.h"

#include <grpc/support/log.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "base/text.h"
#include "config_service/server/log.h"

namespace sallyport::server {
namespace {

// It quotes what peers send.
constexpr size_t kMaxGrpcMessage = 2048;

void Write(gpr_log_func_args* args) {
  absl::string_view file = args->file;
  file.remove_prefix(file.rfind('/') + 1);
  LogInfo("grpc",
          {{"severity", std::string(absl::StripSuffix(
                            gpr_log_severity_string(args->severity), " "))},
           {"details", Printable(args->message, kMaxGrpcMessage)},
           {"source", absl::StrCat(file, ":", args->line)}});
}

}  // namespace

void LogForGrpc() { gpr_set_log_function(&Write); }

}  // namespace sallyport::server
