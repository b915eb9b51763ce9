#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "config_service/domain/limits.h"
#include "config_service/domain/violations.h"
#include "config_service/service/audit_log.h"
#include "config_service/service/client_certificates.h"
#include "config_service/service/limits.h"
#include "config_service/service/server_certificates.h"
#include "config_service/service/testing/use_case_test.h"
#include "config_service/store/keys.h"
#include "gtest/gtest.h"
#include "pki/testing/make_certificate.h"

namespace sallyport::service {
namespace {

using domain::ClientCertificateName;
using domain::Reason;
using domain::ServerCertificateName;
using domain::ServerCertificateVersionName;

constexpr char kUuid[] = "123e4567-e89b-12d3-a456-426614174000";

Reason ReasonOf(const absl::Status& status) {
  const auto error = domain::ErrorOf(status);
  EXPECT_TRUE(error.has_value()) << status;
  return error.has_value() ? error->reason : Reason::kInternal;
}

std::vector<std::string> FieldsOf(const absl::Status& status) {
  std::vector<std::string> out;
  const auto error = domain::ErrorOf(status);
  if (!error.has_value()) return out;
  for (const auto& violation : error->violations) {
    out.push_back(violation.field);
  }
  return out;
}

pki::TestCertificate Ca(const std::string& name) {
  return pki::MakeTestCertificate(pki::TestCaSpec(name), pki::TestKey::P256(),
                                  nullptr);
}

pki::TestCertificate Leaf(const pki::TestCertificate& ca,
                          const std::string& host,
                          absl::Duration valid = absl::Hours(24 * 365)) {
  pki::TestCertificateSpec spec = pki::TestLeafSpec(host);
  spec.alt_names = absl::StrCat("DNS:", host);
  spec.extended_key_usage = "serverAuth,clientAuth";
  spec.not_after = pki::TestNow() + valid;
  return pki::MakeTestCertificate(spec, pki::TestKey::P256(), &ca);
}

ServerCertificates::Material MaterialOf(const pki::TestCertificate& leaf) {
  ServerCertificates::Material out;
  out.certificate_chain_pem = leaf.pem;
  out.private_key_pem = Secret(leaf.key.Pem());
  return out;
}

class CertificatesTest : public UseCaseTest {
 protected:
  CertificatesTest()
      : UseCaseTest(Nodes::kFake),
        servers_(context_),
        clients_(context_),
        audit_(store_.get()) {}

  absl::StatusOr<ServerCertificateView> Create(
      const std::string& id, const pki::TestCertificate& leaf) {
    ServerCertificates::CreateRequest request;
    request.id = id;
    request.material = MaterialOf(leaf);
    return servers_.Create(caller_, write_, request);
  }
  absl::StatusOr<ServerCertificateView> Import(
      const std::string& id, const pki::TestCertificate& leaf) {
    ServerCertificates::ImportRequest request;
    request.name = ServerCertificateName(id);
    request.material = MaterialOf(leaf);
    return servers_.Import(caller_, write_, request);
  }
  absl::StatusOr<ClientCertificateView> Generate(const std::string& id) {
    ClientCertificates::GenerateRequest request;
    request.id = id;
    request.key_kind = pki::PrivateKey::Kind::kEcP256;
    return clients_.Generate(caller_, write_, request);
  }
  // A domain that shows the certificate `certificate`, without further ado.
  void PutDomain(const std::string& host, const std::string& certificate) {
    domain::DomainName domain_name;
    domain_name.name = domain::DomainNameName(host);
    domain_name.server_certificate = ServerCertificateName(certificate);
    store::Commit commit;
    commit.puts.push_back(
        {store::KeyOf(domain_name.name), store::Encode(domain_name), {}});
    commit.puts.push_back(
        {store::ReferenceKey(domain_name.server_certificate.ToString(),
                             domain_name.name.ToString()),
         "",
         {}});
    ASSERT_TRUE(store_->Apply(commit).ok());
  }
  // That `by` names `target`, as a resource's own commit would say.
  void Refer(const std::string& target, const std::string& by) {
    store::Commit commit;
    commit.puts.push_back({store::ReferenceKey(target, by), "", {}});
    ASSERT_TRUE(store_->Apply(commit).ok());
  }
  int64_t StoreRevision() { return store_->Get("x")->revision.value(); }
  // Every key and value that the store has.
  std::string Dump() {
    std::string out;
    store::ListRequest request;
    const auto page = store_->List(request);
    EXPECT_TRUE(page.ok() && !page->more);
    for (const store::Record& record : page->records) {
      absl::StrAppend(&out, record.key, "\n", record.value, "\n");
    }
    return out;
  }

