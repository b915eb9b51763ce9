#include "config_service/domain/api.h"

#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "config_service/domain/limits.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace sallyport::domain {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using SegmentKind = PathTemplate::Segment::Kind;

TEST(PathTemplate, ReadsTextParametersAndAGreedyEnd) {
  const auto path = PathTemplate::Parse("/customer/{customer-id}/x/{proxy+}");
  ASSERT_TRUE(path.ok()) << path.status();
  ASSERT_EQ(path->segments().size(), 4u);
  EXPECT_EQ(path->segments()[0].kind, SegmentKind::kText);
  EXPECT_EQ(path->segments()[0].text, "customer");
  EXPECT_EQ(path->segments()[1].kind, SegmentKind::kParameter);
  EXPECT_EQ(path->segments()[1].text, "customer-id");
  EXPECT_EQ(path->segments()[3].kind, SegmentKind::kGreedy);
  EXPECT_EQ(path->segments()[3].text, "proxy");
  EXPECT_THAT(path->Parameters(), ElementsAre("customer-id", "proxy"));
  EXPECT_EQ(path->Shape(), "/customer/{}/x/{+}");
  EXPECT_EQ(PathTemplate::Parse("/")->Shape(), "/");
  EXPECT_THAT(PathTemplate::Parse("/")->segments(), IsEmpty());
}

std::string PathProblem(absl::string_view path) {
  return std::string(PathTemplate::Parse(path).status().message());
}

TEST(PathTemplate, SaysWhatIsWrong) {
  EXPECT_THAT(PathProblem(""), HasSubstr("does not begin with '/'"));
  EXPECT_THAT(PathProblem("a"), HasSubstr("does not begin with '/'"));
  EXPECT_THAT(PathProblem("/a/"), HasSubstr("ends with '/'"));
  EXPECT_THAT(PathProblem("//"), HasSubstr("ends with '/'"));
  EXPECT_THAT(PathProblem("/a//b"), HasSubstr("empty segment"));
  EXPECT_THAT(PathProblem("/{proxy+}/a"), HasSubstr("after a greedy"));
  EXPECT_THAT(PathProblem("/{proxy+}/{a}"), HasSubstr("after a greedy"));
  EXPECT_THAT(PathProblem("/a{b}"), HasSubstr("part text"));
  EXPECT_THAT(PathProblem("/{a"), HasSubstr("part text"));
  EXPECT_THAT(PathProblem("/a}"), HasSubstr("part text"));
  EXPECT_THAT(PathProblem("/{a}{b}"), HasSubstr("whose name"));
  EXPECT_THAT(PathProblem("/{}"), HasSubstr("whose name"));
  EXPECT_THAT(PathProblem("/{+}"), HasSubstr("whose name"));
  EXPECT_THAT(PathProblem("/{a b}"), HasSubstr("whose name"));
  EXPECT_THAT(PathProblem("/{a++}"), HasSubstr("whose name"));
  EXPECT_THAT(PathProblem("/{a}/{a}"), HasSubstr("twice"));
  EXPECT_THAT(PathProblem("/{a}/{a+}"), HasSubstr("twice"));
  for (const char* path : {"/a b", "/a?b", "/a%41", "/a;b", "/a\\b", "/a*",
                           "/a#b", "/ä", "/a\n"}) {
    EXPECT_THAT(PathProblem(path), HasSubstr("in its text")) << path;
  }
  for (const char* path : {"/.", "/..", "/a./b", "/a/../b"}) {
    EXPECT_THAT(PathProblem(path), HasSubstr("ends in a dot")) << path;
  }
}

