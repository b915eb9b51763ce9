#include "config_service/domain/api_draft.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "config_service/domain/api.h"

namespace sallyport::domain {
namespace {

void CheckNumber(absl::string_view field, size_t number, size_t limit,
                 Violations& violations) {
  if (number <= limit) return;
  violations.Add(field, Reason::kTooManyEntries,
                 absl::StrCat("has ", number, " entries; at most ", limit));
}

void CheckPath(absl::string_view field, absl::string_view path,
               Violations& violations) {
  const auto parsed = PathTemplate::Parse(path);
  if (parsed.ok()) return;
  violations.Add(field, Reason::kPathTemplateInvalid,
                 parsed.status().message());
}

}  // namespace

void Validate(const ApiDraft& draft, Violations& violations) {
  size_t bytes = draft.version.size();
  if (draft.version.size() > kMaxDraftVersionLength) {
    violations.Add("version", Reason::kFieldOutOfRange,
                   absl::StrCat("has ", draft.version.size(),
                                " bytes; at most ", kMaxDraftVersionLength));
  }
  CheckNumber("binary_media_types", draft.binary_media_types.size(),
              kMaxBinaryMediaTypes, violations);
  for (const std::string& type : draft.binary_media_types) {
    bytes += type.size();
    if (!type.empty() && type.size() <= kMaxBinaryMediaTypeLength) continue;
    violations.Add("binary_media_types", Reason::kFieldOutOfRange,
                   absl::StrCat("has an entry that is empty or longer than ",
                                kMaxBinaryMediaTypeLength, " bytes"));
  }
  CheckNumber("paths", draft.paths.size(), kMaxDraftPaths, violations);
  CheckNumber("methods", draft.methods.size(), kMaxDraftMethods, violations);
  for (size_t i = 0; i < draft.paths.size(); ++i) {
    bytes += draft.paths[i].size();
    CheckPath(Element("paths", i), draft.paths[i], violations);
    if (i > 0 && draft.paths[i - 1] >= draft.paths[i]) {
      violations.Add(Element("paths", i), Reason::kDuplicateEntry,
                     "is not after the one before");
    }
  }
  for (const auto& [method, json] : draft.methods) {
    bytes += method.first.size() + method.second.size() + json.size();
    const std::string field =
        Entry("methods", absl::StrCat(method.second, " ", method.first));
    // As of a route.
    Route route;
    route.path = method.first;
    route.method = method.second;
    route.integration = MockIntegration();
    Violations found;
    Validate(route, found);
    violations.AddAll(field, found);
    if (json.size() > kMaxDraftMethodBytes) {
      violations.Add(field, Reason::kFieldOutOfRange,
                     absl::StrCat("has ", json.size(), " bytes; at most ",
                                  kMaxDraftMethodBytes));
    }
  }
  if (bytes > kMaxDraftBytes) {
    violations.Add("methods", Reason::kRequestTooLarge,
                   absl::StrCat("all together have ", bytes, " bytes; at most ",
                                kMaxDraftBytes));
  }
}

}  // namespace sallyport::domain
