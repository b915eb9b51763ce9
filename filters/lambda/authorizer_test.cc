// The filter `sallyport.authorizer` through Envoy's hooks, over a fake Envoy.

#include "filters/lambda/authorizer.h"

#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "filters/cert_validator/request_record.h"
#include "filters/cert_validator/test_support.h"
#include "filters/lambda/stream_request.h"
#include "filters/shim/clock.h"
#include "filters/shim/fake_envoy.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "proto/sallyport/filter/v1/authorizer.pb.h"

namespace sallyport::lambda {
namespace {

namespace v1 = ::sallyport::filter::v1;
using cert_validator::Certificates;
using nlohmann::json;
using shim::Envoy;
using shim::FakeConnection;
using shim::FakeHttpFilterConfig;
using shim::FakeStream;
using shim::LogCapture;
using ::testing::HasSubstr;

constexpr char kAllowAll[] =
    R"({"principalId":"p","policyDocument":{"Version":"2012-10-17","Statement":[
       {"Effect":"Allow","Action":"execute-api:Invoke","Resource":"*"}]},
       "context":{"org":"acme","n":7,"t":true}})";

v1::Authorizer Config(v1::Authorizer::Type type = v1::Authorizer::REQUEST) {
  v1::Authorizer config;
  config.set_domain("api.example.com");
  config.set_name("auth");
  config.set_type(type);
  config.add_identity_sources("method.request.header.Authorization");
  auto& https = *config.mutable_function()->mutable_https();
  https.set_cluster("authorizer");
  https.set_authority("auth.internal");
  config.mutable_api()->set_api_id("api1");
  config.mutable_api()->set_stage("prod");
  auto& header = *config.add_context_headers();
  header.set_key("org");
  header.set_header("X-Org");
  return config;
}

class Loaded {
 public:
  explicit Loaded(const v1::Authorizer& config,
                  absl::string_view name = "sallyport.authorizer") {
    const std::string bytes = config.SerializeAsString();
    config_ = envoy_dynamic_module_on_http_filter_config_new(
        envoy.config(), Envoy(name), Envoy(bytes));
    envoy.frozen = true;
  }
  ~Loaded() { envoy_dynamic_module_on_http_filter_config_destroy(config_); }
  Loaded(const Loaded&) = delete;
  const void* get() const { return config_; }
  uint64_t Decisions(const char* decision, const char* reason) const {
    return envoy.Value("authorizer_decisions",
                       {"api.example.com", "auth", decision, reason});
  }

  FakeHttpFilterConfig envoy;

 private:
  const void* config_;
};

// One request that `sallyport.mtls` let in.
class Request {
 public:
  Request(Loaded& loaded, const std::string& leaf, const std::string& path,
          const FakeStream::Headers& headers = {{"authorization", "secret"}},
          const char* method = "GET", const char* domain = "api.example.com")
      : stream(&loaded.envoy, &connection_) {
    stream.request_headers = {{":method", method},
                              {":path", path},
                              {":scheme", "https"},
                              {":authority", "api.example.com"}};
    stream.request_headers.insert(stream.request_headers.end(), headers.begin(),
                                  headers.end());
    if (domain[0] != '\0') {
      cert_validator::RequestRecord record;
      record.reason =
          leaf.empty() ? pki::Reason::kNoCertificate : pki::Reason::kTrusted;
      record.domain = domain;
      record.leaf = leaf;
      stream.filter_state["sallyport.request"] =
          cert_validator::EncodeRequestRecord(record);
    }
    filter_ =
        envoy_dynamic_module_on_http_filter_new(loaded.get(), stream.filter());
  }
  ~Request() { envoy_dynamic_module_on_http_filter_destroy(filter_); }
  Request(const Request&) = delete;

