// Truststores: domain values and messages of the public API.

#ifndef SALLYPORT_CONFIG_SERVICE_API_CONVERT_TRUSTSTORE_H_
#define SALLYPORT_CONFIG_SERVICE_API_CONVERT_TRUSTSTORE_H_

#include "config_service/domain/truststore.h"
#include "config_service/domain/violations.h"
#include "config_service/service/truststores.h"
#include "proto/sallyport/config/v1/truststore.pb.h"

namespace sallyport::api {

// What a request says of a truststore; its name too, when it has one.
// Violations at the fields that cannot be read, paths as in the message.
domain::Truststore Convert(const sallyport::config::v1::Truststore& from,
                           domain::Violations& violations);

void Convert(const domain::Truststore& from,
             sallyport::config::v1::Truststore& to);
void Convert(const service::TruststoreView& from,
             sallyport::config::v1::Truststore& to);
void Convert(const domain::TruststoreVersion& from,
             sallyport::config::v1::TruststoreVersion& to);
void Convert(const service::TruststoreVersionView& from,
             sallyport::config::v1::TruststoreVersion& to);
void Convert(
    const service::TruststoreCertificate& from,
    sallyport::config::v1::ListTruststoreCertificatesResponse::Entry& to);

}  // namespace sallyport::api

#endif  // SALLYPORT_CONFIG_SERVICE_API_CONVERT_TRUSTSTORE_H_
