#include "filters/cert_validator/truststore_file.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "base/text.h"
#include "pki/x509/certificate.h"

namespace sallyport::cert_validator {

absl::StatusOr<std::shared_ptr<FollowedFile>> OpenTruststoreFile(
    absl::string_view path, const pki::TruststoreLimits& limits) {
  FollowedFile::Format format;
  format.noun = "truststore";
  format.key = absl::StrCat(limits.max_certificates);
  format.max_bytes = limits.max_bytes;
  format.parse =
      [limits](
          absl::string_view bytes) -> absl::StatusOr<FollowedFile::Content> {
    return SharedTruststore::Get(bytes, limits);
  };
  format.describe = [](const FollowedFile::Content& content) {
    const pki::Truststore& truststore =
        static_cast<const SharedTruststore*>(content.get())->truststore();
    return absl::StrCat(truststore.num_certificates(),
                        " certificates, SHA-256 ",
                        HexLower(pki::AsBytes(truststore.digest())));
  };
  return FollowedFile::Open(path, format);
}

std::shared_ptr<const SharedTruststore> TruststoreOf(const FollowedFile& file) {
  return std::static_pointer_cast<const SharedTruststore>(file.current());
}

}  // namespace sallyport::cert_validator
