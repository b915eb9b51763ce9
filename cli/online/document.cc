#include "cli/online/document.h"

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <map>
#include <system_error>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/time/time.h"
#include "base/file.h"
#include "base/limits.h"
#include "base/text.h"
#include "cli/online/catalog.h"
#include "google/protobuf/duration.pb.h"
#include "google/protobuf/timestamp.pb.h"
#include "proto/sallyport/config/v1/common.pb.h"

namespace sallyport::cli::online {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::Duration;
using google::protobuf::EnumDescriptor;
using google::protobuf::EnumValueDescriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;
using google::protobuf::Timestamp;

constexpr size_t kMaxListedFields = 30;
constexpr absl::string_view kFileSuffix = "_file";

bool IsTimestamp(const Descriptor& type) {
  return type.full_name() == "google.protobuf.Timestamp";
}
bool IsDuration(const Descriptor& type) {
  return type.full_name() == "google.protobuf.Duration";
}

std::string PathOf(const std::string& parent, absl::string_view name) {
  return parent.empty() ? std::string(name) : absl::StrCat(parent, ".", name);
}

// "ANY_ANCHOR" of "any-anchor".
const EnumValueDescriptor* ValueNamed(const EnumDescriptor& type,
                                      const std::string& text) {
  return type.FindValueByName(
      absl::AsciiStrToUpper(absl::StrReplaceAll(text, {{"-", "_"}})));
}

std::string ValuesOf(const EnumDescriptor& type) {
  std::vector<std::string> names;
  for (int i = 0; i < type.value_count(); ++i) {
    if (type.value(i)->number() != 0) names.push_back(type.value(i)->name());
  }
  return absl::StrJoin(names, ", ");
}

bool ReadTimestamp(const std::string& text, Message& out) {
  absl::Time time;
  std::string error;
  if (!absl::ParseTime(absl::RFC3339_full, text, &time, &error)) return false;
  Timestamp& to = static_cast<Timestamp&>(out);
  to.set_seconds(absl::ToUnixSeconds(time));
  to.set_nanos(static_cast<int>(
      absl::ToInt64Nanoseconds(time - absl::FromUnixSeconds(to.seconds()))));
  return true;
}

bool ReadDuration(const std::string& text, Message& out) {
  absl::Duration duration;
  if (!absl::ParseDuration(text, &duration) ||
      duration == absl::InfiniteDuration() ||
      duration == -absl::InfiniteDuration()) {
    return false;
  }
  Duration& to = static_cast<Duration&>(out);
  absl::Duration rest;
  to.set_seconds(absl::IDivDuration(duration, absl::Seconds(1), &rest));
  to.set_nanos(static_cast<int>(absl::ToInt64Nanoseconds(rest)));
  return true;
}

// Where a scalar goes: a field, an element of a list, or one of a map's entry.
// `target` has the field `field`; `add` appends.
void ReadScalar(const FieldDescriptor& field, bool add, const YAML::Node& node,
                const std::string& path, Message& target, Problems& problems) {
  const Reflection& r = *target.GetReflection();
  if (!node.IsScalar()) {
    problems.Add(node, path, "is to be one value, not a list or a mapping");
    return;
  }
  const std::string& text = node.Scalar();
  const auto bad = [&](absl::string_view wanted) {
    problems.Add(node, path,
                 absl::StrCat("\"", Printable(text, 64), "\" is ", wanted));
  };
#define SALLYPORT_SET(Type, value)           \
  (add ? r.Add##Type(&target, &field, value) \
       : r.Set##Type(&target, &field, value))
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_STRING:
      SALLYPORT_SET(String, text);
      return;
    case FieldDescriptor::CPPTYPE_BOOL: {
      if (text != "true" && text != "false")
        return bad("neither true nor false");
      SALLYPORT_SET(Bool, text == "true");
      return;
    }
    case FieldDescriptor::CPPTYPE_INT32: {
      int32_t value = 0;
      if (!absl::SimpleAtoi(text, &value)) return bad("no whole number");
      SALLYPORT_SET(Int32, value);
      return;
    }
    case FieldDescriptor::CPPTYPE_INT64: {
      int64_t value = 0;
      if (!absl::SimpleAtoi(text, &value)) return bad("no whole number");
      SALLYPORT_SET(Int64, value);
      return;
    }
    case FieldDescriptor::CPPTYPE_UINT32: {
      uint32_t value = 0;
      if (!absl::SimpleAtoi(text, &value)) return bad("no whole number from 0");
      SALLYPORT_SET(UInt32, value);
      return;
    }
    case FieldDescriptor::CPPTYPE_UINT64: {
      uint64_t value = 0;
      if (!absl::SimpleAtoi(text, &value)) return bad("no whole number from 0");
      SALLYPORT_SET(UInt64, value);
      return;
    }
    case FieldDescriptor::CPPTYPE_DOUBLE:
    case FieldDescriptor::CPPTYPE_FLOAT: {
      double value = 0;
      if (!absl::SimpleAtod(text, &value)) return bad("no number");
      if (field.cpp_type() == FieldDescriptor::CPPTYPE_DOUBLE) {
        SALLYPORT_SET(Double, value);
      } else {
        SALLYPORT_SET(Float, static_cast<float>(value));
      }
      return;
    }
    case FieldDescriptor::CPPTYPE_ENUM: {
      const EnumValueDescriptor* value = ValueNamed(*field.enum_type(), text);
      if (value == nullptr) {
        return bad(absl::StrCat("none of ", ValuesOf(*field.enum_type())));
      }
      SALLYPORT_SET(Enum, value);
      return;
    }
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return;
  }
#undef SALLYPORT_SET
}

// A message that is a field, or an element of a list.
void ReadSubmessage(const FieldDescriptor& field, bool add,
                    const YAML::Node& node, const std::string& path,
                    const DocumentOptions& options, Message& target,
                    Problems& problems) {
  const Reflection& r = *target.GetReflection();
  Message* const inner =
      add ? r.AddMessage(&target, &field) : r.MutableMessage(&target, &field);
  const Descriptor& type = *field.message_type();
  if (IsTimestamp(type) || IsDuration(type)) {
    const bool good = node.IsScalar() &&
                      (IsTimestamp(type) ? ReadTimestamp(node.Scalar(), *inner)
                                         : ReadDuration(node.Scalar(), *inner));
    if (!good) {
      problems.Add(node, path,
                   IsTimestamp(type) ? "is no time, as 2026-01-31T12:00:00Z is"
                                     : "is no duration, as 90s or 5m is");
    }
    return;
  }
  if (!add) inner->Clear();
  ReadMessage(node, path, options, *inner, problems);
}

void ReadElement(const FieldDescriptor& field, bool add, const YAML::Node& node,
                 const std::string& path, const DocumentOptions& options,
                 Message& target, Problems& problems) {
  if (field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
    ReadSubmessage(field, add, node, path, options, target, problems);
  } else {
    ReadScalar(field, add, node, path, target, problems);
  }
}

// One entry of a map; in the place of one with the same key.
void ReadEntry(const FieldDescriptor& field, const YAML::Node& key,
               const YAML::Node& value, const std::string& path,
               const DocumentOptions& options, Message& message,
               Problems& problems) {
  const Reflection& r = *message.GetReflection();
  const FieldDescriptor& key_field = *field.message_type()->map_key();
  const FieldDescriptor& value_field = *field.message_type()->map_value();
  Message* const entry = r.AddMessage(&message, &field);
  ReadScalar(key_field, /*add=*/false, key, path, *entry, problems);
  ReadElement(value_field, /*add=*/false, value,
              absl::StrCat(path, "[", key.Scalar(), "]"), options, *entry,
              problems);
}

// The path to read `file` by. PermissionDenied for one that is elsewhere.
absl::StatusOr<std::string> Locate(const std::string& file,
                                   const DocumentOptions& options) {
  const bool is_absolute = absl::StartsWith(file, "/");
  if (options.files_anywhere) {
    return is_absolute || file == "-" ? file
                                      : absl::StrCat(options.folder, "/", file);
  }
  const std::filesystem::path path =
      is_absolute ? std::filesystem::path(file)
                  : std::filesystem::path(options.folder) / file;
  std::error_code error;
  const std::filesystem::path folder =
      std::filesystem::canonical(options.folder, error);
  if (error) return FileError(options.folder, error.value());
  const std::filesystem::path real = std::filesystem::canonical(path, error);
  if (error) return FileError(path.string(), error.value());
  const auto [end, rest] =
      std::mismatch(folder.begin(), folder.end(), real.begin(), real.end());
  if (end != folder.end()) {
    return absl::PermissionDeniedError(absl::StrCat(
        Printable(real.string()), " is not below ", Printable(folder.string()),
        ", the folder of the document; --allow-files-anywhere "
        "lets documents name any file"));
  }
  return real.string();
}

bool IsPlainYaml(absl::string_view text) {
  if (text.empty()) return false;
  static constexpr absl::string_view kWords[] = {
      "null", "true", "false", "yes", "no", "on", "off", "nan", "inf"};
  const std::string lower = absl::AsciiStrToLower(text);
  if (std::find(std::begin(kWords), std::end(kWords), lower) !=
      std::end(kWords)) {
    return false;
  }
  if (!absl::ascii_isalnum(static_cast<unsigned char>(text[0])) &&
      text[0] != '/') {
    return false;
  }
  return std::all_of(
             text.begin(), text.end(),
             [](char c) {
               return absl::ascii_isalnum(static_cast<unsigned char>(c)) ||
                      absl::StrContains("-_./@+=, ()", c) || c == ':';
             }) &&
         !absl::StrContains(text, ": ") && text.back() != ':' &&
         text.back() != ' ';
}

// UTF-8 to code points; -1 for what is none.
int32_t NextCodePoint(absl::string_view text, size_t& at) {
  const auto byte = [&](size_t i) {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U;
  };
  const unsigned first = byte(at++);
  if (first < 0x80) return static_cast<int32_t>(first);
  const int more = first >= 0xF0   ? 3
                   : first >= 0xE0 ? 2
                   : first >= 0xC0 ? 1
                                   : 0;
  if (more == 0) return -1;
  uint32_t value = first & (0x3FU >> more);
  for (int i = 0; i < more; ++i) {
    const unsigned next = byte(at);
    if ((next & 0xC0U) != 0x80U) return -1;
    value = (value << 6) | (next & 0x3FU);
    ++at;
  }
  return static_cast<int32_t>(value);
}

std::string QuotedYaml(absl::string_view text) {
  std::string out = "\"";
  for (size_t i = 0; i < text.size();) {
    const int32_t c = NextCodePoint(text, i);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += static_cast<char>(c);
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else if (c >= 0x20 && c < 0x7F) {
      out += static_cast<char>(c);
    } else if (c < 0) {
      out += "\\uFFFD";
    } else if (c <= 0xFFFF) {
      absl::StrAppendFormat(&out, "\\u%04X", c);
    } else {
      absl::StrAppendFormat(&out, "\\U%08X", c);
    }
  }
  return out + "\"";
}

bool IsPlainBlock(absl::string_view text) {
  if (!absl::StrContains(text, "\n") || text.back() != '\n' || text[0] == ' ' ||
      text[0] == '\n') {
    return false;
  }
  return std::all_of(text.begin(), text.end(), [](char c) {
    return c == '\n' || (c >= 0x20 && c < 0x7F);
  });
}

std::string TextYaml(absl::string_view text, size_t indent) {
  if (IsPlainBlock(text)) {
    std::string out = "|\n";
    for (absl::string_view line :
         absl::StrSplit(text.substr(0, text.size() - 1), '\n')) {
      absl::StrAppend(&out, std::string(indent, ' '), line, "\n");
    }
    out.pop_back();
    return out;
  }
  return IsPlainYaml(text) ? std::string(text) : QuotedYaml(text);
}

std::string DurationText(const Message& message) {
  const auto& from = static_cast<const Duration&>(message);
  return absl::FormatDuration(absl::Seconds(from.seconds()) +
                              absl::Nanoseconds(from.nanos()));
}
std::string TimestampText(const Message& message) {
  const auto& from = static_cast<const Timestamp&>(message);
  const absl::Time time =
      absl::FromUnixSeconds(from.seconds()) + absl::Nanoseconds(from.nanos());
  return absl::FormatTime("%Y-%m-%d%ET%H:%M:%E*SZ", time, absl::UTCTimeZone());
}

// A scalar, a time or a duration; `index` -1: not of a list.
std::string ScalarText(const Message& message, const FieldDescriptor& field,
                       int index, bool yaml, size_t indent) {
  const Reflection& r = *message.GetReflection();
#define SALLYPORT_GET(Type)                 \
  (index < 0 ? r.Get##Type(message, &field) \
             : r.GetRepeated##Type(message, &field, index))
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_STRING: {
      const std::string text = SALLYPORT_GET(String);
      return yaml ? TextYaml(text, indent) : text;
    }
    case FieldDescriptor::CPPTYPE_BOOL:
      return SALLYPORT_GET(Bool) ? "true" : "false";
    case FieldDescriptor::CPPTYPE_INT32:
      return absl::StrCat(SALLYPORT_GET(Int32));
    case FieldDescriptor::CPPTYPE_INT64:
      return absl::StrCat(SALLYPORT_GET(Int64));
    case FieldDescriptor::CPPTYPE_UINT32:
      return absl::StrCat(SALLYPORT_GET(UInt32));
    case FieldDescriptor::CPPTYPE_UINT64:
      return absl::StrCat(SALLYPORT_GET(UInt64));
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return absl::StrCat(SALLYPORT_GET(Double));
    case FieldDescriptor::CPPTYPE_FLOAT:
      return absl::StrCat(SALLYPORT_GET(Float));
    case FieldDescriptor::CPPTYPE_ENUM:
      return SALLYPORT_GET(Enum)->name();
    case FieldDescriptor::CPPTYPE_MESSAGE: {
      const Message& inner = index < 0
                                 ? r.GetMessage(message, &field)
                                 : r.GetRepeatedMessage(message, &field, index);
      return IsTimestamp(*field.message_type()) ? TimestampText(inner)
                                                : DurationText(inner);
    }
  }
#undef SALLYPORT_GET
  return "";
}

bool IsMessage(const FieldDescriptor& field) {
  return field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE &&
         !IsTimestamp(*field.message_type()) &&
         !IsDuration(*field.message_type());
}

// Entries of a map sort by their keys.
std::vector<std::pair<std::string, const Message*>> EntriesOf(
    const Message& message, const FieldDescriptor& field) {
  const Reflection& r = *message.GetReflection();
  std::vector<std::pair<std::string, const Message*>> out;
  for (int i = 0; i < r.FieldSize(message, &field); ++i) {
    const Message& entry = r.GetRepeatedMessage(message, &field, i);
    out.emplace_back(
        ScalarText(entry, *field.message_type()->map_key(), -1, false, 0),
        &entry);
  }
  std::sort(out.begin(), out.end(),
            [](const auto& a, const auto& b) { return a.first < b.first; });
  return out;
}

void WriteFields(const Message& message, size_t indent, std::string& out) {
  const Reflection& r = *message.GetReflection();
  std::vector<const FieldDescriptor*> fields;
  r.ListFields(message, &fields);
  const std::string pad(indent, ' ');
  for (const FieldDescriptor* field : fields) {
    absl::StrAppend(&out, pad, field->name(), ":");
    if (field->is_map()) {
      const FieldDescriptor& value = *field->message_type()->map_value();
      out += "\n";
      for (const auto& [key, entry] : EntriesOf(message, *field)) {
        absl::StrAppend(&out, pad, "  ", TextYaml(key, 0), ":");
        if (IsMessage(value)) {
          out += "\n";
          WriteFields(entry->GetReflection()->GetMessage(*entry, &value),
                      indent + 4, out);
        } else {
          absl::StrAppend(
              &out, " ", ScalarText(*entry, value, -1, true, indent + 4), "\n");
        }
      }
    } else if (field->is_repeated()) {
      out += "\n";
      for (int i = 0; i < r.FieldSize(message, field); ++i) {
        absl::StrAppend(&out, pad, "- ");
        if (!IsMessage(*field)) {
          absl::StrAppend(
              &out, ScalarText(message, *field, i, true, indent + 2), "\n");
          continue;
        }
        std::string element;
        WriteFields(r.GetRepeatedMessage(message, field, i), indent + 2,
                    element);
        out += element.empty() ? "{}\n" : element.substr(indent + 2);
      }
    } else if (IsMessage(*field)) {
      std::string inner;
      WriteFields(r.GetMessage(message, field), indent + 2, inner);
      absl::StrAppend(&out, inner.empty() ? " {}\n" : "\n", inner);
    } else {
      absl::StrAppend(&out, " ",
                      ScalarText(message, *field, -1, true, indent + 2), "\n");
    }
  }
}

std::string ConditionsText(const Message& message,
                           const FieldDescriptor& field) {
  namespace proto = sallyport::config::v1;
  std::vector<std::string> out;
  const Reflection& r = *message.GetReflection();
  for (int i = 0; i < r.FieldSize(message, &field); ++i) {
    const auto& condition = static_cast<const proto::Condition&>(
        r.GetRepeatedMessage(message, &field, i));
    out.push_back(absl::StrCat(
        condition.type(), "=",
        condition.status() == proto::Condition::STATUS_TRUE    ? "yes"
        : condition.status() == proto::Condition::STATUS_FALSE ? "no"
                                                               : "unknown"));
  }
  return absl::StrJoin(out, " ");
}

void AddLeaves(const std::string& prefix, const Message& message,
               std::vector<std::pair<std::string, std::string>>& out) {
  const Reflection& r = *message.GetReflection();
  std::vector<const FieldDescriptor*> fields;
  r.ListFields(message, &fields);
  for (const FieldDescriptor* field : fields) {
    const std::string path = PathOf(prefix, field->name());
    const auto add = [&](const std::string& where, const Message& holder,
                         const FieldDescriptor& f, int index) {
      if (!IsMessage(f)) {
        out.emplace_back(where, ScalarText(holder, f, index, false, 0));
        return;
      }
      const Reflection& hr = *holder.GetReflection();
      const Message& inner = index < 0
                                 ? hr.GetMessage(holder, &f)
                                 : hr.GetRepeatedMessage(holder, &f, index);
      const size_t before = out.size();
      AddLeaves(where, inner, out);
      if (out.size() == before) out.emplace_back(where, "{}");
    };
    if (field->is_map()) {
      for (const auto& [key, entry] : EntriesOf(message, *field)) {
        add(absl::StrCat(path, "[", key, "]"), *entry,
            *field->message_type()->map_value(), -1);
      }
    } else if (field->is_repeated()) {
      for (int i = 0; i < r.FieldSize(message, field); ++i) {
        add(absl::StrCat(path, "[", i, "]"), message, *field, i);
      }
    } else {
      add(path, message, *field, -1);
    }
  }
}

}  // namespace

