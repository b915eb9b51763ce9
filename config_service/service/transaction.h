// Transaction: one change. What is read is what the commit relies on; what is
// changed is in the audit log of the same commit.
//
//   return Mutate<domain::Truststore>(
//       context, caller, write,
//       [&](Transaction& transaction) -> absl::StatusOr<domain::Truststore> {
//         SALLYPORT_ASSIGN_OR_RETURN(auto before, transaction.Load(name));
//         auto after = before;
//         ... change and check it ...
//         transaction.Update(before, after, blobs);
//         return after;
//       },
//       [&](int64_t revision) { return Read(name, revision); });
//
// When others changed meanwhile what it relies on, it is run again, from the
// reading on.

#ifndef SALLYPORT_CONFIG_SERVICE_SERVICE_TRANSACTION_H_
#define SALLYPORT_CONFIG_SERVICE_SERVICE_TRANSACTION_H_

#include <cstdint>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/status_macros.h"
#include "config_service/domain/api.h"
#include "config_service/domain/api_mapping.h"
#include "config_service/domain/audit.h"
#include "config_service/domain/backend_policy.h"
#include "config_service/domain/domain_name.h"
#include "config_service/domain/fleet.h"
#include "config_service/domain/revocation.h"
#include "config_service/domain/server_certificate.h"
#include "config_service/domain/truststore.h"
#include "config_service/domain/violations.h"
#include "config_service/service/caller.h"
#include "config_service/service/errors.h"
#include "config_service/service/limits.h"
#include "config_service/service/rollouts.h"
#include "config_service/store/api_records.h"
#include "config_service/store/certificate_records.h"
#include "config_service/store/domain_records.h"
#include "config_service/store/fleet_records.h"
#include "config_service/store/keys.h"
#include "config_service/store/list_records.h"
#include "config_service/store/records.h"
#include "config_service/store/sealer.h"
#include "config_service/store/store.h"

namespace sallyport::service {

// How resources look in the audit log: JSON with the names of the public API,
// without anything secret. Thread-safe.
class AuditFormat {
 public:
  virtual ~AuditFormat() = default;
  virtual std::string Json(const domain::Truststore& truststore) const = 0;
  virtual std::string Json(const domain::TruststoreVersion& version) const = 0;
  virtual std::string Json(
      const domain::ServerCertificate& certificate) const = 0;
  virtual std::string Json(
      const domain::ServerCertificateVersion& version) const = 0;
  virtual std::string Json(
      const domain::ClientCertificate& certificate) const = 0;
  virtual std::string Json(const domain::RevocationList& list) const = 0;
  virtual std::string Json(const domain::CertificateList& list) const = 0;
  virtual std::string Json(const domain::CertificateListEntry& entry) const = 0;
  virtual std::string Json(const domain::Fleet& fleet) const = 0;
  virtual std::string Json(const domain::DomainName& domain_name) const = 0;
  virtual std::string Json(const domain::ApiMapping& mapping) const = 0;
  virtual std::string Json(const domain::Api& api) const = 0;
  virtual std::string Json(const domain::Route& route) const = 0;
  virtual std::string Json(const domain::Stage& stage) const = 0;
  // How many routes, in place of them.
  virtual std::string Json(const domain::Deployment& deployment) const = 0;
};

// What the use cases work with. All outlive whoever has it.
struct Context {
  store::Store* store = nullptr;
  const Clock* clock = nullptr;
  const AuditFormat* format = nullptr;
  // For those that keep private keys.
  const store::Sealer* sealer = nullptr;
  // Null: nobody serves nodes, so there are none.
  Rollouts* rollouts = nullptr;
  // Which addresses backends may have; null: any.
  const domain::BackendPolicy* backends = nullptr;
};

// Of a resource that was committed.
template <typename T>
auto Stamp(T& resource, int64_t revision)
    -> decltype(void(resource.metadata.revision)) {
  resource.metadata.revision = revision;
}
inline void Stamp(domain::TruststoreVersion& version, int64_t revision) {
  version.revision = revision;
}
inline void Stamp(domain::ServerCertificateVersion& version, int64_t revision) {
  version.revision = revision;
}
template <typename T>
auto SetEtag(T& resource, const domain::Etag& etag)
    -> decltype(void(resource.metadata.etag)) {
  resource.metadata.etag = etag;
}
inline void SetEtag(domain::TruststoreVersion& version,
                    const domain::Etag& etag) {
  version.etag = etag;
}
// Has none.
inline void SetEtag(domain::ServerCertificateVersion&, const domain::Etag&) {}

// The answer of a deletion.
struct Deleted {};

// A request that was carried out before. Converts to the revision at which it
// was.
struct Replay {
  int64_t revision = 0;
  // The resource that the answer was about.
  std::string resource;
  operator int64_t() const { return revision; }  // NOLINT(*-explicit-*)
};

class Transaction {
 public:
  // `context`, `caller` and `write` outlive it.
  Transaction(const Context& context, const Caller& caller, const Write& write);

