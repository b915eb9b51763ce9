#include "filters/cert_validator/read_client_rule.h"

#include <memory>
#include <string>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "base/limits.h"
#include "gmock/gmock.h"
#include "google/protobuf/util/json_util.h"
#include "gtest/gtest.h"
#include "pki/testing/make_certificate.h"
#include "pki/x509/certificate.h"

namespace sallyport::cert_validator {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;
namespace v1 = ::sallyport::filter::v1;

v1::ClientRule FromJson(const std::string& json) {
  v1::ClientRule rule;
  const auto status = google::protobuf::util::JsonStringToMessage(json, &rule);
  EXPECT_TRUE(status.ok()) << status.ToString();
  return rule;
}

std::string ErrorOf(const std::string& json) {
  const auto rule = ReadClientRule(FromJson(json), "paths[2].allow");
  EXPECT_FALSE(rule.ok());
  return std::string(rule.status().message());
}

std::shared_ptr<const pki::Certificate> Client() {
  pki::TestCertificateSpec spec;
  spec.subject = {{"O", "Example"}, {"OU", "eu"}, {"CN", "client-1"}};
  spec.serial = 0x3a5b1;
  spec.alt_names = pki::TestAltNames(
      {{pki::TestAltName::kDns, "a.example.com"},
       {pki::TestAltName::kUri, "spiffe://example.com/ns/a"},
       {pki::TestAltName::kEmail, "a@example.com"},
       {pki::TestAltName::kIp, std::string("\x0a\x01\x02\x03", 4)}});
  return *pki::Certificate::Parse(
      pki::MakeTestCertificate(spec, pki::TestKey::P256(), nullptr).der);
}

TEST(ReadClientRule, ReadsEachKindOfRule) {
  const auto client = Client();
  const std::string fingerprint =
      absl::BytesToHexString(pki::AsBytes(client->fingerprint()));
  const std::string key =
      absl::BytesToHexString(pki::AsBytes(pki::Sha256(client->spki_der())));
  const std::pair<std::string, std::string> kPairs[] = {
      // A rule that matches, and the same kind that does not.
      {R"({"sanDns":{"patterns":["*.example.com"]}})",
       R"({"sanDns":{"patterns":["example.com"]}})"},
      {R"({"sanUri":{"exact":["spiffe://example.com/ns/a"]}})",
       R"({"sanUri":{"exact":["spiffe://example.com/ns"]}})"},
      {R"({"sanUri":{"spiffe":["spiffe://example.com/ns/*"]}})",
       R"({"sanUri":{"spiffe":["spiffe://example.com/ns"]}})"},
      {R"({"sanEmail":{"patterns":["@example.com"]}})",
       R"({"sanEmail":{"patterns":["b@example.com"]}})"},
      {R"({"sanIp":{"ranges":["10.0.0.0/8"]}})",
       R"({"sanIp":{"ranges":["10.0.0.0/16"]}})"},
      {R"({"subject":{"exact":["CN=client-1,OU=eu,O=Example"]}})",
       R"({"subject":{"exact":["CN=client-1"]}})"},
      {R"({"subject":{"attributes":[{"type":"OU","exact":["eu"]},
          {"type":"CN","prefix":["client-"]}]}})",
       R"({"subject":{"attributes":[{"type":"OU","exact":["eu"]},
          {"type":"CN","suffix":["-2"]}]}})"},
      {R"({"issuer":{"attributes":
          [{"type":"O","exact":["EXAMPLE"],"ignoreCase":true}]}})",
       R"({"issuer":{"attributes":[{"type":"O","exact":["EXAMPLE"]}]}})"},
      {absl::StrCat(R"({"certificateSha256":{"sha256":[")", fingerprint,
                    R"("]}})"),
       absl::StrCat(R"({"certificateSha256":{"sha256":[")", key, R"("]}})")},
      {absl::StrCat(R"({"spkiSha256":{"sha256":[")", key, R"("]}})"),
       absl::StrCat(R"({"spkiSha256":{"sha256":[")", fingerprint, R"("]}})")},
      {R"({"serial":{"hex":["03:A5:B1"]}})", R"({"serial":{"hex":["3A5B"]}})"},
      {R"({"truststore":{"names":["partners"]}})",
       R"({"truststore":{"names":["others"]}})"},
  };
  for (const auto& [matching, other] : kPairs) {
    SCOPED_TRACE(matching);
    const auto yes = ReadClientRule(FromJson(matching), "allow");
    ASSERT_TRUE(yes.ok()) << yes.status();
    EXPECT_TRUE((*yes)->Matches(*client, "partners"));
    const auto no = ReadClientRule(FromJson(other), "allow");
    ASSERT_TRUE(no.ok()) << no.status();
    EXPECT_FALSE((*no)->Matches(*client, "partners"));

    const auto combined = [&](const char* kind, const std::string& rules) {
      const auto rule = ReadClientRule(
          FromJson(absl::StrCat("{\"", kind, "\":{\"rules\":[", rules, "]}}")),
          "allow");
      EXPECT_TRUE(rule.ok()) << rule.status();
      return (*rule)->Matches(*client, "partners");
    };
    const std::string both = absl::StrCat(matching, ",", other);
    EXPECT_FALSE(combined("all", both));
    EXPECT_TRUE(combined("any", both));
    EXPECT_FALSE(combined("none", both));
    EXPECT_TRUE(combined("none", other));
  }
}

