#include "cli/online/test_invoke_command.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "base/file.h"
#include "base/text.h"
#include "cli/online/command.h"
#include "cli/online/output.h"
#include "proto/sallyport/config/v1/api.grpc.pb.h"

namespace sallyport::cli::online {
namespace {

namespace proto = sallyport::config::v1;

// A little over what the service takes, so that it is the service that says no.
constexpr size_t kMaxBodyBytes = size_t{1} << 20;

struct Arguments {
  std::string route;
  std::string path;
  std::string stage;
  std::string client_certificate;
  std::string node;
  std::string node_address;
  std::string method;
  std::vector<std::string> headers;
  std::vector<std::string> variables;
  std::string body;
  std::string body_file;
};

// `text` below `prefix`, unless it says so itself.
std::string Below(absl::string_view prefix, const std::string& text) {
  if (text.empty() || absl::StrContains(text, '/')) return text;
  return absl::StrCat(prefix, text);
}

absl::StatusOr<proto::TestInvokeRouteRequest> RequestOf(
    const Arguments& arguments) {
  proto::TestInvokeRouteRequest request;
  request.set_route(arguments.route);
  request.set_path(arguments.path);
  // "apis/API/": stages of the route's API need no more than their id.
  const std::string api = arguments.route.substr(
      0, arguments.route.find('/', arguments.route.find('/') + 1));
  request.set_stage(Below(absl::StrCat(api, "/stages/"), arguments.stage));
  request.set_client_certificate(
      Below("clientCertificates/", arguments.client_certificate));
  request.set_node(Below("fleets/default/nodes/", arguments.node));
  request.set_node_address(arguments.node_address);
  request.set_method(absl::AsciiStrToUpper(arguments.method));
  for (const std::string& header : arguments.headers) {
    const size_t colon = header.find(':');
    if (colon == std::string::npos) {
      return absl::InvalidArgumentError("--header: is not NAME: VALUE");
    }
    proto::HttpHeader& out = *request.add_headers();
    out.set_name(
        std::string(absl::StripAsciiWhitespace(header.substr(0, colon))));
    out.set_value(
        std::string(absl::StripAsciiWhitespace(header.substr(colon + 1))));
  }
  for (const std::string& variable : arguments.variables) {
    const size_t equals = variable.find('=');
    if (equals == std::string::npos) {
      return absl::InvalidArgumentError("--variable: is not NAME=VALUE");
    }
    (*request.mutable_stage_variables())[variable.substr(0, equals)] =
        variable.substr(equals + 1);
  }
  request.set_body(arguments.body);
  if (!arguments.body_file.empty()) {
    absl::StatusOr<std::string> body =
        ReadFile(arguments.body_file, kMaxBodyBytes);
    if (!body.ok()) return body.status();
    request.set_body(*std::move(body));
  }
  return request;
}

// Lines as they are, but nothing that a terminal obeys.
std::string BodyText(absl::string_view body) {
  std::vector<std::string> lines;
  for (const absl::string_view line : absl::StrSplit(body, '\n')) {
    lines.push_back(Printable(line, line.size() * 4));
  }
  std::string text;
  for (const std::string& line : lines) absl::StrAppend(&text, line, "\n");
  // What ends with a line feed has no line after it.
  if (absl::EndsWith(body, "\n")) text.pop_back();
  return text;
}

ExitCode TestInvoke(const Client& client, const ClientOptions& options,
                    const Arguments& arguments, Context& context) {
  const absl::StatusOr<proto::TestInvokeRouteRequest> request =
      RequestOf(arguments);
  if (!request.ok()) return CannotDo(request.status(), context);
  auto call = client.NewContext();
  proto::TestInvokeRouteResponse response;
  const grpc::Status status =
      proto::Apis::NewStub(client.channel())
          ->TestInvokeRoute(call.get(), *request, &response);
  if (!status.ok()) return Fail(status, context);
  if (options.json) {
    context.out << JsonOf(response);
  } else {
    for (const std::string& line : response.log()) {
      context.out << Printable(line, 2048) << "\n";
    }
    if (response.status() != 0) {
      context.out << "\n" << response.status() << "\n";
      for (const proto::HttpHeader& header : response.headers()) {
        context.out << Printable(header.name()) << ": "
                    << Printable(header.value(), 8192) << "\n";
      }
      context.out << "\n" << BodyText(response.body());
    }
  }
  return response.failure().empty() ? ExitCode::kOk : ExitCode::kRefused;
}

}  // namespace

void AddTestInvokeCommand(CLI::App& app, Command& selected) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App* const command =
      AddCommand(app, "test-invoke",
                 "Send one request through a node, and show what its backend "
                 "answers. Ends "
                 "with 1 when the answer is not the backend's",
                 selected,
                 [arguments](const Client& client, const ClientOptions& o,
                             Context& context) {
                   return TestInvoke(client, o, *arguments, context);
                 });
  Arguments& a = *arguments;
  command->add_option("ROUTE", a.route, "apis/API/routes/ROUTE")->required();
  command
      ->add_option("--path", a.path,
                   "path and query of the request, below the base path")
      ->required();
  command->add_option("--stage", a.stage,
                      "whose variables and client certificate count: its id or "
                      "name. Default: none");
  command->add_option("--client-certificate", a.client_certificate,
                      "in place of the stage's: its id or name");
  command->add_option("--variable", a.variables,
                      "NAME=VALUE, in place of the stage's");
  command->add_option("--method", a.method,
                      "of a route for any method. Default: GET");
  command->add_option("--header", a.headers, "NAME: VALUE");
  auto* const body = command->add_option("--body", a.body, "text to send");
  command
      ->add_option("--body-file", a.body_file,
                   "a file to send; - is "
                   "standard input")
      ->excludes(body);
  command->add_option(
      "--node", a.node,
      "fleets/FLEET/nodes/NODE, or the id of one of the default "
      "fleet. Default: one that is connected");
  command->add_option("--node-address", a.node_address,
                      "ADDRESS:PORT where the service reaches it. Default: "
                      "where it is connected from, the fleet's port");
}

}  // namespace sallyport::cli::online
