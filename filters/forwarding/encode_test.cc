#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/string_view.h"
#include "base/file.h"
#include "base/text.h"
#include "filters/forwarding/forwarding.h"
#include "filters/forwarding/test_certificate.h"
#include "filters/forwarding/xfcc_reader.h"
#include "gtest/gtest.h"
#include "pki/x509/certificate.h"

namespace sallyport::forwarding {
namespace {

using ::sallyport::filter::v1::Forwarding;
using CertificatePtr = std::shared_ptr<const pki::Certificate>;
using Certificates = std::vector<CertificatePtr>;

constexpr char kTestdata[] = "filters/forwarding/testdata/";

Forwarding::Xfcc AllOfXfcc() {
  Forwarding::Xfcc config;
  config.set_subject(true);
  config.set_cert(true);
  config.set_chain(true);
  config.set_uri(true);
  config.set_dns(true);
  return config;
}

// Every dialect with everything; ALB in verify mode.
Forwarding Everything() {
  Forwarding config;
  *config.mutable_xfcc() = AllOfXfcc();
  config.mutable_rfc9440()->set_chain(true);
  config.mutable_alb();
  config.mutable_ingress_nginx()->set_cert(true);
  config.mutable_traefik()->set_pem(true);
  config.mutable_traefik()->set_info(true);
  config.mutable_cloudflare();
  config.mutable_api_gateway();
  config.set_truststore(true);
  config.set_verdict(true);
  return config;
}

CertificatePtr Leaf(std::vector<std::string> uri = {},
                    std::vector<std::string> dns = {}) {
  TestCertificate spec;
  spec.uri = std::move(uri);
  spec.dns = std::move(dns);
  return Make(spec);
}

CertificatePtr Named(absl::string_view name, absl::string_view issuer) {
  TestCertificate spec;
  spec.subject = {{3, std::string(name)}};
  spec.issuer = {{3, std::string(issuer)}};
  return Make(spec);
}

Client Trusted(const Certificates& sent) {
  Client client;
  client.sent = sent;
  client.truststore = "partners@7";
  client.verdict = pki::Reason::kTrusted;
  return client;
}

// A leaf, two intermediates and a root.
Certificates FullChain() {
  return {Named("client-1", "Issuing"), Named("Issuing", "Middle"),
          Named("Middle", "Root"), Named("Root", "Root")};
}

std::string Value(const std::vector<Header>& headers, absl::string_view name) {
  for (const Header& header : headers) {
    if (header.name == name) return header.value;
  }
  return "(missing)";
}

std::vector<std::string> Names(const std::vector<Header>& headers) {
  std::vector<std::string> names;
  names.reserve(headers.size());
  for (const Header& header : headers) names.push_back(header.name);
  return names;
}

size_t Bytes(const std::vector<Header>& headers) {
  size_t bytes = 0;
  for (const Header& header : headers) {
    bytes += header.name.size() + header.value.size();
  }
  return bytes;
}

// What a certificate reads as after percent-decoding.
std::string PercentDecoded(absl::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size()) {
      out += absl::HexStringToBytes(text.substr(i + 1, 2));
      i += 2;
    } else {
      out.push_back(text[i]);
    }
  }
  return out;
}

// The only element, as both kinds of readers must agree.
XfccElement Read(const std::string& value) {
  std::vector<XfccElement> a, b;
  EXPECT_TRUE(ReadXfcc(value, XfccReading::kQuoteAfterBackslash, &a)) << value;
  EXPECT_TRUE(ReadXfcc(value, XfccReading::kBackslashPairs, &b)) << value;
  EXPECT_EQ(a, b) << value;
  EXPECT_EQ(a.size(), 1u) << value;
  return a[0];
}

std::string XfccOf(const CertificatePtr& leaf) {
  Forwarding::Xfcc config;
  config.set_subject(true);
  config.set_uri(true);
  config.set_dns(true);
  const Certificates sent = {leaf};
  const std::string value = EncodeXfcc(config, sent);
  Read(value);
  EXPECT_TRUE(absl::StartsWith(value, "Hash="));
  // Without the hash, which depends on the signature.
  return value.substr(std::min(value.size(), size_t{5 + 64 + 1}));
}

struct Recorded {
  Certificates chain;
  std::string xfcc;
};

// What Envoy 1.40.0 wrote for a chain (a leaf and its issuer).
Recorded ReadRecorded(absl::string_view name) {
  const std::string base = absl::StrCat(kTestdata, "envoy/", name);
  const auto xfcc = ReadFile(base + ".xfcc", size_t{1} << 20);
  EXPECT_TRUE(xfcc.ok()) << xfcc.status();
  return {ReadChain(base + ".pem"), *xfcc};
}

TEST(Xfcc, IsWhatEnvoyWritesByteForByte) {
  for (const char* name : {"plain", "nosan", "names", "blank"}) {
    SCOPED_TRACE(name);
    const Recorded recorded = ReadRecorded(name);
    ASSERT_EQ(recorded.chain.size(), 2u);
    EXPECT_EQ(EncodeXfcc(AllOfXfcc(), recorded.chain), recorded.xfcc);
  }
}

