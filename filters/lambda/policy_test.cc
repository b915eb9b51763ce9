#include "filters/lambda/policy.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "filters/lambda/json.h"
#include "gtest/gtest.h"

namespace sallyport::lambda {
namespace {

constexpr char kArn[] =
    "arn:aws:execute-api:us-east-1:123456789012:abcdef123/test/GET/pets/7";
constexpr char kInvoke[] = "execute-api:Invoke";

absl::StatusOr<Policy> Read(absl::string_view text) {
  const auto value = ReadJson(text);
  EXPECT_TRUE(value.ok()) << text;
  return Policy::Read(*value);
}

std::string Statement(absl::string_view effect, absl::string_view resource,
                      absl::string_view action = "execute-api:Invoke") {
  return absl::StrCat(R"({"Effect":")", effect, R"(","Action":")", action,
                      R"(","Resource":")", resource, R"("})");
}

PolicyDecision Evaluate(absl::string_view statements,
                        absl::string_view arn = kArn) {
  const auto policy = Read(absl::StrCat(
      R"({"Version":"2012-10-17","Statement":[)", statements, "]}"));
  EXPECT_TRUE(policy.ok()) << policy.status();
  return policy->Evaluate(kInvoke, arn);
}

TEST(Policy, AllowsWhatAStatementAllows) {
  for (const char* resource :
       {kArn, "*", "arn:aws:execute-api:*",
        "arn:aws:execute-api:*:*:abcdef123/*/GET/*",
        "arn:aws:execute-api:us-east-?:123456789012:abcdef123/test/GET/pets/?",
        "arn:aws:execute-api:us-east-1:123456789012:*/test/*/pets/*"}) {
    EXPECT_EQ(Evaluate(Statement("Allow", resource)), PolicyDecision::kAllow)
        << resource;
  }
}

TEST(Policy, DeniesWhatNoStatementIsAbout) {
  for (const char* resource :
       {"arn:aws:execute-api:us-east-1:123456789012:abcdef123/test/POST/pets/7",
        "arn:aws:execute-api:us-east-1:123456789012:abcdef123/test/GET/pets",
        "arn:aws:execute-api:us-east-1:123456789012:abcdef123/test/GET/PETS/7",
        "arn:aws:execute-api:us-east-1:999999999999:abcdef123/*",
        "arn:aws:execute-api:us-east-1:123456789012:abcdef123/test/GET/pets/??",
        "abcdef123/test/GET/pets/7"}) {
    EXPECT_EQ(Evaluate(Statement("Allow", resource)),
              PolicyDecision::kImplicitDeny)
        << resource;
  }
  EXPECT_EQ(Evaluate(""), PolicyDecision::kImplicitDeny);
  EXPECT_EQ(Evaluate(Statement("Allow", "*", "lambda:InvokeFunction")),
            PolicyDecision::kImplicitDeny);
}

TEST(Policy, LetsAnExplicitDenyWinWhereverItStands) {
  const std::string allow = Statement("Allow", "*");
  const std::string deny = Statement("Deny", kArn);
  EXPECT_EQ(Evaluate(absl::StrCat(allow, ",", deny)),
            PolicyDecision::kExplicitDeny);
  EXPECT_EQ(Evaluate(absl::StrCat(deny, ",", allow)),
            PolicyDecision::kExplicitDeny);
  // Of something else.
  EXPECT_EQ(Evaluate(absl::StrCat(
                Statement("Deny", "arn:aws:execute-api:*:*:abcdef123/prod/*"),
                ",", allow)),
            PolicyDecision::kAllow);
}

TEST(Policy, ComparesActionsInAnyCase) {
  for (const char* action :
       {"EXECUTE-API:invoke", "execute-api:*", "*", "execute-api:Inv?ke"}) {
    EXPECT_EQ(Evaluate(Statement("Allow", "*", action)), PolicyDecision::kAllow)
        << action;
  }
}

TEST(Policy, UnderstandsListsAndNegations) {
  EXPECT_EQ(Evaluate(R"({"Effect":"Allow","Action":["a:b","execute-api:*"],
                         "Resource":["x","*"]})"),
            PolicyDecision::kAllow);
  EXPECT_EQ(Evaluate(R"({"Effect":"Allow","NotAction":"execute-api:Invoke",
                         "Resource":"*"})"),
            PolicyDecision::kImplicitDeny);
  EXPECT_EQ(Evaluate(R"({"Effect":"Allow","NotAction":"s3:*",
                         "Resource":"*"})"),
            PolicyDecision::kAllow);
  const std::string everything = Statement("Allow", "*");
  EXPECT_EQ(Evaluate(absl::StrCat(everything, R"(,{"Effect":"Deny","Action":"*",
                "NotResource":["arn:aws:execute-api:*:*:abcdef123/test/GET/*"]}
                )")),
            PolicyDecision::kAllow);
  EXPECT_EQ(Evaluate(absl::StrCat(everything, R"(,{"Effect":"Deny","Action":"*",
                "NotResource":["arn:aws:execute-api:*:*:abcdef123/test/PUT/*"]}
                )")),
            PolicyDecision::kExplicitDeny);
}

TEST(Policy, KeepsAWildcardWithinItsPartOfTheArn) {
  // A client chooses the path, and with it what comes after the fifth colon.
  EXPECT_EQ(
      Evaluate(Statement("Allow",
                         "arn:aws:execute-api:*:*:abcdef123/test/GET/public/*"),
               "arn:aws:execute-api:us-east-1:123456789012:abcdef123/test/GET/"
               "private:abcdef123/test/GET/public/x"),
      PolicyDecision::kImplicitDeny);
}

