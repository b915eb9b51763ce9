// Records of domain names and API mappings. As records.h.

#ifndef SALLYPORT_CONFIG_SERVICE_STORE_DOMAIN_RECORDS_H_
#define SALLYPORT_CONFIG_SERVICE_STORE_DOMAIN_RECORDS_H_

#include <string>

#include "absl/status/statusor.h"
#include "config_service/domain/api_mapping.h"
#include "config_service/domain/domain_name.h"
#include "config_service/domain/name.h"
#include "config_service/store/store.h"

namespace sallyport::store {

// Without what the service found out: that is a ResourceStatus.
std::string Encode(const domain::DomainName& domain_name);
absl::StatusOr<domain::DomainName> Decode(const domain::DomainNameName& name,
                                          const Record& record);

std::string Encode(const domain::ApiMapping& mapping);
absl::StatusOr<domain::ApiMapping> Decode(const domain::ApiMappingName& name,
                                          const Record& record);

}  // namespace sallyport::store

#endif  // SALLYPORT_CONFIG_SERVICE_STORE_DOMAIN_RECORDS_H_
