#include "config_service/store/testing/faulty_vfs.h"

#include <sqlite3.h>

#include <atomic>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <random>
#include <sstream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

namespace sallyport::store {
namespace {

std::string ReadWhole(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

void WriteWhole(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}

}  // namespace

// What SQLite gets as a file: this, and behind it the file of the system's VFS.
struct FaultyFile {
  sqlite3_file base;
  FaultyVfs* owner;
  // Null for files that are not tracked.
  const char* path;

  static FaultyFile* Of(sqlite3_file* file) {
    return reinterpret_cast<FaultyFile*>(file);
  }
  static sqlite3_file* Real(sqlite3_file* file) {
    return reinterpret_cast<sqlite3_file*>(Of(file) + 1);
  }

  static int Close(sqlite3_file* file) {
    return Real(file)->pMethods->xClose(Real(file));
  }
  static int Read(sqlite3_file* file, void* to, int len, sqlite3_int64 offset) {
    return Real(file)->pMethods->xRead(Real(file), to, len, offset);
  }

  static int Change(sqlite3_file* file, FaultyVfs::Unsynced change) {
    FaultyVfs& vfs = *Of(file)->owner;
    absl::MutexLock lock(&vfs.mu_);
    if (vfs.stopped_) return SQLITE_IOERR;
    if (vfs.write_code_ != SQLITE_OK && vfs.writes_left_-- <= 0) {
      vfs.last_error_ = vfs.write_error_;
      return vfs.write_code_;
    }
    const int code =
        change.new_size >= 0
            ? Real(file)->pMethods->xTruncate(Real(file), change.new_size)
            : Real(file)->pMethods->xWrite(
                  Real(file), change.bytes.data(),
                  static_cast<int>(change.bytes.size()), change.offset);
    if (code == SQLITE_OK && Of(file)->path != nullptr) {
      vfs.files_[Of(file)->path].unsynced.push_back(std::move(change));
    }
    return code;
  }
  static int Write(sqlite3_file* file, const void* from, int len,
                   sqlite3_int64 offset) {
    FaultyVfs::Unsynced change;
    change.offset = offset;
    change.bytes.assign(static_cast<const char*>(from),
                        static_cast<size_t>(len));
    return Change(file, std::move(change));
  }
  static int Truncate(sqlite3_file* file, sqlite3_int64 size) {
    FaultyVfs::Unsynced change;
    change.new_size = size;
    return Change(file, std::move(change));
  }
  static int Sync(sqlite3_file* file, int flags) {
    FaultyVfs& vfs = *Of(file)->owner;
    absl::Duration delay;
    {
      absl::MutexLock lock(&vfs.mu_);
      ++vfs.syncs_;
      delay = vfs.sync_delay_;
    }
    absl::SleepFor(delay);
    absl::MutexLock lock(&vfs.mu_);
    if (vfs.stopped_) return SQLITE_IOERR_FSYNC;
    if (vfs.sync_code_ != SQLITE_OK) {
      vfs.last_error_ = vfs.sync_error_;
      return vfs.sync_code_;
    }
    (void)flags;
    if (Of(file)->path != nullptr) {
      FaultyVfs::File& state = vfs.files_[Of(file)->path];
      Settle(state.synced, state.unsynced);
      state.unsynced.clear();
    }
    return SQLITE_OK;
  }
  static void Settle(std::string& contents,
                     const std::vector<FaultyVfs::Unsynced>& changes) {
    for (const FaultyVfs::Unsynced& change : changes) {
      if (change.new_size >= 0) {
        contents.resize(static_cast<size_t>(change.new_size));
        continue;
      }
      const auto end = static_cast<size_t>(change.offset) + change.bytes.size();
      if (contents.size() < end) contents.resize(end);
      contents.replace(static_cast<size_t>(change.offset), change.bytes.size(),
                       change.bytes);
    }
  }
  static int FileSize(sqlite3_file* file, sqlite3_int64* size) {
    return Real(file)->pMethods->xFileSize(Real(file), size);
  }
  static int Lock(sqlite3_file* file, int level) {
    return Real(file)->pMethods->xLock(Real(file), level);
  }
  static int Unlock(sqlite3_file* file, int level) {
    return Real(file)->pMethods->xUnlock(Real(file), level);
  }
  static int CheckReservedLock(sqlite3_file* file, int* result) {
    return Real(file)->pMethods->xCheckReservedLock(Real(file), result);
  }
  static int FileControl(sqlite3_file* file, int operation, void* argument) {
    if (operation == SQLITE_FCNTL_LAST_ERRNO) {
      absl::MutexLock lock(&Of(file)->owner->mu_);
      if (Of(file)->owner->last_error_ != 0) {
        *static_cast<int*>(argument) = Of(file)->owner->last_error_;
        return SQLITE_OK;
      }
    }
    return Real(file)->pMethods->xFileControl(Real(file), operation, argument);
  }
  static int SectorSize(sqlite3_file* file) {
    return Real(file)->pMethods->xSectorSize(Real(file));
  }
  static int Characteristics(sqlite3_file* file) {
    return Real(file)->pMethods->xDeviceCharacteristics(Real(file));
  }
  static int ShmMap(sqlite3_file* file, int page, int size, int extend,
                    void volatile** to) {
    return Real(file)->pMethods->xShmMap(Real(file), page, size, extend, to);
  }
  static int ShmLock(sqlite3_file* file, int offset, int n, int flags) {
    return Real(file)->pMethods->xShmLock(Real(file), offset, n, flags);
  }
  static void ShmBarrier(sqlite3_file* file) {
    Real(file)->pMethods->xShmBarrier(Real(file));
  }
  static int ShmUnmap(sqlite3_file* file, int remove) {
    return Real(file)->pMethods->xShmUnmap(Real(file), remove);
  }

