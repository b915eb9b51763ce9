// What the rooms of pki/ share about DER and BoringSSL's types. For pki/ only.

#ifndef SALLYPORT_PKI_X509_DER_H_
#define SALLYPORT_PKI_X509_DER_H_

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "pki/x509/certificate.h"
#include "third_party_boringssl/pki/input.h"
#include "third_party_boringssl/pki/parse_values.h"
#include "third_party_boringssl/pki/signature_algorithm.h"

namespace sallyport::pki {

// The same bytes in the library's type and in ours; views of what they are
// given.
inline absl::string_view View(bssl::der::Input input) {
  return absl::string_view(reinterpret_cast<const char*>(input.data()),
                           input.size());
}
inline bssl::der::Input Input(absl::string_view bytes) {
  return bssl::der::Input(reinterpret_cast<const uint8_t*>(bytes.data()),
                          bytes.size());
}

// Nothing when it is no date that can be.
absl::optional<absl::Time> ToTime(const bssl::der::GeneralizedTime& time);

// The one list of the algorithms that count: for certificates, for the paths
// that are built of them, and for revocation lists.
SignatureStrength StrengthOf(bssl::SignatureAlgorithm algorithm);

// A Name (whole element) as Certificate::Subject() prints it.
std::string NameText(absl::string_view name_der);

// An AlgorithmIdentifier (whole element) as
// Certificate::SignatureAlgorithmName() prints it.
std::string AlgorithmText(absl::string_view algorithm_der);

// A SubjectPublicKeyInfo (RFC 5280, 4.1); views of it.
struct SpkiParts {
  absl::string_view algorithm;  // AlgorithmIdentifier (whole element)
  absl::string_view key;        // what is in the BIT STRING
};
// Nothing when it cannot be read.
absl::optional<SpkiParts> ReadSpki(absl::string_view spki_der);

// The contents of an OBJECT IDENTIFIER in dots.
std::string OidText(absl::string_view oid_contents);

}  // namespace sallyport::pki

#endif  // SALLYPORT_PKI_X509_DER_H_
