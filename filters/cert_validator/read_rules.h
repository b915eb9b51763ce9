// The rules of a trust, as configurations of several kinds have them.

#ifndef SALLYPORT_FILTERS_CERT_VALIDATOR_READ_RULES_H_
#define SALLYPORT_FILTERS_CERT_VALIDATOR_READ_RULES_H_

#include <cstddef>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "pki/chain/verify.h"
#include "proto/sallyport/filter/v1/config.pb.h"
#include "settings/limits.h"

namespace sallyport::cert_validator {

using settings::kMaxConfigurableClientCertificates;
using settings::kMaxConfigurableClientChainBytes;
using settings::kMaxConfigurablePathIterations;
using settings::kMaxConfigurableSentNameChecks;
using settings::kMaxConfigurableSignatureChecks;
using settings::kMaxConfigurableVerifiedPaths;
using settings::kMaxTruststores;
// The longest name of a truststore or a list.
inline constexpr size_t kMaxNameLength = 128;

// InvalidArgument "FIELD: WHAT".
absl::Status FieldError(absl::string_view field, absl::string_view what);
// `status` with "FIELD: " in front.
absl::Status InField(absl::string_view field, const absl::Status& status);

// Whether `name`, which may be empty, can be the name of a truststore or a
// list, or a version.
absl::Status CheckName(absl::string_view field, absl::string_view name);

// The two rules that a truststore can have of its own. Unspecified leaves
// `policy` as it is. Errors start with the field.
absl::Status ReadRules(filter::v1::ChainPolicy chain_policy,
                       filter::v1::ExtendedKeyUsageRule extended_key_usage,
                       pki::VerifyPolicy& policy);

absl::StatusOr<pki::VerifyPolicy> ReadPolicy(
    filter::v1::ChainPolicy chain_policy,
    filter::v1::ExtendedKeyUsageRule extended_key_usage, bool pin_leaf,
    const filter::v1::VerifyLimits& limits);

// What goes with a truststore's revocation lists. HARD_FAIL without any is an
// error.
absl::Status ReadRevocationRules(filter::v1::RevocationRule rule,
                                 filter::v1::RevocationScope scope,
                                 bool has_lists, pki::RevocationRule& out_rule,
                                 pki::RevocationScope& out_scope);

}  // namespace sallyport::cert_validator

#endif  // SALLYPORT_FILTERS_CERT_VALIDATOR_READ_RULES_H_
