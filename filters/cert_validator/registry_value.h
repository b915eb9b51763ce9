// What the module's registry holds, read from RegistryEntry configurations.
//
// All values are immutable. Every reading function returns InvalidArgument for
// what is wrong in the configuration: the message starts with the field
// ("truststore.pem.sha256: ..."), says how to mend it, and holds no contents.

#ifndef SALLYPORT_FILTERS_CERT_VALIDATOR_REGISTRY_VALUE_H_
#define SALLYPORT_FILTERS_CERT_VALIDATOR_REGISTRY_VALUE_H_

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/optional.h"
#include "filters/cert_validator/shared_truststore.h"
#include "pki/chain/verify.h"
#include "pki/truststore/deny_list.h"
#include "pki/truststore/revocation.h"
#include "pki/x509/certificate.h"
#include "proto/sallyport/filter/v1/config.pb.h"

namespace sallyport::cert_validator {

// The most RegistryTruststore.revocation_lists.
inline constexpr size_t kMaxRevocationListNames = 100;
// The most DomainBinding.deny_lists and certificate_lists.
inline constexpr size_t kMaxDenyListNames = 100;
inline constexpr size_t kMaxCertificateListNames = 1000;

// One content of a truststore and what it is called.
struct PinnedVersion {
  std::string version;  // may be empty
  pki::Sha256Digest digest{};
};

// A version of a truststore.
struct RegistryTruststore {
  std::string name;
  std::string version;  // may be empty
  pki::Sha256Digest digest{};
  std::shared_ptr<const SharedTruststore> truststore;
  pki::TruststoreLimits limits;
  bool active = false;
  // Its rules; the limits among them count for nothing.
  pki::VerifyPolicy policy;
  absl::optional<size_t> max_chain_length;    // in place of the binding's
  std::vector<std::string> revocation_lists;  // names
  pki::RevocationRule revocation_rule = pki::RevocationRule::kSoftFail;
  pki::RevocationScope revocation_scope = pki::RevocationScope::kChain;
  pki::RevocationLimits revocation_limits;
  absl::optional<PinnedVersion> shadow;
};

struct RegistryRevocationLists {
  std::string name;
  std::string bytes;
  // The lists alone.
  std::shared_ptr<const pki::RevocationLists> lists;
};

struct RegistryCertificateList {
  std::string name;
  std::shared_ptr<const pki::DenyList> list;
};

struct TruststoreReference {
  std::string name;
  absl::optional<PinnedVersion> pinned;  // unset: the active version
  // In place of the truststore's own.
  absl::optional<pki::ExtendedKeyUsageRule> extended_key_usage;
};

// A DomainBinding without its domain.
struct BindingSpec {
  std::vector<TruststoreReference> truststores;
  // Its limits; the rules among them count for nothing.
  pki::VerifyPolicy policy;
  // Names of certificate lists.
  std::vector<std::string> deny_lists;
  std::vector<std::string> certificate_lists;
  // Equal for equal specs.
  std::string key;
};

absl::StatusOr<std::shared_ptr<const RegistryTruststore>>
ReadRegistryTruststore(const filter::v1::RegistryTruststore& config);
absl::StatusOr<std::shared_ptr<const RegistryRevocationLists>>
ReadRegistryRevocationLists(const filter::v1::RegistryRevocationLists& config);
absl::StatusOr<std::shared_ptr<const RegistryCertificateList>>
ReadRegistryCertificateList(const filter::v1::RegistryCertificateList& config);
// The domain as ReadDomain() returns it, and the rest.
struct Binding {
  std::string domain;
  BindingSpec spec;
};
absl::StatusOr<Binding> ReadBinding(const filter::v1::DomainBinding& config);

}  // namespace sallyport::cert_validator

#endif  // SALLYPORT_FILTERS_CERT_VALIDATOR_REGISTRY_VALUE_H_
