#include "cli/batch_case.h"

#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "cli/rfc3339.h"
#include "gtest/gtest.h"

namespace sallyport::cli {
namespace {

TEST(ParseBatchCase, ReadsEveryMember) {
  const BatchCaseResult result =
      ParseBatchCase(R"({"id":"a","truststore_pem":"T\n","chain_pem":"C",)"
                     R"("time":"2030-01-01T00:00:00Z","policy":"any-anchor"})");
  EXPECT_EQ(result.error, "");
  EXPECT_EQ(result.value.id, "a");
  EXPECT_EQ(result.value.truststore_pem, "T\n");
  EXPECT_EQ(result.value.chain_pem, "C");
  EXPECT_EQ(result.value.time, ParseRfc3339("2030-01-01T00:00:00Z"));
  EXPECT_EQ(result.value.policy, pki::ChainPolicy::kAnyAnchor);
}

TEST(ParseBatchCase, TakesNullAndAbsenceForTheDefault) {
  for (
      const char* line :
      {R"({"truststore_pem":"T"})",
       R"({"id":null,"truststore_pem":"T","chain_pem":null,"time":null,"policy":null})"}) {
    const BatchCaseResult result = ParseBatchCase(line);
    EXPECT_EQ(result.error, "");
    EXPECT_TRUE(result.value.id.is_null());
    EXPECT_EQ(result.value.chain_pem, "");
    EXPECT_FALSE(result.value.time.has_value());
    EXPECT_FALSE(result.value.policy.has_value());
  }
}

TEST(ParseBatchCase, IgnoresOtherMembersAtAnyDepth) {
  const BatchCaseResult result = ParseBatchCase(
      R"({"x":{"id":"no","truststore_pem":1},"y":[1,[2,{"time":3}]],)"
      R"("id":7,"truststore_pem":"T","expected":"trusted"})");
  EXPECT_EQ(result.error, "");
  EXPECT_EQ(result.value.id, 7);
  EXPECT_EQ(result.value.truststore_pem, "T");
}

TEST(ParseBatchCase, EchoesTheIdAsItCame) {
  const auto id = [](const char* json) {
    return ParseBatchCase(
               absl::StrCat(R"({"truststore_pem":"T","id":)", json, "}"))
        .value.id.dump();
  };
  EXPECT_EQ(id("-3"), "-3");
  EXPECT_EQ(id("18446744073709551615"), "18446744073709551615");
  EXPECT_EQ(id("1.5"), "1.5");
  EXPECT_EQ(id("true"), "true");
  EXPECT_EQ(id(R"("\u00e9")"), "\"\xc3\xa9\"");
}

TEST(ParseBatchCase, SaysWhatIsWrongAndKeepsTheId) {
  struct Case {
    const char* line;
    const char* error;
  };
  const Case cases[] = {
      {R"({"id":"a"})", "truststore_pem is missing"},
      {R"({"id":"a","truststore_pem":null})", "truststore_pem is missing"},
      {R"({"id":"a","truststore_pem":5})", "truststore_pem is not a string"},
      {R"({"id":"a","truststore_pem":"T","chain_pem":["C"]})",
       "chain_pem is not a string"},
      {R"({"truststore_pem":"T","chain_pem":{},"id":"a"})",
       "chain_pem is not a string"},
      {R"({"id":"a","truststore_pem":"T","time":"2030"})",
       "time is not an RFC 3339"},
      {R"({"id":"a","truststore_pem":"T","time":1893456000})",
       "time is not a string"},
      {R"({"id":"a","truststore_pem":"T","policy":"both"})",
       "policy is neither"},
  };
  for (const Case& c : cases) {
    const BatchCaseResult result = ParseBatchCase(c.line);
    EXPECT_TRUE(absl::StartsWith(result.error, c.error))
        << c.line << ": " << result.error;
    EXPECT_EQ(result.value.id, "a") << c.line;
  }
}

TEST(ParseBatchCase, RefusesAnIdThatIsNoScalar) {
  for (const char* line : {R"({"id":["a"],"truststore_pem":"T"})",
                           R"({"id":{"a":1},"truststore_pem":"T"})"}) {
    const BatchCaseResult result = ParseBatchCase(line);
    EXPECT_EQ(result.error, "id is not a string or a number");
    EXPECT_TRUE(result.value.id.is_null());
  }
}

TEST(ParseBatchCase, HasNoIdForALineThatIsNotJson) {
  for (const std::string& line :
       {std::string("x"), std::string(R"({"id":"a","truststore_pem":"secret)"),
        std::string(R"({"id":"a"} x)"), std::string("[]"), std::string("5"),
        std::string(R"("secret")"), std::string("null"),
        std::string("{\"id\":\"a\",\"truststore_pem\":\"secret\xff\"}"),
        std::string("{\"id\":\"a\",\"x\":1\0}", 16),
        R"({"id":"a","x":)" + std::string(1000, '[') + std::string(1000, ']') +
            "}",
        std::string(1 << 20, '['), std::string(R"({"id":1e999})")}) {
    const BatchCaseResult result = ParseBatchCase(line);
    EXPECT_TRUE(absl::StartsWith(result.error, "the line is ")) << result.error;
    EXPECT_TRUE(result.value.id.is_null());
    EXPECT_FALSE(absl::StrContains(result.error, "secret"));
  }
}

}  // namespace
}  // namespace sallyport::cli
