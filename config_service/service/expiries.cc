#include "config_service/service/expiries.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/status_macros.h"
#include "config_service/domain/server_certificate.h"
#include "config_service/domain/truststore.h"
#include "config_service/service/expiry.h"
#include "config_service/service/limits.h"
#include "config_service/service/resources.h"
#include "config_service/service/server_certificates.h"
#include "config_service/store/ca_record.h"
#include "config_service/store/certificate_records.h"
#include "config_service/store/for_each_record.h"
#include "config_service/store/keys.h"
#include "config_service/store/list_records.h"
#include "config_service/store/records.h"

namespace sallyport::service {
namespace {

// Whose records are followed; the key of each is its name.
constexpr absl::string_view kFollowed[] = {
    "clientCertificates/", "revocationLists/", "serverCertificates/",
    "truststores/",        store::kProxyCaKey, store::kIssuerCaKey,
};
// What tells of a server certificate's versions, and which of them are named.
constexpr absl::string_view kServerVersions = "serverCertificates.versions/";
constexpr absl::string_view kServerReferences = "refs/serverCertificates/";
// And whether its issuer could renew it.
constexpr absl::string_view kServerStatuses = "status/serverCertificates/";

std::string TextOf(const domain::Warning& warning) {
  return absl::StrCat(warning.reason, " ", warning.index, " ", warning.field,
                      " ", warning.subject);
}

}  // namespace

void Expiries::Finding::AddInstant(absl::Time time, absl::Time now) {
  if (time > now) known.next = std::min(known.next, time);
}

void Expiries::Finding::AddChain(absl::Span<const domain::CertificatePtr> chain,
                                 absl::Time now) {
  for (const domain::CertificatePtr& certificate : chain) {
    AddInstant(certificate->not_before(), now);
    AddInstant(certificate->not_after() - kExpiringSoon, now);
    AddInstant(certificate->not_after(), now);
  }
}

void Expiries::Touch(absl::string_view key) {
  for (const absl::string_view followed : kFollowed) {
    if (absl::StartsWith(key, followed)) {
      touched_.emplace(key);
      return;
    }
  }
  if (absl::StartsWith(key, kServerVersions)) {
    touched_.insert(
        absl::StrCat("serverCertificates/", store::ParentIdOfKey(key)));
  } else if (absl::ConsumePrefix(&key, kServerStatuses)) {
    touched_.insert(absl::StrCat("serverCertificates/", key));
  } else if (absl::ConsumePrefix(&key, kServerReferences)) {
    touched_.insert(
        absl::StrCat("serverCertificates/", key.substr(0, key.find('/'))));
  }
}

absl::Status Expiries::TouchAll(store::Revision at) {
  {
    // What is gone is found to be.
    absl::MutexLock lock(&mu_);
    for (const auto& [resource, known] : known_) touched_.insert(resource);
  }
  for (const absl::string_view followed : kFollowed) {
    store::ListRequest list;
    list.prefix = std::string(followed);
    list.limit = store::kMaxPageRecords;
    list.at = at;
    list.what = store::ListRequest::What::kKeysOnly;
    SALLYPORT_RETURN_IF_ERROR(
        store::ForEachRecord(*context_.store, list,
                             [this](const store::Record& record) {
                               Touch(record.key);
                               return absl::OkStatus();
                             })
            .status());
  }
  return absl::OkStatus();
}

absl::Status Expiries::Follow() {
  if (watcher_ != nullptr) {
    while (true) {
      const absl::StatusOr<store::WatchBatch> batch =
          watcher_->Next(absl::ZeroDuration());
      if (absl::IsOutOfRange(batch.status())) break;
      SALLYPORT_RETURN_IF_ERROR(batch.status());
      if (batch->changes.empty()) return absl::OkStatus();
      for (const store::Change& change : batch->changes) {
        Touch(change.record.key);
      }
    }
    // Its place is gone.
    watcher_.reset();
  }
  SALLYPORT_ASSIGN_OR_RETURN(const store::StoreStats stats,
                             context_.store->Stats());
  SALLYPORT_ASSIGN_OR_RETURN(std::unique_ptr<store::Watcher> watcher,
                             context_.store->Watch("", stats.revision));
  SALLYPORT_RETURN_IF_ERROR(TouchAll(stats.revision));
  watcher_ = std::move(watcher);
  return absl::OkStatus();
}

absl::StatusOr<absl::Time> Expiries::Look() {
  SALLYPORT_RETURN_IF_ERROR(Follow());
  const absl::Time now = context_.clock->Now();
  {
    absl::MutexLock lock(&mu_);
    for (const auto& [resource, known] : known_) {
      if (known.next <= now) touched_.insert(resource);
    }
  }
  while (!touched_.empty()) {
    // One that fails is looked at again the next time.
    SALLYPORT_RETURN_IF_ERROR(Examine(*touched_.begin(), now));
    touched_.erase(touched_.begin());
  }
  absl::Time next = absl::InfiniteFuture();
  absl::MutexLock lock(&mu_);
  for (const auto& [resource, known] : known_) {
    next = std::min(next, known.next);
  }
  return next;
}

absl::Status Expiries::Find(const std::string& resource,
                            const store::Record& record, absl::Time now,
                            Finding& finding) {
  if (absl::StartsWith(resource, "truststores/")) {
    SALLYPORT_ASSIGN_OR_RETURN(const auto name,
                               domain::TruststoreName::Parse(resource));
    SALLYPORT_ASSIGN_OR_RETURN(const domain::Truststore truststore,
                               store::Decode(name, record));
    if (truststore.active_version == 0) return absl::OkStatus();
    SALLYPORT_ASSIGN_OR_RETURN(
        const domain::TruststoreVersion version,
        ReadResource(*context_.store, domain::TruststoreVersionName(
                                          name, truststore.active_version)));
    SALLYPORT_ASSIGN_OR_RETURN(const auto bundle, bundles_->Get(version));
    const auto appraisal = bundles_->Appraise(bundle, truststore, now);
    for (const pki::Warning& warning : appraisal->warnings) {
      finding.warnings.push_back(domain::FromPki(warning));
    }
    for (const pki::Truststore::Entry& entry : bundle->entries()) {
      const auto& certificate = entry.certificate();
      if (certificate != nullptr) finding.AddChain({certificate}, now);
    }
    finding.age = kMaxWarningAge;
    finding.known.expiry = appraisal->first_expiry;
  } else if (absl::StartsWith(resource, "serverCertificates/")) {
    SALLYPORT_ASSIGN_OR_RETURN(const auto name,
                               domain::ServerCertificateName::Parse(resource));
    SALLYPORT_ASSIGN_OR_RETURN(const domain::ServerCertificate certificate,
                               store::Decode(name, record));
    // One that an issuer renews in time is nobody's trouble.
    bool renewed = certificate.issuance.has_value();
    if (renewed) {
      std::vector<domain::Condition> conditions;
      SALLYPORT_RETURN_IF_ERROR(
          AddStatus(*context_.store, resource, conditions));
      const domain::Condition* const issued =
          domain::FindCondition(conditions, kIssuedCondition);
      renewed = issued == nullptr ||
                issued->status != domain::Condition::Status::kFalse;
    }
    std::set<int64_t> shown = {certificate.active_version};
    store::ListRequest references;
    references.prefix = absl::StrCat("refs/", resource, "/versions/");
    references.limit = store::kMaxPageRecords;
    references.what = store::ListRequest::What::kKeysOnly;
    SALLYPORT_RETURN_IF_ERROR(
        store::ForEachRecord(*context_.store, references,
                             [&](const store::Record& reference) {
                               absl::string_view rest = reference.key;
                               absl::ConsumePrefix(&rest, "refs/");
                               const auto version =
                                   domain::ServerCertificateVersionName::Parse(
                                       rest.substr(0, rest.find("/by/")));
                               if (version.ok())
                                 shown.insert(version->number());
                               return absl::OkStatus();
                             })
            .status());
    for (const int64_t number : shown) {
      const auto version = ReadResource(
          *context_.store, domain::ServerCertificateVersionName(name, number));
      if (!version.ok()) continue;
      SALLYPORT_ASSIGN_OR_RETURN(
          const auto chain,
          domain::ReadStoredChain(version->certificate_chain_pem));
      finding.AddChain(chain, now);
      finding.known.expiry =
          std::min(finding.known.expiry, domain::FirstExpiry(chain));
      for (domain::Warning& warning : ExpiryWarnings(chain, now)) {
        if (renewed && warning.reason == kExpiresSoon) continue;
        if (number != certificate.active_version) {
          warning.message =
              absl::StrCat("version ", number,
                           ", which a domain still shows: ", warning.message);
        }
        finding.warnings.push_back(std::move(warning));
      }
    }
  } else if (absl::StartsWith(resource, "clientCertificates/")) {
    SALLYPORT_ASSIGN_OR_RETURN(const auto name,
                               domain::ClientCertificateName::Parse(resource));
    SALLYPORT_ASSIGN_OR_RETURN(const domain::ClientCertificate certificate,
                               store::Decode(name, record));
    SALLYPORT_ASSIGN_OR_RETURN(
        const auto chain,
        domain::ReadStoredChain(certificate.certificate_chain_pem));
    finding.AddChain(chain, now);
    finding.known.expiry = domain::FirstExpiry(chain);
    finding.warnings = ExpiryWarnings(chain, now);
  } else if (absl::StartsWith(resource, "revocationLists/")) {
    SALLYPORT_ASSIGN_OR_RETURN(const auto name,
                               domain::RevocationListName::Parse(resource));
    SALLYPORT_ASSIGN_OR_RETURN(RevocationListView view, revocation_.Get(name));
    finding.AddInstant(view.list.next_update, now);
    for (const domain::RevocationList::Summary& list : view.list.lists) {
      finding.AddInstant(list.next_update, now);
    }
    finding.known.expiry = view.list.next_update;
    finding.warnings = std::move(view.warnings);
  } else {
    SALLYPORT_ASSIGN_OR_RETURN(const std::string pem,
                               store::CaCertificate(record));
    SALLYPORT_ASSIGN_OR_RETURN(const auto chain, domain::ReadStoredChain(pem));
    finding.AddChain(chain, now);
    finding.known.expiry = domain::FirstExpiry(chain);
    finding.warnings = ExpiryWarnings(chain, now);
  }
  return absl::OkStatus();
}

absl::Status Expiries::Examine(const std::string& resource, absl::Time now) {
  SALLYPORT_ASSIGN_OR_RETURN(const store::GetResult got,
                             context_.store->Get(resource));
  if (!got.record.has_value()) {
    absl::MutexLock lock(&mu_);
    known_.erase(resource);
    return absl::OkStatus();
  }
  Finding finding;
  absl::Status found = Find(resource, *got.record, now, finding);
  // Deleted or damaged meanwhile: whoever reads it is told.
  if (!found.ok() && !absl::IsNotFound(found) && !absl::IsDataLoss(found)) {
    return found;
  }
  Known& known = finding.known;
  known.written = got.record->mod_revision;
  // A certificate that expires at an instant has expired only after it.
  if (known.next != absl::InfiniteFuture()) {
    known.next += finding.age + absl::Milliseconds(1);
  }
  for (const domain::Warning& warning : finding.warnings) {
    known.warnings.insert(TextOf(warning));
  }
  absl::MutexLock lock(&mu_);
  const auto before = known_.find(resource);
  if (before != known_.end() && before->second.written == known.written) {
    size_t added = 0;
    for (domain::Warning& warning : finding.warnings) {
      if (before->second.warnings.count(TextOf(warning)) > 0) continue;
      if (++added > kMaxNewWarningsOfResource) break;
      WarningEvent event;
      event.number = ++last_event_;
      event.time = now;
      event.resource = resource;
      event.warning = std::move(warning);
      events_.push_back(std::move(event));
      if (events_.size() > kMaxKeptWarningEvents) events_.pop_front();
    }
  }
  known_[resource] = std::move(known);
  return absl::OkStatus();
}

std::vector<Expiry> Expiries::All() const {
  std::vector<Expiry> out;
  {
    absl::MutexLock lock(&mu_);
    for (const auto& [resource, known] : known_) {
      if (known.expiry == absl::InfiniteFuture()) continue;
      out.push_back({resource, known.expiry});
    }
  }
  std::stable_sort(
      out.begin(), out.end(),
      [](const Expiry& a, const Expiry& b) { return a.time < b.time; });
  return out;
}

WarningEvents Expiries::Events(uint64_t after, size_t limit) const {
  WarningEvents out;
  absl::MutexLock lock(&mu_);
  out.lost = !events_.empty() && after + 1 < events_.front().number;
  for (const WarningEvent& event : events_) {
    if (event.number <= after) continue;
    if (out.events.size() == limit) break;
    out.events.push_back(event);
  }
  return out;
}

uint64_t Expiries::LastEvent() const {
  absl::MutexLock lock(&mu_);
  return last_event_;
}

}  // namespace sallyport::service
