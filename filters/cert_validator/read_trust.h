// From the configuration of a validator to the Trust that it stands for.

#ifndef SALLYPORT_FILTERS_CERT_VALIDATOR_READ_TRUST_H_
#define SALLYPORT_FILTERS_CERT_VALIDATOR_READ_TRUST_H_

#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "filters/cert_validator/followed_file.h"
#include "filters/cert_validator/read_rules.h"
#include "filters/cert_validator/revocation_source.h"
#include "filters/cert_validator/trust_state.h"
#include "proto/sallyport/filter/v1/config.pb.h"

namespace sallyport::cert_validator {

// A Trust, and what parts of it come from.
struct TrustReading {
  struct Source {
    std::shared_ptr<FollowedFile> file;  // null: inline
    RevocationSource revocation;
  };

  Trust trust;
  std::vector<Source> sources;  // as trust.sources
  DenySource deny;

  // Everything that is followed.
  std::vector<std::shared_ptr<FollowedFile>> Files() const;
  // Takes over what the files hold now.
  void Refresh();
};

// ReadTrust, ReadShadow: checks the configuration and loads what it names.
// InvalidArgument and the errors of reading a file: each message starts with
// the field ("truststores[0].file: ..."), says how to mend it, and holds no
// contents of a truststore.
absl::StatusOr<TrustReading> ReadTrust(
    const filter::v1::TruststoreValidator& config);
absl::StatusOr<TrustReading> ReadShadow(const filter::v1::Shadow& config);

}  // namespace sallyport::cert_validator

#endif  // SALLYPORT_FILTERS_CERT_VALIDATOR_READ_TRUST_H_
