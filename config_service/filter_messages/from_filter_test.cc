#include "config_service/filter_messages/from_filter.h"

#include <string>

#include "gmock/gmock.h"
#include "google/protobuf/util/json_util.h"
#include "gtest/gtest.h"

namespace sallyport::filter_messages {
namespace {

using domain::Reason;
using domain::Violations;
using ::testing::ElementsAre;
using Kind = domain::ClientRule::Kind;
namespace v1 = ::sallyport::filter::v1;

template <typename Message>
Message FromJson(const std::string& json) {
  Message message;
  const auto status =
      google::protobuf::util::JsonStringToMessage(json, &message);
  EXPECT_TRUE(status.ok()) << status.ToString();
  return message;
}

domain::ClientRule Rule(const std::string& json, Violations& violations) {
  return FromFilter("allow", FromJson<v1::ClientRule>(json), violations);
}

TEST(FromFilter, ReadsEachKindOfClientRule) {
  Violations violations;
  const domain::ClientRule rule = Rule(
      R"({"all": {"rules": [
        {"any": {"rules": [{"sanDns": {"patterns": ["a", "b"]}}]}},
        {"none": {"rules": [{"sanEmail": {"patterns": ["c"]}}]}},
        {"sanUri": {"exact": ["d"], "spiffe": ["e"]}},
        {"sanIp": {"ranges": ["f"]}},
        {"subject": {"exact": ["g"], "attributes": [
          {"type": "O", "exact": ["h"], "prefix": ["i"], "suffix": ["j"],
           "ignoreCase": true}]}},
        {"issuer": {"exact": ["k"]}},
        {"certificateSha256": {"sha256": ["l"]}},
        {"spkiSha256": {"sha256": ["m"]}},
        {"serial": {"hex": ["n"]}},
        {"truststore": {"names": ["o"]}},
        {"certificateList": {"names": ["p"]}}]}})",
      violations);
  EXPECT_TRUE(violations.empty());
  EXPECT_EQ(rule.kind, Kind::kAll);
  ASSERT_EQ(rule.rules.size(), 11u);
  EXPECT_EQ(rule.rules[0].kind, Kind::kAny);
  EXPECT_EQ(rule.rules[0].rules[0].kind, Kind::kSanDns);
  EXPECT_THAT(rule.rules[0].rules[0].values, ElementsAre("a", "b"));
  EXPECT_EQ(rule.rules[1].kind, Kind::kNone);
  EXPECT_EQ(rule.rules[1].rules[0].kind, Kind::kSanEmail);
  EXPECT_EQ(rule.rules[2].kind, Kind::kSanUri);
  EXPECT_THAT(rule.rules[2].values, ElementsAre("d"));
  EXPECT_THAT(rule.rules[2].spiffe, ElementsAre("e"));
  EXPECT_EQ(rule.rules[3].kind, Kind::kSanIp);
  EXPECT_EQ(rule.rules[4].kind, Kind::kSubject);
  EXPECT_THAT(rule.rules[4].values, ElementsAre("g"));
  ASSERT_EQ(rule.rules[4].attributes.size(), 1u);
  EXPECT_EQ(rule.rules[4].attributes[0].type, "O");
  EXPECT_THAT(rule.rules[4].attributes[0].exact, ElementsAre("h"));
  EXPECT_THAT(rule.rules[4].attributes[0].prefix, ElementsAre("i"));
  EXPECT_THAT(rule.rules[4].attributes[0].suffix, ElementsAre("j"));
  EXPECT_TRUE(rule.rules[4].attributes[0].ignore_case);
  EXPECT_EQ(rule.rules[5].kind, Kind::kIssuer);
  EXPECT_EQ(rule.rules[6].kind, Kind::kCertificateSha256);
  EXPECT_EQ(rule.rules[7].kind, Kind::kSpkiSha256);
  EXPECT_EQ(rule.rules[8].kind, Kind::kSerial);
  EXPECT_EQ(rule.rules[9].kind, Kind::kTruststore);
  EXPECT_THAT(rule.rules[9].values, ElementsAre("o"));
  EXPECT_EQ(rule.rules[10].kind, Kind::kCertificateList);
  EXPECT_THAT(rule.rules[10].values, ElementsAre("p"));
}

TEST(FromFilter, NamesEveryRuleThatSetsNothing) {
  Violations violations;
  Rule(R"({"any": {"rules": [{}, {"none": {"rules": [{}]}}]}})", violations);
  EXPECT_EQ(violations.size(), 2u);
  EXPECT_TRUE(violations.Has("allow.any.rules[0]", Reason::kClientRuleInvalid));
  EXPECT_TRUE(violations.Has("allow.any.rules[1].none.rules[0]",
                             Reason::kClientRuleInvalid));
}

