#include "pki/chain/verify.h"

#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "pki/chain/name_work.h"
#include "pki/testing/make_certificate.h"
#include "pki/x509/pem.h"

namespace sallyport::pki {
namespace {

TestCertificate Issue(const TestCertificateSpec& spec,
                      const TestCertificate* issuer) {
  return MakeTestCertificate(spec, TestKey::P256(), issuer);
}
TestCertificate Ca(const std::string& name, const TestCertificate* issuer) {
  return Issue(TestCaSpec(name), issuer);
}
TestCertificate Leaf(const std::string& name, const TestCertificate* issuer) {
  return Issue(TestLeafSpec(name), issuer);
}

std::shared_ptr<const Truststore> Store(
    const std::vector<TestCertificate>& certificates) {
  std::string pem;
  for (const TestCertificate& c : certificates) pem += c.pem;
  Truststore::ParseResult result = Truststore::Parse(pem);
  EXPECT_TRUE(result.error.ok()) << result.error.ToString();
  return result.truststore;
}

Verdict Check(const std::vector<TestCertificate>& store,
              const std::vector<TestCertificate>& chain,
              const VerifyPolicy& policy = {}, absl::Time now = TestNow()) {
  std::vector<absl::string_view> ders;
  for (const TestCertificate& c : chain) ders.push_back(c.der);
  const auto truststore = Store(store);
  Verdict verdict = VerifyChain(*truststore, ders, policy, now);
  EXPECT_GT(verdict.recheck_at, now);
  EXPECT_EQ(verdict.trusted(), verdict.detail.empty()) << verdict.detail;
  // What explains must decide the same.
  const Explanation explanation = ExplainChain(*truststore, ders, policy, now);
  EXPECT_EQ(explanation.verdict.reason, verdict.reason);
  EXPECT_EQ(explanation.verdict.detail, verdict.detail);
  EXPECT_EQ(explanation.advice.empty(), verdict.trusted());
  return verdict;
}

VerifyPolicy AnyAnchor() {
  VerifyPolicy policy;
  policy.chain_policy = ChainPolicy::kAnyAnchor;
  return policy;
}

#define EXPECT_REASON(verdict_expression, expected)      \
  do {                                                   \
    const Verdict verdict_ = (verdict_expression);       \
    EXPECT_EQ(std::string(ReasonName(verdict_.reason)),  \
              std::string(ReasonName(Reason::expected))) \
        << verdict_.detail;                              \
  } while (false)

TEST(VerifyChain, TrustsALeafUnderARoot) {
  const TestCertificate root = Ca("root", nullptr);
  const TestCertificate leaf = Leaf("leaf", &root);
  const Verdict verdict = Check({root}, {leaf});
  EXPECT_TRUE(verdict.trusted()) << verdict.detail;
  ASSERT_EQ(verdict.path.size(), 2u);
  EXPECT_EQ(verdict.path[0]->der(), leaf.der);
  EXPECT_EQ(verdict.path[1]->der(), root.der);
  EXPECT_EQ(verdict.signature_checks, 1u);
}

TEST(VerifyChain, RefusesAStrangerWithoutASignatureCheck) {
  const TestCertificate root = Ca("root", nullptr);
  const TestCertificate other = Ca("other", nullptr);
  const TestCertificate middle = Ca("middle", &other);
  const Verdict verdict =
      Check({root}, {Leaf("leaf", &middle), middle, other}, AnyAnchor());
  EXPECT_EQ(verdict.reason, Reason::kUntrustedIssuer);
  EXPECT_EQ(verdict.signature_checks, 0u);
}

TEST(VerifyChain, NeedsACertificate) {
  EXPECT_REASON(Check({Ca("root", nullptr)}, {}), kNoCertificate);
}

TEST(VerifyChain, RefusesAMalformedLeaf) {
  const TestCertificate root = Ca("root", nullptr);
  TestCertificate broken = Leaf("leaf", &root);
  broken.der.resize(broken.der.size() / 2);
  EXPECT_REASON(Check({root}, {broken}), kMalformed);
  TestCertificateSpec twice = TestLeafSpec("leaf");
  twice.extensions = {{"1.2.3.4", "DER:0500"}, {"1.2.3.4", "DER:0500"}};
  EXPECT_REASON(Check({root}, {Issue(twice, &root)}), kMalformed);
}

TEST(VerifyChain, TrustsASelfSignedLeafThatIsInTheTruststore) {
  TestCertificateSpec v1 = TestLeafSpec("partner");
  v1.version = 1;
  for (const TestCertificateSpec& spec : {TestLeafSpec("partner"), v1}) {
    const TestCertificate partner = Issue(spec, nullptr);
    EXPECT_REASON(Check({Ca("root", nullptr), partner}, {partner}), kTrusted);
    EXPECT_REASON(Check({partner}, {partner}, AnyAnchor()), kTrusted);
    EXPECT_REASON(Check({Ca("root", nullptr)}, {partner}), kUntrustedIssuer);
    // Another key under the same name is somebody else.
    EXPECT_REASON(Check({partner}, {Issue(spec, nullptr)}), kUntrustedIssuer);
  }
  const TestCertificate ca = Ca("ca", nullptr);
  EXPECT_REASON(Check({ca}, {ca}), kTrusted);
}

TEST(VerifyChain, LetsASelfSignedLeafIssueNothing) {
  TestCertificateSpec v1 = TestLeafSpec("partner");
  v1.version = 1;
  for (const TestCertificateSpec& spec : {TestLeafSpec("partner"), v1}) {
    const TestCertificate partner = Issue(spec, nullptr);
    const TestCertificate friend_of = Leaf("friend", &partner);
    EXPECT_REASON(Check({partner}, {friend_of}), kConstraintViolation);
    EXPECT_REASON(Check({partner}, {friend_of}, AnyAnchor()),
                  kConstraintViolation);
  }
}

TEST(VerifyChain, TrustsACaSignedLeafInTheTruststoreOnlyWhenPinned) {
  const TestCertificate root = Ca("root", nullptr);
  const TestCertificate leaf = Leaf("leaf", &root);
  EXPECT_REASON(Check({leaf}, {leaf}), kUntrustedIssuer);
  VerifyPolicy pin;
  pin.pin_leaf = true;
  EXPECT_REASON(Check({leaf}, {leaf}, pin), kTrusted);
  EXPECT_REASON(Check({leaf}, {Leaf("leaf", &root)}, pin), kUntrustedIssuer);
  // A CA is no leaf.
  const TestCertificate ca = Ca("ca", &root);
  EXPECT_REASON(Check({ca}, {ca}, pin), kUntrustedIssuer);
}

TEST(VerifyChain, CompleteChainTakesNoIntermediateFromTheClient) {
  const TestCertificate root = Ca("root", nullptr);
  const TestCertificate middle = Ca("middle", &root);
  const TestCertificate leaf = Leaf("leaf", &middle);
  EXPECT_REASON(Check({root}, {leaf, middle}), kIncompleteChain);
  EXPECT_REASON(Check({root}, {leaf, middle}, AnyAnchor()), kTrusted);
  EXPECT_REASON(Check({root}, {leaf}, AnyAnchor()), kUntrustedIssuer);
  EXPECT_REASON(Check({root, middle}, {leaf}), kTrusted);
  EXPECT_REASON(Check({middle}, {leaf, middle, root}), kIncompleteChain);
  EXPECT_REASON(Check({middle}, {leaf}, AnyAnchor()), kTrusted);
}

TEST(VerifyChain, CountsTheChainFromTheLeafToTheAnchor) {
  const TestCertificate root = Ca("root", nullptr);
  const TestCertificate a = Ca("a", &root);
  const TestCertificate b = Ca("b", &a);
  const TestCertificate c = Ca("c", &b);
  EXPECT_REASON(Check({root, a, b}, {Leaf("four", &b)}), kTrusted);
  const TestCertificate five = Leaf("five", &c);
  EXPECT_REASON(Check({root, a, b, c}, {five}), kChainTooLong);
  EXPECT_REASON(Check({root}, {five, c, b, a}, AnyAnchor()), kChainTooLong);
  VerifyPolicy longer;
  longer.max_chain_length = 5;
  EXPECT_REASON(Check({root, a, b, c}, {five}, longer), kTrusted);
  // A missing root is a missing root, however long the chain.
  EXPECT_REASON(Check({a, b, c}, {five}), kIncompleteChain);
}

TEST(VerifyChain, HoldsValidityToTheSecondOnEveryCertificate) {
  TestCertificateSpec root_spec = TestCaSpec("root");
  root_spec.not_before = TestNow() + absl::Seconds(10);
  root_spec.not_after = TestNow() + absl::Seconds(60);
  TestCertificateSpec leaf_spec = TestLeafSpec("leaf");
  leaf_spec.not_before = TestNow() + absl::Seconds(20);
  leaf_spec.not_after = TestNow() + absl::Seconds(50);
  const TestCertificate root = Issue(root_spec, nullptr);
  const TestCertificate leaf = Issue(leaf_spec, &root);
  const struct {
    int at;
    Reason reason;
    int recheck;
  } cases[] = {
      {0, Reason::kNotYetValid, 10},  {10, Reason::kNotYetValid, 20},
      {19, Reason::kNotYetValid, 20}, {20, Reason::kTrusted, 51},
      {50, Reason::kTrusted, 51},     {51, Reason::kExpired, 61},
      {60, Reason::kExpired, 61},     {61, Reason::kExpired, -1},
  };
  for (const auto& c : cases) {
    const Verdict verdict =
        Check({root}, {leaf}, {}, TestNow() + absl::Seconds(c.at));
    EXPECT_EQ(verdict.reason, c.reason) << c.at << verdict.detail;
    EXPECT_EQ(verdict.recheck_at, c.recheck < 0
                                      ? absl::InfiniteFuture()
                                      : TestNow() + absl::Seconds(c.recheck))
        << c.at;
  }
}

TEST(VerifyChain, RefusesWeakAlgorithmsAndKeys) {
  const TestCertificate root = Ca("root", nullptr);
  TestCertificateSpec sha1 = TestLeafSpec("sha1");
  sha1.digest = TestDigest::kSha1;
  EXPECT_REASON(Check({root}, {Issue(sha1, &root)}), kUnsupportedAlgorithm);
  const auto with_key = [&](const TestKey& key) {
    return MakeTestCertificate(TestLeafSpec("leaf"), key, &root);
  };
  EXPECT_REASON(Check({root}, {with_key(TestKey::Rsa(1024))}), kWeakKey);
  EXPECT_REASON(Check({root}, {with_key(TestKey::Rsa(2048))}), kTrusted);
  EXPECT_REASON(Check({root}, {with_key(TestKey::P384())}), kTrusted);
  EXPECT_REASON(Check({root}, {with_key(TestKey::P521())}),
                kUnsupportedAlgorithm);
  EXPECT_REASON(Check({root}, {with_key(TestKey::Ed25519())}),
                kUnsupportedAlgorithm);
  const TestCertificate ed25519 =
      MakeTestCertificate(TestCaSpec("ed"), TestKey::Ed25519(), nullptr);
  EXPECT_REASON(Check({ed25519}, {Leaf("leaf", &ed25519)}),
                kUnsupportedAlgorithm);
  EXPECT_REASON(Check({ed25519}, {ed25519}), kUnsupportedAlgorithm);
}

TEST(VerifyChain, ForgivesASha1RootOnlyUnderAnyAnchor) {
  TestCertificateSpec spec = TestCaSpec("root");
  spec.digest = TestDigest::kSha1;
  const TestCertificate root = Issue(spec, nullptr);
  const TestCertificate leaf = Leaf("leaf", &root);
  EXPECT_REASON(Check({root}, {leaf}), kUnsupportedAlgorithm);
  EXPECT_REASON(Check({root}, {leaf}, AnyAnchor()), kTrusted);
  // As a client's own certificate it is as weak as any other.
  EXPECT_REASON(Check({root}, {root}, AnyAnchor()), kUnsupportedAlgorithm);
}

TEST(VerifyChain, AppliesTheExtendedKeyUsageRule) {
  const TestCertificate root = Ca("root", nullptr);
  TestCertificateSpec spec = TestLeafSpec("leaf");
  spec.extended_key_usage = "serverAuth";
  const TestCertificate server = Issue(spec, &root);
  spec.extended_key_usage = "clientAuth";
  EXPECT_REASON(Check({root}, {Issue(spec, &root)}), kTrusted);
  VerifyPolicy policy;
  EXPECT_REASON(Check({root}, {server}, policy), kNotForClientAuth);
  policy.extended_key_usage = ExtendedKeyUsageRule::kWarn;
  EXPECT_TRUE(Check({root}, {server}, policy).extended_key_usage_warning);
  policy.extended_key_usage = ExtendedKeyUsageRule::kIgnore;
  EXPECT_TRUE(Check({root}, {server}, policy).trusted());
  EXPECT_FALSE(Check({root}, {server}, policy).extended_key_usage_warning);
}

TEST(VerifyChain, HoldsAnchorsToTheirOwnConstraints) {
  TestCertificateSpec spec = TestCaSpec("root");
  spec.path_length = 0;
  const TestCertificate short_root = Issue(spec, nullptr);
  const TestCertificate middle = Ca("middle", &short_root);
  EXPECT_REASON(Check({short_root}, {Leaf("leaf", &short_root)}), kTrusted);
  EXPECT_REASON(Check({short_root, middle}, {Leaf("leaf", &middle)}),
                kConstraintViolation);
  spec = TestCaSpec("root");
  spec.name_constraints = "permitted;DNS:good.example";
  const TestCertificate named_root = Issue(spec, nullptr);
  TestCertificateSpec leaf = TestLeafSpec("leaf");
  leaf.alt_names = "DNS:a.good.example";
  EXPECT_REASON(Check({named_root}, {Issue(leaf, &named_root)}), kTrusted);
  leaf.alt_names = "DNS:bad.example";
  EXPECT_REASON(Check({named_root}, {Issue(leaf, &named_root)}),
                kConstraintViolation);
  spec = TestCaSpec("root");
  spec.key_usage = "critical,digitalSignature";
  const TestCertificate no_signer = Issue(spec, nullptr);
  EXPECT_REASON(Check({no_signer}, {Leaf("leaf", &no_signer)}),
                kConstraintViolation);
}

TEST(VerifyChain, HoldsNameConstraintsThatAreNotCritical) {
  // The helper makes them non-critical. BoringSSL's own check would skip URI.
  TestCertificateSpec spec = TestCaSpec("root");
  spec.name_constraints = "permitted;URI:.good.example";
  const TestCertificate root = Issue(spec, nullptr);
  const TestCertificate middle = Ca("middle", &root);
  TestCertificateSpec leaf = TestLeafSpec("leaf");
  EXPECT_REASON(Check({root, middle}, {Issue(leaf, &middle)}), kTrusted);
  leaf.alt_names = "URI:spiffe://bad.example/x";
  EXPECT_REASON(Check({root}, {Issue(leaf, &root)}), kConstraintViolation);
  EXPECT_REASON(Check({root, middle}, {Issue(leaf, &middle)}),
                kConstraintViolation);
  EXPECT_REASON(Check({root}, {Issue(leaf, &middle), middle}, AnyAnchor()),
                kConstraintViolation);
}

// Six variants of an issuer, a thousand names, hundreds of constraints: the
// product is what costs.
TEST(VerifyChain, BoundsTheNameConstraintsThatAClientSends) {
  const TestCertificate root = Ca("root", nullptr);
  VerifyPolicy policy = AnyAnchor();
  const auto verify = [&](int names, int constraints) {
    TestCertificateSpec spec = TestCaSpec("middle");
    std::string text;
    for (int i = 0; i < constraints; ++i) {
      absl::StrAppend(&text, i == 0 ? "" : ",", "excluded;DNS:c", i, ".x");
    }
    spec.name_constraints = text;
    const TestCertificate middle = Issue(spec, &root);
    spec = TestLeafSpec("leaf");
    text.clear();
    for (int i = 0; i < names; ++i) {
      absl::StrAppend(&text, i == 0 ? "" : ",", "DNS:n", i, ".y");
    }
    spec.alt_names = text;
    return Check({root}, {Issue(spec, &middle), middle}, policy);
  };
  // Names: those and the two subjects.
  EXPECT_REASON(verify(62, 64), kTrusted);
  const Verdict over = verify(63, 64);
  EXPECT_EQ(over.reason, Reason::kLimitExceeded);
  EXPECT_EQ(over.signature_checks, 0u);
  policy.max_sent_name_checks = 65 * 64;
  EXPECT_REASON(verify(63, 64), kTrusted);
  EXPECT_REASON(verify(64, 64), kLimitExceeded);
}

// A partner's own CA with many constraints, and its clients with many names.
TEST(VerifyChain, BoundsTheNameConstraintsOfTheTruststore) {
  constexpr int kConstraints = 600;
  TestCertificateSpec spec = TestCaSpec("root");
  for (int i = 0; i < kConstraints; ++i) {
    absl::StrAppend(&spec.name_constraints, i == 0 ? "" : ",", "excluded;DNS:c",
                    i, ".x");
  }
  const TestCertificate root = Issue(spec, nullptr);
  const auto verify = [&](int names, const VerifyPolicy& policy) {
    TestCertificateSpec leaf = TestLeafSpec("leaf");
    for (int i = 0; i < names; ++i) {
      absl::StrAppend(&leaf.alt_names, i == 0 ? "" : ",", "DNS:n", i, ".y");
    }
    return Check({root}, {Issue(leaf, &root)}, policy);
  };
  // Names: those and the subject.
  constexpr int kMost = kMaxNameWork / kConstraints - 1;
  for (const VerifyPolicy& policy : {VerifyPolicy(), AnyAnchor()}) {
    EXPECT_REASON(verify(kMost, policy), kTrusted);
    const Verdict over = verify(kMost + 1, policy);
    EXPECT_EQ(over.reason, Reason::kLimitExceeded);
    EXPECT_TRUE(absl::StrContains(over.detail, "over 300000 comparisons"))
        << over.detail;
  }
}

// One CA and key in several certificates, of which the newest do not fit.
TEST(VerifyChain, BoundsThePathsThatItVerifies) {
  const TestCertificate root = Ca("root", nullptr);
  const TestKey key = TestKey::P256();
  std::vector<TestCertificate> store = {root};
  for (int i = 0; i < 4; ++i) {
    TestCertificateSpec spec = TestCaSpec("middle");
    spec.not_before = TestNow() - absl::Hours(10 + i);
    if (i < 3) spec.name_constraints = "permitted;DNS:good.example";
    store.push_back(MakeTestCertificate(spec, key, &root));
  }
  TestCertificateSpec spec = TestLeafSpec("leaf");
  spec.alt_names = "DNS:bad.example";
  const TestCertificate leaf = Issue(spec, &store.back());
  EXPECT_REASON(Check(store, {leaf}), kTrusted);
  VerifyPolicy policy;
  policy.max_verified_paths = 4;
  EXPECT_REASON(Check(store, {leaf}, policy), kTrusted);
  policy.max_verified_paths = 3;
  EXPECT_FALSE(Check(store, {leaf}, policy).trusted());
}

TEST(VerifyChain, TakesNoIssuerFromTheClientThatIsNoCa) {
  const TestCertificate root = Ca("root", nullptr);
  const TestCertificate ordinary = Leaf("ordinary", &root);
  const Verdict verdict =
      Check({root}, {Leaf("leaf", &ordinary), ordinary}, AnyAnchor());
  EXPECT_EQ(verdict.reason, Reason::kConstraintViolation);
  EXPECT_EQ(verdict.signature_checks, 0u);
}

TEST(VerifyChain, ChecksNoSignatureWithAHugeKeyThatTheClientSent) {
  const TestCertificate root = Ca("root", nullptr);
  // The leaf is signed by a namesake: whether its signature is looked at is
  // what counts here.
  const TestCertificate namesake =
      MakeTestCertificate(TestCaSpec("middle"), TestKey::Rsa(2048), nullptr);
  const TestCertificate leaf = Leaf("leaf", &namesake);
  for (const bool over : {false, true}) {
    const TestCertificate huge = MakeTestCertificate(
        TestCaSpec("middle"),
        TestKey::RsaPublicOnly(limits::kMaxSentRsaBits + (over ? 128 : 0)),
        &root);
    const Verdict sent = Check({root}, {leaf, huge}, AnyAnchor());
    EXPECT_EQ(sent.reason, Reason::kUntrustedIssuer);
    EXPECT_EQ(sent.signature_checks, over ? 0u : 1u);
    // In the truststore it is the operator's choice.
    EXPECT_EQ(Check({root, huge}, {leaf}).signature_checks, 1u);
  }
}

TEST(VerifyChain, ChecksNoSignatureWithALargeExponentThatTheClientSent) {
  const TestCertificate root = Ca("root", nullptr);
  const TestCertificate namesake =
      MakeTestCertificate(TestCaSpec("middle"), TestKey::Rsa(2048), nullptr);
  const TestCertificate leaf = Leaf("leaf", &namesake);
  for (const uint64_t exponent : {3, 65537, 131071, 131073}) {
    const TestCertificate sent = MakeTestCertificate(
        TestCaSpec("middle"), TestKey::RsaPublicOnly(2048, exponent), &root);
    const Verdict verdict = Check({root}, {leaf, sent}, AnyAnchor());
    EXPECT_EQ(verdict.reason, Reason::kUntrustedIssuer);
    EXPECT_EQ(verdict.signature_checks, exponent > 131071 ? 0u : 1u)
        << exponent;
    EXPECT_EQ(Check({root, sent}, {leaf}).signature_checks, 1u) << exponent;
  }
}

TEST(VerifyChain, ChecksNoSignatureWithASentKeyThatIsNeverTrusted) {
  const TestCertificate root = Ca("root", nullptr);
  for (const TestKey& key : {TestKey::P521(), TestKey::Ed25519()}) {
    const TestCertificate middle =
        MakeTestCertificate(TestCaSpec("middle"), key, &root);
    const TestCertificate leaf = Leaf("leaf", &middle);
    for (const VerifyPolicy& policy : {AnyAnchor(), VerifyPolicy()}) {
      const Verdict verdict = Check({root}, {leaf, middle}, policy);
      EXPECT_EQ(verdict.reason, Reason::kUnsupportedAlgorithm);
      EXPECT_EQ(verdict.depth, 1);
      EXPECT_EQ(verdict.signature_checks, 0u);
    }
  }
}

TEST(VerifyChain, WeighsSentKeysByWhatTheyCost) {
  const TestCertificate root = Ca("root", nullptr);
  TestCertificateSpec spec = TestCaSpec("middle");
  spec.key_identifiers = false;
  const auto make = [&] {
    return MakeTestCertificate(spec, TestKey::P384(), &root);
  };
  const TestCertificate issuer = make();
  TestCertificateSpec leaf_spec = TestLeafSpec("leaf");
  leaf_spec.key_identifiers = false;
  std::vector<TestCertificate> chain = {Issue(leaf_spec, &issuer)};
  constexpr size_t kEnough =
      (kMaxSentKeyChecks + kSentP384Weight - 1) / kSentP384Weight;
  while (chain.size() < kEnough) chain.push_back(make());
  chain.push_back(issuer);
  EXPECT_REASON(Check({root}, chain, AnyAnchor()), kTrusted);
  chain.insert(chain.begin() + 1, make());
  EXPECT_REASON(Check({root}, chain, AnyAnchor()), kLimitExceeded);
}

TEST(VerifyChain, ChecksFewSignaturesWithKeysThatTheClientSent) {
  const TestCertificate root = Ca("root", nullptr);
  TestCertificateSpec spec = TestCaSpec("middle");
  // Nothing tells which of the namesakes it was.
  spec.key_identifiers = false;
  const TestCertificate issuer = Issue(spec, &root);
  spec = TestLeafSpec("leaf");
  spec.key_identifiers = false;
  const TestCertificate leaf = Issue(spec, &issuer);
  spec = issuer.spec;
  std::vector<TestCertificate> chain = {leaf};
  while (chain.size() < kMaxSentKeyChecks) chain.push_back(Issue(spec, &root));
  chain.push_back(issuer);
  EXPECT_REASON(Check({root}, chain, AnyAnchor()), kTrusted);
  chain.insert(chain.begin() + 1, Issue(spec, &root));
  ASSERT_EQ(chain.size(), limits::kMaxClientCertificates);
  EXPECT_REASON(Check({root}, chain, AnyAnchor()), kLimitExceeded);
  // The same way in is looked for to tell what is missing.
  EXPECT_REASON(Check({root}, chain), kUntrustedIssuer);
  // Those of the truststore are the operator's.
  std::vector<TestCertificate> store(chain.begin() + 1, chain.end());
  store.push_back(root);
  EXPECT_REASON(Check(store, {leaf}, AnyAnchor()), kTrusted);
}

TEST(VerifyChain, RefusesUnknownCriticalExtensions) {
  const TestCertificate root = Ca("root", nullptr);
  TestCertificateSpec spec = TestLeafSpec("leaf");
  spec.extensions = {{"1.2.3.4", "critical,DER:0500"}};
  EXPECT_REASON(Check({root}, {Issue(spec, &root)}), kConstraintViolation);
  spec.ca = true;
  const TestCertificate odd_root = Issue(spec, nullptr);
  EXPECT_REASON(Check({odd_root}, {Leaf("leaf", &odd_root)}, AnyAnchor()),
                kConstraintViolation);
}

TEST(VerifyChain, TellsATamperedLeafFromAStrangers) {
  const TestCertificate root = Ca("root", nullptr);
  TestCertificate tampered = Leaf("leaf", &root);
  tampered.der[tampered.der.size() - 1] ^= 1;
  EXPECT_REASON(Check({root}, {tampered}), kBadSignature);
  const TestCertificate namesake = Ca("root", nullptr);
  EXPECT_REASON(Check({root}, {Leaf("leaf", &namesake)}), kUntrustedIssuer);
}

TEST(VerifyChain, FindsTheRightOneOfSameNamedCas) {
  std::vector<TestCertificate> store;
  for (int i = 0; i < 5; ++i) store.push_back(Ca("root", nullptr));
  for (const TestCertificate& root : store) {
    EXPECT_REASON(Check(store, {Leaf("leaf", &root)}), kTrusted);
  }
}

TEST(VerifyChain, FollowsAKeyRollover) {
  const TestCertificate old_root = Ca("root", nullptr);
  const TestKey new_key = TestKey::P256();
  const TestCertificate new_root =
      MakeTestCertificate(TestCaSpec("root"), new_key, nullptr);
  const TestCertificate new_with_old =
      MakeTestCertificate(TestCaSpec("root"), new_key, &old_root);
  const TestCertificate leaf = Leaf("leaf", &new_root);
  EXPECT_REASON(Check({old_root, new_with_old}, {leaf}), kTrusted);
  EXPECT_REASON(Check({old_root}, {leaf, new_with_old}, AnyAnchor()), kTrusted);
  EXPECT_REASON(Check({old_root}, {leaf, new_with_old}), kIncompleteChain);
}

TEST(VerifyChain, SurvivesLoops) {
  const TestCertificate root = Ca("root", nullptr);
  const TestKey a_key = TestKey::P256();
  const TestKey b_key = TestKey::P256();
  const TestCertificate a0 = MakeTestCertificate(TestCaSpec("a"), a_key, &root);
  const TestCertificate b = MakeTestCertificate(TestCaSpec("b"), b_key, &a0);
  const TestCertificate a_by_b =
      MakeTestCertificate(TestCaSpec("a"), a_key, &b);
  const TestCertificate leaf = Leaf("leaf", &b);
  EXPECT_REASON(Check({a_by_b, b}, {leaf}), kIncompleteChain);
  EXPECT_REASON(Check({a_by_b, b, a0, root}, {leaf}), kTrusted);
}

TEST(VerifyChain, HoldsWhatTheClientSendsToItsLimits) {
  const TestCertificate root = Ca("root", nullptr);
  std::vector<TestCertificate> chain = {Leaf("leaf", &root)};
  const TestCertificate other = Ca("other", nullptr);
  while (chain.size() < 10) chain.push_back(other);
  EXPECT_REASON(Check({root}, chain), kTrusted);
  chain.push_back(other);
  EXPECT_REASON(Check({root}, chain), kLimitExceeded);
  VerifyPolicy policy;
  policy.max_client_chain_bytes = chain[0].der.size();
  EXPECT_REASON(Check({root}, {chain[0]}, policy), kTrusted);
  policy.max_client_chain_bytes -= 1;
  EXPECT_REASON(Check({root}, {chain[0]}, policy), kLimitExceeded);
}

TEST(VerifyChain, BoundsItsWorkAmongSameNamedCas) {
  TestCertificateSpec spec = TestCaSpec("root");
  spec.key_identifiers = false;
  std::vector<TestCertificate> store;
  for (int i = 0; i < 20; ++i) store.push_back(Issue(spec, nullptr));
  const TestCertificate last = Leaf("leaf", &store.back());
  VerifyPolicy policy;
  policy.max_signature_checks = 19;
  const Verdict verdict = Check(store, {last}, policy);
  EXPECT_EQ(verdict.reason, Reason::kLimitExceeded);
  EXPECT_LE(verdict.signature_checks, 19u);
  policy.max_signature_checks = 20;
  EXPECT_REASON(Check(store, {last}, policy), kTrusted);
}

TEST(VerifyChain, FindsTheNamedKeyAtOnceAmongSameNamedCas) {
  std::vector<TestCertificate> store;
  for (int i = 0; i < 20; ++i) store.push_back(Ca("root", nullptr));
  const Verdict verdict = Check(store, {Leaf("leaf", &store.back())});
  EXPECT_TRUE(verdict.trusted());
  EXPECT_EQ(verdict.signature_checks, 1u);
}

TEST(VerifyChain, NamesNothingThatIsNotPrintable) {
  const TestCertificate root = Ca("root", nullptr);
  const Verdict verdict =
      Check({root}, {Leaf("evil\r\nname\xc3\xa9", nullptr)});
  for (const unsigned char c : verdict.detail) {
    EXPECT_TRUE(c >= 0x20 && c < 0x7f);
  }
}

TEST(VerifyMemory, SavesTheChecksOfCasAndNoOthers) {
  const TestCertificate root = Ca("root", nullptr);
  const TestCertificate middle = Ca("middle", &root);
  const TestCertificate one = Leaf("one", &middle);
  const TestCertificate two = Leaf("two", &middle);
  const auto store = Store({root, middle});
  VerifyMemory memory;
  const auto checks = [&](const TestCertificate& leaf) {
    const Verdict verdict =
        VerifyChain(*store, {leaf.der}, {}, TestNow(), &memory);
    EXPECT_TRUE(verdict.trusted()) << verdict.detail;
    return verdict.signature_checks;
  };
  EXPECT_EQ(checks(one), 2u);
  EXPECT_EQ(checks(two), 1u);
  EXPECT_EQ(checks(one), 0u);  // among the last ones
  for (size_t i = 0; i < VerifyMemory::kMaxResults; ++i) {
    memory.AddResult(absl::StrCat(i), true);
  }
  EXPECT_EQ(checks(one), 1u);
}

TEST(VerifyMemory, SavesChecksForTheNextTruststoreThatIsAsked) {
  const TestCertificate root = Ca("root", nullptr);
  const TestCertificate other = Ca("root", nullptr);
  // A stranger's: names that lead to the root, keys that made no signature.
  TestCertificateSpec spec = TestCaSpec("middle");
  spec.key_identifiers = false;
  std::vector<TestCertificate> chain = {Issue(TestLeafSpec("leaf"), [&] {
    static const TestCertificate made = Ca("middle", nullptr);
    return &made;
  }())};
  for (int i = 0; i < 3; ++i) chain.push_back(Issue(spec, &root));
  std::vector<absl::string_view> ders;
  for (const TestCertificate& c : chain) ders.push_back(c.der);
  VerifyPolicy any_anchor;
  any_anchor.chain_policy = ChainPolicy::kAnyAnchor;
  VerifyMemory memory;
  const auto ask = [&](const std::vector<TestCertificate>& store,
                       const VerifyPolicy& policy) {
    const Verdict with =
        VerifyChain(*Store(store), ders, policy, TestNow(), &memory);
    // What is remembered changes no verdict.
    const Verdict without =
        VerifyChain(*Store(store), ders, policy, TestNow(), nullptr);
    EXPECT_EQ(with.reason, without.reason);
    EXPECT_EQ(with.detail, without.detail);
    return with.signature_checks;
  };
  EXPECT_EQ(ask({root}, any_anchor), 3u);
  EXPECT_EQ(ask({root, other}, any_anchor), 0u);
  EXPECT_EQ(ask({root}, VerifyPolicy()), 0u);
}

TEST(VerifyMemory, KeepsTheLastResultsOnly) {
  VerifyMemory memory;
  for (size_t i = 0; i <= VerifyMemory::kMaxResults; ++i) {
    memory.AddResult(absl::StrCat(i), i % 2 == 0);
  }
  EXPECT_FALSE(memory.FindResult("0").has_value());
  EXPECT_EQ(memory.FindResult("1"), false);
  EXPECT_EQ(memory.FindResult("2"), true);
  EXPECT_TRUE(memory.FindResult(absl::StrCat(VerifyMemory::kMaxResults)));
}

TEST(VerifyMemory, KeepsFailuresAmongTheLastResultsOnly) {
  const TestCertificate root = Ca("root", nullptr);
  TestCertificate middle = Ca("middle", &root);
  const TestCertificate leaf = Leaf("leaf", &middle);
  middle.der[middle.der.size() - 1] ^= 1;
  middle.pem = WritePem("CERTIFICATE", middle.der);
  const auto store = Store({root, middle});
  VerifyMemory memory;
  for (const size_t expected : {2, 0, 2}) {
    const Verdict verdict =
        VerifyChain(*store, {leaf.der}, {}, TestNow(), &memory);
    EXPECT_EQ(verdict.reason, Reason::kBadSignature);
    EXPECT_EQ(verdict.signature_checks, expected);
    if (expected != 0) continue;
    for (size_t i = 0; i < VerifyMemory::kMaxResults; ++i) {
      memory.AddResult(absl::StrCat(i), true);
    }
  }
}

TEST(VerifyMemory, ForgetsTheOldest) {
  VerifyMemory memory;
  for (size_t i = 0; i <= VerifyMemory::kMaxEntries; ++i) {
    memory.AddSignature(absl::StrCat(i));
    memory.AddSignature(absl::StrCat(i));
  }
  EXPECT_FALSE(memory.KnowsSignature("0"));
  EXPECT_TRUE(memory.KnowsSignature("1"));
  EXPECT_TRUE(memory.KnowsSignature(absl::StrCat(VerifyMemory::kMaxEntries)));
}

TEST(VerifyMemory, KeepsWhatStrangersSentUntilOthersCome) {
  const TestCertificate root = Ca("root", nullptr);
  const TestCertificate other = Ca("other", nullptr);
  const TestCertificate middle = Ca("middle", &other);
  const TestCertificate leaf = Leaf("leaf", &middle);
  const auto store = Store({root});
  VerifyPolicy policy;
  policy.chain_policy = ChainPolicy::kAnyAnchor;
  VerifyMemory memory;
  const auto check = [&](const TestCertificate& client) {
    return VerifyChain(*store, {client.der, middle.der}, policy, TestNow(),
                       &memory);
  };
  const Verdict first = check(leaf);
  EXPECT_EQ(first.reason, Reason::kUntrustedIssuer);
  const auto parsed = memory.Find(leaf.der);
  ASSERT_NE(parsed, nullptr);
  ASSERT_EQ(first.path.size(), 1u);
  EXPECT_EQ(first.path.front(), parsed);
  ASSERT_NE(memory.Find(middle.der), nullptr);

  const Verdict again = check(leaf);
  EXPECT_EQ(again.reason, Reason::kUntrustedIssuer);
  EXPECT_EQ(again.path.front(), parsed);

  for (size_t i = 0; i < VerifyMemory::kMaxRecent; ++i) {
    check(Leaf(absl::StrCat("leaf ", i), &middle));
  }
  EXPECT_EQ(memory.Find(leaf.der), nullptr);
}

TEST(VerifyMemory, LetsNoStrangersPushOutWhatWasOnATrustedPath) {
  const TestCertificate root = Ca("root", nullptr);
  const TestCertificate middle = Ca("middle", &root);
  const TestCertificate leaf = Leaf("leaf", &middle);
  const auto store = Store({root});
  VerifyPolicy policy;
  policy.chain_policy = ChainPolicy::kAnyAnchor;
  VerifyMemory memory;
  EXPECT_TRUE(
      VerifyChain(*store, {leaf.der, middle.der}, policy, TestNow(), &memory)
          .trusted());
  const TestCertificate other = Ca("other", nullptr);
  for (size_t i = 0; i < VerifyMemory::kMaxRecent; ++i) {
    VerifyChain(*store, {Leaf(absl::StrCat("leaf ", i), &other).der}, policy,
                TestNow(), &memory);
  }
  EXPECT_EQ(memory.FindRecent(middle.der), nullptr);
  EXPECT_NE(memory.Find(middle.der), nullptr);
  EXPECT_EQ(memory.Find(leaf.der), nullptr);
}

TEST(ExplainChain, SaysWhichRuleFailedOnWhichCertificate) {
  TestCertificateSpec spec = TestCaSpec("root");
  spec.not_after = TestNow() - absl::Seconds(1);
  const TestCertificate root = Issue(spec, nullptr);
  const TestCertificate leaf = Leaf("leaf", &root);
  const auto store = Store({root, Ca("root", nullptr)});
  const Explanation explanation =
      ExplainChain(*store, {leaf.der}, {}, TestNow());
  ASSERT_EQ(explanation.paths.size(), 1u);
  const auto& path = explanation.paths[0].certificates;
  ASSERT_EQ(path.size(), 2u);
  EXPECT_TRUE(path[0].failures.empty());
  ASSERT_EQ(path[1].failures.size(), 1u);
  EXPECT_EQ(path[1].failures[0], "has expired");
  EXPECT_EQ(path[1].truststore_index, 1u);
  EXPECT_EQ(explanation.verdict.depth, 1);
  EXPECT_EQ(explanation.paths[0].reason, Reason::kExpired);
}

TEST(ExplainChain, GivesEveryPathItsReason) {
  const TestCertificate root = Ca("root", nullptr);
  const TestCertificate a = Ca("a", &root);
  const TestCertificate b = Ca("b", &a);
  const TestCertificate c = Ca("c", &b);
  const auto store = Store({root, a, b, c});
  const auto reason_of = [&](const TestCertificate& leaf) {
    const Explanation explanation =
        ExplainChain(*store, {leaf.der}, {}, TestNow());
    EXPECT_EQ(explanation.paths.size(), 1u);
    return explanation.paths.empty() ? Reason::kConfigurationMissing
                                     : explanation.paths[0].reason;
  };
  EXPECT_EQ(reason_of(Leaf("ok", &root)), Reason::kTrusted);
  EXPECT_EQ(reason_of(Leaf("long", &c)), Reason::kChainTooLong);
  EXPECT_EQ(reason_of(Leaf("stranger", nullptr)), Reason::kUntrustedIssuer);
}

}  // namespace
}  // namespace sallyport::pki
