#include "config_service/service/apis.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <tuple>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "config_service/domain/domain_name.h"
#include "config_service/domain/limits.h"
#include "config_service/domain/server_certificate.h"
#include "config_service/service/bundles.h"
#include "config_service/service/default_endpoints.h"
#include "config_service/service/errors.h"
#include "config_service/service/expiry.h"
#include "config_service/service/limits.h"
#include "config_service/service/mask.h"
#include "config_service/service/programmed.h"
#include "config_service/service/references.h"
#include "config_service/service/resources.h"
#include "config_service/service/route_checks.h"
#include "config_service/store/draft_record.h"
#include "pki/crypto/crypto.h"

namespace sallyport::service {

using domain::Api;
using domain::ApiName;
using domain::Deployment;
using domain::DeploymentName;
using domain::Reason;
using domain::Route;
using domain::RouteName;
using domain::Stage;
using domain::StageName;
using domain::Violations;

namespace {

// Ids that the service makes.
constexpr size_t kGeneratedIdLength = 10;

// ------------------------------------------------------------------ masks

constexpr MaskField<Api> kApiFields[] = {
    {"display_name",
     [](const Api& from, Api& to) { to.display_name = from.display_name; }},
    kDescriptionField<Api>,
    kLabelsField<Api>,
    {"endpoint_type",
     [](const Api& from, Api& to) { to.endpoint_type = from.endpoint_type; }},
    {"disable_default_endpoint",
     [](const Api& from, Api& to) {
       to.disable_default_endpoint = from.disable_default_endpoint;
     }},
};
constexpr absl::string_view kApiOutputOnly[] = {
    "name",        "etag",     "revision",   "create_time",
    "update_time", "warnings", "conditions", "default_endpoint",
};

// A whole kind of integration: another one goes away only when this one comes.
template <typename Kind>
void CopyIntegration(const Route& from, Route& to) {
  if (std::holds_alternative<Kind>(from.integration)) {
    to.integration = from.integration;
  } else if (std::holds_alternative<Kind>(to.integration)) {
    to.integration = std::monostate();
  }
}

// The integration of a kind that a field of it is written to; null: there is
// nothing to write.
template <typename Kind>
Kind* Target(const Route& from, Route& to) {
  if (Kind* held = std::get_if<Kind>(&to.integration)) return held;
  if (!std::holds_alternative<Kind>(from.integration)) return nullptr;
  return &to.integration.emplace<Kind>();
}

template <typename Kind, auto kMember>
void CopyMember(const Route& from, Route& to) {
  static const Kind kDefault;
  Kind* target = Target<Kind>(from, to);
  if (target == nullptr) return;
  const Kind* given = std::get_if<Kind>(&from.integration);
  target->*kMember = (given != nullptr ? *given : kDefault).*kMember;
}

template <typename Kind, auto kMember>
void CopyTls(const Route& from, Route& to) {
  static const Kind kDefault;
  Kind* target = Target<Kind>(from, to);
  if (target == nullptr) return;
  const Kind* given = std::get_if<Kind>(&from.integration);
  target->tls.*kMember = (given != nullptr ? *given : kDefault).tls.*kMember;
}

using Proxy = domain::HttpProxyIntegration;
using Http = domain::HttpIntegration;
using Mock = domain::MockIntegration;
using Tls = domain::BackendTls;

constexpr MaskField<Route> kRouteFields[] = {
    {"method", [](const Route& from, Route& to) { to.method = from.method; }},
    {"path", [](const Route& from, Route& to) { to.path = from.path; }},
    {"http_proxy", CopyIntegration<Proxy>},
    {"http", CopyIntegration<Http>},
    {"mock", CopyIntegration<Mock>},
    {"http_proxy.uri", CopyMember<Proxy, &Proxy::uri>},
    {"http_proxy.timeout", CopyMember<Proxy, &Proxy::timeout>},
    {"http_proxy.tls.truststore", CopyTls<Proxy, &Tls::truststore>},
    {"http_proxy.tls.server_name", CopyTls<Proxy, &Tls::server_name>},
    {"http_proxy.tls.insecure_skip_verification",
     CopyTls<Proxy, &Tls::insecure_skip_verification>},
    {"http.uri", CopyMember<Http, &Http::uri>},
    {"http.method", CopyMember<Http, &Http::method>},
    {"http.path_parameters", CopyMember<Http, &Http::path_parameters>},
    {"http.timeout", CopyMember<Http, &Http::timeout>},
    {"http.tls.truststore", CopyTls<Http, &Tls::truststore>},
    {"http.tls.server_name", CopyTls<Http, &Tls::server_name>},
    {"http.tls.insecure_skip_verification",
     CopyTls<Http, &Tls::insecure_skip_verification>},
    {"mock.status", CopyMember<Mock, &Mock::status>},
    {"mock.headers", CopyMember<Mock, &Mock::headers>},
    {"mock.body", CopyMember<Mock, &Mock::body>},
};
constexpr absl::string_view kRouteOutputOnly[] = {
    "name", "etag", "revision", "create_time", "update_time", "warnings",
};

constexpr MaskField<Stage> kStageFields[] = {
    kDescriptionField<Stage>,
    kLabelsField<Stage>,
    {"deployment",
     [](const Stage& from, Stage& to) { to.deployment = from.deployment; }},
    {"variables",
     [](const Stage& from, Stage& to) { to.variables = from.variables; }},
    {"client_certificate",
     [](const Stage& from, Stage& to) {
       to.client_certificate = from.client_certificate;
     }},
};
constexpr absl::string_view kStageOutputOnly[] = {
    "name",        "etag",     "revision",   "create_time",
    "update_time", "warnings", "conditions", "previous_deployment",
};

constexpr MaskField<Deployment> kDeploymentFields[] = {
    kDescriptionField<Deployment>,
};
constexpr absl::string_view kDeploymentOutputOnly[] = {
    "name",   "etag",        "revision", "create_time",
    "routes", "route_count", "stages",
};

// ---------------------------------------------------------------- filters

constexpr FilterField kApiFilter[] = {
    {"name"},
    {"display_name"},
    {"description"},
    {"labels.*"},
    {"endpoint_type"},
    {"disable_default_endpoint"},
    {"create_time", FilterField::Type::kTime},
    {"update_time", FilterField::Type::kTime},
};
constexpr FilterField kRouteFilter[] = {{"name"}, {"method"}, {"path"}};
constexpr FilterField kStageFilter[] = {
    {"name"},
    {"deployment"},
    {"client_certificate"},
    {"labels.*"},
};

absl::string_view EndpointTypeName(domain::EndpointType type) {
  switch (type) {
    case domain::EndpointType::kRegional:
      return "REGIONAL";
    case domain::EndpointType::kEdge:
      return "EDGE";
    case domain::EndpointType::kPrivate:
      return "PRIVATE";
  }
  return "";
}

// ------------------------------------------------------------- references

// ----------------------------------------------------------------- routes

void SortRoutes(std::vector<Route>& routes) {
  struct Entry {
    domain::PathTemplate path;
    Route route;
  };
  std::vector<Entry> entries;
  entries.reserve(routes.size());
  for (Route& route : routes) {
    // Routes that are stored can be parsed.
    auto path = domain::PathTemplate::Parse(route.path);
    entries.push_back({path.ok() ? *std::move(path) : domain::PathTemplate(),
                       std::move(route)});
  }
  std::stable_sort(entries.begin(), entries.end(),
                   [](const Entry& a, const Entry& b) {
                     if (a.path.Before(b.path)) return true;
                     if (b.path.Before(a.path)) return false;
                     return a.route.method < b.route.method;
                   });
  for (size_t i = 0; i < entries.size(); ++i) {
    routes[i] = std::move(entries[i].route);
  }
}

template <typename Name>
absl::StatusOr<Name> NameOfRecord(const typename Name::Parent& parent,
                                  const store::Record& record) {
  return Name(parent, store::IdOfKey(record.key));
}

// Deletes the routes, stages or deployments of an API with it.
template <typename Name, typename Decode>
absl::Status DeleteParts(Transaction& transaction, const ApiName& api,
                         Decode decode) {
  SALLYPORT_ASSIGN_OR_RETURN(
      std::vector<store::Record> records,
      transaction.List(store::ChildrenPrefix<Name>(api)));
  for (store::Record& record : records) {
    SALLYPORT_ASSIGN_OR_RETURN(const Name name,
                               NameOfRecord<Name>(api, record));
    SALLYPORT_ASSIGN_OR_RETURN(const auto part, decode(name, record));
    transaction.DeletePart(std::move(record.key));
    transaction.SetReferences(name.ToString(), ReferencesOf(part), {});
  }
  return absl::OkStatus();
}

// The id that a caller gave, or a new one.
template <typename Name>
std::string IdFor(absl::string_view field, const std::string& id,
                  Violations& violations) {
  if (!id.empty()) {
    CheckNewId<Name>(field, id, violations);
    return id;
  }
  return domain::GenerateId(pki::RandomBytes(kGeneratedIdLength),
                            kGeneratedIdLength);
}

void SetTimes(absl::Time now, domain::Metadata& metadata) {
  metadata.create_time = now;
  metadata.update_time = now;
}

}  // namespace

// -------------------------------------------------------------------- APIs

absl::StatusOr<ApiView> Apis::View(Api api) {
  ApiView view;
  SALLYPORT_ASSIGN_OR_RETURN(const std::string suffix,
                             DefaultEndpointSuffix(*context_.store, api.name));
  domain::Condition closed;
  closed.type = "DefaultEndpointClosed";
  closed.observed_revision = api.metadata.revision;
  if (suffix.empty()) {
    closed.status = domain::Condition::Status::kTrue;
    closed.reason = "NO_SUFFIX";
    closed.message = "no fleet that it is on has default endpoints";
  } else {
    view.default_endpoint =
        absl::StrCat("https://", api.name.id(), ".", suffix);
    closed.status = api.disable_default_endpoint
                        ? domain::Condition::Status::kTrue
                        : domain::Condition::Status::kFalse;
    closed.reason = api.disable_default_endpoint ? "DISABLED" : "OPEN";
    if (!api.disable_default_endpoint) {
      SALLYPORT_ASSIGN_OR_RETURN(const std::string mapping,
                                 MutualTlsMappingOf(*context_.store, api.name));
      if (!mapping.empty()) {
        view.warnings.push_back(OpenDefaultEndpointWarning(mapping));
        closed.message = view.warnings.back().message;
      }
    }
  }
  SALLYPORT_RETURN_IF_ERROR(
      AddStatus(*context_.store, api.name.ToString(), api.conditions));
  domain::SetCondition(std::move(closed), absl::InfinitePast(), api.conditions);
  view.api = std::move(api);
  return view;
}

absl::StatusOr<ApiView> Apis::CreateApi(const Caller& caller,
                                        const Write& write,
                                        const std::string& id, const Api& api) {
  Violations violations;
  Api wanted = api;
  wanted.name = ApiName(IdFor<ApiName>("api_id", id, violations));
  Violations fields;
  domain::Validate(wanted, fields);
  violations.AddAll("api", fields);
  SALLYPORT_RETURN_IF_ERROR(violations.ToStatus());
  absl::StatusOr<Api> created = Mutate<Api>(
      context_, caller, write,
      [&](Transaction& transaction) -> absl::StatusOr<Api> {
        Api after = wanted;
        SetTimes(transaction.now(), after.metadata);
        SALLYPORT_RETURN_IF_ERROR(transaction.CheckAbsent(after.name));
        transaction.Create(after);
        return after;
      },
      [&](const Replay& replay) -> absl::StatusOr<Api> {
        SALLYPORT_ASSIGN_OR_RETURN(const ApiName name,
                                   ApiName::Parse(replay.resource));
        return ReadResource(*context_.store, name, replay.revision);
      });
  if (!created.ok()) return created.status();
  return View(*std::move(created));
}

absl::StatusOr<ApiView> Apis::GetApi(const ApiName& name) {
  SALLYPORT_ASSIGN_OR_RETURN(Api api, ReadResource(*context_.store, name));
  return View(std::move(api));
}

absl::StatusOr<Page<ApiView>> Apis::ListApis(const PageRequest& request) {
  return ListResources<ApiView>(
      *context_.store, request, "apis", store::CollectionPrefix<ApiName>(),
      kApiFilter,
      [&](const store::Record& record) -> absl::StatusOr<ApiView> {
        SALLYPORT_ASSIGN_OR_RETURN(
            Api api,
            store::Decode(ApiName(store::IdOfKey(record.key)), record));
        return View(std::move(api));
      },
      [](const ApiView& view, absl::string_view field) -> FilterValue {
        if (field == "display_name") return view.api.display_name;
        if (field == "endpoint_type") {
          return std::string(EndpointTypeName(view.api.endpoint_type));
        }
        if (field == "disable_default_endpoint") {
          return std::string(view.api.disable_default_endpoint ? "true"
                                                               : "false");
        }
        return MetadataValue(view.api, field);
      });
}

absl::StatusOr<ApiView> Apis::UpdateApi(const Caller& caller,
                                        const Write& write, const Api& api,
                                        const std::vector<std::string>& mask) {
  absl::StatusOr<Api> updated = UpdateResource<Api>(
      context_, caller, write, {"api", kApiFields, kApiOutputOnly}, api, mask,
      [&](Transaction& transaction, const Api& before, const Api& after,
          Violations& fields) -> absl::Status {
        if (after.endpoint_type != domain::EndpointType::kPrivate ||
            before.endpoint_type == domain::EndpointType::kPrivate) {
          return absl::OkStatus();
        }
        return CheckNoMutualTlsMapping(transaction, api.name, fields);
      },
      NothingElse());
  if (!updated.ok()) return updated.status();
  return View(*std::move(updated));
}

absl::Status Apis::DeleteApi(const Caller& caller, const Write& write,
                             const ApiName& name, const domain::Etag& etag) {
  return DeleteResource(
      context_, caller, write, name, etag,
      [&](Transaction& transaction, const Api&) -> absl::Status {
        SALLYPORT_RETURN_IF_ERROR(transaction.CheckUnused(name.ToString()));
        const auto decode = [](const auto& part, const store::Record& record) {
          return store::Decode(part, record);
        };
        SALLYPORT_RETURN_IF_ERROR(
            DeleteParts<RouteName>(transaction, name, decode));
        SALLYPORT_RETURN_IF_ERROR(
            DeleteParts<StageName>(transaction, name, decode));
        transaction.DeletePart(store::DraftKey(name));
        return DeleteParts<DeploymentName>(
            transaction, name,
            [this](const DeploymentName& part, const store::Record& record) {
              return Decode(part, record);
            });
      });
}

// ------------------------------------------------------------------ routes

absl::Status Apis::CheckRoute(Transaction& transaction, const Route& route,
                              bool is_new) {
  const ApiName& api = route.name.parent();
  SALLYPORT_ASSIGN_OR_RETURN(
      const std::vector<store::Record> records,
      transaction.List(store::ChildrenPrefix<RouteName>(api)));
  if (is_new && records.size() >= domain::kMaxRoutesOfApi) {
    return TooManyOfApi("routes", domain::kMaxRoutesOfApi);
  }
  const std::string match = MatchOf(route);
  for (const store::Record& record : records) {
    SALLYPORT_ASSIGN_OR_RETURN(const RouteName name,
                               NameOfRecord<RouteName>(api, record));
    if (name == route.name) continue;
    SALLYPORT_ASSIGN_OR_RETURN(const Route other, store::Decode(name, record));
    if (MatchOf(other) != match) continue;
    return RouteTaken(other);
  }
  Violations violations;
  SALLYPORT_RETURN_IF_ERROR(
      CheckBackend(transaction, context_.backends, route, violations));
  return violations.ToStatus();
}

namespace {

RouteView ViewOf(Route route) {
  RouteView view;
  view.warnings = domain::Warnings(route);
  view.route = std::move(route);
  return view;
}

}  // namespace

absl::StatusOr<RouteView> Apis::CreateRoute(const Caller& caller,
                                            const Write& write,
                                            const ApiName& parent,
                                            const std::string& id,
                                            const Route& route) {
  Violations violations;
  Route wanted = route;
  wanted.name = RouteName(parent, IdFor<RouteName>("route_id", id, violations));
  Violations fields;
  domain::Validate(wanted, fields);
  violations.AddAll("route", fields);
  SALLYPORT_RETURN_IF_ERROR(violations.ToStatus());
  absl::StatusOr<Route> created = Mutate<Route>(
      context_, caller, write,
      [&](Transaction& transaction) -> absl::StatusOr<Route> {
        SALLYPORT_RETURN_IF_ERROR(transaction.CheckParent(parent));
        Route after = wanted;
        SetTimes(transaction.now(), after.metadata);
        SALLYPORT_RETURN_IF_ERROR(transaction.CheckAbsent(after.name));
        SALLYPORT_RETURN_IF_ERROR(
            CheckRoute(transaction, after, /*is_new=*/true));
        transaction.Create(after);
        transaction.SetReferences(after.name.ToString(), {},
                                  ReferencesOf(after));
        return after;
      },
      [&](const Replay& replay) -> absl::StatusOr<Route> {
        SALLYPORT_ASSIGN_OR_RETURN(const RouteName name,
                                   RouteName::Parse(replay.resource));
        return ReadResource(*context_.store, name, replay.revision);
      });
  if (!created.ok()) return created.status();
  return ViewOf(*std::move(created));
}

absl::StatusOr<RouteView> Apis::GetRoute(const RouteName& name) {
  SALLYPORT_ASSIGN_OR_RETURN(Route route, ReadResource(*context_.store, name));
  return ViewOf(std::move(route));
}

absl::StatusOr<Page<RouteView>> Apis::ListRoutes(const ApiName& parent,
                                                 const PageRequest& request) {
  if (!parent.empty()) {
    SALLYPORT_RETURN_IF_ERROR(ReadRecord(*context_.store, parent).status());
  }
  return ListResources<RouteView>(
      *context_.store, request,
      parent.empty() ? "apis/-/routes"
                     : absl::StrCat(parent.ToString(), "/routes"),
      parent.empty() ? store::ChildCollectionPrefix<RouteName>()
                     : store::ChildrenPrefix<RouteName>(parent),
      kRouteFilter,
      [&](const store::Record& record) -> absl::StatusOr<RouteView> {
        SALLYPORT_ASSIGN_OR_RETURN(
            Route route,
            store::Decode(RouteName(ApiName(store::ParentIdOfKey(record.key)),
                                    store::IdOfKey(record.key)),
                          record));
        return ViewOf(std::move(route));
      },
      [](const RouteView& view, absl::string_view field) -> FilterValue {
        if (field == "method") return view.route.method;
        if (field == "path") return view.route.path;
        return view.route.name.ToString();
      });
}

absl::StatusOr<RouteView> Apis::UpdateRoute(
    const Caller& caller, const Write& write, const Route& route,
    const std::vector<std::string>& mask) {
  absl::StatusOr<Route> updated = UpdateResource<Route>(
      context_, caller, write, {"route", kRouteFields, kRouteOutputOnly}, route,
      mask, NothingElse(),
      [&](Transaction& transaction, const Route& before,
          Route& after) -> absl::Status {
        SALLYPORT_RETURN_IF_ERROR(
            CheckRoute(transaction, after, /*is_new=*/false));
        transaction.SetReferences(after.name.ToString(), ReferencesOf(before),
                                  ReferencesOf(after));
        return absl::OkStatus();
      });
  if (!updated.ok()) return updated.status();
  return ViewOf(*std::move(updated));
}

absl::Status Apis::DeleteRoute(const Caller& caller, const Write& write,
                               const RouteName& name,
                               const domain::Etag& etag) {
  return DeleteResource(context_, caller, write, name, etag,
                        [&](Transaction& transaction, const Route& route) {
                          transaction.SetReferences(name.ToString(),
                                                    ReferencesOf(route), {});
                          return absl::OkStatus();
                        });
}

// ------------------------------------------------------------------ stages

absl::StatusOr<StageView> Apis::View(Stage stage) {
  StageView view;
  SALLYPORT_RETURN_IF_ERROR(
      AddStatus(*context_.store, stage.name.ToString(), stage.conditions));
  if (!stage.client_certificate.empty()) {
    const absl::StatusOr<domain::ClientCertificate> certificate =
        ReadResource(*context_.store, stage.client_certificate);
    if (certificate.ok()) {
      SALLYPORT_ASSIGN_OR_RETURN(
          const auto chain,
          domain::ReadStoredChain(certificate->certificate_chain_pem));
      view.warnings = ExpiryWarnings(chain, context_.clock->Now());
      for (domain::Warning& warning : view.warnings) {
        warning.field = "client_certificate";
      }
    } else if (!absl::IsNotFound(certificate.status())) {
      return certificate.status();
    }
  }
  SALLYPORT_ASSIGN_OR_RETURN(const std::vector<domain::FleetName> fleets,
                             FleetsOfStage(*context_.store, stage));
  const domain::Condition programmed =
      ProgrammedCondition(context_.rollouts, stage.metadata.revision, fleets,
                          {stage.name.ToString()});
  domain::SetCondition(ClientCertificateCondition(stage, programmed),
                       absl::InfinitePast(), stage.conditions);
  domain::SetCondition(programmed, absl::InfinitePast(), stage.conditions);
  view.stage = std::move(stage);
  return view;
}

absl::Status Apis::CheckStage(Transaction& transaction, const Stage& stage) {
  Violations violations;
  if (!stage.client_certificate.empty()) {
    SALLYPORT_RETURN_IF_ERROR(transaction.CheckReference(
        "stage.client_certificate", stage.client_certificate, violations));
  }
  if (!stage.deployment.empty()) {
    const absl::StatusOr<Deployment> deployment =
        LoadDeployment(transaction, stage.deployment);
    if (deployment.ok()) {
      Violations fields;
      domain::ValidateDeployed(*deployment, stage, context_.backends, fields);
      violations.AddAll("stage", fields);
    } else if (absl::IsNotFound(deployment.status())) {
      violations.Add(
          "stage.deployment", Reason::kReferenceNotFound,
          absl::StrCat("there is no deployment \"", stage.deployment.ToString(),
                       "\"; make it first"));
    } else {
      return deployment.status();
    }
  }
  return violations.ToStatus();
}

absl::StatusOr<StageView> Apis::CreateStage(const Caller& caller,
                                            const Write& write,
                                            const ApiName& parent,
                                            const std::string& id,
                                            const Stage& stage) {
  Violations violations;
  CheckNewId<StageName>("stage_id", id, violations);
  Stage wanted = stage;
  wanted.name = StageName(parent, id);
  wanted.previous_deployment = DeploymentName();
  Violations fields;
  domain::Validate(wanted, fields);
  violations.AddAll("stage", fields);
  SALLYPORT_RETURN_IF_ERROR(violations.ToStatus());
  absl::StatusOr<Stage> created = Mutate<Stage>(
      context_, caller, write,
      [&](Transaction& transaction) -> absl::StatusOr<Stage> {
        SALLYPORT_RETURN_IF_ERROR(transaction.CheckParent(parent));
        Stage after = wanted;
        SetTimes(transaction.now(), after.metadata);
        SALLYPORT_RETURN_IF_ERROR(transaction.CheckAbsent(after.name));
        SALLYPORT_ASSIGN_OR_RETURN(
            const std::vector<store::Record> stages,
            transaction.List(store::ChildrenPrefix<StageName>(parent),
                             store::ListRequest::What::kKeysOnly));
        if (stages.size() >= kMaxStagesOfApi) {
          return TooManyOfApi("stages", kMaxStagesOfApi);
        }
        SALLYPORT_RETURN_IF_ERROR(CheckStage(transaction, after));
        transaction.Create(after);
        transaction.SetReferences(after.name.ToString(), {},
                                  ReferencesOf(after));
        return after;
      },
      [&](const Replay& replay) {
        return ReadResource(*context_.store, wanted.name, replay.revision);
      });
  if (!created.ok()) return created.status();
  return View(*std::move(created));
}

absl::StatusOr<StageView> Apis::GetStage(const StageName& name) {
  SALLYPORT_ASSIGN_OR_RETURN(Stage stage, ReadResource(*context_.store, name));
  return View(std::move(stage));
}

absl::StatusOr<Page<StageView>> Apis::ListStages(const ApiName& parent,
                                                 const PageRequest& request) {
  if (!parent.empty()) {
    SALLYPORT_RETURN_IF_ERROR(ReadRecord(*context_.store, parent).status());
  }
  return ListResources<StageView>(
      *context_.store, request,
      parent.empty() ? "apis/-/stages"
                     : absl::StrCat(parent.ToString(), "/stages"),
      parent.empty() ? store::ChildCollectionPrefix<StageName>()
                     : store::ChildrenPrefix<StageName>(parent),
      kStageFilter,
      [&](const store::Record& record) -> absl::StatusOr<StageView> {
        SALLYPORT_ASSIGN_OR_RETURN(
            Stage stage,
            store::Decode(StageName(ApiName(store::ParentIdOfKey(record.key)),
                                    store::IdOfKey(record.key)),
                          record));
        return View(std::move(stage));
      },
      [](const StageView& view, absl::string_view field) -> FilterValue {
        if (field == "deployment") return view.stage.deployment.ToString();
        if (field == "client_certificate") {
          return view.stage.client_certificate.ToString();
        }
        return MetadataValue(view.stage, field);
      });
}

absl::StatusOr<StageView> Apis::UpdateStage(
    const Caller& caller, const Write& write, const Stage& stage,
    const std::vector<std::string>& mask) {
  absl::StatusOr<Stage> updated = UpdateResource<Stage>(
      context_, caller, write, {"stage", kStageFields, kStageOutputOnly}, stage,
      mask, NothingElse(),
      [&](Transaction& transaction, const Stage& before,
          Stage& after) -> absl::Status {
        SALLYPORT_RETURN_IF_ERROR(CheckStage(transaction, after));
        if (after.deployment != before.deployment) {
          after.previous_deployment = before.deployment;
        }
        transaction.SetReferences(after.name.ToString(), ReferencesOf(before),
                                  ReferencesOf(after));
        return absl::OkStatus();
      });
  if (!updated.ok()) return updated.status();
  return View(*std::move(updated));
}

absl::Status Apis::DeleteStage(const Caller& caller, const Write& write,
                               const StageName& name,
                               const domain::Etag& etag) {
  return DeleteResource(
      context_, caller, write, name, etag,
      [&](Transaction& transaction, const Stage& stage) -> absl::Status {
        SALLYPORT_RETURN_IF_ERROR(transaction.CheckUnused(name.ToString()));
        transaction.SetReferences(name.ToString(), ReferencesOf(stage), {});
        return absl::OkStatus();
      });
}

absl::StatusOr<StageView> Apis::RollbackStage(const Caller& caller,
                                              const Write& write,
                                              const StageName& name,
                                              const DeploymentName& deployment,
                                              const domain::Etag& etag) {
  if (!deployment.empty() && deployment.parent() != name.parent()) {
    Violations violations;
    violations.Add("deployment", Reason::kForeignDeployment,
                   "is a deployment of another API");
    return violations.ToStatus();
  }
  absl::StatusOr<Stage> rolled_back = Mutate<Stage>(
      context_, caller, write,
      [&](Transaction& transaction) -> absl::StatusOr<Stage> {
        SALLYPORT_ASSIGN_OR_RETURN(const Stage before, transaction.Load(name));
        SALLYPORT_RETURN_IF_ERROR(
            domain::CheckEtag(etag, before.metadata.etag, name.ToString()));
        Stage after = before;
        after.deployment =
            deployment.empty() ? before.previous_deployment : deployment;
        if (after.deployment.empty() || before.deployment.empty()) {
          return domain::MakeError(
              Reason::kNoEarlierDeployment,
              before.deployment.empty()
                  ? "the stage serves no deployment to roll back from; update "
                    "its deployment"
                  : "the stage served no deployment before; name one");
        }
        if (after.deployment == before.deployment) return before;
        SALLYPORT_RETURN_IF_ERROR(CheckStage(transaction, after));
        after.previous_deployment = before.deployment;
        after.metadata.update_time = transaction.now();
        transaction.Update(before, after);
        return after;
      },
      [&](const Replay& replay) {
        return ReadResource(*context_.store, name, replay.revision);
      });
  if (!rolled_back.ok()) return rolled_back.status();
  return View(*std::move(rolled_back));
}

// ------------------------------------------------------------- deployments

absl::StatusOr<Deployment> Apis::Decode(const DeploymentName& name,
                                        const store::Record& record) {
  SALLYPORT_ASSIGN_OR_RETURN(const store::BlobDigest digest,
                             store::RoutesOf(name, record));
  const absl::StatusOr<std::string> routes = ReadBlob(*context_.store, digest);
  if (!routes.ok()) return FromStore(routes.status());
  return store::Decode(name, record, *routes);
}

absl::StatusOr<Deployment> Apis::ReadDeployment(const DeploymentName& name,
                                                int64_t revision) {
  SALLYPORT_ASSIGN_OR_RETURN(const store::Record record,
                             ReadRecord(*context_.store, name, revision));
  return Decode(name, record);
}

absl::StatusOr<Deployment> Apis::LoadDeployment(Transaction& transaction,
                                                const DeploymentName& name) {
  SALLYPORT_ASSIGN_OR_RETURN(const std::optional<store::Record> record,
                             transaction.Read(store::KeyOf(name)));
  if (!record.has_value()) {
    return NotFound(DeploymentName::kType, name.ToString());
  }
  return Decode(name, *record);
}

absl::Status Apis::StoreRoutes(const Deployment& deployment) {
  absl::StatusOr<std::unique_ptr<store::BlobWriter>> writer =
      context_.store->NewBlob();
  if (!writer.ok()) return FromStore(writer.status());
  const absl::Status appended =
      (*writer)->Append(store::EncodeRoutes(deployment));
  if (!appended.ok()) return FromStore(appended);
  const absl::StatusOr<store::BlobDigest> digest = (*writer)->Finish();
  return digest.ok() ? absl::OkStatus() : FromStore(digest.status());
}

namespace {

// The stages of an API, by the deployment that they serve.
absl::StatusOr<std::vector<Stage>> StagesOf(store::Store& store,
                                            const ApiName& api) {
  store::ListRequest request;
  request.prefix = store::ChildrenPrefix<StageName>(api);
  request.limit = kMaxStagesOfApi;
  const absl::StatusOr<store::ListPage> page = store.List(request);
  if (!page.ok()) return FromStore(page.status());
  std::vector<Stage> out;
  for (const store::Record& record : page->records) {
    SALLYPORT_ASSIGN_OR_RETURN(
        Stage stage,
        store::Decode(StageName(api, store::IdOfKey(record.key)), record));
    out.push_back(std::move(stage));
  }
  return out;
}

std::vector<StageName> Serving(const std::vector<Stage>& stages,
                               const DeploymentName& deployment) {
  std::vector<StageName> out;
  for (const Stage& stage : stages) {
    if (stage.deployment == deployment) out.push_back(stage.name);
  }
  return out;
}

}  // namespace

absl::StatusOr<DeploymentView> Apis::View(Deployment deployment) {
  DeploymentView view;
  SALLYPORT_ASSIGN_OR_RETURN(
      const std::vector<Stage> stages,
      StagesOf(*context_.store, deployment.name.parent()));
  view.stages = Serving(stages, deployment.name);
  view.num_routes = deployment.routes.size();
  view.deployment = std::move(deployment);
  return view;
}

absl::StatusOr<DeploymentView> Apis::CreateDeployment(
    const Caller& caller, const Write& write,
    const CreateDeploymentRequest& request) {
  const ApiName& api = request.parent;
  if (!request.stage.empty() && request.stage.parent() != api) {
    Violations violations;
    violations.Add("stage", Reason::kForeignDeployment,
                   "is a stage of another API");
    return violations.ToStatus();
  }
  const DeploymentName new_name(
      api, domain::GenerateId(pki::RandomBytes(kGeneratedIdLength),
                              kGeneratedIdLength));
  absl::StatusOr<Deployment> created = Mutate<Deployment>(
      context_, caller, write,
      [&](Transaction& transaction) -> absl::StatusOr<Deployment> {
        SALLYPORT_RETURN_IF_ERROR(transaction.CheckParent(api));
        Deployment deployment;
        deployment.name = new_name;
        deployment.metadata.description = request.description;
        SetTimes(transaction.now(), deployment.metadata);
        SALLYPORT_RETURN_IF_ERROR(transaction.CheckAbsent(deployment.name));
        SALLYPORT_ASSIGN_OR_RETURN(
            const std::vector<store::Record> others,
            transaction.List(store::ChildrenPrefix<DeploymentName>(api),
                             store::ListRequest::What::kKeysOnly));
        if (others.size() >= kMaxDeploymentsOfApi) {
          return TooManyOfApi("deployments", kMaxDeploymentsOfApi);
        }
        SALLYPORT_ASSIGN_OR_RETURN(
            const std::vector<store::Record> routes,
            transaction.List(store::ChildrenPrefix<RouteName>(api)));
        for (const store::Record& record : routes) {
          SALLYPORT_ASSIGN_OR_RETURN(const RouteName name,
                                     NameOfRecord<RouteName>(api, record));
          SALLYPORT_ASSIGN_OR_RETURN(Route route, store::Decode(name, record));
          // In a snapshot it has neither of its own.
          route.metadata.etag = domain::Etag();
          route.metadata.revision = 0;
          deployment.routes.push_back(std::move(route));
        }
        SortRoutes(deployment.routes);
        Violations violations;
        Violations fields;
        domain::Validate(deployment, fields);
        violations.AddAll("deployment", fields);

        std::optional<Stage> before;
        Stage stage;
        if (!request.stage.empty()) {
          SALLYPORT_ASSIGN_OR_RETURN(
              const std::optional<store::Record> record,
              transaction.Read(store::KeyOf(request.stage)));
          if (record.has_value()) {
            SALLYPORT_ASSIGN_OR_RETURN(before,
                                       store::Decode(request.stage, *record));
            stage = *before;
            stage.previous_deployment = before->deployment;
          } else if (request.create_stage) {
            SALLYPORT_ASSIGN_OR_RETURN(
                const std::vector<store::Record> stages,
                transaction.List(store::ChildrenPrefix<StageName>(api),
                                 store::ListRequest::What::kKeysOnly));
            if (stages.size() >= kMaxStagesOfApi) {
              return TooManyOfApi("stages", kMaxStagesOfApi);
            }
            stage.name = request.stage;
            stage.metadata.create_time = transaction.now();
          } else {
            violations.Add(
                "stage", Reason::kReferenceNotFound,
                absl::StrCat("there is no stage \"", request.stage.ToString(),
                             "\"; make it first, or set "
                             "create_stage"));
          }
          stage.deployment = deployment.name;
          stage.metadata.update_time = transaction.now();
          Violations deployed;
          domain::ValidateDeployed(deployment, stage, context_.backends,
                                   deployed);
          violations.AddAll("stage", deployed);
        }
        SALLYPORT_RETURN_IF_ERROR(violations.ToStatus());
        if (!write.validate_only) {
          SALLYPORT_RETURN_IF_ERROR(StoreRoutes(deployment));
        }
        transaction.Create(deployment, {store::BlobOf(deployment)});
        transaction.SetReferences(deployment.name.ToString(), {},
                                  ReferencesOf(deployment));
        if (before.has_value()) {
          transaction.Update(*before, stage);
        } else if (!request.stage.empty()) {
          transaction.Create(stage);
        }
        return deployment;
      },
      [&](const Replay& replay) -> absl::StatusOr<Deployment> {
        SALLYPORT_ASSIGN_OR_RETURN(const DeploymentName name,
                                   DeploymentName::Parse(replay.resource));
        return ReadDeployment(name, replay.revision);
      });
  if (!created.ok()) return created.status();
  return View(*std::move(created));
}

absl::StatusOr<DeploymentView> Apis::GetDeployment(const DeploymentName& name) {
  SALLYPORT_ASSIGN_OR_RETURN(Deployment deployment, ReadDeployment(name));
  return View(std::move(deployment));
}

absl::StatusOr<Page<DeploymentView>> Apis::ListDeployments(
    const ApiName& parent, const PageRequest& request) {
  SALLYPORT_RETURN_IF_ERROR(ReadRecord(*context_.store, parent).status());
  store::ListRequest list;
  list.prefix = store::ChildrenPrefix<DeploymentName>(parent);
  list.limit = kMaxDeploymentsOfApi;
  const absl::StatusOr<store::ListPage> records = context_.store->List(list);
  if (!records.ok()) return FromStore(records.status());
  std::vector<DeploymentView> all;
  for (const store::Record& record : records->records) {
    SALLYPORT_ASSIGN_OR_RETURN(
        store::DeploymentHead head,
        store::DecodeHead(DeploymentName(parent, store::IdOfKey(record.key)),
                          record));
    DeploymentView view;
    view.deployment = std::move(head.deployment);
    view.num_routes = head.num_routes;
    all.push_back(std::move(view));
  }
  std::sort(
      all.begin(), all.end(),
      [](const DeploymentView& a, const DeploymentView& b) {
        return std::tie(b.deployment.metadata.create_time, a.deployment.name) <
               std::tie(a.deployment.metadata.create_time, b.deployment.name);
      });
  SALLYPORT_ASSIGN_OR_RETURN(
      Slice slice, SliceOf(request, all.size(), context_.store->lineage(),
                           absl::StrCat(parent.ToString(), "/deployments")));
  SALLYPORT_ASSIGN_OR_RETURN(const std::vector<Stage> stages,
                             StagesOf(*context_.store, parent));
  Page<DeploymentView> out;
  for (size_t i = slice.begin; i < slice.end; ++i) {
    all[i].stages = Serving(stages, all[i].deployment.name);
    out.items.push_back(std::move(all[i]));
  }
  out.next_page_token = std::move(slice.next_page_token);
  out.revision = records->revision.value();
  return out;
}

absl::StatusOr<DeploymentView> Apis::UpdateDeployment(
    const Caller& caller, const Write& write, const Deployment& deployment,
    const std::vector<std::string>& mask) {
  absl::StatusOr<Deployment> updated = Mutate<Deployment>(
      context_, caller, write,
      [&](Transaction& transaction) -> absl::StatusOr<Deployment> {
        SALLYPORT_ASSIGN_OR_RETURN(
            const Deployment before,
            LoadDeployment(transaction, deployment.name));
        SALLYPORT_RETURN_IF_ERROR(
            domain::CheckEtag(deployment.metadata.etag, before.metadata.etag,
                              deployment.name.ToString()));
        Deployment after = before;
        Violations violations;
        ApplyMask<Deployment>(kDeploymentFields, kDeploymentOutputOnly, mask,
                              deployment, after, violations);
        Violations fields;
        domain::Validate(after, fields);
        violations.AddAll("deployment", fields);
        SALLYPORT_RETURN_IF_ERROR(violations.ToStatus());
        if (store::Encode(after) == store::Encode(before)) return before;
        after.metadata.update_time = transaction.now();
        transaction.Update(before, after, {store::BlobOf(after)});
        return after;
      },
      [&](const Replay& replay) {
        return ReadDeployment(deployment.name, replay.revision);
      });
  if (!updated.ok()) return updated.status();
  return View(*std::move(updated));
}

absl::Status Apis::DeleteDeployment(const Caller& caller, const Write& write,
                                    const DeploymentName& name,
                                    const domain::Etag& etag) {
  return Mutate<Deleted>(
             context_, caller, write,
             [&](Transaction& transaction) -> absl::StatusOr<Deleted> {
               SALLYPORT_ASSIGN_OR_RETURN(const Deployment deployment,
                                          LoadDeployment(transaction, name));
               SALLYPORT_RETURN_IF_ERROR(domain::CheckEtag(
                   etag, deployment.metadata.etag, name.ToString()));
               // Stages and deployments of one API are few, so stages are
               // asked, in place of references.
               SALLYPORT_ASSIGN_OR_RETURN(
                   const std::vector<store::Record> stages,
                   transaction.List(
                       store::ChildrenPrefix<StageName>(name.parent())));
               for (const store::Record& record : stages) {
                 SALLYPORT_ASSIGN_OR_RETURN(
                     const Stage stage,
                     store::Decode(
                         StageName(name.parent(), store::IdOfKey(record.key)),
                         record));
                 if (stage.deployment != name &&
                     stage.previous_deployment != name) {
                   continue;
                 }
                 return domain::MakeError(
                     Reason::kResourceInUse,
                     absl::StrCat("\"", stage.name.ToString(), "\" ",
                                  stage.deployment == name
                                      ? "serves it"
                                      : "would roll back to it",
                                  "; deploy another there first"),
                     {{"resource", name.ToString()},
                      {"used_by", stage.name.ToString()},
                      {"uses", "1"}});
               }
               transaction.Delete(deployment);
               transaction.SetReferences(name.ToString(),
                                         ReferencesOf(deployment), {});
               return Deleted();
             },
             [](const Replay&) -> absl::StatusOr<Deleted> { return Deleted(); })
      .status();
}

}  // namespace sallyport::service
