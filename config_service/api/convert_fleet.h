// Fleets and nodes: domain values and messages of the public API.

#ifndef SALLYPORT_CONFIG_SERVICE_API_CONVERT_FLEET_H_
#define SALLYPORT_CONFIG_SERVICE_API_CONVERT_FLEET_H_

#include "config_service/domain/fleet.h"
#include "config_service/domain/violations.h"
#include "config_service/service/events.h"
#include "config_service/service/fleets.h"
#include "config_service/service/proxy_ca.h"
#include "config_service/service/rollouts.h"
#include "proto/sallyport/config/v1/fleet.pb.h"

namespace sallyport::api {

// What a request says of it; its name too, when it has one. Violations at the
// fields that cannot be read, paths as in the message.
domain::Fleet Convert(const sallyport::config::v1::Fleet& from,
                      domain::Violations& violations);

void Convert(const domain::Fleet& from, sallyport::config::v1::Fleet& to);
void Convert(const domain::Refusal& from, sallyport::config::v1::Refusal& to);

void Convert(const service::FleetView& from, sallyport::config::v1::Fleet& to);
void Convert(const service::NodeView& from, sallyport::config::v1::Node& to);
void Convert(const service::RolloutView& from,
             sallyport::config::v1::Rollout& to);
void Convert(const service::NodeCertificates::Answer& from,
             sallyport::config::v1::IssueNodeCertificateResponse& to);
void Convert(const service::Event& from, sallyport::config::v1::Event& to);

}  // namespace sallyport::api

#endif  // SALLYPORT_CONFIG_SERVICE_API_CONVERT_FLEET_H_
