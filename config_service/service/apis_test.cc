#include "config_service/service/apis.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "config_service/domain/api_draft.h"
#include "config_service/domain/limits.h"
#include "config_service/domain/violations.h"
#include "config_service/service/api_drafts.h"
#include "config_service/service/api_mappings.h"
#include "config_service/service/audit_log.h"
#include "config_service/service/limits.h"
#include "config_service/service/testing/use_case_test.h"
#include "config_service/store/domain_records.h"
#include "config_service/store/fleet_records.h"
#include "config_service/store/keys.h"
#include "config_service/store/list_records.h"
#include "gtest/gtest.h"
#include "pki/testing/make_certificate.h"

namespace sallyport::service {
namespace {

using domain::Api;
using domain::ApiMapping;
using domain::ApiMappingName;
using domain::ApiName;
using domain::DeploymentName;
using domain::DomainNameName;
using domain::Reason;
using domain::Route;
using domain::RouteName;
using domain::Stage;
using domain::StageName;

constexpr char kUuid[] = "123e4567-e89b-12d3-a456-426614174000";

Reason ReasonOf(const absl::Status& status) {
  const auto error = domain::ErrorOf(status);
  EXPECT_TRUE(error.has_value()) << status;
  return error.has_value() ? error->reason : Reason::kInternal;
}

bool HasViolation(const absl::Status& status, absl::string_view field,
                  Reason reason) {
  const auto error = domain::ErrorOf(status);
  if (!error.has_value()) return false;
  for (const auto& violation : error->violations) {
    if (violation.field == field && violation.reason == reason) return true;
  }
  return false;
}

Route Proxy(const std::string& method, const std::string& path,
            const std::string& uri = "http://backend.example") {
  Route route;
  route.method = method;
  route.path = path;
  domain::HttpProxyIntegration proxy;
  proxy.uri = uri;
  route.integration = proxy;
  return route;
}

class ApisTest : public UseCaseTest {
 protected:
  ApisTest() : apis_(context_), mappings_(context_), audit_(store_.get()) {}

  absl::StatusOr<ApiView> CreateApi(const std::string& id) {
    return apis_.CreateApi(caller_, write_, id, Api());
  }
  absl::StatusOr<RouteView> CreateRoute(const std::string& id,
                                        const Route& route) {
    return apis_.CreateRoute(caller_, write_, orders_, id, route);
  }
  absl::StatusOr<StageView> CreateStage(const std::string& id,
                                        const Stage& stage = Stage()) {
    return apis_.CreateStage(caller_, write_, orders_, id, stage);
  }
  absl::StatusOr<DeploymentView> Deploy(const std::string& stage = "",
                                        bool create_stage = false) {
    Apis::CreateDeploymentRequest request;
    request.parent = orders_;
    if (!stage.empty()) request.stage = StageName(orders_, stage);
    request.create_stage = create_stage;
    return apis_.CreateDeployment(caller_, write_, request);
  }
  absl::StatusOr<StageView> Rollback(const std::string& stage,
                                     const DeploymentName& to = {}) {
    return apis_.RollbackStage(caller_, write_, StageName(orders_, stage), to,
                               domain::Etag());
  }
  absl::StatusOr<ApiMappingView> Map(const std::string& id,
                                     const std::string& base_path,
                                     const std::string& stage = "prod") {
    ApiMapping mapping;
    mapping.base_path = base_path;
    mapping.stage = StageName(orders_, stage);
    return mappings_.Create(caller_, write_, domain_, id, mapping);
  }
  template <typename T>
  void Put(const T& resource) {
    store::Commit commit;
    commit.puts.push_back(
        {store::KeyOf(resource.name), store::Encode(resource), {}});
    ASSERT_TRUE(store_->Apply(commit).ok());
  }
  void PutDomain(bool mutual_tls, const std::vector<std::string>& fleets = {}) {
    domain::DomainName domain_name;
    domain_name.name = domain_;
    for (const std::string& id : fleets) domain_name.fleets.emplace_back(id);
    domain_name.server_certificate = domain::ServerCertificateName("api");
    if (mutual_tls) {
      domain_name.mutual_tls.emplace();
      domain_name.mutual_tls->truststores.resize(1);
      domain_name.mutual_tls->truststores[0].truststore =
          domain::TruststoreName("partners");
    }
    Put(domain_name);
  }
  void PutFleet(const std::string& suffix) {
    domain::Fleet fleet;
    fleet.name = domain::DefaultFleet();
    fleet.default_endpoint_suffix = suffix;
    fleet.default_endpoint_certificate = domain::ServerCertificateName("apis");
    Put(fleet);
  }
  std::vector<std::string> Keys(const std::string& prefix) {
    store::ListRequest request;
    request.prefix = prefix;
    std::vector<std::string> out;
    const auto page = store_->List(request);
    EXPECT_TRUE(page.ok() && !page->more);
    for (const auto& record : page->records) out.push_back(record.key);
    return out;
  }

