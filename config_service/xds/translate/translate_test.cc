// Golden files: testdata/NAME.txt holds what the case NAME gives. To write them
// anew: bazel run //config_service/xds/translate:translate_test -- --update

#include "config_service/xds/translate/translate.h"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/secret.h"
#include "config_service/xds/translate/withdrawn.h"
#include "gtest/gtest.h"

namespace sallyport::xds {
namespace {

using domain::ApiName;
using domain::CertificateListName;
using domain::ClientRule;
using domain::DomainNameName;
using domain::RevocationListName;
using domain::ServerCertificateName;
using domain::StageName;
using domain::TruststoreName;
using domain::TruststoreVersionName;

constexpr char kFolder[] = "config_service/xds/translate/testdata";
bool update = false;

std::string Read(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(in), {});
}

// Compares with the golden file, or writes it.
void Golden(const std::string& name, const std::vector<Translated>& resources) {
  std::string text;
  for (const Translated& one : resources) {
    absl::StrAppend(&text, text.empty() ? "" : "\n", DebugText(one));
  }
  const std::string file = absl::StrCat(kFolder, "/", name, ".txt");
  if (update) {
    const char* const workspace = std::getenv("BUILD_WORKSPACE_DIRECTORY");
    ASSERT_NE(workspace, nullptr) << "run it with bazel run";
    std::ofstream(absl::StrCat(workspace, "/", file), std::ios::binary) << text;
    return;
  }
  EXPECT_EQ(text, Read(file)) << "see the top of this file";
}

std::vector<Translated> OfType(const std::vector<Translated>& all,
                               ResourceType type) {
  std::vector<Translated> some;
  std::copy_if(all.begin(), all.end(), std::back_inserter(some),
               [type](const Translated& t) { return t.key.type == type; });
  return some;
}

std::shared_ptr<const std::string> Piece(const char* text) {
  return std::make_shared<const std::string>(text);
}

// An API with a stage "prod" that serves `routes`.
class ApiOf {
 public:
  explicit ApiOf(const std::string& id = "orders") {
    api.name = ApiName(id);
    stage.name = StageName(api.name, "prod");
    deployment.name = domain::DeploymentName(api.name, "d1");
  }
  void Add(const std::string& id, const std::string& method,
           const std::string& path, domain::Integration integration) {
    domain::Route route;
    route.name = domain::RouteName(api.name, id);
    route.method = method;
    route.path = path;
    route.integration = std::move(integration);
    deployment.routes.push_back(std::move(route));
  }
  StageInput input() const { return {&api, &stage, &deployment, nullptr}; }

