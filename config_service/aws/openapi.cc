#include "config_service/aws/openapi.h"

#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/text.h"

namespace sallyport::aws {
namespace {

using domain::Reason;
using domain::Violations;

constexpr char kExtension[] = "x-amazon-apigateway-";
constexpr char kIntegration[] = "x-amazon-apigateway-integration";
constexpr char kAnyMethod[] = "x-amazon-apigateway-any-method";
constexpr char kEndpoint[] = "x-amazon-apigateway-endpoint-configuration";
constexpr char kMediaTypes[] = "x-amazon-apigateway-binary-media-types";
// One of each kind is enough to say that the kind is left out.
constexpr size_t kMaxWarnings = 50;

struct MethodRow {
  const char* key;
  const char* method;
};
constexpr MethodRow kMethods[] = {
    {"get", "GET"},         {"head", "HEAD"},    {"post", "POST"},
    {"put", "PUT"},         {"patch", "PATCH"},  {"delete", "DELETE"},
    {"options", "OPTIONS"}, {kAnyMethod, "ANY"},
};

class Reader {
 public:
  Reader(ApiDefinition& out, Violations& violations)
      : out_(out), violations_(violations) {}

  void Read(const Json& document);

 private:
  void Warn(absl::string_view field, absl::string_view why) {
    if (out_.warnings.size() >= kMaxWarnings) return;
    out_.warnings.push_back(
        absl::StrCat(Printable(field, 200), " is left out: ", why));
  }
  // Members that have no effect.
  void LeaveOut(Fields& fields, std::initializer_list<const char*> names,
                absl::string_view why) {
    for (const char* name : names) {
      if (fields.Has(name)) Warn(fields.Path(name), why);
    }
  }
  // Security would be missing where it is asked for.
  void RefuseSecurity(Fields& fields) {
    const Json* security = fields.Get("security");
    if (security == nullptr || (security->is_array() && security->empty())) {
      return;
    }
    violations_.Add(fields.Path("security"), Reason::kNotSupported,
                    "is not supported: clients are known by their "
                    "certificates; there are no keys and authorizers");
  }
  // Other vendors' extensions mean nothing here, Amazon's do.
  void RefuseExtensions(Fields& fields, const Json& object) {
    for (const auto& [name, value] : object.items()) {
      if (!absl::StartsWith(name, "x-")) continue;
      const bool known = name == kIntegration || name == kAnyMethod ||
                         name == kEndpoint || name == kMediaTypes;
      fields.Get(name);
      if (known || !absl::StartsWith(name, kExtension)) continue;
      if (name == "x-amazon-apigateway-documentation") {
        Warn(fields.Path(name), "documentation is not kept");
      } else if (name == "x-amazon-apigateway-auth" &&
                 value == Json{{"type", "NONE"}}) {
        // As it is.
      } else if (name != "x-amazon-apigateway-api-key-source" ||
                 value != "HEADER") {
        violations_.Add(fields.Path(name), Reason::kNotSupported,
                        "is not supported");
      }
    }
  }
  void ReadPath(const std::string& path, const Json& object);
  void ReadOperation(const std::string& path, const char* method,
                     const std::string& where, const Json& object,
                     const Json* shared);
  void ReadParameters(const Json& list, const std::string& where, Json& to);
  Json ReadResponses(const Json& object, const std::string& where);

