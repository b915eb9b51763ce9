#include "config_service/xds/translate/routes.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "config_service/xds/translate/access_log.h"
#include "config_service/xds/translate/clusters.h"
#include "config_service/xds/translate/pack.h"
#include "envoy/extensions/filters/http/dynamic_modules/v3/dynamic_modules.pb.h"

namespace sallyport::xds {
namespace {

namespace routes = ::envoy::config::route::v3;
using domain::PathTemplate;
using Segment = PathTemplate::Segment;

constexpr int kForbidden = 403;

void AddHeader(absl::string_view name, absl::string_view value,
               google::protobuf::RepeatedPtrField<
                   envoy::config::core::v3::HeaderValueOption>& headers) {
  auto& option = *headers.Add();
  option.mutable_header()->set_key(std::string(name));
  // '%' begins a command of Envoy's.
  std::string text;
  for (const char c : value) text.append(c == '%' ? 2 : 1, c);
  option.mutable_header()->set_value(text);
  option.set_append_action(
      envoy::config::core::v3::HeaderValueOption::OVERWRITE_IF_EXISTS_OR_ADD);
}

void Deny(Denial denial, routes::Route& route) {
  const bool token = denial == Denial::kMissingAuthenticationToken;
  routes::DirectResponseAction& answer = *route.mutable_direct_response();
  answer.set_status(kForbidden);
  answer.mutable_body()->set_inline_string(
      token ? R"({"message":"Missing Authentication Token"})"
            : R"({"message":"Forbidden"})");
  auto& headers = *route.mutable_response_headers_to_add();
  AddHeader("content-type", "application/json", headers);
  AddHeader(
      "x-amzn-errortype",
      token ? "MissingAuthenticationTokenException" : "ForbiddenException",
      headers);
}

// `text` as a regular expression (RE2) that matches it alone.
std::string Quoted(absl::string_view text) {
  std::string out;
  for (const char c : text) {
    if (!absl::ascii_isalnum(static_cast<unsigned char>(c)) && c != '_' &&
        c != '/' && static_cast<unsigned char>(c) < 0x80) {
      out += '\\';
    }
    out += c;
  }
  return out;
}

// A path of the API below a base path.
struct Place {
  std::string literal;  // without parameters
  std::string pattern;  // with: a regular expression
  // Captures of the pattern: \1 is the first.
  std::vector<std::string> captures;
};

// `captured`: the parameters that are needed.
Place PlaceOf(absl::string_view base_path, const PathTemplate& path,
              const std::set<std::string>& captured) {
  Place place;
  bool literal = true;
  const std::string base =
      base_path.empty() ? "" : absl::StrCat("/", base_path);
  place.literal = base;
  place.pattern = Quoted(base);
  for (const Segment& segment : path.segments()) {
    if (segment.kind == Segment::Kind::kText) {
      absl::StrAppend(&place.literal, "/", segment.text);
      absl::StrAppend(&place.pattern, "/", Quoted(segment.text));
      continue;
    }
    literal = false;
    const absl::string_view what =
        segment.kind == Segment::Kind::kGreedy ? ".+" : "[^/]+";
    if (captured.count(segment.text) == 0) {
      absl::StrAppend(&place.pattern, "/", what);
    } else {
      absl::StrAppend(&place.pattern, "/(", what, ")");
      place.captures.push_back(segment.text);
    }
  }
  if (path.segments().empty()) {
    // The root of the API: with the slash and, below a base path, without.
    if (base.empty()) {
      place.literal = "/";
    } else {
      literal = false;
      place.pattern += "/?";
    }
  }
  if (!literal) place.literal.clear();
  return place;
}

// What the access log says of requests that take the route.
void AddLogFields(const StageInput& stage, routes::Route& route) {
  if (stage.stage == nullptr) return;
  auto& fields =
      (*route.mutable_metadata()->mutable_filter_metadata())[kLogMetadata];
  (*fields.mutable_fields())[kLogStage].set_string_value(
      stage.stage->name.ToString());
}

void Match(const Place& place, routes::RouteMatch& match) {
  if (!place.literal.empty()) {
    match.set_path(place.literal);
  } else {
    match.mutable_safe_regex()->set_regex(place.pattern);
  }
}

void MatchMethod(absl::string_view method, routes::RouteMatch& match) {
  if (method == "ANY") return;
  auto& header = *match.add_headers();
  header.set_name(":method");
  header.mutable_string_match()->set_exact(std::string(method));
}

// RE2's rewriting: '\' is special.
std::string QuotedSubstitution(absl::string_view text) {
  std::string out;
  for (const char c : text) out.append(c == '\\' ? 2 : 1, c);
  return out;
}

// The path of the backend request: `path` of the integration with captures in
// the place of its parameters, `names` from them to parameters of the route.
// Empty: a parameter has no capture.
std::string Substitution(absl::string_view path,
                         const std::map<std::string, std::string>& names,
                         const std::vector<std::string>& captures) {
  std::string out;
  while (!path.empty()) {
    const size_t open = path.find('{');
    out += QuotedSubstitution(path.substr(0, open));
    if (open == absl::string_view::npos) break;
    const size_t close = path.find('}', open);
    if (close == absl::string_view::npos) return "";
    const std::string name(path.substr(open + 1, close - open - 1));
    const auto mapped = names.find(name);
    const auto at = std::find(captures.begin(), captures.end(),
                              mapped == names.end() ? name : mapped->second);
    if (at == captures.end()) return "";
    absl::StrAppend(&out, "\\", at - captures.begin() + 1);
    path.remove_prefix(close + 1);
  }
  return out.empty() ? "/" : out;
}

struct Backend {
  const std::string* uri = nullptr;
  const domain::BackendTls* tls = nullptr;
  absl::Duration timeout;
  std::string method;  // empty: the client's
  std::map<std::string, std::string> path_parameters;
};

std::optional<Backend> BackendOf(const domain::Integration& integration) {
  Backend backend;
  if (const auto* proxy =
          std::get_if<domain::HttpProxyIntegration>(&integration)) {
    backend.uri = &proxy->uri;
    backend.tls = &proxy->tls;
    backend.timeout = proxy->timeout;
    return backend;
  }
  if (const auto* http = std::get_if<domain::HttpIntegration>(&integration)) {
    backend.uri = &http->uri;
    backend.tls = &http->tls;
    backend.timeout = http->timeout;
    backend.method = http->method;
    backend.path_parameters = http->path_parameters;
    return backend;
  }
  return std::nullopt;
}

class StageTranslator {
 public:
  StageTranslator(const StageInput& stage, absl::string_view base_path,
                  Clusters& clusters, std::vector<Problem>& problems)
      : stage_(stage),
        base_path_(base_path),
        clusters_(clusters),
        problems_(problems) {}