void Problems::Add(const YAML::Node& node, absl::string_view path,
                   absl::string_view what) {
  const YAML::Mark mark = node.Mark();
  std::string line;
  if (!where_.empty()) {
    line = Printable(where_);
    if (!mark.is_null()) absl::StrAppend(&line, ":", mark.line + 1);
    line += ": ";
  }
  lines_.push_back(absl::StrCat(line, Printable(path), ": ", what));
}

std::string NoSuchField(const Descriptor& type, const Descriptor* request) {
  std::vector<std::string> names;
  for (int i = 0; i < type.field_count(); ++i) {
    const FieldDescriptor& field = *type.field(i);
    // The command line says these.
    if (field.name() == "name" || field.name() == "etag") continue;
    if (IsOutputOnly(field)) continue;
    names.push_back(field.name());
  }
  // What a request has beside the resource, and no option is for.
  static constexpr absl::string_view kOptions[] = {
      "name",       "parent", "etag",  "update_mask",    "validate_only",
      "request_id", "force",  "route", "truststore_etag"};
  for (int i = 0; request != nullptr && i < request->field_count(); ++i) {
    const FieldDescriptor& field = *request->field(i);
    if (field.message_type() == &type || absl::EndsWith(field.name(), "_id") ||
        std::find(std::begin(kOptions), std::end(kOptions), field.name()) !=
            std::end(kOptions) ||
        std::find(names.begin(), names.end(), field.name()) != names.end()) {
      continue;
    }
    names.push_back(field.name());
  }
  if (names.size() > kMaxListedFields) {
    names.resize(kMaxListedFields);
    names.emplace_back("...");
  }
  return absl::StrCat("there is no such field; those that can be set are ",
                      absl::StrJoin(names, ", "));
}

