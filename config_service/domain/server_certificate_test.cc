#include "config_service/domain/server_certificate.h"

#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "config_service/domain/limits.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "pki/testing/make_certificate.h"

namespace sallyport::domain {
namespace {

using pki::TestCertificate;
using pki::TestCertificateSpec;
using pki::TestKey;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

CertificatePtr Parse(const TestCertificate& certificate) {
  return *pki::Certificate::Parse(certificate.der);
}

TestCertificate Root(const std::string& name = "root") {
  return pki::MakeTestCertificate(pki::TestCaSpec(name), TestKey::P256(),
                                  nullptr);
}

TestCertificateSpec ServerSpec(const std::string& alt_names) {
  TestCertificateSpec spec = pki::TestLeafSpec("server");
  spec.alt_names = alt_names;
  spec.extended_key_usage = "serverAuth";
  return spec;
}

TestCertificate Server(const std::string& alt_names,
                       const TestCertificate& issuer) {
  return pki::MakeTestCertificate(ServerSpec(alt_names), TestKey::P256(),
                                  &issuer);
}

struct Checked {
  CheckedMaterial material;
  Violations violations;
};

Checked Check(absl::string_view chain, absl::string_view key,
              CertificatePurpose purpose = CertificatePurpose::kServer,
              absl::Time now = pki::TestNow()) {
  Checked out;
  out.material = CheckMaterial("chain", chain, "key", Secret::CopyOf(key),
                               purpose, now, out.violations);
  return out;
}

std::string List(const Violations& violations) {
  std::string out;
  for (const FieldViolation& v : violations.list()) {
    absl::StrAppend(&out, v.field, ": ", ReasonName(v.reason), ": ",
                    v.description, "\n");
  }
  return out;
}

TEST(CheckMaterial, TakesAChainWithoutItsRoot) {
  const TestCertificate root = Root();
  const TestCertificate middle = pki::MakeTestCertificate(
      pki::TestCaSpec("middle"), TestKey::P384(), &root);
  const TestCertificate leaf = Server("DNS:api.example.com", middle);
  const Checked without = Check(leaf.pem + middle.pem, leaf.key.Pem());
  EXPECT_TRUE(without.violations.empty()) << List(without.violations);
  EXPECT_EQ(without.material.chain.size(), 2u);
  EXPECT_EQ(without.material.chain_pem, leaf.pem + middle.pem);
  // With it, it is left out.
  const Checked with = Check(
      absl::StrCat("comment\r\n", leaf.pem, middle.pem, "more\n", root.pem),
      leaf.key.Pem());
  EXPECT_TRUE(with.violations.empty()) << List(with.violations);
  EXPECT_EQ(with.material.chain_pem, leaf.pem + middle.pem);
}

TEST(CheckMaterial, TakesASelfSignedCertificate) {
  const TestCertificate own = pki::MakeTestCertificate(
      ServerSpec("DNS:api.example.com"), TestKey::Rsa(2048), nullptr);
  const Checked checked = Check(own.pem, own.key.Pem());
  EXPECT_TRUE(checked.violations.empty()) << List(checked.violations);
  EXPECT_EQ(checked.material.chain_pem, own.pem);
  EXPECT_FALSE(checked.material.private_key_pem.empty());
}

TEST(CheckMaterial, RefusesAKeyThatIsNotTheCertificates) {
  const TestCertificate root = Root();
  const TestCertificate leaf = Server("DNS:api.example.com", root);
  const Checked other = Check(leaf.pem, TestKey::P256().Pem());
  EXPECT_TRUE(other.violations.Has("key", Reason::kPrivateKeyMismatch));
  const Checked kind = Check(leaf.pem, TestKey::Rsa(2048).Pem());
  EXPECT_TRUE(kind.violations.Has("key", Reason::kPrivateKeyMismatch));
  // The key of the second certificate: the order is wrong.
  const Checked order = Check(leaf.pem + root.pem, root.key.Pem());
  EXPECT_TRUE(order.violations.Has("key", Reason::kPrivateKeyMismatch));
  EXPECT_THAT(order.violations.list()[0].description,
              HasSubstr("the key of certificate 2"));
}

TEST(CheckMaterial, RefusesAChainThatIsOutOfOrder) {
  const TestCertificate root = Root();
  const TestCertificate middle = pki::MakeTestCertificate(
      pki::TestCaSpec("middle"), TestKey::P256(), &root);
  const TestCertificate leaf = Server("DNS:api.example.com", middle);
  const Checked reversed =
      Check(leaf.pem + root.pem + middle.pem, leaf.key.Pem());
  EXPECT_TRUE(reversed.violations.Has("chain", Reason::kCertificateChainOrder));
  // A stranger with the issuer's name but another key.
  const Checked stranger =
      Check(leaf.pem + pki::MakeTestCertificate(pki::TestCaSpec("middle"),
                                                TestKey::P256(), &root)
                           .pem,
            leaf.key.Pem());
  EXPECT_TRUE(stranger.violations.Has("chain", Reason::kCertificateChainOrder));
}

TEST(CheckMaterial, RefusesAnIssuerThatIsNoCa) {
  const TestCertificate root = Root();
  const TestCertificate no_ca = pki::MakeTestCertificate(
      pki::TestLeafSpec("no ca"), TestKey::P256(), &root);
  const TestCertificate leaf = Server("DNS:api.example.com", no_ca);
  const Checked checked = Check(leaf.pem + no_ca.pem, leaf.key.Pem());
  EXPECT_TRUE(checked.violations.Has("chain", Reason::kCertificateChainNotACa));
}

TEST(CheckMaterial, LooksAtTheDatesOfEveryCertificate) {
  const TestCertificate root = Root();
  TestCertificateSpec ca = pki::TestCaSpec("middle");
  ca.not_after = pki::TestNow() + absl::Hours(1);
  const TestCertificate middle =
      pki::MakeTestCertificate(ca, TestKey::P256(), &root);
  const TestCertificate leaf = Server("DNS:api.example.com", middle);
  const auto at = [&](absl::Time now) {
    return Check(leaf.pem + middle.pem, leaf.key.Pem(),
                 CertificatePurpose::kServer, now)
        .violations;
  };
  // Both ends count as valid.
  EXPECT_TRUE(at(ca.not_after).empty());
  EXPECT_TRUE(at(ca.not_after + absl::Seconds(1))
                  .Has("chain", Reason::kCertificateExpired));
  EXPECT_TRUE(at(ca.not_before).empty());
  EXPECT_EQ(at(ca.not_before - absl::Seconds(1)).size(), 2u);
  EXPECT_TRUE(at(ca.not_before - absl::Seconds(1))
                  .Has("chain", Reason::kCertificateNotYetValid));
}

TEST(CheckMaterial, RefusesWeakCertificatesAndKeys) {
  TestCertificateSpec sha1 = ServerSpec("DNS:a.example.com");
  sha1.digest = pki::TestDigest::kSha1;
  const TestCertificate weak =
      pki::MakeTestCertificate(sha1, TestKey::P256(), nullptr);
  EXPECT_TRUE(Check(weak.pem, weak.key.Pem())
                  .violations.Has("chain", Reason::kCertificateWeak));
  for (const TestKey& key :
       {TestKey::P521(), TestKey::Ed25519(), TestKey::Rsa(1024)}) {
    const TestCertificate certificate =
        pki::MakeTestCertificate(ServerSpec("DNS:a.example.com"), key, nullptr);
    const Checked checked = Check(certificate.pem, certificate.key.Pem());
    EXPECT_TRUE(checked.violations.Has("chain", Reason::kCertificateWeak));
    EXPECT_TRUE(checked.violations.Has("key", Reason::kPrivateKeyUnsupported));
  }
}

TEST(CheckMaterial, WantsACertificateThatMayBeUsedForIt) {
  TestCertificateSpec spec = ServerSpec("DNS:a.example.com");
  spec.extended_key_usage = "clientAuth";
  const TestCertificate client =
      pki::MakeTestCertificate(spec, TestKey::P256(), nullptr);
  EXPECT_TRUE(Check(client.pem, client.key.Pem())
                  .violations.Has("chain", Reason::kCertificateNotForPurpose));
  EXPECT_TRUE(Check(client.pem, client.key.Pem(), CertificatePurpose::kClient)
                  .violations.empty());
  // A client's certificate needs no host name; a server's does.
  const TestCertificate nameless = pki::MakeTestCertificate(
      pki::TestLeafSpec("api.example.com"), TestKey::P256(), nullptr);
  EXPECT_TRUE(Check(nameless.pem, nameless.key.Pem())
                  .violations.Has("chain", Reason::kCertificateHasNoNames));
  EXPECT_TRUE(
      Check(nameless.pem, nameless.key.Pem(), CertificatePurpose::kClient)
          .violations.empty());
}

TEST(CheckMaterial, RefusesTextThatIsNoChain) {
  const TestCertificate root = Root();
  const TestCertificate leaf = Server("DNS:a.example.com", root);
  const std::string key = leaf.key.Pem();
  EXPECT_TRUE(Check("", key).violations.Has("chain", Reason::kFieldRequired));
  EXPECT_TRUE(Check("hello", key)
                  .violations.Has("chain", Reason::kCertificateChainMalformed));
  EXPECT_TRUE(Check(leaf.pem.substr(0, 100), key)
                  .violations.Has("chain", Reason::kCertificateChainMalformed));
  EXPECT_TRUE(
      Check("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
            key)
          .violations.Has("chain", Reason::kCertificateChainMalformed));
  // The key among the certificates is refused, and nothing of it is said.
  const Checked with_key = Check(leaf.pem + key, key);
  EXPECT_TRUE(
      with_key.violations.Has("chain", Reason::kCertificateChainMalformed));
  EXPECT_FALSE(absl::StrContains(List(with_key.violations),
                                 key.substr(key.find('\n') + 1, 20)));
}

TEST(CheckMaterial, RefusesTextThatIsNoKey) {
  const TestCertificate root = Root();
  const TestCertificate leaf = Server("DNS:a.example.com", root);
  EXPECT_TRUE(
      Check(leaf.pem, "").violations.Has("key", Reason::kFieldRequired));
  EXPECT_TRUE(Check(leaf.pem, "hello")
                  .violations.Has("key", Reason::kPrivateKeyMalformed));
  EXPECT_TRUE(Check(leaf.pem, leaf.pem)
                  .violations.Has("key", Reason::kPrivateKeyMalformed));
}

TEST(CheckMaterial, HasLimits) {
  // A chain of as many CAs as may be, the leaf counted.
  std::vector<TestCertificate> chain = {Root()};
  while (chain.size() < kMaxChainCertificates) {
    chain.push_back(pki::MakeTestCertificate(
        pki::TestCaSpec(absl::StrCat("ca", chain.size())), TestKey::P256(),
        &chain.back()));
  }
  const auto text = [&](size_t first, const TestCertificate& leaf) {
    std::string pem = leaf.pem;
    for (size_t i = chain.size(); i > first; --i) pem += chain[i - 1].pem;
    return pem;
  };
  const TestCertificate leaf = Server("DNS:a.example.com", chain.back());
  EXPECT_TRUE(Check(text(1, leaf), leaf.key.Pem()).violations.empty());
  EXPECT_TRUE(Check(text(0, leaf), leaf.key.Pem())
                  .violations.Has("chain", Reason::kCertificateChainTooLarge));
  const std::string padding(kMaxChainPemBytes - leaf.pem.size(), '\n');
  EXPECT_TRUE(Check(leaf.pem + padding, leaf.key.Pem()).violations.empty());
  EXPECT_TRUE(Check(leaf.pem + padding + "\n", leaf.key.Pem())
                  .violations.Has("chain", Reason::kCertificateChainTooLarge));
  const std::string key = leaf.key.Pem();
  const std::string blanks(kMaxPrivateKeyPemBytes - key.size(), '\n');
  EXPECT_TRUE(Check(leaf.pem, key + blanks).violations.empty());
  EXPECT_TRUE(Check(leaf.pem, key + blanks + "\n")
                  .violations.Has("key", Reason::kPrivateKeyMalformed));
}

TEST(CheckMaterial, FindsTheFaultsOfChainAndKeyAtOnce) {
  TestCertificateSpec spec = pki::TestLeafSpec("old");
  spec.not_after = pki::TestNow() - absl::Hours(1);
  spec.extended_key_usage = "clientAuth";
  const TestCertificate old =
      pki::MakeTestCertificate(spec, TestKey::P256(), nullptr);
  const Checked checked = Check(old.pem, "hello");
  EXPECT_TRUE(checked.violations.Has("chain", Reason::kCertificateExpired));
  EXPECT_TRUE(
      checked.violations.Has("chain", Reason::kCertificateNotForPurpose));
  EXPECT_TRUE(checked.violations.Has("chain", Reason::kCertificateHasNoNames));
  EXPECT_TRUE(checked.violations.Has("key", Reason::kPrivateKeyMalformed));
}

TEST(ReadStoredChain, ReadsWhatWasChecked) {
  const TestCertificate root = Root();
  const TestCertificate leaf = Server("DNS:a.example.com", root);
  const Checked checked = Check(leaf.pem + root.pem, leaf.key.Pem());
  const auto chain = ReadStoredChain(checked.material.chain_pem);
  ASSERT_TRUE(chain.ok());
  ASSERT_EQ(chain->size(), 1u);
  EXPECT_EQ(chain->front()->der(), leaf.der);
  EXPECT_EQ(ReadStoredChain("x").status().code(), absl::StatusCode::kDataLoss);
}

TEST(DnsNames, AreThoseThatCanBeServed) {
  const TestCertificate root = Root();
  EXPECT_THAT(
      DnsNames(*Parse(Server("DNS:API.example.com,DNS:api.example.com.,"
                             "DNS:*.example.com,DNS:localhost,DNS:a_b.example,"
                             "DNS:*.*.example,URI:https://x.example",
                             root))),
      ElementsAre("api.example.com", "*.example.com"));
}

TEST(CoversDomain, FollowsTheCertificatesNames) {
  const TestCertificate root = Root();
  const CertificatePtr exact = Parse(Server("DNS:api.example.com", root));
  EXPECT_TRUE(CoversDomain(*exact, "api.example.com"));
  EXPECT_FALSE(CoversDomain(*exact, "b.example.com"));
  EXPECT_FALSE(CoversDomain(*exact, "*.example.com"));
  const CertificatePtr wildcard = Parse(Server("DNS:*.example.com", root));
  EXPECT_TRUE(CoversDomain(*wildcard, "api.example.com"));
  EXPECT_TRUE(CoversDomain(*wildcard, "*.example.com"));
  EXPECT_FALSE(CoversDomain(*wildcard, "example.com"));
  EXPECT_FALSE(CoversDomain(*wildcard, "a.b.example.com"));
  EXPECT_FALSE(CoversDomain(*wildcard, "*.b.example.com"));
  // The common name does not count.
  const CertificatePtr common_name = Parse(pki::MakeTestCertificate(
      pki::TestLeafSpec("api.example.com"), TestKey::P256(), nullptr));
  EXPECT_FALSE(CoversDomain(*common_name, "api.example.com"));
}

TEST(FirstExpiry, IsThatOfTheChain) {
  const TestCertificate root = Root();
  TestCertificateSpec ca = pki::TestCaSpec("middle");
  ca.not_after = pki::TestNow() + absl::Hours(5);
  const TestCertificate middle =
      pki::MakeTestCertificate(ca, TestKey::P256(), &root);
  const std::vector<CertificatePtr> chain = {
      Parse(Server("DNS:a.example.com", middle)), Parse(middle)};
  EXPECT_EQ(FirstExpiry(chain), ca.not_after);
}

TEST(CheckSameIssuer, TakesARenewalAndANewKeyOfTheCa) {
  const TestCertificate root = Root("ca");
  const TestCertificate rekeyed = Root("ca");
  const TestCertificate other = Root("other");
  const CertificatePtr before = Parse(Server("DNS:a.example.com", root));
  EXPECT_TRUE(
      CheckSameIssuer(*before, *Parse(Server("DNS:b.example.com", root))).ok());
  EXPECT_TRUE(
      CheckSameIssuer(*before, *Parse(Server("DNS:a.example.com", rekeyed)))
          .ok());
  const absl::Status status =
      CheckSameIssuer(*before, *Parse(Server("DNS:a.example.com", other)));
  EXPECT_EQ(ErrorOf(status)->reason, Reason::kCertificateIssuerChanged);
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
}

TEST(CheckSameIssuer, ComparesNamesAsX509Does) {
  TestCertificateSpec upper = pki::TestCaSpec("");
  upper.subject = {{"O", "Example  CA"}};
  TestCertificateSpec lower = pki::TestCaSpec("");
  lower.subject = {{"O", "example ca"}};
  const TestCertificate a =
      pki::MakeTestCertificate(upper, TestKey::P256(), nullptr);
  const TestCertificate b =
      pki::MakeTestCertificate(lower, TestKey::P256(), nullptr);
  EXPECT_TRUE(CheckSameIssuer(*Parse(Server("DNS:a.example.com", a)),
                              *Parse(Server("DNS:a.example.com", b)))
                  .ok());
}

TEST(CheckIssuerConflict, IsSaidInTheDocumentedWords) {
  const TestCertificate ours = Root("ours");
  const TestCertificate theirs = Root("theirs");
  const CertificatePtr leaf = Parse(Server("DNS:a.example.com", ours));
  const ServedCertificate other = {"b.example.com",
                                   Parse(Server("DNS:b.example.com", theirs))};
  const absl::Status status = CheckIssuerConflict(*leaf, {other});
  EXPECT_EQ(status.message(),
            "The certificate subject CN=server conflicts with an existing "
            "certificate from a different issuer.");
  EXPECT_EQ(ErrorOf(status)->reason, Reason::kCertificateIssuerConflict);
  EXPECT_THAT(ErrorOf(status)->metadata,
              ElementsAre(std::make_pair("subject", "CN=server")));
}

TEST(CheckIssuerConflict, IsNoneWithOneIssuerOrAnotherSubject) {
  const TestCertificate ours = Root("ours");
  const TestCertificate theirs = Root("theirs");
  const CertificatePtr leaf = Parse(Server("DNS:a.example.com", ours));
  EXPECT_TRUE(CheckIssuerConflict(*leaf, {}).ok());
  EXPECT_TRUE(CheckIssuerConflict(
                  *leaf, {{"b", Parse(Server("DNS:b.example.com", ours))}})
                  .ok());
  TestCertificateSpec other = ServerSpec("DNS:b.example.com");
  other.subject = {{"CN", "other"}};
  EXPECT_TRUE(
      CheckIssuerConflict(*leaf, {{"b", Parse(pki::MakeTestCertificate(
                                            other, TestKey::P256(), &theirs))}})
          .ok());
}

TEST(CheckIssuerConflict, LooksAtDnsNamesToo) {
  const TestCertificate ours = Root("ours");
  const TestCertificate theirs = Root("theirs");
  // Names without a subject have to be critical (RFC 5280, 4.2.1.6).
  TestCertificateSpec mine =
      ServerSpec("critical,DNS:x.example.com,DNS:a.example.com");
  mine.subject.clear();
  TestCertificateSpec other = ServerSpec("critical,DNS:a.example.com");
  other.subject.clear();
  const absl::Status status = CheckIssuerConflict(
      *Parse(pki::MakeTestCertificate(mine, TestKey::P256(), &ours)),
      {{"b",
        Parse(pki::MakeTestCertificate(other, TestKey::P256(), &theirs))}});
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("subject a.example.com conflicts"));
  // Two empty distinguished names are no subject.
  other.alt_names = "critical,DNS:b.example.com";
  EXPECT_TRUE(
      CheckIssuerConflict(
          *Parse(pki::MakeTestCertificate(mine, TestKey::P256(), &ours)),
          {{"b",
            Parse(pki::MakeTestCertificate(other, TestKey::P256(), &theirs))}})
          .ok());
}

// A domain with mutual TLS and an imported server certificate, in an
// installation that asks for proof.
class Ownership : public ::testing::Test {
 protected:
  Ownership() {
    domain_name_.name = DomainNameName("api.example.com");
    domain_name_.mutual_tls.emplace();
    domain_name_.server_certificate = ServerCertificateName("imported");
    domain_name_.ownership_verification_certificate =
        ServerCertificateName("issued");
    Use("DNS:api.example.com,DNS:b.example.com", server_);
    Use("DNS:*.example.com", ownership_);
    inputs_.domain_name = &domain_name_;
    inputs_.server_leaf = server_.get();
    inputs_.ownership_leaf = ownership_.get();
    inputs_.ownership_origin = ServerCertificate::Origin::kIssued;
    inputs_.required = true;
  }

