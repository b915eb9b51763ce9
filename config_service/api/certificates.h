// The gRPC services ServerCertificates, Issuers and ClientCertificates.

#ifndef SALLYPORT_CONFIG_SERVICE_API_CERTIFICATES_H_
#define SALLYPORT_CONFIG_SERVICE_API_CERTIFICATES_H_

#include <memory>

#include "config_service/api/gate.h"
#include "config_service/service/client_certificates.h"
#include "config_service/service/server_certificates.h"
#include "grpcpp/impl/codegen/service_type.h"

namespace sallyport::api {

// What is passed in outlives the service. Thread-safe.
std::unique_ptr<grpc::Service> NewServerCertificatesService(
    service::ServerCertificates* certificates, Gate* gate);
std::unique_ptr<grpc::Service> NewIssuersService(
    service::ServerCertificates* certificates, Gate* gate);
std::unique_ptr<grpc::Service> NewClientCertificatesService(
    service::ClientCertificates* certificates, Gate* gate);

}  // namespace sallyport::api

#endif  // SALLYPORT_CONFIG_SERVICE_API_CERTIFICATES_H_