TEST(PathTemplate, HasLimits) {
  std::string path;
  for (size_t i = 0; i < kMaxPathTemplateSegments; ++i) path += "/a";
  EXPECT_TRUE(PathTemplate::Parse(path).ok());
  EXPECT_THAT(PathProblem(path + "/a"), HasSubstr("more than 30 segments"));
  const std::string longest =
      "/" + std::string(kMaxPathTemplateLength - 1, 'a');
  EXPECT_TRUE(PathTemplate::Parse(longest).ok());
  EXPECT_THAT(PathProblem(longest + "a"), HasSubstr("1025 bytes"));
  const std::string name(kMaxParameterLength, 'p');
  EXPECT_TRUE(PathTemplate::Parse(absl::StrCat("/{", name, "}")).ok());
  EXPECT_THAT(PathProblem(absl::StrCat("/{", name, "p}")),
              HasSubstr("whose name"));
}

TEST(PathTemplate, OrdersTextBeforeParametersBeforeGreedyOnes) {
  const std::vector<std::string> kOrder = {
      "/a/b/c", "/a/b",   "/a/{x}/c", "/a/{x}", "/a/{x+}",
      "/a",     "/{x}/b", "/{x}",     "/{x+}",  "/"};
  for (size_t i = 0; i < kOrder.size(); ++i) {
    for (size_t j = 0; j < kOrder.size(); ++j) {
      const PathTemplate a = *PathTemplate::Parse(kOrder[i]);
      const PathTemplate b = *PathTemplate::Parse(kOrder[j]);
      EXPECT_EQ(a.Before(b), i < j) << kOrder[i] << " " << kOrder[j];
    }
  }
}

TEST(PathTemplate, OfOneShapeMatchTheSameRequests) {
  EXPECT_EQ(PathTemplate::Parse("/a/{x}")->Shape(),
            PathTemplate::Parse("/a/{y}")->Shape());
  EXPECT_NE(PathTemplate::Parse("/a/{x}")->Shape(),
            PathTemplate::Parse("/a/{x+}")->Shape());
}

TEST(ParseIntegrationUri, ReadsHostPathParametersAndVariables) {
  const auto uri = ParseIntegrationUri(
      "https://${stageVariables.host}:8443/v1/{id}/${stageVariables.part}/{id}"
      "?q=${stageVariables.q}");
  ASSERT_TRUE(uri.ok()) << uri.status();
  EXPECT_TRUE(uri->tls);
  EXPECT_EQ(uri->authority, "${stageVariables.host}:8443");
  EXPECT_THAT(uri->parameters, ElementsAre("id"));
  EXPECT_THAT(uri->variables, ElementsAre("host", "part", "q"));
  const auto plain = ParseIntegrationUri("HTTP://backend");
  ASSERT_TRUE(plain.ok());
  EXPECT_FALSE(plain->tls);
  EXPECT_EQ(plain->Host(), "backend");
  EXPECT_EQ(plain->Port(), 80);
  EXPECT_EQ(plain->path, "");
  EXPECT_EQ(ParseIntegrationUri("https://a.b")->Port(), 443);
  EXPECT_EQ(ParseIntegrationUri("https://a.b:8443/")->Port(), 8443);
  EXPECT_EQ(ParseIntegrationUri("http://[2001:db8::1]:81/x")->Host(),
            "2001:db8::1");
  EXPECT_EQ(ParseIntegrationUri("http://[2001:db8::1]:81/x")->Port(), 81);
  EXPECT_EQ(ParseIntegrationUri("http://a?q=1")->path, "/?q=1");
}

std::string UriProblem(absl::string_view uri) {
  return std::string(ParseIntegrationUri(uri).status().message());
}

