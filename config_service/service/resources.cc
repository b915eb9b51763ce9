#include "config_service/service/resources.h"

#include <memory>

namespace sallyport::service {

absl::Status AddStatus(store::Store& store, absl::string_view resource,
                       std::vector<domain::Condition>& conditions) {
  absl::StatusOr<store::GetResult> got = store.Get(store::StatusKey(resource));
  if (!got.ok()) return FromStore(got.status());
  if (!got->record.has_value()) return absl::OkStatus();
  SALLYPORT_ASSIGN_OR_RETURN(store::ResourceStatus status,
                             store::DecodeStatus(resource, *got->record));
  for (domain::Condition& condition : status.conditions) {
    const absl::Time since = condition.transition_time;
    domain::SetCondition(std::move(condition), since, conditions);
  }
  return absl::OkStatus();
}

absl::StatusOr<store::BlobDigest> StoreBlob(store::Store& store,
                                            absl::string_view content) {
  absl::StatusOr<std::unique_ptr<store::BlobWriter>> writer = store.NewBlob();
  if (!writer.ok()) return FromStore(writer.status());
  const absl::Status appended = (*writer)->Append(content);
  if (!appended.ok()) return FromStore(appended);
  absl::StatusOr<store::BlobDigest> digest = (*writer)->Finish();
  if (!digest.ok()) return FromStore(digest.status());
  return digest;
}

absl::StatusOr<std::vector<std::string>> ReferrersOf(store::Store& store,
                                                     absl::string_view resource,
                                                     size_t limit) {
  std::vector<std::string> out;
  store::ListRequest request;
  request.prefix = store::ReferencesPrefix(resource);
  request.limit = limit;
  request.what = store::ListRequest::What::kKeysOnly;
  while (out.size() < limit) {
    absl::StatusOr<store::ListPage> page = store.List(request);
    if (!page.ok()) return FromStore(page.status());
    for (const store::Record& record : page->records) {
      if (out.size() == limit) break;
      out.emplace_back(store::ReferrerOfKey(record.key));
    }
    if (!page->more) break;
    request.Continue(*page);
  }
  return out;
}

}  // namespace sallyport::service
