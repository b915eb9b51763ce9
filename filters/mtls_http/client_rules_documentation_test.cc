// docs/client-rules.md says what the code does: every example in it is read,
// and tried with the client that it describes.

#include <fstream>
#include <iterator>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/limits.h"
#include "filters/cert_validator/read_client_rule.h"
#include "filters/mtls_http/path_rules.h"
#include "gmock/gmock.h"
#include "google/protobuf/util/json_util.h"
#include "gtest/gtest.h"
#include "pki/testing/make_certificate.h"
#include "pki/x509/certificate.h"

namespace sallyport::mtls_http {
namespace {

namespace v1 = ::sallyport::filter::v1;
using ::testing::HasSubstr;

std::string Document() {
  std::ifstream stream("docs/client-rules.md");
  return std::string(std::istreambuf_iterator<char>(stream), {});
}

struct Example {
  std::string kind;  // what stands after ```
  std::string text;
};

std::vector<Example> Examples() {
  std::vector<Example> out;
  bool inside = false;
  for (absl::string_view line : absl::StrSplit(Document(), '\n')) {
    if (absl::ConsumePrefix(&line, "```")) {
      if (!inside) out.push_back({std::string(line), ""});
      inside = !inside;
    } else if (inside) {
      absl::StrAppend(&out.back().text, line, "\n");
    }
  }
  return out;
}

// The client of the document.
std::shared_ptr<const pki::Certificate> Client() {
  const pki::TestKey key = pki::TestKey::P256();
  pki::TestCertificateSpec ca_spec = pki::TestCaSpec("");
  ca_spec.subject = {
      {"C", "US"}, {"O", "Example, Inc"}, {"CN", "Example Clients CA"}};
  const pki::TestCertificate ca =
      pki::MakeTestCertificate(ca_spec, key, nullptr);
  pki::TestCertificateSpec spec;
  spec.subject = {{"C", "US"},
                  {"O", "Example, Inc"},
                  {"OU", "eu"},
                  {"OU", "payments"},
                  {"CN", "client-7"}};
  spec.serial_hex = "03A5B1";
  spec.alt_names =
      "DNS:client-7.eu.example.com,"
      "URI:spiffe://prod.example.com/ns/payments/sa/client-7,"
      "email:Ops@payments.example.com,IP:10.20.30.40";
  return *pki::Certificate::Parse(pki::MakeTestCertificate(spec, key, &ca).der);
}

TEST(ClientRulesDocument, DescribesTheClientThatIsTried) {
  const auto client = Client();
  const pki::SubjectAltNames names = client->AltNames();
  const std::string document = Document();
  for (const std::string& line :
       {"subject     " + client->Subject(), "issuer      " + client->Issuer(),
        "serial      " + client->SerialHex(), "DNS         " + names.dns[0],
        "URI         " + names.uri[0], "e-mail      " + names.email[0],
        "IP address  " + names.ip[0]}) {
    EXPECT_THAT(document, HasSubstr(line + "\n"));
  }
}

TEST(ClientRulesDocument, HasExamplesThatDoWhatItSays) {
  const auto client = Client();
  int matching = 0;
  int refusing = 0;
  std::set<std::string> kinds;
  for (const Example& example : Examples()) {
    if (!absl::StartsWith(example.kind, "json") ||
        absl::StrContains(example.text, "\"paths\"")) {
      continue;
    }
    SCOPED_TRACE(example.text);
    v1::ClientRule rule;
    const auto status =
        google::protobuf::util::JsonStringToMessage(example.text, &rule);
    ASSERT_TRUE(status.ok()) << status.ToString();
    const auto compiled = cert_validator::ReadClientRule(rule, "allow");
    ASSERT_TRUE(compiled.ok()) << compiled.status();
    if (example.kind == "json matches") {
      EXPECT_TRUE((*compiled)->Matches(*client, "partners"));
      ++matching;
    } else if (example.kind == "json refuses") {
      EXPECT_FALSE((*compiled)->Matches(*client, "partners"));
      ++refusing;
    } else {
      EXPECT_EQ(example.kind, "json");
    }
    const auto* const oneof = v1::ClientRule::descriptor()->oneof_decl(0);
    for (int i = 0; i < oneof->field_count(); ++i) {
      const std::string& name = oneof->field(i)->name();
      if (absl::StrContains(example.text, absl::StrCat("\"", name, "\":"))) {
        kinds.insert(name);
      }
    }
  }
  EXPECT_GT(matching, 10);
  EXPECT_GT(refusing, 3);
  const auto* const oneof = v1::ClientRule::descriptor()->oneof_decl(0);
  for (int i = 0; i < oneof->field_count(); ++i) {
    EXPECT_EQ(kinds.count(oneof->field(i)->name()), 1u)
        << oneof->field(i)->name();
  }
}

TEST(ClientRulesDocument, HasPathsThatDoWhatItSays) {
  int seen = 0;
  for (const Example& example : Examples()) {
    if (!absl::StrContains(example.text, "\"paths\"")) continue;
    ++seen;
    v1::MutualTls config;
    const auto status =
        google::protobuf::util::JsonStringToMessage(example.text, &config);
    ASSERT_TRUE(status.ok()) << status.ToString();
    const auto rules = PathRules::Create(config.paths(), "paths");
    ASSERT_TRUE(rules.ok()) << rules.status();
    if (absl::StrContains(example.text, "/public")) {
      EXPECT_EQ((*rules)->For("/public/x").client_certificate, v1::OPTIONAL);
      EXPECT_EQ((*rules)->For("/admin").rules.size(), 1u);
      EXPECT_EQ((*rules)->For("/admin/../public").client_certificate,
                v1::REQUIRED);
      continue;
    }
    EXPECT_EQ((*rules)->For("/partners/x").client_certificate, v1::REQUIRED);
    EXPECT_EQ((*rules)->For("/partners/payments/x").rules.size(), 1u);
    EXPECT_EQ((*rules)->For("/partners/health").client_certificate,
              v1::CLIENT_CERTIFICATE_UNSPECIFIED);
    EXPECT_EQ((*rules)->For("/partners/../public").client_certificate,
              v1::REQUIRED);
    EXPECT_TRUE((*rules)->For("/partners/%2fx").doubtful);
  }
  EXPECT_EQ(seen, 2);
}

TEST(ClientRulesDocument, GivesTheLimits) {
  const std::string document = Document();
  EXPECT_THAT(document, HasSubstr(absl::StrCat("| nesting of a rule | ",
                                               limits::kMaxClientRuleDepth)));
  EXPECT_EQ(limits::kMaxClientRuleMatchers, 10000u);
  EXPECT_EQ(limits::kMaxClientRuleValues, 1000000u);
  EXPECT_EQ(limits::kMaxClientRuleChecks, 100000u);
  EXPECT_THAT(document, HasSubstr(absl::StrCat(limits::kMaxClientRuleValueBytes,
                                               " bytes")));
  EXPECT_THAT(document,
              HasSubstr(absl::StrCat("| paths | ", limits::kMaxPathRules,
                                     ", each at most ",
                                     limits::kMaxPathRuleBytes, " bytes")));
  EXPECT_THAT(document,
              HasSubstr(absl::StrCat("path over ", limits::kMaxUnusualPathBytes,
                                     " bytes")));
}

}  // namespace
}  // namespace sallyport::mtls_http
