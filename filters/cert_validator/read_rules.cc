#include "filters/cert_validator/read_rules.h"

#include <algorithm>
#include <cstdint>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "base/limits.h"
#include "base/status_macros.h"

namespace sallyport::cert_validator {

namespace v1 = ::sallyport::filter::v1;

namespace {

// `value` when it is set, `fallback` when it is 0.
absl::StatusOr<size_t> Limit(absl::string_view field, uint64_t value,
                             size_t fallback, size_t max) {
  if (value == 0) return fallback;
  if (value <= max) return static_cast<size_t>(value);
  return FieldError(field,
                    absl::StrCat("is ", value, "; at most ", max,
                                 " (0 means the default, ", fallback, ")"));
}

}  // namespace

absl::Status FieldError(absl::string_view field, absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat(field, ": ", what));
}

absl::Status CheckName(absl::string_view field, absl::string_view name) {
  const bool good = std::all_of(name.begin(), name.end(), [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '.' ||
           c == '_' || c == '/' || c == '-';
  });
  if (good && name.size() <= kMaxNameLength) return absl::OkStatus();
  return FieldError(field, absl::StrCat("must be at most ", kMaxNameLength,
                                        " characters of [A-Za-z0-9._/-]"));
}

absl::Status InField(absl::string_view field, const absl::Status& status) {
  return absl::Status(status.code(),
                      absl::StrCat(field, ": ", status.message()));
}

absl::Status ReadRules(v1::ChainPolicy chain_policy,
                       v1::ExtendedKeyUsageRule extended_key_usage,
                       pki::VerifyPolicy& policy) {
  switch (chain_policy) {
    case v1::CHAIN_POLICY_UNSPECIFIED:
      break;
    case v1::COMPLETE_CHAIN:
      policy.chain_policy = pki::ChainPolicy::kCompleteChain;
      break;
    case v1::ANY_ANCHOR:
      policy.chain_policy = pki::ChainPolicy::kAnyAnchor;
      break;
    default:
      return FieldError(
          "chain_policy",
          "is no policy that this version knows; COMPLETE_CHAIN or "
          "ANY_ANCHOR");
  }
  switch (extended_key_usage) {
    case v1::EXTENDED_KEY_USAGE_RULE_UNSPECIFIED:
      break;
    case v1::EKU_REQUIRE:
      policy.extended_key_usage = pki::ExtendedKeyUsageRule::kRequire;
      break;
    case v1::EKU_WARN:
      policy.extended_key_usage = pki::ExtendedKeyUsageRule::kWarn;
      break;
    case v1::EKU_IGNORE:
      policy.extended_key_usage = pki::ExtendedKeyUsageRule::kIgnore;
      break;
    default:
      return FieldError(
          "extended_key_usage",
          "is no rule that this version knows; EKU_REQUIRE, EKU_WARN or "
          "EKU_IGNORE");
  }
  return absl::OkStatus();
}

absl::StatusOr<pki::VerifyPolicy> ReadPolicy(
    v1::ChainPolicy chain_policy, v1::ExtendedKeyUsageRule extended_key_usage,
    bool pin_leaf, const v1::VerifyLimits& limits) {
  pki::VerifyPolicy policy;
  SALLYPORT_RETURN_IF_ERROR(
      ReadRules(chain_policy, extended_key_usage, policy));
  policy.pin_leaf = pin_leaf;
  SALLYPORT_ASSIGN_OR_RETURN(
      policy.max_chain_length,
      Limit("limits.max_chain_length", limits.max_chain_length(),
            policy.max_chain_length,
            sallyport::limits::kMaxConfigurableChainLength));
  SALLYPORT_ASSIGN_OR_RETURN(
      policy.max_client_certificates,
      Limit("limits.max_client_certificates", limits.max_client_certificates(),
            policy.max_client_certificates,
            kMaxConfigurableClientCertificates));
  SALLYPORT_ASSIGN_OR_RETURN(
      policy.max_client_chain_bytes,
      Limit("limits.max_client_chain_bytes", limits.max_client_chain_bytes(),
            policy.max_client_chain_bytes, kMaxConfigurableClientChainBytes));
  SALLYPORT_ASSIGN_OR_RETURN(
      policy.max_signature_checks,
      Limit("limits.max_signature_checks", limits.max_signature_checks(),
            policy.max_signature_checks, kMaxConfigurableSignatureChecks));
  SALLYPORT_ASSIGN_OR_RETURN(
      policy.max_path_iterations,
      Limit("limits.max_path_iterations", limits.max_path_iterations(),
            policy.max_path_iterations, kMaxConfigurablePathIterations));
  SALLYPORT_ASSIGN_OR_RETURN(
      policy.max_verified_paths,
      Limit("limits.max_verified_paths", limits.max_verified_paths(),
            policy.max_verified_paths, kMaxConfigurableVerifiedPaths));
  SALLYPORT_ASSIGN_OR_RETURN(
      policy.max_sent_name_checks,
      Limit("limits.max_sent_name_checks", limits.max_sent_name_checks(),
            policy.max_sent_name_checks, kMaxConfigurableSentNameChecks));
  return policy;
}

absl::Status ReadRevocationRules(v1::RevocationRule rule,
                                 v1::RevocationScope scope, bool has_lists,
                                 pki::RevocationRule& out_rule,
                                 pki::RevocationScope& out_scope) {
  switch (rule) {
    case v1::REVOCATION_RULE_UNSPECIFIED:
    case v1::SOFT_FAIL:
      break;
    case v1::HARD_FAIL:
      out_rule = pki::RevocationRule::kHardFail;
      break;
    default:
      return FieldError(
          "revocation_rule",
          "is nothing that this version knows; SOFT_FAIL or HARD_FAIL");
  }
  switch (scope) {
    case v1::REVOCATION_SCOPE_UNSPECIFIED:
    case v1::CHAIN:
      break;
    case v1::LEAF:
      out_scope = pki::RevocationScope::kLeaf;
      break;
    default:
      return FieldError("revocation_scope",
                        "is nothing that this version knows; CHAIN or LEAF");
  }
  if (!has_lists && rule == v1::HARD_FAIL) {
    return FieldError("revocation_rule",
                      "HARD_FAIL without revocation_lists checks nothing; name "
                      "a list, or leave it out");
  }
  return absl::OkStatus();
}

}  // namespace sallyport::cert_validator
