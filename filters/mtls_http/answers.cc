#include "filters/mtls_http/answers.h"

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "filters/shim/buffers.h"
#include "filters/shim/local_reply.h"
#include "settings/bad_request.h"

namespace sallyport::mtls_http {
namespace {

using shim::Buffer;

constexpr uint32_t kFound = 302;
constexpr uint32_t kBadRequest = 400;
constexpr absl::string_view kMisdirectedDetails = "sallyport_misdirected";
constexpr absl::string_view kHtml = "text/html";
constexpr absl::string_view kBadRequestBody =
    "<html>\r\n<head><title>400 Bad Request</title></head>\r\n<body>\r\n"
    "<h1>400 Bad Request</h1>\r\n</body>\r\n</html>\r\n";
// UNKNOWN is what 421 stands for.
constexpr shim::LocalReply kMisdirected = {
    421, "", R"({"message":"Misdirected Request"})", "2",
    "Misdirected Request"};
// A code of gRPC.
constexpr absl::string_view kGrpcPermissionDenied = "7";

abi::ModuleHeader Header(absl::string_view name, absl::string_view value) {
  return {name.data(), name.size(), value.data(), value.size()};
}

std::string Details(absl::string_view reason) {
  return absl::StrCat("sallyport_denied{", reason, "}");
}

}  // namespace

void AnswerForbidden(abi::HttpFilter* stream, absl::string_view reason) {
  shim::Send(stream, shim::kForbidden, Details(reason));
}

void AnswerMisdirected(abi::HttpFilter* stream) {
  shim::Send(stream, kMisdirected, kMisdirectedDetails);
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
  if (shim::IsGrpc(stream)) {
    shim::SendGrpc(stream, kBadRequest, kGrpcPermissionDenied, "Bad Request",
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
