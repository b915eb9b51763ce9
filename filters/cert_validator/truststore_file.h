// Truststores in files.

#ifndef SALLYPORT_FILTERS_CERT_VALIDATOR_TRUSTSTORE_FILE_H_
#define SALLYPORT_FILTERS_CERT_VALIDATOR_TRUSTSTORE_FILE_H_

#include <memory>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "filters/cert_validator/followed_file.h"
#include "filters/cert_validator/shared_truststore.h"
#include "pki/truststore/truststore.h"

namespace sallyport::cert_validator {

// As FollowedFile::Open().
absl::StatusOr<std::shared_ptr<FollowedFile>> OpenTruststoreFile(
    absl::string_view path, const pki::TruststoreLimits& limits);

// The content of what OpenTruststoreFile() gave.
std::shared_ptr<const SharedTruststore> TruststoreOf(const FollowedFile& file);

}  // namespace sallyport::cert_validator

#endif  // SALLYPORT_FILTERS_CERT_VALIDATOR_TRUSTSTORE_FILE_H_
