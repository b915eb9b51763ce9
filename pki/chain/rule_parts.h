// What the files of compiled client rules share. Internal to pki/chain.

#ifndef SALLYPORT_PKI_CHAIN_RULE_PARTS_H_
#define SALLYPORT_PKI_CHAIN_RULE_PARTS_H_

#include <openssl/sha2.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "pki/chain/client_rule.h"
#include "pki/chain/rule_matchers.h"
#include "pki/x509/certificate.h"

namespace sallyport::pki {

using RuleStrings = absl::flat_hash_set<std::string>;

// Kleene's logic.
RuleMatch Not(RuleMatch a);
RuleMatch And(RuleMatch a, RuleMatch b);
RuleMatch Or(RuleMatch a, RuleMatch b);
inline RuleMatch FromBool(bool yes) {
  return yes ? RuleMatch::kYes : RuleMatch::kNo;
}

// InvalidArgument: "FIELD.LIST[i]: WHAT".
absl::Status BadValue(absl::string_view field, absl::string_view list, size_t i,
                      absl::string_view what);

// DescribeMatcher: a matcher for an operator ("san_dns(\"a.example.com\")"),
// cut to limits::kMaxClientRuleDescriptionBytes.
std::string DescribeMatcher(const ClientRuleSpec& spec);

// CutDescription: `text`, cut to that size.
std::string CutDescription(std::string text);

// SHA-256 over a kind and fields, each with its length before it.
class ContentDigest {
 public:
  explicit ContentDigest(ClientRuleSpec::Kind kind) {
    SHA256_Init(&context_);
    Add("sallyport client rule 1");
    Add(RuleFieldName(kind));
  }

  void Add(absl::string_view bytes) {
    AddNumber(bytes.size());
    SHA256_Update(&context_, bytes.data(), bytes.size());
  }

  void AddNumber(uint64_t number) {
    std::array<uint8_t, 8> bytes;
    for (size_t i = bytes.size(); i-- > 0;) {
      bytes[i] = static_cast<uint8_t>(number & 0xff);
      number >>= 8;
    }
    SHA256_Update(&context_, bytes.data(), bytes.size());
  }

  // As a set: order and repetition do not count.
  template <typename Container>
  void AddSet(const Container& values) {
    std::vector<absl::string_view> sorted(values.begin(), values.end());
    std::sort(sorted.begin(), sorted.end());
    sorted.erase(std::unique(sorted.begin(), sorted.end()), sorted.end());
    AddNumber(sorted.size());
    for (const absl::string_view value : sorted) Add(value);
  }

  Sha256Digest Finish() {
    Sha256Digest digest;
    SHA256_Final(digest.data(), &context_);
    return digest;
  }

 private:
  SHA256_CTX context_;
};

// One for each kind; as CompileMatcher().
absl::StatusOr<CompiledMatcher> CompileSanDns(const ClientRuleSpec& spec,
                                              const std::string& field);
absl::StatusOr<CompiledMatcher> CompileSanUri(const ClientRuleSpec& spec,
                                              const std::string& field);
absl::StatusOr<CompiledMatcher> CompileSanEmail(const ClientRuleSpec& spec,
                                                const std::string& field);
absl::StatusOr<CompiledMatcher> CompileSanIp(const ClientRuleSpec& spec,
                                             const std::string& field);
// Subject and issuer.
absl::StatusOr<CompiledMatcher> CompileName(const ClientRuleSpec& spec,
                                            const std::string& field);

}  // namespace sallyport::pki

#endif  // SALLYPORT_PKI_CHAIN_RULE_PARTS_H_
