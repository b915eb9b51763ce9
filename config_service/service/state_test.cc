#include "config_service/service/state.h"

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "base/clock.h"
#include "config_service/domain/violations.h"
#include "config_service/service/api_drafts.h"
#include "config_service/service/api_mappings.h"
#include "config_service/service/apis.h"
#include "config_service/service/audit_log.h"
#include "config_service/service/certificate_lists.h"
#include "config_service/service/client_certificates.h"
#include "config_service/service/domain_names.h"
#include "config_service/service/fleets.h"
#include "config_service/service/internal_issuer.h"
#include "config_service/service/limits.h"
#include "config_service/service/proxy_ca.h"
#include "config_service/service/revocation_lists.h"
#include "config_service/service/server_certificates.h"
#include "config_service/service/state_check.h"
#include "config_service/service/testing/plain_audit_format.h"
#include "config_service/service/truststores.h"
#include "config_service/store/ca_record.h"
#include "config_service/store/certificate_records.h"
#include "config_service/store/fleet_records.h"
#include "config_service/store/for_each_record.h"
#include "config_service/store/memory.h"
#include "config_service/store/sqlite/sqlite_store.h"
#include "gtest/gtest.h"
#include "pki/crypto/hpke.h"
#include "pki/testing/make_certificate.h"
#include "pki/x509/pem.h"

namespace sallyport::service {
namespace {

using domain::Reason;
using store::ExportedRecord;

constexpr char kUuid[] = "123e4567-e89b-12d3-a456-426614174000";

Reason ReasonOf(const absl::Status& status) {
  const auto error = domain::ErrorOf(status);
  EXPECT_TRUE(error.has_value()) << status;
  return error.has_value() ? error->reason : Reason::kInternal;
}

pki::TestCertificate Ca(const std::string& name) {
  return pki::MakeTestCertificate(pki::TestCaSpec(name), pki::TestKey::P256(),
                                  nullptr);
}

std::string Crl() {
  pki::TestRevocationListSpec spec;
  spec.next_update = pki::TestNow() + absl::Hours(24);
  pki::TestRevocationListSpec::Entry entry;
  entry.serial = pki::TestSerial(7);
  spec.entries.push_back(entry);
  return pki::MakeTestRevocationList(spec, Ca("CRL issuer")).pem;
}

// A store with all use cases.
struct Installation {
  explicit Installation(
      char fill, std::unique_ptr<store::Store> in = store::NewMemoryStore())
      : store(std::move(in)),
        sealer([fill] {
          std::vector<Secret> keys;
          keys.emplace_back(std::string(store::kSealingKeyBytes, fill));
          return store::Sealer::FromKeys(std::move(keys)).value();
        }()),
        context{store.get(), &clock, &format, sealer.get()},
        ca(*ProxyCa::Open(*store, *sealer, clock, "test")),
        internal(*InternalIssuer::FromStore(
            *store, *sealer, clock,
            {*domain::AllowedNames::Parse("*"), absl::Hours(24 * 90)})),
        truststores(context),
        served(store.get()),
        servers(context, &served, /*ownership_required=*/false,
                {{internal.get()}}),
        clients(context),
        domains(context, truststores.bundles(), &served, {}),
        mappings(context),
        apis(context),
        revocation(context),
        lists(context),
        fleets(context),
        audit(store.get()),
        state_owner(State::Make(context).value()),
        state(*state_owner) {
    EXPECT_TRUE(fleets.EnsureDefault().ok());
  }

