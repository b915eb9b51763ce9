// sallyportctl truststore: what a bundle of trusted certificates is worth.

#ifndef SALLYPORT_CLI_TRUSTSTORE_COMMAND_H_
#define SALLYPORT_CLI_TRUSTSTORE_COMMAND_H_

#include <string>

#include "CLI/CLI.hpp"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "cli/context.h"
#include "pki/truststore/truststore.h"

namespace sallyport::cli {

struct TruststoreCheckOptions {
  std::string file;  // "-" is standard input
  pki::ChainPolicy policy = pki::ChainPolicy::kCompleteChain;
  absl::optional<absl::Time> time;  // now when absent
  pki::TruststoreLimits limits;
  bool force = false;  // accept a bundle in which nothing gives trust
  bool json = false;
};

// kOk: accepted; kRefused: refused, also for its size; kError: unreadable.
ExitCode CheckTruststore(const TruststoreCheckOptions& options,
                         Context& context);

// Adds the command to `app`; parsing it sets `selected`, which must outlive
// the parsing.
void AddTruststoreCommand(CLI::App& app, Command& selected);

}  // namespace sallyport::cli

#endif  // SALLYPORT_CLI_TRUSTSTORE_COMMAND_H_