TEST(Xfcc, DiffersFromEnvoyOnlyInNamesThatEnvoyDoesNotQuote) {
  const Recorded recorded = ReadRecorded("hostile");
  const size_t sans = recorded.xfcc.find(";URI=");
  ASSERT_NE(sans, std::string::npos);
  // Envoy: the rest is three elements to a reader.
  EXPECT_EQ(recorded.xfcc.substr(sans),
            ";URI=spiffe://ex.com/a,b;c=d\\e;URI=u rl%41;"
            "DNS=x,Hash=dead;bc=d");
  const std::string ours = EncodeXfcc(AllOfXfcc(), recorded.chain);
  EXPECT_EQ(ours, recorded.xfcc.substr(0, sans) +
                      ";URI=\"spiffe://ex.com/a,b;c=d%5Ce\";URI=u rl%41;"
                      "DNS=\"x,Hash=dead;bc=d\"");
  Read(ours);
}

TEST(Xfcc, NeverPutsABackslashBeforeTheClosingQuoteOfTheSubject) {
  const Recorded recorded = ReadRecorded("backslash");
  EXPECT_TRUE(absl::StrContains(recorded.xfcc,
                                "Subject=\"CN=ends in a backslash\\\\\\\\\";"));
  const std::string ours = EncodeXfcc(AllOfXfcc(), recorded.chain);
  EXPECT_TRUE(
      absl::StrContains(ours, "Subject=\"CN=ends in a backslash\\\\\\5C\";"));
  EXPECT_EQ(Read(ours)[3].second, "CN=ends in a backslash\\\\\\5C");
}

TEST(Xfcc, StaysOneElementWhateverTheSubjectIs) {
  const auto reads_as = [](absl::string_view subject) {
    const XfccElement element =
        Read(absl::StrCat("Hash=0;", XfccSubject(subject), ";URI=u"));
    EXPECT_EQ(element.size(), 3u) << subject;
    return element.at(1).second;
  };
  EXPECT_EQ(reads_as("CN=a\\\"b\\\\c"), "CN=a\\\"b\\\\c");
  EXPECT_EQ(reads_as("CN=a\\\\"), "CN=a\\5C");
  // Text that RFC 4514 does not allow.
  EXPECT_EQ(reads_as("CN=\",Hash=1;X=\""), "CN=\\\",Hash=1;X=\\\"");
  EXPECT_EQ(reads_as("CN=a\\"), "CN=a\\5C");
}

TEST(Xfcc, HasTheShapeOfTheDocumentedExample) {
  TestCertificate spec;
  spec.subject = {{6, "US"}, {8, "WA"}, {10, "Example, Inc"}, {3, "client-1"}};
  spec.uri = {"spiffe://ex.com/a"};
  spec.dns = {"client-1.example.com"};
  EXPECT_EQ(XfccOf(Make(spec)),
            "Subject=\"CN=client-1,O=Example\\, Inc,ST=WA,C=US\";"
            "URI=spiffe://ex.com/a;DNS=client-1.example.com");
}

TEST(Xfcc, HoldsOnlyTheKeysThatAreAskedFor) {
  const Certificates sent = {Leaf({"spiffe://a"}, {"a.example"})};
  const auto keys = [&sent](const Forwarding::Xfcc& config) {
    std::string out;
    for (const XfccField& field : Read(EncodeXfcc(config, sent))) {
      absl::StrAppend(&out, field.first, " ");
    }
    return out;
  };
  Forwarding::Xfcc config;
  EXPECT_EQ(keys(config), "Hash ");
  config.set_dns(true);
  EXPECT_EQ(keys(config), "Hash DNS ");
  config.set_uri(true);
  EXPECT_EQ(keys(config), "Hash URI DNS ");
  config.set_subject(true);
  EXPECT_EQ(keys(config), "Hash Subject URI DNS ");
  config.set_chain(true);
  EXPECT_EQ(keys(config), "Hash Chain Subject URI DNS ");
  config.set_cert(true);
  EXPECT_EQ(keys(config), "Hash Cert Chain Subject URI DNS ");
}

TEST(Xfcc, CarriesTheCertificatesThemselves) {
  const Certificates sent = FullChain();
  const XfccElement element = Read(EncodeXfcc(AllOfXfcc(), sent));
  ASSERT_GE(element.size(), 3u);
  EXPECT_EQ(element[0].second,
            absl::BytesToHexString(pki::AsBytes(sent[0]->fingerprint())));
  EXPECT_EQ(PercentDecoded(element[1].second), sent[0]->Pem());
  EXPECT_EQ(PercentDecoded(element[2].second),
            sent[0]->Pem() + sent[1]->Pem() + sent[2]->Pem());
  for (char c : {'+', '/', '=', ' ', '\n'}) {
    EXPECT_FALSE(absl::StrContains(element[1].second, std::string(1, c)));
  }
}

TEST(Xfcc, KeepsTheSubjectKeyForAnEmptyName) {
  TestCertificate spec;
  spec.subject = {};
  spec.dns = {"a.example"};
  EXPECT_EQ(XfccOf(Make(spec)), "Subject=\"\";URI=;DNS=a.example");
}

TEST(Xfcc, WritesMultiValuedAndUtf8Names) {
  TestCertificate spec;
  spec.subject = {
      {6, "US"}, {3, "Zo\xc3\xab"}, {11, "a;b=\"c\"", /*same_rdn=*/true}};
  const CertificatePtr leaf = Make(spec);
  const std::string value = XfccOf(leaf);
  EXPECT_TRUE(absl::StrContains(value, "CN=Zo\\C3\\AB")) << value;
  EXPECT_TRUE(absl::StrContains(value, "+")) << value;
  EXPECT_TRUE(absl::StrContains(value, "OU=a\\;b=\\\"c\\\"")) << value;
  EXPECT_EQ(value, absl::StrCat("Subject=\"", leaf->Subject(), "\";URI="));
}

