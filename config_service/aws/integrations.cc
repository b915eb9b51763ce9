#include "config_service/aws/integrations.h"

#include <algorithm>
#include <optional>
#include <set>
#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/text.h"

namespace sallyport::aws {
namespace {

using domain::HttpIntegration;
using domain::HttpProxyIntegration;
using domain::MockIntegration;
using domain::Reason;
using domain::Violations;

constexpr absl::string_view kToPath = "integration.request.path.";
constexpr absl::string_view kFromPath = "method.request.path.";
constexpr absl::string_view kToHeader = "method.response.header.";
constexpr char kJsonType[] = "application/json";
constexpr char kNoMatch[] = "WHEN_NO_MATCH";
constexpr char kAny[] = "ANY";
constexpr char kMock[] = "MOCK";
constexpr char kHttp[] = "HTTP";
constexpr char kHttpProxy[] = "HTTP_PROXY";
constexpr int kOk = 200;

void NotSupported(absl::string_view field, absl::string_view why,
                  Violations& violations) {
  violations.Add(field, Reason::kNotSupported,
                 absl::StrCat("is not supported: ", why));
}

// An object of strings, of which null is an empty one: how Amazon's documents
// write a body that goes on as it is.
std::map<std::string, std::string> Templates(Fields& fields,
                                             const std::string& name,
                                             Violations& violations) {
  std::map<std::string, std::string> out;
  const Json* value = fields.Get(name);
  if (value == nullptr) return out;
  if (!value->is_object()) {
    violations.Add(fields.Path(name), Reason::kFieldMalformed,
                   "is no object of strings");
    return out;
  }
  for (const auto& [key, text] : value->items()) {
    if (!text.is_string() && !text.is_null()) {
      violations.Add(fields.Path(name), Reason::kFieldMalformed,
                     "is no object of strings");
    } else {
      out[key] = text.is_null() ? "" : text.get<std::string>();
    }
  }
  return out;
}

bool IsStatusCode(absl::string_view text) {
  int code = 0;
  return text.size() == 3 && absl::SimpleAtoi(text, &code) && code >= 100;
}

// Whether a template is just text. Those of Amazon's are programs.
bool IsPlain(absl::string_view text) {
  return text.find_first_of("$#") == absl::string_view::npos;
}

// The status of a MOCK's request template: {"statusCode": 200}.
int MockStatus(const std::map<std::string, std::string>& templates,
               Violations& violations) {
  int status = kOk;
  for (const auto& [type, text] : templates) {
    const std::string field = domain::Entry("requestTemplates", type);
    if (type != kJsonType) {
      NotSupported(field,
                   "a mock's template is that of application/json, whatever "
                   "the request's type",
                   violations);
      continue;
    }
    const Json read = Json::parse(text, nullptr, /*allow_exceptions=*/false);
    if (!read.is_object() || read.size() != 1 || !read.contains("statusCode") ||
        !read["statusCode"].is_number_integer()) {
      NotSupported(
          field,
          "templates are not run; it can be {\"statusCode\": 200} with "
          "any status",
          violations);
      continue;
    }
    status = read["statusCode"].get<int>();
  }
  return status;
}

// The response of a MOCK for a status.
const std::pair<const std::string, MethodIntegration::Response>* Chosen(
    const MethodIntegration& integration, int status) {
  const std::pair<const std::string, MethodIntegration::Response>* out =
      nullptr;
  for (const auto& entry : integration.responses) {
    const std::string& pattern = entry.second.selection_pattern;
    if (pattern == absl::StrCat(status)) return &entry;
    if (pattern.empty()) out = &entry;
  }
  return out;
}

MockIntegration ToMock(const MethodIntegration& integration,
                       Violations& violations) {
  MockIntegration out;
  out.status = MockStatus(integration.request_templates, violations);
  const auto* response = Chosen(integration, out.status);
  if (response == nullptr) return out;
  if (!absl::SimpleAtoi(response->first, &out.status)) out.status = kOk;
  for (const auto& [type, text] : response->second.templates) {
    if (text.empty()) continue;
    out.body = text;
    out.headers["Content-Type"] = type;
  }
  for (const auto& [to, from] : response->second.parameters) {
    absl::string_view name = to;
    absl::string_view value = from;
    absl::ConsumePrefix(&name, kToHeader);
    absl::ConsumePrefix(&value, "'");
    absl::ConsumeSuffix(&value, "'");
    // One name, whatever its case.
    for (auto it = out.headers.begin(); it != out.headers.end();) {
      it = absl::EqualsIgnoreCase(it->first, name) ? out.headers.erase(it)
                                                   : std::next(it);
    }
    out.headers[std::string(name)] = std::string(value);
  }
  return out;
}

// Name in the URI -> parameter of the path, without those that are the same.
std::map<std::string, std::string> PathParameters(
    const MethodIntegration& integration) {
  std::map<std::string, std::string> out;
  for (const auto& [to, from] : integration.request_parameters) {
    absl::string_view name = to;
    absl::string_view value = from;
    if (absl::ConsumePrefix(&name, kToPath) &&
        absl::ConsumePrefix(&value, kFromPath) && name != value) {
      out.emplace(name, value);
    }
  }
  return out;
}

const domain::BackendTls* TlsOf(const domain::Integration& integration) {
  if (const auto* proxy = std::get_if<HttpProxyIntegration>(&integration)) {
    return &proxy->tls;
  }
  if (const auto* http = std::get_if<HttpIntegration>(&integration)) {
    return &http->tls;
  }
  return nullptr;
}

// Whether both do the same, but for what FromKept() takes from the route.
bool AreLike(const domain::Integration& a, const domain::Integration& b) {
  if (a.index() != b.index()) return false;
  if (const auto* mock = std::get_if<MockIntegration>(&a)) {
    const auto& other = std::get<MockIntegration>(b);
    return mock->status == other.status && mock->headers == other.headers &&
           mock->body == other.body;
  }
  if (const auto* http = std::get_if<HttpIntegration>(&a)) {
    const auto& other = std::get<HttpIntegration>(b);
    return http->method == other.method &&
           http->path_parameters == other.path_parameters;
  }
  return true;
}

MethodIntegration FromRoute(const domain::Route& route) {
  MethodIntegration out;
  out.passthrough_behavior = kNoMatch;
  out.http_method = route.method;
  if (const auto* proxy =
          std::get_if<HttpProxyIntegration>(&route.integration)) {
    out.type = kHttpProxy;
    out.uri = proxy->uri;
    out.timeout = proxy->timeout;
    out.insecure_skip_verification = proxy->tls.insecure_skip_verification;
  } else if (const auto* http =
                 std::get_if<HttpIntegration>(&route.integration)) {
    out.type = kHttp;
    out.uri = http->uri;
    out.timeout = http->timeout;
    out.insecure_skip_verification = http->tls.insecure_skip_verification;
    if (!http->method.empty()) out.http_method = http->method;
    for (const auto& [name, parameter] : http->path_parameters) {
      out.request_parameters[absl::StrCat(kToPath, name)] =
          absl::StrCat(kFromPath, parameter);
    }
  } else if (const auto* mock =
                 std::get_if<MockIntegration>(&route.integration)) {
    out.type = kMock;
    out.http_method.clear();
    const std::string status = absl::StrCat(mock->status);
    out.request_templates[kJsonType] =
        absl::StrCat("{\"statusCode\": ", status, "}");
    MethodIntegration::Response& response = out.responses[status];
    std::string type = kJsonType;
    for (const auto& [name, value] : mock->headers) {
      if (absl::EqualsIgnoreCase(name, "content-type") && !mock->body.empty()) {
        type = value;
      } else {
        response.parameters[absl::StrCat(kToHeader, name)] =
            absl::StrCat("'", value, "'");
      }
    }
    if (!mock->body.empty()) response.templates[type] = mock->body;
  }
  return out;
}

Json StringsJson(const std::map<std::string, std::string>& map) {
  Json out = Json::object();
  for (const auto& [key, value] : map) out[key] = value;
  return out;
}

std::map<std::string, std::string> StringsOf(const Json& object,
                                             const char* name) {
  std::map<std::string, std::string> out;
  if (!object.contains(name) || !object[name].is_object()) return out;
  for (const auto& [key, value] : object[name].items()) {
    if (value.is_string()) out[key] = value.get<std::string>();
  }
  return out;
}

std::string TextOf(const Json& object, const char* name) {
  return object.contains(name) && object[name].is_string()
             ? object[name].get<std::string>()
             : "";
}

void CheckRequestParameters(const std::map<std::string, std::string>& all,
                            const std::string& field, bool mock,
                            Violations& violations) {
  for (const auto& [to, from] : all) {
    const std::string entry = domain::Entry(field, to);
    if (mock) {
      NotSupported(entry, "a mock has no request", violations);
    } else if (!absl::StartsWith(to, kToPath)) {
      NotSupported(entry,
                   "headers and query go on as they are; only "
                   "integration.request.path.NAME can be set",
                   violations);
    } else if (!absl::StartsWith(from, kFromPath)) {
      NotSupported(entry, "its value can be method.request.path.NAME alone",
                   violations);
    }
  }
}

}  // namespace

MethodIntegration::Response ReadIntegrationResponse(Fields& fields,
                                                    absl::string_view type,
                                                    Violations& violations) {
  MethodIntegration::Response out;
  const bool mock = type == kMock;
  out.selection_pattern = fields.String("selectionPattern").value_or("");
  out.parameters = fields.StringMap("responseParameters");
  out.templates = Templates(fields, "responseTemplates", violations);
  fields.Refuse("contentHandling", "bodies go on as they are");
  fields.Finish();
  if (!out.selection_pattern.empty() &&
      (!mock || !IsStatusCode(out.selection_pattern))) {
    NotSupported(fields.Path("selectionPattern"),
                 mock ? "it can be one status, like 404"
                      : "a backend's answer goes back as it is",
                 violations);
  }
  for (const auto& [to, from] : out.parameters) {
    const std::string entry =
        domain::Entry(fields.Path("responseParameters"), to);
    if (!mock) {
      NotSupported(entry, "a backend's answer goes back as it is", violations);
    } else if (!absl::StartsWith(to, kToHeader) || from.size() < 2 ||
               from.front() != '\'' || from.back() != '\'') {
      NotSupported(entry,
                   "it can be method.response.header.NAME, and its value a "
                   "text in single quotes",
                   violations);
    }
  }
  size_t bodies = 0;
  for (const auto& [content_type, text] : out.templates) {
    const std::string entry =
        domain::Entry(fields.Path("responseTemplates"), content_type);
    bodies += text.empty() ? 0 : 1;
    if (!text.empty() && !mock) {
      NotSupported(entry, "a backend's answer goes back as it is", violations);
    } else if (!IsPlain(text)) {
      NotSupported(entry, "templates are not run; give a text without $ and #",
                   violations);
    } else if (bodies > 1) {
      NotSupported(entry, "a mock has one body, whatever the request accepts",
                   violations);
    }
  }
  return out;
}

MethodIntegration ReadIntegration(Fields& fields, bool of_openapi,
                                  Violations& violations) {
  MethodIntegration out;
  out.type = fields.Required("type");
  if (of_openapi) out.type = absl::AsciiStrToUpper(out.type);
  const bool mock = out.type == kMock;
  if (!out.type.empty() && !mock && out.type != kHttp &&
      out.type != kHttpProxy) {
    NotSupported(fields.Path("type"),
                 absl::StrCat(Printable(out.type, 32),
                              " integrations cannot be served yet; use HTTP, "
                              "HTTP_PROXY or MOCK"),
                 violations);
  }
  if (mock) {
    fields.Get("httpMethod");
    fields.Get("uri");
  } else {
    out.http_method = fields.Required("httpMethod");
    out.uri = fields.Required("uri");
  }
  fields.RefuseUnless("connectionType", "INTERNET",
                      "nodes reach backends over the network that they are in");
  fields.Refuse("connectionId",
                "nodes reach backends over the network that they are in");
  fields.Refuse("credentials", "no AWS service is called");
  fields.Refuse("contentHandling", "bodies go on as they are");
  fields.Refuse("integrationTarget", "there are no VPC links");
  fields.RefuseUnless("responseTransferMode", "BUFFERED",
                      "how an answer travels is the nodes' matter");
  // Of a cache, which there is none of.
  fields.Get("cacheNamespace");
  if (!fields.Strings("cacheKeyParameters").empty()) {
    NotSupported(fields.Path("cacheKeyParameters"), "answers are not cached",
                 violations);
  }
  out.request_parameters = fields.StringMap("requestParameters");
  CheckRequestParameters(out.request_parameters,
                         fields.Path("requestParameters"), mock, violations);
  out.request_templates = Templates(fields, "requestTemplates", violations);
  if (mock) {
    Violations found;
    MockStatus(out.request_templates, found);
    for (const domain::FieldViolation& violation : found.list()) {
      violations.Add(fields.Path(violation.field), violation.reason,
                     violation.description);
    }
  } else {
    for (const auto& [type, text] : out.request_templates) {
      if (text.empty()) continue;
      NotSupported(domain::Entry(fields.Path("requestTemplates"), type),
                   "templates are not run; a body goes on as it is",
                   violations);
    }
  }
  out.passthrough_behavior =
      absl::AsciiStrToUpper(fields.String("passthroughBehavior").value_or(""));
  if (out.passthrough_behavior.empty()) out.passthrough_behavior = kNoMatch;
  const bool passes = out.passthrough_behavior == kNoMatch ||
                      out.passthrough_behavior == "WHEN_NO_TEMPLATES";
  // Without templates both pass all bodies on. A mock reads none.
  if (!passes && !(mock && out.passthrough_behavior == "NEVER")) {
    NotSupported(fields.Path("passthroughBehavior"),
                 "bodies of all types go on; it can be WHEN_NO_MATCH or "
                 "WHEN_NO_TEMPLATES",
                 violations);
  }
  if (const auto timeout = fields.Integer("timeoutInMillis")) {
    out.timeout = absl::Milliseconds(*timeout);
  }
  if (const Json* tls = fields.Get("tlsConfig")) {
    Fields inner(*tls, fields.Path("tlsConfig"), violations);
    out.insecure_skip_verification =
        inner.Bool("insecureSkipVerification").value_or(false);
    inner.Finish();
  }
  if (of_openapi) {
    // Of events for functions.
    fields.Get("payloadFormatVersion");
    const Json* responses = fields.Get("responses");
    const std::string field = fields.Path("responses");
    if (responses != nullptr && !responses->is_object()) {
      violations.Add(field, Reason::kFieldMalformed, "is no object");
    } else if (responses != nullptr) {
      for (const auto& [pattern, object] : responses->items()) {
        const std::string entry = domain::Entry(field, pattern);
        Json response = object;
        if (response.is_object() && pattern != "default") {
          response["selectionPattern"] = pattern;
        }
        Fields inner(response, entry, violations);
        const std::string status = inner.Required("statusCode");
        MethodIntegration::Response read =
            ReadIntegrationResponse(inner, out.type, violations);
        if (!status.empty() && !IsStatusCode(status)) {
          violations.Add(inner.Path("statusCode"), Reason::kFieldMalformed,
                         "is no status code");
        } else if (!out.responses.emplace(status, std::move(read)).second) {
          NotSupported(entry, "there is a response with that statusCode",
                       violations);
        }
      }
    }
  }
  return out;
}

domain::Integration ToDomain(const MethodIntegration& integration,
                             absl::string_view method,
                             const domain::Integration& before,
                             Violations& violations) {
  if (integration.type == kMock) return ToMock(integration, violations);
  domain::BackendTls tls;
  if (const domain::BackendTls* kept = TlsOf(before)) tls = *kept;
  tls.insecure_skip_verification = integration.insecure_skip_verification;
  if (!absl::StartsWithIgnoreCase(integration.uri, "https:")) {
    tls = domain::BackendTls();
    tls.insecure_skip_verification = integration.insecure_skip_verification;
  } else if (tls.insecure_skip_verification) {
    // Without verification it would count for nothing.
    tls.truststore = domain::TruststoreName();
  }
  const std::map<std::string, std::string> parameters =
      PathParameters(integration);
  // The client's own, whatever that is.
  const bool same_method = integration.http_method == method;
  if (!same_method && integration.http_method == kAny) {
    violations.Add("httpMethod", Reason::kFieldMalformed,
                   "is ANY, which only a method ANY can pass on");
  }
  if (integration.type == kHttpProxy && same_method && parameters.empty()) {
    HttpProxyIntegration out;
    out.uri = integration.uri;
    out.timeout = integration.timeout;
    out.tls = tls;
    return out;
  }
  HttpIntegration out;
  out.uri = integration.uri;
  out.timeout = integration.timeout;
  out.tls = tls;
  out.path_parameters = parameters;
  if (!same_method) out.method = integration.http_method;
  return out;
}

Json KeptJson(const MethodIntegration& integration) {
  Json responses = Json::object();
  for (const auto& [status, response] : integration.responses) {
    responses[status] = {
        {"selectionPattern", response.selection_pattern},
        {"responseParameters", StringsJson(response.parameters)},
        {"responseTemplates", StringsJson(response.templates)}};
  }
  return {{"type", integration.type},
          {"httpMethod", integration.http_method},
          {"requestParameters", StringsJson(integration.request_parameters)},
          {"requestTemplates", StringsJson(integration.request_templates)},
          {"passthroughBehavior", integration.passthrough_behavior},
          {"integrationResponses", std::move(responses)}};
}

MethodIntegration FromKept(const Json& kept, const domain::Route& route) {
  MethodIntegration out = FromRoute(route);
  if (!kept.is_object()) return out;
  MethodIntegration read = out;
  read.type = TextOf(kept, "type");
  read.http_method = TextOf(kept, "httpMethod");
  read.passthrough_behavior = TextOf(kept, "passthroughBehavior");
  read.request_parameters = StringsOf(kept, "requestParameters");
  read.request_templates = StringsOf(kept, "requestTemplates");
  read.responses.clear();
  if (kept.contains("integrationResponses")) {
    for (const auto& [status, object] : kept["integrationResponses"].items()) {
      MethodIntegration::Response& response = read.responses[status];
      response.selection_pattern = TextOf(object, "selectionPattern");
      response.parameters = StringsOf(object, "responseParameters");
      response.templates = StringsOf(object, "responseTemplates");
    }
  }
  Violations violations;
  const domain::Integration made =
      ToDomain(read, route.method, route.integration, violations);
  return violations.empty() && AreLike(made, route.integration) ? read : out;
}

Json ToJson(const std::string& status_code,
            const MethodIntegration::Response& response) {
  Json out = {{"statusCode", status_code}};
  if (!response.selection_pattern.empty()) {
    out["selectionPattern"] = response.selection_pattern;
  }
  if (!response.parameters.empty()) {
    out["responseParameters"] = StringsJson(response.parameters);
  }
  if (!response.templates.empty()) {
    Json templates = Json::object();
    for (const auto& [type, text] : response.templates) {
      templates[type] = text.empty() ? Json() : Json(text);
    }
    out["responseTemplates"] = std::move(templates);
  }
  return out;
}

Json ToJson(const MethodIntegration& integration,
            absl::string_view cache_namespace) {
  Json out = {
      {"type", integration.type},
      {"passthroughBehavior", integration.passthrough_behavior},
      {"timeoutInMillis", absl::ToInt64Milliseconds(integration.timeout)},
      {"cacheNamespace", std::string(cache_namespace)},
      {"cacheKeyParameters", Json::array()},
  };
  if (integration.type != kMock) {
    out["httpMethod"] = integration.http_method;
    out["uri"] = integration.uri;
    out["connectionType"] = "INTERNET";
  }
  if (!integration.request_parameters.empty()) {
    out["requestParameters"] = StringsJson(integration.request_parameters);
  }
  if (!integration.request_templates.empty()) {
    out["requestTemplates"] = StringsJson(integration.request_templates);
  }
  if (integration.insecure_skip_verification) {
    out["tlsConfig"] = {{"insecureSkipVerification", true}};
  }
  if (!integration.responses.empty()) {
    Json responses = Json::object();
    for (const auto& [status, response] : integration.responses) {
      responses[status] = ToJson(status, response);
    }
    out["integrationResponses"] = std::move(responses);
  }
  return out;
}

}  // namespace sallyport::aws
