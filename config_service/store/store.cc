#include "config_service/store/store.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "base/text.h"
#include "pki/crypto/crypto.h"

namespace sallyport::store {

absl::StatusOr<BlobDigest> BlobDigest::FromHex(absl::string_view hex) {
  if (hex.size() != 2 * kBytes ||
      !std::all_of(hex.begin(), hex.end(), absl::ascii_isxdigit)) {
    return absl::InvalidArgumentError(
        absl::StrCat("a blob's digest has ", 2 * kBytes, " hex digits"));
  }
  return FromBytes(absl::HexStringToBytes(hex));
}

absl::StatusOr<BlobDigest> BlobDigest::FromBytes(absl::string_view bytes) {
  if (bytes.size() != kBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("a blob's digest has ", kBytes, " bytes"));
  }
  std::array<uint8_t, kBytes> array;
  std::copy(bytes.begin(), bytes.end(), array.begin());
  return BlobDigest(array);
}

BlobDigest BlobDigest::Of(absl::string_view content) {
  pki::Sha256Hasher hasher;
  hasher.Update(content);
  return BlobDigest(hasher.Finish());
}

std::string BlobDigest::ToHex() const { return HexLower(bytes()); }

}  // namespace sallyport::store
