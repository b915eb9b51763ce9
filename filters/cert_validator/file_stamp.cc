#include "filters/cert_validator/file_stamp.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <tuple>

namespace sallyport::cert_validator {
namespace {

template <typename Time>
int64_t Nanos(const Time& time) {
  return int64_t{time.tv_sec} * 1000000000 + int64_t{time.tv_nsec};
}

}  // namespace

bool FileIdentity::operator==(const FileIdentity& other) const {
  const auto all = [](const FileIdentity& i) {
    return std::tie(i.exists, i.device, i.inode, i.born_nanos);
  };
  return all(*this) == all(other);
}

bool FileStamp::operator==(const FileStamp& other) const {
  const auto all = [](const FileStamp& s) {
    return std::tie(s.identity, s.is_directory, s.size, s.modified_nanos);
  };
  return all(*this) == all(other);
}

FileStamp StampOf(const std::string& path) {
  FileStamp out;
  struct statx found {};
  if (statx(AT_FDCWD, path.c_str(), 0, STATX_BASIC_STATS | STATX_BTIME,
            &found) == 0) {
    out.identity = {
        true, makedev(found.stx_dev_major, found.stx_dev_minor), found.stx_ino,
        (found.stx_mask & STATX_BTIME) != 0 ? Nanos(found.stx_btime) : 0};
    out.is_directory = S_ISDIR(found.stx_mode);
    out.size = found.stx_size;
    out.modified_nanos = Nanos(found.stx_mtime);
    return out;
  }
  // Old sandboxes forbid statx(2).
  struct stat plain {};
  if (stat(path.c_str(), &plain) != 0) return out;
  out.identity = {true, plain.st_dev, plain.st_ino, 0};
  out.is_directory = S_ISDIR(plain.st_mode);
  out.size = static_cast<uint64_t>(plain.st_size);
  out.modified_nanos = Nanos(plain.st_mtim);
  return out;
}

}  // namespace sallyport::cert_validator