TEST(Xfcc, EscapesControlCharactersInNames) {
  TestCertificate spec;
  spec.subject = {{3, std::string("a\r\nx-admin: 1\0b\x7f", 16)}};
  EXPECT_EQ(XfccOf(Make(spec)),
            "Subject=\"CN=a\\0D\\0Ax-admin: 1\\00b\\7F\";URI=");
}

TEST(Xfcc, QuotesAndEscapesAlternativeNames) {
  const auto uri = [](const std::string& name) {
    return XfccOf(Leaf({name})).substr(strlen("Subject=\"CN=client-1\";URI="));
  };
  EXPECT_EQ(uri("spiffe://ex.com/a"), "spiffe://ex.com/a");
  EXPECT_EQ(uri("https://x/%2C~*'()!"), "https://x/%2C~*'()!");
  EXPECT_EQ(uri(""), "");
  EXPECT_EQ(uri("a,b"), "\"a,b\"");
  EXPECT_EQ(uri("a;b"), "\"a;b\"");
  EXPECT_EQ(uri("a=b"), "\"a=b\"");
  EXPECT_EQ(uri("a\"b"), "\"a\\\"b\"");
  EXPECT_EQ(uri("\""), "\"\\\"\"");
  EXPECT_EQ(uri("\",Hash=00;Subject=\"CN=root"),
            "\"\\\",Hash=00;Subject=\\\"CN=root\"");
  EXPECT_EQ(uri("a\\b"), "a%5Cb");
  EXPECT_EQ(uri("a\\\",Hash=00"), "\"a%5C\\\",Hash=00\"");
  EXPECT_EQ(uri("a,\\"), "\"a,%5C\"");
  EXPECT_EQ(uri(" a "), "\" a \"");
  EXPECT_EQ(uri("a b"), "a b");
  EXPECT_EQ(uri("\t"), "%09");
}

TEST(Xfcc, PercentEncodesControlCharactersInAlternativeNames) {
  const std::string nul("a\0b\x1f\x7f", 5);
  EXPECT_EQ(XfccOf(Leaf({}, {nul, "c\r\nd: e"})),
            "Subject=\"CN=client-1\";URI=;DNS=a%00b%1F%7F;DNS=c%0D%0Ad: e");
}

TEST(Xfcc, PercentEncodesEveryByteThatNoHeaderCanCarry) {
  // Certificates with such names do not get this far: they break RFC 5280.
  for (int byte = 0; byte < 256; ++byte) {
    const std::string name(1, static_cast<char>(byte));
    const std::string written = XfccName("DNS", name);
    if (byte < 0x20 || byte > 0x7e || byte == '\\') {
      EXPECT_EQ(written, absl::StrCat("DNS=%", HexUpper(name)));
    } else {
      EXPECT_TRUE(absl::StrContains(written, name)) << written;
    }
    EXPECT_EQ(Read(absl::StrCat("Hash=0;", written, ";URI=u")).size(), 3u);
  }
  EXPECT_EQ(XfccName("DNS", "b\xc3\xbc,x"), "DNS=\"b%C3%BC,x\"");
}

TEST(Xfcc, KeepsTheOrderAndNumberOfNames) {
  EXPECT_EQ(XfccOf(Leaf({"spiffe://b", "spiffe://a"}, {"b.x", "a.x", "b.x"})),
            "Subject=\"CN=client-1\";URI=spiffe://b;URI=spiffe://a;"
            "DNS=b.x;DNS=a.x;DNS=b.x");
}

TEST(Rfc9440, WritesTheValueOfTheRfc) {
  const Certificates sent = ReadChain(absl::StrCat(kTestdata, "rfc9440.pem"));
  const std::vector<Header> headers = EncodeRfc9440({}, sent);
  ASSERT_EQ(headers.size(), 1u);
  EXPECT_EQ(headers[0].name, "client-cert");
  EXPECT_EQ(headers[0].value,
            ":MIIBqDCCAU6gAwIBAgIBBzAKBggqhkjOPQQDAjA6MRswGQYDVQQKDBJMZXQncyBB"
            "dXRoZW50aWNhdGUxGzAZBgNVBAMMEkxBIEludGVybWVkaWF0ZSBDQTAeFw0yMDAx"
            "MTQyMjU1MzNaFw0yMTAxMjMyMjU1MzNaMA0xCzAJBgNVBAMMAkJDMFkwEwYHKoZI"
            "zj0CAQYIKoZIzj0DAQcDQgAE8YnXXfaUgmnMtOXU/IncWalRhebrXmckC8vdgJ1p"
            "5Be5F/3YC8OthxM4+k1M6aEAEFcGzkJiNy6J84y7uzo9M6NyMHAwCQYDVR0TBAIw"
            "ADAfBgNVHSMEGDAWgBRm3WjLa38lbEYCuiCPct0ZaSED2DAOBgNVHQ8BAf8EBAMC"
            "BsAwEwYDVR0lBAwwCgYIKwYBBQUHAwIwHQYDVR0RAQH/BBMwEYEPYmRjQGV4YW1w"
            "bGUuY29tMAoGCCqGSM49BAMCA0gAMEUCIBHda/r1vaL6G3VliL4/Di6YK0Q6bMje"
            "SkC3dFCOOB8TAiEAx/kHSB4urmiZ0NX5r5XarmPk0wmuydBVoU4hBVZ1yhk=:");
}

