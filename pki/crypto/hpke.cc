#include "pki/crypto/hpke.h"

#include <openssl/curve25519.h>
#include <openssl/hpke.h>

#include <cstdint>
#include <utility>

#include "absl/status/status.h"

namespace sallyport::pki {
namespace {

static_assert(X25519_PUBLIC_VALUE_LEN == kX25519Bytes, "");
static_assert(X25519_PRIVATE_KEY_LEN == kX25519Bytes, "");

const uint8_t* Bytes(absl::string_view text) {
  return reinterpret_cast<const uint8_t*>(text.data());
}
uint8_t* Bytes(std::string& text) {
  return reinterpret_cast<uint8_t*>(&text[0]);
}

}  // namespace

struct HpkeSender::State {
  bssl::ScopedEVP_HPKE_CTX context;
};

HpkeSender::HpkeSender() : state_(std::make_unique<State>()) {}
HpkeSender::~HpkeSender() = default;

absl::StatusOr<std::unique_ptr<HpkeSender>> HpkeSender::Make(
    absl::string_view public_key, absl::string_view info) {
  std::unique_ptr<HpkeSender> out(new HpkeSender());
  out->encapsulated_key_.resize(kX25519Bytes);
  size_t length = 0;
  if (EVP_HPKE_CTX_setup_sender(
          out->state_->context.get(), Bytes(out->encapsulated_key_), &length,
          out->encapsulated_key_.size(), EVP_hpke_x25519_hkdf_sha256(),
          EVP_hpke_hkdf_sha256(), EVP_hpke_aes_256_gcm(), Bytes(public_key),
          public_key.size(), Bytes(info), info.size()) != 1 ||
      length != kX25519Bytes) {
    return absl::InvalidArgumentError("is no X25519 public key of 32 bytes");
  }
  return out;
}

absl::StatusOr<std::string> HpkeSender::Seal(
    const Secret& plaintext, absl::string_view associated_data) {
  const absl::string_view in = plaintext.Reveal();
  std::string out(in.size() + EVP_HPKE_CTX_max_overhead(state_->context.get()),
                  '\0');
  size_t length = 0;
  if (EVP_HPKE_CTX_seal(state_->context.get(), Bytes(out), &length, out.size(),
                        Bytes(in), in.size(), Bytes(associated_data),
                        associated_data.size()) != 1) {
    return absl::InternalError("cannot seal");
  }
  out.resize(length);
  return out;
}

struct HpkeRecipient::State {
  bssl::ScopedEVP_HPKE_CTX context;
};

HpkeRecipient::HpkeRecipient() : state_(std::make_unique<State>()) {}
HpkeRecipient::~HpkeRecipient() = default;

absl::StatusOr<std::unique_ptr<HpkeRecipient>> HpkeRecipient::Make(
    const Secret& private_key, absl::string_view encapsulated_key,
    absl::string_view info) {
  bssl::ScopedEVP_HPKE_KEY key;
  std::unique_ptr<HpkeRecipient> out(new HpkeRecipient());
  if (EVP_HPKE_KEY_init(key.get(), EVP_hpke_x25519_hkdf_sha256(),
                        Bytes(private_key.Reveal()),
                        private_key.Reveal().size()) != 1) {
    return absl::InvalidArgumentError("is no X25519 private key of 32 bytes");
  }
  if (EVP_HPKE_CTX_setup_recipient(
          out->state_->context.get(), key.get(), EVP_hpke_hkdf_sha256(),
          EVP_hpke_aes_256_gcm(), Bytes(encapsulated_key),
          encapsulated_key.size(), Bytes(info), info.size()) != 1) {
    return absl::InvalidArgumentError("the encapsulated key is none");
  }
  return out;
}

absl::StatusOr<Secret> HpkeRecipient::Open(absl::string_view ciphertext,
                                           absl::string_view associated_data) {
  std::string out(ciphertext.size(), '\0');
  size_t length = 0;
  if (EVP_HPKE_CTX_open(state_->context.get(), Bytes(out), &length, out.size(),
                        Bytes(ciphertext), ciphertext.size(),
                        Bytes(associated_data), associated_data.size()) != 1) {
    WipeString(out);
    return absl::DataLossError("is not what was sealed, or sealed to another");
  }
  out.resize(length);
  return Secret(std::move(out));
}

HpkeKey NewHpkeKey() {
  HpkeKey out;
  out.public_key.resize(kX25519Bytes);
  std::string key(kX25519Bytes, '\0');
  X25519_keypair(Bytes(out.public_key), Bytes(key));
  out.private_key = Secret(std::move(key));
  return out;
}

std::string HpkePublicKey(const Secret& private_key) {
  if (private_key.Reveal().size() != kX25519Bytes) return "";
  std::string out(kX25519Bytes, '\0');
  X25519_public_from_private(Bytes(out), Bytes(private_key.Reveal()));
  return out;
}

}  // namespace sallyport::pki
