// The gRPC service Apis.

#ifndef SALLYPORT_CONFIG_SERVICE_API_APIS_H_
#define SALLYPORT_CONFIG_SERVICE_API_APIS_H_

#include <functional>
#include <memory>

#include "config_service/api/gate.h"
#include "config_service/service/apis.h"
#include "config_service/service/test_invocations.h"
#include "grpcpp/impl/codegen/service_type.h"

namespace sallyport::api {

// What is passed in outlives the service. `stopping`: whether calls that wait
// are to end. Thread-safe.
std::unique_ptr<grpc::Service> NewApisService(
    service::Apis* apis, service::TestInvocations* test_invocations,
    std::function<bool()> stopping, Gate* gate);

}  // namespace sallyport::api

#endif  // SALLYPORT_CONFIG_SERVICE_API_APIS_H_
