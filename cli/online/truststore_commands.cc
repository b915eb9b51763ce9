#include "cli/online/truststore_commands.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/file.h"
#include "base/limits.h"
#include "base/text.h"
#include "cli/online/output.h"
#include "pki/x509/certificate.h"
#include "proto/sallyport/config/v1/audit.grpc.pb.h"
#include "proto/sallyport/config/v1/truststore.grpc.pb.h"

namespace sallyport::cli::online {

namespace proto = sallyport::config::v1;

namespace {

constexpr size_t kChunkBytes = size_t{512} << 10;
constexpr int kPageSize = 500;

// What the commands can be given; each uses some of it.
struct Arguments {
  std::string id;
  std::string file;
  std::string description;
  std::string policy;
  std::vector<std::string> labels;
  std::string etag;
  std::string filter;
  int version = 0;
  int from = 0;
  int to = 0;
  bool force = false;
  bool activate = false;
  bool validate_only = false;
  const CLI::Option* has_description = nullptr;
  const CLI::Option* has_labels = nullptr;
};

std::string NameOf(const std::string& id) {
  return absl::StrCat("truststores/", id);
}
std::string VersionOf(const std::string& id, int number) {
  return absl::StrCat("truststores/", id, "/versions/", number);
}

absl::StatusOr<std::string> ReadBundle(const std::string& file) {
  return ReadFile(file, limits::kMaxTruststoreBytes);
}

ExitCode CannotRead(const absl::Status& status, Context& context) {
  context.err << "sallyportctl: " << status.message() << "\n";
  return ExitCode::kError;
}

template <typename Warnings>
std::string WarningLines(const Warnings& warnings, int count) {
  std::string out;
  for (const proto::Warning& warning : warnings) {
    absl::StrAppend(&out, "warning: block ", warning.index(), ", line ",
                    warning.line(), ": ", Printable(warning.subject()), ": ",
                    Printable(warning.message()), " (",
                    Printable(warning.reason()), ")\n");
  }
  if (count > static_cast<int>(warnings.size())) {
    absl::StrAppend(&out, "and ", count - static_cast<int>(warnings.size()),
                    " more warnings\n");
  }
  return out;
}

ExitCode Show(const proto::Truststore& truststore, bool json,
              Context& context) {
  if (json) {
    context.out << JsonOf(truststore);
    return ExitCode::kOk;
  }
  std::vector<std::string> labels;
  for (const auto& [key, value] : truststore.labels()) {
    labels.push_back(absl::StrCat(key, "=", value));
  }
  std::string conditions;
  for (const proto::Condition& condition : truststore.conditions()) {
    absl::StrAppend(
        &conditions, conditions.empty() ? "" : ", ", condition.type(), "=",
        condition.status() == proto::Condition::STATUS_TRUE    ? "yes"
        : condition.status() == proto::Condition::STATUS_FALSE ? "no"
                                                               : "unknown");
  }
  context.out << Table(
                     {"FIELD", "VALUE"},
                     {{"name", truststore.name()},
                      {"description", truststore.description()},
                      {"labels", absl::StrJoin(labels, ", ")},
                      {"active version", IdOf(truststore.active_version())},
                      {"previous version", IdOf(truststore.previous_version())},
                      {"chain policy", sallyport::filter::v1::ChainPolicy_Name(
                                           truststore.chain_policy())},
                      {"conditions", conditions},
                      {"revision", absl::StrCat(truststore.revision())},
                      {"etag", truststore.etag()},
                      {"updated", TimeOf(truststore.has_update_time(),
                                         truststore.update_time())}})
              << WarningLines(truststore.warnings(),
                              truststore.warning_count());
  return ExitCode::kOk;
}

ExitCode Show(const proto::TruststoreVersion& version, bool json,
              Context& context) {
  if (json) {
    context.out << JsonOf(version);
    return ExitCode::kOk;
  }
  context.out
      << Table(
             {"FIELD", "VALUE"},
             {{"name", version.name()},
              {"state", proto::TruststoreVersion::State_Name(version.state())},
              {"description", version.description()},
              {"certificates", absl::StrCat(version.certificate_count())},
              {"gives trust", version.gives_trust() ? "yes" : "no"},
              {"first expiry",
               TimeOf(version.has_first_expiry(), version.first_expiry())},
              {"sha256", version.sha256()}})
      << WarningLines(version.warnings(), version.warning_count());
  return ExitCode::kOk;
}

using Stub = proto::Truststores::Stub;

// A call with one answer, which is shown.
template <typename Request, typename Response>
ExitCode Call(const Client& client, const ClientOptions& options,
              grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&,
                                           Response*),
              const Request& request, Context& context) {
  auto stub = proto::Truststores::NewStub(client.channel());
  auto call = client.NewContext();
  Response response;
  const grpc::Status status = ((*stub).*method)(call.get(), request, &response);
  if (!status.ok()) return Fail(status, context);
  return Show(response, options.json, context);
}

ExitCode Create(const Client& client, const ClientOptions& options,
                const Arguments& arguments, Context& context) {
  proto::CreateTruststoreRequest request;
  request.set_truststore_id(arguments.id);
  proto::Truststore& truststore = *request.mutable_truststore();
  truststore.set_description(arguments.description);
  for (const std::string& label : arguments.labels) {
    const size_t equals = label.find('=');
    (*truststore.mutable_labels())[label.substr(0, equals)] =
        equals == std::string::npos ? "" : label.substr(equals + 1);
  }
  if (arguments.policy == "any-anchor") {
    truststore.set_chain_policy(sallyport::filter::v1::ANY_ANCHOR);
  }
  if (!arguments.file.empty()) {
    absl::StatusOr<std::string> pem = ReadBundle(arguments.file);
    if (!pem.ok()) return CannotRead(pem.status(), context);
    request.set_pem(*std::move(pem));
  }
  request.set_force(arguments.force);
  request.set_validate_only(arguments.validate_only);
  request.set_request_id(NewRequestId());
  return Call(client, options, &Stub::CreateTruststore, request, context);
}

ExitCode Update(const Client& client, const ClientOptions& options,
                const Arguments& arguments, Context& context) {
  proto::UpdateTruststoreRequest request;
  proto::Truststore& truststore = *request.mutable_truststore();
  truststore.set_name(NameOf(arguments.id));
  truststore.set_etag(arguments.etag);
  if (arguments.has_description->count() > 0) {
    truststore.set_description(arguments.description);
    request.mutable_update_mask()->add_paths("description");
  }
  if (arguments.has_labels->count() > 0) {
    for (const std::string& label : arguments.labels) {
      const size_t equals = label.find('=');
      (*truststore.mutable_labels())[label.substr(0, equals)] =
          equals == std::string::npos ? "" : label.substr(equals + 1);
    }
    request.mutable_update_mask()->add_paths("labels");
  }
  if (!arguments.policy.empty()) {
    truststore.set_chain_policy(arguments.policy == "any-anchor"
                                    ? sallyport::filter::v1::ANY_ANCHOR
                                    : sallyport::filter::v1::COMPLETE_CHAIN);
    request.mutable_update_mask()->add_paths("chain_policy");
  }
  if (request.update_mask().paths_size() == 0) {
    context.err << "sallyportctl: nothing to update; give --description, "
                   "--label or --policy\n";
    return ExitCode::kError;
  }
  request.set_force(arguments.force);
  request.set_validate_only(arguments.validate_only);
  request.set_request_id(NewRequestId());
  return Call(client, options, &Stub::UpdateTruststore, request, context);
}

ExitCode List(const Client& client, const ClientOptions& options,
              const Arguments& arguments, Context& context) {
  auto stub = proto::Truststores::NewStub(client.channel());
  proto::ListTruststoresRequest request;
  request.set_filter(arguments.filter);
  request.set_page_size(kPageSize);
  std::vector<std::vector<std::string>> rows;
  do {
    auto call = client.NewContext();
    proto::ListTruststoresResponse response;
    const grpc::Status status =
        stub->ListTruststores(call.get(), request, &response);
    if (!status.ok()) return Fail(status, context);
    for (const proto::Truststore& truststore : response.truststores()) {
      if (options.json) context.out << JsonOf(truststore);
      rows.push_back(
          {IdOf(truststore.name()), IdOf(truststore.active_version()),
           absl::StrCat(truststore.warning_count()),
           TimeOf(truststore.has_update_time(), truststore.update_time()),
           truststore.description()});
    }
    request.set_page_token(response.next_page_token());
  } while (!request.page_token().empty());
  if (!options.json) {
    context.out << Table(
        {"TRUSTSTORE", "ACTIVE", "WARNINGS", "UPDATED", "DESCRIPTION"}, rows);
  }
  return ExitCode::kOk;
}

ExitCode Versions(const Client& client, const ClientOptions& options,
                  const Arguments& arguments, Context& context) {
  auto stub = proto::Truststores::NewStub(client.channel());
  proto::ListTruststoreVersionsRequest request;
  request.set_parent(NameOf(arguments.id));
  request.set_filter(arguments.filter);
  request.set_page_size(kPageSize);
  std::vector<std::vector<std::string>> rows;
  do {
    auto call = client.NewContext();
    proto::ListTruststoreVersionsResponse response;
    const grpc::Status status =
        stub->ListTruststoreVersions(call.get(), request, &response);
    if (!status.ok()) return Fail(status, context);
    for (const auto& version : response.truststore_versions()) {
      if (options.json) context.out << JsonOf(version);
      rows.push_back({IdOf(version.name()),
                      proto::TruststoreVersion::State_Name(version.state()),
                      absl::StrCat(version.certificate_count()),
                      absl::StrCat(version.warning_count()),
                      version.gives_trust() ? "yes" : "no",
                      TimeOf(version.has_create_time(), version.create_time()),
                      version.description()});
    }
    request.set_page_token(response.next_page_token());
  } while (!request.page_token().empty());
  if (!options.json) {
    context.out << Table({"VERSION", "STATE", "CERTIFICATES", "WARNINGS",
                          "TRUST", "CREATED", "DESCRIPTION"},
                         rows);
  }
  return ExitCode::kOk;
}

ExitCode AddVersion(const Client& client, const ClientOptions& options,
                    const Arguments& arguments, Context& context) {
  absl::StatusOr<std::string> pem = ReadBundle(arguments.file);
  if (!pem.ok()) return CannotRead(pem.status(), context);
  auto stub = proto::Truststores::NewStub(client.channel());
  auto call = client.NewContext();
  proto::TruststoreVersion version;
  auto writer = stub->UploadTruststoreVersion(call.get(), &version);
  proto::UploadTruststoreVersionRequest message;
  proto::CreateTruststoreVersionRequest& start = *message.mutable_start();
  start.set_parent(NameOf(arguments.id));
  start.mutable_truststore_version()->set_description(arguments.description);
  start.set_activate(arguments.activate);
  start.set_force(arguments.force);
  start.set_truststore_etag(arguments.etag);
  start.set_validate_only(arguments.validate_only);
  start.set_request_id(NewRequestId());
  // A write that fails ends it; Finish() says why.
  bool ok = writer->Write(message);
  for (size_t at = 0; ok && at < pem->size(); at += kChunkBytes) {
    message.set_chunk(pem->substr(at, kChunkBytes));
    ok = writer->Write(message);
  }
  if (ok) {
    message.set_sha256(HexLower(pki::AsBytes(pki::Sha256(*pem))));
    writer->Write(message);
  }
  writer->WritesDone();
  const grpc::Status status = writer->Finish();
  if (!status.ok()) return Fail(status, context);
  return Show(version, options.json, context);
}

ExitCode Diff(const Client& client, const ClientOptions& options,
              const Arguments& arguments, Context& context) {
  auto stub = proto::Truststores::NewStub(client.channel());
  proto::DiffTruststoreVersionsRequest request;
  request.set_from(VersionOf(arguments.id, arguments.from));
  request.set_to(VersionOf(arguments.id, arguments.to));
  request.set_page_size(kPageSize);
  std::string lines;
  proto::DiffTruststoreVersionsResponse response;
  const auto line = [&](absl::string_view mark,
                        const proto::CertificateInfo& certificate) {
    absl::StrAppend(
        &lines, mark, " ", Printable(certificate.subject()), ", until ",
        TimeOf(certificate.has_not_after(), certificate.not_after()), ", ",
        certificate.certificate_sha256().substr(0, 16), "\n");
  };
  do {
    auto call = client.NewContext();
    response.Clear();
    const grpc::Status status =
        stub->DiffTruststoreVersions(call.get(), request, &response);
    if (!status.ok()) return Fail(status, context);
    if (options.json) context.out << JsonOf(response);
    for (const auto& certificate : response.added()) line("+", certificate);
    for (const auto& certificate : response.removed()) line("-", certificate);
    for (const auto& change : response.changed()) {
      line("<", change.before());
      line(change.same_key() ? "> (same key)" : "> (new key)", change.after());
    }
    request.set_page_token(response.next_page_token());
  } while (!request.page_token().empty());
  if (!options.json) {
    context.out << lines << response.added_count() << " added, "
                << response.removed_count() << " removed, "
                << response.changed_count() << " changed\n";
  }
  return ExitCode::kOk;
}

ExitCode Read(const Client& client, const ClientOptions&,
              const Arguments& arguments, Context& context) {
  auto stub = proto::Truststores::NewStub(client.channel());
  auto call = client.NewContext();
  proto::ReadTruststoreVersionRequest request;
  request.set_name(VersionOf(arguments.id, arguments.version));
  auto reader = stub->ReadTruststoreVersion(call.get(), request);
  proto::ReadTruststoreVersionResponse piece;
  while (reader->Read(&piece)) context.out << piece.chunk();
  const grpc::Status status = reader->Finish();
  return status.ok() ? ExitCode::kOk : Fail(status, context);
}

ExitCode Delete(const Client& client, const ClientOptions&,
                const Arguments& arguments, Context& context) {
  auto stub = proto::Truststores::NewStub(client.channel());
  auto call = client.NewContext();
  google::protobuf::Empty response;
  proto::DeleteTruststoreRequest request;
  request.set_name(NameOf(arguments.id));
  request.set_etag(arguments.etag);
  request.set_validate_only(arguments.validate_only);
  request.set_request_id(NewRequestId());
  const grpc::Status status =
      stub->DeleteTruststore(call.get(), request, &response);
  return status.ok() ? ExitCode::kOk : Fail(status, context);
}

ExitCode ListAudit(const Client& client, const ClientOptions& options,
                   const Arguments& arguments, Context& context) {
  auto stub = proto::AuditLog::NewStub(client.channel());
  proto::ListAuditEntriesRequest request;
  request.set_filter(arguments.filter);
  request.set_page_size(kPageSize);
  std::vector<std::vector<std::string>> rows;
  do {
    auto call = client.NewContext();
    proto::ListAuditEntriesResponse response;
    const grpc::Status status =
        stub->ListAuditEntries(call.get(), request, &response);
    if (!status.ok()) return Fail(status, context);
    for (const proto::AuditEntry& entry : response.audit_entries()) {
      if (options.json) context.out << JsonOf(entry);
      for (const auto& change : entry.changes()) {
        rows.push_back({absl::StrCat(entry.revision()),
                        TimeOf(entry.has_time(), entry.time()),
                        entry.principal(), IdOf(entry.method()),
                        change.resource(),
                        absl::StrJoin(change.changed_fields(), ",")});
      }
    }
    request.set_page_token(response.next_page_token());
  } while (!request.page_token().empty());
  if (!options.json) {
    context.out << Table(
        {"REVISION", "TIME", "WHO", "METHOD", "RESOURCE", "FIELDS"}, rows);
  }
  return ExitCode::kOk;
}

using Run = ExitCode (*)(const Client&, const ClientOptions&, const Arguments&,
                         Context&);

// A command below `parent`; what it is given is in the result.
std::shared_ptr<Arguments> Add(CLI::App& parent, const std::string& name,
                               const std::string& help, ClientOptions& options,
                               Command& selected, Run run, CLI::App** command) {
  auto arguments = std::make_shared<Arguments>();
  *command = parent.add_subcommand(name, help);
  AddClientOptions(**command, options);
  (*command)->callback([&options, &selected, arguments, run] {
    selected = [&options, arguments, run](Context& context) {
      absl::StatusOr<Client> client = Client::Make(options);
      if (!client.ok()) return CannotRead(client.status(), context);
      return run(*client, options, *arguments, context);
    };
  });
  return arguments;
}

void AddWriteOptions(CLI::App& command, Arguments& arguments) {
  command.add_flag("--force", arguments.force,
                   "accept content that trusts nobody");
  command.add_flag("--validate-only", arguments.validate_only,
                   "check everything, change nothing");
}

}  // namespace

