// What the use cases of all resources have in common: reading one, listing a
// collection, ids of new ones.

#ifndef SALLYPORT_CONFIG_SERVICE_SERVICE_RESOURCES_H_
#define SALLYPORT_CONFIG_SERVICE_SERVICE_RESOURCES_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "absl/types/span.h"
#include "base/status_macros.h"
#include "config_service/domain/common.h"
#include "config_service/domain/name.h"
#include "config_service/domain/violations.h"
#include "config_service/service/errors.h"
#include "config_service/service/filter.h"
#include "config_service/service/paging.h"
#include "config_service/service/transaction.h"
#include "config_service/store/keys.h"
#include "config_service/store/store.h"

namespace sallyport::service {

// ReadRecord: the record as of `revision`, or now (0, or when that is no longer
// readable); RESOURCE_NOT_FOUND.
template <typename Name>
absl::StatusOr<store::Record> ReadRecord(store::Store& store, const Name& name,
                                         int64_t revision = 0) {
  const std::string key = store::KeyOf(name);
  absl::StatusOr<store::GetResult> got =
      revision == 0 ? store.Get(key)
                    : store.Get(key, store::Revision(revision));
  if (!got.ok() && revision != 0 && absl::IsOutOfRange(got.status())) {
    got = store.Get(key);
  }
  if (!got.ok()) return FromStore(got.status());
  if (!got->record.has_value()) return NotFound(Name::kType, name.ToString());
  return *std::move(got->record);
}

// The same, decoded.
template <typename Name>
auto ReadResource(store::Store& store, const Name& name, int64_t revision = 0)
    -> decltype(store::Decode(name, std::declval<store::Record>())) {
  SALLYPORT_ASSIGN_OR_RETURN(const store::Record record,
                             ReadRecord(store, name, revision));
  return store::Decode(name, record);
}

// FIELD_REQUIRED or NAME_MALFORMED at `field` when `id` is none for a `Name`.
template <typename Name>
void CheckNewId(absl::string_view field, absl::string_view id,
                domain::Violations& violations) {
  if (id.empty()) {
    violations.Add(field, domain::Reason::kFieldRequired,
                   absl::StrCat("is empty; give the ", Name::kType, " an id"));
    return;
  }
  const absl::Status status = domain::CheckId(Name::kIdRule, id);
  if (!status.ok()) {
    violations.Add(field, domain::Reason::kNameMalformed, status.message());
  }
}

// The value of a field that all resources can be filtered by: "name",
// "description", "labels.KEY", "create_time", "update_time".
template <typename T>
FilterValue MetadataValue(const T& resource, absl::string_view field) {
  if (field == "name") return resource.name.ToString();
  if (field == "description") return resource.metadata.description;
  if (field == "create_time") return resource.metadata.create_time;
  if (field == "update_time") return resource.metadata.update_time;
  const auto label = resource.metadata.labels.find(
      std::string(absl::StripPrefix(field, "labels.")));
  return label == resource.metadata.labels.end() ? std::string()
                                                 : label->second;
}

// ListResources: a page of the records under `prefix`. `read` makes an item of
// a record; `value` gives a field of it for the filter.
template <typename Item>
absl::StatusOr<Page<Item>> ListResources(
    store::Store& store, const PageRequest& request, absl::string_view scope,
    const std::string& prefix, absl::Span<const FilterField> fields,
    absl::FunctionRef<absl::StatusOr<Item>(const store::Record&)> read,
    absl::FunctionRef<FilterValue(const Item&, absl::string_view)> value) {
  SALLYPORT_ASSIGN_OR_RETURN(const Filter filter,
                             Filter::Parse(request.filter, fields));
  Page<Item> out;
  absl::StatusOr<RecordPage> page =
      ListRecords(store, request, scope, prefix,
                  [&](const store::Record& record,
                      store::Revision) -> absl::StatusOr<bool> {
                    SALLYPORT_ASSIGN_OR_RETURN(Item item, read(record));
                    if (!filter.Matches([&](absl::string_view field) {
                          return value(item, field);
                        })) {
                      return false;
                    }
                    out.items.push_back(std::move(item));
                    return true;
                  });
  if (!page.ok()) return page.status();
  out.next_page_token = std::move(page->next_page_token);
  out.revision = page->revision.value();
  return out;
}

// AddStatus: the conditions in the resource's status record, if it has one, to
// `conditions`.
absl::Status AddStatus(store::Store& store, absl::string_view resource,
                       std::vector<domain::Condition>& conditions);

// StoreBlob: stores `content` as a blob, for a put to name.
absl::StatusOr<store::BlobDigest> StoreBlob(store::Store& store,
                                            absl::string_view content);

// Who names `resource`, at most `limit`; names of resources, in order.
absl::StatusOr<std::vector<std::string>> ReferrersOf(store::Store& store,
                                                     absl::string_view resource,
                                                     size_t limit);

}  // namespace sallyport::service

#endif  // SALLYPORT_CONFIG_SERVICE_SERVICE_RESOURCES_H_