TEST(ParseIntegrationUri, SaysWhatIsWrong) {
  EXPECT_THAT(UriProblem("backend"), HasSubstr("does not begin with"));
  EXPECT_THAT(UriProblem("ftp://a"), HasSubstr("does not begin with"));
  EXPECT_THAT(UriProblem("http:/a"), HasSubstr("does not begin with"));
  EXPECT_THAT(UriProblem("http://a#b"), HasSubstr("fragment"));
  EXPECT_THAT(UriProblem("http://user:pw@a/"), HasSubstr("user name"));
  EXPECT_THAT(UriProblem("http://a/%4"), HasSubstr("'%' without"));
  EXPECT_THAT(UriProblem("http://a/%zz"), HasSubstr("'%' without"));
  EXPECT_THAT(UriProblem("http://a/{b"), HasSubstr("'{' without"));
  EXPECT_THAT(UriProblem("http://a/b}"), HasSubstr("'}' without"));
  EXPECT_THAT(UriProblem("http://{host}/"), HasSubstr("outside of the path"));
  EXPECT_THAT(UriProblem("http://a/?q={id}"), HasSubstr("outside of the path"));
  EXPECT_THAT(UriProblem("http://a/{proxy+}"), HasSubstr("without its '+'"));
  EXPECT_THAT(UriProblem("http://a/${x}"), HasSubstr("no ${stageVariables"));
  EXPECT_THAT(UriProblem("http://a/${stageVariables.a-b}"),
              HasSubstr("no ${stageVariables"));
  for (const char* uri :
       {"http://", "http:///x", "http://a:0/", "http://a:65536/", "http://a:/",
        "http://a:x/", "http://a:+1/", "http://[::1/", "http://[x]/",
        "http://[::1]x/", "http://a..b/", "http://a,b/", "http://:80/"}) {
    EXPECT_THAT(UriProblem(uri), HasSubstr("no host")) << uri;
  }
  for (const char* uri : {"http://a/ b", "http://a/\n", "http://a/\"",
                          "http://a/<", "http://a/\\", "http://ä/"}) {
    EXPECT_THAT(UriProblem(uri), HasSubstr("no URI has")) << uri;
  }
}

TEST(ParseIntegrationUri, DoesNotEchoWhatItCannotRead) {
  EXPECT_FALSE(absl::StrContains(UriProblem("http://u:S3CR3T@a/"), "S3CR3T"));
}

TEST(ParseIntegrationUri, HasALengthLimit) {
  const std::string longest =
      "http://a/" + std::string(kMaxIntegrationUriLength - 9, 'b');
  EXPECT_TRUE(ParseIntegrationUri(longest).ok());
  EXPECT_THAT(UriProblem(longest + "b"), HasSubstr("2049 bytes"));
}

TEST(IntegrationUri, PutsVariablesIn) {
  const auto uri = ParseIntegrationUri(
      "http://${stageVariables.host}/${stageVariables.path}/{id}");
  const auto resolved = uri->Resolve(
      {{"host", "backend.example:8080"}, {"path", "v1/x"}, {"other", "y"}});
  ASSERT_TRUE(resolved.ok()) << resolved.status();
  EXPECT_EQ(resolved->Host(), "backend.example");
  EXPECT_EQ(resolved->Port(), 8080);
  EXPECT_EQ(resolved->path, "/v1/x/{id}");
  EXPECT_THAT(resolved->variables, IsEmpty());
}

TEST(IntegrationUri, RefusesVariablesThatDoNotFit) {
  const auto uri = ParseIntegrationUri(
      "http://${stageVariables.host}/${stageVariables.path}");
  EXPECT_THAT(std::string(uri->Resolve({{"host", "a"}}).status().message()),
              HasSubstr("variable path"));
  for (const char* host : {"", "a/b", "a?b", "a:b", "a#b", "..", "a:99999"}) {
    EXPECT_FALSE(uri->Resolve({{"host", host}, {"path", ""}}).ok()) << host;
  }
  EXPECT_FALSE(uri->Resolve({{"host", "a"}, {"path", "b#c"}}).ok());
}

Route GoodRoute() {
  Route route;
  route.name = RouteName(ApiName("a"), "r");
  route.method = "GET";
  route.path = "/customer/{id}";
  HttpProxyIntegration proxy;
  proxy.uri = "https://backend.example/c/{id}";
  route.integration = proxy;
  return route;
}

