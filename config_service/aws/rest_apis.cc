#include "config_service/aws/rest_apis.h"

#include <algorithm>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "base/text.h"
#include "config_service/aws/errors.h"
#include "config_service/aws/patch.h"
#include "config_service/aws/resource_tree.h"
#include "config_service/domain/api.h"
#include "config_service/domain/violations.h"

namespace sallyport::aws {
namespace {

using domain::ApiName;
using domain::DeploymentName;
using domain::EndpointType;
using domain::Reason;
using domain::StageName;
using domain::Violations;
using service::ApiView;
using service::DeploymentView;
using service::StageView;
using Kind = PatchOperation::Kind;

constexpr int kBadRequest = 400;
constexpr int kNotFound = 404;
constexpr char kNoCache[] = "answers are not cached";

struct TypeName {
  absl::string_view name;
  EndpointType type;
};
constexpr TypeName kTypes[] = {
    {"REGIONAL", EndpointType::kRegional},
    {"EDGE", EndpointType::kEdge},
    {"PRIVATE", EndpointType::kPrivate},
};

absl::string_view NameOf(EndpointType type) {
  for (const TypeName& row : kTypes) {
    if (row.type == type) return row.name;
  }
  return "";
}

EndpointType ReadType(absl::string_view field, absl::string_view text,
                      Violations& violations) {
  for (const TypeName& row : kTypes) {
    if (row.name == text) return row.type;
  }
  violations.Add(field, Reason::kFieldMalformed,
                 "must be one of REGIONAL, EDGE, PRIVATE");
  return EndpointType::kRegional;
}

absl::Status NoSuch(absl::string_view what, absl::string_view id) {
  return MakeError(kNotFound, "NotFoundException",
                   absl::StrCat("Invalid ", what,
                                " identifier specified: ", Printable(id, 200)));
}

template <typename Name>
absl::StatusOr<std::string> IdIn(const Call& call, const char* parameter,
                                 absl::string_view what) {
  const std::string& id = call.path.at(parameter);
  if (domain::CheckId(Name::kIdRule, id).ok()) return id;
  return NoSuch(what, id);
}

void ReadTags(Fields& fields, domain::Metadata& metadata) {
  for (auto& [key, value] : fields.StringMap("tags")) {
    metadata.labels[key] = value;
  }
}

// What stages of Amazon's have and those here do not.
void RefuseStageOptions(Fields& fields, Violations& violations) {
  if (fields.Bool("cacheClusterEnabled").value_or(false)) {
    violations.Add("cacheClusterEnabled", Reason::kNotSupported,
                   absl::StrCat("is not supported: ", kNoCache));
  }
  fields.Refuse("cacheClusterSize", kNoCache);
  fields.Refuse("canarySettings", "a stage serves one deployment");
  if (fields.Bool("tracingEnabled").value_or(false)) {
    violations.Add("tracingEnabled", Reason::kNotSupported,
                   "is not supported: requests are not traced by X-Ray");
  }
}

Json ToJson(const StageView& view) {
  const domain::Stage& stage = view.stage;
  Json out = {
      {"stageName", stage.name.id()},
      {"cacheClusterEnabled", false},
      {"cacheClusterStatus", "NOT_AVAILABLE"},
      {"methodSettings", Json::object()},
      {"tracingEnabled", false},
      {"createdDate", TimeJson(stage.metadata.create_time)},
      {"lastUpdatedDate", TimeJson(stage.metadata.update_time)},
      {"tags", TagsJson(stage.metadata.labels)},
  };
  if (!stage.deployment.empty()) out["deploymentId"] = stage.deployment.id();
  if (!stage.client_certificate.empty()) {
    out["clientCertificateId"] = stage.client_certificate.id();
  }
  if (!stage.metadata.description.empty()) {
    out["description"] = stage.metadata.description;
  }
  if (!stage.variables.empty()) out["variables"] = stage.variables;
  return out;
}

Json ToJson(const domain::Deployment& deployment) {
  Json out = {{"id", deployment.name.id()},
              {"createdDate", TimeJson(deployment.metadata.create_time)}};
  if (!deployment.metadata.description.empty()) {
    out["description"] = deployment.metadata.description;
  }
  return out;
}

// {"/path": {"GET": {...}}}.
Json Summary(const domain::Deployment& deployment) {
  Json out = Json::object();
  for (const domain::Route& route : deployment.routes) {
    out[route.path][route.method] = {{"authorizationType", "NONE"},
                                     {"apiKeyRequired", false}};
  }
  return out;
}

// The deployment that a request names.
DeploymentName ReadDeployment(absl::string_view field, const ApiName& api,
                              const std::string& id, Violations& violations) {
  if (id.empty()) return DeploymentName();
  if (domain::CheckId(DeploymentName::kIdRule, id).ok()) {
    return DeploymentName(api, id);
  }
  violations.Add(field, Reason::kFieldMalformed, "is no id of a deployment");
  return DeploymentName();
}

}  // namespace

absl::StatusOr<ApiName> ApiIn(const Call& call) {
  SALLYPORT_ASSIGN_OR_RETURN(const std::string id,
                             IdIn<ApiName>(call, "restapi_id", "API"));
  return ApiName(id);
}

absl::StatusOr<StageName> StageIn(const Call& call) {
  SALLYPORT_ASSIGN_OR_RETURN(const ApiName api, ApiIn(call));
  SALLYPORT_ASSIGN_OR_RETURN(const std::string id,
                             IdIn<StageName>(call, "stage_name", "stage"));
  return StageName(api, id);
}

absl::StatusOr<DeploymentName> DeploymentIn(const Call& call) {
  SALLYPORT_ASSIGN_OR_RETURN(const ApiName api, ApiIn(call));
  SALLYPORT_ASSIGN_OR_RETURN(
      const std::string id,
      IdIn<DeploymentName>(call, "deployment_id", "Deployment"));
  return DeploymentName(api, id);
}

Json ToJson(const ApiView& view, const domain::ApiDraft& draft) {
  const domain::Api& api = view.api;
  Json out = {
      {"id", api.name.id()},
      {"name", api.display_name.empty() ? api.name.id() : api.display_name},
      {"createdDate", TimeJson(api.metadata.create_time)},
      {"apiKeySource", "HEADER"},
      {"endpointConfiguration",
       {{"types", Json::array({std::string(NameOf(api.endpoint_type))})},
        {"ipAddressType", "ipv4"}}},
      {"tags", TagsJson(api.metadata.labels)},
      {"disableExecuteApiEndpoint", api.disable_default_endpoint},
      {"rootResourceId", ResourceId(api.name, "/")},
  };
  if (!api.metadata.description.empty()) {
    out["description"] = api.metadata.description;
  }
  if (!draft.version.empty()) out["version"] = draft.version;
  if (!draft.binary_media_types.empty()) {
    out["binaryMediaTypes"] = draft.binary_media_types;
  }
  Json warnings = Json::array();
  for (const domain::Warning& warning : view.warnings) {
    warnings.push_back(Printable(warning.message, 1024));
  }
  if (!warnings.empty()) out["warnings"] = std::move(warnings);
  return out;
}

void RestApis::AddTo(Handlers& handlers) {
  const auto add = [&](absl::string_view name,
                       absl::StatusOr<Json> (RestApis::*run)(const Call&)) {
    handlers[{Service::kApiGateway, name}] = [this, run](const Call& call) {
      return (this->*run)(call);
    };
  };
  add("CreateRestApi", &RestApis::CreateApi);
  add("DeleteRestApi", &RestApis::DeleteApi);
  add("GetRestApi", &RestApis::GetApi);
  add("GetRestApis", &RestApis::ListApis);
  add("UpdateRestApi", &RestApis::UpdateApi);
  add("CreateDeployment", &RestApis::CreateDeployment);
  add("DeleteDeployment", &RestApis::DeleteDeployment);
  add("GetDeployment", &RestApis::GetDeployment);
  add("GetDeployments", &RestApis::ListDeployments);
  add("UpdateDeployment", &RestApis::UpdateDeployment);
  add("CreateStage", &RestApis::CreateStage);
  add("DeleteStage", &RestApis::DeleteStage);
  add("GetStage", &RestApis::GetStage);
  add("GetStages", &RestApis::ListStages);
  add("UpdateStage", &RestApis::UpdateStage);
}

// ------------------------------------------------------------------------ APIs

absl::StatusOr<Json> RestApis::CreateApi(const Call& call) {
  Violations violations;
  RefuseQuery(call.query, {}, violations);
  Fields fields(call.body, "", violations);
  domain::Api api;
  domain::ApiDraft draft;
  api.display_name = fields.Required("name");
  api.metadata.description = fields.String("description").value_or("");
  draft.version = fields.String("version").value_or("");
  draft.binary_media_types = fields.Strings("binaryMediaTypes");
  // As Amazon's.
  api.endpoint_type = EndpointType::kEdge;
  if (const Json* endpoint = fields.Get("endpointConfiguration")) {
    Fields inner(*endpoint, "endpointConfiguration", violations);
    const std::vector<std::string> types = inner.Strings("types");
    if (types.size() > 1) {
      violations.Add("endpointConfiguration.types", Reason::kTooManyEntries,
                     "has several entries; give one");
    } else if (!types.empty()) {
      api.endpoint_type =
          ReadType("endpointConfiguration.types", types.front(), violations);
    }
    inner.RefuseUnless("ipAddressType", "ipv4",
                       "what the nodes listen on is set for their fleet");
    inner.Refuse("vpcEndpointIds", "there are no VPC endpoints");
    inner.Finish();
  }
  api.disable_default_endpoint =
      fields.Bool("disableExecuteApiEndpoint").value_or(false);
  ReadTags(fields, api.metadata);
  fields.Refuse("cloneFrom", "export the other API, and import it");
  fields.Refuse("minimumCompressionSize", "bodies go on as they are");
  fields.RefuseUnless("apiKeySource", "HEADER", "there are no API keys");
  fields.Refuse("policy", "clients are known by their certificates");
  fields.Refuse("securityPolicy", "it is set for each domain name");
  fields.RefuseUnless("endpointAccessMode", "BASIC",
                      "there is one way to the endpoints");
  fields.Finish();
  domain::Validate(draft, violations);
  SALLYPORT_RETURN_IF_ERROR(violations.ToStatus());
  SALLYPORT_ASSIGN_OR_RETURN(const ApiView view,
                             apis_.CreateApi(call.caller, call.write, "", api));
  if (!draft.version.empty() || !draft.binary_media_types.empty()) {
    const absl::Status status =
        drafts_
            .Change(call.caller, call.write, view.api.name,
                    [&](service::ApiDraftView& to) {
                      to.draft = draft;
                      return absl::OkStatus();
                    })
            .status();
    if (!status.ok()) {
      apis_.DeleteApi(call.caller, call.write, view.api.name, domain::Etag())
          .IgnoreError();
      return status;
    }
  }
  return ToJson(view, draft);
}

absl::StatusOr<Json> RestApis::DeleteApi(const Call& call) {
  Violations violations;
  RefuseQuery(call.query, {}, violations);
  SALLYPORT_RETURN_IF_ERROR(violations.ToStatus());
  SALLYPORT_ASSIGN_OR_RETURN(const ApiName name, ApiIn(call));
  SALLYPORT_RETURN_IF_ERROR(
      apis_.DeleteApi(call.caller, call.write, name, domain::Etag()));
  return Json();
}

absl::StatusOr<Json> RestApis::GetApi(const Call& call) {
  Violations violations;
  RefuseQuery(call.query, {}, violations);
  SALLYPORT_RETURN_IF_ERROR(violations.ToStatus());
  SALLYPORT_ASSIGN_OR_RETURN(const ApiName name, ApiIn(call));
  SALLYPORT_ASSIGN_OR_RETURN(const ApiView view, apis_.GetApi(name));
  SALLYPORT_ASSIGN_OR_RETURN(const domain::ApiDraft draft,
                             drafts_.GetWithoutRoutes(name));
  return ToJson(view, draft);
}

absl::StatusOr<Json> RestApis::ListApis(const Call& call) {
  Violations violations;
  const service::PageRequest request = PageOf(call, {}, violations);
  SALLYPORT_RETURN_IF_ERROR(violations.ToStatus());
  SALLYPORT_ASSIGN_OR_RETURN(const service::Page<ApiView> page,
                             apis_.ListApis(request));
  Json items = Json::array();
  for (const ApiView& view : page.items) {
    SALLYPORT_ASSIGN_OR_RETURN(const domain::ApiDraft draft,
                               drafts_.GetWithoutRoutes(view.api.name));
    items.push_back(ToJson(view, draft));
  }
  return ListJson(std::move(items), page.next_page_token);
}

absl::StatusOr<Json> RestApis::UpdateApi(const Call& call) {
  Violations violations;
  RefuseQuery(call.query, {}, violations);
  SALLYPORT_ASSIGN_OR_RETURN(const ApiName name, ApiIn(call));
  const std::vector<PatchOperation> operations =
      ReadPatch(call.body, violations);
  SALLYPORT_RETURN_IF_ERROR(violations.ToStatus());
  SALLYPORT_ASSIGN_OR_RETURN(const ApiView before, apis_.GetApi(name));
  SALLYPORT_ASSIGN_OR_RETURN(const domain::ApiDraft draft_before,
                             drafts_.GetWithoutRoutes(name));
  domain::Api after;
  after.name = name;
  domain::ApiDraft draft = draft_before;
  std::set<std::string> mask;
  for (const PatchOperation& operation : operations) {
    const std::string value_field = domain::Field(operation.field, "value");
    const std::vector<std::string> parts = PathParts(operation.path);
    const bool removes = operation.kind == Kind::kRemove;
    if (operation.path == "/name" && !removes) {
      if (operation.value.empty()) {
        violations.Add(value_field, Reason::kFieldRequired, "is empty");
      }
      after.display_name = operation.value;
      mask.insert("display_name");
    } else if (operation.path == "/description") {
      after.metadata.description = operation.value;
      mask.insert("description");
    } else if (operation.path == "/disableExecuteApiEndpoint" && !removes) {
      const std::optional<bool> value = ReadBool(operation.value);
      if (!value.has_value()) {
        violations.Add(value_field, Reason::kFieldMalformed,
                       "is not true or false");
      }
      after.disable_default_endpoint = value.value_or(false);
      mask.insert("disable_default_endpoint");
    } else if (parts.size() >= 2 && parts.size() <= 3 &&
               parts[0] == "endpointConfiguration" && parts[1] == "types" &&
               !removes) {
      // ".../types/EDGE" and ".../types/0" name what is replaced.
      if (parts.size() == 3 && parts[2] != "0" &&
          parts[2] != NameOf(before.api.endpoint_type)) {
        violations.Add(
            domain::Field(operation.field, "path"), Reason::kFieldMalformed,
            absl::StrCat("names an endpoint type that the API does not have; "
                         "it has ",
                         NameOf(before.api.endpoint_type)));
        continue;
      }
      after.endpoint_type = ReadType(value_field, operation.value, violations);
      mask.insert("endpoint_type");
    } else if (operation.path == "/version") {
      draft.version = operation.value;
    } else if (parts.size() == 2 && parts[0] == "binaryMediaTypes") {
      // "/binaryMediaTypes/image~1png".
      std::vector<std::string>& types = draft.binary_media_types;
      const auto it = std::find(types.begin(), types.end(), parts[1]);
      if (operation.kind == Kind::kAdd) {
        if (it == types.end()) types.push_back(parts[1]);
      } else if (it == types.end()) {
        violations.Add(domain::Field(operation.field, "path"),
                       Reason::kFieldMalformed,
                       "names a media type that the API does not have");
      } else if (removes) {
        types.erase(it);
      } else {
        *it = operation.value;
      }
    } else if (operation.path == "/apiKeySource" && !removes &&
               operation.value == "HEADER") {
      // As it is.
    } else {
      RefusePath(operation, violations);
    }
  }
  domain::Validate(draft, violations);
  SALLYPORT_RETURN_IF_ERROR(violations.ToStatus());
  const std::vector<std::string> fields(mask.begin(), mask.end());
  const bool changes_draft =
      draft.version != draft_before.version ||
      draft.binary_media_types != draft_before.binary_media_types;
  if (!fields.empty() && changes_draft) {
    // Two commits: the second is not refused then for what it is.
    service::Write only_checked = call.write;
    only_checked.validate_only = true;
    SALLYPORT_RETURN_IF_ERROR(
        apis_.UpdateApi(call.caller, only_checked, after, fields).status());
  }
  if (changes_draft) {
    SALLYPORT_RETURN_IF_ERROR(drafts_
                                  .Change(call.caller, call.write, name,
                                          [&](service::ApiDraftView& to) {
                                            to.draft.version = draft.version;
                                            to.draft.binary_media_types =
                                                draft.binary_media_types;
                                            return absl::OkStatus();
                                          })
                                  .status());
  }
  if (fields.empty()) return ToJson(before, draft);
  SALLYPORT_ASSIGN_OR_RETURN(
      const ApiView view,
      apis_.UpdateApi(call.caller, call.write, after, fields));
  return ToJson(view, draft);
}

// ----------------------------------------------------------------- deployments

absl::Status RestApis::CheckComplete(const ApiName& api) {
  SALLYPORT_ASSIGN_OR_RETURN(const service::ApiDraftView view,
                             drafts_.Get(api));
  if (view.draft.methods.empty() && view.routes.empty()) {
    return MakeError(kBadRequest, "BadRequestException",
                     "The REST API doesn't contain any methods");
  }
  std::set<domain::ApiDraft::Method> served;
  for (const domain::Route& route : view.routes) {
    served.emplace(route.path, route.method);
  }
  for (const auto& [method, json] : view.draft.methods) {
    if (served.count(method) > 0) continue;
    return MakeError(kBadRequest, "BadRequestException",
                     absl::StrCat("No integration defined for method: ",
                                  method.second, " ", method.first));
  }
  return absl::OkStatus();
}

absl::StatusOr<Json> RestApis::CreateDeployment(const Call& call) {
  Violations violations;
  RefuseQuery(call.query, {}, violations);
  SALLYPORT_ASSIGN_OR_RETURN(const ApiName api, ApiIn(call));
  Fields fields(call.body, "", violations);
  service::Apis::CreateDeploymentRequest request;
  request.parent = api;
  request.description = fields.String("description").value_or("");
  const std::string stage = fields.String("stageName").value_or("");
  domain::Stage wanted;
  std::vector<std::string> mask = {"deployment"};
  if (const auto text = fields.String("stageDescription")) {
    wanted.metadata.description = *text;
    mask.emplace_back("description");
  }
  if (fields.Has("variables")) {
    wanted.variables = fields.StringMap("variables");
    mask.emplace_back("variables");
  }
  RefuseStageOptions(fields, violations);
  fields.Finish();
  if (!stage.empty()) {
    const absl::Status status = domain::CheckId(StageName::kIdRule, stage);
    if (!status.ok()) {
      violations.Add("stageName", Reason::kFieldMalformed, status.message());
    }
    wanted.name = StageName(api, stage);
  } else if (mask.size() > 1) {
    violations.Add("stageName", Reason::kFieldRequired,
                   "is missing: stageDescription and variables are a stage's");
  }
  SALLYPORT_RETURN_IF_ERROR(violations.ToStatus());
  SALLYPORT_RETURN_IF_ERROR(CheckComplete(api));
  // Without a word about the stage itself, all is one commit.
  if (mask.size() == 1 && !stage.empty()) {
    request.stage = wanted.name;
    request.create_stage = true;
  }
  SALLYPORT_ASSIGN_OR_RETURN(
      const DeploymentView view,
      apis_.CreateDeployment(call.caller, call.write, request));
  if (mask.size() == 1) return ToJson(view.deployment);
  wanted.deployment = view.deployment.name;
  absl::Status status = apis_.GetStage(wanted.name).status();
  if (status.ok()) {
    status = apis_.UpdateStage(call.caller, call.write, wanted, mask).status();
  } else if (absl::IsNotFound(status)) {
    status =
        apis_.CreateStage(call.caller, call.write, api, stage, wanted).status();
  }
  if (!status.ok()) {
    apis_
        .DeleteDeployment(call.caller, call.write, view.deployment.name,
                          domain::Etag())
        .IgnoreError();
    return status;
  }
  return ToJson(view.deployment);
}

absl::StatusOr<Json> RestApis::DeleteDeployment(const Call& call) {
  Violations violations;
  RefuseQuery(call.query, {}, violations);
  SALLYPORT_RETURN_IF_ERROR(violations.ToStatus());
  SALLYPORT_ASSIGN_OR_RETURN(const DeploymentName name, DeploymentIn(call));
  SALLYPORT_RETURN_IF_ERROR(
      apis_.DeleteDeployment(call.caller, call.write, name, domain::Etag()));
  return Json();
}

absl::StatusOr<Json> RestApis::GetDeployment(const Call& call) {
  Violations violations;
  RefuseQuery(call.query, {"embed"}, violations);
  bool embeds = false;
  for (const auto& [name, value] : call.query) {
    if (name != "embed") continue;
    if (value == "apisummary") {
      embeds = true;
    } else {
      violations.Add("embed", Reason::kNotSupported,
                     "is not supported with other values than apisummary");
    }
  }
  SALLYPORT_RETURN_IF_ERROR(violations.ToStatus());
  SALLYPORT_ASSIGN_OR_RETURN(const DeploymentName name, DeploymentIn(call));
  SALLYPORT_ASSIGN_OR_RETURN(const DeploymentView view,
                             apis_.GetDeployment(name));
  Json out = ToJson(view.deployment);
  if (embeds) out["apiSummary"] = Summary(view.deployment);
  return out;
}

absl::StatusOr<Json> RestApis::ListDeployments(const Call& call) {
  Violations violations;
  const service::PageRequest request = PageOf(call, {}, violations);
  SALLYPORT_RETURN_IF_ERROR(violations.ToStatus());
  SALLYPORT_ASSIGN_OR_RETURN(const ApiName api, ApiIn(call));
  SALLYPORT_ASSIGN_OR_RETURN(const service::Page<DeploymentView> page,
                             apis_.ListDeployments(api, request));
  Json items = Json::array();
  for (const DeploymentView& view : page.items) {
    items.push_back(ToJson(view.deployment));
  }
  return ListJson(std::move(items), page.next_page_token);
}

absl::StatusOr<Json> RestApis::UpdateDeployment(const Call& call) {
  Violations violations;
  RefuseQuery(call.query, {}, violations);
  const std::vector<PatchOperation> operations =
      ReadPatch(call.body, violations);
  domain::Deployment after;
  bool changes = false;
  for (const PatchOperation& operation : operations) {
    if (operation.path != "/description") {
      RefusePath(operation, violations);
      continue;
    }
    after.metadata.description = operation.value;
    changes = true;
  }
  SALLYPORT_RETURN_IF_ERROR(violations.ToStatus());
  SALLYPORT_ASSIGN_OR_RETURN(after.name, DeploymentIn(call));
  if (!changes) {
    SALLYPORT_ASSIGN_OR_RETURN(const DeploymentView view,
                               apis_.GetDeployment(after.name));
    return ToJson(view.deployment);
  }
  SALLYPORT_ASSIGN_OR_RETURN(
      const DeploymentView view,
      apis_.UpdateDeployment(call.caller, call.write, after, {"description"}));
  return ToJson(view.deployment);
}

// ---------------------------------------------------------------------- stages

absl::StatusOr<Json> RestApis::CreateStage(const Call& call) {
  Violations violations;
  RefuseQuery(call.query, {}, violations);
  SALLYPORT_ASSIGN_OR_RETURN(const ApiName api, ApiIn(call));
  Fields fields(call.body, "", violations);
  domain::Stage stage;
  const std::string id = fields.Required("stageName");
  stage.deployment = ReadDeployment(
      "deploymentId", api, fields.Required("deploymentId"), violations);
  stage.metadata.description = fields.String("description").value_or("");
  stage.variables = fields.StringMap("variables");
  ReadTags(fields, stage.metadata);
  RefuseStageOptions(fields, violations);
  fields.Refuse("documentationVersion", "documentation is not kept");
  fields.Finish();
  SALLYPORT_RETURN_IF_ERROR(violations.ToStatus());
  SALLYPORT_ASSIGN_OR_RETURN(
      const StageView view,
      apis_.CreateStage(call.caller, call.write, api, id, stage));
  return ToJson(view);
}

absl::StatusOr<Json> RestApis::DeleteStage(const Call& call) {
  Violations violations;
  RefuseQuery(call.query, {}, violations);
  SALLYPORT_RETURN_IF_ERROR(violations.ToStatus());
  SALLYPORT_ASSIGN_OR_RETURN(const StageName name, StageIn(call));
  SALLYPORT_RETURN_IF_ERROR(
      apis_.DeleteStage(call.caller, call.write, name, domain::Etag()));
  return Json();
}

absl::StatusOr<Json> RestApis::GetStage(const Call& call) {
  Violations violations;
  RefuseQuery(call.query, {}, violations);
  SALLYPORT_RETURN_IF_ERROR(violations.ToStatus());
  SALLYPORT_ASSIGN_OR_RETURN(const StageName name, StageIn(call));
  SALLYPORT_ASSIGN_OR_RETURN(const StageView view, apis_.GetStage(name));
  return ToJson(view);
}

// All at once, as Amazon's.
absl::StatusOr<Json> RestApis::ListStages(const Call& call) {
  Violations violations;
  RefuseQuery(call.query, {"deploymentId"}, violations);
  SALLYPORT_RETURN_IF_ERROR(violations.ToStatus());
  SALLYPORT_ASSIGN_OR_RETURN(const ApiName api, ApiIn(call));
  std::string deployment;
  for (const auto& [name, value] : call.query) deployment = value;
  Json items = Json::array();
  service::PageRequest request;
  do {
    SALLYPORT_ASSIGN_OR_RETURN(const service::Page<StageView> page,
                               apis_.ListStages(api, request));
    for (const StageView& view : page.items) {
      if (deployment.empty() || view.stage.deployment.id() == deployment) {
        items.push_back(ToJson(view));
      }
    }
    request.page_token = page.next_page_token;
  } while (!request.page_token.empty());
  return ListJson(std::move(items), "");
}

absl::StatusOr<Json> RestApis::UpdateStage(const Call& call) {
  Violations violations;
  RefuseQuery(call.query, {}, violations);
  SALLYPORT_ASSIGN_OR_RETURN(const StageName name, StageIn(call));
  const std::vector<PatchOperation> operations =
      ReadPatch(call.body, violations);
  SALLYPORT_RETURN_IF_ERROR(violations.ToStatus());
  SALLYPORT_ASSIGN_OR_RETURN(const StageView before, apis_.GetStage(name));
  domain::Stage after = before.stage;
  std::set<std::string> mask;
  for (const PatchOperation& operation : operations) {
    const std::string value_field = domain::Field(operation.field, "value");
    const std::vector<std::string> parts = PathParts(operation.path);
    const bool removes = operation.kind == Kind::kRemove;
    if (operation.path == "/description") {
      after.metadata.description = operation.value;
      mask.insert("description");
    } else if (operation.path == "/deploymentId" && !removes) {
      after.deployment = ReadDeployment(value_field, name.parent(),
                                        operation.value, violations);
      if (operation.value.empty()) {
        violations.Add(value_field, Reason::kFieldRequired, "is empty");
      }
      mask.insert("deployment");
    } else if (operation.path == "/clientCertificateId") {
      after.client_certificate = domain::ClientCertificateName();
      mask.insert("client_certificate");
      if (operation.value.empty()) continue;
      if (!domain::CheckId(domain::ClientCertificateName::kIdRule,
                           operation.value)
               .ok()) {
        violations.Add(value_field, Reason::kFieldMalformed,
                       "is no id of a client certificate");
        continue;
      }
      after.client_certificate = domain::ClientCertificateName(operation.value);
    } else if (parts.size() == 2 && parts[0] == "variables" &&
               !parts[1].empty()) {
      if (removes) {
        after.variables.erase(parts[1]);
      } else {
        after.variables[parts[1]] = operation.value;
      }
      mask.insert("variables");
    } else if (!removes && ReadBool(operation.value) == false &&
               (operation.path == "/cacheClusterEnabled" ||
                operation.path == "/tracingEnabled")) {
      // As it is.
    } else {
      RefusePath(operation, violations);
    }
  }
  SALLYPORT_RETURN_IF_ERROR(violations.ToStatus());
  if (mask.empty()) return ToJson(before);
  // What was read is what is changed: variables are written as a whole.
  SALLYPORT_ASSIGN_OR_RETURN(
      const StageView view,
      apis_.UpdateStage(call.caller, call.write, after,
                        std::vector<std::string>(mask.begin(), mask.end())));
  return ToJson(view);
}

}  // namespace sallyport::aws
