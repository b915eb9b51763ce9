// Matchers of the subject and the issuer.

#include <algorithm>
#include <functional>
#include <memory>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "pki/chain/rule_matchers.h"
#include "pki/chain/rule_parts.h"
#include "pki/x509/der.h"
#include "pki/x509/distinguished_name.h"
#include "third_party_boringssl/pki/parsed_certificate.h"

namespace sallyport::pki {
namespace {

using Kind = ClientRuleSpec::Kind;

// Subject and issuer.

// Beginnings or ends of strings, looked up by their lengths.
class Affixes {
 public:
  void Add(std::string affix) {
    lengths_.push_back(affix.size());
    set_.insert(std::move(affix));
  }
  void Finish() {
    std::sort(lengths_.begin(), lengths_.end());
    lengths_.erase(std::unique(lengths_.begin(), lengths_.end()),
                   lengths_.end());
  }
  bool IsPrefixOf(absl::string_view text) const {
    for (const size_t length : lengths_) {
      if (length > text.size()) return false;
      if (set_.contains(text.substr(0, length))) return true;
    }
    return false;
  }
  bool IsSuffixOf(absl::string_view text) const {
    for (const size_t length : lengths_) {
      if (length > text.size()) return false;
      if (set_.contains(text.substr(text.size() - length))) return true;
    }
    return false;
  }
  size_t cost() const { return lengths_.size(); }
  const RuleStrings& set() const { return set_; }

 private:
  RuleStrings set_;
  std::vector<size_t> lengths_;  // ascending
};

struct AttributeMatcher {
  std::string oid;
  RuleStrings exact;
  Affixes prefix;
  Affixes suffix;
  bool ignore_case = false;

  bool Matches(absl::string_view text) const {
    return exact.contains(text) || prefix.IsPrefixOf(text) ||
           suffix.IsSuffixOf(text);
  }

  RuleMatch Judge(const std::vector<DnAttribute>& attributes,
                  RuleFacts& facts) const {
    RuleMatch result = RuleMatch::kNo;
    for (const DnAttribute& attribute : attributes) {
      if (attribute.type != oid) continue;
      if (!facts.Spend(1 + prefix.cost() + suffix.cost())) {
        return RuleMatch::kUnclear;
      }
      if (!attribute.text.has_value()) {
        result = RuleMatch::kUnclear;
      } else if (Matches(ignore_case ? absl::AsciiStrToLower(*attribute.text)
                                     : *attribute.text)) {
        return RuleMatch::kYes;
      }
    }
    return result;
  }
};

class NameMatcher final : public RuleMatcher {
 public:
  explicit NameMatcher(Kind kind) : is_subject_(kind == Kind::kSubject) {}

  RuleMatch Judge(RuleFacts& facts) const override {
    RuleMatch result = RuleMatch::kYes;
    if (!exact_.empty()) {
      result = JudgeWhole(facts);
      if (result == RuleMatch::kNo) return result;
    }
    if (attributes_.empty()) return result;
    const std::vector<DnAttribute>* const name = Attributes(facts);
    if (name == nullptr) return RuleMatch::kUnclear;
    for (const AttributeMatcher& attribute : attributes_) {
      result = And(result, attribute.Judge(*name, facts));
      if (result == RuleMatch::kNo) return result;
    }
    return result;
  }

  RuleStrings exact_;  // as NormalizeName() makes them
  std::vector<AttributeMatcher> attributes_;

 private:
  const std::vector<DnAttribute>* Attributes(RuleFacts& facts) const {
    return is_subject_ ? facts.subject() : facts.issuer();
  }

  RuleMatch JudgeWhole(RuleFacts& facts) const {
    if (!facts.Spend()) return RuleMatch::kUnclear;
    const bssl::ParsedCertificate& leaf = *facts.leaf().parsed();
    if (exact_.contains(View(is_subject_ ? leaf.normalized_subject()
                                         : leaf.normalized_issuer()))) {
      return RuleMatch::kYes;
    }
    const std::vector<DnAttribute>* const name = Attributes(facts);
    if (name == nullptr) return RuleMatch::kUnclear;
    // The same name may be written with another string type, which is compared
    // byte for byte.
    return std::all_of(name->begin(), name->end(),
                       [](const DnAttribute& attribute) {
                         return attribute.normalizes;
                       })
               ? RuleMatch::kNo
               : RuleMatch::kUnclear;
  }

