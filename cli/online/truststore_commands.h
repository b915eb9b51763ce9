// truststore create, list, get, update, delete, add-version, versions, read,
// activate, rollback, diff; audit list.

#ifndef SALLYPORT_CLI_ONLINE_TRUSTSTORE_COMMANDS_H_
#define SALLYPORT_CLI_ONLINE_TRUSTSTORE_COMMANDS_H_

#include "CLI/CLI.hpp"
#include "cli/context.h"
#include "cli/online/client.h"

namespace sallyport::cli::online {

// What is parsed is left in `selected`; `options` outlives it.
void AddTruststoreCommands(CLI::App& app, ClientOptions& options,
                           Command& selected);
void AddAuditCommands(CLI::App& app, ClientOptions& options, Command& selected);

}  // namespace sallyport::cli::online

#endif  // SALLYPORT_CLI_ONLINE_TRUSTSTORE_COMMANDS_H_
