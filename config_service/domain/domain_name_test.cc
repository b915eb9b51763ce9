#include "config_service/domain/domain_name.h"

#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/limits.h"
#include "config_service/domain/limits.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "settings/limits.h"

namespace sallyport::domain {
namespace {

using ::testing::HasSubstr;

std::string Problem(absl::string_view domain) {
  return std::string(CheckDomain(domain).message());
}

TEST(CheckDomain, TakesHostNamesAndOneWildcardLabel) {
  for (const char* domain :
       {"api.example.com", "example.com", "a.b", "*.example.com", "*.internal",
        "xn--bcher-kva.example", "a-b.c-d.example", "3com.example",
        "1.2.3.example", "abc--d.example"}) {
    EXPECT_TRUE(CheckDomain(domain).ok()) << domain << Problem(domain);
  }
}

TEST(CheckDomain, SaysWhatIsWrong) {
  EXPECT_THAT(Problem(""), HasSubstr("is empty"));
  EXPECT_THAT(Problem("localhost"), HasSubstr("only one label"));
  EXPECT_THAT(Problem("*"), HasSubstr("elsewhere than"));
  EXPECT_THAT(Problem("*."), HasSubstr("empty label"));
  EXPECT_THAT(Problem("a.*.b"), HasSubstr("elsewhere than"));
  EXPECT_THAT(Problem("*.*.b"), HasSubstr("elsewhere than"));
  EXPECT_THAT(Problem("f*.example.com"), HasSubstr("no host name has"));
  EXPECT_THAT(Problem("example.com."), HasSubstr("empty label"));
  EXPECT_THAT(Problem(".example.com"), HasSubstr("empty label"));
  EXPECT_THAT(Problem("a..b"), HasSubstr("empty label"));
  EXPECT_THAT(Problem("API.example.com"), HasSubstr("upper-case"));
  EXPECT_THAT(Problem("bücher.example"), HasSubstr("xn-- form"));
  EXPECT_THAT(Problem("a_b.example"), HasSubstr("no host name has"));
  EXPECT_THAT(Problem("a.example:443"), HasSubstr("no host name has"));
  EXPECT_THAT(Problem("a.example/x"), HasSubstr("no host name has"));
  EXPECT_THAT(Problem("-a.example"), HasSubstr("begins or ends with '-'"));
  EXPECT_THAT(Problem("a-.example"), HasSubstr("begins or ends with '-'"));
  EXPECT_THAT(Problem("192.0.2.1"), HasSubstr("ends in a number"));
  EXPECT_THAT(Problem("*.0"), HasSubstr("ends in a number"));
  EXPECT_THAT(Problem("zz--a.example"), HasSubstr("third and fourth"));
}

TEST(CheckDomain, DecodesPunycode) {
  // RFC 3492, 7.1: (A) Arabic, (B) Chinese, (I) Russian, (L) with ASCII and
  // Japanese, (S) no ASCII-compatible name.
  for (const char* label :
       {"egbpdaj6bu4bxfgehfvwxn", "ihqwcrb4cv8a8dqg056pqjye",
        "b1abfaaepdrnnbgefbadotcwatmq2g4l", "3b-ww4c5e180e575a65lsy2b",
        "maana-pta", "bcher-kva", "9999b", "zzzzb"}) {
    const std::string domain = absl::StrCat("xn--", label, ".example");
    EXPECT_TRUE(CheckDomain(domain).ok()) << domain << Problem(domain);
  }
  for (const char* label :
       {"z",                                // ends in the middle of a number
        "bcher-k",                          // so does this
        "abc-",                             // nothing beyond ASCII
        "-abc",                             // no label before the delimiter
        "99999a",                           // U+48A3C1
        "9999999a",                         // U+1C6510E9
        "9999999999999999999a", "ib9b"}) {  // over 32 bits; a surrogate
    const std::string domain = absl::StrCat("xn--", label, ".example");
    EXPECT_FALSE(CheckDomain(domain).ok()) << domain;
  }
  EXPECT_FALSE(CheckDomain("xn--.example").ok());
}

TEST(CheckDomain, HasLengthLimits) {
  const std::string label(kMaxDomainLabelLength, 'a');
  EXPECT_TRUE(CheckDomain(label + ".b").ok());
  EXPECT_THAT(Problem(label + "a.b"), HasSubstr("a label of 64"));
  // 3 * 64 + 61 = 253.
  const std::string longest =
      absl::StrCat(label, ".", label, ".", label, ".", std::string(61, 'b'));
  ASSERT_EQ(longest.size(), kMaxDomainLength);
  EXPECT_TRUE(CheckDomain(longest).ok()) << Problem(longest);
  EXPECT_THAT(Problem(longest + "b"), HasSubstr("254 characters"));
}

TEST(CheckDomain, DoesNotEchoWhatItCannotRead) {
  EXPECT_FALSE(absl::StrContains(Problem("S3CR3T"), "S3CR3T"));
}

TEST(DomainCovers, CoversItselfOrOneLabel) {
  EXPECT_TRUE(DomainCovers("a.example.com", "a.example.com"));
  EXPECT_FALSE(DomainCovers("a.example.com", "b.example.com"));
  EXPECT_TRUE(DomainCovers("*.example.com", "a.example.com"));
  EXPECT_FALSE(DomainCovers("*.example.com", "example.com"));
  EXPECT_FALSE(DomainCovers("*.example.com", ".example.com"));
  EXPECT_FALSE(DomainCovers("*.example.com", "a.b.example.com"));
  EXPECT_FALSE(DomainCovers("*.example.com", "*.example.com"));
  EXPECT_FALSE(DomainCovers("*.example.com", "a.example.org"));
}

DomainName Good() {
  DomainName out;
  out.name = DomainNameName("api.example.com");
  out.server_certificate = ServerCertificateName("api");
  return out;
}

DomainName GoodMutualTls() {
  DomainName out = Good();
  out.mutual_tls.emplace();
  out.mutual_tls->truststores.emplace_back();
  out.mutual_tls->truststores[0].truststore = TruststoreName("partners");
  return out;
}

Violations Check(const DomainName& domain_name) {
  Violations violations;
  Validate(domain_name, violations);
  return violations;
}

std::string List(const Violations& violations) {
  std::string out;
  for (const FieldViolation& v : violations.list()) {
    absl::StrAppend(&out, v.field, ": ", ReasonName(v.reason), ": ",
                    v.description, "\n");
  }
  return out;
}

TEST(ValidateDomainName, TakesOneWithAndWithoutMutualTls) {
  EXPECT_TRUE(Check(Good()).empty()) << List(Check(Good()));
  EXPECT_TRUE(Check(GoodMutualTls()).empty()) << List(Check(GoodMutualTls()));
}

TEST(ValidateDomainName, FindsAllThatIsWrongAtOnce) {
  DomainName bad = GoodMutualTls();
  bad.name = DomainNameName("nolabels");
  bad.server_certificate = ServerCertificateName();
  bad.endpoint_type = EndpointType::kEdge;
  bad.security_policy = SecurityPolicy::kTls10;
  bad.metadata.labels["Bad Key"] = "x";
  bad.forwarding.remove_headers = {"host"};
  bad.mutual_tls->truststores[0].truststore = TruststoreName();
  bad.mutual_tls->allow.emplace();
  bad.mutual_tls->end_streams_after = absl::Seconds(-1);
  bad.mutual_tls->limits.max_chain_length = 11;
  bad.mutual_tls->paths.emplace_back();
  const Violations violations = Check(bad);
  EXPECT_TRUE(violations.Has("name", Reason::kDomainNameInvalid));
  EXPECT_TRUE(violations.Has("server_certificate", Reason::kFieldRequired));
  EXPECT_TRUE(violations.Has("endpoint_type", Reason::kMutualTlsNeedsRegional));
  EXPECT_TRUE(violations.Has("security_policy", Reason::kMutualTlsNeedsTls12));
  EXPECT_TRUE(violations.Has("labels[\"Bad Key\"]", Reason::kKeyMalformed));
  EXPECT_TRUE(violations.Has("forwarding.remove_headers[0]",
                             Reason::kForwardingInvalid));
  EXPECT_TRUE(violations.Has("mutual_tls.truststores[0].truststore",
                             Reason::kFieldRequired));
  EXPECT_TRUE(
      violations.Has("mutual_tls.allow.all.rules", Reason::kClientRuleInvalid))
      << List(violations);
  EXPECT_TRUE(
      violations.Has("mutual_tls.end_streams_after", Reason::kFieldOutOfRange));
  EXPECT_TRUE(violations.Has("mutual_tls.limits.max_chain_length",
                             Reason::kFieldOutOfRange));
  EXPECT_TRUE(
      violations.Has("mutual_tls.paths[0].prefix", Reason::kPathRuleInvalid));
  EXPECT_EQ(violations.size(), 11u) << List(violations);
}

TEST(ValidateDomainName, RefusesMutualTlsBelowTls12AndOnOtherEndpoints) {
  for (const EndpointType type :
       {EndpointType::kEdge, EndpointType::kPrivate}) {
    DomainName domain_name = GoodMutualTls();
    domain_name.endpoint_type = type;
    EXPECT_TRUE(Check(domain_name)
                    .Has("endpoint_type", Reason::kMutualTlsNeedsRegional));
    domain_name.mutual_tls.reset();
    EXPECT_TRUE(Check(domain_name).empty());
  }
  DomainName domain_name = GoodMutualTls();
  domain_name.security_policy = SecurityPolicy::kTls13;
  EXPECT_TRUE(Check(domain_name).empty());
  domain_name.security_policy = SecurityPolicy::kTls10;
  EXPECT_EQ(Check(domain_name).size(), 1u);
  domain_name.mutual_tls.reset();
  EXPECT_TRUE(Check(domain_name).empty());
}

TEST(ValidateDomainName, WantsAtLeastOneTruststore) {
  DomainName domain_name = GoodMutualTls();
  domain_name.mutual_tls->truststores.clear();
  EXPECT_TRUE(
      Check(domain_name).Has("mutual_tls.truststores", Reason::kFieldRequired));
}

TEST(ValidateDomainName, TakesAsManyTruststoresAsTheModule) {
  DomainName domain_name = GoodMutualTls();
  auto& truststores = domain_name.mutual_tls->truststores;
  truststores.clear();
  for (size_t i = 0; i < kMaxTruststoresOfDomain; ++i) {
    truststores.emplace_back();
    truststores.back().truststore = TruststoreName(absl::StrCat("t", i));
  }
  EXPECT_TRUE(Check(domain_name).empty());
  truststores.emplace_back();
  truststores.back().truststore = TruststoreName("one-more");
  EXPECT_TRUE(Check(domain_name)
                  .Has("mutual_tls.truststores", Reason::kTooManyEntries));
}

TEST(ValidateDomainName, RefusesTheSameTruststoreTwice) {
  DomainName domain_name = GoodMutualTls();
  auto& truststores = domain_name.mutual_tls->truststores;
  truststores.push_back(truststores[0]);
  truststores[1].version = TruststoreVersionName(truststores[1].truststore, 3);
  EXPECT_TRUE(Check(domain_name)
                  .Has("mutual_tls.truststores[1].truststore",
                       Reason::kDuplicateEntry));
}

TEST(ValidateDomainName, RefusesAVersionWithoutItsTruststore) {
  DomainName domain_name = GoodMutualTls();
  auto& binding = domain_name.mutual_tls->truststores[0];
  binding.version = TruststoreVersionName(TruststoreName("other"), 1);
  EXPECT_TRUE(
      Check(domain_name)
          .Has("mutual_tls.truststores[0].version", Reason::kFieldsConflict));
  binding.truststore = TruststoreName();
  EXPECT_TRUE(Check(domain_name)
                  .Has("mutual_tls.truststores[0].version",
                       Reason::kTruststoreVersionWithoutUri));
}

TEST(ValidateDomainName, RefusesItsOwnCertificateAsProofOfOwnership) {
  DomainName domain_name = Good();
  domain_name.ownership_verification_certificate =
      domain_name.server_certificate;
  EXPECT_TRUE(
      Check(domain_name)
          .Has("ownership_verification_certificate", Reason::kFieldsConflict));
}

TEST(ValidateDomainName, TakesABadRequestPageOnlyInItsStyle) {
  DomainName domain_name = GoodMutualTls();
  domain_name.mutual_tls->bad_request.emplace();
  EXPECT_TRUE(Check(domain_name)
                  .Has("mutual_tls.bad_request", Reason::kFieldsConflict));
  domain_name.mutual_tls->rejection = RejectionStyle::kBadRequest;
  EXPECT_TRUE(Check(domain_name).empty());
  domain_name.mutual_tls->bad_request->redirect = "//evil.example";
  EXPECT_TRUE(
      Check(domain_name)
          .Has("mutual_tls.bad_request.redirect", Reason::kFieldMalformed));
}

TEST(ValidateDomainName, HasLimitsOfLists) {
  DomainName domain_name = GoodMutualTls();
  for (size_t i = 0; i < kMaxCertificateListsOfDomain; ++i) {
    domain_name.mutual_tls->deny_lists.emplace_back(absl::StrCat("l", i));
    domain_name.mutual_tls->allow_lists.emplace_back(absl::StrCat("l", i));
  }
  for (size_t i = 0; i < kMaxFleetsOfDomain; ++i) {
    domain_name.fleets.emplace_back(absl::StrCat("f", i));
  }
  EXPECT_TRUE(Check(domain_name).empty()) << List(Check(domain_name));
  domain_name.mutual_tls->deny_lists.emplace_back("more");
  domain_name.mutual_tls->allow_lists.emplace_back("more");
  domain_name.fleets.emplace_back("more");
  const Violations violations = Check(domain_name);
  EXPECT_TRUE(violations.Has("mutual_tls.deny_lists", Reason::kTooManyEntries));
  EXPECT_TRUE(
      violations.Has("mutual_tls.allow_lists", Reason::kTooManyEntries));
  EXPECT_TRUE(violations.Has("fleets", Reason::kTooManyEntries));
}

PathRule Rule(bool exact, absl::string_view path) {
  PathRule rule;
  rule.exact = exact;
  rule.path = std::string(path);
  return rule;
}

TEST(ValidateDomainName, ChecksPathRulesAsTheModuleDoes) {
  DomainName domain_name = GoodMutualTls();
  auto& paths = domain_name.mutual_tls->paths;
  paths = {Rule(true, "/a"), Rule(false, "/a"), Rule(false, "/")};
  EXPECT_TRUE(Check(domain_name).empty()) << List(Check(domain_name));
  paths.push_back(Rule(false, "/a"));
  EXPECT_TRUE(Check(domain_name)
                  .Has("mutual_tls.paths[3].prefix", Reason::kDuplicateEntry));
  paths = {Rule(true, "/a/"), Rule(false, "b")};
  const Violations violations = Check(domain_name);
  EXPECT_TRUE(
      violations.Has("mutual_tls.paths[0].exact", Reason::kPathRuleInvalid));
  EXPECT_TRUE(
      violations.Has("mutual_tls.paths[1].prefix", Reason::kPathRuleInvalid));
}

TEST(ValidateDomainName, TakesAsManyPathRulesAsTheModule) {
  DomainName domain_name = GoodMutualTls();
  auto& paths = domain_name.mutual_tls->paths;
  for (size_t i = 0; i < limits::kMaxPathRules; ++i) {
    paths.push_back(Rule(true, absl::StrCat("/", i)));
  }
  EXPECT_TRUE(Check(domain_name).empty());
  paths.push_back(Rule(true, "/more"));
  EXPECT_TRUE(
      Check(domain_name).Has("mutual_tls.paths", Reason::kTooManyEntries));
}

TEST(ValidateDomainName, LimitsHowLongStreamsMayStay) {
  DomainName domain_name = GoodMutualTls();
  for (const absl::Duration good :
       {absl::ZeroDuration(), kMaxEndStreamsAfter}) {
    domain_name.mutual_tls->end_streams_after = good;
    EXPECT_TRUE(Check(domain_name).empty()) << good;
  }
  for (const absl::Duration bad :
       {absl::Nanoseconds(-1), kMaxEndStreamsAfter + absl::Nanoseconds(1)}) {
    domain_name.mutual_tls->end_streams_after = bad;
    EXPECT_EQ(Check(domain_name).size(), 1u) << bad;
  }
}

TEST(ValidateDomainName, TakesVerifyLimitsUpToTheModulesOwn) {
  DomainName domain_name = GoodMutualTls();
  VerifyLimits& given = domain_name.mutual_tls->limits;
  const std::pair<uint32_t VerifyLimits::*, size_t> kLimits[] = {
      {&VerifyLimits::max_chain_length, limits::kMaxConfigurableChainLength},
      {&VerifyLimits::max_client_certificates,
       settings::kMaxConfigurableClientCertificates},
      {&VerifyLimits::max_client_chain_bytes,
       settings::kMaxConfigurableClientChainBytes},
      {&VerifyLimits::max_signature_checks,
       settings::kMaxConfigurableSignatureChecks},
      {&VerifyLimits::max_path_iterations,
       settings::kMaxConfigurablePathIterations},
      {&VerifyLimits::max_verified_paths,
       settings::kMaxConfigurableVerifiedPaths},
      {&VerifyLimits::max_sent_name_checks,
       settings::kMaxConfigurableSentNameChecks},
  };
  for (const auto& [field, max] : kLimits) {
    given = VerifyLimits();
    given.*field = static_cast<uint32_t>(max);
    EXPECT_TRUE(Check(domain_name).empty()) << List(Check(domain_name));
    given.*field = static_cast<uint32_t>(max) + 1;
    EXPECT_EQ(Check(domain_name).size(), 1u) << max;
  }
}

TEST(Warnings, NameTls10AndTruststoresThatTheDomainDoesNotHave) {
  DomainName domain_name = GoodMutualTls();
  EXPECT_TRUE(Warnings(domain_name).empty());
  ClientRule rule;
  rule.kind = ClientRule::Kind::kTruststore;
  rule.values = {"partners", "gone", "gone"};
  domain_name.mutual_tls->allow = rule;
  domain_name.mutual_tls->paths = {Rule(true, "/a"), Rule(true, "/b")};
  domain_name.mutual_tls->paths[1].allow = rule;
  domain_name.forwarding.trusted_proxy = rule;
  domain_name.security_policy = SecurityPolicy::kTls10;
  const std::vector<Warning> warnings = Warnings(domain_name);
  ASSERT_EQ(warnings.size(), 4u);
  EXPECT_EQ(warnings[0].reason, "WEAK_SECURITY_POLICY");
  EXPECT_EQ(warnings[1].field, "mutual_tls.allow");
  EXPECT_EQ(warnings[1].reason, "UNKNOWN_TRUSTSTORE");
  EXPECT_THAT(warnings[1].message, HasSubstr("gone"));
  EXPECT_EQ(warnings[2].field, "mutual_tls.paths[1].allow");
  EXPECT_EQ(warnings[3].field, "forwarding.trusted_proxy");
}

TEST(DomainName, IsServedByTheDefaultFleetUnlessItSaysOtherwise) {
  DomainName domain_name = Good();
  EXPECT_EQ(domain_name.Fleets(), std::vector<FleetName>{DefaultFleet()});
  domain_name.fleets = {FleetName("edge")};
  EXPECT_EQ(domain_name.Fleets(), std::vector<FleetName>{FleetName("edge")});
  EXPECT_FALSE(domain_name.wildcard());
  domain_name.name = DomainNameName("*.example.com");
  EXPECT_TRUE(domain_name.wildcard());
}

}  // namespace
}  // namespace sallyport::domain