  const ApiName orders_{"orders"};
  const DomainNameName domain_{"api.example.com"};
  Apis apis_;
  ApiMappings mappings_;
  AuditLog audit_;
};

// -------------------------------------------------------------------- APIs

TEST_F(ApisTest, MakesAnIdWhereNoneIsGivenAndRepeatsTheAnswer) {
  write_.request_id = kUuid;
  const auto first = CreateApi("");
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_EQ(first->api.name.id().size(), 10u);
  const auto again = CreateApi("");
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->api.name, first->api.name);
  EXPECT_EQ(again->api.metadata.etag, first->api.metadata.etag);
  write_.request_id.clear();
  EXPECT_NE(CreateApi("")->api.name, first->api.name);
  EXPECT_EQ(Keys("apis/").size(), 2u);
}

TEST_F(ApisTest, RefusesWhatIsWrongWithAnApiAllAtOnce) {
  Api api;
  api.display_name = std::string(domain::kMaxDisplayNameLength + 1, 'x');
  api.metadata.description = "\x01";
  const auto created = apis_.CreateApi(caller_, write_, "Not-An-Id", api);
  EXPECT_TRUE(HasViolation(created.status(), "api_id", Reason::kNameMalformed));
  EXPECT_TRUE(HasViolation(created.status(), "api.display_name",
                           Reason::kFieldOutOfRange));
  EXPECT_TRUE(HasViolation(created.status(), "api.description",
                           Reason::kFieldMalformed));
  EXPECT_TRUE(Keys("").empty());

  ASSERT_TRUE(CreateApi("orders").ok());
  EXPECT_EQ(ReasonOf(CreateApi("orders").status()),
            Reason::kResourceAlreadyExists);
}

TEST_F(ApisTest, UpdatesTheFieldsThatAreNamedAndNoOthers) {
  ASSERT_TRUE(CreateApi("orders").ok());
  Api api;
  api.name = orders_;
  api.display_name = "Orders";
  api.metadata.description = "not named";
  api.disable_default_endpoint = true;
  clock_.Advance(absl::Milliseconds(1));
  const auto updated = apis_.UpdateApi(
      caller_, write_, api, {"display_name", "disable_default_endpoint"});
  ASSERT_TRUE(updated.ok()) << updated.status();
  EXPECT_EQ(updated->api.display_name, "Orders");
  EXPECT_TRUE(updated->api.disable_default_endpoint);
  EXPECT_EQ(updated->api.metadata.description, "");

  api.metadata.etag = domain::Etag("\"old\"");
  EXPECT_EQ(ReasonOf(apis_.UpdateApi(caller_, write_, api, {"*"}).status()),
            Reason::kEtagMismatch);
  api.metadata.etag = updated->api.metadata.etag;
  EXPECT_TRUE(
      HasViolation(apis_.UpdateApi(caller_, write_, api, {"nothing"}).status(),
                   "update_mask", Reason::kFieldUnknown));
  // Nothing changes: no new revision.
  const auto same = apis_.UpdateApi(caller_, write_, api, {"display_name"});
  ASSERT_TRUE(same.ok()) << same.status();
  EXPECT_EQ(same->api.metadata.revision, updated->api.metadata.revision);
  const auto entries = audit_.List({});
  ASSERT_EQ(entries->items.size(), 2u);
  EXPECT_EQ(entries->items[0].changes[0].changed_fields,
            std::vector<std::string>{"disable_default_endpoint"});
}

TEST_F(ApisTest, ChangesNothingWhenOnlyAskedToValidate) {
  write_.validate_only = true;
  EXPECT_TRUE(CreateApi("orders").ok());
  EXPECT_TRUE(Keys("").empty());
}

TEST_F(ApisTest, TellWhereAnApiCanBeReachedWithoutADomain) {
  ASSERT_TRUE(CreateApi("orders").ok());
  auto api = apis_.GetApi(orders_);
  EXPECT_EQ(api->default_endpoint, "");
  EXPECT_EQ(domain::FindCondition(api->api.conditions, "DefaultEndpointClosed")
                ->status,
            domain::Condition::Status::kTrue);
  PutFleet("apis.example.com");
  api = apis_.GetApi(orders_);
  EXPECT_EQ(api->default_endpoint, "https://orders.apis.example.com");
  EXPECT_EQ(domain::FindCondition(api->api.conditions, "DefaultEndpointClosed")
                ->status,
            domain::Condition::Status::kFalse);
  // Open while a domain with mutual TLS has it: worth a warning.
  EXPECT_TRUE(api->warnings.empty());
  PutDomain(/*mutual_tls=*/true);
  ASSERT_TRUE(CreateStage("prod").ok());
  const auto mapping = Map("m", "");
  ASSERT_TRUE(mapping.ok()) << mapping.status();
  ASSERT_EQ(mapping->warnings.size(), 1u);
  EXPECT_EQ(mapping->warnings[0].reason, "DEFAULT_ENDPOINT_OPEN");
  EXPECT_EQ(domain::FindCondition(mapping->mapping.conditions,
                                  "DefaultEndpointClosed")
                ->status,
            domain::Condition::Status::kFalse);
  api = apis_.GetApi(orders_);
  ASSERT_EQ(api->warnings.size(), 1u);
  EXPECT_TRUE(absl::StrContains(api->warnings[0].message,
                                mapping->mapping.name.ToString()));
  Api closed;
  closed.name = orders_;
  closed.disable_default_endpoint = true;
  api = apis_.UpdateApi(caller_, write_, closed, {"disable_default_endpoint"});
  ASSERT_TRUE(api.ok()) << api.status();
  EXPECT_TRUE(api->warnings.empty());
  EXPECT_TRUE(mappings_.Get(mapping->mapping.name)->warnings.empty());
}

TEST_F(ApisTest, TakesBackendsOnlyWhereTheInstallationAllowsThem) {
  const domain::BackendPolicy policy;
  context_.backends = &policy;
  Apis apis(context_);
  ASSERT_TRUE(CreateApi("orders").ok());
  const auto create = [&](const std::string& id, const std::string& uri) {
    return apis
        .CreateRoute(caller_, write_, orders_, id, Proxy("GET", "/" + id, uri))
        .status();
  };
  EXPECT_TRUE(HasViolation(create("a", "http://127.0.0.1:9901/quit"),
                           "route.http_proxy.uri",
                           Reason::kIntegrationUriInvalid));
  EXPECT_TRUE(HasViolation(create("a", "http://[::ffff:169.254.169.254]/"),
                           "route.http_proxy.uri",
                           Reason::kIntegrationUriInvalid));
  ASSERT_TRUE(create("a", "http://backend.example").ok());
  Route route = Proxy("GET", "/a", "http://localhost");
  route.name = RouteName(orders_, "a");
  EXPECT_TRUE(HasViolation(
      apis.UpdateRoute(caller_, write_, route, {"http_proxy.uri"}).status(),
      "route.http_proxy.uri", Reason::kIntegrationUriInvalid));
  // With a variable, when a stage is to serve it.
  ASSERT_TRUE(create("b", "http://${stageVariables.host}/b").ok());
  Stage stage;
  stage.variables["host"] = "127.0.0.1";
  ASSERT_TRUE(apis.CreateStage(caller_, write_, orders_, "prod", stage).ok());
  Apis::CreateDeploymentRequest deploy;
  deploy.parent = orders_;
  deploy.stage = StageName(orders_, "prod");
  EXPECT_TRUE(
      HasViolation(apis.CreateDeployment(caller_, write_, deploy).status(),
                   "stage.variables", Reason::kIntegrationUriInvalid));
  stage.name = deploy.stage;
  stage.variables["host"] = "backend.example";
  ASSERT_TRUE(apis.UpdateStage(caller_, write_, stage, {"variables"}).ok());
  ASSERT_TRUE(apis.CreateDeployment(caller_, write_, deploy).ok());
  stage.variables["host"] = "169.254.169.254";
  EXPECT_TRUE(HasViolation(
      apis.UpdateStage(caller_, write_, stage, {"variables"}).status(),
      "stage.variables", Reason::kIntegrationUriInvalid));
}

TEST_F(ApisTest, TellWhereAnApiOfSomeFleetsCanBeReached) {
  ASSERT_TRUE(CreateApi("orders").ok());
  ASSERT_TRUE(CreateStage("prod").ok());
  const auto put_fleet = [&](const std::string& id, const std::string& suffix) {
    domain::Fleet fleet;
    fleet.name = domain::FleetName(id);
    fleet.default_endpoint_suffix = suffix;
    if (!suffix.empty()) {
      fleet.default_endpoint_certificate =
          domain::ServerCertificateName("apis");
    }
    Put(fleet);
  };
  const auto endpoint = [&] { return apis_.GetApi(orders_)->default_endpoint; };
  PutFleet("main.example.com");
  put_fleet("edge", "");
  put_fleet("west", "west.example.com");
  EXPECT_EQ(endpoint(), "https://orders.main.example.com");
  // Mapped on one fleet alone, the others answer 403.
  PutDomain(/*mutual_tls=*/true, {"edge"});
  const auto mapping = Map("m", "");
  ASSERT_TRUE(mapping.ok()) << mapping.status();
  EXPECT_TRUE(mapping->warnings.empty());
  EXPECT_EQ(endpoint(), "");
  EXPECT_TRUE(apis_.GetApi(orders_)->warnings.empty());
  PutDomain(/*mutual_tls=*/true, {"edge", "west"});
  EXPECT_EQ(endpoint(), "https://orders.west.example.com");
  EXPECT_EQ(mappings_.Get(mapping->mapping.name)->warnings.size(), 1u);
  PutDomain(/*mutual_tls=*/true, {"edge", "west", "default"});
  EXPECT_EQ(endpoint(), "https://orders.main.example.com");
}

TEST_F(ApisTest, KeepsAPrivateApiFromMutualTls) {
  ASSERT_TRUE(CreateApi("orders").ok());
  ASSERT_TRUE(CreateStage("prod").ok());
  PutDomain(/*mutual_tls=*/true);
  ASSERT_TRUE(Map("m", "").ok());
  Api api;
  api.name = orders_;
  api.endpoint_type = domain::EndpointType::kPrivate;
  EXPECT_TRUE(HasViolation(
      apis_.UpdateApi(caller_, write_, api, {"endpoint_type"}).status(),
      "api.endpoint_type", Reason::kMutualTlsOnPrivateApi));
  // Nor the other way round.
  ASSERT_TRUE(
      mappings_.Delete(caller_, write_, ApiMappingName(domain_, "m"), {}).ok());
  ASSERT_TRUE(apis_.UpdateApi(caller_, write_, api, {"endpoint_type"}).ok());
  EXPECT_TRUE(HasViolation(Map("m", "").status(), "api_mapping.stage",
                           Reason::kMutualTlsOnPrivateApi));
  // An API whose id is a word of the store's keys is no way around.
  ASSERT_TRUE(CreateApi("by").ok());
  const ApiName by("by");
  ASSERT_TRUE(apis_.CreateStage(caller_, write_, by, "by", Stage()).ok());
  ApiMapping mapping;
  mapping.stage = StageName(by, "by");
  ASSERT_TRUE(mappings_.Create(caller_, write_, domain_, "by", mapping).ok());
  api.name = by;
  EXPECT_TRUE(HasViolation(
      apis_.UpdateApi(caller_, write_, api, {"endpoint_type"}).status(),
      "api.endpoint_type", Reason::kMutualTlsOnPrivateApi));
}

TEST_F(ApisTest, DeletesAnApiWithAllThatIsInIt) {
  ASSERT_TRUE(CreateApi("orders").ok());
  domain::Truststore truststore;
  truststore.name = domain::TruststoreName("backends");
  Put(truststore);
  Route route = Proxy("GET", "/a", "https://backend.example");
  std::get<domain::HttpProxyIntegration>(route.integration).tls.truststore =
      truststore.name;
  ASSERT_TRUE(CreateRoute("a", route).ok());
  ASSERT_TRUE(CreateRoute("b", Proxy("GET", "/b")).ok());
  ASSERT_TRUE(Deploy("prod", true).ok());
  PutDomain(/*mutual_tls=*/false);
  ASSERT_TRUE(Map("m", "").ok());
  EXPECT_EQ(ReasonOf(apis_.DeleteApi(caller_, write_, orders_, {})),
            Reason::kResourceInUse);
  EXPECT_EQ(ReasonOf(apis_.DeleteStage(caller_, write_,
                                       StageName(orders_, "prod"), {})),
            Reason::kResourceInUse);
  ASSERT_TRUE(
      mappings_.Delete(caller_, write_, ApiMappingName(domain_, "m"), {}).ok());
  EXPECT_EQ(Keys("refs/truststores/backends/").size(), 2u);
  ASSERT_TRUE(apis_.DeleteApi(caller_, write_, orders_, {}).ok());
  EXPECT_TRUE(Keys("apis").empty());
  EXPECT_TRUE(Keys("refs/").empty());
}

TEST_F(ApisTest, DeletesTheLargestApiInOneCommit) {
  ASSERT_TRUE(CreateApi("orders").ok());
  domain::Truststore truststore;
  truststore.name = domain::TruststoreName("backends");
  Put(truststore);
  for (size_t i = 0; i < domain::kMaxRoutesOfApi; ++i) {
    Route route =
        Proxy("GET", absl::StrCat("/p", i), "https://backend.example");
    std::get<domain::HttpProxyIntegration>(route.integration).tls.truststore =
        truststore.name;
    route.name = RouteName(orders_, absl::StrCat("r", i));
    store::Commit commit;
    commit.puts.push_back({store::KeyOf(route.name), store::Encode(route), {}});
    commit.puts.push_back(
        {store::ReferenceKey("truststores/backends", route.name.ToString()),
         "",
         {}});
    ASSERT_TRUE(store_->Apply(commit).ok());
  }
  EXPECT_EQ(ReasonOf(CreateRoute("", Proxy("GET", "/one-more")).status()),
            Reason::kQuotaExceeded);
  ASSERT_TRUE(Deploy("prod", true).ok());
  ASSERT_TRUE(apis_.DeleteApi(caller_, write_, orders_, {}).ok());
  EXPECT_TRUE(Keys("apis").empty());
  EXPECT_TRUE(Keys("refs/").empty());
}

TEST_F(ApisTest, ListsApisByFilter) {
  ASSERT_TRUE(CreateApi("a").ok());
  Api api;
  api.disable_default_endpoint = true;
  api.metadata.labels = {{"team", "edge"}};
  ASSERT_TRUE(apis_.CreateApi(caller_, write_, "b", api).ok());
  for (const char* filter :
       {"disable_default_endpoint = true", "labels.team = edge",
        "name = \"apis/b\" AND endpoint_type = REGIONAL"}) {
    const auto page = apis_.ListApis({0, "", filter});
    ASSERT_TRUE(page.ok()) << page.status();
    ASSERT_EQ(page->items.size(), 1u) << filter;
    EXPECT_EQ(page->items[0].api.name.id(), "b");
  }
  const auto first = apis_.ListApis({1, "", ""});
  ASSERT_TRUE(first.ok());
  const auto second = apis_.ListApis({1, first->next_page_token, ""});
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_EQ(second->items[0].api.name.id(), "b");
  EXPECT_EQ(second->next_page_token, "");
}

// ------------------------------------------------------------------ routes

TEST_F(ApisTest, TakesOneRouteForAMethodAndWhatAPathMatches) {
  ASSERT_TRUE(CreateApi("orders").ok());
  ASSERT_TRUE(CreateRoute("one", Proxy("GET", "/orders/{id}")).ok());
  const auto taken = CreateRoute("", Proxy("GET", "/orders/{order}"));
  EXPECT_EQ(ReasonOf(taken.status()), Reason::kRouteTaken);
  EXPECT_TRUE(
      absl::StrContains(taken.status().message(), "apis/orders/routes/one"));
  EXPECT_TRUE(CreateRoute("", Proxy("POST", "/orders/{order}")).ok());
  EXPECT_TRUE(CreateRoute("", Proxy("ANY", "/orders/{order}")).ok());
  EXPECT_TRUE(CreateRoute("", Proxy("GET", "/orders/{order+}")).ok());
  // An update must not make it so either, but may keep its own.
  auto other = CreateRoute("two", Proxy("GET", "/two"));
  ASSERT_TRUE(other.ok()) << other.status();
  Route changed = other->route;
  changed.path = "/orders/{x}";
  changed.metadata.etag = {};
  EXPECT_EQ(
      ReasonOf(apis_.UpdateRoute(caller_, write_, changed, {"path"}).status()),
      Reason::kRouteTaken);
  changed.path = "/{two}";
  EXPECT_TRUE(apis_.UpdateRoute(caller_, write_, changed, {"path"}).ok());
  changed.path = "/{three}";
  EXPECT_TRUE(apis_.UpdateRoute(caller_, write_, changed, {"path"}).ok());
}

TEST_F(ApisTest, RefusesWhatIsWrongWithARoute) {
  EXPECT_EQ(ReasonOf(CreateRoute("", Proxy("GET", "/")).status()),
            Reason::kResourceNotFound);
  ASSERT_TRUE(CreateApi("orders").ok());
  Route route = Proxy("TRACE", "no-slash", "ftp://backend");
  const auto created = CreateRoute("A", route);
  EXPECT_TRUE(
      HasViolation(created.status(), "route_id", Reason::kNameMalformed));
  EXPECT_TRUE(
      HasViolation(created.status(), "route.method", Reason::kFieldMalformed));
  EXPECT_TRUE(HasViolation(created.status(), "route.path",
                           Reason::kPathTemplateInvalid));
  EXPECT_TRUE(HasViolation(created.status(), "route.http_proxy.uri",
                           Reason::kIntegrationUriInvalid));
  Route none;
  none.method = "GET";
  none.path = "/";
  EXPECT_TRUE(HasViolation(CreateRoute("", none).status(), "route.integration",
                           Reason::kFieldRequired));
  Route lost = Proxy("GET", "/", "https://backend.example");
  std::get<domain::HttpProxyIntegration>(lost.integration).tls.truststore =
      domain::TruststoreName("gone");
  EXPECT_TRUE(HasViolation(CreateRoute("", lost).status(),
                           "route.http_proxy.tls.truststore",
                           Reason::kReferenceNotFound));
}

TEST_F(ApisTest, UpdatesPartsOfAnIntegration) {
  ASSERT_TRUE(CreateApi("orders").ok());
  auto created = CreateRoute("a", Proxy("GET", "/a", "http://a.example"));
  ASSERT_TRUE(created.ok()) << created.status();
  Route given;
  given.name = created->route.name;
  domain::HttpProxyIntegration proxy;
  proxy.uri = "http://left.alone.example";
  proxy.timeout = absl::Seconds(3);
  given.integration = proxy;
  auto updated =
      apis_.UpdateRoute(caller_, write_, given, {"http_proxy.timeout"});
  ASSERT_TRUE(updated.ok()) << updated.status();
  const auto* held =
      std::get_if<domain::HttpProxyIntegration>(&updated->route.integration);
  ASSERT_NE(held, nullptr);
  EXPECT_EQ(held->uri, "http://a.example");
  EXPECT_EQ(held->timeout, absl::Seconds(3));
  // A field that is named and left out gets its default; the rest stays.
  given.integration = std::monostate();
  updated = apis_.UpdateRoute(caller_, write_, given, {"http_proxy.timeout"});
  ASSERT_TRUE(updated.ok()) << updated.status();
  held = std::get_if<domain::HttpProxyIntegration>(&updated->route.integration);
  ASSERT_NE(held, nullptr);
  EXPECT_EQ(held->timeout, domain::kDefaultIntegrationTimeout);
  // Another kind takes its place.
  domain::MockIntegration mock;
  mock.status = 204;
  given.integration = mock;
  updated = apis_.UpdateRoute(caller_, write_, given, {"mock.status"});
  ASSERT_TRUE(updated.ok()) << updated.status();
  EXPECT_EQ(
      std::get<domain::MockIntegration>(updated->route.integration).status,
      204);
  given.integration = std::monostate();
  EXPECT_TRUE(
      HasViolation(apis_.UpdateRoute(caller_, write_, given, {"mock"}).status(),
                   "route.integration", Reason::kFieldRequired));
}

TEST_F(ApisTest, WarnsOfABackendThatNobodyVerifies) {
  ASSERT_TRUE(CreateApi("orders").ok());
  Route route = Proxy("GET", "/", "https://backend.example");
  std::get<domain::HttpProxyIntegration>(route.integration)
      .tls.insecure_skip_verification = true;
  const auto created = CreateRoute("a", route);
  ASSERT_TRUE(created.ok()) << created.status();
  ASSERT_EQ(created->warnings.size(), 1u);
  EXPECT_EQ(created->warnings[0].reason, "BACKEND_NOT_VERIFIED");
}

// ---------------------------------------------------- stages, deployments

TEST_F(ApisTest, ServesASnapshotOfTheRoutes) {
  ASSERT_TRUE(CreateApi("orders").ok());
  EXPECT_TRUE(HasViolation(Deploy().status(), "deployment.routes",
                           Reason::kNothingToDeploy));
  ASSERT_TRUE(CreateRoute("z", Proxy("GET", "/{any+}")).ok());
  ASSERT_TRUE(CreateRoute("y", Proxy("GET", "/a/{b}")).ok());
  ASSERT_TRUE(CreateRoute("x", Proxy("POST", "/a/b")).ok());
  ASSERT_TRUE(CreateRoute("w", Proxy("GET", "/a/b")).ok());
  EXPECT_TRUE(HasViolation(Deploy("prod").status(), "stage",
                           Reason::kReferenceNotFound));
  const auto first = Deploy("prod", true);
  ASSERT_TRUE(first.ok()) << first.status();
  std::vector<std::string> order;
  for (const Route& route : first->deployment.routes) {
    order.push_back(route.name.id());
  }
  EXPECT_EQ(order, (std::vector<std::string>{"w", "x", "y", "z"}));
  EXPECT_EQ(first->stages, std::vector<StageName>{StageName(orders_, "prod")});

  // What is done to the routes later changes nothing of it.
  ASSERT_TRUE(
      apis_.DeleteRoute(caller_, write_, RouteName(orders_, "w"), {}).ok());
  const auto read = apis_.GetDeployment(first->deployment.name);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->deployment.routes.size(), 4u);
  EXPECT_EQ(read->deployment.metadata.etag, first->deployment.metadata.etag);

