#include "pki/crypto/hmac.h"

#include <openssl/hmac.h>
#include <openssl/mem.h>
#include <openssl/sha2.h>

#include <cstdint>
#include <cstdlib>
#include <string>
#include <utility>

namespace sallyport::pki {

Secret HmacSha256(absl::string_view key, absl::string_view message) {
  std::string mac(SHA256_DIGEST_LENGTH, '\0');
  unsigned length = 0;
  // Fails for want of memory only.
  if (HMAC(EVP_sha256(), key.data(), key.size(),
           reinterpret_cast<const uint8_t*>(message.data()), message.size(),
           reinterpret_cast<uint8_t*>(mac.data()), &length) == nullptr) {
    std::abort();
  }
  return Secret(std::move(mac));
}

bool SecretsEqual(absl::string_view a, absl::string_view b) {
  return a.size() == b.size() &&
         CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace sallyport::pki
