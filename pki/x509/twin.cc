#include "pki/x509/twin.h"

#include <openssl/bn.h>
#include <openssl/bytestring.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/mem.h>

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "pki/x509/der.h"
#include "third_party_boringssl/pki/parsed_certificate.h"
#include "third_party_boringssl/pki/signature_algorithm.h"

namespace sallyport::pki {
namespace {

bool IsEcdsa(bssl::SignatureAlgorithm algorithm) {
  switch (algorithm) {
    case bssl::SignatureAlgorithm::kEcdsaSha1:
    case bssl::SignatureAlgorithm::kEcdsaSha256:
    case bssl::SignatureAlgorithm::kEcdsaSha384:
    case bssl::SignatureAlgorithm::kEcdsaSha512:
      return true;
    default:
      return false;
  }
}

// DER of Ecdsa-Sig-Value with `order` - s for s; empty when s is not below it.
std::string Flip(const ECDSA_SIG& signature, const BIGNUM& order) {
  const BIGNUM* r = ECDSA_SIG_get0_r(&signature);
  const BIGNUM* s = ECDSA_SIG_get0_s(&signature);
  if (BN_cmp(s, &order) >= 0) return "";
  bssl::UniquePtr<BIGNUM> same_r(BN_dup(r));
  bssl::UniquePtr<BIGNUM> other_s(BN_new());
  bssl::UniquePtr<ECDSA_SIG> flipped(ECDSA_SIG_new());
  if (same_r == nullptr || other_s == nullptr || flipped == nullptr ||
      !BN_sub(other_s.get(), &order, s) ||
      !ECDSA_SIG_set0(flipped.get(), same_r.get(), other_s.get())) {
    return "";
  }
  // Now the signature's.
  (void)same_r.release();
  (void)other_s.release();
  uint8_t* der = nullptr;
  size_t length = 0;
  if (!ECDSA_SIG_to_bytes(&der, &length, flipped.get())) return "";
  const bssl::UniquePtr<uint8_t> owned(der);
  return std::string(reinterpret_cast<const char*>(der), length);
}

bool AddBytes(CBB* out, bssl::der::Input bytes) {
  return CBB_add_bytes(out, bytes.data(), bytes.size());
}

// The certificate with another signature; empty when memory ran out.
std::string WithSignature(const bssl::ParsedCertificate& certificate,
                          absl::string_view signature) {
  bssl::ScopedCBB cbb;
  CBB sequence;
  CBB bits;
  uint8_t* der = nullptr;
  size_t length = 0;
  if (!CBB_init(cbb.get(), certificate.der_cert().size() + 16) ||
      !CBB_add_asn1(cbb.get(), &sequence, CBS_ASN1_SEQUENCE) ||
      !AddBytes(&sequence, certificate.tbs_certificate_tlv()) ||
      !AddBytes(&sequence, certificate.signature_algorithm_tlv()) ||
      !CBB_add_asn1(&sequence, &bits, CBS_ASN1_BITSTRING) ||
      !CBB_add_u8(&bits, 0) ||
      !CBB_add_bytes(&bits, reinterpret_cast<const uint8_t*>(signature.data()),
                     signature.size()) ||
      !CBB_finish(cbb.get(), &der, &length)) {
    return "";
  }
  const bssl::UniquePtr<uint8_t> owned(der);
  return std::string(reinterpret_cast<const char*>(der), length);
}

// Writes `point` in its other form.
bool AddOtherForm(absl::string_view point, const EC_GROUP* group, CBB* out) {
  if (point.empty()) return false;
  const auto* const bytes = reinterpret_cast<const uint8_t*>(point.data());
  if (point[0] == POINT_CONVERSION_UNCOMPRESSED) {
    // x, after whether y is odd (SEC 1, 2.3.3): no arithmetic, which allocates.
    const size_t size = (point.size() - 1) / 2;
    return CBB_add_u8(out, POINT_CONVERSION_COMPRESSED | (point.back() & 1)) &&
           CBB_add_bytes(out, bytes + 1, size);
  }
  const bssl::UniquePtr<EC_POINT> value(EC_POINT_new(group));
  return value != nullptr &&
         EC_POINT_oct2point(group, value.get(), bytes, point.size(), nullptr) &&
         EC_POINT_point2cbb(out, group, value.get(),
                            POINT_CONVERSION_UNCOMPRESSED, nullptr);
}

// SHA-256 of the subject public key info with the point in the other form;
// nothing when it cannot be read, or memory ran out.
std::optional<Sha256Digest> OtherKeyDigest(absl::string_view spki_der,
                                           const EC_GROUP* group) {
  const absl::optional<SpkiParts> spki = ReadSpki(spki_der);
  if (!spki.has_value()) return std::nullopt;
  // That of P-384 takes 120 bytes.
  std::array<uint8_t, 160> buffer;
  bssl::ScopedCBB cbb;
  CBB sequence;
  CBB key;
  size_t length = 0;
  if (!CBB_init_fixed(cbb.get(), buffer.data(), buffer.size()) ||
      !CBB_add_asn1(cbb.get(), &sequence, CBS_ASN1_SEQUENCE) ||
      !AddBytes(&sequence, Input(spki->algorithm)) ||
      !CBB_add_asn1(&sequence, &key, CBS_ASN1_BITSTRING) ||
      !CBB_add_u8(&key, 0) || !AddOtherForm(spki->key, group, &key) ||
      !CBB_finish(cbb.get(), nullptr, &length)) {
    return std::nullopt;
  }
  return Sha256(
      absl::string_view(reinterpret_cast<const char*>(buffer.data()), length));
}

}  // namespace

absl::InlinedVector<Sha256Digest, 2> KeyDigests(
    const Certificate& certificate) {
  absl::InlinedVector<Sha256Digest, 2> digests;
  digests.push_back(Sha256(certificate.spki_der()));
  const EC_GROUP* group = nullptr;
  switch (certificate.public_key().type) {
    case KeyType::kEcP256:
      group = EC_group_p256();
      break;
    case KeyType::kEcP384:
      group = EC_group_p384();
      break;
    default:
      return digests;
  }
  if (const auto other = OtherKeyDigest(certificate.spki_der(), group)) {
    digests.push_back(*other);
  }
  return digests;
}

absl::InlinedVector<Sha256Digest, 2> TwinFingerprints(
    const Certificate& certificate) {
  absl::InlinedVector<Sha256Digest, 2> twins;
  const bssl::ParsedCertificate* const parsed = certificate.parsed().get();
  if (parsed == nullptr || !parsed->signature_algorithm().has_value() ||
      !IsEcdsa(*parsed->signature_algorithm())) {
    return twins;
  }
  const bssl::der::Input value = parsed->signature_value().bytes();
  const bssl::UniquePtr<ECDSA_SIG> signature(
      ECDSA_SIG_from_bytes(value.data(), value.size()));
  if (signature == nullptr) return twins;
  for (const EC_GROUP* group : {EC_group_p256(), EC_group_p384()}) {
    const std::string flipped = Flip(*signature, *EC_GROUP_get0_order(group));
    if (flipped.empty()) continue;
    const std::string twin = WithSignature(*parsed, flipped);
    if (!twin.empty()) twins.push_back(Sha256(twin));
  }
  return twins;
}

}  // namespace sallyport::pki
