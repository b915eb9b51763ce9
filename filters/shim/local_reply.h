// Answers in the manner of API Gateway: JSON that says little.

#ifndef SALLYPORT_FILTERS_SHIM_LOCAL_REPLY_H_
#define SALLYPORT_FILTERS_SHIM_LOCAL_REPLY_H_

#include <cstdint>

#include "absl/strings/string_view.h"
#include "filters/abi/abi.h"

namespace sallyport::shim {

// Whether the request is one of gRPC, by Envoy's own rule
// (Grpc::Common::hasGrpcContentType), by which it turns a local reply into a
// gRPC status.
bool IsGrpc(abi::HttpFilter* stream);

// SendGrpc: Envoy makes the answer to a gRPC request one of HTTP 200 with
// `message` as grpc-message. It takes the grpc-status from our headers, and 0
// (that is OK) when there is none.
void SendGrpc(abi::HttpFilter* stream, uint32_t status_code,
              absl::string_view grpc_status, absl::string_view message,
              absl::string_view details);

struct LocalReply {
  uint32_t status;
  absl::string_view error_type;  // x-amzn-errortype; empty: none
  absl::string_view body;        // JSON
  // Of gRPC: the code, and what is said.
  absl::string_view grpc_status;
  absl::string_view grpc_message;
};

// Send: answers the request. `details` become %RESPONSE_CODE_DETAILS%. The hook
// that calls it stops the request, and touches neither the stream nor what
// belongs to it afterwards: the stream may be gone.
void Send(abi::HttpFilter* stream, const LocalReply& reply,
          absl::string_view details);

// 403 {"message":"Forbidden"}, PERMISSION_DENIED.
inline constexpr LocalReply kForbidden = {
    403, "ForbiddenException", R"({"message":"Forbidden"})", "7", "Forbidden"};

}  // namespace sallyport::shim

#endif  // SALLYPORT_FILTERS_SHIM_LOCAL_REPLY_H_