  clock_.Advance(absl::Seconds(1));
  const auto second = Deploy("prod");
  ASSERT_TRUE(second.ok()) << second.status();
  auto stage = apis_.GetStage(StageName(orders_, "prod"));
  EXPECT_EQ(stage->stage.deployment, second->deployment.name);
  EXPECT_EQ(stage->stage.previous_deployment, first->deployment.name);

  const auto all = apis_.ListDeployments(orders_, {});
  ASSERT_TRUE(all.ok()) << all.status();
  ASSERT_EQ(all->items.size(), 2u);
  EXPECT_EQ(all->items[0].deployment.name, second->deployment.name);
  EXPECT_EQ(all->items[0].num_routes, 3u);
  EXPECT_TRUE(all->items[0].deployment.routes.empty());
  EXPECT_EQ(all->items[0].stages.size(), 1u);
  EXPECT_TRUE(all->items[1].stages.empty());

  // Both are in use: one serves, the other would.
  for (const auto& deployment : {first->deployment, second->deployment}) {
    EXPECT_EQ(
        ReasonOf(apis_.DeleteDeployment(caller_, write_, deployment.name, {})),
        Reason::kResourceInUse);
  }
  stage = Rollback("prod");
  ASSERT_TRUE(stage.ok()) << stage.status();
  EXPECT_EQ(stage->stage.deployment, first->deployment.name);
  EXPECT_EQ(stage->stage.previous_deployment, second->deployment.name);
  stage = Rollback("prod", second->deployment.name);
  ASSERT_TRUE(stage.ok()) << stage.status();
  EXPECT_EQ(stage->stage.deployment, second->deployment.name);

