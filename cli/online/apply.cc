#include "cli/online/apply.h"

#include <unistd.h>

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <set>
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
#include "base/text.h"
#include "cli/online/catalog.h"
#include "cli/online/command.h"
#include "cli/online/document.h"
#include "cli/online/output.h"
#include "cli/online/rpc.h"
#include "google/protobuf/field_mask.pb.h"
#include "google/protobuf/util/message_differencer.h"
#include "pki/crypto/crypto.h"
#include "pki/x509/certificate.h"
#include "proto/sallyport/config/v1/api.pb.h"
#include "proto/sallyport/config/v1/client_certificate.pb.h"
#include "proto/sallyport/config/v1/revocation.pb.h"
#include "proto/sallyport/config/v1/server_certificate.pb.h"
#include "proto/sallyport/config/v1/truststore.pb.h"

namespace sallyport::cli::online {
namespace {

namespace proto = sallyport::config::v1;
using google::protobuf::FieldMask;
using google::protobuf::Message;
using google::protobuf::util::MessageDifferencer;

constexpr size_t kMaxFileBytes = size_t{64} << 20;
constexpr size_t kMaxShownValue = 100;

// One document of a file: what one resource is to be.
struct Document {
  std::string file;
  Target target;
  YAML::Node node;
};

// One change.
struct Step {
  // "create", "update", "activate a new version of".
  std::string what;
  std::string name;
  // Lines "+ field: value", "- ...".
  std::vector<std::string> lines;
  std::function<grpc::Status()> run;
};

struct Plan {
  std::vector<Step> steps;
  size_t unchanged = 0;
};

std::string Shown(absl::string_view value) {
  return Printable(value, kMaxShownValue);
}

std::string Sha256Hex(absl::string_view bytes) {
  return HexLower(pki::AsBytes(pki::Sha256(bytes)));
}

// The PEM blocks alone, without line ends: two texts with the same
// certificates are the same.
std::string PlainPem(absl::string_view pem) {
  std::string out;
  bool inside = false;
  for (absl::string_view line : absl::StrSplit(pem, '\n')) {
    line = absl::StripAsciiWhitespace(line);
    if (absl::StartsWith(line, "-----BEGIN")) inside = true;
    if (inside) out.append(line.data(), line.size());
    if (absl::StartsWith(line, "-----END")) inside = false;
  }
  return out;
}

class Planner {
 public:
  // `files_anywhere`: as in DocumentOptions.
  Planner(const Client& client, bool files_anywhere, Context& context)
      : client_(client), files_anywhere_(files_anywhere), context_(context) {}

  // False: what is wrong was said.
  bool ReadFiles(const std::vector<std::string>& files);
  bool Make();
  Plan& plan() { return plan_; }
  ExitCode code() const { return code_; }

 private:
  bool ReadOne(const std::string& file);
  bool PlanDocument(const Document& document);
  bool PlanCreate(const Document& document);
  bool PlanUpdate(const Document& document, const Message& current);
  bool PlanDeployment(const Document& document);
  bool PlanEntries(const Document& document,
                   const proto::CreateCertificateListRequest& wanted);

  // Fills resource and request with what the document says. `mask`: the fields
  // of the resource; `extra`: those of the request.
  bool Fill(const Document& document, Message* resource, Message& request,
            std::vector<std::string>& mask, std::vector<std::string>& extra);

  bool Refuse(const Document& document, absl::string_view what) {
    context_.err << "sallyportctl: " << Printable(document.file) << ":"
                 << document.node.Mark().line + 1 << ": " << NameOf(document)
                 << ": " << what << "\n";
    code_ = ExitCode::kError;
    return false;
  }
  bool Refuse(const Document& document, const grpc::Status& status) {
    context_.err << Printable(document.file) << ":"
                 << document.node.Mark().line + 1 << ": " << NameOf(document)
                 << ":\n";
    code_ = Fail(status, context_);
    return false;
  }
  static std::string NameOf(const Document& document) {
    return document.target.is_collection()
               ? absl::StrCat(
                     document.target.parent, "/",
                     document.target.collection
                         ->pattern[document.target.collection->pattern.size() -
                                   2])
               : document.target.name;
  }
  // Whether it fails for the sake of what other documents are to make first.
  bool IsForLater(const grpc::Status& status) const {
    if (creates_.empty()) return false;
    const std::string reason = ReasonOf(status);
    if (reason == "RESOURCE_NOT_FOUND" || reason == "REFERENCE_NOT_FOUND") {
      return true;
    }
    const std::vector<std::string> reasons = ViolationReasonsOf(status);
    return !reasons.empty() &&
           std::all_of(
               reasons.begin(), reasons.end(), [](const std::string& r) {
                 return r == "REFERENCE_NOT_FOUND" || r == "RESOURCE_NOT_FOUND";
               });
  }