  ServerCertificates servers_;
  ClientCertificates clients_;
  AuditLog audit_;
  const pki::TestCertificate ca_ = Ca("Issuer A");
};

using ServerCertificatesTest = CertificatesTest;

TEST_F(ServerCertificatesTest, ImportsACertificateWithItsKey) {
  const pki::TestCertificate leaf = Leaf(ca_, "api.example.com");
  const auto created = Create("api", leaf);
  ASSERT_TRUE(created.ok()) << created.status();
  EXPECT_EQ(created->certificate.active_version, 1);
  EXPECT_EQ(created->certificate.metadata.revision, StoreRevision());
  ASSERT_EQ(created->chain.size(), 1u);
  const auto read = servers_.Get(ServerCertificateName("api"));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->certificate.metadata.etag,
            created->certificate.metadata.etag);
  EXPECT_EQ(read->active.certificate_chain_pem, leaf.pem);
  EXPECT_EQ(
      domain::FindCondition(read->certificate.conditions, "Valid")->status,
      domain::Condition::Status::kTrue);
  EXPECT_EQ(ReasonOf(Create("api", leaf).status()),
            Reason::kResourceAlreadyExists);
}

TEST_F(ServerCertificatesTest, SealsTheKeyInTheStore) {
  const pki::TestCertificate leaf = Leaf(ca_, "api.example.com");
  ASSERT_TRUE(Create("api", leaf).ok());
  // Any line of the key's text gives it away.
  const std::string key = leaf.key.Pem();
  const std::string line = key.substr(key.find('\n') + 1, 40);
  const std::string dump = Dump();
  EXPECT_FALSE(absl::StrContains(dump, line));
  EXPECT_FALSE(absl::StrContains(dump, "PRIVATE KEY"));
  const ServerCertificateVersionName name(ServerCertificateName("api"), 1);
  const auto record = store_->Get(store::KeyOf(name));
  const auto opened = store::OpenPrivateKey(name, *record->record, *sealer_);
  ASSERT_TRUE(opened.ok()) << opened.status();
  EXPECT_TRUE(absl::StrContains(opened->Reveal(), "PRIVATE KEY"));
}

TEST_F(ServerCertificatesTest, SaysEverythingThatIsWrongAtOnce) {
  ServerCertificates::CreateRequest request;
  request.id = "Not-An-Id";
  request.certificate.metadata.description = std::string(2000, 'x');
  request.material.certificate_chain_pem = "no certificate";
  request.material.private_key_pem = Secret(std::string("no key"));
  const auto refused = servers_.Create(caller_, write_, request);
  EXPECT_EQ(FieldsOf(refused.status()),
            (std::vector<std::string>{
                "server_certificate_id", "server_certificate.description",
                "material.certificate_chain_pem", "material.private_key_pem"}));
  EXPECT_EQ(StoreRevision(), 0);
}

TEST_F(ServerCertificatesTest, RefusesTheKeyOfAnother) {
  ServerCertificates::CreateRequest request;
  request.id = "api";
  request.material = MaterialOf(Leaf(ca_, "api.example.com"));
  request.material.private_key_pem = Secret(pki::TestKey::P256().Pem());
  EXPECT_EQ(ReasonOf(servers_.Create(caller_, write_, request).status()),
            Reason::kPrivateKeyMismatch);
}

TEST_F(ServerCertificatesTest, PutsANewVersionInForceByReimport) {
  ASSERT_TRUE(Create("api", Leaf(ca_, "api.example.com")).ok());
  const pki::TestCertificate renewed = Leaf(ca_, "api.example.com");
  const auto imported = Import("api", renewed);
  ASSERT_TRUE(imported.ok()) << imported.status();
  EXPECT_EQ(imported->certificate.active_version, 2);
  EXPECT_EQ(imported->active.certificate_chain_pem, renewed.pem);
  const auto versions = servers_.ListVersions(ServerCertificateName("api"), {});
  ASSERT_TRUE(versions.ok()) << versions.status();
  ASSERT_EQ(versions->items.size(), 2u);
  EXPECT_EQ(versions->items[0].version.name.number(), 2);
  EXPECT_TRUE(versions->items[0].active);
  EXPECT_FALSE(versions->items[1].active);
  // What is in force already is no new version.
  const int64_t before = StoreRevision();
  const auto again = Import("api", renewed);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->certificate.active_version, 2);
  EXPECT_EQ(StoreRevision(), before);
}

