#include "pki/chain/signature_key.h"

#include <openssl/sha.h>

#include <array>
#include <cstdint>

#include "pki/x509/der.h"
#include "third_party_boringssl/pki/signature_algorithm.h"

namespace sallyport::pki {
namespace {

// BoringSSL's name of it in the key.
absl::string_view NameOf(bssl::SignatureAlgorithm algorithm) {
  switch (algorithm) {
    case bssl::SignatureAlgorithm::kRsaPkcs1Sha1:
      return "RsaPkcs1Sha1";
    case bssl::SignatureAlgorithm::kRsaPkcs1Sha256:
      return "RsaPkcs1Sha256";
    case bssl::SignatureAlgorithm::kRsaPkcs1Sha384:
      return "RsaPkcs1Sha384";
    case bssl::SignatureAlgorithm::kRsaPkcs1Sha512:
      return "RsaPkcs1Sha512";
    case bssl::SignatureAlgorithm::kEcdsaSha1:
      return "EcdsaSha1";
    case bssl::SignatureAlgorithm::kEcdsaSha256:
      return "EcdsaSha256";
    case bssl::SignatureAlgorithm::kEcdsaSha384:
      return "EcdsaSha384";
    case bssl::SignatureAlgorithm::kEcdsaSha512:
      return "EcdsaSha512";
    case bssl::SignatureAlgorithm::kRsaPssSha256:
      return "RsaPssSha256";
    case bssl::SignatureAlgorithm::kRsaPssSha384:
      return "RsaPssSha384";
    case bssl::SignatureAlgorithm::kRsaPssSha512:
      return "RsaPssSha512";
    default:
      return "";
  }
}

void Add(absl::string_view bytes, SHA256_CTX* context) {
  const uint64_t length = bytes.size();
  SHA256_Update(context, &length, sizeof(length));
  SHA256_Update(context, bytes.data(), bytes.size());
}

}  // namespace

std::string SignatureKey(const bssl::ParsedCertificate& child,
                         absl::string_view issuer_spki) {
  // BoringSSL's number of this format.
  constexpr uint32_t kVersion = 1;
  if (!child.signature_algorithm().has_value()) return "";
  const absl::string_view name = NameOf(*child.signature_algorithm());
  if (name.empty()) return "";
  SHA256_CTX context;
  SHA256_Init(&context);
  SHA256_Update(&context, &kVersion, sizeof(kVersion));
  Add(name, &context);
  Add(issuer_spki, &context);
  Add(View(child.signature_value().bytes()), &context);
  Add(View(child.tbs_certificate_tlv()), &context);
  std::array<uint8_t, SHA256_DIGEST_LENGTH> digest;
  SHA256_Final(digest.data(), &context);
  return std::string(digest.begin(), digest.end());
}

}  // namespace sallyport::pki
