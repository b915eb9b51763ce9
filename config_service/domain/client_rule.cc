#include "config_service/domain/client_rule.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/limits.h"

namespace sallyport::domain {
namespace {

using Kind = ClientRule::Kind;
using pki::ClientRuleSpec;

std::vector<absl::string_view> Views(const std::vector<std::string>& values) {
  return std::vector<absl::string_view>(values.begin(), values.end());
}

bool IsCombination(Kind kind) {
  return kind == Kind::kAll || kind == Kind::kAny || kind == Kind::kNone;
}

absl::string_view CombinationName(Kind kind) {
  return kind == Kind::kAll ? "all" : kind == Kind::kAny ? "any" : "none";
}

// One level of `rule`: the lists, not the rules below it.
ClientRuleSpec SpecOfMatcher(const ClientRule& rule) {
  ClientRuleSpec spec;
  spec.kind = rule.kind;
  spec.values = Views(rule.values);
  spec.spiffe = Views(rule.spiffe);
  for (const ClientRule::Attribute& attribute : rule.attributes) {
    ClientRuleSpec::Attribute& added = spec.attributes.emplace_back();
    added.type = attribute.type;
    added.exact = Views(attribute.exact);
    added.prefix = Views(attribute.prefix);
    added.suffix = Views(attribute.suffix);
    added.ignore_case = attribute.ignore_case;
  }
  return spec;
}

// NOLINTNEXTLINE(misc-no-recursion): CheckParts() has seen that it is not deep.
ClientRuleSpec Spec(const ClientRule& rule) {
  ClientRuleSpec spec = SpecOfMatcher(rule);
  spec.rules.reserve(rule.rules.size());
  for (const ClientRule& part : rule.rules) spec.rules.push_back(Spec(part));
  return spec;
}

// `status` is one of pki::ClientRule::Compile(): "FIELD: what is wrong".
void AddCompileError(absl::string_view field, const absl::Status& status,
                     Violations& violations) {
  const absl::string_view message = status.message();
  const size_t colon = message.find(": ");
  if (colon == absl::string_view::npos) {
    violations.Add(field, Reason::kClientRuleInvalid, message);
    return;
  }
  violations.Add(message.substr(0, colon), Reason::kClientRuleInvalid,
                 message.substr(colon + 2));
}

// Every matcher by itself, so that the faults of all are found and not only
// that of the first. `depth` is 1 for the outermost.
// NOLINTNEXTLINE(misc-no-recursion): at most kMaxClientRuleDepth deep.
void CheckParts(const std::string& field, const ClientRule& rule, size_t depth,
                Violations& violations) {
  if (depth > limits::kMaxClientRuleDepth) {
    violations.Add(field, Reason::kClientRuleInvalid,
                   absl::StrCat("is nested deeper than ",
                                limits::kMaxClientRuleDepth, " rules"));
    return;
  }
  if (!IsCombination(rule.kind)) {
    const auto compiled = pki::ClientRule::Compile(SpecOfMatcher(rule), field);
    if (!compiled.ok()) AddCompileError(field, compiled.status(), violations);
    return;
  }
  const std::string rules =
      absl::StrCat(field, ".", CombinationName(rule.kind), ".rules");
  if (rule.rules.empty()) {
    violations.Add(rules, Reason::kClientRuleInvalid,
                   "is empty; give at least one rule");
  }
  for (size_t i = 0; i < rule.rules.size(); ++i) {
    CheckParts(Element(rules, i), rule.rules[i], depth + 1, violations);
  }
}

// NOLINTNEXTLINE(misc-no-recursion): as deep as the rule.
void CollectTruststores(const ClientRule& rule, std::vector<std::string>& out) {
  if (rule.kind == Kind::kTruststore) {
    out.insert(out.end(), rule.values.begin(), rule.values.end());
  }
  for (const ClientRule& part : rule.rules) CollectTruststores(part, out);
}

// Rules and attributes, counted until there are more than may be: checking the
// parts of a rule that is far too large would take long.
// NOLINTNEXTLINE(misc-no-recursion): stops at kMaxClientRuleDepth.
void CountMatchers(const ClientRule& rule, size_t depth, size_t& matchers) {
  matchers += 1 + rule.attributes.size();
  if (depth >= limits::kMaxClientRuleDepth) return;
  for (const ClientRule& part : rule.rules) {
    if (matchers > limits::kMaxClientRuleMatchers) return;
    CountMatchers(part, depth + 1, matchers);
  }
}

}  // namespace

void CheckClientRule(absl::string_view field, const ClientRule& rule,
                     Violations& violations) {
  size_t matchers = 0;
  CountMatchers(rule, 1, matchers);
  if (matchers > limits::kMaxClientRuleMatchers) {
    violations.Add(
        field, Reason::kClientRuleInvalid,
        absl::StrCat("has more than ", limits::kMaxClientRuleMatchers,
                     " matchers; put values of one kind into one "
                     "list"));
    return;
  }
  Violations parts;
  CheckParts(std::string(field), rule, 1, parts);
  violations.AddAll("", parts);
  if (!parts.empty()) return;
  // What only the whole can have too much of.
  const auto compiled = pki::ClientRule::Compile(Spec(rule), field);
  if (!compiled.ok()) AddCompileError(field, compiled.status(), violations);
}

std::vector<std::string> TruststoresOf(const ClientRule& rule) {
  std::vector<std::string> out;
  CollectTruststores(rule, out);
  return out;
}

}  // namespace sallyport::domain