Violations Check(const Route& route) {
  Violations violations;
  Validate(route, violations);
  return violations;
}

TEST(ValidateRoute, TakesEachKindOfIntegration) {
  Route route = GoodRoute();
  EXPECT_TRUE(Check(route).empty());
  HttpIntegration http;
  http.uri = "http://backend/{customer}";
  http.path_parameters = {{"customer", "id"}};
  http.method = "POST";
  route.integration = http;
  EXPECT_TRUE(Check(route).empty());
  MockIntegration mock;
  mock.headers = {{"Content-Type", "text/plain"}, {"x-a", "b"}};
  route.integration = mock;
  EXPECT_TRUE(Check(route).empty());
}

TEST(ValidateRoute, FindsAllThatIsWrongAtOnce) {
  Route route = GoodRoute();
  route.method = "get";
  route.path = "customer";
  HttpProxyIntegration proxy;
  proxy.uri = "ftp://x";
  proxy.timeout = absl::ZeroDuration();
  route.integration = proxy;
  const Violations violations = Check(route);
  EXPECT_EQ(violations.size(), 4u);
  EXPECT_TRUE(violations.Has("method", Reason::kFieldMalformed));
  EXPECT_TRUE(violations.Has("path", Reason::kPathTemplateInvalid));
  EXPECT_TRUE(violations.Has("http_proxy.uri", Reason::kIntegrationUriInvalid));
  EXPECT_TRUE(violations.Has("http_proxy.timeout", Reason::kFieldOutOfRange));
}

TEST(ValidateRoute, WantsAMethodAndAnIntegration) {
  const Violations violations = Check(Route());
  EXPECT_TRUE(violations.Has("method", Reason::kFieldRequired));
  EXPECT_TRUE(violations.Has("path", Reason::kPathTemplateInvalid));
  EXPECT_TRUE(violations.Has("integration", Reason::kFieldRequired));
}

TEST(ValidateRoute, RefusesParametersThatThePathDoesNotHave) {
  Route route = GoodRoute();
  std::get<HttpProxyIntegration>(route.integration).uri = "http://b/{other}";
  EXPECT_TRUE(
      Check(route).Has("http_proxy.uri", Reason::kIntegrationParameterUnknown));
  HttpIntegration http;
  http.uri = "http://b/{a}/{id}";
  http.path_parameters = {{"a", "nothing"}, {"unused", "id"}, {"b c", "id"}};
  route.integration = http;
  const Violations violations = Check(route);
  EXPECT_EQ(violations.size(), 3u);
  EXPECT_TRUE(violations.Has("http.path_parameters[\"a\"]",
                             Reason::kIntegrationParameterUnknown));
  EXPECT_TRUE(violations.Has("http.path_parameters[\"unused\"]",
                             Reason::kIntegrationParameterUnknown));
  EXPECT_TRUE(
      violations.Has("http.path_parameters[\"b c\"]", Reason::kKeyMalformed));
}

TEST(ValidateRoute, LimitsTimeouts) {
  Route route = GoodRoute();
  auto& proxy = std::get<HttpProxyIntegration>(route.integration);
  for (const absl::Duration good :
       {kMinIntegrationTimeout, kMaxIntegrationTimeout}) {
    proxy.timeout = good;
    EXPECT_TRUE(Check(route).empty()) << good;
  }
  for (const absl::Duration bad :
       {kMinIntegrationTimeout - absl::Nanoseconds(1),
        kMaxIntegrationTimeout + absl::Nanoseconds(1)}) {
    proxy.timeout = bad;
    EXPECT_EQ(Check(route).size(), 1u) << bad;
  }
}

