#include "config_service/service/internal_issuer.h"

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "config_service/domain/limits.h"
#include "config_service/domain/violations.h"
#include "config_service/service/testing/use_case_test.h"
#include "config_service/store/memory.h"
#include "gtest/gtest.h"
#include "pki/testing/make_certificate.h"

namespace sallyport::service {
namespace {

using domain::Reason;

InternalIssuer::Settings For(absl::string_view domains) {
  InternalIssuer::Settings out;
  out.names = *domain::AllowedNames::Parse(domains);
  out.validity = absl::Hours(24 * 90);
  return out;
}

domain::Issuance Wanted(std::vector<std::string> names) {
  domain::Issuance out;
  out.dns_names = std::move(names);
  return out;
}

Reason ReasonOf(const absl::Status& status) {
  const auto error = domain::ErrorOf(status);
  EXPECT_TRUE(error.has_value()) << status;
  return error.has_value() ? error->reason : Reason::kInternal;
}

class InternalIssuerTest : public testing::Test {
 protected:
  InternalIssuerTest()
      : clock_(pki::TestNow()),
        store_(store::NewMemoryStore()),
        sealer_(NewTestSealer()) {}

  std::unique_ptr<InternalIssuer> Stored() {
    auto issuer = InternalIssuer::FromStore(*store_, *sealer_, clock_,
                                            For("example.com"));
    EXPECT_TRUE(issuer.ok()) << issuer.status();
    return *std::move(issuer);
  }

