#include "cli/online/node_commands.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "base/secret.h"
#include "base/status_macros.h"
#include "base/text.h"
#include "cli/online/bootstrap.h"
#include "cli/online/command.h"
#include "cli/online/output.h"
#include "pki/crypto/crypto.h"
#include "pki/keys/issue.h"
#include "pki/keys/private_key.h"
#include "pki/x509/certificate.h"
#include "proto/sallyport/config/v1/fleet.grpc.pb.h"

namespace sallyport::cli::online {
namespace {

namespace proto = sallyport::config::v1;

constexpr mode_t kPrivate = 0600;
constexpr mode_t kPublic = 0644;
constexpr size_t kTokenBytes = 32;
constexpr int kSecondsOfDay = 86400;
constexpr int kMaxDays = 825;
constexpr int kMaxWaitSeconds = 600;
constexpr int kMaxAwaitedNodes = 100000;

struct Arguments {
  std::string node;
  std::string fleet = "default";
  std::string directory = ".";
  int days = 365;
  bool replace = false;
  int64_t revision = 0;
  int at_least = 0;
  std::vector<std::string> resources;
  std::string role;
  std::string ttl;
  BootstrapOptions bootstrap;
};

// Writes a file that is whole or not there. AlreadyExists.
absl::Status WriteNew(const std::string& path, absl::string_view content,
                      mode_t mode, bool replace) {
  const std::string draft = absl::StrCat(path, ".new");
  const auto failed = [&](const std::string& which) {
    return absl::UnavailableError(
        absl::StrCat("cannot write ", Printable(which), ": ",
                     std::strerror(errno)));  // NOLINT(concurrency-mt-unsafe)
  };
  unlink(draft.c_str());
  const int file =
      open(draft.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
  if (file < 0) return failed(draft);
  bool good = true;
  for (size_t at = 0; good && at < content.size();) {
    const ssize_t n = write(file, content.data() + at, content.size() - at);
    if (n < 0 && errno == EINTR) continue;
    good = n > 0;
    at += good ? static_cast<size_t>(n) : 0;
  }
  good = good && fsync(file) == 0;
  close(file);
  if (!good) {
    unlink(draft.c_str());
    return failed(draft);
  }
  // link() fails where there is one already; rename() would not.
  const bool moved = replace ? rename(draft.c_str(), path.c_str()) == 0
                             : link(draft.c_str(), path.c_str()) == 0;
  const int error = errno;
  if (!replace || !moved) unlink(draft.c_str());
  if (moved) return absl::OkStatus();
  errno = error;
  if (error == EEXIST) {
    return absl::AlreadyExistsError(
        absl::StrCat(Printable(path),
                     " is there already; --replace writes "
                     "over it"));
  }
  return failed(path);
}

ExitCode ProxyCert(const Client& client, const ClientOptions& options,
                   const Arguments& arguments, Context& context) {
  const std::string base =
      absl::StrCat(arguments.directory, "/", arguments.node);
  const std::unique_ptr<const pki::PrivateKey> key =
      pki::PrivateKey::Generate(pki::PrivateKey::Kind::kEcP256);
  const absl::StatusOr<std::string> request_pem =
      pki::MakeCertificateRequest(*key);
  if (!request_pem.ok()) return CannotDo(request_pem.status(), context);
  proto::IssueNodeCertificateRequest request;
  request.set_parent(absl::StrCat("fleets/", arguments.fleet));
  request.set_node_id(arguments.node);
  request.set_certificate_request_pem(*request_pem);
  request.mutable_validity()->set_seconds(int64_t{arguments.days} *
                                          kSecondsOfDay);
  request.set_request_id(NewRequestId());
  // What the service would refuse, and a name that is a path, stop here.
  const std::string certificate_path = absl::StrCat(base, ".pem");
  const std::string key_path = absl::StrCat(base, ".key");
  const std::string ca_path =
      absl::StrCat(arguments.directory, "/proxy-ca.pem");
  if (arguments.node.find('/') != std::string::npos) {
    return CannotDo(absl::InvalidArgumentError("NODE: has a '/'"), context);
  }
  struct stat info = {};
  if (!arguments.replace && (stat(key_path.c_str(), &info) == 0 ||
                             stat(certificate_path.c_str(), &info) == 0)) {
    return CannotDo(
        absl::AlreadyExistsError(absl::StrCat(Printable(base),
                                              ".pem or .key is there already; "
                                              "--replace writes over them")),
        context);
  }
  auto call = client.NewContext();
  proto::IssueNodeCertificateResponse response;
  const grpc::Status status =
      proto::Fleets::NewStub(client.channel())
          ->IssueNodeCertificate(call.get(), request, &response);
  if (!status.ok()) return Fail(status, context);
  for (const absl::Status& written :
       {WriteNew(key_path, key->Pem().Reveal(), kPrivate, arguments.replace),
        WriteNew(certificate_path, response.certificate_chain_pem(), kPublic,
                 arguments.replace),
        WriteNew(ca_path, response.ca_pem(), kPublic, /*replace=*/true)}) {
    if (!written.ok()) return CannotDo(written, context);
  }
  if (options.json) {
    context.out << JsonOf(response.certificate());
  } else {
    context.out << "wrote " << Printable(key_path) << ", "
                << Printable(certificate_path) << ", " << Printable(ca_path)
                << "\nuntil "
                << TimeOf(response.certificate().has_not_after(),
                          response.certificate().not_after())
                << "\n";
  }
  return ExitCode::kOk;
}

std::string EventText(const proto::Event& event) {
  const std::string head = absl::StrCat(TimeOf(event.has_time(), event.time()),
                                        " ", event.revision(), " ");
  std::string text;
  switch (event.event_case()) {
    case proto::Event::kResourceChanged: {
      const auto& e = event.resource_changed();
      text =
          absl::StrCat(e.resource(), " ",
                       absl::AsciiStrToLower(
                           proto::Event::ResourceChanged::Kind_Name(e.kind())),
                       " by ", e.principal());
      break;
    }
    case proto::Event::kNodeConnection: {
      const auto& e = event.node_connection();
      text = absl::StrCat(e.node(), e.connected() ? " connected" : " left",
                          e.reason().empty() ? "" : ": ", e.reason());
      break;
    }
    case proto::Event::kNodeAcknowledged:
      text = absl::StrCat(event.node_acknowledged().node(), " has revision ",
                          event.node_acknowledged().acknowledged_revision());
      break;
    case proto::Event::kNodeRefused: {
      const auto& e = event.node_refused();
      text = absl::StrCat(e.node(), " refused ", e.refusal().type(), " ",
                          e.refusal().resource(), ": ", e.refusal().reason());
      break;
    }
    case proto::Event::kConditionChanged: {
      const auto& e = event.condition_changed();
      text = absl::StrCat(
          e.resource(), " ", e.condition().type(), " is ",
          e.condition().status() == proto::Condition::STATUS_TRUE ? "yes"
          : e.condition().status() == proto::Condition::STATUS_FALSE
              ? "no"
              : "unknown",
          ": ", e.condition().message());
      break;
    }
    case proto::Event::kWarningAdded: {
      const auto& e = event.warning_added();
      text = absl::StrCat(e.resource(), " warning: ", e.warning().message(),
                          " (", e.warning().reason(), ")");
      break;
    }
    case proto::Event::EVENT_NOT_SET:
      text = "an event that this program does not know";
      break;
  }
  return head + Printable(text, 2048);
}

ExitCode Watch(const Client& client, const ClientOptions& options,
               const Arguments& arguments, Context& context) {
  proto::WatchEventsRequest request;
  request.set_after_revision(arguments.revision);
  for (const std::string& resource : arguments.resources) {
    request.add_resources(resource);
  }
  // Until somebody ends it.
  auto call = client.NewContext(Client::Deadline::kNone);
  auto reader = proto::Fleets::NewStub(client.channel())
                    ->WatchEvents(call.get(), request);
  proto::Event event;
  while (reader->Read(&event)) {
    if (options.json) {
      context.out << JsonOf(event) << std::flush;
    } else {
      context.out << EventText(event) << std::endl;
    }
  }
  const grpc::Status status = reader->Finish();
  return status.ok() ? ExitCode::kOk : Fail(status, context);
}

std::string RolloutText(const proto::Rollout& rollout, int at_least) {
  const int connected = rollout.connected_node_count();
  const int refusing = rollout.refusing_node_count();
  std::string text = absl::StrCat(
      "revision ", rollout.revision(), ": ", rollout.acknowledged_node_count(),
      " of ", connected, connected == 1 ? " node has it" : " nodes have it");
  if (refusing > 0) {
    absl::StrAppend(&text, ", ", refusing,
                    refusing == 1 ? " refuses" : " refuse", " something");
  }
  if (connected < at_least) {
    absl::StrAppend(&text, "; ", at_least, " wanted");
  } else if (connected == 0) {
    absl::StrAppend(&text, "; none is connected");
  }
  return text;
}

ExitCode Wait(const Client& client, const ClientOptions& options,
              const Arguments& arguments, Context& context) {
  proto::WaitForRolloutRequest request;
  request.set_revision(arguments.revision);
  if (arguments.fleet != "-") {
    request.set_fleet(
        absl::StrCat("fleets/", absl::StripPrefix(arguments.fleet, "fleets/")));
  }
  request.set_min_node_count(arguments.at_least);
  // The answer says what is missing; a deadline would not.
  request.mutable_timeout()->set_seconds(
      std::min(options.timeout_seconds, kMaxWaitSeconds));
  auto call = client.NewContext(Client::Deadline::kLater);
  proto::Rollout rollout;
  const grpc::Status status =
      proto::Fleets::NewStub(client.channel())
          ->WaitForRollout(call.get(), request, &rollout);
  if (!status.ok()) return Fail(status, context);
  if (options.json) {
    context.out << JsonOf(rollout);
  } else {
    context.out << RolloutText(rollout, arguments.at_least) << "\n";
    for (const std::string& node : rollout.pending_nodes()) {
      context.out << "pending: " << Printable(node) << "\n";
    }
    for (const auto& refusal : rollout.refusals()) {
      context.out << "refused: " << Printable(refusal.node()) << ": "
                  << Printable(refusal.refusal().type()) << " "
                  << Printable(refusal.refusal().resource()) << ": "
                  << Printable(refusal.refusal().reason(), 1024) << "\n";
    }
  }
  return rollout.complete() ? ExitCode::kOk : ExitCode::kRefused;
}

// Without a service: what is made here is told to it by its operator.
ExitCode Token(const Arguments& arguments, Context& context) {
  if (!IsNodeName(arguments.node)) {
    context.err << "sallyportctl: NAME: is to be 1 to 128 letters, digits, "
                   "'.', '_' or '-'\n";
    return ExitCode::kError;
  }
  absl::Duration ttl = absl::InfiniteDuration();
  if (!arguments.ttl.empty() &&
      (!absl::ParseDuration(arguments.ttl, &ttl) || ttl < absl::Seconds(1))) {
    context.err << "sallyportctl: --ttl: is to be a time such as 720h or 90m\n";
    return ExitCode::kError;
  }
  const std::string token =
      absl::WebSafeBase64Escape(pki::RandomBytes(kTokenBytes));
  context.out << token << "\n";
  context.err << "Add this line to the service's file of credentials; the "
                 "token itself is nowhere else:\n"
              << "token " << arguments.node << " " << arguments.role << " "
              << HexLower(pki::AsBytes(pki::Sha256(token)));
  if (ttl < absl::InfiniteDuration()) {
    context.err << " "
                << absl::FormatTime(absl::RFC3339_sec, absl::Now() + ttl,
                                    absl::UTCTimeZone());
  }
  context.err << "\n";
  return ExitCode::kOk;
}

}  // namespace

void AddNodeCommands(CLI::App& app, Command& selected) {
  auto boot = std::make_shared<Arguments>();
  CLI::App* command =
      app.add_subcommand("bootstrap", "Print the Envoy bootstrap of a node");
  BootstrapOptions& b = boot->bootstrap;
  command->add_option("NODE", b.node, "the node's id")->required();
  command->add_option("--fleet", b.fleet, "its fleet. Default: default");
  command->add_option("--xds-address", b.xds_address,
                      "HOST:PORT of the service. Default: 127.0.0.1:9441");
  command->add_option("--node-ca", b.ca,
                      "on the node: the proxy CA (proxy-cert writes it)");
  command->add_option("--node-certificate", b.node_certificate,
                      "on the node: its certificate");
  command->add_option("--node-key", b.node_key, "on the node: its private key");
  command->add_option("--trust-domain", b.trust_domain,
                      "the service's --trust-domain. Default: sallyport");
  command->add_option("--admin-address", b.admin_address,
                      "HOST:PORT of Envoy's admin port. Default: none");
  command->add_option("--system-trust", b.system_trust,
                      "on the node: CAs of HTTPS backends. Default: "
                      "/etc/ssl/certs/ca-certificates.crt");
  command->callback([boot, &selected] {
    selected = [boot](Context& context) {
      const absl::StatusOr<std::string> text = MakeBootstrap(boot->bootstrap);
      if (!text.ok()) return CannotDo(text.status(), context);
      context.out << *text;
      return ExitCode::kOk;
    };
  });

  auto cert = std::make_shared<Arguments>();
  command = AddCommand(
      app, "proxy-cert",
      "Make a key here, and have a certificate issued by which a node proves "
      "who it is: NODE.key, NODE.pem, proxy-ca.pem",
      selected,
      [cert](const Client& client, const ClientOptions& o, Context& context) {
        return ProxyCert(client, o, *cert, context);
      });
  command->add_option("NODE", cert->node, "the node's id")->required();
  command->add_option("--fleet", cert->fleet, "its fleet. Default: default");
  command->add_option("--directory", cert->directory,
                      "where to write. Default: here");
  command
      ->add_option("--days", cert->days, "how long it is valid. Default: 365")
      ->check(CLI::Range(1, kMaxDays));
  command->add_flag("--replace", cert->replace, "write over what is there");

  auto watch = std::make_shared<Arguments>();
  command = AddCommand(
      app, "watch", "Print what happens, until interrupted", selected,
      [watch](const Client& client, const ClientOptions& o, Context& context) {
        return Watch(client, o, *watch, context);
      });
  command->add_option("RESOURCE", watch->resources,
                      "only these: names, or their beginnings up to a '/'");
  command->add_option("--after", watch->revision,
                      "from this revision on. Default: from now on");

  auto wait = std::make_shared<Arguments>();
  wait->fleet = "-";
  command = AddCommand(
      app, "wait",
      "Wait until every connected node has what there is now: ends with 0 "
      "then, "
      "with 1 when a node refuses or --timeout is over",
      selected,
      [wait](const Client& client, const ClientOptions& o, Context& context) {
        return Wait(client, o, *wait, context);
      });
  command->add_option("--revision", wait->revision,
                      "what there was at this revision");
  command->add_option("--fleet", wait->fleet,
                      "only this one's nodes: its id or name");
  command
      ->add_option("--at-least", wait->at_least,
                   "wait also until so many nodes are connected. Default: 0, "
                   "so that it ends at once when none is")
      ->check(CLI::Range(0, kMaxAwaitedNodes));

  auto token = std::make_shared<Arguments>();
  command = app.add_subcommand(
      "token",
      "Make a token for the API: prints it, and on standard error the line of "
      "the service's file of credentials");
  command->add_option("NAME", token->node, "whose")->required();
  command->add_option("ROLE", token->role, "viewer, operator or admin")
      ->required()
      ->check(CLI::IsMember({"viewer", "operator", "admin"}));
  command->add_option("--ttl", token->ttl,
                      "how long it counts, as 720h. Default: always");
  command->callback([token, &selected] {
    selected = [token](Context& context) { return Token(*token, context); };
  });
}

}  // namespace sallyport::cli::online