TEST(Rfc9440, ListsTheChainWithoutLeafAndRoot) {
  const Certificates sent = FullChain();
  Forwarding::Rfc9440 config;
  config.set_chain(true);
  const std::vector<Header> headers = EncodeRfc9440(config, sent);
  EXPECT_EQ(Names(headers),
            (std::vector<std::string>{"client-cert", "client-cert-chain"}));
  EXPECT_EQ(headers[1].value,
            absl::StrCat(":", absl::Base64Escape(sent[1]->der()),
                         ":, :", absl::Base64Escape(sent[2]->der()), ":"));
}

TEST(Rfc9440, HasNoChainHeaderWhenThereIsNothingInIt) {
  Forwarding::Rfc9440 config;
  config.set_chain(true);
  const Certificates alone = {Named("client-1", "Root")};
  EXPECT_EQ(EncodeRfc9440(config, alone).size(), 1u);
  const Certificates with_root = {Named("client-1", "Root"),
                                  Named("Root", "Root")};
  EXPECT_EQ(EncodeRfc9440(config, with_root).size(), 1u);
  config.set_chain(false);
  EXPECT_EQ(EncodeRfc9440(config, FullChain()).size(), 1u);
}

// The certificate of the example in AWS's documentation.
CertificatePtr AlbExample() {
  TestCertificate spec;
  spec.issuer = {{6, "US"},    {8, "Washington"}, {7, "Seattle"},
                 {10, "mTLS"}, {11, "rootCA"},    {3, "rootcamtls.com"}};
  spec.subject = {{6, "US"},
                  {8, "Washington"},
                  {10, "mTLS"},
                  {11, "client-3"},
                  {3, "client_.com"}};
  return Make(spec);
}

TEST(Alb, WritesTheDocumentedHeadersInVerifyMode) {
  const Certificates sent = {AlbExample()};
  const std::vector<Header> headers = EncodeAlb({}, sent);
  EXPECT_EQ(Names(headers), (std::vector<std::string>{
                                "x-amzn-mtls-clientcert-serial-number",
                                "x-amzn-mtls-clientcert-issuer",
                                "x-amzn-mtls-clientcert-subject",
                                "x-amzn-mtls-clientcert-validity",
                                "x-amzn-mtls-clientcert-leaf",
                            }));
  EXPECT_EQ(headers[0].value, "03A5B1");
  EXPECT_EQ(headers[1].value,
            "CN=rootcamtls.com,OU=rootCA,O=mTLS,L=Seattle,ST=Washington,C=US");
  EXPECT_EQ(headers[2].value,
            "CN=client_.com,OU=client-3,O=mTLS,ST=Washington,C=US");
  EXPECT_EQ(headers[3].value,
            "NotBefore=2023-09-21T01:50:17Z;NotAfter=2024-09-20T01:50:17Z");
  EXPECT_EQ(headers[4].value,
            absl::StrReplaceAll(sent[0]->Pem(), {{" ", "%20"}, {"\n", "%0A"}}));
  EXPECT_TRUE(absl::StartsWith(headers[4].value,
                               "-----BEGIN%20CERTIFICATE-----%0AMII"));
  EXPECT_TRUE(
      absl::EndsWith(headers[4].value, "%0A-----END%20CERTIFICATE-----%0A"));

  Forwarding::Alb verify;
  verify.set_mode(Forwarding::Alb::VERIFY);
  EXPECT_EQ(EncodeAlb(verify, sent)[4].value, headers[4].value);
}

TEST(Alb, WritesTheChainInPassthroughMode) {
  Forwarding::Alb config;
  config.set_mode(Forwarding::Alb::PASSTHROUGH);
  const Certificates sent = FullChain();
  const std::vector<Header> headers = EncodeAlb(config, sent);
  ASSERT_EQ(headers.size(), 1u);
  EXPECT_EQ(headers[0].name, "x-amzn-mtls-clientcert");
  EXPECT_EQ(
      headers[0].value,
      absl::StrReplaceAll(sent[0]->Pem() + sent[1]->Pem() + sent[2]->Pem(),
                          {{" ", "%20"}, {"\n", "%0A"}}));
}

TEST(Alb, CarriesLongSerialsFarDatesAndEmptyNames) {
  TestCertificate spec;
  spec.serial = std::string(64, '\x7e');
  spec.not_before = "19500101000000Z";
  spec.not_after = "99991231235959Z";
  spec.subject = {};
  spec.dns = {"a"};
  const Certificates sent = {Make(spec)};
  ASSERT_NE(sent[0], nullptr);
  const std::vector<Header> headers = EncodeAlb({}, sent);
  std::string serial;
  for (int i = 0; i < 64; ++i) serial += "7E";
  EXPECT_EQ(headers[0].value, serial);
  EXPECT_EQ(headers[2].name, "x-amzn-mtls-clientcert-subject");
  EXPECT_EQ(headers[2].value, "");
  EXPECT_EQ(headers[3].value,
            "NotBefore=1950-01-01T00:00:00Z;NotAfter=9999-12-31T23:59:59Z");
}

