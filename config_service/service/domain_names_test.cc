#include "config_service/service/domain_names.h"

#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/secret.h"
#include "config_service/domain/violations.h"
#include "config_service/service/api_mappings.h"
#include "config_service/service/apis.h"
#include "config_service/service/audit_log.h"
#include "config_service/service/server_certificates.h"
#include "config_service/service/testing/use_case_test.h"
#include "config_service/service/truststores.h"
#include "config_service/store/fleet_records.h"
#include "config_service/store/keys.h"
#include "config_service/store/list_records.h"
#include "gtest/gtest.h"
#include "pki/testing/make_certificate.h"

namespace sallyport::service {
namespace {

using domain::ApiMapping;
using domain::ApiMappingName;
using domain::ApiName;
using domain::DomainName;
using domain::DomainNameName;
using domain::Reason;
using domain::ServerCertificateName;
using domain::StageName;
using domain::TruststoreName;
using domain::TruststoreVersionName;
using Status = domain::DomainName::Status;

Reason ReasonOf(const absl::Status& status) {
  const auto error = domain::ErrorOf(status);
  EXPECT_TRUE(error.has_value()) << status;
  return error.has_value() ? error->reason : Reason::kInternal;
}

bool HasViolation(const absl::Status& status, absl::string_view field,
                  Reason reason) {
  const auto error = domain::ErrorOf(status);
  if (!error.has_value()) return false;
  for (const auto& violation : error->violations) {
    if (violation.field == field && violation.reason == reason) return true;
  }
  return false;
}

pki::TestCertificate Ca(const std::string& name) {
  return pki::MakeTestCertificate(pki::TestCaSpec(name), pki::TestKey::P256(),
                                  nullptr);
}

pki::TestCertificate Leaf(const pki::TestCertificate& ca,
                          const std::vector<std::string>& hosts,
                          absl::Duration valid = absl::Hours(24 * 365)) {
  pki::TestCertificateSpec spec = pki::TestLeafSpec(hosts[0]);
  // Names alone are subjects too.
  spec.subject.clear();
  spec.alt_names = "critical";
  for (const std::string& host : hosts) {
    absl::StrAppend(&spec.alt_names, ",DNS:", host);
  }
  spec.extended_key_usage = "serverAuth";
  spec.not_after = pki::TestNow() + valid;
  return pki::MakeTestCertificate(spec, pki::TestKey::P256(), &ca);
}

class DomainNamesTest : public UseCaseTest {
 protected:
  DomainNamesTest()
      : truststores_(context_),
        served_(store_.get()),
        certificates_(context_, &served_, /*ownership_required=*/false),
        domains_(context_, truststores_.bundles(), &served_, {}),
        strict_(context_, truststores_.bundles(), &served_, {true}),
        apis_(context_),
        mappings_(context_),
        audit_(store_.get()) {}

  void SetUp() override {
    AddCertificate("api", Leaf(ca_, {"api.example.com"}));
    AddTruststore("partners");
  }