TEST_F(ServerCertificatesTest, RefusesAReimportByAnotherIssuer) {
  ASSERT_TRUE(Create("api", Leaf(ca_, "api.example.com")).ok());
  EXPECT_EQ(
      ReasonOf(Import("api", Leaf(Ca("Issuer B"), "api.example.com")).status()),
      Reason::kCertificateIssuerChanged);
  EXPECT_EQ(ReasonOf(Import("none", Leaf(ca_, "api.example.com")).status()),
            Reason::kResourceNotFound);
}

TEST_F(ServerCertificatesTest, ImportsOnlyOntoTheEtagThatWasRead) {
  const auto created = Create("api", Leaf(ca_, "api.example.com"));
  ServerCertificates::ImportRequest request;
  request.name = ServerCertificateName("api");
  request.material = MaterialOf(Leaf(ca_, "api.example.com"));
  request.etag = created->certificate.metadata.etag;
  ASSERT_TRUE(servers_.Import(caller_, write_, request).ok());
  request.material = MaterialOf(Leaf(ca_, "api.example.com"));
  EXPECT_EQ(ReasonOf(servers_.Import(caller_, write_, request).status()),
            Reason::kEtagMismatch);
}

TEST_F(ServerCertificatesTest, LetsOnlyAnAdminOverrideAConflict) {
  ASSERT_TRUE(Create("api", Leaf(ca_, "api.example.com")).ok());
  ServerCertificates::ImportRequest request;
  request.name = ServerCertificateName("api");
  request.material = MaterialOf(Leaf(ca_, "api.example.com"));
  request.issuer_conflict = ServerCertificates::IssuerConflict::kOverride;
  EXPECT_EQ(ReasonOf(servers_.Import(caller_, write_, request).status()),
            Reason::kRoleMissing);
  caller_.role = Role::kAdmin;
  EXPECT_TRUE(servers_.Import(caller_, write_, request).ok());
}

TEST_F(ServerCertificatesTest, DropsTheOldestVersionThatNobodyShows) {
  ASSERT_TRUE(Create("api", Leaf(ca_, "api.example.com")).ok());
  Refer("serverCertificates/api/versions/1", "domainNames/held.example.com");
  for (size_t i = 1; i < kMaxVersionsOfServerCertificate; ++i) {
    ASSERT_TRUE(Import("api", Leaf(ca_, "api.example.com")).ok());
  }
  const auto version = [&](int64_t n) {
    return servers_
        .GetVersion(
            ServerCertificateVersionName(ServerCertificateName("api"), n))
        .status();
  };
  EXPECT_TRUE(version(2).ok());
  ASSERT_TRUE(Import("api", Leaf(ca_, "api.example.com")).ok());
  EXPECT_TRUE(version(1).ok());
  EXPECT_EQ(ReasonOf(version(2)), Reason::kResourceNotFound);
  EXPECT_TRUE(version(3).ok());
}

