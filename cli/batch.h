// Many verdicts in one run: JSON lines in, JSON lines out.

#ifndef SALLYPORT_CLI_BATCH_H_
#define SALLYPORT_CLI_BATCH_H_

#include <cstddef>
#include <istream>

#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "base/limits.h"
#include "cli/context.h"
#include "cli/decision.h"
#include "pki/chain/verify.h"

namespace sallyport::cli {

struct BatchOptions {
  Depth depth = Depth::kVerdict;
  pki::VerifyPolicy policy;          // for lines without a policy
  absl::optional<absl::Time> time;   // for lines without a time; else now
  pki::RevocationInputs revocation;  // for every line
  // Room for a truststore of limits::kMaxTruststoreBytes as a JSON string.
  size_t max_line_bytes = limits::kMaxModuleConfigBytes;
};

// RunBatch: answers each line of `cases` with a line on context.out, flushed.
// Nothing but the current line and the last truststore is kept. kOk: every
// line was answered; kError: `cases` cannot be read or context.out not
// written.
ExitCode RunBatch(const BatchOptions& options, std::istream& cases,
                  Context& context);

}  // namespace sallyport::cli

#endif  // SALLYPORT_CLI_BATCH_H_
