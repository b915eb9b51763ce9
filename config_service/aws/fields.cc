#include "config_service/aws/fields.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "base/text.h"

namespace sallyport::aws {

using domain::Reason;

Fields::Fields(const Json& object, absl::string_view where,
               domain::Violations& violations)
    : object_(object), where_(where), violations_(violations) {
  if (!object_.is_object() && !object_.is_null()) {
    violations_.Add(where_.empty() ? "body" : where_, Reason::kFieldMalformed,
                    "is not a JSON object");
  }
}

std::string Fields::Path(absl::string_view name) const {
  return domain::Field(where_, Printable(name, 100));
}

void Fields::AddMalformed(const std::string& name, absl::string_view wanted) {
  violations_.Add(Path(name), Reason::kFieldMalformed,
                  absl::StrCat("is not ", wanted));
}

const Json* Fields::Get(const std::string& name) {
  known_.insert(name);
  if (!object_.is_object()) return nullptr;
  const auto it = object_.find(name);
  return it == object_.end() || it->is_null() ? nullptr : &*it;
}

std::optional<std::string> Fields::String(const std::string& name) {
  const Json* value = Get(name);
  if (value == nullptr) return std::nullopt;
  if (!value->is_string()) {
    AddMalformed(name, "a string");
    return std::nullopt;
  }
  return value->get<std::string>();
}

std::string Fields::Required(const std::string& name) {
  const size_t before = violations_.size();
  std::optional<std::string> value = String(name);
  if (violations_.size() == before && value.value_or("").empty()) {
    violations_.Add(Path(name), Reason::kFieldRequired, "is missing");
  }
  return value.value_or("");
}

std::optional<int64_t> Fields::Integer(const std::string& name) {
  const Json* value = Get(name);
  if (value == nullptr) return std::nullopt;
  if (!value->is_number_integer()) {
    AddMalformed(name, "an integer");
    return std::nullopt;
  }
  return value->get<int64_t>();
}

std::optional<bool> Fields::Bool(const std::string& name) {
  const Json* value = Get(name);
  if (value == nullptr) return std::nullopt;
  std::optional<bool> out;
  if (value->is_boolean()) out = value->get<bool>();
  if (value->is_string()) out = ReadBool(value->get<std::string>());
  if (!out.has_value()) AddMalformed(name, "true or false");
  return out;
}

std::vector<std::string> Fields::Strings(const std::string& name) {
  const Json* value = Get(name);
  std::vector<std::string> out;
  if (value == nullptr) return out;
  const bool good =
      value->is_array() &&
      std::all_of(value->begin(), value->end(),
                  [](const Json& item) { return item.is_string(); });
  if (!good) {
    AddMalformed(name, "a list of strings");
    return out;
  }
  for (const Json& item : *value) out.push_back(item.get<std::string>());
  return out;
}

std::map<std::string, std::string> Fields::StringMap(const std::string& name) {
  const Json* value = Get(name);
  std::map<std::string, std::string> out;
  if (value == nullptr) return out;
  const bool good =
      value->is_object() &&
      std::all_of(value->begin(), value->end(),
                  [](const Json& item) { return item.is_string(); });
  if (!good) {
    AddMalformed(name, "an object of strings");
    return out;
  }
  for (const auto& [key, item] : value->items()) {
    out[key] = item.get<std::string>();
  }
  return out;
}

void Fields::Refuse(const std::string& name, absl::string_view why) {
  if (Get(name) == nullptr) return;
  violations_.Add(Path(name), Reason::kNotSupported,
                  absl::StrCat("is not supported: ", why));
}

void Fields::RefuseUnless(const std::string& name, absl::string_view value,
                          absl::string_view why) {
  const Json* given = Get(name);
  if (given == nullptr) return;
  if (given->is_string() && given->get<std::string>() == value) return;
  violations_.Add(Path(name), Reason::kNotSupported,
                  absl::StrCat("is not supported with other values than ",
                               value, ": ", why));
}

void Fields::Finish() {
  if (!object_.is_object()) return;
  for (const auto& [name, value] : object_.items()) {
    if (known_.count(name) > 0 || value.is_null()) continue;
    violations_.Add(Path(name), Reason::kFieldUnknown,
                    "is no option of this operation");
  }
}

std::optional<bool> ReadBool(absl::string_view text) {
  const std::string lower = absl::AsciiStrToLower(text);
  if (lower == "true") return true;
  if (lower == "false") return false;
  return std::nullopt;
}

void RefuseQuery(const std::vector<std::pair<std::string, std::string>>& query,
                 const std::vector<absl::string_view>& known,
                 domain::Violations& violations) {
  for (const auto& [name, value] : query) {
    if (std::find(known.begin(), known.end(), name) != known.end()) continue;
    violations.Add(Printable(name, 100), Reason::kNotSupported,
                   "is not supported as a parameter of this operation");
  }
}

}  // namespace sallyport::aws
