#include "config_service/aws/resources.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/status_macros.h"
#include "base/text.h"
#include "config_service/aws/errors.h"
#include "config_service/aws/patch.h"
#include "config_service/aws/resource_tree.h"
#include "config_service/aws/rest_apis.h"
#include "config_service/domain/violations.h"

namespace sallyport::aws {
namespace {

using domain::ApiDraft;
using domain::ApiName;
using domain::Reason;
using domain::Violations;
using service::ApiDraftView;
using Kind = PatchOperation::Kind;

constexpr int kBadRequest = 400;
constexpr int kNotFoundStatus = 404;
constexpr int kConflict = 409;
constexpr char kIntegration[] = "integration";
constexpr char kResponses[] = "methodResponses";

absl::Status NotFound(absl::string_view what) {
  return MakeError(kNotFoundStatus, "NotFoundException",
                   absl::StrCat("Invalid ", what, " identifier specified"));
}
absl::Status Conflict(absl::string_view what) {
  return MakeError(kConflict, "ConflictException", what);
}

// {"authorizationType": "NONE", ...}: of a method that nothing is kept of.
Json PlainMethod() {
  return {{"authorizationType", "NONE"}, {"apiKeyRequired", false}};
}

// What is kept of a method, an object.
Json KeptOf(const ApiDraftView& view, const ApiDraft::Method& method) {
  const auto it = view.draft.methods.find(method);
  if (it == view.draft.methods.end()) return PlainMethod();
  Json out = Json::parse(it->second, nullptr, /*allow_exceptions=*/false);
  return out.is_object() ? out : PlainMethod();
}

void Keep(ApiDraftView& view, const ApiDraft::Method& method,
          const Json& kept) {
  view.draft.methods[method] = kept.dump(-1, ' ', /*ensure_ascii=*/false,
                                         Json::error_handler_t::replace);
}

Json IntegrationOf(const Json& kept) {
  return kept.contains(kIntegration) ? kept[kIntegration] : Json();
}

// The method that the call's path names; NotFoundException when the API has no
// such resource, or the resource no such method.
absl::StatusOr<std::string> ResourceIn(const Call& call, const ApiName& api,
                                       const ApiDraftView& view,
                                       const char* parameter = "resource_id") {
  std::optional<std::string> path =
      FindPath(api, view, call.path.at(parameter));
  if (!path.has_value()) return NotFound("Resource");
  return *std::move(path);
}
absl::StatusOr<ApiDraft::Method> MethodIn(const Call& call, const ApiName& api,
                                          const ApiDraftView& view) {
  SALLYPORT_ASSIGN_OR_RETURN(std::string path, ResourceIn(call, api, view));
  std::string method = call.path.at("http_method");
  if (MethodsOf(view, path).count(method) == 0) return NotFound("Method");
  return ApiDraft::Method(std::move(path), std::move(method));
}

absl::StatusOr<std::string> StatusIn(const Call& call) {
  const std::string& code = call.path.at("status_code");
  int number = 0;
  if (code.size() == 3 && absl::SimpleAtoi(code, &number) && number >= 100) {
    return code;
  }
  return MakeError(kBadRequest, "BadRequestException",
                   "Invalid status code specified: it has three digits");
}

// {"name": true}.
Json Flags(Fields& fields, const std::string& name, Violations& violations) {
  const Json* value = fields.Get(name);
  if (value == nullptr) return Json::object();
  const bool good =
      value->is_object() &&
      std::all_of(value->begin(), value->end(),
                  [](const Json& item) { return item.is_boolean(); });
  if (good) return *value;
  violations.Add(fields.Path(name), Reason::kFieldMalformed,
                 "is no object of true and false");
  return Json::object();
}

// Of models, which are not kept, the two that every API of Amazon's has.
Json Models(Fields& fields, const std::string& name, Violations& violations) {
  Json out = Json::object();
  for (const auto& [type, model] : fields.StringMap(name)) {
    if (model != "Empty" && model != "Error") {
      violations.Add(domain::Entry(fields.Path(name), type),
                     Reason::kNotSupported,
                     "is not supported: bodies are not validated, so there "
                     "are no models but Empty and Error");
    }
    out[type] = model;
  }
  return out;
}

Json ReadMethodResponse(Fields& fields, Violations& violations) {
  Json out = Json::object();
  Json parameters = Flags(fields, "responseParameters", violations);
  Json models = Models(fields, "responseModels", violations);
  fields.Finish();
  if (!parameters.empty()) out["responseParameters"] = std::move(parameters);
  if (!models.empty()) out["responseModels"] = std::move(models);
  return out;
}

Json MethodResponseJson(const std::string& status, const Json& kept) {
  Json out = kept;
  out["statusCode"] = status;
  return out;
}

// The integration of a method; nothing: it has none.
std::optional<MethodIntegration> FindIntegration(
    const ApiDraftView& view, const ApiDraft::Method& method) {
  const domain::Route* route = FindRoute(view, method.first, method.second);
  if (route == nullptr) return std::nullopt;
  return FromKept(IntegrationOf(KeptOf(view, method)), *route);
}

Json ResourceJson(const ApiName& api, const ApiDraftView& view,
                  const std::string& path, bool with_methods) {
  Json out = {{"id", ResourceId(api, path)}, {"path", path}};
  if (path != "/") {
    out["parentId"] = ResourceId(api, ParentPath(path));
    out["pathPart"] = PathPart(path);
  }
  Json methods = Json::object();
  for (const std::string& method : MethodsOf(view, path)) {
    methods[method] =
        with_methods ? MethodJson(api, view, path, method) : Json::object();
  }
  if (!methods.empty()) out["resourceMethods"] = std::move(methods);
  return out;
}

// Whether the query says embed=methods; other parameters than `known` are
// violations.
bool Embeds(const Call& call, std::vector<absl::string_view> known,
            Violations& violations) {
  known.emplace_back("embed");
  RefuseQuery(call.query, known, violations);
  bool out = false;
  for (const auto& [name, value] : call.query) {
    if (name != "embed") continue;
    out = out || value == "methods";
    if (value != "methods") {
      violations.Add("embed", Reason::kNotSupported,
                     "is not supported with other values than methods");
    }
  }
  return out;
}

absl::Status RefuseAnyQuery(const Call& call) {
  Violations violations;
  RefuseQuery(call.query, {}, violations);
  return violations.ToStatus();
}

void AddPath(ApiDraft& draft, const std::string& path) {
  const auto it =
      std::lower_bound(draft.paths.begin(), draft.paths.end(), path);
  if (it == draft.paths.end() || *it != path) draft.paths.insert(it, path);
}

// A change of one operation on a map of strings, at "/NAME/KEY".
void ChangeEntry(const PatchOperation& operation, const std::string& key,
                 std::map<std::string, std::string>& map) {
  if (operation.kind == Kind::kRemove) {
    map.erase(key);
  } else {
    map[key] = operation.value;
  }
}

// The text of an integration as PutIntegration has it: for reading it again,
// with what was changed.
Json RequestJson(const MethodIntegration& integration) {
  Json out = ToJson(integration, "");
  for (const char* name :
       {"cacheNamespace", "cacheKeyParameters", "integrationResponses"}) {
    out.erase(name);
  }
  return out;
}

}  // namespace

Json ReadMethod(Fields& fields, Violations& violations) {
  Json out = PlainMethod();
  const std::string type = fields.Required("authorizationType");
  if (!type.empty() && type != "NONE") {
    violations.Add(fields.Path("authorizationType"), Reason::kNotSupported,
                   "is not supported with other values than NONE: clients are "
                   "known by their certificates");
  }
  if (fields.Bool("apiKeyRequired").value_or(false)) {
    violations.Add(fields.Path("apiKeyRequired"), Reason::kNotSupported,
                   "is not supported: there are no API keys");
  }
  if (const auto name = fields.String("operationName")) {
    out["operationName"] = *name;
  }
  Json parameters = Flags(fields, "requestParameters", violations);
  for (const auto& [name, required] : parameters.items()) {
    if (absl::StartsWith(name, "method.request.")) continue;
    violations.Add(domain::Entry(fields.Path("requestParameters"), name),
                   Reason::kFieldMalformed,
                   "does not begin with method.request.");
  }
  if (!parameters.empty()) out["requestParameters"] = std::move(parameters);
  Json models = Models(fields, "requestModels", violations);
  if (!models.empty()) out["requestModels"] = std::move(models);
  fields.Refuse("authorizerId", "clients are known by their certificates");
  fields.Refuse("requestValidatorId", "requests are not validated");
  if (!fields.Strings("authorizationScopes").empty()) {
    fields.Refuse("authorizationScopes",
                  "clients are known by their certificates");
  }
  fields.Finish();
  return out;
}

Json MethodJson(const ApiName& api, const ApiDraftView& view,
                absl::string_view path, absl::string_view http_method) {
  const ApiDraft::Method method{std::string(path), std::string(http_method)};
  Json out = KeptOf(view, method);
  out.erase(kIntegration);
  out["httpMethod"] = method.second;
  if (out.contains(kResponses)) {
    for (auto& [status, response] : out[kResponses].items()) {
      response = MethodResponseJson(status, response);
    }
  }
  if (const auto integration = FindIntegration(view, method)) {
    out["methodIntegration"] = ToJson(*integration, ResourceId(api, path));
  }
  return out;
}

absl::Status SetIntegration(ApiDraftView& view, const ApiDraft::Method& method,
                            const MethodIntegration& integration) {
  Violations violations;
  domain::Route* route = FindRoute(view, method.first, method.second);
  domain::Integration made =
      ToDomain(integration, method.second,
               route == nullptr ? domain::Integration() : route->integration,
               violations);
  SALLYPORT_RETURN_IF_ERROR(violations.ToStatus());
  if (route == nullptr) {
    route = &view.routes.emplace_back();
    route->path = method.first;
    route->method = method.second;
  }
  route->integration = std::move(made);
  Json kept = KeptOf(view, method);
  kept[kIntegration] = KeptJson(integration);
  Keep(view, method, kept);
  return absl::OkStatus();
}

void Resources::AddTo(Handlers& handlers) {
  const auto add = [&](absl::string_view name,
                       absl::StatusOr<Json> (Resources::*run)(const Call&)) {
    handlers[{Service::kApiGateway, name}] = [this, run](const Call& call) {
      return (this->*run)(call);
    };
  };
  add("CreateResource", &Resources::CreateResource);
  add("DeleteResource", &Resources::DeleteResource);
  add("GetResource", &Resources::GetResource);
  add("GetResources", &Resources::ListResources);
  add("PutMethod", &Resources::PutMethod);
  add("GetMethod", &Resources::GetMethod);
  add("UpdateMethod", &Resources::UpdateMethod);
  add("DeleteMethod", &Resources::DeleteMethod);
  add("PutMethodResponse", &Resources::PutMethodResponse);
  add("GetMethodResponse", &Resources::GetMethodResponse);
  add("DeleteMethodResponse", &Resources::DeleteMethodResponse);
  add("PutIntegration", &Resources::PutIntegration);
  add("GetIntegration", &Resources::GetIntegration);
  add("UpdateIntegration", &Resources::UpdateIntegration);
  add("DeleteIntegration", &Resources::DeleteIntegration);
  add("PutIntegrationResponse", &Resources::PutIntegrationResponse);
  add("GetIntegrationResponse", &Resources::GetIntegrationResponse);
  add("DeleteIntegrationResponse", &Resources::DeleteIntegrationResponse);
  add("TestInvokeMethod", &Resources::TestInvoke);
}

// ------------------------------------------------------------------- resources

absl::StatusOr<Json> Resources::CreateResource(const Call& call) {
  SALLYPORT_RETURN_IF_ERROR(RefuseAnyQuery(call));
  SALLYPORT_ASSIGN_OR_RETURN(const ApiName api, ApiIn(call));
  Violations violations;
  Fields fields(call.body, "", violations);
  const std::string part = fields.Required("pathPart");
  fields.Finish();
  if (absl::StrContains(part, "/")) {
    violations.Add("pathPart", Reason::kFieldMalformed,
                   "has a '/'; make a resource for each part");
  }
  SALLYPORT_RETURN_IF_ERROR(violations.ToStatus());
  std::string path;
  SALLYPORT_ASSIGN_OR_RETURN(
      const ApiDraftView after,
      drafts_.Change(
          call.caller, call.write, api,
          [&](ApiDraftView& view) -> absl::Status {
            SALLYPORT_ASSIGN_OR_RETURN(
                const std::string parent,
                ResourceIn(call, api, view, "parent_id"));
            path = absl::StrCat(parent == "/" ? "" : parent, "/", part);
            const auto wanted = domain::PathTemplate::Parse(path);
            Violations found;
            if (!wanted.ok()) {
              found.Add("pathPart", Reason::kPathTemplateInvalid,
                        wanted.status().message());
              return found.ToStatus();
            }
            for (const std::string& other : PathsOf(view)) {
              if (other == path) {
                return Conflict(
                    absl::StrCat("Another resource with the same parent "
                                 "already has this name: ",
                                 part));
              }
              const auto there = domain::PathTemplate::Parse(other);
              if (!there.ok() || there->Shape() != wanted->Shape()) continue;
              return MakeError(
                  kBadRequest, "BadRequestException",
                  absl::StrCat("A sibling (", PathPart(other),
                               ") of this resource already has a variable path "
                               "part -- only one is allowed"));
            }
            AddPath(view.draft, path);
            return absl::OkStatus();
          }));
  return ResourceJson(api, after, path, /*with_methods=*/false);
}

absl::StatusOr<Json> Resources::DeleteResource(const Call& call) {
  SALLYPORT_RETURN_IF_ERROR(RefuseAnyQuery(call));
  SALLYPORT_ASSIGN_OR_RETURN(const ApiName api, ApiIn(call));
  SALLYPORT_RETURN_IF_ERROR(
      drafts_
          .Change(call.caller, call.write, api,
                  [&](ApiDraftView& view) -> absl::Status {
                    SALLYPORT_ASSIGN_OR_RETURN(const std::string path,
                                               ResourceIn(call, api, view));
                    const std::string parent = ParentPath(path);
                    if (parent.empty()) {
                      return MakeError(kBadRequest, "BadRequestException",
                                       "Root resource cannot be deleted");
                    }
                    std::vector<domain::Route> routes;
                    for (domain::Route& route : view.routes) {
                      if (!IsWithin(route.path, path)) {
                        routes.push_back(std::move(route));
                      }
                    }
                    view.routes = std::move(routes);
                    ApiDraft draft = view.draft;
                    draft.paths.clear();
                    for (const std::string& other : view.draft.paths) {
                      if (!IsWithin(other, path)) draft.paths.push_back(other);
                    }
                    draft.methods.clear();
                    for (const auto& [method, json] : view.draft.methods) {
                      if (!IsWithin(method.first, path)) {
                        draft.methods[method] = json;
                      }
                    }
                    // What is above it stays.
                    if (parent != "/") AddPath(draft, parent);
                    view.draft = std::move(draft);
                    return absl::OkStatus();
                  })
          .status());
  return Json();
}

absl::StatusOr<Json> Resources::GetResource(const Call& call) {
  Violations violations;
  const bool embeds = Embeds(call, {}, violations);
  SALLYPORT_RETURN_IF_ERROR(violations.ToStatus());
  SALLYPORT_ASSIGN_OR_RETURN(const ApiName api, ApiIn(call));
  SALLYPORT_ASSIGN_OR_RETURN(const ApiDraftView view, drafts_.Get(api));
  SALLYPORT_ASSIGN_OR_RETURN(const std::string path,
                             ResourceIn(call, api, view));
  return ResourceJson(api, view, path, embeds);
}

absl::StatusOr<Json> Resources::ListResources(const Call& call) {
  Violations violations;
  const service::PageRequest request = PageOf(call, {"embed"}, violations);
  const bool embeds = Embeds(call, {"limit", "position"}, violations);
  SALLYPORT_RETURN_IF_ERROR(violations.ToStatus());
  SALLYPORT_ASSIGN_OR_RETURN(const ApiName api, ApiIn(call));
  SALLYPORT_ASSIGN_OR_RETURN(const ApiDraftView view, drafts_.Get(api));
  Json items = Json::array();
  std::string last;
  // A position is the id of the last that was answered.
  bool begun = request.page_token.empty();
  for (const std::string& path : PathsOf(view)) {
    if (!begun) {
      begun = ResourceId(api, path) == request.page_token;
      continue;
    }
    if (items.size() == static_cast<size_t>(request.page_size)) {
      return ListJson(std::move(items), last);
    }
    items.push_back(ResourceJson(api, view, path, embeds));
    last = ResourceId(api, path);
  }
  if (!begun) {
    violations.Add("position", Reason::kFieldMalformed,
                   "is none that an answer had, or its resource is gone");
    return violations.ToStatus();
  }
  return ListJson(std::move(items), "");
}

// --------------------------------------------------------------------- methods

absl::StatusOr<Json> Resources::PutMethod(const Call& call) {
  SALLYPORT_RETURN_IF_ERROR(RefuseAnyQuery(call));
  SALLYPORT_ASSIGN_OR_RETURN(const ApiName api, ApiIn(call));
  Violations violations;
  Fields fields(call.body, "", violations);
  const Json kept = ReadMethod(fields, violations);
  SALLYPORT_RETURN_IF_ERROR(violations.ToStatus());
  ApiDraft::Method method;
  method.second = call.path.at("http_method");
  SALLYPORT_ASSIGN_OR_RETURN(
      const ApiDraftView after,
      drafts_.Change(
          call.caller, call.write, api,
          [&](ApiDraftView& view) -> absl::Status {
            SALLYPORT_ASSIGN_OR_RETURN(method.first,
                                       ResourceIn(call, api, view));
            if (MethodsOf(view, method.first).count(method.second) > 0) {
              return Conflict("Method already exists for this resource");
            }
            Keep(view, method, kept);
            return absl::OkStatus();
          }));
  return MethodJson(api, after, method.first, method.second);
}

absl::StatusOr<Json> Resources::GetMethod(const Call& call) {
  SALLYPORT_RETURN_IF_ERROR(RefuseAnyQuery(call));
  SALLYPORT_ASSIGN_OR_RETURN(const ApiName api, ApiIn(call));
  SALLYPORT_ASSIGN_OR_RETURN(const ApiDraftView view, drafts_.Get(api));
  SALLYPORT_ASSIGN_OR_RETURN(const ApiDraft::Method method,
                             MethodIn(call, api, view));
  return MethodJson(api, view, method.first, method.second);
}

absl::StatusOr<Json> Resources::UpdateMethod(const Call& call) {
  SALLYPORT_RETURN_IF_ERROR(RefuseAnyQuery(call));
  SALLYPORT_ASSIGN_OR_RETURN(const ApiName api, ApiIn(call));
  Violations violations;
  const std::vector<PatchOperation> operations =
      ReadPatch(call.body, violations);
  for (const PatchOperation& operation : operations) {
    const std::vector<std::string> parts = PathParts(operation.path);
    const bool removes = operation.kind == Kind::kRemove;
    const bool stays = !removes && ((operation.path == "/authorizationType" &&
                                     operation.value == "NONE") ||
                                    (operation.path == "/apiKeyRequired" &&
                                     ReadBool(operation.value) == false));
    const bool is_parameter =
        parts.size() == 2 && parts[0] == "requestParameters" &&
        absl::StartsWith(parts[1], "method.request.") &&
        (removes || ReadBool(operation.value).has_value());
    if (!stays && !is_parameter && operation.path != "/operationName") {
      RefusePath(operation, violations);
    }
  }
  SALLYPORT_RETURN_IF_ERROR(violations.ToStatus());
  ApiDraft::Method method;
  SALLYPORT_ASSIGN_OR_RETURN(
      const ApiDraftView after,
      drafts_.Change(
          call.caller, call.write, api,
          [&](ApiDraftView& view) -> absl::Status {
            SALLYPORT_ASSIGN_OR_RETURN(method, MethodIn(call, api, view));
            Json kept = KeptOf(view, method);
            for (const PatchOperation& operation : operations) {
              const std::vector<std::string> parts = PathParts(operation.path);
              if (operation.path == "/operationName") {
                kept.erase("operationName");
                if (!operation.value.empty()) {
                  kept["operationName"] = operation.value;
                }
              } else if (parts.size() == 2) {
                if (operation.kind != Kind::kRemove) {
                  kept[parts[0]][parts[1]] = *ReadBool(operation.value);
                } else if (kept.contains(parts[0])) {
                  kept[parts[0]].erase(parts[1]);
                }
              }
            }
            Keep(view, method, kept);
            return absl::OkStatus();
          }));
  return MethodJson(api, after, method.first, method.second);
}

absl::StatusOr<Json> Resources::DeleteMethod(const Call& call) {
  SALLYPORT_RETURN_IF_ERROR(RefuseAnyQuery(call));
  SALLYPORT_ASSIGN_OR_RETURN(const ApiName api, ApiIn(call));
  SALLYPORT_RETURN_IF_ERROR(
      drafts_
          .Change(call.caller, call.write, api,
                  [&](ApiDraftView& view) -> absl::Status {
                    SALLYPORT_ASSIGN_OR_RETURN(const ApiDraft::Method method,
                                               MethodIn(call, api, view));
                    view.draft.methods.erase(method);
                    const auto gone =
                        std::remove_if(view.routes.begin(), view.routes.end(),
                                       [&](const domain::Route& route) {
                                         return route.path == method.first &&
                                                route.method == method.second;
                                       });
                    view.routes.erase(gone, view.routes.end());
                    // The resource stays.
                    if (method.first != "/") {
                      AddPath(view.draft, method.first);
                    }
                    return absl::OkStatus();
                  })
          .status());
  return Json();
}

absl::StatusOr<Json> Resources::PutMethodResponse(const Call& call) {
  SALLYPORT_RETURN_IF_ERROR(RefuseAnyQuery(call));
  SALLYPORT_ASSIGN_OR_RETURN(const ApiName api, ApiIn(call));
  SALLYPORT_ASSIGN_OR_RETURN(const std::string status, StatusIn(call));
  Violations violations;
  Fields fields(call.body, "", violations);
  const Json response = ReadMethodResponse(fields, violations);
  SALLYPORT_RETURN_IF_ERROR(violations.ToStatus());
  SALLYPORT_RETURN_IF_ERROR(
      drafts_
          .Change(call.caller, call.write, api,
                  [&](ApiDraftView& view) -> absl::Status {
                    SALLYPORT_ASSIGN_OR_RETURN(const ApiDraft::Method method,
                                               MethodIn(call, api, view));
                    Json kept = KeptOf(view, method);
                    if (kept.contains(kResponses) &&
                        kept[kResponses].contains(status)) {
                      return Conflict(
                          "Response already exists for this "
                          "resource");
                    }
                    kept[kResponses][status] = response;
                    Keep(view, method, kept);
                    return absl::OkStatus();
                  })
          .status());
  return MethodResponseJson(status, response);
}

absl::StatusOr<Json> Resources::GetMethodResponse(const Call& call) {
  SALLYPORT_RETURN_IF_ERROR(RefuseAnyQuery(call));
  SALLYPORT_ASSIGN_OR_RETURN(const ApiName api, ApiIn(call));
  SALLYPORT_ASSIGN_OR_RETURN(const std::string status, StatusIn(call));
  SALLYPORT_ASSIGN_OR_RETURN(const ApiDraftView view, drafts_.Get(api));
  SALLYPORT_ASSIGN_OR_RETURN(const ApiDraft::Method method,
                             MethodIn(call, api, view));
  const Json kept = KeptOf(view, method);
  if (!kept.contains(kResponses) || !kept[kResponses].contains(status)) {
    return NotFound("Response status code");
  }
  return MethodResponseJson(status, kept[kResponses][status]);
}

absl::StatusOr<Json> Resources::DeleteMethodResponse(const Call& call) {
  SALLYPORT_RETURN_IF_ERROR(RefuseAnyQuery(call));
  SALLYPORT_ASSIGN_OR_RETURN(const ApiName api, ApiIn(call));
  SALLYPORT_ASSIGN_OR_RETURN(const std::string status, StatusIn(call));
  SALLYPORT_RETURN_IF_ERROR(
      drafts_
          .Change(call.caller, call.write, api,
                  [&](ApiDraftView& view) -> absl::Status {
                    SALLYPORT_ASSIGN_OR_RETURN(const ApiDraft::Method method,
                                               MethodIn(call, api, view));
                    Json kept = KeptOf(view, method);
                    if (!kept.contains(kResponses) ||
                        kept[kResponses].erase(status) == 0) {
                      return NotFound("Response status code");
                    }
                    Keep(view, method, kept);
                    return absl::OkStatus();
                  })
          .status());
  return Json();
}

// ---------------------------------------------------------------- integrations

absl::StatusOr<Json> Resources::PutIntegration(const Call& call) {
  SALLYPORT_RETURN_IF_ERROR(RefuseAnyQuery(call));
  SALLYPORT_ASSIGN_OR_RETURN(const ApiName api, ApiIn(call));
  Violations violations;
  Fields fields(call.body, "", violations);
  const MethodIntegration integration =
      ReadIntegration(fields, /*of_openapi=*/false, violations);
  fields.Finish();
  SALLYPORT_RETURN_IF_ERROR(violations.ToStatus());
  std::string path;
  SALLYPORT_RETURN_IF_ERROR(
      drafts_
          .Change(call.caller, call.write, api,
                  [&](ApiDraftView& view) -> absl::Status {
                    SALLYPORT_ASSIGN_OR_RETURN(const ApiDraft::Method method,
                                               MethodIn(call, api, view));
                    path = method.first;
                    return SetIntegration(view, method, integration);
                  })
          .status());
  return ToJson(integration, ResourceId(api, path));
}

absl::StatusOr<Json> Resources::GetIntegration(const Call& call) {
  SALLYPORT_RETURN_IF_ERROR(RefuseAnyQuery(call));
  SALLYPORT_ASSIGN_OR_RETURN(const ApiName api, ApiIn(call));
  SALLYPORT_ASSIGN_OR_RETURN(const ApiDraftView view, drafts_.Get(api));
  SALLYPORT_ASSIGN_OR_RETURN(const ApiDraft::Method method,
                             MethodIn(call, api, view));
  const auto integration = FindIntegration(view, method);
  if (!integration.has_value()) return NotFound("Integration");
  return ToJson(*integration, ResourceId(api, method.first));
}

absl::StatusOr<Json> Resources::UpdateIntegration(const Call& call) {
  SALLYPORT_RETURN_IF_ERROR(RefuseAnyQuery(call));
  SALLYPORT_ASSIGN_OR_RETURN(const ApiName api, ApiIn(call));
  Violations violations;
  const std::vector<PatchOperation> operations =
      ReadPatch(call.body, violations);
  SALLYPORT_RETURN_IF_ERROR(violations.ToStatus());
  MethodIntegration after;
  std::string path;
  const auto change = [&](ApiDraftView& view) -> absl::Status {
    SALLYPORT_ASSIGN_OR_RETURN(const ApiDraft::Method method,
                               MethodIn(call, api, view));
    path = method.first;
    const auto before = FindIntegration(view, method);
    if (!before.has_value()) return NotFound("Integration");
    Json wanted = RequestJson(*before);
    Violations found;
    for (const PatchOperation& operation : operations) {
      const std::vector<std::string> parts = PathParts(operation.path);
      const bool removes = operation.kind == Kind::kRemove;
      const bool is_text =
          parts.size() == 1 &&
          (parts[0] == "uri" || parts[0] == "httpMethod" ||
           parts[0] == "passthroughBehavior" || parts[0] == "connectionType" ||
           parts[0] == "contentHandling" || parts[0] == "credentials");
      const bool is_entry =
          parts.size() == 2 &&
          (parts[0] == "requestParameters" || parts[0] == "requestTemplates");
      int64_t number = 0;
      if (is_text && removes) {
        wanted.erase(parts[0]);
      } else if (is_text) {
        wanted[parts[0]] = operation.value;
      } else if (is_entry) {
        std::map<std::string, std::string> map;
        if (wanted.contains(parts[0])) {
          map = wanted[parts[0]].get<std::map<std::string, std::string>>();
        }
        ChangeEntry(operation, parts[1], map);
        wanted[parts[0]] = map;
      } else if (operation.path == "/timeoutInMillis" &&
                 absl::SimpleAtoi(operation.value, &number)) {
        wanted["timeoutInMillis"] = number;
      } else if (operation.path == "/tlsConfig/insecureSkipVerification" &&
                 (removes || ReadBool(operation.value).has_value())) {
        wanted["tlsConfig"] = {{"insecureSkipVerification",
                                !removes && *ReadBool(operation.value)}};
      } else {
        RefusePath(operation, found);
      }
    }
    Fields fields(wanted, "", found);
    after = ReadIntegration(fields, /*of_openapi=*/false, found);
    fields.Finish();
    SALLYPORT_RETURN_IF_ERROR(found.ToStatus());
    after.responses = before->responses;
    return SetIntegration(view, method, after);
  };
  SALLYPORT_RETURN_IF_ERROR(
      drafts_.Change(call.caller, call.write, api, change).status());
  return ToJson(after, ResourceId(api, path));
}

absl::StatusOr<Json> Resources::DeleteIntegration(const Call& call) {
  SALLYPORT_RETURN_IF_ERROR(RefuseAnyQuery(call));
  SALLYPORT_ASSIGN_OR_RETURN(const ApiName api, ApiIn(call));
  SALLYPORT_RETURN_IF_ERROR(
      drafts_
          .Change(call.caller, call.write, api,
                  [&](ApiDraftView& view) -> absl::Status {
                    SALLYPORT_ASSIGN_OR_RETURN(const ApiDraft::Method method,
                                               MethodIn(call, api, view));
                    const domain::Route* route =
                        FindRoute(view, method.first, method.second);
                    if (route == nullptr) return NotFound("Integration");
                    Json kept = KeptOf(view, method);
                    kept.erase(kIntegration);
                    Keep(view, method, kept);
                    view.routes.erase(view.routes.begin() +
                                      (route - view.routes.data()));
                    return absl::OkStatus();
                  })
          .status());
  return Json();
}

absl::StatusOr<Json> Resources::PutIntegrationResponse(const Call& call) {
  SALLYPORT_RETURN_IF_ERROR(RefuseAnyQuery(call));
  SALLYPORT_ASSIGN_OR_RETURN(const ApiName api, ApiIn(call));
  SALLYPORT_ASSIGN_OR_RETURN(const std::string status, StatusIn(call));
  MethodIntegration::Response response;
  const auto change = [&](ApiDraftView& view) -> absl::Status {
    SALLYPORT_ASSIGN_OR_RETURN(const ApiDraft::Method method,
                               MethodIn(call, api, view));
    auto integration = FindIntegration(view, method);
    if (!integration.has_value()) return NotFound("Integration");
    Violations violations;
    Fields fields(call.body, "", violations);
    response = ReadIntegrationResponse(fields, integration->type, violations);
    for (const auto& [other, there] : integration->responses) {
      if (other == status ||
          there.selection_pattern != response.selection_pattern) {
        continue;
      }
      violations.Add("selectionPattern", Reason::kDuplicateEntry,
                     absl::StrCat("is that of the response ", other, " too"));
    }
    SALLYPORT_RETURN_IF_ERROR(violations.ToStatus());
    integration->responses[status] = response;
    return SetIntegration(view, method, *integration);
  };
  SALLYPORT_RETURN_IF_ERROR(
      drafts_.Change(call.caller, call.write, api, change).status());
  return ToJson(status, response);
}

absl::StatusOr<Json> Resources::GetIntegrationResponse(const Call& call) {
  SALLYPORT_RETURN_IF_ERROR(RefuseAnyQuery(call));
  SALLYPORT_ASSIGN_OR_RETURN(const ApiName api, ApiIn(call));
  SALLYPORT_ASSIGN_OR_RETURN(const std::string status, StatusIn(call));
  SALLYPORT_ASSIGN_OR_RETURN(const ApiDraftView view, drafts_.Get(api));
  SALLYPORT_ASSIGN_OR_RETURN(const ApiDraft::Method method,
                             MethodIn(call, api, view));
  const auto integration = FindIntegration(view, method);
  if (!integration.has_value()) return NotFound("Integration");
  const auto it = integration->responses.find(status);
  if (it == integration->responses.end()) {
    return NotFound("Response status code");
  }
  return ToJson(status, it->second);
}

absl::StatusOr<Json> Resources::DeleteIntegrationResponse(const Call& call) {
  SALLYPORT_RETURN_IF_ERROR(RefuseAnyQuery(call));
  SALLYPORT_ASSIGN_OR_RETURN(const ApiName api, ApiIn(call));
  SALLYPORT_ASSIGN_OR_RETURN(const std::string status, StatusIn(call));
  const auto change = [&](ApiDraftView& view) -> absl::Status {
    SALLYPORT_ASSIGN_OR_RETURN(const ApiDraft::Method method,
                               MethodIn(call, api, view));
    auto integration = FindIntegration(view, method);
    if (!integration.has_value()) return NotFound("Integration");
    if (integration->responses.erase(status) == 0) {
      return NotFound("Response status code");
    }
    return SetIntegration(view, method, *integration);
  };
  SALLYPORT_RETURN_IF_ERROR(
      drafts_.Change(call.caller, call.write, api, change).status());
  return Json();
}

// ------------------------------------------------------------ test invocations

absl::StatusOr<Json> Resources::TestInvoke(const Call& call) {
  SALLYPORT_RETURN_IF_ERROR(RefuseAnyQuery(call));
  SALLYPORT_ASSIGN_OR_RETURN(const ApiName api, ApiIn(call));
  Violations violations;
  Fields fields(call.body, "", violations);
  service::TestInvocations::Request request;
  request.path = fields.String("pathWithQueryString").value_or("");
  request.body = fields.String("body").value_or("");
  request.stage_variables = fields.StringMap("stageVariables");
  const std::string certificate =
      fields.String("clientCertificateId").value_or("");
  if (!certificate.empty()) {
    if (domain::CheckId(domain::ClientCertificateName::kIdRule, certificate)
            .ok()) {
      request.client_certificate = domain::ClientCertificateName(certificate);
    } else {
      violations.Add("clientCertificateId", Reason::kFieldMalformed,
                     "is no id of a client certificate");
    }
  }
  // Amazon's tools send one of them, or the same in both.
  std::set<std::string> seen;
  if (const Json* many = fields.Get("multiValueHeaders")) {
    Fields inner(*many, "multiValueHeaders", violations);
    if (many->is_object()) {
      for (const auto& [name, values] : many->items()) {
        seen.insert(absl::AsciiStrToLower(name));
        for (std::string& value : inner.Strings(name)) {
          request.headers.push_back({name, std::move(value)});
        }
      }
    }
  }
  for (auto& [name, value] : fields.StringMap("headers")) {
    if (seen.count(absl::AsciiStrToLower(name)) > 0) continue;
    request.headers.push_back({name, value});
  }
  fields.Finish();
  SALLYPORT_RETURN_IF_ERROR(violations.ToStatus());
  SALLYPORT_ASSIGN_OR_RETURN(const ApiDraftView view, drafts_.Get(api));
  SALLYPORT_ASSIGN_OR_RETURN(const ApiDraft::Method method,
                             MethodIn(call, api, view));
  const domain::Route* route = FindRoute(view, method.first, method.second);
  if (route == nullptr) {
    return MakeError(kBadRequest, "BadRequestException",
                     "No integration defined for method");
  }
  if (test_invocations_ == nullptr) {
    constexpr int kNotImplemented = 501;
    return MakeError(kNotImplemented, "NotImplementedException",
                     "the service has no nodes that it could send through");
  }
  request.route = route->name;
  if (request.path.empty()) request.path = method.first;
  SALLYPORT_ASSIGN_OR_RETURN(
      const service::TestInvocations::Result result,
      test_invocations_->Invoke(call.caller, call.write, request,
                                [] { return false; }));
  Json headers = Json::object();
  Json multi = Json::object();
  for (const auto& [name, value] : result.answer.headers) {
    headers[name] = value;
    multi[name].push_back(value);
  }
  // Amazon's has a status for what never answered, too; the log says why.
  constexpr int kNoAnswer = 500;
  return Json{
      {"status", result.answer.status == 0 ? kNoAnswer : result.answer.status},
      {"body", result.answer.body},
      {"headers", std::move(headers)},
      {"multiValueHeaders", std::move(multi)},
      {"log", absl::StrJoin(result.log, "\n")},
      {"latency", absl::ToInt64Milliseconds(result.answer.latency)}};
}

}  // namespace sallyport::aws
