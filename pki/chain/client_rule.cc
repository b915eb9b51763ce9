#include "pki/chain/client_rule.h"

#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/limits.h"
#include "base/status_macros.h"
#include "pki/chain/rule_matchers.h"

namespace sallyport::pki {
namespace {

using Kind = ClientRuleSpec::Kind;

bool IsCombination(Kind kind) {
  return kind == Kind::kAll || kind == Kind::kAny || kind == Kind::kNone;
}

// The name of the list of a matcher that holds ClientRuleSpec::values.
absl::string_view ValuesName(Kind kind) {
  switch (kind) {
    case Kind::kSanDns:
    case Kind::kSanEmail:
      return "patterns";
    case Kind::kSanIp:
      return "ranges";
    case Kind::kCertificateSha256:
    case Kind::kSpkiSha256:
      return "sha256";
    case Kind::kSerial:
      return "hex";
    case Kind::kTruststore:
    case Kind::kCertificateList:
      return "names";
    default:
      return "exact";
  }
}

class Compiler {
 public:
  absl::StatusOr<CompiledMatcher> Compile(const ClientRuleSpec& spec,
                                          absl::string_view outer,
                                          size_t depth) {
    const std::string field =
        absl::StrCat(outer, outer.empty() ? "" : ".", RuleFieldName(spec.kind));
    if (depth > limits::kMaxClientRuleDepth) {
      return absl::ResourceExhaustedError(
          absl::StrCat(field, ": is nested deeper than ",
                       limits::kMaxClientRuleDepth, " rules"));
    }
    SALLYPORT_RETURN_IF_ERROR(CountMatchers(1, field));
    if (!IsCombination(spec.kind)) {
      SALLYPORT_RETURN_IF_ERROR(CheckLists(spec, field));
      return CompileMatcher(spec, field);
    }
    if (spec.rules.empty()) {
      return absl::InvalidArgumentError(
          absl::StrCat(field, ".rules: is empty; give at least one rule"));
    }
    std::vector<CompiledMatcher> parts;
    parts.reserve(spec.rules.size() < limits::kMaxClientRuleMatchers
                      ? spec.rules.size()
                      : 0);
    for (size_t i = 0; i < spec.rules.size(); ++i) {
      SALLYPORT_ASSIGN_OR_RETURN(
          CompiledMatcher part,
          Compile(spec.rules[i], absl::StrCat(field, ".rules[", i, "]"),
                  depth + 1));
      parts.push_back(std::move(part));
    }
    return CombineMatchers(spec.kind, std::move(parts));
  }

 private:
  absl::Status CountMatchers(size_t n, absl::string_view field) {
    matchers_ += n;
    if (matchers_ <= limits::kMaxClientRuleMatchers) return absl::OkStatus();
    return absl::ResourceExhaustedError(absl::StrCat(
        field, ": the rule has more than ", limits::kMaxClientRuleMatchers,
        " matchers; put values of one kind into one list"));
  }

  absl::Status CheckList(const std::vector<absl::string_view>& list,
                         absl::string_view field) {
    values_ += list.size();
    if (values_ > limits::kMaxClientRuleValues) {
      return absl::ResourceExhaustedError(
          absl::StrCat(field, ": the rule has more than ",
                       limits::kMaxClientRuleValues, " values"));
    }
    for (size_t i = 0; i < list.size(); ++i) {
      if (list[i].empty()) {
        return absl::InvalidArgumentError(
            absl::StrCat(field, "[", i, "]: is empty; leave it out"));
      }
      if (list[i].size() > limits::kMaxClientRuleValueBytes) {
        return absl::ResourceExhaustedError(
            absl::StrCat(field, "[", i, "]: is longer than ",
                         limits::kMaxClientRuleValueBytes, " bytes"));
      }
    }
    return absl::OkStatus();
  }

  absl::Status CheckLists(const ClientRuleSpec& spec,
                          const std::string& field) {
    const absl::string_view values = ValuesName(spec.kind);
    SALLYPORT_RETURN_IF_ERROR(
        CheckList(spec.values, absl::StrCat(field, ".", values)));
    SALLYPORT_RETURN_IF_ERROR(
        CheckList(spec.spiffe, absl::StrCat(field, ".spiffe")));
    SALLYPORT_RETURN_IF_ERROR(CountMatchers(
        spec.attributes.size(), absl::StrCat(field, ".attributes")));
    for (size_t i = 0; i < spec.attributes.size(); ++i) {
      const ClientRuleSpec::Attribute& attribute = spec.attributes[i];
      const std::string at = absl::StrCat(field, ".attributes[", i, "]");
      SALLYPORT_RETURN_IF_ERROR(
          CheckList(attribute.exact, absl::StrCat(at, ".exact")));
      SALLYPORT_RETURN_IF_ERROR(
          CheckList(attribute.prefix, absl::StrCat(at, ".prefix")));
      SALLYPORT_RETURN_IF_ERROR(
          CheckList(attribute.suffix, absl::StrCat(at, ".suffix")));
      if (attribute.exact.empty() && attribute.prefix.empty() &&
          attribute.suffix.empty()) {
        return absl::InvalidArgumentError(absl::StrCat(
            at, ": has no value; give `exact`, `prefix` or `suffix`"));
      }
    }
    if (!spec.values.empty() || !spec.spiffe.empty() ||
        !spec.attributes.empty()) {
      return absl::OkStatus();
    }
    switch (spec.kind) {
      case Kind::kSanUri:
        return absl::InvalidArgumentError(
            absl::StrCat(field, ": is empty; give `exact` or `spiffe`"));
      case Kind::kSubject:
      case Kind::kIssuer:
        return absl::InvalidArgumentError(
            absl::StrCat(field, ": is empty; give `exact` or `attributes`"));
      default:
        return absl::InvalidArgumentError(absl::StrCat(
            field, ".", values, ": is empty; give at least one value"));
    }
  }

  size_t matchers_ = 0;
  size_t values_ = 0;
};

}  // namespace

ClientRule::ClientRule() = default;
ClientRule::~ClientRule() = default;

absl::StatusOr<std::shared_ptr<const ClientRule>> ClientRule::Compile(
    const ClientRuleSpec& spec, absl::string_view field) {
  SALLYPORT_ASSIGN_OR_RETURN(CompiledMatcher compiled,
                             Compiler().Compile(spec, field, 1));
  std::shared_ptr<ClientRule> rule(new ClientRule());
  rule->root_ = std::move(compiled.matcher);
  rule->field_ = std::string(field);
  rule->description_ = std::move(compiled.description);
  rule->digest_ = compiled.digest;
  return std::shared_ptr<const ClientRule>(std::move(rule));
}

std::string ClientRule::Refusal(RuleMatch match) const {
  return absl::StrCat("the client is trusted, but ", field_,
                      match == RuleMatch::kUnclear
                          ? " cannot be judged by what its certificate holds: "
                          : " does not match: ",
                      description_);
}

RuleMatch ClientRule::Judge(const Certificate& leaf,
                            absl::string_view truststore_name,
                            const NamedDenyLists* lists) const {
  if (leaf.parsed() == nullptr) return RuleMatch::kUnclear;
  RuleFacts facts(leaf, truststore_name, lists);
  return root_->Judge(facts);
}

}  // namespace sallyport::pki
