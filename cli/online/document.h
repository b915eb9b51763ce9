// Documents: messages as YAML, for people to write and to read.
//
// Names are those of the .proto files. Text need not be quoted, bytes are plain
// text (PEM, say), enum values may be written "any-anchor" for ANY_ANCHOR,
// times are RFC 3339, durations "90s" or "5m". For any text or bytes field X,
// X_file names a file that has its value, relative to the document's folder.

#ifndef SALLYPORT_CLI_ONLINE_DOCUMENT_H_
#define SALLYPORT_CLI_ONLINE_DOCUMENT_H_

#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "google/protobuf/message.h"
#include "yaml-cpp/yaml.h"

namespace sallyport::cli::online {

// What is wrong with a document: all of it, a line for each.
class Problems {
 public:
  // `where` is the file; empty: what was typed.
  explicit Problems(std::string where) : where_(std::move(where)) {}
  void Add(const YAML::Node& node, absl::string_view path,
           absl::string_view what);
  bool empty() const { return lines_.empty(); }
  std::string ToString() const;

 private:
  const std::string where_;
  std::vector<std::string> lines_;
};

// Where X_file is looked for.
struct DocumentOptions {
  std::string folder = ".";
  // Files may be anywhere. Else they lie below the folder, also when a link
  // leads to them: who wrote a document is not always who applies it, and what
  // a file has may be shown to others.
  bool files_anywhere = false;
};

// The folder of a file, "." for one that is in no folder, and for "-".
std::string FolderOf(const std::string& file);

// That a field is not there, and which can be set: those of `message`, a
// resource say, and those that `request`, if it is not null, has beside it.
std::string NoSuchField(const google::protobuf::Descriptor& message,
                        const google::protobuf::Descriptor* request);

// Sets `field` of `message` to what `node` says: null clears it.
void SetField(const google::protobuf::FieldDescriptor& field,
              const YAML::Node& node, const std::string& path,
              const DocumentOptions& options,
              google::protobuf::Message& message, Problems& problems);

// Whether `key` means the same as one before it in its mapping: YAML allows no
// key twice (1.2.2, 3.2.1.1), and which of them was meant nobody knows. Then a
// problem is added, at `path`. `name` is what it means, `lines` those that were
// there before.
bool IsDoubled(const YAML::Node& key, const std::string& name,
               absl::string_view path, std::map<std::string, int>& lines,
               Problems& problems);

// The field that a key of a mapping means; `from_file` when it is X_file.
const google::protobuf::FieldDescriptor* FieldOfKey(
    const google::protobuf::Descriptor& message, const std::string& key,
    bool* from_file);

// Sets the fields that the mapping `node` has.
void ReadMessage(const YAML::Node& node, const std::string& path,
                 const DocumentOptions& options,
                 google::protobuf::Message& message, Problems& problems);

// Sets what the path "a.b" or "labels.KEY" leads to. Returns the path for an
// update mask: up to the first map or list.
std::string SetPath(absl::string_view path, const YAML::Node& value,
                    const DocumentOptions& options,
                    google::protobuf::Message& message, Problems& problems);

// The fields of `message` that are set. Everything is printable: what comes
// from outside can forge no line and no terminal sequence.
std::string WriteYaml(const google::protobuf::Message& message);

// One value on one line, for tables: names of enums, times, counts.
std::string CellOf(const google::protobuf::Message& message,
                   absl::string_view path);

// Every leaf of `message` as "path: value", in order, values on one line. For
// comparing.
std::vector<std::pair<std::string, std::string>> LeavesOf(
    const google::protobuf::Message& message);

}  // namespace sallyport::cli::online

#endif  // SALLYPORT_CLI_ONLINE_DOCUMENT_H_