TEST_F(ServerCertificatesTest, HoldsAsManyDomainsAsItSays) {
  ASSERT_TRUE(Create("api", Leaf(ca_, "*.example.com")).ok());
  for (size_t i = 0; i < kMaxHeldDomainsOfImport; ++i) {
    PutDomain(absl::StrCat("d", i, ".example.com"), "api");
  }
  const auto num_held = [&] {
    size_t held = 0;
    for (size_t i = 0; i < kMaxHeldDomainsOfImport; ++i) {
      const domain::DomainNameName name(absl::StrCat("d", i, ".example.com"));
      const auto got = store_->Get(store::KeyOf(name));
      const auto read = store::Decode(name, *got->record);
      held += read->held_certificate_version != 0;
    }
    return held;
  };
  const auto held = Import("api", Leaf(ca_, "other.example.com"));
  ASSERT_TRUE(held.ok()) << held.status();
  EXPECT_EQ(num_held(), kMaxHeldDomainsOfImport);
  const auto released = Import("api", Leaf(ca_, "*.example.com"));
  ASSERT_TRUE(released.ok()) << released.status();
  EXPECT_EQ(num_held(), 0u);
  PutDomain("one-more.example.com", "api");
  EXPECT_EQ(ReasonOf(Import("api", Leaf(ca_, "other.example.com")).status()),
            Reason::kQuotaExceeded);
  EXPECT_EQ(num_held(), 0u);
}

TEST_F(ServerCertificatesTest, ChangesNothingWhenItOnlyValidates) {
  write_.validate_only = true;
  const auto checked = Create("api", Leaf(ca_, "api.example.com"));
  ASSERT_TRUE(checked.ok()) << checked.status();
  EXPECT_EQ(checked->chain.size(), 1u);
  EXPECT_EQ(StoreRevision(), 0);
  write_.validate_only = false;
  ASSERT_TRUE(Create("api", Leaf(ca_, "api.example.com")).ok());
  const int64_t before = StoreRevision();
  write_.validate_only = true;
  const auto imported = Import("api", Leaf(ca_, "api.example.com"));
  ASSERT_TRUE(imported.ok()) << imported.status();
  EXPECT_EQ(imported->certificate.active_version, 2);
  EXPECT_EQ(StoreRevision(), before);
}

TEST_F(ServerCertificatesTest, AnswersARepeatedRequestAsTheFirst) {
  write_.request_id = kUuid;
  ServerCertificates::CreateRequest request;
  request.id = "api";
  request.material = MaterialOf(Leaf(ca_, "api.example.com"));
  const auto first = servers_.Create(caller_, write_, request);
  ASSERT_TRUE(first.ok()) << first.status();
  const int64_t before = StoreRevision();
  const auto again = servers_.Create(caller_, write_, request);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->certificate.metadata.etag, first->certificate.metadata.etag);
  EXPECT_EQ(StoreRevision(), before);
}

TEST_F(ServerCertificatesTest, UpdatesDescriptionAndLabelsAlone) {
  auto created = Create("api", Leaf(ca_, "api.example.com"));
  ServerCertificates::UpdateRequest request;
  request.certificate.name = ServerCertificateName("api");
  request.certificate.metadata.description = "new";
  request.certificate.metadata.labels["team"] = "edge";
  request.mask = {"description"};
  const auto updated = servers_.Update(caller_, write_, request);
  ASSERT_TRUE(updated.ok()) << updated.status();
  EXPECT_EQ(updated->certificate.metadata.description, "new");
  EXPECT_TRUE(updated->certificate.metadata.labels.empty());
  request.mask = {"private_key_pem"};
  EXPECT_EQ(ReasonOf(servers_.Update(caller_, write_, request).status()),
            Reason::kFieldUnknown);
}

