// API mappings: which API answers below which path of a domain.

#ifndef SALLYPORT_CONFIG_SERVICE_DOMAIN_API_MAPPING_H_
#define SALLYPORT_CONFIG_SERVICE_DOMAIN_API_MAPPING_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "config_service/domain/api.h"
#include "config_service/domain/client_rule.h"
#include "config_service/domain/common.h"
#include "config_service/domain/domain_name.h"
#include "config_service/domain/forwarding.h"
#include "config_service/domain/name.h"
#include "config_service/domain/violations.h"

namespace sallyport::domain {

struct ApiMapping {
  ApiMappingName name;
  Metadata metadata;  // no description, no labels
  // "c360", "partners/v2", or empty for the root.
  std::string base_path;
  StageName stage;
  std::optional<ClientRule> allow;
  std::vector<CertificateListName> allow_lists;
  std::optional<ClientRequirement> client_certificate;
  std::optional<Forwarding> forwarding;
  std::vector<Condition> conditions;
};

// CheckBasePath: OK, or InvalidArgument with what is wrong and how to mend it.
absl::Status CheckBasePath(absl::string_view base_path);

// The mapping by itself.
void Validate(const ApiMapping& mapping, Violations& violations);

// The mapping on its domain and API: MUTUAL_TLS_ON_PRIVATE_API, and
// CLIENT_RULE_WITHOUT_MUTUAL_TLS.
void ValidateOn(const ApiMapping& mapping, const DomainName& domain_name,
                const Api& api, Violations& violations);

// Whether the mapping's domain has mutual TLS while its API can be reached
// without, at its default endpoint (`has_default_endpoints`: the installation
// has a suffix for them). Worth a warning.
bool LeavesDefaultEndpointOpen(const DomainName& domain_name, const Api& api,
                               bool has_default_endpoints);

}  // namespace sallyport::domain

#endif  // SALLYPORT_CONFIG_SERVICE_DOMAIN_API_MAPPING_H_