  abi::HeadersStatus Begin() {
    return envoy_dynamic_module_on_http_filter_request_headers(stream.filter(),
                                                               filter_, true);
  }
  // What the function says.
  void Answer(absl::string_view body, absl::string_view status = "200",
              abi::CalloutResult result = abi::CalloutResult::kSuccess) {
    abi::EnvoyHeader header = {":status", 7, status.data(), status.size()};
    abi::EnvoyBuffer chunk = Envoy(body);
    envoy_dynamic_module_on_http_filter_http_callout_done(
        stream.filter(), filter_, stream.callouts.back().id, result, &header, 1,
        &chunk, 1);
  }
  // "allowed", or the status and the details of the answer.
  std::string Outcome() const {
    if (stream.response.has_value()) {
      return absl::StrCat(stream.response->status, " ",
                          stream.response->details);
    }
    return stream.continued == 1 ? "allowed" : "waits";
  }
  std::string Run(absl::string_view body) {
    const abi::HeadersStatus status = Begin();
    if (status == abi::HeadersStatus::kContinue) return "allowed";
    if (status == abi::HeadersStatus::kStopAllIterationAndWatermark) {
      Answer(body);
    }
    return Outcome();
  }
  const void* filter() const { return filter_; }

 private:
  FakeConnection connection_;

 public:
  FakeStream stream;

 private:
  const void* filter_;
};

class AuthorizerTest : public ::testing::Test {
 public:
  AuthorizerTest() : clock_(cert_validator::SharedFakeClock()) {
    shim::SetModuleClockForTest(&clock_);
  }
  ~AuthorizerTest() override { shim::SetModuleClockForTest(nullptr); }

 protected:
  FakeClock& clock_;
  const std::string client_ = Certificates().client.der;
  const std::string other_ = Certificates().stranger.der;
};

TEST_F(AuthorizerTest, AsksTheFunctionAndLetsTheRequestGoOn) {
  Loaded loaded(Config());
  Request request(loaded, client_, "/orders/7?a=b",
                  {{"authorization", "secret"}, {"x-org", "forged"}});
  EXPECT_EQ(request.Begin(), abi::HeadersStatus::kStopAllIterationAndWatermark);
  ASSERT_EQ(request.stream.callouts.size(), 1u);
  const FakeStream::Callout& call = request.stream.callouts[0];
  EXPECT_EQ(call.cluster, "authorizer");
  EXPECT_EQ(call.timeout_ms, 10000u);
  const json event = json::parse(call.body);
  EXPECT_EQ(event["type"], "REQUEST");
  EXPECT_EQ(event["methodArn"],
            "arn:aws:execute-api:us-east-1:000000000000:api1/prod/GET/"
            "orders/7");
  EXPECT_EQ(event["requestContext"]["identity"]["clientCert"]["clientCertPem"],
            Certificates().client.pem);
  EXPECT_EQ(event["requestContext"]["identity"]["sourceIp"], "192.0.2.7");
  EXPECT_FALSE(event["headers"].contains("x-org"));
  request.Answer(kAllowAll);
  EXPECT_EQ(request.Outcome(), "allowed");
  EXPECT_EQ(request.stream.Values("x-org"), std::vector<std::string>{"acme"});
  EXPECT_EQ(request.stream.metadata.at("sallyport.authorizer:principalId"),
            "p");
  EXPECT_EQ(request.stream.metadata.at("sallyport.authorizer:context.n"), "7");
  const json told =
      json::parse(request.stream.filter_state.at("sallyport.authorizer"));
  EXPECT_EQ(told["principalId"], "p");
  EXPECT_EQ(told["context"]["org"], "acme");
  EXPECT_EQ(loaded.Decisions("allowed", "ALLOWED"), 1u);
}

