#include "cli/input.h"

#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/text.h"

namespace sallyport::cli {
namespace {

constexpr size_t kChunkBytes = size_t{64} << 10;
// Past this, the memory of a line is given back rather than kept for the next.
constexpr size_t kKeptLineBytes = size_t{8} << 20;

absl::StatusOr<std::string> ReadStream(std::istream& in, size_t max_bytes) {
  std::string contents;
  std::array<char, kChunkBytes> chunk;
  while (true) {
    in.read(chunk.data(), chunk.size());
    const size_t n = static_cast<size_t>(in.gcount());
    if (n > max_bytes - contents.size()) {
      return absl::ResourceExhaustedError(absl::StrCat(
          "standard input: larger than the limit of ", max_bytes, " bytes"));
    }
    contents.append(chunk.data(), n);
    if (in.bad()) {
      return absl::UnavailableError("standard input: cannot be read");
    }
    if (!in) return contents;
  }
}

}  // namespace

absl::StatusOr<std::string> ReadInput(absl::string_view path, size_t max_bytes,
                                      std::istream& standard_input) {
  if (path == "-") return ReadStream(standard_input, max_bytes);
  return ReadFile(path, max_bytes);
}

absl::Status OpenInput(absl::string_view path, std::ifstream& file) {
  const std::string name(path);
  struct stat st;
  if (stat(name.c_str(), &st) == 0 && S_ISDIR(st.st_mode)) {
    return absl::InvalidArgumentError(
        absl::StrCat(Printable(path), ": ", std::strerror(EISDIR)));
  }
  errno = 0;
  file.open(name, std::ios::in | std::ios::binary);
  if (file) return absl::OkStatus();
  const int error = errno;
  const std::string message =
      absl::StrCat(Printable(path), ": ", std::strerror(error));
  if (error == ENOENT || error == ENOTDIR) return absl::NotFoundError(message);
  if (error == EACCES) return absl::PermissionDeniedError(message);
  return absl::UnavailableError(message);
}

absl::string_view Remedy(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kNotFound:
      return "check the path";
    case absl::StatusCode::kPermissionDenied:
      return "check who may read the file";
    case absl::StatusCode::kInvalidArgument:
      return "name a file, or - for standard input";
    case absl::StatusCode::kResourceExhausted:
      return "check that this is the file you mean";
    default:
      return "check the file and the disk it is on";
  }
}

LineReader::Result LineReader::Next() {
  line_.clear();
  if (line_.capacity() > kKeptLineBytes) line_.shrink_to_fit();
  bool too_long = false;
  std::array<char, kChunkBytes> chunk;
  while (true) {
    // Stores at most size - 1 characters and a NUL; takes the LF and drops it.
    in_.getline(chunk.data(), chunk.size());
    if (in_.bad()) return Result::kError;
    size_t n = static_cast<size_t>(in_.gcount());
    const bool at_end = in_.eof();
    const bool chunk_full = in_.fail() && !at_end && n > 0;
    if (!at_end && !chunk_full && n > 0) --n;  // the LF
    if (too_long || n > max_line_bytes_ - line_.size()) {
      too_long = true;
      line_.clear();
      line_.shrink_to_fit();
    } else {
      line_.append(chunk.data(), n);
    }
    if (at_end) {
      if (too_long) return Result::kTooLong;
      return line_.empty() ? Result::kEnd : Result::kLine;
    }
    if (in_.fail() && !chunk_full) return Result::kError;
    if (!chunk_full) return too_long ? Result::kTooLong : Result::kLine;
    in_.clear();
  }
}

}  // namespace sallyport::cli
