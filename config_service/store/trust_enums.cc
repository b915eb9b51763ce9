#include "config_service/store/trust_enums.h"

namespace sallyport::store {

namespace proto = sallyport::filter::v1;

proto::ChainPolicy ToProto(pki::ChainPolicy policy) {
  return policy == pki::ChainPolicy::kAnyAnchor ? proto::ANY_ANCHOR
                                                : proto::COMPLETE_CHAIN;
}

proto::ExtendedKeyUsageRule ToProto(pki::ExtendedKeyUsageRule rule) {
  switch (rule) {
    case pki::ExtendedKeyUsageRule::kRequire:
      return proto::EKU_REQUIRE;
    case pki::ExtendedKeyUsageRule::kWarn:
      return proto::EKU_WARN;
    case pki::ExtendedKeyUsageRule::kIgnore:
      return proto::EKU_IGNORE;
  }
  return proto::EKU_REQUIRE;
}

proto::RevocationRule ToProto(pki::RevocationRule rule) {
  return rule == pki::RevocationRule::kSoftFail ? proto::SOFT_FAIL
                                                : proto::HARD_FAIL;
}

proto::RevocationScope ToProto(pki::RevocationScope scope) {
  return scope == pki::RevocationScope::kLeaf ? proto::LEAF : proto::CHAIN;
}

std::optional<pki::ChainPolicy> FromProto(proto::ChainPolicy policy) {
  switch (policy) {
    case proto::CHAIN_POLICY_UNSPECIFIED:
    case proto::COMPLETE_CHAIN:
      return pki::ChainPolicy::kCompleteChain;
    case proto::ANY_ANCHOR:
      return pki::ChainPolicy::kAnyAnchor;
    default:
      return std::nullopt;
  }
}

std::optional<pki::ExtendedKeyUsageRule> FromProto(
    proto::ExtendedKeyUsageRule rule) {
  switch (rule) {
    case proto::EXTENDED_KEY_USAGE_RULE_UNSPECIFIED:
    case proto::EKU_REQUIRE:
      return pki::ExtendedKeyUsageRule::kRequire;
    case proto::EKU_WARN:
      return pki::ExtendedKeyUsageRule::kWarn;
    case proto::EKU_IGNORE:
      return pki::ExtendedKeyUsageRule::kIgnore;
    default:
      return std::nullopt;
  }
}

std::optional<pki::RevocationRule> FromProto(proto::RevocationRule rule) {
  switch (rule) {
    case proto::REVOCATION_RULE_UNSPECIFIED:
    case proto::SOFT_FAIL:
      return pki::RevocationRule::kSoftFail;
    case proto::HARD_FAIL:
      return pki::RevocationRule::kHardFail;
    default:
      return std::nullopt;
  }
}

std::optional<pki::RevocationScope> FromProto(proto::RevocationScope scope) {
  switch (scope) {
    case proto::REVOCATION_SCOPE_UNSPECIFIED:
    case proto::CHAIN:
      return pki::RevocationScope::kChain;
    case proto::LEAF:
      return pki::RevocationScope::kLeaf;
    default:
      return std::nullopt;
  }
}

}  // namespace sallyport::store
