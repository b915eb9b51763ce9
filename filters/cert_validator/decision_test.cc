#include "filters/cert_validator/decision.h"

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "filters/cert_validator/connection_record.h"
#include "filters/cert_validator/test_support.h"
#include "filters/cert_validator/validator.h"
#include "filters/shim/fake_envoy.h"
#include "gtest/gtest.h"

namespace sallyport::cert_validator {
namespace {

using pki::Reason;
using pki::TestNow;

class DecisionTest : public testing::Test {
 protected:
  std::shared_ptr<Validator> Make(const std::string& pem,
                                  const std::string& name = "partners") {
    auto config = InlineConfig(pem);
    config.mutable_truststores(0)->set_name(name);
    return *Validator::Create(config, TestNow());
  }
  static std::string Record(const Validator& validator,
                            const pki::TestCertificate& client,
                            absl::Time now = TestNow()) {
    const std::vector<absl::string_view> chain = {client.der};
    return validator.Verify(chain, now).record;
  }
  Decision DecideResumed(const pki::TestCertificate& client,
                         absl::Time now = TestNow()) {
    const std::vector<absl::string_view> chain = {client.der};
    return DecideChain(*domain_, chain, ChainDigest(chain), now);
  }

  const TestPki& pki_ = Certificates();
  const std::shared_ptr<DomainTrust> domain_ =
      DomainTrust::For("api.example.com");
};

TEST_F(DecisionTest, TakesTheHandshakesVerdictWhileNothingChanges) {
  const auto validator = Make(pki_.root.pem);
  const std::string record = Record(*validator, pki_.client);
  const size_t checks = NumChecksForTest();
  const Decision decision = Decide(*domain_, record, TestNow(), Need::kVerdict);
  EXPECT_TRUE(decision.trusted());
  EXPECT_EQ(decision.checked, nullptr);
  EXPECT_LT(decision.recheck_at, absl::InfiniteFuture());
  EXPECT_EQ(NumChecksForTest(), checks);
  const Decision with_chain = Decide(*domain_, record, TestNow(), Need::kChain);
  ASSERT_NE(with_chain.checked, nullptr);
  EXPECT_EQ(with_chain.checked->leaf()->der(), pki_.client.der);
  EXPECT_EQ(NumChecksForTest(), checks);
}

TEST_F(DecisionTest, KeepsARefusalWithoutLookingAtTheChainAgain) {
  const auto validator = Make(pki_.root.pem);
  std::string record = Record(*validator, pki_.stranger);
  // Whoever read the chain would not get through it.
  record.pop_back();
  const size_t checks = NumChecksForTest();
  std::thread([&] {
    // Another worker, which remembers nothing of the handshake.
    for (const Need need : {Need::kVerdict, Need::kTrustedChain}) {
      const Decision decision = Decide(*domain_, record, TestNow(), need);
      EXPECT_EQ(decision.reason, Reason::kUntrustedIssuer);
      EXPECT_NE(decision.detail, "");
      EXPECT_EQ(decision.depth, 0);
      EXPECT_TRUE(decision.as_in_handshake);
      EXPECT_EQ(decision.checked, nullptr);
    }
    EXPECT_EQ(NumChecksForTest(), 0u);
    EXPECT_EQ(Decide(*domain_, record, TestNow(), Need::kChain).reason,
              Reason::kConfigurationMissing);
  }).join();
  EXPECT_EQ(NumChecksForTest(), checks);
}

TEST_F(DecisionTest, GivesTheChainOfATrustedClientWhereItIsNeeded) {
  const auto validator = Make(pki_.root.pem);
  const std::string record = Record(*validator, pki_.client);
  std::thread([&] {
    const Decision decision =
        Decide(*domain_, record, TestNow(), Need::kTrustedChain);
    EXPECT_TRUE(decision.trusted());
    EXPECT_FALSE(decision.as_in_handshake);
    ASSERT_NE(decision.checked, nullptr);
    EXPECT_EQ(decision.checked->leaf()->der(), pki_.client.der);
  }).join();
}

TEST_F(DecisionTest, KeepsNothingOfAChainThatIsOverTheLimitsAndNeverTrustsIt) {
  auto validator = Make(pki_.root.pem);
  const std::vector<absl::string_view> ten(10, pki_.client.der);
  const std::vector<absl::string_view> eleven(11, pki_.client.der);
  EXPECT_GT(validator->Verify(ten, TestNow()).record.size(),
            10 * pki_.client.der.size());
  const std::string record = validator->Verify(eleven, TestNow()).record;
  EXPECT_LT(record.size(), 2 * pki_.client.der.size());
  // The certificate alone would be trusted, by this trust and by the next.
  for (int i = 0; i < 2; ++i) {
    for (const Need need :
         {Need::kVerdict, Need::kTrustedChain, Need::kChain}) {
      const Decision decision = Decide(*domain_, record, TestNow(), need);
      EXPECT_EQ(decision.reason, Reason::kLimitExceeded);
      EXPECT_NE(decision.detail, "");
    }
    validator = Make(pki_.root.pem + pki_.client.pem);
  }
}

TEST_F(DecisionTest, FollowsTheTruststoreBothWays) {
  auto validator = Make(pki_.root.pem);
  const std::string client = Record(*validator, pki_.client);
  const std::string stranger = Record(*validator, pki_.stranger);
  EXPECT_EQ(Decide(*domain_, stranger, TestNow(), Need::kVerdict).reason,
            Reason::kUntrustedIssuer);
  const auto next = Make(pki_.stranger.pem);
  EXPECT_EQ(Decide(*domain_, client, TestNow(), Need::kVerdict).reason,
            Reason::kUntrustedIssuer);
  EXPECT_TRUE(Decide(*domain_, stranger, TestNow(), Need::kVerdict).trusted());
}

TEST_F(DecisionTest, FollowsTheTime) {
  const auto validator = Make(pki_.root.pem);
  const std::string record = Record(*validator, pki_.short_client);
  EXPECT_TRUE(Decide(*domain_, record, TestNow(), Need::kVerdict).trusted());
  const Decision late =
      Decide(*domain_, record, TestNow() + absl::Hours(2), Need::kVerdict);
  EXPECT_EQ(late.reason, Reason::kExpired);
  EXPECT_FALSE(late.detail.empty());
}

TEST_F(DecisionTest, JudgesAnewWhenTheClockIsSetBack) {
  const auto validator = Make(pki_.root.pem);
  const std::string record = Record(*validator, pki_.short_client);
  EXPECT_EQ(Decide(*domain_, record, TestNow() - absl::Hours(24 * 3650),
                   Need::kVerdict)
                .reason,
            Reason::kNotYetValid);
  const absl::Time late = TestNow() + absl::Hours(2);
  const std::string expired = Record(*validator, pki_.short_client, late);
  EXPECT_EQ(Decide(*domain_, expired, late, Need::kVerdict).reason,
            Reason::kExpired);
  EXPECT_TRUE(Decide(*domain_, expired, TestNow(), Need::kVerdict).trusted());
}

TEST_F(DecisionTest, RefusesWhatItCannotRead) {
  const auto validator = Make(pki_.root.pem);
  const std::string record = Record(*validator, pki_.client);
  for (const std::string& bad :
       {std::string(), std::string("x"), record.substr(0, 60)}) {
    EXPECT_EQ(Decide(*domain_, bad, TestNow(), Need::kVerdict).reason,
              Reason::kConfigurationMissing);
  }
  EXPECT_EQ(Decide(*domain_, record.substr(0, record.size() - 1), TestNow(),
                   Need::kChain)
                .reason,
            // The head suffices as long as the chain is remembered.
            Reason::kTrusted);
  EXPECT_EQ(Decide(*DomainTrust::For("b.example.com"), record, TestNow(),
                   Need::kVerdict)
                .reason,
            Reason::kConfigurationMissing);
}

TEST_F(DecisionTest, RefusesWhenTheDomainHasNoTrustAnyMore) {
  auto validator = Make(pki_.root.pem);
  const std::string record = Record(*validator, pki_.client);
  validator.reset();
  EXPECT_EQ(Decide(*domain_, record, TestNow(), Need::kVerdict).reason,
            Reason::kConfigurationMissing);
  EXPECT_EQ(DecideResumed(pki_.client).reason, Reason::kConfigurationMissing);
}

TEST_F(DecisionTest, JudgesAResumedSessionAsAFullHandshakeWouldBe) {
  const auto validator = Make(pki_.root.pem);
  const Decision client = DecideResumed(pki_.short_client);
  EXPECT_TRUE(client.trusted());
  ASSERT_NE(client.checked, nullptr);
  EXPECT_EQ(DecideResumed(pki_.short_client, TestNow() + absl::Hours(2)).reason,
            Reason::kExpired);
  EXPECT_EQ(DecideResumed(pki_.stranger).reason, Reason::kUntrustedIssuer);
}

TEST_F(DecisionTest, NeedsEveryLineageForAResumedSession) {
  const auto partners = Make(pki_.root.pem, "partners");
  const auto others = Make(pki_.root.pem + pki_.partner.pem, "others");
  EXPECT_TRUE(DecideResumed(pki_.client).trusted());
  EXPECT_EQ(DecideResumed(pki_.partner).reason, Reason::kUntrustedIssuer);
}

TEST_F(DecisionTest, NeedsTheConnectionsOwnLineageAndTheNewest) {
  const auto partners = Make(pki_.root.pem, "partners");
  const std::string client = Record(*partners, pki_.client);
  const std::string partner = Record(*partners, pki_.partner);
  const auto others = Make(pki_.root.pem + pki_.partner.pem, "others");
  for (const Need need : {Need::kVerdict, Need::kChain}) {
    EXPECT_TRUE(Decide(*domain_, client, TestNow(), need).trusted());
    EXPECT_EQ(Decide(*domain_, partner, TestNow(), need).reason,
              Reason::kUntrustedIssuer);
  }
}

}  // namespace
}  // namespace sallyport::cert_validator
