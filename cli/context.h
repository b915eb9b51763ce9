// Context: what a command may touch, so that tests can stand in for a process.

#ifndef SALLYPORT_CLI_CONTEXT_H_
#define SALLYPORT_CLI_CONTEXT_H_

#include <functional>
#include <istream>
#include <ostream>

#include "base/clock.h"

namespace sallyport::cli {

// ExitCode: what the process ends with. Stable; scripts branch on it.
enum class ExitCode {
  kOk = 0,       // accepted, trusted, every line answered
  kRefused = 1,  // a truststore is refused, a chain is not trusted
  kError = 2,    // no answer: usage, unreadable input, unwritable output
};

// Answers go to `out`, whatever they are; why there is no answer goes to
// `err`. References must outlive the call they are passed to.
struct Context {
  std::istream& in;
  std::ostream& out;
  std::ostream& err;
  const Clock& clock;
};

// Command: one parsed command line, ready to run.
using Command = std::function<ExitCode(Context&)>;

}  // namespace sallyport::cli

#endif  // SALLYPORT_CLI_CONTEXT_H_