  clock_.Advance(absl::Seconds(1));
  ASSERT_TRUE(Deploy("prod").ok());
  EXPECT_TRUE(
      apis_.DeleteDeployment(caller_, write_, first->deployment.name, {}).ok());
  EXPECT_EQ(ReasonOf(apis_.GetDeployment(first->deployment.name).status()),
            Reason::kResourceNotFound);
}

TEST_F(ApisTest, RollsBackOnlyToWhatWasServed) {
  ASSERT_TRUE(CreateApi("orders").ok());
  ASSERT_TRUE(CreateRoute("a", Proxy("GET", "/a")).ok());
  ASSERT_TRUE(CreateStage("prod").ok());
  EXPECT_EQ(ReasonOf(Rollback("prod").status()), Reason::kNoEarlierDeployment);
  ASSERT_TRUE(Deploy("prod").ok());
  EXPECT_EQ(ReasonOf(Rollback("prod").status()), Reason::kNoEarlierDeployment);
  EXPECT_TRUE(HasViolation(
      Rollback("prod", DeploymentName(ApiName("other"), "d")).status(),
      "deployment", Reason::kForeignDeployment));
  EXPECT_TRUE(
      HasViolation(Rollback("prod", DeploymentName(orders_, "gone")).status(),
                   "stage.deployment", Reason::kReferenceNotFound));
}

