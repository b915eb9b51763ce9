#include "pki/x509/certificate.h"

#include <string>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "base/limits.h"
#include "gtest/gtest.h"
#include "pki/testing/make_certificate.h"

namespace sallyport::pki {
namespace {

std::shared_ptr<const Certificate> Parse(const TestCertificate& certificate) {
  auto parsed = Certificate::Parse(certificate.der);
  EXPECT_TRUE(parsed.ok()) << parsed.status();
  return parsed.ok() ? *parsed : nullptr;
}

std::shared_ptr<const Certificate> MakeAndParse(
    const TestCertificateSpec& spec) {
  return Parse(MakeTestCertificate(spec, TestKey::P256(), nullptr));
}

TEST(Certificate, WritesNamesAsRfc4514Text) {
  TestCertificateSpec spec;
  spec.subject = {
      {"C", "US"}, {"ST", "WA"}, {"O", "Example, Inc"}, {"CN", "client-1"}};
  EXPECT_EQ(MakeAndParse(spec)->Subject(),
            "CN=client-1,O=Example\\, Inc,ST=WA,C=US");
}

TEST(Certificate, KeepsNamesPrintable) {
  TestCertificateSpec spec;
  spec.subject = {{"CN", "a\r\nX: y\xc3\xa9"}, {"emailAddress", "a@b"}};
  const auto certificate = MakeAndParse(spec);
  EXPECT_EQ(certificate->Subject(),
            "emailAddress=a@b,CN=a\\0D\\0AX: y\\C3\\A9");
  EXPECT_EQ(certificate->CommonName(), "a\r\nX: y\xc3\xa9");
}

TEST(Certificate, WritesPlainNamesAsTheLibraryDoes) {
  const std::vector<std::vector<std::pair<std::string, std::string>>> names = {
      {},
      {{"CN", "a"}},
      {{"C", "US"}, {"ST", "W A"}, {"L", "x"}, {"O", "Y"}, {"CN", "*.a-b.c"}},
      {{"OU", "1"}, {"OU", "2"}, {"CN", "a@b:/c(d)_e"}},
      {{"CN", "#a"}},
      {{"CN", " a"}},
      {{"CN", "a "}},
      {{"CN", "a#b"}},
      {{"CN", "a,b"}},
      {{"CN", "a+b"}},
      {{"CN", "a\"b"}},
      {{"CN", "a\\b"}},
      {{"CN", "a<b>;c=d"}},
      {{"CN", "a'b?c!d"}},
      {{"CN", "\xc3\xa9"}},
      {{"emailAddress", "a@b"}, {"CN", "x"}},
      {{"serialNumber", "1"}},
      {{"DC", "example"}, {"CN", "x"}},
      {{"GN", "x"}, {"SN", "y"}},
  };
  for (const auto& name : names) {
    TestCertificateSpec spec;
    spec.subject = name;
    const auto certificate = MakeAndParse(spec);
    EXPECT_EQ(certificate->Subject(), certificate->SubjectByLibraryForTest());
  }
  TestCertificateSpec many;
  for (int i = 0; i < 20; ++i) {
    many.subject.emplace_back("OU", std::to_string(i));
  }
  EXPECT_EQ(MakeAndParse(many)->Subject(),
            MakeAndParse(many)->SubjectByLibraryForTest());
}

TEST(Certificate, HasNoTextForAnEmptyName) {
  TestCertificateSpec spec;
  const auto certificate = MakeAndParse(spec);
  EXPECT_EQ(certificate->Subject(), "");
  EXPECT_EQ(certificate->CommonName(), "");
}

TEST(Certificate, WritesSerialNumbersInHex) {
  TestCertificateSpec spec = TestLeafSpec("x");
  spec.serial = 0x03a5b1;
  EXPECT_EQ(MakeAndParse(spec)->SerialHex(), "03A5B1");
  spec.serial = 0x80;  // DER adds a zero byte
  EXPECT_EQ(MakeAndParse(spec)->SerialHex(), "80");
}

TEST(Certificate, TellsKeysApart) {
  const TestCertificateSpec spec = TestLeafSpec("x");
  const auto key_of = [&](const TestKey& key) {
    return Parse(MakeTestCertificate(spec, key, nullptr))->public_key();
  };
  EXPECT_EQ(key_of(TestKey::P256()).type, KeyType::kEcP256);
  EXPECT_EQ(key_of(TestKey::P384()).type, KeyType::kEcP384);
  EXPECT_EQ(key_of(TestKey::P521()).type, KeyType::kEcOther);
  EXPECT_EQ(key_of(TestKey::Ed25519()).type, KeyType::kEd25519);
  EXPECT_EQ(key_of(TestKey::Rsa(2048)).type, KeyType::kRsa);
  EXPECT_EQ(key_of(TestKey::Rsa(1024)).bits, 1024);
}

TEST(Certificate, TellsSignaturesApart) {
  TestCertificateSpec spec = TestLeafSpec("x");
  EXPECT_EQ(MakeAndParse(spec)->signature_strength(),
            SignatureStrength::kStrong);
  spec.digest = TestDigest::kSha1;
  EXPECT_EQ(MakeAndParse(spec)->signature_strength(), SignatureStrength::kSha1);
  EXPECT_EQ(Parse(MakeTestCertificate(spec, TestKey::Ed25519(), nullptr))
                ->signature_strength(),
            SignatureStrength::kUnsupported);
}

TEST(Certificate, ReadsAlternativeNames) {
  TestCertificateSpec spec = TestLeafSpec("x");
  spec.alt_names =
      "DNS:a.example,DNS:b.example,URI:spiffe://x/y,email:a@b.example,"
      "IP:192.0.2.1,IP:2001:db8::1";
  const SubjectAltNames names = MakeAndParse(spec)->AltNames();
  EXPECT_EQ(names.dns, (std::vector<std::string>{"a.example", "b.example"}));
  EXPECT_EQ(names.uri, std::vector<std::string>{"spiffe://x/y"});
  EXPECT_EQ(names.email, std::vector<std::string>{"a@b.example"});
  EXPECT_EQ(names.ip, (std::vector<std::string>{"192.0.2.1", "2001:db8::1"}));
}

TEST(Certificate, IsACaWhenItMaySignCertificates) {
  TestCertificateSpec spec = TestCaSpec("ca");
  EXPECT_TRUE(MakeAndParse(spec)->is_ca());
  spec.key_usage = "critical,keyCertSign";
  EXPECT_TRUE(MakeAndParse(spec)->is_ca());
  spec.key_usage = "critical,digitalSignature";
  EXPECT_FALSE(MakeAndParse(spec)->is_ca());
  spec.version = 1;
  EXPECT_FALSE(MakeAndParse(spec)->is_ca());
}

TEST(Certificate, KnowsSelfSignedFromSelfIssued) {
  const TestCertificate old_ca =
      MakeTestCertificate(TestCaSpec("ca"), TestKey::P256(), nullptr);
  const TestCertificate rolled =
      MakeTestCertificate(TestCaSpec("ca"), TestKey::P256(), &old_ca);
  EXPECT_TRUE(Parse(old_ca)->IsSelfSigned());
  EXPECT_TRUE(Parse(rolled)->self_issued());
  EXPECT_FALSE(Parse(rolled)->IsSelfSigned());
}

TEST(Certificate, NamesAnUnknownCriticalExtension) {
  TestCertificateSpec spec = TestLeafSpec("x");
  spec.extensions = {{"1.2.3.4", "critical,DER:0500"}};
  const auto certificate = MakeAndParse(spec);
  EXPECT_NE(certificate->parsed(), nullptr);
  EXPECT_EQ(certificate->problem(), "unknown critical extension 1.2.3.4");
  spec.extensions = {{"1.2.3.4", "DER:0500"}};
  EXPECT_EQ(MakeAndParse(spec)->problem(), "");
}

TEST(Certificate, SaysWhatIsAgainstTheRulesOfX509) {
  TestCertificateSpec spec = TestLeafSpec("x");
  spec.extensions = {{"1.2.3.4", "DER:0500"}, {"1.2.3.4", "DER:0500"}};
  const auto certificate = MakeAndParse(spec);
  EXPECT_EQ(certificate->parsed(), nullptr);
  EXPECT_TRUE(absl::StrContains(certificate->problem(), "rules of X.509"))
      << certificate->problem();
  EXPECT_EQ(certificate->Subject(), "CN=x");
  EXPECT_FALSE(certificate->IsSelfSigned());
}

TEST(Certificate, RefusesWhatIsNone) {
  const std::string der =
      MakeTestCertificate(TestLeafSpec("x"), TestKey::P256(), nullptr).der;
  for (const std::string& bad :
       {std::string(), std::string("x"), std::string("\x30\x00", 2),
        der.substr(0, der.size() - 1), der + "x"}) {
    EXPECT_EQ(Certificate::Parse(bad).status().code(),
              absl::StatusCode::kInvalidArgument);
  }
  EXPECT_EQ(
      Certificate::Parse(std::string(limits::kMaxCertificateBytes + 1, 'x'))
          .status()
          .code(),
      absl::StatusCode::kResourceExhausted);
}

TEST(Certificate, OwnsItsBytes) {
  std::string der =
      MakeTestCertificate(TestLeafSpec("x"), TestKey::P256(), nullptr).der;
  const auto certificate = *Certificate::Parse(der);
  const std::string pem = certificate->Pem();
  der.assign(der.size(), '\0');
  EXPECT_EQ(certificate->Subject(), "CN=x");
  EXPECT_EQ(certificate->Pem(), pem);
  EXPECT_EQ(AsBytes(certificate->fingerprint()),
            AsBytes(Sha256(certificate->der())));
}

}  // namespace
}  // namespace sallyport::pki