  // One instant for the whole change.
  absl::Time now() const { return now_; }

  // The first commit with this request_id; nothing when there was none.
  // REQUEST_ID_REUSED. To be called first.
  absl::StatusOr<std::optional<Replay>> Repeated();

  // The record; the commit relies on it (or on there being none).
  absl::StatusOr<std::optional<store::Record>> Read(const std::string& key);

  // The resource; RESOURCE_NOT_FOUND.
  template <typename Name>
  auto Load(const Name& name)
      -> decltype(store::Decode(name, std::declval<store::Record>())) {
    SALLYPORT_ASSIGN_OR_RETURN(std::optional<store::Record> record,
                               Read(store::KeyOf(name)));
    if (!record.has_value()) return NotFound(Name::kType, name.ToString());
    return store::Decode(name, *record);
  }

  // That the parent of a resource exists, now and when this is committed;
  // RESOURCE_NOT_FOUND.
  template <typename Name>
  absl::Status CheckParent(const Name& name) {
    SALLYPORT_ASSIGN_OR_RETURN(const bool exists, Exists(store::KeyOf(name)));
    return exists ? absl::OkStatus() : NotFound(Name::kType, name.ToString());
  }

  // All records under `prefix`; the commit relies on none being put there
  // since. For few records: all are in memory.
  absl::StatusOr<std::vector<store::Record>> List(
      std::string prefix,
      store::ListRequest::What what = store::ListRequest::What::kRecords);

  // That nothing under `prefix` was put after `revision` when this is
  // committed.
  void RelyOnNoPuts(std::string prefix, store::Revision revision) {
    commit_.preconditions.push_back(
        store::Precondition::PrefixNotPutAfter(std::move(prefix), revision));
  }

  // RESOURCE_ALREADY_EXISTS.
  template <typename Name>
  absl::Status CheckAbsent(const Name& name) {
    SALLYPORT_ASSIGN_OR_RETURN(std::optional<store::Record> record,
                               Read(store::KeyOf(name)));
    if (!record.has_value()) return absl::OkStatus();
    return AlreadyExists(Name::kType, name.ToString());
  }

  // That a resource which `field` names exists, now and when this is
  // committed; else a REFERENCE_NOT_FOUND among `violations`.
  template <typename Name>
  absl::Status CheckReference(absl::string_view field, const Name& name,
                              domain::Violations& violations) {
    SALLYPORT_ASSIGN_OR_RETURN(const bool exists, Exists(store::KeyOf(name)));
    if (!exists) {
      violations.Add(field, domain::Reason::kReferenceNotFound,
                     absl::StrCat("there is no ", Name::kType, " \"",
                                  name.ToString(), "\"; make it first"));
    }
    return absl::OkStatus();
  }

  // That `by` names the targets of `after`, and no longer those of `before`
  // that are not among them. Names of resources.
  void SetReferences(absl::string_view by,
                     const std::vector<std::string>& before,
                     const std::vector<std::string>& after);

  // That nobody names `resource`, now and when this is committed;
  // RESOURCE_IN_USE.
  absl::Status CheckUnused(absl::string_view resource);