  // One of everything at least.
  void Fill() {
    const auto good = [](const auto& made) {
      EXPECT_TRUE(made.ok()) << made.status();
    };
    RevocationLists::CreateRequest crl;
    crl.id = "revoked";
    crl.content = Crl();
    good(revocation.Create(caller, write, crl));
    for (const auto kind : {domain::CertificateList::Kind::kDeny,
                            domain::CertificateList::Kind::kAllow}) {
      CertificateLists::CreateRequest list;
      const bool deny = kind == domain::CertificateList::Kind::kDeny;
      list.id = deny ? "denied" : "allowed";
      list.list.kind = kind;
      list.entries.resize(2);
      list.entries[0].sha256 = std::string(64, 'a');
      list.entries[1].sha256 = std::string(64, 'b');
      if (deny) {
        list.entries[1].kind =
            domain::CertificateListEntry::Kind::kIssuerAndSerial;
        list.entries[1].sha256.clear();
        list.entries[1].issuer = "CN=Root A";
        list.entries[1].serial = "0a";
      }
      good(lists.Create(caller, write, list));
    }
    Truststores::CreateRequest truststore;
    truststore.id = "partners";
    truststore.pem = Ca("Root A").pem;
    truststore.truststore.revocation_lists = {
        domain::RevocationListName("revoked")};
    truststore.truststore.metadata.labels["team"] = "edge";
    good(truststores.Create(caller, write, truststore));
    Truststores::CreateVersionRequest version;
    version.parent = domain::TruststoreName("partners");
    version.pem = absl::StrCat(Ca("Root A").pem, Ca("Root B").pem);
    version.activate = Truststores::Activate::kYes;
    good(truststores.CreateVersion(caller, write, version));
    pki::TestCertificateSpec spec = pki::TestLeafSpec("api.example.com");
    spec.alt_names = "DNS:api.example.com";
    spec.extended_key_usage = "serverAuth";
    const pki::TestCertificate issuer = Ca("Server CA");
    for (int i = 0; i < 2; ++i) {
      const pki::TestCertificate leaf =
          pki::MakeTestCertificate(spec, pki::TestKey::P256(), &issuer);
      ServerCertificates::Material material;
      material.certificate_chain_pem = leaf.pem;
      material.private_key_pem = Secret(leaf.key.Pem());
      if (i == 0) {
        ServerCertificates::CreateRequest request;
        request.id = "api";
        request.material = std::move(material);
        good(servers.Create(caller, write, request));
      } else {
        ServerCertificates::ImportRequest request;
        request.name = domain::ServerCertificateName("api");
        request.material = std::move(material);
        good(servers.Import(caller, write, request));
      }
    }
    ServerCertificates::CreateRequest issued;
    issued.id = "issued";
    issued.certificate.issuance.emplace();
    issued.certificate.issuance->dns_names = {"issued.example.com"};
    good(servers.Create(caller, write, issued));
    const pki::TestCertificate carrier = Ca("carrier");
    store::CaRecord pair;
    pair.certificate_pem = carrier.pem;
    pair.private_key_pem = Secret(carrier.key.Pem());
    const std::string carrier_key(store::kCarrierCertificateKey);
    good(
        store->Apply({{},
                      {{carrier_key,
                        sealer->Seal(store::PairPem(pair), carrier_key).value(),
                        {}}},
                      {}}));
    ClientCertificates::GenerateRequest client;
    client.id = "backend";
    client.key_kind = pki::PrivateKey::Kind::kEcP256;
    good(clients.Generate(caller, write, client));
    Fleets::CreateRequest fleet;
    fleet.id = "edge";
    good(fleets.Create(caller, write, fleet));
    domain::DomainName domain_name;
    domain_name.server_certificate = domain::ServerCertificateName("api");
    domain_name.fleets = {domain::FleetName("edge")};
    domain_name.mutual_tls.emplace();
    domain_name.mutual_tls->truststores.resize(1);
    domain_name.mutual_tls->truststores[0].truststore =
        domain::TruststoreName("partners");
    domain_name.mutual_tls->deny_lists = {
        domain::CertificateListName("denied")};
    good(domains.Create(caller, write, {"api.example.com", domain_name, {}}));
    const domain::ApiName orders("orders");
    good(apis.CreateApi(caller, write, "orders", domain::Api()));
    domain::Route route;
    route.method = "GET";
    route.path = "/{proxy+}";
    domain::HttpProxyIntegration proxy;
    proxy.uri = "https://backend.example.com/${stageVariables.path}";
    proxy.tls.truststore = domain::TruststoreName("partners");
    route.integration = proxy;
    good(apis.CreateRoute(caller, write, orders, "all", route));
    ApiDrafts drafts(context);
    good(drafts.Change(caller, write, orders, [](ApiDraftView& view) {
      view.draft.version = "v1";
      view.draft.paths = {"/empty"};
      view.draft.methods[{"/{proxy+}", "GET"}] = "{}";
      return absl::OkStatus();
    }));
    domain::Stage stage;
    stage.variables["path"] = "v1";
    stage.client_certificate = domain::ClientCertificateName("backend");
    good(apis.CreateStage(caller, write, orders, "prod", stage));
    for (int i = 0; i < 2; ++i) {
      Apis::CreateDeploymentRequest deployment;
      deployment.parent = orders;
      deployment.stage = domain::StageName(orders, "prod");
      good(apis.CreateDeployment(caller, write, deployment));
      clock.Advance(absl::Seconds(1));
    }
    domain::ApiMapping mapping;
    mapping.base_path = "v1/orders";
    mapping.stage = domain::StageName(orders, "prod");
    mapping.allow_lists = {domain::CertificateListName("allowed")};
    good(mappings.Create(caller, write,
                         domain::DomainNameName("api.example.com"), "m",
                         mapping));
  }

