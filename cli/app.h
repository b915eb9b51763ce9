// sallyportctl as a function.

#ifndef SALLYPORT_CLI_APP_H_
#define SALLYPORT_CLI_APP_H_

#include <string>
#include <vector>

#include "cli/context.h"

namespace sallyport::cli {

// Run: does what the command line `args` (without the program's name) says.
// Never throws; a mistake in `args`, memory that runs out and an output that
// cannot be written are all kError with a sentence on context.err.
ExitCode Run(const std::vector<std::string>& args, Context& context);

}  // namespace sallyport::cli

#endif  // SALLYPORT_CLI_APP_H_
