// sallyportctl crl: what certificate revocation lists are worth.

#ifndef SALLYPORT_CLI_CRL_COMMAND_H_
#define SALLYPORT_CLI_CRL_COMMAND_H_

#include <string>

#include "CLI/CLI.hpp"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "cli/context.h"
#include "pki/truststore/revocation.h"

namespace sallyport::cli {

struct CrlCheckOptions {
  std::string file;                 // "-" is standard input
  std::string truststore;           // "" when issuers are not looked at
  absl::optional<absl::Time> time;  // now when absent
  pki::RevocationLimits limits;
  bool json = false;
};

// kOk: accepted, also with warnings; kRefused: refused, also for its size;
// kError: unreadable, or the truststore is unreadable or refused.
ExitCode CheckCrl(const CrlCheckOptions& options, Context& context);

// Adds the command to `app`; parsing it sets `selected`, which must outlive
// the parsing.
void AddCrlCommand(CLI::App& app, Command& selected);

}  // namespace sallyport::cli

#endif  // SALLYPORT_CLI_CRL_COMMAND_H_