  domain::Api api;
  domain::Stage stage;
  domain::Deployment deployment;
};

domain::HttpProxyIntegration Proxy(const std::string& uri) {
  domain::HttpProxyIntegration proxy;
  proxy.uri = uri;
  return proxy;
}

domain::ApiMapping Mapping(const std::string& id, const std::string& base_path,
                           const domain::Stage& stage) {
  domain::ApiMapping mapping;
  mapping.name = domain::ApiMappingName(DomainNameName("api.example.com"), id);
  mapping.base_path = base_path;
  mapping.stage = stage.name;
  return mapping;
}

ClientRule Rule(ClientRule::Kind kind, std::vector<std::string> values) {
  ClientRule rule;
  rule.kind = kind;
  rule.values = std::move(values);
  return rule;
}

domain::DomainName Domain(const std::string& name = "api.example.com") {
  domain::DomainName domain_name;
  domain_name.name = DomainNameName(name);
  domain_name.server_certificate = ServerCertificateName("web");
  return domain_name;
}

domain::DomainName MutualTlsDomain() {
  domain::DomainName domain_name = Domain();
  domain_name.mutual_tls.emplace();
  domain_name.mutual_tls->truststores.push_back(
      {TruststoreName("partners"), {}, std::nullopt});
  return domain_name;
}

std::vector<Translated> Resources(const DomainInput& input) {
  DomainOutput output = TranslateDomain(input);
  for (const Problem& problem : output.problems) {
    ADD_FAILURE() << problem.resource << ": " << problem.message;
  }
  return std::move(output.resources);
}

std::string ProblemOf(const DomainInput& input) {
  const DomainOutput output = TranslateDomain(input);
  return output.problems.empty()
             ? ""
             : absl::StrCat(output.problems[0].resource, ": ",
                            output.problems[0].message);
}

TEST(Translate, ATruststoreWithItsShadowAndAPinnedVersion) {
  domain::Truststore truststore;
  truststore.name = TruststoreName("partners");
  truststore.active_version = 7;
  truststore.shadow_version = 8;
  truststore.revocation_lists = {RevocationListName("ca")};
  truststore.revocation_rule = pki::RevocationRule::kHardFail;
  std::vector<TruststoreContent> contents(3);
  const int64_t versions[] = {3, 7, 8};
  for (size_t i = 0; i < contents.size(); ++i) {
    contents[i].version = versions[i];
    contents[i].sha256.fill(static_cast<uint8_t>('a' + i));
    contents[i].pem = {Piece("PEM "), Piece("text")};
  }
  const int64_t pinned[] = {3};
  Golden("truststore", TranslateTruststore(truststore, contents, pinned));
}

TEST(Translate, ATruststoreWithoutAnActiveVersionIsNotThere) {
  domain::Truststore truststore;
  truststore.name = TruststoreName("partners");
  TruststoreContent candidate;
  candidate.version = 1;
  EXPECT_TRUE(TranslateTruststore(truststore, {candidate}, {}).empty());
}

TEST(Translate, Lists) {
  domain::RevocationList list;
  list.name = RevocationListName("ca");
  list.sha256.fill('c');
  domain::CertificateListEntry by_certificate, by_serial;
  by_certificate.sha256 = "abcd";
  by_serial.kind = domain::CertificateListEntry::Kind::kIssuerAndSerial;
  by_serial.issuer = "CN=CA";
  by_serial.serial = "0a";
  Golden("lists", {TranslateRevocationList(list, {Piece("CRL")}),
                   TranslateCertificateList(CertificateListName("emergency"),
                                            {by_certificate, by_serial})});
}

TEST(Translate, ACertificateWithItsKey) {
  const Translated secret = TranslateServerCertificate(
      ServerCertificateName("web"), "CHAIN", Secret::CopyOf("THE KEY"));
  Golden("server_certificate", {secret});
  EXPECT_TRUE(absl::StrContains(secret.message, "THE KEY"));
  EXPECT_FALSE(absl::StrContains(DebugText(secret), "THE KEY"));
}

TEST(Translate, TheBindingOfADomain) {
  domain::DomainName domain_name = MutualTlsDomain();
  domain_name.mutual_tls->truststores.push_back(
      {TruststoreName("internal"),
       TruststoreVersionName(TruststoreName("internal"), 2),
       pki::ExtendedKeyUsageRule::kIgnore});
  domain_name.mutual_tls->deny_lists = {CertificateListName("gone")};
  domain_name.mutual_tls->allow_lists = {CertificateListName("vip")};
  domain_name.mutual_tls->limits.max_signature_checks = 9;
  ApiOf api;
  api.Add("all", "ANY", "/{proxy+}", domain::MockIntegration());
  domain::ApiMapping mapping = Mapping("m", "", api.stage);
  mapping.allow_lists = {CertificateListName("ops")};
  DomainInput input;
  input.domain_name = &domain_name;
  input.mappings = {{&mapping, api.input()}};
  input.deny_everywhere = {CertificateListName("emergency")};
  PinnedTruststore pinned;
  pinned.version = TruststoreVersionName(TruststoreName("internal"), 2);
  pinned.sha256.fill('i');
  input.pinned = {pinned};
  Golden("binding", OfType(Resources(input), ResourceType::kSecret));
  input.pinned.clear();
  EXPECT_EQ(ProblemOf(input),
            "domainNames/api.example.com: truststores/internal/versions/2 is "
            "not there");
}

TEST(Translate, TheChainOfADomainWithMutualTls) {
  domain::DomainName domain_name = MutualTlsDomain();
  domain_name.mutual_tls->rejection = domain::RejectionStyle::kHandshake;
  domain_name.mutual_tls->paths.push_back(
      {false, "/health", domain::ClientRequirement::kOptional, std::nullopt});
  DomainInput input;
  input.domain_name = &domain_name;
  Golden("chain", OfType(Resources(input), ResourceType::kFilterChain));
}

TEST(Translate, TheChainOfADomainWithoutMutualTls) {
  domain::DomainName domain_name = Domain("*.example.com");
  domain_name.security_policy = domain::SecurityPolicy::kTls13;
  domain_name.forwarding.remove_headers = {"x-client"};
  DomainInput input;
  input.domain_name = &domain_name;
  Golden("chain_without_mutual_tls",
         OfType(Resources(input), ResourceType::kFilterChain));
}

TEST(Translate, NothingOfTheTrustIsInTheChain) {
  domain::DomainName domain_name = MutualTlsDomain();
  DomainInput input;
  input.domain_name = &domain_name;
  const auto before = OfType(Resources(input), ResourceType::kFilterChain);
  domain_name.mutual_tls->truststores.push_back(
      {TruststoreName("more"), {}, std::nullopt});
  domain_name.mutual_tls->deny_lists = {CertificateListName("gone")};
  domain_name.mutual_tls->allow = Rule(ClientRule::Kind::kSanDns, {"a.test"});
  domain_name.mutual_tls->allow_lists = {CertificateListName("vip")};
  domain_name.mutual_tls->limits.max_signature_checks = 9;
  domain_name.forwarding.cloudflare = true;
  const auto after = OfType(Resources(input), ResourceType::kFilterChain);
  EXPECT_EQ(before[0].message, after[0].message);
}

TEST(Translate, RoutesOfBasePaths) {
  ApiOf api;
  api.Add("list", "GET", "/customer", Proxy("https://crm.test/v1/customers"));
  api.Add("one", "GET", "/customer/{customer-id}",
          Proxy("https://crm.test/v1/customers/{customer-id}"));
  api.Add("rest", "ANY", "/files/{proxy+}",
          Proxy("http://${stageVariables.files}/{proxy}"));
  api.stage.variables = {{"files", "files.test:8080"}};
  ApiOf empty("later");
  const auto c360 = Mapping("a", "c360", api.stage);
  const auto deeper = Mapping("b", "c360/v2", empty.stage);
  const domain::DomainName domain_name = Domain();
  DomainInput input;
  input.domain_name = &domain_name;
  StageInput nothing = empty.input();
  nothing.deployment = nullptr;
  input.mappings = {{&c360, api.input()}, {&deeper, nothing}};
  Golden("routes", OfType(Resources(input), ResourceType::kRouteConfiguration));
}

TEST(Translate, RoutesWithRulesOfTheirOwn) {
  ApiOf api;
  domain::MockIntegration mock;
  mock.status = 201;
  mock.headers = {{"x-part", "100%"}};
  mock.body = "made";
  api.Add("root", "POST", "/", mock);
  domain::DomainName domain_name = MutualTlsDomain();
  domain_name.mutual_tls->allow_lists = {CertificateListName("vip")};
  domain_name.forwarding.xfcc.emplace().subject = true;
  domain::ApiMapping mapping = Mapping("m", "ops", api.stage);
  mapping.allow = Rule(ClientRule::Kind::kSanDns, {"*.ops.test"});
  mapping.client_certificate = domain::ClientRequirement::kRequired;
  DomainInput input;
  input.domain_name = &domain_name;
  input.mappings = {{&mapping, api.input()}};
  Golden("routes_with_rules",
         OfType(Resources(input), ResourceType::kRouteConfiguration));
}

TEST(Translate, AMappingRemovesWhatItsDomainRemovesToo) {
  ApiOf api;
  api.Add("root", "GET", "/", domain::MockIntegration());
  domain::DomainName domain_name = MutualTlsDomain();
  domain_name.forwarding.remove_headers = {"x-mine", "x-both"};
  domain::ApiMapping mapping = Mapping("m", "ops", api.stage);
  mapping.forwarding.emplace().remove_headers = {"x-other", "x-both"};
  DomainInput input;
  input.domain_name = &domain_name;
  input.mappings = {{&mapping, api.input()}};
  std::string text;
  for (const Translated& one :
       OfType(Resources(input), ResourceType::kRouteConfiguration)) {
    absl::StrAppend(&text, DebugText(one));
  }
  const auto count = [&text](const std::string& name) {
    size_t found = 0;
    for (size_t at = text.find(name); at != std::string::npos;
         at = text.find(name, at + 1)) {
      ++found;
    }
    return found;
  };
  // Of the domain, and of the routes below the mapping: as often as those.
  EXPECT_EQ(count("\"x-mine\""), count("\"x-both\""));
  EXPECT_EQ(count("\"x-mine\""), count("\"x-other\"") + 1);
}

TEST(Translate, MappedPathParameters) {
  ApiOf api;
  domain::HttpIntegration http;
  http.uri = "https://10.0.0.1:8443/v1/{order}/{customer}";
  http.path_parameters = {{"order", "id"}};
  http.tls.server_name = "backend.internal";
  http.tls.truststore = TruststoreName("internal");
  http.timeout = absl::Milliseconds(1500);
  api.stage.client_certificate = domain::ClientCertificateName("gateway");
  api.Add("one", "GET", "/x.y/{customer}/{unused}/{id}", http);
  const auto mapping = Mapping("m", "", api.stage);
  const domain::DomainName domain_name = Domain();
  DomainInput input;
  input.domain_name = &domain_name;
  input.mappings = {{&mapping, api.input()}};
  std::vector<Translated> all = Resources(input);
  all.erase(std::remove_if(all.begin(), all.end(),
                           [](const Translated& t) {
                             return t.key.type == ResourceType::kFilterChain;
                           }),
            all.end());
  Golden("path_parameters", all);
}

TEST(Translate, BackendsByAddressNameAndTrust) {
  ApiOf api;
  api.Add("a", "GET", "/a", Proxy("http://backend.test:8080/a"));
  api.Add("b", "GET", "/b", Proxy("https://backend.test/b"));
  auto insecure = Proxy("https://backend.test/c");
  insecure.tls.insecure_skip_verification = true;
  api.Add("c", "GET", "/c", insecure);
  api.Add("d", "GET", "/d", Proxy("http://[2001:db8::1]/d"));
  api.Add("e", "GET", "/e", Proxy("https://backend.test/elsewhere"));
  const auto mapping = Mapping("m", "", api.stage);
  const domain::DomainName domain_name = Domain();
  DomainInput input;
  input.domain_name = &domain_name;
  input.mappings = {{&mapping, api.input()}};
  const auto clusters = OfType(Resources(input), ResourceType::kCluster);
  EXPECT_EQ(clusters.size(), 4u);  // b and e are one backend
  Golden("clusters", clusters);
}

TEST(Translate, ShowsNoBackendWhereNoneMayBe) {
  ApiOf api;
  api.Add("a", "GET", "/a", Proxy("http://${stageVariables.host}/a"));
  api.stage.variables["host"] = "169.254.169.254";
  const auto mapping = Mapping("m", "", api.stage);
  const domain::DomainName domain_name = Domain();
  const domain::BackendPolicy policy;
  DomainInput input;
  input.domain_name = &domain_name;
  StageInput stage = api.input();
  stage.backends = &policy;
  input.mappings = {{&mapping, stage}};
  const auto problems = TranslateDomain(input).problems;
  ASSERT_EQ(problems.size(), 1u);
  EXPECT_TRUE(absl::StrContains(problems[0].message, "link-local"));
  api.stage.variables["host"] = "backend.test";
  EXPECT_TRUE(TranslateDomain(input).problems.empty());
}

TEST(Translate, DefaultEndpoints) {
  domain::Fleet fleet;
  fleet.name = domain::DefaultFleet();
  fleet.default_endpoint_suffix = "apis.test";
  fleet.default_endpoint_certificate = ServerCertificateName("wildcard");
  ApiOf open("open"), closed("closed");
  open.Add("root", "GET", "/", domain::MockIntegration());
  closed.api.disable_default_endpoint = true;
  DefaultEndpointsInput input;
  input.fleet = &fleet;
  input.apis = {{&closed.api, {closed.input()}}, {&open.api, {open.input()}}};
  const DomainOutput output = TranslateDefaultEndpoints(input);
  Golden("default_endpoints",
         OfType(output.resources, ResourceType::kRouteConfiguration));
  fleet.default_endpoint_suffix.clear();
  EXPECT_TRUE(TranslateDefaultEndpoints(input).resources.empty());
}

TEST(Translate, TheListenerOfAFleet) {
  domain::Fleet fleet;
  fleet.name = domain::DefaultFleet();
  fleet.default_endpoint_suffix = "apis.test";
  FleetInput input;
  input.fleet = &fleet;
  input.domains = {"*.example.com", "a.example.com", "b.example.com"};
  input.default_endpoints = true;
  Golden("listener", TranslateListeners(input));
}

TEST(Translate, WhatAFleetSaysOfItsAccessLogChangesNeitherPortNorChain) {
  domain::Fleet fleet;
  fleet.name = domain::DefaultFleet();
  FleetInput input;
  input.fleet = &fleet;
  input.domains = {"a.example.com"};
  const Translated port = TranslatePort(input);
  const Translated runtime = TranslateRuntime(fleet);
  Golden("runtime", {runtime});
  fleet.access_log.output = domain::AccessLog::Output::kOff;
  fleet.access_log.min_status = 400;
  Golden("runtime_without_access_log", {TranslateRuntime(fleet)});
  EXPECT_EQ(TranslatePort(input).message, port.message);
  fleet.default_endpoint_suffix = "apis.test";
  fleet.access_log = {};
  EXPECT_EQ(TranslateRuntime(fleet).message, runtime.message);
}

TEST(Translate, TheListenerHasNoWildcardTwice) {
  domain::Fleet fleet;
  fleet.name = domain::DefaultFleet();
  fleet.default_endpoint_suffix = "apis.test";
  FleetInput input;
  input.fleet = &fleet;
  input.domains = {"*.apis.test", "a.example.com"};
  input.default_endpoints = true;
  const std::string port = TranslatePort(input).message;
  EXPECT_FALSE(absl::StrContains(port, "domains/*.apis.test"));
  EXPECT_TRUE(absl::StrContains(port, "*.apis.test"));
  EXPECT_TRUE(absl::StrContains(port, "default-endpoints"));
  input.default_endpoints = false;
  EXPECT_TRUE(
      absl::StrContains(TranslatePort(input).message, "domains/*.apis.test"));
}

TEST(Translate, TheListenerOfAnEmptyFleet) {
  domain::Fleet fleet;
  fleet.name = domain::DefaultFleet();
  FleetInput input;
  input.fleet = &fleet;
  Golden("listener_without_domains", TranslateListeners(input));
}

TEST(Translate, Carriers) {
  domain::Fleet fleet;
  fleet.name = domain::DefaultFleet();
  FleetInput input;
  input.fleet = &fleet;
  input.carried = {
      {"domains/a.test", "server-certificates/web", "bindings/a.test"},
      {"domains/open.test", "server-certificates/web", ""},
      {"truststores/partners", "carrier", "truststores/partners"},
  };
  std::vector<Translated> carriers = TranslateListeners(input);
  carriers.pop_back();  // the port
  Golden("carriers", carriers);
}

TEST(Translate, WhatIsNotServedAnyMore) {
  Golden("withdrawn",
         {TranslateWithdrawn("domains/a.example.com", "a.example.com")});
}

TEST(Translate, ATestInvocation) {
  ApiOf api;
  domain::HttpProxyIntegration proxy = Proxy("https://b.test:8443/v1/{id}");
  proxy.tls.truststore = TruststoreName("backends");
  api.Add("get", "GET", "/orders/{id}", proxy);
  api.stage.client_certificate = domain::ClientCertificateName("new");
  const Secret server_key = Secret::CopyOf("server key");
  const Secret backend_key = Secret::CopyOf("backend key");
  TestInvocationInput input;
  input.id = "t1";
  input.stage = api.input();
  input.server_certificate_pem = "server certificate";
  input.server_key_pem = &server_key;
  input.client_certificate_pem = "client certificate";
  input.backend_chain_pem = "backend's client certificate";
  input.backend_key_pem = &backend_key;
  input.backend_truststore = TruststoreName("backends");
  input.backend_trust = {Piece("CA")};
  const TestInvocationOutput output = TranslateTestInvocation(input);
  ASSERT_TRUE(output.problems.empty());
  EXPECT_EQ(output.domain, "t1.test-invocations.sallyport.invalid");
  EXPECT_EQ(output.carried.certificate_secret,
            "test-invocations/t1/server-certificate");
  Golden("test_invocation", output.resources);
}

TEST(Translate, ATestInvocationSharesNothingWithWhatIsServed) {
  ApiOf api;
  api.Add("get", "GET", "/", Proxy("http://b.test/"));
  const auto mapping = Mapping("m", "", api.stage);
  const domain::DomainName domain_name = Domain();
  DomainInput served;
  served.domain_name = &domain_name;
  served.mappings = {{&mapping, api.input()}};
  const Secret key = Secret::CopyOf("key");
  TestInvocationInput input;
  input.id = "t1";
  input.stage = api.input();
  input.server_key_pem = &key;
  input.client_certificate_pem = "client certificate";
  std::set<ResourceKey> keys;
  for (const Translated& one : Resources(served)) keys.insert(one.key);
  for (const Translated& one : TranslateTestInvocation(input).resources) {
    EXPECT_TRUE(keys.insert(one.key).second) << one.key.name;
  }
}

TEST(Translate, ATestInvocationThatANodeCannotDoSaysWhy) {
  ApiOf api;
  api.Add("get", "GET", "/", Proxy("http://b.test/?x=1"));
  const Secret key = Secret::CopyOf("key");
  TestInvocationInput input;
  input.id = "t1";
  input.stage = api.input();
  input.server_key_pem = &key;
  input.client_certificate_pem = "client certificate";
  const TestInvocationOutput output = TranslateTestInvocation(input);
  ASSERT_EQ(output.problems.size(), 1u);
  EXPECT_TRUE(absl::StrContains(output.problems[0].message, "has a query"));
  input.client_certificate_pem.clear();
  EXPECT_EQ(TranslateTestInvocation(input).problems.size(), 2u);
}

// Properties.

TEST(Translate, TheSameBytesInWhateverOrderThingsCome) {
  ApiOf api;
  api.Add("b", "GET", "/b/{x}", Proxy("https://b.test/{x}"));
  api.Add("a", "ANY", "/a", Proxy("https://a.test/"));
  domain::DomainName domain_name = MutualTlsDomain();
  domain_name.mutual_tls->deny_lists = {CertificateListName("x"),
                                        CertificateListName("y")};
  const auto one = Mapping("one", "one", api.stage);
  const auto two = Mapping("two", "two", api.stage);
  DomainInput input;
  input.domain_name = &domain_name;
  input.mappings = {{&one, api.input()}, {&two, api.input()}};
  const auto first = Resources(input);
  std::reverse(input.mappings.begin(), input.mappings.end());
  std::reverse(api.deployment.routes.begin(), api.deployment.routes.end());
  std::reverse(domain_name.mutual_tls->deny_lists.begin(),
               domain_name.mutual_tls->deny_lists.end());
  const auto second = Resources(input);
  ASSERT_EQ(first.size(), second.size());
  for (size_t i = 0; i < first.size(); ++i) {
    EXPECT_EQ(first[i].key, second[i].key);
    EXPECT_EQ(first[i].message, second[i].message);
  }
}

TEST(Translate, SaysWhatANodeCannotDo) {
  const domain::DomainName domain_name = Domain();
  const auto problem = [&](const std::string& path,
                           domain::Integration integration) {
    ApiOf api;
    api.Add("r", "GET", path, std::move(integration));
    const auto mapping = Mapping("m", "", api.stage);
    DomainInput input;
    input.domain_name = &domain_name;
    input.mappings = {{&mapping, api.input()}};
    return ProblemOf(input);
  };
  EXPECT_EQ(problem("/a", Proxy("https://b.test/?x=1")),
            "apis/orders/stages/prod: route r (GET /a): the backend's URI has "
            "a query, which nodes cannot join to the client's; leave it out");
  EXPECT_TRUE(absl::StrContains(
      problem("/a", Proxy("https://${stageVariables.host}/")), "host"));
  EXPECT_TRUE(absl::StrContains(problem("/a", Proxy("https://b.test/{x}")),
                                "names a parameter that the route's path does "
                                "not have"));
  EXPECT_TRUE(absl::StrContains(problem("/a", {}), "has no integration"));
  domain::HttpIntegration post;
  post.uri = "https://b.test/";
  post.method = "POST";
  EXPECT_TRUE(absl::StrContains(problem("/a", post), "method is POST"));
  std::string path;
  for (int i = 0; i < 10; ++i) absl::StrAppend(&path, "/{p", i, "}");
  EXPECT_TRUE(absl::StrContains(
      problem(path, Proxy(absl::StrCat("https://b.test", path))),
      "takes 10 parameters; nodes can give it 9"));
}

TEST(Carriers, AreAsManyAsTheyAreFullAndSplitOneByOne) {
  EXPECT_EQ(NumCarriers(0), 1u);
  EXPECT_EQ(NumCarriers(64), 1u);
  EXPECT_EQ(NumCarriers(65), 2u);
  constexpr size_t kNames = 5000;
  for (size_t count : {1, 2, 3, 7, 63, 64, 79}) {
    size_t moved = 0;
    std::set<size_t> from;
    std::map<size_t, size_t> sizes;
    for (size_t i = 0; i < kNames; ++i) {
      const std::string name = absl::StrCat("domains/d", i, ".test");
      const size_t before = CarrierOf(name, count);
      const size_t after = CarrierOf(name, count + 1);
      ASSERT_LT(before, count);
      ++sizes[before];
      if (before == after) continue;
      ++moved;
      from.insert(before);
      EXPECT_EQ(after, count);
    }
    EXPECT_GT(moved, 0u);
    EXPECT_EQ(from.size(), 1u) << count;
    // No carrier has more than about four times its share.
    for (const auto& [carrier, size] : sizes) {
      EXPECT_LT(size, 4 * kNames / count + 32) << carrier << " of " << count;
    }
  }
}

}  // namespace
}  // namespace sallyport::xds

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  for (int i = 1; i < argc; ++i) {
    if (std::string(argv[i]) == "--update") sallyport::xds::update = true;
  }
  return RUN_ALL_TESTS();
}