std::string FolderOf(const std::string& file) {
  const size_t slash = file.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : file.substr(0, slash);
}

std::string Problems::ToString() const { return absl::StrJoin(lines_, "\n"); }

bool IsDoubled(const YAML::Node& key, const std::string& name,
               absl::string_view path, std::map<std::string, int>& lines,
               Problems& problems) {
  const auto [at, is_new] = lines.emplace(name, key.Mark().line + 1);
  if (is_new) return false;
  problems.Add(key, path,
               absl::StrCat("is there twice, the first time on line ",
                            at->second, "; leave one out"));
  return true;
}

const FieldDescriptor* FieldOfKey(const Descriptor& message,
                                  const std::string& key, bool* from_file) {
  *from_file = false;
  const FieldDescriptor* field = message.FindFieldByName(key);
  if (field == nullptr) field = message.FindFieldByCamelcaseName(key);
  if (field != nullptr || !absl::EndsWith(key, kFileSuffix)) return field;
  field =
      message.FindFieldByName(key.substr(0, key.size() - kFileSuffix.size()));
  if (field == nullptr || field->is_repeated() ||
      field->cpp_type() != FieldDescriptor::CPPTYPE_STRING) {
    return nullptr;
  }
  *from_file = true;
  return field;
}

void SetField(const FieldDescriptor& field, const YAML::Node& node,
              const std::string& path, const DocumentOptions& options,
              Message& message, Problems& problems) {
  message.GetReflection()->ClearField(&message, &field);
  if (node.IsNull()) return;
  if (field.is_map()) {
    if (!node.IsMap()) {
      problems.Add(node, path, "is to be a mapping");
      return;
    }
    std::map<std::string, int> lines;
    for (const auto& entry : node) {
      const std::string& key = entry.first.Scalar();
      if (IsDoubled(entry.first, key, absl::StrCat(path, "[", key, "]"), lines,
                    problems)) {
        continue;
      }
      ReadEntry(field, entry.first, entry.second, path, options, message,
                problems);
    }
    return;
  }
  if (field.is_repeated()) {
    if (!node.IsSequence()) {
      problems.Add(node, path, "is to be a list");
      return;
    }
    for (size_t i = 0; i < node.size(); ++i) {
      ReadElement(field, /*add=*/true, node[i], absl::StrCat(path, "[", i, "]"),
                  options, message, problems);
    }
    return;
  }
  ReadElement(field, /*add=*/false, node, path, options, message, problems);
}