  const Client& client_;
  const bool files_anywhere_;
  Context& context_;
  // By pointer: to assign to a YAML::Node is to change what it refers to.
  std::vector<std::unique_ptr<const Document>> documents_;
  // Names that will be there.
  std::set<std::string> creates_;
  // APIs whose routes change.
  std::set<std::string> changed_apis_;
  Plan plan_;
  ExitCode code_ = ExitCode::kOk;
};

void SetText(Message& message, const std::string& name,
             const std::string& value) {
  const FieldDescriptor* field = message.GetDescriptor()->FindFieldByName(name);
  if (field != nullptr) {
    message.GetReflection()->SetString(&message, field, value);
  }
}
std::string TextOf(const Message& message, const std::string& name) {
  const FieldDescriptor* field = message.GetDescriptor()->FindFieldByName(name);
  return field == nullptr ? ""
                          : message.GetReflection()->GetString(message, field);
}
void SetValidateOnly(Message& message, bool value) {
  message.GetReflection()->SetBool(
      &message, message.GetDescriptor()->FindFieldByName("validate_only"),
      value);
}

// Without what the service alone says.
void ClearOutputOnly(Message& message) {
  const Descriptor& type = *message.GetDescriptor();
  for (int i = 0; i < type.field_count(); ++i) {
    const FieldDescriptor& field = *type.field(i);
    if (IsOutputOnly(field) || field.name() == "etag") {
      message.GetReflection()->ClearField(&message, &field);
    }
  }
}

// "- a: 1" and "+ a: 2" of what differs.
std::vector<std::string> DiffLines(const Message& before,
                                   const Message& after) {
  std::map<std::string, std::string> old_ones;
  std::map<std::string, std::string> new_ones;
  for (auto& [path, value] : LeavesOf(before)) old_ones[path] = value;
  for (auto& [path, value] : LeavesOf(after)) new_ones[path] = value;
  std::set<std::string> paths;
  for (const auto& [path, value] : old_ones) paths.insert(path);
  for (const auto& [path, value] : new_ones) paths.insert(path);
  std::vector<std::string> out;
  for (const std::string& path : paths) {
    const auto a = old_ones.find(path);
    const auto b = new_ones.find(path);
    if (a != old_ones.end() && b != new_ones.end() && a->second == b->second) {
      continue;
    }
    if (a != old_ones.end()) {
      out.push_back(absl::StrCat("- ", path, ": ", Shown(a->second)));
    }
    if (b != new_ones.end()) {
      out.push_back(absl::StrCat("+ ", path, ": ", Shown(b->second)));
    }
  }
  return out;
}

bool Planner::ReadFiles(const std::vector<std::string>& files) {
  for (const std::string& file : files) {
    if (!ReadOne(file)) return false;
  }
  std::map<std::string, const Document*> seen;
  for (const auto& document : documents_) {
    if (document->target.is_collection()) continue;
    if (!seen.emplace(document->target.name, document.get()).second) {
      return Refuse(*document, "there are two documents for it");
    }
  }
  // What is named comes before what names it.
  std::stable_sort(documents_.begin(), documents_.end(),
                   [](const auto& a, const auto& b) {
                     return a->target.order < b->target.order;
                   });
  return true;
}

bool Planner::ReadOne(const std::string& file) {
  const absl::StatusOr<std::string> text = ReadFile(file, kMaxFileBytes);
  if (!text.ok()) {
    code_ = CannotDo(text.status(), context_);
    return false;
  }
  try {
    for (const YAML::Node& node : YAML::LoadAll(*text)) {
      if (node.IsNull()) continue;
      auto owned = std::make_unique<Document>();
      Document& document = *owned;
      document.file = file;
      document.node.reset(node);
      const auto say = [&](absl::string_view what) {
        context_.err << "sallyportctl: " << Printable(file) << ":"
                     << node.Mark().line + 1 << ": " << what << "\n";
        code_ = ExitCode::kError;
        return false;
      };
      if (!node.IsMap() || !node["name"] || !node["name"].IsScalar()) {
        return say(
            "a document is a mapping with the name of a resource: "
            "\"name: truststores/partners\"");
      }
      absl::StatusOr<Target> target = ParseTarget(node["name"].Scalar());
      if (!target.ok()) return say(target.status().message());
      document.target = *std::move(target);
      const bool is_deployment = document.target.collection->message ==
                                 proto::Deployment::descriptor();
      if (document.target.is_collection() != is_deployment) {
        return say(is_deployment
                       ? "the service names deployments; write the name as "
                         "apis/ID/deployments"
                       : "the name is that of a collection; add an id");
      }
      documents_.push_back(std::move(owned));
    }
  } catch (const YAML::Exception& error) {
    context_.err << "sallyportctl: " << Printable(file)
                 << ": is no YAML: " << Printable(error.what()) << "\n";
    code_ = ExitCode::kError;
    return false;
  }
  return true;
}

bool Planner::Make() {
  for (const auto& document : documents_) {
    if (!PlanDocument(*document)) return false;
  }
  return true;
}

bool Planner::Fill(const Document& document, Message* resource,
                   Message& request, std::vector<std::string>& mask,
                   std::vector<std::string>& extra) {
  Problems problems(document.file);
  const DocumentOptions options = {FolderOf(document.file), files_anywhere_};
  std::map<std::string, int> lines;
  for (const auto& entry : document.node) {
    const std::string key = entry.first.Scalar();
    bool from_file = false;
    if (key == "name") {
      IsDoubled(entry.first, key, key, lines, problems);
      continue;
    }
    const FieldDescriptor* field =
        FieldOfKey(*resource->GetDescriptor(), key, &from_file);
    bool in_resource = field != nullptr;
    if (in_resource && IsOutputOnly(*field)) {
      // What `get` prints can be applied as it is; but an import takes the
      // chain that is read of the resource later.
      in_resource =
          FieldOfKey(*request.GetDescriptor(), key, &from_file) == nullptr;
      if (in_resource) continue;
    }
    if (!in_resource) {
      field = FieldOfKey(*request.GetDescriptor(), key, &from_file);
      if (field == nullptr || key == "parent" || key == "validate_only" ||
          key == "request_id" || key == "update_mask") {
        problems.Add(
            entry.first, key,
            NoSuchField(*resource->GetDescriptor(), request.GetDescriptor()));
        continue;
      }
    }
    if (IsDoubled(entry.first, field->name(), key, lines, problems)) continue;
    YAML::Node single;
    single[key] = entry.second;
    Message& target = in_resource ? *resource : request;
    if (from_file) {
      ReadMessage(single, "", options, target, problems);
    } else {
      SetField(*field, entry.second, key, options, target, problems);
    }
    (in_resource ? mask : extra).push_back(field->name());
  }
  if (problems.empty()) return true;
  context_.err << "sallyportctl: " << problems.ToString() << "\n";
  code_ = ExitCode::kError;
  return false;
}

bool Planner::PlanDocument(const Document& document) {
  const Collection& collection = *document.target.collection;
  if (collection.message == proto::Deployment::descriptor()) {
    return PlanDeployment(document);
  }
  if (collection.get == nullptr ||
      (collection.create == nullptr &&
       collection.message != proto::ClientCertificate::descriptor())) {
    return Refuse(document, "is nothing that can be applied");
  }
  const auto request = NewMessage(*collection.get->input_type());
  const auto current = NewMessage(*collection.get->output_type());
  SetText(*request, "name", document.target.name);
  const grpc::Status status =
      Call(client_, *collection.get, *request, *current);
  if (status.ok()) return PlanUpdate(document, *current);
  if (ReasonOf(status) != "RESOURCE_NOT_FOUND") {
    return Refuse(document, status);
  }
  return PlanCreate(document);
}

bool Planner::PlanCreate(const Document& document) {
  const Collection& collection = *document.target.collection;
  const MethodDescriptor* method = collection.create;
  std::string what = "create";
  if (method == nullptr) {
    // A client certificate: with one of its own, or a new one.
    const bool has_key = document.node["private_key_pem"] ||
                         document.node["private_key_pem_file"];
    method = FindMethod(has_key ? "ImportClientCertificate"
                                : "GenerateClientCertificate");
    what = has_key ? "import" : "generate";
  }
  const std::shared_ptr<Message> request = NewMessage(*method->input_type());
  SetText(*request, "parent", document.target.parent);
  SetText(*request, collection.field + "_id", document.target.id);
  Message* const resource = request->GetReflection()->MutableMessage(
      request.get(), ResourceField(*method->input_type(), collection));
  std::vector<std::string> mask;
  std::vector<std::string> extra;
  if (!Fill(document, resource, *request, mask, extra)) return false;

  Step step;
  step.what = what;
  step.name = document.target.name;
  for (const auto& [path, value] : LeavesOf(*resource)) {
    step.lines.push_back(absl::StrCat("+ ", path, ": ", Shown(value)));
  }
  // Keys are nobody's business.
  for (const std::string& field : extra) {
    step.lines.push_back(absl::StrCat("+ ", field));
  }
  SetValidateOnly(*request, true);
  const auto response = NewMessage(*method->output_type());
  const grpc::Status checked = Call(client_, *method, *request, *response);
  if (!checked.ok() && !IsForLater(checked)) return Refuse(document, checked);
  SetValidateOnly(*request, false);
  step.run = [this, method, request] {
    SetText(*request, "request_id", NewRequestId());
    const auto answer = NewMessage(*method->output_type());
    return Call(client_, *method, *request, *answer);
  };
  plan_.steps.push_back(std::move(step));
  creates_.insert(document.target.name);
  if (collection.message == proto::Route::descriptor()) {
    changed_apis_.insert(document.target.parent);
  }
  return true;
}

bool Planner::PlanUpdate(const Document& document, const Message& current) {
  const Collection& collection = *document.target.collection;
  const Descriptor* const type = collection.message;
  if (collection.update == nullptr) {
    ++plan_.unchanged;
    return true;
  }
  const MethodDescriptor& method = *collection.update;
  const std::shared_ptr<Message> request = NewMessage(*method.input_type());
  Message* const resource = request->GetReflection()->MutableMessage(
      request.get(), ResourceField(*method.input_type(), collection));
  // Fields that only a creation knows are read there.
  const MethodDescriptor* const creation =
      collection.create != nullptr ? collection.create
                                   : FindMethod("ImportClientCertificate");
  const auto create = NewMessage(*creation->input_type());
  std::vector<std::string> mask;
  std::vector<std::string> extra;
  if (collection.create == nullptr) {
    // "key_type" and "common_name" of one that is generated say nothing more.
    Document rest;
    rest.file = document.file;
    rest.target = document.target;
    rest.node.reset(YAML::Clone(document.node));
    rest.node.remove("key_type");
    rest.node.remove("common_name");
    if (!Fill(rest, resource, *create, mask, extra)) return false;
  } else if (!Fill(document, resource, *create, mask, extra)) {
    return false;
  }
  mask.erase(std::remove(mask.begin(), mask.end(), "etag"), mask.end());
  SetText(*resource, "name", document.target.name);
  // What is applied is what was shown.
  if (TextOf(*resource, "etag").empty()) {
    SetText(*resource, "etag", TextOf(current, "etag"));
  }

  // Content comes and goes in other ways than fields.
  std::vector<Step> more;
  if (type == proto::Truststore::descriptor()) {
    const auto& wanted =
        static_cast<const proto::CreateTruststoreRequest&>(*create);
    const auto& truststore = static_cast<const proto::Truststore&>(current);
    if (!wanted.pem().empty()) {
      const std::string sha256 = Sha256Hex(wanted.pem());
      std::string active;
      if (!truststore.active_version().empty()) {
        proto::GetTruststoreVersionRequest get;
        get.set_name(truststore.active_version());
        proto::TruststoreVersion version;
        const grpc::Status status =
            Call(client_, *FindMethod("GetTruststoreVersion"), get, version);
        if (!status.ok()) return Refuse(document, status);
        active = version.sha256();
      }
      if (active != sha256) {
        auto add = std::make_shared<proto::CreateTruststoreVersionRequest>();
        add->set_parent(document.target.name);
        add->set_pem(wanted.pem());
        add->set_activate(true);
        add->set_force(wanted.force());
        const MethodDescriptor* const add_method =
            FindMethod("CreateTruststoreVersion");
        add->set_validate_only(true);
        proto::TruststoreVersion version;
        const grpc::Status checked = Call(client_, *add_method, *add, version);
        if (!checked.ok()) return Refuse(document, checked);
        add->set_validate_only(false);
        Step step;
        step.what = "activate a new version of";
        step.name = document.target.name;
        if (!active.empty()) {
          step.lines.push_back(absl::StrCat("- pem: sha256 ", active));
        }
        step.lines.push_back(absl::StrCat("+ pem: sha256 ", sha256, ", ",
                                          version.certificate_count(),
                                          " certificates"));
        for (const proto::Warning& warning : version.warnings()) {
          step.lines.push_back(absl::StrCat("! ", Printable(warning.subject()),
                                            ": ", Printable(warning.message()),
                                            " (", warning.reason(), ")"));
        }
        step.run = [this, add, add_method] {
          add->set_request_id(NewRequestId());
          proto::TruststoreVersion answer;
          return Call(client_, *add_method, *add, answer);
        };
        more.push_back(std::move(step));
      }
    }
  } else if (type == proto::ServerCertificate::descriptor()) {
    const auto& wanted =
        static_cast<const proto::CreateServerCertificateRequest&>(*create);
    const auto& certificate =
        static_cast<const proto::ServerCertificate&>(current);
    if (wanted.has_material() &&
        PlainPem(wanted.material().certificate_chain_pem()) !=
            PlainPem(certificate.certificate_chain_pem())) {
      auto import = std::make_shared<proto::ImportServerCertificateRequest>();
      import->set_name(document.target.name);
      *import->mutable_material() = wanted.material();
      const MethodDescriptor* const import_method =
          FindMethod("ImportServerCertificate");
      import->set_validate_only(true);
      proto::ServerCertificate answer;
      const grpc::Status checked =
          Call(client_, *import_method, *import, answer);
      if (!checked.ok()) return Refuse(document, checked);
      import->set_validate_only(false);
      Step step;
      step.what = "import again";
      step.name = document.target.name;
      const auto line = [&](absl::string_view mark,
                            const proto::ServerCertificate& c) {
        if (c.certificates().empty()) return;
        step.lines.push_back(absl::StrCat(
            mark, " certificate: ", Printable(c.certificates(0).subject()),
            ", serial ", c.certificates(0).serial(), ", until ",
            TimeOf(c.certificates(0).has_not_after(),
                   c.certificates(0).not_after())));
      };
      line("-", certificate);
      line("+", answer);
      step.run = [this, import, import_method] {
        import->set_request_id(NewRequestId());
        proto::ServerCertificate imported;
        return Call(client_, *import_method, *import, imported);
      };
      more.push_back(std::move(step));
    }
  } else if (type == proto::RevocationList::descriptor()) {
    auto& list = static_cast<proto::RevocationList&>(*resource);
    const auto& there = static_cast<const proto::RevocationList&>(current);
    const auto at = std::find(mask.begin(), mask.end(), "content");
    if (at != mask.end() && Sha256Hex(list.content()) == there.sha256()) {
      mask.erase(at);
      list.clear_content();
    }
  } else if (type == proto::CertificateList::descriptor() &&
             document.node["entries"]) {
    if (!PlanEntries(
            document,
            static_cast<const proto::CreateCertificateListRequest&>(*create))) {
      return false;
    }
  } else if (type == proto::ClientCertificate::descriptor()) {
    const auto& wanted =
        static_cast<const proto::ImportClientCertificateRequest&>(*create);
    const auto& there = static_cast<const proto::ClientCertificate&>(current);
    if (!wanted.certificate_chain_pem().empty() &&
        PlainPem(wanted.certificate_chain_pem()) !=
            PlainPem(there.certificate_chain_pem())) {
      return Refuse(document,
                    "its certificate cannot be changed; make another one, and "
                    "let the stages name that");
    }
  }

  bool changed = false;
  if (!mask.empty()) {
    FieldMask field_mask;
    for (const std::string& path : mask) field_mask.add_paths(path);
    request->GetReflection()
        ->MutableMessage(
            request.get(),
            request->GetDescriptor()->FindFieldByName("update_mask"))
        ->CopyFrom(field_mask);
    SetValidateOnly(*request, true);
    const auto after = NewMessage(*method.output_type());
    const grpc::Status checked = Call(client_, method, *request, *after);
    if (!checked.ok() && !IsForLater(checked)) {
      return Refuse(document, checked);
    }
    const std::unique_ptr<Message> before(current.New());
    before->CopyFrom(current);
    if (!checked.ok()) {
      // Not to be asked yet: what the file says, beside what there is.
      after->CopyFrom(current);
      for (const std::string& path : mask) {
        const FieldDescriptor* field = type->FindFieldByName(path);
        const std::unique_ptr<Message> part(resource->New());
        after->GetReflection()->ClearField(after.get(), field);
        part->CopyFrom(*resource);
        for (int i = 0; i < type->field_count(); ++i) {
          if (type->field(i) != field) {
            part->GetReflection()->ClearField(part.get(), type->field(i));
          }
        }
        after->MergeFrom(*part);
      }
    }
    if (type == proto::RevocationList::descriptor()) {
      // Its content is shown by its digest, which the service says.
      const auto& a = static_cast<const proto::RevocationList&>(*before);
      const auto& b = static_cast<const proto::RevocationList&>(*after);
      changed = a.sha256() != b.sha256();
    }
    ClearOutputOnly(*before);
    ClearOutputOnly(*after);
    if (changed || !MessageDifferencer::Equals(*before, *after)) {
      changed = true;
      Step step;
      step.what = "update";
      step.name = document.target.name;
      step.lines = DiffLines(*before, *after);
      if (step.lines.empty()) step.lines.emplace_back("+ content");
      SetValidateOnly(*request, false);
      const MethodDescriptor* const update = &method;
      step.run = [this, update, request] {
        SetText(*request, "request_id", NewRequestId());
        const auto answer = NewMessage(*update->output_type());
        return Call(client_, *update, *request, *answer);
      };
      plan_.steps.push_back(std::move(step));
      if (type == proto::Route::descriptor()) {
        changed_apis_.insert(document.target.parent);
      }
    }
  }
  if (!changed && more.empty()) ++plan_.unchanged;
  for (Step& step : more) plan_.steps.push_back(std::move(step));
  return true;
}

// A comparable text of an entry without its comment.
std::string EntryKey(const proto::CertificateListEntry& entry) {
  proto::CertificateListEntry plain = entry;
  plain.clear_comment();
  return plain.SerializeAsString();
}

bool Planner::PlanEntries(const Document& document,
                          const proto::CreateCertificateListRequest& wanted) {
  proto::ListCertificateListEntriesRequest request;
  request.set_parent(document.target.name);
  std::map<std::string, proto::CertificateListEntry> there;
  const grpc::Status status = CallPages(
      client_, *FindMethod("ListCertificateListEntries"), request,
      [&](const Message& page) {
        for (const auto& entry :
             static_cast<const proto::ListCertificateListEntriesResponse&>(page)
                 .entries()) {
          there[EntryKey(entry)] = entry;
        }
        return true;
      });
  if (!status.ok()) return Refuse(document, status);
  auto modify = std::make_shared<proto::ModifyCertificateListEntriesRequest>();
  modify->set_name(document.target.name);
  Step step;
  std::set<std::string> named;
  for (const auto& entry : wanted.entries()) {
    named.insert(EntryKey(entry));
    const auto at = there.find(EntryKey(entry));
    if (at != there.end() && at->second.comment() == entry.comment()) continue;
    *modify->add_add() = entry;
    step.lines.push_back(absl::StrCat("+ entry ", Shown(JsonOf(entry))));
  }
  for (const auto& [key, entry] : there) {
    if (named.count(key) > 0) continue;
    *modify->add_remove() = entry;
    step.lines.push_back(absl::StrCat("- entry ", Shown(JsonOf(entry))));
  }
  if (step.lines.empty()) return true;
  step.what = "change the entries of";
  step.name = document.target.name;
  step.run = [this, modify] {
    modify->set_request_id(NewRequestId());
    proto::CertificateList answer;
    return Call(client_, *FindMethod("ModifyCertificateListEntries"), *modify,
                answer);
  };
  plan_.steps.push_back(std::move(step));
  return true;
}

// A route, as far as a deployment keeps it.
std::string RouteKey(const proto::Route& route) {
  proto::Route plain = route;
  ClearOutputOnly(plain);
  plain.clear_warnings();
  return plain.SerializeAsString();
}

// A deployment is made when the stage that it is for does not serve the API's
// routes as they are now.
bool Planner::PlanDeployment(const Document& document) {
  const std::string& api = document.target.parent;
  auto request = std::make_shared<proto::CreateDeploymentRequest>();
  request->set_parent(api);
  std::vector<std::string> mask;
  std::vector<std::string> extra;
  if (!Fill(document, request->mutable_deployment(), *request, mask, extra)) {
    return false;
  }
  if (request->stage().empty()) {
    return Refuse(document, "has no stage; say which one is to serve it");
  }
  bool wanted = changed_apis_.count(api) > 0;
  if (!wanted) {
    std::set<std::string> routes;
    proto::ListRoutesRequest list;
    list.set_parent(api);
    grpc::Status status = CallPages(
        client_, *FindMethod("ListRoutes"), list, [&](const Message& page) {
          for (const auto& route :
               static_cast<const proto::ListRoutesResponse&>(page).routes()) {
            routes.insert(RouteKey(route));
          }
          return true;
        });
    if (!status.ok() && ReasonOf(status) != "RESOURCE_NOT_FOUND") {
      return Refuse(document, status);
    }
    proto::GetStageRequest get_stage;
    get_stage.set_name(request->stage());
    proto::Stage stage;
    proto::Deployment deployment;
    status = Call(client_, *FindMethod("GetStage"), get_stage, stage);
    if (status.ok() && !stage.deployment().empty()) {
      proto::GetDeploymentRequest get;
      get.set_name(stage.deployment());
      status = Call(client_, *FindMethod("GetDeployment"), get, deployment);
    }
    if (!status.ok() && ReasonOf(status) != "RESOURCE_NOT_FOUND") {
      return Refuse(document, status);
    }
    std::set<std::string> deployed;
    for (const auto& route : deployment.routes()) {
      deployed.insert(RouteKey(route));
    }
    wanted = stage.deployment().empty() || deployed != routes;
  }
  if (!wanted) {
    ++plan_.unchanged;
    return true;
  }
  Step step;
  step.what = "deploy";
  step.name = api;
  step.lines = {absl::StrCat("+ deployment for ", request->stage())};
  step.run = [this, request] {
    request->set_request_id(NewRequestId());
    proto::Deployment answer;
    return Call(client_, *FindMethod("CreateDeployment"), *request, answer);
  };
  plan_.steps.push_back(std::move(step));
  return true;
}

void Show(const Plan& plan, std::ostream& out) {
  for (const Step& step : plan.steps) {
    out << step.what << " " << Printable(step.name) << "\n";
    for (const std::string& line : step.lines) out << "  " << line << "\n";
  }
  if (plan.unchanged > 0) {
    out << plan.unchanged << " unchanged\n";
  }
}

struct Arguments {
  std::vector<std::string> files;
  std::vector<std::string> versions;
  bool yes = false;
  bool exit_code = false;
  bool files_anywhere = false;
};

ExitCode Apply(const Client& client, const Arguments& arguments,
               Context& context) {
  Planner planner(client, arguments.files_anywhere, context);
  if (!planner.ReadFiles(arguments.files) || !planner.Make()) {
    return planner.code();
  }
  const Plan& plan = planner.plan();
  Show(plan, context.out);
  if (plan.steps.empty()) return ExitCode::kOk;
  if (!arguments.yes) {
    context.out << "Apply? Only \"yes\" does: " << std::flush;
    std::string answer;
    std::getline(context.in, answer);
    if (absl::StripAsciiWhitespace(answer) != "yes") {
      context.err << "\nsallyportctl: nothing was changed; --yes applies "
                     "without asking\n";
      return ExitCode::kError;
    }
  }
  size_t done = 0;
  for (const Step& step : plan.steps) {
    const grpc::Status status = step.run();
    if (!status.ok()) {
      const ExitCode code = Fail(status, context);
      context.err << "sallyportctl: " << done << " of " << plan.steps.size()
                  << " changes were made before \"" << step.what << " "
                  << Printable(step.name)
                  << "\" failed; mend it and apply again\n";
      return code;
    }
    ++done;
    context.out << "done: " << step.what << " " << Printable(step.name)
                << std::endl;
  }
  return ExitCode::kOk;
}

// What one version of a truststore has and another has not.
ExitCode DiffVersions(const Client& client, const ClientOptions& options,
                      const Arguments& arguments, Context& context) {
  proto::DiffTruststoreVersionsRequest request;
  proto::DiffTruststoreVersionsResponse response;
  for (size_t i = 0; i < 2; ++i) {
    const absl::StatusOr<Target> target = ParseTarget(arguments.versions[i]);
    if (!target.ok()) return CannotDo(target.status(), context);
    if (target->collection->message != proto::TruststoreVersion::descriptor() ||
        target->is_collection()) {
      return CannotDo(absl::InvalidArgumentError(absl::StrCat(
                          "\"", Printable(arguments.versions[i]),
                          "\" is no version, truststores/ID/versions/NUMBER")),
                      context);
    }
    if (i == 0) {
      request.set_from(target->name);
    } else {
      request.set_to(target->name);
    }
  }
  std::string lines;
  const auto line = [&](absl::string_view mark,
                        const proto::CertificateInfo& certificate) {
    absl::StrAppend(
        &lines, mark, " ", Printable(certificate.subject()), ", until ",
        TimeOf(certificate.has_not_after(), certificate.not_after()), ", ",
        Printable(certificate.certificate_sha256().substr(0, 16)), "\n");
  };
  int differences = 0;
  const grpc::Status status = CallPages(
      client, *FindMethod("DiffTruststoreVersions"), request,
      [&](const Message& page) {
        const auto& diff =
            static_cast<const proto::DiffTruststoreVersionsResponse&>(page);
        if (options.json) context.out << JsonOf(diff);
        for (const auto& certificate : diff.added()) line("+", certificate);
        for (const auto& certificate : diff.removed()) line("-", certificate);
        for (const auto& change : diff.changed()) {
          line("<", change.before());
          line(change.same_key() ? "> (same key)" : "> (new key)",
               change.after());
        }
        differences =
            diff.added_count() + diff.removed_count() + diff.changed_count();
        response = diff;
        return true;
      });
  if (!status.ok()) return Fail(status, context);
  if (!options.json) {
    context.out << lines << response.added_count() << " added, "
                << response.removed_count() << " removed, "
                << response.changed_count() << " changed\n";
  }
  return arguments.exit_code && differences > 0 ? ExitCode::kRefused
                                                : ExitCode::kOk;
}

ExitCode Diff(const Client& client, const ClientOptions& options,
              const Arguments& arguments, Context& context) {
  if (arguments.files.empty() == (arguments.versions.size() != 2)) {
    return CannotDo(absl::InvalidArgumentError(
                        "give two versions of truststores, or files with -f"),
                    context);
  }
  if (arguments.files.empty()) {
    return DiffVersions(client, options, arguments, context);
  }
  Planner planner(client, arguments.files_anywhere, context);
  if (!planner.ReadFiles(arguments.files) || !planner.Make()) {
    return planner.code();
  }
  Show(planner.plan(), context.out);
  return arguments.exit_code && !planner.plan().steps.empty()
             ? ExitCode::kRefused
             : ExitCode::kOk;
}

}  // namespace

void AddApplyCommands(CLI::App& app, Command& selected) {
  auto apply = std::make_shared<Arguments>();
  CLI::App* command = AddCommand(
      app, "apply",
      "Make resources what YAML files say: shows the difference, asks, and "
      "changes what differs",
      selected,
      [apply](const Client& client, const ClientOptions&, Context& context) {
        return Apply(client, *apply, context);
      });
  command
      ->add_option("-f,--file", apply->files,
                   "a file with documents, one for each resource; fields that "
                   "it does not name stay as they are; - for standard input")
      ->required();
  command->add_flag("-y,--yes", apply->yes, "do not ask");
  AddFilesAnywhere(*command, apply->files_anywhere);

  auto diff = std::make_shared<Arguments>();
  command = AddCommand(
      app, "diff",
      "Show what apply would change, or what one version of a truststore has "
      "and another has not",
      selected,
      [diff](const Client& client, const ClientOptions& o, Context& context) {
        return Diff(client, o, *diff, context);
      });
  command->add_option("-f,--file", diff->files, "files, as for apply");
  AddFilesAnywhere(*command, diff->files_anywhere);
  command->add_option("VERSION", diff->versions,
                      "two versions, as truststores/ID/versions/NUMBER");
  command->add_flag("--exit-code", diff->exit_code,
                    "end with 1 when there is a difference");
}

}  // namespace sallyport::cli::online
