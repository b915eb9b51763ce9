// What the online commands have in common.

#ifndef SALLYPORT_CLI_ONLINE_COMMAND_H_
#define SALLYPORT_CLI_ONLINE_COMMAND_H_

#include <functional>
#include <string>

#include "CLI/CLI.hpp"
#include "absl/status/status.h"
#include "cli/context.h"
#include "cli/online/client.h"

namespace sallyport::cli::online {

// A command that asks the service.
using Run =
    std::function<ExitCode(const Client&, const ClientOptions&, Context&)>;

// Adds `name`, with the client's options; `run` is called when it is the one.
CLI::App* AddCommand(CLI::App& app, const std::string& name,
                     const std::string& help, Command& selected, Run run);

// --allow-files-anywhere: DocumentOptions::files_anywhere.
void AddFilesAnywhere(CLI::App& command, bool& files_anywhere);

// "sallyportctl: why" on standard error.
ExitCode CannotDo(const absl::Status& status, Context& context);

}  // namespace sallyport::cli::online

#endif  // SALLYPORT_CLI_ONLINE_COMMAND_H_
