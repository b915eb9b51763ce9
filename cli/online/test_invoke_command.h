// test-invoke: one request to a route, through a node.

#ifndef SALLYPORT_CLI_ONLINE_TEST_INVOKE_COMMAND_H_
#define SALLYPORT_CLI_ONLINE_TEST_INVOKE_COMMAND_H_

#include "CLI/CLI.hpp"
#include "cli/context.h"
#include "cli/online/client.h"

namespace sallyport::cli::online {

// What is parsed is left in `selected`; `options` outlives it.
void AddTestInvokeCommand(CLI::App& app, Command& selected);

}  // namespace sallyport::cli::online

#endif  // SALLYPORT_CLI_ONLINE_TEST_INVOKE_COMMAND_H_