void ReadMessage(const YAML::Node& node, const std::string& path,
                 const DocumentOptions& options, Message& message,
                 Problems& problems) {
  if (node.IsNull()) return;
  if (!node.IsMap()) {
    problems.Add(node, path, "is to be a mapping of fields to values");
    return;
  }
  const Descriptor& type = *message.GetDescriptor();
  std::map<std::string, int> lines;
  for (const auto& entry : node) {
    const std::string key = entry.first.Scalar();
    const std::string where = PathOf(path, key);
    bool from_file = false;
    const FieldDescriptor* field = FieldOfKey(type, key, &from_file);
    if (field == nullptr) {
      problems.Add(entry.first, where, NoSuchField(type, nullptr));
      continue;
    }
    // However it is spelt.
    if (IsDoubled(entry.first, field->name(), where, lines, problems)) continue;
    if (!from_file) {
      SetField(*field, entry.second, where, options, message, problems);
      continue;
    }
    if (!entry.second.IsScalar()) {
      problems.Add(entry.second, where, "is to be the name of a file");
      continue;
    }
    absl::StatusOr<std::string> content =
        Locate(entry.second.Scalar(), options);
    if (content.ok()) content = ReadFile(*content, limits::kMaxTruststoreBytes);
    if (!content.ok()) {
      problems.Add(entry.second, where, content.status().message());
      continue;
    }
    message.GetReflection()->SetString(&message, field, *std::move(content));
  }
}

