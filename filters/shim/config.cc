#include "filters/shim/config.h"

#include <climits>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/limits.h"
#include "base/text.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/io/coded_stream.h"
#include "google/protobuf/unknown_field_set.h"
#include "google/protobuf/util/json_util.h"

namespace sallyport::shim {
namespace {

using ::google::protobuf::FieldDescriptor;
using ::google::protobuf::Message;
using ::google::protobuf::Reflection;
using ::google::protobuf::UnknownFieldSet;

static_assert(limits::kMaxModuleConfigBytes <= INT_MAX,
              "protobuf counts bytes in int");

// Longer than any name of a field, a type or a value of an enum.
constexpr size_t kMaxWord = 40;

// The reader's message without the part of the input that it quotes: it comes
// after a line break or between double quotes, and may be longer than the
// message itself. The name of an unknown field is not quoted; what is too long
// for a name is left out as well.
std::string WithoutValues(absl::string_view message) {
  message = message.substr(0, message.find('\n'));
  std::string out;
  bool quoted = false;
  size_t word = 0;
  for (const char c : message) {
    const bool in_word = absl::ascii_isalnum(static_cast<unsigned char>(c)) ||
                         c == '_' || c == '+' || c == '/' || c == '=';
    word = in_word && !quoted ? word + 1 : 0;
    if (c == '"') {
      if (!quoted) out += "(value left out)";
      quoted = !quoted;
    } else if (word == kMaxWord + 1) {
      out.resize(out.size() - kMaxWord);
      out += "(value left out)";
    } else if (!quoted && word <= kMaxWord) {
      out += c;
    }
  }
  return Printable(out, 300);
}

// What would have been right, where the reader's message only says what was
// wrong; "" when there is nothing to add. `message` may quote the input, so
// nothing of it is returned but names that the schema has.
std::string Hint(absl::string_view message, const Message& config) {
  // "(chain_policy): invalid value "X" for type type.googleapis.com/NAME"
  constexpr absl::string_view kType = "for type type.googleapis.com/";
  const size_t type = message.rfind(kType);
  if (type != absl::string_view::npos) {
    const absl::string_view name = message.substr(type + kType.size());
    const auto* const values =
        config.GetDescriptor()->file()->pool()->FindEnumTypeByName(
            std::string(name));
    if (values == nullptr) return "";
    std::string all;
    // The first is the one that stands for nothing.
    for (int i = 1; i < values->value_count(); ++i) {
      absl::StrAppend(&all, i == 1 ? "" : ", ", values->value(i)->name());
    }
    return absl::StrCat("; one of ", all);
  }
  // "(allow): invalid value oneof field 'rule' is already set. Cannot set ..."
  if (absl::StrContains(message, "oneof field 'rule' is already set")) {
    return "; one rule has two kinds: put them into `all` or `any`";
  }
  if (absl::StrContains(message, "oneof field 'source' is already set")) {
    return "; give one of file, inline_pem and (of a revocation list) "
           "inline_der";
  }
  if (absl::StrContains(message, "oneof field 'path' is already set")) {
    return "; give exact or prefix";
  }
  return "";
}

absl::Status ReadJson(absl::string_view bytes, Message& out) {
  google::protobuf::util::JsonParseOptions options;
  options.ignore_unknown_fields = false;
  const auto status = google::protobuf::util::JsonStringToMessage(
      google::protobuf::StringPiece(bytes.data(), bytes.size()), &out, options);
  if (status.ok()) return absl::OkStatus();
  const auto message = status.message();
  const absl::string_view text(message.data(), message.size());
  return absl::InvalidArgumentError(
      absl::StrCat("the JSON does not fit ", out.GetDescriptor()->full_name(),
                   ": ", WithoutValues(text), Hint(text, out),
                   " (names and types of fields: "
                   "proto/sallyport/filter/v1/config.proto)"));
}

// The first unknown field in `message` or below it: its path with the number,
// "truststores[0].#9"; "" when there is none.
std::string FindUnknownField(const Message& message, const std::string& path) {
  const Reflection& reflection = *message.GetReflection();
  const UnknownFieldSet& unknown = reflection.GetUnknownFields(message);
  if (!unknown.empty()) {
    return absl::StrCat(path, "#", unknown.field(0).number());
  }
  std::vector<const FieldDescriptor*> fields;
  reflection.ListFields(message, &fields);
  for (const FieldDescriptor* field : fields) {
    if (field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) continue;
    if (field->is_repeated()) {
      const int size = reflection.FieldSize(message, field);
      for (int i = 0; i < size; ++i) {
        std::string found =
            FindUnknownField(reflection.GetRepeatedMessage(message, field, i),
                             absl::StrCat(path, field->name(), "[", i, "]."));
        if (!found.empty()) return found;
      }
    } else {
      std::string found =
          FindUnknownField(reflection.GetMessage(message, field),
                           absl::StrCat(path, field->name(), "."));
      if (!found.empty()) return found;
    }
  }
  return "";
}

absl::Status ReadBinary(absl::string_view bytes, Message& out) {
  const std::string& type = out.GetDescriptor()->full_name();
  // protobuf refuses nesting deeper than 100 and text that is not UTF-8.
  google::protobuf::io::CodedInputStream input(
      reinterpret_cast<const uint8_t*>(bytes.data()),
      static_cast<int>(bytes.size()));
  if (!out.ParseFromCodedStream(&input) || !input.ConsumedEntireMessage()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "neither JSON (a google.protobuf.Struct, or a StringValue that starts "
        "with '{') nor the binary form of ",
        type, " (a BytesValue)"));
  }
  const std::string unknown = FindUnknownField(out, "");
  if (!unknown.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(
        type, " has a field that this version does not know: ", unknown,
        "; use a newer module or leave the field out"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status ReadConfig(absl::string_view bytes, Message& out) {
  out.Clear();
  if (bytes.size() > limits::kMaxModuleConfigBytes) {
    return absl::ResourceExhaustedError(
        absl::StrCat("the configuration has ", bytes.size(), " bytes; at most ",
                     limits::kMaxModuleConfigBytes,
                     " are read (put the truststore into a file)"));
  }
  const absl::string_view text = absl::StripLeadingAsciiWhitespace(bytes);
  if (!text.empty() && text.front() == '{') return ReadJson(text, out);
  return ReadBinary(bytes, out);
}

absl::Status ReadNamedConfig(absl::string_view field, absl::string_view name,
                             absl::string_view expected,
                             absl::string_view bytes, Message& out) {
  if (name != expected) {
    return absl::InvalidArgumentError(absl::StrCat(
        field, ": \"", Printable(name, 80), "\" is not known; use ", expected));
  }
  return ReadConfig(bytes, out);
}

}  // namespace sallyport::shim
