// The engine for one process and one disk: SQLite, in a folder of its own.
//
// Durability: a commit is acknowledged after its pages in the write-ahead log
// were synced to the disk (journal_mode WAL, synchronous FULL). Commits that
// arrive while another is being synced share the next sync. Readers work on
// connections of their own and neither wait for writers nor keep them waiting.
//
// Integrity: the structure is checked when the store is opened (PRAGMA
// quick_check, for as long as SqliteOptions::check_time allows), and every
// value has a checksum that is compared when it is read. Damage of one value is
// DataLoss for reads of that record; damage of the structure is DataLoss for
// what lies there, and the store takes no more writes.
//
// Files in the folder: sallyport.db, sallyport.db-wal, sallyport.db-shm,
// sallyport.lock. For a copy, take all of them while no process has the folder
// open, or use `sqlite3 sallyport.db ".backup copy.db"` at any time. A copy
// that is put in place of the database is a new lineage; the engine notices
// that by the file's identity (inode and birth time) and by a note of the last
// acknowledged revision in the lock file.

#ifndef SALLYPORT_CONFIG_SERVICE_STORE_SQLITE_SQLITE_STORE_H_
#define SALLYPORT_CONFIG_SERVICE_STORE_SQLITE_SQLITE_STORE_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "config_service/store/store.h"

namespace sallyport::store {

// How long the check of the structure may take when a store is opened.
constexpr absl::Duration kDefaultCheckTime = absl::Milliseconds(1000);

struct SqliteOptions {
  HistoryOptions history;
  // How long a blob that nothing names is kept, by `clock`, which must outlive
  // the store.
  absl::Duration blob_grace = kDefaultBlobGrace;
  const Clock* clock = &Clock::System();

  // A check that takes longer ends unfinished; OpenReport says so. Zero: no
  // check; InfiniteDuration: always the whole.
  absl::Duration check_time = kDefaultCheckTime;
  enum class IfDamaged { kFail, kReadOnly };
  // kReadOnly: a store whose structure is damaged is opened nevertheless, for
  // reading what can be read; writes are DataLoss.
  IfDamaged if_damaged = IfDamaged::kFail;
  enum class LineageChoice { kKeep, kNew };
  // kNew: what is there was restored from a backup.
  LineageChoice lineage = LineageChoice::kKeep;

  // The size that the database may grow to, in bytes; more is
  // ResourceExhausted. Zero: as far as the disk goes.
  int64_t max_database_bytes = 0;

  // For tests: the SQLite VFS to use; null: the system's.
  const char* vfs = nullptr;
};

// OpenReport: what opening found; for the log.
struct OpenReport {
  // The store was made just now.
  bool created = false;
  // Migrations that were applied.
  int migrations = 0;
  // Whether the check of the structure came to its end.
  bool check_finished = false;
  // Why the lineage is a new one, as a sentence; empty when it is not (or the
  // store is new).
  std::string new_lineage_because;
  // The damage that was found (with IfDamaged::kReadOnly only).
  absl::Status damage;
  absl::Duration took;
};

class SqliteStore : public Store {
 public:
  // Opens the store in the folder `path`, and makes folder and store when they
  // are not there.
  //
  // FailedPrecondition: another process has the folder; it holds another
  // program's database; or a newer version's. DataLoss: it is damaged.
  // Unavailable, ResourceExhausted: the disk refuses.
  static absl::StatusOr<std::unique_ptr<SqliteStore>> Open(
      const std::string& path, const SqliteOptions& options = {});

  virtual const OpenReport& open_report() const = 0;
};

}  // namespace sallyport::store

#endif  // SALLYPORT_CONFIG_SERVICE_STORE_SQLITE_SQLITE_STORE_H_