  const bool is_subject_;
};

absl::Status AddTexts(const std::vector<absl::string_view>& list,
                      absl::string_view field, absl::string_view name,
                      bool ignore_case,
                      const std::function<void(std::string)>& add) {
  for (size_t i = 0; i < list.size(); ++i) {
    if (!IsUtf8(list[i]) || absl::StrContains(list[i], '\0')) {
      return BadValue(field, name, i, "is no UTF-8 text");
    }
    add(ignore_case ? absl::AsciiStrToLower(list[i]) : std::string(list[i]));
  }
  return absl::OkStatus();
}

absl::StatusOr<AttributeMatcher> CompileAttribute(
    const ClientRuleSpec::Attribute& spec, const std::string& field) {
  AttributeMatcher out;
  std::optional<std::string> oid = AttributeTypeOid(spec.type);
  if (!oid.has_value()) {
    return absl::InvalidArgumentError(absl::StrCat(
        field,
        ".type: is no known attribute; give CN, O, OU, C, L, ST, STREET, DC, "
        "UID, SERIALNUMBER, EMAILADDRESS or an object identifier such as "
        "2.5.4.97"));
  }
  out.oid = *std::move(oid);
  out.ignore_case = spec.ignore_case;
  SALLYPORT_RETURN_IF_ERROR(
      AddTexts(spec.exact, field, "exact", spec.ignore_case,
               [&](std::string text) { out.exact.insert(std::move(text)); }));
  SALLYPORT_RETURN_IF_ERROR(
      AddTexts(spec.prefix, field, "prefix", spec.ignore_case,
               [&](std::string text) { out.prefix.Add(std::move(text)); }));
  SALLYPORT_RETURN_IF_ERROR(
      AddTexts(spec.suffix, field, "suffix", spec.ignore_case,
               [&](std::string text) { out.suffix.Add(std::move(text)); }));
  out.prefix.Finish();
  out.suffix.Finish();
  return out;
}

}  // namespace

absl::StatusOr<CompiledMatcher> CompileName(const ClientRuleSpec& spec,
                                            const std::string& field) {
  auto matcher = std::make_unique<NameMatcher>(spec.kind);
  for (size_t i = 0; i < spec.values.size(); ++i) {
    const absl::StatusOr<std::string> der =
        ParseDistinguishedName(spec.values[i]);
    if (!der.ok()) return BadValue(field, "exact", i, der.status().message());
    std::optional<std::string> normalized = NormalizeName(*der);
    if (!normalized.has_value()) {
      return BadValue(field, "exact", i,
                      "has a value after '#' that its own type cannot hold");
    }
    matcher->exact_.insert(*std::move(normalized));
  }
  std::vector<std::string> attributes;
  for (size_t i = 0; i < spec.attributes.size(); ++i) {
    SALLYPORT_ASSIGN_OR_RETURN(
        AttributeMatcher attribute,
        CompileAttribute(spec.attributes[i],
                         absl::StrCat(field, ".attributes[", i, "]")));
    ContentDigest digest(spec.kind);
    digest.Add(attribute.oid);
    digest.AddNumber(attribute.ignore_case ? 1 : 0);
    digest.AddSet(attribute.exact);
    digest.AddSet(attribute.prefix.set());
    digest.AddSet(attribute.suffix.set());
    attributes.emplace_back(AsBytes(digest.Finish()));
    matcher->attributes_.push_back(std::move(attribute));
  }
  ContentDigest digest(spec.kind);
  digest.AddSet(matcher->exact_);
  digest.AddSet(attributes);
  return CompiledMatcher{std::move(matcher), digest.Finish(),
                         DescribeMatcher(spec)};
}

}  // namespace sallyport::pki
