// The gRPC service Fleets.

#ifndef SALLYPORT_CONFIG_SERVICE_API_FLEETS_H_
#define SALLYPORT_CONFIG_SERVICE_API_FLEETS_H_

#include <functional>
#include <memory>

#include "config_service/api/gate.h"
#include "config_service/service/events.h"
#include "config_service/service/fleets.h"
#include "config_service/service/proxy_ca.h"
#include "grpcpp/impl/codegen/service_type.h"

namespace sallyport::api {

// What is passed in outlives the service. Thread-safe. Calls that wait
// (WaitForRollout, WatchEvents) end with UNAVAILABLE soon after `stopping` says
// so.
std::unique_ptr<grpc::Service> NewFleetsService(
    service::Fleets* fleets, service::Events* events,
    const service::NodeCertificates* node_certificates,
    std::function<bool()> stopping, Gate* gate);

}  // namespace sallyport::api

#endif  // SALLYPORT_CONFIG_SERVICE_API_FLEETS_H_