TEST(FromFilter, ReadsForwarding) {
  Violations violations;
  const domain::Forwarding forwarding = FromFilter(
      "forwarding",
      FromJson<v1::Forwarding>(
          R"({"xfcc": {"subject": true, "chain": true}, "rfc9440": {"chain": true},
              "alb": {"mode": "PASSTHROUGH"}, "ingressNginx": {"cert": true},
              "traefik": {"info": true}, "cloudflare": {}, "apiGateway": {},
              "chainSource": "VERIFIED", "truststore": true, "verdict": true,
              "removeHeaders": ["x-a"], "maxHeaderBytes": 4096,
              "trustedProxy": {"truststore": {"names": ["proxies"]}}})"),
      violations);
  EXPECT_TRUE(violations.empty());
  ASSERT_TRUE(forwarding.xfcc.has_value());
  EXPECT_TRUE(forwarding.xfcc->subject);
  EXPECT_FALSE(forwarding.xfcc->cert);
  EXPECT_TRUE(forwarding.xfcc->chain);
  EXPECT_FALSE(forwarding.xfcc->uri);
  EXPECT_FALSE(forwarding.xfcc->dns);
  EXPECT_TRUE(forwarding.rfc9440->chain);
  EXPECT_EQ(forwarding.alb->mode, domain::Forwarding::Alb::Mode::kPassthrough);
  EXPECT_TRUE(forwarding.ingress_nginx->cert);
  EXPECT_FALSE(forwarding.traefik->pem);
  EXPECT_TRUE(forwarding.traefik->info);
  EXPECT_TRUE(forwarding.cloudflare);
  EXPECT_TRUE(forwarding.api_gateway);
  EXPECT_EQ(forwarding.chain_source,
            domain::Forwarding::ChainSource::kVerified);
  EXPECT_TRUE(forwarding.truststore);
  EXPECT_TRUE(forwarding.verdict);
  EXPECT_THAT(forwarding.remove_headers, ElementsAre("x-a"));
  EXPECT_EQ(forwarding.max_header_bytes, 4096u);
  EXPECT_EQ(forwarding.trusted_proxy->kind, Kind::kTruststore);
  const domain::Forwarding none = FromFilter("", v1::Forwarding(), violations);
  EXPECT_FALSE(none.xfcc.has_value());
  EXPECT_FALSE(none.cloudflare);
  EXPECT_FALSE(none.trusted_proxy.has_value());
}

TEST(FromFilter, RefusesNumbersWithoutAName) {
  v1::Forwarding forwarding;
  forwarding.mutable_alb()->set_mode(
      static_cast<v1::Forwarding::Alb::Mode>(77));
  forwarding.set_chain_source(static_cast<v1::Forwarding::ChainSource>(77));
  Violations violations;
  FromFilter("forwarding", forwarding, violations);
  FromFilter("rejection", static_cast<v1::RejectionStyle>(77), violations);
  FromFilter("chain_policy", static_cast<v1::ChainPolicy>(77), violations);
  FromFilter("rule", static_cast<v1::RevocationRule>(77), violations);
  FromFilter("scope", static_cast<v1::RevocationScope>(77), violations);
  FromFilter("certificate", v1::NOT_ASKED, violations);
  FromFilter("eku", static_cast<v1::ExtendedKeyUsageRule>(77), violations);
  EXPECT_EQ(violations.size(), 8u);
  for (const char* field :
       {"forwarding.alb.mode", "forwarding.chain_source", "rejection",
        "chain_policy", "rule", "scope", "certificate", "eku"}) {
    EXPECT_TRUE(violations.Has(field, Reason::kFieldMalformed)) << field;
  }
}

TEST(FromFilter, TakesTheDefaultForWhatIsUnspecified) {
  Violations violations;
  EXPECT_EQ(FromFilter("", v1::REJECTION_STYLE_UNSPECIFIED, violations),
            domain::RejectionStyle::kForbidden);
  EXPECT_EQ(FromFilter("", v1::CHAIN_POLICY_UNSPECIFIED, violations),
            pki::ChainPolicy::kCompleteChain);
  EXPECT_EQ(FromFilter("", v1::REVOCATION_RULE_UNSPECIFIED, violations),
            pki::RevocationRule::kSoftFail);
  EXPECT_EQ(FromFilter("", v1::REVOCATION_SCOPE_UNSPECIFIED, violations),
            pki::RevocationScope::kChain);
  EXPECT_FALSE(FromFilter("", v1::CLIENT_CERTIFICATE_UNSPECIFIED, violations)
                   .has_value());
  EXPECT_FALSE(
      FromFilter("", v1::EXTENDED_KEY_USAGE_RULE_UNSPECIFIED, violations)
          .has_value());
  EXPECT_TRUE(violations.empty());
}

