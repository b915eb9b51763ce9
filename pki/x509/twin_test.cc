#include "pki/x509/twin.h"

#include <memory>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "pki/testing/make_certificate.h"

namespace sallyport::pki {
namespace {

using ::testing::Contains;
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

}  // namespace
}  // namespace sallyport::pki
