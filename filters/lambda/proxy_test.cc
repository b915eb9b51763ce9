// The filter `sallyport.lambda` through Envoy's hooks, over a fake Envoy, and
// the reading of answers.

#include "filters/lambda/proxy.h"

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "filters/cert_validator/request_record.h"
#include "filters/cert_validator/test_support.h"
#include "filters/lambda/proxy_answer.h"
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
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

absl::StatusOr<ProxyAnswer> Read10(absl::string_view body) {
  return ReadProxyAnswer(PayloadFormat::k10, body);
}

TEST(ReadProxyAnswer, ReadsTheDocumentedAnswer) {
  const auto answer = Read10(
      R"({"isBase64Encoded":false,"statusCode":201,
          "headers":{"X-One":"1","Set-Cookie":"lost"},
          "multiValueHeaders":{"set-cookie":["a=1","b=2"]},
          "body":"hello"})");
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(answer->status, 201);
  EXPECT_EQ(answer->body, "hello");
  EXPECT_THAT(answer->headers,
              ElementsAre(Pair("set-cookie", "a=1"), Pair("set-cookie", "b=2"),
                          Pair("x-one", "1"),
                          Pair("content-type", "application/json")));
}

TEST(ReadProxyAnswer, DecodesBase64) {
  EXPECT_EQ(Read10(R"({"statusCode":"200","body":"AP8=",
                       "isBase64Encoded":true})")
                ->body,
            std::string("\0\xff", 2));
  EXPECT_FALSE(
      Read10(R"({"statusCode":200,"body":"%","isBase64Encoded":true})").ok());
}

TEST(ReadProxyAnswer, LeavesWhatFramesTheMessageToEnvoy) {
  const auto answer = Read10(
      R"({"statusCode":200,"headers":{"Content-Length":"3","Connection":"close",
          "Transfer-Encoding":"chunked","Upgrade":"x","X-N":7,"X-B":true}})");
  ASSERT_TRUE(answer.ok());
  EXPECT_THAT(answer->headers,
              ElementsAre(Pair("x-b", "true"), Pair("x-n", "7")));
}

TEST(ReadProxyAnswer, RefusesWhatIsMalformed) {
  for (const char* body :
       {"",
        "null",
        "[]",
        "\"hello\"",
        "{}",
        R"({"body":"x"})",
        R"({"statusCode":null})",
        R"({"statusCode":"abc"})",
        R"({"statusCode":199})",
        R"({"statusCode":600})",
        R"({"statusCode":200.5})",
        R"({"statusCode":200,"body":7})",
        R"({"statusCode":200,"body":{}})",
        R"({"statusCode":200,"isBase64Encoded":"true"})",
        R"({"statusCode":200,"headers":[]})",
        R"({"statusCode":200,"headers":{"a":[1]}})",
        R"({"statusCode":200,"headers":{"a b":"1"}})",
        R"({"statusCode":200,"headers":{":status":"1"}})",
        R"({"statusCode":200,"headers":{"":"1"}})",
        R"({"statusCode":200,"headers":{"a":"x\r\nset-cookie: y"}})",
        R"({"statusCode":200,"headers":{"a":"x\u0000"}})",
        R"({"statusCode":200,"multiValueHeaders":{"a":"1"}})"}) {
    EXPECT_FALSE(Read10(body).ok()) << body;
  }
}

TEST(ReadProxyAnswer, TakesAnyJsonOfHttpApisFor200) {
  const auto read = [](absl::string_view body) {
    return *ReadProxyAnswer(PayloadFormat::k20, body);
  };
  EXPECT_EQ(read(R"({"a":1})").body, R"({"a":1})");
  EXPECT_EQ(read(R"("hello")").body, "hello");
  EXPECT_THAT(read("[1]").headers,
              ElementsAre(Pair("content-type", "application/json")));
  const ProxyAnswer answer = read(R"({"statusCode":302,"cookies":["a=1","b=2"],
               "headers":{"Location":"/x"}})");
  EXPECT_EQ(answer.status, 302);
  EXPECT_THAT(answer.headers,
              ElementsAre(Pair("location", "/x"), Pair("set-cookie", "a=1"),
                          Pair("set-cookie", "b=2")));
}

