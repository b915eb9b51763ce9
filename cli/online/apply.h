// apply and diff: makes the service's resources what files say.

#ifndef SALLYPORT_CLI_ONLINE_APPLY_H_
#define SALLYPORT_CLI_ONLINE_APPLY_H_

#include "CLI/CLI.hpp"
#include "cli/context.h"
#include "cli/online/client.h"

namespace sallyport::cli::online {

// What is parsed is left in `selected`; `options` outlives it.
void AddApplyCommands(CLI::App& app, Command& selected);

}  // namespace sallyport::cli::online

#endif  // SALLYPORT_CLI_ONLINE_APPLY_H_
