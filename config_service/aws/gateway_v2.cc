#include "config_service/aws/gateway_v2.h"

#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "base/status_macros.h"
#include "base/text.h"
#include "config_service/aws/errors.h"
#include "config_service/aws/limits.h"
#include "config_service/domain/violations.h"

namespace sallyport::aws {
namespace {

using domain::ApiMapping;
using domain::ApiMappingName;
using domain::ApiName;
using domain::DomainNameName;
using domain::Reason;
using domain::StageName;
using domain::Violations;

constexpr int kNotFound = 404;
constexpr char kMappingSelection[] = "$request.basepath";
constexpr char kRouteSelection[] = "$request.method $request.path";

std::string Iso(absl::Time time) {
  return absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", time, absl::UTCTimeZone());
}

// What the first version has under `from`, under `to`; nothing where it has
// nothing.
void Take(const Json& first, const char* from, Json& out, const char* to) {
  if (first.contains(from)) out[to] = first[from];
}

// A domain name of the first version.
Json ToV2(const Json& first) {
  const bool edge = first.contains("distributionDomainName");
  Json configuration = {
      {"endpointType", first["endpointConfiguration"]["types"][0]},
      {"ipAddressType", "ipv4"},
  };
  Take(first, edge ? "distributionDomainName" : "regionalDomainName",
       configuration, "apiGatewayDomainName");
  Take(first, edge ? "distributionHostedZoneId" : "regionalHostedZoneId",
       configuration, "hostedZoneId");
  Take(first, edge ? "certificateArn" : "regionalCertificateArn", configuration,
       "certificateArn");
  for (const char* name :
       {"domainNameStatus", "domainNameStatusMessage", "securityPolicy",
        "ownershipVerificationCertificateArn"}) {
    Take(first, name, configuration, name);
  }
  if (first.contains("certificateUploadDate")) {
    const double seconds = first["certificateUploadDate"].get<double>();
    configuration["certificateUploadDate"] =
        Iso(absl::UnixEpoch() + absl::Seconds(seconds));
  }
  Json out = {
      {"domainName", first["domainName"]},
      {"apiMappingSelectionExpression", kMappingSelection},
      {"domainNameConfigurations", Json::array({std::move(configuration)})},
  };
  for (const char* name :
       {"domainNameArn", "mutualTlsAuthentication", "routingMode", "tags"}) {
    Take(first, name, out, name);
  }
  return out;
}

// The one entry of domainNameConfigurations, with what this service is asked
// for.
struct Configuration {
  std::optional<std::string> certificate;
  std::optional<std::string> ownership;
  std::optional<std::string> endpoint_type;
  std::optional<std::string> security_policy;
};
Configuration ReadConfiguration(Fields& fields, Violations& violations) {
  constexpr char kName[] = "domainNameConfigurations";
  Configuration out;
  const Json* list = fields.Get(kName);
  if (list == nullptr) return out;
  if (!list->is_array() || list->size() != 1) {
    violations.Add(kName, Reason::kFieldMalformed, "is not a list of one");
    return out;
  }
  Fields inner(list->front(), domain::Element(kName, 0), violations);
  out.certificate = inner.String("certificateArn");
  out.ownership = inner.String("ownershipVerificationCertificateArn");
  out.endpoint_type = inner.String("endpointType");
  out.security_policy = inner.String("securityPolicy");
  inner.RefuseUnless("ipAddressType", "ipv4",
                     "what the nodes listen on is set for their fleet");
  inner.Refuse("certificateName",
               "import the certificate into ACM, and give its ARN");
  // Of an answer, which may be sent back.
  for (const char* name :
       {"apiGatewayDomainName", "certificateUploadDate", "domainNameStatus",
        "domainNameStatusMessage", "hostedZoneId"}) {
    inner.Refuse(name, "the service says it");
  }
  inner.Finish();
  return out;
}

// The page that a list's query asks for; in the first version's words where
// that is called.
service::PageRequest PageOfV2(const Call& call, Violations& violations) {
  service::PageRequest out;
  out.page_size = kDefaultLimit;
  RefuseQuery(call.query, {"maxResults", "nextToken"}, violations);
  for (const auto& [name, value] : call.query) {
    if (name == "nextToken") out.page_token = value;
    if (name != "maxResults") continue;
    if (!absl::SimpleAtoi(value, &out.page_size) || out.page_size < 1 ||
        out.page_size > kMaxLimit) {
      violations.Add("maxResults", Reason::kFieldOutOfRange,
                     absl::StrCat("is not 1 to ", kMaxLimit));
      out.page_size = kDefaultLimit;
    }
  }
  return out;
}

Json ListV2(Json items, const std::string& next) {
  Json out = {{"items", std::move(items)}};
  if (!next.empty()) out["nextToken"] = next;
  return out;
}

DomainNameName ParentOf(const Call& call, Violations& violations) {
  const std::string text = absl::AsciiStrToLower(call.path.at("domainName"));
  const absl::Status status = domain::CheckId(DomainNameName::kIdRule, text);
  if (status.ok()) return DomainNameName(text);
  violations.Add("domainName", Reason::kDomainNameInvalid, status.message());
  return DomainNameName();
}

absl::StatusOr<ApiMappingName> MappingIn(const Call& call) {
  Violations violations;
  RefuseQuery(call.query, {}, violations);
  const DomainNameName parent = ParentOf(call, violations);
  SALLYPORT_RETURN_IF_ERROR(violations.ToStatus());
  const std::string& id = call.path.at("apiMappingId");
  if (domain::CheckId(ApiMappingName::kIdRule, id).ok()) {
    return ApiMappingName(parent, id);
  }
  return MakeError(kNotFound, "NotFoundException",
                   absl::StrCat("Invalid API mapping identifier specified: ",
                                Printable(id, 200)));
}

absl::StatusOr<ApiName> ApiOf(const Call& call) {
  const std::string& id = call.path.at("apiId");
  if (domain::CheckId(ApiName::kIdRule, id).ok()) return ApiName(id);
  return MakeError(
      kNotFound, "NotFoundException",
      absl::StrCat("Invalid API identifier specified: ", Printable(id, 200)));
}

// The stage of a mapping, from what is there and what is asked for.
StageName StageOf(const std::string& api, const std::string& stage,
                  Violations& violations) {
  const auto check = [&](const char* field, const absl::Status& status) {
    if (!status.ok()) {
      violations.Add(field, Reason::kFieldMalformed, status.message());
    }
    return status.ok();
  };
  const bool good_api = check("apiId", domain::CheckId(ApiName::kIdRule, api));
  const bool good_stage =
      check("stage", domain::CheckId(StageName::kIdRule, stage));
  return good_api && good_stage ? StageName(ApiName(api), stage) : StageName();
}

Json ToJson(const ApiMapping& mapping) {
  return {{"apiMappingId", mapping.name.id()},
          {"apiMappingKey", mapping.base_path},
          {"apiId", mapping.stage.parent().id()},
          {"stage", mapping.stage.id()}};
}

Json ToJson(const service::ApiView& view) {
  const domain::Api& api = view.api;
  Json out = {
      {"apiId", api.name.id()},
      {"name", api.display_name.empty() ? api.name.id() : api.display_name},
      {"protocolType", "HTTP"},
      {"routeSelectionExpression", kRouteSelection},
      {"createdDate", Iso(api.metadata.create_time)},
      {"disableExecuteApiEndpoint", api.disable_default_endpoint},
      {"ipAddressType", "ipv4"},
      {"tags", TagsJson(api.metadata.labels)},
  };
  if (!view.default_endpoint.empty()) {
    out["apiEndpoint"] = view.default_endpoint;
  }
  if (!api.metadata.description.empty()) {
    out["description"] = api.metadata.description;
  }
  Json warnings = Json::array();
  for (const domain::Warning& warning : view.warnings) {
    warnings.push_back(Printable(warning.message, 1024));
  }
  if (!warnings.empty()) out["warnings"] = std::move(warnings);
  return out;
}

}  // namespace

void GatewayV2::AddTo(Handlers& handlers) {
  const auto add = [&](absl::string_view name,
                       absl::StatusOr<Json> (GatewayV2::*run)(const Call&)) {
    handlers[{Service::kApiGatewayV2, name}] = [this, run](const Call& call) {
      return (this->*run)(call);
    };
  };
  add("CreateDomainName", &GatewayV2::CreateDomainName);
  add("DeleteDomainName", &GatewayV2::DeleteDomainName);
  add("GetDomainName", &GatewayV2::GetDomainName);
  add("GetDomainNames", &GatewayV2::ListDomainNames);
  add("UpdateDomainName", &GatewayV2::UpdateDomainName);
  add("CreateApiMapping", &GatewayV2::CreateMapping);
  add("DeleteApiMapping", &GatewayV2::DeleteMapping);
  add("GetApiMapping", &GatewayV2::GetMapping);
  add("GetApiMappings", &GatewayV2::ListMappings);
  add("UpdateApiMapping", &GatewayV2::UpdateMapping);
  add("GetApi", &GatewayV2::GetApi);
  add("GetApis", &GatewayV2::ListApis);
  add("UpdateApi", &GatewayV2::UpdateApi);
}

absl::StatusOr<Json> GatewayV2::CallFirst(const Call& call,
                                          absl::string_view operation,
                                          const std::string& domain_name,
                                          Json body) const {
  Call first;
  first.operation = call.operation;
  first.caller = call.caller;
  first.write = call.write;
  first.path["domain_name"] = domain_name;
  first.body = std::move(body);
  return handlers_.at({Service::kApiGateway, operation})(first);
}

// ---------------------------------------------------------------- domain names

absl::StatusOr<Json> GatewayV2::CreateDomainName(const Call& call) {
  Violations violations;
  RefuseQuery(call.query, {}, violations);
  Fields fields(call.body, "", violations);
  Json first = Json::object();
  for (const char* name :
       {"domainName", "mutualTlsAuthentication", "routingMode", "tags"}) {
    if (const Json* value = fields.Get(name)) first[name] = *value;
  }
  const Configuration configuration = ReadConfiguration(fields, violations);
  fields.Finish();
  SALLYPORT_RETURN_IF_ERROR(violations.ToStatus());
  const std::string type = configuration.endpoint_type.value_or("REGIONAL");
  first["endpointConfiguration"] = {{"types", Json::array({type})}};
  if (configuration.certificate.has_value()) {
    first[type == "EDGE" ? "certificateArn" : "regionalCertificateArn"] =
        *configuration.certificate;
  }
  if (configuration.ownership.has_value()) {
    first["ownershipVerificationCertificateArn"] = *configuration.ownership;
  }
  if (configuration.security_policy.has_value()) {
    first["securityPolicy"] = *configuration.security_policy;
  }
  SALLYPORT_ASSIGN_OR_RETURN(
      const Json made,
      CallFirst(call, "CreateDomainName", "", std::move(first)));
  return ToV2(made);
}

absl::StatusOr<Json> GatewayV2::DeleteDomainName(const Call& call) {
  Violations violations;
  RefuseQuery(call.query, {}, violations);
  SALLYPORT_RETURN_IF_ERROR(violations.ToStatus());
  return CallFirst(call, "DeleteDomainName", call.path.at("domainName"),
                   Json::object());
}

absl::StatusOr<Json> GatewayV2::GetDomainName(const Call& call) {
  Violations violations;
  RefuseQuery(call.query, {}, violations);
  SALLYPORT_RETURN_IF_ERROR(violations.ToStatus());
  SALLYPORT_ASSIGN_OR_RETURN(
      const Json first, CallFirst(call, "GetDomainName",
                                  call.path.at("domainName"), Json::object()));
  return ToV2(first);
}

absl::StatusOr<Json> GatewayV2::ListDomainNames(const Call& call) {
  Violations violations;
  const service::PageRequest page = PageOfV2(call, violations);
  SALLYPORT_RETURN_IF_ERROR(violations.ToStatus());
  Call first = call;
  first.query = {{"limit", absl::StrCat(page.page_size)}};
  if (!page.page_token.empty()) {
    first.query.emplace_back("position", page.page_token);
  }
  SALLYPORT_ASSIGN_OR_RETURN(
      const Json listed,
      handlers_.at({Service::kApiGateway, "GetDomainNames"})(first));
  Json items = Json::array();
  for (const Json& item : listed["item"]) items.push_back(ToV2(item));
  return ListV2(std::move(items), listed.value("position", ""));
}

absl::StatusOr<Json> GatewayV2::UpdateDomainName(const Call& call) {
  Violations violations;
  RefuseQuery(call.query, {}, violations);
  Fields fields(call.body, "", violations);
  Json operations = Json::array();
  const auto replace = [&](const char* path,
                           const std::optional<std::string>& value) {
    if (!value.has_value()) return;
    operations.push_back(
        {{"op", "replace"}, {"path", path}, {"value", *value}});
  };
  const Configuration configuration = ReadConfiguration(fields, violations);
  replace("/endpointConfiguration/types", configuration.endpoint_type);
  replace("/regionalCertificateArn", configuration.certificate);
  replace("/ownershipVerificationCertificateArn", configuration.ownership);
  replace("/securityPolicy", configuration.security_policy);
  if (const Json* mutual = fields.Get("mutualTlsAuthentication")) {
    Fields inner(*mutual, "mutualTlsAuthentication", violations);
    replace("/mutualTlsAuthentication/truststoreUri",
            inner.String("truststoreUri"));
    replace("/mutualTlsAuthentication/truststoreVersion",
            inner.String("truststoreVersion"));
    inner.Finish();
  }
  replace("/routingMode", fields.String("routingMode"));
  fields.Finish();
  SALLYPORT_RETURN_IF_ERROR(violations.ToStatus());
  const std::string& name = call.path.at("domainName");
  SALLYPORT_ASSIGN_OR_RETURN(
      const Json before,
      CallFirst(call, "GetDomainName", name, Json::object()));
  if (before.contains("distributionDomainName")) {
    for (Json& operation : operations) {
      if (operation["path"] == "/regionalCertificateArn") {
        operation["path"] = "/certificateArn";
      }
    }
  }
  SALLYPORT_ASSIGN_OR_RETURN(const Json after,
                             CallFirst(call, "UpdateDomainName", name,
                                       {{"patchOperations", operations}}));
  return ToV2(after);
}

// -------------------------------------------------------------------- mappings

absl::StatusOr<Json> GatewayV2::CreateMapping(const Call& call) {
  Violations violations;
  RefuseQuery(call.query, {}, violations);
  const DomainNameName parent = ParentOf(call, violations);
  Fields fields(call.body, "", violations);
  ApiMapping mapping;
  mapping.base_path = fields.String("apiMappingKey").value_or("");
  const std::string api = fields.Required("apiId");
  const std::string stage = fields.Required("stage");
  fields.Finish();
  SALLYPORT_RETURN_IF_ERROR(violations.ToStatus());
  mapping.stage = StageOf(api, stage, violations);
  SALLYPORT_RETURN_IF_ERROR(violations.ToStatus());
  SALLYPORT_ASSIGN_OR_RETURN(
      const service::ApiMappingView view,
      mappings_.Create(call.caller, call.write, parent, "", mapping));
  return ToJson(view.mapping);
}

absl::StatusOr<Json> GatewayV2::DeleteMapping(const Call& call) {
  SALLYPORT_ASSIGN_OR_RETURN(const ApiMappingName name, MappingIn(call));
  SALLYPORT_RETURN_IF_ERROR(
      mappings_.Delete(call.caller, call.write, name, domain::Etag()));
  return Json();
}

absl::StatusOr<Json> GatewayV2::GetMapping(const Call& call) {
  SALLYPORT_ASSIGN_OR_RETURN(const ApiMappingName name, MappingIn(call));
  SALLYPORT_ASSIGN_OR_RETURN(const service::ApiMappingView view,
                             mappings_.Get(name));
  return ToJson(view.mapping);
}

absl::StatusOr<Json> GatewayV2::ListMappings(const Call& call) {
  Violations violations;
  const service::PageRequest request = PageOfV2(call, violations);
  const DomainNameName parent = ParentOf(call, violations);
  SALLYPORT_RETURN_IF_ERROR(violations.ToStatus());
  SALLYPORT_ASSIGN_OR_RETURN(const service::Page<service::ApiMappingView> page,
                             mappings_.List(parent, request));
  Json items = Json::array();
  for (const service::ApiMappingView& view : page.items) {
    items.push_back(ToJson(view.mapping));
  }
  return ListV2(std::move(items), page.next_page_token);
}

absl::StatusOr<Json> GatewayV2::UpdateMapping(const Call& call) {
  SALLYPORT_ASSIGN_OR_RETURN(const ApiMappingName name, MappingIn(call));
  Violations violations;
  Fields fields(call.body, "", violations);
  const std::string api = fields.Required("apiId");
  const auto stage = fields.String("stage");
  const auto key = fields.String("apiMappingKey");
  fields.Finish();
  SALLYPORT_RETURN_IF_ERROR(violations.ToStatus());
  SALLYPORT_ASSIGN_OR_RETURN(const service::ApiMappingView before,
                             mappings_.Get(name));
  ApiMapping mapping = before.mapping;
  if (key.has_value()) mapping.base_path = *key;
  mapping.stage = StageOf(api, stage.value_or(mapping.stage.id()), violations);
  SALLYPORT_RETURN_IF_ERROR(violations.ToStatus());
  SALLYPORT_ASSIGN_OR_RETURN(const service::ApiMappingView view,
                             mappings_.Update(call.caller, call.write, mapping,
                                              {"base_path", "stage"}));
  return ToJson(view.mapping);
}

// ------------------------------------------------------------------------ APIs

absl::StatusOr<Json> GatewayV2::GetApi(const Call& call) {
  Violations violations;
  RefuseQuery(call.query, {}, violations);
  SALLYPORT_RETURN_IF_ERROR(violations.ToStatus());
  SALLYPORT_ASSIGN_OR_RETURN(const ApiName name, ApiOf(call));
  SALLYPORT_ASSIGN_OR_RETURN(const service::ApiView view, apis_.GetApi(name));
  return ToJson(view);
}

absl::StatusOr<Json> GatewayV2::ListApis(const Call& call) {
  Violations violations;
  const service::PageRequest request = PageOfV2(call, violations);
  SALLYPORT_RETURN_IF_ERROR(violations.ToStatus());
  SALLYPORT_ASSIGN_OR_RETURN(const service::Page<service::ApiView> page,
                             apis_.ListApis(request));
  Json items = Json::array();
  for (const service::ApiView& view : page.items) {
    items.push_back(ToJson(view));
  }
  return ListV2(std::move(items), page.next_page_token);
}

absl::StatusOr<Json> GatewayV2::UpdateApi(const Call& call) {
  Violations violations;
  RefuseQuery(call.query, {}, violations);
  Fields fields(call.body, "", violations);
  domain::Api api;
  std::vector<std::string> mask;
  if (const auto name = fields.String("name")) {
    api.display_name = *name;
    mask.emplace_back("display_name");
  }
  if (const auto description = fields.String("description")) {
    api.metadata.description = *description;
    mask.emplace_back("description");
  }
  if (const auto disable = fields.Bool("disableExecuteApiEndpoint")) {
    api.disable_default_endpoint = *disable;
    mask.emplace_back("disable_default_endpoint");
  }
  constexpr char kFirst[] = "routes are changed by the first version";
  for (const char* name : {"credentialsArn", "routeKey", "target"}) {
    fields.Refuse(name, kFirst);
  }
  fields.Refuse("corsConfiguration", "answers go back as they are");
  fields.Refuse("apiKeySelectionExpression", "there are no API keys");
  fields.Refuse("disableSchemaValidation", "bodies are not validated");
  fields.Refuse("version", "it is changed by the first version");
  fields.RefuseUnless("ipAddressType", "ipv4",
                      "what the nodes listen on is set for their fleet");
  fields.RefuseUnless("routeSelectionExpression", kRouteSelection,
                      "routes are told apart by method and path");
  fields.Finish();
  SALLYPORT_RETURN_IF_ERROR(violations.ToStatus());
  SALLYPORT_ASSIGN_OR_RETURN(api.name, ApiOf(call));
  if (mask.empty()) return GetApi(call);
  SALLYPORT_ASSIGN_OR_RETURN(
      const service::ApiView view,
      apis_.UpdateApi(call.caller, call.write, api, mask));
  return ToJson(view);
}

}  // namespace sallyport::aws