std::string SetPath(absl::string_view path, const YAML::Node& value,
                    const DocumentOptions& options, Message& message,
                    Problems& problems) {
  Message* target = &message;
  std::string mask;
  absl::string_view rest = path;
  while (true) {
    const size_t dot = rest.find('.');
    const std::string name(rest.substr(0, dot));
    bool from_file = false;
    const FieldDescriptor* field =
        FieldOfKey(*target->GetDescriptor(), name, &from_file);
    if (field == nullptr) {
      problems.Add(value, path, NoSuchField(*target->GetDescriptor(), nullptr));
      return mask;
    }
    mask = PathOf(mask, field->name());
    if (dot == absl::string_view::npos) {
      if (from_file) {
        YAML::Node mapping;
        mapping[name] = value;
        ReadMessage(mapping, "", options, *target, problems);
      } else {
        SetField(*field, value, std::string(path), options, *target, problems);
      }
      return mask;
    }
    rest.remove_prefix(dot + 1);
    const Reflection& r = *target->GetReflection();
    if (field->is_map()) {
      const YAML::Node key = YAML::Node(std::string(rest));
      // In place of the entry that is there.
      for (int i = r.FieldSize(*target, field) - 1; i >= 0; --i) {
        if (ScalarText(r.GetRepeatedMessage(*target, field, i),
                       *field->message_type()->map_key(), -1, false,
                       0) != rest) {
          continue;
        }
        r.SwapElements(target, field, i, r.FieldSize(*target, field) - 1);
        r.RemoveLast(target, field);
      }
      if (!value.IsNull()) {
        ReadEntry(*field, key, value, std::string(path), options, *target,
                  problems);
      }
      return mask;
    }
    if (field->is_repeated() || !IsMessage(*field)) {
      problems.Add(value, path,
                   absl::StrCat("\"", field->name(), "\" has no fields"));
      return mask;
    }
    target = r.MutableMessage(target, field);
  }
}

