#include "config_service/service/transaction.h"

#include <algorithm>
#include <iterator>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "nlohmann/json.hpp"
#include "pki/crypto/crypto.h"

namespace sallyport::service {
namespace {

using Json = nlohmann::json;

constexpr size_t kAuditRandomBytes = 8;
// What an audit entry has of one resource, before and after, in bytes each. Of
// what is larger it says how large it was; all of an entry must fit one value
// of the store.
constexpr size_t kMaxAuditedBytes = size_t{256} << 10;
// Of all that an entry has.
constexpr size_t kMaxAuditedEntryBytes = size_t{896} << 10;
// 8-4-4-4-12 hexadecimal digits (RFC 4122, 3).
constexpr size_t kUuidLength = 36;

bool IsUuid(absl::string_view text) {
  if (text.size() != kUuidLength) return false;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    if (dash ? text[i] != '-'
             : !absl::ascii_isxdigit(static_cast<unsigned char>(text[i]))) {
      return false;
    }
  }
  return true;
}

// What moves with every change says nothing.
bool IsBookkeeping(absl::string_view field) {
  return field == "etag" || field == "revision" || field == "update_time";
}

void Collect(const std::string& path, const Json& before, const Json& after,
             std::vector<std::string>& out) {
  if (before == after) return;
  if (!before.is_object() || !after.is_object()) {
    out.push_back(path);
    return;
  }
  const auto child = [&](const std::string& key) {
    return path.empty() ? key : absl::StrCat(path, ".", key);
  };
  for (const auto& [key, value] : before.items()) {
    if (path.empty() && IsBookkeeping(key)) continue;
    const auto it = after.find(key);
    if (it == after.end()) {
      out.push_back(child(key));
    } else {
      Collect(child(key), value, *it, out);
    }
  }
  for (const auto& [key, value] : after.items()) {
    if (path.empty() && IsBookkeeping(key)) continue;
    if (!before.contains(key)) out.push_back(child(key));
  }
}

}  // namespace

std::vector<std::string> ChangedFields(absl::string_view before,
                                       absl::string_view after) {
  if (before.empty() || after.empty()) return {};
  std::vector<std::string> out;
  Collect("", Json::parse(before, nullptr, /*allow_exceptions=*/false),
          Json::parse(after, nullptr, /*allow_exceptions=*/false), out);
  std::sort(out.begin(), out.end());
  return out;
}

Transaction::Transaction(const Context& context, const Caller& caller,
                         const Write& write)
    : context_(context),
      caller_(caller),
      write_(write),
      now_(context.clock->Now()) {}

absl::StatusOr<std::optional<Replay>> Transaction::Repeated() {
  if (write_.request_id.empty()) return std::nullopt;
  const std::string id = absl::AsciiStrToLower(write_.request_id);
  if (!IsUuid(id)) {
    domain::Violations violations;
    violations.Add("request_id", domain::Reason::kFieldMalformed,
                   "is no UUID; write it as "
                   "123e4567-e89b-12d3-a456-426614174000");
    return violations.ToStatus();
  }
  if (write_.validate_only) return std::nullopt;
  request_key_ = store::RequestKey(caller_.principal, id);
  SALLYPORT_ASSIGN_OR_RETURN(std::optional<store::Record> record,
                             Read(request_key_));
  if (!record.has_value()) return std::nullopt;
  SALLYPORT_ASSIGN_OR_RETURN(store::RememberedRequest before,
                             store::DecodeRememberedRequest(*record));
  if (before.expire_time <= now_) return std::nullopt;
  if (before.method != write_.method || before.request != write_.request) {
    return domain::MakeError(
        domain::Reason::kRequestIdReused,
        "the request_id belongs to another request of the last hour; make a "
        "new one");
  }
  return Replay{before.revision, std::move(before.resource)};
}

absl::StatusOr<std::optional<store::Record>> Transaction::Read(
    const std::string& key) {
  absl::StatusOr<store::GetResult> got = context_.store->Get(key);
  if (!got.ok()) return FromStore(got.status());
  commit_.preconditions.push_back(
      got->record.has_value() ? store::Precondition::Unchanged(*got->record)
                              : store::Precondition::Absent(key));
  return std::move(got->record);
}

absl::StatusOr<bool> Transaction::Exists(const std::string& key) {
  absl::StatusOr<store::GetResult> got = context_.store->Get(key);
  if (!got.ok()) return FromStore(got.status());
  if (!got->record.has_value()) return false;
  commit_.preconditions.push_back(store::Precondition::Exists(key));
  return true;
}

