#include "config_service/store/sqlite/sqlite_store.h"

#include <sqlite3.h>
#include <sys/stat.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <deque>
#include <functional>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/cleanup/cleanup.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/synchronization/mutex.h"
#include "base/status_macros.h"
#include "base/text.h"
#include "config_service/store/checks.h"
#include "config_service/store/sqlite/connection.h"
#include "config_service/store/sqlite/data_dir.h"
#include "config_service/store/sqlite/schema.h"
#include "pki/crypto/crypto.h"

namespace sallyport::store {
namespace {

using sqlite::Connection;
using sqlite::DataDir;
using sqlite::IsDamage;
using sqlite::kNewest;
using sqlite::Statement;

// Commits that share one sync: how many, and how many bytes.
constexpr size_t kMaxGroupJobs = 64;
constexpr size_t kMaxGroupBytes = size_t{16} << 20;

// Connections for reading. More readers at once wait for each other.
constexpr size_t kMaxReaders = 8;

// Pages of the write-ahead log after which they are copied into the database,
// as far as readers allow; and pages after which commits wait a moment for
// readers, so that the log can begin anew.
constexpr int kCheckpointPages = 1000;
constexpr int kRestartPages = 16384;
constexpr int kRestartWaitMillis = 100;

// Pieces of a blob that are removed in one step.
constexpr int kRemovedPieces = 8;

// Revisions that one commit compacts, beside two for each that it makes.
constexpr int64_t kCompactedBeside = 8;

// Lines of the structure check that an error shows.
constexpr int kShownProblems = 3;

// An upper bound for a range of keys without one: greater than any key.
std::string UpperBound(absl::string_view prefix) {
  std::string end = PrefixEnd(prefix);
  if (end.empty()) end.assign(kMaxKeyBytes + 1, '\xff');
  return end;
}

int64_t ToChecksum(pki::Sha256Hasher& hasher) {
  const std::array<uint8_t, 32> digest = hasher.Finish();
  uint64_t checksum = 0;
  for (int i = 0; i < 8; ++i) checksum = checksum << 8 | digest[i];
  return static_cast<int64_t>(checksum);
}

void HashNumber(pki::Sha256Hasher& hasher, int64_t number) {
  char bytes[8];
  for (int i = 0; i < 8; ++i) {
    bytes[i] = static_cast<char>(static_cast<uint64_t>(number) >> (8 * i));
  }
  hasher.Update(absl::string_view(bytes, sizeof(bytes)));
}

void HashBytes(pki::Sha256Hasher& hasher, absl::string_view bytes) {
  HashNumber(hasher, static_cast<int64_t>(bytes.size()));
  hasher.Update(bytes);
}

// The checksum of an entry: SCHEMA.md has the bytes.
int64_t EntryChecksum(absl::string_view key, int64_t revision,
                      int64_t create_revision, int64_t version,
                      absl::string_view blobs, absl::string_view value) {
  pki::Sha256Hasher hasher;
  HashBytes(hasher, key);
  HashNumber(hasher, revision);
  HashNumber(hasher, create_revision);
  HashNumber(hasher, version);
  HashBytes(hasher, blobs);
  HashBytes(hasher, value);
  return ToChecksum(hasher);
}

int64_t PieceChecksum(absl::string_view bytes) {
  pki::Sha256Hasher hasher;
  hasher.Update(bytes);
  return ToChecksum(hasher);
}

// The columns of an entry as the queries below select them.
#define SALLYPORT_ENTRY_COLUMNS \
  "key, revision, create_revision, version, checksum, blobs, value"

absl::StatusOr<Record> ReadRecord(const Statement& row) {
  Record record;
  record.key = std::string(row.Blob(0));
  record.mod_revision = Revision(row.Int(1));
  record.create_revision = Revision(row.Int(2));
  record.version = row.Int(3);
  const absl::string_view blobs = row.Blob(5);
  record.value = std::string(row.Blob(6));
  if (EntryChecksum(record.key, row.Int(1), row.Int(2), row.Int(3), blobs,
                    record.value) != row.Int(4)) {
    return absl::DataLossError(absl::StrCat(
        "the record \"", Printable(record.key, 128), "\" of revision ",
        record.mod_revision.value(),
        " is damaged: it does not fit its checksum. Put it again, or restore "
        "a backup; and check the disk"));
  }
  for (size_t i = 0; i + BlobDigest::kBytes <= blobs.size();
       i += BlobDigest::kBytes) {
    SALLYPORT_ASSIGN_OR_RETURN(
        const BlobDigest digest,
        BlobDigest::FromBytes(blobs.substr(i, BlobDigest::kBytes)));
    record.blobs.push_back(digest);
  }
  return record;
}

// The one row of the table state, as far as commits change it.
struct State {
  Revision revision;
  Revision compacted;
  int64_t records = 0;
  int64_t entries = 0;
};

absl::StatusOr<State> ReadState(Connection& connection) {
  Statement get =
      connection.Use("SELECT revision, compacted, records, entries FROM state");
  State state;
  if (get.Step()) {
    state.revision = Revision(get.Int(0));
    state.compacted = Revision(get.Int(1));
    state.records = get.Int(2);
    state.entries = get.Int(3);
  } else if (get.status().ok()) {
    return absl::DataLossError("the database has no state; restore a backup");
  }
  SALLYPORT_RETURN_IF_ERROR(get.Finish());
  return state;
}

// Job: something that is done inside a write transaction.
struct Job {
  // Runs with the state that it may change. Returns an error only when the
  // database does; the transaction is then rolled back, and this may run a
  // second time.
  std::function<absl::Status(Connection&, State&)> work;
  size_t bytes = 0;

  // Guarded by SqliteStoreImpl::queue_mu_.
  bool done = false;
  absl::Status status;
};

class SqliteStoreImpl : public SqliteStore {
 public:
  SqliteStoreImpl(const SqliteOptions& options, std::unique_ptr<DataDir> dir)
      : options_(options), dir_(std::move(dir)) {}

  absl::Status OpenDatabase();

  const OpenReport& open_report() const override { return report_; }
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
  absl::Status Health() override;

 private:
  friend class SqliteWatcher;
  friend class SqliteBlobWriter;
  friend class SqliteBlobReader;

  // A read transaction: one state of the database, on a connection that nobody
  // else uses meanwhile.
  class Snapshot {
   public:
    static absl::StatusOr<std::unique_ptr<Snapshot>> Begin(
        SqliteStoreImpl* store);
    ~Snapshot();
    Snapshot(const Snapshot&) = delete;
    Snapshot& operator=(const Snapshot&) = delete;

    Connection& connection() { return *connection_; }
    const State& state() const { return state_; }

   private:
    Snapshot(SqliteStoreImpl* store, std::unique_ptr<Connection> connection)
        : store_(store), connection_(std::move(connection)) {}

    SqliteStoreImpl* const store_;
    std::unique_ptr<Connection> connection_;
    State state_;
  };

  // Opening.
  absl::Status CheckStructure();
  absl::Status ReadOrMakeState();

  // Reading.
  absl::StatusOr<std::unique_ptr<Connection>> TakeReader();
  void ReturnReader(std::unique_ptr<Connection> connection);
  absl::StatusOr<GetResult> GetAt(absl::string_view key,
                                  std::optional<Revision> at);
  // Remembers damage that a read or write met.
  absl::Status Noticed(absl::Status status);