TEST_F(ApisTest, DeploysOnlyWhatTheStagesVariablesMakeWhole) {
  ASSERT_TRUE(CreateApi("orders").ok());
  ASSERT_TRUE(
      CreateRoute("a", Proxy("GET", "/a", "http://${stageVariables.host}/a"))
          .ok());
  ASSERT_TRUE(CreateStage("prod").ok());
  EXPECT_TRUE(HasViolation(Deploy("prod").status(), "stage.variables",
                           Reason::kStageVariableMissing));
  EXPECT_EQ(Keys("apis.deployments/").size(), 0u);
  Stage stage;
  stage.name = StageName(orders_, "prod");
  stage.variables = {{"host", "backend.example"}};
  ASSERT_TRUE(apis_.UpdateStage(caller_, write_, stage, {"variables"}).ok());
  ASSERT_TRUE(Deploy("prod").ok());
  // Nor can they be taken away while it is served.
  stage.variables.clear();
  EXPECT_TRUE(HasViolation(
      apis_.UpdateStage(caller_, write_, stage, {"variables"}).status(),
      "stage.variables", Reason::kStageVariableMissing));
  Stage other;
  other.deployment =
      apis_.ListDeployments(orders_, {})->items[0].deployment.name;
  EXPECT_TRUE(HasViolation(CreateStage("beta", other).status(),
                           "stage.variables", Reason::kStageVariableMissing));
  other.variables = {{"host", "beta.example"}};
  EXPECT_TRUE(CreateStage("beta", other).ok());
}

