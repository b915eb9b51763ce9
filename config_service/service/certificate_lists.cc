#include "config_service/service/certificate_lists.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/limits.h"
#include "base/status_macros.h"
#include "config_service/domain/limits.h"
#include "config_service/service/errors.h"
#include "config_service/service/filter.h"
#include "config_service/service/limits.h"
#include "config_service/service/mask.h"
#include "config_service/service/resources.h"

namespace sallyport::service {

using domain::CertificateList;
using domain::CertificateListEntry;
using domain::CertificateListName;
using domain::Reason;
using domain::Violations;

namespace {

constexpr MaskField<CertificateList> kFields[] = {
    kDescriptionField<CertificateList>,
    kLabelsField<CertificateList>,
    {"kind", [](const CertificateList& from,
                CertificateList& to) { to.kind = from.kind; }},
    {"everywhere",
     [](const CertificateList& from, CertificateList& to) {
       to.everywhere = from.everywhere;
     }},
};

constexpr absl::string_view kOutputOnly[] = {
    "name",        "etag",        "revision",   "create_time",
    "update_time", "entry_count", "conditions", "warnings",
};

constexpr FilterField kFilter[] = {
    {"name"},
    {"kind"},
    {"description"},
    {"labels.*"},
};

FilterValue ValueOf(const CertificateList& list, absl::string_view field) {
  if (field == "kind") {
    return std::string(list.kind == CertificateList::Kind::kDeny ? "DENY"
                                                                 : "ALLOW");
  }
  return MetadataValue(list, field);
}

std::string EntryResource(const CertificateListName& list,
                          const CertificateListEntry& entry) {
  return absl::StrCat(list.ToString(), "/entries/", entry.Key());
}

// What a commit has of an entry: its key, its value, and twice its form in the
// audit log, roughly.
size_t CostOf(const CertificateListEntry& entry) {
  return 1024 + 3 * (entry.sha256.size() + entry.issuer.size() +
                     entry.serial.size() + entry.comment.size());
}

// Brings entries into their one form. TOO_MANY_ENTRIES, DUPLICATE_ENTRY and
// what Normalize() finds.
std::vector<CertificateListEntry> Read(
    absl::string_view field, CertificateList::Kind kind,
    const std::vector<CertificateListEntry>& entries, Violations& violations) {
  std::vector<CertificateListEntry> out;
  if (entries.size() > domain::kMaxEntriesOfRequest) {
    violations.Add(
        field, Reason::kTooManyEntries,
        absl::StrCat("has ", entries.size(), " entries; at most ",
                     domain::kMaxEntriesOfRequest, " in one request"));
    return out;
  }
  out = entries;
  absl::flat_hash_map<std::string, size_t> seen;
  for (size_t i = 0; i < out.size(); ++i) {
    const size_t before = violations.size();
    domain::Normalize(domain::Element(field, i), kind, out[i], violations);
    if (violations.size() != before) continue;
    const auto [it, is_new] = seen.emplace(out[i].Key(), i);
    if (!is_new) {
      violations.Add(domain::Element(field, i), Reason::kDuplicateEntry,
                     absl::StrCat("is ", domain::Element(field, it->second),
                                  " again; leave one of them out"));
    }
  }
  return out;
}

// Deletes what is under a list that is not there.
absl::StatusOr<int64_t> Purge(store::Store& store,
                              const CertificateListName& name) {
  int64_t removed = 0;
  while (true) {
    store::ListRequest request;
    request.prefix = store::EntriesPrefix(name);
    request.limit = kMaxEntriesOfStep;
    request.what = store::ListRequest::What::kKeysOnly;
    absl::StatusOr<store::ListPage> page = store.List(request);
    if (!page.ok()) return FromStore(page.status());
    if (page->records.empty()) return removed;
    store::Commit commit;
    commit.preconditions.push_back(
        store::Precondition::Absent(store::KeyOf(name)));
    for (store::Record& record : page->records) {
      commit.deletes.push_back(std::move(record.key));
    }
    const auto applied = store.Apply(commit);
    // Somebody makes a list of that name: its entries are its own.
    if (absl::IsAborted(applied.status())) return removed;
    if (!applied.ok()) return FromStore(applied.status());
    removed += static_cast<int64_t>(commit.deletes.size());
    if (!page->more) return removed;
  }
}

}  // namespace

absl::StatusOr<bool> CertificateLists::IsUsed(const CertificateList& list) {
  if (list.everywhere) return true;
  SALLYPORT_ASSIGN_OR_RETURN(
      const std::vector<std::string> referrers,
      ReferrersOf(*context_.store, list.name.ToString(), 1));
  return !referrers.empty();
}

absl::StatusOr<CertificateList> CertificateLists::WithStatus(
    CertificateList list) {
  SALLYPORT_RETURN_IF_ERROR(
      AddStatus(*context_.store, list.name.ToString(), list.conditions));
  domain::Condition in_use;
  in_use.type = "InUse";
  in_use.observed_revision = list.metadata.revision;
  SALLYPORT_ASSIGN_OR_RETURN(const bool is_used, IsUsed(list));
  if (!is_used) {
    in_use.status = domain::Condition::Status::kFalse;
    in_use.reason = "NOT_NAMED";
    in_use.message =
        list.kind == CertificateList::Kind::kDeny
            ? "no domain names it, and it is not for all (everywhere): it "
              "refuses nobody"
            : "no domain and no mapping names it";
  } else {
    in_use.status = domain::Condition::Status::kTrue;
    in_use.reason = list.everywhere ? "EVERYWHERE" : "NAMED";
  }
  domain::SetCondition(std::move(in_use), absl::InfinitePast(),
                       list.conditions);
  return list;
}

absl::Status CertificateLists::Stage(
    Transaction& transaction, absl::Span<const Step> steps,
    CertificateList& list, std::vector<const CertificateListEntry*>* absent) {
  int64_t count = list.entry_count;
  for (const Step& step : steps) {
    const std::string key = store::EntryKey(list.name, *step.entry);
    // Nobody changes an entry without its list, on which the commit relies.
    absl::StatusOr<store::GetResult> got = context_.store->Get(key);
    if (!got.ok()) return FromStore(got.status());
    std::string before;
    if (got->record.has_value()) {
      SALLYPORT_ASSIGN_OR_RETURN(const CertificateListEntry there,
                                 store::DecodeEntry(list.name, *got->record));
      if (step.add && there.comment == step.entry->comment) continue;
      before = context_.format->Json(there);
    } else if (!step.add) {
      if (absent != nullptr) absent->push_back(step.entry);
      continue;
    }
    std::string resource = EntryResource(list.name, *step.entry);
    if (step.add) {
      count += before.empty() ? 1 : 0;
      transaction.PutPart(key, store::Encode(*step.entry), std::move(resource),
                          std::move(before),
                          context_.format->Json(*step.entry));
    } else {
      --count;
      transaction.DeletePart(key, std::move(resource), std::move(before));
    }
  }
  if (count > static_cast<int64_t>(limits::kMaxDenyListEntries)) {
    return domain::MakeError(
        Reason::kQuotaExceeded,
        absl::StrCat("the list would have ", count, " entries; at most ",
                     limits::kMaxDenyListEntries,
                     ". Remove some, or make another list"),
        {{"limit", absl::StrCat(limits::kMaxDenyListEntries)}});
  }
  list.entry_count = static_cast<uint32_t>(std::max<int64_t>(count, 0));
  return absl::OkStatus();
}

absl::StatusOr<CertificateList> CertificateLists::Apply(
    const Caller& caller, const Write& write, const CertificateListName& name,
    const domain::Etag& etag, absl::Span<const Step> steps) {
  size_t done = 0;
  domain::Etag expected = etag;
  while (true) {
    size_t n = 0;
    size_t cost = 0;
    while (done + n < steps.size()) {
      cost += CostOf(*steps[done + n].entry);
      if (!write.validate_only && n > 0 &&
          (n == kMaxEntriesOfStep || cost > kMaxStepBytes)) {
        break;
      }
      ++n;
    }
    const absl::Span<const Step> now = steps.subspan(done, n);
    const bool is_last = done + n == steps.size();
    Write step_write = write;
    if (!is_last) step_write.request_id.clear();
    absl::StatusOr<CertificateList> list = Mutate<CertificateList>(
        context_, caller, step_write,
        [&](Transaction& transaction) -> absl::StatusOr<CertificateList> {
          SALLYPORT_ASSIGN_OR_RETURN(const CertificateList before,
                                     transaction.Load(name));
          SALLYPORT_RETURN_IF_ERROR(domain::CheckEtag(
              expected, before.metadata.etag, name.ToString()));
          CertificateList after = before;
          SALLYPORT_RETURN_IF_ERROR(Stage(transaction, now, after, nullptr));
          if (!transaction.changed() &&
              after.entry_count == before.entry_count) {
            return before;
          }
          after.metadata.update_time = transaction.now();
          transaction.Update(before, after);
          return after;
        },
        [&](int64_t revision) {
          return ReadResource(*context_.store, name, revision);
        });
    if (!list.ok() || is_last) return list;
    done += n;
    // The caller's etag was of the list as it was before the first step.
    expected = domain::Etag();
  }
}

absl::StatusOr<CertificateList> CertificateLists::Create(
    const Caller& caller, const Write& write, const CreateRequest& request) {
  Violations violations;
  CheckNewId<CertificateListName>("certificate_list_id", request.id,
                                  violations);
  CertificateList wanted = request.list;
  wanted.name = CertificateListName(request.id);
  wanted.entry_count = 0;
  Violations fields;
  domain::Validate(wanted, fields);
  violations.AddAll("certificate_list", fields);
  const std::vector<CertificateListEntry> entries =
      Read("entries", wanted.kind, request.entries, violations);
  SALLYPORT_RETURN_IF_ERROR(violations.ToStatus());
  if (!write.validate_only) {
    SALLYPORT_RETURN_IF_ERROR(Purge(*context_.store, wanted.name).status());
  }
  std::vector<Step> steps;
  steps.reserve(entries.size());
  for (const CertificateListEntry& entry : entries) {
    steps.push_back({&entry, true});
  }
  Write first = write;
  // The step that ends the request remembers it.
  if (!steps.empty()) {
    Transaction transaction(context_, caller, write);
    SALLYPORT_ASSIGN_OR_RETURN(const auto repeated, transaction.Repeated());
    if (repeated.has_value()) {
      SALLYPORT_ASSIGN_OR_RETURN(
          CertificateList list,
          ReadResource(*context_.store, wanted.name, repeated->revision));
      return WithStatus(std::move(list));
    }
    first.request_id.clear();
  }
  absl::StatusOr<CertificateList> created = Mutate<CertificateList>(
      context_, caller, first,
      [&](Transaction& transaction) -> absl::StatusOr<CertificateList> {
        CertificateList list = wanted;
        list.metadata.create_time = transaction.now();
        list.metadata.update_time = transaction.now();
        SALLYPORT_RETURN_IF_ERROR(transaction.CheckAbsent(list.name));
        transaction.RelyOnEmpty(store::EntriesPrefix(list.name));
        transaction.Create(list);
        return list;
      },
      [&](int64_t revision) {
        return ReadResource(*context_.store, wanted.name, revision);
      });
  if (!created.ok()) return created.status();
  if (steps.empty()) return created;
  if (write.validate_only) {
    created->entry_count = static_cast<uint32_t>(entries.size());
    return created;
  }
  return Apply(caller, write, wanted.name, domain::Etag(), steps);
}

absl::StatusOr<CertificateList> CertificateLists::Get(
    const CertificateListName& name) {
  SALLYPORT_ASSIGN_OR_RETURN(CertificateList list,
                             ReadResource(*context_.store, name));
  return WithStatus(std::move(list));
}

absl::StatusOr<Page<CertificateList>> CertificateLists::List(
    const PageRequest& request) {
  return ListResources<CertificateList>(
      *context_.store, request, "certificateLists",
      store::CollectionPrefix<CertificateListName>(), kFilter,
      [&](const store::Record& record) -> absl::StatusOr<CertificateList> {
        SALLYPORT_ASSIGN_OR_RETURN(
            CertificateList list,
            store::Decode(CertificateListName(store::IdOfKey(record.key)),
                          record));
        return WithStatus(std::move(list));
      },
      ValueOf);
}

absl::StatusOr<CertificateList> CertificateLists::Update(
    const Caller& caller, const Write& write, const UpdateRequest& request) {
  const CertificateListName& name = request.list.name;
  absl::StatusOr<CertificateList> updated = Mutate<CertificateList>(
      context_, caller, write,
      [&](Transaction& transaction) -> absl::StatusOr<CertificateList> {
        SALLYPORT_ASSIGN_OR_RETURN(const CertificateList before,
                                   transaction.Load(name));
        SALLYPORT_RETURN_IF_ERROR(domain::CheckEtag(
            request.list.metadata.etag, before.metadata.etag, name.ToString()));
        CertificateList from = request.list;
        if (request.kind == Kind::kUnset) from.kind = before.kind;
        CertificateList after = before;
        Violations violations;
        ApplyMask<CertificateList>(kFields, kOutputOnly, request.mask, from,
                                   after, violations);
        Violations fields;
        if (after.kind != before.kind) {
          fields.Add("kind", Reason::kFieldImmutable,
                     "cannot be changed; make a new list");
        }
        domain::Validate(after, fields);
        violations.AddAll("certificate_list", fields);
        SALLYPORT_RETURN_IF_ERROR(violations.ToStatus());
        if (store::Encode(after) == store::Encode(before)) return before;
        after.metadata.update_time = transaction.now();
        transaction.Update(before, after);
        return after;
      },
      [&](int64_t revision) {
        return ReadResource(*context_.store, name, revision);
      });
  if (!updated.ok()) return updated.status();
  return WithStatus(*std::move(updated));
}

absl::Status CertificateLists::Delete(const Caller& caller, const Write& write,
                                      const CertificateListName& name,
                                      const domain::Etag& etag) {
  absl::Status deleted =
      DeleteResource(context_, caller, write, name, etag,
                     [&](Transaction& transaction, const CertificateList&) {
                       return transaction.CheckUnused(name.ToString());
                     });
  if (!deleted.ok() || write.validate_only) return deleted;
  // The list is gone, and its entries count for nothing; those that stay behind
  // now are removed later.
  (void)Purge(*context_.store, name).status();
  return absl::OkStatus();
}

absl::StatusOr<CertificateList> CertificateLists::Modify(
    const Caller& caller, const Write& write, const ModifyRequest& request) {
  {
    Transaction transaction(context_, caller, write);
    SALLYPORT_ASSIGN_OR_RETURN(const auto repeated, transaction.Repeated());
    if (repeated.has_value()) {
      SALLYPORT_ASSIGN_OR_RETURN(
          CertificateList list,
          ReadResource(*context_.store, request.name, repeated->revision));
      return WithStatus(std::move(list));
    }
  }
  SALLYPORT_ASSIGN_OR_RETURN(const CertificateList list,
                             ReadResource(*context_.store, request.name));
  SALLYPORT_RETURN_IF_ERROR(domain::CheckEtag(request.etag, list.metadata.etag,
                                              request.name.ToString()));
  Violations violations;
  const std::vector<CertificateListEntry> add =
      Read("add", list.kind, request.add, violations);
  const std::vector<CertificateListEntry> remove =
      Read("remove", list.kind, request.remove, violations);
  if (add.size() + remove.size() > domain::kMaxEntriesOfRequest) {
    violations.Add(
        "add", Reason::kTooManyEntries,
        absl::StrCat("and remove have ", add.size() + remove.size(),
                     " entries; at most ", domain::kMaxEntriesOfRequest,
                     " in one request"));
  }
  absl::flat_hash_map<std::string, size_t> added;
  for (size_t i = 0; i < add.size(); ++i) added.emplace(add[i].Key(), i);
  for (size_t i = 0; i < remove.size(); ++i) {
    const auto it = added.find(remove[i].Key());
    if (it == added.end()) continue;
    violations.Add(domain::Element("remove", i), Reason::kFieldsConflict,
                   absl::StrCat("is ", domain::Element("add", it->second),
                                " too; leave one of them out"));
  }
  SALLYPORT_RETURN_IF_ERROR(violations.ToStatus());
  std::vector<Step> steps;
  steps.reserve(add.size() + remove.size());
  // First what lets fewer clients in.
  const bool is_deny = list.kind == CertificateList::Kind::kDeny;
  for (const bool adds : {is_deny, !is_deny}) {
    for (const CertificateListEntry& entry : adds ? add : remove) {
      steps.push_back({&entry, adds});
    }
  }
  std::vector<const CertificateListEntry*> absent;
  {
    // Refused before the first step rather than after some.
    Transaction transaction(context_, caller, write);
    CertificateList after = list;
    SALLYPORT_RETURN_IF_ERROR(
        Stage(transaction, absl::MakeConstSpan(steps), after, &absent));
  }
  SALLYPORT_ASSIGN_OR_RETURN(
      CertificateList modified,
      Apply(caller, write, request.name, request.etag, steps));
  for (const CertificateListEntry* entry : absent) {
    if (modified.warnings.size() == kMaxListedWarnings) break;
    domain::Warning warning;
    warning.reason = "ENTRY_NOT_FOUND";
    warning.field =
        domain::Element("remove", static_cast<size_t>(entry - remove.data()));
    warning.message = "was not in the list, so nothing was removed";
    modified.warnings.push_back(std::move(warning));
  }
  SALLYPORT_ASSIGN_OR_RETURN(const bool is_used, IsUsed(modified));
  if (modified.kind == CertificateList::Kind::kDeny && !is_used) {
    domain::Warning warning;
    warning.reason = "NOT_IN_USE";
    warning.message =
        "no domain names the list, and it is not for all (everywhere): it "
        "refuses nobody";
    modified.warnings.push_back(std::move(warning));
  }
  return WithStatus(std::move(modified));
}

absl::StatusOr<Page<CertificateListEntry>> CertificateLists::ListEntries(
    const CertificateListName& parent, const PageRequest& request) {
  SALLYPORT_RETURN_IF_ERROR(ReadRecord(*context_.store, parent).status());
  return ListResources<CertificateListEntry>(
      *context_.store, request, absl::StrCat(parent.ToString(), "/entries"),
      store::EntriesPrefix(parent), {},
      [&](const store::Record& record) {
        return store::DecodeEntry(parent, record);
      },
      [](const CertificateListEntry&, absl::string_view) -> FilterValue {
        return std::string();
      });
}

absl::StatusOr<int64_t> RemoveOrphanedEntries(store::Store& store) {
  int64_t removed = 0;
  const std::string all = absl::StrCat(store::kEntriesCollection, "/");
  store::ListRequest request;
  request.prefix = all;
  request.limit = 1;
  request.what = store::ListRequest::What::kKeysOnly;
  while (true) {
    absl::StatusOr<store::ListPage> page = store.List(request);
    if (!page.ok()) return FromStore(page.status());
    if (page->records.empty()) return removed;
    absl::string_view id = absl::StripPrefix(page->records.front().key, all);
    id = id.substr(0, id.find('/'));
    const CertificateListName name(id);
    absl::StatusOr<store::GetResult> got = store.Get(store::KeyOf(name));
    if (!got.ok()) return FromStore(got.status());
    if (!got->record.has_value()) {
      SALLYPORT_ASSIGN_OR_RETURN(const int64_t n, Purge(store, name));
      removed += n;
    }
    // On to the next list: '0' comes after '/'.
    request.start_after = absl::StrCat(all, id, "0");
  }
}

}  // namespace sallyport::service
