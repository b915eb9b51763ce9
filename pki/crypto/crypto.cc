#include "pki/crypto/crypto.h"

#include <openssl/aead.h>
#include <openssl/err.h>
#include <openssl/rand.h>
#include <openssl/sha2.h>

#include <utility>

#include "absl/status/status.h"

namespace sallyport::pki {
namespace {

const uint8_t* Bytes(absl::string_view text) {
  return reinterpret_cast<const uint8_t*>(text.data());
}

absl::StatusOr<bssl::UniquePtr<EVP_AEAD_CTX>> Context(const Secret& key,
                                                      absl::string_view nonce) {
  if (key.Reveal().size() != kAes256KeyBytes) {
    return absl::InvalidArgumentError("an AES-256 key has 32 bytes");
  }
  if (nonce.size() != kGcmNonceBytes) {
    return absl::InvalidArgumentError("a GCM nonce has 12 bytes");
  }
  bssl::UniquePtr<EVP_AEAD_CTX> context(
      EVP_AEAD_CTX_new(EVP_aead_aes_256_gcm(), Bytes(key.Reveal()),
                       kAes256KeyBytes, kGcmTagBytes));
  if (context == nullptr) {
    ERR_clear_error();
    return absl::ResourceExhaustedError("no memory for AES-256-GCM");
  }
  return context;
}

}  // namespace

struct Sha256Hasher::State {
  SHA256_CTX context;
};

Sha256Hasher::Sha256Hasher() : state_(std::make_unique<State>()) {
  SHA256_Init(&state_->context);
}

Sha256Hasher::~Sha256Hasher() = default;

void Sha256Hasher::Update(absl::string_view bytes) {
  SHA256_Update(&state_->context, bytes.data(), bytes.size());
}

std::array<uint8_t, 32> Sha256Hasher::Finish() {
  std::array<uint8_t, 32> digest;
  SHA256_Final(digest.data(), &state_->context);
  return digest;
}

absl::StatusOr<std::string> SealAes256Gcm(const Secret& key,
                                          absl::string_view nonce,
                                          absl::string_view associated_data,
                                          const Secret& plaintext) {
  auto context = Context(key, nonce);
  if (!context.ok()) return std::move(context).status();
  const absl::string_view in = plaintext.Reveal();
  std::string out(in.size() + kGcmTagBytes, '\0');
  size_t out_len = 0;
  if (!EVP_AEAD_CTX_seal(context->get(), reinterpret_cast<uint8_t*>(&out[0]),
                         &out_len, out.size(), Bytes(nonce), nonce.size(),
                         Bytes(in), in.size(), Bytes(associated_data),
                         associated_data.size())) {
    ERR_clear_error();
    return absl::InternalError("AES-256-GCM does not seal");
  }
  out.resize(out_len);
  return out;
}

absl::StatusOr<Secret> OpenAes256Gcm(const Secret& key, absl::string_view nonce,
                                     absl::string_view associated_data,
                                     absl::string_view ciphertext) {
  auto context = Context(key, nonce);
  if (!context.ok()) return std::move(context).status();
  std::string out(ciphertext.size(), '\0');
  size_t out_len = 0;
  const bool opened = EVP_AEAD_CTX_open(
      context->get(), reinterpret_cast<uint8_t*>(&out[0]), &out_len, out.size(),
      Bytes(nonce), nonce.size(), Bytes(ciphertext), ciphertext.size(),
      Bytes(associated_data), associated_data.size());
  if (!opened) {
    ERR_clear_error();
    WipeString(out);
    return absl::DataLossError("it does not open with this key");
  }
  out.resize(out_len);
  return Secret(std::move(out));
}

std::string RandomBytes(size_t len) {
  std::string out(len, '\0');
  RAND_bytes(reinterpret_cast<uint8_t*>(&out[0]), out.size());
  return out;
}

}  // namespace sallyport::pki
