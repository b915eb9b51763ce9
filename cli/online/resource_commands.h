// The commands for all resources: get, list, create, update, delete, and the
// verbs that some have (activate, rollback, import, generate, modify, ...).

#ifndef SALLYPORT_CLI_ONLINE_RESOURCE_COMMANDS_H_
#define SALLYPORT_CLI_ONLINE_RESOURCE_COMMANDS_H_

#include "CLI/CLI.hpp"
#include "cli/context.h"
#include "cli/online/client.h"

namespace sallyport::cli::online {

// What is parsed is left in `selected`; `options` outlives it.
void AddResourceCommands(CLI::App& app, Command& selected);

}  // namespace sallyport::cli::online

#endif  // SALLYPORT_CLI_ONLINE_RESOURCE_COMMANDS_H_
