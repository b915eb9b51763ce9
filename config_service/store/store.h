// Store: the state of the config service, as records under keys with one
// revision for the whole store.
//
//   - Each commit that changes something takes the next revision: 1, 2, 3...
//     Revision 0 is the empty store.
//   - Each record knows the revision that made it (create_revision) and the
//     one that wrote it last (mod_revision). A commit names the mod revisions
//     that it relies on, and fails as a whole when one has moved on.
//   - What was readable at a revision stays readable for a number of revisions
//     (HistoryOptions); older history is compacted.
//   - A watch yields every change after a revision, in the order of commits.
//
// Read, then write what was read:
//
//   ASSIGN_OR_RETURN(GetResult got, store.Get("domains/a"));
//   Commit commit;
//   commit.preconditions.push_back(Precondition::Unchanged(*got.record));
//   commit.puts.push_back({"domains/a", new_value});
//   ASSIGN_OR_RETURN(Revision revision, store.Apply(commit));
//
// List everything, then follow what changes:
//
//   ListRequest request; request.prefix = "domains/";
//   do {
//     ASSIGN_OR_RETURN(ListPage page, store.List(request));
//     ... use page.records ...
//     request.Continue(page);
//   } while (page.more);
//   ASSIGN_OR_RETURN(auto watcher, store.Watch("domains/", request.at));
//   while (true) { auto batch = watcher->Next(absl::Seconds(5)); ... }
//
// Nothing here assumes that this process is the only one that writes: an
// engine may be shared by several replicas.
//
// Keys and values are bytes. Keys order by byte, and a prefix is a prefix of
// bytes. The store does not look into values; secrets in them are sealed by the
// caller (sealer.h) before they come here. Limits are in limits.h.
//
// Thread-safety: Store may be used by any number of threads at once.
// BlobWriter, BlobReader and Watcher each belong to one thread at a time,
// except for Watcher::Cancel(). They must be gone before their Store is
// destroyed.
//
// Errors, the same for all functions and engines:
//   InvalidArgument     a key, value, limit or revision is wrong by itself;
//                       the message says which.
//   OutOfRange          the revision is compacted (list again), or has not
//                       been reached.
//   Aborted             a precondition failed; the message names the key.
//                       Nothing was changed. Read again, then retry.
//   FailedPrecondition  a put names a blob that is not there (or no longer).
//   NotFound            OpenBlob only: a key that is not there is no error.
//   ResourceExhausted   the disk is full, or too many uploads are open.
//                       Nothing was changed, reads go on.
//   Unavailable         the engine cannot be reached, its disk refuses writes
//                       (read-only, input/output error). Of Apply() only: the
//                       commit may have happened nevertheless. Read again.
//   DataLoss            what is stored is damaged. The message names the key
//                       where it is one record; what is not damaged can be
//                       read. Once an engine finds its structure damaged, it
//                       takes no more writes.
//   Cancelled           Watcher::Next after Cancel().
// Messages contain keys (printable) and paths, never values.

#ifndef SALLYPORT_CONFIG_SERVICE_STORE_STORE_H_
#define SALLYPORT_CONFIG_SERVICE_STORE_STORE_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "config_service/store/limits.h"

namespace sallyport::store {

// Revision: a point in the history of a store. Only those of one lineage
// compare.
class Revision {
 public:
  // 0: the empty store; as a mod revision, "no such record".
  constexpr Revision() = default;
  explicit constexpr Revision(int64_t value) : value_(value) {}

  constexpr int64_t value() const { return value_; }

  friend constexpr bool operator==(Revision a, Revision b) {
    return a.value_ == b.value_;
  }
  friend constexpr bool operator!=(Revision a, Revision b) {
    return a.value_ != b.value_;
  }
  friend constexpr bool operator<(Revision a, Revision b) {
    return a.value_ < b.value_;
  }
  friend constexpr bool operator<=(Revision a, Revision b) {
    return a.value_ <= b.value_;
  }
  friend constexpr bool operator>(Revision a, Revision b) {
    return a.value_ > b.value_;
  }
  friend constexpr bool operator>=(Revision a, Revision b) {
    return a.value_ >= b.value_;
  }
  friend std::ostream& operator<<(std::ostream& out, Revision revision) {
    return out << revision.value_;
  }
  template <typename H>
  friend H AbslHashValue(H h, Revision revision) {
    return H::combine(std::move(h), revision.value_);
  }

