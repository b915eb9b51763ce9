#include "cli/online/catalog.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/text.h"
#include "google/api/field_behavior.pb.h"
#include "google/api/resource.pb.h"
#include "proto/sallyport/config/v1/access_key.pb.h"
#include "proto/sallyport/config/v1/api.pb.h"
#include "proto/sallyport/config/v1/api_mapping.pb.h"
#include "proto/sallyport/config/v1/audit.pb.h"
#include "proto/sallyport/config/v1/client_certificate.pb.h"
#include "proto/sallyport/config/v1/domain_name.pb.h"
#include "proto/sallyport/config/v1/fleet.pb.h"
#include "proto/sallyport/config/v1/issuer.pb.h"
#include "proto/sallyport/config/v1/revocation.pb.h"
#include "proto/sallyport/config/v1/server_certificate.pb.h"
#include "proto/sallyport/config/v1/state.pb.h"
#include "proto/sallyport/config/v1/truststore.pb.h"

namespace sallyport::cli::online {
namespace {

namespace proto = sallyport::config::v1;
using google::protobuf::ServiceDescriptor;

struct Row {
  const Descriptor* message;
  std::vector<std::string> columns;
  // For what is no resource: the pattern and the method that lists it.
  std::string pattern = {};
  std::string list = {};
};

// The table.
std::vector<Row> Rows() {
  return {
      {proto::RevocationList::descriptor(),
       {"list_count", "entry_count", "next_update", "description"}},
      {proto::CertificateList::descriptor(),
       {"kind", "everywhere", "entry_count", "description"}},
      {proto::Truststore::descriptor(),
       {"active_version", "chain_policy", "conditions", "warning_count",
        "description", "update_time"}},
      {proto::TruststoreVersion::descriptor(),
       {"state", "certificate_count", "gives_trust", "warning_count",
        "first_expiry", "create_time", "description"}},
      {proto::Issuer::descriptor(), {"domains", "validity", "not_after"}},
      {proto::ServerCertificate::descriptor(),
       {"active_version", "origin", "not_after", "conditions", "description"}},
      {proto::ServerCertificateVersion::descriptor(),
       {"active", "create_time"}},
      {proto::ClientCertificate::descriptor(),
       {"origin", "not_after", "stages", "conditions", "description"}},
      {proto::Fleet::descriptor(),
       {"listen_address", "listen_port", "connected_node_count", "node_count",
        "description"}},
      {proto::Node::descriptor(),
       {"connected", "acknowledged_revision", "lag", "refusal_count", "address",
        "software_version", "last_seen_time"}},
      {proto::Api::descriptor(),
       {"display_name", "endpoint_type", "disable_default_endpoint",
        "default_endpoint", "description"}},
      {proto::Route::descriptor(), {"method", "path", "integration"}},
      // A deployment is made for a stage, which names it from then on.
      {proto::Stage::descriptor(),
       {"deployment", "client_certificate", "description"}},
      {proto::Deployment::descriptor(),
       {"route_count", "stages", "create_time", "description"}},
      {proto::DomainName::descriptor(),
       {"status", "server_certificate", "security_policy", "conditions",
        "description"}},
      {proto::ApiMapping::descriptor(), {"base_path", "stage"}},
      {proto::AccessKey::descriptor(), {"owner", "role", "create_time"}},
      {proto::AuditEntry::descriptor(),
       {"time", "principal", "method", "changes"}},
      {proto::ListTruststoreCertificatesResponse::Entry::descriptor(),
       {"index", "certificate.subject", "certificate.issuer",
        "certificate.not_after", "certificate.key", "warnings"},
       "truststores/{truststore}/versions/{version}/certificates/{index}",
       "ListTruststoreCertificates"},
      {proto::CertificateListEntry::descriptor(),
       {"certificate_sha256", "spki_sha256", "issuer_and_serial", "comment"},
       "certificateLists/{certificate_list}/entries/{entry}",
       "ListCertificateListEntries"},
  };
}

// "truststore_version" of "TruststoreVersion".
std::string Snake(const std::string& name) {
  std::string out;
  for (const char c : name) {
    if (absl::ascii_isupper(static_cast<unsigned char>(c))) {
      if (!out.empty()) out += '_';
      out += absl::ascii_tolower(static_cast<unsigned char>(c));
    } else {
      out += c;
    }
  }
  return out;
}

std::string Capitalized(std::string name) {
  if (!name.empty()) {
    name[0] = absl::ascii_toupper(static_cast<unsigned char>(name[0]));
  }
  return name;
}

// For comparing words: "server-certificates" is "serverCertificates".
std::string Plain(absl::string_view word) {
  std::string out;
  for (const char c : word) {
    if (c == '-' || c == '_' || c == '{' || c == '}') continue;
    out += absl::ascii_tolower(static_cast<unsigned char>(c));
  }
  return out;
}

std::vector<Collection> Build() {
  std::vector<Collection> out;
  for (const Row& row : Rows()) {
    Collection c;
    c.message = row.message;
    c.columns = row.columns;
    if (!row.pattern.empty()) {
      c.pattern = absl::StrSplit(row.pattern, '/');
      c.list = FindMethod(row.list);
    } else {
      const auto& resource =
          row.message->options().GetExtension(google::api::resource);
      c.pattern = absl::StrSplit(resource.pattern(0), '/');
      c.field = Snake(row.message->name());
      const std::string& name = row.message->name();
      c.get = FindMethod("Get" + name);
      c.list = FindMethod("List" + Capitalized(resource.plural()));
      c.create = FindMethod("Create" + name);
      c.update = FindMethod("Update" + name);
      c.remove = FindMethod("Delete" + name);
    }
    out.push_back(std::move(c));
  }
  return out;
}

std::string Forms() {
  std::vector<std::string> forms;
  for (const Collection& c : Catalog()) forms.push_back("  " + c.Form(true));
  return absl::StrJoin(forms, "\n");
}

}  // namespace

std::vector<const ServiceDescriptor*> Services() {
  std::vector<const ServiceDescriptor*> out;
  for (const Descriptor* message :
       {proto::AccessKey::descriptor(), proto::Api::descriptor(),
        proto::ApiMapping::descriptor(), proto::AuditEntry::descriptor(),
        proto::ClientCertificate::descriptor(), proto::DomainName::descriptor(),
        proto::Fleet::descriptor(), proto::Issuer::descriptor(),
        proto::RevocationList::descriptor(),
        proto::ServerCertificate::descriptor(),
        proto::ExportStateRequest::descriptor(),
        proto::Truststore::descriptor()}) {
    for (int i = 0; i < message->file()->service_count(); ++i) {
      out.push_back(message->file()->service(i));
    }
  }
  return out;
}

std::string Collection::Form(bool with_id) const {
  std::vector<std::string> words(pattern.begin(),
                                 pattern.end() - (with_id ? 0 : 1));
  for (std::string& word : words) {
    if (absl::StartsWith(word, "{")) {
      word = absl::AsciiStrToUpper(word.substr(1, word.size() - 2));
    }
  }
  return absl::StrJoin(words, "/");
}

const std::vector<Collection>& Catalog() {
  static const auto* const kCatalog = new std::vector<Collection>(Build());
  return *kCatalog;
}

absl::StatusOr<Target> ParseTarget(absl::string_view text) {
  const std::vector<std::string> words = absl::StrSplit(text, '/');
  const std::vector<Collection>& catalog = Catalog();
  for (size_t i = 0; i < catalog.size(); ++i) {
    const Collection& c = catalog[i];
    if (words.size() != c.pattern.size() &&
        words.size() + 1 != c.pattern.size()) {
      continue;
    }
    std::vector<std::string> canonical = words;
    bool fits = true;
    for (size_t w = 0; w < words.size() && fits; ++w) {
      if (absl::StartsWith(c.pattern[w], "{")) {
        fits = !words[w].empty();
      } else {
        // "truststore" does for "truststores".
        fits = Plain(words[w]) == Plain(c.pattern[w]) ||
               (w + 1 < c.pattern.size() &&
                Plain(words[w]) == Plain(c.pattern[w + 1]));
        canonical[w] = c.pattern[w];
      }
    }
    if (!fits) continue;
    Target out;
    out.collection = &c;
    out.order = i;
    if (words.size() == c.pattern.size()) {
      out.id = canonical.back();
      out.name = absl::StrJoin(canonical, "/");
    }
    out.parent = absl::StrJoin(
        canonical.begin(),
        canonical.begin() + static_cast<std::ptrdiff_t>(c.pattern.size()) - 2,
        "/");
    return out;
  }
  return absl::InvalidArgumentError(absl::StrCat(
      "\"", Printable(text), "\" names no resource; they are\n", Forms()));
}

const MethodDescriptor* FindMethod(absl::string_view name) {
  const size_t slash = name.rfind('/');
  const std::string service(
      slash == absl::string_view::npos ? "" : name.substr(0, slash));
  const std::string method(
      slash == absl::string_view::npos ? name : name.substr(slash + 1));
  for (const ServiceDescriptor* candidate : Services()) {
    if (!service.empty() && candidate->name() != service &&
        candidate->full_name() != service) {
      continue;
    }
    const MethodDescriptor* found = candidate->FindMethodByName(method);
    if (found != nullptr) return found;
  }
  return nullptr;
}

const FieldDescriptor* ResourceField(const Descriptor& request,
                                     const Collection& collection) {
  const FieldDescriptor* field = request.FindFieldByName(collection.field);
  return field != nullptr && field->message_type() == collection.message
             ? field
             : nullptr;
}

bool IsOutputOnly(const FieldDescriptor& field) {
  const auto& options = field.options();
  for (int i = 0; i < options.ExtensionSize(google::api::field_behavior); ++i) {
    if (options.GetExtension(google::api::field_behavior, i) ==
        google::api::OUTPUT_ONLY) {
      return true;
    }
  }
  return false;
}

}  // namespace sallyport::cli::online