TEST_F(ServerCertificatesTest, IsNotDeletedWhileSomethingNamesIt) {
  ASSERT_TRUE(Create("api", Leaf(ca_, "api.example.com")).ok());
  const ServerCertificateName name("api");
  Refer("serverCertificates/api", "domainNames/api.example.com");
  const absl::Status refused = servers_.Delete(caller_, write_, name, {});
  EXPECT_EQ(ReasonOf(refused), Reason::kResourceInUse);
  EXPECT_TRUE(
      absl::StrContains(refused.message(), "domainNames/api.example.com"));
  store::Commit commit;
  commit.deletes.push_back(store::ReferenceKey("serverCertificates/api",
                                               "domainNames/api.example.com"));
  ASSERT_TRUE(store_->Apply(commit).ok());
  ASSERT_TRUE(servers_.Delete(caller_, write_, name, {}).ok());
  EXPECT_EQ(ReasonOf(servers_.Get(name).status()), Reason::kResourceNotFound);
  EXPECT_EQ(
      ReasonOf(
          servers_.GetVersion(ServerCertificateVersionName(name, 1)).status()),
      Reason::kResourceNotFound);
}

TEST_F(ServerCertificatesTest, WarnsAsTimePasses) {
  ASSERT_TRUE(
      Create("api", Leaf(ca_, "api.example.com", absl::Hours(24 * 60))).ok());
  const ServerCertificateName name("api");
  EXPECT_TRUE(servers_.Get(name)->warnings.empty());
  clock_.Advance(absl::Hours(24 * 40));
  auto view = servers_.Get(name);
  ASSERT_EQ(view->warnings.size(), 1u);
  EXPECT_EQ(view->warnings[0].reason, "EXPIRES_SOON");
  EXPECT_EQ(
      domain::FindCondition(view->certificate.conditions, "Expiring")->status,
      domain::Condition::Status::kTrue);
  clock_.Advance(absl::Hours(24 * 21));
  view = servers_.Get(name);
  ASSERT_EQ(view->warnings.size(), 1u);
  EXPECT_EQ(view->warnings[0].reason, "EXPIRED");
  EXPECT_EQ(
      domain::FindCondition(view->certificate.conditions, "Valid")->status,
      domain::Condition::Status::kFalse);
}

TEST_F(ServerCertificatesTest, ShowsWhatTheNodesHaveOfIt) {
  ASSERT_TRUE(Create("api", Leaf(ca_, "api.example.com")).ok());
  store::ResourceStatus status;
  domain::Condition programmed;
  programmed.type = "Programmed";
  programmed.status = domain::Condition::Status::kTrue;
  programmed.transition_time = pki::TestNow();
  status.conditions.push_back(programmed);
  store::Commit commit;
  commit.puts.push_back(
      {store::StatusKey("serverCertificates/api"), store::Encode(status), {}});
  ASSERT_TRUE(store_->Apply(commit).ok());
  const auto view = servers_.Get(ServerCertificateName("api"));
  const auto* found =
      domain::FindCondition(view->certificate.conditions, "Programmed");
  ASSERT_NE(found, nullptr);
  EXPECT_EQ(found->status, domain::Condition::Status::kTrue);
  EXPECT_EQ(found->transition_time, pki::TestNow());
}

TEST_F(ServerCertificatesTest, ListsByWhatItIsFilteredBy) {
  ASSERT_TRUE(
      Create("short", Leaf(ca_, "a.example.com", absl::Hours(24))).ok());
  ASSERT_TRUE(Create("long", Leaf(ca_, "b.example.com")).ok());
  PageRequest request;
  request.filter =
      absl::StrCat("not_after < \"",
                   absl::FormatTime("%Y-%m-%dT%H:%M:%SZ",
                                    pki::TestNow() + absl::Hours(24 * 7),
                                    absl::UTCTimeZone()),
                   "\" AND origin = IMPORTED");
  const auto page = servers_.List(request);
  ASSERT_TRUE(page.ok()) << page.status();
  ASSERT_EQ(page->items.size(), 1u);
  EXPECT_EQ(page->items[0].certificate.name.id(), "short");
}

