// The gRPC services DomainNames and ApiMappings.

#ifndef SALLYPORT_CONFIG_SERVICE_API_DOMAIN_NAMES_H_
#define SALLYPORT_CONFIG_SERVICE_API_DOMAIN_NAMES_H_

#include <memory>

#include "config_service/api/gate.h"
#include "config_service/service/api_mappings.h"
#include "config_service/service/domain_names.h"
#include "grpcpp/impl/codegen/service_type.h"

namespace sallyport::api {

// What is passed in outlives the service. Thread-safe.
std::unique_ptr<grpc::Service> NewDomainNamesService(
    service::DomainNames* domain_names, Gate* gate);
std::unique_ptr<grpc::Service> NewApiMappingsService(
    service::ApiMappings* mappings, Gate* gate);

}  // namespace sallyport::api

#endif  // SALLYPORT_CONFIG_SERVICE_API_DOMAIN_NAMES_H_