 private:
  int64_t value_ = 0;
};

// Lineage: 32 lower-case hex digits, random, made with the store. A store that
// was restored from a backup, or that finds itself to be older than what it
// acknowledged, has a new one: a revision kept from before means nothing in
// it. Whoever keeps revisions outside (page tokens, watchers of other
// processes) keeps the lineage beside them, and starts over when it differs.
class Lineage {
 public:
  Lineage() = default;
  explicit Lineage(std::string id) : id_(std::move(id)) {}

  const std::string& id() const { return id_; }

  friend bool operator==(const Lineage& a, const Lineage& b) {
    return a.id_ == b.id_;
  }
  friend bool operator!=(const Lineage& a, const Lineage& b) {
    return a.id_ != b.id_;
  }
  friend std::ostream& operator<<(std::ostream& out, const Lineage& lineage) {
    return out << lineage.id_;
  }

 private:
  std::string id_;
};

// BlobDigest: the SHA-256 of a blob's bytes, which is also its name.
class BlobDigest {
 public:
  static constexpr size_t kBytes = 32;

  constexpr BlobDigest() = default;
  explicit constexpr BlobDigest(const std::array<uint8_t, kBytes>& bytes)
      : bytes_(bytes) {}
  // 64 hex digits. InvalidArgument otherwise.
  static absl::StatusOr<BlobDigest> FromHex(absl::string_view hex);
  // 32 bytes. InvalidArgument otherwise.
  static absl::StatusOr<BlobDigest> FromBytes(absl::string_view bytes);
  // The digest of `content`.
  static BlobDigest Of(absl::string_view content);

  // 64 lower-case digits.
  std::string ToHex() const;
  // A view of the 32 bytes; lives as long as this object.
  absl::string_view bytes() const {
    return {reinterpret_cast<const char*>(bytes_.data()), bytes_.size()};
  }
  const std::array<uint8_t, kBytes>& array() const { return bytes_; }

  friend bool operator==(const BlobDigest& a, const BlobDigest& b) {
    return a.bytes_ == b.bytes_;
  }
  friend bool operator!=(const BlobDigest& a, const BlobDigest& b) {
    return a.bytes_ != b.bytes_;
  }
  friend bool operator<(const BlobDigest& a, const BlobDigest& b) {
    return a.bytes_ < b.bytes_;
  }
  friend std::ostream& operator<<(std::ostream& out, const BlobDigest& digest) {
    return out << digest.ToHex();
  }
  template <typename H>
  friend H AbslHashValue(H h, const BlobDigest& digest) {
    return H::combine(std::move(h), digest.bytes_);
  }

 private:
  std::array<uint8_t, kBytes> bytes_ = {};
};

// Record: one key's value as of one revision.
struct Record {
  std::string key;
  std::string value;
  // The commit that made the key, and the one that put this value.
  Revision create_revision;
  Revision mod_revision;
  // How often it was put since create_revision, this time counted.
  int64_t version = 0;
  // The blobs that the put named, in its order.
  std::vector<BlobDigest> blobs;
};

// Precondition: what must hold when the commit is applied. Make one by the
// named functions.
struct Precondition {
  enum class Kind {
    // The record's mod revision is `revision`; 0: there is no such record.
    kModRevision,
    // There is a record.
    kExists,
    // There is no record under the prefix `key`.
    kPrefixEmpty,
    // No record under the prefix `key` was put after `revision`. Deletions do
    // not count. Costs as much as there are changes after `revision`.
    kPrefixNotPutAfter,
  };

  static Precondition Unchanged(const Record& record) {
    return {Kind::kModRevision, record.key, record.mod_revision};
  }
  static Precondition ModRevision(std::string key, Revision revision) {
    return {Kind::kModRevision, std::move(key), revision};
  }
  static Precondition Absent(std::string key) {
    return {Kind::kModRevision, std::move(key), Revision()};
  }
  static Precondition Exists(std::string key) {
    return {Kind::kExists, std::move(key), Revision()};
  }
  static Precondition PrefixEmpty(std::string prefix) {
    return {Kind::kPrefixEmpty, std::move(prefix), Revision()};
  }
  // OutOfRange from Apply() when `revision` is compacted or not reached.
  static Precondition PrefixNotPutAfter(std::string prefix, Revision revision) {
    return {Kind::kPrefixNotPutAfter, std::move(prefix), revision};
  }

