// VerifyChain with revocation lists and deny lists.

#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "pki/chain/verify.h"
#include "pki/testing/make_certificate.h"

namespace sallyport::pki {
namespace {

class RevocationVerifyTest : public ::testing::Test {
 protected:
  static TestCertificate Issue(TestCertificateSpec spec, uint64_t serial,
                               const TestCertificate* issuer) {
    spec.serial = serial;
    return MakeTestCertificate(spec, TestKey::P256(), issuer);
  }

  // Attaches lists; each entry of `serials` is revoked.
  void Attach(const TestCertificate& signer, std::vector<uint64_t> serials,
              absl::Time this_update = TestNow() - absl::Hours(1),
              absl::Time next_update = TestNow() + absl::Hours(1)) {
    TestRevocationListSpec spec;
    for (const uint64_t serial : serials) {
      spec.entries.push_back({TestSerial(serial), this_update, {}});
    }
    spec.this_update = this_update;
    spec.next_update = next_update;
    sources_.push_back(MakeTestRevocationList(spec, signer).der);
    const std::vector<absl::string_view> views(sources_.begin(),
                                               sources_.end());
    lists_ = RevocationLists::Parse(views).lists;
    ASSERT_NE(lists_, nullptr);
    inputs_.lists = lists_.get();
  }
  void AttachNone() {
    lists_ = RevocationLists::Parse({}).lists;
    inputs_.lists = lists_.get();
  }
  void Deny(const DenyList::Entries& entries) {
    deny_ = *DenyList::Create(entries);
    inputs_.deny = deny_.get();
  }
  static std::string Digest(absl::string_view bytes) {
    return absl::BytesToHexString(AsBytes(Sha256(bytes)));
  }
  static std::string KeyDigest(const TestCertificate& certificate) {
    return Digest((*Certificate::Parse(certificate.der))->spki_der());
  }

  Verdict Check(const std::vector<TestCertificate>& store,
                const std::vector<TestCertificate>& chain,
                absl::Time now = TestNow()) {
    std::string pem;
    for (const TestCertificate& c : store) pem += c.pem;
    const auto truststore = Truststore::Parse(pem).truststore;
    std::vector<absl::string_view> ders;
    for (const TestCertificate& c : chain) ders.push_back(c.der);
    Verdict verdict =
        VerifyChain(*truststore, ders, policy_, now, nullptr, &inputs_);
    EXPECT_GT(verdict.recheck_at, now);
    explanation_ = ExplainChain(*truststore, ders, policy_, now, &inputs_);
    EXPECT_EQ(explanation_.verdict.reason, verdict.reason);
    EXPECT_EQ(explanation_.verdict.detail, verdict.detail);
    EXPECT_EQ(explanation_.advice.empty(), verdict.trusted());
    EXPECT_EQ(explanation_.verdict.recheck_at, verdict.recheck_at);
    return verdict;
  }
  void AnyAnchor() { policy_.chain_policy = ChainPolicy::kAnyAnchor; }
  void HardFail() { inputs_.rule = RevocationRule::kHardFail; }

