#include "config_service/store/memory.h"

#include <algorithm>
#include <deque>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "base/status_macros.h"
#include "base/text.h"
#include "config_service/store/checks.h"
#include "pki/crypto/crypto.h"

namespace sallyport::store {
namespace {

struct Content {
  std::string value;
  std::vector<BlobDigest> blobs;
};

// What one commit left of one key.
struct Entry {
  Revision revision;
  Revision create_revision;
  int64_t version = 0;  // 0: deleted.
  std::shared_ptr<const Content> content;
};

struct Blob {
  std::vector<std::string> pieces;
  uint64_t size = 0;
  int64_t references = 0;
  absl::Time last_used;
};

Record MakeRecord(const std::string& key, const Entry& entry,
                  ListRequest::What what = ListRequest::What::kRecords) {
  Record record;
  record.key = key;
  record.create_revision = entry.create_revision;
  record.mod_revision = entry.revision;
  record.version = entry.version;
  if (entry.content != nullptr && what == ListRequest::What::kRecords) {
    record.value = entry.content->value;
    record.blobs = entry.content->blobs;
  }
  return record;
}

class MemoryStore : public Store {
 public:
  explicit MemoryStore(const MemoryOptions& options)
      : options_(options), lineage_(HexLower(pki::RandomBytes(16))) {}

  const Lineage& lineage() const override { return lineage_; }
  absl::StatusOr<Revision> Apply(const Commit& commit) override;
  absl::StatusOr<Revision> Replace(const Replacement& replacement) override;
  absl::StatusOr<GetResult> Get(absl::string_view key) override;
  absl::StatusOr<GetResult> Get(absl::string_view key, Revision at) override;
  absl::StatusOr<ListPage> List(const ListRequest& request) override;
  absl::StatusOr<std::unique_ptr<Watcher>> Watch(absl::string_view prefix,
                                                 Revision after) override;
  absl::StatusOr<std::unique_ptr<BlobWriter>> NewBlob() override;
  absl::StatusOr<std::unique_ptr<BlobReader>> OpenBlob(
      const BlobDigest& digest) override;
  absl::StatusOr<int64_t> CollectGarbage() override;
  absl::StatusOr<StoreStats> Stats() override;
  absl::Status Health() override { return absl::OkStatus(); }

 private:
  friend class MemoryWatcher;
  friend class MemoryBlobWriter;
  friend class MemoryBlobReader;

  using Entries = std::map<std::string, std::vector<Entry>, std::less<>>;

  // The entry of a key as of `at`; null when there is no record then.
  static const Entry* Visible(const std::vector<Entry>& entries, Revision at);
  const Entry* Current(absl::string_view key) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status Check(const Precondition& precondition) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  GetResult GetLocked(absl::string_view key, Revision at) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Release(const Entry& entry) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Compact() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  // Constant after construction.
  const MemoryOptions options_;
  const Lineage lineage_;