  struct Exported {
    StateHeader header;
    std::string bytes;
    StateTrailer trailer;
  };
  // `meanwhile` is called with each piece that was given.
  Exported Export(
      const std::string& recipient, bool audit_log = true,
      const std::function<void()>& meanwhile = [] {}) {
    Exported out;
    const auto trailer = state.Export(
        caller, write, {recipient, audit_log},
        [&](const StateHeader& header) {
          out.header = header;
          return true;
        },
        [&](absl::string_view bytes) {
          absl::StrAppend(&out.bytes, bytes);
          meanwhile();
          return true;
        });
    EXPECT_TRUE(trailer.ok()) << trailer.status();
    if (trailer.ok()) out.trailer = *trailer;
    return out;
  }
  absl::StatusOr<ImportedState> Import(const Exported& exported,
                                       const Secret& key, bool replace = false,
                                       const Write& how = {}) {
    State::ImportRequest request;
    request.header = exported.header;
    request.recipient_private_key = key.Clone();
    request.replace = replace;
    auto import = state.Begin(caller, how, std::move(request));
    if (!import.ok()) return import.status();
    for (size_t at = 0; at < exported.bytes.size(); at += 1000) {
      const absl::Status status =
          (*import)->Append(exported.bytes.substr(at, 1000));
      if (!status.ok()) return status;
    }
    return (*import)->Finish(exported.trailer);
  }

  // Every record under its key, but for what differs by nature; of one with a
  // private key that key, and what the record has beside it.
  std::map<std::string, std::string> Records() {
    std::map<std::string, std::string> out;
    const auto add = [&](const store::Record& record) {
      const auto rule = store::ExportRuleOf(record.key);
      if (!rule.has_value()) return absl::InternalError(record.key);
      const bool reference = absl::StartsWith(record.key, "refs/");
      if (*rule == store::ExportRule::kAuditEntry ||
          (*rule == store::ExportRule::kNotExported && !reference)) {
        return absl::OkStatus();
      }
      std::string& text = out[record.key];
      text = record.value;
      if (absl::StartsWith(record.key, "serverCertificates.versions/")) {
        const domain::ServerCertificateVersionName name(
            domain::ServerCertificateName(
                std::string(store::ParentIdOfKey(record.key))),
            store::VersionOfKey(record.key));
        const auto key = store::OpenPrivateKey(name, record, *sealer);
        text = absl::StrCat(key.ok() ? key->Reveal() : key.status().message(),
                            store::Decode(name, record)->certificate_chain_pem);
      } else if (absl::StartsWith(record.key, "clientCertificates/")) {
        const domain::ClientCertificateName name(
            std::string(store::IdOfKey(record.key)));
        const auto key = store::OpenPrivateKey(name, record, *sealer);
        text = absl::StrCat(key.ok() ? key->Reveal() : key.status().message(),
                            store::Decode(name, record)->certificate_chain_pem);
      } else if (record.key == store::kCarrierCertificateKey) {
        const auto pair = sealer->Open(record.value, record.key);
        text =
            pair.ok() ? std::string(pair->Reveal()) : pair.status().ToString();
      } else if (*rule == store::ExportRule::kOwnKey) {
        const auto pair = store::DecodeCa(record, *sealer);
        text = pair.ok() ? absl::StrCat(pair->certificate_pem,
                                        pair->private_key_pem.Reveal())
                         : pair.status().ToString();
      }
      for (const store::BlobDigest& blob : record.blobs) {
        absl::StrAppend(&text, "\n", *ReadBlob(*store, blob));
      }
      return absl::OkStatus();
    };
    const auto read = store::ForEachRecord(*store, store::ListRequest(), add);
    EXPECT_TRUE(read.ok()) << read.status();
    return out;
  }
  std::vector<domain::AuditEntry> AuditEntries() {
    PageRequest request;
    request.page_size = kMaxPageSize;
    return audit.List(request)->items;
  }

  FakeClock clock{pki::TestNow()};
  PlainAuditFormat format;
  const std::unique_ptr<store::Store> store;
  const std::unique_ptr<store::Sealer> sealer;
  const Context context;
  const std::unique_ptr<ProxyCa> ca;
  const std::unique_ptr<InternalIssuer> internal;
  Truststores truststores;
  ServedCertificates served;
  ServerCertificates servers;
  ClientCertificates clients;
  DomainNames domains;
  ApiMappings mappings;
  Apis apis;
  RevocationLists revocation;
  CertificateLists lists;
  Fleets fleets;
  AuditLog audit;
  const std::unique_ptr<State> state_owner;
  State& state;
  Caller caller{"token:admin", "127.0.0.1", Role::kAdmin};
  Write write{"sallyport.config.v1.State/Test", false, "", {}};
};

class StateTest : public testing::Test {
 protected:
  StateTest() { from_.Fill(); }