  void AddCertificate(const std::string& id, const pki::TestCertificate& leaf) {
    ServerCertificates::CreateRequest request;
    request.id = id;
    request.material.certificate_chain_pem = leaf.pem;
    request.material.private_key_pem = Secret(leaf.key.Pem());
    const auto created = certificates_.Create(caller_, write_, request);
    ASSERT_TRUE(created.ok()) << created.status();
  }
  // What an issuer of the installation made.
  void AddIssued(const std::string& id, const pki::TestCertificate& leaf) {
    AddCertificate(id, leaf);
    const ServerCertificateName name(id);
    const auto got = store_->Get(store::KeyOf(name));
    auto certificate = store::Decode(name, *got->record);
    certificate->origin = domain::ServerCertificate::Origin::kIssued;
    store::Commit commit;
    commit.puts.push_back(
        {store::KeyOf(name), store::Encode(*certificate), {}});
    ASSERT_TRUE(store_->Apply(commit).ok());
  }
  void AddTruststore(const std::string& id) {
    Truststores::CreateRequest request;
    request.id = id;
    request.pem = Ca(absl::StrCat("Root ", id)).pem;
    const auto created = truststores_.Create(caller_, write_, request);
    ASSERT_TRUE(created.ok()) << created.status();
  }
  void AddEmptyTruststore(const std::string& id) {
    Truststores::CreateRequest request;
    request.id = id;
    ASSERT_TRUE(truststores_.Create(caller_, write_, request).ok());
  }
  static DomainName Plain(const std::string& certificate = "api") {
    DomainName domain_name;
    domain_name.server_certificate = ServerCertificateName(certificate);
    return domain_name;
  }
  static DomainName Mutual(const std::string& certificate = "api",
                           const std::string& truststore = "partners") {
    DomainName domain_name = Plain(certificate);
    domain::TruststoreBinding binding;
    binding.truststore = TruststoreName(truststore);
    domain_name.mutual_tls.emplace();
    domain_name.mutual_tls->truststores = {binding};
    return domain_name;
  }
  absl::StatusOr<DomainNameView> Create(const std::string& id,
                                        const DomainName& domain_name,
                                        DomainNames::Exceptions exceptions = {},
                                        DomainNames* service = nullptr) {
    // Audit entries of one instant are in no order.
    clock_.Advance(absl::Milliseconds(1));
    return (service == nullptr ? domains_ : *service)
        .Create(caller_, write_, {id, domain_name, exceptions});
  }
  absl::StatusOr<DomainNameView> Update(const std::string& id,
                                        DomainName domain_name,
                                        std::vector<std::string> mask,
                                        DomainNames::Exceptions exceptions = {},
                                        DomainNames* service = nullptr) {
    domain_name.name = DomainNameName(id);
    clock_.Advance(absl::Milliseconds(1));
    return (service == nullptr ? domains_ : *service)
        .Update(caller_, write_,
                {std::move(domain_name), std::move(mask), exceptions});
  }
  std::vector<std::string> Keys(const std::string& prefix) {
    store::ListRequest request;
    request.prefix = prefix;
    std::vector<std::string> out;
    const auto page = store_->List(request);
    EXPECT_TRUE(page.ok() && !page->more);
    for (const auto& record : page->records) out.push_back(record.key);
    return out;
  }
  static const domain::Condition* Find(const DomainNameView& view,
                                       absl::string_view type) {
    return domain::FindCondition(view.domain_name.conditions, type);
  }

  Truststores truststores_;
  ServedCertificates served_;
  ServerCertificates certificates_;
  DomainNames domains_;
  DomainNames strict_;
  Apis apis_;
  ApiMappings mappings_;
  AuditLog audit_;
  const pki::TestCertificate ca_ = Ca("Issuer A");
  const std::string api_ = "api.example.com";
};

TEST_F(DomainNamesTest, KeepsADomainAndWhatItNames) {
  const auto created = Create(api_, Mutual());
  ASSERT_TRUE(created.ok()) << created.status();
  EXPECT_EQ(created->served_version.ToString(),
            "serverCertificates/api/versions/1");
  // Nobody serves nodes here.
  EXPECT_EQ(created->domain_name.status, Status::kPending);
  EXPECT_EQ(Find(*created, "TruststoresReady")->status,
            domain::Condition::Status::kTrue);
  EXPECT_EQ(Find(*created, "CertificateValid")->status,
            domain::Condition::Status::kTrue);
  EXPECT_EQ(Find(*created, "Programmed")->status,
            domain::Condition::Status::kUnknown);
  const auto read = domains_.Get(DomainNameName(api_));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->domain_name.metadata.etag,
            created->domain_name.metadata.etag);
  EXPECT_EQ(ReasonOf(Create(api_, Mutual()).status()),
            Reason::kResourceAlreadyExists);

