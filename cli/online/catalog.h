// Catalog: the resources of the API and the methods that they have. One table
// says which there are, in which order, and what a list of them shows; the rest
// comes from the descriptors of the protocol buffers.

#ifndef SALLYPORT_CLI_ONLINE_CATALOG_H_
#define SALLYPORT_CLI_ONLINE_CATALOG_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "google/protobuf/descriptor.h"

namespace sallyport::cli::online {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::MethodDescriptor;

// All resources of one kind.
struct Collection {
  // "Truststore". What is listed and is no resource of its own (the
  // certificates of a version) has the message of the list.
  const Descriptor* message = nullptr;
  // {"truststores", "{truststore}", "versions", "{version}"}.
  std::vector<std::string> pattern;
  // Paths of the fields that a table shows beside the name.
  std::vector<std::string> columns;
  // The AIP methods; null: there is none.
  const MethodDescriptor* get = nullptr;
  const MethodDescriptor* list = nullptr;
  const MethodDescriptor* create = nullptr;
  const MethodDescriptor* update = nullptr;
  const MethodDescriptor* remove = nullptr;
  // "truststore_version": the field of it in requests, without "_id".
  std::string field;

  // "truststores/ID/versions".
  std::string Form(bool with_id) const;
};

// In the order in which resources can be made: what is named comes before what
// names it.
const std::vector<Collection>& Catalog();

// The services of the API.
std::vector<const google::protobuf::ServiceDescriptor*> Services();

// What a word of the command line, or of a file, means.
struct Target {
  const Collection* collection = nullptr;
  // Position in Catalog().
  size_t order = 0;
  // As the API wants it; of a collection, that of the parent ("": none).
  std::string name;
  std::string parent;
  std::string id;  // empty: the collection itself
  bool is_collection() const { return id.empty(); }
};

// "truststores/p/versions/2", "truststores/p/versions", "truststores". Also
// with the words written as "server-certificates". InvalidArgument says which
// there are.
absl::StatusOr<Target> ParseTarget(absl::string_view text);

// The method with this name, as in "RollbackTruststore" or
// "Truststores/RollbackTruststore"; null: none.
const MethodDescriptor* FindMethod(absl::string_view name);

// The field of `request` that has the resource; null: none.
const FieldDescriptor* ResourceField(const Descriptor& request,
                                     const Collection& collection);

bool IsOutputOnly(const FieldDescriptor& field);

}  // namespace sallyport::cli::online

#endif  // SALLYPORT_CLI_ONLINE_CATALOG_H_