TEST(FromFilter, ReadsEachNamedNumber) {
  Violations violations;
  EXPECT_EQ(FromFilter("", v1::HANDSHAKE, violations),
            domain::RejectionStyle::kHandshake);
  EXPECT_EQ(FromFilter("", v1::BAD_REQUEST, violations),
            domain::RejectionStyle::kBadRequest);
  EXPECT_EQ(FromFilter("", v1::PASS, violations),
            domain::RejectionStyle::kPass);
  EXPECT_EQ(FromFilter("", v1::ANY_ANCHOR, violations),
            pki::ChainPolicy::kAnyAnchor);
  EXPECT_EQ(FromFilter("", v1::HARD_FAIL, violations),
            pki::RevocationRule::kHardFail);
  EXPECT_EQ(FromFilter("", v1::LEAF, violations), pki::RevocationScope::kLeaf);
  EXPECT_EQ(FromFilter("", v1::REQUIRED, violations),
            domain::ClientRequirement::kRequired);
  EXPECT_EQ(FromFilter("", v1::OPTIONAL, violations),
            domain::ClientRequirement::kOptional);
  EXPECT_EQ(FromFilter("", v1::EKU_REQUIRE, violations),
            pki::ExtendedKeyUsageRule::kRequire);
  EXPECT_EQ(FromFilter("", v1::EKU_WARN, violations),
            pki::ExtendedKeyUsageRule::kWarn);
  EXPECT_EQ(FromFilter("", v1::EKU_IGNORE, violations),
            pki::ExtendedKeyUsageRule::kIgnore);
  EXPECT_TRUE(violations.empty());
}

TEST(FromFilter, ReadsPathRules) {
  Violations violations;
  const domain::PathRule exact =
      FromFilter("paths[0]",
                 FromJson<v1::PathRule>(
                     R"({"exact": "/a", "clientCertificate": "OPTIONAL",
              "allow": {"truststore": {"names": ["a"]}}})"),
                 violations);
  EXPECT_TRUE(exact.exact);
  EXPECT_EQ(exact.path, "/a");
  EXPECT_EQ(exact.client_certificate, domain::ClientRequirement::kOptional);
  EXPECT_TRUE(exact.allow.has_value());
  const domain::PathRule prefix = FromFilter(
      "paths[1]", FromJson<v1::PathRule>(R"({"prefix": "/b"})"), violations);
  EXPECT_FALSE(prefix.exact);
  EXPECT_EQ(prefix.path, "/b");
  EXPECT_FALSE(prefix.client_certificate.has_value());
  EXPECT_FALSE(prefix.allow.has_value());
  EXPECT_TRUE(violations.empty());
  FromFilter("paths[2]", v1::PathRule(), violations);
  EXPECT_TRUE(violations.Has("paths[2]", Reason::kPathRuleInvalid));
}

TEST(FromFilter, ReadsLimitsAndErrorPages) {
  const domain::VerifyLimits limits = FromFilter(FromJson<v1::VerifyLimits>(
      R"({"maxChainLength": 1, "maxClientCertificates": 2,
          "maxClientChainBytes": 3, "maxSignatureChecks": 4,
          "maxPathIterations": 5, "maxVerifiedPaths": 6,
          "maxSentNameChecks": 7})"));
  EXPECT_EQ(limits.max_chain_length, 1u);
  EXPECT_EQ(limits.max_client_certificates, 2u);
  EXPECT_EQ(limits.max_client_chain_bytes, 3u);
  EXPECT_EQ(limits.max_signature_checks, 4u);
  EXPECT_EQ(limits.max_path_iterations, 5u);
  EXPECT_EQ(limits.max_verified_paths, 6u);
  EXPECT_EQ(limits.max_sent_name_checks, 7u);
  const domain::BadRequest page = FromFilter(FromJson<v1::BadRequest>(
      R"({"body": "a", "contentType": "b", "redirect": "c"})"));
  EXPECT_EQ(page.body, "a");
  EXPECT_EQ(page.content_type, "b");
  EXPECT_EQ(page.redirect, "c");
}

}  // namespace
}  // namespace sallyport::filter_messages
