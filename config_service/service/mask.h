// Update masks: which fields of a resource an update takes over.

#ifndef SALLYPORT_CONFIG_SERVICE_SERVICE_MASK_H_
#define SALLYPORT_CONFIG_SERVICE_SERVICE_MASK_H_

#include <string>
#include <vector>

#include "absl/algorithm/container.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/text.h"
#include "config_service/domain/violations.h"

namespace sallyport::service {

// A field that can be updated.
template <typename T>
struct MaskField {
  absl::string_view path;
  void (*copy)(const T& from, T& to);
};

// Fields that all resources have.
template <typename T>
constexpr MaskField<T> kDescriptionField = {
    "description", [](const T& from, T& to) {
      to.metadata.description = from.metadata.description;
    }};
template <typename T>
constexpr MaskField<T> kLabelsField = {
    "labels",
    [](const T& from, T& to) { to.metadata.labels = from.metadata.labels; }};

// ApplyMask: copies the fields that `mask` names: by their paths, by that of a
// message which has them ("source" for "source.uri"), or "*" for all.
// `ignored` are output-only fields, which are left out of account.
// FIELD_UNKNOWN at "update_mask" for anything else.
template <typename T>
void ApplyMask(absl::Span<const MaskField<T>> fields,
               absl::Span<const absl::string_view> ignored,
               absl::Span<const std::string> mask, const T& from, T& to,
               domain::Violations& violations) {
  for (const std::string& path : mask) {
    bool known = path == "*" || absl::c_linear_search(ignored, path);
    for (const MaskField<T>& field : fields) {
      const bool covers =
          path == "*" || field.path == path ||
          (absl::StartsWith(field.path, path) &&
           field.path.size() > path.size() && field.path[path.size()] == '.');
      if (!covers) continue;
      known = true;
      field.copy(from, to);
    }
    if (!known) {
      violations.Add("update_mask", domain::Reason::kFieldUnknown,
                     absl::StrCat("names \"", Printable(path, 64),
                                  "\", which is no field that can be updated"));
    }
  }
}

}  // namespace sallyport::service

#endif  // SALLYPORT_CONFIG_SERVICE_SERVICE_MASK_H_
