#include "config_service/service/state_check.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/status_macros.h"
#include "base/text.h"
#include "config_service/domain/api.h"
#include "config_service/domain/api_draft.h"
#include "config_service/domain/api_mapping.h"
#include "config_service/domain/domain_name.h"
#include "config_service/domain/fleet.h"
#include "config_service/domain/limits.h"
#include "config_service/domain/revocation.h"
#include "config_service/domain/server_certificate.h"
#include "config_service/domain/truststore.h"
#include "config_service/service/bundles.h"
#include "config_service/service/default_endpoints.h"
#include "config_service/service/limits.h"
#include "config_service/service/references.h"
#include "config_service/store/api_records.h"
#include "config_service/store/ca_record.h"
#include "config_service/store/certificate_records.h"
#include "config_service/store/domain_records.h"
#include "config_service/store/draft_record.h"
#include "config_service/store/fleet_records.h"
#include "config_service/store/keys.h"
#include "config_service/store/list_records.h"
#include "config_service/store/node_record.h"
#include "config_service/store/records.h"
#include "pki/keys/private_key.h"
#include "pki/truststore/truststore.h"
#include "pki/x509/certificate.h"

namespace sallyport::service {

using domain::Reason;
using domain::Violations;
using store::ExportedRecord;

namespace {

constexpr size_t kShownKey = 128;

// A record as the decoding functions take it.
store::Record RecordOf(const ExportedRecord& record) {
  store::Record out;
  out.key = record.key;
  out.value = record.value;
  out.blobs = record.blobs;
  return out;
}

// The name that a key stands for; nothing when it is the key of none.
template <typename Kind>
std::optional<domain::RootName<Kind>> NameOf(absl::string_view key,
                                             const domain::RootName<Kind>*) {
  auto name = domain::RootName<Kind>::Parse(key);
  if (!name.ok()) return std::nullopt;
  return *std::move(name);
}
template <typename Kind>
std::optional<domain::ChildName<Kind>> NameOf(absl::string_view key,
                                              const domain::ChildName<Kind>*) {
  auto name = domain::ChildName<Kind>::Parse(
      absl::StrCat(Kind::Parent::kCollection, "/", store::ParentIdOfKey(key),
                   "/", Kind::kCollection, "/", store::IdOfKey(key)));
  if (!name.ok()) return std::nullopt;
  return *std::move(name);
}
template <typename Kind>
std::optional<domain::VersionName<Kind>> NameOf(
    absl::string_view key, const domain::VersionName<Kind>*) {
  auto parent = Kind::Parent::Parse(
      absl::StrCat(Kind::Parent::kCollection, "/", store::ParentIdOfKey(key)));
  const int64_t number = store::VersionOfKey(key);
  if (!parent.ok() || number <= 0) return std::nullopt;
  return domain::VersionName<Kind>(*std::move(parent), number);
}

class Checker {
 public:
  Checker(store::Store& store, Violations& violations)
      : store_(store), violations_(violations) {}

  // Reads one record.
  absl::Status Add(const ExportedRecord& record);
  // What can be said once all are known.
  void Finish();
  CheckedState Take() { return std::move(out_); }

 private:
  void Wrong(absl::string_view resource, absl::string_view why) {
    violations_.Add(resource, Reason::kExportInvalid, why);
  }
  void Wrong(const std::string& resource, const Violations& found) {
    for (const domain::FieldViolation& violation : found.list()) {
      violations_.Add(domain::Field(resource, violation.field),
                      Reason::kExportInvalid,
                      absl::StrCat(violation.description, " (",
                                   domain::ReasonName(violation.reason), ")"));
    }
  }