TEST(Alb, WritesNamesWithEveryKindOfCharacter) {
  TestCertificate spec;
  spec.subject = {
      {10, "Example, \"Inc\"; a+b"}, {11, "\xc3\xa9\r\n"}, {3, "blank "}};
  const Certificates sent = {Make(spec)};
  EXPECT_EQ(Value(EncodeAlb({}, sent), "x-amzn-mtls-clientcert-subject"),
            "CN=blank\\ ,OU=\\C3\\A9\\0D\\0A,O=Example\\, "
            "\\\"Inc\\\"\\; a\\+b");
}

TEST(Alb, KeepsABlankAtTheEndOfAName) {
  TestCertificate spec;
  const auto subject = [&spec] {
    return Value(EncodeAlb({}, Certificates{Make(spec)}),
                 "x-amzn-mtls-clientcert-subject");
  };
  spec.subject = {{10, "x"}, {3, "blank "}};
  EXPECT_EQ(subject(), "CN=blank\\ ,O=x");
  spec.subject = {{3, "blank "}, {10, "x"}};
  EXPECT_EQ(subject(), "O=x,CN=blank\\20");
  spec.subject = {{3, " "}};
  EXPECT_EQ(subject(), "CN=\\20");
}

TEST(Chains, LeaveOutTheRootButNeverTheClientsOwn) {
  Forwarding config;
  config.mutable_alb()->set_mode(Forwarding::Alb::PASSTHROUGH);
  const auto certificates = [&config](const Certificates& sent) {
    size_t count = 0;
    const Forwarded forwarded = Encode(config, Trusted(sent));
    const std::string value = PercentDecoded(forwarded.headers.at(0).value);
    for (size_t at = 0; (at = value.find("BEGIN", at)) != std::string::npos;
         ++at) {
      ++count;
    }
    return count;
  };
  const CertificatePtr self = Named("Partner", "Partner");
  const CertificatePtr leaf = Named("client-1", "Issuing");
  const CertificatePtr issuing = Named("Issuing", "Root");
  const CertificatePtr root = Named("Root", "Root");
  EXPECT_EQ(certificates({self}), 1u);
  EXPECT_EQ(certificates({self, self}), 1u);
  EXPECT_EQ(certificates({leaf, issuing}), 2u);
  EXPECT_EQ(certificates({leaf, issuing, root}), 2u);
  EXPECT_EQ(certificates({leaf, issuing, root, root}), 2u);
  // Not at the end, so not the root of this chain.
  EXPECT_EQ(certificates({leaf, root, issuing}), 3u);
}

TEST(Encode, ForwardsNothingUnlessConfiguredOrWithoutACertificate) {
  const Certificates sent = FullChain();
  const Certificates nobody;
  EXPECT_TRUE(Encode({}, Trusted(sent)).headers.empty());
  const Forwarded none = Encode(Everything(), Trusted(nobody));
  EXPECT_TRUE(none.headers.empty());
  EXPECT_FALSE(none.truncated);
  EXPECT_TRUE(none.dropped.empty());
}

TEST(Encode, WritesEveryConfiguredDialectAsItsEncoderDoes) {
  const Certificates sent = FullChain();
  Forwarding config = Everything();
  config.set_max_header_bytes(1 << 20);
  const Forwarded forwarded = Encode(config, Trusted(sent));
  EXPECT_FALSE(forwarded.truncated);
  EXPECT_TRUE(forwarded.dropped.empty());
  std::vector<Header> expected = {
      {"x-forwarded-client-cert", EncodeXfcc(config.xfcc(), sent)}};
  const auto add = [&expected](const std::vector<Header>& headers) {
    expected.insert(expected.end(), headers.begin(), headers.end());
  };
  add(EncodeRfc9440(config.rfc9440(), sent));
  add(EncodeAlb(config.alb(), sent));
  add(EncodeTraefik(config.traefik(), sent));
  add(EncodeCloudflare(*sent[0]));
  add({{"x-sallyport-client-cert",
        absl::Base64Escape(ClientCertJson(*sent[0]))},
       {"x-sallyport-truststore", "partners@7"}});
  add(EncodeIngressNginx(config.ingress_nginx(), pki::Reason::kTrusted,
                         sent[0].get()));
  add({{"x-sallyport-verdict", "TRUSTED"}});
  ASSERT_EQ(Names(forwarded.headers), Names(expected));
  for (size_t i = 0; i < expected.size(); ++i) {
    EXPECT_EQ(forwarded.headers[i].value, expected[i].value);
  }
  EXPECT_EQ(forwarded.bytes, Bytes(expected));
}

TEST(Encode, TellsTheVerdictOfATrustedClientOnlyWhenAskedOrPassedOn) {
  const Certificates sent = FullChain();
  Forwarding config;
  Client client = Trusted(sent);
  EXPECT_TRUE(Encode(config, client).headers.empty());
  client.passed_on = true;
  EXPECT_EQ(Value(Encode(config, client).headers, "x-sallyport-verdict"),
            "TRUSTED");
  client.passed_on = false;
  config.set_verdict(true);
  EXPECT_EQ(Value(Encode(config, client).headers, "x-sallyport-verdict"),
            "TRUSTED");
}

