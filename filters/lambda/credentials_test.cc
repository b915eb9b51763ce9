#include "filters/lambda/credentials.h"

#include <cstdlib>
#include <fstream>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "filters/lambda/function.h"
#include "filters/shim/buffers.h"
#include "filters/shim/fake_envoy.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace sallyport::lambda {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kFile[] = R"(# a comment
[default]
aws_access_key_id = AKIDEFAULT
aws_secret_access_key = defaultsecret

[ lambda ]
AWS_ACCESS_KEY_ID=AKLAMBDA
aws_secret_access_key=c2VjcmV0=
aws_session_token = token==
[empty]
region = eu-west-1
)";

const absl::Time kNow = absl::FromUnixSeconds(1700000000);

std::string Write(const std::string& name, absl::string_view bytes) {
  const std::string path = absl::StrCat(::testing::TempDir(), "/", name);
  std::ofstream(path, std::ios::trunc) << bytes;
  return path;
}

TEST(ReadCredentialsFile, FindsTheProfile) {
  const auto read = ReadCredentialsFile(kFile, "lambda");
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ((*read)->access_key_id, "AKLAMBDA");
  EXPECT_EQ((*read)->secret_access_key.Reveal(), "c2VjcmV0=");
  EXPECT_EQ((*read)->session_token, "token==");
  EXPECT_EQ((*ReadCredentialsFile(kFile, "default"))->session_token, "");
}

TEST(ReadCredentialsFile, SaysWhatIsMissingAndNoValue) {
  EXPECT_THAT(ReadCredentialsFile(kFile, "other").status().message(),
              HasSubstr("no profile [other]"));
  EXPECT_THAT(ReadCredentialsFile(kFile, "empty").status().message(),
              HasSubstr("no aws_access_key_id"));
  const auto half = ReadCredentialsFile(
      "[default]\naws_secret_access_key = verysecret\n", "default");
  EXPECT_THAT(half.status().message(), Not(HasSubstr("verysecret")));
  EXPECT_FALSE(ReadCredentialsFile("[default]\naws_access_key_id = a\xff\n"
                                   "aws_secret_access_key = b\n",
                                   "default")
                   .ok());
}

TEST(CredentialsSource, ReadsAFileAndRefusesOneThatIsNotThere) {
  filter::v1::AwsCredentials config;
  config.mutable_shared_file()->set_path(Write("credentials", kFile));
  config.mutable_shared_file()->set_profile("lambda");
  const auto source = CredentialsSource::Create(config, "credentials");
  ASSERT_TRUE(source.ok()) << source.status();
  EXPECT_EQ((*source)->Current(kNow)->access_key_id, "AKLAMBDA");
  EXPECT_FALSE((*source)->NeedsAsking(kNow));

  config.mutable_shared_file()->set_path("/nonexistent/credentials");
  EXPECT_THAT(
      CredentialsSource::Create(config, "credentials").status().message(),
      HasSubstr("credentials.shared_file: "));
  config.mutable_shared_file()->set_path("credentials");
  EXPECT_FALSE(CredentialsSource::Create(config, "credentials").ok());
  EXPECT_FALSE(
      CredentialsSource::Create(filter::v1::AwsCredentials(), "credentials")
          .ok());
}

TEST(CredentialsSource, ReadsTheEnvironment) {
  filter::v1::AwsCredentials config;
  config.mutable_environment();
  unsetenv("AWS_ACCESS_KEY_ID");
  unsetenv("AWS_SECRET_ACCESS_KEY");
  EXPECT_FALSE(CredentialsSource::Create(config, "credentials").ok());
  setenv("AWS_ACCESS_KEY_ID", "AKENV", 1);
  setenv("AWS_SECRET_ACCESS_KEY", "envsecret", 1);
  const auto source = CredentialsSource::Create(config, "credentials");
  ASSERT_TRUE(source.ok());
  EXPECT_EQ((*source)->Current(kNow)->secret_access_key.Reveal(), "envsecret");
}

constexpr char kSts[] = R"(<AssumeRoleWithWebIdentityResponse>
  <AssumeRoleWithWebIdentityResult>
    <Credentials>
      <SessionToken>AQoD&amp;==</SessionToken>
      <SecretAccessKey>stssecret</SecretAccessKey>
      <Expiration>2023-11-14T23:13:20Z</Expiration>
      <AccessKeyId>ASIA</AccessKeyId>
    </Credentials>
  </AssumeRoleWithWebIdentityResult>
</AssumeRoleWithWebIdentityResponse>)";

