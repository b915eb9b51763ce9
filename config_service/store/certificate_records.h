// Records of certificates with their keys. As records.h; a private key is
// sealed under the key of the record that it is in, and leaves it by
// OpenPrivateKey() alone.

#ifndef SALLYPORT_CONFIG_SERVICE_STORE_CERTIFICATE_RECORDS_H_
#define SALLYPORT_CONFIG_SERVICE_STORE_CERTIFICATE_RECORDS_H_

#include <string>

#include "absl/status/statusor.h"
#include "base/secret.h"
#include "config_service/domain/name.h"
#include "config_service/domain/server_certificate.h"
#include "config_service/store/sealer.h"
#include "config_service/store/store.h"

namespace sallyport::store {

std::string Encode(const domain::ServerCertificate& certificate);
absl::StatusOr<domain::ServerCertificate> Decode(
    const domain::ServerCertificateName& name, const Record& record);

// `private_key_pem`: PKCS #8, as domain::CheckMaterial() gives it. Two
// encodings of the same differ in the seal.
absl::StatusOr<std::string> Encode(
    const domain::ServerCertificateVersion& version,
    const Secret& private_key_pem, const Sealer& sealer);
absl::StatusOr<domain::ServerCertificateVersion> Decode(
    const domain::ServerCertificateVersionName& name, const Record& record);

absl::StatusOr<std::string> Encode(const domain::ClientCertificate& certificate,
                                   const Secret& private_key_pem,
                                   const Sealer& sealer);
absl::StatusOr<domain::ClientCertificate> Decode(
    const domain::ClientCertificateName& name, const Record& record);

// The private key in a record that the functions above made. Errors as
// Sealer::Open(), RECORD_DAMAGED, and PRIVATE_KEY_MISSING.
absl::StatusOr<Secret> OpenPrivateKey(
    const domain::ServerCertificateVersionName& name, const Record& record,
    const Sealer& sealer);
absl::StatusOr<Secret> OpenPrivateKey(const domain::ClientCertificateName& name,
                                      const Record& record,
                                      const Sealer& sealer);

}  // namespace sallyport::store

#endif  // SALLYPORT_CONFIG_SERVICE_STORE_CERTIFICATE_RECORDS_H_
