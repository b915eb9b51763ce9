#include "cli/online/app.h"

#include "base/text.h"
#include "base/version.h"
#include "cli/online/access_key_commands.h"
#include "cli/online/apply.h"
#include "cli/online/node_commands.h"
#include "cli/online/resource_commands.h"
#include "cli/online/state_commands.h"
#include "cli/online/test_invoke_command.h"

namespace sallyport::cli::online {
namespace {

constexpr char kFooter[] =
    "Exit codes: 0 done; 1 the service refused (or, where asked for, there is "
    "a\ndifference, or not every node has it); 2 no answer: wrong usage, "
    "unreadable input,\nor nobody answered.";

void Polish(CLI::App& app) {
  app.get_formatter()->column_width(34);
  app.get_formatter()->label("SUBCOMMAND", "COMMAND");
  app.set_help_flag("-h,--help", "print this and exit");
  for (CLI::App* command :
       app.get_subcommands([](CLI::App*) { return true; })) {
    command->group("Commands");
    command->footer(kFooter);
    Polish(*command);
  }
}

}  // namespace

void AddCommands(CLI::App& app, Command& selected) {
  AddResourceCommands(app, selected);
  AddApplyCommands(app, selected);
  AddNodeCommands(app, selected);
  AddStateCommands(app, selected);
  AddTestInvokeCommand(app, selected);
  AddAccessKeyCommands(app, selected);
  app.footer(kFooter);
  Polish(app);
}

ExitCode RunOnline(const std::vector<std::string>& args, Context& context) {
  // What people type, whatever the program is called.
  CLI::App app("Talks to the config service.", "sallyportctl");
  app.require_subcommand(1);
  app.set_version_flag("--version", std::string("sallyportctl ") + kVersion,
                       "print the version and exit");
  Command selected;
  AddCommands(app, selected);
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
    const auto commands = app.get_subcommands();
    context.err << "sallyportctl: " << Printable(error.what()) << "\nRun '"
                << "sallyportctl "
                << (commands.empty() ? "" : commands.front()->get_name() + " ")
                << "--help' for usage.\n";
    return ExitCode::kError;
  }
  return selected(context);
}

}  // namespace sallyport::cli::online