  // Adds what is new, changes what is there, removes. The first two set the
  // etag. `blobs`: what the resource needs of the store.
  template <typename T>
  void Create(T& resource, std::vector<store::BlobDigest> blobs = {}) {
    Put(resource, std::move(blobs));
    AddChange(resource.name.ToString(), "", context_.format->Json(resource));
  }
  template <typename T>
  void Update(const T& before, T& after,
              std::vector<store::BlobDigest> blobs = {}) {
    Put(after, std::move(blobs));
    AddChange(after.name.ToString(), context_.format->Json(before),
              context_.format->Json(after));
  }
  template <typename T>
  void Delete(const T& resource) {
    commit_.deletes.push_back(store::KeyOf(resource.name));
    AddChange(resource.name.ToString(), context_.format->Json(resource), "");
  }
  // The same for what the store has in an encoding that the caller made:
  // resources with a sealed key.
  template <typename T>
  void CreateEncoded(T& resource, std::string value) {
    PutEncoded(resource, std::move(value), {});
    AddChange(resource.name.ToString(), "", context_.format->Json(resource));
  }
  template <typename T>
  void UpdateEncoded(const T& before, T& after, std::string value) {
    PutEncoded(after, std::move(value), {});
    AddChange(after.name.ToString(), context_.format->Json(before),
              context_.format->Json(after));
  }
  // A record that belongs to a resource which is deleted.
  void DeletePart(std::string key) {
    commit_.deletes.push_back(std::move(key));
  }
  // A part of a resource that is a record of its own, under the name that the
  // audit log has for it. JSON; `before` is empty for a new one, `after` for
  // one that goes.
  void PutPart(std::string key, std::string value, std::string resource,
               std::string before, std::string after) {
    commit_.puts.push_back({std::move(key), std::move(value), {}});
    AddChange(std::move(resource), std::move(before), std::move(after));
  }
  void DeletePart(std::string key, std::string resource, std::string before) {
    commit_.deletes.push_back(std::move(key));
    AddChange(std::move(resource), std::move(before), "");
  }
  // That nothing is under `prefix` when this is committed.
  void RelyOnEmpty(std::string prefix) {
    commit_.preconditions.push_back(
        store::Precondition::PrefixEmpty(std::move(prefix)));
  }

  // A rule that was left out because the caller asked for it.
  void Override(absl::string_view rule) { overrides_.emplace_back(rule); }

  // Whether anything is to be changed.
  bool changed() const {
    return !commit_.puts.empty() || !commit_.deletes.empty();
  }

  // `resource` is what the answer is about. Aborted: run it again.
  absl::StatusOr<store::Revision> Commit(absl::string_view resource);

 private:
  absl::StatusOr<bool> Exists(const std::string& key);
  template <typename T>
  void Put(T& resource, std::vector<store::BlobDigest> blobs) {
    PutEncoded(resource, store::Encode(resource), std::move(blobs));
  }
  template <typename T>
  void PutEncoded(T& resource, std::string value,
                  std::vector<store::BlobDigest> blobs) {
    SetEtag(resource, domain::Etag::Of(value));
    commit_.puts.push_back(
        {store::KeyOf(resource.name), std::move(value), std::move(blobs)});
  }
  void AddChange(std::string resource, std::string before, std::string after);

  const Context& context_;
  const Caller& caller_;
  const Write& write_;
  const absl::Time now_;
  store::Commit commit_;
  std::vector<domain::AuditEntry::Change> changes_;
  std::vector<std::string> overrides_;
  std::string request_key_;
};

// Paths of the leaves in which two JSON objects differ, in order, each once.
std::vector<std::string> ChangedFields(absl::string_view before,
                                       absl::string_view after);

// The name of the resource that an answer is about.
template <typename T>
std::string ResourceOf(const T& answer) {
  return answer.name.ToString();
}
inline std::string ResourceOf(const Deleted&) { return ""; }
inline void Stamp(Deleted&, int64_t) {}

// Mutate: see above. `body` may run several times and changes nothing but its
// transaction. `replay` gives the answer as of the revision at which the same
// request was carried out before; it takes a Replay, or just the revision.
template <typename T>
absl::StatusOr<T> Mutate(
    const Context& context, const Caller& caller, const Write& write,
    absl::FunctionRef<absl::StatusOr<T>(Transaction&)> body,
    absl::FunctionRef<absl::StatusOr<T>(const Replay&)> replay) {
  for (int attempt = 1;; ++attempt) {
    Transaction transaction(context, caller, write);
    SALLYPORT_ASSIGN_OR_RETURN(const std::optional<Replay> repeated,
                               transaction.Repeated());
    if (repeated.has_value()) return replay(*repeated);
    SALLYPORT_ASSIGN_OR_RETURN(T answer, body(transaction));
    if (write.validate_only) return answer;
    const bool changed = transaction.changed();
    const absl::StatusOr<store::Revision> revision =
        transaction.Commit(ResourceOf(answer));
    if (revision.ok()) {
      if (changed) Stamp(answer, revision->value());
      return answer;
    }
    if (!absl::IsAborted(revision.status()) || attempt == kMaxAttempts) {
      return FromStore(revision.status());
    }
  }
}

}  // namespace sallyport::service

#endif  // SALLYPORT_CONFIG_SERVICE_SERVICE_TRANSACTION_H_
