#include "cli/online/command.h"

#include <memory>
#include <utility>

#include "absl/status/statusor.h"

namespace sallyport::cli::online {

CLI::App* AddCommand(CLI::App& app, const std::string& name,
                     const std::string& help, Command& selected, Run run) {
  CLI::App* const command = app.add_subcommand(name, help);
  // Of its own: CLI11 reads the environment for the commands too that were not
  // given, and would write over what the command line says.
  const auto options = std::make_shared<ClientOptions>();
  AddClientOptions(*command, *options);
  command->callback([options, &selected, run = std::move(run)] {
    selected = [options, run](Context& context) {
      const absl::StatusOr<Client> client = Client::Make(*options);
      if (!client.ok()) return CannotDo(client.status(), context);
      return run(*client, *options, context);
    };
  });
  return command;
}

void AddFilesAnywhere(CLI::App& command, bool& files_anywhere) {
  command.add_flag("--allow-files-anywhere", files_anywhere,
                   "X_file in a document may name files that are not below "
                   "its folder");
}

ExitCode CannotDo(const absl::Status& status, Context& context) {
  context.err << "sallyportctl: " << status.message() << "\n";
  return ExitCode::kError;
}

}  // namespace sallyport::cli::online
