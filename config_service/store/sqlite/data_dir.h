// DataDir: the folder that holds the database: one process at a time, and a
// note beside the database of how far it was acknowledged.

#ifndef SALLYPORT_CONFIG_SERVICE_STORE_SQLITE_DATA_DIR_H_
#define SALLYPORT_CONFIG_SERVICE_STORE_SQLITE_DATA_DIR_H_

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "config_service/store/store.h"

namespace sallyport::store::sqlite {

// DataDir: holds the lock of a folder for as long as it lives.
// Thread-compatible.
//
// The lock is flock(2) on the file "sallyport.lock", so it ends with the
// process, however that ends; the folder must be on a file system where flock
// works between all who might open it (a local disk).
//
// The lock file's contents (text, fixed width, "do not change"):
//   pid 0000012345\nlineage <32 hex digits, or zeros>\nrevision <20 digits>\n
// The note is written after a commit is durable, and not synced: it survives
// the end of the process, and after the end of the machine it may be behind,
// but never ahead of what was acknowledged.
class DataDir {
 public:
  // Makes the folder (mode 0700) and the database file (mode 0600, empty) if
  // they are not there, and locks the folder. FailedPrecondition: another
  // process has it; the message names its id.
  static absl::StatusOr<std::unique_ptr<DataDir>> Open(const std::string& path);
  ~DataDir();
  DataDir(const DataDir&) = delete;
  DataDir& operator=(const DataDir&) = delete;

  // The path of the database.
  const std::string& database() const { return database_; }
  // Whether the database's file was made just now, or has no contents.
  bool database_is_empty() const { return database_is_empty_; }
  // What identifies the file as such: "inode:birth time". A copy has another.
  const std::string& database_file_id() const { return database_file_id_; }

  // What the last process noted; zero and empty when there is no note.
  Revision noted_revision() const { return noted_revision_; }
  const Lineage& noted_lineage() const { return noted_lineage_; }

  // Notes that everything up to `revision` was acknowledged. Best effort.
  void Note(const Lineage& lineage, Revision revision);

 private:
  DataDir(std::string path, int lock);

  const std::string path_;
  const std::string database_;
  const int lock_;
  bool database_is_empty_ = false;
  std::string database_file_id_;
  Revision noted_revision_;
  Lineage noted_lineage_;
};

}  // namespace sallyport::store::sqlite

#endif  // SALLYPORT_CONFIG_SERVICE_STORE_SQLITE_DATA_DIR_H_