  Kind kind = Kind::kModRevision;
  // A key, or a prefix (which may be empty: the whole store).
  std::string key;
  Revision revision;
};

struct Put {
  std::string key;
  std::string value;
  // Blobs that the value refers to. They must be in the store, and stay for as
  // long as this put can be read, history included.
  std::vector<BlobDigest> blobs;
};

// Commit: what one call of Apply() does, all of it or nothing.
struct Commit {
  std::vector<Precondition> preconditions;
  std::vector<Put> puts;
  // Keys. Deleting one that is not there changes nothing.
  std::vector<std::string> deletes;
};

// Replacement: a whole state in the place of another.
struct Replacement {
  // The newest revision, as far as the caller knows; nothing: whatever it is.
  std::optional<Revision> expected;
  // Keys that begin with one of these stay as they are, unless they are put.
  std::vector<std::string> kept_prefixes;
  // Each key once, in any order.
  std::vector<Put> puts;
};

struct GetResult {
  // The revision at which this was read.
  Revision revision;
  // Nothing when there is no such record at that revision.
  std::optional<Record> record;
};

struct ListPage;

struct ListRequest {
  enum class What { kRecords, kKeysOnly };

  // Keys that begin with it; empty: all.
  std::string prefix;
  // Only keys after this one, in byte order; empty: from the first.
  std::string start_after;
  // Records in a page: 1 to kMaxPageRecords; more counts as kMaxPageRecords.
  size_t limit = 1000;
  // As of this revision; none: the newest.
  std::optional<Revision> at;
  // kKeysOnly leaves values and blobs out of the records.
  What what = What::kRecords;

  // Makes this the request for the page after `page`, at the same revision.
  void Continue(const ListPage& page);
};

struct ListPage {
  // The revision at which this was read. A watch from here misses nothing.
  Revision revision;
  // In the order of keys.
  std::vector<Record> records;
  // Whether there are records after the last one.
  bool more = false;
};

inline void ListRequest::Continue(const ListPage& page) {
  at = page.revision;
  if (!page.records.empty()) start_after = page.records.back().key;
}

// Change: one key in one commit.
struct Change {
  enum class Kind { kPut, kDelete };

  Kind kind = Kind::kPut;
  // kDelete: the key, and the revision of the deletion as mod_revision; the
  // rest is empty. What was there before is readable at mod_revision - 1.
  Record record;
};

struct WatchBatch {
  // By revision, and within one commit by key. All changes of a commit come in
  // one batch.
  std::vector<Change> changes;
  // The watch has seen everything up to here. This moves on too when nothing
  // under the prefix changed.
  Revision revision;
};

// Watcher: a place in the stream of changes. It holds no resources between
// calls but its place: a slow reader costs nothing, until its place is
// compacted.
class Watcher {
 public:
  virtual ~Watcher() = default;

  // The changes since the last call (the first time: since the revision of
  // Watch()). Waits for one up to `timeout`, and then returns a batch without
  // changes. Zero does not wait.
  //
  // OutOfRange: changes were compacted before they were read; list again, and
  // watch from there. Cancelled: Cancel() was called. After any other error the
  // place is unchanged: call again later.
  virtual absl::StatusOr<WatchBatch> Next(absl::Duration timeout) = 0;

  // Ends a Next() that waits, and every later one. For any thread.
  virtual void Cancel() = 0;
};

// BlobWriter: one upload. Destroyed before Finish() it leaves nothing behind;
// what a crash leaves behind is removed by CollectGarbage(), once the engine's
// blob grace is over. So is an upload that stands still for that long.
class BlobWriter {
 public:
  virtual ~BlobWriter() = default;

  // Adds bytes, as many at a time as the caller likes. After an error the
  // upload is dead. ResourceExhausted: over kMaxBlobBytes, or the disk is full.
  virtual absl::Status Append(absl::string_view bytes) = 0;

