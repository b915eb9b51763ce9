// What the function of an AWS_PROXY integration answers.
//
// Sources: API Gateway Developer Guide, "Set up Lambda proxy integrations in
// API Gateway" (output format) and "Create AWS Lambda proxy integrations for
// HTTP APIs" (Lambda function response format).

#ifndef SALLYPORT_FILTERS_LAMBDA_PROXY_ANSWER_H_
#define SALLYPORT_FILTERS_LAMBDA_PROXY_ANSWER_H_

#include <cstddef>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "filters/lambda/request.h"

namespace sallyport::lambda {

// A request's body, and a response's (API Gateway's payload limit, 10 MB).
inline constexpr size_t kMaxProxyBodyBytes = 10 * 1024 * 1024;
// The answer with such a body in base64, and its headers.
inline constexpr size_t kMaxProxyAnswerBytes = size_t{15} << 20;
inline constexpr size_t kMaxProxyHeaders = 200;
inline constexpr size_t kMaxProxyHeaderBytes = 65536;

enum class PayloadFormat { k10, k20 };

struct ProxyAnswer {
  int status = 200;
  // Names in lower case; in their order, some more than once. Without those
  // that frame the message or belong to the connection, which are dropped.
  NameValues headers;
  std::string body;
};

// ReadProxyAnswer: InvalidArgument or ResourceExhausted, for the operator, with
// nothing of its values: what it is not.
//
// {"statusCode", "headers", "multiValueHeaders" (1.0), "cookies" (2.0), "body",
// "isBase64Encoded"}. A status is 200 to 599, a number or its digits; a value
// of a header a string, a number or a boolean, without control characters.
// With 2.0 an answer without statusCode is itself the body of a 200, as JSON.
absl::StatusOr<ProxyAnswer> ReadProxyAnswer(PayloadFormat format,
                                            absl::string_view body);

}  // namespace sallyport::lambda

#endif  // SALLYPORT_FILTERS_LAMBDA_PROXY_ANSWER_H_
