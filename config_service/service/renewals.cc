#include "config_service/service/renewals.h"

#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "base/text.h"
#include "config_service/domain/issuance.h"
#include "config_service/domain/violations.h"
#include "config_service/service/errors.h"
#include "config_service/service/limits.h"
#include "config_service/service/resources.h"
#include "config_service/store/certificate_records.h"
#include "config_service/store/fleet_records.h"
#include "config_service/store/for_each_record.h"
#include "config_service/store/keys.h"
#include "pki/crypto/crypto.h"

namespace sallyport::service {

using domain::Condition;
using domain::ServerCertificate;
using domain::ServerCertificateName;
using domain::ServerCertificateVersionName;

namespace {

// Who it is in the audit log, and what it does there.
constexpr char kPrincipal[] = "system:issuer";
constexpr char kMethod[] = "system/RenewServerCertificate";
// A whole status record is written again when others write it too.
constexpr int kTellAttempts = 3;

std::string Prefix() {
  return store::CollectionPrefix<ServerCertificateName>();
}

// The wait after the `failures`th failure.
absl::Duration WaitAfter(int failures) {
  absl::Duration wait = kFirstRenewalRetry;
  for (int i = 1; i < failures && wait < kMaxRenewalRetry; ++i) wait *= 2;
  wait = std::min(wait, kMaxRenewalRetry);
  // A fifth more or less.
  const auto random = static_cast<unsigned char>(pki::RandomBytes(1)[0]);
  return absl::Trunc(wait * (0.8 + 0.4 * random / 255), absl::Milliseconds(1));
}

bool SaysFailed(const store::ResourceStatus& status) {
  const Condition* issued =
      domain::FindCondition(status.conditions, kIssuedCondition);
  return issued != nullptr && issued->status == Condition::Status::kFalse;
}

}  // namespace

Renewals::Counts Renewals::counts() const {
  absl::MutexLock lock(&mu_);
  return counts_;
}

absl::StatusOr<absl::Time> Renewals::Run(const Cancelled& cancelled) {
  SALLYPORT_RETURN_IF_ERROR(Refresh());
  while (!queue_.empty() && !cancelled()) {
    if (queue_.begin()->first > context_.clock->Now()) break;
    const std::string id = queue_.begin()->second;
    Attend(id);
    SALLYPORT_RETURN_IF_ERROR(Refresh());
  }
  int64_t failing = 0;
  for (const auto& [id, entry] : entries_) failing += entry.failures > 0;
  absl::MutexLock lock(&mu_);
  counts_.issued = static_cast<int64_t>(entries_.size());
  counts_.failing = failing;
  return queue_.empty() ? absl::InfiniteFuture() : queue_.begin()->first;
}

absl::Status Renewals::Refresh() {
  absl::Status followed = changes_ == nullptr ? Load() : Follow();
  if (absl::IsOutOfRange(followed)) followed = Load();
  if (!followed.ok()) {
    // Half of the changes may have been taken.
    changes_.reset();
    return FromStore(followed);
  }
  return absl::OkStatus();
}

absl::Status Renewals::Load() {
  entries_.clear();
  queue_.clear();
  changes_.reset();
  store::ListRequest certificates;
  certificates.prefix = Prefix();
  SALLYPORT_ASSIGN_OR_RETURN(
      const store::Revision revision,
      store::ForEachRecord(
          *context_.store, certificates,
          [this](const store::Record& record) { return Take(record); }));
  // What another process said of them, or this one before.
  store::ListRequest statuses;
  statuses.prefix = store::StatusKey(Prefix());
  SALLYPORT_RETURN_IF_ERROR(
      store::ForEachRecord(*context_.store, statuses,
                           [this](const store::Record& record) {
                             const auto it = entries_.find(
                                 std::string(store::IdOfKey(record.key)));
                             if (it == entries_.end()) return absl::OkStatus();
                             const auto status =
                                 store::DecodeStatus(record.key, record);
                             Entry& entry = it->second;
                             entry.told = status.ok() && SaysFailed(*status);
                             // It was made, and there was no time to say so.
                             if (entry.due > context_.clock->Now()) {
                               TellInForce(it->first, entry);
                             }
                             return absl::OkStatus();
                           })
          .status());
  SALLYPORT_ASSIGN_OR_RETURN(changes_,
                             context_.store->Watch(Prefix(), revision));
  return Follow();
}

absl::Status Renewals::Follow() {
  while (true) {
    SALLYPORT_ASSIGN_OR_RETURN(const store::WatchBatch batch,
                               changes_->Next(absl::ZeroDuration()));
    for (const store::Change& change : batch.changes) {
      if (change.kind == store::Change::Kind::kPut) {
        SALLYPORT_RETURN_IF_ERROR(Take(change.record));
      } else {
        Drop(std::string(store::IdOfKey(change.record.key)));
      }
    }
    if (batch.changes.empty()) break;
  }
  return absl::OkStatus();
}

absl::Status Renewals::Take(const store::Record& record) {
  const std::string id(store::IdOfKey(record.key));
  const ServerCertificateName name(id);
  const absl::StatusOr<ServerCertificate> certificate =
      store::Decode(name, record);
  // One that cannot be read is not what others wait for.
  if (!certificate.ok() || !certificate->issuance.has_value()) {
    Drop(id);
    return absl::OkStatus();
  }
  const auto version = ReadResource(
      *context_.store,
      ServerCertificateVersionName(name, certificate->active_version));
  if (absl::IsNotFound(version.status()) ||
      absl::IsDataLoss(version.status())) {
    // A later change says what became of it.
    Drop(id);
    return absl::OkStatus();
  }
  SALLYPORT_RETURN_IF_ERROR(version.status());
  SALLYPORT_ASSIGN_OR_RETURN(
      const std::vector<domain::CertificatePtr> chain,
      domain::ReadStoredChain(version->certificate_chain_pem));
  Entry& entry = entries_[id];
  if (entry.version == certificate->active_version) return absl::OkStatus();
  entry.version = certificate->active_version;
  entry.not_after = domain::FirstExpiry(chain);
  entry.failures = 0;
  // Somebody else had it made.
  TellInForce(id, entry);
  SetDue(id, entry,
         domain::RenewalTime(version->create_time, entry.not_after,
                             certificates_->issuing().renew_percent));
  return absl::OkStatus();
}

void Renewals::Drop(const std::string& id) {
  const auto it = entries_.find(id);
  if (it == entries_.end()) return;
  queue_.erase({it->second.due, id});
  entries_.erase(it);
}

void Renewals::SetDue(const std::string& id, Entry& entry, absl::Time due) {
  queue_.erase({entry.due, id});
  entry.due = due;
  queue_.insert({due, id});
}

absl::Status Renewals::Renew(const ServerCertificateName& name,
                             const Entry& entry) {
  SALLYPORT_ASSIGN_OR_RETURN(const ServerCertificate certificate,
                             ReadResource(*context_.store, name));
  if (certificate.active_version != entry.version) return absl::OkStatus();
  const CertificateIssuer* issuer =
      certificates_->FindIssuer(certificate.issued_by);
  // Another would end no later.
  if (issuer != nullptr && issuer->not_after() <= entry.not_after) {
    return domain::MakeError(
        domain::Reason::kIssuerExpires,
        absl::StrCat("the issuer's own certificate ends on ",
                     TimeText(issuer->not_after()),
                     ", no later than this one; give it a newer one"));
  }
  Caller caller;
  caller.principal = kPrincipal;
  caller.role = Role::kOperator;
  Write write;
  write.method = kMethod;
  return certificates_->RenewDue(caller, write, name,
                                 certificate.metadata.etag);
}

void Renewals::Attend(const std::string& id) {
  const ServerCertificateName name(id);
  const auto it = entries_.find(id);
  Entry& entry = it->second;
  Attempt attempt;
  attempt.certificate = name;
  attempt.status = Renew(name, entry);
  const absl::Time now = context_.clock->Now();
  if (absl::IsNotFound(attempt.status)) {
    Drop(id);
    return;
  }
  // Somebody changed it just now: what it is comes with the changes.
  if (absl::IsAborted(attempt.status)) {
    SetDue(id, entry, now + kFirstRenewalRetry);
    return;
  }
  if (attempt.status.ok()) {
    // The new version says when it is due.
    SetDue(id, entry, now + kFirstRenewalRetry);
    TellInForce(id, entry);
  } else {
    ++entry.failures;
    attempt.next = now + WaitAfter(entry.failures);
    SetDue(id, entry, attempt.next);
    const auto error = domain::ErrorOf(attempt.status);
    const absl::Status told = Tell(
        name, /*failed=*/true,
        std::string(domain::ReasonName(
            error.has_value() ? error->reason : domain::Reason::kInternal)),
        error.has_value() ? error->message : "the issuer failed");
    entry.told = entry.told || told.ok();
  }
  {
    absl::MutexLock lock(&mu_);
    ++(attempt.status.ok() ? counts_.renewed : counts_.failed);
  }
  report_(attempt);
}

void Renewals::TellInForce(const std::string& id, Entry& entry) {
  if (!entry.told) return;
  entry.told = !Tell(ServerCertificateName(id), /*failed=*/false, "", "").ok();
}

absl::Status Renewals::Tell(const ServerCertificateName& name, bool failed,
                            const std::string& reason,
                            const std::string& message) {
  const std::string resource = name.ToString();
  const std::string key = store::StatusKey(resource);
  for (int attempt = 1;; ++attempt) {
    SALLYPORT_ASSIGN_OR_RETURN(const store::GetResult got,
                               context_.store->Get(key));
    SALLYPORT_ASSIGN_OR_RETURN(const store::GetResult certificate,
                               context_.store->Get(store::KeyOf(name)));
    if (!certificate.record.has_value()) return absl::OkStatus();
    store::ResourceStatus status;
    if (got.record.has_value()) {
      SALLYPORT_ASSIGN_OR_RETURN(status,
                                 store::DecodeStatus(resource, *got.record));
    }
    Condition issued;
    issued.type = std::string(kIssuedCondition);
    issued.status =
        failed ? Condition::Status::kFalse : Condition::Status::kTrue;
    issued.reason = failed ? reason : "IN_FORCE";
    issued.message = message;
    issued.observed_revision = certificate.record->mod_revision.value();
    if (!domain::SetCondition(std::move(issued), context_.clock->Now(),
                              status.conditions)) {
      return absl::OkStatus();
    }
    store::Commit commit;
    commit.preconditions.push_back(
        got.record.has_value() ? store::Precondition::Unchanged(*got.record)
                               : store::Precondition::Absent(key));
    commit.preconditions.push_back(
        store::Precondition::Exists(store::KeyOf(name)));
    commit.puts.push_back({key, store::Encode(status), {}});
    absl::Status applied = context_.store->Apply(commit).status();
    if (!absl::IsAborted(applied) || attempt == kTellAttempts) return applied;
  }
}

}  // namespace sallyport::service
