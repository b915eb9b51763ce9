// SHA-256, AES-256-GCM and random bytes, behind a header without BoringSSL's:
// code that meets OpenSSL elsewhere (gRPC's) can use it.

#ifndef SALLYPORT_PKI_CRYPTO_CRYPTO_H_
#define SALLYPORT_PKI_CRYPTO_CRYPTO_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/secret.h"

namespace sallyport::pki {

// Sha256Hasher: SHA-256 (FIPS 180-4) of bytes that come in pieces.
// Thread-compatible.
class Sha256Hasher {
 public:
  Sha256Hasher();
  ~Sha256Hasher();
  Sha256Hasher(const Sha256Hasher&) = delete;
  Sha256Hasher& operator=(const Sha256Hasher&) = delete;

  void Update(absl::string_view bytes);
  // The digest of everything so far. To be called once, last.
  std::array<uint8_t, 32> Finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

constexpr size_t kAes256KeyBytes = 32;
constexpr size_t kGcmNonceBytes = 12;
constexpr size_t kGcmTagBytes = 16;

// SealAes256Gcm: ciphertext and tag (NIST SP 800-38D, RFC 5116
// AEAD_AES_256_GCM). A nonce must never be used twice with one key.
// InvalidArgument: key or nonce have the wrong length. Thread-safe.
absl::StatusOr<std::string> SealAes256Gcm(const Secret& key,
                                          absl::string_view nonce,
                                          absl::string_view associated_data,
                                          const Secret& plaintext);

// OpenAes256Gcm: the plaintext. DataLoss when ciphertext, nonce or associated
// data are not what was sealed with this key.
absl::StatusOr<Secret> OpenAes256Gcm(const Secret& key, absl::string_view nonce,
                                     absl::string_view associated_data,
                                     absl::string_view ciphertext);

// RandomBytes: `len` bytes from the system's generator, fit for keys and
// nonces. Thread-safe; does not fail (the process ends if there is no
// randomness).
std::string RandomBytes(size_t len);

}  // namespace sallyport::pki

#endif  // SALLYPORT_PKI_CRYPTO_CRYPTO_H_
