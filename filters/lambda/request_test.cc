#include "filters/lambda/request.h"

#include <string>

#include "filters/lambda/event.h"
#include "filters/lambda/identity_source.h"
#include "filters/lambda/token_pattern.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

namespace sallyport::lambda {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::Pair;

TEST(PlainPath, IsOneSpellingOfEachPath) {
  EXPECT_EQ(*PlainPath("/"), "/");
  EXPECT_EQ(*PlainPath("/a/b/"), "/a/b/");
  // What needs no encoding is not encoded: a policy that denies /private means
  // this too.
  EXPECT_EQ(*PlainPath("/pr%69vate/%7Eme"), "/private/~me");
  EXPECT_EQ(*PlainPath("/caf%c3%a9"), "/caf%C3%A9");
  EXPECT_EQ(*PlainPath("/a.b/..c/a:b@c,d=e+f"), "/a.b/..c/a:b@c,d=e+f");
}

TEST(PlainPath, RefusesWhatABackendMayReadInAnotherWay) {
  for (const char* path : {"",
                           "*",
                           "a/b",
                           "//",
                           "/a//b",
                           "/public/../private",
                           "/a/./b",
                           "/a/..",
                           "/%2e%2e/private",
                           "/a%2fb",
                           "/a%5Cb",
                           "/a\\b",
                           "/a;b=c",
                           "/a%3bb",
                           "/a%00",
                           "/a%0a",
                           "/a%",
                           "/a%4",
                           "/a%zz",
                           "/a%252e",
                           "/a%3f",
                           "/a%23",
                           "/a#b",
                           "/a*",
                           "/a b",
                           "/a%20/b",
                           "/a.",
                           "/a./b",
                           "/caf\xc3\xa9",
                           "/a\x7f"}) {
    EXPECT_FALSE(PlainPath(path).ok()) << path;
  }
}

TEST(IsPlainMethod, IsCapitalLetters) {
  EXPECT_TRUE(IsPlainMethod("GET"));
  EXPECT_TRUE(IsPlainMethod("M-SEARCH"));
  for (const char* method : {"", "get", "Get", "GET/x", "G:T", "*"}) {
    EXPECT_FALSE(IsPlainMethod(method)) << method;
  }
}

TEST(WithoutBasePath, IsAboutWholeSegments) {
  EXPECT_EQ(*WithoutBasePath("/orders/7", "/orders"), "/7");
  EXPECT_EQ(*WithoutBasePath("/orders", "/orders"), "/");
  EXPECT_EQ(*WithoutBasePath("/orders", ""), "/orders");
  EXPECT_FALSE(WithoutBasePath("/orders2", "/orders").has_value());
  EXPECT_FALSE(WithoutBasePath("/other", "/orders").has_value());
}

TEST(MatchResource, FindsThePathParameters) {
  EXPECT_THAT(*MatchResource("/pets/{id}/toys/{toy}", "/pets/7/toys/a%20b"),
              ElementsAre(Pair("id", "7"), Pair("toy", "a%20b")));
  EXPECT_THAT(*MatchResource("/{proxy+}", "/a/b/c"),
              ElementsAre(Pair("proxy", "a/b/c")));
  EXPECT_THAT(*MatchResource("/pets/{proxy+}", "/pets/a/"),
              ElementsAre(Pair("proxy", "a")));
  EXPECT_THAT(*MatchResource("/pets", "/pets"), ElementsAre());
  EXPECT_THAT(*MatchResource("/", "/"), ElementsAre());
  for (const auto& [resource, path] : {std::pair{"/pets/{id}", "/pets"},
                                       {"/pets/{id}", "/pets/1/2"},
                                       {"/pets/{id}", "/dogs/1"},
                                       {"/{proxy+}", "/"},
                                       {"/pets/{id}/", "/pets//"}}) {
    EXPECT_FALSE(MatchResource(resource, path).has_value()) << path;
  }
}

TEST(CheckResource, KnowsTemplates) {
  for (const char* good : {"/", "/pets", "/pets/{id}", "/{proxy+}"}) {
    EXPECT_TRUE(CheckResource(good).ok()) << good;
  }
  for (const char* bad : {"", "pets", "/{proxy+}/x", "/a{b}", "/{}", "//"}) {
    EXPECT_FALSE(CheckResource(bad).ok()) << bad;
  }
}

RequestParts Request() {
  RequestParts request;
  request.method = "GET";
  request.path = "/orders/pets/7";
  request.query = "a=1&a=2&b=x%20y+z&c";
  request.headers = {{"host", "api.example.com"},
                     {"authorization", "secret"},
                     {"x-a", "1"},
                     {"x-a", "2"},
                     {"user-agent", "agent"},
                     {"cookie", "c1=1; c2=2"}};
  request.host = "api.example.com";
  request.source_ip = "192.0.2.7";
  request.protocol = "HTTP/1.1";
  request.request_id = "id";
  request.time = absl::FromUnixMillis(1583348638390);
  request.client_cert = {{"clientCertPem", "PEM"},
                         {"subjectDN", "CN=a"},
                         {"issuerDN", "CN=b"},
                         {"serialNumber", "01"},
                         {"validity", {{"notBefore", "x"}, {"notAfter", "y"}}}};
  return request;
}

ApiStage Api() {
  ApiStage api;
  api.account_id = "123456789012";
  api.api_id = "abcdef123";
  api.stage = "test";
  api.resource = "/pets/{id}";
  api.base_path = "/orders";
  api.route_key = "GET /pets/{id}";
  api.stage_variables = {{"v", "1"}};
  return api;
}

constexpr char kArn[] =
    "arn:aws:execute-api:us-east-1:123456789012:abcdef123/test/GET/pets/7";

TEST(MethodArn, IsAsDocumented) {
  EXPECT_EQ(MethodArn(Api(), "GET", "/pets/7"), kArn);
}

TEST(Events, OfTokenAuthorizersAreAsDocumented) {
  EXPECT_EQ(TokenEvent("a\"b", kArn),
            std::string(R"({"type":"TOKEN","authorizationToken":"a\"b",)"
                        R"("methodArn":")") +
                kArn + "\"}");
}

