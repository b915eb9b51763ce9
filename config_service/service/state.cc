#include "config_service/service/state.h"

#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/status_macros.h"
#include "base/text.h"
#include "config_service/domain/audit.h"
#include "config_service/domain/fleet.h"
#include "config_service/domain/violations.h"
#include "config_service/service/errors.h"
#include "config_service/service/limits.h"
#include "config_service/service/state_check.h"
#include "config_service/store/ca_record.h"
#include "config_service/store/for_each_record.h"
#include "config_service/store/keys.h"
#include "config_service/store/records.h"
#include "nlohmann/json.hpp"

namespace sallyport::service {

using domain::Reason;
using domain::Violations;
using store::ExportRule;

namespace {

using Json = nlohmann::json;

constexpr char kState[] = "state";
constexpr absl::string_view kDomainKeys = "domainNames/";
constexpr size_t kAuditRandomBytes = 8;
// What was found out about domains. Of those that stay it does too: whoever
// found it out says it again only when it changes.
constexpr char kDomainStatuses[] = "status/domainNames/";
constexpr size_t kForgottenAtOnce = 1000;
// What stays over an import: what happened here, and what is one installation's
// own.
const char* const kKeptPrefixes[] = {"accessKeys/", "audit/", "requests/",
                                     "system/", "installation/",
                                     kDomainStatuses,
                                     // What was revoked stays revoked.
                                     "fleets.nodes/"};
// What a record takes in memory beside its bytes, about.
constexpr size_t kRecordOverheadBytes = 256;

absl::Status Invalid(absl::string_view why) {
  return domain::MakeError(Reason::kExportInvalid, why);
}

// Resources that there are, and whether they are only what the first start
// made.
struct Inventory {
  int64_t num_resources = 0;
  bool empty = true;
};
absl::StatusOr<Inventory> TakeInventory(store::Store& store) {
  Inventory out;
  const std::string made = store::KeyOf(domain::DefaultFleet());
  store::ListRequest keys;
  keys.limit = store::kMaxPageRecords;
  keys.what = store::ListRequest::What::kKeysOnly;
  const auto revision =
      store::ForEachRecord(store, keys, [&](const store::Record& record) {
        if (store::ExportRuleOf(record.key) == ExportRule::kResource) {
          ++out.num_resources;
          if (record.key != made || record.version != 1) out.empty = false;
        }
        return absl::OkStatus();
      });
  if (!revision.ok()) return FromStore(revision.status());
  return out;
}

absl::Status NotEmpty() {
  return domain::MakeError(
      Reason::kStateNotEmpty,
      "the installation is not empty: an import would take the place of all "
      "that there is; set `replace` if that is wanted");
}

store::Put AuditPut(const Caller& caller, const Write& write, absl::Time now,
                    std::string before, std::string after) {
  domain::AuditEntry entry;
  entry.time = now;
  entry.principal = caller.principal;
  entry.peer = caller.peer;
  entry.method = write.method;
  entry.request_id = write.request_id;
  domain::AuditEntry::Change change;
  change.resource = kState;
  change.changed_fields = ChangedFields(before, after);
  change.before_json = std::move(before);
  change.after_json = std::move(after);
  entry.changes.push_back(std::move(change));
  return {store::AuditKey(now, pki::RandomBytes(kAuditRandomBytes)),
          store::Encode(entry),
          {}};
}

}  // namespace

absl::StatusOr<std::unique_ptr<State>> State::Make(const Context& context) {
  std::map<std::string, std::string> cas;
  for (const absl::string_view key :
       {store::kProxyCaKey, store::kIssuerCaKey}) {
    absl::StatusOr<store::GetResult> got = context.store->Get(key);
    if (!got.ok()) return FromStore(got.status());
    if (!got->record.has_value()) continue;
    SALLYPORT_ASSIGN_OR_RETURN(cas[std::string(key)],
                               store::CaCertificate(*got->record));
  }
  return std::unique_ptr<State>(new State(context, std::move(cas)));
}

// ------------------------------------------------------------------- export

absl::StatusOr<StateTrailer> State::Export(
    const Caller& caller, const Write& write, const ExportRequest& request,
    absl::FunctionRef<bool(const StateHeader&)> begin, Take take) {
  const bool with_keys = !request.recipient_public_key.empty();
  if (with_keys) {
    const auto sender = pki::HpkeSender::Make(request.recipient_public_key,
                                              store::kExportHpkeInfo);
    if (!sender.ok()) {
      Violations violations;
      violations.Add("recipient_public_key", Reason::kFieldMalformed,
                     sender.status().message());
      return violations.ToStatus();
    }
    const std::string said =
        Json{
            {"name", kState},
            {"recipient_public_key_sha256",
             HexLower(pki::AsBytes(pki::Sha256(request.recipient_public_key)))}}
            .dump();
    store::Commit commit;
    commit.puts.push_back(
        AuditPut(caller, write, context_.clock->Now(), said, said));
    const auto noted = context_.store->Apply(commit);
    // A store that takes no changes is the one that needs a backup.
    if (!noted.ok() && !absl::IsResourceExhausted(noted.status()) &&
        !absl::IsUnavailable(noted.status())) {
      return FromStore(noted.status());
    }
  }
  pki::Sha256Hasher hasher;
  StateTrailer trailer;
  bool wanted = true;
  const auto sink = [&](absl::string_view bytes) -> absl::Status {
    hasher.Update(bytes);
    trailer.size_bytes += static_cast<int64_t>(bytes.size());
    wanted = wanted && take(bytes);
    return wanted ? absl::OkStatus()
                  : domain::MakeError(Reason::kUnavailable,
                                      "nobody takes the export any more");
  };
  absl::StatusOr<store::StoreStats> stats = context_.store->Stats();
  if (!stats.ok()) return FromStore(stats.status());
  // All of it is of this revision, whatever is written meanwhile.
  store::ListRequest list;
  list.limit = store::kMaxPageRecords;
  list.at = stats->revision;
  StateHeader header;
  header.revision = stats->revision.value();
  header.lineage = context_.store->lineage().id();
  header.time = context_.clock->Now();
  header.has_private_keys = with_keys;
  wanted = begin(header);
  SALLYPORT_ASSIGN_OR_RETURN(
      const std::unique_ptr<store::ExportWriter> writer,
      store::ExportWriter::Make(context_.store, context_.sealer,
                                request.recipient_public_key, sink));
  const auto revision = store::ForEachRecord(
      *context_.store, list, [&](const store::Record& record) -> absl::Status {
        const std::optional<ExportRule> rule = store::ExportRuleOf(record.key);
        if (!rule.has_value()) {
          return absl::InternalError(
              absl::StrCat("no export has the record ", Printable(record.key)));
        }
        switch (*rule) {
          case ExportRule::kResource:
            return writer->Add(record);
          case ExportRule::kOwnKey:
            return with_keys ? writer->Add(record) : absl::OkStatus();
          case ExportRule::kAuditEntry: {
            if (!request.include_audit_log) return absl::OkStatus();
            SALLYPORT_ASSIGN_OR_RETURN(const domain::AuditEntry entry,
                                       store::DecodeAuditEntry(record));
            return writer->Add(record,
                               entry.imported_from.empty()
                                   ? context_.store->lineage().id()
                                   : entry.imported_from,
                               entry.revision);
          }
          case ExportRule::kNotExported:
            return absl::OkStatus();
        }
        return absl::OkStatus();
      });
  if (!revision.ok()) return FromStore(revision.status());
  trailer.sha256 = HexLower(pki::AsBytes(hasher.Finish()));
  return trailer;
}

// ------------------------------------------------------------------- import

absl::StatusOr<std::unique_ptr<State::Import>> State::Begin(
    const Caller& caller, const Write& write, ImportRequest request) {
  if (request.header.format_version != store::kExportFormatVersion) {
    return Invalid(absl::StrCat(
        "the export has the format version ", request.header.format_version,
        "; this service reads ", store::kExportFormatVersion,
        ". Import it with the version that made it, or a newer one"));
  }
  Violations violations;
  constexpr absl::string_view kField = "start.recipient_private_key";
  const size_t key_bytes = request.recipient_private_key.Reveal().size();
  if (request.header.has_private_keys && key_bytes == 0) {
    violations.Add(kField, Reason::kFieldRequired,
                   "is empty; the export has private keys: give the key that "
                   "they are sealed to");
  } else if (request.header.has_private_keys &&
             key_bytes != pki::kX25519Bytes) {
    violations.Add(kField, Reason::kFieldMalformed,
                   "is no X25519 private key of 32 bytes");
  }
  SALLYPORT_RETURN_IF_ERROR(violations.ToStatus());
  if (!request.header.has_private_keys)
    request.recipient_private_key = Secret();
  if (!request.replace) {
    SALLYPORT_ASSIGN_OR_RETURN(const Inventory inventory,
                               TakeInventory(*context_.store));
    if (!inventory.empty) return NotEmpty();
  }
  if (importing_.exchange(true)) {
    return domain::MakeError(Reason::kRateLimited,
                             "another import is under way; try again",
                             {{"retry_after_seconds", "5"}});
  }
  return std::unique_ptr<Import>(
      new Import(this, caller, write, std::move(request), &importing_));
}

State::Import::Import(State* state, const Caller& caller, const Write& write,
                      ImportRequest request, std::atomic<bool>* slot)
    : state_(state),
      caller_(caller),
      write_(write),
      request_(std::move(request)),
      slot_(slot),
      reader_(state->context_.store, request_.recipient_private_key,
              [this](store::ExportedRecord record) -> absl::Status {
                record_bytes_ +=
                    kRecordOverheadBytes + record.key.size() +
                    record.value.size() +
                    record.blobs.size() * sizeof(store::BlobDigest) +
                    record.private_key_pem.Reveal().size();
                if (record_bytes_ > kMaxImportRecordBytes) {
                  return domain::MakeError(
                      Reason::kRequestTooLarge,
                      absl::StrCat("the export has more than ",
                                   kMaxImportRecordBytes,
                                   " bytes of records; export without the "
                                   "audit log"));
                }
                records_.push_back(std::move(record));
                return absl::OkStatus();
              }) {}

absl::Status State::Import::Append(absl::string_view bytes) {
  bytes_ += bytes.size();
  if (bytes_ > kMaxImportBytes) {
    return domain::MakeError(
        Reason::kRequestTooLarge,
        absl::StrCat("the export has more than ", kMaxImportBytes, " bytes"));
  }
  hasher_.Update(bytes);
  const absl::Status status = reader_.Append(bytes);
  return status.ok() ? status : FromStore(status);
}

absl::StatusOr<ImportedState> State::Import::Finish(
    const StateTrailer& trailer) {
  const std::string sha256 = HexLower(pki::AsBytes(hasher_.Finish()));
  if (sha256 != absl::AsciiStrToLower(trailer.sha256) ||
      trailer.size_bytes < 0 ||
      static_cast<uint64_t>(trailer.size_bytes) != bytes_) {
    return Invalid(
        "what arrived is not what was exported: its size or its SHA-256 is "
        "another");
  }
  SALLYPORT_RETURN_IF_ERROR(reader_.Finish());
  Violations violations;
  for (const store::ExportedRecord& record : records_) {
    for (const store::BlobDigest& blob : record.blobs) {
      if (reader_.HasBlob(blob)) continue;
      violations.Add(Printable(record.key), Reason::kExportInvalid,
                     "names content that the export does not have");
    }
  }
  const Context& context = state_->context_;
  absl::StatusOr<CheckedState> checked =
      CheckState(records_, *context.store, violations);
  if (!checked.ok()) return FromStore(checked.status());
  SALLYPORT_RETURN_IF_ERROR(violations.ToStatus());

  store::Replacement replacement;
  replacement.kept_prefixes.assign(std::begin(kKeptPrefixes),
                                   std::end(kKeptPrefixes));
  replacement.puts = std::move(checked->references);
  std::set<std::string> domains;
  for (store::ExportedRecord& record : records_) {
    if (store::ExportRuleOf(record.key) == ExportRule::kAuditEntry) {
      // What this installation wrote, or imported before, stays as it is.
      SALLYPORT_ASSIGN_OR_RETURN(const store::GetResult got,
                                 context.store->Get(record.key));
      if (got.record.has_value()) continue;
      store::Record stored;
      stored.value = std::move(record.value);
      SALLYPORT_ASSIGN_OR_RETURN(domain::AuditEntry entry,
                                 store::DecodeAuditEntry(stored));
      entry.imported_from = record.lineage;
      entry.revision = record.revision;
      replacement.puts.push_back({record.key, store::Encode(entry), {}});
      continue;
    }
    if (absl::StartsWith(record.key, kDomainKeys)) domains.insert(record.key);
    SALLYPORT_ASSIGN_OR_RETURN(
        store::Put put, store::ToPut(std::move(record), *context.sealer));
    replacement.puts.push_back(std::move(put));
  }
  records_.clear();
  records_.shrink_to_fit();

  ImportedState out;
  out.num_resources = checked->num_resources;
  out.num_audit_entries = checked->num_audit_entries;
  out.without_private_key = std::move(checked->without_private_key);
  for (const auto& [key, pem] : checked->cas) {
    const auto in_use = state_->cas_in_use_.find(key);
    if (in_use != state_->cas_in_use_.end() && in_use->second != pem) {
      out.restart_required = true;
    }
  }
  // Two with one request_id are one only if their contents are.
  write_.request =
      store::BlobDigest::Of(absl::StrCat(write_.request.bytes(), sha256));
  const std::string state_json = Json{
      {"name", kState},
      {"resources", out.num_resources},
      {"audit_entries", out.num_audit_entries},
      {"private_keys", request_.header.has_private_keys},
      {"exported_from", Printable(request_.header.lineage)},
      {"exported_revision", request_.header.revision},
      {"sha256", sha256}}.dump();
  for (int attempt = 1;; ++attempt) {
    const auto revision = Replace(state_json, replacement);
    if (revision.ok()) {
      out.revision = revision->value();
      if (write_.validate_only) return out;
      if (out.restart_required) state_->restart_required_ = true;
      ForgetStatuses(domains);
      return out;
    }
    if (!absl::IsAborted(revision.status()) || attempt == kMaxAttempts) {
      return FromStore(revision.status());
    }
  }
}

absl::StatusOr<store::Revision> State::Import::Replace(
    const std::string& state_json, store::Replacement& replacement) {
  const Context& context = state_->context_;
  // All that is read below counts only if nothing is newer than this.
  SALLYPORT_ASSIGN_OR_RETURN(const store::StoreStats stats,
                             context.store->Stats());
  Transaction transaction(context, caller_, write_);
  SALLYPORT_ASSIGN_OR_RETURN(const std::optional<Replay> repeated,
                             transaction.Repeated());
  if (repeated.has_value()) return store::Revision(repeated->revision);
  SALLYPORT_ASSIGN_OR_RETURN(const Inventory inventory,
                             TakeInventory(*context.store));
  if (!request_.replace && !inventory.empty) return NotEmpty();
  if (write_.validate_only) return stats.revision;

  // Where all is to go, it goes with what others write meanwhile.
  if (!request_.replace) replacement.expected = stats.revision;
  const auto num_imported =
      static_cast<std::ptrdiff_t>(replacement.puts.size());
  const std::string before =
      Json{{"name", kState}, {"resources", inventory.num_resources}}.dump();
  replacement.puts.push_back(
      AuditPut(caller_, write_, transaction.now(), before, state_json));
  if (!write_.request_id.empty()) {
    store::RememberedRequest request;
    request.request = write_.request;
    request.method = write_.method;
    request.resource = kState;
    request.expire_time = transaction.now() + kRequestMemory;
    replacement.puts.push_back(
        {store::RequestKey(caller_.principal,
                           absl::AsciiStrToLower(write_.request_id)),
         store::Encode(request),
         {}});
  }
  absl::StatusOr<store::Revision> revision =
      context.store->Replace(replacement);
  replacement.puts.erase(replacement.puts.begin() + num_imported,
                         replacement.puts.end());
  return revision;
}

void State::Import::ForgetStatuses(const std::set<std::string>& domains) {
  store::Store& store = *state_->context_.store;
  store::ListRequest list;
  list.prefix = std::string(kDomainStatuses);
  list.limit = store::kMaxPageRecords;
  list.what = store::ListRequest::What::kKeysOnly;
  store::Commit commit;
  const auto forget = [&](const store::Record& record) -> absl::Status {
    absl::string_view domain = record.key;
    absl::ConsumePrefix(&domain, store::StatusKey(""));
    if (domains.count(std::string(domain)) != 0) return absl::OkStatus();
    commit.deletes.push_back(record.key);
    if (commit.deletes.size() < kForgottenAtOnce) return absl::OkStatus();
    return store.Apply(std::exchange(commit, {})).status();
  };
  // What fails here does no harm: the next start forgets them too.
  if (!store::ForEachRecord(store, list, forget).ok()) return;
  if (!commit.deletes.empty()) store.Apply(commit).IgnoreError();
}

}  // namespace sallyport::service
