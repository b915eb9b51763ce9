// The gRPC services RevocationLists and CertificateLists.

#ifndef SALLYPORT_CONFIG_SERVICE_API_LISTS_H_
#define SALLYPORT_CONFIG_SERVICE_API_LISTS_H_

#include <memory>

#include "config_service/api/gate.h"
#include "config_service/service/certificate_lists.h"
#include "config_service/service/revocation_lists.h"
#include "grpcpp/impl/codegen/service_type.h"

namespace sallyport::api {

// What is passed in outlives the service. Thread-safe.
std::unique_ptr<grpc::Service> NewRevocationListsService(
    service::RevocationLists* lists, Gate* gate);
std::unique_ptr<grpc::Service> NewCertificateListsService(
    service::CertificateLists* lists, Gate* gate);

}  // namespace sallyport::api

#endif  // SALLYPORT_CONFIG_SERVICE_API_LISTS_H_