TEST(Events, OfRestApisAreAsDocumented) {
  const json event = json::parse(RequestEvent(Request(), Api(), {kArn, {}}));
  EXPECT_EQ(event["type"], "REQUEST");
  EXPECT_EQ(event["methodArn"], kArn);
  EXPECT_EQ(event["resource"], "/pets/{id}");
  EXPECT_EQ(event["path"], "/orders/pets/7");
  EXPECT_EQ(event["httpMethod"], "GET");
  EXPECT_EQ(event["headers"]["x-a"], "2");
  EXPECT_EQ(event["multiValueHeaders"]["x-a"], json({"1", "2"}));
  EXPECT_EQ(event["queryStringParameters"],
            json({{"a", "2"}, {"b", "x y z"}, {"c", ""}}));
  EXPECT_EQ(event["multiValueQueryStringParameters"]["a"], json({"1", "2"}));
  EXPECT_EQ(event["pathParameters"], json({{"id", "7"}}));
  EXPECT_EQ(event["stageVariables"], json({{"v", "1"}}));
  const json& context = event["requestContext"];
  EXPECT_EQ(context["identity"]["clientCert"]["clientCertPem"], "PEM");
  EXPECT_EQ(context["identity"]["clientCert"]["validity"]["notAfter"], "y");
  EXPECT_EQ(context["identity"]["sourceIp"], "192.0.2.7");
  EXPECT_EQ(context["apiId"], "abcdef123");
  EXPECT_EQ(context["stage"], "test");
  EXPECT_EQ(context["resourcePath"], "/pets/{id}");
  EXPECT_EQ(context["requestTime"], "04/Mar/2020:19:03:58 +0000");
  EXPECT_EQ(context["requestTimeEpoch"], 1583348638390);
}

TEST(Events, OfHttpApisInFormat20AreAsDocumented) {
  const json event =
      json::parse(HttpApiEvent20(Request(), Api(), {kArn, {"secret", "1"}}));
  EXPECT_EQ(event["version"], "2.0");
  EXPECT_EQ(event["type"], "REQUEST");
  EXPECT_EQ(event["routeArn"], kArn);
  EXPECT_EQ(event["identitySource"], json({"secret", "1"}));
  EXPECT_EQ(event["routeKey"], "GET /pets/{id}");
  EXPECT_EQ(event["rawPath"], "/orders/pets/7");
  EXPECT_EQ(event["rawQueryString"], "a=1&a=2&b=x%20y+z&c");
  EXPECT_EQ(event["cookies"], json({"c1=1", "c2=2"}));
  EXPECT_EQ(event["headers"]["x-a"], "1,2");
  EXPECT_FALSE(event["headers"].contains("cookie"));
  EXPECT_EQ(event["queryStringParameters"]["a"], "1,2");
  const json& context = event["requestContext"];
  EXPECT_EQ(context["authentication"]["clientCert"]["subjectDN"], "CN=a");
  EXPECT_EQ(context["http"]["method"], "GET");
  EXPECT_EQ(context["http"]["sourceIp"], "192.0.2.7");
  EXPECT_EQ(context["timeEpoch"], 1583348638390);
}

TEST(Events, OfHttpApisInFormat10AreAsDocumented) {
  const json event =
      json::parse(HttpApiEvent10(Request(), Api(), {kArn, {"secret", "1"}}));
  EXPECT_EQ(event["version"], "1.0");
  EXPECT_EQ(event["identitySource"], "secret,1");
  EXPECT_EQ(event["authorizationToken"], "secret,1");
  EXPECT_EQ(event["requestContext"]["identity"]["clientCert"]["serialNumber"],
            "01");
}