  FakeClock clock_;
  std::unique_ptr<store::Store> store_;
  std::unique_ptr<store::Sealer> sealer_;
};

// What importing it would find wrong.
void ExpectGood(const CertificateIssuer::Issued& issued, absl::Time now) {
  domain::Violations violations;
  const domain::CheckedMaterial material = domain::CheckMaterial(
      "chain", issued.chain_pem, "key", issued.private_key_pem,
      domain::CertificatePurpose::kServer, now, violations);
  EXPECT_TRUE(violations.empty()) << violations.ToStatus();
  ASSERT_FALSE(material.chain.empty());
  EXPECT_EQ(material.chain_pem, issued.chain_pem);
}

TEST_F(InternalIssuerTest, MakesWhatItIsAskedFor) {
  const auto issuer = Stored();
  for (const auto kind :
       {pki::PrivateKey::Kind::kEcP256, pki::PrivateKey::Kind::kEcP384,
        pki::PrivateKey::Kind::kRsa2048}) {
    domain::Issuance wanted = Wanted({"api.example.com", "*.example.com"});
    wanted.key_kind = kind;
    wanted.validity = absl::Hours(24);
    const auto issued = issuer->Issue(wanted, clock_.Now());
    ASSERT_TRUE(issued.ok()) << issued.status();
    ExpectGood(*issued, clock_.Now());
    EXPECT_EQ(domain::DnsNames(*issued->leaf), wanted.dns_names);
    EXPECT_EQ(issued->leaf->CommonName(), "api.example.com");
    EXPECT_EQ(issued->leaf->not_after(), clock_.Now() + absl::Hours(24));
    EXPECT_LT(issued->leaf->not_before(), clock_.Now());
    const pki::PrivateKey::ReadResult key =
        pki::PrivateKey::FromPem(issued->private_key_pem);
    ASSERT_NE(key.key, nullptr);
    EXPECT_TRUE(key.key->BelongsTo(*issued->leaf));
  }
  // Each time another key; what it is asked nothing about is its own.
  const auto one = issuer->Issue(Wanted({"a.example.com"}), clock_.Now());
  const auto two = issuer->Issue(Wanted({"a.example.com"}), clock_.Now());
  EXPECT_NE(one->leaf->spki_der(), two->leaf->spki_der());
  EXPECT_EQ(one->leaf->not_after(), clock_.Now() + absl::Hours(24 * 90));
  EXPECT_EQ(one->leaf->public_key().bits, 256);
}

TEST_F(InternalIssuerTest, MakesOneWithoutASubjectWhereNoNameFitsIt) {
  const std::string name =
      absl::StrCat(std::string(60, 'a'), ".", "b.example.com");
  const auto issued = Stored()->Issue(Wanted({name}), clock_.Now());
  ASSERT_TRUE(issued.ok()) << issued.status();
  ExpectGood(*issued, clock_.Now());
  EXPECT_EQ(issued->leaf->Subject(), "");
  EXPECT_EQ(domain::DnsNames(*issued->leaf), std::vector<std::string>{name});
}

TEST_F(InternalIssuerTest, KeepsItsCa) {
  const auto first = Stored();
  const auto second = Stored();
  ASSERT_EQ(first->info().chain.size(), 1u);
  EXPECT_EQ(first->info().chain[0]->der(), second->info().chain[0]->der());
  EXPECT_TRUE(first->info().chain[0]->is_ca());
  EXPECT_EQ(first->info().id, "internal");
  EXPECT_EQ(first->not_after(), clock_.Now() + kIssuerCaValidity);
  const auto issued = second->Issue(Wanted({"a.example.com"}), clock_.Now());
  EXPECT_TRUE(pki::SignedBy(*issued->leaf, *first->info().chain[0]));
  // The root is not sent along.
  EXPECT_EQ(issued->chain_pem, issued->leaf->Pem());
}

TEST_F(InternalIssuerTest, RefusesOtherNames) {
  const auto issuer = Stored();
  domain::Violations violations;
  issuer->Check(Wanted({"a.example.com", "example.org"}), violations);
  EXPECT_EQ(violations.size(), 1u);
  EXPECT_TRUE(violations.Has("dns_names[1]", Reason::kIssuerRefusesName));
}

TEST_F(InternalIssuerTest, TakesACaOfTheOperators) {
  const pki::TestCertificate root = pki::MakeTestCertificate(
      pki::TestCaSpec("Root"), pki::TestKey::P256(), nullptr);
  pki::TestCertificateSpec spec = pki::TestCaSpec("Issuing");
  spec.not_after = clock_.Now() + absl::Hours(24 * 30);
  const pki::TestCertificate sub =
      pki::MakeTestCertificate(spec, pki::TestKey::P256(), &root);
  const auto issuer =
      InternalIssuer::FromPem(absl::StrCat(sub.pem, root.pem),
                              Secret(sub.key.Pem()), clock_.Now(), For("*"));
  ASSERT_TRUE(issuer.ok()) << issuer.status();
  const auto issued =
      (*issuer)->Issue(Wanted({"api.example.net"}), clock_.Now());
  ASSERT_TRUE(issued.ok()) << issued.status();
  ExpectGood(*issued, clock_.Now());
  EXPECT_EQ(issued->chain_pem, absl::StrCat(issued->leaf->Pem(), sub.pem));
  // None outlives it, and then there are none.
  EXPECT_EQ((*issuer)->not_after(), spec.not_after);
  EXPECT_EQ(issued->leaf->not_after(), spec.not_after);
  clock_.Advance(absl::Hours(24 * 30));
  EXPECT_EQ(
      ReasonOf(
          (*issuer)->Issue(Wanted({"api.example.net"}), clock_.Now()).status()),
      Reason::kIssuerExpires);
}

TEST_F(InternalIssuerTest, SaysWhatIsWrongWithACa) {
  const pki::TestCertificate root = pki::MakeTestCertificate(
      pki::TestCaSpec("Root"), pki::TestKey::P256(), nullptr);
  const pki::TestCertificate leaf = pki::MakeTestCertificate(
      pki::TestLeafSpec("leaf"), pki::TestKey::P256(), &root);
  const auto reason = [&](const std::string& chain, const std::string& key,
                          absl::Time now) {
    return ReasonOf(
        InternalIssuer::FromPem(chain, Secret::CopyOf(key), now, For("*"))
            .status());
  };
  const absl::Time now = clock_.Now();
  EXPECT_EQ(reason(leaf.pem, leaf.key.Pem(), now),
            Reason::kCertificateChainNotACa);
  EXPECT_EQ(reason(root.pem, leaf.key.Pem(), now), Reason::kPrivateKeyMismatch);
  EXPECT_EQ(reason(root.pem, "no key", now), Reason::kPrivateKeyMalformed);
  EXPECT_EQ(reason("no certificate", root.key.Pem(), now),
            Reason::kCertificateChainMalformed);
  EXPECT_EQ(reason(root.pem, root.key.Pem(), now + absl::Hours(24 * 36500)),
            Reason::kCertificateExpired);
}

}  // namespace
}  // namespace sallyport::service
