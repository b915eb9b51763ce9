#include "cli/online/access_key_commands.h"

#include <memory>
#include <string>

#include "base/text.h"
#include "cli/online/command.h"
#include "cli/online/output.h"
#include "proto/sallyport/config/v1/access_key.grpc.pb.h"

namespace sallyport::cli::online {
namespace {

namespace proto = sallyport::config::v1;

struct Arguments {
  std::string name;
  std::string role;
};

ExitCode Create(const Client& client, const ClientOptions& options,
                const Arguments& arguments, Context& context) {
  proto::IssueAccessKeyRequest request;
  request.mutable_access_key()->set_owner(arguments.name);
  request.mutable_access_key()->set_role(arguments.role);
  auto call = client.NewContext();
  proto::IssueAccessKeyResponse response;
  const grpc::Status status =
      proto::AccessKeys::NewStub(client.channel())
          ->IssueAccessKey(call.get(), request, &response);
  if (!status.ok()) return Fail(status, context);
  if (options.json) {
    context.out << JsonOf(response);
    return ExitCode::kOk;
  }
  // As a shell, and the AWS CLI's environment, take them.
  context.out << "AWS_ACCESS_KEY_ID="
              << Printable(IdOf(response.access_key().name()))
              << "\nAWS_SECRET_ACCESS_KEY="
              << Printable(response.secret_access_key()) << "\n";
  context.err << "Keep the secret: it is not shown again. To end the key: "
                 "sallyportctl delete "
              << Printable(response.access_key().name()) << "\n";
  return ExitCode::kOk;
}

}  // namespace

void AddAccessKeyCommands(CLI::App& app, Command& selected) {
  CLI::App* const group = app.add_subcommand(
      "access-key", "Make an access key for the AWS-compatible API");
  group->require_subcommand(1);
  auto arguments = std::make_shared<Arguments>();
  CLI::App* const command = AddCommand(
      *group, "create", "Make an access key, and print it with its secret",
      selected,
      [arguments](const Client& client, const ClientOptions& client_options,
                  Context& context) {
        return Create(client, client_options, *arguments, context);
      });
  command->add_option("NAME", arguments->name, "whose it is")->required();
  command->add_option("--role", arguments->role, "viewer, operator or admin")
      ->required()
      ->check(CLI::IsMember({"viewer", "operator", "admin"}));
}

}  // namespace sallyport::cli::online