TEST_F(ApisTest, RefusesWhatIsWrongWithAStage) {
  ASSERT_TRUE(CreateApi("orders").ok());
  Stage stage;
  stage.deployment = DeploymentName(ApiName("other"), "d");
  stage.variables = {{"a-b", "x"}, {"ok", "sp ace"}};
  const auto created = CreateStage("a b", stage);
  EXPECT_TRUE(
      HasViolation(created.status(), "stage_id", Reason::kNameMalformed));
  EXPECT_TRUE(HasViolation(created.status(), "stage.deployment",
                           Reason::kForeignDeployment));
  EXPECT_TRUE(HasViolation(created.status(), "stage.variables[\"a-b\"]",
                           Reason::kKeyMalformed));
  EXPECT_TRUE(HasViolation(created.status(), "stage.variables[\"ok\"]",
                           Reason::kFieldMalformed));
  Stage lost;
  lost.client_certificate = domain::ClientCertificateName("gone");
  lost.deployment = DeploymentName(orders_, "gone");
  const auto missing = CreateStage("prod", lost);
  EXPECT_TRUE(HasViolation(missing.status(), "stage.client_certificate",
                           Reason::kReferenceNotFound));
  EXPECT_TRUE(HasViolation(missing.status(), "stage.deployment",
                           Reason::kReferenceNotFound));
}

