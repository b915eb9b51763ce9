// Records of fleets, and of what the service found out about resources. As
// records.h.

#ifndef SALLYPORT_CONFIG_SERVICE_STORE_FLEET_RECORDS_H_
#define SALLYPORT_CONFIG_SERVICE_STORE_FLEET_RECORDS_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "config_service/domain/common.h"
#include "config_service/domain/domain_name.h"
#include "config_service/domain/fleet.h"
#include "config_service/domain/name.h"
#include "config_service/store/store.h"

namespace sallyport::store {

std::string Encode(const domain::Fleet& fleet);
absl::StatusOr<domain::Fleet> Decode(const domain::FleetName& name,
                                     const Record& record);

// What is under StatusKey() of a resource.
struct ResourceStatus {
  std::vector<domain::Condition> conditions;
  // Domain names only.
  domain::DomainName::Status domain_status =
      domain::DomainName::Status::kPending;
  std::string message;
};
// `resource`: its name.
std::string Encode(const ResourceStatus& status);
absl::StatusOr<ResourceStatus> DecodeStatus(absl::string_view resource,
                                            const Record& record);

}  // namespace sallyport::store

#endif  // SALLYPORT_CONFIG_SERVICE_STORE_FLEET_RECORDS_H_
