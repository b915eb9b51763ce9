#include "config_service/service/expiries.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/clock.h"
#include "config_service/service/client_certificates.h"
#include "config_service/service/events.h"
#include "config_service/service/internal_issuer.h"
#include "config_service/service/revocation_lists.h"
#include "config_service/service/server_certificates.h"
#include "config_service/service/testing/use_case_test.h"
#include "config_service/service/truststores.h"
#include "config_service/store/fleet_records.h"
#include "config_service/store/keys.h"
#include "gtest/gtest.h"
#include "pki/testing/make_certificate.h"

namespace sallyport::service {
namespace {

constexpr absl::Duration kDay = absl::Hours(24);

class ExpiriesTest : public UseCaseTest {
 protected:
  ExpiriesTest()
      : truststores_(context_),
        servers_(context_),
        clients_(context_),
        revocation_(context_),
        expiries_(context_, truststores_.bundles()) {}

  static pki::TestCertificate Leaf(absl::Duration valid) {
    pki::TestCertificateSpec spec = pki::TestLeafSpec("api.example.com");
    spec.alt_names = "DNS:api.example.com";
    spec.extended_key_usage = "serverAuth";
    spec.not_after = pki::TestNow() + valid;
    const pki::TestCertificate ca = pki::MakeTestCertificate(
        pki::TestCaSpec("CA"), pki::TestKey::P256(), nullptr);
    return pki::MakeTestCertificate(spec, pki::TestKey::P256(), &ca);
  }
  void AddServer(const std::string& id, absl::Duration valid) {
    const pki::TestCertificate leaf = Leaf(valid);
    ServerCertificates::CreateRequest request;
    request.id = id;
    request.material.certificate_chain_pem = leaf.pem;
    request.material.private_key_pem = Secret(leaf.key.Pem());
    const auto made = servers_.Create(caller_, write_, request);
    ASSERT_TRUE(made.ok()) << made.status();
  }
  void ImportServer(const std::string& id, absl::Duration valid) {
    const pki::TestCertificate leaf = Leaf(valid);
    ServerCertificates::ImportRequest request;
    request.name = domain::ServerCertificateName(id);
    request.material.certificate_chain_pem = leaf.pem;
    request.material.private_key_pem = Secret(leaf.key.Pem());
    const auto made = servers_.Import(caller_, write_, request);
    ASSERT_TRUE(made.ok()) << made.status();
  }
  void AddTruststore(const std::string& id, absl::Duration valid) {
    pki::TestCertificateSpec spec = pki::TestCaSpec("Root");
    spec.not_after = pki::TestNow() + valid;
    Truststores::CreateRequest request;
    request.id = id;
    request.pem =
        pki::MakeTestCertificate(spec, pki::TestKey::P256(), nullptr).pem;
    const auto made = truststores_.Create(caller_, write_, request);
    ASSERT_TRUE(made.ok()) << made.status();
  }
  void AddCrl(const std::string& id, absl::Duration valid) {
    pki::TestRevocationListSpec spec;
    spec.next_update = pki::TestNow() + valid;
    RevocationLists::CreateRequest request;
    request.id = id;
    request.content =
        pki::MakeTestRevocationList(
            spec, pki::MakeTestCertificate(pki::TestCaSpec("CRL issuer"),
                                           pki::TestKey::P256(), nullptr))
            .pem;
    const auto made = revocation_.Create(caller_, write_, request);
    ASSERT_TRUE(made.ok()) << made.status();
  }
  // "RESOURCE REASON" of the new events, after a look.
  std::string New() {
    const auto next = expiries_.Look();
    EXPECT_TRUE(next.ok()) << next.status();
    if (next.ok()) next_ = *next;
    const WarningEvents events = expiries_.Events(seen_, 1000);
    EXPECT_FALSE(events.lost);
    std::vector<std::string> out;
    for (const WarningEvent& event : events.events) {
      EXPECT_EQ(event.number, ++seen_);
      EXPECT_EQ(event.time, clock_.Now());
      out.push_back(absl::StrCat(event.resource, " ", event.warning.reason));
    }
    EXPECT_EQ(expiries_.LastEvent(), seen_);
    return absl::StrJoin(out, ", ");
  }
  // "RESOURCE DAYS" for all.
  std::string Days() const {
    std::vector<std::string> out;
    for (const Expiry& expiry : expiries_.All()) {
      out.push_back(
          absl::StrCat(expiry.resource, " ",
                       absl::ToInt64Hours(expiry.time - clock_.Now()) / 24));
    }
    return absl::StrJoin(out, ", ");
  }