void AddTruststoreCommands(CLI::App& app, ClientOptions& options,
                           Command& selected) {
  CLI::App* truststore =
      app.add_subcommand("truststore", "Truststores of the config service");
  truststore->require_subcommand(1);
  CLI::App* command = nullptr;
  const auto add = [&](const std::string& name, const std::string& help,
                       Run run) {
    auto arguments =
        Add(*truststore, name, help, options, selected, run, &command);
    command->add_option("ID", arguments->id, "the truststore's id")->required();
    return arguments;
  };
  const auto version_type = CLI::Range(1, 1000000000);

  auto create = add("create", "Make a truststore", Create);
  command->add_option("--file", create->file,
                      "the certificates of its first version, PEM");
  command->add_option("--description", create->description, "for people");
  command->add_option("--label", create->labels, "KEY=VALUE, any number");
  command->add_option("--policy", create->policy, "the chain policy")
      ->check(CLI::IsMember({"complete-chain", "any-anchor"}));
  AddWriteOptions(*command, *create);

  auto update = add("update", "Change what is not its content", Update);
  update->has_description =
      command->add_option("--description", update->description, "for people");
  update->has_labels =
      command->add_option("--label", update->labels, "KEY=VALUE, all of them");
  command->add_option("--policy", update->policy, "the chain policy")
      ->check(CLI::IsMember({"complete-chain", "any-anchor"}));
  command->add_option("--etag", update->etag,
                      "only if this is the current one");
  AddWriteOptions(*command, *update);

  auto list = Add(*truststore, "list", "List truststores", options, selected,
                  List, &command);
  command->add_option("--filter", list->filter,
                      "such as: description : \"partner\"");

  add("get", "Show a truststore",
      [](const Client& client, const ClientOptions& o, const Arguments& a,
         Context& context) {
        proto::GetTruststoreRequest request;
        request.set_name(NameOf(a.id));
        return Call(client, o, &Stub::GetTruststore, request, context);
      });

  auto remove = add("delete", "Delete a truststore and its versions", Delete);
  command->add_option("--etag", remove->etag,
                      "only if this is the current one");
  command->add_flag("--validate-only", remove->validate_only,
                    "check everything, change nothing");

  auto add_version =
      add("add-version", "Add a version, from a PEM file", AddVersion);
  command
      ->add_option("FILE", add_version->file,
                   "the certificates; - for "
                   "standard input")
      ->required();
  command->add_option("--description", add_version->description, "for people");
  command->add_flag("--activate", add_version->activate,
                    "also make it the active one");
  command->add_option("--etag", add_version->etag,
                      "only if this is the truststore's current one");
  AddWriteOptions(*command, *add_version);

  auto versions =
      add("versions", "List the versions, the newest first", Versions);
  command->add_option("--filter", versions->filter, "such as: state = ACTIVE");

  auto read = add("read", "Print the PEM text of a version", Read);
  command->add_option("VERSION", read->version, "its number")
      ->required()
      ->check(version_type);

  auto activate = add("activate", "Make a version the active one",
                      [](const Client& client, const ClientOptions& o,
                         const Arguments& a, Context& context) {
                        proto::ActivateTruststoreVersionRequest request;
                        request.set_name(VersionOf(a.id, a.version));
                        request.set_etag(a.etag);
                        request.set_force(a.force);
                        request.set_validate_only(a.validate_only);
                        request.set_request_id(NewRequestId());
                        return Call(client, o, &Stub::ActivateTruststoreVersion,
                                    request, context);
                      });
  command->add_option("VERSION", activate->version, "its number")
      ->required()
      ->check(version_type);
  command->add_option("--etag", activate->etag,
                      "only if this is the truststore's current one");
  AddWriteOptions(*command, *activate);

  auto rollback =
      add("rollback", "Go back to the version that was active before",
          [](const Client& client, const ClientOptions& o, const Arguments& a,
             Context& context) {
            proto::RollbackTruststoreRequest request;
            request.set_name(NameOf(a.id));
            if (a.to != 0) request.set_version(VersionOf(a.id, a.to));
            request.set_etag(a.etag);
            request.set_force(a.force);
            request.set_validate_only(a.validate_only);
            request.set_request_id(NewRequestId());
            return Call(client, o, &Stub::RollbackTruststore, request, context);
          });
  command->add_option("--to", rollback->to, "or to this one")
      ->check(version_type);
  command->add_option("--etag", rollback->etag,
                      "only if this is the current one");
  AddWriteOptions(*command, *rollback);

  auto diff =
      add("diff", "Show what one version has and another has not", Diff);
  command->add_option("FROM", diff->from, "a version's number")
      ->required()
      ->check(version_type);
  command->add_option("TO", diff->to, "a version's number")
      ->required()
      ->check(version_type);
}

void AddAuditCommands(CLI::App& app, ClientOptions& options,
                      Command& selected) {
  CLI::App* audit = app.add_subcommand("audit", "Who changed what, and when");
  audit->require_subcommand(1);
  CLI::App* command = nullptr;
  auto list = Add(*audit, "list", "List changes, the newest first", options,
                  selected, ListAudit, &command);
  command->add_option("--filter", list->filter,
                      "such as: resource : \"truststores/partners\"");
}

}  // namespace sallyport::cli::online
