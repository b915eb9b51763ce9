#include "cli/app.h"

#include <exception>
#include <new>

#include "CLI/CLI.hpp"
#include "base/text.h"
#include "base/version.h"
#include "cli/completion.h"
#include "cli/crl_command.h"
#include "cli/online_commands.h"
#include "cli/truststore_command.h"
#include "cli/verify_command.h"

namespace sallyport::cli {
namespace {

constexpr char kFooter[] =
    "Examples:\n"
    "  sallyportctl truststore check partners.pem\n"
    "  sallyportctl verify --truststore partners.pem --chain client.pem\n"
    "  sallyportctl explain --truststore partners.pem --chain client.pem\n"
    "\n"
    "Run 'sallyportctl COMMAND --help' for more. Answers go to standard "
    "output, why there\n"
    "is none to standard error.\n"
    "\n"
    "Exit codes: 0 yes (accepted, trusted, done); 1 no (refused, not "
    "trusted); 2 no answer\n"
    "(wrong usage, unreadable input, unwritable output).";

void AddVersionCommand(CLI::App& app, Command& selected) {
  app.add_subcommand("version", "Print the version")
      ->footer("Exit codes: 0 done; 2 wrong usage.")
      ->callback([&selected] {
        selected = [](Context& context) {
          context.out << "sallyportctl " << kVersion << "\n";
          return ExitCode::kOk;
        };
      });
}

// The command that was being parsed: `app` itself, or one below it.
const CLI::App& ParsedCommand(const CLI::App& app) {
  const CLI::App* command = &app;
  while (!command->get_subcommands().empty()) {
    command = command->get_subcommands().back();
  }
  return *command;
}

// "sallyportctl truststore check".
std::string FullName(const CLI::App& command) {
  if (command.get_parent() == nullptr) return command.get_name();
  return FullName(*command.get_parent()) + " " + command.get_name();
}

// What is wrong, where CLI11's own words would not help.
std::string UsageError(const CLI::ParseError& error, const CLI::App& command) {
  const auto commands =
      command.get_subcommands([](const CLI::App*) { return true; });
  if (commands.empty()) return error.what();
  std::string names;
  for (const CLI::App* name : commands) {
    if (!names.empty()) names += ", ";
    names += name->get_name();
  }
  const std::vector<std::string> remaining = command.remaining();
  if (remaining.empty()) return "a command is missing: one of " + names;
  return "'" + remaining.front() + "' is not known here; the commands are " +
         names;
}

// Sets what is the same in every command's help.
void Polish(CLI::App& app) {
  app.get_formatter()->column_width(34);
  app.get_formatter()->label("SUBCOMMAND", "COMMAND");
  app.set_help_flag("-h,--help", "print this and exit");
  for (CLI::App* command :
       app.get_subcommands([](CLI::App*) { return true; })) {
    command->group("Commands");
    Polish(*command);
  }
}

// For the help and for completion: main() hands these on before anything is
// parsed.
void AddOnlineCommands(CLI::App& app, Command& selected) {
  for (const OnlineCommand& online : kOnlineCommands) {
    app.add_subcommand(online.name, online.help)
        ->group("Commands that talk to the config service")
        ->prefix_command()
        ->callback([&selected] {
          selected = [](Context& context) {
            context.err << "sallyportctl: this needs sallyportctl-online\n";
            return ExitCode::kError;
          };
        });
  }
}

ExitCode ParseAndRun(const std::vector<std::string>& args, Context& context) {
  CLI::App app(
      "Checks client-certificate truststores and chains by the rules "
      "that Sallyport's Envoy module enforces, and talks to the config "
      "service.",
      "sallyportctl");
  app.require_subcommand(1);
  app.set_version_flag("--version", std::string("sallyportctl ") + kVersion,
                       "print the version and exit");
  app.footer(kFooter);
  Command selected;
  AddTruststoreCommand(app, selected);
  AddCrlCommand(app, selected);
  AddVerifyCommand(app, selected);
  AddExplainCommand(app, selected);
  AddVersionCommand(app, selected);
  AddCompletionCommand(app, selected);
  Polish(app);
  AddOnlineCommands(app, selected);

  try {
    // CLI11 takes them from the back.
    app.parse(std::vector<std::string>(args.rbegin(), args.rend()));
  } catch (const CLI::CallForHelp&) {
    context.out << app.help();
    return ExitCode::kOk;
  } catch (const CLI::CallForVersion& version) {
    context.out << version.what() << "\n";
    return ExitCode::kOk;
  } catch (const CLI::ParseError& error) {
    const CLI::App& command = ParsedCommand(app);
    context.err << "sallyportctl: " << Printable(UsageError(error, command))
                << "\nRun '" << FullName(command) << " --help' for usage.\n";
    return ExitCode::kError;
  }
  return selected(context);
}

}  // namespace

ExitCode Run(const std::vector<std::string>& args, Context& context) {
  ExitCode code = ExitCode::kError;
  try {
    code = ParseAndRun(args, context);
  } catch (const std::bad_alloc&) {
    context.err << "sallyportctl: out of memory; give it less input or more "
                   "memory\n";
  } catch (const std::exception& error) {
    context.err << "sallyportctl: unexpected error: " << Printable(error.what())
                << "\n";
  }
  if (!context.out.flush()) {
    context.err << "sallyportctl: cannot write the answer to standard output; "
                   "check where it goes\n";
    return ExitCode::kError;
  }
  return code;
}

}  // namespace sallyport::cli
