#include "filters/lambda/answer.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace sallyport::lambda {
namespace {

constexpr char kPolicy[] =
    R"("policyDocument":{"Version":"2012-10-17","Statement":[
       {"Action":"execute-api:Invoke","Effect":"Allow","Resource":"*"}]})";

std::string Answer(absl::string_view more) {
  return absl::StrCat("{", kPolicy, more, "}");
}

absl::StatusCode Code(AnswerForm form, absl::string_view body) {
  return ReadAuthorizerAnswer(form, body).status().code();
}

TEST(ReadAuthorizerAnswer, ReadsTheDocumentedAnswer) {
  const auto answer = ReadAuthorizerAnswer(
      AnswerForm::kPolicy,
      Answer(R"(,"principalId":"yyyyyyyy","context":{"stringKey":"value",
                 "numberKey":1,"booleanKey":true},"usageIdentifierKey":"k")"));
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(answer->principal_id, "yyyyyyyy");
  EXPECT_EQ(answer->usage_identifier_key, "k");
  EXPECT_EQ(ContextText(answer->context["stringKey"]), "value");
  EXPECT_EQ(ContextText(answer->context["numberKey"]), "1");
  EXPECT_EQ(ContextText(answer->context["booleanKey"]), "true");
  EXPECT_EQ(answer->policy->Evaluate("execute-api:Invoke", "arn:x"),
            PolicyDecision::kAllow);
}

TEST(ReadAuthorizerAnswer, NeedsAPrincipalInRestApis) {
  EXPECT_EQ(Code(AnswerForm::kPolicy, Answer("")),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Code(AnswerForm::kPolicy, Answer(R"(,"principalId":"")")),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Code(AnswerForm::kPolicyOfHttpApi, Answer("")),
            absl::StatusCode::kOk);
}

TEST(ReadAuthorizerAnswer, RefusesWhatIsMalformed) {
  for (const char* body :
       {"", "null", "\"Unauthorized\"", "[]", "{}", R"({"principalId":"a"})",
        R"({"principalId":"a","policyDocument":"{}"})"}) {
    EXPECT_EQ(Code(AnswerForm::kPolicy, body),
              absl::StatusCode::kInvalidArgument)
        << body;
  }
  for (const char* more :
       {R"(,"principalId":7)", R"(,"principalId":"a","context":[])",
        R"(,"principalId":"a","context":{"a":[1]})",
        R"(,"principalId":"a","context":{"a":{"b":1}})",
        R"(,"principalId":"a","context":{"a":null})",
        R"(,"principalId":"a","usageIdentifierKey":7)"}) {
    EXPECT_EQ(Code(AnswerForm::kPolicy, Answer(more)),
              absl::StatusCode::kInvalidArgument)
        << more;
  }
}

TEST(ReadAuthorizerAnswer, TakesListsInTheContextOfHttpApis) {
  const auto answer = ReadAuthorizerAnswer(
      AnswerForm::kSimple,
      R"({"isAuthorized":true,"context":{"arrayKey":["a","b"]}})");
  ASSERT_TRUE(answer.ok());
  EXPECT_TRUE(answer->is_authorized);
  EXPECT_EQ(ContextText(answer->context["arrayKey"]), R"(["a","b"])");
}

TEST(ReadAuthorizerAnswer, TakesOnlyABooleanForASimpleResponse) {
  EXPECT_FALSE(
      ReadAuthorizerAnswer(AnswerForm::kSimple, R"({"isAuthorized":false})")
          ->is_authorized);
  for (const char* body :
       {R"({"isAuthorized":"true"})", R"({"isAuthorized":1})",
        R"({"isAuthorized":null})", R"({"isauthorized":true})", "true"}) {
    EXPECT_EQ(Code(AnswerForm::kSimple, body),
              absl::StatusCode::kInvalidArgument)
        << body;
  }
}

TEST(ReadAuthorizerAnswer, HasLimits) {
  const auto padded = [](size_t size) {
    std::string body = Answer(R"(,"principalId":"a")");
    body.insert(1, size - body.size(), ' ');
    return body;
  };
  EXPECT_EQ(Code(AnswerForm::kPolicy, padded(kMaxAuthorizerAnswerBytes)),
            absl::StatusCode::kOk);
  EXPECT_EQ(Code(AnswerForm::kPolicy, padded(kMaxAuthorizerAnswerBytes + 1)),
            absl::StatusCode::kResourceExhausted);
  const auto named = [](size_t size) {
    return Answer(
        absl::StrCat(R"(,"principalId":")", std::string(size, 'a'), R"(")"));
  };
  EXPECT_EQ(Code(AnswerForm::kPolicy, named(kMaxPrincipalIdBytes)),
            absl::StatusCode::kOk);
  EXPECT_EQ(Code(AnswerForm::kPolicy, named(kMaxPrincipalIdBytes + 1)),
            absl::StatusCode::kResourceExhausted);
  const auto context = [](size_t entries) {
    std::string out = R"(,"principalId":"a","context":{)";
    for (size_t i = 0; i < entries; ++i) {
      absl::StrAppend(&out, i == 0 ? "" : ",", "\"k", i, "\":1");
    }
    return Answer(out + "}");
  };
  EXPECT_EQ(Code(AnswerForm::kPolicy, context(kMaxContextEntries)),
            absl::StatusCode::kOk);
  EXPECT_EQ(Code(AnswerForm::kPolicy, context(kMaxContextEntries + 1)),
            absl::StatusCode::kResourceExhausted);
}

TEST(IsUnauthorized, IsThatMessageAlone) {
  EXPECT_TRUE(IsUnauthorized(
      R"({"errorMessage":"Unauthorized","errorType":"Exception"})"));
  for (const char* body :
       {R"({"errorMessage":"unauthorized"})",
        R"({"errorMessage":"Unauthorized: token has ended"})",
        R"({"errorType":"Unauthorized"})", R"("Unauthorized")", "", "{"}) {
    EXPECT_FALSE(IsUnauthorized(body)) << body;
  }
}

}  // namespace
}  // namespace sallyport::lambda