  // Stores the blob and returns its digest. If a blob with this digest is
  // there already, that one is kept. From now on it can be read and named by a
  // put; if no put names it for the engine's blob grace, CollectGarbage()
  // removes it. To be called once, last. Aborted: it stood still too long.
  virtual absl::StatusOr<BlobDigest> Finish() = 0;
};

// BlobReader: reads one blob from its beginning. A blob that is removed
// meanwhile gives NotFound.
class BlobReader {
 public:
  virtual ~BlobReader() = default;

  virtual uint64_t size() const = 0;

  // The next bytes, at most kBlobPieceBytes; empty at the end. Each piece is
  // checked before it is returned, the whole against its digest before the
  // end is reported: DataLoss when it does not fit.
  virtual absl::StatusOr<std::string> Read() = 0;
};

// HistoryOptions: how long what was replaced stays readable.
struct HistoryOptions {
  // At least this many of the latest revisions can be read and watched from.
  // Engines compact in steps and may keep more, by a tenth or 1,000 revisions,
  // whichever is more.
  int64_t revisions = kDefaultHistoryRevisions;
};

struct StoreStats {
  Revision revision;
  // Reads at, and watches from, revisions below this are OutOfRange.
  Revision compacted;
  // Live records; entries kept for reading the past; blobs and their bytes.
  int64_t records = 0;
  int64_t history_entries = 0;
  int64_t blobs = 0;
  int64_t blob_bytes = 0;
  // What it takes on disk; 0 where that is not known.
  int64_t disk_bytes = 0;
};

class Store {
 public:
  virtual ~Store() = default;

  // Does not change while the store is open.
  virtual const Lineage& lineage() const = 0;

  // Applies `commit` if all its preconditions hold, and returns its revision
  // once it is durable. A commit that changes nothing (no puts, and no deletes
  // of keys that are there) takes no revision: the current one is returned.
  // A put always changes its key, also when the value is the same.
  //
  // InvalidArgument: a limit, an empty key, or a key that is put or deleted
  // twice; all of these are in the message. Aborted: see Precondition; the
  // first that fails is named.
  virtual absl::StatusOr<Revision> Apply(const Commit& commit) = 0;

  // Replaces all records: all of it or nothing, in one revision, which is
  // returned once it is durable. There may be any number of puts; the limits of
  // one record hold. History begins anew: nothing before that revision can be
  // read or watched from. Other commits wait until it is done.
  //
  // InvalidArgument: as Apply(). Aborted: `expected` is not the newest revision
  // any more.
  virtual absl::StatusOr<Revision> Replace(const Replacement& replacement) = 0;

  // The record of `key` at the newest revision, or at `at`.
  virtual absl::StatusOr<GetResult> Get(absl::string_view key) = 0;
  virtual absl::StatusOr<GetResult> Get(absl::string_view key, Revision at) = 0;

  // One page of records in the order of keys. The pages of one list, asked for
  // at the revision of the first (ListRequest::Continue), show one state,
  // whatever is committed meanwhile.
  virtual absl::StatusOr<ListPage> List(const ListRequest& request) = 0;

  // Follows the keys under `prefix` (empty: all) after revision `after`.
  // OutOfRange: `after` is compacted, or later than the newest revision.
  virtual absl::StatusOr<std::unique_ptr<Watcher>> Watch(
      absl::string_view prefix, Revision after) = 0;

  virtual absl::StatusOr<std::unique_ptr<BlobWriter>> NewBlob() = 0;
  virtual absl::StatusOr<std::unique_ptr<BlobReader>> OpenBlob(
      const BlobDigest& digest) = 0;

  // Removes blobs that nothing names since the engine's blob grace. Returns how
  // many. To be called from time to time; it works in small steps and lets
  // commits through.
  virtual absl::StatusOr<int64_t> CollectGarbage() = 0;

  virtual absl::StatusOr<StoreStats> Stats() = 0;

  // Whether commits can be taken, as far as is known without trying: the error
  // that the last write met on its disk, or damage that was found. For
  // /readyz.
  virtual absl::Status Health() = 0;
};

}  // namespace sallyport::store

#endif  // SALLYPORT_CONFIG_SERVICE_STORE_STORE_H_