TEST_F(ServerCertificatesTest, KeepsTheKeyOutOfTheAuditLogAndOfErrors) {
  const pki::TestCertificate leaf = Leaf(ca_, "api.example.com");
  ASSERT_TRUE(Create("api", leaf).ok());
  const auto page = audit_.List({});
  ASSERT_EQ(page->items.size(), 1u);
  EXPECT_EQ(page->items[0].changes.size(), 2u);
  for (const auto& change : page->items[0].changes) {
    EXPECT_FALSE(absl::StrContains(change.after_json, "PRIVATE KEY"));
  }
  // A key where the chain belongs.
  ServerCertificates::CreateRequest request;
  request.id = "b";
  request.material = MaterialOf(leaf);
  request.material.certificate_chain_pem = leaf.key.Pem();
  const absl::Status refused =
      servers_.Create(caller_, write_, request).status();
  const std::string key = leaf.key.Pem();
  EXPECT_FALSE(absl::StrContains(refused.ToString(),
                                 key.substr(key.find('\n') + 1, 20)));
}

using ClientCertificatesTest = CertificatesTest;

TEST_F(ClientCertificatesTest, GeneratesOneThatSignsItself) {
  const auto made = Generate("backend");
  ASSERT_TRUE(made.ok()) << made.status();
  ASSERT_EQ(made->chain.size(), 1u);
  const pki::Certificate& certificate = *made->chain[0];
  EXPECT_TRUE(certificate.IsSelfSigned());
  EXPECT_EQ(certificate.Subject(), "CN=sallyport-backend");
  EXPECT_EQ(certificate.not_after(),
            pki::TestNow() + domain::kGeneratedValidity);
  EXPECT_LE(certificate.not_before(), pki::TestNow());
  EXPECT_FALSE(absl::StrContains(Dump(), "PRIVATE KEY"));
  const ClientCertificateName name("backend");
  const auto record = store_->Get(store::KeyOf(name));
  const auto key = store::OpenPrivateKey(name, *record->record, *sealer_);
  ASSERT_TRUE(key.ok()) << key.status();
  const auto read = pki::PrivateKey::FromPem(*key);
  ASSERT_NE(read.key, nullptr);
  EXPECT_TRUE(read.key->BelongsTo(certificate));
}

TEST_F(ClientCertificatesTest, MakesTheKeyThatIsAskedFor) {
  ClientCertificates::GenerateRequest request;
  const auto rsa = clients_.Generate(caller_, write_, request);
  ASSERT_TRUE(rsa.ok()) << rsa.status();
  EXPECT_EQ(rsa->chain[0]->public_key().type, pki::KeyType::kRsa);
  EXPECT_EQ(rsa->chain[0]->public_key().bits, 2048);
  request.key_kind = pki::PrivateKey::Kind::kEcP384;
  request.common_name = "gateway";
  const auto ec = clients_.Generate(caller_, write_, request);
  ASSERT_TRUE(ec.ok()) << ec.status();
  EXPECT_EQ(ec->chain[0]->public_key().type, pki::KeyType::kEcP384);
  EXPECT_EQ(ec->chain[0]->Subject(), "CN=gateway");
  EXPECT_NE(ec->certificate.name, rsa->certificate.name);
}

TEST_F(ClientCertificatesTest, RefusesACommonNameThatIsTooLong) {
  ClientCertificates::GenerateRequest request;
  request.key_kind = pki::PrivateKey::Kind::kEcP256;
  request.common_name = std::string(domain::kMaxCommonNameLength, 'x');
  EXPECT_TRUE(clients_.Generate(caller_, write_, request).ok());
  request.common_name += "x";
  EXPECT_EQ(FieldsOf(clients_.Generate(caller_, write_, request).status()),
            std::vector<std::string>{"common_name"});
}

