#include <csignal>
#include <iostream>
#include <string>
#include <vector>

#include "base/clock.h"
#include "cli/app.h"
#include "cli/context.h"

int main(int argc, char** argv) {
  // Ends quietly when the reader of a pipe has gone, also where the caller
  // ignores the signal.
  std::signal(SIGPIPE, SIG_DFL);
  std::ios::sync_with_stdio(false);
  std::cin.tie(nullptr);
  sallyport::cli::Context context{std::cin, std::cout, std::cerr,
                                  sallyport::Clock::System()};
  const std::vector<std::string> args(argv + (argc > 0 ? 1 : 0), argv + argc);
  return static_cast<int>(sallyport::cli::Run(args, context));
}