TEST(ValidateRoute, ChecksBackendTls) {
  Route route = GoodRoute();
  auto& proxy = std::get<HttpProxyIntegration>(route.integration);
  proxy.tls.truststore = TruststoreName("backends");
  proxy.tls.server_name = "backend.internal";
  EXPECT_TRUE(Check(route).empty());
  proxy.tls.insecure_skip_verification = true;
  EXPECT_TRUE(Check(route).Has("http_proxy.tls.insecure_skip_verification",
                               Reason::kFieldsConflict));
  proxy.tls = BackendTls();
  proxy.tls.server_name = "*.internal";
  EXPECT_TRUE(
      Check(route).Has("http_proxy.tls.server_name", Reason::kFieldMalformed));
  proxy.tls.server_name = "backend.internal";
  proxy.uri = "http://backend.example/c/{id}";
  EXPECT_TRUE(Check(route).Has("http_proxy.tls", Reason::kFieldsConflict));
}

TEST(Warnings, NameABackendThatNobodyVerifies) {
  Route route = GoodRoute();
  EXPECT_THAT(Warnings(route), IsEmpty());
  std::get<HttpProxyIntegration>(route.integration)
      .tls.insecure_skip_verification = true;
  ASSERT_EQ(Warnings(route).size(), 1u);
  EXPECT_EQ(Warnings(route)[0].reason, "BACKEND_NOT_VERIFIED");
  EXPECT_EQ(Warnings(route)[0].field,
            "http_proxy.tls.insecure_skip_verification");
  HttpIntegration http;
  http.tls.insecure_skip_verification = true;
  route.integration = http;
  EXPECT_EQ(Warnings(route)[0].field, "http.tls.insecure_skip_verification");
}

TEST(ValidateRoute, RefusesAnyAsTheBackendsMethod) {
  Route route = GoodRoute();
  route.method = "ANY";
  HttpIntegration http;
  http.uri = "http://b";
  http.method = "ANY";
  route.integration = http;
  EXPECT_TRUE(Check(route).Has("http.method", Reason::kFieldMalformed));
}

TEST(ValidateRoute, LimitsMockAnswers) {
  Route route = GoodRoute();
  MockIntegration mock;
  mock.body = std::string(kMaxMockBodyBytes, 'b');
  for (size_t i = 0; i < kMaxMockHeaders; ++i) {
    mock.headers[absl::StrCat("x-", i)] = "v";
  }
  mock.headers["x-0"] = std::string(kMaxMockHeaderBytes, 'v');
  for (const int status : {200, 599}) {
    mock.status = status;
    route.integration = mock;
    EXPECT_TRUE(Check(route).empty()) << status;
  }
  for (const int status : {0, 101, 199, 600}) {
    mock.status = status;
    route.integration = mock;
    EXPECT_TRUE(Check(route).Has("mock.status", Reason::kFieldOutOfRange))
        << status;
  }
  mock.status = 200;
  mock.body += "b";
  mock.headers["x-0"] += "v";
  mock.headers["one-more"] = "v";
  route.integration = mock;
  const Violations violations = Check(route);
  EXPECT_TRUE(violations.Has("mock.body", Reason::kFieldOutOfRange));
  EXPECT_TRUE(violations.Has("mock.headers", Reason::kTooManyEntries));
  EXPECT_TRUE(
      violations.Has("mock.headers[\"x-0\"]", Reason::kFieldOutOfRange));
}

TEST(ValidateRoute, RefusesMockHeadersThatSplitAnAnswer) {
  Route route = GoodRoute();
  MockIntegration mock;
  mock.headers = {{"x-a", "b\r\nset-cookie: c"},
                  {"content-length", "0"},
                  {":status", "200"},
                  {"a b", "c"}};
  route.integration = mock;
  const Violations violations = Check(route);
  EXPECT_EQ(violations.size(), 4u);
  EXPECT_TRUE(violations.Has("mock.headers[\"x-a\"]", Reason::kFieldMalformed));
  EXPECT_TRUE(violations.Has("mock.headers[\"content-length\"]",
                             Reason::kKeyMalformed));
}

