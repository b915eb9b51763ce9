#include "config_service/service/served_certificates.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "base/status_macros.h"
#include "config_service/domain/violations.h"
#include "config_service/service/errors.h"
#include "config_service/service/limits.h"
#include "config_service/service/references.h"
#include "config_service/service/resources.h"
#include "config_service/store/domain_records.h"
#include "config_service/store/for_each_record.h"
#include "config_service/store/keys.h"
#include "pki/x509/distinguished_name.h"

namespace sallyport::service {

using domain::DomainName;
using domain::DomainNameName;
using domain::ServerCertificate;
using domain::ServerCertificateName;
using domain::ServerCertificateVersionName;

namespace {

// What two certificates have in common when they may be in conflict: at least
// what domain::CheckIssuerConflict() compares.
std::vector<std::string> SubjectsOf(const pki::Certificate& leaf) {
  std::vector<std::string> out;
  if (!leaf.Subject().empty()) {
    const auto normal = pki::NormalizeName(leaf.subject_der());
    out.push_back(absl::StrCat(
        "S", normal.has_value() ? *normal : std::string(leaf.subject_der())));
  }
  for (const std::string& name : domain::DnsNames(leaf)) {
    out.push_back(absl::StrCat("D", name));
  }
  return out;
}

// One of `names` that is not `except`; empty: none.
std::string Other(const absl::flat_hash_set<std::string>& names,
                  const std::string& except) {
  for (const std::string& name : names) {
    if (name != except) return name;
  }
  return "";
}

void Erase(
    absl::flat_hash_map<std::string, absl::flat_hash_set<std::string>>& index,
    const std::string& key, const std::string& value) {
  const auto it = index.find(key);
  if (it == index.end()) return;
  it->second.erase(value);
  if (it->second.empty()) index.erase(it);
}

}  // namespace

absl::Status ServedCertificates::CheckIssuer(Transaction& transaction,
                                             const pki::Certificate& leaf,
                                             const DomainNameName& except) {
  return Check(transaction, leaf, except.id(), "");
}

absl::Status ServedCertificates::CheckIssuer(
    Transaction& transaction, const pki::Certificate& leaf,
    const ServerCertificateName& except) {
  return Check(transaction, leaf, "", except.id());
}

absl::Status ServedCertificates::Check(Transaction& transaction,
                                       const pki::Certificate& leaf,
                                       const std::string& except_domain,
                                       const std::string& except_certificate) {
  absl::MutexLock lock(&mu_);
  SALLYPORT_RETURN_IF_ERROR(Refresh(transaction));
  absl::flat_hash_set<ShownId> candidates;
  for (const std::string& subject : SubjectsOf(leaf)) {
    const auto it = by_subject_.find(subject);
    if (it == by_subject_.end()) continue;
    candidates.insert(it->second.begin(), it->second.end());
  }
  std::vector<domain::ServedCertificate> others;
  for (const ShownId& id : candidates) {
    if (id.held_version == 0 && id.certificate == except_certificate) continue;
    domain::ServedCertificate other;
    other.domain = Other(shown_[id].domains, except_domain);
    if (other.domain.empty()) continue;
    SALLYPORT_ASSIGN_OR_RETURN(other.leaf, LeafOf(id));
    others.push_back(std::move(other));
  }
  return domain::CheckIssuerConflict(leaf, others);
}

absl::StatusOr<std::string> ServedCertificates::ShownBy(
    Transaction& transaction, const ServerCertificateName& certificate,
    const DomainNameName& except) {
  absl::MutexLock lock(&mu_);
  SALLYPORT_RETURN_IF_ERROR(Refresh(transaction));
  const auto it = shown_by_.find(certificate.id());
  return it == shown_by_.end() ? "" : Other(it->second, except.id());
}

absl::StatusOr<std::string> ServedCertificates::ProofOf(
    Transaction& transaction, const ServerCertificateName& certificate,
    const DomainNameName& except) {
  absl::MutexLock lock(&mu_);
  SALLYPORT_RETURN_IF_ERROR(Refresh(transaction));
  const auto it = proof_of_.find(certificate.id());
  return it == proof_of_.end() ? "" : Other(it->second, except.id());
}

absl::Status ServedCertificates::Refresh(Transaction& transaction) {
  absl::Status followed = domain_changes_ == nullptr ? Load() : Follow();
  if (absl::IsOutOfRange(followed)) followed = Load();
  if (!followed.ok()) {
    // Half of the changes may have been taken.
    domain_changes_.reset();
    return FromStore(followed);
  }
  transaction.RelyOnNoPuts(store::CollectionPrefix<DomainNameName>(),
                           domains_at_);
  transaction.RelyOnNoPuts(store::CollectionPrefix<ServerCertificateName>(),
                           certificates_at_);
  return absl::OkStatus();
}

absl::Status ServedCertificates::Load() {
  domains_.clear();
  shown_.clear();
  by_subject_.clear();
  shown_by_.clear();
  proof_of_.clear();
  domain_changes_.reset();
  certificate_changes_.reset();
  store::ListRequest request;
  request.prefix = store::CollectionPrefix<DomainNameName>();
  SALLYPORT_ASSIGN_OR_RETURN(
      domains_at_, store::ForEachRecord(*store_, request,
                                        [this](const store::Record& record) {
                                          return TakeDomain(record);
                                        }));
  // What is shown was read later than the domains, perhaps; changes since then
  // are looked at again.
  certificates_at_ = domains_at_;
  SALLYPORT_ASSIGN_OR_RETURN(
      domain_changes_,
      store_->Watch(store::CollectionPrefix<DomainNameName>(), domains_at_));
  SALLYPORT_ASSIGN_OR_RETURN(
      certificate_changes_,
      store_->Watch(store::CollectionPrefix<ServerCertificateName>(),
                    certificates_at_));
  return Follow();
}

absl::Status ServedCertificates::Follow() {
  while (true) {
    SALLYPORT_ASSIGN_OR_RETURN(const store::WatchBatch batch,
                               domain_changes_->Next(absl::ZeroDuration()));
    for (const store::Change& change : batch.changes) {
      DropDomain(std::string(store::IdOfKey(change.record.key)));
      if (change.kind == store::Change::Kind::kPut) {
        SALLYPORT_RETURN_IF_ERROR(TakeDomain(change.record));
      }
    }
    domains_at_ = batch.revision;
    if (batch.changes.empty()) break;
  }
  while (true) {
    SALLYPORT_ASSIGN_OR_RETURN(
        const store::WatchBatch batch,
        certificate_changes_->Next(absl::ZeroDuration()));
    for (const store::Change& change : batch.changes) {
      const ShownId id{std::string(store::IdOfKey(change.record.key)), 0};
      if (shown_.contains(id)) SALLYPORT_RETURN_IF_ERROR(Index(id));
    }
    certificates_at_ = batch.revision;
    if (batch.changes.empty()) break;
  }
  return absl::OkStatus();
}

absl::Status ServedCertificates::TakeDomain(const store::Record& record) {
  const std::string id(store::IdOfKey(record.key));
  SALLYPORT_ASSIGN_OR_RETURN(const DomainName domain_name,
                             store::Decode(DomainNameName(id), record));
  if (!domain_name.mutual_tls.has_value()) return absl::OkStatus();
  Domain domain;
  domain.certificate = domain_name.server_certificate.id();
  domain.held_version = domain_name.held_certificate_version;
  domain.ownership = domain_name.ownership_verification_certificate.id();
  const ShownId shown{domain.certificate, domain.held_version};
  const bool is_new = !shown_.contains(shown);
  shown_[shown].domains.insert(id);
  shown_by_[domain.certificate].insert(id);
  if (!domain.ownership.empty()) proof_of_[domain.ownership].insert(id);
  domains_[id] = std::move(domain);
  return is_new ? Index(shown) : absl::OkStatus();
}

void ServedCertificates::DropDomain(const std::string& id) {
  const auto it = domains_.find(id);
  if (it == domains_.end()) return;
  const ShownId shown{it->second.certificate, it->second.held_version};
  Erase(shown_by_, it->second.certificate, id);
  Erase(proof_of_, it->second.ownership, id);
  domains_.erase(it);
  const auto found = shown_.find(shown);
  found->second.domains.erase(id);
  if (!found->second.domains.empty()) return;
  Unindex(shown);
  shown_.erase(shown);
}

absl::Status ServedCertificates::Index(const ShownId& id) {
  Unindex(id);
  SALLYPORT_ASSIGN_OR_RETURN(const domain::CertificatePtr leaf, LeafOf(id));
  if (leaf == nullptr) return absl::OkStatus();
  Shown& shown = shown_[id];
  shown.subjects = SubjectsOf(*leaf);
  for (const std::string& subject : shown.subjects) {
    by_subject_[subject].insert(id);
  }
  return absl::OkStatus();
}

void ServedCertificates::Unindex(const ShownId& id) {
  Shown& shown = shown_[id];
  for (const std::string& subject : shown.subjects) {
    const auto it = by_subject_.find(subject);
    if (it == by_subject_.end()) continue;
    it->second.erase(id);
    if (it->second.empty()) by_subject_.erase(it);
  }
  shown.subjects.clear();
}

absl::StatusOr<domain::CertificatePtr> ServedCertificates::LeafOf(
    const ShownId& id) {
  const ServerCertificateName name(id.certificate);
  int64_t number = id.held_version;
  if (number == 0) {
    const absl::StatusOr<ServerCertificate> certificate =
        ReadResource(*store_, name);
    if (absl::IsNotFound(certificate.status())) return nullptr;
    if (!certificate.ok()) return certificate.status();
    number = certificate->active_version;
  }
  const auto version =
      ReadResource(*store_, ServerCertificateVersionName(name, number));
  if (absl::IsNotFound(version.status())) return nullptr;
  if (!version.ok()) return version.status();
  SALLYPORT_ASSIGN_OR_RETURN(
      const std::vector<domain::CertificatePtr> chain,
      domain::ReadStoredChain(version->certificate_chain_pem));
  return chain.front();
}

namespace {

// Whether `domain_name` cannot show the new version.
absl::StatusOr<bool> MustHold(store::Store& store,
                              const DomainName& domain_name,
                              const NewVersion& version, absl::Time now) {
  domain::OwnershipInputs inputs;
  inputs.domain_name = &domain_name;
  inputs.server_leaf = version.leaf;
  inputs.server_origin = version.before->origin;
  inputs.required = version.ownership_required;
  domain::CertificatePtr ownership;
  const ServerCertificateName& name =
      domain_name.ownership_verification_certificate;
  if (!name.empty()) {
    SALLYPORT_ASSIGN_OR_RETURN(const ServerCertificate certificate,
                               ReadResource(store, name));
    SALLYPORT_ASSIGN_OR_RETURN(
        const auto proof,
        ReadResource(store, ServerCertificateVersionName(
                                name, certificate.active_version)));
    SALLYPORT_ASSIGN_OR_RETURN(
        const std::vector<domain::CertificatePtr> chain,
        domain::ReadStoredChain(proof.certificate_chain_pem));
    ownership = chain.front();
    inputs.ownership_leaf = ownership.get();
    inputs.ownership_origin = certificate.origin;
  }
  return domain::StatusFromCertificates(inputs, now).status ==
         DomainName::Status::kPendingCertificateReimport;
}

}  // namespace

absl::StatusOr<bool> HoldVersions(Transaction& transaction, store::Store& store,
                                  const NewVersion& version) {
  const ServerCertificateName& name = version.before->name;
  // Whoever comes to name it meanwhile is not missed.
  SALLYPORT_ASSIGN_OR_RETURN(
      const std::vector<store::Record> references,
      transaction.List(store::ReferencesPrefix(name.ToString()),
                       store::ListRequest::What::kKeysOnly));
  absl::flat_hash_set<std::string> seen;
  bool shown_with_mutual_tls = false;
  size_t num_changed = 0;
  for (const store::Record& reference : references) {
    const auto domain =
        DomainNameName::Parse(store::ReferrerOfKey(reference.key));
    if (!domain.ok() || !seen.insert(domain->id()).second) continue;
    const absl::StatusOr<DomainName> read = ReadResource(store, *domain);
    if (absl::IsNotFound(read.status())) continue;
    if (!read.ok()) return read.status();
    if (read->server_certificate != name) continue;
    SALLYPORT_ASSIGN_OR_RETURN(
        const bool hold, MustHold(store, *read, version, transaction.now()));
    if (!hold && read->mutual_tls.has_value()) shown_with_mutual_tls = true;
    if (hold == (read->held_certificate_version != 0)) continue;
    if (++num_changed > kMaxHeldDomainsOfImport) {
      return domain::MakeError(
          domain::Reason::kQuotaExceeded,
          absl::StrCat("more than ", kMaxHeldDomainsOfImport,
                       " domains would have to go on with the version before; "
                       "import one that covers them"),
          {{"limit", absl::StrCat(kMaxHeldDomainsOfImport)}});
    }
    SALLYPORT_ASSIGN_OR_RETURN(const DomainName before,
                               transaction.Load(*domain));
    DomainName after = before;
    after.held_certificate_version = hold ? version.before->active_version : 0;
    after.metadata.update_time = transaction.now();
    transaction.Update(before, after);
    transaction.SetReferences(domain->ToString(), ReferencesOf(before),
                              ReferencesOf(after));
  }
  return shown_with_mutual_tls;
}

}  // namespace sallyport::service
