#include "pki/truststore/truststore.h"

#include <algorithm>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "pki/testing/make_certificate.h"
#include "pki/x509/pem.h"

namespace sallyport::pki {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr ChainPolicy kComplete = ChainPolicy::kCompleteChain;
constexpr ChainPolicy kAny = ChainPolicy::kAnyAnchor;

TestCertificate Root(const std::string& name) {
  return MakeTestCertificate(TestCaSpec(name), TestKey::P256(), nullptr);
}

TestCertificate SelfSigned(const TestCertificateSpec& spec) {
  return MakeTestCertificate(spec, TestKey::P256(), nullptr);
}

std::shared_ptr<const Truststore> Load(const std::string& pem) {
  Truststore::ParseResult result = Truststore::Parse(pem);
  EXPECT_TRUE(result.error.ok()) << result.error.ToString();
  return result.truststore;
}

// "1 EXPIRED CN=x" for each warning.
std::vector<std::string> WarningsOf(const std::string& pem, ChainPolicy policy,
                                    absl::Time now = TestNow()) {
  std::vector<std::string> out;
  const auto store = Load(pem);
  for (const Warning& w : store->Warnings(policy, now)) {
    out.push_back(
        absl::StrCat(w.index, " ", ReasonName(w.reason), " ", w.subject));
    EXPECT_FALSE(w.message.empty());
    EXPECT_GT(w.line, 0u);
  }
  return out;
}

BundleError ErrorOf(const std::string& pem,
                    const TruststoreLimits& limits = {}) {
  Truststore::ParseResult result = Truststore::Parse(pem, limits);
  EXPECT_EQ(result.truststore, nullptr);
  EXPECT_FALSE(result.error.message.empty());
  return result.error;
}

TEST(Truststore, FindsCertificatesBySubjectAndFingerprint) {
  const TestCertificate a1 = Root("a");
  const TestCertificate a2 = Root("a");
  const TestCertificate b = Root("b");
  const auto store = Load(a1.pem + b.pem + a2.pem + a1.pem);
  EXPECT_EQ(store->num_certificates(), 4u);
  ASSERT_EQ(store->entries().size(), 3u);
  const auto certificate = store->entries()[0].certificate();
  EXPECT_EQ(certificate->der(), a1.der);
  EXPECT_EQ(store->FindExact(Sha256(b.der)), &store->entries()[1]);
  EXPECT_EQ(store->FindExact(Sha256("x")), nullptr);
  EXPECT_THAT(store->FindBySubject("no such name"), IsEmpty());
}

TEST(Truststore, IsTheSameForTheSameText) {
  const TestCertificate a = Root("a");
  EXPECT_EQ(Load(a.pem)->digest(), Load(a.pem)->digest());
  EXPECT_NE(Load(a.pem)->digest(), Load(a.pem + "\n")->digest());
}

TEST(Truststore, ParsesEachEntryOnceForAllThreads) {
  const auto store = Load(Root("a").pem);
  std::vector<const Certificate*> seen(8);
  std::vector<std::thread> threads;
  for (auto& slot : seen) {
    threads.emplace_back(
        [&] { slot = store->entries()[0].certificate().get(); });
  }
  for (auto& thread : threads) thread.join();
  for (const Certificate* certificate : seen) EXPECT_EQ(certificate, seen[0]);
}

TEST(Truststore, RefusesABundleWithoutACertificate) {
  EXPECT_EQ(ErrorOf("").reason, BundleErrorReason::kNoCertificate);
  EXPECT_EQ(ErrorOf("hello\n").reason, BundleErrorReason::kNoCertificate);
}

TEST(Truststore, RefusesAPrivateKeyAndDoesNotShowIt) {
  const TestCertificate a = Root("a");
  const BundleError error = ErrorOf(a.pem + "# key\n" + a.key.Pem());
  EXPECT_EQ(error.reason, BundleErrorReason::kNotACertificateBlock);
  EXPECT_EQ(error.index, 2u);
  EXPECT_TRUE(absl::StrContains(error.message, "private key"));
  const std::string key_text = a.key.Pem().substr(40, 20);
  EXPECT_FALSE(absl::StrContains(error.ToString(), key_text));
}

TEST(Truststore, RefusesBrokenBlocksWithTheirPlace) {
  const TestCertificate a = Root("a");
  const size_t lines = std::count(a.pem.begin(), a.pem.end(), '\n');
  const struct {
    std::string tail;
    BundleErrorReason reason;
  } cases[] = {
      {WritePem("CERTIFICATE", "garbage"),
       BundleErrorReason::kMalformedCertificate},
      {WritePem("CERTIFICATE", a.der + "x"),
       BundleErrorReason::kMalformedCertificate},
      {WritePem("CERTIFICATE REQUEST", "x"),
       BundleErrorReason::kNotACertificateBlock},
      {"-----BEGIN CERTIFICATE-----\nAAAA\n", BundleErrorReason::kMalformedPem},
      {WritePem("CERTIFICATE",
                std::string(limits::kMaxCertificateBytes + 100, 'x')),
       BundleErrorReason::kCertificateTooLarge},
  };
  for (const auto& c : cases) {
    const BundleError error = ErrorOf(a.pem + c.tail);
    EXPECT_EQ(error.reason, c.reason) << error.ToString();
    EXPECT_EQ(error.index, 2u);
    EXPECT_EQ(error.line, lines + 1);
  }
}

TEST(Truststore, HoldsItsLimitsAtTheEdge) {
  const std::string two = Root("a").pem + Root("b").pem;
  TruststoreLimits limits;
  limits.max_certificates = 2;
  limits.max_bytes = two.size();
  EXPECT_TRUE(Truststore::Parse(two, limits).error.ok());
  EXPECT_EQ(ErrorOf(two + "\n", limits).reason, BundleErrorReason::kTooLarge);
  limits.max_certificates = 1;
  const BundleError error = ErrorOf(two, limits);
  EXPECT_EQ(error.reason, BundleErrorReason::kTooManyCertificates);
  EXPECT_EQ(error.index, 2u);
}

TEST(Warnings, AreNoneForAPlainChain) {
  const TestCertificate root = Root("root");
  const TestCertificate ca =
      MakeTestCertificate(TestCaSpec("ca"), TestKey::P256(), &root);
  EXPECT_THAT(WarningsOf(ca.pem + root.pem, kComplete), IsEmpty());
  EXPECT_THAT(WarningsOf(ca.pem + root.pem, kAny), IsEmpty());
}

TEST(Warnings, FollowTheTime) {
  TestCertificateSpec spec = TestCaSpec("r");
  const TestCertificate root = SelfSigned(spec);
  const absl::Time from = spec.not_before;
  const absl::Time to = spec.not_after;
  EXPECT_THAT(WarningsOf(root.pem, kComplete, from - absl::Seconds(1)),
              ElementsAre("1 NOT_YET_VALID CN=r"));
  EXPECT_THAT(WarningsOf(root.pem, kComplete, from), IsEmpty());
  const absl::Time soon = to - absl::Hours(24 * 30);
  EXPECT_THAT(WarningsOf(root.pem, kComplete, soon - absl::Seconds(1)),
              IsEmpty());
  EXPECT_THAT(WarningsOf(root.pem, kComplete, soon),
              ElementsAre("1 EXPIRES_SOON CN=r"));
  EXPECT_THAT(WarningsOf(root.pem, kComplete, to),
              ElementsAre("1 EXPIRES_SOON CN=r"));
  EXPECT_THAT(WarningsOf(root.pem, kComplete, to + absl::Seconds(1)),
              ElementsAre("1 EXPIRED CN=r"));
  EXPECT_TRUE(Load(root.pem)->GivesTrust(kComplete, to));
  EXPECT_FALSE(Load(root.pem)->GivesTrust(kComplete, to + absl::Seconds(1)));
}

TEST(Warnings, NameWeakCertificates) {
  TestCertificateSpec sha1 = TestCaSpec("sha1");
  sha1.digest = TestDigest::kSha1;
  const std::string pem =
      SelfSigned(sha1).pem +
      MakeTestCertificate(TestCaSpec("rsa"), TestKey::Rsa(1024), nullptr).pem +
      MakeTestCertificate(TestCaSpec("p521"), TestKey::P521(), nullptr).pem;
  EXPECT_THAT(WarningsOf(pem, kComplete),
              ElementsAre("1 WEAK_SIGNATURE_ALGORITHM CN=sha1",
                          "2 WEAK_KEY CN=rsa", "3 UNSUPPORTED_KEY CN=p521"));
  EXPECT_FALSE(Load(pem)->GivesTrust(kComplete, TestNow()));
  EXPECT_THAT(WarningsOf(pem, kAny),
              ElementsAre("1 WEAK_ROOT_SIGNATURE CN=sha1", "2 WEAK_KEY CN=rsa",
                          "3 UNSUPPORTED_KEY CN=p521"));
  EXPECT_TRUE(Load(pem)->GivesTrust(kAny, TestNow()));
}

TEST(Warnings, NameWhatIsNeitherCaNorSelfSigned) {
  const TestCertificate root = Root("root");
  const TestCertificate leaf =
      MakeTestCertificate(TestLeafSpec("leaf"), TestKey::P256(), &root);
  for (const ChainPolicy policy : {kComplete, kAny}) {
    EXPECT_THAT(WarningsOf(leaf.pem + root.pem, policy),
                ElementsAre("1 NOT_A_CA CN=leaf"));
    EXPECT_FALSE(Load(leaf.pem)->GivesTrust(policy, TestNow()));
  }
  WarningOptions pin;
  pin.pin_leaf = true;
  EXPECT_THAT(Load(leaf.pem + root.pem)->Warnings(kAny, TestNow(), pin),
              IsEmpty());
}

TEST(Warnings, NameCasWithoutTheirRoot) {
  const TestCertificate root = Root("root");
  const TestCertificate ca1 =
      MakeTestCertificate(TestCaSpec("ca1"), TestKey::P256(), &root);
  const TestCertificate ca2 =
      MakeTestCertificate(TestCaSpec("ca2"), TestKey::P256(), &ca1);
  EXPECT_THAT(WarningsOf(ca2.pem + root.pem, kComplete),
              ElementsAre("1 INCOMPLETE_CHAIN CN=ca2"));
  EXPECT_THAT(WarningsOf(ca2.pem + root.pem, kAny), IsEmpty());
  EXPECT_THAT(WarningsOf(ca2.pem + root.pem + ca1.pem, kComplete), IsEmpty());
  // The right name with another key is no issuer.
  EXPECT_THAT(WarningsOf(ca2.pem + root.pem + Root("ca1").pem, kComplete),
              ElementsAre("1 INCOMPLETE_CHAIN CN=ca2"));
}

TEST(Warnings, NameCasUnderAnExpiredRoot) {
  TestCertificateSpec old = TestCaSpec("root");
  old.not_after = TestNow() - absl::Seconds(1);
  const TestCertificate root = SelfSigned(old);
  const TestCertificate ca =
      MakeTestCertificate(TestCaSpec("ca"), TestKey::P256(), &root);
  EXPECT_THAT(WarningsOf(root.pem + ca.pem, kComplete),
              ElementsAre("1 EXPIRED CN=root", "2 INCOMPLETE_CHAIN CN=ca"));
}

TEST(Warnings, NameDuplicatesAndSharedSubjects) {
  const TestCertificate a = Root("a");
  const TestCertificate other = Root("a");
  EXPECT_THAT(
      WarningsOf(a.pem + a.pem + other.pem, kComplete),
      ElementsAre("2 DUPLICATE CN=a", "3 SAME_SUBJECT_DIFFERENT_KEY CN=a"));
  EXPECT_TRUE(Load(a.pem + a.pem)->GivesTrust(kComplete, TestNow()));
}

TEST(Warnings, NameBrokenCertificates) {
  TestCertificateSpec twice = TestCaSpec("twice");
  twice.extensions = {{"1.2.3.4", "DER:0500"}, {"1.2.3.4", "DER:0500"}};
  TestCertificateSpec critical = TestCaSpec("critical");
  critical.extensions = {{"1.2.3.4", "critical,DER:0500"}};
  EXPECT_THAT(
      WarningsOf(SelfSigned(twice).pem + SelfSigned(critical).pem, kAny),
      ElementsAre("1 MALFORMED CN=twice", "2 MALFORMED CN=critical"));
}

TEST(Warnings, WithoutSignatureChecksGoByNamesAndKeyIdentifiers) {
  const TestCertificate root = Root("root");
  const TestCertificate ca =
      MakeTestCertificate(TestCaSpec("ca"), TestKey::P256(), &root);
  WarningOptions quick;
  quick.check_signatures = false;
  EXPECT_THAT(Load(ca.pem + root.pem)->Warnings(kComplete, TestNow(), quick),
              IsEmpty());
  EXPECT_EQ(Load(ca.pem + Root("root").pem)
                ->Warnings(kComplete, TestNow(), quick)
                .size(),
            1u);
}

TEST(GivesTrust, NeedsASelfSignedCertificateUnderCompleteChain) {
  const TestCertificate root = Root("root");
  const TestCertificate ca =
      MakeTestCertificate(TestCaSpec("ca"), TestKey::P256(), &root);
  EXPECT_FALSE(Load(ca.pem)->GivesTrust(kComplete, TestNow()));
  EXPECT_TRUE(Load(ca.pem)->GivesTrust(kAny, TestNow()));
  EXPECT_TRUE(Load(SelfSigned(TestLeafSpec("partner")).pem)
                  ->GivesTrust(kComplete, TestNow()));
}

}  // namespace
}  // namespace sallyport::pki
