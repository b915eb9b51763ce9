// sallyportctl-online: the commands of sallyportctl that talk to the config
// service.

#include <csignal>
#include <exception>
#include <iostream>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/text.h"
#include "cli/context.h"
#include "cli/online/app.h"

int main(int argc, char** argv) {
  using sallyport::cli::ExitCode;
  // Ends quietly when the reader of a pipe has gone.
  std::signal(SIGPIPE, SIG_DFL);
  sallyport::cli::Context context{std::cin, std::cout, std::cerr,
                                  sallyport::Clock::System()};
  ExitCode code = ExitCode::kError;
  try {
    code = sallyport::cli::online::RunOnline(
        std::vector<std::string>(argv + (argc > 0 ? 1 : 0), argv + argc),
        context);
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