  Truststores truststores_;
  ServerCertificates servers_;
  ClientCertificates clients_;
  RevocationLists revocation_;
  Expiries expiries_;
  uint64_t seen_ = 0;
  absl::Time next_;
};

TEST_F(ExpiriesTest, WarnsOfIssuedCertificatesOnlyWhenTheyCannotBeRenewed) {
  const auto issuer = InternalIssuer::FromStore(
      *store_, *sealer_, clock_,
      {*domain::AllowedNames::Parse("*"), absl::Hours(24 * 40)});
  ASSERT_TRUE(issuer.ok()) << issuer.status();
  ServerCertificates issuing(context_, nullptr, false, {{issuer->get()}});
  ServerCertificates::CreateRequest request;
  request.id = "issued";
  request.certificate.issuance.emplace();
  request.certificate.issuance->dns_names = {"api.example.com"};
  ASSERT_TRUE(issuing.Create(caller_, write_, request).ok());
  EXPECT_EQ(New(), "");
  EXPECT_EQ(Days(), "serverCertificates/issued 40, system/issuerCa 3650");
  clock_.Advance(20 * kDay);
  EXPECT_EQ(New(), "");
  store::ResourceStatus status;
  domain::Condition failed;
  failed.type = std::string(kIssuedCondition);
  failed.status = domain::Condition::Status::kFalse;
  status.conditions.push_back(failed);
  const std::string key = store::StatusKey("serverCertificates/issued");
  ASSERT_TRUE(store_->Apply({{}, {{key, store::Encode(status), {}}}, {}}).ok());
  EXPECT_EQ(New(), "serverCertificates/issued EXPIRES_SOON");
  clock_.Advance(21 * kDay);
  EXPECT_EQ(New(), "serverCertificates/issued EXPIRED");
}

TEST_F(ExpiriesTest, WarnsWhenTimeHasPassedThoughNobodyWrites) {
  AddServer("api", 40 * kDay);
  AddTruststore("partners", 41 * kDay);
  AddCrl("revoked", 5 * kDay);
  ClientCertificates::GenerateRequest client;
  client.id = "backend";
  client.key_kind = pki::PrivateKey::Kind::kEcP256;
  ASSERT_TRUE(clients_.Generate(caller_, write_, client).ok());
  const int64_t revision = store_->Stats()->revision.value();
  EXPECT_EQ(New(), "");
  EXPECT_EQ(Days(),
            "revocationLists/revoked 5, serverCertificates/api 40, "
            "truststores/partners 41, clientCertificates/backend 365");
  clock_.Advance(5 * kDay);
  EXPECT_EQ(New(), "");
  EXPECT_GT(next_, clock_.Now());
  clock_.Set(next_);
  EXPECT_EQ(New(), "revocationLists/revoked STALE");
  clock_.Set(pki::TestNow() + 9 * kDay);
  EXPECT_EQ(New(), "");
  clock_.Set(pki::TestNow() + 10 * kDay + absl::Seconds(1));
  EXPECT_EQ(New(), "serverCertificates/api EXPIRES_SOON");
  // Once.
  EXPECT_EQ(New(), "");
  clock_.Set(pki::TestNow() + 12 * kDay);
  EXPECT_EQ(New(), "truststores/partners EXPIRES_SOON");
  clock_.Set(pki::TestNow() + 400 * kDay);
  EXPECT_EQ(New(),
            "clientCertificates/backend EXPIRED, serverCertificates/api "
            "EXPIRED, truststores/partners EXPIRED");
  // A truststore in which nothing gives trust any more has no expiry.
  EXPECT_EQ(Days(),
            "revocationLists/revoked -395, serverCertificates/api -360, "
            "clientCertificates/backend -35");
  EXPECT_EQ(next_, absl::InfiniteFuture());
  EXPECT_EQ(store_->Stats()->revision.value(), revision);
}

TEST_F(ExpiriesTest, LooksAgainExactlyWhenSomethingChanges) {
  AddServer("api", 40 * kDay);
  EXPECT_EQ(New(), "");
  const absl::Time soon = next_;
  EXPECT_EQ(soon - absl::Milliseconds(1), pki::TestNow() + 10 * kDay);
  clock_.Set(soon - absl::Milliseconds(1));
  EXPECT_EQ(New(), "");
  clock_.Set(soon);
  EXPECT_EQ(New(), "serverCertificates/api EXPIRES_SOON");
  EXPECT_EQ(next_ - absl::Milliseconds(1), pki::TestNow() + 40 * kDay);
}

TEST_F(ExpiriesTest, SaysNothingOfWhatSomebodyHasJustWritten) {
  AddServer("old", 3 * kDay);
  EXPECT_EQ(New(), "");
  AddServer("new", 3 * kDay);
  EXPECT_EQ(New(), "");
  // The answer of the import has the warning.
  AddServer("api", 300 * kDay);
  EXPECT_EQ(New(), "");
  ImportServer("api", 4 * kDay);
  EXPECT_EQ(New(), "");
  ASSERT_TRUE(
      servers_.Delete(caller_, write_, domain::ServerCertificateName("old"), {})
          .ok());
  clock_.Advance(5 * kDay);
  EXPECT_EQ(New(),
            "serverCertificates/api EXPIRED, serverCertificates/new EXPIRED");
}

TEST_F(ExpiriesTest, CountsAVersionThatADomainStillShows) {
  AddServer("api", 3 * kDay);
  ImportServer("api", 300 * kDay);
  EXPECT_EQ(New(), "");
  EXPECT_EQ(Days(), "serverCertificates/api 300");
  const std::string reference = store::ReferenceKey(
      "serverCertificates/api/versions/1", "domainNames/a.example.com");
  store::Commit commit;
  commit.puts.push_back({reference, "", {}});
  ASSERT_TRUE(store_->Apply(commit).ok());
  New();
  EXPECT_EQ(Days(), "serverCertificates/api 3");
  clock_.Advance(4 * kDay);
  EXPECT_EQ(New(), "serverCertificates/api EXPIRED");
  store::Commit gone;
  gone.deletes.push_back(reference);
  ASSERT_TRUE(store_->Apply(gone).ok());
  New();
  EXPECT_EQ(Days(), "serverCertificates/api 296");
}

TEST_F(ExpiriesTest, FollowsAReplacementOfTheWholeState) {
  AddServer("api", 40 * kDay);
  AddTruststore("partners", 41 * kDay);
  EXPECT_EQ(New(), "");
  store::Replacement replacement;
  replacement.expected = store_->Stats()->revision;
  replacement.kept_prefixes = {"truststores"};
  ASSERT_TRUE(store_->Replace(replacement).ok());
  EXPECT_EQ(New(), "");
  EXPECT_EQ(Days(), "truststores/partners 41");
}

TEST_F(ExpiriesTest, TellsWhoeverWatches) {
  AddServer("api", 40 * kDay);
  AddServer("other", 40 * kDay);
  EXPECT_EQ(New(), "");
  Events events(context_, &expiries_);
  std::vector<std::string> seen;
  int rounds = 0;
  const absl::Status watched = events.Watch(
      {0, {"serverCertificates/api"}},
      [&] {
        if (++rounds == 2) {
          clock_.Advance(11 * kDay);
          EXPECT_TRUE(expiries_.Look().ok());
        }
        return rounds > 3;
      },
      [&](const Event& event) {
        const auto& what = absl::get<WarningAdded>(event.what);
        EXPECT_EQ(event.revision, store_->Stats()->revision.value());
        EXPECT_EQ(event.time, clock_.Now());
        seen.push_back(absl::StrCat(what.resource, " ", what.warning.reason));
        return true;
      });
  EXPECT_TRUE(watched.ok()) << watched;
  EXPECT_EQ(absl::StrJoin(seen, ", "), "serverCertificates/api EXPIRES_SOON");
}

}  // namespace
}  // namespace sallyport::service