TEST(ReadClientRule, NamesTheField) {
  EXPECT_THAT(ErrorOf("{}"), StartsWith("paths[2].allow: has no rule; give"));
  EXPECT_THAT(ErrorOf(R"({"any":{"rules":[{"serial":{"hex":["1"]}},{}]}})"),
              StartsWith("paths[2].allow.any.rules[1]: has no rule"));
  EXPECT_THAT(ErrorOf(R"({"any":{}})"),
              StartsWith("paths[2].allow.any.rules: is empty"));
  EXPECT_THAT(
      ErrorOf(R"({"any":{"rules":[{"serial":{"hex":["1"]}},
                 {"all":{"rules":[{"sanDns":{"patterns":["a.test","b c"]}}]}}]}})"),
      StartsWith(
          "paths[2].allow.any.rules[1].all.rules[0].san_dns.patterns[1]: "));
  EXPECT_THAT(ErrorOf(R"({"subject":{"attributes":[{"type":"CN"}]}})"),
              StartsWith("paths[2].allow.subject.attributes[0]: has no value"));
  EXPECT_THAT(ErrorOf(R"({"sanUri":{}})"),
              StartsWith("paths[2].allow.san_uri: is empty"));
}

TEST(ReadClientRule, ShowsNoValues) {
  const std::string secret = "-----BEGIN PRIVATE KEY-----";
  for (const char* kind :
       {R"({"sanDns":{"patterns":["$"]}})", R"({"sanUri":{"spiffe":["$"]}})",
        R"({"sanEmail":{"patterns":["$"]}})", R"({"sanIp":{"ranges":["$"]}})",
        R"({"subject":{"exact":["$"]}})",
        R"({"subject":{"attributes":[{"type":"$","exact":["a"]}]}})",
        R"({"spkiSha256":{"sha256":["$"]}})", R"({"serial":{"hex":["$"]}})",
        R"({"truststore":{"names":["$"]}})"}) {
    std::string json = kind;
    json.replace(json.find('$'), 1, secret);
    EXPECT_THAT(ErrorOf(json), testing::Not(HasSubstr("PRIVATE"))) << kind;
  }
}

TEST(ReadClientRule, BoundsTheDepth) {
  v1::ClientRule rule = FromJson(R"({"serial":{"hex":["1"]}})");
  for (size_t depth = 1; depth < limits::kMaxClientRuleDepth; ++depth) {
    v1::ClientRule outer;
    *outer.mutable_none()->add_rules() = rule;
    rule = outer;
  }
  EXPECT_TRUE(ReadClientRule(rule, "allow").ok());
  v1::ClientRule outer;
  *outer.mutable_any()->add_rules() = rule;
  const auto deeper = ReadClientRule(outer, "allow");
  EXPECT_EQ(deeper.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(deeper.status().message()),
              StartsWith("allow.any.rules[0].none.rules[0]"));
  // A message that is nested as deep as it likes does not overflow the stack.
  for (int i = 0; i < 5000; ++i) {
    v1::ClientRule next;
    next.mutable_any()->add_rules()->Swap(&outer);
    outer.Swap(&next);
  }
  EXPECT_FALSE(ReadClientRule(outer, "allow").ok());
}

}  // namespace
}  // namespace sallyport::cert_validator
