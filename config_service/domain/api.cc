#include "config_service/domain/api.h"

#include <arpa/inet.h>

#include <algorithm>
#include <set>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "settings/header_name.h"

namespace sallyport::domain {
namespace {

constexpr absl::string_view kMethods[] = {"GET",   "HEAD",   "POST",    "PUT",
                                          "PATCH", "DELETE", "OPTIONS", "ANY"};
constexpr absl::string_view kVariablePrefix = "stageVariables.";
constexpr int kMinMockStatus = 200;
constexpr int kMaxMockStatus = 599;

bool IsAlphanumeric(char c) {
  return absl::ascii_isalnum(static_cast<unsigned char>(c));
}

bool IsDigit(char c) {
  return absl::ascii_isdigit(static_cast<unsigned char>(c));
}

// Text of a path template's segment.
bool MayStandInSegment(char c) {
  return IsAlphanumeric(c) || absl::StrContains("._~!$&'()+,=:@-", c);
}

bool IsParameterName(absl::string_view name) {
  return !name.empty() && name.size() <= kMaxParameterLength &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return IsAlphanumeric(c) || c == '.' || c == '_' || c == '-';
         });
}

bool IsVariableName(absl::string_view name) {
  return !name.empty() && name.size() <= kMaxStageVariableNameLength &&
         std::all_of(name.begin(), name.end(),
                     [](char c) { return IsAlphanumeric(c) || c == '_'; });
}

bool MayStandInVariable(char c) {
  return IsAlphanumeric(c) || absl::StrContains("._~:/?#&=,-", c);
}

absl::Status Bad(absl::string_view what) {
  return absl::InvalidArgumentError(what);
}

void AddOnce(absl::string_view name, std::vector<std::string>& names) {
  if (std::find(names.begin(), names.end(), name) == names.end()) {
    names.emplace_back(name);
  }
}

// Splits an authority without variables into host (without brackets) and port
// ("" when there is none). False when it is none.
bool SplitAuthority(absl::string_view authority, absl::string_view& host,
                    absl::string_view& port) {
  port = "";
  bool has_port = false;
  if (absl::ConsumePrefix(&authority, "[")) {
    const size_t end = authority.find(']');
    if (end == absl::string_view::npos) return false;
    host = authority.substr(0, end);
    authority.remove_prefix(end + 1);
    in6_addr address;
    if (inet_pton(AF_INET6, std::string(host).c_str(), &address) != 1) {
      return false;
    }
    has_port = absl::ConsumePrefix(&authority, ":");
    if (!has_port && !authority.empty()) return false;
    port = authority;
  } else {
    const size_t colon = authority.find(':');
    host = authority.substr(0, colon);
    has_port = colon != absl::string_view::npos;
    if (has_port) port = authority.substr(colon + 1);
    if (host.empty() || host.size() > kMaxDomainLength) return false;
    for (const absl::string_view label :
         absl::StrSplit(absl::StripSuffix(host, "."), '.')) {
      if (label.empty() || label.size() > kMaxDomainLabelLength ||
          !std::all_of(label.begin(), label.end(), [](char c) {
            return IsAlphanumeric(c) || c == '-' || c == '_';
          })) {
        return false;
      }
    }
  }
  if (!has_port) return true;
  int number = 0;
  return !port.empty() && port.size() <= 5 &&
         std::all_of(port.begin(), port.end(), IsDigit) &&
         absl::SimpleAtoi(port, &number) && number > 0 && number <= 65535;
}

// Reads the `${stageVariables.NAME}` of `text` into `variables`, and, where
// `parameters` is not null, its `{NAME}`.
absl::Status ReadBraces(absl::string_view text,
                        std::vector<std::string>* parameters,
                        std::vector<std::string>& variables) {
  while (!text.empty()) {
    const size_t open = text.find_first_of("{}");
    if (open == absl::string_view::npos) break;
    const bool variable = open > 0 && text[open - 1] == '$';
    if (text[open] == '}') {
      return Bad("has a '}' without '{'");
    }
    const size_t close = text.find('}', open);
    if (close == absl::string_view::npos) {
      return Bad("has a '{' without '}'");
    }
    absl::string_view name = text.substr(open + 1, close - open - 1);
    text.remove_prefix(close + 1);
    if (variable) {
      if (!absl::ConsumePrefix(&name, kVariablePrefix) ||
          !IsVariableName(name)) {
        return Bad(
            "has a ${...} that is no ${stageVariables.NAME} with a NAME of "
            "[A-Za-z0-9_]");
      }
      AddOnce(name, variables);
    } else if (parameters == nullptr) {
      return Bad(
          "has a {NAME} outside of the path; only ${stageVariables.NAME} can "
          "stand there");
    } else if (!IsParameterName(name)) {
      return Bad(
          "has a {NAME} whose name is not 1 to 64 of [A-Za-z0-9._-] (a greedy "
          "parameter is written without its '+' here)");
    } else {
      AddOnce(name, *parameters);
    }
  }
  return absl::OkStatus();
}

