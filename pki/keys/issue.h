// Making certificates.

#ifndef SALLYPORT_PKI_KEYS_ISSUE_H_
#define SALLYPORT_PKI_KEYS_ISSUE_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "pki/keys/private_key.h"
#include "pki/x509/certificate.h"

namespace sallyport::pki {

// What a new certificate says.
struct NewCertificate {
  // Attributes by their short names, in order: {"CN", "node-1"}. UTF-8.
  std::vector<std::pair<std::string, std::string>> subject;
  absl::Time not_before;
  absl::Time not_after;
  // A CA that signs leaves only (path length 0); otherwise a leaf.
  bool ca = false;
  // Of a leaf: the extended key usages.
  bool server_auth = false;
  bool client_auth = false;
  // Subject alternative names; critical when there is no subject.
  std::vector<std::string> dns_names;
  std::vector<std::string> uris;
  std::vector<std::string> ips;  // text form
};

// Issue: the DER of a v3 certificate for the public key `spki_der`, signed with
// SHA-256 by `signer`, whose certificate is `issuer`; null: self-signed, then
// `spki_der` must be the signer's own. The serial number is random (128 bits).
//
// InvalidArgument: a name or key that cannot be in a certificate, or dates out
// of order.
absl::StatusOr<std::string> Issue(const NewCertificate& certificate,
                                  absl::string_view spki_der,
                                  const PrivateKey& signer,
                                  const Certificate* issuer);

// MakeCertificateRequest: a PKCS #10 request in PEM for the key, signed by it,
// without names: whoever issues the certificate decides about those.
absl::StatusOr<std::string> MakeCertificateRequest(const PrivateKey& key);

// ReadCertificateRequest: the SubjectPublicKeyInfo (DER) of a PKCS #10 request
// in PEM (`CERTIFICATE REQUEST`), whose signature by that key is checked. The
// names in it are nobody's but the requester's, and not returned.
// InvalidArgument: no such request, a signature that does not verify, or a key
// that is weaker than what a client certificate may have; says which, holds no
// contents.
absl::StatusOr<std::string> ReadCertificateRequest(absl::string_view pem);

}  // namespace sallyport::pki

#endif  // SALLYPORT_PKI_KEYS_ISSUE_H_