TEST_F(AuthorizerTest, RemembersAnswersOfOneCertificateAndIdentity) {
  Loaded loaded(Config());
  EXPECT_EQ(Request(loaded, client_, "/a").Run(kAllowAll), "allowed");
  {
    Request again(loaded, client_, "/b");
    EXPECT_EQ(again.Begin(), abi::HeadersStatus::kContinue);
    EXPECT_EQ(again.stream.Values("x-org"), std::vector<std::string>{"acme"});
  }
  // Another certificate with the same token; another token; none at all.
  for (const auto& [leaf, token] :
       {std::pair<std::string, const char*>{other_, "secret"},
        {client_, "Secret"},
        {"", "secret"}}) {
    Request request(loaded, leaf, "/a", {{"authorization", token}});
    EXPECT_EQ(request.Begin(),
              abi::HeadersStatus::kStopAllIterationAndWatermark);
  }
  // Another configuration of the same authorizer.
  Loaded reloaded(Config());
  Request request(reloaded, client_, "/a");
  EXPECT_EQ(request.Begin(), abi::HeadersStatus::kStopAllIterationAndWatermark);
  // The time is over.
  clock_.Advance(absl::Seconds(301));
  Request late(loaded, client_, "/a");
  EXPECT_EQ(late.Begin(), abi::HeadersStatus::kStopAllIterationAndWatermark);
}

TEST_F(AuthorizerTest, AsksARememberedPolicyAboutEachRequest) {
  Loaded loaded(Config());
  const char* policy =
      R"({"principalId":"p","policyDocument":{"Statement":[
          {"Effect":"Allow","Action":"*","Resource":"*"},
          {"Effect":"Deny","Action":"*",
           "Resource":"arn:aws:execute-api:*:*:api1/prod/*/private*"}]}})";
  EXPECT_EQ(Request(loaded, client_, "/public").Run(policy), "allowed");
  const std::string denied = "403 sallyport_authorizer{EXPLICIT_DENY}";
  EXPECT_EQ(Request(loaded, client_, "/private").Run(""), denied);
  EXPECT_EQ(Request(loaded, client_, "/pr%69vate/x").Run(""), denied);
  EXPECT_EQ(Request(loaded, client_, "/private/").Run(""), denied);
  const std::string unusual = "400 sallyport_authorizer{UNUSUAL_PATH}";
  for (const char* path : {"/public/../private", "//private", "/public%2f..",
                           "/x;/private", "/public/%2e%2e/private"}) {
    EXPECT_EQ(Request(loaded, client_, path).Run(""), unusual) << path;
  }
  EXPECT_EQ(
      Request(loaded, client_, "/public", {{"authorization", "secret"}}, "get")
          .Run(""),
      "400 sallyport_authorizer{UNUSUAL_METHOD}");
}

TEST_F(AuthorizerTest, AnswersAsApiGatewayDoes) {
  Loaded loaded(Config());
  const auto answer = [&](absl::string_view body, const char* token) {
    Request request(loaded, client_, "/a", {{"authorization", token}});
    request.Run(body);
    EXPECT_TRUE(request.stream.response.has_value());
    EXPECT_EQ(request.stream.response->headers[0].second, "application/json");
    return absl::StrCat(request.stream.response->status, " ",
                        request.stream.response->headers[1].second, " ",
                        request.stream.response->body);
  };
  EXPECT_EQ(
      answer(R"({"principalId":"p","policyDocument":{"Statement":[
                 {"Effect":"Deny","Action":"*","Resource":"*"}]}})",
             "1"),
      "403 AccessDeniedException {\"Message\":\"User is not authorized to "
      "access this resource with an explicit deny\"}");
  EXPECT_EQ(
      answer(R"({"principalId":"p","policyDocument":{"Statement":[]}})", "2"),
      "403 AccessDeniedException {\"Message\":\"User is not authorized "
      "to access this resource\"}");
  EXPECT_EQ(answer("{}", "3"),
            "500 AuthorizerConfigurationException {\"message\":null}");
  EXPECT_EQ(answer("", ""),
            "401 UnauthorizedException {\"message\":\"Unauthorized\"}");
}

