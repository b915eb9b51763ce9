#include "filters/cert_validator/shared_truststore.h"

#include <string>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "filters/cert_validator/test_support.h"
#include "filters/shim/fake_envoy.h"
#include "gtest/gtest.h"

namespace sallyport::cert_validator {
namespace {

TEST(SharedTruststore, IsParsedOnceForOneContentAndFreedWithItsLastUser) {
  ASSERT_EQ(NumSharedTruststoresForTest(), 0u);
  {
    const auto one = *SharedTruststore::Get(Certificates().root.pem, {});
    const auto two = *SharedTruststore::Get(Certificates().root.pem, {});
    EXPECT_EQ(one, two);
    const auto other = *SharedTruststore::Get(Certificates().partner.pem, {});
    EXPECT_NE(one, other);
    EXPECT_EQ(NumSharedTruststoresForTest(), 2u);
  }
  EXPECT_EQ(NumSharedTruststoresForTest(), 0u);
}

TEST(SharedTruststore, IsAnotherOneUnderOtherLimits) {
  const std::string pem = Certificates().root.pem + Certificates().partner.pem;
  const auto one = *SharedTruststore::Get(pem, {});
  pki::TruststoreLimits limits;
  limits.max_certificates = 1;
  EXPECT_FALSE(SharedTruststore::Get(pem, limits).ok());
  EXPECT_EQ(*SharedTruststore::Get(pem, {}), one);
}

TEST(SharedTruststore, IsOneForThreadsThatComeAtOnce) {
  std::vector<std::thread> threads;
  std::vector<std::shared_ptr<const SharedTruststore>> got(8);
  threads.reserve(got.size());
  for (auto& slot : got) {
    threads.emplace_back([&slot] {
      slot = *SharedTruststore::Get(Certificates().root.pem, {});
    });
  }
  for (auto& thread : threads) thread.join();
  for (const auto& one : got) EXPECT_EQ(one, got[0]);
  EXPECT_EQ(NumSharedTruststoresForTest(), 1u);
}

TEST(SharedTruststore, SaysWhereABundleIsBadAndNeverWhatIsThere) {
  const std::string key = Certificates().root.key.Pem();
  const auto result = SharedTruststore::Get(Certificates().root.pem + key, {});
  ASSERT_FALSE(result.ok());
  EXPECT_TRUE(absl::StrContains(result.status().message(), "block 2"))
      << result.status();
  EXPECT_FALSE(
      absl::StrContains(result.status().message(), key.substr(40, 20)));
}

TEST(LogWarnings, NamesSubjectNumberLineAndReasonOnce) {
  auto spec = pki::TestLeafSpec("old partner");
  spec.not_after = pki::TestNow() - absl::Hours(1);
  const auto expired =
      pki::MakeTestCertificate(spec, pki::TestKey::P256(), nullptr);
  const auto truststore =
      *SharedTruststore::Get(Certificates().root.pem + expired.pem, {});
  shim::LogCapture log;
  for (int i = 0; i < 3; ++i) {
    truststore->LogWarnings("partners@1", pki::VerifyPolicy{}, pki::TestNow());
  }
  EXPECT_EQ(log.Count("certificate 2, line"), 1) << log.Text();
  EXPECT_EQ(log.Count("old partner"), 1);
  EXPECT_EQ(log.Count("EXPIRED"), 1);
  EXPECT_EQ(log.Count("partners@1", abi::LogLevel::kWarning), 2);
  // The other policy has warnings of its own.
  pki::VerifyPolicy any_anchor;
  any_anchor.chain_policy = pki::ChainPolicy::kAnyAnchor;
  truststore->LogWarnings("partners@1", any_anchor, pki::TestNow());
  EXPECT_EQ(log.Count("EXPIRED"), 2);
}

TEST(LogWarnings, StopsAfterTwentyLinesWithTheNumberOfTheRest) {
  std::string pem = Certificates().root.pem;
  const pki::TestKey key = pki::TestKey::P256();
  for (int i = 0; i < 30; ++i) {
    auto spec = pki::TestLeafSpec("old " + std::to_string(i));
    spec.not_after = pki::TestNow() - absl::Hours(1);
    pem += pki::MakeTestCertificate(spec, key, nullptr).pem;
  }
  const auto truststore = *SharedTruststore::Get(pem, {});
  shim::LogCapture log;
  truststore->LogWarnings("partners", pki::VerifyPolicy{}, pki::TestNow());
  EXPECT_EQ(log.Count("30 warnings"), 1) << log.Text();
  EXPECT_EQ(log.Count("EXPIRED"), 20);
  EXPECT_EQ(log.Count("and 10 more"), 1);
}

TEST(LogWarnings, SaysWhenNothingGivesTrust) {
  auto spec = pki::TestLeafSpec("old");
  spec.not_after = pki::TestNow() - absl::Hours(1);
  const auto truststore = *SharedTruststore::Get(
      pki::MakeTestCertificate(spec, pki::TestKey::P256(), nullptr).pem, {});
  shim::LogCapture log;
  truststore->LogWarnings("partners", pki::VerifyPolicy{}, pki::TestNow());
  EXPECT_EQ(log.Count("every client is refused", abi::LogLevel::kError), 1);
}

}  // namespace
}  // namespace sallyport::cert_validator