TEST_F(ApisTest, HasLimitsOfStagesAndDeployments) {
  ASSERT_TRUE(CreateApi("orders").ok());
  ASSERT_TRUE(CreateRoute("a", Proxy("GET", "/a")).ok());
  for (size_t i = 0; i < kMaxStagesOfApi; ++i) {
    ASSERT_TRUE(CreateStage(absl::StrCat("s", i)).ok());
  }
  EXPECT_EQ(ReasonOf(CreateStage("more").status()), Reason::kQuotaExceeded);
  EXPECT_EQ(ReasonOf(Deploy("more", true).status()), Reason::kQuotaExceeded);
  for (size_t i = 0; i < kMaxDeploymentsOfApi; ++i) {
    ASSERT_TRUE(Deploy().ok());
  }
  EXPECT_EQ(ReasonOf(Deploy().status()), Reason::kQuotaExceeded);
  ASSERT_TRUE(apis_.DeleteApi(caller_, write_, orders_, {}).ok());
  EXPECT_TRUE(Keys("apis").empty());
}

TEST_F(ApisTest, ListsTheStagesOfOneApiAndOfAll) {
  ASSERT_TRUE(CreateApi("orders").ok());
  ASSERT_TRUE(CreateApi("parts").ok());
  ASSERT_TRUE(CreateStage("prod").ok());
  ASSERT_TRUE(
      apis_.CreateStage(caller_, write_, ApiName("parts"), "beta", Stage())
          .ok());
  EXPECT_EQ(apis_.ListStages(orders_, {})->items.size(), 1u);
  for (const char* api : {"orders", "parts"}) {
    ASSERT_TRUE(
        apis_
            .CreateRoute(caller_, write_, ApiName(api), "a", Proxy("GET", "/a"))
            .ok());
  }
  const auto routes = apis_.ListRoutes(ApiName(), {});
  ASSERT_TRUE(routes.ok()) << routes.status();
  ASSERT_EQ(routes->items.size(), 2u);
  EXPECT_EQ(routes->items[1].route.name.ToString(), "apis/parts/routes/a");
  EXPECT_EQ(ReasonOf(apis_.ListRoutes(ApiName("none"), {}).status()),
            Reason::kResourceNotFound);
  const auto all = apis_.ListStages(ApiName(), {});
  ASSERT_TRUE(all.ok()) << all.status();
  ASSERT_EQ(all->items.size(), 2u);
  EXPECT_EQ(all->items[1].stage.name.ToString(), "apis/parts/stages/beta");
  EXPECT_EQ(ReasonOf(apis_.ListStages(ApiName("none"), {}).status()),
            Reason::kResourceNotFound);
}

// ---------------------------------------------------------------- mappings

TEST_F(ApisTest, MapsOneApiToABasePathOfADomain) {
  ASSERT_TRUE(CreateApi("orders").ok());
  ASSERT_TRUE(CreateStage("prod").ok());
  EXPECT_EQ(ReasonOf(Map("m", "").status()), Reason::kResourceNotFound);
  PutDomain(/*mutual_tls=*/true);
  const auto root = Map("root", "");
  ASSERT_TRUE(root.ok()) << root.status();
  EXPECT_EQ(domain::FindCondition(root->mapping.conditions, "Ready")->status,
            domain::Condition::Status::kFalse);
  ASSERT_TRUE(Map("deep", "partners/v2/c360").ok());
  ASSERT_TRUE(Map("short", "partners").ok());
  ASSERT_TRUE(Map("case", "Partners").ok());
  const auto taken = Map("again", "partners/v2/c360");
  EXPECT_EQ(ReasonOf(taken.status()), Reason::kBasePathTaken);
  EXPECT_EQ(domain::ErrorOf(taken.status())->metadata[0].second,
            "domainNames/api.example.com/apiMappings/deep");
  EXPECT_EQ(ReasonOf(Map("again", "").status()), Reason::kBasePathTaken);
  ApiMapping moved;
  moved.name = ApiMappingName(domain_, "short");
  moved.base_path = "partners/v2/c360";
  EXPECT_EQ(
      ReasonOf(
          mappings_.Update(caller_, write_, moved, {"base_path"}).status()),
      Reason::kBasePathTaken);
  moved.base_path = "partners/v3";
  EXPECT_TRUE(mappings_.Update(caller_, write_, moved, {"base_path"}).ok());
  ASSERT_TRUE(CreateRoute("a", Proxy("GET", "/a")).ok());
  ASSERT_TRUE(Deploy("prod").ok());
  EXPECT_EQ(domain::FindCondition(
                mappings_.Get(root->mapping.name)->mapping.conditions, "Ready")
                ->status,
            domain::Condition::Status::kTrue);
  EXPECT_EQ(mappings_.List(domain_, {})->items.size(), 4u);
  EXPECT_EQ(mappings_.List(DomainNameName(), {0, "", "base_path : partners"})
                ->items.size(),
            2u);
}

