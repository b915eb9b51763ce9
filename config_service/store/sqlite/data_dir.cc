#include "config_service/store/sqlite/data_dir.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "base/status_macros.h"
#include "base/text.h"

namespace sallyport::store::sqlite {
namespace {

constexpr size_t kNoteBytes = 4 + 10 + 1 + 8 + 32 + 1 + 9 + 20 + 1;

std::string NoteText(const Lineage& lineage, Revision revision) {
  return absl::StrFormat(
      "pid %010d\nlineage %32s\nrevision %020d\n", getpid(),
      lineage.id().empty() ? std::string(32, '0') : lineage.id(),
      revision.value());
}

absl::Status SystemError(absl::string_view what, absl::string_view path) {
  const int error = errno;
  const std::string message =
      absl::StrCat(what, " ", Printable(path), ": ", std::strerror(error));
  switch (error) {
    case ENOSPC:
    case EDQUOT:
      return absl::ResourceExhaustedError(message);
    case EACCES:
    case EPERM:
    case EROFS:
      return absl::UnavailableError(
          absl::StrCat(message, "; sallyportd must be able to write there"));
    default:
      return absl::UnavailableError(message);
  }
}

// Makes a file of ours if it is not there. Others get no access to it.
absl::StatusOr<int> OpenFile(const std::string& path) {
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return SystemError("cannot open", path);
  return fd;
}

// Whoever can write there can put another database, or other keys, in the place
// of ours.
absl::Status CheckFolder(const std::string& path) {
  struct stat info = {};
  if (stat(path.c_str(), &info) != 0) {
    return SystemError("cannot read the data folder", path);
  }
  if (!S_ISDIR(info.st_mode)) {
    return absl::UnavailableError(
        absl::StrCat("the data folder ", Printable(path), " is no folder"));
  }
  if ((info.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    return absl::FailedPreconditionError(absl::StrFormat(
        "others than its owner can write to the data folder %s (mode %04o); "
        "look what they wrote, then: chmod 700 %s",
        Printable(path), info.st_mode & 07777, Printable(path)));
  }
  return absl::OkStatus();
}

absl::Status SyncFolder(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return SystemError("cannot open the folder", path);
  const auto close_it = absl::MakeCleanup([fd] { close(fd); });
  if (fsync(fd) != 0) return SystemError("cannot sync the folder", path);
  return absl::OkStatus();
}

}  // namespace

DataDir::DataDir(std::string path, int lock)
    : path_(std::move(path)),
      database_(absl::StrCat(path_, "/sallyport.db")),
      lock_(lock) {}

DataDir::~DataDir() { close(lock_); }

absl::StatusOr<std::unique_ptr<DataDir>> DataDir::Open(
    const std::string& path) {
  if (mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) {
    return SystemError("cannot make the data folder", path);
  }
  SALLYPORT_RETURN_IF_ERROR(CheckFolder(path));
  const std::string lock_path = absl::StrCat(path, "/sallyport.lock");
  SALLYPORT_ASSIGN_OR_RETURN(const int lock, OpenFile(lock_path));
  // Closes the file if this function fails.
  std::unique_ptr<DataDir> dir(new DataDir(path, lock));
  const bool locked = flock(lock, LOCK_EX | LOCK_NB) == 0;
  const int lock_error = errno;

  std::string note(kNoteBytes, '\0');
  const ssize_t got = pread(lock, &note[0], note.size(), 0);
  note.resize(got > 0 ? static_cast<size_t>(got) : 0);
  int64_t pid = 0;
  int64_t revision = 0;
  if (note.size() == kNoteBytes) {
    absl::string_view text = note;
    const absl::string_view pid_text = text.substr(4, 10);
    const absl::string_view lineage_text = text.substr(23, 32);
    const absl::string_view revision_text = text.substr(65, 20);
    if (!absl::SimpleAtoi(pid_text, &pid) ||
        !absl::SimpleAtoi(revision_text, &revision) || revision < 0) {
      pid = revision = 0;
    } else {
      dir->noted_revision_ = Revision(revision);
      dir->noted_lineage_ = Lineage(std::string(lineage_text));
    }
  }
  if (!locked) {
    if (lock_error != EWOULDBLOCK) {
      errno = lock_error;
      return SystemError("cannot lock", lock_path);
    }
    return absl::FailedPreconditionError(absl::StrCat(
        "the data folder ", Printable(path), " is in use by process ", pid,
        "; only one process at a time can have it. Stop that one, or use "
        "another --data-dir"));
  }

  SALLYPORT_ASSIGN_OR_RETURN(const int database, OpenFile(dir->database_));
  const auto close_it = absl::MakeCleanup([database] { close(database); });
  struct statx info;
  if (statx(database, "", AT_EMPTY_PATH, STATX_INO | STATX_SIZE | STATX_BTIME,
            &info) != 0) {
    return SystemError("cannot read", dir->database_);
  }
  dir->database_is_empty_ = info.stx_size == 0;
  dir->database_file_id_ = absl::StrCat(info.stx_ino);
  if ((info.stx_mask & STATX_BTIME) != 0) {
    absl::StrAppend(&dir->database_file_id_, ":", info.stx_btime.tv_sec, ".",
                    info.stx_btime.tv_nsec);
  }
  SALLYPORT_RETURN_IF_ERROR(SyncFolder(path));
  return dir;
}

void DataDir::Note(const Lineage& lineage, Revision revision) {
  const std::string text = NoteText(lineage, revision);
  // If this fails, the note is behind, which it may be.
  const ssize_t written = pwrite(lock_, text.data(), text.size(), 0);
  (void)written;
}

}  // namespace sallyport::store::sqlite
