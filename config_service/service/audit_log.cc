#include "config_service/service/audit_log.h"

#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/status_macros.h"
#include "config_service/service/errors.h"
#include "config_service/service/filter.h"
#include "config_service/store/keys.h"
#include "config_service/store/records.h"

namespace sallyport::service {
namespace {

constexpr FilterField kFields[] = {
    {"principal"},
    {"method"},
    {"resource"},
    {"time", FilterField::Type::kTime},
    {"revision", FilterField::Type::kNumber},
};

// Records of requests that one commit removes.
constexpr size_t kForgottenAtOnce = 500;

FilterValue ValueOf(const domain::AuditEntry& entry, absl::string_view field) {
  if (field == "principal") return entry.principal;
  if (field == "method") return entry.method;
  if (field == "time") return entry.time;
  if (field == "revision") return entry.revision;
  // All of them: "has" finds one, "=" needs it to be the only one.
  return absl::StrJoin(
      entry.changes, " ",
      [](std::string* out, const domain::AuditEntry::Change& change) {
        absl::StrAppend(out, change.resource);
      });
}

}  // namespace

std::string AuditEntryName(absl::string_view imported_from, int64_t revision) {
  return absl::StrCat("auditEntries/", imported_from,
                      imported_from.empty() ? "" : "-", revision);
}

absl::StatusOr<domain::AuditEntry> AuditLog::Get(
    int64_t revision, absl::string_view imported_from) {
  const std::string name = AuditEntryName(imported_from, revision);
  if (revision <= 0) return NotFound("audit entry", name);
  const auto is_it = [&](const domain::AuditEntry& entry) {
    return entry.revision == revision && entry.imported_from == imported_from;
  };
  // Recent ones are among the changes of their commit.
  absl::StatusOr<std::unique_ptr<store::Watcher>> watcher =
      imported_from.empty()
          ? store_->Watch(store::kAuditPrefix, store::Revision(revision - 1))
          : absl::OutOfRangeError("of another store");
  if (watcher.ok()) {
    absl::StatusOr<store::WatchBatch> batch =
        (*watcher)->Next(absl::ZeroDuration());
    if (batch.ok()) {
      for (const store::Change& change : batch->changes) {
        if (change.record.mod_revision.value() != revision ||
            change.kind != store::Change::Kind::kPut) {
          continue;
        }
        SALLYPORT_ASSIGN_OR_RETURN(domain::AuditEntry entry,
                                   store::DecodeAuditEntry(change.record));
        if (is_it(entry)) return entry;
      }
      return NotFound("audit entry", name);
    }
  }
  // Older ones have to be looked for. Of those that are its own the store's
  // revision says enough.
  const bool by_key = imported_from.empty();
  store::ListRequest list;
  list.prefix = std::string(store::kAuditPrefix);
  list.limit = store::kMaxPageRecords;
  list.what = by_key ? store::ListRequest::What::kKeysOnly
                     : store::ListRequest::What::kRecords;
  while (true) {
    absl::StatusOr<store::ListPage> page = store_->List(list);
    if (!page.ok()) return FromStore(page.status());
    for (store::Record& record : page->records) {
      if (by_key) {
        if (record.mod_revision.value() != revision) continue;
        absl::StatusOr<store::GetResult> got = store_->Get(record.key);
        if (!got.ok()) return FromStore(got.status());
        if (!got->record.has_value()) continue;
        record = *std::move(got->record);
      }
      SALLYPORT_ASSIGN_OR_RETURN(domain::AuditEntry entry,
                                 store::DecodeAuditEntry(record));
      if (is_it(entry)) return entry;
    }
    if (!page->more) return NotFound("audit entry", name);
    list.Continue(*page);
  }
}

absl::StatusOr<Page<domain::AuditEntry>> AuditLog::List(
    const PageRequest& request) {
  SALLYPORT_ASSIGN_OR_RETURN(const Filter filter,
                             Filter::Parse(request.filter, kFields));
  Page<domain::AuditEntry> out;
  absl::StatusOr<RecordPage> page =
      ListRecords(*store_, request, "auditEntries", store::kAuditPrefix,
                  [&](const store::Record& record,
                      store::Revision) -> absl::StatusOr<bool> {
                    SALLYPORT_ASSIGN_OR_RETURN(domain::AuditEntry entry,
                                               store::DecodeAuditEntry(record));
                    if (!filter.Matches([&](absl::string_view field) {
                          return ValueOf(entry, field);
                        })) {
                      return false;
                    }
                    out.items.push_back(std::move(entry));
                    return true;
                  });
  if (!page.ok()) return page.status();
  out.next_page_token = std::move(page->next_page_token);
  out.revision = page->revision.value();
  return out;
}

absl::StatusOr<int64_t> ForgetRequests(store::Store& store, absl::Time now) {
  int64_t forgotten = 0;
  store::ListRequest list;
  list.prefix = std::string(store::kRequestsPrefix);
  list.limit = kForgottenAtOnce;
  while (true) {
    absl::StatusOr<store::ListPage> page = store.List(list);
    if (!page.ok()) return FromStore(page.status());
    store::Commit commit;
    for (const store::Record& record : page->records) {
      SALLYPORT_ASSIGN_OR_RETURN(store::RememberedRequest request,
                                 store::DecodeRememberedRequest(record));
      if (request.expire_time > now) continue;
      commit.preconditions.push_back(store::Precondition::Unchanged(record));
      commit.deletes.push_back(record.key);
    }
    if (!commit.deletes.empty()) {
      const auto applied = store.Apply(commit);
      // Somebody uses an id again: the next time will do.
      if (applied.ok()) {
        forgotten += static_cast<int64_t>(commit.deletes.size());
      } else if (!absl::IsAborted(applied.status())) {
        return FromStore(applied.status());
      }
    }
    if (!page->more) return forgotten;
    list.start_after = page->records.back().key;
  }
}

}  // namespace sallyport::service