  Installation from_{'a'};
  Installation to_{'b'};
  const pki::HpkeKey key_ = pki::NewHpkeKey();
};

TEST_F(StateTest, RestoresEverythingInAnotherInstallation) {
  const Installation::Exported exported = from_.Export(key_.public_key);
  EXPECT_FALSE(absl::StrContains(exported.bytes, "PRIVATE KEY"));
  const auto imported = to_.Import(exported, key_.private_key);
  ASSERT_TRUE(imported.ok()) << imported.status();
  const auto wanted = from_.Records();
  const auto found = to_.Records();
  for (const auto& [key, value] : wanted) {
    const auto other = found.find(key);
    ASSERT_NE(other, found.end()) << key;
    EXPECT_EQ(other->second, value) << key;
  }
  EXPECT_EQ(found.size(), wanted.size());
  EXPECT_EQ(imported->without_private_key, std::vector<std::string>());
  EXPECT_EQ(imported->revision, to_.store->Stats()->revision.value());
  // It goes on as the other would have.
  EXPECT_EQ(ReasonOf(to_.truststores.Delete(
                to_.caller, to_.write, domain::TruststoreName("partners"), {})),
            Reason::kResourceInUse);
  Truststores::CreateVersionRequest version;
  version.parent = domain::TruststoreName("partners");
  version.pem = Ca("Root C").pem;
  const auto made =
      to_.truststores.CreateVersion(to_.caller, to_.write, version);
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_EQ(made->version.name.number(), 3);
  // The nodes' certificates are of the other's CA.
  EXPECT_TRUE(imported->restart_required);
  EXPECT_TRUE(to_.state.restart_required());
}

TEST_F(StateTest, MovesBetweenStores) {
  const std::string folder = testing::TempDir() + "/moves_between_stores";
  std::filesystem::remove_all(folder);
  auto sqlite = store::SqliteStore::Open(folder);
  ASSERT_TRUE(sqlite.ok()) << sqlite.status();
  Installation kept('c', *std::move(sqlite));
  ASSERT_TRUE(
      kept.Import(from_.Export(key_.public_key), key_.private_key).ok());
  EXPECT_EQ(kept.Records(), from_.Records());
  ASSERT_TRUE(to_.Import(kept.Export(key_.public_key), key_.private_key).ok());
  EXPECT_EQ(to_.Records(), from_.Records());
}

TEST_F(StateTest, ExportsOneRevisionWhateverIsWrittenMeanwhile) {
  // More than one page of records.
  CertificateLists::CreateRequest list;
  list.id = "large";
  list.list.kind = domain::CertificateList::Kind::kDeny;
  for (size_t i = 0; i < domain::kMaxEntriesOfRequest; ++i) {
    domain::CertificateListEntry entry;
    entry.sha256 = absl::StrFormat("%064x", i);
    list.entries.push_back(std::move(entry));
  }
  ASSERT_TRUE(from_.lists.Create(from_.caller, from_.write, list).ok());
  ASSERT_GT(from_.Records().size(), store::kMaxPageRecords);
  const auto before = from_.Records();
  const int64_t revision = from_.store->Stats()->revision.value();
  int calls = 0;
  const auto write = [&] {
    if (++calls % 1000 != 1) return;
    Truststores::CreateRequest truststore;
    truststore.id = absl::StrCat("new-", calls);
    truststore.pem = Ca("New").pem;
    EXPECT_TRUE(
        from_.truststores.Create(from_.caller, from_.write, truststore).ok());
    Fleets::UpdateRequest fleet;
    fleet.fleet.name = domain::FleetName("edge");
    fleet.fleet.metadata.description = absl::StrCat(calls);
    fleet.mask = {"description"};
    EXPECT_TRUE(from_.fleets.Update(from_.caller, from_.write, fleet).ok());
    // What is at the end.
    if (calls > 1) return;
    EXPECT_TRUE(from_.domains
                    .Delete(from_.caller, from_.write,
                            domain::DomainNameName("api.example.com"), {},
                            DomainNames::Mappings::kDelete)
                    .ok());
  };
  const auto exported = from_.Export("", false, write);
  EXPECT_EQ(exported.header.revision, revision);
  EXPECT_GT(calls, 2000);
  ASSERT_TRUE(to_.Import(exported, Secret()).ok());
  const auto after = to_.Records();
  for (const auto& [key, value] : before) {
    if (store::HasPrivateKey(key)) continue;
    const auto found = after.find(key);
    ASSERT_NE(found, after.end()) << key;
    EXPECT_EQ(found->second, value) << key;
  }
  for (const auto& [key, value] : after) {
    EXPECT_EQ(before.count(key), 1u) << key;
  }
}

TEST_F(StateTest, TellsImportedAuditEntriesFromItsOwn) {
  const auto before = to_.AuditEntries();
  const auto imported =
      to_.Import(from_.Export(key_.public_key), key_.private_key);
  ASSERT_TRUE(imported.ok()) << imported.status();
  // What was there, the import itself, and the other's, of which the export is
  // the last.
  const auto theirs = from_.AuditEntries();
  EXPECT_EQ(imported->num_audit_entries, static_cast<int64_t>(theirs.size()));
  const auto after = to_.AuditEntries();
  EXPECT_EQ(after.size(), before.size() + 1 + theirs.size());
  std::set<int64_t> own;
  std::set<int64_t> of_the_other;
  for (const domain::AuditEntry& entry : after) {
    if (entry.imported_from.empty()) {
      own.insert(entry.revision);
    } else {
      EXPECT_EQ(entry.imported_from, from_.store->lineage().id());
      of_the_other.insert(entry.revision);
    }
  }
  EXPECT_EQ(own.count(imported->revision), 1u);
  for (const domain::AuditEntry& entry : theirs) {
    EXPECT_EQ(of_the_other.count(entry.revision), 1u) << entry.revision;
    const auto got = to_.audit.Get(entry.revision, from_.store->lineage().id());
    ASSERT_TRUE(got.ok()) << got.status();
    EXPECT_EQ(got->method, entry.method);
  }
  const auto import = to_.audit.Get(imported->revision);
  ASSERT_TRUE(import.ok()) << import.status();
  EXPECT_EQ(import->changes[0].resource, "state");
  EXPECT_TRUE(absl::StrContains(import->changes[0].after_json,
                                from_.store->lineage().id()));
  // Again, and then back: nothing comes twice, and nothing is lost.
  const auto again = to_.Import(from_.Export("", true), Secret(), true);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(to_.AuditEntries().size(), after.size() + 1);
  const auto back = from_.Import(to_.Export("", true), Secret(), true);
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_EQ(from_.AuditEntries().size(), after.size() + 2);
}

TEST_F(StateTest, LeavesPrivateKeysOutUnlessTheyAreSealedToSomebody) {
  const Installation::Exported exported = from_.Export("", false);
  EXPECT_FALSE(exported.header.has_private_keys);
  const auto imported = to_.Import(exported, Secret());
  ASSERT_TRUE(imported.ok()) << imported.status();
  EXPECT_EQ(absl::StrJoin(imported->without_private_key, " "),
            "clientCertificates/backend serverCertificates/api/versions/1 "
            "serverCertificates/api/versions/2 "
            "serverCertificates/issued/versions/1");
  EXPECT_FALSE(imported->restart_required);
  EXPECT_EQ(imported->num_audit_entries, 0);
  // A new version mends it.
  ClientCertificates::UpdateRequest update;
  update.certificate.name = domain::ClientCertificateName("backend");
  update.certificate.metadata.description = "x";
  update.mask = {"description"};
  EXPECT_EQ(
      ReasonOf(to_.clients.Update(to_.caller, to_.write, update).status()),
      Reason::kPrivateKeyMissing);
  // Who took keys is in the audit log; who took none is not.
  const size_t entries = from_.AuditEntries().size();
  from_.Export("", false);
  EXPECT_EQ(from_.AuditEntries().size(), entries);
  from_.Export(key_.public_key, false);
  EXPECT_EQ(from_.AuditEntries().size(), entries + 1);
}

// A part of each private key that the installation has, as it is in DER and as
// it is in PEM.
std::set<std::string> KeyMaterial(Installation& installation) {
  std::set<std::string> out;
  for (const auto& [key, text] : installation.Records()) {
    pki::ReadPem(text, text.size(), [&](const pki::PemBlock& block) {
      if (!absl::StrContains(block.label, "PRIVATE KEY")) return true;
      // Of PKCS #8 with P-256 the key itself: bytes 36 to 68. In PEM the second
      // line begins within it.
      const std::string der(block.data);
      out.insert(der.substr(40, 24));
      out.insert(absl::Base64Escape(der).substr(64, 24));
      return true;
    });
  }
  return out;
}

TEST_F(StateTest, ShowsNoPrivateKeyToWhoeverReadsAnExport) {
  const std::set<std::string> material = KeyMaterial(from_);
  // Of two certificates, two CAs, and the tests' own.
  ASSERT_GE(material.size(), 10u);
  for (const std::string& recipient : {std::string(), key_.public_key}) {
    const std::string bytes = from_.Export(recipient).bytes;
    for (const std::string& part : material) {
      EXPECT_FALSE(absl::StrContains(bytes, part));
    }
    // Nor what the store has: that would be of use to whoever has its key.
    for (const char* key :
         {"system/proxyCa", "installation/carrierCertificate"}) {
      const std::string value = from_.store->Get(key)->record->value;
      EXPECT_FALSE(absl::StrContains(bytes, value.substr(value.size() / 2)));
    }
  }
}

TEST_F(StateTest, KeepsWhatIsKnownOfDomainsThatStay) {
  const Installation::Exported exported = from_.Export(key_.public_key);
  ASSERT_TRUE(to_.Import(exported, key_.private_key).ok());
  for (const char* key :
       {"status/domainNames/api.example.com", "status/domainNames/gone.example",
        "status/serverCertificates/issued"}) {
    ASSERT_TRUE(to_.store->Apply({{}, {{key, "x", {}}}, {}}).ok());
  }
  ASSERT_TRUE(to_.Import(exported, key_.private_key, true).ok());
  const auto there = [&](const char* key) {
    return to_.store->Get(key)->record.has_value();
  };
  EXPECT_TRUE(there("status/domainNames/api.example.com"));
  EXPECT_FALSE(there("status/domainNames/gone.example"));
  EXPECT_FALSE(there("status/serverCertificates/issued"));
}

TEST_F(StateTest, ReplacesAStateOnlyIfAsked) {
  const Installation::Exported exported = from_.Export(key_.public_key);
  Truststores::CreateRequest other;
  other.id = "other";
  other.pem = Ca("Other").pem;
  ASSERT_TRUE(to_.truststores.Create(to_.caller, to_.write, other).ok());
  const auto before = to_.Records();
  EXPECT_EQ(ReasonOf(to_.Import(exported, key_.private_key).status()),
            Reason::kStateNotEmpty);
  Write check = to_.write;
  check.validate_only = true;
  const auto checked = to_.Import(exported, key_.private_key, true, check);
  ASSERT_TRUE(checked.ok()) << checked.status();
  EXPECT_EQ(to_.Records(), before);
  EXPECT_FALSE(to_.state.restart_required());
  ASSERT_TRUE(to_.Import(exported, key_.private_key, true).ok());
  EXPECT_EQ(
      ReasonOf(to_.truststores.Get(domain::TruststoreName("other")).status()),
      Reason::kResourceNotFound);
  EXPECT_EQ(to_.Records().size(), from_.Records().size());
}

TEST_F(StateTest, CarriesOneRequestOutOnce) {
  const Installation::Exported exported = from_.Export(key_.public_key);
  Write write = to_.write;
  write.request_id = kUuid;
  const auto first = to_.Import(exported, key_.private_key, true, write);
  ASSERT_TRUE(first.ok()) << first.status();
  const auto second = to_.Import(exported, key_.private_key, true, write);
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_EQ(second->revision, first->revision);
  EXPECT_EQ(second->num_resources, first->num_resources);
  EXPECT_EQ(
      ReasonOf(
          to_.Import(from_.Export("", false), Secret(), true, write).status()),
      Reason::kRequestIdReused);
}

TEST_F(StateTest, ChangesNothingWhenAnExportIsNotWhole) {
  const Installation::Exported exported = from_.Export(key_.public_key);
  const auto before = to_.Records();
  const auto refuse =
      [&](const std::function<void(Installation::Exported&)>& damage,
          const Secret& key) {
        Installation::Exported bad = exported;
        damage(bad);
        return ReasonOf(to_.Import(bad, key).status());
      };
  using E = Installation::Exported;
  EXPECT_EQ(refuse([](E& e) { e.bytes.pop_back(); }, key_.private_key),
            Reason::kExportInvalid);
  EXPECT_EQ(
      refuse([](E& e) { e.bytes[e.bytes.size() / 2] ^= 1; }, key_.private_key),
      Reason::kExportInvalid);
  EXPECT_EQ(refuse([](E& e) { ++e.trailer.size_bytes; }, key_.private_key),
            Reason::kExportInvalid);
  EXPECT_EQ(refuse([](E& e) { e.trailer.sha256 = ""; }, key_.private_key),
            Reason::kExportInvalid);
  EXPECT_EQ(refuse([](E& e) { e.header.format_version = 2; }, key_.private_key),
            Reason::kExportInvalid);
  EXPECT_EQ(refuse([](E& e) { e.header.has_private_keys = false; }, Secret()),
            Reason::kExportInvalid);
  EXPECT_EQ(refuse([](E&) {}, pki::NewHpkeKey().private_key),
            Reason::kExportInvalid);
  EXPECT_EQ(refuse([](E&) {}, Secret()), Reason::kFieldRequired);
  EXPECT_EQ(refuse([](E&) {}, Secret::CopyOf("short")),
            Reason::kFieldMalformed);
  EXPECT_EQ(to_.Records(), before);
  // One at a time; and one that was given up is in nobody's way.
  State::ImportRequest request;
  request.header.has_private_keys = false;
  {
    const auto one = to_.state.Begin(to_.caller, to_.write, {});
    ASSERT_TRUE(one.ok());
    EXPECT_EQ(ReasonOf(to_.state.Begin(to_.caller, to_.write, {}).status()),
              Reason::kRateLimited);
  }
  EXPECT_TRUE(to_.Import(exported, key_.private_key).ok());
}

TEST_F(StateTest, TakesNoRecipientThatIsNone) {
  for (const std::string& key :
       {std::string("short"), std::string(pki::kX25519Bytes, '\0')}) {
    const auto exported = from_.state.Export(
        from_.caller, from_.write, {key, false},
        [](const StateHeader&) { return true; },
        [](absl::string_view) { return true; });
    EXPECT_EQ(ReasonOf(exported.status()), Reason::kFieldMalformed);
  }
}

// What somebody who can write the file, and its digest, would try.
TEST_F(StateTest, RefusesAStateThatItCouldNotHaveMade) {
  const Installation::Exported exported = from_.Export(key_.public_key);
  const auto read = [&] {
    std::vector<ExportedRecord> records;
    store::ExportReader reader(to_.store.get(), key_.private_key,
                               [&](ExportedRecord record) {
                                 records.push_back(std::move(record));
                                 return absl::OkStatus();
                               });
    EXPECT_TRUE(reader.Append(exported.bytes).ok());
    return records;
  };
  const auto at = [](std::vector<ExportedRecord>& records,
                     const std::string& key) -> ExportedRecord& {
    for (ExportedRecord& record : records) {
      if (absl::StartsWith(record.key, key)) return record;
    }
    ADD_FAILURE() << key;
    return records.front();
  };
  using Records = std::vector<ExportedRecord>;
  // Says whose fault it is, or "".
  const auto blamed = [&](const std::function<void(Records&)>& change) {
    Records records = read();
    change(records);
    domain::Violations violations;
    const auto checked = CheckState(records, *to_.store, violations);
    EXPECT_TRUE(checked.ok()) << checked.status();
    if (violations.empty()) return std::string();
    EXPECT_EQ(ReasonOf(violations.ToStatus()), Reason::kExportInvalid);
    return violations.list().front().field;
  };
  const auto remove = [&](const std::string& key) {
    return blamed([&](Records& records) {
      const size_t before = records.size();
      records.erase(std::remove_if(records.begin(), records.end(),
                                   [&](const ExportedRecord& record) {
                                     return record.key == key;
                                   }),
                    records.end());
      EXPECT_EQ(records.size(), before - 1) << key;
    });
  };
  EXPECT_EQ(blamed([](Records&) {}), "");
  // What others need.
  EXPECT_EQ(remove("fleets/default"), "fleets/default");
  EXPECT_EQ(remove("fleets/edge"), "domainNames/api.example.com");
  EXPECT_EQ(remove("clientCertificates/backend"), "apis/orders/stages/prod");
  EXPECT_EQ(remove("revocationLists/revoked"), "truststores/partners");
  EXPECT_EQ(remove(store::KeyOf(domain::TruststoreVersionName(
                domain::TruststoreName("partners"), 2))),
            "truststores/partners");
  EXPECT_NE(remove("apis/orders"), "");
  EXPECT_NE(remove("domainNames/api.example.com"), "");
  // Records under other names than their own.
  const auto rename = [&](const std::string& from, const std::string& to) {
    return blamed([&](Records& records) { at(records, from).key = to; });
  };
  EXPECT_EQ(rename("truststores/partners", "truststores/../x"),
            "truststores/../x");
  EXPECT_EQ(rename("truststores/partners", "system/other"), "system/other");
  EXPECT_NE(rename("truststores/partners", "domainNames/a.example.com"), "");
  EXPECT_NE(rename("truststores/partners", "requests/x"), "");
  EXPECT_NE(rename("truststores/partners", "refs/x"), "");
  EXPECT_NE(rename("audit/", "audit/0000000000000000000-0000000000000000"), "");
  EXPECT_NE(rename("truststores.versions/", "truststores.versions/partners/1"),
            "");
  // Values that are not in their one form, or newer than this.
  EXPECT_NE(blamed([&](Records& records) {
              at(records, "apis/orders").value += std::string("\x52\x00", 2);
            }),
            "");
  EXPECT_NE(blamed([&](Records& records) {
              at(records, "domainNames/").value += "\xfa\x7f\x01x";
            }),
            "");
  // Another's content, or none.
  EXPECT_NE(blamed([&](Records& records) {
              at(records, "truststores.versions/").blobs.clear();
            }),
            "");
  EXPECT_NE(blamed([&](Records& records) {
              at(records, "fleets/edge").blobs =
                  at(records, "revocationLists/").blobs;
            }),
            "");
  // Keys of others.
  EXPECT_NE(blamed([&](Records& records) {
              at(records, "serverCertificates.versions/").private_key_pem =
                  at(records, "clientCertificates/").private_key_pem.Clone();
            }),
            "");
  EXPECT_EQ(blamed([&](Records& records) {
              at(records, "system/proxyCa").private_key_pem = Secret();
            }),
            "system/proxyCa");
  EXPECT_EQ(blamed([&](Records& records) {
              at(records, "system/issuerCa").value =
                  at(records, "system/proxyCa").value;
            }),
            "system/issuerCa");
  EXPECT_EQ(blamed([&](Records& records) {
              at(records, "installation/").private_key_pem = Secret();
            }),
            "installation/carrierCertificate");
  // One twice.
  EXPECT_EQ(blamed([&](Records& records) {
              ExportedRecord twice;
              twice.key = "fleets/default";
              twice.value = at(records, "fleets/default").value;
              records.push_back(std::move(twice));
            }),
            "fleets/default");
  // One that was imported, and one that was issued.
  const auto origin =
      [&](const std::string& id,
          const std::function<void(domain::ServerCertificate&)>& change) {
        return blamed([&](Records& records) {
          ExportedRecord& record = at(records, "serverCertificates/" + id);
          store::Record stored;
          stored.value = record.value;
          auto certificate =
              store::Decode(domain::ServerCertificateName(id), stored);
          change(*certificate);
          record.value = store::Encode(*certificate);
        });
      };
  EXPECT_EQ(origin("issued", [](auto& c) { c.issuance.reset(); }),
            "serverCertificates/issued");
  EXPECT_EQ(origin("issued", [](auto& c) { c.issued_by = "../x"; }),
            "serverCertificates/issued");
  EXPECT_EQ(origin("api", [](auto& c) { c.issued_by = "internal"; }),
            "serverCertificates/api");
  EXPECT_EQ(origin("issued", [](auto& c) { c.issuance->dns_names.clear(); }),
            "serverCertificates/issued.issuance.dns_names");
  // A domain in the place of an API's default endpoint.
  EXPECT_EQ(blamed([&](Records& records) {
              ExportedRecord& record = at(records, "fleets/edge");
              store::Record stored;
              stored.value = record.value;
              auto fleet = store::Decode(domain::FleetName("edge"), stored);
              fleet->default_endpoint_suffix = "example.com";
              fleet->default_endpoint_certificate =
                  domain::ServerCertificateName("api");
              record.value = store::Encode(*fleet);
            }),
            "domainNames/api.example.com");
  EXPECT_NE(
      blamed([&](Records& records) { at(records, "audit/").lineage = ""; }),
      "");
  // A domain with mutual TLS that no request could make.
  EXPECT_EQ(blamed([&](Records& records) {
              ExportedRecord& record = at(records, "domainNames/");
              store::Record stored;
              stored.value = record.value;
              auto domain_name = store::Decode(
                  domain::DomainNameName("api.example.com"), stored);
              domain_name->endpoint_type = domain::EndpointType::kEdge;
              record.value = store::Encode(*domain_name);
            }),
            "domainNames/api.example.com.endpoint_type");
  // A draft whose API is not there, and one that is none.
  EXPECT_EQ(blamed([&](Records& records) {
              at(records, "apis.drafts/orders").key = "apis.drafts/gone";
            }),
            "apis/gone/draft");
  EXPECT_EQ(blamed([&](Records& records) {
              at(records, "apis.drafts/orders").value = "\xff";
            }),
            "apis/orders/draft");
  // A list of another kind, and entries that nobody counted.
  EXPECT_EQ(blamed([&](Records& records) {
              ExportedRecord& record = at(records, "certificateLists/denied");
              store::Record stored;
              stored.value = record.value;
              auto list =
                  store::Decode(domain::CertificateListName("denied"), stored);
              list->kind = domain::CertificateList::Kind::kAllow;
              list->entry_count = 9;
              record.value = store::Encode(*list);
            }),
            "certificateLists/denied");
}

}  // namespace
}  // namespace sallyport::service