Stage GoodStage() {
  Stage stage;
  stage.name = StageName(ApiName("a"), "DEV");
  stage.deployment = DeploymentName(ApiName("a"), "d1");
  stage.variables = {{"host", "backend.example:8080"}};
  return stage;
}

Violations Check(const Stage& stage) {
  Violations violations;
  Validate(stage, violations);
  return violations;
}

TEST(ValidateStage, TakesAGoodOne) { EXPECT_TRUE(Check(GoodStage()).empty()); }

TEST(ValidateStage, RefusesAnotherApisDeployment) {
  Stage stage = GoodStage();
  stage.deployment = DeploymentName(ApiName("b"), "d1");
  EXPECT_TRUE(Check(stage).Has("deployment", Reason::kForeignDeployment));
}

TEST(ValidateStage, LimitsVariables) {
  Stage stage = GoodStage();
  stage.variables.clear();
  for (size_t i = 0; i < kMaxStageVariables; ++i) {
    stage.variables[absl::StrCat("v", i)] = "";
  }
  stage.variables["v0"] = std::string(kMaxStageVariableValueLength, 'v');
  EXPECT_TRUE(Check(stage).empty());
  stage.variables["v0"] += "v";
  stage.variables["more"] = "";
  Violations violations = Check(stage);
  EXPECT_TRUE(violations.Has("variables", Reason::kTooManyEntries));
  EXPECT_TRUE(violations.Has("variables[\"v0\"]", Reason::kFieldOutOfRange));
  const std::string name(kMaxStageVariableNameLength, 'n');
  stage.variables = {{name, "x"}};
  EXPECT_TRUE(Check(stage).empty());
  stage.variables = {{name + "n", "x"}, {"a-b", "x"}, {"", "x"}, {"c", "{x}"}};
  violations = Check(stage);
  EXPECT_EQ(violations.size(), 4u);
  EXPECT_TRUE(violations.Has("variables[\"a-b\"]", Reason::kKeyMalformed));
  EXPECT_TRUE(violations.Has("variables[\"c\"]", Reason::kFieldMalformed));
}

TEST(ValidateDeployment, WantsARoute) {
  Deployment deployment;
  Violations violations;
  Validate(deployment, violations);
  EXPECT_TRUE(violations.Has("routes", Reason::kNothingToDeploy));
  deployment.routes.push_back(GoodRoute());
  Violations none;
  Validate(deployment, none);
  EXPECT_TRUE(none.empty());
}

TEST(ValidateDeployed, NamesEachRouteThatLacksAVariable) {
  Deployment deployment;
  for (const char* uri :
       {"http://${stageVariables.host}/a", "http://${stageVariables.gone}/b",
        "http://plain/c"}) {
    Route route = GoodRoute();
    std::get<HttpProxyIntegration>(route.integration).uri = uri;
    deployment.routes.push_back(route);
  }
  deployment.routes.push_back(GoodRoute());
  deployment.routes.back().integration = MockIntegration();
  Violations violations;
  ValidateDeployed(deployment, GoodStage(), nullptr, violations);
  ASSERT_EQ(violations.size(), 1u);
  EXPECT_EQ(violations.list()[0].field, "variables");
  EXPECT_EQ(violations.list()[0].reason, Reason::kStageVariableMissing);
  EXPECT_THAT(violations.list()[0].description, HasSubstr("variable gone"));
  EXPECT_EQ(violations.ToStatus().code(),
            absl::StatusCode::kFailedPrecondition);
}

TEST(ValidateApi, LimitsTheDisplayName) {
  Api api;
  api.display_name = std::string(kMaxDisplayNameLength, 'n');
  Violations good;
  Validate(api, good);
  EXPECT_TRUE(good.empty());
  api.display_name += "n";
  Violations bad;
  Validate(api, bad);
  EXPECT_TRUE(bad.Has("display_name", Reason::kFieldOutOfRange));
}

}  // namespace
}  // namespace sallyport::domain
