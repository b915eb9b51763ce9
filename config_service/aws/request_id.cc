#include "config_service/aws/request_id.h"

#include "base/text.h"
#include "pki/crypto/crypto.h"
#include "pki/x509/certificate.h"

namespace sallyport::aws {
namespace {

constexpr size_t kUuidBytes = 16;
constexpr size_t kVersionByte = 6;
constexpr size_t kVariantByte = 8;

std::string Format(std::string bytes, int version) {
  bytes[kVersionByte] =
      static_cast<char>((bytes[kVersionByte] & 0x0f) | (version << 4));
  bytes[kVariantByte] = static_cast<char>((bytes[kVariantByte] & 0x3f) | 0x80);
  std::string out = HexLower(bytes);
  for (const size_t at : {20, 16, 12, 8}) out.insert(at, "-");
  return out;
}

}  // namespace

std::string NewUuid() {
  constexpr int kRandom = 4;
  return Format(pki::RandomBytes(kUuidBytes), kRandom);
}

std::string UuidOf(absl::string_view text) {
  constexpr int kCustom = 8;
  const pki::Sha256Digest digest = pki::Sha256(text);
  return Format(std::string(pki::AsBytes(digest).substr(0, kUuidBytes)),
                kCustom);
}

}  // namespace sallyport::aws