TEST(ReadProxyAnswer, HasLimits) {
  const auto with_body = [](size_t size) {
    return Read10(absl::StrCat(R"({"statusCode":200,"body":")",
                               std::string(size, 'a'), R"("})"))
        .ok();
  };
  EXPECT_TRUE(with_body(kMaxProxyBodyBytes));
  EXPECT_FALSE(with_body(kMaxProxyBodyBytes + 1));
  EXPECT_FALSE(with_body(kMaxProxyAnswerBytes));
  const auto with_headers = [](size_t number, size_t size) {
    std::string out = R"({"statusCode":200,"headers":{)";
    for (size_t i = 0; i < number; ++i) {
      absl::StrAppend(&out, i == 0 ? "" : ",", "\"h", i, "\":\"",
                      std::string(size, 'v'), "\"");
    }
    return Read10(out + "}}").ok();
  };
  EXPECT_TRUE(with_headers(kMaxProxyHeaders, 1));
  EXPECT_FALSE(with_headers(kMaxProxyHeaders + 1, 1));
  EXPECT_TRUE(with_headers(1, kMaxProxyHeaderBytes - 2));
  EXPECT_FALSE(with_headers(1, kMaxProxyHeaderBytes - 1));
}

v1::LambdaProxy Config() {
  v1::LambdaProxy config;
  config.set_domain("api.example.com");
  config.set_name("orders");
  auto& https = *config.mutable_function()->mutable_https();
  https.set_cluster("function");
  https.set_authority("function.internal");
  config.mutable_api()->set_api_id("api1");
  return config;
}

class Loaded {
 public:
  explicit Loaded(const v1::LambdaProxy& config) {
    const std::string bytes = config.SerializeAsString();
    config_ = envoy_dynamic_module_on_http_filter_config_new(
        envoy.config(), Envoy("sallyport.lambda"), Envoy(bytes));
    envoy.frozen = true;
  }
  ~Loaded() { envoy_dynamic_module_on_http_filter_config_destroy(config_); }
  Loaded(const Loaded&) = delete;
  const void* get() const { return config_; }

  FakeHttpFilterConfig envoy;

 private:
  const void* config_;
};

class Request {
 public:
  explicit Request(Loaded& loaded, const char* method = "POST",
                   const FakeStream::Headers& headers = {},
                   const char* domain = "api.example.com")
      : stream(&loaded.envoy, &connection_) {
    stream.request_headers = {{":method", method},
                              {":path", "/orders/7?a=b"},
                              {":scheme", "https"},
                              {":authority", "api.example.com"}};
    stream.request_headers.insert(stream.request_headers.end(), headers.begin(),
                                  headers.end());
    cert_validator::RequestRecord record;
    record.reason = pki::Reason::kTrusted;
    record.domain = domain;
    record.leaf = Certificates().client.der;
    stream.filter_state["sallyport.request"] =
        cert_validator::EncodeRequestRecord(record);
    filter_ =
        envoy_dynamic_module_on_http_filter_new(loaded.get(), stream.filter());
  }
  ~Request() { envoy_dynamic_module_on_http_filter_destroy(filter_); }
  Request(const Request&) = delete;

  abi::HeadersStatus Headers(bool end) {
    return envoy_dynamic_module_on_http_filter_request_headers(stream.filter(),
                                                               filter_, end);
  }
  abi::BodyStatus Body(absl::string_view text, bool end) {
    stream.received_body = std::string(text);
    return envoy_dynamic_module_on_http_filter_request_body(stream.filter(),
                                                            filter_, end);
  }
  abi::TrailersStatus Trailers() {
    return envoy_dynamic_module_on_http_filter_request_trailers(stream.filter(),
                                                                filter_);
  }
  void Answer(absl::string_view body, absl::string_view status = "200") {
    abi::EnvoyHeader header = {":status", 7, status.data(), status.size()};
    abi::EnvoyBuffer chunk = Envoy(body);
    envoy_dynamic_module_on_http_filter_http_callout_done(
        stream.filter(), filter_, stream.callouts.back().id,
        abi::CalloutResult::kSuccess, &header, 1, &chunk, 1);
  }
  json Event() const { return json::parse(stream.callouts.back().body); }

 private:
  FakeConnection connection_;

 public:
  FakeStream stream;

 private:
  const void* filter_;
};

