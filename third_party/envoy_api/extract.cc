// Writes Envoy's API as .proto files, read out of the Envoy program.
//
// Usage: extract ENVOY FOLDER FILE...
//
// A C++ program that uses Protocol Buffers holds the serialised
// FileDescriptorProto of each of its .proto files; Envoy's linker puts them
// into a section of their own. So the API that is compiled here is, by
// construction, the one that the pinned Envoy speaks, with the newest fields
// and their numbers.
//
// FILE is the import name of each .proto file to write (envoy/.../x.proto);
// with them, everything that they import must be named, but for google/. Custom
// options (rules for validation, status of a field) are left out, with the
// imports that only they need: they say nothing about the wire, and cost half
// of the compile time.

#include <elf.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "google/protobuf/descriptor.h"
#include "google/protobuf/descriptor.pb.h"
#include "google/protobuf/descriptor_database.h"
#include "google/protobuf/io/coded_stream.h"
#include "google/protobuf/wire_format_lite.h"

namespace {

using ::google::protobuf::DescriptorPool;
using ::google::protobuf::FieldDescriptor;
using ::google::protobuf::FileDescriptor;
using ::google::protobuf::FileDescriptorProto;
using ::google::protobuf::SimpleDescriptorDatabase;
using ::google::protobuf::internal::WireFormatLite;
using ::google::protobuf::io::CodedInputStream;

constexpr std::string_view kSection = "protodesc_cold";
constexpr std::string_view kSuffix = ".proto";

// Imports of these are for custom options alone.
constexpr std::string_view kOptionsOnly[] = {
    "envoy/annotations/", "google/api/annotations.proto",
    "udpa/annotations/",  "validate/",
    "xds/annotations/",
};

bool StartsWith(std::string_view text, std::string_view prefix) {
  return text.substr(0, prefix.size()) == prefix;
}

bool EndsWith(std::string_view text, std::string_view suffix) {
  return text.size() >= suffix.size() &&
         text.substr(text.size() - suffix.size()) == suffix;
}

// Copies a T from `offset`; false if it does not lie inside.
template <typename T>
bool ReadAt(std::string_view bytes, uint64_t offset, T* out) {
  if (offset > bytes.size() || bytes.size() - offset < sizeof(T)) {
    return false;
  }
  std::memcpy(out, bytes.data() + offset, sizeof(T));
  return true;
}

// The contents of the section `name` of a 64-bit ELF file, a view into `elf`.
std::optional<std::string_view> FindSection(std::string_view elf,
                                            std::string_view name) {
  Elf64_Ehdr header;
  if (!ReadAt(elf, 0, &header) ||
      std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 ||
      header.e_ident[EI_CLASS] != ELFCLASS64) {
    return std::nullopt;
  }
  const auto section = [&](uint64_t index, Elf64_Shdr* out) {
    return ReadAt(elf, header.e_shoff + index * sizeof(Elf64_Shdr), out);
  };
  const auto contents = [&](const Elf64_Shdr& s) -> std::string_view {
    return s.sh_offset <= elf.size() ? elf.substr(s.sh_offset, s.sh_size)
                                     : std::string_view();
  };
  Elf64_Shdr names;
  if (!section(header.e_shstrndx, &names)) {
    return std::nullopt;
  }
  for (uint64_t i = 0; i < header.e_shnum; ++i) {
    Elf64_Shdr candidate;
    if (!section(i, &candidate)) {
      return std::nullopt;
    }
    const std::string_view all = contents(names);
    if (candidate.sh_name < all.size()) {
      const std::string_view rest = all.substr(candidate.sh_name);
      if (rest.substr(0, rest.find('\0')) == name) {
        return contents(candidate);
      }
    }
  }
  return std::nullopt;
}

// The name of the FileDescriptorProto that starts at the front of `bytes`, if
// one does: field 1, a length, and a path that ends in .proto.
std::optional<std::string_view> NameAtFront(std::string_view bytes) {
  if (bytes.empty() || bytes[0] != '\x0a') {
    return std::nullopt;
  }
  // Long enough for a length of 5 bytes and any name.
  const std::string_view front = bytes.substr(0, 512);
  CodedInputStream in(reinterpret_cast<const uint8_t*>(front.data()),
                      static_cast<int>(front.size()));
  uint32_t length = 0;
  in.ReadTag();
  if (!in.ReadVarint32(&length)) {
    return std::nullopt;
  }
  const auto start = static_cast<size_t>(in.CurrentPosition());
  if (length > front.size() - start) {
    return std::nullopt;
  }
  const std::string_view name = front.substr(start, length);
  if (!EndsWith(name, kSuffix)) {
    return std::nullopt;
  }
  for (const char c : name) {
    if (c < '!' || c > '~') {
      return std::nullopt;
    }
  }
  return name;
}

// How many bytes of the front of `bytes` are one FileDescriptorProto: up to the
// first that is no field of it, or a second name, which the next one begins
// with.
size_t DescriptorLength(std::string_view bytes) {
  CodedInputStream in(reinterpret_cast<const uint8_t*>(bytes.data()),
                      static_cast<int>(bytes.size()));
  size_t length = 0;
  while (true) {
    const uint32_t tag = in.ReadTag();
    const int number = WireFormatLite::GetTagFieldNumber(tag);
    const FieldDescriptor* field =
        FileDescriptorProto::descriptor()->FindFieldByNumber(number);
    if (field == nullptr ||
        (number == FileDescriptorProto::kNameFieldNumber && length > 0)) {
      return length;
    }
    const WireFormatLite::WireType type = WireFormatLite::GetTagWireType(tag);
    const WireFormatLite::WireType expected =
        WireFormatLite::WireTypeForFieldType(
            static_cast<WireFormatLite::FieldType>(field->type()));
    if (type != expected || !WireFormatLite::SkipField(&in, tag)) {
      return length;
    }
    length = static_cast<size_t>(in.CurrentPosition());
  }
}

// Takes the mark "deprecated" off enum values: generated headers name each
// value themselves, so that whoever includes one would be warned. Fields keep
// it.
void UndeprecateValues(::google::protobuf::EnumDescriptorProto* type) {
  for (auto& value : *type->mutable_value()) {
    if (value.has_options()) {
      value.mutable_options()->clear_deprecated();
    }
  }
}

void UndeprecateValues(::google::protobuf::DescriptorProto* type) {
  for (auto& inner : *type->mutable_enum_type()) {
    UndeprecateValues(&inner);
  }
  for (auto& inner : *type->mutable_nested_type()) {
    UndeprecateValues(&inner);
  }
}

void UndeprecateValues(FileDescriptorProto* file) {
  for (auto& type : *file->mutable_enum_type()) {
    UndeprecateValues(&type);
  }
  for (auto& type : *file->mutable_message_type()) {
    UndeprecateValues(&type);
  }
}

// All files that the section describes, without custom options, by name.
// False, with a message on stderr, if two of one name differ.
bool ReadDescriptors(std::string_view section,
                     std::map<std::string, FileDescriptorProto>* out) {
  std::map<std::string, std::string_view> seen;
  for (size_t i = 0; i < section.size();) {
    const std::optional<std::string_view> name = NameAtFront(section.substr(i));
    const size_t length =
        name.has_value() ? DescriptorLength(section.substr(i)) : 0;
    FileDescriptorProto file;
    if (length == 0 ||
        !file.ParseFromArray(section.data() + i, static_cast<int>(length))) {
      ++i;
      continue;
    }
    const std::string_view bytes = section.substr(i, length);
    const auto [position, is_new] = seen.emplace(*name, bytes);
    if (!is_new && position->second != bytes) {
      std::cerr << "extract: this Envoy has two different " << *name << "\n";
      return false;
    }
    // Custom options are fields that FileDescriptorProto does not know.
    file.DiscardUnknownFields();
    UndeprecateValues(&file);
    out->emplace(*name, std::move(file));
    i += length;
  }
  return true;
}

// Takes out the imports that were for options. Adds to `missing` what else is
// imported and not in `wanted`.
bool TrimImports(const std::set<std::string>& wanted, FileDescriptorProto* file,
                 std::set<std::string>* missing) {
  if (file->public_dependency_size() > 0 || file->weak_dependency_size() > 0) {
    std::cerr << "extract: " << file->name() << " has public or weak imports\n";
    return false;
  }
  std::vector<std::string> kept;
  for (const std::string& import : file->dependency()) {
    bool options_only = false;
    for (const std::string_view prefix : kOptionsOnly) {
      options_only = options_only || StartsWith(import, prefix);
    }
    if (!options_only) {
      kept.push_back(import);
      if (!StartsWith(import, "google/") && wanted.count(import) == 0) {
        missing->insert(import);
      }
    }
  }
  file->mutable_dependency()->Assign(kept.begin(), kept.end());
  return true;
}

bool WriteFile(const std::filesystem::path& path, const std::string& text) {
  std::error_code error;
  std::filesystem::create_directories(path.parent_path(), error);
  std::ofstream out(path, std::ios::binary);
  out << text;
  out.close();
  if (!out) {
    std::cerr << "extract: cannot write " << path.string() << "\n";
  }
  return static_cast<bool>(out);
}

// Says on stderr what is wrong with a descriptor.
class Errors : public DescriptorPool::ErrorCollector {
 public:
  void AddError(const std::string& filename, const std::string& element_name,
                const google::protobuf::Message* /*descriptor*/,
                ErrorLocation /*location*/,
                const std::string& message) override {
    std::cerr << "extract: " << filename << ": " << element_name << ": "
              << message << "\n";
  }
};

int Run(const std::string& envoy, const std::string& folder,
        const std::set<std::string>& wanted) {
  std::ifstream in(envoy, std::ios::binary);
  const std::string elf((std::istreambuf_iterator<char>(in)),
                        std::istreambuf_iterator<char>());
  if (!in.good() && !in.eof()) {
    std::cerr << "extract: cannot read " << envoy << "\n";
    return 1;
  }
  const std::optional<std::string_view> section = FindSection(elf, kSection);
  if (!section.has_value()) {
    std::cerr << "extract: " << envoy << " is no program with a section "
              << kSection << "\n";
    return 1;
  }
  std::map<std::string, FileDescriptorProto> files;
  if (!ReadDescriptors(*section, &files)) {
    return 1;
  }

  std::set<std::string> missing;
  bool ok = true;
  for (const std::string& name : wanted) {
    const auto file = files.find(name);
    if (file == files.end()) {
      std::cerr << "extract: this Envoy has no " << name << "\n";
      ok = false;
    } else {
      ok = TrimImports(wanted, &file->second, &missing) && ok;
    }
  }
  for (const std::string& name : missing) {
    std::cerr << "extract: name this one too, another imports it: " << name
              << "\n";
    ok = false;
  }
  if (!ok) {
    return 1;
  }

  SimpleDescriptorDatabase database;
  for (const auto& [name, file] : files) {
    // Others may have imports that are not in `files`; what they break is
    // theirs.
    database.Add(file);
  }
  Errors errors;
  DescriptorPool pool(&database, &errors);
  for (const std::string& name : wanted) {
    const FileDescriptor* file = pool.FindFileByName(name);
    if (file == nullptr) {
      std::cerr << "extract: the descriptor of " << name << " is not valid\n";
      return 1;
    }
    if (!WriteFile(std::filesystem::path(folder) / name, file->DebugString())) {
      return 1;
    }
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) {
    std::cerr << "usage: extract ENVOY FOLDER FILE...\n";
    return 2;
  }
  return Run(argv[1], argv[2], std::set<std::string>(argv + 3, argv + argc));
}