// `text` with the variables replaced; the name of the first that is missing in
// `missing`.
std::string Substitute(absl::string_view text,
                       const std::map<std::string, std::string>& values,
                       std::string& missing) {
  const std::string start = absl::StrCat("${", kVariablePrefix);
  std::string out;
  while (true) {
    const size_t at = text.find(start);
    if (at == absl::string_view::npos) break;
    const size_t end = text.find('}', at);
    if (end == absl::string_view::npos) break;
    const std::string name(
        text.substr(at + start.size(), end - at - start.size()));
    const auto value = values.find(name);
    if (value == values.end() && missing.empty()) missing = name;
    absl::StrAppend(&out, text.substr(0, at),
                    value == values.end() ? "" : value->second);
    text.remove_prefix(end + 1);
  }
  absl::StrAppend(&out, text);
  return out;
}

// What may not stand in a URI as it is (RFC 3986, 2), apart from braces.
bool IsUriCharacter(char c) {
  return c > 0x20 && c < 0x7f && !absl::StrContains("\"<>\\^`|", c);
}

bool EscapesAreWhole(absl::string_view text) {
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') continue;
    if (i + 2 >= text.size() ||
        !absl::ascii_isxdigit(static_cast<unsigned char>(text[i + 1])) ||
        !absl::ascii_isxdigit(static_cast<unsigned char>(text[i + 2]))) {
      return false;
    }
  }
  return true;
}

void CheckTimeout(absl::string_view field, absl::Duration timeout,
                  Violations& violations) {
  if (timeout >= kMinIntegrationTimeout && timeout <= kMaxIntegrationTimeout) {
    return;
  }
  violations.Add(
      field, Reason::kFieldOutOfRange,
      absl::StrCat("is ", absl::FormatDuration(timeout), "; from ",
                   absl::FormatDuration(kMinIntegrationTimeout), " to ",
                   absl::FormatDuration(kMaxIntegrationTimeout)));
}

void CheckTls(absl::string_view field, const BackendTls& tls, bool uses_tls,
              Violations& violations) {
  const bool any = !tls.truststore.empty() || !tls.server_name.empty() ||
                   tls.insecure_skip_verification;
  if (any && !uses_tls) {
    violations.Add(field, Reason::kFieldsConflict,
                   "counts only with https; leave it out, or mend the uri");
  }
  if (!tls.truststore.empty() && tls.insecure_skip_verification) {
    violations.Add(Field(field, "insecure_skip_verification"),
                   Reason::kFieldsConflict,
                   "without verification a truststore counts for nothing; "
                   "leave out one of the two");
  }
  if (!tls.server_name.empty()) {
    const absl::Status name = CheckDomain(tls.server_name);
    if (!name.ok() || absl::StartsWith(tls.server_name, "*.")) {
      violations.Add(
          Field(field, "server_name"), Reason::kFieldMalformed,
          name.ok() ? "is a wildcard; give one host name" : name.message());
    }
  }
}

