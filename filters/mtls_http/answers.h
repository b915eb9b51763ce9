// What the HTTP filter says to clients: fixed answers that tell nothing.

#ifndef SALLYPORT_FILTERS_MTLS_HTTP_ANSWERS_H_
#define SALLYPORT_FILTERS_MTLS_HTTP_ANSWERS_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "filters/abi/abi.h"
#include "proto/sallyport/filter/v1/config.pb.h"

namespace sallyport::mtls_http {

// The hook that calls one of these returns kStopIteration, and touches neither
// the stream nor what belongs to it afterwards: the stream may be gone.
//
// `reason` goes into the response-code details, "sallyport_denied{EXPIRED}",
// and nowhere else.

// The 403 of API Gateway, or PERMISSION_DENIED for a gRPC request.
void AnswerForbidden(abi::HttpFilter* stream, absl::string_view reason);

// 421, or UNKNOWN for a gRPC request.
void AnswerMisdirected(abi::HttpFilter* stream);

// The answer of the style BAD_REQUEST, checked.
class BadRequestAnswer {
 public:
  // InvalidArgument: a message that starts with the field ("bad_request.").
  static absl::StatusOr<BadRequestAnswer> Create(
      const filter::v1::BadRequest& config);

  // 400, the redirection, or PERMISSION_DENIED for a gRPC request.
  void Send(abi::HttpFilter* stream, absl::string_view reason) const;

 private:
  std::string body_;
  std::string content_type_;
  std::string redirect_;
};

}  // namespace sallyport::mtls_http

#endif  // SALLYPORT_FILTERS_MTLS_HTTP_ANSWERS_H_
