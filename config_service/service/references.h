// References: which resources a resource names: what the store has under refs/
// of it, so that nothing is deleted that something names.

#ifndef SALLYPORT_CONFIG_SERVICE_SERVICE_REFERENCES_H_
#define SALLYPORT_CONFIG_SERVICE_SERVICE_REFERENCES_H_

#include <string>
#include <vector>

#include "config_service/domain/api.h"
#include "config_service/domain/fleet.h"
#include "config_service/domain/truststore.h"

namespace sallyport::service {

// Names of resources, each once. (Of domain names and API mappings:
// served_certificates.h, api_mappings.h.)
std::vector<std::string> NamedBy(const domain::Truststore& truststore);
std::vector<std::string> NamedBy(const domain::Fleet& fleet);
std::vector<std::string> NamedBy(const domain::Route& route);
std::vector<std::string> NamedBy(const domain::Stage& stage);
std::vector<std::string> NamedBy(const domain::Deployment& deployment);

}  // namespace sallyport::service

#endif  // SALLYPORT_CONFIG_SERVICE_SERVICE_REFERENCES_H_