// The parameters of the route that the names in the URI take.
void CheckUri(absl::string_view field, absl::string_view uri,
              const std::optional<PathTemplate>& path,
              const std::map<std::string, std::string>* mapping,
              absl::string_view tls_field, const BackendTls& tls,
              Violations& violations) {
  if (uri.empty()) {
    violations.Add(field, Reason::kFieldRequired,
                   "is empty; give the backend's URI");
    return;
  }
  const absl::StatusOr<IntegrationUri> read = ParseIntegrationUri(uri);
  if (!read.ok()) {
    violations.Add(field, Reason::kIntegrationUriInvalid,
                   read.status().message());
    return;
  }
  CheckTls(tls_field, tls, read->tls, violations);
  if (!path.has_value()) return;
  const std::vector<std::string> known = path->Parameters();
  for (const std::string& name : read->parameters) {
    // One that is mapped is looked at with the mapping.
    if (mapping != nullptr && mapping->count(name) != 0) continue;
    if (std::find(known.begin(), known.end(), name) == known.end()) {
      violations.Add(field, Reason::kIntegrationParameterUnknown,
                     absl::StrCat("names the parameter {", name,
                                  "}, which the route's path does not have"));
    }
  }
}

void CheckPathParameters(const HttpIntegration& http,
                         const std::optional<PathTemplate>& path,
                         Violations& violations) {
  const absl::StatusOr<IntegrationUri> uri = ParseIntegrationUri(http.uri);
  for (const auto& [name, parameter] : http.path_parameters) {
    const std::string entry = Entry("http.path_parameters", name);
    if (!IsParameterName(name)) {
      violations.Add(entry, Reason::kKeyMalformed,
                     "its name is not 1 to 64 of [A-Za-z0-9._-]");
    } else if (uri.ok() &&
               std::find(uri->parameters.begin(), uri->parameters.end(),
                         name) == uri->parameters.end()) {
      violations.Add(entry, Reason::kIntegrationParameterUnknown,
                     "is no parameter of the integration's uri");
    }
    if (!path.has_value()) continue;
    const std::vector<std::string> known = path->Parameters();
    if (std::find(known.begin(), known.end(), parameter) == known.end()) {
      violations.Add(entry, Reason::kIntegrationParameterUnknown,
                     "names a parameter that the route's path does not have");
    }
  }
}

void CheckMock(const MockIntegration& mock, Violations& violations) {
  if (mock.status < kMinMockStatus || mock.status > kMaxMockStatus) {
    violations.Add("mock.status", Reason::kFieldOutOfRange,
                   absl::StrCat("is ", mock.status, "; ", kMinMockStatus,
                                " to ", kMaxMockStatus));
  }
  if (mock.body.size() > kMaxMockBodyBytes) {
    violations.Add("mock.body", Reason::kFieldOutOfRange,
                   absl::StrCat("has ", mock.body.size(), " bytes; at most ",
                                kMaxMockBodyBytes));
  }
  if (mock.headers.size() > kMaxMockHeaders) {
    violations.Add("mock.headers", Reason::kTooManyEntries,
                   absl::StrCat("has ", mock.headers.size(),
                                " entries; at most ", kMaxMockHeaders));
  }
  for (const auto& [name, value] : mock.headers) {
    const std::string entry = Entry("mock.headers", name);
    const absl::string_view problem = settings::RemovableHeaderProblem(name);
    // What frames the answer is the proxy's; its type is not.
    if (!problem.empty() && !absl::EqualsIgnoreCase(name, "content-type")) {
      violations.Add(entry, Reason::kKeyMalformed,
                     absl::StrCat("its name ", problem));
    }
    if (name.size() > kMaxMockHeaderBytes ||
        value.size() > kMaxMockHeaderBytes) {
      violations.Add(entry, Reason::kFieldOutOfRange,
                     absl::StrCat("has a name or value of more than ",
                                  kMaxMockHeaderBytes, " bytes"));
    }
    if (!std::all_of(value.begin(), value.end(), [](char c) {
          return (c >= 0x20 && c < 0x7f) || c == '\t';
        })) {
      violations.Add(entry, Reason::kFieldMalformed,
                     "its value has a character that is not printable ASCII");
    }
  }
}

}  // namespace

void Validate(const Api& api, Violations& violations) {
  Validate(api.metadata, violations);
  CheckText("display_name", api.display_name, kMaxDisplayNameLength,
            violations);
}

