#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <iostream>
#include <string>
#include <vector>

#include "base/clock.h"
#include "cli/app.h"
#include "cli/context.h"
#include "cli/online_commands.h"

namespace {

constexpr size_t kMaxPath = 4096;

bool IsOnline(const std::vector<std::string>& args) {
  return !args.empty() &&
         std::any_of(sallyport::cli::kOnlineCommands.begin(),
                     sallyport::cli::kOnlineCommands.end(),
                     [&](const sallyport::cli::OnlineCommand& command) {
                       return args[0] == command.name;
                     });
}

// Runs the other program in place of this one: it lies beside it, or, where it
// was built, a folder below. Comes back only when that cannot be.
void RunOnline(char** argv) {
  std::array<char, kMaxPath> path;
  const ssize_t size = readlink("/proc/self/exe", path.data(), path.size());
  if (size <= 0 || size == static_cast<ssize_t>(path.size())) return;
  std::string folder(path.data(), static_cast<size_t>(size));
  folder.erase(folder.rfind('/') + 1);
  for (const char* place :
       {"sallyportctl-online", "online/sallyportctl-online"}) {
    execv((folder + place).c_str(), argv);
  }
}

}  // namespace

int main(int argc, char** argv) {
  // Ends quietly when the reader of a pipe has gone, also where the caller
  // ignores the signal.
  std::signal(SIGPIPE, SIG_DFL);
  std::ios::sync_with_stdio(false);
  std::cin.tie(nullptr);
  sallyport::cli::Context context{std::cin, std::cout, std::cerr,
                                  sallyport::Clock::System()};
  const std::vector<std::string> args(argv + (argc > 0 ? 1 : 0), argv + argc);
  if (IsOnline(args)) {
    RunOnline(argv);
    std::cerr << "sallyportctl: cannot run sallyportctl-online, which talks to "
                 "the config service; install it beside sallyportctl\n";
    return static_cast<int>(sallyport::cli::ExitCode::kError);
  }
  return static_cast<int>(sallyport::cli::Run(args, context));
}