  // Writing. Queues `job`, and returns when it is done and durable.
  absl::Status Run(Job& job);
  std::vector<Job*> TakeGroup() ABSL_EXCLUSIVE_LOCKS_REQUIRED(queue_mu_);
  void RunGroup(const std::vector<Job*>& group);
  // One transaction; whether it failed before its COMMIT.
  absl::Status RunTransaction(const std::vector<Job*>& group,
                              bool* before_commit);
  void Checkpoint();
  absl::Status ApplyIn(Connection& connection, State& state,
                       const Commit& commit,
                       absl::StatusOr<Revision>& result) const;
  absl::Status ReplaceIn(Connection& connection, State& state,
                         const Replacement& replacement,
                         absl::StatusOr<Revision>& result) const;
  // Sets `ids` to those of the blobs that `put` names, or `missing` to the
  // error that says which is not there.
  static absl::Status FindBlobs(Connection& connection, const Put& put,
                                std::vector<int64_t>& ids,
                                absl::Status& missing);
  // Removes every entry but the newest of keys under one of `prefixes`.
  absl::Status RemoveAllBut(Connection& connection,
                            std::vector<std::string> prefixes) const;
  // Sets `holds` to OK, or to why the precondition does not hold.
  static absl::Status Check(Connection& connection, const State& state,
                            const Precondition& precondition,
                            absl::Status& holds);
  static absl::Status PutIn(Connection& connection, State& state,
                            const Put& put, const std::vector<int64_t>& blobs);
  static absl::Status DeleteIn(Connection& connection, State& state,
                               absl::string_view key);
  absl::Status CompactIn(Connection& connection, State& state,
                         int64_t revisions) const;
  static absl::Status RemoveEntry(Connection& connection, State& state,
                                  int64_t id, int64_t now);
  // Removes the pieces of a blob that has no digest (any more), and the blob.
  absl::Status RemoveBlob(int64_t id);
  int64_t NowSeconds() const {
    return absl::ToUnixSeconds(options_.clock->Now());
  }

  // Constant after OpenDatabase().
  const SqliteOptions options_;
  const std::unique_ptr<DataDir> dir_;
  OpenReport report_;
  Lineage lineage_;

  // Of the thread that leads a group (leading_), or of OpenDatabase().
  std::unique_ptr<Connection> writer_;
  State state_;
  // Pages in the write-ahead log, and how many there were at the last
  // checkpoint.
  int wal_pages_ = 0;
  int checkpointed_pages_ = 0;

  absl::Mutex queue_mu_;
  absl::CondVar job_done_;
  std::deque<Job*> queue_ ABSL_GUARDED_BY(queue_mu_);
  bool leading_ ABSL_GUARDED_BY(queue_mu_) = false;

  absl::Mutex readers_mu_;
  absl::CondVar reader_free_;
  std::vector<std::unique_ptr<Connection>> readers_
      ABSL_GUARDED_BY(readers_mu_);
  size_t num_readers_ ABSL_GUARDED_BY(readers_mu_) = 0;

  // What watchers wait for.
  absl::Mutex newest_mu_;
  absl::CondVar committed_;
  Revision newest_ ABSL_GUARDED_BY(newest_mu_);

  absl::Mutex health_mu_;
  // The first damage of the structure that was met; stays.
  absl::Status damage_ ABSL_GUARDED_BY(health_mu_);
  absl::Status last_write_ ABSL_GUARDED_BY(health_mu_);

