// HMAC-SHA256, behind a header without BoringSSL's.

#ifndef SALLYPORT_PKI_CRYPTO_HMAC_H_
#define SALLYPORT_PKI_CRYPTO_HMAC_H_

#include "absl/strings/string_view.h"
#include "base/secret.h"

namespace sallyport::pki {

// HmacSha256: the 32 bytes of HMAC-SHA256 (RFC 2104, FIPS 198-1) of `message`.
// `key` may have any length. The result is a Secret, since it can be the key of
// another one. Thread-safe.
Secret HmacSha256(absl::string_view key, absl::string_view message);

// SecretsEqual: whether both have the same bytes, in a time that depends on
// their lengths only.
bool SecretsEqual(absl::string_view a, absl::string_view b);

}  // namespace sallyport::pki

#endif  // SALLYPORT_PKI_CRYPTO_HMAC_H_