TEST_F(AuthorizerTest, CallsNoFunctionWithoutAnIdentity) {
  Loaded loaded(Config());
  for (const FakeStream::Headers& headers :
       {FakeStream::Headers{}, FakeStream::Headers{{"authorization", ""}},
        FakeStream::Headers{{"authorization", "\xff"}}}) {
    Request request(loaded, client_, "/a", headers);
    EXPECT_EQ(request.Run(kAllowAll),
              "401 sallyport_authorizer{NO_IDENTITY_SOURCE}");
    EXPECT_TRUE(request.stream.callouts.empty());
  }
}

TEST_F(AuthorizerTest, ChecksTokensBeforeTheFunctionIsCalled) {
  v1::Authorizer config = Config(v1::Authorizer::TOKEN);
  config.clear_identity_sources();
  config.set_token_pattern("^Bearer [a-z]+$");
  Loaded loaded(config);
  EXPECT_EQ(
      Request(loaded, client_, "/a", {{"authorization", "Bearer A"}}).Run(""),
      "401 sallyport_authorizer{TOKEN_PATTERN}");
  EXPECT_EQ(
      Request(loaded, client_, "/a",
              {{"authorization", "Bearer a"}, {"authorization", "Bearer b"}})
          .Run(""),
      "401 sallyport_authorizer{TOKEN_TWICE}");
  Request request(loaded, client_, "/a", {{"authorization", "Bearer abc"}});
  EXPECT_EQ(request.Run(kAllowAll), "allowed");
  const json event = json::parse(request.stream.callouts[0].body);
  EXPECT_EQ(event["authorizationToken"], "Bearer abc");
  EXPECT_EQ(event.size(), 3u);
}

TEST_F(AuthorizerTest, RefusesWhateverFails) {
  v1::Authorizer config = Config();
  config.mutable_result_ttl();
  Loaded loaded(config);
  for (const auto& [status, body, reason] :
       {std::tuple{"500", "", "SERVICE_FAILED"},
        {"504", "", "TIMEOUT"},
        {"429", "", "THROTTLED"},
        {"404", "", "CALL_REFUSED"},
        {"200", "Allow", "ANSWER_MALFORMED"},
        {"200", "", "ANSWER_MALFORMED"},
        {"204", kAllowAll, "CALL_REFUSED"}}) {
    Request request(loaded, client_, "/a");
    request.Begin();
    request.Answer(body, status);
    EXPECT_EQ(request.Outcome(),
              absl::StrCat("500 sallyport_authorizer{", reason, "}"));
    EXPECT_EQ(request.stream.continued, 0);
  }
  Request reset(loaded, client_, "/a");
  reset.Begin();
  reset.Answer(kAllowAll, "200", abi::CalloutResult::kReset);
  EXPECT_EQ(reset.Outcome(), "500 sallyport_authorizer{UNREACHABLE}");
  Request big(loaded, client_, "/a");
  big.Begin();
  big.Answer(std::string(kMaxAuthorizerAnswerBytes + 1, ' '));
  EXPECT_EQ(big.Outcome(), "500 sallyport_authorizer{ANSWER_TOO_LARGE}");
  Request missing(loaded, client_, "/a");
  missing.stream.callout_start = abi::CalloutStart::kClusterNotFound;
  EXPECT_EQ(missing.Begin(), abi::HeadersStatus::kStopIteration);
  EXPECT_EQ(missing.Outcome(), "500 sallyport_authorizer{CLUSTER_MISSING}");
  Request unauthorized(loaded, client_, "/a");
  unauthorized.Begin();
  unauthorized.Answer("", "401");
  EXPECT_EQ(unauthorized.Outcome(),
            "401 sallyport_authorizer{UNAUTHORIZED_BY_FUNCTION}");
  // Failures are not remembered, nor is anything with a time of 0.
  Request again(loaded, client_, "/a");
  EXPECT_EQ(again.Run(kAllowAll), "allowed");
  EXPECT_EQ(again.stream.callouts.size(), 1u);
}