TEST(LambdaProxy, GivesTheRequestToTheFunctionAndItsAnswerBack) {
  Loaded loaded(Config());
  Request request(loaded, "POST", {{"content-type", "text/plain"}});
  EXPECT_EQ(request.Headers(false), abi::HeadersStatus::kStopIteration);
  EXPECT_EQ(request.Body("hel", false),
            abi::BodyStatus::kStopIterationNoBuffer);
  EXPECT_EQ(request.stream.received_body, "");
  EXPECT_TRUE(request.stream.callouts.empty());
  EXPECT_EQ(request.Body("lo", true), abi::BodyStatus::kStopIterationNoBuffer);
  const json event = request.Event();
  EXPECT_EQ(event["version"], "1.0");
  EXPECT_EQ(event["body"], "hello");
  EXPECT_EQ(event["isBase64Encoded"], false);
  EXPECT_EQ(event["path"], "/orders/7");
  EXPECT_EQ(event["queryStringParameters"]["a"], "b");
  EXPECT_EQ(event["pathParameters"]["proxy"], "orders/7");
  EXPECT_EQ(event["requestContext"]["identity"]["clientCert"]["clientCertPem"],
            Certificates().client.pem);
  EXPECT_EQ(request.stream.callouts[0].timeout_ms, 29000u);
  request.Answer(R"({"statusCode":201,"body":"made",
                     "multiValueHeaders":{"set-cookie":["a=1","b=2"]}})");
  ASSERT_TRUE(request.stream.response.has_value());
  EXPECT_EQ(request.stream.response->status, 201u);
  EXPECT_EQ(request.stream.response->body, "made");
  EXPECT_THAT(request.stream.response->headers,
              ElementsAre(Pair("set-cookie", "a=1"), Pair("set-cookie", "b=2"),
                          Pair("content-type", "application/json"),
                          Pair("content-length", "4")));
  EXPECT_EQ(request.stream.continued, 0);
  EXPECT_EQ(loaded.envoy.Value("lambda_requests",
                               {"api.example.com", "orders", "ANSWERED"}),
            1u);
}

TEST(LambdaProxy, SendsBinaryBodiesAsBase64) {
  v1::LambdaProxy config = Config();
  config.set_payload_format(v1::LambdaProxy::PAYLOAD_2_0);
  config.add_binary_media_types("image/*");
  Loaded loaded(config);
  for (const auto& [type, body, is_base64] :
       {std::tuple{"image/PNG; a=b", "text", true},
        {"text/plain", "text", false},
        {"text/plain", "\xff", true}}) {
    Request request(loaded, "POST", {{"content-type", type}});
    request.Headers(false);
    request.Body(body, true);
    const json event = request.Event();
    EXPECT_EQ(event["version"], "2.0");
    EXPECT_EQ(event["isBase64Encoded"], is_base64) << type;
    EXPECT_EQ(event["body"], is_base64 ? absl::Base64Escape(body) : body);
  }
}

TEST(LambdaProxy, TellsWhatTheAuthorizerSaid) {
  for (const bool is_20 : {false, true}) {
    v1::LambdaProxy config = Config();
    if (is_20) config.set_payload_format(v1::LambdaProxy::PAYLOAD_2_0);
    Loaded loaded(config);
    Request request(loaded, "GET");
    request.stream.filter_state["sallyport.authorizer"] =
        R"({"principalId":"p","usageIdentifierKey":"","context":{"n":7}})";
    request.Headers(true);
    const json authorizer = request.Event()["requestContext"]["authorizer"];
    EXPECT_EQ(authorizer, is_20 ? json({{"lambda", {{"n", 7}}}})
                                : json({{"principalId", "p"}, {"n", "7"}}));
  }
  Loaded loaded(Config());
  Request request(loaded, "GET");
  request.Headers(true);
  EXPECT_FALSE(request.Event()["requestContext"].contains("authorizer"));
  EXPECT_TRUE(request.Event()["body"].is_null());
}

TEST(LambdaProxy, RefusesBodiesThatAreTooLong) {
  Loaded loaded(Config());
  Request declared(loaded, "POST",
                   {{"content-length", absl::StrCat(kMaxProxyBodyBytes + 1)}});
  EXPECT_EQ(declared.Headers(false), abi::HeadersStatus::kStopIteration);
  EXPECT_EQ(declared.stream.response->status, 413u);
  EXPECT_EQ(declared.stream.response->body,
            R"({"message":"Request Too Long"})");

  Request exact(loaded);
  exact.Headers(false);
  exact.Body(std::string(kMaxProxyBodyBytes, 'a'), false);
  EXPECT_FALSE(exact.stream.response.has_value());
  EXPECT_EQ(exact.Trailers(), abi::TrailersStatus::kStopIteration);
  EXPECT_EQ(exact.stream.callouts.size(), 1u);

  Request longer(loaded);
  longer.Headers(false);
  longer.Body(std::string(kMaxProxyBodyBytes, 'a'), false);
  longer.Body("b", true);
  EXPECT_EQ(longer.stream.response->status, 413u);
  EXPECT_TRUE(longer.stream.callouts.empty());
  // What still comes goes nowhere.
  EXPECT_EQ(longer.Body("c", true), abi::BodyStatus::kStopIterationNoBuffer);
}

