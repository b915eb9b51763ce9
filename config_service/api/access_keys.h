// The gRPC service of access keys.

#ifndef SALLYPORT_CONFIG_SERVICE_API_ACCESS_KEYS_H_
#define SALLYPORT_CONFIG_SERVICE_API_ACCESS_KEYS_H_

#include <memory>

#include "config_service/api/gate.h"
#include "config_service/service/access_keys.h"
#include "grpcpp/impl/codegen/service_type.h"

namespace sallyport::api {

// What is passed in outlives the service. Thread-safe.
std::unique_ptr<grpc::Service> NewAccessKeysService(service::AccessKeys* keys,
                                                    Gate* gate);

}  // namespace sallyport::api

#endif  // SALLYPORT_CONFIG_SERVICE_API_ACCESS_KEYS_H_
