// Reading what the command line names: files and standard input, bounded.

#ifndef SALLYPORT_CLI_INPUT_H_
#define SALLYPORT_CLI_INPUT_H_

#include <cstddef>
#include <fstream>
#include <istream>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace sallyport::cli {

// ReadInput: the contents of the file at `path`; "-" reads `standard_input` to
// its end. The errors of sallyport::ReadFile(). At most max_bytes + 1 bytes
// are kept.
absl::StatusOr<std::string> ReadInput(absl::string_view path, size_t max_bytes,
                                      std::istream& standard_input);

// OpenInput: opens `path` for streaming into `file`. Errors as above.
absl::Status OpenInput(absl::string_view path, std::ifstream& file);

// Remedy: what to do about an error of ReadInput() or OpenInput(), for people.
absl::string_view Remedy(const absl::Status& status);

// LineReader: lines of a stream, each bounded.
class LineReader {
 public:
  enum class Result {
    kLine,     // line() holds it
    kTooLong,  // over the limit; the rest of the line was skipped
    kEnd,      // no more
    kError,    // the stream cannot be read
  };

  // `in` must outlive the reader.
  LineReader(std::istream& in, size_t max_line_bytes)
      : in_(in), max_line_bytes_(max_line_bytes) {}

  // Reads one line and returns as soon as its LF has come. The last line may
  // do without. Memory stays within max_line_bytes and a constant.
  Result Next();

  // The line without its LF; valid until the next call.
  std::string& line() { return line_; }

 private:
  std::istream& in_;
  const size_t max_line_bytes_;
  std::string line_;
};

}  // namespace sallyport::cli

#endif  // SALLYPORT_CLI_INPUT_H_