  // Nothing when the record is no resource's of that kind.
  template <typename Name>
  std::optional<Name> ReadName(const ExportedRecord& record) {
    std::optional<Name> name =
        NameOf(record.key, static_cast<const Name*>(nullptr));
    if (!name.has_value() || store::KeyOf(*name) != record.key) {
      Wrong(Printable(record.key, kShownKey), "is the key of no resource");
      name.reset();
    }
    return name;
  }
  // Decodes and checks what all resources have in common; nothing when it
  // cannot be used. `T` and its name are found by `Name`.
  template <typename Name>
  auto Read(const ExportedRecord& record)
      -> std::optional<typename std::decay<decltype(*store::Decode(
          std::declval<Name>(), std::declval<store::Record>()))>::type> {
    const std::optional<Name> name = ReadName<Name>(record);
    if (!name.has_value()) return std::nullopt;
    auto decoded = store::Decode(*name, RecordOf(record));
    if (!decoded.ok()) {
      Wrong(name->ToString(), decoded.status().message());
      return std::nullopt;
    }
    Known(name->ToString());
    return *std::move(decoded);
  }
  // The same for a resource whose encoding needs nothing else.
  template <typename Name>
  auto ReadPlain(const ExportedRecord& record)
      -> decltype(this->Read<Name>(record)) {
    auto resource = Read<Name>(record);
    if (resource.has_value() && store::Encode(*resource) != record.value) {
      Wrong(resource->name.ToString(), "is not in its one form");
    }
    return resource;
  }
  template <typename T>
  void Validate(const T& resource) {
    Violations found;
    domain::Validate(resource, found);
    Wrong(resource.name.ToString(), found);
  }
  void Known(const std::string& name) {
    names_.insert(name);
    ++out_.num_resources;
  }
  void Names(const std::string& by, const std::vector<std::string>& targets) {
    for (const std::string& target : targets) {
      needed_.push_back({by, target});
      out_.references.push_back({store::ReferenceKey(target, by), "", {}});
    }
  }
  // That it must be there, without a reference.
  void Needs(const std::string& by, const std::string& target) {
    needed_.push_back({by, target});
  }
  void Blobs(const std::string& resource, const ExportedRecord& record,
             const std::vector<store::BlobDigest>& wanted) {
    if (record.blobs != wanted) {
      Wrong(resource, "names other contents than it has");
    }
  }
  // One more of what is limited to `limit` for each `of`.
  void Count(const std::string& of, absl::string_view what, size_t limit) {
    if (++counts_[{of, std::string(what)}] == limit + 1) {
      Wrong(of, absl::StrCat("has more than ", limit, " ", what));
    }
  }

  // One of at most `limit` versions of its parent.
  template <typename VersionName>
  void AddVersion(const VersionName& name, size_t limit) {
    const std::string parent = name.parent().ToString();
    Needs(name.ToString(), parent);
    Count(parent, "versions", limit);
    last_version_[parent] = std::max(last_version_[parent], name.number());
  }

  absl::Status AddTruststoreVersion(const ExportedRecord& record);
  absl::Status AddRevocationList(const ExportedRecord& record);
  absl::Status AddDeployment(const ExportedRecord& record);
  void AddCertificateListEntry(const ExportedRecord& record);
  void AddCa(const ExportedRecord& record);
  void AddCarrierCertificate(const ExportedRecord& record);
  void AddAuditEntry(const ExportedRecord& record);
  void CheckKeyAndChain(const std::string& resource,
                        const std::string& chain_pem, const Secret& key,
                        domain::CertificatePurpose purpose);
  void CheckIssuance(const domain::ServerCertificate& certificate);
  void CheckEndpoints(const domain::DomainName& domain_name);
  void CheckLists(const std::string& by,
                  const std::vector<domain::CertificateListName>& lists,
                  domain::CertificateList::Kind kind);

