// ReadXfccChain: the certificates of a resumed connection's client.
//
// On a resumed session Envoy calls no validator, but it writes the client's
// certificates, which the session keeps, into x-forwarded-client-cert (with
// forward_client_cert_details SANITIZE_SET, and cert and chain in
// set_current_client_cert_details). Envoy 1.40.0 writes, in this order, joined
// by ';': a `By=` for each URI SAN of the server's certificate, `Hash=`,
// `Cert="`, `Chain="` (leaf first, all that the client sent), `Subject="`,
// `URI=`, `DNS=` (mutateXfccRequestHeader in
// source/common/http/conn_manager_utility.cc; testdata/envoy/ has values that
// it wrote, the same with and without resumption).
//
// A pure function; thread-safe.

#ifndef SALLYPORT_FILTERS_FORWARDING_XFCC_CHAIN_H_
#define SALLYPORT_FILTERS_FORWARDING_XFCC_CHAIN_H_

#include <cstddef>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace sallyport::forwarding {

// What is read at most. More than a handshake accepts (limits.h), so that
// such a chain is LIMIT_EXCEEDED here as there.
inline constexpr size_t kMaxXfccCertificates = 100;
inline constexpr size_t kMaxXfccChainBytes = size_t{1} << 20;  // DER, together

// XfccChain: certificates in DER, the client's own first; at least one.
class XfccChain {
 public:
  XfccChain(XfccChain&&) = default;
  XfccChain& operator=(XfccChain&&) = default;

  // Live as long as this object, or what it is moved into.
  const std::vector<absl::string_view>& certificates() const {
    return certificates_;
  }

 private:
  friend absl::StatusOr<XfccChain> ReadXfccChain(absl::string_view value,
                                                 absl::string_view peer_sha256);
  XfccChain() = default;

  std::vector<char> bytes_;
  std::vector<absl::string_view> certificates_;
};

// ReadXfccChain: the certificates of `Chain` in `value`, the request's only
// x-forwarded-client-cert. `peer_sha256` is the SHA-256 of the client's
// certificate in lower-case hexadecimal, as the connection has it (attribute
// connection.sha256_peer_certificate_digest). It must be that of the first
// certificate: this holds also where the connection manager is set up in
// another way and the value came from the client. The other certificates are
// then what a client could as well have sent in a handshake.
//
// Only the fields before the first of Subject, URI and DNS are looked at: what
// follows holds text from the certificate, and Envoy does not quote SANs, so
// that a name can look like fields or elements of its own.
//
// Strict: exactly the fields and the encoding that Envoy writes.
//   FailedPrecondition: there is no Chain; the connection manager is to be set
//     up as above.
//   InvalidArgument: anything else that Envoy does not write, or another
//     client's certificate.
//   ResourceExhausted: over the limits above.
// Messages hold nothing of `value`. Cost: linear in `value`, and one SHA-256
// of the first certificate.
absl::StatusOr<XfccChain> ReadXfccChain(absl::string_view value,
                                        absl::string_view peer_sha256);

}  // namespace sallyport::forwarding

#endif  // SALLYPORT_FILTERS_FORWARDING_XFCC_CHAIN_H_
