// Reading whole files with a limit.

#ifndef SALLYPORT_BASE_FILE_H_
#define SALLYPORT_BASE_FILE_H_

#include <cstddef>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace sallyport {

// ReadFile: the contents of the regular file (or pipe) at `path`; "-" is
// standard input. Errors: NotFound, PermissionDenied, InvalidArgument (a
// directory), ResourceExhausted (more than `max_bytes`), Unavailable
// (anything else the system said). Messages name the path and never the
// contents. Little more than max_bytes are read. Reading a pipe or a terminal
// waits for its writer.
absl::StatusOr<std::string> ReadFile(absl::string_view path, size_t max_bytes);

// ReadRegularFile: the same, but never waits: InvalidArgument for "-" and for
// anything that is no regular file.
absl::StatusOr<std::string> ReadRegularFile(absl::string_view path,
                                            size_t max_bytes);

// FileError: what `error`, an errno of a call on the file at `path`, is as one
// of the errors above.
absl::Status FileError(absl::string_view path, int error);

}  // namespace sallyport

#endif  // SALLYPORT_BASE_FILE_H_
