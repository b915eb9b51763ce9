// FaultyVfs: a layer between SQLite and the operating system that fails on
// demand, counts, and can lose what was not synced, as a power cut does.

#ifndef SALLYPORT_CONFIG_SERVICE_STORE_TESTING_FAULTY_VFS_H_
#define SALLYPORT_CONFIG_SERVICE_STORE_TESTING_FAULTY_VFS_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

struct sqlite3_vfs;

namespace sallyport::store {

// FaultyVfs: registered with SQLite while it lives; must outlive the stores
// that use it. Thread-safe. Its syncs do nothing but count and be remembered:
// the tests end processes, not machines.
class FaultyVfs {
 public:
  // kTrack remembers what is not synced, for LoseUnsynced().
  enum class Writes { kTrack, kForget };
  explicit FaultyVfs(Writes writes = Writes::kTrack);
  ~FaultyVfs();
  FaultyVfs(const FaultyVfs&) = delete;
  FaultyVfs& operator=(const FaultyVfs&) = delete;

  // For SqliteOptions::vfs.
  const char* name() const { return name_.c_str(); }

  // From now on, after `writes` more that succeed, each write (and change of
  // size) of a file fails with SQLite's result `code` and the system's error
  // `system_error`.
  void FailWrites(int code, int system_error, int writes = 0);
  // From now on each sync fails.
  void FailSyncs(int code, int system_error);
  void Heal();

  // Syncs take this much longer.
  void SlowSyncs(absl::Duration by);
  int64_t syncs() const;

  // From now on nothing reaches the files any more.
  void StopAll();
  // After StopAll(), when the store is closed: brings the files to a state
  // that a power cut at StopAll() could have left. What was synced is there; of
  // the rest, a random part.
  void LoseUnsynced(uint32_t seed);

 private:
  friend struct FaultyFile;
  // One write, or change of size (new_size >= 0), since the last sync.
  struct Unsynced {
    int64_t offset = 0;
    std::string bytes;
    int64_t new_size = -1;
  };
  struct File {
    // The contents at the last sync.
    std::string synced;
    bool known = false;
    std::vector<Unsynced> unsynced;
  };

  const Writes writes_;
  std::string name_;
  std::unique_ptr<sqlite3_vfs> vfs_;

  mutable absl::Mutex mu_;
  int write_code_ ABSL_GUARDED_BY(mu_) = 0;
  int write_error_ ABSL_GUARDED_BY(mu_) = 0;
  int writes_left_ ABSL_GUARDED_BY(mu_) = 0;
  int sync_code_ ABSL_GUARDED_BY(mu_) = 0;
  int sync_error_ ABSL_GUARDED_BY(mu_) = 0;
  int last_error_ ABSL_GUARDED_BY(mu_) = 0;
  bool stopped_ ABSL_GUARDED_BY(mu_) = false;
  absl::Duration sync_delay_ ABSL_GUARDED_BY(mu_);
  int64_t syncs_ ABSL_GUARDED_BY(mu_) = 0;
  std::map<std::string, File> files_ ABSL_GUARDED_BY(mu_);
};

}  // namespace sallyport::store

#endif  // SALLYPORT_CONFIG_SERVICE_STORE_TESTING_FAULTY_VFS_H_
