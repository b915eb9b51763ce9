// What client rules are compiled into. Internal to client_rule.cc.

#ifndef SALLYPORT_PKI_CHAIN_RULE_MATCHERS_H_
#define SALLYPORT_PKI_CHAIN_RULE_MATCHERS_H_

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "pki/chain/client_rule.h"
#include "pki/truststore/deny_list.h"
#include "pki/x509/certificate.h"
#include "pki/x509/distinguished_name.h"

// BORINGSSL_PREFIX comes with the dependency on BoringSSL.
namespace bssl {
inline namespace BORINGSSL_PREFIX {
struct GeneralNames;
}  // namespace BORINGSSL_PREFIX
}  // namespace bssl

namespace sallyport::pki {

// What matchers ask of one certificate during one call: each thing is read when
// it is first asked for. Not thread-safe; lives on the stack of the call.
class RuleFacts {
 public:
  // `leaf` outlives this and its parsed() is not null.
  // `lists` may be null: there are none.
  RuleFacts(const Certificate& leaf, absl::string_view truststore,
            const NamedDenyLists* lists)
      : leaf_(leaf), truststore_(truststore), lists_(lists) {}

  const Certificate& leaf() const { return leaf_; }
  absl::string_view truststore() const { return truststore_; }
  // Null: there is none of that name.
  const DenyList* FindList(absl::string_view name) const;
  // Null: the certificate has no subject alternative names.
  const bssl::GeneralNames* alt_names() const;
  const absl::InlinedVector<Sha256Digest, 2>& key_digests();
  // Null: it cannot be read.
  const std::vector<DnAttribute>* subject();
  const std::vector<DnAttribute>* issuer();

  // Counts `n` comparisons. False: limits::kMaxClientRuleChecks are spent, and
  // the answer to what was asked is kUnclear.
  bool Spend(size_t n = 1);

 private:
  using Attributes = std::vector<DnAttribute>;

  const Certificate& leaf_;
  const absl::string_view truststore_;
  const NamedDenyLists* const lists_;
  size_t spent_ = 0;
  absl::InlinedVector<Sha256Digest, 2> key_digests_;
  // The outer one is empty until it was read.
  std::optional<std::optional<Attributes>> subject_;
  std::optional<std::optional<Attributes>> issuer_;
};

// One node of a compiled rule. Immutable; thread-safe.
class RuleMatcher {
 public:
  RuleMatcher() = default;
  RuleMatcher(const RuleMatcher&) = delete;
  RuleMatcher& operator=(const RuleMatcher&) = delete;
  virtual ~RuleMatcher() = default;
  virtual RuleMatch Judge(RuleFacts& facts) const = 0;
};

// A matcher with what is told of it.
struct CompiledMatcher {
  std::unique_ptr<const RuleMatcher> matcher;
  // Over kind and canonical content.
  Sha256Digest digest;
  // Printable; at most limits::kMaxClientRuleDescriptionBytes.
  std::string description;
};

// The name of the field of ClientRule ("san_dns").
absl::string_view RuleFieldName(ClientRuleSpec::Kind kind);

// CompileMatcher: `spec`, which is none of kAll, kAny and kNone. `field` is the
// path of the matcher ("allow.any.rules[3].san_dns"). Errors as
// ClientRule::Compile(). The lists are not empty and every value is at most
// limits::kMaxClientRuleValueBytes long: the caller has looked.
absl::StatusOr<CompiledMatcher> CompileMatcher(const ClientRuleSpec& spec,
                                               const std::string& field);

// CombineMatchers: kAll, kAny or kNone over `parts`, of which there is at
// least one.
CompiledMatcher CombineMatchers(ClientRuleSpec::Kind kind,
                                std::vector<CompiledMatcher> parts);

}  // namespace sallyport::pki

#endif  // SALLYPORT_PKI_CHAIN_RULE_MATCHERS_H_