  // What it names stays as long as it does.
  EXPECT_EQ(ReasonOf(truststores_.Delete(caller_, write_,
                                         TruststoreName("partners"), {})),
            Reason::kResourceInUse);
  EXPECT_EQ(ReasonOf(certificates_.Delete(caller_, write_,
                                          ServerCertificateName("api"), {})),
            Reason::kResourceInUse);
  ASSERT_TRUE(domains_
                  .Delete(caller_, write_, DomainNameName(api_), {},
                          DomainNames::Mappings::kKeep)
                  .ok());
  EXPECT_TRUE(Keys("refs/").empty());
  EXPECT_TRUE(
      truststores_.Delete(caller_, write_, TruststoreName("partners"), {})
          .ok());
}

TEST_F(DomainNamesTest, SaysEverythingThatIsWrongAtOnce) {
  DomainName domain_name = Mutual("", "");
  domain_name.endpoint_type = domain::EndpointType::kEdge;
  domain_name.security_policy = domain::SecurityPolicy::kTls10;
  domain_name.metadata.description = "\x01";
  domain_name.mutual_tls->truststores[0].version =
      TruststoreVersionName(TruststoreName("partners"), 1);
  const absl::Status status = Create("Api.example.com.", domain_name).status();
  EXPECT_TRUE(
      HasViolation(status, "domain_name_id", Reason::kDomainNameInvalid));
  EXPECT_TRUE(HasViolation(status, "domain_name.server_certificate",
                           Reason::kFieldRequired));
  EXPECT_TRUE(HasViolation(status, "domain_name.endpoint_type",
                           Reason::kMutualTlsNeedsRegional));
  EXPECT_TRUE(HasViolation(status, "domain_name.security_policy",
                           Reason::kMutualTlsNeedsTls12));
  EXPECT_TRUE(
      HasViolation(status, "domain_name.description", Reason::kFieldMalformed));
  EXPECT_TRUE(HasViolation(status,
                           "domain_name.mutual_tls.truststores[0].version",
                           Reason::kTruststoreVersionWithoutUri));
  EXPECT_TRUE(HasViolation(Create("", Plain()).status(), "domain_name_id",
                           Reason::kFieldRequired));
  domain_name = Mutual();
  domain_name.endpoint_type = domain::EndpointType::kPrivate;
  EXPECT_EQ(ReasonOf(Create(api_, domain_name).status()),
            Reason::kMutualTlsNeedsRegional);
  EXPECT_TRUE(Keys("domainNames/").empty());
}

TEST_F(DomainNamesTest, TakesNoNameOfAFleetsDefaultEndpoints) {
  AddCertificate("exec", Leaf(ca_, {"exec.test", "*.exec.test",
                                    "*.victim.exec.test", "victimexec.test"}));
  domain::Fleet fleet;
  fleet.name = domain::DefaultFleet();
  fleet.default_endpoint_suffix = "exec.test";
  store::Commit commit;
  commit.puts.push_back({store::KeyOf(fleet.name), store::Encode(fleet), {}});
  fleet.name = domain::FleetName("edge");
  fleet.default_endpoint_suffix = "";
  commit.puts.push_back({store::KeyOf(fleet.name), store::Encode(fleet), {}});
  ASSERT_TRUE(store_->Apply(commit).ok());

  DomainName domain_name = Plain("exec");
  for (const char* id : {"*.exec.test", "victim.exec.test"}) {
    domain_name.fleets = {};
    EXPECT_TRUE(HasViolation(Create(id, domain_name).status(),
                             "domain_name.fleets", Reason::kFieldsConflict))
        << id;
    domain_name.fleets = {fleet.name, domain::DefaultFleet()};
    EXPECT_TRUE(HasViolation(Create(id, domain_name).status(),
                             "domain_name.fleets[1]", Reason::kFieldsConflict))
        << id;
    // Elsewhere it is a name like any other, and cannot come here later.
    domain_name.fleets = {fleet.name};
    EXPECT_TRUE(Create(id, domain_name).ok()) << id;
    domain_name.fleets = {domain::DefaultFleet()};
    EXPECT_TRUE(HasViolation(Update(id, domain_name, {"fleets"}).status(),
                             "domain_name.fleets[0]", Reason::kFieldsConflict))
        << id;
  }
  domain_name.fleets = {};
  for (const char* id : {"exec.test", "a.victim.exec.test",
                         "*.victim.exec.test", "victimexec.test"}) {
    const auto created = Create(id, domain_name);
    EXPECT_TRUE(created.ok()) << created.status();
  }
}

TEST_F(DomainNamesTest, RefusesToNameWhatIsNotThereOrOfTheWrongKind) {
  domain::CertificateList allow;
  allow.name = domain::CertificateListName("allow");
  allow.kind = domain::CertificateList::Kind::kAllow;
  store::Commit commit;
  commit.puts.push_back({store::KeyOf(allow.name), store::Encode(allow), {}});
  ASSERT_TRUE(store_->Apply(commit).ok());

  DomainName domain_name = Mutual("gone", "gone");
  domain_name.fleets = {domain::DefaultFleet(), domain::FleetName("gone")};
  domain_name.ownership_verification_certificate =
      ServerCertificateName("gone-too");
  domain::TruststoreBinding pinned;
  pinned.truststore = TruststoreName("partners");
  pinned.version = TruststoreVersionName(pinned.truststore, 7);
  domain_name.mutual_tls->truststores.push_back(pinned);
  domain_name.mutual_tls->deny_lists = {allow.name};
  domain_name.mutual_tls->allow_lists = {allow.name,
                                         domain::CertificateListName("gone")};
  const absl::Status status = Create(api_, domain_name).status();
  for (const char* field :
       {"domain_name.fleets[1]", "domain_name.server_certificate",
        "domain_name.ownership_verification_certificate",
        "domain_name.mutual_tls.truststores[0].truststore",
        "domain_name.mutual_tls.truststores[1].version",
        "domain_name.mutual_tls.allow_lists[1]"}) {
    EXPECT_TRUE(HasViolation(status, field, Reason::kReferenceNotFound))
        << field << status;
  }
  EXPECT_TRUE(HasViolation(status, "domain_name.mutual_tls.deny_lists[0]",
                           Reason::kCertificateListKind));
  EXPECT_EQ(domain::ErrorOf(status)->num_violations, 7u);
}

TEST_F(DomainNamesTest, WantsACertificateThatCoversTheDomain) {
  EXPECT_TRUE(HasViolation(Create("b.example.com", Plain()).status(),
                           "domain_name.server_certificate",
                           Reason::kCertificateDoesNotCoverDomain));
  EXPECT_TRUE(HasViolation(Create("*.example.com", Plain()).status(),
                           "domain_name.server_certificate",
                           Reason::kCertificateDoesNotCoverDomain));
  AddCertificate("wild", Leaf(ca_, {"*.example.com"}));
  EXPECT_TRUE(Create("b.example.com", Plain("wild")).ok());
  EXPECT_TRUE(Create("*.example.com", Plain("wild")).ok());
  EXPECT_TRUE(HasViolation(Create("a.b.example.com", Plain("wild")).status(),
                           "domain_name.server_certificate",
                           Reason::kCertificateDoesNotCoverDomain));
}

TEST_F(DomainNamesTest, TakesATruststoreThatTrustsNobodyOnlyByForce) {
  AddEmptyTruststore("empty");
  const absl::Status refused = Create(api_, Mutual("api", "empty")).status();
  EXPECT_TRUE(HasViolation(refused, "domain_name.mutual_tls.truststores[0]",
                           Reason::kTruststoreGivesNoTrust));
  const auto forced = Create(api_, Mutual("api", "empty"), {true, false});
  ASSERT_TRUE(forced.ok()) << forced.status();
  EXPECT_EQ(forced->domain_name.status, Status::kPending);
  EXPECT_TRUE(absl::StrContains(forced->domain_name.status_message,
                                "truststores/empty"));
  EXPECT_EQ(audit_.List({})->items[0].overrides,
            std::vector<std::string>{"force"});
  // What it has already does not stand in the way of another change.
  DomainName changed;
  changed.metadata.description = "x";
  EXPECT_TRUE(Update(api_, changed, {"description"}).ok());
  AddEmptyTruststore("empty2");
  EXPECT_TRUE(HasViolation(
      Update(api_, Mutual("api", "empty2"), {"mutual_tls.truststores"})
          .status(),
      "domain_name.mutual_tls.truststores[0]",
      Reason::kTruststoreGivesNoTrust));
}

TEST_F(DomainNamesTest, PinsAVersionWhichThenStays) {
  Truststores::CreateVersionRequest add;
  add.parent = TruststoreName("partners");
  add.pem = Ca("Root 2").pem;
  add.activate = Truststores::Activate::kYes;
  ASSERT_TRUE(truststores_.CreateVersion(caller_, write_, add).ok());
  add.pem = Ca("Root 3").pem;
  ASSERT_TRUE(truststores_.CreateVersion(caller_, write_, add).ok());
  DomainName domain_name = Mutual();
  const TruststoreVersionName first(TruststoreName("partners"), 1);
  domain_name.mutual_tls->truststores[0].version = first;
  ASSERT_TRUE(Create(api_, domain_name).ok());
  EXPECT_EQ(ReasonOf(truststores_.DeleteVersion(caller_, write_, first, {})),
            Reason::kResourceInUse);
  ASSERT_TRUE(Update(api_, Mutual(), {"mutual_tls.truststores"}).ok());
  EXPECT_TRUE(truststores_.DeleteVersion(caller_, write_, first, {}).ok());
}

TEST_F(DomainNamesTest, UpdatesTheFieldsThatAreNamedAndNoOthers) {
  DomainName domain_name = Mutual();
  domain_name.mutual_tls->rejection = domain::RejectionStyle::kHandshake;
  domain::ClientRule rule;
  rule.kind = domain::ClientRule::Kind::kSanDns;
  rule.values = {"a.example"};
  domain_name.mutual_tls->allow = rule;
  ASSERT_TRUE(Create(api_, domain_name).ok());
  DomainName changed;
  changed.metadata.labels = {{"team", "edge"}};
  auto updated = Update(api_, changed, {"labels"});
  ASSERT_TRUE(updated.ok()) << updated.status();
  EXPECT_EQ(updated->domain_name.metadata.labels.size(), 1u);
  ASSERT_TRUE(updated->domain_name.mutual_tls.has_value());

  // One field of mutual_tls, in a request that leaves the rest out: the domain
  // keeps its mutual TLS.
  updated = Update(api_, DomainName(), {"mutual_tls.allow"});
  ASSERT_TRUE(updated.ok()) << updated.status();
  ASSERT_TRUE(updated->domain_name.mutual_tls.has_value());
  EXPECT_FALSE(updated->domain_name.mutual_tls->allow.has_value());
  EXPECT_EQ(updated->domain_name.mutual_tls->rejection,
            domain::RejectionStyle::kHandshake);
  EXPECT_EQ(updated->domain_name.mutual_tls->truststores.size(), 1u);
  // All of it is switched off only by its own name.
  updated = Update(api_, DomainName(), {"mutual_tls"});
  ASSERT_TRUE(updated.ok()) << updated.status();
  EXPECT_FALSE(updated->domain_name.mutual_tls.has_value());
  EXPECT_TRUE(Keys("refs/truststores").empty());

  EXPECT_TRUE(HasViolation(Update(api_, DomainName(), {"status2"}).status(),
                           "update_mask", Reason::kFieldUnknown));
  changed.metadata.etag = domain::Etag("\"old\"");
  EXPECT_EQ(ReasonOf(Update(api_, changed, {"labels"}).status()),
            Reason::kEtagMismatch);
  EXPECT_EQ(ReasonOf(Update("x.example.com", changed, {"labels"}).status()),
            Reason::kResourceNotFound);
}

TEST_F(DomainNamesTest, RefusesCertificatesOfOneSubjectFromTwoIssuers) {
  ASSERT_TRUE(Create(api_, Mutual()).ok());
  const pki::TestCertificate other = Ca("Issuer B");
  AddCertificate("other", Leaf(other, {api_, "b.example.com"}));
  const absl::Status refused =
      Create("b.example.com", Mutual("other")).status();
  EXPECT_EQ(ReasonOf(refused), Reason::kCertificateIssuerConflict);
  EXPECT_EQ(refused.message(),
            "The certificate subject api.example.com conflicts with an "
            "existing certificate from a different issuer.");
  // Without mutual TLS there is nothing to conflict.
  ASSERT_TRUE(Create("b.example.com", Plain("other")).ok());
  EXPECT_EQ(
      ReasonOf(
          Update("b.example.com", Mutual("other"), {"mutual_tls"}).status()),
      Reason::kCertificateIssuerConflict);
  // Its own certificate is no other's.
  EXPECT_TRUE(Update(api_, Mutual("other"), {"server_certificate"}).ok());
  EXPECT_TRUE(Update(api_, Mutual("api"), {"server_certificate"}).ok());

  const DomainNames::Exceptions override_it{false, true};
  EXPECT_EQ(ReasonOf(Update("b.example.com", Mutual("other"), {"mutual_tls"},
                            override_it)
                         .status()),
            Reason::kRoleMissing);
  caller_.role = Role::kAdmin;
  ASSERT_TRUE(
      Update("b.example.com", Mutual("other"), {"mutual_tls"}, override_it)
          .ok());
  EXPECT_EQ(audit_.List({})->items[0].overrides,
            std::vector<std::string>{"override_issuer_conflict"});
  // Once the first has gone, the second's issuer is the one.
  ASSERT_TRUE(domains_
                  .Delete(caller_, write_, DomainNameName(api_), {},
                          DomainNames::Mappings::kKeep)
                  .ok());
  EXPECT_EQ(ReasonOf(Create(api_, Mutual()).status()),
            Reason::kCertificateIssuerConflict);
  EXPECT_TRUE(Create(api_, Mutual("other")).ok());
}

TEST_F(DomainNamesTest, GoesOnWithAVersionThatCoversIt) {
  AddCertificate("both", Leaf(ca_, {api_, "b.example.com"}));
  ASSERT_TRUE(Create(api_, Mutual("both")).ok());
  ASSERT_TRUE(Create("b.example.com", Plain("both")).ok());
  const auto import = [&](const std::vector<std::string>& hosts) {
    ServerCertificates::ImportRequest request;
    request.name = ServerCertificateName("both");
    const pki::TestCertificate leaf = Leaf(ca_, hosts);
    request.material.certificate_chain_pem = leaf.pem;
    request.material.private_key_pem = Secret(leaf.key.Pem());
    clock_.Advance(absl::Milliseconds(1));
    return certificates_.Import(caller_, write_, request).status();
  };
  ASSERT_TRUE(import({"b.example.com", "c.example.com"}).ok());
  auto held = domains_.Get(DomainNameName(api_));
  ASSERT_TRUE(held.ok()) << held.status();
  EXPECT_EQ(held->domain_name.status, Status::kPendingCertificateReimport);
  EXPECT_EQ(held->served_version.number(), 1);
  EXPECT_EQ(
      domains_.Get(DomainNameName("b.example.com"))->served_version.number(),
      2);
  EXPECT_EQ(audit_.List({})->items[0].changes[0].resource,
            "domainNames/api.example.com");
  EXPECT_EQ(Keys("refs/serverCertificates/both/versions/1/").size(), 1u);
  // It may be changed, and goes on with what it has.
  DomainName changed;
  changed.metadata.description = "x";
  EXPECT_EQ(Update(api_, changed, {"description"})->served_version.number(), 1);
  ASSERT_TRUE(import({"c.example.com"}).ok());
  EXPECT_EQ(domains_.Get(DomainNameName(api_))->served_version.number(), 1);
  ASSERT_TRUE(import({api_, "b.example.com", "c.example.com"}).ok());
  EXPECT_EQ(domains_.Get(DomainNameName(api_))->served_version.number(), 4);
  EXPECT_EQ(
      domains_.Get(DomainNameName("b.example.com"))->served_version.number(),
      4);
  EXPECT_TRUE(Keys("refs/serverCertificates/both/versions/").empty());

  // Another certificate in its place ends it too.
  ASSERT_TRUE(import({"b.example.com"}).ok());
  EXPECT_EQ(domains_.Get(DomainNameName(api_))->served_version.number(), 4);
  ASSERT_TRUE(Update(api_, Mutual("api"), {"server_certificate"}).ok());
  EXPECT_TRUE(Keys("refs/serverCertificates/both/versions/").empty());
}

TEST_F(DomainNamesTest, RefusesAnImportThatIsInConflict) {
  ASSERT_TRUE(Create(api_, Mutual()).ok());
  const pki::TestCertificate other = Ca("Issuer B");
  AddCertificate("other", Leaf(other, {"b.example.com"}));
  ServerCertificates::ImportRequest request;
  request.name = ServerCertificateName("other");
  const pki::TestCertificate leaf = Leaf(other, {"b.example.com", api_});
  request.material.certificate_chain_pem = leaf.pem;
  const auto import = [&] {
    request.material.private_key_pem = Secret(leaf.key.Pem());
    clock_.Advance(absl::Milliseconds(1));
    return certificates_.Import(caller_, write_, request).status();
  };
  ASSERT_TRUE(Create("b.example.com", Mutual("other")).ok());
  EXPECT_EQ(ReasonOf(import()), Reason::kCertificateIssuerConflict);
  caller_.role = Role::kAdmin;
  request.issuer_conflict = ServerCertificates::IssuerConflict::kOverride;
  ASSERT_TRUE(import().ok());
  EXPECT_EQ(audit_.List({})->items[0].overrides,
            std::vector<std::string>{"override_issuer_conflict"});
}

TEST_F(DomainNamesTest, WantsProofOfOwnershipWhereTheInstallationDoes) {
  EXPECT_TRUE(HasViolation(Create(api_, Mutual(), {}, &strict_).status(),
                           "domain_name.ownership_verification_certificate",
                           Reason::kOwnershipCertificateRequired));
  EXPECT_TRUE(Create(api_, Plain(), {}, &strict_).ok());

  AddCertificate("imported", Leaf(ca_, {api_}));
  AddIssued("elsewhere", Leaf(ca_, {"b.example.com"}));
  AddIssued("issued", Leaf(ca_, {api_}, absl::Hours(24 * 10)));
  AddIssued("renewed", Leaf(ca_, {api_, "b.example.com"}));
  const auto with = [&](const std::string& ownership) {
    DomainName domain_name = Mutual();
    domain_name.ownership_verification_certificate =
        ServerCertificateName(ownership);
    return Update(api_, domain_name,
                  {"mutual_tls", "ownership_verification_certificate"}, {},
                  &strict_);
  };
  EXPECT_EQ(ReasonOf(with("imported").status()),
            Reason::kOwnershipCertificateNotIssued);
  EXPECT_EQ(ReasonOf(with("elsewhere").status()),
            Reason::kOwnershipCertificateDoesNotCover);
  const auto good = with("issued");
  ASSERT_TRUE(good.ok()) << good.status();
  EXPECT_EQ(Find(*good, "OwnershipVerified")->status,
            domain::Condition::Status::kTrue);
  // It is shown by nobody else with mutual TLS.
  AddIssued("wild", Leaf(ca_, {"*.example.com", api_}));
  EXPECT_TRUE(HasViolation(
      Create("c.example.com", Mutual("issued"), {true, false}).status(),
      "domain_name.server_certificate", Reason::kOwnershipCertificateInUse));
  ASSERT_TRUE(Create("d.example.com", Mutual("wild"), {}, &strict_).ok());
  EXPECT_EQ(ReasonOf(with("wild").status()),
            Reason::kOwnershipCertificateInUse);

  // Once it has expired, nothing changes but it.
  clock_.Advance(absl::Hours(24 * 11));
  const auto expired = strict_.Get(DomainNameName(api_));
  EXPECT_EQ(expired->domain_name.status, Status::kPendingOwnershipVerification);
  EXPECT_EQ(Find(*expired, "OwnershipVerified")->status,
            domain::Condition::Status::kFalse);
  DomainName changed;
  changed.metadata.description = "x";
  EXPECT_EQ(
      ReasonOf(Update(api_, changed, {"description"}, {}, &strict_).status()),
      Reason::kDomainLocked);
  EXPECT_TRUE(with("renewed").ok());
  EXPECT_TRUE(Update(api_, changed, {"description"}, {}, &strict_).ok());
}

TEST_F(DomainNamesTest, LooksAtItsMappingsWhenItsMutualTlsComesOrGoes) {
  ASSERT_TRUE(Create(api_, Plain()).ok());
  const DomainNameName name(api_);
  domain::Api api;
  api.endpoint_type = domain::EndpointType::kPrivate;
  ASSERT_TRUE(apis_.CreateApi(caller_, write_, "inner", api).ok());
  ASSERT_TRUE(apis_.CreateApi(caller_, write_, "outer", domain::Api()).ok());
  for (const char* id : {"inner", "outer"}) {
    ASSERT_TRUE(
        apis_.CreateStage(caller_, write_, ApiName(id), "prod", domain::Stage())
            .ok());
    ApiMapping mapping;
    mapping.base_path = id;
    mapping.stage = StageName(ApiName(id), "prod");
    ASSERT_TRUE(mappings_.Create(caller_, write_, name, id, mapping).ok());
  }
  EXPECT_TRUE(HasViolation(Update(api_, Mutual(), {"mutual_tls"}).status(),
                           "domain_name.mutual_tls",
                           Reason::kMutualTlsOnPrivateApi));
  ASSERT_TRUE(
      mappings_.Delete(caller_, write_, ApiMappingName(name, "inner"), {})
          .ok());
  ASSERT_TRUE(Update(api_, Mutual(), {"mutual_tls"}).ok());
  ApiMapping optional;
  optional.name = ApiMappingName(name, "outer");
  optional.client_certificate = domain::ClientRequirement::kOptional;
  ASSERT_TRUE(
      mappings_.Update(caller_, write_, optional, {"client_certificate"}).ok());
  EXPECT_TRUE(HasViolation(Update(api_, Plain(), {"mutual_tls"}).status(),
                           "domain_name.mutual_tls",
                           Reason::kClientRuleWithoutMutualTls));

  const absl::Status kept =
      domains_.Delete(caller_, write_, name, {}, DomainNames::Mappings::kKeep);
  EXPECT_EQ(ReasonOf(kept), Reason::kResourceInUse);
  EXPECT_EQ(domain::ErrorOf(kept)->metadata[1].second,
            "domainNames/api.example.com/apiMappings/outer");
  clock_.Advance(absl::Milliseconds(1));
  ASSERT_TRUE(
      domains_.Delete(caller_, write_, name, {}, DomainNames::Mappings::kDelete)
          .ok());
  EXPECT_TRUE(Keys("domainNames").empty());
  EXPECT_TRUE(Keys("refs/").empty());
  EXPECT_EQ(audit_.List({})->items[0].changes.size(), 2u);
}

TEST_F(DomainNamesTest, RefusesMoreThanARecordHolds) {
  DomainName domain_name = Mutual();
  domain::PathRule path;
  path.exact = true;
  domain::ClientRule rule;
  rule.kind = domain::ClientRule::Kind::kSanDns;
  for (int i = 0; i < 100; ++i) {
    rule.values.push_back(
        absl::StrCat("a-host-of-some-length-", i, ".example"));
  }
  path.allow = rule;
  for (int i = 0; i < 200; ++i) {
    path.path = absl::StrCat("/", i);
    domain_name.mutual_tls->paths.push_back(path);
  }
  ASSERT_TRUE(Create(api_, domain_name).ok());
  for (int i = 200; i < 500; ++i) {
    path.path = absl::StrCat("/", i);
    domain_name.mutual_tls->paths.push_back(path);
  }
  EXPECT_EQ(ReasonOf(Update(api_, domain_name, {"mutual_tls.paths"}).status()),
            Reason::kRequestTooLarge);
}

TEST_F(DomainNamesTest, CarriesWarnings) {
  DomainName domain_name = Plain();
  domain_name.security_policy = domain::SecurityPolicy::kTls10;
  auto view = Create(api_, domain_name);
  ASSERT_TRUE(view.ok()) << view.status();
  ASSERT_EQ(view->warnings.size(), 1u);
  EXPECT_EQ(view->warnings[0].reason, "WEAK_SECURITY_POLICY");
  domain_name = Mutual();
  domain::ClientRule rule;
  rule.kind = domain::ClientRule::Kind::kTruststore;
  rule.values = {"elsewhere"};
  domain_name.mutual_tls->allow = rule;
  view = Update(api_, domain_name, {"*"});
  ASSERT_TRUE(view.ok()) << view.status();
  ASSERT_EQ(view->warnings.size(), 1u);
  EXPECT_EQ(view->warnings[0].reason, "UNKNOWN_TRUSTSTORE");
  // Of certificates too, as time goes by.
  clock_.Advance(absl::Hours(24 * 350));
  view = domains_.Get(DomainNameName(api_));
  EXPECT_EQ(view->num_warnings, 2u);
}

TEST_F(DomainNamesTest, ListsByWhatDomainsName) {
  AddCertificate("wild", Leaf(ca_, {"*.example.com"}));
  AddTruststore("others");
  DomainName both = Mutual("wild");
  domain::TruststoreBinding binding;
  binding.truststore = TruststoreName("others");
  both.mutual_tls->truststores.push_back(binding);
  ASSERT_TRUE(Create("a.example.com", both).ok());
  ASSERT_TRUE(Create(api_, Mutual()).ok());
  ASSERT_TRUE(Create("c.example.com", Plain("wild")).ok());
  const auto count = [&](const std::string& filter) {
    const auto page = domains_.List({0, "", filter});
    EXPECT_TRUE(page.ok()) << page.status();
    return page.ok() ? page->items.size() : 99;
  };
  EXPECT_EQ(count(""), 3u);
  EXPECT_EQ(count("truststore = \"truststores/partners\""), 2u);
  EXPECT_EQ(count("truststore = \"truststores/others\""), 1u);
  EXPECT_EQ(count("truststore != \"truststores/others\""), 2u);
  EXPECT_EQ(count("server_certificate = \"serverCertificates/wild\""), 2u);
  EXPECT_EQ(count("fleet = \"fleets/default\""), 3u);
  EXPECT_EQ(count("status = PENDING"), 3u);
  EXPECT_EQ(count("name : api"), 1u);
}

// Both are good alone; together they are in conflict. Whoever comes second is
// refused, also when they come at one time by two processes.
TEST_F(DomainNamesTest, RefusesAConflictOfTwoAtOneTime) {
  const pki::TestCertificate other = Ca("Issuer B");
  for (int i = 0; i < 20; ++i) {
    const std::string host = absl::StrCat("h", i, ".example.com");
    AddCertificate(absl::StrCat("a", i), Leaf(ca_, {host, "x." + host}));
    AddCertificate(absl::StrCat("b", i), Leaf(other, {host, "x." + host}));
    ServedCertificates served(store_.get());
    DomainNames elsewhere(context_, truststores_.bundles(), &served, {});
    absl::Status first;
    absl::Status second;
    std::thread one(
        [&] { first = Create(host, Mutual(absl::StrCat("a", i))).status(); });
    second = Create("x." + host, Mutual(absl::StrCat("b", i)), {}, &elsewhere)
                 .status();
    one.join();
    EXPECT_NE(first.ok(), second.ok()) << first << second;
    EXPECT_EQ(ReasonOf(first.ok() ? second : first),
              Reason::kCertificateIssuerConflict);
  }
}

}  // namespace
}  // namespace sallyport::service
