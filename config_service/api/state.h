// The gRPC service State.

#ifndef SALLYPORT_CONFIG_SERVICE_API_STATE_H_
#define SALLYPORT_CONFIG_SERVICE_API_STATE_H_

#include <memory>

#include "config_service/api/gate.h"
#include "config_service/service/state.h"
#include "grpcpp/impl/codegen/service_type.h"

namespace sallyport::api {

// What is passed in outlives the service. Thread-safe.
std::unique_ptr<grpc::Service> NewStateService(service::State* state,
                                               Gate* gate);

}  // namespace sallyport::api

#endif  // SALLYPORT_CONFIG_SERVICE_API_STATE_H_
