#include "filters/shim/local_reply.h"

#include <array>

#include "absl/strings/match.h"
#include "filters/shim/buffers.h"

namespace sallyport::shim {
namespace {

abi::ModuleHeader Header(absl::string_view name, absl::string_view value) {
  return {name.data(), name.size(), value.data(), value.size()};
}

}  // namespace

bool IsGrpc(abi::HttpFilter* stream) {
  constexpr absl::string_view kGrpc = "application/grpc";
  abi::EnvoyBuffer value{nullptr, 0};
  if (!envoy_dynamic_module_callback_http_get_header(
          stream, abi::HeaderMap::kRequest, Buffer("content-type"), &value, 0,
          nullptr)) {
    return false;
  }
  const absl::string_view type = View(value);
  return absl::StartsWith(type, kGrpc) &&
         (type.size() == kGrpc.size() || type[kGrpc.size()] == '+');
}

void SendGrpc(abi::HttpFilter* stream, uint32_t status_code,
              absl::string_view grpc_status, absl::string_view message,
              absl::string_view details) {
  abi::ModuleHeader status = Header("grpc-status", grpc_status);
  envoy_dynamic_module_callback_http_send_response(
      stream, status_code, &status, 1, Buffer(message), Buffer(details));
}

void Send(abi::HttpFilter* stream, const LocalReply& reply,
          absl::string_view details) {
  if (IsGrpc(stream)) {
    SendGrpc(stream, reply.status, reply.grpc_status, reply.grpc_message,
             details);
    return;
  }
  std::array<abi::ModuleHeader, 2> headers = {
      Header("content-type", "application/json"),
      Header("x-amzn-errortype", reply.error_type)};
  envoy_dynamic_module_callback_http_send_response(
      stream, reply.status, headers.data(), reply.error_type.empty() ? 1 : 2,
      Buffer(reply.body), Buffer(details));
}

}  // namespace sallyport::shim