  store::Store& store_;
  Violations& violations_;
  CheckedState out_;
  absl::flat_hash_set<absl::string_view> keys_;
  absl::flat_hash_set<std::string> names_;
  std::vector<std::pair<std::string, std::string>> needed_;
  std::map<std::pair<std::string, std::string>, size_t> counts_;
  // What is looked at again at the end.
  std::map<std::string, domain::Truststore> truststores_;
  std::map<std::string, domain::ServerCertificate> server_certificates_;
  std::map<std::string, int64_t> last_version_;
  std::map<std::string, domain::CertificateList> lists_;
  std::map<std::string, uint32_t> num_entries_;
  std::vector<std::pair<std::string, domain::CertificateListEntry>>
      issuer_entries_;
  std::map<std::string, domain::DomainName> domains_;
  std::map<std::string, domain::Api> apis_;
  std::map<std::string, domain::Fleet> fleets_;
  std::vector<domain::ApiMapping> mappings_;
  std::vector<domain::Stage> stages_;
  std::map<std::string, domain::Deployment> deployments_;
  std::set<std::pair<std::string, std::string>> taken_;
};

absl::Status Checker::AddTruststoreVersion(const ExportedRecord& record) {
  const auto version = ReadPlain<domain::TruststoreVersionName>(record);
  if (!version.has_value()) return absl::OkStatus();
  const std::string name = version->name.ToString();
  AddVersion(version->name, kMaxVersionsOfTruststore);
  Blobs(name, record, {store::BlobOf(*version)});
  absl::StatusOr<std::string> pem = ReadBlob(store_, store::BlobOf(*version));
  if (absl::IsNotFound(pem.status())) {
    Wrong(name, "has content that the export does not have");
    return absl::OkStatus();
  }
  SALLYPORT_RETURN_IF_ERROR(pem.status());
  const pki::Truststore::ParseResult parsed = pki::Truststore::Parse(*pem);
  if (!parsed.error.ok()) {
    Wrong(name, "has content that is no bundle of certificates");
  } else if (version->size_bytes != pem->size()) {
    Wrong(name, "has content of another size");
  }
  return absl::OkStatus();
}

absl::Status Checker::AddRevocationList(const ExportedRecord& record) {
  const auto list = ReadPlain<domain::RevocationListName>(record);
  if (!list.has_value()) return absl::OkStatus();
  const std::string name = list->name.ToString();
  Validate(*list);
  Blobs(name, record, {store::BlobOf(*list)});
  absl::StatusOr<std::string> content = ReadBlob(store_, store::BlobOf(*list));
  if (absl::IsNotFound(content.status())) {
    Wrong(name, "has content that the export does not have");
    return absl::OkStatus();
  }
  SALLYPORT_RETURN_IF_ERROR(content.status());
  domain::RevocationList said = *list;
  Violations found;
  domain::ReadRevocationList("content", *content, said, found);
  Wrong(name, found);
  if (found.empty() && store::Encode(said) != record.value) {
    Wrong(name, "says what its content does not");
  }
  return absl::OkStatus();
}

absl::Status Checker::AddDeployment(const ExportedRecord& record) {
  using Name = domain::DeploymentName;
  const std::optional<Name> name = ReadName<Name>(record);
  if (!name.has_value()) return absl::OkStatus();
  const std::string resource = name->ToString();
  const store::Record stored = RecordOf(record);
  const auto digest = store::RoutesOf(*name, stored);
  if (!digest.ok()) {
    Wrong(resource, digest.status().message());
    return absl::OkStatus();
  }
  Blobs(resource, record, {*digest});
  absl::StatusOr<std::string> routes = ReadBlob(store_, *digest);
  if (absl::IsNotFound(routes.status())) {
    Wrong(resource, "has routes that the export does not have");
    return absl::OkStatus();
  }
  SALLYPORT_RETURN_IF_ERROR(routes.status());
  auto deployment = store::Decode(*name, stored, *routes);
  if (!deployment.ok()) {
    Wrong(resource, deployment.status().message());
    return absl::OkStatus();
  }
  Known(resource);
  if (store::Encode(*deployment) != record.value ||
      store::EncodeRoutes(*deployment) != *routes) {
    Wrong(resource, "is not in its one form");
  }
  Validate(*deployment);
  const std::string api = name->parent().ToString();
  for (const domain::Route& route : deployment->routes) {
    Violations found;
    domain::Validate(route, found);
    Wrong(resource, found);
    if (route.name.parent() != name->parent()) {
      Wrong(resource, "has a route of another API");
    }
  }
  Needs(resource, api);
  Count(api, "deployments", kMaxDeploymentsOfApi);
  Names(resource, ReferencesOf(*deployment));
  deployments_.emplace(resource, *std::move(deployment));
  return absl::OkStatus();
}

void Checker::AddCertificateListEntry(const ExportedRecord& record) {
  const std::vector<std::string> words = absl::StrSplit(record.key, '/');
  const auto list = words.size() < 3
                        ? absl::StatusOr<domain::CertificateListName>(
                              absl::InvalidArgumentError("no list"))
                        : domain::CertificateListName::Parse(
                              absl::StrCat("certificateLists/", words[1]));
  if (!list.ok()) {
    Wrong(Printable(record.key, kShownKey), "is the key of no entry");
    return;
  }
  const std::string name = list->ToString();
  const auto entry = store::DecodeEntry(*list, RecordOf(record));
  if (!entry.ok() || store::EntryKey(*list, *entry) != record.key ||
      store::Encode(*entry) != record.value) {
    Wrong(name, absl::StrCat("has an entry that cannot be read, ",
                             Printable(record.key, kShownKey)));
    return;
  }
  Needs(record.key, name);
  ++num_entries_[name];
  domain::CertificateListEntry normal = *entry;
  Violations found;
  // What only allow lists refuse is looked at when the list is known.
  domain::Normalize("entries", domain::CertificateList::Kind::kDeny, normal,
                    found);
  Wrong(name, found);
  if (found.empty() && store::Encode(normal) != record.value) {
    Wrong(name, "has an entry that is not in its one form");
  }
  if (entry->kind == domain::CertificateListEntry::Kind::kIssuerAndSerial) {
    issuer_entries_.emplace_back(name, *entry);
  }
}

void Checker::AddCa(const ExportedRecord& record) {
  const std::string& name = record.key;
  // Its key is sealed only on its way into the store.
  const auto pem = store::CaCertificate(RecordOf(record));
  if (!pem.ok()) return Wrong(name, pem.status().message());
  const auto chain = domain::ReadStoredChain(*pem);
  const pki::PrivateKey::ReadResult key =
      pki::PrivateKey::FromPem(record.private_key_pem);
  if (!chain.ok() || chain->size() != 1) {
    return Wrong(name, "has not one certificate");
  }
  if (key.key == nullptr || !key.key->BelongsTo(*chain->front())) {
    return Wrong(name, "has no key that belongs to its certificate");
  }
  out_.cas.emplace(name, *pem);
}

void Checker::AddCarrierCertificate(const ExportedRecord& record) {
  const std::string& name = record.key;
  const auto pair = store::SplitPair(record.private_key_pem);
  if (!record.value.empty() || !pair.has_value()) {
    return Wrong(name, "is no certificate with its key");
  }
  const auto chain = domain::ReadStoredChain(pair->certificate_pem);
  const pki::PrivateKey::ReadResult key =
      pki::PrivateKey::FromPem(pair->private_key_pem);
  if (!chain.ok() || chain->size() != 1 || key.key == nullptr ||
      !key.key->BelongsTo(*chain->front())) {
    Wrong(name, "has no key that belongs to its certificate");
  }
}

void Checker::AddAuditEntry(const ExportedRecord& record) {
  const auto entry = store::DecodeAuditEntry(RecordOf(record));
  if (!entry.ok() || !store::IsAuditKey(record.key, entry->time) ||
      !store::IsLineage(record.lineage) || record.revision <= 0) {
    return Wrong(Printable(record.key, kShownKey),
                 "is no audit entry with its lineage and revision");
  }
  if (!record.blobs.empty()) {
    Wrong(Printable(record.key, kShownKey), "names contents");
  }
  ++out_.num_audit_entries;
}

void Checker::CheckKeyAndChain(const std::string& resource,
                               const std::string& chain_pem, const Secret& key,
                               domain::CertificatePurpose purpose) {
  const auto chain = domain::ReadStoredChain(chain_pem);
  if (!chain.ok() || chain->empty()) {
    return Wrong(resource, "has a chain that cannot be read");
  }
  absl::Time now = absl::InfinitePast();
  for (const domain::CertificatePtr& certificate : *chain) {
    now = std::max(now, certificate->not_before());
  }
  Violations found;
  domain::CheckMaterial("certificate_chain_pem", chain_pem, "private_key_pem",
                        key, purpose, now, found);
  for (const domain::FieldViolation& violation : found.list()) {
    const bool of_dates = violation.reason == Reason::kCertificateExpired ||
                          violation.reason == Reason::kCertificateNotYetValid;
    const bool of_no_key = key.empty() && violation.field == "private_key_pem";
    if (of_dates || of_no_key) continue;
    Violations one;
    one.Add(violation.field, violation.reason, violation.description);
    Wrong(resource, one);
  }
  if (key.empty()) out_.without_private_key.push_back(resource);
}

void Checker::CheckIssuance(const domain::ServerCertificate& certificate) {
  const std::string name = certificate.name.ToString();
  const bool issued =
      certificate.origin == domain::ServerCertificate::Origin::kIssued;
  if (issued != certificate.issuance.has_value() ||
      issued == certificate.issued_by.empty()) {
    return Wrong(name, "does not say for certain whether an issuer made it");
  }
  if (!issued) return;
  for (const domain::IssuerName& issuer :
       {certificate.issuance->issuer,
        domain::IssuerName(certificate.issued_by)}) {
    if (!issuer.empty() && !domain::IssuerName::Parse(issuer.ToString()).ok()) {
      Wrong(name, "has an issuer with a name that is none");
    }
  }
}

void Checker::CheckEndpoints(const domain::DomainName& domain_name) {
  for (const domain::FleetName& fleet : domain_name.Fleets()) {
    const auto found = fleets_.find(fleet.ToString());
    if (found == fleets_.end()) continue;
    const std::string& suffix = found->second.default_endpoint_suffix;
    if (!IsDefaultEndpoint(domain_name.name.id(), suffix)) continue;
    Wrong(domain_name.name.ToString(),
          absl::StrCat("is among the default endpoints of ", fleet.ToString()));
  }
}

void Checker::CheckLists(const std::string& by,
                         const std::vector<domain::CertificateListName>& lists,
                         domain::CertificateList::Kind kind) {
  for (const domain::CertificateListName& name : lists) {
    const auto found = lists_.find(name.ToString());
    if (found == lists_.end() || found->second.kind == kind) continue;
    Wrong(by, kind == domain::CertificateList::Kind::kAllow
                  ? "names a deny list where an allow list belongs"
                  : "names an allow list where a deny list belongs");
  }
}

absl::Status Checker::Add(const ExportedRecord& record) {
  const absl::string_view key = record.key;
  if (!keys_.insert(record.key).second) {
    Wrong(Printable(key, kShownKey), "is there twice");
    return absl::OkStatus();
  }
  const absl::string_view kind = key.substr(0, key.find('/'));
  const bool has_blobs = kind == "truststores.versions" ||
                         kind == "revocationLists" ||
                         kind == "apis.deployments";
  if (!has_blobs && !record.blobs.empty()) {
    Wrong(Printable(key, kShownKey), "names contents");
    return absl::OkStatus();
  }
  if (kind == "truststores") {
    if (auto truststore = ReadPlain<domain::TruststoreName>(record)) {
      Validate(*truststore);
      const std::string name = truststore->name.ToString();
      Names(name, ReferencesOf(*truststore));
      truststores_.emplace(name, *std::move(truststore));
    }
  } else if (kind == "truststores.versions") {
    return AddTruststoreVersion(record);
  } else if (kind == "revocationLists") {
    return AddRevocationList(record);
  } else if (kind == "certificateLists") {
    if (auto list = ReadPlain<domain::CertificateListName>(record)) {
      Validate(*list);
      const std::string name = list->name.ToString();
      lists_.emplace(name, *std::move(list));
    }
  } else if (kind == store::kEntriesCollection) {
    AddCertificateListEntry(record);
  } else if (kind == "serverCertificates") {
    if (auto certificate = ReadPlain<domain::ServerCertificateName>(record)) {
      Validate(*certificate);
      CheckIssuance(*certificate);
      const std::string name = certificate->name.ToString();
      server_certificates_.emplace(name, *std::move(certificate));
    }
  } else if (kind == "serverCertificates.versions") {
    if (auto version = Read<domain::ServerCertificateVersionName>(record)) {
      const std::string name = version->name.ToString();
      AddVersion(version->name, kMaxVersionsOfServerCertificate);
      CheckKeyAndChain(name, version->certificate_chain_pem,
                       record.private_key_pem,
                       domain::CertificatePurpose::kServer);
    }
  } else if (kind == "clientCertificates") {
    if (auto certificate = Read<domain::ClientCertificateName>(record)) {
      Validate(*certificate);
      CheckKeyAndChain(
          certificate->name.ToString(), certificate->certificate_chain_pem,
          record.private_key_pem, domain::CertificatePurpose::kClient);
    }
  } else if (kind == "domainNames") {
    if (auto domain_name = ReadPlain<domain::DomainNameName>(record)) {
      Validate(*domain_name);
      const std::string name = domain_name->name.ToString();
      Names(name, ReferencesOf(*domain_name));
      domains_.emplace(name, *std::move(domain_name));
    }
  } else if (kind == "domainNames.apiMappings") {
    if (auto mapping = ReadPlain<domain::ApiMappingName>(record)) {
      Validate(*mapping);
      const std::string name = mapping->name.ToString();
      const std::string parent = mapping->name.parent().ToString();
      Needs(name, parent);
      Count(parent, "API mappings", kMaxMappingsOfDomain);
      Names(name, ReferencesOf(*mapping));
      if (!taken_.insert({parent, mapping->base_path}).second) {
        Wrong(name, "has the base path of another mapping");
      }
      mappings_.push_back(*std::move(mapping));
    }
  } else if (kind == "apis") {
    if (auto api = ReadPlain<domain::ApiName>(record)) {
      Validate(*api);
      const std::string name = api->name.ToString();
      apis_.emplace(name, *std::move(api));
    }
  } else if (kind == "apis.routes") {
    if (auto route = ReadPlain<domain::RouteName>(record)) {
      Validate(*route);
      const std::string name = route->name.ToString();
      const std::string parent = route->name.parent().ToString();
      Needs(name, parent);
      Count(parent, "routes", domain::kMaxRoutesOfApi);
      Names(name, ReferencesOf(*route));
      const auto path = domain::PathTemplate::Parse(route->path);
      if (path.ok() && !taken_
                            .insert({parent, absl::StrCat(route->method, " ",
                                                          path->Shape())})
                            .second) {
        Wrong(name, "matches the same requests as another route");
      }
    }
  } else if (absl::StartsWith(key, store::kDraftsPrefix)) {
    const domain::ApiName api(store::IdOfKey(key));
    const std::string name = absl::StrCat(api.ToString(), "/draft");
    const auto draft = store::DecodeDraft(api, record.value);
    if (!draft.ok() || store::DraftKey(api) != key ||
        store::Encode(*draft) != record.value) {
      Wrong(Printable(name, kShownKey), "is not in its one form");
      return absl::OkStatus();
    }
    Violations found;
    domain::Validate(*draft, found);
    Wrong(Printable(name, kShownKey), found);
    Needs(name, api.ToString());
  } else if (kind == "apis.stages") {
    if (auto stage = ReadPlain<domain::StageName>(record)) {
      Validate(*stage);
      const std::string name = stage->name.ToString();
      const std::string parent = stage->name.parent().ToString();
      Needs(name, parent);
      Count(parent, "stages", kMaxStagesOfApi);
      Names(name, ReferencesOf(*stage));
      stages_.push_back(*std::move(stage));
    }
  } else if (kind == "apis.deployments") {
    return AddDeployment(record);
  } else if (kind == "fleets") {
    if (auto fleet = ReadPlain<domain::FleetName>(record)) {
      Validate(*fleet);
      const std::string name = fleet->name.ToString();
      Names(name, ReferencesOf(*fleet));
      fleets_.emplace(name, *std::move(fleet));
    }
  } else if (kind == "fleets.nodes") {
    const std::string name = absl::StrCat("fleets/", store::ParentIdOfKey(key),
                                          "/nodes/", store::IdOfKey(key));
    const auto node = store::DecodeRevokedNode(name, record.value);
    if (!domain::NodeName::Parse(name).ok() || !node.ok() ||
        store::Encode(*node) != record.value) {
      Wrong(Printable(name, kShownKey), "is not in its one form");
    }
  } else if (key == store::kProxyCaKey || key == store::kIssuerCaKey) {
    AddCa(record);
  } else if (key == store::kCarrierCertificateKey) {
    AddCarrierCertificate(record);
  } else if (absl::StartsWith(key, store::kAuditPrefix)) {
    AddAuditEntry(record);
  } else {
    Wrong(Printable(key, kShownKey), "is of no kind that an export has");
  }
  return absl::OkStatus();
}

void Checker::Finish() {
  for (const auto& [by, target] : needed_) {
    if (names_.contains(target)) continue;
    Wrong(Printable(by, kShownKey),
          absl::StrCat("names \"", Printable(target, kShownKey),
                       "\", which the export does not have"));
  }
  if (!names_.contains(domain::DefaultFleet().ToString())) {
    Wrong(domain::DefaultFleet().ToString(), "is missing");
  }
  const auto version_there = [&](const std::string& parent, int64_t number,
                                 absl::string_view which) {
    if (number == 0) return;
    if (!names_.contains(absl::StrCat(parent, "/versions/", number))) {
      Wrong(parent, absl::StrCat("has a ", which,
                                 " version that the export does not have"));
    }
  };
  const auto next_version = [&](const std::string& parent, int64_t next) {
    if (next <= last_version_[parent]) {
      Wrong(parent, "would give a version a number that another has");
    }
  };
  for (const auto& [name, truststore] : truststores_) {
    version_there(name, truststore.active_version, "active");
    version_there(name, truststore.shadow_version, "shadow");
    next_version(name, truststore.next_version);
  }
  for (const auto& [name, certificate] : server_certificates_) {
    if (certificate.active_version == 0) Wrong(name, "has no active version");
    version_there(name, certificate.active_version, "active");
    next_version(name, certificate.next_version);
  }
  for (const auto& [name, list] : lists_) {
    if (num_entries_[name] != list.entry_count) {
      Wrong(name, absl::StrCat("has ", num_entries_[name], " entries and says ",
                               list.entry_count));
    }
  }
  for (auto& [name, entry] : issuer_entries_) {
    const auto list = lists_.find(name);
    if (list == lists_.end()) continue;
    Violations found;
    domain::Normalize("entries", list->second.kind, entry, found);
    Wrong(name, found);
  }
  for (const auto& [name, domain_name] : domains_) {
    CheckEndpoints(domain_name);
    if (!domain_name.mutual_tls.has_value()) continue;
    CheckLists(name, domain_name.mutual_tls->deny_lists,
               domain::CertificateList::Kind::kDeny);
    CheckLists(name, domain_name.mutual_tls->allow_lists,
               domain::CertificateList::Kind::kAllow);
  }
  for (const domain::ApiMapping& mapping : mappings_) {
    const std::string name = mapping.name.ToString();
    CheckLists(name, mapping.allow_lists,
               domain::CertificateList::Kind::kAllow);
    const auto on = domains_.find(mapping.name.parent().ToString());
    const auto api = apis_.find(mapping.stage.parent().ToString());
    if (on == domains_.end() || api == apis_.end()) continue;
    Violations found;
    domain::ValidateOn(mapping, on->second, api->second, found);
    Wrong(name, found);
  }
  for (const domain::Stage& stage : stages_) {
    const std::string name = stage.name.ToString();
    for (const domain::DeploymentName& deployment :
         {stage.deployment, stage.previous_deployment}) {
      if (deployment.empty()) continue;
      if (deployment.parent() != stage.name.parent()) {
        Wrong(name, "serves a deployment of another API");
        continue;
      }
      const auto found = deployments_.find(deployment.ToString());
      if (found == deployments_.end()) {
        // One that was served before may be gone.
        if (deployment == stage.deployment) {
          Wrong(name, "serves a deployment that the export does not have");
        }
        continue;
      }
      if (deployment != stage.deployment) continue;
      Violations wrong;
      domain::ValidateDeployed(found->second, stage, /*backends=*/nullptr,
                               wrong);
      Wrong(name, wrong);
    }
  }
  std::sort(out_.without_private_key.begin(), out_.without_private_key.end());
}

}  // namespace

absl::StatusOr<CheckedState> CheckState(
    const std::vector<ExportedRecord>& records, store::Store& store,
    Violations& violations) {
  Checker checker(store, violations);
  for (const ExportedRecord& record : records) {
    SALLYPORT_RETURN_IF_ERROR(checker.Add(record));
  }
  checker.Finish();
  return checker.Take();
}

}  // namespace sallyport::service