TEST(Encode, SendsOfAnUntrustedClientOnlyWhatSaysThatItIsUntrusted) {
  const Certificates sent = FullChain();
  for (int i = 0; i < pki::kNumReasons; ++i) {
    const auto reason = static_cast<pki::Reason>(i);
    if (reason == pki::Reason::kTrusted ||
        reason == pki::Reason::kNoCertificate) {
      continue;
    }
    for (const bool passed_on : {false, true}) {
      Client client = Trusted(sent);
      client.path = sent;
      client.verdict = reason;
      client.passed_on = passed_on;
      Forwarding config = Everything();
      const Forwarded forwarded = Encode(config, client);
      EXPECT_EQ(Names(forwarded.headers),
                (std::vector<std::string>{
                    "ssl-client-verify", "ssl-client-subject-dn",
                    "ssl-client-issuer-dn", "ssl-client-cert",
                    "x-sallyport-verdict"}));
      EXPECT_EQ(forwarded.headers[0].value,
                absl::StrCat("FAILED:", pki::ReasonName(reason)));
      EXPECT_EQ(forwarded.headers[1].value, "CN=client-1");
      EXPECT_EQ(forwarded.headers[4].value, pki::ReasonName(reason));

      config.mutable_alb()->set_mode(Forwarding::Alb::PASSTHROUGH);
      EXPECT_EQ(Names(Encode(config, client).headers).front(),
                "x-amzn-mtls-clientcert");
      EXPECT_EQ(Encode(config, client).headers.size(), 6u);

      // Also where nothing is configured.
      EXPECT_EQ(Names(Encode({}, client).headers),
                (std::vector<std::string>{"x-sallyport-verdict"}));
    }
  }
}

TEST(Encode, SaysThatThereIsNoCertificate) {
  const Certificates sent = FullChain();
  Client client;
  client.verdict = pki::Reason::kNoCertificate;
  for (const bool contradiction : {false, true}) {
    if (contradiction) client = Trusted(sent);
    client.verdict = pki::Reason::kNoCertificate;
    Forwarding config = Everything();
    config.mutable_alb()->set_mode(Forwarding::Alb::PASSTHROUGH);
    const Forwarded forwarded = Encode(config, client);
    EXPECT_EQ(
        Names(forwarded.headers),
        (std::vector<std::string>{"ssl-client-verify", "x-sallyport-verdict"}));
    EXPECT_EQ(forwarded.headers[0].value, "NONE");
    EXPECT_EQ(forwarded.headers[1].value, "NO_CERTIFICATE");
    EXPECT_EQ(Names(Encode({}, client).headers),
              (std::vector<std::string>{"x-sallyport-verdict"}));
  }
}

TEST(Encode, SaysOfAnUnreadableCertificateThatItFailed) {
  Client client;
  client.verdict = pki::Reason::kMalformed;
  const Forwarded forwarded = Encode(Everything(), client);
  EXPECT_EQ(
      Names(forwarded.headers),
      (std::vector<std::string>{"ssl-client-verify", "x-sallyport-verdict"}));
  EXPECT_EQ(forwarded.headers[0].value, "FAILED:MALFORMED");
}

TEST(Encode, VouchesForNobodyUntilTold) {
  const Certificates sent = FullChain();
  Client client;
  client.sent = sent;
  EXPECT_EQ(Value(Encode(Everything(), client).headers, "ssl-client-verify"),
            "FAILED:CONFIGURATION_MISSING");
}

TEST(Encode, NamesTheTruststoreOnlyByNamesThatAreNames) {
  const Certificates sent = FullChain();
  Forwarding config;
  config.set_truststore(true);
  const auto told = [&](absl::string_view name) {
    Client client = Trusted(sent);
    client.truststore = name;
    return Value(Encode(config, client).headers, "x-sallyport-truststore");
  };
  EXPECT_EQ(told("partners@7"), "partners@7");
  EXPECT_EQ(told("a/b_c-d.pem"), "a/b_c-d.pem");
  EXPECT_EQ(told(""), "(missing)");
  EXPECT_EQ(told("a,b"), "(missing)");
  EXPECT_EQ(told("a b"), "(missing)");
  EXPECT_EQ(told("a\r\nb: c"), "(missing)");
}

TEST(Encode, ForwardsTheVerifiedPathWhenTold) {
  const CertificatePtr leaf = Named("client-1", "Issuing");
  const CertificatePtr issuing = Named("Issuing", "Root");
  const CertificatePtr root = Named("Root", "Root");
  const CertificatePtr junk = Named("Junk", "Other");
  const Certificates sent = {leaf, junk};
  const Certificates path = {leaf, issuing, root};
  const Certificates others_path = {junk, issuing};
  Forwarding config;
  config.mutable_rfc9440()->set_chain(true);
  const auto chain_of = [&config](const Client& client) {
    return Value(Encode(config, client).headers, "client-cert-chain");
  };
  const std::string junk_item =
      absl::StrCat(":", absl::Base64Escape(junk->der()), ":");
  const std::string issuing_item =
      absl::StrCat(":", absl::Base64Escape(issuing->der()), ":");
  Client client = Trusted(sent);
  client.path = path;
  EXPECT_EQ(chain_of(client), junk_item);
  config.set_chain_source(Forwarding::SENT);
  EXPECT_EQ(chain_of(client), junk_item);
  config.set_chain_source(Forwarding::VERIFIED);
  EXPECT_EQ(chain_of(client), issuing_item);
  // No path, or one that is not this client's.
  client.path = Chain();
  EXPECT_EQ(chain_of(client), junk_item);
  client.path = others_path;
  EXPECT_EQ(chain_of(client), junk_item);
}

