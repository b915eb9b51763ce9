// What a function answers, as API Gateway understands it.

#ifndef SALLYPORT_FILTERS_LAMBDA_ANSWER_H_
#define SALLYPORT_FILTERS_LAMBDA_ANSWER_H_

#include <cstddef>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/optional.h"
#include "filters/lambda/policy.h"
#include "nlohmann/json.hpp"

namespace sallyport::lambda {

// The longest answer of an authorizer that is read.
inline constexpr size_t kMaxAuthorizerAnswerBytes = size_t{64} << 10;
inline constexpr size_t kMaxPrincipalIdBytes = 1024;
inline constexpr size_t kMaxContextEntries = 64;

enum class AnswerForm {
  // A policy, principalId required, context of strings, numbers and booleans:
  // REST APIs, and HTTP APIs with payload format 1.0.
  kPolicy,
  // The same, but that the context may hold lists and objects and principalId
  // may be missing: HTTP APIs with payload format 2.0.
  kPolicyOfHttpApi,
  // {"isAuthorized": true}: HTTP APIs with simple responses.
  kSimple,
};

// An authorizer's answer. Immutable once read.
struct AuthorizerAnswer {
  std::string principal_id;
  std::string usage_identifier_key;
  // Absent of a simple response, which `is_authorized` is.
  absl::optional<Policy> policy;
  bool is_authorized = false;
  // An object.
  nlohmann::json context;
  // What it takes in memory, about.
  size_t bytes = 0;
};

// ReadAuthorizerAnswer: InvalidArgument or ResourceExhausted, for the operator,
// with nothing of the answer's values: what it is not. Source: API Gateway
// Developer Guide, "Output from an API Gateway Lambda authorizer" and "Control
// access to HTTP APIs with AWS Lambda authorizers".
absl::StatusOr<AuthorizerAnswer> ReadAuthorizerAnswer(AnswerForm form,
                                                      absl::string_view body);

// IsUnauthorized: whether what a function raised is the message "Unauthorized",
// by which it asks for a 401. `body`: what came with X-Amz-Function-Error.
bool IsUnauthorized(absl::string_view body);

// ContextText: a value of a context as a header's or a log's: strings as they
// are, numbers and booleans as JSON writes them, the rest as JSON.
std::string ContextText(const nlohmann::json& value);

}  // namespace sallyport::lambda

#endif  // SALLYPORT_FILTERS_LAMBDA_ANSWER_H_
