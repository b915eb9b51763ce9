#include "config_service/service/renewals.h"

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
#include "config_service/service/internal_issuer.h"
#include "config_service/service/limits.h"
#include "config_service/service/testing/use_case_test.h"
#include "config_service/store/certificate_records.h"
#include "config_service/store/keys.h"
#include "gtest/gtest.h"
#include "pki/testing/make_certificate.h"

namespace sallyport::service {
namespace {

using domain::Condition;
using domain::Reason;
using domain::ServerCertificateName;
using domain::ServerCertificateVersionName;

constexpr absl::Duration kDay = absl::Hours(24);

Reason ReasonOf(const absl::Status& status) {
  const auto error = domain::ErrorOf(status);
  EXPECT_TRUE(error.has_value()) << status;
  return error.has_value() ? error->reason : Reason::kInternal;
}

// The issuer of the tests, whose rules and CA can be changed.
class ChangingIssuer final : public CertificateIssuer {
 public:
  explicit ChangingIssuer(std::unique_ptr<CertificateIssuer> issuer)
      : issuer_(std::move(issuer)) {}
  Info info() const override { return issuer_->info(); }
  void Check(const domain::Issuance& issuance,
             domain::Violations& violations) const override {
    issuer_->Check(issuance, violations);
  }
  absl::Time not_after() const override { return issuer_->not_after(); }
  absl::StatusOr<Issued> Issue(const domain::Issuance& issuance,
                               absl::Time now) override {
    return issuer_->Issue(issuance, now);
  }
  void Become(std::unique_ptr<CertificateIssuer> issuer) {
    issuer_ = std::move(issuer);
  }

 private:
  std::unique_ptr<CertificateIssuer> issuer_;
};

class IssuedCertificatesTest : public UseCaseTest {
 protected:
  IssuedCertificatesTest()
      : issuer_(MakeIssuer("example.com", 3650 * kDay)),
        certificates_(context_, nullptr, false, {{&issuer_}, 33}),
        none_(context_),
        audit_(store_.get()) {
    NewRenewals();
  }

  std::unique_ptr<CertificateIssuer> MakeIssuer(absl::string_view domains,
                                                absl::Duration left) {
    pki::TestCertificateSpec spec = pki::TestCaSpec("Ours");
    spec.not_after = clock_.Now() + left;
    const pki::TestCertificate ca =
        pki::MakeTestCertificate(spec, ca_key_, nullptr);
    InternalIssuer::Settings settings;
    settings.names = *domain::AllowedNames::Parse(domains);
    settings.validity = 90 * kDay;
    auto issuer = InternalIssuer::FromPem(ca.pem, Secret(ca.key.Pem()),
                                          clock_.Now(), settings);
    EXPECT_TRUE(issuer.ok()) << issuer.status();
    return *std::move(issuer);
  }
  void NewRenewals() {
    renewals_ = std::make_unique<Renewals>(
        context_, &certificates_, [this](const Renewals::Attempt& attempt) {
          attempts_.push_back(attempt);
        });
  }
  // The error of the attempts that a Run() makes; OK when there was none.
  std::vector<Renewals::Attempt> Run() {
    attempts_.clear();
    const auto next = renewals_->Run([] { return false; });
    EXPECT_TRUE(next.ok()) << next.status();
    next_ = next.value_or(absl::InfinitePast());
    return attempts_;
  }