  absl::Mutex mu_;
  absl::CondVar committed_;
  Revision revision_ ABSL_GUARDED_BY(mu_);
  Revision compacted_ ABSL_GUARDED_BY(mu_);
  // Of each key, oldest first.
  Entries entries_ ABSL_GUARDED_BY(mu_);
  // The keys, in order, of each commit after compacted_.
  std::deque<std::vector<std::string>> log_ ABSL_GUARDED_BY(mu_);
  int64_t records_ ABSL_GUARDED_BY(mu_) = 0;
  int64_t all_entries_ ABSL_GUARDED_BY(mu_) = 0;
  absl::flat_hash_map<BlobDigest, Blob> blobs_ ABSL_GUARDED_BY(mu_);
  size_t uploads_ ABSL_GUARDED_BY(mu_) = 0;
};

const Entry* MemoryStore::Visible(const std::vector<Entry>& entries,
                                  Revision at) {
  for (auto it = entries.rbegin(); it != entries.rend(); ++it) {
    if (it->revision <= at) return it->version > 0 ? &*it : nullptr;
  }
  return nullptr;
}

const Entry* MemoryStore::Current(absl::string_view key) const {
  const auto found = entries_.find(key);
  return found == entries_.end() ? nullptr : Visible(found->second, revision_);
}

absl::Status MemoryStore::Check(const Precondition& precondition) const {
  switch (precondition.kind) {
    case Precondition::Kind::kModRevision: {
      const Entry* entry = Current(precondition.key);
      const Revision found = entry != nullptr ? entry->revision : Revision();
      if (found == precondition.revision) return absl::OkStatus();
      return PreconditionFailed(precondition, found, "");
    }
    case Precondition::Kind::kExists:
      if (Current(precondition.key) != nullptr) return absl::OkStatus();
      return PreconditionFailed(precondition, Revision(), "");
    case Precondition::Kind::kPrefixNotPutAfter:
      SALLYPORT_RETURN_IF_ERROR(
          CheckRevision(precondition.revision, compacted_, revision_));
      break;
    case Precondition::Kind::kPrefixEmpty:
      break;
  }
  const bool any = precondition.kind == Precondition::Kind::kPrefixEmpty;
  for (auto it = entries_.lower_bound(precondition.key);
       it != entries_.end() && absl::StartsWith(it->first, precondition.key);
       ++it) {
    const Entry* entry = Visible(it->second, revision_);
    if (entry != nullptr && (any || entry->revision > precondition.revision)) {
      return PreconditionFailed(precondition, entry->revision, it->first);
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<Revision> MemoryStore::Apply(const Commit& commit) {
  SALLYPORT_RETURN_IF_ERROR(CheckCommit(commit));
  absl::MutexLock lock(&mu_);
  for (const Precondition& precondition : commit.preconditions) {
    SALLYPORT_RETURN_IF_ERROR(Check(precondition));
  }
  for (const Put& put : commit.puts) {
    for (const BlobDigest& digest : put.blobs) {
      if (!blobs_.contains(digest)) return BlobMissing(put.key, digest);
    }
  }
  const Revision next(revision_.value() + 1);
  std::vector<std::string> changed;
  for (const Put& put : commit.puts) {
    const Entry* before = Current(put.key);
    if (before == nullptr) ++records_;
    Entry entry;
    entry.revision = next;
    entry.create_revision = before == nullptr ? next : before->create_revision;
    entry.version = before == nullptr ? 1 : before->version + 1;
    entry.content =
        std::make_shared<const Content>(Content{put.value, put.blobs});
    for (const BlobDigest& digest : put.blobs) ++blobs_[digest].references;
    entries_[put.key].push_back(std::move(entry));
    ++all_entries_;
    changed.push_back(put.key);
  }
  for (const std::string& key : commit.deletes) {
    if (Current(key) == nullptr) continue;
    Entry entry;
    entry.revision = next;
    entries_[key].push_back(std::move(entry));
    ++all_entries_;
    --records_;
    changed.push_back(key);
  }
  if (changed.empty()) return revision_;
  std::sort(changed.begin(), changed.end());
  log_.push_back(std::move(changed));
  revision_ = next;
  Compact();
  committed_.SignalAll();
  return revision_;
}

absl::StatusOr<Revision> MemoryStore::Replace(const Replacement& replacement) {
  SALLYPORT_RETURN_IF_ERROR(CheckReplacement(replacement));
  absl::MutexLock lock(&mu_);
  if (replacement.expected.has_value() && *replacement.expected != revision_) {
    return ReplacementOvertaken(*replacement.expected, revision_);
  }
  for (const Put& put : replacement.puts) {
    for (const BlobDigest& digest : put.blobs) {
      if (!blobs_.contains(digest)) return BlobMissing(put.key, digest);
    }
  }
  const Revision next(revision_.value() + 1);
  Entries entries;
  for (const Put& put : replacement.puts) {
    Entry entry;
    entry.revision = next;
    entry.create_revision = next;
    entry.version = 1;
    entry.content =
        std::make_shared<const Content>(Content{put.value, put.blobs});
    for (const BlobDigest& digest : put.blobs) ++blobs_[digest].references;
    entries[put.key].push_back(std::move(entry));
  }
  for (auto& [key, of_key] : entries_) {
    const Entry* const newest = Visible(of_key, revision_);
    const bool kept = newest != nullptr && entries.find(key) == entries.end() &&
                      std::any_of(replacement.kept_prefixes.begin(),
                                  replacement.kept_prefixes.end(),
                                  [&key = key](const std::string& prefix) {
                                    return absl::StartsWith(key, prefix);
                                  });
    for (const Entry& entry : of_key) {
      if (kept && &entry == newest) {
        entries[key].push_back(entry);
      } else {
        Release(entry);
      }
    }
  }
  entries_ = std::move(entries);
  records_ = static_cast<int64_t>(entries_.size());
  all_entries_ = records_;
  log_.clear();
  revision_ = next;
  compacted_ = next;
  committed_.SignalAll();
  return revision_;
}

void MemoryStore::Release(const Entry& entry) {
  --all_entries_;
  if (entry.content == nullptr) return;
  for (const BlobDigest& digest : entry.content->blobs) {
    Blob& blob = blobs_[digest];
    --blob.references;
    blob.last_used = options_.clock->Now();
  }
}

void MemoryStore::Compact() {
  const Revision target =
      CompactionTarget(revision_, options_.history.revisions);
  while (compacted_ < target) {
    compacted_ = Revision(compacted_.value() + 1);
    for (const std::string& key : log_.front()) {
      const auto found = entries_.find(key);
      std::vector<Entry>& entries = found->second;
      const auto kept = std::find_if(
          entries.begin(), entries.end(),
          [this](const Entry& entry) { return entry.revision == compacted_; });
      const auto end = kept->version > 0 ? kept : kept + 1;
      std::for_each(entries.begin(), end, [this](const Entry& entry) {
        mu_.AssertHeld();
        Release(entry);
      });
      entries.erase(entries.begin(), end);
      if (entries.empty()) entries_.erase(found);
    }
    log_.pop_front();
  }
}

GetResult MemoryStore::GetLocked(absl::string_view key, Revision at) const {
  GetResult result;
  result.revision = at;
  const auto found = entries_.find(key);
  if (found == entries_.end()) return result;
  const Entry* entry = Visible(found->second, at);
  if (entry != nullptr) result.record = MakeRecord(found->first, *entry);
  return result;
}

absl::StatusOr<GetResult> MemoryStore::Get(absl::string_view key) {
  SALLYPORT_RETURN_IF_ERROR(CheckKey(key));
  absl::MutexLock lock(&mu_);
  return GetLocked(key, revision_);
}

absl::StatusOr<GetResult> MemoryStore::Get(absl::string_view key, Revision at) {
  SALLYPORT_RETURN_IF_ERROR(CheckKey(key));
  absl::MutexLock lock(&mu_);
  SALLYPORT_RETURN_IF_ERROR(CheckRevision(at, compacted_, revision_));
  return GetLocked(key, at);
}

absl::StatusOr<ListPage> MemoryStore::List(const ListRequest& request) {
  SALLYPORT_RETURN_IF_ERROR(CheckListRequest(request));
  const size_t limit = std::min(request.limit, kMaxPageRecords);
  absl::MutexLock lock(&mu_);
  ListPage page;
  page.revision = request.at.value_or(revision_);
  SALLYPORT_RETURN_IF_ERROR(
      CheckRevision(page.revision, compacted_, revision_));
  auto it = request.start_after < request.prefix
                ? entries_.lower_bound(request.prefix)
                : (request.start_after.empty()
                       ? entries_.begin()
                       : entries_.upper_bound(request.start_after));
  size_t bytes = 0;
  for (; it != entries_.end() && absl::StartsWith(it->first, request.prefix);
       ++it) {
    const Entry* entry = Visible(it->second, page.revision);
    if (entry == nullptr) continue;
    if (page.records.size() >= limit || bytes >= kMaxPageBytes) {
      page.more = true;
      break;
    }
    page.records.push_back(MakeRecord(it->first, *entry, request.what));
    bytes += page.records.back().key.size() + page.records.back().value.size();
  }
  return page;
}

class MemoryWatcher : public Watcher {
 public:
  MemoryWatcher(MemoryStore* store, absl::string_view prefix, Revision after)
      : store_(store), prefix_(prefix), after_(after) {}

  absl::StatusOr<WatchBatch> Next(absl::Duration timeout) override;
  void Cancel() override {
    absl::MutexLock lock(&store_->mu_);
    cancelled_ = true;
    store_->committed_.SignalAll();
  }

 private:
  MemoryStore* const store_;
  const std::string prefix_;
  Revision after_;          // Of the thread that calls Next().
  bool cancelled_ = false;  // Guarded by store_->mu_.
};

absl::StatusOr<WatchBatch> MemoryWatcher::Next(absl::Duration timeout) {
  const absl::Time deadline = absl::Now() + timeout;
  absl::MutexLock lock(&store_->mu_);
  WatchBatch batch;
  while (true) {
    if (cancelled_) return absl::CancelledError("the watch was cancelled");
    if (after_ < store_->compacted_) {
      return WatchCompacted(after_, store_->compacted_);
    }
    size_t bytes = 0;
    while (after_ < store_->revision_ &&
           batch.changes.size() < kMaxBatchChanges && bytes < kMaxBatchBytes) {
      const int64_t position = after_.value() - store_->compacted_.value();
      after_ = Revision(after_.value() + 1);
      for (const std::string& key :
           store_->log_[static_cast<size_t>(position)]) {
        if (!absl::StartsWith(key, prefix_)) continue;
        const std::vector<Entry>& entries = store_->entries_.find(key)->second;
        const auto entry = std::find_if(
            entries.begin(), entries.end(),
            [this](const Entry& e) { return e.revision == after_; });
        Change change;
        change.kind =
            entry->version > 0 ? Change::Kind::kPut : Change::Kind::kDelete;
        change.record = MakeRecord(key, *entry);
        bytes += key.size() + change.record.value.size();
        batch.changes.push_back(std::move(change));
      }
    }
    batch.revision = after_;
    if (!batch.changes.empty()) return batch;
    if (store_->committed_.WaitWithDeadline(&store_->mu_, deadline) &&
        !cancelled_ && after_ == store_->revision_) {
      return batch;
    }
  }
}

absl::StatusOr<std::unique_ptr<Watcher>> MemoryStore::Watch(
    absl::string_view prefix, Revision after) {
  SALLYPORT_RETURN_IF_ERROR(CheckPrefix(prefix));
  absl::MutexLock lock(&mu_);
  SALLYPORT_RETURN_IF_ERROR(CheckRevision(after, compacted_, revision_));
  return std::make_unique<MemoryWatcher>(this, prefix, after);
}

class MemoryBlobWriter : public BlobWriter {
 public:
  explicit MemoryBlobWriter(MemoryStore* store) : store_(store) {}
  ~MemoryBlobWriter() override {
    absl::MutexLock lock(&store_->mu_);
    --store_->uploads_;
  }

  absl::Status Append(absl::string_view bytes) override {
    if (dead_) return absl::FailedPreconditionError("the upload has ended");
    if (bytes.size() > kMaxBlobBytes - blob_.size) {
      dead_ = true;
      return absl::ResourceExhaustedError(
          absl::StrCat("a blob over ", kMaxBlobBytes, " bytes"));
    }
    hasher_.Update(bytes);
    blob_.size += bytes.size();
    while (!bytes.empty()) {
      if (blob_.pieces.empty() ||
          blob_.pieces.back().size() == kBlobPieceBytes) {
        blob_.pieces.emplace_back();
      }
      std::string& piece = blob_.pieces.back();
      const absl::string_view taken =
          bytes.substr(0, kBlobPieceBytes - piece.size());
      piece.append(taken.data(), taken.size());
      bytes.remove_prefix(taken.size());
    }
    return absl::OkStatus();
  }

  absl::StatusOr<BlobDigest> Finish() override {
    if (dead_) return absl::FailedPreconditionError("the upload has ended");
    dead_ = true;
    const BlobDigest digest(hasher_.Finish());
    absl::MutexLock lock(&store_->mu_);
    const auto inserted = store_->blobs_.try_emplace(digest, std::move(blob_));
    inserted.first->second.last_used = store_->options_.clock->Now();
    return digest;
  }

 private:
  MemoryStore* const store_;
  pki::Sha256Hasher hasher_;
  Blob blob_;
  bool dead_ = false;
};

absl::StatusOr<std::unique_ptr<BlobWriter>> MemoryStore::NewBlob() {
  absl::MutexLock lock(&mu_);
  if (uploads_ >= kMaxOpenUploads) {
    return absl::ResourceExhaustedError(
        absl::StrCat(kMaxOpenUploads, " uploads are open; try again later"));
  }
  ++uploads_;
  return std::make_unique<MemoryBlobWriter>(this);
}

class MemoryBlobReader : public BlobReader {
 public:
  MemoryBlobReader(MemoryStore* store, const BlobDigest& digest, uint64_t size)
      : store_(store), digest_(digest), size_(size) {}

  uint64_t size() const override { return size_; }
  absl::StatusOr<std::string> Read() override {
    absl::MutexLock lock(&store_->mu_);
    const auto found = store_->blobs_.find(digest_);
    if (found == store_->blobs_.end()) {
      return absl::NotFoundError(
          absl::StrCat("the blob ", digest_.ToHex(), " was removed"));
    }
    if (next_ == found->second.pieces.size()) return std::string();
    return found->second.pieces[next_++];
  }

 private:
  MemoryStore* const store_;
  const BlobDigest digest_;
  const uint64_t size_;
  size_t next_ = 0;
};

absl::StatusOr<std::unique_ptr<BlobReader>> MemoryStore::OpenBlob(
    const BlobDigest& digest) {
  absl::MutexLock lock(&mu_);
  const auto found = blobs_.find(digest);
  if (found == blobs_.end()) {
    return absl::NotFoundError(
        absl::StrCat("there is no blob ", digest.ToHex()));
  }
  return std::make_unique<MemoryBlobReader>(this, digest, found->second.size);
}

absl::StatusOr<int64_t> MemoryStore::CollectGarbage() {
  const absl::Time before = options_.clock->Now() - options_.blob_grace;
  absl::MutexLock lock(&mu_);
  int64_t removed = 0;
  for (auto it = blobs_.begin(); it != blobs_.end();) {
    if (it->second.references == 0 && it->second.last_used <= before) {
      blobs_.erase(it++);
      ++removed;
    } else {
      ++it;
    }
  }
  return removed;
}

absl::StatusOr<StoreStats> MemoryStore::Stats() {
  absl::MutexLock lock(&mu_);
  StoreStats stats;
  stats.revision = revision_;
  stats.compacted = compacted_;
  stats.records = records_;
  stats.history_entries = all_entries_ - records_;
  stats.blobs = static_cast<int64_t>(blobs_.size());
  for (const auto& blob : blobs_) {
    stats.blob_bytes += static_cast<int64_t>(blob.second.size);
  }
  return stats;
}

}  // namespace

std::unique_ptr<Store> NewMemoryStore(const MemoryOptions& options) {
  return std::make_unique<MemoryStore>(options);
}

}  // namespace sallyport::store
