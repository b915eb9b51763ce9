// The other forms that a certificate's holder can give it, or its key.

#ifndef SALLYPORT_PKI_X509_TWIN_H_
#define SALLYPORT_PKI_X509_TWIN_H_

#include "absl/container/inlined_vector.h"
#include "pki/x509/certificate.h"

namespace sallyport::pki {

// TwinFingerprints: SHA-256 of the certificates that are as good as this one
// and that anybody can make of it without its issuer's key. An ECDSA signature
// (r, s) is good exactly when (r, n - s) is, n being the order of the curve
// (SEC 1, 4.1.4), so such a certificate has a twin with another fingerprint:
// who compares fingerprints to keep somebody out compares these too. One for
// each of P-256 and P-384 (the certificate does not say which curve its issuer
// is on) of which n is larger than s; none for other algorithms, whose
// signatures have one form. Empty when the certificate is malformed.
absl::InlinedVector<Sha256Digest, 2> TwinFingerprints(
    const Certificate& certificate);

// KeyDigests: SHA-256 of the subject public key info as the certificate has it
// and, for a key on P-256 or P-384, as it is with the point in the other form,
// compressed or not (RFC 5480, 2.2): the holder of a key can have a CA certify
// either. Of a key that cannot be read, the first only.
absl::InlinedVector<Sha256Digest, 2> KeyDigests(const Certificate& certificate);

}  // namespace sallyport::pki

#endif  // SALLYPORT_PKI_X509_TWIN_H_
