// What the file system says of a file, without reading it.

#ifndef SALLYPORT_FILTERS_CERT_VALIDATOR_FILE_STAMP_H_
#define SALLYPORT_FILTERS_CERT_VALIDATOR_FILE_STAMP_H_

#include <cstdint>
#include <string>

namespace sallyport::cert_validator {

// Which file it is: another one after a move, the same one however often it is
// written to. The inode alone does not tell, since its number is given again as
// soon as the file is gone; the time of birth (statx(2)) does. ext4, XFS,
// Btrfs, tmpfs (since Linux 6.0) and overlayfs above those have it. Where a
// file system has none, a file that took its predecessor's number passes for
// it. On overlayfs the first write to a file of a lower layer makes another
// file.
struct FileIdentity {
  bool exists = false;
  uint64_t device = 0;
  uint64_t inode = 0;
  int64_t born_nanos = 0;  // since 1970; 0: not known
  bool operator==(const FileIdentity& other) const;
  bool operator!=(const FileIdentity& other) const { return !(*this == other); }
};

struct FileStamp {
  FileIdentity identity;
  bool is_directory = false;
  uint64_t size = 0;
  int64_t modified_nanos = 0;  // since 1970
  // Also whether it was written to in between, but for a write that left the
  // size and took no time.
  bool operator==(const FileStamp& other) const;
};

// Of what `path` leads to, through symbolic links. Nothing exists where it
// cannot be had. Thread-safe.
FileStamp StampOf(const std::string& path);

}  // namespace sallyport::cert_validator

#endif  // SALLYPORT_FILTERS_CERT_VALIDATOR_FILE_STAMP_H_
