// Fleets and nodes: domain values and messages of the public API.

#ifndef SALLYPORT_CONFIG_SERVICE_API_CONVERT_FLEET_H_
#define SALLYPORT_CONFIG_SERVICE_API_CONVERT_FLEET_H_

#include "config_service/domain/fleet.h"
#include "config_service/domain/violations.h"
#include "proto/sallyport/config/v1/fleet.pb.h"

namespace sallyport::api {

// What a request says of it; its name too, when it has one. Violations at the
// fields that cannot be read, paths as in the message.
domain::Fleet Convert(const sallyport::config::v1::Fleet& from,
                      domain::Violations& violations);

void Convert(const domain::Fleet& from, sallyport::config::v1::Fleet& to);
void Convert(const domain::Refusal& from, sallyport::config::v1::Refusal& to);

}  // namespace sallyport::api

#endif  // SALLYPORT_CONFIG_SERVICE_API_CONVERT_FLEET_H_
