// What a function answers, and what its policy says of an ARN.
//
// Input: the form of the answer (one byte, modulo 3), the length of an ARN (one
// byte), the ARN, and the answer.
//
// Invariants: an answer that is refused has no decision; one deny more never
// makes an allow of a deny; an empty list of statements allows nothing.

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "filters/lambda/answer.h"
#include "filters/lambda/json.h"
#include "filters/lambda/policy.h"
#include "tests/fuzz/fuzz_check.h"

namespace sallyport::lambda {
namespace {

using fuzz::Require;

void Check(AnswerForm form, absl::string_view arn, absl::string_view body) {
  const auto answer = ReadAuthorizerAnswer(form, body);
  IsUnauthorized(body);
  if (!answer.ok()) return;
  Require(body.size() <= kMaxAuthorizerAnswerBytes, "the limit holds");
  for (const auto& [key, value] : answer->context.items()) {
    (void)key;
    ContextText(value);
  }
  if (!answer->policy.has_value()) {
    Require(form == AnswerForm::kSimple, "the others have a policy");
    return;
  }
  const PolicyDecision decision =
      answer->policy->Evaluate("execute-api:Invoke", arn);
  // The same policy with a deny of everything.
  nlohmann::json document = ReadJson(body)->at("policyDocument");
  const nlohmann::json deny = {
      {"Effect", "Deny"}, {"Action", "*"}, {"Resource", "*"}};
  nlohmann::json& statements = document["Statement"];
  if (!statements.is_array()) statements = nlohmann::json::array({statements});
  if (statements.size() + 1 > kMaxPolicyStatements) return;
  statements.push_back(deny);
  const auto stricter = Policy::Read(document);
  Require(stricter.ok(), "one statement more can be read");
  Require(stricter->Evaluate("execute-api:Invoke", arn) ==
              PolicyDecision::kExplicitDeny,
          "a deny of everything denies");
  statements = nlohmann::json::array();
  Require(Policy::Read(document)->Evaluate("execute-api:Invoke", arn) ==
              PolicyDecision::kImplicitDeny,
          "nothing allows nothing");
  Require(decision == answer->policy->Evaluate("EXECUTE-API:invoke", arn),
          "the case of the action is nothing");
}

}  // namespace
}  // namespace sallyport::lambda

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using sallyport::lambda::AnswerForm;
  absl::string_view input(reinterpret_cast<const char*>(data), size);
  if (input.size() < 2) return 0;
  const auto form = static_cast<AnswerForm>(data[0] % 3);
  const size_t arn = data[1];
  input.remove_prefix(2);
  sallyport::lambda::Check(
      form, input.substr(0, arn),
      arn < input.size() ? input.substr(arn) : absl::string_view());
  return 0;
}
