#include "pki/x509/twin.h"

#include <openssl/bytestring.h>

#include <memory>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "pki/testing/make_certificate.h"

namespace sallyport::pki {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Not;

std::shared_ptr<const Certificate> Read(const std::string& der) {
  auto certificate = Certificate::Parse(der);
  EXPECT_TRUE(certificate.ok()) << certificate.status();
  return *std::move(certificate);
}

TEST(TwinFingerprints, AreOfWhatTheHolderCanMakeOfAnEcdsaSignature) {
  for (const TestKey& key : {TestKey::P256(), TestKey::P384()}) {
    const TestCertificate ca =
        MakeTestCertificate(TestCaSpec("ca"), key, nullptr);
    const TestCertificate leaf =
        MakeTestCertificate(TestLeafSpec("leaf"), TestKey::P256(), &ca);
    const std::string twin = FlipEcdsaSignature(leaf.der, ca.key);
    ASSERT_NE(twin, leaf.der);
    EXPECT_EQ(FlipEcdsaSignature(twin, ca.key), leaf.der);
    const auto one = Read(leaf.der);
    const auto other = Read(twin);
    EXPECT_THAT(TwinFingerprints(*one), Contains(other->fingerprint()));
    EXPECT_THAT(TwinFingerprints(*other), Contains(one->fingerprint()));
    EXPECT_THAT(TwinFingerprints(*one), Not(Contains(one->fingerprint())));
  }
}

TEST(TwinFingerprints, AreNoneOfAnRsaSignature) {
  const TestCertificate ca =
      MakeTestCertificate(TestCaSpec("ca"), TestKey::Rsa(2048), nullptr);
  const TestCertificate leaf =
      MakeTestCertificate(TestLeafSpec("leaf"), TestKey::P256(), &ca);
  EXPECT_THAT(TwinFingerprints(*Read(leaf.der)), IsEmpty());
}

TEST(TwinFingerprints, AreNoneOfASignatureThatIsNoPairOfNumbers) {
  const TestCertificate ca =
      MakeTestCertificate(TestCaSpec("ca"), TestKey::P256(), nullptr);
  TestCertificate leaf =
      MakeTestCertificate(TestLeafSpec("leaf"), TestKey::P256(), &ca);
  // A byte less of the last number than its length says.
  leaf.der.back() = 0;
  const size_t numbers = leaf.der.rfind("\x02\x20");
  const size_t other = leaf.der.rfind("\x02\x21");
  const size_t at = other == std::string::npos ||
                            (numbers != std::string::npos && numbers > other)
                        ? numbers
                        : other;
  ASSERT_NE(at, std::string::npos);
  leaf.der[at] = 0x04;
  EXPECT_THAT(TwinFingerprints(*Read(leaf.der)), IsEmpty());
}

// The certificate with another subject public key info, and a signature that
// fits no more.
std::string WithKey(const std::string& der, const std::string& spki) {
  CBS in;
  CBS_init(&in, reinterpret_cast<const uint8_t*>(der.data()), der.size());
  CBS certificate;
  CBS tbs;
  EXPECT_TRUE(CBS_get_asn1(&in, &certificate, CBS_ASN1_SEQUENCE) &&
              CBS_get_asn1(&certificate, &tbs, CBS_ASN1_SEQUENCE));
  const auto text = [](const CBS& cbs) {
    return std::string(reinterpret_cast<const char*>(CBS_data(&cbs)),
                       CBS_len(&cbs));
  };
  std::string parts;
  // version, serial, algorithm, issuer, validity, subject, key.
  for (int i = 0; i < 7; ++i) {
    CBS element;
    EXPECT_TRUE(CBS_get_any_asn1_element(&tbs, &element, nullptr, nullptr));
    parts += i == 6 ? spki : text(element);
  }
  return TestDer(0x30, TestDer(0x30, parts + text(tbs)) + text(certificate));
}

TEST(KeyDigests, AreOfBothFormsOfAPointOnACurve) {
  for (const TestKey& key : {TestKey::P256(), TestKey::P384()}) {
    const TestCertificate leaf =
        MakeTestCertificate(TestLeafSpec("leaf"), key, nullptr);
    const auto plain = Read(leaf.der);
    // SEQUENCE { algorithm, BIT STRING { 0, 4, x, y } }
    const std::string spki(plain->spki_der());
    const size_t point = spki.find(std::string("\0\4", 2));
    ASSERT_NE(point, std::string::npos);
    const size_t size = (spki.size() - point - 2) / 2;
    const std::string compressed = TestDer(
        0x30, spki.substr(2, point - 4) +
                  TestDer(0x03, std::string(1, '\0') +
                                    std::string(1, spki.back() & 1 ? 3 : 2) +
                                    spki.substr(point + 2, size)));
    const auto other = Read(WithKey(leaf.der, compressed));
    ASSERT_EQ(other->spki_der(), compressed);
    EXPECT_THAT(KeyDigests(*plain),
                ElementsAre(Sha256(spki), Sha256(compressed)));
    EXPECT_THAT(KeyDigests(*other),
                ElementsAre(Sha256(compressed), Sha256(spki)));
  }
}

TEST(KeyDigests, IsOneOfOtherKeys) {
  for (const TestKey& key : {TestKey::Rsa(2048), TestKey::Ed25519()}) {
    const auto certificate =
        Read(MakeTestCertificate(TestLeafSpec("leaf"), key, nullptr).der);
    EXPECT_THAT(KeyDigests(*certificate),
                ElementsAre(Sha256(certificate->spki_der())));
  }
}

}  // namespace
}  // namespace sallyport::pki