absl::StatusOr<PathTemplate> PathTemplate::Parse(absl::string_view path) {
  PathTemplate out;
  if (path.empty() || path.front() != '/') {
    return Bad("does not begin with '/'; give a path such as /customer/{id}");
  }
  if (path.size() > kMaxPathTemplateLength) {
    return Bad(absl::StrCat("has ", path.size(), " bytes; at most ",
                            kMaxPathTemplateLength));
  }
  if (path == "/") return out;
  if (path.back() == '/') return Bad("ends with '/'; leave it out");
  for (const absl::string_view text : absl::StrSplit(path.substr(1), '/')) {
    if (out.segments_.size() == kMaxPathTemplateSegments) {
      return Bad(absl::StrCat("has more than ", kMaxPathTemplateSegments,
                              " segments"));
    }
    if (!out.segments_.empty() &&
        out.segments_.back().kind == Segment::Kind::kGreedy) {
      return Bad("has something after a greedy parameter; make that the last");
    }
    if (text.empty()) {
      return Bad("has an empty segment; write one '/' in its place");
    }
    Segment segment;
    if (absl::StrContains(text, "{") || absl::StrContains(text, "}")) {
      absl::string_view name = text;
      if (!absl::ConsumePrefix(&name, "{") ||
          !absl::ConsumeSuffix(&name, "}")) {
        return Bad(
            "has a segment that is part text and part parameter; make each "
            "segment one of the two");
      }
      segment.kind = absl::ConsumeSuffix(&name, "+")
                         ? Segment::Kind::kGreedy
                         : Segment::Kind::kParameter;
      if (!IsParameterName(name)) {
        return Bad(
            "has a parameter whose name is not 1 to 64 of [A-Za-z0-9._-]");
      }
      for (const Segment& other : out.segments_) {
        if (other.kind != Segment::Kind::kText && other.text == name) {
          return Bad(absl::StrCat("has the parameter {", name, "} twice"));
        }
      }
      segment.text = std::string(name);
    } else {
      if (!std::all_of(text.begin(), text.end(), MayStandInSegment)) {
        return Bad(
            "has a character that is none of [A-Za-z0-9._~!$&'()+,=:@-] in its "
            "text");
      }
      if (text.back() == '.') {
        return Bad(
            "has a segment that ends in a dot, which readers of paths take for "
            "others; write it without");
      }
      segment.text = std::string(text);
    }
    out.segments_.push_back(std::move(segment));
  }
  return out;
}

std::vector<std::string> PathTemplate::Parameters() const {
  std::vector<std::string> names;
  for (const Segment& segment : segments_) {
    if (segment.kind != Segment::Kind::kText) names.push_back(segment.text);
  }
  return names;
}

std::string PathTemplate::Shape() const {
  if (segments_.empty()) return "/";
  std::string shape;
  for (const Segment& segment : segments_) {
    absl::StrAppend(&shape, "/",
                    segment.kind == Segment::Kind::kText        ? segment.text
                    : segment.kind == Segment::Kind::kParameter ? "{}"
                                                                : "{+}");
  }
  return shape;
}

bool PathTemplate::Before(const PathTemplate& other) const {
  const auto rank = [](const PathTemplate& path, size_t i) {
    if (i >= path.segments_.size()) return 3;
    switch (path.segments_[i].kind) {
      case Segment::Kind::kText:
        return 0;
      case Segment::Kind::kParameter:
        return 1;
      case Segment::Kind::kGreedy:
        return 2;
    }
    return 3;
  };
  const size_t longest = std::max(segments_.size(), other.segments_.size());
  for (size_t i = 0; i < longest; ++i) {
    const int mine = rank(*this, i);
    const int others = rank(other, i);
    if (mine != others) return mine < others;
  }
  return Shape() < other.Shape();
}

