// APIs: routes, stages, deployments.

#ifndef SALLYPORT_CONFIG_SERVICE_DOMAIN_API_H_
#define SALLYPORT_CONFIG_SERVICE_DOMAIN_API_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "config_service/domain/backend_policy.h"
#include "config_service/domain/common.h"
#include "config_service/domain/domain_name.h"
#include "config_service/domain/limits.h"
#include "config_service/domain/name.h"
#include "config_service/domain/violations.h"

namespace sallyport::domain {

struct Api {
  ApiName name;
  Metadata metadata;
  std::string display_name;
  EndpointType endpoint_type = EndpointType::kRegional;
  bool disable_default_endpoint = false;
  std::vector<Condition> conditions;
};

void Validate(const Api& api, Violations& violations);

struct BackendTls {
  TruststoreName truststore;  // empty: the node's system CAs
  std::string server_name;    // empty: the host of the URI
  bool insecure_skip_verification = false;
};

struct HttpProxyIntegration {
  std::string uri;
  absl::Duration timeout = kDefaultIntegrationTimeout;
  BackendTls tls;
};

struct HttpIntegration {
  std::string uri;
  std::string method;  // empty: the client's
  std::map<std::string, std::string> path_parameters;
  absl::Duration timeout = kDefaultIntegrationTimeout;
  BackendTls tls;
};

struct MockIntegration {
  int status = 200;
  std::map<std::string, std::string> headers;
  std::string body;
};

// std::monostate: none was given.
using Integration = std::variant<std::monostate, HttpProxyIntegration,
                                 HttpIntegration, MockIntegration>;

struct Route {
  RouteName name;
  Metadata metadata;   // no description, no labels
  std::string method;  // "GET", ..., "ANY"
  std::string path;
  Integration integration;
};

void Validate(const Route& route, Violations& violations);

// What is allowed and deserves attention: a backend whose certificate nobody
// verifies (BACKEND_NOT_VERIFIED).
std::vector<Warning> Warnings(const Route& route);

struct Stage {
  StageName name;
  Metadata metadata;
  DeploymentName deployment;           // empty: none
  DeploymentName previous_deployment;  // empty: none
  std::map<std::string, std::string> variables;
  ClientCertificateName client_certificate;  // empty: none
  std::vector<Condition> conditions;
};

void Validate(const Stage& stage, Violations& violations);

struct Deployment {
  DeploymentName name;
  Metadata metadata;  // no labels
  // As they were, in the order of PathTemplate.
  std::vector<Route> routes;
};

void Validate(const Deployment& deployment, Violations& violations);

// ValidateDeployed: whether the routes of `deployment` can be served with the
// variables of `stage`: every variable that a URI names is there, and each URI
// is one when they are put in, of a backend that `backends`, if it is not null,
// allows. STAGE_VARIABLE_MISSING, INTEGRATION_URI_INVALID, at `variables`.
void ValidateDeployed(const Deployment& deployment, const Stage& stage,
                      const BackendPolicy* backends, Violations& violations);

// PathTemplate: a route's path, read.
class PathTemplate {
 public:
  struct Segment {
    enum class Kind { kText, kParameter, kGreedy };
    Kind kind = Kind::kText;
    // The text, or the parameter's name.
    std::string text;
  };

  // InvalidArgument with what is wrong and how to mend it. "/" has no segments.
  static absl::StatusOr<PathTemplate> Parse(absl::string_view path);

  const std::vector<Segment>& segments() const { return segments_; }
  // Names of the parameters, in order.
  std::vector<std::string> Parameters() const;
  // The path with every parameter as "{}" and a greedy one as "{+}": two
  // templates with one shape match the same requests.
  std::string Shape() const;
  // Whether `this` is asked before `other`: at the first segment that differs
  // in kind text comes before a parameter, a parameter before a greedy one, and
  // what goes on before what ends; templates that do not differ so are ordered
  // by Shape(). A strict weak order.
  bool Before(const PathTemplate& other) const;

 private:
  std::vector<Segment> segments_;
};

// A backend's URI, read. Variables and parameters are still in their places.
struct IntegrationUri {
  bool tls = false;
  // Host and port, as written: "${stageVariables.host}:8080", "[2001:db8::1]".
  std::string authority;
  // From the '/' on; "" when there is none. With the query, if any.
  std::string path;
  // Names of `{NAME}` in the path, and of `${stageVariables.NAME}` anywhere, in
  // order, each once.
  std::vector<std::string> parameters;
  std::vector<std::string> variables;

  // With every variable replaced. InvalidArgument: one is missing (it is
  // named), or the authority is none then.
  absl::StatusOr<IntegrationUri> Resolve(
      const std::map<std::string, std::string>& values) const;
  // The host without port and brackets, and the port (80, 443 when none is
  // given), of a URI without variables in its authority.
  std::string Host() const;
  uint16_t Port() const;
};
// InvalidArgument with what is wrong and how to mend it, without the text
// (which may hold a password).
absl::StatusOr<IntegrationUri> ParseIntegrationUri(absl::string_view uri);

// The URI of `integration`; nothing for a mock.
std::optional<std::string> UriOf(const Integration& integration);

}  // namespace sallyport::domain

#endif  // SALLYPORT_CONFIG_SERVICE_DOMAIN_API_H_
