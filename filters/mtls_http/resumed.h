// The client of a connection that resumed a TLS session.
//
// Envoy does not call the validator for such a connection, so it has no record.
// The session keeps the client's certificates, and Envoy writes them into its
// x-forwarded-client-cert. That the value is Envoy's is not taken on trust: its
// first certificate must have the digest that the TLS connection itself says
// its client's certificate has, and whoever holds that session has shown the
// key of that certificate in the handshake that made it. The rest of the chain
// is what a client may send as it likes anyhow.

#ifndef SALLYPORT_FILTERS_MTLS_HTTP_RESUMED_H_
#define SALLYPORT_FILTERS_MTLS_HTTP_RESUMED_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "filters/abi/abi.h"
#include "filters/forwarding/xfcc_chain.h"
#include "pki/x509/certificate.h"

namespace sallyport::mtls_http {

struct ResumedChain {
  forwarding::XfccChain chain;
  pki::Sha256Digest digest;  // ChainDigest() of it
};

// ReadResumed: the chain of the connection of `stream`, whose request headers
// are as they came from the connection manager. The calling thread remembers
// the last ones. Errors are sentences for the operator.
absl::StatusOr<std::shared_ptr<const ResumedChain>> ReadResumed(
    abi::HttpFilter* stream);

// Of each thread.
inline constexpr size_t kMaxRememberedResumed = 256;
inline constexpr size_t kMaxRememberedResumedBytes = size_t{4} << 20;

}  // namespace sallyport::mtls_http

#endif  // SALLYPORT_FILTERS_MTLS_HTTP_RESUMED_H_
