// Errors as google.rpc.Status.

#ifndef SALLYPORT_CONFIG_SERVICE_API_ERRORS_H_
#define SALLYPORT_CONFIG_SERVICE_API_ERRORS_H_

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "grpcpp/support/status.h"

namespace sallyport::api {

// The domain of ErrorInfo.
constexpr absl::string_view kErrorDomain = "sallyport.dev";

// ToGrpc: the answer for `status`, which is not OK. With the error that it
// carries (domain::ErrorOf) as ErrorInfo, and its violations as BadRequest. A
// status without one, and INTERNAL, say nothing but the id of the request: what
// went wrong is in the log.
grpc::Status ToGrpc(const absl::Status& status, absl::string_view request);

}  // namespace sallyport::api

#endif  // SALLYPORT_CONFIG_SERVICE_API_ERRORS_H_
