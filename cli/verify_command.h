// sallyportctl verify and explain: would this client get in, and why not?

#ifndef SALLYPORT_CLI_VERIFY_COMMAND_H_
#define SALLYPORT_CLI_VERIFY_COMMAND_H_

#include <string>

#include "CLI/CLI.hpp"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "cli/context.h"
#include "cli/decision.h"
#include "cli/revocation_input.h"
#include "pki/chain/verify.h"

namespace sallyport::cli {

struct VerifyOptions {
  Depth depth = Depth::kVerdict;
  std::string truststore;  // paths; "-" is standard input
  std::string chain;
  std::string batch;  // "" when it is about one truststore and one chain
  absl::optional<absl::Time> time;  // now when absent
  pki::VerifyPolicy policy;
  RevocationOptions revocation;
  bool json = false;
};

// One chain against one truststore. kOk: trusted; kRefused: not trusted;
// kError: unreadable, or the truststore, a revocation list or the deny list is
// refused. A truststore in which
// nothing gives trust is no error: the answer says what the module would do.
ExitCode VerifyOne(const VerifyOptions& options, Context& context);

// VerifyOne(), or RunBatch() (cli/batch.h) when options.batch is set.
ExitCode Verify(const VerifyOptions& options, Context& context);

// Add the commands to `app`; parsing one sets `selected`, which must outlive
// the parsing.
void AddVerifyCommand(CLI::App& app, Command& selected);
void AddExplainCommand(CLI::App& app, Command& selected);

}  // namespace sallyport::cli

#endif  // SALLYPORT_CLI_VERIFY_COMMAND_H_
