#include "base/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "absl/cleanup/cleanup.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/text.h"

namespace sallyport {
namespace {

absl::Status TooLarge(absl::string_view path, size_t max_bytes) {
  return absl::ResourceExhaustedError(absl::StrCat(
      Printable(path), ": larger than the limit of ", max_bytes, " bytes"));
}

enum class Kind { kAny, kRegular };

absl::StatusOr<std::string> Read(absl::string_view path, size_t max_bytes,
                                 Kind kind) {
  std::string name(path);
  if (name.empty() || name.find('\0') != std::string::npos) {
    return absl::InvalidArgumentError("an empty or invalid file name");
  }
  const bool is_stdin = kind == Kind::kAny && name == "-";
  // Opening a pipe would wait for its writer.
  const int flags = O_RDONLY | O_CLOEXEC | O_NOCTTY |
                    (kind == Kind::kRegular ? O_NONBLOCK : 0);
  const int fd = is_stdin ? STDIN_FILENO : open(name.c_str(), flags);
  if (fd < 0) return FileError(path, errno);
  auto closer = absl::MakeCleanup([&] {
    if (!is_stdin) close(fd);
  });
  struct stat st;
  if (fstat(fd, &st) != 0) return FileError(path, errno);
  if (S_ISDIR(st.st_mode)) return FileError(path, EISDIR);
  if (kind == Kind::kRegular && !S_ISREG(st.st_mode)) {
    return absl::InvalidArgumentError(
        absl::StrCat(Printable(path), ": not a regular file"));
  }
  std::string contents;
  if (S_ISREG(st.st_mode) && st.st_size > 0) {
    if (static_cast<uint64_t>(st.st_size) > max_bytes) {
      return TooLarge(path, max_bytes);
    }
    contents.reserve(static_cast<size_t>(st.st_size) + 1);
  }
  char buffer[1 << 16];
  while (true) {
    const ssize_t n = read(fd, buffer, sizeof(buffer));
    if (n < 0) {
      if (errno == EINTR) continue;
      return FileError(path, errno);
    }
    if (n == 0) return contents;
    if (contents.size() + static_cast<size_t>(n) > max_bytes) {
      return TooLarge(path, max_bytes);
    }
    contents.append(buffer, static_cast<size_t>(n));
  }
}

}  // namespace

absl::Status FileError(absl::string_view path, int error) {
  std::string message =
      absl::StrCat(Printable(path), ": ", std::strerror(error));
  switch (error) {
    case ENOENT:
    case ENOTDIR:
      return absl::NotFoundError(message);
    case EACCES:
    case EPERM:
      return absl::PermissionDeniedError(message);
    case EISDIR:
      return absl::InvalidArgumentError(message);
    default:
      return absl::UnavailableError(message);
  }
}

absl::StatusOr<std::string> ReadFile(absl::string_view path, size_t max_bytes) {
  return Read(path, max_bytes, Kind::kAny);
}

absl::StatusOr<std::string> ReadRegularFile(absl::string_view path,
                                            size_t max_bytes) {
  return Read(path, max_bytes, Kind::kRegular);
}

}  // namespace sallyport
