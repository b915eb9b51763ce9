// sallyportctl-online: the commands of sallyportctl that talk to the config
// service.

#include <exception>
#include <iostream>

#include "CLI/CLI.hpp"
#include "base/clock.h"
#include "base/text.h"
#include "cli/context.h"
#include "cli/online/client.h"
#include "cli/online/truststore_commands.h"

namespace sallyport::cli::online {
namespace {

ExitCode Run(int argc, char** argv, Context& context) {
  // What people type, whatever the program is called.
  CLI::App app("Talks to the config service.", "sallyportctl");
  app.require_subcommand(1);
  ClientOptions options;
  Command selected;
  AddTruststoreCommands(app, options, selected);
  AddAuditCommands(app, options, selected);
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    context.out << app.help();
    return ExitCode::kOk;
  } catch (const CLI::ParseError& error) {
    context.err << "sallyportctl: " << Printable(error.what())
                << "\nRun with --help for usage.\n";
    return ExitCode::kError;
  }
  return selected(context);
}

}  // namespace
}  // namespace sallyport::cli::online

int main(int argc, char** argv) {
  using sallyport::cli::ExitCode;
  sallyport::cli::Context context{std::cin, std::cout, std::cerr,
                                  sallyport::Clock::System()};
  ExitCode code = ExitCode::kError;
  try {
    code = sallyport::cli::online::Run(argc, argv, context);
  } catch (const std::exception& error) {
    std::cerr << "sallyportctl: unexpected error: "
              << sallyport::Printable(error.what()) << "\n";
  }
  if (!std::cout.flush()) {
    std::cerr << "sallyportctl: cannot write the answer to standard output\n";
    code = ExitCode::kError;
  }
  return static_cast<int>(code);
}