TEST(Encode, IgnoresThePathOfARefusedClient) {
  const CertificatePtr leaf = Named("client-1", "Issuing");
  const CertificatePtr issuing = Named("Issuing", "Root");
  const Certificates sent = {leaf};
  const Certificates path = {leaf, issuing};
  Forwarding config;
  config.mutable_alb()->set_mode(Forwarding::Alb::PASSTHROUGH);
  config.set_chain_source(Forwarding::VERIFIED);
  Client client = Trusted(sent);
  client.path = path;
  client.verdict = pki::Reason::kExpired;
  EXPECT_EQ(PercentDecoded(Value(Encode(config, client).headers,
                                 "x-amzn-mtls-clientcert")),
            leaf->Pem());
}

TEST(ForwardsAnything, IsWhetherATrustedClientIsToldOf) {
  EXPECT_FALSE(ForwardsAnything({}));
  const Certificates sent = FullChain();
  const Forwarding everything = Everything();
  const auto* descriptor = Forwarding::descriptor();
  int dialects = 0;
  for (int i = 0; i < descriptor->field_count(); ++i) {
    const auto* field = descriptor->field(i);
    if (field->is_repeated()) continue;
    Forwarding config;
    const auto* reflection = config.GetReflection();
    if (field->cpp_type() == field->CPPTYPE_MESSAGE) {
      reflection->MutableMessage(&config, field)
          ->CopyFrom(reflection->GetMessage(everything, field));
    } else if (field->cpp_type() == field->CPPTYPE_BOOL) {
      reflection->SetBool(&config, field, true);
    } else {
      continue;
    }
    EXPECT_EQ(ForwardsAnything(config),
              !Encode(config, Trusted(sent)).headers.empty())
        << field->name();
    if (ForwardsAnything(config)) ++dialects;
  }
  EXPECT_EQ(dialects, 9);
}

TEST(Budget, IsKeptAndDropsInTheDocumentedOrder) {
  TestCertificate spec;
  spec.uri = {"spiffe://a"};
  spec.dns = {"a.example"};
  spec.issuer = {{3, "Issuing"}};
  const Certificates sent = {Make(spec), Named("Issuing", "Root")};
  const std::vector<std::string> verify_order = {
      "x-forwarded-client-cert/Chain",
      "client-cert-chain",
      "x-forwarded-tls-client-cert/Chain",
      "x-forwarded-client-cert/Cert",
      "x-amzn-mtls-clientcert-leaf",
      "ssl-client-cert",
      "x-forwarded-tls-client-cert",
      "cf-client-cert-der-base64",
      "x-sallyport-client-cert",
      "client-cert",
      "x-forwarded-client-cert/DNS",
      "x-forwarded-client-cert/URI",
      "x-forwarded-tls-client-cert-info/SAN",
      "x-amzn-mtls-clientcert-issuer",
      "x-amzn-mtls-clientcert-subject",
      "ssl-client-issuer-dn",
      "ssl-client-subject-dn",
      "x-forwarded-tls-client-cert-info/Issuer",
      "x-forwarded-tls-client-cert-info/Subject",
      "x-forwarded-client-cert/Subject",
      "x-amzn-mtls-clientcert-validity",
      "x-amzn-mtls-clientcert-serial-number",
      "x-forwarded-tls-client-cert-info/SerialNumber",
      "cf-client-cert-sha256",
      "x-sallyport-truststore",
      "x-forwarded-client-cert/Hash",
  };
  std::vector<std::string> passthrough_order;
  for (const std::string& label : verify_order) {
    if (label == "x-amzn-mtls-clientcert-leaf") {
      passthrough_order.push_back("x-amzn-mtls-clientcert");
    } else if (!absl::StartsWith(label, "x-amzn-mtls-clientcert-")) {
      passthrough_order.push_back(label);
    }
    if (label == "client-cert-chain") {
      passthrough_order.push_back("x-amzn-mtls-clientcert/Chain");
    }
  }
  for (const bool passthrough : {false, true}) {
    const std::vector<std::string>& order =
        passthrough ? passthrough_order : verify_order;
    Forwarding config = Everything();
    if (passthrough) {
      config.mutable_alb()->set_mode(Forwarding::Alb::PASSTHROUGH);
    }
    config.set_max_header_bytes(1 << 20);
    const Forwarded whole = Encode(config, Trusted(sent));
    ASSERT_FALSE(whole.truncated);
    const size_t all = Bytes(whole.headers);

    config.set_max_header_bytes(static_cast<uint32_t>(all));
    EXPECT_FALSE(Encode(config, Trusted(sent)).truncated) << "exactly fits";

    size_t most_dropped = 0;
    for (size_t budget = all - 1; budget >= kMinMaxHeaderBytes; budget -= 3) {
      config.set_max_header_bytes(static_cast<uint32_t>(budget));
      const Forwarded forwarded = Encode(config, Trusted(sent));
      ASSERT_LE(Bytes(forwarded.headers), budget);
      ASSERT_EQ(Bytes(forwarded.headers), forwarded.bytes);
      ASSERT_EQ(Value(forwarded.headers, "ssl-client-verify"), "SUCCESS");
      ASSERT_EQ(Value(forwarded.headers, "x-sallyport-verdict"), "TRUSTED");
      ASSERT_TRUE(forwarded.truncated);
      ASSERT_EQ(forwarded.headers.back().name, "x-sallyport-forwarding");
      ASSERT_EQ(forwarded.headers.back().value, "truncated");
      ASSERT_LE(forwarded.dropped.size(), order.size());
      ASSERT_TRUE(std::equal(forwarded.dropped.begin(), forwarded.dropped.end(),
                             order.begin()));
      ASSERT_GE(forwarded.dropped.size(), most_dropped);
      most_dropped = forwarded.dropped.size();
      for (const Header& header : forwarded.headers) {
        if (header.name == "x-forwarded-client-cert") Read(header.value);
      }
    }
    EXPECT_EQ(most_dropped, order.size());
  }
}