  // Null: a problem was noted.
  std::optional<routes::Route> Translate(const domain::Route& route) {
    const auto path = PathTemplate::Parse(route.path);
    if (!path.ok()) return Fail(route, path.status().message());
    routes::Route out;
    out.set_name(route.name.ToString());
    if (const auto* mock =
            std::get_if<domain::MockIntegration>(&route.integration)) {
      Match(PlaceOf(base_path_, *path, {}), *out.mutable_match());
      MatchMethod(route.method, *out.mutable_match());
      out.mutable_direct_response()->set_status(
          static_cast<uint32_t>(mock->status));
      if (!mock->body.empty()) {
        out.mutable_direct_response()->mutable_body()->set_inline_string(
            mock->body);
      }
      for (const auto& [name, value] : mock->headers) {
        AddHeader(name, value, *out.mutable_response_headers_to_add());
      }
      return out;
    }
    const std::optional<Backend> backend = BackendOf(route.integration);
    if (!backend.has_value()) return Fail(route, "has no integration");
    auto written = domain::ParseIntegrationUri(*backend->uri);
    if (!written.ok()) return Fail(route, written.status().message());
    auto uri = written->Resolve(stage_.stage->variables);
    if (!uri.ok()) return Fail(route, uri.status().message());
    if (stage_.backends != nullptr) {
      const std::string refused =
          domain::RefusedBackend(uri->Host(), *stage_.backends);
      if (!refused.empty()) return Fail(route, refused);
    }
    if (uri->path.find('?') != std::string::npos) {
      return Fail(route,
                  "the backend's URI has a query, which nodes cannot join to "
                  "the client's; leave it out");
    }
    if (!backend->method.empty() && backend->method != route.method) {
      return Fail(route,
                  absl::StrCat("the backend's method is ", backend->method,
                               ", which nodes cannot put in the place "
                               "of the client's; leave it out"));
    }
    std::set<std::string> needed;
    for (const std::string& name : uri->parameters) {
      const auto mapped = backend->path_parameters.find(name);
      needed.insert(mapped == backend->path_parameters.end() ? name
                                                             : mapped->second);
    }
    const Place place = PlaceOf(base_path_, *path, needed);
    Match(place, *out.mutable_match());
    MatchMethod(route.method, *out.mutable_match());
    if (place.captures.size() > kMaxRewrittenParameters) {
      return Fail(route, absl::StrCat("the backend's path takes ",
                                      place.captures.size(),
                                      " parameters; nodes can give it ",
                                      kMaxRewrittenParameters));
    }
    const std::string substitution =
        Substitution(uri->path, backend->path_parameters, place.captures);
    if (substitution.empty()) {
      return Fail(route,
                  "the backend's path names a parameter that the route's path "
                  "does not have");
    }
    routes::RouteAction& action = *out.mutable_route();
    if (place.literal.empty()) {
      action.mutable_regex_rewrite()->mutable_pattern()->set_regex(
          place.pattern);
      action.mutable_regex_rewrite()->set_substitution(substitution);
    } else if (place.literal != uri->path) {
      // Without captures the substitution is the path itself.
      action.set_prefix_rewrite(uri->path.empty() ? "/" : uri->path);
    }
    action.set_host_rewrite_literal(uri->authority);
    *action.mutable_timeout() = ToProto(backend->timeout);
    Translated cluster = TranslateCluster(
        *uri, *backend->tls, stage_.stage->client_certificate, stage_.scope);
    action.set_cluster(cluster.key.name);
    clusters_.emplace(cluster.key.name, std::move(cluster));
    return out;
  }

