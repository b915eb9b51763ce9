// OpenAPI 3.0 definitions with API Gateway's extensions, read and written.

#ifndef SALLYPORT_CONFIG_SERVICE_AWS_OPENAPI_H_
#define SALLYPORT_CONFIG_SERVICE_AWS_OPENAPI_H_

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "config_service/aws/fields.h"
#include "config_service/aws/integrations.h"
#include "config_service/domain/api.h"
#include "config_service/domain/api_draft.h"
#include "config_service/domain/violations.h"

namespace sallyport::aws {

struct ApiDefinition {
  std::string name;
  std::string description;
  std::string version;
  std::vector<std::string> binary_media_types;
  std::optional<bool> disable_default_endpoint;
  // In order; also those without methods.
  std::vector<std::string> paths;
  struct Method {
    Json kept;  // as ReadMethod() makes it, with responses
    std::optional<MethodIntegration> integration;
  };
  std::map<domain::ApiDraft::Method, Method> methods;
  // What is left out, for people: it has no effect on requests. What would have
  // one is a violation.
  std::vector<std::string> warnings;
};

ApiDefinition ReadOpenApi(const Json& document, domain::Violations& violations);

// What a stage serves, as a definition; with the integrations where it is asked
// for.
Json WriteOpenApi(const domain::Api& api, const std::string& version,
                  const domain::Deployment& deployment, bool with_integrations);

}  // namespace sallyport::aws

#endif  // SALLYPORT_CONFIG_SERVICE_AWS_OPENAPI_H_
