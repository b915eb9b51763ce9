// Shell completion scripts, made from the command tree.

#ifndef SALLYPORT_CLI_COMPLETION_H_
#define SALLYPORT_CLI_COMPLETION_H_

#include <string>

#include "CLI/CLI.hpp"
#include "cli/context.h"

namespace sallyport::cli {

enum class Shell { kBash, kZsh, kFish };

// CompletionScript: the script for `shell` that completes the commands and
// options of `app` and of everything below it. What an option's value can be
// comes from its type name (cli/options.h).
std::string CompletionScript(const CLI::App& app, Shell shell);

// Adds the command to `app`, which must outlive `selected`.
void AddCompletionCommand(CLI::App& app, Command& selected);

}  // namespace sallyport::cli

#endif  // SALLYPORT_CLI_COMPLETION_H_
