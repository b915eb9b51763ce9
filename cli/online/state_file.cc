#include "cli/online/state_file.h"

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "pki/crypto/hpke.h"
#include "pki/x509/pem.h"

namespace sallyport::cli::online {
namespace {

constexpr size_t kMaxKeyBytes = 1024;
// SubjectPublicKeyInfo and OneAsymmetricKey with id-X25519, up to the key: each
// has but one encoding (RFC 8410, 4 and 7).
constexpr absl::string_view kPublicHead(
    "\x30\x2a\x30\x05\x06\x03\x2b\x65\x6e\x03\x21\x00", 12);
constexpr absl::string_view kPrivateHead(
    "\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x6e\x04\x22\x04\x20", 16);

// What follows `head` in the only block of `pem`; empty when it is not so.
std::string KeyOf(absl::string_view pem, absl::string_view label,
                  absl::string_view head) {
  std::string found;
  size_t blocks = 0;
  const pki::PemError error =
      pki::ReadPem(pem, kMaxKeyBytes, [&](const pki::PemBlock& block) {
        if (++blocks == 1 && block.label == label &&
            block.data.size() == head.size() + pki::kX25519Bytes &&
            absl::StartsWith(block.data, head)) {
          found = std::string(block.data.substr(head.size()));
        }
        return true;
      });
  if (!error.ok() || blocks != 1) WipeString(found);
  return found;
}

}  // namespace

absl::StatusOr<std::string> PublicKeyOfPem(absl::string_view pem) {
  std::string key = KeyOf(pem, "PUBLIC KEY", kPublicHead);
  if (!key.empty()) return key;
  return absl::InvalidArgumentError(
      absl::StrContains(pem, "PRIVATE KEY")
          ? "is a private key; give its public half (openssl pkey -pubout)"
          : "is no X25519 public key in PEM (openssl genpkey -algorithm "
            "X25519, openssl pkey -pubout)");
}

absl::StatusOr<Secret> PrivateKeyOfPem(const Secret& pem) {
  Secret key(KeyOf(pem.Reveal(), "PRIVATE KEY", kPrivateHead));
  if (!key.empty()) return key;
  return absl::InvalidArgumentError(
      "is no X25519 private key in PEM (openssl genpkey -algorithm X25519)");
}

}  // namespace sallyport::cli::online
