#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstdlib>
#include <memory>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/status_macros.h"
#include "base/text.h"
#include "config_service/objects/readers.h"

namespace sallyport::objects {
namespace {

bool IsBelow(absl::string_view path, absl::string_view folder) {
  return absl::StartsWith(path, folder) && path.size() > folder.size() &&
         (absl::EndsWith(folder, "/") || path[folder.size()] == '/');
}

bool IsBelowAny(absl::string_view path,
                const std::vector<std::string>& folders) {
  for (const std::string& folder : folders) {
    if (IsBelow(path, folder)) return true;
  }
  return false;
}

// Without symbolic links; "" when there is no such path.
std::string RealPath(const std::string& path) {
  std::unique_ptr<char, decltype(&std::free)> real(
      realpath(path.c_str(), nullptr), std::free);
  return real == nullptr ? "" : std::string(real.get());
}

absl::Status NotAllowed() {
  return absl::PermissionDeniedError(
      "the file is in no folder that the service may read truststores from; an "
      "operator of the service can name one in its configuration");
}

}  // namespace

absl::Status CheckFileOptions(const FileOptions& options) {
  for (const std::string& folder : options.folders) {
    if (!absl::StartsWith(folder, "/")) {
      return absl::InvalidArgumentError(
          absl::StrCat("the folder \"", Printable(folder),
                       "\" is not absolute; begin it with '/'"));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<Object> ReadFileObject(const FileOptions& options,
                                      const domain::SourceUri& uri,
                                      const ReadRequest& request) {
  if (!request.version.empty()) {
    return absl::InvalidArgumentError(
        "a file has no versions; leave the version out");
  }
  // First by the text, so that nothing is said about files elsewhere.
  if (!IsBelowAny(uri.path, options.folders)) return NotAllowed();
  // Opening a pipe must not wait for its writer.
  const int fd = open(uri.path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return FileError(uri.path, errno);
  const absl::Cleanup closer = [fd] { close(fd); };
  // What was opened, whatever the path leads to meanwhile.
  const std::string opened = absl::StrCat("/proc/self/fd/", fd);
  char real[PATH_MAX];
  const ssize_t length = readlink(opened.c_str(), real, sizeof(real));
  if (length <= 0) return FileError(uri.path, errno);
  std::vector<std::string> folders;
  for (const std::string& folder : options.folders) {
    const std::string resolved = RealPath(folder);
    if (!resolved.empty()) folders.push_back(resolved);
  }
  if (!IsBelowAny(absl::string_view(real, static_cast<size_t>(length)),
                  folders)) {
    return NotAllowed();
  }
  struct stat stat;
  if (fstat(fd, &stat) != 0) return FileError(uri.path, errno);
  if (!S_ISREG(stat.st_mode)) {
    return absl::InvalidArgumentError(
        absl::StrCat(Printable(uri.path), " is no regular file"));
  }
  Object object;
  object.etag =
      absl::StrCat(stat.st_dev, "-", stat.st_ino, "-", stat.st_size, "-",
                   stat.st_mtim.tv_sec, ".", stat.st_mtim.tv_nsec);
  if (object.etag == request.known_etag) {
    object.unchanged = true;
    return object;
  }
  absl::StatusOr<std::string> content =
      ReadRegularFile(opened, request.max_bytes);
  if (absl::IsResourceExhausted(content.status())) {
    return absl::ResourceExhaustedError(
        absl::StrCat(Printable(uri.path), ": larger than the limit of ",
                     request.max_bytes, " bytes"));
  }
  if (!content.ok()) {
    return absl::UnavailableError(
        absl::StrCat(Printable(uri.path), " cannot be read"));
  }
  object.content = *std::move(content);
  return object;
}

}  // namespace sallyport::objects
