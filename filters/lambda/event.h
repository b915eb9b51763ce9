// The events that functions are called with.
//
// Sources: API Gateway Developer Guide, "Input to an API Gateway Lambda
// authorizer", "Control access to HTTP APIs with AWS Lambda authorizers", "Set
// up Lambda proxy integrations in API Gateway" and "Create AWS Lambda proxy
// integrations for HTTP APIs".

#ifndef SALLYPORT_FILTERS_LAMBDA_EVENT_H_
#define SALLYPORT_FILTERS_LAMBDA_EVENT_H_

#include <cstddef>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "filters/lambda/request.h"
#include "nlohmann/json.hpp"

namespace sallyport::lambda {

// The longest event of an authorizer.
inline constexpr size_t kMaxAuthorizerEventBytes = size_t{1} << 20;

// What an authorizer's event is about.
struct AuthorizerSubject {
  // MethodArn().
  std::string arn;
  // The values of the identity sources.
  std::vector<std::string> identity;
};

// {"type":"TOKEN","authorizationToken":...,"methodArn":...}.
std::string TokenEvent(absl::string_view token, absl::string_view arn);

// REST APIs. The certificate is in requestContext.identity.clientCert, here and
// in the next one.
std::string RequestEvent(const RequestParts& request, const ApiStage& api,
                         const AuthorizerSubject& subject);

// HTTP APIs, payload format 1.0.
std::string HttpApiEvent10(const RequestParts& request, const ApiStage& api,
                           const AuthorizerSubject& subject);

// HTTP APIs, payload format 2.0: requestContext.authentication.clientCert.
std::string HttpApiEvent20(const RequestParts& request, const ApiStage& api,
                           const AuthorizerSubject& subject);

// A body as an integration's event has it.
struct EventBody {
  bool present = false;
  std::string text;
  bool is_base64 = false;
};

// The events of AWS_PROXY integrations. `authorizer` is what
// requestContext.authorizer says of an authorizer's answer; null: there was
// none.
std::string ProxyEvent10(const RequestParts& request, const ApiStage& api,
                         const nlohmann::json& authorizer,
                         const EventBody& body);
std::string ProxyEvent20(const RequestParts& request, const ApiStage& api,
                         const nlohmann::json& authorizer,
                         const EventBody& body);

}  // namespace sallyport::lambda

#endif  // SALLYPORT_FILTERS_LAMBDA_EVENT_H_