TEST(Budget, AlwaysHasRoomForTheVerdicts) {
  const Certificates sent = FullChain();
  Forwarding config = Everything();
  config.set_max_header_bytes(kMinMaxHeaderBytes);
  for (int i = 0; i < pki::kNumReasons; ++i) {
    Client client = Trusted(sent);
    client.verdict = static_cast<pki::Reason>(i);
    const Forwarded forwarded = Encode(config, client);
    EXPECT_LE(Bytes(forwarded.headers), kMinMaxHeaderBytes);
    EXPECT_EQ(Value(forwarded.headers, "x-sallyport-verdict"),
              pki::ReasonName(client.verdict));
    EXPECT_NE(Value(forwarded.headers, "ssl-client-verify"), "(missing)");
  }
}

TEST(Budget, KeepsRoomForTheNoteWhereAProxyIsTrusted) {
  const Certificates sent = FullChain();
  Forwarding config;
  config.mutable_xfcc()->set_subject(true);
  const size_t bytes = Encode(config, Trusted(sent)).bytes;
  config.mutable_trusted_proxy();
  config.set_max_header_bytes(static_cast<uint32_t>(bytes + 31));
  EXPECT_FALSE(Encode(config, Trusted(sent)).truncated);
  config.set_max_header_bytes(static_cast<uint32_t>(bytes + 30));
  EXPECT_TRUE(Encode(config, Trusted(sent)).truncated);
}

TEST(Budget, ShortensAPassedThroughChainToItsLeafFirst) {
  Forwarding config;
  config.mutable_alb()->set_mode(Forwarding::Alb::PASSTHROUGH);
  const Certificates sent = {Named("client-1", "Issuing"),
                             Named("Issuing", "Root")};
  config.set_max_header_bytes(
      static_cast<uint32_t>(Bytes(Encode(config, Trusted(sent)).headers) - 1));
  const Forwarded forwarded = Encode(config, Trusted(sent));
  EXPECT_EQ(forwarded.dropped,
            (std::vector<std::string>{"x-amzn-mtls-clientcert/Chain"}));
  EXPECT_EQ(PercentDecoded(Value(forwarded.headers, "x-amzn-mtls-clientcert")),
            sent[0]->Pem());
}

TEST(Budget, DefaultsTo16384) {
  // About 12,000 bytes of names, so that one URL-encoded certificate does not
  // fit beside them and everything else does.
  std::vector<std::string> names;
  names.reserve(400);
  for (int i = 0; i < 400; ++i) {
    names.push_back(absl::StrCat("name-", i, ".some.example.com"));
  }
  const Certificates sent = {Leaf({}, names)};
  Forwarding config;
  *config.mutable_xfcc() = AllOfXfcc();
  const Forwarded forwarded = Encode(config, Trusted(sent));
  EXPECT_EQ(forwarded.dropped,
            (std::vector<std::string>{"x-forwarded-client-cert/Chain",
                                      "x-forwarded-client-cert/Cert"}));
  EXPECT_LE(Bytes(forwarded.headers), 16384u);
  EXPECT_EQ(Read(forwarded.headers[0].value).size(), 3u + 400u);
  config.set_max_header_bytes(16384);
  EXPECT_EQ(Encode(config, Trusted(sent)).headers[0].value,
            forwarded.headers[0].value);
  config.set_max_header_bytes(1 << 20);
  EXPECT_FALSE(Encode(config, Trusted(sent)).truncated);
}

TEST(Budget, DropsAHugeListOfNamesAsAWhole) {
  std::vector<std::string> names;
  names.reserve(3000);
  for (int i = 0; i < 3000; ++i) names.push_back(absl::StrCat("n", i, ".x"));
  const Certificates sent = {Leaf({"spiffe://a"}, names)};
  Forwarding config;
  *config.mutable_xfcc() = AllOfXfcc();
  config.mutable_xfcc()->set_cert(false);
  config.mutable_xfcc()->set_chain(false);
  const Forwarded forwarded = Encode(config, Trusted(sent));
  EXPECT_EQ(forwarded.dropped,
            (std::vector<std::string>{"x-forwarded-client-cert/DNS"}));
  EXPECT_TRUE(absl::EndsWith(forwarded.headers[0].value,
                             ";Subject=\"CN=client-1\";URI=spiffe://a"));
}

}  // namespace
}  // namespace sallyport::forwarding
