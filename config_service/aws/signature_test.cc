#include "config_service/aws/signature.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/time/civil_time.h"
#include "config_service/aws/errors.h"
#include "config_service/aws/limits.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "sigv4/sigv4.h"

namespace sallyport::aws {
namespace {

using ::testing::HasSubstr;

constexpr char kId[] = "AKIDEXAMPLE";
constexpr char kSecret[] = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
// SHA-256 of "{}" and of nothing.
constexpr char kBraces[] =
    "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";
constexpr char kEmpty[] =
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

const absl::Time kNow = absl::FromCivil(
    absl::CivilSecond(2026, 11, 22, 12, 0, 0), absl::UTCTimeZone());

sigv4::Credentials Key(const char* secret = kSecret) {
  sigv4::Credentials out;
  out.access_key_id = kId;
  out.secret_access_key = Secret::CopyOf(secret);
  return out;
}

absl::StatusOr<std::optional<service::AccessKeys::Known>> Find(
    absl::string_view id) {
  if (id != kId) return std::nullopt;
  service::AccessKeys::Known out;
  out.principal = "access-key:ci";
  out.role = service::Role::kOperator;
  out.secret = Secret::CopyOf(kSecret);
  return out;
}

// A request, signed as sigv4 signs.
HttpRequest Signed(const std::string& method, const std::string& target,
                   const std::string& body, const char* digest,
                   absl::Time time = kNow, const char* service = "apigateway",
                   const char* secret = kSecret) {
  const auto parsed = ParseTarget(target);
  sigv4::Request to_sign;
  to_sign.method = method;
  to_sign.path = parsed->path;
  to_sign.query = parsed->query;
  to_sign.headers = {{"host", "127.0.0.1:9442"},
                     {"content-type", "application/json"}};
  to_sign.payload_sha256 = digest;
  const std::string authorization =
      sigv4::Authorize(Key(secret), "eu-central-1", service, time, to_sign);
  HttpRequest out;
  out.method = method;
  out.target = target;
  for (const auto& header : to_sign.headers) out.headers.push_back(header);
  out.headers.emplace_back("Authorization", authorization);
  out.headers.emplace_back("User-Agent", "test");
  out.body = body;
  return out;
}

HttpRequest Post() {
  return Signed("POST", "/domainnames?a=b%20c&a=", "{}", kBraces);
}

absl::StatusOr<Signer> Verify(const HttpRequest& request,
                              absl::Time now = kNow) {
  return VerifySignature(request, *ParseTarget(request.target), "apigateway",
                         now, Find);
}

Error ErrorOf(const absl::StatusOr<Signer>& result) {
  EXPECT_FALSE(result.ok());
  return ToError(result.status(), Service::kApiGateway);
}

std::string& Header(HttpRequest& request, absl::string_view name) {
  for (auto& [key, value] : request.headers) {
    if (absl::EqualsIgnoreCase(key, name)) return value;
  }
  request.headers.emplace_back(std::string(name), "");
  return request.headers.back().second;
}

TEST(VerifySignature, SaysWhoSigned) {
  const auto signer = Verify(Post());
  ASSERT_TRUE(signer.ok()) << signer.status();
  EXPECT_EQ(signer->principal, "access-key:ci");
  EXPECT_EQ(signer->role, service::Role::kOperator);
  EXPECT_EQ(signer->access_key_id, kId);
}

TEST(VerifySignature, TakesPathsThatAreEncoded) {
  EXPECT_TRUE(Verify(Signed("GET",
                            "/domainnames/a.example.com/basepathmappings/"
                            "%28none%29",
                            "", kEmpty))
                  .ok());
}

TEST(VerifySignature, RefusesWhatWasChangedAfterwards) {
  const std::vector<std::pair<const char*, HttpRequest>> changed = [] {
    std::vector<std::pair<const char*, HttpRequest>> out;
    HttpRequest request = Post();
    request.method = "DELETE";
    out.emplace_back("method", request);
    request = Post();
    request.target = "/domainnames2?a=b%20c&a=";
    out.emplace_back("path", request);
    request = Post();
    request.target = "/domainnames?a=b%20d&a=";
    out.emplace_back("query", request);
    request = Post();
    request.target += "&mode=import";
    out.emplace_back("more query", request);
    request = Post();
    request.body = "{ }";
    out.emplace_back("body", request);
    request = Post();
    Header(request, "host") = "other";
    out.emplace_back("host", request);
    request = Post();
    Header(request, "content-type") = "text/plain";
    out.emplace_back("a signed header", request);
    request = Post();
    request.headers.emplace_back("content-type", "text/plain");
    out.emplace_back("a signed header, twice", request);
    request = Post();
    std::string& authorization = Header(request, "authorization");
    authorization.back() = authorization.back() == '0' ? '1' : '0';
    out.emplace_back("signature", request);
    request = Post();
    Header(request, "authorization") = absl::StrReplaceAll(
        Header(request, "authorization"), {{"eu-central-1", "eu-west-1"}});
    out.emplace_back("region", request);
    return out;
  }();
  for (const auto& [what, request] : changed) {
    const Error error = ErrorOf(Verify(request));
    EXPECT_EQ(error.code, "InvalidSignatureException") << what;
    EXPECT_EQ(error.status, 403) << what;
  }
}

TEST(VerifySignature, RefusesAnotherSecretAndAnUnknownKey) {
  EXPECT_EQ(ErrorOf(Verify(Signed("GET", "/domainnames", "", kEmpty, kNow,
                                  "apigateway", "another")))
                .code,
            "InvalidSignatureException");
  HttpRequest request = Post();
  Header(request, "authorization") = absl::StrReplaceAll(
      Header(request, "authorization"), {{kId, "AKIDOTHER"}});
  EXPECT_EQ(ErrorOf(Verify(request)).code, "UnrecognizedClientException");
}

TEST(VerifySignature, TakesTheTimeAsFarAsTheLimit) {
  const auto at = [](absl::Duration offset) {
    return Verify(Signed("GET", "/", "", kEmpty, kNow + offset));
  };
  EXPECT_TRUE(at(kMaxClockSkew).ok());
  EXPECT_TRUE(at(-kMaxClockSkew).ok());
  const Error late = ErrorOf(at(kMaxClockSkew + absl::Seconds(1)));
  EXPECT_EQ(late.code, "InvalidSignatureException");
  EXPECT_THAT(late.message, HasSubstr("not yet current"));
  const Error early = ErrorOf(at(-kMaxClockSkew - absl::Seconds(1)));
  EXPECT_EQ(early.code, "InvalidSignatureException");
  EXPECT_THAT(early.message, HasSubstr("Signature expired"));
}

TEST(VerifySignature, RefusesADateThatIsNoneOrNotTheScopes) {
  for (const char* date :
       {"", "20261122", "20261122T120000", "2026-11-22T12:00:00Z",
        "20261122T126000Z", " 20261122T120000Z"}) {
    HttpRequest request = Post();
    Header(request, "x-amz-date") = date;
    EXPECT_EQ(ErrorOf(Verify(request)).code, "IncompleteSignatureException")
        << date;
  }
  HttpRequest request = Post();
  Header(request, "authorization") = absl::StrReplaceAll(
      Header(request, "authorization"), {{"/20261122/", "/20261121/"}});
  EXPECT_EQ(ErrorOf(Verify(request)).code, "InvalidSignatureException");
}

TEST(VerifySignature, RefusesWhatIsNotSignedThoughItMustBe) {
  HttpRequest request = Post();
  request.headers.emplace_back("X-Amz-Target", "CertificateManager.X");
  Error error = ErrorOf(Verify(request));
  EXPECT_EQ(error.code, "IncompleteSignatureException");
  EXPECT_THAT(error.message, HasSubstr("x-amz-target"));
  request = Post();
  Header(request, "authorization") =
      absl::StrReplaceAll(Header(request, "authorization"), {{"host;", ""}});
  EXPECT_THAT(ErrorOf(Verify(request)).message, HasSubstr("Host"));
  request = Post();
  Header(request, "authorization") = absl::StrReplaceAll(
      Header(request, "authorization"), {{"host;", "host;x-none;"}});
  EXPECT_THAT(ErrorOf(Verify(request)).message, HasSubstr("x-none"));
}

TEST(VerifySignature, RefusesSeveralOfWhatCountsOnce) {
  for (const char* name : {"authorization", "host", "x-amz-date"}) {
    HttpRequest request = Post();
    request.headers.emplace_back(name, Header(request, name));
    EXPECT_EQ(ErrorOf(Verify(request)).code, "IncompleteSignatureException")
        << name;
  }
}

TEST(VerifySignature, RefusesOtherWaysToSign) {
  HttpRequest request = Post();
  request.target = "/domainnames?X-Amz-Signature=abc";
  EXPECT_THAT(ErrorOf(Verify(request)).message, HasSubstr("in their URL"));
  request = Post();
  request.headers.emplace_back("X-Amz-Security-Token", "t");
  EXPECT_THAT(ErrorOf(Verify(request)).message, HasSubstr("session tokens"));
  request = Post();
  Header(request, "authorization") =
      absl::StrReplaceAll(Header(request, "authorization"),
                          {{"AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256"}});
  EXPECT_THAT(ErrorOf(Verify(request)).message, HasSubstr("AWS4-HMAC-SHA256"));
  request = Post();
  Header(request, "authorization") = "Bearer token";
  EXPECT_EQ(ErrorOf(Verify(request)).code, "IncompleteSignatureException");
}

TEST(VerifySignature, RefusesPayloadsThatAreNotSigned) {
  // Signed with its header, as a client does that does not hash the body.
  for (const char* digest :
       {"UNSIGNED-PAYLOAD", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", kEmpty}) {
    sigv4::Request to_sign;
    to_sign.method = "POST";
    to_sign.path = "/domainnames";
    to_sign.headers = {{"host", "h"}, {"x-amz-content-sha256", digest}};
    to_sign.payload_sha256 = digest;
    const std::string authorization =
        sigv4::Authorize(Key(), "eu-central-1", "apigateway", kNow, to_sign);
    HttpRequest request;
    request.method = "POST";
    request.target = "/domainnames";
    for (const auto& header : to_sign.headers) {
      request.headers.push_back(header);
    }
    request.headers.emplace_back("authorization", authorization);
    request.body = "{}";
    const Error error = ErrorOf(Verify(request));
    EXPECT_EQ(error.code, "InvalidSignatureException") << digest;
    EXPECT_THAT(error.message, HasSubstr("x-amz-content-sha256")) << digest;
  }
}

TEST(VerifySignature, RefusesAKeyThatSignsForAnotherService) {
  const Error error =
      ErrorOf(Verify(Signed("GET", "/domainnames", "", kEmpty, kNow, "s3")));
  EXPECT_EQ(error.code, "InvalidSignatureException");
}

TEST(VerifySignature, RefusesHeadersThatCannotBeRead) {
  for (const char* value :
       {"AWS4-HMAC-SHA256", "AWS4-HMAC-SHA256 ",
        "AWS4-HMAC-SHA256 Credential=a/b/c/d/aws4_request",
        "AWS4-HMAC-SHA256 Credential=a/20261122/r/apigateway/aws4_request, "
        "SignedHeaders=host, Signature=zz",
        "AWS4-HMAC-SHA256 Credential=a/20261122/r/apigateway/other, "
        "SignedHeaders=host, Signature=" /* and no more */,
        "AWS4-HMAC-SHA256 Credential=a, Credential=b", ",", ";;;"}) {
    HttpRequest request = Post();
    Header(request, "authorization") = value;
    EXPECT_EQ(ErrorOf(Verify(request)).code, "IncompleteSignatureException")
        << value;
  }
}

TEST(VerifySignature, ReadsNoEndlessListsOfHeaders) {
  HttpRequest request = Post();
  std::string& value = Header(request, "Authorization");
  std::string names;
  for (size_t i = 0; i <= kMaxSignedHeaders; ++i) {
    names += absl::StrCat(i == 0 ? "" : ";", "h", i);
  }
  const size_t begin = value.find("SignedHeaders=") + 14;
  value.replace(begin, value.find(',', begin) - begin, names);
  const Error error = ErrorOf(Verify(request));
  EXPECT_EQ(error.code, "IncompleteSignatureException");
  EXPECT_TRUE(absl::StrContains(error.message, "more than 100"));
}

TEST(VerifySignature, SaysThatARequestIsNotSigned) {
  HttpRequest request;
  request.method = "GET";
  request.target = "/domainnames";
  EXPECT_FALSE(IsSigned(request, *ParseTarget(request.target)));
  EXPECT_EQ(ErrorOf(Verify(request)).code,
            "MissingAuthenticationTokenException");
  EXPECT_TRUE(IsSigned(Post(), *ParseTarget(Post().target)));
}

}  // namespace
}  // namespace sallyport::aws
