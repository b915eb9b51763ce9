#include "config_service/store/draft_record.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "config_service/store/record_io.h"
#include "proto/sallyport/store/v1/draft.pb.h"

namespace sallyport::store {

std::string DraftKey(const domain::ApiName& api) {
  return absl::StrCat(kDraftsPrefix, api.id());
}

std::string Encode(const domain::ApiDraft& draft) {
  v1::ApiDraft out;
  out.set_version(draft.version);
  for (const std::string& type : draft.binary_media_types) {
    out.add_binary_media_types(type);
  }
  for (const std::string& path : draft.paths) out.add_paths(path);
  for (const auto& [method, json] : draft.methods) {
    v1::ApiDraft::Method& to = *out.add_methods();
    to.set_path(method.first);
    to.set_http_method(method.second);
    to.set_json(json);
  }
  return internal::Bytes(out);
}

absl::StatusOr<domain::ApiDraft> DecodeDraft(const domain::ApiName& api,
                                             const std::string& value) {
  const std::string resource = absl::StrCat(api.ToString(), "/draft");
  SALLYPORT_ASSIGN_OR_RETURN(
      const v1::ApiDraft in,
      internal::ParseRecord<v1::ApiDraft>(resource, value));
  domain::ApiDraft out;
  out.version = in.version();
  out.binary_media_types.assign(in.binary_media_types().begin(),
                                in.binary_media_types().end());
  out.paths.assign(in.paths().begin(), in.paths().end());
  for (const v1::ApiDraft::Method& from : in.methods()) {
    domain::ApiDraft::Method method(from.path(), from.http_method());
    if (!out.methods.emplace(std::move(method), from.json()).second) {
      return internal::Damaged(resource, "has a method twice");
    }
  }
  return out;
}

}  // namespace sallyport::store