  ApiDefinition& out_;
  Violations& violations_;
};

void Reader::Read(const Json& document) {
  Fields fields(document, "", violations_);
  if (fields.Has("swagger")) {
    violations_.Add("swagger", Reason::kNotSupported,
                    "is not supported; convert the definition to OpenAPI 3.0");
    return;
  }
  const std::string version = fields.Required("openapi");
  if (!version.empty() && !absl::StartsWith(version, "3.0.")) {
    violations_.Add("openapi", Reason::kNotSupported,
                    "is not supported with other values than 3.0.x");
  }
  if (const Json* info = fields.Get("info")) {
    Fields inner(*info, "info", violations_);
    out_.name = inner.Required("title");
    out_.version = inner.String("version").value_or("");
    out_.description = inner.String("description").value_or("");
    for (const char* name :
         {"termsOfService", "contact", "license", "summary"}) {
      inner.Get(name);
    }
    if (info->is_object()) RefuseExtensions(inner, *info);
    inner.Finish();
  } else {
    violations_.Add("info", Reason::kFieldRequired, "is missing");
  }
  // What is only for people and tools, as at Amazon's. The base path of
  // servers is that of mappings.
  for (const char* name : {"servers", "tags", "externalDocs"}) {
    fields.Get(name);
  }
  RefuseSecurity(fields);
  LeaveOut(fields, {"components"}, "models are not kept");
  if (fields.Has(kMediaTypes)) {
    out_.binary_media_types = fields.Strings(kMediaTypes);
  }
  if (const Json* endpoint = fields.Get(kEndpoint)) {
    Fields inner(*endpoint, kEndpoint, violations_);
    out_.disable_default_endpoint = inner.Bool("disableExecuteApiEndpoint");
    inner.Refuse("vpcEndpointIds", "there are no VPC endpoints");
    inner.Get("types");
    inner.Finish();
  }
  if (document.is_object()) RefuseExtensions(fields, document);
  const Json* paths = fields.Get("paths");
  fields.Finish();
  if (paths == nullptr || !paths->is_object()) {
    violations_.Add("paths", Reason::kFieldRequired, "is no object");
    return;
  }
  for (const auto& [path, object] : paths->items()) {
    if (absl::StartsWith(path, "x-")) continue;
    ReadPath(path, object);
    // Before much work is done on them.
    if (out_.methods.size() > domain::kMaxDraftMethods) {
      violations_.Add(
          "paths", Reason::kTooManyEntries,
          absl::StrCat("has more than ", domain::kMaxDraftMethods, " methods"));
      return;
    }
  }
}

void Reader::ReadPath(const std::string& path, const Json& object) {
  const std::string where = domain::Entry("paths", path);
  Fields fields(object, where, violations_);
  if (!object.is_object()) return;
  const auto parsed = domain::PathTemplate::Parse(path);
  if (!parsed.ok()) {
    violations_.Add(where, Reason::kPathTemplateInvalid,
                    parsed.status().message());
    return;
  }
  fields.Refuse("$ref", "write the path item itself");
  fields.Get("summary");
  fields.Get("description");
  LeaveOut(fields, {"servers"}, "an integration names its backend");
  const Json* shared = fields.Get("parameters");
  RefuseExtensions(fields, object);
  for (const MethodRow& row : kMethods) {
    const Json* operation = fields.Get(row.key);
    if (operation == nullptr) continue;
    ReadOperation(path, row.method, fields.Path(row.key), *operation, shared);
  }
  fields.Finish();
  out_.paths.push_back(path);
}

void Reader::ReadOperation(const std::string& path, const char* method,
                           const std::string& where, const Json& object,
                           const Json* shared) {
  Fields fields(object, where, violations_);
  if (!object.is_object()) return;
  ApiDefinition::Method made;
  made.kept = {{"authorizationType", "NONE"}, {"apiKeyRequired", false}};
  if (const auto name = fields.String("operationId")) {
    made.kept["operationName"] = *name;
  }
  for (const char* name :
       {"summary", "description", "tags", "externalDocs", "deprecated"}) {
    fields.Get(name);
  }
  LeaveOut(fields, {"requestBody"}, "bodies are not validated");
  LeaveOut(fields, {"servers"}, "an integration names its backend");
  LeaveOut(fields, {"callbacks"}, "they have no effect");
  RefuseSecurity(fields);
  Json parameters = Json::object();
  if (shared != nullptr) {
    ReadParameters(*shared, domain::Entry("paths", path), parameters);
  }
  if (const Json* own = fields.Get("parameters")) {
    ReadParameters(*own, where, parameters);
  }
  if (!parameters.empty()) {
    made.kept["requestParameters"] = std::move(parameters);
  }
  if (const Json* responses = fields.Get("responses")) {
    Json read = ReadResponses(*responses, fields.Path("responses"));
    if (!read.empty()) made.kept["methodResponses"] = std::move(read);
  }
  if (const Json* integration = fields.Get(kIntegration)) {
    Fields inner(*integration, fields.Path(kIntegration), violations_);
    made.integration = ReadIntegration(inner, /*of_openapi=*/true, violations_);
    inner.Finish();
  }
  RefuseExtensions(fields, object);
  fields.Finish();
  out_.methods[{path, method}] = std::move(made);
}

// [{"name": "id", "in": "path", "required": true}].
void Reader::ReadParameters(const Json& list, const std::string& where,
                            Json& to) {
  const std::string field = domain::Field(where, "parameters");
  if (!list.is_array()) {
    violations_.Add(field, Reason::kFieldMalformed, "is not a list");
    return;
  }
  for (size_t i = 0; i < list.size(); ++i) {
    Fields parameter(list[i], domain::Element(field, i), violations_);
    if (parameter.Has("$ref")) {
      Warn(parameter.Path("$ref"), "parameters are not required of requests");
      continue;
    }
    const std::string name = parameter.Required("name");
    const std::string in = parameter.Required("in");
    const bool required = parameter.Bool("required").value_or(false);
    const std::string place = in == "query" ? "querystring" : in;
    // Amazon's has no word for cookies.
    if (place != "path" && place != "header" && place != "querystring") {
      Warn(parameter.Path("in"), "such parameters cannot be named");
      continue;
    }
    to[absl::StrCat("method.request.", place, ".", name)] = required;
  }
}

Json Reader::ReadResponses(const Json& object, const std::string& where) {
  Json out = Json::object();
  if (!object.is_object()) {
    violations_.Add(where, Reason::kFieldMalformed, "is no object");
    return out;
  }
  for (const auto& [status, response] : object.items()) {
    if (absl::StartsWith(status, "x-")) continue;
    if (status.size() != 3 || !absl::ascii_isdigit(status[0]) ||
        !absl::ascii_isdigit(status[1]) || !absl::ascii_isdigit(status[2])) {
      Warn(domain::Entry(where, status), "it is no status code");
      continue;
    }
    Json made = Json::object();
    if (response.is_object() && response.contains("headers") &&
        response["headers"].is_object()) {
      for (const auto& [name, header] : response["headers"].items()) {
        made["responseParameters"]
            [absl::StrCat("method.response.header.", name)] = false;
      }
    }
    out[status] = std::move(made);
  }
  return out;
}

}  // namespace

ApiDefinition ReadOpenApi(const Json& document, Violations& violations) {
  ApiDefinition out;
  Reader(out, violations).Read(document);
  return out;
}

Json WriteOpenApi(const domain::Api& api, const std::string& version,
                  const domain::Deployment& deployment,
                  bool with_integrations) {
  Json paths = Json::object();
  for (const domain::Route& route : deployment.routes) {
    Json operation = {
        {"responses", {{"default", {{"description", "Any answer."}}}}}};
    const auto path = domain::PathTemplate::Parse(route.path);
    if (path.ok()) {
      for (const std::string& name : path->Parameters()) {
        operation["parameters"].push_back({{"name", name},
                                           {"in", "path"},
                                           {"required", true},
                                           {"schema", {{"type", "string"}}}});
      }
    }
    if (with_integrations) {
      const MethodIntegration integration = FromKept(Json(), route);
      Json written = ToJson(integration, "");
      Json responses = Json::object();
      for (const auto& [status, response] : integration.responses) {
        Json one = ToJson(status, response);
        one.erase("selectionPattern");
        responses[response.selection_pattern.empty()
                      ? "default"
                      : response.selection_pattern] = std::move(one);
      }
      for (const char* name :
           {"cacheNamespace", "cacheKeyParameters", "integrationResponses"}) {
        written.erase(name);
      }
      if (!responses.empty()) written["responses"] = std::move(responses);
      written["type"] = absl::AsciiStrToLower(integration.type);
      written["passthroughBehavior"] =
          absl::AsciiStrToLower(integration.passthrough_behavior);
      operation[kIntegration] = std::move(written);
    }
    const std::string key = route.method == "ANY"
                                ? std::string(kAnyMethod)
                                : absl::AsciiStrToLower(route.method);
    paths[route.path][key] = std::move(operation);
  }
  Json info = {
      {"title", api.display_name.empty() ? api.name.id() : api.display_name},
      {"version", version}};
  if (!api.metadata.description.empty()) {
    info["description"] = api.metadata.description;
  }
  return {{"openapi", "3.0.1"},
          {"info", std::move(info)},
          {"paths", std::move(paths)}};
}

}  // namespace sallyport::aws