TEST(ReadStsAnswer, ReadsTheDocumentedAnswer) {
  const auto read = ReadStsAnswer(kSts);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->credentials->access_key_id, "ASIA");
  EXPECT_EQ(read->credentials->session_token, "AQoD&==");
  EXPECT_EQ(read->expiration, kNow + absl::Hours(1));
  EXPECT_FALSE(ReadStsAnswer("").ok());
  EXPECT_FALSE(ReadStsAnswer("<ErrorResponse/>").ok());
}

TEST(CredentialsSource, ChangesAWebIdentityForCredentials) {
  filter::v1::AwsCredentials config;
  auto& identity = *config.mutable_web_identity();
  identity.set_token_file(Write("token", "header.payload.signature\n"));
  identity.set_role_arn("arn:aws:iam::123456789012:role/caller");
  identity.set_cluster("sts");
  identity.set_authority("sts.us-east-1.amazonaws.com");
  const auto source = CredentialsSource::Create(config, "credentials");
  ASSERT_TRUE(source.ok()) << source.status();
  EXPECT_TRUE((*source)->NeedsAsking(kNow));
  EXPECT_EQ((*source)->Current(kNow), nullptr);
  const auto ask = (*source)->Ask(kNow);
  ASSERT_TRUE(ask.ok());
  EXPECT_EQ(ask->cluster, "sts");
  EXPECT_EQ(ask->body,
            "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn=arn%3A"
            "aws%3Aiam%3A%3A123456789012%3Arole%2Fcaller&RoleSessionName="
            "sallyport&WebIdentityToken=header.payload.signature");
  EXPECT_FALSE((*source)->Take("<ErrorResponse/>", kNow).ok());
  EXPECT_FALSE((*source)->Take(kSts, kNow + absl::Hours(2)).ok());
  EXPECT_TRUE((*source)->Take(kSts, kNow).ok());
  EXPECT_FALSE((*source)->NeedsAsking(kNow));
  EXPECT_EQ((*source)->Current(kNow)->access_key_id, "ASIA");
  // Before they end, one request in a while asks; the others use what is there.
  const absl::Time late = kNow + absl::Minutes(56);
  EXPECT_TRUE((*source)->NeedsAsking(late));
  EXPECT_TRUE((*source)->Ask(late).ok());
  EXPECT_FALSE((*source)->NeedsAsking(late + absl::Seconds(1)));
  EXPECT_NE((*source)->Current(late), nullptr);
  EXPECT_EQ((*source)->Current(kNow + absl::Hours(1)), nullptr);
  EXPECT_TRUE((*source)->NeedsAsking(kNow + absl::Hours(1)));
}

filter::v1::Function Lambda() {
  filter::v1::Function config;
  auto& lambda = *config.mutable_lambda();
  lambda.set_cluster("lambda");
  lambda.set_authority("lambda.eu-west-1.amazonaws.com");
  lambda.set_function("arn:aws:lambda:eu-west-1:123456789012:function:auth:1");
  lambda.set_region("eu-west-1");
  auto& file = *lambda.mutable_credentials()->mutable_shared_file();
  file.set_path(Write("function_credentials", kFile));
  file.set_profile("lambda");
  return config;
}

std::string Value(const Callout& callout, absl::string_view name) {
  for (const auto& [key, value] : callout.headers) {
    if (key == name) return value;
  }
  return "(none)";
}

TEST(Function, IsInvokedAndSigned) {
  const auto function =
      Function::Create(Lambda(), "function", kDefaultAuthorizerTimeout);
  ASSERT_TRUE(function.ok()) << function.status();
  const auto call = (*function)->Call("{}", kNow);
  ASSERT_TRUE(call.ok());
  EXPECT_EQ(call->cluster, "lambda");
  EXPECT_EQ(call->body, "{}");
  EXPECT_EQ(call->timeout, absl::Seconds(10));
  EXPECT_EQ(Value(*call, ":method"), "POST");
  EXPECT_EQ(Value(*call, ":path"),
            "/2015-03-31/functions/arn%3Aaws%3Alambda%3Aeu-west-1%3A"
            "123456789012%3Afunction%3Aauth%3A1/invocations");
  EXPECT_EQ(Value(*call, ":authority"), "lambda.eu-west-1.amazonaws.com");
  EXPECT_EQ(Value(*call, "x-amz-date"), "20231114T221320Z");
  EXPECT_EQ(Value(*call, "x-amz-security-token"), "token==");
  EXPECT_THAT(Value(*call, "authorization"),
              HasSubstr("AWS4-HMAC-SHA256 Credential=AKLAMBDA/20231114/"
                        "eu-west-1/lambda/aws4_request, SignedHeaders="
                        "content-type;host;x-amz-date;x-amz-invocation-type;"
                        "x-amz-security-token"));
  for (const auto& [name, value] : call->headers) {
    EXPECT_FALSE(absl::StrContains(value, "c2VjcmV0")) << name;
  }
}