TEST_F(AuthorizerTest, SurvivesACalloutThatEndsAtOnce) {
  Loaded loaded(Config());
  Request request(loaded, client_, "/a");
  request.stream.on_callout = [&](const FakeStream::Callout& call) {
    abi::EnvoyHeader header = {":status", 7, "200", 3};
    abi::EnvoyBuffer chunk = Envoy(kAllowAll);
    envoy_dynamic_module_on_http_filter_http_callout_done(
        request.stream.filter(), request.filter(), call.id,
        abi::CalloutResult::kSuccess, &header, 1, &chunk, 1);
  };
  EXPECT_EQ(request.Begin(), abi::HeadersStatus::kContinue);
  EXPECT_EQ(request.stream.continued, 0);
}

TEST_F(AuthorizerTest, RefusesRequestsThatMtlsDidNotLetIn) {
  Loaded loaded(Config());
  const std::string refused = "500 sallyport_authorizer{NOT_AFTER_MTLS}";
  EXPECT_EQ(Request(loaded, client_, "/a", {{"authorization", "x"}}, "GET", "")
                .Run(kAllowAll),
            refused);
  EXPECT_EQ(Request(loaded, client_, "/a", {{"authorization", "x"}}, "GET",
                    "other.example.com")
                .Run(kAllowAll),
            refused);
}

TEST_F(AuthorizerTest, AnswersAsHttpApisDo) {
  Loaded loaded(Config(v1::Authorizer::HTTP_API_2_0_SIMPLE));
  Request denied(loaded, client_, "/a");
  EXPECT_EQ(denied.Run(R"({"isAuthorized":false})"),
            "403 sallyport_authorizer{NOT_AUTHORIZED}");
  EXPECT_EQ(denied.stream.response->body, R"({"message":"Forbidden"})");
  EXPECT_EQ(denied.stream.response->headers.size(), 1u);
  const json event = json::parse(denied.stream.callouts[0].body);
  EXPECT_TRUE(event["requestContext"]["authentication"].contains("clientCert"));
  // What was said of one path is not said of another.
  Request other(loaded, client_, "/b");
  EXPECT_EQ(other.Begin(), abi::HeadersStatus::kStopAllIterationAndWatermark);
  Request same(loaded, client_, "/a");
  EXPECT_EQ(same.Begin(), abi::HeadersStatus::kStopIteration);
  EXPECT_TRUE(same.stream.callouts.empty());
}

TEST_F(AuthorizerTest, RemovesWhatClientsSayInItsPlace) {
  Loaded loaded(Config());
  Request request(loaded, client_, "/a",
                  {{"authorization", "x"},
                   {"x_org", "forged"},
                   {"x-org", "forged"},
                   {"connection", "close, x-org"}});
  request.stream.request_trailers = {{"x-org", "forged"}, {"x-kept", "1"}};
  request.Run(R"({"principalId":"p","policyDocument":{"Statement":[
      {"Effect":"Allow","Action":"*","Resource":"*"}]}})");
  EXPECT_EQ(request.Outcome(), "allowed");
  EXPECT_FALSE(request.stream.Has("x-org"));
  EXPECT_FALSE(request.stream.Has("x_org"));
  EXPECT_EQ(request.stream.Values("connection"),
            std::vector<std::string>{"close"});
  EXPECT_EQ(envoy_dynamic_module_on_http_filter_request_trailers(
                request.stream.filter(), request.filter()),
            abi::TrailersStatus::kContinue);
  EXPECT_EQ(request.stream.request_trailers.size(), 1u);
}

TEST_F(AuthorizerTest, RefusesContextValuesThatCannotBeHeaders) {
  Loaded loaded(Config());
  for (const char* value : {"a\\nb", "\\u00e9", " a"}) {
    const std::string body = absl::StrCat(
        R"({"principalId":"p","policyDocument":{"Statement":[
            {"Effect":"Allow","Action":"*","Resource":"*"}]},
            "context":{"org":")",
        value, R"("}})");
    Request request(loaded, client_, "/a", {{"authorization", value}});
    EXPECT_EQ(request.Run(body), "500 sallyport_authorizer{CONTEXT_VALUE}");
  }
}

