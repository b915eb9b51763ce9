// HPKE, behind a header without BoringSSL's: sealing messages to whoever has
// the private key of an X25519 public key (RFC 9180, base mode,
// DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM).
//
// The base mode hides what is sealed and does not say who sealed it: whoever
// has the public key can.

#ifndef SALLYPORT_PKI_CRYPTO_HPKE_H_
#define SALLYPORT_PKI_CRYPTO_HPKE_H_

#include <cstddef>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/secret.h"

namespace sallyport::pki {

// Of a public key, a private key, and what is encapsulated.
constexpr size_t kX25519Bytes = 32;

// HpkeSender: seals any number of messages. Thread-compatible.
class HpkeSender {
 public:
  // `info` says what it is for; the recipient needs the same. InvalidArgument:
  // `public_key` is no X25519 key, or one with which everybody would agree on
  // the same secret (a point of low order).
  static absl::StatusOr<std::unique_ptr<HpkeSender>> Make(
      absl::string_view public_key, absl::string_view info);
  ~HpkeSender();
  HpkeSender(const HpkeSender&) = delete;
  HpkeSender& operator=(const HpkeSender&) = delete;

  // What the recipient needs beside the messages.
  const std::string& encapsulated_key() const { return encapsulated_key_; }

  absl::StatusOr<std::string> Seal(const Secret& plaintext,
                                   absl::string_view associated_data);

 private:
  struct State;
  HpkeSender();

  std::unique_ptr<State> state_;
  std::string encapsulated_key_;
};

// HpkeRecipient: opens them, in the order in which they were sealed.
// Thread-compatible.
class HpkeRecipient {
 public:
  // InvalidArgument: a key of the wrong length, or one of low order. That the
  // private key is another than the one that was sealed to shows in Open().
  static absl::StatusOr<std::unique_ptr<HpkeRecipient>> Make(
      const Secret& private_key, absl::string_view encapsulated_key,
      absl::string_view info);
  ~HpkeRecipient();
  HpkeRecipient(const HpkeRecipient&) = delete;
  HpkeRecipient& operator=(const HpkeRecipient&) = delete;

  // DataLoss: not the next message, or not what was sealed.
  absl::StatusOr<Secret> Open(absl::string_view ciphertext,
                              absl::string_view associated_data);

 private:
  struct State;
  HpkeRecipient();

  std::unique_ptr<State> state_;
};

// A new key pair.
struct HpkeKey {
  std::string public_key;
  Secret private_key;
};
HpkeKey NewHpkeKey();

// HpkePublicKey: the public key that belongs to a private one; empty when that
// has the wrong length.
std::string HpkePublicKey(const Secret& private_key);

}  // namespace sallyport::pki

#endif  // SALLYPORT_PKI_CRYPTO_HPKE_H_