  static FaultyVfs* Owner(sqlite3_vfs* vfs) {
    return static_cast<FaultyVfs*>(vfs->pAppData);
  }

  static int Open(sqlite3_vfs* vfs, const char* path, sqlite3_file* file,
                  int flags, int* flags_out) {
    static const sqlite3_io_methods kMethods = {2,
                                                Close,
                                                Read,
                                                Write,
                                                Truncate,
                                                Sync,
                                                FileSize,
                                                Lock,
                                                Unlock,
                                                CheckReservedLock,
                                                FileControl,
                                                SectorSize,
                                                Characteristics,
                                                ShmMap,
                                                ShmLock,
                                                ShmBarrier,
                                                ShmUnmap,
                                                nullptr,
                                                nullptr};
    FaultyFile* self = Of(file);
    self->owner = Owner(vfs);
    self->path = self->owner->writes_ == FaultyVfs::Writes::kTrack &&
                         (flags & (SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_WAL)) != 0
                     ? path
                     : nullptr;
    self->base.pMethods = nullptr;
    sqlite3_vfs* const system = sqlite3_vfs_find(nullptr);
    const int code = system->xOpen(system, path, Real(file), flags, flags_out);
    if (Real(file)->pMethods != nullptr) self->base.pMethods = &kMethods;
    if (code == SQLITE_OK && self->path != nullptr) {
      absl::MutexLock lock(&self->owner->mu_);
      FaultyVfs::File& state = self->owner->files_[path];
      if (!state.known) {
        state.known = true;
        state.synced = ReadWhole(path);
      }
    }
    return code;
  }
  static int Delete(sqlite3_vfs* vfs, const char* path, int sync_folder) {
    absl::MutexLock lock(&Owner(vfs)->mu_);
    if (Owner(vfs)->stopped_) return SQLITE_IOERR_DELETE;
    Owner(vfs)->files_.erase(path);
    sqlite3_vfs* const system = sqlite3_vfs_find(nullptr);
    return system->xDelete(system, path, sync_folder);
  }
  static int LastError(sqlite3_vfs* vfs, int len, char* text) {
    {
      absl::MutexLock lock(&Owner(vfs)->mu_);
      if (Owner(vfs)->last_error_ != 0) return Owner(vfs)->last_error_;
    }
    sqlite3_vfs* const system = sqlite3_vfs_find(nullptr);
    return system->xGetLastError(system, len, text);
  }
};

FaultyVfs::FaultyVfs(Writes writes) : writes_(writes) {
  static std::atomic<int> number{0};
  name_ = absl::StrCat("faulty", ++number);
  // The rest is the system's.
  vfs_ = std::make_unique<sqlite3_vfs>(*sqlite3_vfs_find(nullptr));
  vfs_->pNext = nullptr;
  vfs_->zName = name_.c_str();
  vfs_->pAppData = this;
  vfs_->szOsFile += static_cast<int>(sizeof(FaultyFile));
  vfs_->xOpen = FaultyFile::Open;
  vfs_->xDelete = FaultyFile::Delete;
  vfs_->xGetLastError = FaultyFile::LastError;
  sqlite3_vfs_register(vfs_.get(), 0);
}

FaultyVfs::~FaultyVfs() { sqlite3_vfs_unregister(vfs_.get()); }

void FaultyVfs::FailWrites(int code, int system_error, int writes) {
  absl::MutexLock lock(&mu_);
  write_code_ = code;
  write_error_ = system_error;
  writes_left_ = writes;
}

void FaultyVfs::FailSyncs(int code, int system_error) {
  absl::MutexLock lock(&mu_);
  sync_code_ = code;
  sync_error_ = system_error;
}

void FaultyVfs::Heal() {
  absl::MutexLock lock(&mu_);
  write_code_ = sync_code_ = SQLITE_OK;
  last_error_ = 0;
}

void FaultyVfs::SlowSyncs(absl::Duration by) {
  absl::MutexLock lock(&mu_);
  sync_delay_ = by;
}

int64_t FaultyVfs::syncs() const {
  absl::MutexLock lock(&mu_);
  return syncs_;
}

void FaultyVfs::StopAll() {
  absl::MutexLock lock(&mu_);
  stopped_ = true;
}

void FaultyVfs::LoseUnsynced(uint32_t seed) {
  absl::MutexLock lock(&mu_);
  std::mt19937 random(seed);
  for (auto& entry : files_) {
    File& file = entry.second;
    std::vector<Unsynced> kept;
    // Nothing, everything, or some of it reached the disk.
    const uint32_t share = random() % 3;
    for (Unsynced& change : file.unsynced) {
      if (share == 0 || (share == 2 && random() % 2 == 0)) continue;
      if (share == 2 && random() % 8 == 0) {
        // Torn in the middle.
        change.bytes.resize(change.bytes.size() / 2);
      }
      kept.push_back(std::move(change));
    }
    FaultyFile::Settle(file.synced, kept);
    WriteWhole(entry.first, file.synced);
    std::remove(absl::StrCat(entry.first, "-shm").c_str());
  }
}

}  // namespace sallyport::store