  const TestCertificate root_ = Issue(TestCaSpec("root"), 1, nullptr);
  const TestCertificate middle_ = Issue(TestCaSpec("middle"), 20, &root_);
  const TestCertificate leaf_ = Issue(TestLeafSpec("leaf"), 300, &middle_);
  VerifyPolicy policy_;
  RevocationInputs inputs_;
  std::vector<std::string> sources_;
  std::shared_ptr<const RevocationLists> lists_;
  std::shared_ptr<const DenyList> deny_;
  Explanation explanation_;
};

TEST_F(RevocationVerifyTest, RefusesARevokedClientAndNobodyElse) {
  Attach(middle_, {300});
  const Verdict verdict = Check({root_, middle_}, {leaf_});
  EXPECT_EQ(verdict.reason, Reason::kRevoked);
  EXPECT_EQ(verdict.depth, 0);
  EXPECT_EQ(verdict.path.size(), 3u);
  EXPECT_TRUE(absl::StrContains(
      verdict.detail,
      "the client's certificate 'CN=leaf' is revoked: by the list of "
      "'CN=middle' of 2026-09-21T13:13:20Z (source 1), since "))
      << verdict.detail;
  ASSERT_EQ(explanation_.paths.size(), 1u);
  EXPECT_EQ(explanation_.paths[0].reason, Reason::kRevoked);
  EXPECT_TRUE(
      Check({root_, middle_}, {Issue(TestLeafSpec("leaf"), 301, &middle_)})
          .trusted());
  // Without lists nothing is looked up, whatever the rule says.
  inputs_ = {};
  HardFail();
  EXPECT_TRUE(Check({root_, middle_}, {leaf_}).trusted());
}

TEST_F(RevocationVerifyTest, CannotBeSteppedAroundByAnotherCertificateOfTheCa) {
  // Of the same key, which may not sign lists.
  TestCertificateSpec spec = TestCaSpec("middle");
  spec.key_usage = "critical,keyCertSign";
  spec.serial = 21;
  const TestCertificate older = MakeTestCertificate(spec, middle_.key, &root_);
  const TestCertificate good = Issue(TestLeafSpec("leaf"), 301, &middle_);
  Attach(middle_, {300});
  for (const bool any_anchor : {false, true}) {
    if (any_anchor) AnyAnchor();
    for (const auto& store : {std::vector<TestCertificate>{root_, older},
                              {root_, older, middle_},
                              {root_, middle_, older}}) {
      EXPECT_EQ(Check(store, {leaf_}).reason, Reason::kRevoked);
      EXPECT_TRUE(Check(store, {good}).trusted());
    }
  }
  EXPECT_EQ(Check({root_}, {leaf_, older}).reason, Reason::kRevoked);
  EXPECT_EQ(Check({root_, middle_}, {leaf_, older}).reason, Reason::kRevoked);
  // Such a list does not vouch for anybody.
  HardFail();
  EXPECT_EQ(Check({root_}, {good, older}).reason, Reason::kRevoked);
  EXPECT_TRUE(absl::StrContains(Check({root_}, {good, older}).detail,
                                "may not sign lists"));
}

TEST_F(RevocationVerifyTest, RefusesWhatARevokedIntermediateIssued) {
  Attach(root_, {20});
  const Verdict verdict = Check({root_, middle_}, {leaf_});
  EXPECT_EQ(verdict.reason, Reason::kRevoked);
  EXPECT_EQ(verdict.depth, 1);
  EXPECT_TRUE(absl::StartsWith(verdict.detail, "'CN=middle' (block 2 of"))
      << verdict.detail;
  AnyAnchor();
  EXPECT_EQ(Check({root_}, {leaf_, middle_}).reason, Reason::kRevoked);
  // An anchor by itself is looked up where the truststore has its issuer.
  EXPECT_EQ(Check({root_, middle_}, {leaf_}).reason, Reason::kRevoked);
  EXPECT_TRUE(Check({middle_}, {leaf_}).trusted());
  // Nor is anything but the client's certificate, if so told.
  inputs_.scope = RevocationScope::kLeaf;
  EXPECT_TRUE(Check({root_}, {leaf_, middle_}).trusted());
  Attach(middle_, {300});
  EXPECT_EQ(Check({root_}, {leaf_, middle_}).reason, Reason::kRevoked);
}

TEST_F(RevocationVerifyTest, FindsAnotherWayAroundARevokedIntermediate) {
  // The same CA and key, signed by two roots.
  const TestCertificate other_root = Issue(TestCaSpec("other"), 2, nullptr);
  TestCertificateSpec spec = TestCaSpec("middle");
  spec.serial = 20;
  const TestCertificate cross =
      MakeTestCertificate(spec, middle_.key, &other_root);
  Attach(root_, {20});
  for (const auto& store :
       {std::vector<TestCertificate>{root_, middle_, other_root, cross},
        std::vector<TestCertificate>{cross, other_root, middle_, root_}}) {
    const Verdict verdict = Check(store, {leaf_});
    EXPECT_TRUE(verdict.trusted()) << verdict.detail;
    ASSERT_EQ(verdict.path.size(), 3u);
    EXPECT_EQ(verdict.path[2]->der(), other_root.der);
  }
  Attach(other_root, {20});
  EXPECT_EQ(Check({root_, middle_, other_root, cross}, {leaf_}).reason,
            Reason::kRevoked);
}

TEST_F(RevocationVerifyTest, NeedsNoListForAnAnchor) {
  AnyAnchor();
  HardFail();
  Attach(middle_, {});
  EXPECT_TRUE(Check({root_, middle_}, {leaf_}).trusted());
  // One that a namesake of its issuer signed says nothing about it.
  Attach(Issue(TestCaSpec("root"), 3, nullptr), {20});
  EXPECT_TRUE(Check({root_, middle_}, {leaf_}).trusted());
  Attach(root_, {20});
  EXPECT_EQ(Check({root_, middle_}, {leaf_}).reason, Reason::kRevoked);
  inputs_.scope = RevocationScope::kLeaf;
  EXPECT_TRUE(Check({root_, middle_}, {leaf_}).trusted());
}

TEST_F(RevocationVerifyTest, DeniesACertificateInWhateverFormItsHolderGivesIt) {
  AnyAnchor();
  for (const auto& denied : {leaf_, middle_}) {
    DenyList::Entries entries;
    entries.certificate_sha256 = {Digest(denied.der)};
    Deny(entries);
    TestCertificate leaf = leaf_;
    TestCertificate middle = middle_;
    leaf.der = FlipEcdsaSignature(leaf_.der, middle_.key);
    middle.der = FlipEcdsaSignature(middle_.der, root_.key);
    EXPECT_EQ(Check({root_}, {leaf, middle}).reason, Reason::kRevoked);
    inputs_.deny = nullptr;
    EXPECT_TRUE(Check({root_}, {leaf, middle}).trusted());
  }
}

TEST_F(RevocationVerifyTest, HoldsTheDatesOfListsToTheSecond) {
  Attach(middle_, {300}, TestNow(), TestNow() + absl::Seconds(60));
  Attach(root_, {}, TestNow() - absl::Hours(1), absl::InfiniteFuture());
  const TestCertificate other = Issue(TestLeafSpec("other"), 301, &middle_);
  const absl::Time end = leaf_.spec.not_after + absl::Seconds(1);
  const struct {
    RevocationRule rule;
    int at;
    Reason named;
    Reason unnamed;
    absl::Time recheck;
  } cases[] = {
      {RevocationRule::kSoftFail, -1, Reason::kTrusted, Reason::kTrusted,
       TestNow()},
      {RevocationRule::kSoftFail, 0, Reason::kRevoked, Reason::kTrusted, end},
      {RevocationRule::kSoftFail, 59, Reason::kRevoked, Reason::kTrusted, end},
      {RevocationRule::kSoftFail, 60, Reason::kRevoked, Reason::kTrusted, end},
      {RevocationRule::kHardFail, -1, Reason::kRevoked, Reason::kRevoked,
       TestNow()},
      {RevocationRule::kHardFail, 0, Reason::kRevoked, Reason::kTrusted,
       TestNow() + absl::Seconds(60)},
      {RevocationRule::kHardFail, 59, Reason::kRevoked, Reason::kTrusted,
       TestNow() + absl::Seconds(60)},
      {RevocationRule::kHardFail, 60, Reason::kRevoked, Reason::kRevoked, end},
  };
  for (const auto& c : cases) {
    inputs_.rule = c.rule;
    const absl::Time now = TestNow() + absl::Seconds(c.at);
    EXPECT_EQ(Check({root_, middle_}, {leaf_}, now).reason, c.named) << c.at;
    const Verdict verdict = Check({root_, middle_}, {other}, now);
    EXPECT_EQ(verdict.reason, c.unnamed) << c.at << verdict.detail;
    EXPECT_EQ(verdict.recheck_at, c.recheck) << c.at;
  }
}

TEST_F(RevocationVerifyTest, ChecksAgainWhenANewerListBegins) {
  Attach(middle_, {300}, TestNow() - absl::Hours(2));
  Attach(middle_, {}, TestNow() + absl::Seconds(5));
  Verdict verdict = Check({root_, middle_}, {leaf_});
  EXPECT_EQ(verdict.reason, Reason::kRevoked);
  EXPECT_EQ(verdict.recheck_at, TestNow() + absl::Seconds(5));
  EXPECT_TRUE(Check({root_, middle_}, {leaf_}, verdict.recheck_at).trusted());
}

TEST_F(RevocationVerifyTest, HardFailNeedsAListForEveryCertificate) {
  HardFail();
  AttachNone();
  Verdict verdict = Check({root_, middle_}, {leaf_});
  EXPECT_EQ(verdict.reason, Reason::kRevoked);
  EXPECT_EQ(verdict.depth, 0);
  EXPECT_EQ(verdict.detail,
            "the client's certificate 'CN=leaf' counts as revoked, since no "
            "usable revocation list covers it: there is none of the issuer "
            "'CN=middle' for it");
  Attach(middle_, {});
  verdict = Check({root_, middle_}, {leaf_});
  EXPECT_EQ(verdict.reason, Reason::kRevoked);
  EXPECT_EQ(verdict.depth, 1);
  inputs_.scope = RevocationScope::kLeaf;
  EXPECT_TRUE(Check({root_, middle_}, {leaf_}).trusted());
  inputs_.scope = RevocationScope::kChain;
  // Past nextUpdate is as good as none.
  Attach(root_, {}, TestNow() - absl::Hours(2), TestNow() - absl::Hours(1));
  verdict = Check({root_, middle_}, {leaf_});
  EXPECT_EQ(verdict.reason, Reason::kRevoked);
  EXPECT_TRUE(absl::StrContains(verdict.detail, "is past its nextUpdate"))
      << verdict.detail;
  Attach(root_, {});
  verdict = Check({root_, middle_}, {leaf_});
  EXPECT_TRUE(verdict.trusted()) << verdict.detail;
  EXPECT_EQ(verdict.recheck_at, TestNow() + absl::Hours(1));
}

TEST_F(RevocationVerifyTest, SoftFailNeedsNone) {
  AttachNone();
  EXPECT_TRUE(Check({root_, middle_}, {leaf_}).trusted());
  // Nor does it hear a namesake.
  const TestCertificate namesake = Issue(TestCaSpec("middle"), 21, &root_);
  Attach(namesake, {300});
  EXPECT_TRUE(Check({root_, middle_}, {leaf_}).trusted());
  EXPECT_TRUE(Check({root_, middle_, namesake}, {leaf_}).trusted());
  HardFail();
  Attach(root_, {});
  const Verdict verdict = Check({root_, middle_}, {leaf_});
  EXPECT_EQ(verdict.reason, Reason::kRevoked);
  EXPECT_TRUE(absl::StrContains(verdict.detail, "signed by another key"))
      << verdict.detail;
}

TEST_F(RevocationVerifyTest, SaysWhatElseIsWrongRatherThanThatAListIsMissing) {
  HardFail();
  AttachNone();
  TestCertificateSpec spec = TestLeafSpec("old");
  spec.not_after = TestNow() - absl::Hours(1);
  EXPECT_EQ(Check({root_, middle_}, {Issue(spec, 9, &middle_)}).reason,
            Reason::kExpired);
  EXPECT_EQ(Check({root_}, {leaf_}).reason, Reason::kUntrustedIssuer);
}

TEST_F(RevocationVerifyTest, LeavesACertificateThatVouchesForItselfAlone) {
  const TestCertificate partner = Issue(TestLeafSpec("partner"), 5, nullptr);
  HardFail();
  AttachNone();
  EXPECT_TRUE(Check({partner}, {partner}).trusted());
  // A pinned one is heard of when its CA is there to sign.
  policy_.pin_leaf = true;
  Attach(middle_, {300});
  EXPECT_TRUE(Check({leaf_}, {leaf_}).trusted());
  EXPECT_EQ(Check({leaf_, middle_}, {leaf_}).reason, Reason::kRevoked);
  const TestCertificate sibling = Issue(TestLeafSpec("s"), 301, &middle_);
  EXPECT_TRUE(Check({sibling, middle_}, {sibling}).trusted());
  // A namesake of the CA does not speak for it.
  const TestCertificate namesake = Issue(TestCaSpec("middle"), 21, &root_);
  Attach(namesake, {301});
  EXPECT_TRUE(Check({sibling, middle_, namesake}, {sibling}).trusted());
}

TEST_F(RevocationVerifyTest, ChecksTheSignatureOfAListOnce) {
  Attach(middle_, {});
  Attach(root_, {});
  const Verdict first = Check({root_, middle_}, {leaf_});
  const Verdict second = Check({root_, middle_}, {leaf_});
  EXPECT_EQ(first.signature_checks, 4u);
  EXPECT_EQ(second.signature_checks, 2u);
}

TEST_F(RevocationVerifyTest, EndsAtItsLimitOfSignatureChecks) {
  // Lists of namesakes, any of which might be the issuer's.
  for (int i = 0; i < 3; ++i) {
    Attach(Issue(TestCaSpec("middle"), 30 + i, &root_), {},
           TestNow() - absl::Seconds(30 - i));
  }
  policy_.max_signature_checks = 2;
  const auto truststore = Truststore::Parse(root_.pem + middle_.pem).truststore;
  const auto verify = [&] {
    return VerifyChain(*truststore, {leaf_.der}, policy_, TestNow(), nullptr,
                       &inputs_);
  };
  const Verdict verdict = verify();
  EXPECT_EQ(verdict.reason, Reason::kLimitExceeded) << verdict.detail;
  // What it checked is remembered, so it is to be asked again soon.
  EXPECT_EQ(verdict.recheck_at, TestNow() + absl::Seconds(1));
  EXPECT_TRUE(verify().trusted());
}

TEST_F(RevocationVerifyTest, DeniesOnTheWholePathTheAnchorIncluded) {
  const struct {
    const TestCertificate& certificate;
    int depth;
  } cases[] = {{leaf_, 0}, {middle_, 1}, {root_, 2}};
  for (const auto& c : cases) {
    const auto parsed = *Certificate::Parse(c.certificate.der);
    DenyList::Entries by_certificate;
    by_certificate.certificate_sha256 = {Digest(c.certificate.der)};
    DenyList::Entries by_key;
    by_key.spki_sha256 = {KeyDigest(c.certificate)};
    DenyList::Entries by_serial;
    by_serial.issuer_and_serial = {{parsed->Issuer(), parsed->SerialHex()}};
    const std::pair<DenyList::Entries, std::string> kinds[] = {
        {by_certificate, "is on the deny list: by the certificate's SHA-256"},
        {by_key, "is on the deny list: by its key's SHA-256"},
        {by_serial, "is on the deny list: by its issuer and serial number"},
    };
    for (const auto& [entries, text] : kinds) {
      Deny(entries);
      for (const ChainPolicy chain_policy :
           {ChainPolicy::kCompleteChain, ChainPolicy::kAnyAnchor}) {
        policy_.chain_policy = chain_policy;
        const bool complete = chain_policy == ChainPolicy::kCompleteChain;
        const Verdict verdict = complete ? Check({root_, middle_}, {leaf_})
                                         : Check({root_}, {leaf_, middle_});
        EXPECT_EQ(verdict.reason, Reason::kRevoked);
        EXPECT_EQ(verdict.depth, c.depth);
        EXPECT_TRUE(absl::EndsWith(verdict.detail, text)) << verdict.detail;
      }
    }
  }
}

TEST_F(RevocationVerifyTest, DeniesTheClientBeforeAnySignatureIsChecked) {
  DenyList::Entries entries;
  entries.certificate_sha256 = {Digest(leaf_.der)};
  Deny(entries);
  const Verdict verdict = Check({root_, middle_}, {leaf_});
  EXPECT_EQ(verdict.reason, Reason::kRevoked);
  EXPECT_EQ(verdict.signature_checks, 0u);
  // Also where nobody would have trusted it.
  EXPECT_EQ(Check({Issue(TestCaSpec("x"), 1, nullptr)}, {leaf_}).reason,
            Reason::kRevoked);
}

TEST_F(RevocationVerifyTest, DeniesCertificatesThatVouchForThemselves) {
  const TestCertificate partner = Issue(TestLeafSpec("partner"), 5, nullptr);
  policy_.pin_leaf = true;
  for (const TestCertificate* certificate : {&partner, &leaf_}) {
    Deny({});
    EXPECT_TRUE(Check({*certificate}, {*certificate}).trusted());
    DenyList::Entries entries;
    entries.spki_sha256 = {KeyDigest(*certificate)};
    Deny(entries);
    EXPECT_EQ(Check({*certificate}, {*certificate}).reason, Reason::kRevoked);
  }
}

TEST_F(RevocationVerifyTest, FindsAnotherWayAroundADeniedCa) {
  const TestCertificate other_root = Issue(TestCaSpec("other"), 2, nullptr);
  const TestCertificate cross =
      MakeTestCertificate(TestCaSpec("middle"), middle_.key, &other_root);
  DenyList::Entries entries;
  entries.certificate_sha256 = {Digest(root_.der)};
  Deny(entries);
  EXPECT_TRUE(Check({root_, middle_, other_root, cross}, {leaf_}).trusted());
  // A denied key is denied in each of its certificates.
  entries.spki_sha256 = {KeyDigest(middle_)};
  Deny(entries);
  EXPECT_EQ(Check({root_, middle_, other_root, cross}, {leaf_}).reason,
            Reason::kRevoked);
}

}  // namespace
}  // namespace sallyport::pki