TEST(Function, RefusesConfigurationsWithTheFieldsName) {
  const auto refused = [](const filter::v1::Function& config,
                          const char* field) {
    const auto made =
        Function::Create(config, "function", kDefaultAuthorizerTimeout);
    EXPECT_THAT(std::string(made.status().message()), HasSubstr(field));
  };
  refused(filter::v1::Function(), "function: is missing");
  auto config = Lambda();
  config.mutable_lambda()->clear_cluster();
  refused(config, "function.lambda.cluster: ");
  config = Lambda();
  config.mutable_lambda()->set_authority("a b");
  refused(config, "function.lambda.authority: ");
  config = Lambda();
  config.mutable_lambda()->clear_region();
  refused(config, "function.lambda.region: ");
  config = Lambda();
  config.mutable_lambda()->clear_credentials();
  refused(config, "function.lambda.credentials: ");
  config = Lambda();
  config.mutable_timeout()->set_nanos(49'999'999);
  refused(config, "function.timeout: ");
  config.mutable_timeout()->set_nanos(50'000'000);
  EXPECT_TRUE(
      Function::Create(config, "function", kDefaultAuthorizerTimeout).ok());
  config.mutable_timeout()->set_nanos(0);
  config.mutable_timeout()->set_seconds(30);
  refused(config, "function.timeout: ");
  filter::v1::Function https;
  https.mutable_https()->set_cluster("c");
  refused(https, "function.https.authority: ");
  https.mutable_https()->set_authority("a");
  https.mutable_https()->set_path("x");
  refused(https, "function.https.path: ");
}

FunctionAnswer Read(const filter::v1::Function& config, const char* status,
                    bool function_error = false,
                    absl::string_view body = "body",
                    abi::CalloutResult result = abi::CalloutResult::kSuccess) {
  const auto function =
      Function::Create(config, "function", kDefaultAuthorizerTimeout);
  std::vector<abi::EnvoyHeader> headers = {
      {":status", 7, status, absl::string_view(status).size()}};
  if (function_error) {
    headers.push_back({"x-amz-function-error", 20, "Unhandled", 9});
  }
  const std::vector<abi::EnvoyBuffer> chunks = {
      shim::Envoy(body.substr(0, body.size() / 2)),
      shim::Envoy(body.substr(body.size() / 2))};
  shim::CalloutEnd end;
  end.result = result;
  end.headers = headers;
  end.body = chunks;
  return (*function)->Read(end, 10);
}

TEST(Function, TellsAnswersFromFailures) {
  filter::v1::Function https;
  https.mutable_https()->set_cluster("c");
  https.mutable_https()->set_authority("a");
  EXPECT_EQ(Read(Lambda(), "200").result, CallResult::kAnswer);
  EXPECT_EQ(Read(Lambda(), "200").body, "body");
  EXPECT_EQ(Read(Lambda(), "200", true).result, CallResult::kFunctionError);
  EXPECT_EQ(Read(Lambda(), "202").result, CallResult::kRefused);
  EXPECT_EQ(Read(Lambda(), "401").result, CallResult::kRefused);
  EXPECT_EQ(Read(https, "401").result, CallResult::kUnauthorized);
  EXPECT_EQ(Read(Lambda(), "403").result, CallResult::kRefused);
  EXPECT_EQ(Read(Lambda(), "429").result, CallResult::kThrottled);
  EXPECT_EQ(Read(Lambda(), "500").result, CallResult::kServiceFailed);
  EXPECT_EQ(Read(Lambda(), "503").result, CallResult::kServiceFailed);
  EXPECT_EQ(Read(Lambda(), "504").result, CallResult::kTimeout);
  EXPECT_EQ(Read(Lambda(), "200", false, "12345678901").result,
            CallResult::kTooLarge);
  EXPECT_EQ(Read(Lambda(), "200", false, "1234567890").result,
            CallResult::kAnswer);
  EXPECT_EQ(Read(Lambda(), "200", false, "", abi::CalloutResult::kReset).result,
            CallResult::kUnreachable);
  EXPECT_EQ(Read(Lambda(), "200", false, "",
                 abi::CalloutResult::kExceedResponseBufferLimit)
                .result,
            CallResult::kTooLarge);
  EXPECT_EQ(Read(Lambda(), "").result, CallResult::kRefused);
}

}  // namespace
}  // namespace sallyport::lambda
