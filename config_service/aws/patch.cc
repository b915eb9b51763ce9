#include "config_service/aws/patch.h"

#include <optional>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/text.h"
#include "config_service/aws/limits.h"

namespace sallyport::aws {

using domain::Reason;

std::vector<PatchOperation> ReadPatch(const Json& body,
                                      domain::Violations& violations) {
  using Kind = PatchOperation::Kind;
  std::vector<PatchOperation> out;
  Fields fields(body, "", violations);
  const Json* list = fields.Get("patchOperations");
  fields.Finish();
  if (list == nullptr) return out;
  if (!list->is_array()) {
    violations.Add("patchOperations", Reason::kFieldMalformed, "is not a list");
    return out;
  }
  if (list->size() > kMaxPatchOperations) {
    violations.Add("patchOperations", Reason::kTooManyEntries,
                   absl::StrCat("has ", list->size(), " entries; at most ",
                                kMaxPatchOperations));
    return out;
  }
  for (size_t i = 0; i < list->size(); ++i) {
    PatchOperation operation;
    operation.field = domain::Element("patchOperations", i);
    Fields entry((*list)[i], operation.field, violations);
    const std::string op = entry.Required("op");
    operation.path = entry.Required("path");
    const std::optional<std::string> value = entry.String("value");
    entry.Refuse("from", "values are not copied or moved");
    entry.Finish();
    operation.value = value.value_or("");
    if (op == "add") {
      operation.kind = Kind::kAdd;
    } else if (op == "replace") {
      operation.kind = Kind::kReplace;
    } else if (op == "remove") {
      operation.kind = Kind::kRemove;
      if (!operation.value.empty()) {
        violations.Add(entry.Path("value"), Reason::kFieldsConflict,
                       "has no meaning beside op remove; leave it out");
      }
    } else if (!op.empty()) {
      violations.Add(entry.Path("op"), Reason::kNotSupported,
                     "is not supported: must be one of add, replace, remove");
    }
    if (!operation.path.empty() && !absl::StartsWith(operation.path, "/")) {
      violations.Add(entry.Path("path"), Reason::kFieldMalformed,
                     "does not begin with '/'");
    }
    out.push_back(std::move(operation));
  }
  return out;
}

std::vector<std::string> PathParts(absl::string_view path) {
  absl::ConsumePrefix(&path, "/");
  std::vector<std::string> out;
  for (absl::string_view part : absl::StrSplit(path, '/')) {
    // "~01" is "~1": the longest match comes first.
    out.push_back(absl::StrReplaceAll(part, {{"~1", "/"}, {"~0", "~"}}));
  }
  return out;
}

void RefusePath(const PatchOperation& operation,
                domain::Violations& violations) {
  using Kind = PatchOperation::Kind;
  const absl::string_view op = operation.kind == Kind::kAdd       ? "add"
                               : operation.kind == Kind::kReplace ? "replace"
                                                                  : "remove";
  violations.Add(domain::Field(operation.field, "path"), Reason::kNotSupported,
                 absl::StrCat("\"", Printable(operation.path, 200),
                              "\" is not supported for op ", op));
}

}  // namespace sallyport::aws
