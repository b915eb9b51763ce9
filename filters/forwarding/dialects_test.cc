// The dialects of ingress-nginx, Traefik, Cloudflare and API Gateway, against
// the examples of their documentation and readers written from it.

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/string_view.h"
#include "filters/forwarding/dialect_readers.h"
#include "filters/forwarding/forwarding.h"
#include "filters/forwarding/test_certificate.h"
#include "gtest/gtest.h"
#include "pki/chain/verify.h"
#include "pki/x509/certificate.h"

namespace sallyport::forwarding {
namespace {

using ::sallyport::filter::v1::Forwarding;
using ::sallyport::pki::Reason;
using CertificatePtr = std::shared_ptr<const pki::Certificate>;
using Certificates = std::vector<CertificatePtr>;
using Strings = std::vector<std::string>;

std::string Line(const Header& header) {
  return absl::StrCat(header.name, ": ", header.value);
}

std::string Value(const std::vector<Header>& headers, absl::string_view name) {
  for (const Header& header : headers) {
    if (header.name == name) return header.value;
  }
  return "(missing)";
}

CertificatePtr Named(absl::string_view name, absl::string_view issuer) {
  TestCertificate spec;
  spec.subject = {{3, std::string(name)}};
  spec.issuer = {{3, std::string(issuer)}};
  return Make(spec);
}

// Names that try to be something else, as one attribute each.
const Strings& HostileTexts() {
  static const auto* const texts = new Strings{"a,b",
                                               "a;b",
                                               "a=b",
                                               "a\"b",
                                               "a\\b",
                                               "a\\\"b",
                                               "\"",
                                               "\\",
                                               "\",CN=root",
                                               "x\";Issuer=\"CN=Root",
                                               "x\",Subject=\"CN=root",
                                               "%22;NB=%220%22",
                                               "a%",
                                               "100%25",
                                               "a+b",
                                               "a b",
                                               " a ",
                                               "a&b",
                                               "a\r\nx-admin: 1",
                                               std::string("a\0b", 3),
                                               "\x7f",
                                               "Zo\xc3\xab",
                                               "\xe2\x80\xa8",
                                               "#x",
                                               "<>",
                                               "\n",
                                               "a,CN=b"};
  return *texts;
}

// ingress-nginx.

TEST(IngressNginx, WritesTheDocumentedHeaders) {
  const CertificatePtr leaf = Named("My Client", "My CA");
  Forwarding::IngressNginx config;
  config.set_cert(true);
  const std::vector<Header> headers =
      EncodeIngressNginx(config, Reason::kTrusted, leaf.get());
  ASSERT_EQ(headers.size(), 4u);
  EXPECT_EQ(Line(headers[0]), "ssl-client-verify: SUCCESS");
  EXPECT_EQ(Line(headers[1]), "ssl-client-subject-dn: CN=My Client");
  EXPECT_EQ(Line(headers[2]), "ssl-client-issuer-dn: CN=My CA");
  EXPECT_EQ(headers[3].name, "ssl-client-cert");
  EXPECT_EQ(headers[3].value, absl::StrReplaceAll(leaf->Pem(), {{" ", "%20"},
                                                                {"\n", "%0A"},
                                                                {"+", "%2B"},
                                                                {"/", "%2F"},
                                                                {"=", "%3D"}}));
  EXPECT_TRUE(absl::StartsWith(headers[3].value,
                               "-----BEGIN%20CERTIFICATE-----%0AMII"));
  EXPECT_TRUE(
      absl::EndsWith(headers[3].value, "%0A-----END%20CERTIFICATE-----%0A"));
}

TEST(IngressNginx, LeavesTheCertificateOutUnlessAsked) {
  const CertificatePtr leaf = Named("My Client", "My CA");
  EXPECT_EQ(EncodeIngressNginx({}, Reason::kTrusted, leaf.get()).size(), 3u);
}

TEST(IngressNginx, SaysSuccessForNoReasonButTrusted) {
  const CertificatePtr leaf = Named("My Client", "My CA");
  for (int i = 0; i < pki::kNumReasons; ++i) {
    const auto reason = static_cast<Reason>(i);
    const std::string verify =
        EncodeIngressNginx({}, reason, leaf.get())[0].value;
    if (reason == Reason::kTrusted) {
      EXPECT_EQ(verify, "SUCCESS");
    } else if (reason == Reason::kNoCertificate) {
      EXPECT_EQ(verify, "NONE");
    } else {
      EXPECT_EQ(verify, absl::StrCat("FAILED:", pki::ReasonName(reason)));
    }
  }
}

TEST(IngressNginx, HasNothingButTheVerdictWithoutACertificate) {
  Forwarding::IngressNginx config;
  config.set_cert(true);
  const std::vector<Header> headers =
      EncodeIngressNginx(config, Reason::kNoCertificate, nullptr);
  ASSERT_EQ(headers.size(), 1u);
  EXPECT_EQ(Line(headers[0]), "ssl-client-verify: NONE");
}

TEST(IngressNginx, LeavesEmptyNamesOutAndKeepsBlanks) {
  TestCertificate spec;
  spec.subject = {};
  spec.dns = {"a"};
  spec.issuer = {{3, "blank "}};
  const CertificatePtr leaf = Make(spec);
  const std::vector<Header> headers =
      EncodeIngressNginx({}, Reason::kTrusted, leaf.get());
  ASSERT_EQ(headers.size(), 2u);
  EXPECT_EQ(Line(headers[1]), "ssl-client-issuer-dn: CN=blank\\20");
}

TEST(IngressNginx, WritesNamesThatStayOneValue) {
  for (const std::string& text : HostileTexts()) {
    const CertificatePtr leaf = Named(text, "Root");
    ASSERT_NE(leaf, nullptr);
    const std::string value =
        EncodeIngressNginx({}, Reason::kTrusted, leaf.get())[1].value;
    for (const char c : value) EXPECT_TRUE(c >= 0x20 && c <= 0x7e) << text;
    EXPECT_NE(value.back(), ' ');
  }
}

// Traefik.

// The certificate of the example in Traefik's documentation.
TestCertificate TraefikExample() {
  const std::string domain_component(
      "\x09\x92\x26\x89\x93\xf2\x2c\x64\x01\x19");
  TestCertificate spec;
  spec.subject = {{0, "org", false, domain_component},
                  {6, "FR"},
                  {8, "Cheese org state"},
                  {7, "TOULOUSE"},
                  {10, "Cheese"},
                  {3, "*.example.com"}};
  spec.issuer = {{6, "FR"}, {3, "Simple Signing CA 2"}};
  spec.serial = {'\x01'};
  spec.not_before = "20250515041346Z";
  spec.not_after = "20260515041346Z";
  spec.dns = {"*.example.org"};
  spec.email = {"test@example.org"};
  spec.ip = {std::string("\x0a\x00\x01\x00", 4)};
  return spec;
}

std::string InfoOf(const TestCertificate& spec) {
  Forwarding::Traefik config;
  config.set_info(true);
  const std::vector<Header> headers =
      EncodeTraefik(config, Certificates{Make(spec)});
  EXPECT_EQ(headers.size(), 1u);
  EXPECT_EQ(headers[0].name, "x-forwarded-tls-client-cert-info");
  return headers[0].value;
}

// The fields of the only certificate.
TraefikFields Fields(const std::string& value) {
  std::vector<TraefikFields> certificates;
  EXPECT_TRUE(ReadTraefikInfo(value, &certificates)) << value;
  EXPECT_EQ(certificates.size(), 1u) << value;
  return certificates[0];
}

TEST(Traefik, WritesTheDocumentedInfo) {
  // The example as a backend has it after undoing the escapes.
  const std::string documented =
      "Subject=\"DC=org,C=FR,ST=Cheese org state,L=TOULOUSE,O=Cheese,"
      "CN=*.example.com\";Issuer=\"C=FR,CN=Simple Signing CA 2\";"
      "SerialNumber=\"1\";NB=\"1747282426\";NA=\"1778818426\";"
      "SAN=\"*.example.org,test@example.org,10.0.1.0\"";
  const std::string value = InfoOf(TraefikExample());
  EXPECT_EQ(PercentDecoded(absl::StrReplaceAll(value, {{"+", " "}})),
            documented);
  EXPECT_EQ(value,
            "Subject%3D%22DC%3Dorg%2CC%3DFR%2CST%3DCheese+org+state%2CL%3D"
            "TOULOUSE%2CO%3DCheese%2CCN%3D%2A.example.com%22%3BIssuer%3D%22C"
            "%3DFR%2CCN%3DSimple+Signing+CA+2%22%3BSerialNumber%3D%221%22%3B"
            "NB%3D%221747282426%22%3BNA%3D%221778818426%22%3BSAN%3D%22%2A."
            "example.org%2Ctest%40example.org%2C10.0.1.0%22");
}

TEST(Traefik, WritesTheCertificatesWithoutDelimitersJoinedByCommas) {
  Forwarding::Traefik config;
  config.set_pem(true);
  const Certificates sent = {Named("client", "Issuing"),
                             Named("Issuing", "Root"), Named("Root", "Root")};
  const std::vector<Header> headers = EncodeTraefik(config, sent);
  ASSERT_EQ(headers.size(), 1u);
  EXPECT_EQ(Line(headers[0]),
            absl::StrCat("x-forwarded-tls-client-cert: ",
                         absl::Base64Escape(sent[0]->der()), ",",
                         absl::Base64Escape(sent[1]->der())));
  EXPECT_TRUE(absl::StartsWith(headers[0].value, "MII"));
}

TEST(Traefik, OrdersAttributesAsTraefikDoes) {
  TestCertificate spec;
  const std::string domain_component(
      "\x09\x92\x26\x89\x93\xf2\x2c\x64\x01\x19");
  const std::vector<TestAttribute> name = {{3, "first"},
                                           {5, "007"},
                                           {11, "u1"},
                                           {11, "u2", true},
                                           {10, "o"},
                                           {7, "l"},
                                           {8, "st"},
                                           {6, "US"},
                                           {4, "Sur"},
                                           {3, "second"},
                                           {0, "com", false, domain_component},
                                           {0, "ex", false, domain_component}};
  spec.subject = name;
  spec.issuer = name;
  const TraefikFields fields = Fields(InfoOf(spec));
  EXPECT_EQ(fields[0].first, "Subject");
  EXPECT_EQ(fields[0].second,
            "DC=com,DC=ex,C=US,ST=st,L=l,O=o,OU=u1,OU=u2,SN=007,CN=second");
  EXPECT_EQ(fields[1].first, "Issuer");
  EXPECT_EQ(fields[1].second,
            "DC=com,DC=ex,C=US,ST=st,L=l,O=o,SN=007,CN=second");
}

TEST(Traefik, LeavesOutFieldsWithoutAValue) {
  TestCertificate spec;
  spec.subject = {};
  spec.issuer = {{11, "only a unit"}};
  spec.uri = {"spiffe://a/b"};
  Strings keys;
  for (const auto& field : Fields(InfoOf(spec))) keys.push_back(field.first);
  EXPECT_EQ(keys, (Strings{"SerialNumber", "NB", "NA", "SAN"}));
}

TEST(Traefik, NeverLetsANameBecomeAnotherAttributeOrField) {
  for (const std::string& text : HostileTexts()) {
    TestCertificate spec;
    spec.subject = {{10, text}, {3, text}};
    spec.issuer = {{3, text}};
    const TraefikFields fields = Fields(InfoOf(spec));
    ASSERT_EQ(fields.size(), 5u) << text;
    EXPECT_EQ(ReadTraefikList(fields[0].second),
              (Strings{"O=" + text, "CN=" + text}));
    EXPECT_EQ(ReadTraefikList(fields[1].second), (Strings{"CN=" + text}));
    EXPECT_EQ(fields[2].first, "SerialNumber");
  }
}

TEST(Traefik, NeverLetsASanBecomeAnotherOne) {
  for (const char* text :
       {"a,b", "spiffe://a\"", "x\";Subject=\"CN=root", "https://a/?b=c&d=e;f",
        "a%2Cb", "a\\", "a b", "\r\n", "\",\""}) {
    TestCertificate spec;
    spec.uri = {text};
    spec.dns = {text};
    spec.email = {"a@b"};
    const TraefikFields fields = Fields(InfoOf(spec));
    ASSERT_EQ(fields.back().first, "SAN");
    Strings names = ReadTraefikList(fields.back().second);
    EXPECT_EQ(names, (Strings{text, "a@b", text}));
  }
}

TEST(Traefik, KeepsTheNumberOfSansWhateverTheyAre) {
  TestCertificate spec;
  spec.dns = {"", "a"};
  spec.uri = {""};
  const TraefikFields fields = Fields(InfoOf(spec));
  EXPECT_EQ(ReadTraefikList(fields.back().second), (Strings{"", "a", ""}));
}

TEST(Traefik, WritesSerialsInDecimalUpTo256Octets) {
  const auto serial = [](const std::string& octets) {
    TestCertificate spec;
    spec.serial = octets;
    if (Make(spec) == nullptr) return std::string("(no certificate)");
    const TraefikFields fields = Fields(InfoOf(spec));
    return fields[2].first == "SerialNumber" ? fields[2].second : "(none)";
  };
  EXPECT_EQ(serial(std::string(1, '\0')), "0");
  EXPECT_EQ(serial("\x7f"), "127");
  EXPECT_EQ(serial(std::string("\x00\xff", 2)), "255");
  EXPECT_EQ(serial(std::string("\x3b\x9a\xca\x00", 4)), "1000000000");
  // 2^160 - 1 as OpenSSL prints it.
  EXPECT_EQ(serial(std::string(1, '\0') + std::string(20, '\xff')),
            "1461501637330902918203684832716283019655932542975");
  // 2^504.
  EXPECT_EQ(serial(std::string(1, '\x01') + std::string(63, '\0')),
            "523742497263382699202110351492415864354662727366890366317326"
            "618895381407424747928781323214772144665144141869460409611361"
            "47476104734166288853256441430016");
  const std::string limit = serial(std::string(256, '\x7f'));
  EXPECT_EQ(limit.size(), 617u);
  EXPECT_EQ(serial(std::string(257, '\x7f')), "(none)");
}

TEST(Traefik, HasTheFieldsOfTheClientsOwnCertificateOnly) {
  Forwarding::Traefik config;
  config.set_info(true);
  config.set_pem(true);
  // A client can send what it likes after its own.
  const Certificates sent = {Named("client", "Issuing"),
                             Named("admin", "Root")};
  const std::vector<Header> headers = EncodeTraefik(config, sent);
  ASSERT_EQ(headers.size(), 2u);
  const TraefikFields fields = Fields(headers[1].value);
  EXPECT_EQ(fields[0].second, "CN=client");
  EXPECT_FALSE(absl::StrContains(headers[1].value, "admin"));
}

// Cloudflare.

TEST(Cloudflare, WritesTheCertificateAndItsFingerprint) {
  const CertificatePtr leaf = Named("client", "Root");
  const std::vector<Header> headers = EncodeCloudflare(*leaf);
  ASSERT_EQ(headers.size(), 2u);
  EXPECT_EQ(headers[0].name, "cf-client-cert-der-base64");
  std::string der;
  ASSERT_TRUE(absl::Base64Unescape(headers[0].value, &der));
  EXPECT_EQ(der, leaf->der());
  EXPECT_EQ(headers[1].name, "cf-client-cert-sha256");
  EXPECT_EQ(headers[1].value, absl::AsciiStrToUpper(absl::BytesToHexString(
                                  pki::AsBytes(leaf->fingerprint()))));
}

// API Gateway.

TEST(ClientCertJson, IsTheObjectOfTheDocumentedEvent) {
  TestCertificate spec;
  spec.subject = {{3, "www.example.com"}};
  spec.issuer = {{3, "Example issuer"}};
  spec.serial = std::string(1, '\0') + std::string(16, '\xa1');
  spec.not_before = "20190528123002Z";
  spec.not_after = "20210805093604Z";
  const CertificatePtr leaf = Make(spec);
  EXPECT_EQ(
      ClientCertJson(*leaf),
      absl::StrCat("{\"clientCertPem\":\"",
                   absl::StrReplaceAll(leaf->Pem(), {{"\n", "\\n"}}),
                   "\",\"subjectDN\":\"CN=www.example.com\","
                   "\"issuerDN\":\"CN=Example issuer\","
                   "\"serialNumber\":"
                   "\"a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1\","
                   "\"validity\":{\"notBefore\":\"May 28 12:30:02 2019 GMT\","
                   "\"notAfter\":\"Aug  5 09:36:04 2021 GMT\"}}"));
}

TEST(ClientCertJson, HoldsExactlyTheFieldsWhateverTheNamesAre) {
  for (const std::string& text : HostileTexts()) {
    TestCertificate spec;
    spec.subject = {{10, text}, {3, text, true}};
    spec.issuer = {{3, text}};
    const CertificatePtr leaf = Make(spec);
    std::map<std::string, std::string> members;
    ASSERT_TRUE(ReadClientCertJson(ClientCertJson(*leaf), &members)) << text;
    EXPECT_EQ(members, (std::map<std::string, std::string>{
                           {"clientCertPem", leaf->Pem()},
                           {"subjectDN", leaf->Subject()},
                           {"issuerDN", leaf->Issuer()},
                           {"serialNumber", "03:a5:b1"},
                           {"validity.notBefore", "Sep 21 01:50:17 2023 GMT"},
                           {"validity.notAfter", "Sep 20 01:50:17 2024 GMT"}}));
  }
}

TEST(ClientCertJson, WritesShortLongAndNegativeSerialsInPairs) {
  const auto serial = [](const std::string& octets) {
    TestCertificate spec;
    spec.serial = octets;
    std::map<std::string, std::string> members;
    EXPECT_TRUE(ReadClientCertJson(ClientCertJson(*Make(spec)), &members));
    return members["serialNumber"];
  };
  EXPECT_EQ(serial(std::string(1, '\x01')), "01");
  EXPECT_EQ(serial(std::string(1, '\0')), "00");
  EXPECT_EQ(serial("\x0f\x1e"), "0f:1e");
  const std::string longest = serial(std::string(64, '\x7e'));
  EXPECT_EQ(longest.size(), 64u * 3 - 1);
  EXPECT_TRUE(absl::EndsWith(longest, ":7e"));
  EXPECT_EQ(serial("\xff"), "-01");
}

TEST(ClientCertJson, TravelsAsBase64) {
  Forwarding config;
  config.mutable_api_gateway();
  const Certificates sent = {Named("client", "Root")};
  Client client;
  client.sent = sent;
  client.verdict = Reason::kTrusted;
  const Forwarded forwarded = Encode(config, client);
  ASSERT_EQ(forwarded.headers.size(), 1u);
  std::string json;
  ASSERT_TRUE(absl::Base64Unescape(
      Value(forwarded.headers, "x-sallyport-client-cert"), &json));
  EXPECT_EQ(json, ClientCertJson(*sent[0]));
}

}  // namespace
}  // namespace sallyport::forwarding