  ServerCertificates::CreateRequest Wanted(const std::string& id,
                                           std::vector<std::string> names) {
    ServerCertificates::CreateRequest out;
    out.id = id;
    out.certificate.issuance.emplace();
    out.certificate.issuance->dns_names = std::move(names);
    return out;
  }
  absl::StatusOr<ServerCertificateView> Create(const std::string& id,
                                               std::vector<std::string> names) {
    return certificates_.Create(caller_, write_, Wanted(id, std::move(names)));
  }
  ServerCertificateView Get(const std::string& id) {
    const auto view = certificates_.Get(ServerCertificateName(id));
    EXPECT_TRUE(view.ok()) << view.status();
    return view.value_or(ServerCertificateView());
  }
  Condition Issued(const std::string& id) {
    const auto view = Get(id);
    const Condition* found =
        domain::FindCondition(view.certificate.conditions, "Issued");
    EXPECT_NE(found, nullptr);
    return found == nullptr ? Condition() : *found;
  }
  bool HasStatus(const std::string& id) {
    return store_->Get(store::StatusKey("serverCertificates/" + id))
        ->record.has_value();
  }

  const pki::TestKey ca_key_ = pki::TestKey::P256();
  ChangingIssuer issuer_;
  ServerCertificates certificates_;
  ServerCertificates none_;
  AuditLog audit_;
  std::unique_ptr<Renewals> renewals_;
  std::vector<Renewals::Attempt> attempts_;
  absl::Time next_;
};

TEST_F(IssuedCertificatesTest, AreMadeWhenTheyAreAskedFor) {
  const auto created = Create("api", {"api.example.com"});
  ASSERT_TRUE(created.ok()) << created.status();
  EXPECT_EQ(created->certificate.origin,
            domain::ServerCertificate::Origin::kIssued);
  EXPECT_EQ(created->certificate.issued_by, "internal");
  EXPECT_EQ(created->certificate.active_version, 1);
  ASSERT_EQ(created->chain.size(), 1u);
  EXPECT_TRUE(domain::CoversDomain(*created->chain[0], "api.example.com"));
  EXPECT_EQ(created->renew_time, clock_.Now() + 90 * kDay * 67 / 100);
  EXPECT_EQ(Issued("api").status, Condition::Status::kTrue);
  // Its key is sealed with the version, and nowhere else.
  const ServerCertificateVersionName version(ServerCertificateName("api"), 1);
  const auto record = store_->Get(store::KeyOf(version))->record.value();
  const auto key = store::OpenPrivateKey(version, record, *sealer_);
  ASSERT_TRUE(key.ok()) << key.status();
  const auto read = pki::PrivateKey::FromPem(*key);
  ASSERT_NE(read.key, nullptr);
  EXPECT_TRUE(read.key->BelongsTo(*created->chain[0]));
  EXPECT_FALSE(absl::StrContains(record.value, "PRIVATE KEY"));
  const auto entries = audit_.List({});
  ASSERT_TRUE(entries.ok()) << entries.status();
  for (const auto& entry : entries->items) {
    for (const auto& change : entry.changes) {
      EXPECT_FALSE(absl::StrContains(change.after_json, "PRIVATE KEY"));
    }
  }
}

TEST_F(IssuedCertificatesTest, AreRefusedWithAllThatIsWrong) {
  auto request = Wanted("api", {"api.example.org", "no name", "a.example.com"});
  request.certificate.issuance->validity = absl::Seconds(1);
  request.material.certificate_chain_pem = "x";
  const absl::Status status =
      certificates_.Create(caller_, write_, request).status();
  const auto error = domain::ErrorOf(status);
  ASSERT_TRUE(error.has_value()) << status;
  std::vector<std::string> fields;
  for (const auto& violation : error->violations) {
    fields.push_back(violation.field);
  }
  const std::string prefix = "server_certificate.issuance.";
  EXPECT_EQ(fields,
            (std::vector<std::string>{
                prefix + "dns_names[1]", prefix + "validity",
                prefix + "dns_names[0]", prefix + "dns_names[1]", "material"}));
  EXPECT_EQ(ReasonOf(Create("api", {"api.example.org"}).status()),
            Reason::kIssuerRefusesName);
  EXPECT_EQ(
      ReasonOf(none_.Create(caller_, write_, Wanted("api", {"api.example.com"}))
                   .status()),
      Reason::kIssuerNotConfigured);
  request = Wanted("api", {"api.example.com"});
  request.certificate.issuance->issuer = domain::IssuerName("acme");
  EXPECT_EQ(ReasonOf(certificates_.Create(caller_, write_, request).status()),
            Reason::kIssuerNotConfigured);
  // Neither the one nor the other: it would be imported.
  request.certificate.issuance.reset();
  EXPECT_EQ(ReasonOf(certificates_.Create(caller_, write_, request).status()),
            Reason::kFieldRequired);
  EXPECT_EQ(store_->Get("x")->revision.value(), 0);
}

TEST_F(IssuedCertificatesTest, AreOnlyCheckedWhenThatIsAskedFor) {
  write_.validate_only = true;
  const auto checked = Create("api", {"api.example.com"});
  ASSERT_TRUE(checked.ok()) << checked.status();
  EXPECT_EQ(checked->certificate.active_version, 0);
  EXPECT_TRUE(checked->chain.empty());
  EXPECT_EQ(store_->Get("x")->revision.value(), 0);
  write_.validate_only = false;
  ASSERT_TRUE(Create("api", {"api.example.com"}).ok());
  EXPECT_EQ(ReasonOf(Create("api", {"api.example.com"}).status()),
            Reason::kResourceAlreadyExists);
  write_.validate_only = true;
  EXPECT_TRUE(
      certificates_.Renew(caller_, write_, ServerCertificateName("api"), {})
          .ok());
  EXPECT_EQ(Get("api").certificate.active_version, 1);
}

TEST_F(IssuedCertificatesTest, AreMadeOnceForOneRequestId) {
  write_.request_id = "123e4567-e89b-12d3-a456-426614174000";
  const auto first = Create("api", {"api.example.com"});
  const auto second = Create("api", {"api.example.com"});
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_EQ(first->chain[0]->der(), second->chain[0]->der());
}

TEST_F(IssuedCertificatesTest, AreNotReplacedByImportedOnes) {
  ASSERT_TRUE(Create("api", {"api.example.com"}).ok());
  const pki::TestCertificate ca = pki::MakeTestCertificate(
      pki::TestCaSpec("Ours"), pki::TestKey::P256(), nullptr);
  pki::TestCertificateSpec spec = pki::TestLeafSpec("api.example.com");
  spec.alt_names = "DNS:api.example.com";
  spec.extended_key_usage = "serverAuth";
  const auto leaf = pki::MakeTestCertificate(spec, pki::TestKey::P256(), &ca);
  ServerCertificates::ImportRequest request;
  request.name = ServerCertificateName("api");
  request.material.certificate_chain_pem = leaf.pem;
  request.material.private_key_pem = Secret(leaf.key.Pem());
  request.issuer_conflict = ServerCertificates::IssuerConflict::kOverride;
  caller_.role = Role::kAdmin;
  EXPECT_EQ(ReasonOf(certificates_.Import(caller_, write_, request).status()),
            Reason::kCertificateIsIssued);
  EXPECT_EQ(Get("api").certificate.active_version, 1);
}

TEST_F(IssuedCertificatesTest, StayWhatTheyWereAskedFor) {
  ASSERT_TRUE(Create("api", {"api.example.com"}).ok());
  ServerCertificates::UpdateRequest request;
  request.certificate.name = ServerCertificateName("api");
  request.certificate.metadata.description = "ours";
  request.certificate.issuance.emplace();
  request.certificate.issuance->dns_names = {"b.example.com"};
  for (const char* path : {"issuance", "issuance.dns_names", "*"}) {
    request.mask = {path};
    EXPECT_EQ(ReasonOf(certificates_.Update(caller_, write_, request).status()),
              Reason::kFieldImmutable)
        << path;
  }
  // The same again is no change.
  request.certificate.issuance->dns_names = {"api.example.com"};
  request.mask = {"issuance.dns_names", "description"};
  const auto updated = certificates_.Update(caller_, write_, request);
  ASSERT_TRUE(updated.ok()) << updated.status();
  EXPECT_EQ(updated->certificate.metadata.description, "ours");
  // An imported one does not become an issued one.
  const pki::TestCertificate ca = pki::MakeTestCertificate(
      pki::TestCaSpec("Theirs"), pki::TestKey::P256(), nullptr);
  pki::TestCertificateSpec spec = pki::TestLeafSpec("b.example.com");
  spec.alt_names = "DNS:b.example.com";
  spec.extended_key_usage = "serverAuth";
  const auto leaf = pki::MakeTestCertificate(spec, pki::TestKey::P256(), &ca);
  ServerCertificates::CreateRequest import;
  import.id = "imported";
  import.material.certificate_chain_pem = leaf.pem;
  import.material.private_key_pem = Secret(leaf.key.Pem());
  ASSERT_TRUE(certificates_.Create(caller_, write_, import).ok());
  request.certificate.name = ServerCertificateName("imported");
  request.mask = {"issuance"};
  EXPECT_EQ(ReasonOf(certificates_.Update(caller_, write_, request).status()),
            Reason::kFieldImmutable);
  EXPECT_EQ(ReasonOf(certificates_
                         .Renew(caller_, write_,
                                ServerCertificateName("imported"), {})
                         .status()),
            Reason::kCertificateIsImported);
  EXPECT_TRUE(Run().empty());
  EXPECT_EQ(next_, Get("api").renew_time);
}

TEST_F(IssuedCertificatesTest, AreMadeAnewWhenSomebodyAsks) {
  ASSERT_TRUE(Create("api", {"api.example.com"}).ok());
  const auto before = Get("api");
  const ServerCertificateName name("api");
  EXPECT_EQ(
      ReasonOf(
          certificates_.Renew(caller_, write_, name, domain::Etag("\"other\""))
              .status()),
      Reason::kEtagMismatch);
  const auto renewed = certificates_.Renew(caller_, write_, name,
                                           before.certificate.metadata.etag);
  ASSERT_TRUE(renewed.ok()) << renewed.status();
  EXPECT_EQ(renewed->certificate.active_version, 2);
  EXPECT_NE(renewed->chain[0]->spki_der(), before.chain[0]->spki_der());
  EXPECT_EQ(domain::DnsNames(*renewed->chain[0]),
            std::vector<std::string>{"api.example.com"});
  EXPECT_EQ(
      ReasonOf(certificates_
                   .Renew(caller_, write_, ServerCertificateName("none"), {})
                   .status()),
      Reason::kResourceNotFound);
}

TEST_F(IssuedCertificatesTest, AreRenewedWhenAThirdOfTheirTimeIsLeft) {
  ASSERT_TRUE(Create("api", {"api.example.com"}).ok());
  const absl::Time due = Get("api").renew_time;
  EXPECT_TRUE(Run().empty());
  EXPECT_EQ(next_, due);
  clock_.Set(due - absl::Seconds(1));
  EXPECT_TRUE(Run().empty());
  clock_.Set(due);
  const auto attempts = Run();
  ASSERT_EQ(attempts.size(), 1u);
  EXPECT_TRUE(attempts[0].status.ok()) << attempts[0].status;
  const auto view = Get("api");
  EXPECT_EQ(view.certificate.active_version, 2);
  EXPECT_EQ(view.chain[0]->not_after(), due + 90 * kDay);
  EXPECT_EQ(next_, view.renew_time);
  EXPECT_TRUE(Run().empty());
  EXPECT_EQ(audit_.List({})->items[0].principal, "system:issuer");
  EXPECT_EQ(renewals_->counts().issued, 1);
  EXPECT_EQ(renewals_->counts().renewed, 1);
  // A process that starts later knows.
  NewRenewals();
  EXPECT_TRUE(Run().empty());
  EXPECT_EQ(next_, view.renew_time);
  clock_.Set(view.renew_time);
  EXPECT_EQ(Run().size(), 1u);
}

TEST_F(IssuedCertificatesTest, AreRenewedInTurn) {
  ASSERT_TRUE(Create("a", {"a.example.com"}).ok());
  clock_.Advance(absl::Hours(1));
  ASSERT_TRUE(Create("b", {"b.example.com"}).ok());
  EXPECT_TRUE(Run().empty());
  // Those that come and go while it runs are known too.
  clock_.Advance(absl::Hours(1));
  ASSERT_TRUE(Create("c", {"c.example.com"}).ok());
  ASSERT_TRUE(
      certificates_.Delete(caller_, write_, ServerCertificateName("a"), {})
          .ok());
  clock_.Advance(70 * kDay);
  std::vector<std::string> renewed;
  for (const auto& attempt : Run()) {
    EXPECT_TRUE(attempt.status.ok()) << attempt.status;
    renewed.push_back(attempt.certificate.id());
  }
  EXPECT_EQ(renewed, (std::vector<std::string>{"b", "c"}));
  clock_.Advance(70 * kDay);
  // One that is cancelled stops between two.
  int asked = 0;
  attempts_.clear();
  ASSERT_TRUE(renewals_->Run([&] { return ++asked > 1; }).ok());
  EXPECT_EQ(attempts_.size(), 1u);
}

TEST_F(IssuedCertificatesTest, SayWhenTheyCannotBeRenewedAndAreTriedAgain) {
  ASSERT_TRUE(Create("api", {"api.example.com"}).ok());
  EXPECT_TRUE(Run().empty());
  issuer_.Become(MakeIssuer("example.org", 3650 * kDay));
  clock_.Set(Get("api").renew_time);
  auto attempts = Run();
  ASSERT_EQ(attempts.size(), 1u);
  EXPECT_EQ(ReasonOf(attempts[0].status), Reason::kIssuerRefusesName);
  Condition issued = Issued("api");
  EXPECT_EQ(issued.status, Condition::Status::kFalse);
  EXPECT_EQ(issued.reason, "ISSUER_REFUSES_NAME");
  EXPECT_TRUE(absl::StrContains(issued.message, "--issuer-domains"));
  EXPECT_EQ(issued.transition_time, clock_.Now());
  EXPECT_EQ(renewals_->counts().failing, 1);
  // Later each time, up to the most.
  absl::Duration last = absl::ZeroDuration();
  for (int i = 0; i < 12; ++i) {
    const absl::Duration wait = next_ - clock_.Now();
    EXPECT_GE(wait,
              i == 0 ? kFirstRenewalRetry * 0.8 : last * 1.3 - absl::Hours(1));
    EXPECT_LE(wait, kMaxRenewalRetry * 1.2 + absl::Milliseconds(1));
    last = wait;
    EXPECT_TRUE(Run().empty());
    clock_.Set(next_);
    EXPECT_EQ(Run().size(), 1u);
  }
  EXPECT_GE(last, kMaxRenewalRetry * 0.8);
  EXPECT_EQ(renewals_->counts().failed, 13);
  // Asking for it by hand meets the same rule.
  EXPECT_EQ(
      ReasonOf(
          certificates_.Renew(caller_, write_, ServerCertificateName("api"), {})
              .status()),
      Reason::kIssuerRefusesName);
  // A change of something else does not make it be tried sooner.
  const absl::Time next = next_;
  ServerCertificates::UpdateRequest update;
  update.certificate.name = ServerCertificateName("api");
  update.certificate.metadata.description = "ours";
  update.mask = {"description"};
  ASSERT_TRUE(certificates_.Update(caller_, write_, update).ok());
  EXPECT_TRUE(Run().empty());
  EXPECT_EQ(next_, next);

  issuer_.Become(MakeIssuer("example.com", 3650 * kDay));
  clock_.Set(next_);
  attempts = Run();
  ASSERT_EQ(attempts.size(), 1u);
  EXPECT_TRUE(attempts[0].status.ok()) << attempts[0].status;
  EXPECT_EQ(Issued("api").status, Condition::Status::kTrue);
  EXPECT_EQ(renewals_->counts().failing, 0);
}

TEST_F(IssuedCertificatesTest, AreNoLongerSaidToFailWhenSomebodyRenewsThem) {
  ASSERT_TRUE(Create("api", {"api.example.com"}).ok());
  issuer_.Become(MakeIssuer("example.org", 3650 * kDay));
  clock_.Set(Get("api").renew_time);
  EXPECT_EQ(Run().size(), 1u);
  EXPECT_EQ(Issued("api").status, Condition::Status::kFalse);
  issuer_.Become(MakeIssuer("example.com", 3650 * kDay));
  const ServerCertificateName name("api");
  ASSERT_TRUE(certificates_.Renew(caller_, write_, name, {}).ok());
  EXPECT_TRUE(Run().empty());
  EXPECT_EQ(Issued("api").status, Condition::Status::kTrue);
  // Nor by a process that starts after that.
  issuer_.Become(MakeIssuer("example.org", 3650 * kDay));
  clock_.Set(Get("api").renew_time);
  EXPECT_EQ(Run().size(), 1u);
  issuer_.Become(MakeIssuer("example.com", 3650 * kDay));
  ASSERT_TRUE(certificates_.Renew(caller_, write_, name, {}).ok());
  EXPECT_EQ(Issued("api").status, Condition::Status::kFalse);
  NewRenewals();
  EXPECT_TRUE(Run().empty());
  EXPECT_EQ(Issued("api").status, Condition::Status::kTrue);
  // What was found out goes with the certificate.
  EXPECT_TRUE(HasStatus("api"));
  ASSERT_TRUE(certificates_.Delete(caller_, write_, name, {}).ok());
  EXPECT_FALSE(HasStatus("api"));
}

TEST_F(IssuedCertificatesTest, AreNotMadeAnewForNothing) {
  // The CA ends before what it makes would.
  issuer_.Become(MakeIssuer("example.com", 30 * kDay));
  ASSERT_TRUE(Create("api", {"api.example.com"}).ok());
  EXPECT_EQ(Get("api").chain[0]->not_after(), issuer_.not_after());
  clock_.Advance(29 * kDay);
  const auto attempts = Run();
  ASSERT_EQ(attempts.size(), 1u);
  EXPECT_EQ(ReasonOf(attempts[0].status), Reason::kIssuerExpires);
  EXPECT_EQ(Get("api").certificate.active_version, 1);
  EXPECT_EQ(Issued("api").reason, "ISSUER_EXPIRES");
  // With a newer CA of whatever name it goes on.
  issuer_.Become(MakeIssuer("example.com", 3650 * kDay));
  clock_.Set(next_);
  EXPECT_TRUE(Run().at(0).status.ok());
  EXPECT_EQ(Get("api").certificate.active_version, 2);
}

TEST_F(IssuedCertificatesTest, AreOnlyKnownAsFailingWhereThereIsNoIssuer) {
  ASSERT_TRUE(Create("api", {"api.example.com"}).ok());
  clock_.Set(Get("api").renew_time);
  Renewals without(context_, &none_, [this](const Renewals::Attempt& attempt) {
    attempts_.push_back(attempt);
  });
  ASSERT_TRUE(without.Run([] { return false; }).ok());
  ASSERT_EQ(attempts_.size(), 1u);
  EXPECT_EQ(ReasonOf(attempts_[0].status), Reason::kIssuerNotConfigured);
  EXPECT_EQ(Issued("api").reason, "ISSUER_NOT_CONFIGURED");
}

}  // namespace
}  // namespace sallyport::service
