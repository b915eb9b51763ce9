#include "cli/online/resource_commands.h"

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/file.h"
#include "base/limits.h"
#include "base/status_macros.h"
#include "base/text.h"
#include "cli/online/catalog.h"
#include "cli/online/command.h"
#include "cli/online/document.h"
#include "cli/online/output.h"
#include "cli/online/rpc.h"
#include "google/protobuf/field_mask.pb.h"
#include "pki/crypto/crypto.h"
#include "pki/x509/certificate.h"
#include "proto/sallyport/config/v1/revocation.grpc.pb.h"
#include "proto/sallyport/config/v1/truststore.grpc.pb.h"

namespace sallyport::cli::online {
namespace {

namespace proto = sallyport::config::v1;
using google::protobuf::FieldMask;
using google::protobuf::Message;
using google::protobuf::Reflection;

constexpr size_t kChunkBytes = size_t{512} << 10;
constexpr size_t kMaxDocumentBytes = size_t{16} << 20;

// What a command can be given; each uses some of it.
struct Arguments {
  std::string name;
  std::vector<std::string> names;
  std::string file;
  std::string content;
  std::vector<std::string> set;
  std::vector<std::string> from_file;
  std::string etag;
  std::string filter;
  size_t limit = 0;
  bool force = false;
  bool validate_only = false;
  bool files_anywhere = false;
};

absl::Status Invalid(absl::string_view what) {
  return absl::InvalidArgumentError(what);
}

const FieldDescriptor* FieldNamed(const Message& message,
                                  const std::string& name) {
  return message.GetDescriptor()->FindFieldByName(name);
}

// Sets a text field that the message has; false when it has none.
bool SetText(Message& message, const std::string& name,
             const std::string& value) {
  const FieldDescriptor* field = FieldNamed(message, name);
  if (field == nullptr || field->is_repeated() ||
      field->cpp_type() != FieldDescriptor::CPPTYPE_STRING) {
    return false;
  }
  message.GetReflection()->SetString(&message, field, value);
  return true;
}
bool SetFlag(Message& message, const std::string& name, bool value) {
  const FieldDescriptor* field = FieldNamed(message, name);
  if (field == nullptr) return false;
  message.GetReflection()->SetBool(&message, field, value);
  return true;
}

// The mapping that -f, --set and --from-file make together, as pairs of path
// and value.
struct Assignment {
  std::string path;
  YAML::Node value;
  // Not typed, but out of the document.
  bool of_document = false;
};
absl::StatusOr<std::vector<Assignment>> AssignmentsOf(
    const Arguments& arguments) {
  std::vector<Assignment> out;
  try {
    if (!arguments.file.empty()) {
      SALLYPORT_ASSIGN_OR_RETURN(const std::string text,
                                 ReadFile(arguments.file, kMaxDocumentBytes));
      const YAML::Node document = YAML::Load(text);
      if (!document.IsMap()) {
        return Invalid(absl::StrCat(Printable(arguments.file),
                                    ": is no mapping of fields to values"));
      }
      std::map<std::string, int> lines;
      Problems doubled(arguments.file);
      for (const auto& entry : document) {
        const std::string& key = entry.first.Scalar();
        if (IsDoubled(entry.first, key, key, lines, doubled)) continue;
        out.push_back({key, entry.second, /*of_document=*/true});
      }
      if (!doubled.empty()) return Invalid(doubled.ToString());
    }
    for (const std::string& text : arguments.set) {
      const size_t equals = text.find('=');
      if (equals == std::string::npos || equals == 0) {
        return Invalid(absl::StrCat("--set ", Printable(text),
                                    ": is not of the form FIELD=VALUE"));
      }
      const std::string value = text.substr(equals + 1);
      // Lists and mappings are written as YAML; everything else is taken
      // letter by letter.
      const bool flow =
          absl::StartsWith(value, "[") || absl::StartsWith(value, "{");
      out.push_back({text.substr(0, equals),
                     flow ? YAML::Load(value) : YAML::Node(value)});
    }
    for (const std::string& text : arguments.from_file) {
      const size_t equals = text.find('=');
      if (equals == std::string::npos || equals == 0) {
        return Invalid(absl::StrCat("--from-file ", Printable(text),
                                    ": is not of the form FIELD=FILE"));
      }
      out.push_back({text.substr(0, equals) + "_file",
                     YAML::Node(text.substr(equals + 1))});
    }
  } catch (const YAML::Exception& error) {
    return Invalid(absl::StrCat(Printable(arguments.file),
                                ": is no YAML: ", Printable(error.what())));
  }
  return out;
}

const FieldDescriptor* FirstField(const Message& message,
                                  const std::string& path) {
  bool from_file = false;
  return FieldOfKey(*message.GetDescriptor(), path.substr(0, path.find('.')),
                    &from_file);
}

// Whether a path is about the resource: it has such a field that can be set,
// or the request has none either.
bool IsOfResource(const Message& resource, const Message& request,
                  const std::string& path) {
  const FieldDescriptor* const field = FirstField(resource, path);
  if (field != nullptr && !IsOutputOnly(*field)) return true;
  return FirstField(request, path) == nullptr;
}

// Carries the assignments out: on the resource where it has such a field, else
// on the request. Returns the paths in the resource.
absl::StatusOr<std::vector<std::string>> Assign(const Arguments& arguments,
                                                Message* resource,
                                                Message& request) {
  SALLYPORT_ASSIGN_OR_RETURN(const std::vector<Assignment> assignments,
                             AssignmentsOf(arguments));
  Problems problems(arguments.file);
  std::vector<std::string> mask;
  const DocumentOptions of_document = {FolderOf(arguments.file),
                                       arguments.files_anywhere};
  const DocumentOptions typed = {".", /*files_anywhere=*/true};
  for (const Assignment& assignment : assignments) {
    // The command line says which resource it is.
    if (assignment.path == "name" && resource != nullptr) continue;
    if (resource != nullptr &&
        FirstField(*resource, assignment.path) == nullptr &&
        FirstField(request, assignment.path) == nullptr) {
      problems.Add(
          assignment.value, assignment.path,
          NoSuchField(*resource->GetDescriptor(), request.GetDescriptor()));
      continue;
    }
    const bool in_resource = resource != nullptr &&
                             IsOfResource(*resource, request, assignment.path);
    const std::string path =
        SetPath(assignment.path, assignment.value,
                assignment.of_document ? of_document : typed,
                in_resource ? *resource : request, problems);
    if (in_resource &&
        std::find(mask.begin(), mask.end(), path) == mask.end()) {
      mask.push_back(path);
    }
  }
  if (!problems.empty()) return Invalid(problems.ToString());
  if (arguments.force && !SetFlag(request, "force", true)) {
    return Invalid("--force: there is nothing to force here");
  }
  if (arguments.validate_only && !SetFlag(request, "validate_only", true)) {
    return Invalid("--validate-only: this changes nothing anyway");
  }
  if (!arguments.etag.empty()) {
    const bool set =
        SetText(request, "etag", arguments.etag) ||
        SetText(request, "truststore_etag", arguments.etag) ||
        (resource != nullptr && SetText(*resource, "etag", arguments.etag));
    if (!set) return Invalid("--etag: there is none here");
  }
  SetText(request, "request_id", NewRequestId());
  return mask;
}

absl::StatusOr<Target> OneTarget(const Arguments& arguments) {
  return ParseTarget(arguments.name);
}

absl::Status NoMethod(absl::string_view verb, const Target& target,
                      absl::string_view hint = "") {
  return Invalid(absl::StrCat("there is no ", verb, " for ",
                              target.collection->Form(true), hint));
}

std::string WarningsOf(const Message& message) {
  const FieldDescriptor* field = FieldNamed(message, "warnings");
  if (field == nullptr ||
      field->message_type() != proto::Warning::descriptor()) {
    return "";
  }
  std::string out;
  const Reflection& r = *message.GetReflection();
  for (int i = 0; i < r.FieldSize(message, field); ++i) {
    const auto& warning = static_cast<const proto::Warning&>(
        r.GetRepeatedMessage(message, field, i));
    absl::StrAppend(&out, "warning: ");
    if (warning.index() != 0) {
      absl::StrAppend(&out, "block ", warning.index(), ", line ",
                      warning.line(), ": ", Printable(warning.subject()), ": ");
    } else if (!warning.field().empty()) {
      absl::StrAppend(&out, Printable(warning.field()), ": ");
    }
    absl::StrAppend(&out, Printable(warning.message()), " (",
                    Printable(warning.reason()), ")\n");
  }
  return out;
}

// What a change made: its name for people, all of it for programs.
ExitCode ShowChange(absl::string_view done, const Message& response,
                    const ClientOptions& options, const Arguments& arguments,
                    Context& context, const std::string& more = "") {
  if (options.json) {
    context.out << JsonOf(response);
    return ExitCode::kOk;
  }
  const FieldDescriptor* name = FieldNamed(response, "name");
  context.out << (arguments.validate_only ? "would be " : "") << done << " "
              << (name == nullptr
                      ? ""
                      : Printable(response.GetReflection()->GetString(response,
                                                                      name)))
              << Printable(more) << "\n"
              << WarningsOf(response);
  return ExitCode::kOk;
}

ExitCode Get(const Client& client, const ClientOptions& options,
             const Arguments& arguments, Context& context) {
  bool first = true;
  for (const std::string& text : arguments.names) {
    const absl::StatusOr<Target> target = ParseTarget(text);
    if (!target.ok()) return CannotDo(target.status(), context);
    if (target->is_collection() || target->collection->get == nullptr) {
      return CannotDo(
          Invalid(absl::StrCat("\"", Printable(text), "\" is no one resource; ",
                               "sallyportctl list shows those there are")),
          context);
    }
    const MethodDescriptor& method = *target->collection->get;
    const auto request = NewMessage(*method.input_type());
    const auto response = NewMessage(*method.output_type());
    SetText(*request, "name", target->name);
    const grpc::Status status = Call(client, method, *request, *response);
    if (!status.ok()) return Fail(status, context);
    if (options.json) {
      context.out << JsonOf(*response);
    } else {
      context.out << (first ? "" : "---\n") << WriteYaml(*response);
    }
    first = false;
  }
  return ExitCode::kOk;
}

ExitCode List(const Client& client, const ClientOptions& options,
              const Arguments& arguments, Context& context) {
  const absl::StatusOr<Target> target = OneTarget(arguments);
  if (!target.ok()) return CannotDo(target.status(), context);
  const Collection& collection = *target->collection;
  if (!target->is_collection() || collection.list == nullptr) {
    return CannotDo(Invalid(absl::StrCat("\"", Printable(arguments.name),
                                         "\" is no collection; one is ",
                                         collection.Form(false))),
                    context);
  }
  const auto request = NewMessage(*collection.list->input_type());
  if (!target->parent.empty()) SetText(*request, "parent", target->parent);
  if (!arguments.filter.empty() &&
      !SetText(*request, "filter", arguments.filter)) {
    return CannotDo(Invalid("--filter: this list has none"), context);
  }
  std::vector<std::vector<std::string>> rows;
  size_t count = 0;
  const bool has_name = collection.message->FindFieldByName("name") != nullptr;
  const grpc::Status status =
      CallPages(client, *collection.list, *request, [&](const Message& page) {
        const Reflection& r = *page.GetReflection();
        for (int f = 0; f < page.GetDescriptor()->field_count(); ++f) {
          const FieldDescriptor* field = page.GetDescriptor()->field(f);
          if (!field->is_repeated() ||
              field->message_type() != collection.message) {
            continue;
          }
          for (int i = 0; i < r.FieldSize(page, field); ++i) {
            if (arguments.limit != 0 && count == arguments.limit) return false;
            ++count;
            const Message& item = r.GetRepeatedMessage(page, field, i);
            if (options.json) {
              context.out << JsonOf(item);
              continue;
            }
            std::vector<std::string> row;
            if (has_name) row.push_back(CellOf(item, "name"));
            for (const std::string& column : collection.columns) {
              std::string cell = CellOf(item, column);
              // What is said before the last slash is mostly the row's name.
              if (column != "server_certificate" && column != "stages" &&
                  absl::EndsWith(column, "_version")) {
                cell = IdOf(cell);
              }
              row.push_back(std::move(cell));
            }
            rows.push_back(std::move(row));
          }
        }
        return arguments.limit == 0 || count < arguments.limit;
      });
  if (!status.ok()) return Fail(status, context);
  if (!options.json) {
    std::vector<std::string> header;
    if (has_name) header.emplace_back("NAME");
    for (const std::string& column : collection.columns) {
      std::string title = column.substr(column.rfind('.') + 1);
      std::replace(title.begin(), title.end(), '_', ' ');
      header.push_back(absl::AsciiStrToUpper(title));
    }
    context.out << Table(header, rows);
  }
  return ExitCode::kOk;
}

ExitCode Create(const Client& client, const ClientOptions& options,
                const Arguments& arguments, Context& context) {
  const absl::StatusOr<Target> target = OneTarget(arguments);
  if (!target.ok()) return CannotDo(target.status(), context);
  const Collection& collection = *target->collection;
  if (collection.create == nullptr) {
    return CannotDo(
        NoMethod("create", *target, "; sallyportctl --help has other verbs"),
        context);
  }
  const MethodDescriptor& method = *collection.create;
  const auto request = NewMessage(*method.input_type());
  const auto response = NewMessage(*method.output_type());
  if (!target->parent.empty()) SetText(*request, "parent", target->parent);
  if (!target->id.empty() &&
      !SetText(*request, collection.field + "_id", target->id)) {
    return CannotDo(
        Invalid(absl::StrCat("the service gives the id itself; name ",
                             collection.Form(false))),
        context);
  }
  const FieldDescriptor* field =
      ResourceField(*method.input_type(), collection);
  Message* const resource =
      request->GetReflection()->MutableMessage(request.get(), field);
  const auto mask = Assign(arguments, resource, *request);
  if (!mask.ok()) return CannotDo(mask.status(), context);
  const grpc::Status status = Call(client, method, *request, *response);
  if (!status.ok()) return Fail(status, context);
  return ShowChange("created", *response, options, arguments, context);
}

// What is there, for a change of part of a map. Takes its etag over.
grpc::Status ReadCurrent(const Client& client, const Target& target,
                         Message& resource) {
  const MethodDescriptor& method = *target.collection->get;
  const auto request = NewMessage(*method.input_type());
  SetText(*request, "name", target.name);
  return Call(client, method, *request, resource);
}

ExitCode Update(const Client& client, const ClientOptions& options,
                const Arguments& arguments, Context& context) {
  const absl::StatusOr<Target> target = OneTarget(arguments);
  if (!target.ok()) return CannotDo(target.status(), context);
  const Collection& collection = *target->collection;
  if (collection.update == nullptr || target->is_collection()) {
    return CannotDo(NoMethod("update", *target), context);
  }
  const MethodDescriptor& method = *collection.update;
  const auto request = NewMessage(*method.input_type());
  const auto response = NewMessage(*method.output_type());
  Message* const resource = request->GetReflection()->MutableMessage(
      request.get(), ResourceField(*method.input_type(), collection));
  // "labels.team=edge" changes one label: the others are those there are.
  const bool in_map = std::any_of(
      arguments.set.begin(), arguments.set.end(), [&](const std::string& text) {
        const std::string path = text.substr(0, text.find('='));
        const FieldDescriptor* field =
            FieldNamed(*resource, path.substr(0, path.find('.')));
        return field != nullptr && path.find('.') != std::string::npos;
      });
  if (in_map) {
    const grpc::Status status = ReadCurrent(client, *target, *resource);
    if (!status.ok()) return Fail(status, context);
  }
  SetText(*resource, "name", target->name);
  const auto mask = Assign(arguments, resource, *request);
  if (!mask.ok()) return CannotDo(mask.status(), context);
  if (mask->empty()) {
    return CannotDo(Invalid("there is nothing to change; give --set, "
                            "--from-file or -f"),
                    context);
  }
  FieldMask field_mask;
  for (const std::string& path : *mask) {
    if (path != "etag") field_mask.add_paths(path);
  }
  request->GetReflection()
      ->MutableMessage(request.get(), FieldNamed(*request, "update_mask"))
      ->CopyFrom(field_mask);
  const grpc::Status status = Call(client, method, *request, *response);
  if (!status.ok()) return Fail(status, context);
  return ShowChange("updated", *response, options, arguments, context);
}

ExitCode Delete(const Client& client, const ClientOptions& options,
                const Arguments& arguments, Context& context) {
  for (const std::string& text : arguments.names) {
    const absl::StatusOr<Target> target = ParseTarget(text);
    if (!target.ok()) return CannotDo(target.status(), context);
    if (target->collection->remove == nullptr || target->is_collection()) {
      return CannotDo(NoMethod("delete", *target), context);
    }
    const MethodDescriptor& method = *target->collection->remove;
    const auto request = NewMessage(*method.input_type());
    const auto response = NewMessage(*method.output_type());
    SetText(*request, "name", target->name);
    const auto mask = Assign(arguments, nullptr, *request);
    if (!mask.ok()) return CannotDo(mask.status(), context);
    const grpc::Status status = Call(client, method, *request, *response);
    if (!status.ok()) return Fail(status, context);
    if (!options.json) {
      context.out << (arguments.validate_only ? "would be deleted "
                                              : "deleted ")
                  << target->name << "\n";
    }
  }
  return ExitCode::kOk;
}

// What is in force after a change: the version or the deployment; empty: the
// resource has neither.
std::string InForce(const Message& resource) {
  for (const char* name : {"active_version", "deployment"}) {
    const FieldDescriptor* const field = FieldNamed(resource, name);
    if (field != nullptr &&
        field->cpp_type() == FieldDescriptor::CPPTYPE_STRING) {
      return resource.GetReflection()->GetString(resource, field);
    }
  }
  return "";
}

// Verbs beside the five: each is one method of a collection.
struct Verb {
  const char* word;
  const char* done;
  const char* help;
  // One for each collection that has the verb.
  std::vector<const char*> methods;
  // It puts something in force that the answer says.
  bool moves = false;
};
const std::vector<Verb>& Verbs() {
  static const auto* const kVerbs = new std::vector<Verb>{
      {"activate",
       "activated a version of",
       "Make a version of a truststore the active one",
       {"ActivateTruststoreVersion"},
       /*moves=*/true},
      {"rollback",
       "rolled back",
       "Go back to what was active before: of a truststore (--set version=NAME "
       "for another one) or a stage (--set deployment=NAME)",
       {"RollbackTruststore", "RollbackStage"},
       /*moves=*/true},
      {"import",
       "imported",
       "Import a certificate and key: of a server certificate that is there "
       "(--from-file material.certificate_chain_pem=FILE --from-file "
       "material.private_key_pem=FILE), or as a new client certificate "
       "(--from-file certificate_chain_pem=FILE --from-file "
       "private_key_pem=FILE)",
       {"ImportServerCertificate", "ImportClientCertificate"}},
      {"renew",
       "renewed",
       "Have a server certificate's issuer make it anew, with a new key",
       {"RenewServerCertificate"}},
      {"revoke",
       "revoked the certificates of",
       "Let a node in by none of the certificates that it has now",
       {"RevokeNode"}},
      {"generate",
       "generated",
       "Generate a client certificate and its key",
       {"GenerateClientCertificate"}},
      {"modify",
       "changed the entries of",
       "Add and remove entries of a certificate list, as in --set "
       "'add=[{certificate_sha256: ...}]'",
       {"ModifyCertificateListEntries"}},
  };
  return *kVerbs;
}

// The collection that a method is about: that of the name it takes.
bool MethodTakes(const MethodDescriptor& method, const Target& target) {
  const std::string& type = target.collection->message->name();
  return absl::EndsWith(method.name(), type) ||
         (method.name() == "ModifyCertificateListEntries" &&
          type == "CertificateList");
}

ExitCode Do(const Verb& verb, const Client& client,
            const ClientOptions& options, const Arguments& arguments,
            Context& context) {
  const absl::StatusOr<Target> target = OneTarget(arguments);
  if (!target.ok()) return CannotDo(target.status(), context);
  for (const char* name : verb.methods) {
    const MethodDescriptor& method = *FindMethod(name);
    if (!MethodTakes(method, *target)) continue;
    const auto request = NewMessage(*method.input_type());
    const auto response = NewMessage(*method.output_type());
    if (!target->id.empty() && !SetText(*request, "name", target->name) &&
        !SetText(*request, "route", target->name)) {
      SetText(*request, target->collection->field + "_id", target->id);
    }
    const FieldDescriptor* field =
        ResourceField(*method.input_type(), *target->collection);
    Message* const resource =
        field == nullptr
            ? nullptr
            : request->GetReflection()->MutableMessage(request.get(), field);
    const auto mask = Assign(arguments, resource, *request);
    if (!mask.ok()) return CannotDo(mask.status(), context);
    const grpc::Status status = Call(client, method, *request, *response);
    if (!status.ok()) return Fail(status, context);
    if (*verb.done == '\0') {
      context.out << (options.json ? JsonOf(*response) : WriteYaml(*response));
      return ExitCode::kOk;
    }
    const std::string in_force = verb.moves ? InForce(*response) : "";
    return ShowChange(verb.done, *response, options, arguments, context,
                      in_force.empty() ? "" : ": now " + in_force);
  }
  return CannotDo(NoMethod(verb.word, *target), context);
}

ExitCode CallMethod(const Client& client, const ClientOptions& options,
                    const Arguments& arguments, Context& context) {
  const MethodDescriptor* method = FindMethod(arguments.name);
  if (method == nullptr || method->client_streaming() ||
      method->server_streaming()) {
    return CannotDo(
        Invalid(absl::StrCat("\"", Printable(arguments.name),
                             "\" is no method with one request and one "
                             "answer; one is Fleets/GetRollout")),
        context);
  }
  const auto request = NewMessage(*method->input_type());
  const auto response = NewMessage(*method->output_type());
  const auto mask = Assign(arguments, nullptr, *request);
  if (!mask.ok()) return CannotDo(mask.status(), context);
  const grpc::Status status = Call(client, *method, *request, *response);
  if (!status.ok()) return Fail(status, context);
  context.out << (options.json ? JsonOf(*response) : WriteYaml(*response));
  return ExitCode::kOk;
}

// Sends the start, the content in pieces, and its SHA-256.
template <typename Request, typename Writer>
grpc::Status SendContent(const Request& start, const std::string& content,
                         Writer& writer) {
  bool open = writer.Write(start);
  for (size_t at = 0; open && at < content.size(); at += kChunkBytes) {
    Request piece;
    piece.set_chunk(content.substr(at, kChunkBytes));
    open = writer.Write(piece);
  }
  if (open) {
    Request last;
    last.set_sha256(HexLower(pki::AsBytes(pki::Sha256(content))));
    writer.Write(last);
  }
  // When it could not be written, this says why.
  writer.WritesDone();
  return writer.Finish();
}

ExitCode Upload(const Client& client, const ClientOptions& options,
                const Arguments& arguments, Context& context) {
  const absl::StatusOr<Target> target = OneTarget(arguments);
  if (!target.ok()) return CannotDo(target.status(), context);
  const absl::StatusOr<std::string> content =
      ReadFile(arguments.content, limits::kMaxTruststoreBytes);
  if (!content.ok()) return CannotDo(content.status(), context);
  const Descriptor* const type = target->collection->message;
  Arguments rest = arguments;
  if (type == proto::TruststoreVersion::descriptor() &&
      target->is_collection()) {
    proto::UploadTruststoreVersionRequest start;
    start.mutable_start()->set_parent(target->parent);
    const auto mask =
        Assign(rest, start.mutable_start()->mutable_truststore_version(),
               *start.mutable_start());
    if (!mask.ok()) return CannotDo(mask.status(), context);
    proto::TruststoreVersion version;
    auto call = client.NewContext();
    auto writer = proto::Truststores::NewStub(client.channel())
                      ->UploadTruststoreVersion(call.get(), &version);
    const grpc::Status status = SendContent(start, *content, *writer);
    if (!status.ok()) return Fail(status, context);
    return ShowChange("created", version, options, arguments, context);
  }
  if (type == proto::RevocationList::descriptor() && !target->is_collection()) {
    proto::RevocationList current;
    const grpc::Status read = ReadCurrent(client, *target, current);
    const bool exists = read.ok();
    if (!exists && ReasonOf(read) != "RESOURCE_NOT_FOUND") {
      return Fail(read, context);
    }
    proto::UploadRevocationListRequest start;
    absl::StatusOr<std::vector<std::string>> mask;
    if (exists) {
      auto& update = *start.mutable_update();
      update.mutable_revocation_list()->set_name(target->name);
      mask = Assign(rest, update.mutable_revocation_list(), update);
      if (mask.ok()) {
        for (const std::string& path : *mask) {
          update.mutable_update_mask()->add_paths(path);
        }
        update.mutable_update_mask()->add_paths("content");
      }
    } else {
      auto& create = *start.mutable_create();
      create.set_revocation_list_id(target->id);
      mask = Assign(rest, create.mutable_revocation_list(), create);
    }
    if (!mask.ok()) return CannotDo(mask.status(), context);
    proto::RevocationList list;
    auto call = client.NewContext();
    auto writer = proto::RevocationLists::NewStub(client.channel())
                      ->UploadRevocationList(call.get(), &list);
    const grpc::Status status = SendContent(start, *content, *writer);
    if (!status.ok()) return Fail(status, context);
    return ShowChange(exists ? "updated" : "created", list, options, arguments,
                      context);
  }
  return CannotDo(
      Invalid("content can be uploaded to truststores/ID/versions and to "
              "revocationLists/ID"),
      context);
}

ExitCode Read(const Client& client, const ClientOptions&,
              const Arguments& arguments, Context& context) {
  const absl::StatusOr<Target> target = OneTarget(arguments);
  if (!target.ok()) return CannotDo(target.status(), context);
  if (target->collection->message != proto::TruststoreVersion::descriptor() ||
      target->is_collection()) {
    return CannotDo(NoMethod("read", *target), context);
  }
  auto call = client.NewContext();
  proto::ReadTruststoreVersionRequest request;
  request.set_name(target->name);
  auto reader = proto::Truststores::NewStub(client.channel())
                    ->ReadTruststoreVersion(call.get(), request);
  proto::ReadTruststoreVersionResponse piece;
  while (reader->Read(&piece)) context.out << piece.chunk();
  const grpc::Status status = reader->Finish();
  return status.ok() ? ExitCode::kOk : Fail(status, context);
}

void AddWriteOptions(CLI::App& command, Arguments& arguments) {
  command.add_option("--set", arguments.set,
                     "FIELD=VALUE, any number; FIELD as in \"description\", "
                     "\"source.uri\" or \"labels.team\"; lists as [a, b]");
  command.add_option("--from-file", arguments.from_file,
                     "FIELD=FILE: the field's value is what the file has");
  command.add_option("-f,--file", arguments.file,
                     "a YAML file with fields; - for standard input");
  AddFilesAnywhere(command, arguments.files_anywhere);
  command.add_option("--etag", arguments.etag,
                     "only if this is the current one");
  command.add_flag("--force", arguments.force,
                   "leave out a check that can be left out");
  command.add_flag("--validate-only", arguments.validate_only,
                   "check everything, change nothing");
}

}  // namespace

void AddResourceCommands(CLI::App& app, Command& selected) {
  using Function = ExitCode (*)(const Client&, const ClientOptions&,
                                const Arguments&, Context&);
  CLI::App* command = nullptr;
  const auto add = [&](const std::string& name, const std::string& help,
                       Function run) {
    auto arguments = std::make_shared<Arguments>();
    command =
        AddCommand(app, name, help, selected,
                   [arguments, run](const Client& client,
                                    const ClientOptions& o, Context& context) {
                     return run(client, o, *arguments, context);
                   });
    return arguments;
  };
  const auto name = [&](const std::shared_ptr<Arguments>& arguments,
                        const std::string& title, const std::string& help) {
    command->add_option(title, arguments->name, help)->required();
  };
  const auto names = [&](const std::shared_ptr<Arguments>& arguments) {
    command
        ->add_option("NAME", arguments->names, "such as truststores/partners")
        ->required();
  };

  auto get = add("get", "Show resources", Get);
  names(get);
  auto list = add("list", "List resources of a kind", List);
  name(list, "COLLECTION", "such as truststores, apis/ID/routes");
  command->add_option("--filter", list->filter,
                      "such as: description : \"partner\"");
  command->add_option("--limit", list->limit, "no more than so many");
  auto create = add("create", "Make a resource", Create);
  name(create, "NAME", "such as truststores/partners");
  AddWriteOptions(*command, *create);
  auto update = add("update", "Change fields of a resource", Update);
  name(update, "NAME", "such as truststores/partners");
  AddWriteOptions(*command, *update);
  auto remove = add("delete", "Delete resources", Delete);
  names(remove);
  command->add_option("--etag", remove->etag,
                      "only if this is the current one");
  command->add_flag("--force", remove->force,
                    "leave out a check that can be left out");
  command->add_flag("--validate-only", remove->validate_only,
                    "check everything, change nothing");

  for (const Verb& verb : Verbs()) {
    auto arguments = std::make_shared<Arguments>();
    command = AddCommand(
        app, verb.word, verb.help, selected,
        [arguments, &verb](const Client& client, const ClientOptions& o,
                           Context& context) {
          return Do(verb, client, o, *arguments, context);
        });
    name(arguments, "NAME", "of the resource");
    AddWriteOptions(*command, *arguments);
  }

  auto upload = add("upload",
                    "Send a large file: a version of a truststore, or a "
                    "revocation list",
                    Upload);
  name(upload, "NAME", "such as truststores/ID/versions, revocationLists/ID");
  command
      ->add_option("CONTENT", upload->content,
                   "the file to send; - for standard input")
      ->required();
  AddWriteOptions(*command, *upload);
  auto read = add("read", "Print the PEM text of a truststore's version", Read);
  name(read, "NAME", "such as truststores/ID/versions/2");
  auto call = add("call", "Call a method of the API by its name", CallMethod);
  name(call, "METHOD", "such as Fleets/GetRollout");
  AddWriteOptions(*command, *call);
}

}  // namespace sallyport::cli::online