std::string WriteYaml(const Message& message) {
  std::string out;
  WriteFields(message, 0, out);
  return out;
}

std::string CellOf(const Message& message, absl::string_view path) {
  const Descriptor& type = *message.GetDescriptor();
  const Reflection& r = *message.GetReflection();
  const size_t dot = path.find('.');
  const std::string name(path.substr(0, dot));
  const google::protobuf::OneofDescriptor* choice = type.FindOneofByName(name);
  const FieldDescriptor* field =
      choice != nullptr ? r.GetOneofFieldDescriptor(message, choice)
                        : type.FindFieldByName(name);
  if (field == nullptr) return "";
  if (choice != nullptr) return field->name();
  if (field->is_repeated()) {
    if (IsMessage(*field) && !field->is_map()) {
      return field->message_type()->name() == "Condition"
                 ? ConditionsText(message, *field)
                 : absl::StrCat(r.FieldSize(message, field));
    }
    std::vector<std::string> values;
    if (field->is_map()) {
      for (const auto& [key, entry] : EntriesOf(message, *field)) {
        values.push_back(
            absl::StrCat(key, "=",
                         ScalarText(*entry, *field->message_type()->map_value(),
                                    -1, false, 0)));
      }
    } else {
      for (int i = 0; i < r.FieldSize(message, field); ++i) {
        values.push_back(ScalarText(message, *field, i, false, 0));
      }
    }
    return absl::StrJoin(values, " ");
  }
  if (IsMessage(*field)) {
    if (!r.HasField(message, field)) return "";
    const Message& inner = r.GetMessage(message, field);
    if (dot != absl::string_view::npos) {
      return CellOf(inner, path.substr(dot + 1));
    }
    std::vector<std::string> values;
    for (const auto& [key, value] : LeavesOf(inner)) values.push_back(value);
    return absl::StrJoin(values, " ");
  }
  if (field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
    if (!r.HasField(message, field)) return "";
    if (IsTimestamp(*field->message_type())) {
      const auto& time =
          static_cast<const Timestamp&>(r.GetMessage(message, field));
      return TimeText(absl::FromUnixSeconds(time.seconds()));
    }
  }
  std::string text = ScalarText(message, *field, -1, false, 0);
  if (field->cpp_type() == FieldDescriptor::CPPTYPE_ENUM &&
      r.GetEnum(message, field)->number() == 0) {
    return "";
  }
  if (field->cpp_type() == FieldDescriptor::CPPTYPE_BOOL) {
    return text == "true" ? "yes" : "no";
  }
  return text;
}

std::vector<std::pair<std::string, std::string>> LeavesOf(
    const Message& message) {
  std::vector<std::pair<std::string, std::string>> out;
  AddLeaves("", message, out);
  return out;
}

}  // namespace sallyport::cli::online
