// Records of what the service made for itself, each with its private key: CAs,
// and the certificate of carriers.

#ifndef SALLYPORT_CONFIG_SERVICE_STORE_CA_RECORD_H_
#define SALLYPORT_CONFIG_SERVICE_STORE_CA_RECORD_H_

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/secret.h"
#include "config_service/store/sealer.h"
#include "config_service/store/store.h"

namespace sallyport::store {

// Their keys: the CA of the xDS port, and that of the issuer "internal".
constexpr absl::string_view kProxyCaKey = "system/proxyCa";
constexpr absl::string_view kIssuerCaKey = "system/issuerCa";
// And that of carriers that no domain has a certificate for. All of its value
// is sealed: a PairPem().
constexpr absl::string_view kCarrierCertificateKey =
    "installation/carrierCertificate";

struct CaRecord {
  std::string certificate_pem;
  Secret private_key_pem;
};

// The value under `key`.
absl::StatusOr<std::string> EncodeCa(absl::string_view key, const CaRecord& ca,
                                     const Sealer& sealer);
// RECORD_DAMAGED, and the errors of Sealer::Open().
absl::StatusOr<CaRecord> DecodeCa(const Record& record, const Sealer& sealer);
// The certificate alone, PEM. RECORD_DAMAGED.
absl::StatusOr<std::string> CaCertificate(const Record& record);

// A certificate and its key as one text, and back; nothing when it is none.
Secret PairPem(const CaRecord& pair);
std::optional<CaRecord> SplitPair(const Secret& pem);

}  // namespace sallyport::store

#endif  // SALLYPORT_CONFIG_SERVICE_STORE_CA_RECORD_H_
