#include "filters/mtls_http/answers.h"

#include <array>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "filters/mtls_http/stream_access.h"
#include "filters/shim/buffers.h"
#include "settings/bad_request.h"

namespace sallyport::mtls_http {
namespace {

using shim::Buffer;

constexpr uint32_t kFound = 302;
constexpr uint32_t kBadRequest = 400;
constexpr uint32_t kForbidden = 403;
constexpr uint32_t kMisdirectedRequest = 421;
constexpr absl::string_view kForbiddenBody = R"({"message":"Forbidden"})";
constexpr absl::string_view kMisdirectedBody =
    R"({"message":"Misdirected Request"})";
constexpr absl::string_view kMisdirectedDetails = "sallyport_misdirected";
constexpr absl::string_view kJson = "application/json";
constexpr absl::string_view kHtml = "text/html";
constexpr absl::string_view kBadRequestBody =
    "<html>\r\n<head><title>400 Bad Request</title></head>\r\n<body>\r\n"
    "<h1>400 Bad Request</h1>\r\n</body>\r\n</html>\r\n";
// Codes of gRPC: UNKNOWN (what 421 stands for) and PERMISSION_DENIED.
constexpr absl::string_view kGrpcUnknown = "2";
constexpr absl::string_view kGrpcPermissionDenied = "7";

// Envoy's own rule (Grpc::Common::hasGrpcContentType), by which it turns a
// local reply into a gRPC status.
bool IsGrpc(abi::HttpFilter* stream) {
  constexpr absl::string_view kGrpc = "application/grpc";
  const absl::string_view type = GetHeader(stream, "content-type");
  return absl::StartsWith(type, kGrpc) &&
         (type.size() == kGrpc.size() || type[kGrpc.size()] == '+');
}

abi::ModuleHeader Header(absl::string_view name, absl::string_view value) {
  return {name.data(), name.size(), value.data(), value.size()};
}

// Envoy makes the answer to a gRPC request one of HTTP 200 with `message` as
// grpc-message. It takes the grpc-status from our headers, and 0 (that is OK)
// when there is none.
void AnswerGrpc(abi::HttpFilter* stream, uint32_t status_code,
                absl::string_view grpc_status, absl::string_view message,
                absl::string_view details) {
  abi::ModuleHeader status = Header("grpc-status", grpc_status);
  envoy_dynamic_module_callback_http_send_response(
      stream, status_code, &status, 1, Buffer(message), Buffer(details));
}

std::string Details(absl::string_view reason) {
  return absl::StrCat("sallyport_denied{", reason, "}");
}

}  // namespace

void AnswerForbidden(abi::HttpFilter* stream, absl::string_view reason) {
  const std::string details = Details(reason);
  if (IsGrpc(stream)) {
    AnswerGrpc(stream, kForbidden, kGrpcPermissionDenied, "Forbidden", details);
    return;
  }
  std::array<abi::ModuleHeader, 2> headers = {
      Header("content-type", kJson),
      Header("x-amzn-errortype", "ForbiddenException")};
  envoy_dynamic_module_callback_http_send_response(
      stream, kForbidden, headers.data(), headers.size(),
      Buffer(kForbiddenBody), Buffer(details));
}

void AnswerMisdirected(abi::HttpFilter* stream) {
  if (IsGrpc(stream)) {
    AnswerGrpc(stream, kMisdirectedRequest, kGrpcUnknown, "Misdirected Request",
               kMisdirectedDetails);
    return;
  }
  abi::ModuleHeader type = Header("content-type", kJson);
  envoy_dynamic_module_callback_http_send_response(
      stream, kMisdirectedRequest, &type, 1, Buffer(kMisdirectedBody),
      Buffer(kMisdirectedDetails));
}

absl::StatusOr<BadRequestAnswer> BadRequestAnswer::Create(
    const filter::v1::BadRequest& config) {
  const absl::Status good = settings::CheckBadRequest(
      config.body(), config.content_type(), config.redirect());
  if (!good.ok()) {
    return absl::Status(good.code(),
                        absl::StrCat("bad_request.", good.message()));
  }
  BadRequestAnswer answer;
  const bool own = !config.body().empty();
  answer.body_ = own ? config.body() : std::string(kBadRequestBody);
  answer.content_type_ = config.content_type().empty() ? std::string(kHtml)
                                                       : config.content_type();
  answer.redirect_ = config.redirect();
  return answer;
}

void BadRequestAnswer::Send(abi::HttpFilter* stream,
                            absl::string_view reason) const {
  const std::string details = Details(reason);
  if (IsGrpc(stream)) {
    AnswerGrpc(stream, kBadRequest, kGrpcPermissionDenied, "Bad Request",
               details);
    return;
  }
  if (!redirect_.empty()) {
    abi::ModuleHeader location = Header("location", redirect_);
    envoy_dynamic_module_callback_http_send_response(
        stream, kFound, &location, 1, Buffer(""), Buffer(details));
    return;
  }
  abi::ModuleHeader type = Header("content-type", content_type_);
  envoy_dynamic_module_callback_http_send_response(
      stream, kBadRequest, &type, 1, Buffer(body_), Buffer(details));
}

}  // namespace sallyport::mtls_http
