// The commands that talk to the config service. They are another program's
// (cli/online), because that one links gRPC and this one needs nothing.

#ifndef SALLYPORT_CLI_ONLINE_COMMANDS_H_
#define SALLYPORT_CLI_ONLINE_COMMANDS_H_

#include <array>

#include "absl/strings/string_view.h"

namespace sallyport::cli {

struct OnlineCommand {
  const char* name;
  const char* help;
};

constexpr std::array<OnlineCommand, 26> kOnlineCommands = {{
    {"get", "Show resources"},
    {"list", "List resources of a kind"},
    {"create", "Make a resource"},
    {"update", "Change fields of a resource"},
    {"delete", "Delete resources"},
    {"apply", "Make resources what YAML files say"},
    {"diff", "Show what apply would change, or two versions of a truststore"},
    {"activate", "Make a version of a truststore the active one"},
    {"rollback", "Go back to what was active before"},
    {"upload", "Send a large truststore version or revocation list"},
    {"read", "Print the PEM text of a truststore's version"},
    {"import", "Import a certificate and its key"},
    {"renew", "Have a server certificate's issuer make it anew"},
    {"revoke", "Let a node in by none of the certificates that it has now"},
    {"generate", "Generate a client certificate and its key"},
    {"modify", "Add and remove entries of a certificate list"},
    {"test-invoke", "Send one request through a node"},
    {"call", "Call a method of the API by its name"},
    {"watch", "Print what happens"},
    {"wait", "Wait until every connected node has what there is"},
    {"proxy-cert", "Have a node's certificate issued"},
    {"bootstrap", "Print the Envoy bootstrap of a node"},
    {"token", "Make a token for the API"},
    {"access-key", "Make an access key for the AWS-compatible API"},
    {"export-state", "Write everything to a file: a backup"},
    {"import-state", "Put such a file in the place of what there is"},
}};

}  // namespace sallyport::cli

#endif  // SALLYPORT_CLI_ONLINE_COMMANDS_H_