TEST_F(ClientCertificatesTest, FindsTheOneItMadeWhenARequestIsRepeated) {
  write_.request_id = kUuid;
  const auto first = Generate("");
  ASSERT_TRUE(first.ok()) << first.status();
  const auto again = Generate("");
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->certificate.name, first->certificate.name);
  EXPECT_EQ(clients_.List({})->items.size(), 1u);
}

TEST_F(ClientCertificatesTest, ImportsOnesOwn) {
  const pki::TestCertificate leaf = Leaf(ca_, "client.example.com");
  ClientCertificates::ImportRequest request;
  request.id = "own";
  request.certificate_chain_pem = leaf.pem;
  request.private_key_pem = Secret(leaf.key.Pem());
  const auto imported = clients_.Import(caller_, write_, request);
  ASSERT_TRUE(imported.ok()) << imported.status();
  EXPECT_EQ(imported->certificate.origin,
            domain::ClientCertificate::Origin::kImported);
  request.id = "other";
  request.private_key_pem = Secret(pki::TestKey::P256().Pem());
  EXPECT_EQ(ReasonOf(clients_.Import(caller_, write_, request).status()),
            Reason::kPrivateKeyMismatch);
}

TEST_F(ClientCertificatesTest, KeepsItsKeyWhenItIsDescribedAnew) {
  const auto made = Generate("backend");
  ClientCertificates::UpdateRequest request;
  request.certificate.name = ClientCertificateName("backend");
  request.certificate.metadata.description = "for the ledger";
  request.mask = {"description"};
  const auto updated = clients_.Update(caller_, write_, request);
  ASSERT_TRUE(updated.ok()) << updated.status();
  EXPECT_NE(updated->certificate.metadata.etag,
            made->certificate.metadata.etag);
  const auto record = store_->Get(store::KeyOf(request.certificate.name));
  const auto key = store::OpenPrivateKey(request.certificate.name,
                                         *record->record, *sealer_);
  ASSERT_TRUE(key.ok()) << key.status();
  EXPECT_TRUE(pki::PrivateKey::FromPem(*key).key->BelongsTo(*made->chain[0]));
  // Nothing to change changes nothing, though each seal is another.
  const int64_t before = StoreRevision();
  ASSERT_TRUE(clients_.Update(caller_, write_, request).ok());
  EXPECT_EQ(StoreRevision(), before);
}

TEST_F(ClientCertificatesTest, IsNotDeletedWhileAStageNamesIt) {
  ASSERT_TRUE(Generate("backend").ok());
  const ClientCertificateName name("backend");
  Refer("clientCertificates/backend", "apis/a/stages/prod");
  EXPECT_EQ(clients_.Get(name)->stages,
            std::vector<std::string>{"apis/a/stages/prod"});
  EXPECT_EQ(ReasonOf(clients_.Delete(caller_, write_, name, {})),
            Reason::kResourceInUse);
}

TEST_F(ClientCertificatesTest, IsNotDeletedWhileANodeMayPresentIt) {
  ASSERT_TRUE(Generate("backend").ok());
  const ClientCertificateName name("backend");
  rollouts_.presenting = {domain::NodeName(domain::DefaultFleet(), "edge-1")};
  const absl::Status refused = clients_.Delete(caller_, write_, name, {});
  EXPECT_EQ(ReasonOf(refused), Reason::kClientCertificateInForce);
  EXPECT_TRUE(absl::StrContains(refused.message(), "edge-1"));
  EXPECT_EQ(
      domain::FindCondition(clients_.Get(name)->certificate.conditions, "InUse")
          ->reason,
      "STILL_ON_NODES");
  rollouts_.presenting.clear();
  EXPECT_TRUE(clients_.Delete(caller_, write_, name, {}).ok());
  EXPECT_EQ(ReasonOf(clients_.Get(name).status()), Reason::kResourceNotFound);
}

}  // namespace
}  // namespace sallyport::service
