#include <string>

#include "absl/strings/str_cat.h"
#include "base/limits.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "settings/bad_request.h"
#include "settings/header_name.h"
#include "settings/path.h"

namespace sallyport::settings {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

std::string PathProblem(absl::string_view path) {
  return std::string(CheckRulePath(path).message());
}

TEST(CheckRulePath, TakesPlainDecodedPaths) {
  for (const char* path : {"/", "/a", "/a/b", "/a.json", "/a b/c", "/ä", "/.a",
                           "/..a", "/a:b@c,d=e"}) {
    EXPECT_TRUE(CheckRulePath(path).ok()) << path << PathProblem(path);
  }
}

TEST(CheckRulePath, SaysWhatIsWrong) {
  EXPECT_THAT(PathProblem(""), StartsWith("does not begin with '/'"));
  EXPECT_THAT(PathProblem("a"), StartsWith("does not begin with '/'"));
  EXPECT_THAT(PathProblem("/a/"), StartsWith("ends with '/'"));
  EXPECT_THAT(PathProblem("//a"), StartsWith("has an empty segment"));
  EXPECT_THAT(PathProblem("/a//b"), StartsWith("has an empty segment"));
  EXPECT_THAT(PathProblem("/a*"), StartsWith("has '*'"));
  EXPECT_THAT(PathProblem("/\xff"), StartsWith("is not UTF-8"));
  for (const char* path :
       {"/a?b", "/a#b", "/a%41", "/a;b", "/a\\b", "/a\nb", "/a\x7f"}) {
    EXPECT_THAT(PathProblem(path), StartsWith("has one of ?")) << path;
  }
  for (const char* path : {"/.", "/..", "/a.", "/a./b", "/a /b", "/a/.."}) {
    EXPECT_THAT(PathProblem(path), StartsWith("has a segment that ends"))
        << path;
  }
}

TEST(CheckRulePath, HasALengthLimit) {
  const std::string longest =
      "/" + std::string(limits::kMaxPathRuleBytes - 1, 'a');
  EXPECT_TRUE(CheckRulePath(longest).ok());
  EXPECT_EQ(CheckRulePath(longest + "a").code(),
            absl::StatusCode::kResourceExhausted);
}

TEST(RemovableHeaderProblem, TakesNamesOfHeaders) {
  for (const char* name : {"x-partner-id", "X_Partner", "a", "x!#$%&'+.^`|~"}) {
    EXPECT_EQ(RemovableHeaderProblem(name), "") << name;
  }
}

TEST(RemovableHeaderProblem, SaysWhatIsWrong) {
  EXPECT_EQ(RemovableHeaderProblem(""), "is empty");
  EXPECT_EQ(RemovableHeaderProblem(":path"), "is a pseudo-header");
  EXPECT_THAT(std::string(RemovableHeaderProblem("a b")),
              HasSubstr("not a header name"));
  EXPECT_THAT(std::string(RemovableHeaderProblem("x-*")),
              HasSubstr("there are no patterns"));
  // However backends read them.
  for (const char* name :
       {"Host", "content_length", "Transfer.Encoding", "TE"}) {
    EXPECT_THAT(std::string(RemovableHeaderProblem(name)),
                HasSubstr("cannot be passed on without"))
        << name;
  }
}

std::string BadRequestProblem(absl::string_view body,
                              absl::string_view content_type,
                              absl::string_view redirect) {
  return std::string(CheckBadRequest(body, content_type, redirect).message());
}

TEST(CheckBadRequest, TakesAPageOrARedirection) {
  EXPECT_TRUE(CheckBadRequest("", "", "").ok());
  EXPECT_TRUE(CheckBadRequest("no", "text/plain; charset=utf-8", "").ok());
  EXPECT_TRUE(CheckBadRequest("", "", "https://example.com/help").ok());
  EXPECT_TRUE(CheckBadRequest("", "", "HTTP://example.com").ok());
  EXPECT_TRUE(CheckBadRequest("", "", "/").ok());
  EXPECT_TRUE(CheckBadRequest("", "", "/help").ok());
}

TEST(CheckBadRequest, NamesTheFieldThatIsWrong) {
  EXPECT_THAT(BadRequestProblem("", "a\nb", ""), StartsWith("content_type: "));
  for (const char* redirect :
       {"//evil.example", "/\\evil.example", "help", "ftp://example.com",
        "javascript:alert(1)", "/a b", "https://example.com/\n"}) {
    EXPECT_THAT(BadRequestProblem("", "", redirect), StartsWith("redirect: "))
        << redirect;
  }
  EXPECT_THAT(BadRequestProblem("body", "", "/help"),
              StartsWith("redirect: a redirection has no body"));
}

TEST(CheckBadRequest, HasLimits) {
  EXPECT_TRUE(
      CheckBadRequest(std::string(kMaxErrorPageBytes, 'a'), "", "").ok());
  EXPECT_THAT(
      BadRequestProblem(std::string(kMaxErrorPageBytes + 1, 'a'), "", ""),
      StartsWith("body: "));
  EXPECT_TRUE(
      CheckBadRequest("", std::string(kMaxContentTypeBytes, 'a'), "").ok());
  EXPECT_FALSE(
      CheckBadRequest("", std::string(kMaxContentTypeBytes + 1, 'a'), "").ok());
  const std::string longest = "/" + std::string(kMaxRedirectBytes - 1, 'a');
  EXPECT_TRUE(CheckBadRequest("", "", longest).ok());
  EXPECT_FALSE(CheckBadRequest("", "", longest + "a").ok());
}

}  // namespace
}  // namespace sallyport::settings