TEST_F(AuthorizerTest, CanBeSwitchedOffForARoute) {
  Loaded loaded(Config());
  v1::AuthorizerRoute config;
  config.set_disabled(true);
  const std::string bytes = config.SerializeAsString();
  const void* route = envoy_dynamic_module_on_http_filter_per_route_config_new(
      Envoy("sallyport.authorizer"), Envoy(bytes));
  ASSERT_NE(route, nullptr);
  Request request(loaded, client_, "/a",
                  {{"authorization", "x"}, {"x-org", "forged"}});
  request.stream.route_config = route;
  EXPECT_EQ(request.Begin(), abi::HeadersStatus::kContinue);
  EXPECT_FALSE(request.stream.Has("x-org"));
  envoy_dynamic_module_on_http_filter_per_route_config_destroy(route);
}

TEST_F(AuthorizerTest, RefusesConfigurationsWithTheFieldsName) {
  const auto refused = [](const v1::Authorizer& config, const char* field) {
    const LogCapture log;
    EXPECT_EQ(Loaded(config).get(), nullptr) << field;
    EXPECT_THAT(log.Text(), HasSubstr(absl::StrCat(": ", field)));
  };
  v1::Authorizer config = Config();
  config.set_domain("a b");
  refused(config, "domain: ");
  config = Config();
  config.set_name("a b");
  refused(config, "name: ");
  config = Config();
  config.clear_type();
  refused(config, "type: ");
  config = Config();
  config.set_identity_sources(0, "x");
  refused(config, "identity_sources[0]: ");
  config.clear_identity_sources();
  refused(config, "identity_sources: ");
  config = Config();
  for (int i = 0; i < kMaxIdentitySources; ++i) {
    config.add_identity_sources("context.path");
  }
  refused(config, "identity_sources: ");
  config = Config();
  config.set_token_pattern("a");
  refused(config, "token_pattern: ");
  config = Config();
  config.mutable_result_ttl()->set_seconds(3601);
  refused(config, "result_ttl: ");
  config = Config();
  config.clear_function();
  refused(config, "function: ");
  config = Config();
  config.mutable_api()->clear_api_id();
  refused(config, "api.api_id: ");
  config = Config();
  config.mutable_api()->set_stage("a/b");
  refused(config, "api.stage: ");
  config = Config();
  config.mutable_api()->set_base_path("orders");
  refused(config, "api.base_path: ");
  config = Config();
  config.mutable_context_headers(0)->set_header("host");
  refused(config, "context_headers[0].header: ");
  config = Config();
  *config.add_context_headers() = config.context_headers(0);
  config.mutable_context_headers(1)->set_header("x_org");
  refused(config, "context_headers[1].header: ");
  EXPECT_EQ(Loaded(Config(), "sallyport.other").get(), nullptr);
}

TEST_F(AuthorizerTest, SaysToTheOperatorOnlyWhy) {
  Loaded loaded(Config());
  const LogCapture log;
  Request request(loaded, client_, "/a", {{"authorization", "topsecret"}});
  request.Run(R"({"principalId":"hush","policyDocument":7})");
  EXPECT_EQ(request.stream.response->body, R"({"message":null})");
  EXPECT_THAT(request.stream.metadata.at("sallyport.authorizer:detail"),
              HasSubstr("policyDocument is no object"));
  EXPECT_EQ(log.Count("topsecret"), 0);
  EXPECT_EQ(log.Count("hush"), 0);
  EXPECT_EQ(log.Count("ANSWER_MALFORMED", abi::LogLevel::kWarning), 1);
}

}  // namespace
}  // namespace sallyport::lambda