 private:
  std::nullopt_t Fail(const domain::Route& route, absl::string_view what) {
    problems_.push_back(
        {stage_.stage->name.ToString(),
         absl::StrCat("route ", route.name.id(), " (", route.method, " ",
                      route.path, "): ", what)});
    return std::nullopt;
  }

  const StageInput& stage_;
  const absl::string_view base_path_;
  Clusters& clusters_;
  std::vector<Problem>& problems_;
};

}  // namespace

routes::Route DenyBelow(absl::string_view base_path, Denial denial) {
  routes::Route route;
  if (base_path.empty()) {
    route.mutable_match()->set_prefix("/");
  } else {
    route.mutable_match()->set_path_separated_prefix(
        absl::StrCat("/", base_path));
  }
  Deny(denial, route);
  return route;
}

google::protobuf::Any RouteRules(const filter::v1::MutualTlsRoute& rules) {
  envoy::extensions::filters::http::dynamic_modules::v3::
      DynamicModuleFilterPerRoute config;
  *config.mutable_dynamic_module_config() = Module();
  config.set_filter_name(kHttpFilter);
  *config.mutable_filter_config() = PackForModule(rules);
  return Pack(config);
}

void AddStageRoutes(const StageInput& stage, absl::string_view base_path,
                    const std::optional<filter::v1::MutualTlsRoute>& rules,
                    routes::VirtualHost& host, Clusters& clusters,
                    std::vector<Problem>& problems) {
  const auto add = [&](routes::Route route) {
    AddLogFields(stage, route);
    if (rules.has_value()) {
      (*route.mutable_typed_per_filter_config())[kHttpFilter] =
          RouteRules(*rules);
    }
    *host.add_routes() = std::move(route);
  };
  if (stage.deployment == nullptr) {
    add(DenyBelow(base_path, Denial::kForbidden));
    return;
  }
  // By path, the most specific first; of one path, ANY last.
  struct Ordered {
    PathTemplate path;
    const domain::Route* route;
  };
  std::vector<Ordered> ordered;
  for (const domain::Route& route : stage.deployment->routes) {
    auto path = PathTemplate::Parse(route.path);
    ordered.push_back({path.ok() ? *std::move(path) : PathTemplate(), &route});
  }
  std::sort(ordered.begin(), ordered.end(),
            [](const Ordered& a, const Ordered& b) {
              if (a.path.Before(b.path)) return true;
              if (b.path.Before(a.path)) return false;
              if ((a.route->method == "ANY") != (b.route->method == "ANY")) {
                return b.route->method == "ANY";
              }
              return a.route->method < b.route->method;
            });
  StageTranslator translator(stage, base_path, clusters, problems);
  for (size_t i = 0; i < ordered.size(); ++i) {
    auto route = translator.Translate(*ordered[i].route);
    if (!route.has_value()) continue;
    add(*std::move(route));
    const bool last_of_path =
        i + 1 == ordered.size() ||
        ordered[i].path.Shape() != ordered[i + 1].path.Shape();
    if (last_of_path && ordered[i].route->method != "ANY") {
      // The path is the API's, so no less specific one answers for it.
      routes::Route other;
      Match(PlaceOf(base_path, ordered[i].path, {}), *other.mutable_match());
      Deny(Denial::kMissingAuthenticationToken, other);
      add(std::move(other));
    }
  }
  add(DenyBelow(base_path, Denial::kMissingAuthenticationToken));
}

}  // namespace sallyport::xds