absl::StatusOr<IntegrationUri> ParseIntegrationUri(absl::string_view uri) {
  IntegrationUri out;
  if (uri.size() > kMaxIntegrationUriLength) {
    return Bad(absl::StrCat("has ", uri.size(), " bytes; at most ",
                            kMaxIntegrationUriLength));
  }
  if (!std::all_of(uri.begin(), uri.end(), IsUriCharacter)) {
    return Bad(
        "has a character that no URI has as it is; percent-encode it (RFC "
        "3986, "
        "2.1)");
  }
  if (absl::StartsWithIgnoreCase(uri, "https://")) {
    out.tls = true;
    uri.remove_prefix(8);
  } else if (absl::StartsWithIgnoreCase(uri, "http://")) {
    uri.remove_prefix(7);
  } else {
    return Bad("does not begin with http:// or https://");
  }
  if (absl::StrContains(uri, "#")) return Bad("has a fragment; leave it out");
  if (!EscapesAreWhole(uri)) {
    return Bad("has a '%' without two hexadecimal digits");
  }
  const size_t end = uri.find_first_of("/?");
  out.authority = std::string(uri.substr(0, end));
  if (end != absl::string_view::npos) out.path = std::string(uri.substr(end));
  if (absl::StrContains(out.authority, "@")) {
    return Bad("has a user name or password; leave it out");
  }
  const absl::Status in_authority =
      ReadBraces(out.authority, nullptr, out.variables);
  if (!in_authority.ok()) return in_authority;
  if (!out.path.empty() && out.path.front() == '?') {
    out.path.insert(0, "/");
  }
  const size_t query = std::min(out.path.find('?'), out.path.size());
  const absl::Status in_path =
      ReadBraces(absl::string_view(out.path).substr(0, query), &out.parameters,
                 out.variables);
  if (!in_path.ok()) return in_path;
  const absl::Status in_query = ReadBraces(
      absl::string_view(out.path).substr(query), nullptr, out.variables);
  if (!in_query.ok()) return in_query;
  absl::string_view host;
  absl::string_view port;
  if (!absl::StrContains(out.authority, "$") &&
      !SplitAuthority(out.authority, host, port)) {
    return Bad(
        "has no host that could be one, or a port that is not 1 to 65535");
  }
  return out;
}

absl::StatusOr<IntegrationUri> IntegrationUri::Resolve(
    const std::map<std::string, std::string>& values) const {
  IntegrationUri out = *this;
  std::string missing;
  out.authority = Substitute(authority, values, missing);
  out.path = Substitute(path, values, missing);
  out.variables.clear();
  if (!missing.empty()) {
    return Bad(absl::StrCat("names the stage variable ", missing,
                            ", which the stage does not have"));
  }
  absl::string_view host;
  absl::string_view port;
  if (!SplitAuthority(out.authority, host, port)) {
    return Bad(
        "has no host that could be one, or a bad port, with the stage's "
        "variables put in");
  }
  if (absl::StrContains(out.path, "#")) {
    return Bad("has a fragment with the stage's variables put in");
  }
  return out;
}

std::string IntegrationUri::Host() const {
  absl::string_view host;
  absl::string_view port;
  if (!SplitAuthority(authority, host, port)) return "";
  return std::string(host);
}

uint16_t IntegrationUri::Port() const {
  absl::string_view host;
  absl::string_view port;
  int number = 0;
  if (SplitAuthority(authority, host, port) &&
      absl::SimpleAtoi(port, &number)) {
    return static_cast<uint16_t>(number);
  }
  return tls ? 443 : 80;
}

std::optional<std::string> UriOf(const Integration& integration) {
  if (const auto* proxy = std::get_if<HttpProxyIntegration>(&integration)) {
    return proxy->uri;
  }
  if (const auto* http = std::get_if<HttpIntegration>(&integration)) {
    return http->uri;
  }
  return std::nullopt;
}

void Validate(const Route& route, Violations& violations) {
  if (route.method.empty()) {
    violations.Add("method", Reason::kFieldRequired,
                   "is empty; give a method such as GET, or ANY");
  } else if (std::find(std::begin(kMethods), std::end(kMethods),
                       route.method) == std::end(kMethods)) {
    violations.Add(
        "method", Reason::kFieldMalformed,
        "is none of GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS and "
        "ANY");
  }
  std::optional<PathTemplate> path;
  absl::StatusOr<PathTemplate> parsed = PathTemplate::Parse(route.path);
  if (parsed.ok()) {
    path = *std::move(parsed);
  } else {
    violations.Add("path", Reason::kPathTemplateInvalid,
                   parsed.status().message());
  }
  if (const auto* proxy =
          std::get_if<HttpProxyIntegration>(&route.integration)) {
    CheckUri("http_proxy.uri", proxy->uri, path, nullptr, "http_proxy.tls",
             proxy->tls, violations);
    CheckTimeout("http_proxy.timeout", proxy->timeout, violations);
  } else if (const auto* http =
                 std::get_if<HttpIntegration>(&route.integration)) {
    CheckUri("http.uri", http->uri, path, &http->path_parameters, "http.tls",
             http->tls, violations);
    CheckTimeout("http.timeout", http->timeout, violations);
    CheckPathParameters(*http, path, violations);
    // ANY is no method that a request can have.
    if (!http->method.empty() &&
        (http->method == "ANY" ||
         std::find(std::begin(kMethods), std::end(kMethods), http->method) ==
             std::end(kMethods))) {
      violations.Add("http.method", Reason::kFieldMalformed,
                     "is none of GET, HEAD, POST, PUT, PATCH, DELETE and "
                     "OPTIONS");
    }
  } else if (const auto* mock =
                 std::get_if<MockIntegration>(&route.integration)) {
    CheckMock(*mock, violations);
  } else {
    violations.Add("integration", Reason::kFieldRequired,
                   "is not set; give one of http_proxy, http and mock");
  }
}

