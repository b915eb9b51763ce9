// The online commands as one program.

#ifndef SALLYPORT_CLI_ONLINE_APP_H_
#define SALLYPORT_CLI_ONLINE_APP_H_

#include <memory>
#include <string>
#include <vector>

#include "CLI/CLI.hpp"
#include "cli/context.h"
#include "cli/online/client.h"

namespace sallyport::cli::online {

// All commands. What is parsed is left in `selected`; `options` outlives it.
void AddCommands(CLI::App& app, Command& selected);

// Runs the command that `args` say, without the program's name.
ExitCode RunOnline(const std::vector<std::string>& args, Context& context);

}  // namespace sallyport::cli::online

#endif  // SALLYPORT_CLI_ONLINE_APP_H_
