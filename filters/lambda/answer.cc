#include "filters/lambda/answer.h"

#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "filters/lambda/json.h"

namespace sallyport::lambda {
namespace {

using nlohmann::json;

absl::Status Wrong(absl::string_view what) {
  return absl::InvalidArgumentError(what);
}

absl::Status ReadContext(const json& answer, AnswerForm form, json& out) {
  out = json::object();
  const auto found = answer.find("context");
  if (found == answer.end() || found->is_null()) return absl::OkStatus();
  if (!found->is_object()) return Wrong("context is no object");
  if (found->size() > kMaxContextEntries) {
    return absl::ResourceExhaustedError(
        absl::StrCat("context has more than ", kMaxContextEntries, " entries"));
  }
  for (const auto& [key, value] : found->items()) {
    (void)key;
    const bool is_flat =
        value.is_string() || value.is_number() || value.is_boolean();
    if (!is_flat && form == AnswerForm::kPolicy) {
      return Wrong("context holds something but strings, numbers and booleans");
    }
  }
  out = *found;
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<AuthorizerAnswer> ReadAuthorizerAnswer(AnswerForm form,
                                                      absl::string_view body) {
  if (body.size() > kMaxAuthorizerAnswerBytes) {
    return absl::ResourceExhaustedError(absl::StrCat(
        "the answer has more than ", kMaxAuthorizerAnswerBytes, " bytes"));
  }
  SALLYPORT_ASSIGN_OR_RETURN(const json value, ReadJson(body));
  if (!value.is_object()) return Wrong("the answer is no object");
  AuthorizerAnswer answer;
  SALLYPORT_RETURN_IF_ERROR(ReadContext(value, form, answer.context));
  answer.bytes = sizeof(answer) + 4 * body.size();
  if (form == AnswerForm::kSimple) {
    const auto found = value.find("isAuthorized");
    if (found == value.end()) return Wrong("isAuthorized is missing");
    if (!found->is_boolean()) return Wrong("isAuthorized is no boolean");
    answer.is_authorized = found->get<bool>();
    return answer;
  }
  const auto principal = value.find("principalId");
  if (principal != value.end() && !principal->is_null()) {
    if (!principal->is_string()) return Wrong("principalId is no string");
    answer.principal_id = principal->get<std::string>();
    if (answer.principal_id.size() > kMaxPrincipalIdBytes) {
      return absl::ResourceExhaustedError(absl::StrCat(
          "principalId has more than ", kMaxPrincipalIdBytes, " bytes"));
    }
  }
  if (answer.principal_id.empty() && form == AnswerForm::kPolicy) {
    return Wrong("principalId is missing");
  }
  const auto usage = value.find("usageIdentifierKey");
  if (usage != value.end() && !usage->is_null()) {
    if (!usage->is_string()) return Wrong("usageIdentifierKey is no string");
    answer.usage_identifier_key = usage->get<std::string>();
  }
  const auto policy = value.find("policyDocument");
  if (policy == value.end()) return Wrong("policyDocument is missing");
  SALLYPORT_ASSIGN_OR_RETURN(answer.policy, Policy::Read(*policy));
  answer.bytes += answer.policy->bytes();
  return answer;
}

bool IsUnauthorized(absl::string_view body) {
  if (body.size() > kMaxAuthorizerAnswerBytes) return false;
  const absl::StatusOr<json> value = ReadJson(body);
  if (!value.ok() || !value->is_object()) return false;
  const auto message = value->find("errorMessage");
  return message != value->end() && *message == "Unauthorized";
}

std::string ContextText(const json& value) {
  return value.is_string() ? value.get<std::string>() : WriteJson(value);
}

}  // namespace sallyport::lambda
