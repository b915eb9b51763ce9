// bootstrap, proxy-cert, watch, wait, token: nodes, and who may ask.

#ifndef SALLYPORT_CLI_ONLINE_NODE_COMMANDS_H_
#define SALLYPORT_CLI_ONLINE_NODE_COMMANDS_H_

#include "CLI/CLI.hpp"
#include "cli/context.h"
#include "cli/online/client.h"

namespace sallyport::cli::online {

// What is parsed is left in `selected`; `options` outlives it.
void AddNodeCommands(CLI::App& app, Command& selected);

}  // namespace sallyport::cli::online

#endif  // SALLYPORT_CLI_ONLINE_NODE_COMMANDS_H_