  void Use(const std::string& names, CertificatePtr& leaf) {
    leaf = Parse(Server(names, root_));
    inputs_.server_leaf = server_.get();
    inputs_.ownership_leaf = ownership_.get();
  }

  Violations Check(absl::Time now = pki::TestNow()) const {
    Violations violations;
    CheckOwnership(inputs_, now, violations);
    return violations;
  }

  DomainName::Status Status(absl::Time now = pki::TestNow()) const {
    return StatusFromCertificates(inputs_, now).status;
  }

  absl::Time Expired() const {
    return ownership_->not_after() + absl::Seconds(1);
  }

  static constexpr absl::string_view kField =
      "ownership_verification_certificate";
  TestCertificate root_ = Root();
  DomainName domain_name_;
  CertificatePtr server_;
  CertificatePtr ownership_;
  OwnershipInputs inputs_;
};

TEST_F(Ownership, IsProvedByACertificateThatCoversAllNames) {
  EXPECT_TRUE(Check().empty()) << List(Check());
  EXPECT_EQ(Status(), DomainName::Status::kAvailable);
}

TEST_F(Ownership, IsNeededForImportedCertificatesWithMutualTlsOnly) {
  inputs_.ownership_leaf = nullptr;
  EXPECT_TRUE(Check().Has(kField, Reason::kOwnershipCertificateRequired));
  EXPECT_EQ(Status(), DomainName::Status::kPendingOwnershipVerification);
  inputs_.server_origin = ServerCertificate::Origin::kIssued;
  EXPECT_TRUE(Check().empty());
  EXPECT_EQ(Status(), DomainName::Status::kAvailable);
  inputs_.server_origin = ServerCertificate::Origin::kImported;
  domain_name_.mutual_tls.reset();
  EXPECT_TRUE(Check().empty());
  domain_name_.mutual_tls.emplace();
  inputs_.required = false;
  EXPECT_TRUE(Check().empty());
  EXPECT_EQ(Status(), DomainName::Status::kAvailable);
}

TEST_F(Ownership, MustCoverTheDomainAndEveryNameOfTheServerCertificate) {
  Use("DNS:api.example.com", ownership_);
  EXPECT_TRUE(Check().Has(kField, Reason::kOwnershipCertificateDoesNotCover));
  EXPECT_THAT(Check().list()[0].description, HasSubstr("b.example.com"));
  EXPECT_EQ(Status(), DomainName::Status::kPendingCertificateReimport);
  Use("DNS:b.example.com", ownership_);
  EXPECT_THAT(Check().list()[0].description, HasSubstr("api.example.com"));
}

TEST_F(Ownership, IsNotProvedByAnImportedCertificate) {
  inputs_.ownership_origin = ServerCertificate::Origin::kImported;
  EXPECT_TRUE(Check().Has(kField, Reason::kOwnershipCertificateNotIssued));
  inputs_.required = false;
  EXPECT_TRUE(Check().empty());
}

TEST_F(Ownership, IsNotProvedByAnotherDomainsServerCertificate) {
  inputs_.ownership_used_by = "domainNames/c.example.com";
  EXPECT_TRUE(Check().Has(kField, Reason::kOwnershipCertificateInUse));
}

TEST_F(Ownership, LocksTheDomainWhenItsProofExpires) {
  EXPECT_TRUE(
      Check(Expired()).Has(kField, Reason::kOwnershipCertificateNotValid));
  EXPECT_EQ(Status(Expired()),
            DomainName::Status::kPendingOwnershipVerification);
  DomainName after = domain_name_;
  EXPECT_TRUE(CheckLocked(inputs_, after, pki::TestNow()).ok());
  const absl::Status locked = CheckLocked(inputs_, after, Expired());
  EXPECT_EQ(ErrorOf(locked)->reason, Reason::kDomainLocked);
  // The way out.
  after.ownership_verification_certificate = ServerCertificateName("new");
  EXPECT_TRUE(CheckLocked(inputs_, after, Expired()).ok());
  // Nothing is locked where no proof is asked for.
  after = domain_name_;
  inputs_.required = false;
  EXPECT_TRUE(CheckLocked(inputs_, after, Expired()).ok());
}

TEST_F(Ownership, WaitsForAReimportWhenTheCertificateNoLongerCoversTheDomain) {
  Use("DNS:other.example.com", server_);
  const CertificateStatus status =
      StatusFromCertificates(inputs_, pki::TestNow());
  EXPECT_EQ(status.status, DomainName::Status::kPendingCertificateReimport);
  EXPECT_THAT(status.message, HasSubstr("api.example.com"));
  inputs_.required = false;
  EXPECT_EQ(Status(), DomainName::Status::kPendingCertificateReimport);
}

}  // namespace
}  // namespace sallyport::domain