absl::StatusOr<std::vector<store::Record>> Transaction::List(
    std::string prefix, store::ListRequest::What what) {
  store::ListRequest request;
  request.prefix = std::move(prefix);
  request.limit = store::kMaxPageRecords;
  request.what = what;
  std::vector<store::Record> out;
  while (true) {
    absl::StatusOr<store::ListPage> page = context_.store->List(request);
    if (!page.ok()) return FromStore(page.status());
    std::move(page->records.begin(), page->records.end(),
              std::back_inserter(out));
    if (!page->more) {
      RelyOnNoPuts(request.prefix, page->revision);
      return out;
    }
    request.at = page->revision;
    request.start_after = out.back().key;
  }
}

void Transaction::SetReferences(absl::string_view by,
                                const std::vector<std::string>& before,
                                const std::vector<std::string>& after) {
  std::vector<std::string> old_ones = before;
  std::vector<std::string> new_ones = after;
  for (std::vector<std::string>* names : {&old_ones, &new_ones}) {
    std::sort(names->begin(), names->end());
    names->erase(std::unique(names->begin(), names->end()), names->end());
  }
  for (const std::string& target : old_ones) {
    if (!std::binary_search(new_ones.begin(), new_ones.end(), target)) {
      commit_.deletes.push_back(store::ReferenceKey(target, by));
    }
  }
  for (const std::string& target : new_ones) {
    if (!std::binary_search(old_ones.begin(), old_ones.end(), target)) {
      commit_.puts.push_back({store::ReferenceKey(target, by), "", {}});
    }
  }
}

absl::Status Transaction::CheckUnused(absl::string_view resource) {
  store::ListRequest request;
  request.prefix = store::ReferencesPrefix(resource);
  request.limit = store::kMaxPageRecords;
  request.what = store::ListRequest::What::kKeysOnly;
  absl::StatusOr<store::ListPage> page = context_.store->List(request);
  if (!page.ok()) return FromStore(page.status());
  if (page->records.empty()) {
    commit_.preconditions.push_back(
        store::Precondition::PrefixEmpty(request.prefix));
    return absl::OkStatus();
  }
  const std::string first(store::ReferrerOfKey(page->records.front().key));
  const std::string uses =
      absl::StrCat(page->records.size(), page->more ? "+" : "");
  return domain::MakeError(
      domain::Reason::kResourceInUse,
      absl::StrCat("\"", resource, "\" is in use by \"", first, "\"",
                   page->records.size() > 1 || page->more
                       ? absl::StrCat(" and others (", uses, " in all)")
                       : "",
                   "; change or delete those first"),
      {{"resource", std::string(resource)},
       {"used_by", first},
       {"uses", uses}});
}

void Transaction::AddChange(std::string resource, std::string before,
                            std::string after) {
  domain::AuditEntry::Change change;
  change.resource = std::move(resource);
  change.changed_fields = ChangedFields(before, after);
  for (std::string* json : {&before, &after}) {
    if (json->size() <= kMaxAuditedBytes) continue;
    *json =
        Json{{"name", change.resource}, {"omitted_bytes", json->size()}}.dump();
  }
  change.before_json = std::move(before);
  change.after_json = std::move(after);
  changes_.push_back(std::move(change));
}

absl::StatusOr<store::Revision> Transaction::Commit(
    absl::string_view resource) {
  for (const store::Put& put : commit_.puts) {
    if (put.value.size() <= store::kMaxValueBytes) continue;
    return domain::MakeError(
        domain::Reason::kRequestTooLarge,
        absl::StrCat("the resource would have ", put.value.size(),
                     " bytes; at most ", store::kMaxValueBytes,
                     ". Put what many have in common into one rule, or into a "
                     "certificate list"));
  }
  if (!changes_.empty()) {
    domain::AuditEntry entry;
    entry.time = now_;
    entry.principal = caller_.principal;
    entry.peer = caller_.peer;
    entry.method = write_.method;
    entry.request_id = write_.request_id;
    entry.changes = changes_;
    entry.overrides = overrides_;
    // A change of very many resources says which, and not how.
    if (store::Encode(entry).size() > kMaxAuditedEntryBytes) {
      for (domain::AuditEntry::Change& change : entry.changes) {
        change.before_json.clear();
        change.after_json.clear();
      }
    }
    commit_.puts.push_back(
        {store::AuditKey(now_, pki::RandomBytes(kAuditRandomBytes)),
         store::Encode(entry),
         {}});
  }
  if (!request_key_.empty()) {
    store::RememberedRequest request;
    request.request = write_.request;
    request.method = write_.method;
    request.resource = std::string(resource);
    request.expire_time = now_ + kRequestMemory;
    commit_.puts.push_back({request_key_, store::Encode(request), {}});
  }
  return context_.store->Apply(commit_);
}

}  // namespace sallyport::service
