// References: which resources a resource names: what the store has under refs/
// of it, so that nothing is deleted that something names.

#ifndef SALLYPORT_CONFIG_SERVICE_SERVICE_REFERENCES_H_
#define SALLYPORT_CONFIG_SERVICE_SERVICE_REFERENCES_H_

#include <string>
#include <vector>

#include "config_service/domain/api.h"
#include "config_service/domain/api_mapping.h"
#include "config_service/domain/domain_name.h"
#include "config_service/domain/fleet.h"
#include "config_service/domain/truststore.h"

namespace sallyport::service {

// Names of resources, each once.
std::vector<std::string> ReferencesOf(const domain::Truststore& truststore);
std::vector<std::string> ReferencesOf(const domain::Fleet& fleet);
std::vector<std::string> ReferencesOf(const domain::DomainName& domain_name);
std::vector<std::string> ReferencesOf(const domain::ApiMapping& mapping);
std::vector<std::string> ReferencesOf(const domain::Route& route);
std::vector<std::string> ReferencesOf(const domain::Stage& stage);
std::vector<std::string> ReferencesOf(const domain::Deployment& deployment);

// The truststore by which the route's backend is known, within `route`; null:
// it names none.
const domain::TruststoreName* BackendTruststore(const domain::Route& route);

}  // namespace sallyport::service

#endif  // SALLYPORT_CONFIG_SERVICE_SERVICE_REFERENCES_H_
