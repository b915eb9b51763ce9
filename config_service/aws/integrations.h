// Integrations as API Gateway has them, and what serves them here.
//
//   HTTP, HTTP_PROXY   a backend: path parameters are mapped, headers, query
//   and
//                      body go on as they are, and so does the answer
//   MOCK               an answer that is known beforehand

#ifndef SALLYPORT_CONFIG_SERVICE_AWS_INTEGRATIONS_H_
#define SALLYPORT_CONFIG_SERVICE_AWS_INTEGRATIONS_H_

#include <map>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "config_service/aws/fields.h"
#include "config_service/domain/api.h"
#include "config_service/domain/limits.h"
#include "config_service/domain/violations.h"

namespace sallyport::aws {

// An integration as the AWS API has it, normalised. Kept of it is what a route
// does not carry (KeptJson()).
struct MethodIntegration {
  std::string type;         // "HTTP", "HTTP_PROXY", "MOCK"
  std::string http_method;  // of the backend's request; empty: MOCK
  std::string uri;          // empty: MOCK
  std::map<std::string, std::string> request_parameters;
  std::map<std::string, std::string> request_templates;
  std::string passthrough_behavior;
  absl::Duration timeout = domain::kDefaultIntegrationTimeout;
  bool insecure_skip_verification = false;
  // By status code, which is digits.
  struct Response {
    std::string selection_pattern;
    std::map<std::string, std::string> parameters;
    std::map<std::string, std::string> templates;
  };
  std::map<std::string, Response> responses;
};

// ReadIntegration: that of a PutIntegration request, or of an OpenAPI extension
// (whose names are the same but for those that Amazon's documents list). What
// is not supported is a violation at its field.
MethodIntegration ReadIntegration(Fields& fields, bool of_openapi,
                                  domain::Violations& violations);
// One response of it; `fields` are those of its object.
MethodIntegration::Response ReadIntegrationResponse(
    Fields& fields, absl::string_view type, domain::Violations& violations);

// ToDomain: what serves it, for a method of a resource. `before` is what served
// it so far: the truststore and server name of its TLS stay, which this API
// has no words for. Violations are at fields of the request.
domain::Integration ToDomain(const MethodIntegration& integration,
                             absl::string_view method,
                             const domain::Integration& before,
                             domain::Violations& violations);

// What is kept beside the route, and the integration of both. One that was kept
// for a route that has changed since otherwise is left out of account.
Json KeptJson(const MethodIntegration& integration);
MethodIntegration FromKept(const Json& kept, const domain::Route& route);

// As it is answered. `cache_namespace`: the id of the resource.
Json ToJson(const MethodIntegration& integration,
            absl::string_view cache_namespace);
Json ToJson(const std::string& status_code,
            const MethodIntegration::Response& response);

}  // namespace sallyport::aws

#endif  // SALLYPORT_CONFIG_SERVICE_AWS_INTEGRATIONS_H_