TEST_F(ApisTest, RefusesWhatIsWrongWithAMapping) {
  ASSERT_TRUE(CreateApi("orders").ok());
  PutDomain(/*mutual_tls=*/false);
  ApiMapping mapping;
  mapping.base_path = "/a//";
  const auto bad = mappings_.Create(caller_, write_, domain_, "A", mapping);
  EXPECT_TRUE(
      HasViolation(bad.status(), "api_mapping_id", Reason::kNameMalformed));
  EXPECT_TRUE(HasViolation(bad.status(), "api_mapping.base_path",
                           Reason::kBasePathInvalid));
  EXPECT_TRUE(
      HasViolation(bad.status(), "api_mapping.stage", Reason::kFieldRequired));

  domain::CertificateList deny;
  deny.name = domain::CertificateListName("deny");
  Put(deny);
  mapping.base_path = "";
  mapping.stage = StageName(orders_, "gone");
  mapping.allow_lists = {deny.name, domain::CertificateListName("gone")};
  mapping.client_certificate = domain::ClientRequirement::kOptional;
  const auto lost = mappings_.Create(caller_, write_, domain_, "m", mapping);
  EXPECT_TRUE(HasViolation(lost.status(), "api_mapping.stage",
                           Reason::kReferenceNotFound));
  EXPECT_TRUE(HasViolation(lost.status(), "api_mapping.allow_lists",
                           Reason::kClientRuleWithoutMutualTls));
  EXPECT_TRUE(HasViolation(lost.status(), "api_mapping.allow_lists[0]",
                           Reason::kCertificateListKind));
  EXPECT_TRUE(HasViolation(lost.status(), "api_mapping.allow_lists[1]",
                           Reason::kReferenceNotFound));
  EXPECT_TRUE(HasViolation(lost.status(), "api_mapping.client_certificate",
                           Reason::kClientRuleWithoutMutualTls));
}

// ------------------------------------------------------------------ drafts

TEST_F(ApisTest, DraftsChangeTogetherWithTheirRoutesOrNotAtAll) {
  ASSERT_TRUE(CreateApi("orders").ok());
  ASSERT_TRUE(CreateRoute("old", Proxy("GET", "/old")).ok());
  ApiDrafts drafts(context_);
  const auto change = [&](absl::FunctionRef<absl::Status(ApiDraftView&)> f) {
    return drafts.Change(caller_, write_, orders_, f);
  };
  const auto made = change([](ApiDraftView& view) {
    view.draft.paths = {"/empty"};
    view.draft.methods[{"/new", "GET"}] = "{}";
    view.routes.at(0).path = "/moved";
    view.routes.push_back(Proxy("GET", "/new"));
    return absl::OkStatus();
  });
  ASSERT_TRUE(made.ok()) << made.status();
  const auto view = drafts.Get(orders_);
  ASSERT_TRUE(view.ok());
  ASSERT_EQ(view->routes.size(), 2u);
  EXPECT_EQ(view->draft.paths, std::vector<std::string>({"/empty"}));
  EXPECT_EQ(apis_.GetRoute(RouteName(orders_, "old"))->route.path, "/moved");
  // What is refused changes nothing.
  EXPECT_EQ(ReasonOf(change([](ApiDraftView& to) {
                       to.draft.paths.clear();
                       to.routes.push_back(Proxy("GET", "/new"));
                       return absl::OkStatus();
                     }).status()),
            Reason::kRouteTaken);
  EXPECT_TRUE(
      HasViolation(change([](ApiDraftView& to) {
                     to.draft.paths.clear();
                     to.routes.at(0) = Proxy("GET", "/x", "https://a b/");
                     return absl::OkStatus();
                   }).status(),
                   "route.http_proxy.uri", Reason::kIntegrationUriInvalid));
  EXPECT_EQ(change([](ApiDraftView& to) {
              to.draft.paths.clear();
              return absl::AbortedError("no");
            }).status(),
            absl::AbortedError("no"));
  EXPECT_EQ(drafts.Get(orders_)->draft.paths.size(), 1u);
  EXPECT_EQ(ReasonOf(drafts.Get(ApiName("gone")).status()),
            Reason::kResourceNotFound);
  // It goes with its API.
  ASSERT_TRUE(apis_.DeleteApi(caller_, write_, orders_, domain::Etag()).ok());
  EXPECT_TRUE(Keys("apis.drafts/").empty());
  EXPECT_TRUE(Keys("refs/").empty());
}

TEST_F(ApisTest, DraftsHaveLimits) {
  ASSERT_TRUE(CreateApi("orders").ok());
  ApiDrafts drafts(context_);
  const auto put = [&](const domain::ApiDraft& draft) {
    return drafts
        .Change(caller_, write_, orders_,
                [&](ApiDraftView& view) {
                  view.draft = draft;
                  return absl::OkStatus();
                })
        .status();
  };
  domain::ApiDraft draft;
  draft.version = std::string(domain::kMaxDraftVersionLength, 'v');
  draft.methods[{"/", "GET"}] = std::string(domain::kMaxDraftMethodBytes, 'x');
  EXPECT_TRUE(put(draft).ok());
  draft.version += "v";
  draft.methods[{"/", "GET"}] += "x";
  draft.methods[{"/a", "BREW"}] = "{}";
  draft.paths = {"/b", "/a", "c"};
  const absl::Status status = put(draft);
  EXPECT_TRUE(HasViolation(status, "draft.version", Reason::kFieldOutOfRange));
  EXPECT_TRUE(HasViolation(status, "draft.methods[\"GET /\"]",
                           Reason::kFieldOutOfRange))
      << status;
  EXPECT_TRUE(HasViolation(status, "draft.paths[1]", Reason::kDuplicateEntry));
  EXPECT_TRUE(
      HasViolation(status, "draft.paths[2]", Reason::kPathTemplateInvalid));
  // All together.
  draft = domain::ApiDraft();
  for (size_t i = 0; i * domain::kMaxDraftMethodBytes <= domain::kMaxDraftBytes;
       ++i) {
    draft.methods[{absl::StrCat("/", i), "GET"}] =
        std::string(domain::kMaxDraftMethodBytes, 'x');
  }
  EXPECT_EQ(ReasonOf(put(draft)), Reason::kRequestTooLarge);
}

}  // namespace
}  // namespace sallyport::service