  absl::Mutex uploads_mu_;
  size_t uploads_ ABSL_GUARDED_BY(uploads_mu_) = 0;
};

// ------------------------------------------------------------------ opening

absl::Status SqliteStoreImpl::OpenDatabase() {
  const absl::Time start = absl::Now();
  const bool created = dir_->database_is_empty();
  if (created && dir_->noted_revision() > Revision()) {
    return absl::DataLossError(absl::StrCat(
        Printable(dir_->database()), " is missing or empty, but revision ",
        dir_->noted_revision().value(),
        " was acknowledged from this folder. Restore a backup; or, to begin "
        "with an empty store, remove sallyport.lock"));
  }
  report_.created = created;
  SALLYPORT_ASSIGN_OR_RETURN(
      writer_, Connection::Open(dir_->database(), Connection::Mode::kReadWrite,
                                options_.vfs));
  SALLYPORT_RETURN_IF_ERROR(
      writer_->Exec("PRAGMA synchronous = FULL; PRAGMA cache_size = -32768;"));
  {
    Statement wal = writer_->Use("PRAGMA journal_mode = WAL");
    const bool in_wal = wal.Step() && wal.Blob(0) == "wal";
    SALLYPORT_RETURN_IF_ERROR(wal.Finish());
    if (!in_wal) {
      return absl::UnavailableError(absl::StrCat(
          Printable(dir_->database()),
          " does not take a write-ahead log; is it on a local disk?"));
    }
  }
  SALLYPORT_RETURN_IF_ERROR(writer_->Exec(absl::StrCat(
      "PRAGMA wal_autocheckpoint = 0; PRAGMA journal_size_limit = ",
      int64_t{kRestartPages} * 4096)));
  sqlite3_wal_hook(
      writer_->handle(),
      [](void* self, sqlite3*, const char*, int pages) {
        static_cast<SqliteStoreImpl*>(self)->wal_pages_ = pages;
        return SQLITE_OK;
      },
      this);

  absl::Status structure = created ? absl::OkStatus() : CheckStructure();
  if (!structure.ok()) {
    if (options_.if_damaged == SqliteOptions::IfDamaged::kFail ||
        !IsDamage(structure)) {
      return structure;
    }
    report_.damage = structure;
    absl::MutexLock lock(&health_mu_);
    damage_ = structure;
  } else {
    SALLYPORT_ASSIGN_OR_RETURN(
        report_.migrations, sqlite::Migrate(*writer_, options_.clock->Now()));
    if (options_.max_database_bytes > 0) {
      Statement page_size = writer_->Use("PRAGMA page_size");
      const int64_t bytes = page_size.Step() ? page_size.Int(0) : 4096;
      SALLYPORT_RETURN_IF_ERROR(page_size.Finish());
      SALLYPORT_RETURN_IF_ERROR(writer_->Exec(absl::StrCat(
          "PRAGMA max_page_count = ",
          std::max<int64_t>(1, options_.max_database_bytes / bytes))));
    }
  }
  SALLYPORT_RETURN_IF_ERROR(ReadOrMakeState());
  dir_->Note(lineage_, state_.revision);
  {
    absl::MutexLock lock(&newest_mu_);
    newest_ = state_.revision;
  }
  report_.took = absl::Now() - start;
  return absl::OkStatus();
}

absl::Status SqliteStoreImpl::CheckStructure() {
  if (options_.check_time <= absl::ZeroDuration()) return absl::OkStatus();
  const absl::Time deadline = absl::Now() + options_.check_time;
  // Called after each so many steps of SQLite's machine.
  constexpr int kSteps = 10000;
  sqlite3_progress_handler(
      writer_->handle(), kSteps,
      [](void* until) {
        return absl::Now() > *static_cast<const absl::Time*>(until) ? 1 : 0;
      },
      const_cast<absl::Time*>(&deadline));
  const auto no_handler = absl::MakeCleanup([this] {
    sqlite3_progress_handler(writer_->handle(), 0, nullptr, nullptr);
  });
  std::vector<std::string> problems;
  Statement check = writer_->Use("PRAGMA quick_check(10)");
  while (check.Step()) {
    if (check.Blob(0) != "ok") {
      problems.push_back(Printable(check.Blob(0), 200));
    }
  }
  absl::Status status = check.Finish();
  if (problems.empty() && absl::IsCancelled(status)) return absl::OkStatus();
  if (problems.empty() && !status.ok()) return status;
  report_.check_finished = status.ok();
  if (problems.empty()) return absl::OkStatus();
  const size_t found = problems.size();
  problems.resize(std::min<size_t>(found, kShownProblems));
  // With the words, and the mark, of damage that SQLite itself reports.
  absl::Status damage = writer_->ToStatus(SQLITE_CORRUPT);
  absl::Status told(
      damage.code(),
      absl::StrCat(damage.message(), ": ", absl::StrJoin(problems, "; "),
                   found > problems.size() ? "; ..." : ""));
  damage.ForEachPayload(
      [&told](absl::string_view url, const absl::Cord& payload) {
        told.SetPayload(url, payload);
      });
  return told;
}

absl::Status SqliteStoreImpl::ReadOrMakeState() {
  std::string lineage;
  std::string file_id;
  int64_t revision = 0;
  {
    Statement get = writer_->Use(
        "SELECT lineage, file_id, revision FROM state WHERE one = 1");
    if (get.Step()) {
      lineage = std::string(get.Blob(0));
      file_id = std::string(get.Blob(1));
      revision = get.Int(2);
    }
    SALLYPORT_RETURN_IF_ERROR(get.Finish());
  }
  const Lineage& noted = dir_->noted_lineage();
  if (lineage.empty()) {
    SALLYPORT_RETURN_IF_ERROR(report_.damage);
    Statement make = writer_->Use(
        "INSERT INTO state (one, lineage, file_id, revision, compacted, "
        "records, entries) VALUES (1, ?, ?, 0, 0, 0, 0)");
    lineage = HexLower(pki::RandomBytes(16));
    SALLYPORT_RETURN_IF_ERROR(
        make.BindText(1, lineage).BindText(2, dir_->database_file_id()).Run());
  } else {
    std::string& because = report_.new_lineage_because;
    if (options_.lineage == SqliteOptions::LineageChoice::kNew) {
      because = "a restored store was announced";
    } else if (file_id != dir_->database_file_id()) {
      because = "the database is a copy";
    } else if (noted.id() == lineage &&
               dir_->noted_revision() > Revision(revision)) {
      because = absl::StrCat("the database is at revision ", revision, ", but ",
                             dir_->noted_revision().value(),
                             " was acknowledged: it is older, or its "
                             "write-ahead log is gone");
    }
    if (!because.empty() && report_.damage.ok()) {
      lineage = HexLower(pki::RandomBytes(16));
      Statement change = writer_->Use(
          "UPDATE state SET lineage = ?, file_id = ? WHERE one = 1");
      SALLYPORT_RETURN_IF_ERROR(change.BindText(1, lineage)
                                    .BindText(2, dir_->database_file_id())
                                    .Run());
    }
  }
  lineage_ = Lineage(lineage);
  SALLYPORT_ASSIGN_OR_RETURN(state_, ReadState(*writer_));
  return absl::OkStatus();
}

// ------------------------------------------------------------------ reading

absl::Status SqliteStoreImpl::Noticed(absl::Status status) {
  if (IsDamage(status)) {
    absl::MutexLock lock(&health_mu_);
    if (damage_.ok()) damage_ = status;
  }
  return status;
}

absl::StatusOr<std::unique_ptr<Connection>> SqliteStoreImpl::TakeReader() {
  {
    absl::MutexLock lock(&readers_mu_);
    while (readers_.empty() && num_readers_ >= kMaxReaders) {
      reader_free_.Wait(&readers_mu_);
    }
    if (!readers_.empty()) {
      std::unique_ptr<Connection> connection = std::move(readers_.back());
      readers_.pop_back();
      return connection;
    }
    ++num_readers_;
  }
  auto connection = Connection::Open(dir_->database(),
                                     Connection::Mode::kReadOnly, options_.vfs);
  absl::Status status = connection.status();
  if (status.ok()) {
    status = (*connection)->Exec("PRAGMA query_only = ON;");
  }
  if (status.ok()) return connection;
  absl::MutexLock lock(&readers_mu_);
  --num_readers_;
  reader_free_.Signal();
  return status;
}

void SqliteStoreImpl::ReturnReader(std::unique_ptr<Connection> connection) {
  absl::MutexLock lock(&readers_mu_);
  readers_.push_back(std::move(connection));
  reader_free_.Signal();
}

absl::StatusOr<std::unique_ptr<SqliteStoreImpl::Snapshot>>
SqliteStoreImpl::Snapshot::Begin(SqliteStoreImpl* store) {
  SALLYPORT_ASSIGN_OR_RETURN(std::unique_ptr<Connection> connection,
                             store->TakeReader());
  std::unique_ptr<Snapshot> snapshot(
      new Snapshot(store, std::move(connection)));
  // The state is fixed by the first read.
  SALLYPORT_RETURN_IF_ERROR(snapshot->connection_->Exec("BEGIN"));
  SALLYPORT_ASSIGN_OR_RETURN(snapshot->state_,
                             ReadState(*snapshot->connection_));
  return snapshot;
}

SqliteStoreImpl::Snapshot::~Snapshot() {
  if (sqlite3_get_autocommit(connection_->handle()) == 0) {
    connection_->Exec("ROLLBACK").IgnoreError();
  }
  store_->ReturnReader(std::move(connection_));
}

absl::StatusOr<GetResult> SqliteStoreImpl::GetAt(absl::string_view key,
                                                 std::optional<Revision> at) {
  SALLYPORT_RETURN_IF_ERROR(CheckKey(key));
  auto snapshot = Snapshot::Begin(this);
  if (!snapshot.ok()) return Noticed(snapshot.status());
  const State& state = (*snapshot)->state();
  GetResult result;
  result.revision = at.value_or(state.revision);
  SALLYPORT_RETURN_IF_ERROR(
      CheckRevision(result.revision, state.compacted, state.revision));
  // The entries of a key follow each other without a gap: the first that was
  // superseded later is the one.
  Statement get = (*snapshot)->connection().Use(
      "SELECT " SALLYPORT_ENTRY_COLUMNS
      " FROM entries INDEXED BY entries_by_key WHERE key = ? AND superseded > "
      "? ORDER BY superseded LIMIT 1");
  get.BindBlob(1, key).BindInt(2, result.revision.value());
  if (get.Step() && Revision(get.Int(1)) <= result.revision && get.Int(3) > 0) {
    SALLYPORT_ASSIGN_OR_RETURN(result.record, ReadRecord(get));
  }
  const absl::Status status = get.Finish();
  if (!status.ok()) return Noticed(status);
  return result;
}

absl::StatusOr<GetResult> SqliteStoreImpl::Get(absl::string_view key) {
  return GetAt(key, std::nullopt);
}

absl::StatusOr<GetResult> SqliteStoreImpl::Get(absl::string_view key,
                                               Revision at) {
  return GetAt(key, at);
}

absl::StatusOr<ListPage> SqliteStoreImpl::List(const ListRequest& request) {
  SALLYPORT_RETURN_IF_ERROR(CheckListRequest(request));
  const size_t limit = std::min(request.limit, kMaxPageRecords);
  auto snapshot = Snapshot::Begin(this);
  if (!snapshot.ok()) return Noticed(snapshot.status());
  const State& state = (*snapshot)->state();
  ListPage page;
  page.revision = request.at.value_or(state.revision);
  SALLYPORT_RETURN_IF_ERROR(
      CheckRevision(page.revision, state.compacted, state.revision));

  const bool with_values = request.what == ListRequest::What::kRecords;
  Statement list = (*snapshot)->connection().Use(
      with_values
          ? "SELECT " SALLYPORT_ENTRY_COLUMNS
            " FROM entries INDEXED BY entries_by_key WHERE key >= ?1 AND key "
            "< ?2 AND superseded > ?3 AND revision <= ?3 AND version > 0 "
            "ORDER BY key LIMIT ?4"
          : "SELECT key, revision, create_revision, version FROM entries "
            "INDEXED BY entries_by_key WHERE key >= ?1 AND key < ?2 AND "
            "superseded > ?3 AND revision <= ?3 AND version > 0 ORDER BY key "
            "LIMIT ?4");
  std::string first = request.prefix;
  if (request.start_after >= request.prefix && !request.start_after.empty()) {
    // The next key after it.
    first = request.start_after;
    first.push_back('\0');
  }
  const std::string end = UpperBound(request.prefix);
  list.BindBlob(1, first)
      .BindBlob(2, end)
      .BindInt(3, page.revision.value())
      .BindInt(4, static_cast<int64_t>(limit) + 1);
  size_t bytes = 0;
  while (list.Step()) {
    if (page.records.size() >= limit || bytes >= kMaxPageBytes) {
      page.more = true;
      break;
    }
    if (with_values) {
      SALLYPORT_ASSIGN_OR_RETURN(Record record, ReadRecord(list));
      page.records.push_back(std::move(record));
    } else {
      Record record;
      record.key = std::string(list.Blob(0));
      record.mod_revision = Revision(list.Int(1));
      record.create_revision = Revision(list.Int(2));
      record.version = list.Int(3);
      page.records.push_back(std::move(record));
    }
    bytes += page.records.back().key.size() + page.records.back().value.size();
  }
  const absl::Status status = list.Finish();
  if (!status.ok()) return Noticed(status);
  return page;
}

absl::StatusOr<StoreStats> SqliteStoreImpl::Stats() {
  auto snapshot = Snapshot::Begin(this);
  if (!snapshot.ok()) return Noticed(snapshot.status());
  const State& state = (*snapshot)->state();
  StoreStats stats;
  stats.revision = state.revision;
  stats.compacted = state.compacted;
  stats.records = state.records;
  stats.history_entries = state.entries - state.records;
  Statement blobs = (*snapshot)->connection().Use(
      "SELECT COUNT(*), COALESCE(SUM(size), 0) FROM blobs WHERE digest IS NOT "
      "NULL");
  if (blobs.Step()) {
    stats.blobs = blobs.Int(0);
    stats.blob_bytes = blobs.Int(1);
  }
  const absl::Status status = blobs.Finish();
  if (!status.ok()) return Noticed(status);
  for (const char* suffix : {"", "-wal"}) {
    struct stat info;
    if (stat(absl::StrCat(dir_->database(), suffix).c_str(), &info) == 0) {
      stats.disk_bytes += info.st_size;
    }
  }
  return stats;
}

absl::Status SqliteStoreImpl::Health() {
  absl::MutexLock lock(&health_mu_);
  return damage_.ok() ? last_write_ : damage_;
}

// ------------------------------------------------------------------ writing

absl::Status SqliteStoreImpl::Run(Job& job) {
  {
    absl::MutexLock lock(&health_mu_);
    if (!damage_.ok()) return damage_;
  }
  absl::MutexLock lock(&queue_mu_);
  queue_.push_back(&job);
  while (!job.done && leading_) job_done_.Wait(&queue_mu_);
  if (job.done) return job.status;
  // Nobody leads: this thread does, until its own job is done.
  leading_ = true;
  while (!job.done) {
    const std::vector<Job*> group = TakeGroup();
    queue_mu_.Unlock();
    RunGroup(group);
    queue_mu_.Lock();
    for (Job* done : group) done->done = true;
    job_done_.SignalAll();
  }
  queue_mu_.Unlock();
  Checkpoint();
  queue_mu_.Lock();
  leading_ = false;
  job_done_.SignalAll();
  return job.status;
}

std::vector<Job*> SqliteStoreImpl::TakeGroup() {
  std::vector<Job*> group;
  size_t bytes = 0;
  while (!queue_.empty() && group.size() < kMaxGroupJobs &&
         bytes < kMaxGroupBytes) {
    group.push_back(queue_.front());
    bytes += queue_.front()->bytes;
    queue_.pop_front();
  }
  return group;
}

void SqliteStoreImpl::RunGroup(const std::vector<Job*>& group) {
  bool before_commit = false;
  absl::Status status = RunTransaction(group, &before_commit);
  if (!status.ok() && before_commit && group.size() > 1 && !IsDamage(status)) {
    // One of them may be too much for the disk, and the others not.
    for (Job* job : group) {
      job->status = Noticed(RunTransaction({job}, &before_commit));
      status = job->status;
    }
  } else {
    Noticed(status).IgnoreError();
    for (Job* job : group) job->status = status;
  }
  absl::MutexLock lock(&health_mu_);
  last_write_ = status;
}

absl::Status SqliteStoreImpl::RunTransaction(const std::vector<Job*>& group,
                                             bool* before_commit) {
  *before_commit = true;
  State state = state_;
  absl::Status status = writer_->Exec("BEGIN IMMEDIATE");
  for (Job* job : group) {
    if (status.ok()) status = job->work(*writer_, state);
  }
  if (status.ok() && state.revision > state_.revision) {
    status = CompactIn(*writer_, state,
                       2 * (state.revision.value() - state_.revision.value()) +
                           kCompactedBeside);
    if (status.ok()) {
      Statement update = writer_->Use(
          "UPDATE state SET revision = ?, compacted = ?, records = ?, entries "
          "= ? WHERE one = 1");
      status = update.BindInt(1, state.revision.value())
                   .BindInt(2, state.compacted.value())
                   .BindInt(3, state.records)
                   .BindInt(4, state.entries)
                   .Run();
    }
  }
  if (status.ok()) {
    *before_commit = false;
    status = writer_->Exec("COMMIT");
  }
  if (!status.ok()) {
    // Some errors have rolled back already.
    if (sqlite3_get_autocommit(writer_->handle()) == 0) {
      writer_->Exec("ROLLBACK").IgnoreError();
    }
    return status;
  }
  if (state.revision > state_.revision) {
    dir_->Note(lineage_, state.revision);
    absl::MutexLock lock(&newest_mu_);
    newest_ = state.revision;
    committed_.SignalAll();
  }
  state_ = state;
  return absl::OkStatus();
}

void SqliteStoreImpl::Checkpoint() {
  // The log began anew.
  if (wal_pages_ < checkpointed_pages_) checkpointed_pages_ = 0;
  if (wal_pages_ - checkpointed_pages_ < kCheckpointPages) return;
  const bool restart = wal_pages_ >= kRestartPages;
  if (restart) sqlite3_busy_timeout(writer_->handle(), kRestartWaitMillis);
  int log_pages = 0;
  int copied_pages = 0;
  // What fails here is tried again later; nothing is lost.
  Noticed(writer_->ToStatus(sqlite3_wal_checkpoint_v2(
              writer_->handle(), nullptr,
              restart ? SQLITE_CHECKPOINT_RESTART : SQLITE_CHECKPOINT_PASSIVE,
              &log_pages, &copied_pages)))
      .IgnoreError();
  if (restart) {
    sqlite3_busy_timeout(writer_->handle(), sqlite::kBusyTimeoutMillis);
  }
  checkpointed_pages_ = wal_pages_;
}

absl::StatusOr<Revision> SqliteStoreImpl::Apply(const Commit& commit) {
  SALLYPORT_RETURN_IF_ERROR(CheckCommit(commit));
  absl::StatusOr<Revision> result = Revision();
  Job job;
  for (const Put& put : commit.puts) {
    job.bytes += put.key.size() + put.value.size();
  }
  job.work = [this, &commit, &result](Connection& connection, State& state) {
    return ApplyIn(connection, state, commit, result);
  };
  SALLYPORT_RETURN_IF_ERROR(Run(job));
  return result;
}

absl::Status SqliteStoreImpl::Check(Connection& connection, const State& state,
                                    const Precondition& precondition,
                                    absl::Status& holds) {
  holds = absl::OkStatus();
  switch (precondition.kind) {
    case Precondition::Kind::kModRevision:
    case Precondition::Kind::kExists: {
      Statement newest = connection.Use(
          "SELECT revision, version FROM entries INDEXED BY entries_by_key "
          "WHERE key = ? AND superseded = ?");
      newest.BindBlob(1, precondition.key).BindInt(2, kNewest);
      Revision found;
      if (newest.Step() && newest.Int(1) > 0) found = Revision(newest.Int(0));
      const bool as_asked = precondition.kind == Precondition::Kind::kExists
                                ? found > Revision()
                                : found == precondition.revision;
      if (!as_asked) holds = PreconditionFailed(precondition, found, "");
      return newest.Finish();
    }
    case Precondition::Kind::kPrefixEmpty:
    case Precondition::Kind::kPrefixNotPutAfter: {
      const bool any = precondition.kind == Precondition::Kind::kPrefixEmpty;
      if (!any) {
        holds = CheckRevision(precondition.revision, state.compacted,
                              state.revision);
        if (!holds.ok()) return absl::OkStatus();
      }
      Statement first = connection.Use(
          any ? "SELECT key FROM entries INDEXED BY entries_by_key WHERE key "
                ">= ?1 AND key < ?2 AND superseded = ?3 AND version > 0 LIMIT "
                "1"
              : "SELECT key FROM entries INDEXED BY entries_by_revision WHERE "
                "revision > ?4 AND key >= ?1 AND key < ?2 AND superseded = ?3 "
                "AND version > 0 LIMIT 1");
      const std::string end = UpperBound(precondition.key);
      first.BindBlob(1, precondition.key).BindBlob(2, end).BindInt(3, kNewest);
      if (!any) first.BindInt(4, precondition.revision.value());
      if (first.Step()) {
        holds = PreconditionFailed(precondition, Revision(), first.Blob(0));
      }
      return first.Finish();
    }
  }
  return absl::InternalError("a precondition of no known kind");
}

absl::Status SqliteStoreImpl::ApplyIn(Connection& connection, State& state,
                                      const Commit& commit,
                                      absl::StatusOr<Revision>& result) const {
  for (const Precondition& precondition : commit.preconditions) {
    absl::Status holds;
    SALLYPORT_RETURN_IF_ERROR(Check(connection, state, precondition, holds));
    if (!holds.ok()) {
      result = holds;
      return absl::OkStatus();
    }
  }
  std::vector<std::vector<int64_t>> blobs(commit.puts.size());
  for (size_t i = 0; i < commit.puts.size(); ++i) {
    absl::Status missing;
    SALLYPORT_RETURN_IF_ERROR(
        FindBlobs(connection, commit.puts[i], blobs[i], missing));
    if (!missing.ok()) {
      result = missing;
      return absl::OkStatus();
    }
  }
  // From here on there are writes: any error rolls the transaction back.
  const int64_t entries = state.entries;
  State next = state;
  next.revision = Revision(state.revision.value() + 1);
  for (size_t i = 0; i < commit.puts.size(); ++i) {
    SALLYPORT_RETURN_IF_ERROR(
        PutIn(connection, next, commit.puts[i], blobs[i]));
  }
  for (const std::string& key : commit.deletes) {
    SALLYPORT_RETURN_IF_ERROR(DeleteIn(connection, next, key));
  }
  if (next.entries != entries) state = next;
  result = state.revision;
  return absl::OkStatus();
}

absl::Status SqliteStoreImpl::FindBlobs(Connection& connection, const Put& put,
                                        std::vector<int64_t>& ids,
                                        absl::Status& missing) {
  for (const BlobDigest& digest : put.blobs) {
    Statement find = connection.Use("SELECT id FROM blobs WHERE digest = ?");
    find.BindBlob(1, digest.bytes());
    const bool found = find.Step();
    if (found) ids.push_back(find.Int(0));
    SALLYPORT_RETURN_IF_ERROR(find.Finish());
    if (!found) {
      missing = BlobMissing(put.key, digest);
      return absl::OkStatus();
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<Revision> SqliteStoreImpl::Replace(
    const Replacement& replacement) {
  SALLYPORT_RETURN_IF_ERROR(CheckReplacement(replacement));
  absl::StatusOr<Revision> result = Revision();
  Job job;
  for (const Put& put : replacement.puts) {
    job.bytes += put.key.size() + put.value.size();
  }
  job.work = [this, &replacement, &result](Connection& connection,
                                           State& state) {
    return ReplaceIn(connection, state, replacement, result);
  };
  SALLYPORT_RETURN_IF_ERROR(Run(job));
  return result;
}

absl::Status SqliteStoreImpl::RemoveAllBut(
    Connection& connection, std::vector<std::string> prefixes) const {
  // The grace of their blobs begins now.
  Statement used = connection.Use(
      "UPDATE blobs SET last_used = ? WHERE id IN (SELECT blob FROM "
      "blob_references)");
  SALLYPORT_RETURN_IF_ERROR(used.BindInt(1, NowSeconds()).Run());
  Statement history = connection.Use(
      "DELETE FROM entries WHERE superseded <> ? OR version = 0");
  SALLYPORT_RETURN_IF_ERROR(history.BindInt(1, kNewest).Run());
  // What is between the kept ranges goes.
  std::sort(prefixes.begin(), prefixes.end());
  std::string begin;
  const auto remove = [&](const std::string& end) {
    Statement gap =
        connection.Use("DELETE FROM entries WHERE key >= ? AND key < ?");
    return gap.BindBlob(1, begin).BindBlob(2, end).Run();
  };
  for (const std::string& prefix : prefixes) {
    if (begin < prefix) SALLYPORT_RETURN_IF_ERROR(remove(prefix));
    begin = std::max(begin, UpperBound(prefix));
  }
  SALLYPORT_RETURN_IF_ERROR(remove(UpperBound("")));
  Statement references = connection.Use(
      "DELETE FROM blob_references WHERE entry NOT IN (SELECT id FROM "
      "entries)");
  return references.Run();
}

absl::Status SqliteStoreImpl::ReplaceIn(
    Connection& connection, State& state, const Replacement& replacement,
    absl::StatusOr<Revision>& result) const {
  if (replacement.expected.has_value() &&
      *replacement.expected != state.revision) {
    result = ReplacementOvertaken(*replacement.expected, state.revision);
    return absl::OkStatus();
  }
  std::vector<std::vector<int64_t>> blobs(replacement.puts.size());
  for (size_t i = 0; i < replacement.puts.size(); ++i) {
    absl::Status missing;
    SALLYPORT_RETURN_IF_ERROR(
        FindBlobs(connection, replacement.puts[i], blobs[i], missing));
    if (!missing.ok()) {
      result = missing;
      return absl::OkStatus();
    }
  }
  // From here on there are writes: any error rolls the transaction back.
  SALLYPORT_RETURN_IF_ERROR(
      RemoveAllBut(connection, replacement.kept_prefixes));
  for (const Put& put : replacement.puts) {
    Statement before = connection.Use("DELETE FROM entries WHERE key = ?");
    SALLYPORT_RETURN_IF_ERROR(before.BindBlob(1, put.key).Run());
  }
  State next = state;
  next.revision = Revision(state.revision.value() + 1);
  next.compacted = next.revision;
  {
    Statement count = connection.Use("SELECT COUNT(*) FROM entries");
    if (count.Step()) next.entries = count.Int(0);
    SALLYPORT_RETURN_IF_ERROR(count.Finish());
    next.records = next.entries;
  }
  for (size_t i = 0; i < replacement.puts.size(); ++i) {
    SALLYPORT_RETURN_IF_ERROR(
        PutIn(connection, next, replacement.puts[i], blobs[i]));
  }
  state = next;
  result = state.revision;
  return absl::OkStatus();
}

absl::Status SqliteStoreImpl::PutIn(Connection& connection, State& state,
                                    const Put& put,
                                    const std::vector<int64_t>& blobs) {
  const int64_t revision = state.revision.value();
  int64_t create_revision = revision;
  int64_t version = 1;
  int64_t before = 0;
  {
    Statement newest = connection.Use(
        "SELECT id, create_revision, version FROM entries INDEXED BY "
        "entries_by_key WHERE key = ? AND superseded = ?");
    newest.BindBlob(1, put.key).BindInt(2, kNewest);
    if (newest.Step()) {
      before = newest.Int(0);
      if (newest.Int(2) > 0) {
        create_revision = newest.Int(1);
        version = newest.Int(2) + 1;
      }
    }
    SALLYPORT_RETURN_IF_ERROR(newest.Finish());
  }
  if (before != 0) {
    Statement supersede =
        connection.Use("UPDATE entries SET superseded = ? WHERE id = ?");
    SALLYPORT_RETURN_IF_ERROR(
        supersede.BindInt(1, revision).BindInt(2, before).Run());
  }
  std::string digests;
  for (const BlobDigest& digest : put.blobs) {
    absl::StrAppend(&digests, digest.bytes());
  }
  Statement insert = connection.Use(
      "INSERT INTO entries (key, revision, superseded, create_revision, "
      "version, checksum, blobs, value) VALUES (?, ?, ?, ?, ?, ?, ?, ?)");
  insert.BindBlob(1, put.key)
      .BindInt(2, revision)
      .BindInt(3, kNewest)
      .BindInt(4, create_revision)
      .BindInt(5, version)
      .BindInt(6, EntryChecksum(put.key, revision, create_revision, version,
                                digests, put.value))
      .BindBlob(8, put.value);
  if (digests.empty()) {
    insert.BindNull(7);
  } else {
    insert.BindBlob(7, digests);
  }
  SALLYPORT_RETURN_IF_ERROR(insert.Run());
  const int64_t entry = connection.last_insert_rowid();
  for (int64_t blob : blobs) {
    Statement refer = connection.Use(
        "INSERT OR IGNORE INTO blob_references (blob, entry) VALUES (?, ?)");
    SALLYPORT_RETURN_IF_ERROR(refer.BindInt(1, blob).BindInt(2, entry).Run());
  }
  ++state.entries;
  if (version == 1) ++state.records;
  return absl::OkStatus();
}

absl::Status SqliteStoreImpl::DeleteIn(Connection& connection, State& state,
                                       absl::string_view key) {
  const int64_t revision = state.revision.value();
  int64_t before = 0;
  {
    Statement newest = connection.Use(
        "SELECT id FROM entries INDEXED BY entries_by_key WHERE key = ? AND "
        "superseded = ? AND version > 0");
    newest.BindBlob(1, key).BindInt(2, kNewest);
    if (newest.Step()) before = newest.Int(0);
    SALLYPORT_RETURN_IF_ERROR(newest.Finish());
  }
  if (before == 0) return absl::OkStatus();
  Statement supersede =
      connection.Use("UPDATE entries SET superseded = ? WHERE id = ?");
  SALLYPORT_RETURN_IF_ERROR(
      supersede.BindInt(1, revision).BindInt(2, before).Run());
  Statement insert = connection.Use(
      "INSERT INTO entries (key, revision, superseded, create_revision, "
      "version, checksum, blobs, value) VALUES (?, ?, ?, 0, 0, ?, NULL, x'')");
  SALLYPORT_RETURN_IF_ERROR(
      insert.BindBlob(1, key)
          .BindInt(2, revision)
          .BindInt(3, kNewest)
          .BindInt(4, EntryChecksum(key, revision, 0, 0, "", ""))
          .Run());
  ++state.entries;
  --state.records;
  return absl::OkStatus();
}

absl::Status SqliteStoreImpl::RemoveEntry(Connection& connection, State& state,
                                          int64_t id, int64_t now) {
  // The grace of a blob begins when the last entry that names it goes.
  Statement used = connection.Use(
      "UPDATE blobs SET last_used = ? WHERE id IN (SELECT blob FROM "
      "blob_references WHERE entry = ?)");
  SALLYPORT_RETURN_IF_ERROR(used.BindInt(1, now).BindInt(2, id).Run());
  Statement release =
      connection.Use("DELETE FROM blob_references WHERE entry = ?");
  SALLYPORT_RETURN_IF_ERROR(release.BindInt(1, id).Run());
  Statement remove = connection.Use("DELETE FROM entries WHERE id = ?");
  SALLYPORT_RETURN_IF_ERROR(remove.BindInt(1, id).Run());
  --state.entries;
  return absl::OkStatus();
}

absl::Status SqliteStoreImpl::CompactIn(Connection& connection, State& state,
                                        int64_t revisions) const {
  const Revision target =
      CompactionTarget(state.revision, options_.history.revisions);
  const int64_t now = NowSeconds();
  for (; revisions > 0 && state.compacted < target; --revisions) {
    const int64_t revision = state.compacted.value() + 1;
    // What this revision superseded; and what it deleted, which from here on
    // is as if it had never been.
    std::vector<int64_t> removed;
    {
      Statement before = connection.Use(
          "SELECT old.id FROM entries AS new INDEXED BY entries_by_revision "
          "CROSS JOIN entries AS old INDEXED BY entries_by_key WHERE "
          "new.revision = ?1 AND old.key = new.key AND old.superseded = ?1");
      before.BindInt(1, revision);
      while (before.Step()) removed.push_back(before.Int(0));
      SALLYPORT_RETURN_IF_ERROR(before.Finish());
    }
    {
      Statement deleted = connection.Use(
          "SELECT id FROM entries INDEXED BY entries_by_revision WHERE "
          "revision = ? AND version = 0");
      deleted.BindInt(1, revision);
      while (deleted.Step()) removed.push_back(deleted.Int(0));
      SALLYPORT_RETURN_IF_ERROR(deleted.Finish());
    }
    for (int64_t id : removed) {
      SALLYPORT_RETURN_IF_ERROR(RemoveEntry(connection, state, id, now));
    }
    state.compacted = Revision(revision);
  }
  return absl::OkStatus();
}

// ----------------------------------------------------------------- watching

class SqliteWatcher : public Watcher {
 public:
  SqliteWatcher(SqliteStoreImpl* store, absl::string_view prefix,
                Revision after)
      : store_(store),
        prefix_(prefix),
        end_(UpperBound(prefix)),
        after_(after) {}

  absl::StatusOr<WatchBatch> Next(absl::Duration timeout) override;
  void Cancel() override {
    absl::MutexLock lock(&store_->newest_mu_);
    cancelled_ = true;
    store_->committed_.SignalAll();
  }

 private:
  // The changes after after_ that are there now.
  absl::StatusOr<WatchBatch> Read();

  SqliteStoreImpl* const store_;
  const std::string prefix_;
  const std::string end_;
  Revision after_;          // Of the thread that calls Next().
  bool cancelled_ = false;  // Guarded by store_->newest_mu_.
};

absl::StatusOr<WatchBatch> SqliteWatcher::Next(absl::Duration timeout) {
  const absl::Time deadline = absl::Now() + timeout;
  WatchBatch batch;
  batch.revision = after_;
  while (true) {
    {
      absl::MutexLock lock(&store_->newest_mu_);
      bool in_time = true;
      while (!cancelled_ && store_->newest_ <= after_ && in_time) {
        in_time =
            !store_->committed_.WaitWithDeadline(&store_->newest_mu_, deadline);
      }
      if (cancelled_) return absl::CancelledError("the watch was cancelled");
      if (store_->newest_ <= after_) return batch;
    }
    auto read = Read();
    if (!read.ok()) return store_->Noticed(std::move(read).status());
    batch = *std::move(read);
    after_ = batch.revision;
    if (!batch.changes.empty()) return batch;
  }
}

absl::StatusOr<WatchBatch> SqliteWatcher::Read() {
  SALLYPORT_ASSIGN_OR_RETURN(const auto snapshot,
                             SqliteStoreImpl::Snapshot::Begin(store_));
  const State& state = snapshot->state();
  if (after_ < state.compacted) return WatchCompacted(after_, state.compacted);
  WatchBatch batch;
  batch.revision = state.revision;
  Statement changes = snapshot->connection().Use(
      "SELECT " SALLYPORT_ENTRY_COLUMNS
      " FROM entries INDEXED BY entries_by_revision WHERE revision > ?1 AND "
      "key >= ?2 AND key < ?3 ORDER BY revision, key");
  changes.BindInt(1, after_.value()).BindBlob(2, prefix_).BindBlob(3, end_);
  size_t bytes = 0;
  while (changes.Step()) {
    const Revision revision(changes.Int(1));
    if ((batch.changes.size() >= kMaxBatchChanges || bytes >= kMaxBatchBytes) &&
        revision > batch.changes.back().record.mod_revision) {
      batch.revision = batch.changes.back().record.mod_revision;
      break;
    }
    Change change;
    SALLYPORT_ASSIGN_OR_RETURN(change.record, ReadRecord(changes));
    change.kind =
        change.record.version > 0 ? Change::Kind::kPut : Change::Kind::kDelete;
    bytes += change.record.key.size() + change.record.value.size();
    batch.changes.push_back(std::move(change));
  }
  SALLYPORT_RETURN_IF_ERROR(changes.Finish());
  return batch;
}

absl::StatusOr<std::unique_ptr<Watcher>> SqliteStoreImpl::Watch(
    absl::string_view prefix, Revision after) {
  SALLYPORT_RETURN_IF_ERROR(CheckPrefix(prefix));
  {
    auto snapshot = Snapshot::Begin(this);
    if (!snapshot.ok()) return Noticed(snapshot.status());
    const State& state = (*snapshot)->state();
    SALLYPORT_RETURN_IF_ERROR(
        CheckRevision(after, state.compacted, state.revision));
  }
  return std::make_unique<SqliteWatcher>(this, prefix, after);
}

// -------------------------------------------------------------------- blobs

class SqliteBlobWriter : public BlobWriter {
 public:
  explicit SqliteBlobWriter(SqliteStoreImpl* store) : store_(store) {}
  ~SqliteBlobWriter() override {
    // What cannot be removed now is removed by CollectGarbage().
    if (id_ != 0) store_->RemoveBlob(id_).IgnoreError();
    absl::MutexLock lock(&store_->uploads_mu_);
    --store_->uploads_;
  }

  absl::Status Append(absl::string_view bytes) override {
    if (dead_) return absl::FailedPreconditionError("the upload has ended");
    dead_ = true;  // Unless this succeeds.
    if (bytes.size() > kMaxBlobBytes - size_) {
      return absl::ResourceExhaustedError(
          absl::StrCat("a blob over ", kMaxBlobBytes, " bytes"));
    }
    hasher_.Update(bytes);
    size_ += bytes.size();
    while (!bytes.empty()) {
      if (buffer_.size() == kBlobPieceBytes) {
        SALLYPORT_RETURN_IF_ERROR(Flush());
      }
      const absl::string_view taken =
          bytes.substr(0, kBlobPieceBytes - buffer_.size());
      buffer_.append(taken.data(), taken.size());
      bytes.remove_prefix(taken.size());
    }
    dead_ = false;
    return absl::OkStatus();
  }

  absl::StatusOr<BlobDigest> Finish() override;

 private:
  // Stores what is in the buffer.
  absl::Status Flush();

  SqliteStoreImpl* const store_;
  pki::Sha256Hasher hasher_;
  std::string buffer_;
  uint64_t size_ = 0;
  int64_t pieces_ = 0;
  // The row of the blob, 0: none that has to be removed.
  int64_t id_ = 0;
  bool dead_ = false;
};

absl::Status SqliteBlobWriter::Flush() {
  int64_t id = 0;
  Job job;
  job.bytes = buffer_.size();
  job.work = [this, &id](Connection& connection, State&) {
    id = id_;
    const int64_t now = store_->NowSeconds();
    if (id == 0) {
      Statement make = connection.Use(
          "INSERT INTO blobs (digest, size, last_used) VALUES (NULL, 0, ?)");
      SALLYPORT_RETURN_IF_ERROR(make.BindInt(1, now).Run());
      id = connection.last_insert_rowid();
    } else {
      Statement use =
          connection.Use("UPDATE blobs SET last_used = ? WHERE id = ?");
      SALLYPORT_RETURN_IF_ERROR(use.BindInt(1, now).BindInt(2, id).Run());
    }
    if (buffer_.empty()) return absl::OkStatus();
    Statement insert = connection.Use(
        "INSERT INTO blob_pieces (blob, number, checksum, bytes) VALUES (?, ?, "
        "?, ?)");
    return insert.BindInt(1, id)
        .BindInt(2, pieces_)
        .BindInt(3, PieceChecksum(buffer_))
        .BindBlob(4, buffer_)
        .Run();
  };
  SALLYPORT_RETURN_IF_ERROR(store_->Run(job));
  id_ = id;
  ++pieces_;
  buffer_.clear();
  return absl::OkStatus();
}

absl::StatusOr<BlobDigest> SqliteBlobWriter::Finish() {
  if (dead_) return absl::FailedPreconditionError("the upload has ended");
  dead_ = true;
  if (id_ == 0 || !buffer_.empty()) SALLYPORT_RETURN_IF_ERROR(Flush());
  const BlobDigest digest(hasher_.Finish());
  enum { kStored, kThere, kGivenUp } outcome = kStored;
  Job job;
  job.work = [&](Connection& connection, State&) {
    const int64_t now = store_->NowSeconds();
    Statement use =
        connection.Use("UPDATE blobs SET last_used = ? WHERE digest = ?");
    SALLYPORT_RETURN_IF_ERROR(
        use.BindInt(1, now).BindBlob(2, digest.bytes()).Run());
    outcome = kThere;
    if (connection.changes() > 0) return absl::OkStatus();
    Statement finish = connection.Use(
        "UPDATE blobs SET digest = ?, size = ?, last_used = ? WHERE id = ?");
    SALLYPORT_RETURN_IF_ERROR(finish.BindBlob(1, digest.bytes())
                                  .BindInt(2, static_cast<int64_t>(size_))
                                  .BindInt(3, now)
                                  .BindInt(4, id_)
                                  .Run());
    outcome = connection.changes() > 0 ? kStored : kGivenUp;
    return absl::OkStatus();
  };
  SALLYPORT_RETURN_IF_ERROR(store_->Run(job));
  if (outcome == kGivenUp) {
    return absl::AbortedError(
        "the upload took too long and was given up; start again");
  }
  // The pieces of one that was there already are removed with this object.
  if (outcome == kStored) id_ = 0;
  return digest;
}

absl::StatusOr<std::unique_ptr<BlobWriter>> SqliteStoreImpl::NewBlob() {
  absl::MutexLock lock(&uploads_mu_);
  if (uploads_ >= kMaxOpenUploads) {
    return absl::ResourceExhaustedError(
        absl::StrCat(kMaxOpenUploads, " uploads are open; try again later"));
  }
  ++uploads_;
  return std::make_unique<SqliteBlobWriter>(this);
}

absl::Status SqliteStoreImpl::RemoveBlob(int64_t id) {
  bool removed = false;
  while (!removed) {
    Job job;
    job.work = [id, &removed](Connection& connection, State&) {
      Statement pieces = connection.Use(
          "DELETE FROM blob_pieces WHERE id IN (SELECT id FROM blob_pieces "
          "WHERE blob = ? LIMIT ?)");
      SALLYPORT_RETURN_IF_ERROR(
          pieces.BindInt(1, id).BindInt(2, kRemovedPieces).Run());
      removed = connection.changes() < kRemovedPieces;
      if (!removed) return absl::OkStatus();
      Statement blob =
          connection.Use("DELETE FROM blobs WHERE id = ? AND digest IS NULL");
      return blob.BindInt(1, id).Run();
    };
    SALLYPORT_RETURN_IF_ERROR(Run(job));
  }
  return absl::OkStatus();
}

class SqliteBlobReader : public BlobReader {
 public:
  SqliteBlobReader(SqliteStoreImpl* store, const BlobDigest& digest, int64_t id,
                   uint64_t size)
      : store_(store), digest_(digest), id_(id), size_(size) {}

  uint64_t size() const override { return size_; }
  absl::StatusOr<std::string> Read() override {
    if (!failed_.ok()) return failed_;
    if (at_end_) return std::string();
    auto piece = ReadPiece();
    if (!piece.ok()) return store_->Noticed(std::move(piece).status());
    if (piece->empty()) {
      if (read_ != size_ || BlobDigest(hasher_.Finish()) != digest_) {
        failed_ = Damaged();
        return failed_;
      }
      at_end_ = true;
      return piece;
    }
    hasher_.Update(*piece);
    read_ += piece->size();
    ++number_;
    return piece;
  }

 private:
  absl::Status Damaged() const {
    return absl::DataLossError(absl::StrCat(
        "the blob ", digest_.ToHex(), " is damaged at piece ", number_,
        ". Upload it again under another record, or restore a backup; and "
        "check the disk"));
  }

  // The next piece; empty after the last.
  absl::StatusOr<std::string> ReadPiece();

  SqliteStoreImpl* const store_;
  const BlobDigest digest_;
  const int64_t id_;
  const uint64_t size_;
  pki::Sha256Hasher hasher_;
  uint64_t read_ = 0;
  int64_t number_ = 0;
  bool at_end_ = false;
  absl::Status failed_;
};

absl::StatusOr<std::string> SqliteBlobReader::ReadPiece() {
  SALLYPORT_ASSIGN_OR_RETURN(const auto snapshot,
                             SqliteStoreImpl::Snapshot::Begin(store_));
  {
    Statement blob =
        snapshot->connection().Use("SELECT digest FROM blobs WHERE id = ?");
    blob.BindInt(1, id_);
    const bool there = blob.Step() && blob.Blob(0) == digest_.bytes();
    SALLYPORT_RETURN_IF_ERROR(blob.Finish());
    if (!there) {
      return absl::NotFoundError(
          absl::StrCat("the blob ", digest_.ToHex(), " was removed"));
    }
  }
  Statement get = snapshot->connection().Use(
      "SELECT bytes, checksum FROM blob_pieces WHERE blob = ? AND number = ?");
  get.BindInt(1, id_).BindInt(2, number_);
  std::string piece;
  if (get.Step()) {
    piece = std::string(get.Blob(0));
    if (piece.empty() || PieceChecksum(piece) != get.Int(1)) return Damaged();
  }
  SALLYPORT_RETURN_IF_ERROR(get.Finish());
  return piece;
}

absl::StatusOr<std::unique_ptr<BlobReader>> SqliteStoreImpl::OpenBlob(
    const BlobDigest& digest) {
  auto snapshot = Snapshot::Begin(this);
  if (!snapshot.ok()) return Noticed(snapshot.status());
  Statement find = (*snapshot)->connection().Use(
      "SELECT id, size FROM blobs WHERE digest = ?");
  find.BindBlob(1, digest.bytes());
  const bool found = find.Step();
  const int64_t id = found ? find.Int(0) : 0;
  const auto size = static_cast<uint64_t>(found ? find.Int(1) : 0);
  const absl::Status status = find.Finish();
  if (!status.ok()) return Noticed(status);
  if (!found) {
    return absl::NotFoundError(
        absl::StrCat("there is no blob ", digest.ToHex()));
  }
  return std::make_unique<SqliteBlobReader>(this, digest, id, size);
}

absl::StatusOr<int64_t> SqliteStoreImpl::CollectGarbage() {
  const int64_t before =
      absl::ToUnixSeconds(options_.clock->Now() - options_.blob_grace);
  constexpr int kAtOnce = 100;
  int64_t removed = 0;
  // Those that nothing names lose their digest: nobody finds them any more.
  bool more = true;
  while (more) {
    Job job;
    int64_t in_step = 0;
    job.work = [before, &in_step](Connection& connection, State&) {
      Statement orphan = connection.Use(
          "UPDATE blobs SET digest = NULL WHERE id IN (SELECT id FROM blobs "
          "WHERE digest IS NOT NULL AND last_used <= ? AND NOT EXISTS (SELECT "
          "1 FROM blob_references WHERE blob = blobs.id) LIMIT ?)");
      SALLYPORT_RETURN_IF_ERROR(
          orphan.BindInt(1, before).BindInt(2, kAtOnce).Run());
      in_step = connection.changes();
      return absl::OkStatus();
    };
    SALLYPORT_RETURN_IF_ERROR(Run(job));
    removed += in_step;
    more = in_step == kAtOnce;
  }
  // And everything without a digest goes: these, and uploads that ended, or
  // stand still since the grace.
  std::vector<int64_t> garbage;
  {
    auto snapshot = Snapshot::Begin(this);
    if (!snapshot.ok()) return Noticed(snapshot.status());
    Statement find = (*snapshot)->connection().Use(
        "SELECT id FROM blobs WHERE digest IS NULL AND last_used <= ?");
    find.BindInt(1, before);
    while (find.Step()) garbage.push_back(find.Int(0));
    const absl::Status status = find.Finish();
    if (!status.ok()) return Noticed(status);
  }
  for (int64_t id : garbage) {
    SALLYPORT_RETURN_IF_ERROR(RemoveBlob(id));
  }
  return removed;
}

}  // namespace

absl::StatusOr<std::unique_ptr<SqliteStore>> SqliteStore::Open(
    const std::string& path, const SqliteOptions& options) {
  SALLYPORT_ASSIGN_OR_RETURN(std::unique_ptr<DataDir> dir, DataDir::Open(path));
  auto store = std::make_unique<SqliteStoreImpl>(options, std::move(dir));
  SALLYPORT_RETURN_IF_ERROR(store->OpenDatabase());
  return store;
}

}  // namespace sallyport::store