std::vector<Warning> Warnings(const Route& route) {
  std::vector<Warning> warnings;
  const auto warn = [&](absl::string_view field, const BackendTls& tls) {
    if (!tls.insecure_skip_verification) return;
    Warning& warning = warnings.emplace_back();
    warning.reason = "BACKEND_NOT_VERIFIED";
    warning.field = std::string(field);
    warning.message =
        "the backend's certificate is not verified, so anybody between could "
        "be the backend; name a truststore";
  };
  if (const auto* proxy =
          std::get_if<HttpProxyIntegration>(&route.integration)) {
    warn("http_proxy.tls.insecure_skip_verification", proxy->tls);
  } else if (const auto* http =
                 std::get_if<HttpIntegration>(&route.integration)) {
    warn("http.tls.insecure_skip_verification", http->tls);
  }
  return warnings;
}

void Validate(const Stage& stage, Violations& violations) {
  Validate(stage.metadata, violations);
  if (!stage.deployment.empty() &&
      stage.deployment.parent() != stage.name.parent()) {
    violations.Add("deployment", Reason::kForeignDeployment,
                   "is a deployment of another API");
  }
  if (stage.variables.size() > kMaxStageVariables) {
    violations.Add("variables", Reason::kTooManyEntries,
                   absl::StrCat("has ", stage.variables.size(),
                                " entries; at most ", kMaxStageVariables));
  }
  for (const auto& [name, value] : stage.variables) {
    const std::string entry = Entry("variables", name);
    if (!IsVariableName(name)) {
      violations.Add(
          entry, Reason::kKeyMalformed,
          absl::StrCat("its name is not 1 to ", kMaxStageVariableNameLength,
                       " of [A-Za-z0-9_]"));
    }
    if (value.size() > kMaxStageVariableValueLength) {
      violations.Add(
          entry, Reason::kFieldOutOfRange,
          absl::StrCat("its value has ", value.size(), " characters; at most ",
                       kMaxStageVariableValueLength));
    } else if (!std::all_of(value.begin(), value.end(), MayStandInVariable)) {
      violations.Add(entry, Reason::kFieldMalformed,
                     "its value has a character that is none of "
                     "[A-Za-z0-9._~:/?#&=,-]");
    }
  }
}

void Validate(const Deployment& deployment, Violations& violations) {
  Validate(deployment.metadata, violations);
  if (deployment.routes.empty()) {
    violations.Add("routes", Reason::kNothingToDeploy,
                   "the API has no route; make one first");
  }
}

void ValidateDeployed(const Deployment& deployment, const Stage& stage,
                      const BackendPolicy* backends, Violations& violations) {
  for (const Route& route : deployment.routes) {
    const std::optional<std::string> text = UriOf(route.integration);
    if (!text.has_value()) continue;
    const absl::StatusOr<IntegrationUri> uri = ParseIntegrationUri(*text);
    const absl::StatusOr<IntegrationUri> resolved =
        uri.ok() ? uri->Resolve(stage.variables) : uri.status();
    const auto add = [&](Reason reason, absl::string_view what) {
      violations.Add("variables", reason,
                     absl::StrCat("the URI of ", route.name.ToString(), " (",
                                  route.method, " ", route.path, ") ", what));
    };
    if (!resolved.ok()) {
      add(Reason::kStageVariableMissing, resolved.status().message());
      continue;
    }
    if (backends == nullptr) continue;
    const std::string refused = RefusedBackend(resolved->Host(), *backends);
    if (!refused.empty()) add(Reason::kIntegrationUriInvalid, refused);
  }
}

}  // namespace sallyport::domain
