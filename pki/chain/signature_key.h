// SignatureKey: what BoringSSL calls a signature's check in its
// SignatureVerifyCache, without what BoringSSL takes to find it.

#ifndef SALLYPORT_PKI_CHAIN_SIGNATURE_KEY_H_
#define SALLYPORT_PKI_CHAIN_SIGNATURE_KEY_H_

#include <string>

#include "absl/strings/string_view.h"
#include "third_party_boringssl/pki/parsed_certificate.h"

namespace sallyport::pki {

// The SHA-256 over algorithm, key, signature and signed bytes that
// bssl::VerifySignedData() computes for the check of `child`'s signature with
// the key `issuer_spki` (DER). BoringSSL encodes the key anew for it, which
// takes a modular inversion for a point of a curve: a sixth of the check
// itself. This takes the bytes as they are. Keys that are encoded in another
// way than BoringSSL's have another name then, and are checked again where
// BoringSSL asks. Empty for an algorithm that is not known. Thread-safe.
std::string SignatureKey(const bssl::ParsedCertificate& child,
                         absl::string_view issuer_spki);

}  // namespace sallyport::pki

#endif  // SALLYPORT_PKI_CHAIN_SIGNATURE_KEY_H_