TEST(LambdaProxy, AnswersFailuresAsApiGatewayDoes) {
  Loaded loaded(Config());
  for (const auto& [status, body, wanted] :
       {std::tuple{"200", "{}", "502 sallyport_lambda{ANSWER_MALFORMED}"},
        {"504", "", "504 sallyport_lambda{TIMEOUT}"},
        {"429", "", "500 sallyport_lambda{THROTTLED}"},
        {"503", "", "500 sallyport_lambda{SERVICE_FAILED}"},
        {"401", "", "502 sallyport_lambda{UNAUTHORIZED_BY_FUNCTION}"}}) {
    Request request(loaded, "GET");
    request.Headers(true);
    request.Answer(body, status);
    EXPECT_EQ(absl::StrCat(request.stream.response->status, " ",
                           request.stream.response->details),
              wanted);
  }
  Request unreachable(loaded, "GET");
  unreachable.stream.callout_start = abi::CalloutStart::kCannotCreateRequest;
  unreachable.Headers(true);
  EXPECT_EQ(unreachable.stream.response->status, 500u);
  Request not_after_mtls(loaded, "GET", {}, "other.example.com");
  not_after_mtls.Headers(true);
  EXPECT_EQ(not_after_mtls.stream.response->status, 500u);
  EXPECT_TRUE(not_after_mtls.stream.callouts.empty());
}

TEST(LambdaProxy, SendsNoBodyWhereThereIsNone) {
  Loaded loaded(Config());
  Request head(loaded, "HEAD");
  head.Headers(true);
  head.Answer(R"({"statusCode":200,"body":"hello"})");
  EXPECT_EQ(head.stream.response->body, "");
  EXPECT_THAT(head.stream.response->headers,
              testing::Contains(Pair("content-length", "5")));
  Request empty(loaded, "GET");
  empty.Headers(true);
  empty.Answer(R"({"statusCode":204,"body":"hello"})");
  EXPECT_EQ(empty.stream.response->body, "");
}

TEST(LambdaProxy, LetsRequestsOfOtherRoutesGoOn) {
  Loaded loaded(Config());
  v1::LambdaProxyRoute config;
  config.set_disabled(true);
  const std::string bytes = config.SerializeAsString();
  const void* route = envoy_dynamic_module_on_http_filter_per_route_config_new(
      Envoy("sallyport.lambda"), Envoy(bytes));
  Request request(loaded);
  request.stream.route_config = route;
  EXPECT_EQ(request.Headers(false), abi::HeadersStatus::kContinue);
  EXPECT_EQ(request.Body("a", false), abi::BodyStatus::kContinue);
  EXPECT_EQ(request.Trailers(), abi::TrailersStatus::kContinue);
  envoy_dynamic_module_on_http_filter_per_route_config_destroy(route);
}

TEST(LambdaProxy, RefusesRequestsOfRoutesWithAnotherFiltersConfiguration) {
  Loaded loaded(Config());
  const void* route = envoy_dynamic_module_on_http_filter_per_route_config_new(
      Envoy("sallyport.authorizer"), Envoy("{}"));
  ASSERT_NE(route, nullptr);
  Request request(loaded, "GET");
  request.stream.route_config = route;
  EXPECT_EQ(request.Headers(true), abi::HeadersStatus::kStopIteration);
  EXPECT_EQ(request.stream.response->status, 500u);
  EXPECT_EQ(request.stream.response->details,
            "sallyport_lambda{INTERNAL_ERROR}");
  EXPECT_TRUE(request.stream.callouts.empty());
  envoy_dynamic_module_on_http_filter_per_route_config_destroy(route);
}

TEST(LambdaProxy, RefusesConfigurationsWithTheFieldsName) {
  const auto refused = [](const v1::LambdaProxy& config, const char* field) {
    const LogCapture log;
    EXPECT_EQ(Loaded(config).get(), nullptr) << field;
    EXPECT_THAT(log.Text(), HasSubstr(absl::StrCat(": ", field)));
  };
  v1::LambdaProxy config = Config();
  config.clear_domain();
  refused(config, "domain: ");
  config = Config();
  config.clear_name();
  refused(config, "name: ");
  config = Config();
  config.clear_function();
  refused(config, "function: ");
  config = Config();
  config.clear_api();
  refused(config, "api.api_id: ");
  config = Config();
  config.add_binary_media_types("png");
  refused(config, "binary_media_types[0]: ");
  config = Config();
  for (int i = 0; i <= kMaxBinaryMediaTypes; ++i) {
    config.add_binary_media_types("a/b");
  }
  refused(config, "binary_media_types: ");
}

}  // namespace
}  // namespace sallyport::lambda
