#include "sigv4/sigv4.h"

#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/time/civil_time.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace sallyport::sigv4 {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;

// SHA-256 of nothing.
constexpr char kEmpty[] =
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

// The key that AWS's documents and test suites use.
Credentials Documented(const char* id, const char* secret) {
  Credentials credentials;
  credentials.access_key_id = id;
  credentials.secret_access_key = Secret::CopyOf(secret);
  return credentials;
}

const absl::Time kTime = absl::FromCivil(
    absl::CivilSecond(2015, 8, 30, 12, 36, 0), absl::UTCTimeZone());

TEST(Authorize, SignsLikeTheTestSuite) {
  // "get-vanilla" of AWS's Signature Version 4 test suite.
  Request request;
  request.method = "GET";
  request.path = "/";
  request.headers = {{"Host", "example.amazonaws.com"}};
  request.payload_sha256 = kEmpty;
  EXPECT_EQ(Authorize(Documented("AKIDEXAMPLE",
                                 "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
                      "us-east-1", "service", kTime, request),
            "AWS4-HMAC-SHA256 "
            "Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
            "SignedHeaders=host;x-amz-date, Signature="
            "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31");
}

TEST(Authorize, SignsLikeTheS3Reference) {
  // "Example: GET Object" of the Amazon S3 API Reference.
  Request request;
  request.method = "GET";
  request.path = "/test.txt";
  request.headers = {{"Host", "examplebucket.s3.amazonaws.com"},
                     {"Range", "bytes=0-9"}};
  request.payload_sha256 = kEmpty;
  EXPECT_THAT(
      Authorize(
          Documented("AKIAIOSFODNN7EXAMPLE",
                     "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
          "us-east-1", "s3",
          absl::FromCivil(absl::CivilSecond(2013, 5, 24), absl::UTCTimeZone()),
          request),
      EndsWith(
          "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"));
  EXPECT_EQ(request.headers.size(), 4u);
}

TEST(Authorize, SignsASessionToken) {
  Request request;
  request.method = "GET";
  request.path = "/";
  request.headers = {{"Host", "example.amazonaws.com"}};
  request.payload_sha256 = kEmpty;
  Credentials credentials = Documented("id", "secret");
  credentials.session_token = "token";
  EXPECT_THAT(Authorize(credentials, "us-east-1", "s3", kTime, request),
              HasSubstr("SignedHeaders=host;x-amz-content-sha256;x-amz-date;"
                        "x-amz-security-token,"));
}

TEST(CanonicalRequest, OrdersAndEncodesTheQuery) {
  Request request;
  request.method = "GET";
  request.path = "/";
  request.query = {{"b", "2"}, {"a", "x y"}, {"a", "1/2"}, {"\xc3\xa4", ""}};
  request.headers = {{"host", "h"}};
  request.payload_sha256 = "p";
  EXPECT_EQ(CanonicalRequest(request, "s3"),
            "GET\n/\n%C3%A4=&a=1%2F2&a=x%20y&b=2\nhost:h\n\nhost\np");
}

TEST(CanonicalRequest, FoldsHeaders) {
  Request request;
  request.method = "GET";
  request.path = "";
  request.headers = {
      {"My-Header", "  a   b  "}, {"Host", "h"}, {"my-header", "c"}};
  request.payload_sha256 = "p";
  EXPECT_EQ(CanonicalRequest(request, "x"),
            "GET\n/\n\nhost:h\nmy-header:a b,c\n\nhost;my-header\np");
}

TEST(CanonicalRequest, EncodesThePathTwiceButForS3) {
  Request request;
  request.method = "GET";
  request.path = "/a%20b/c";
  request.headers = {{"host", "h"}};
  request.payload_sha256 = "p";
  EXPECT_TRUE(
      absl::StartsWith(CanonicalRequest(request, "s3"), "GET\n/a%20b/c\n"));
  EXPECT_TRUE(absl::StartsWith(CanonicalRequest(request, "apigateway"),
                               "GET\n/a%2520b/c\n"));
}

TEST(UriEncode, KeepsUnreservedCharactersOnly) {
  EXPECT_EQ(UriEncode("AZaz09-._~", false), "AZaz09-._~");
  EXPECT_EQ(UriEncode("a/b c+d=\n", false), "a%2Fb%20c%2Bd%3D%0A");
  EXPECT_EQ(UriEncode("a/b", true), "a/b");
}

}  // namespace
}  // namespace sallyport::sigv4