TEST(Events, SayNothingOfACertificateWithoutOne) {
  RequestParts request = Request();
  request.client_cert = nullptr;
  request.query.clear();
  const json rest = json::parse(RequestEvent(request, Api(), {kArn, {}}));
  EXPECT_FALSE(rest["requestContext"]["identity"].contains("clientCert"));
  EXPECT_TRUE(rest["queryStringParameters"].is_null());
  const json http = json::parse(HttpApiEvent20(request, Api(), {kArn, {}}));
  EXPECT_FALSE(http["requestContext"].contains("authentication"));
}

TEST(Events, AreJsonWhateverTheClientSends) {
  RequestParts request = Request();
  request.headers.emplace_back("x-bytes", "\xff\"\\\x01");
  request.query = "%ff=%00&\"=\"";
  const json event = json::parse(RequestEvent(request, Api(), {kArn, {}}));
  EXPECT_EQ(event["headers"]["x-bytes"], "\xef\xbf\xbd\"\\\x01");
}

TEST(IdentitySource, ReadsWhatApiGatewayReads) {
  const RequestParts request = Request();
  const ApiStage api = Api();
  for (const auto& [text, value] :
       {std::pair{"method.request.header.Authorization", "secret"},
        {"$request.header.X-A", "1,2"},
        {"method.request.querystring.a", "1,2"},
        {"$request.querystring.b", "x y z"},
        {"$request.querystring.B", ""},
        {"stageVariables.v", "1"},
        {"$stageVariables.w", ""},
        {"context.httpMethod", "GET"},
        {"$context.routeKey", "GET /pets/{id}"},
        {"context.identity.sourceIp", "192.0.2.7"},
        {"$context.identity.clientCert.serialNumber", "01"}}) {
    const auto source = IdentitySource::Read(text);
    ASSERT_TRUE(source.ok()) << text;
    EXPECT_EQ(source->ValueOf(request, api), value) << text;
  }
  for (const char* text :
       {"", "Authorization", "method.request.header.", "request.header.a",
        "context.authorizer.x", "method.request.path.id",
        "context.identity.clientCert.validity"}) {
    EXPECT_FALSE(IdentitySource::Read(text).ok()) << text;
  }
}

TEST(TokenPattern, MatchesTheWholeToken) {
  for (const auto& [expression, good, bad] :
       {std::tuple{"^Bearer [-0-9a-zA-Z\\._]*$", "Bearer a.b-c_d",
                   "Bearer a\\b"},
        {"Bearer [A-Za-z0-9]+", "Bearer abc", "xBearer abc"},
        {"Bearer [A-Za-z0-9]+", "Bearer abc", "Bearer abc\nx"},
        {"\\d{3}-\\w+", "123-a_1", "12-a"},
        {"[\\w\\-=]+", "a-b=", "a b"},
        {"[^\\s]+", "ab", "a b"},
        {"[\\]^]+", "]^", "a"},
        {"[\\^-]+", "-^", "a"},
        {"[\\^]", "^", "\\"},
        {"a|b", "b", "ab"},
        {"x\\.y", "x.y", "xzy"}}) {
    const auto pattern = TokenPattern::Read(expression);
    ASSERT_TRUE(pattern.ok()) << expression << pattern.status();
    EXPECT_TRUE(pattern->Matches(good)) << expression;
    EXPECT_FALSE(pattern->Matches(bad)) << expression;
  }
}

TEST(TokenPattern, RefusesWhatItDoesNotKnow) {
  for (const char* bad :
       {"(?i)a", "(?=a)", "a*?", "a++", "(a)\\1", "\\b", "[a", "(a", "a\\",
        "[[:alpha:]]", "a{101}", "a{1,101}", "[]", "\xc3\xa9", "[!-~]"}) {
    EXPECT_FALSE(TokenPattern::Read(bad).ok()) << bad;
  }
  EXPECT_TRUE(TokenPattern::Read(std::string(kMaxTokenPatternBytes, 'a')).ok());
  EXPECT_FALSE(
      TokenPattern::Read(std::string(kMaxTokenPatternBytes + 1, 'a')).ok());
}

TEST(TokenPattern, RefusesTokensThatAreTooLong) {
  const auto pattern = TokenPattern::Read("(a|aa)+");
  ASSERT_TRUE(pattern.ok());
  EXPECT_TRUE(pattern->Matches(std::string(kMaxTokenBytes, 'a')));
  EXPECT_FALSE(pattern->Matches(std::string(kMaxTokenBytes + 1, 'a')));
  EXPECT_FALSE(pattern->Matches(absl::string_view("a\0a", 3)));
}

}  // namespace
}  // namespace sallyport::lambda
