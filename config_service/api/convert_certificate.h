// Server and client certificates: domain values and messages of the public API.

#ifndef SALLYPORT_CONFIG_SERVICE_API_CONVERT_CERTIFICATE_H_
#define SALLYPORT_CONFIG_SERVICE_API_CONVERT_CERTIFICATE_H_

#include "config_service/domain/server_certificate.h"
#include "config_service/domain/violations.h"
#include "config_service/service/certificate_issuer.h"
#include "config_service/service/client_certificates.h"
#include "config_service/service/server_certificates.h"
#include "proto/sallyport/config/v1/client_certificate.pb.h"
#include "proto/sallyport/config/v1/issuer.pb.h"
#include "proto/sallyport/config/v1/server_certificate.pb.h"

namespace sallyport::api {

// What a request says of it; its name too, when it has one. Violations at the
// fields that cannot be read, paths as in the message.
domain::ServerCertificate Convert(
    const sallyport::config::v1::ServerCertificate& from,
    domain::Violations& violations);
domain::ClientCertificate Convert(
    const sallyport::config::v1::ClientCertificate& from,
    domain::Violations& violations);

// A private key is nowhere in these.
void Convert(const domain::ServerCertificate& from,
             sallyport::config::v1::ServerCertificate& to);
void Convert(const domain::ServerCertificateVersion& from,
             sallyport::config::v1::ServerCertificateVersion& to);
void Convert(const domain::ClientCertificate& from,
             sallyport::config::v1::ClientCertificate& to);

void Convert(const service::ServerCertificateView& from,
             sallyport::config::v1::ServerCertificate& to);
void Convert(const service::ServerCertificateVersionView& from,
             sallyport::config::v1::ServerCertificateVersion& to);
void Convert(const service::CertificateIssuer::Info& from,
             sallyport::config::v1::Issuer& to);
void Convert(const service::ClientCertificateView& from,
             sallyport::config::v1::ClientCertificate& to);

}  // namespace sallyport::api

#endif  // SALLYPORT_CONFIG_SERVICE_API_CONVERT_CERTIFICATE_H_