TEST(Policy, ReadsOneStatementWithoutAList) {
  const auto policy =
      Read(absl::StrCat(R"({"Statement":)", Statement("Allow", "*"), "}"));
  ASSERT_TRUE(policy.ok());
  EXPECT_EQ(policy->Evaluate(kInvoke, kArn), PolicyDecision::kAllow);
}

TEST(Policy, IsRefusedWholeForWhatIsNotUnderstood) {
  for (const char* bad : {
           R"([])",
           R"("x")",
           R"({})",
           R"({"Statement":7})",
           R"({"Version":"2020-01-01","Statement":[]})",
           R"({"Statement":[],"Other":1})",
           R"({"Statement":[7]})",
           R"({"Statement":[{"Effect":"allow","Action":"*","Resource":"*"}]})",
           R"({"Statement":[{"Action":"*","Resource":"*"}]})",
           R"({"Statement":[{"Effect":"Allow","Resource":"*"}]})",
           R"({"Statement":[{"Effect":"Allow","Action":"*"}]})",
           R"({"Statement":[{"Effect":"Allow","Action":"*","NotAction":"*",
               "Resource":"*"}]})",
           R"({"Statement":[{"Effect":"Allow","Action":[],"Resource":"*"}]})",
           R"({"Statement":[{"Effect":"Allow","Action":"","Resource":"*"}]})",
           R"({"Statement":[{"Effect":"Allow","Action":7,"Resource":"*"}]})",
           R"({"Statement":[{"Effect":"Allow","Action":"*","Resource":[7]}]})",
           R"({"Statement":[{"Effect":"Allow","Action":"*","Resource":"*",
               "Condition":{}}]})",
           R"({"Statement":[{"Effect":"Deny","Action":"*","Resource":"*",
               "Principal":"*"}]})",
           R"({"Statement":[{"Effect":"Allow","Action":"*",
               "Resource":"arn:${aws:username}"}]})",
       }) {
    EXPECT_EQ(Read(bad).status().code(), absl::StatusCode::kInvalidArgument)
        << bad;
  }
}

TEST(Policy, HasLimits) {
  const auto many = [](size_t statements, size_t resources) {
    std::string list;
    for (size_t i = 0; i < resources; ++i) {
      absl::StrAppend(&list, i == 0 ? "" : ",", R"("*")");
    }
    std::string out = R"({"Statement":[)";
    for (size_t i = 0; i < statements; ++i) {
      absl::StrAppend(&out, i == 0 ? "" : ",",
                      R"({"Effect":"Allow","Action":"*","Resource":[)", list,
                      "]}");
    }
    return Read(absl::StrCat(out, "]}")).status().code();
  };
  EXPECT_EQ(many(kMaxPolicyStatements, 1), absl::StatusCode::kOk);
  EXPECT_EQ(many(kMaxPolicyStatements + 1, 1),
            absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(many(1, kMaxPolicyPatterns - 1), absl::StatusCode::kOk);
  EXPECT_EQ(many(1, kMaxPolicyPatterns), absl::StatusCode::kResourceExhausted);
  const auto longest = [](size_t size) {
    return Read(
               absl::StrCat(
                   R"({"Statement":[{"Effect":"Allow","Action":"*","Resource":")",
                   std::string(size, 'a'), R"("}]})"))
        .status()
        .code();
  };
  EXPECT_EQ(longest(kMaxPatternBytes), absl::StatusCode::kOk);
  EXPECT_EQ(longest(kMaxPatternBytes + 1),
            absl::StatusCode::kResourceExhausted);
}

TEST(MatchesPattern, TakesItsTimeInBounds) {
  // What makes a recursive matcher take for ever.
  std::string pattern;
  for (int i = 0; i < 1000; ++i) pattern += "*a";
  EXPECT_FALSE(MatchesPattern(pattern + "b", std::string(20000, 'a')));
  EXPECT_TRUE(MatchesPattern(pattern, std::string(20000, 'a')));
}

TEST(ReadJson, RefusesWhatTwoReadersCouldReadDifferently) {
  EXPECT_FALSE(ReadJson(R"({"Effect":"Deny","Effect":"Allow"})").ok());
  EXPECT_FALSE(ReadJson(R"({"a":{"b":1,"b":2}})").ok());
  EXPECT_TRUE(ReadJson(R"({"a":{"b":1},"c":{"b":2}})").ok());
  EXPECT_FALSE(ReadJson("").ok());
  EXPECT_FALSE(ReadJson("{").ok());
  EXPECT_FALSE(ReadJson("{} {}").ok());
  EXPECT_FALSE(ReadJson("{\"a\":\"\xff\"}").ok());
  EXPECT_FALSE(ReadJson(R"({"a":NaN})").ok());
}

TEST(ReadJson, HasALimitOfDepth) {
  const auto nested = [](size_t depth) {
    return absl::StrCat(std::string(depth, '['), std::string(depth, ']'));
  };
  EXPECT_TRUE(ReadJson(nested(kMaxJsonDepth)).ok());
  EXPECT_FALSE(ReadJson(nested(kMaxJsonDepth + 1)).ok());
  EXPECT_FALSE(ReadJson(std::string(200000, '[')).ok());
}

}  // namespace
}  // namespace sallyport::lambda
