#include "config_service/domain/client_rule.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "base/limits.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace sallyport::domain {
namespace {

using ::testing::ElementsAre;
using Kind = ClientRule::Kind;

ClientRule Matcher(Kind kind, std::vector<std::string> values) {
  ClientRule rule;
  rule.kind = kind;
  rule.values = std::move(values);
  return rule;
}

ClientRule Combination(Kind kind, std::vector<ClientRule> rules) {
  ClientRule rule;
  rule.kind = kind;
  rule.rules = std::move(rules);
  return rule;
}

Violations Check(const ClientRule& rule) {
  Violations violations;
  CheckClientRule("allow", rule, violations);
  return violations;
}

TEST(CheckClientRule, TakesWhatTheModuleTakes) {
  ClientRule subject;
  subject.kind = Kind::kSubject;
  subject.attributes.push_back({"O", {"Example"}, {}, {}, false});
  ClientRule uri;
  uri.kind = Kind::kSanUri;
  uri.spiffe = {"spiffe://example.com/ns/*"};
  EXPECT_TRUE(
      Check(Combination(
                Kind::kAll,
                {Combination(Kind::kAny,
                             {Matcher(Kind::kSanDns, {"*.example.com"}),
                              Matcher(Kind::kTruststore, {"partners"}), uri}),
                 Combination(Kind::kNone, {Matcher(Kind::kSerial, {"0a:1b"})}),
                 subject}))
          .empty());
}

TEST(CheckClientRule, FindsTheFaultsOfAllMatchersAtOnce) {
  const Violations violations = Check(Combination(
      Kind::kAny,
      {Matcher(Kind::kSanDns, {"a..b"}), Matcher(Kind::kSanIp, {"10.0.0.0/8"}),
       Combination(Kind::kAll, {Matcher(Kind::kSpkiSha256, {"12"}),
                                Matcher(Kind::kSanIp, {})})}));
  EXPECT_EQ(violations.size(), 3u);
  EXPECT_TRUE(violations.Has("allow.any.rules[0].san_dns.patterns[0]",
                             Reason::kClientRuleInvalid));
  EXPECT_TRUE(
      violations.Has("allow.any.rules[2].all.rules[0].spki_sha256.sha256[0]"));
  EXPECT_TRUE(violations.Has("allow.any.rules[2].all.rules[1].san_ip.ranges"));
}

TEST(CheckClientRule, RefusesAnEmptyCombination) {
  for (const auto& [kind, name] :
       {std::make_pair(Kind::kAll, "all"), std::make_pair(Kind::kAny, "any"),
        std::make_pair(Kind::kNone, "none")}) {
    EXPECT_TRUE(Check(Combination(kind, {}))
                    .Has(absl::StrCat("allow.", name, ".rules"),
                         Reason::kClientRuleInvalid));
  }
}

ClientRule Nested(size_t depth) {
  ClientRule rule = Matcher(Kind::kTruststore, {"a"});
  for (size_t i = 1; i < depth; ++i) {
    ClientRule outer;
    outer.kind = Kind::kAll;
    outer.rules.push_back(std::move(rule));
    rule = std::move(outer);
  }
  return rule;
}

TEST(CheckClientRule, HasADepthLimit) {
  EXPECT_TRUE(Check(Nested(limits::kMaxClientRuleDepth)).empty());
  EXPECT_EQ(Check(Nested(limits::kMaxClientRuleDepth + 1)).size(), 1u);
  EXPECT_EQ(Check(Nested(90)).size(), 1u);
}

TEST(CheckClientRule, HasALimitOfMatchers) {
  std::vector<ClientRule> rules(limits::kMaxClientRuleMatchers - 1,
                                Matcher(Kind::kTruststore, {"a"}));
  EXPECT_TRUE(Check(Combination(Kind::kAny, rules)).empty());
  rules.push_back(Matcher(Kind::kTruststore, {"a"}));
  const Violations violations = Check(Combination(Kind::kAny, rules));
  EXPECT_EQ(violations.size(), 1u);
  EXPECT_TRUE(violations.Has("allow", Reason::kClientRuleInvalid));
}

TEST(CheckClientRule, CountsValuesOverAllMatchers) {
  const std::vector<std::string> half(limits::kMaxClientRuleValues / 2, "a");
  EXPECT_TRUE(Check(Combination(Kind::kAny, {Matcher(Kind::kTruststore, half),
                                             Matcher(Kind::kTruststore, half)}))
                  .empty());
  EXPECT_EQ(Check(Combination(Kind::kAny, {Matcher(Kind::kTruststore, half),
                                           Matcher(Kind::kTruststore, half),
                                           Matcher(Kind::kTruststore, {"a"})}))
                .size(),
            1u);
}

TEST(TruststoresOf, FindsThemAtAllDepths) {
  EXPECT_THAT(TruststoresOf(Combination(
                  Kind::kAny, {Matcher(Kind::kTruststore, {"a", "b"}),
                               Combination(Kind::kNone,
                                           {Matcher(Kind::kTruststore, {"c"})}),
                               Matcher(Kind::kSanDns, {"d.example"})})),
              ElementsAre("a", "b", "c"));
}

}  // namespace
}  // namespace sallyport::domain
