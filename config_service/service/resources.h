// What the use cases of all resources have in common: reading, changing and
// deleting one, listing a collection, ids of new ones.

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
#include "config_service/service/mask.h"
#include "config_service/service/paging.h"
#include "config_service/service/transaction.h"
#include "config_service/store/for_each_record.h"
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

// What can be updated of a kind of resource.
template <typename T>
struct Updatable {
  // The request's field of the resource: "truststore".
  absl::string_view field;
  absl::Span<const MaskField<T>> fields;
  absl::Span<const absl::string_view> output_only;
};

// UpdateResource: takes over what `mask` names of `wanted`, whose etag, if any,
// must be the current one. `check` adds what is wrong with `after` beside
// domain::Validate(). When something changes and nothing is wrong, `prepare`
// does what else belongs to the change. The last two may be NothingElse().
template <typename T>
absl::StatusOr<T> UpdateResource(
    const Context& context, const Caller& caller, const Write& write,
    const Updatable<T>& updatable, const T& wanted,
    const std::vector<std::string>& mask,
    absl::FunctionRef<absl::Status(Transaction&, const T& before,
                                   const T& after, domain::Violations&)>
        check,
    absl::FunctionRef<absl::Status(Transaction&, const T& before, T& after)>
        prepare) {
  return Mutate<T>(
      context, caller, write,
      [&](Transaction& transaction) -> absl::StatusOr<T> {
        SALLYPORT_ASSIGN_OR_RETURN(const T before,
                                   transaction.Load(wanted.name));
        SALLYPORT_RETURN_IF_ERROR(domain::CheckEtag(wanted.metadata.etag,
                                                    before.metadata.etag,
                                                    wanted.name.ToString()));
        T after = before;
        domain::Violations violations;
        ApplyMask<T>(updatable.fields, updatable.output_only, mask, wanted,
                     after, violations);
        domain::Violations fields;
        domain::Validate(after, fields);
        SALLYPORT_RETURN_IF_ERROR(check(transaction, before, after, fields));
        violations.AddAll(updatable.field, fields);
        SALLYPORT_RETURN_IF_ERROR(violations.ToStatus());
        if (store::Encode(after) == store::Encode(before)) return before;
        SALLYPORT_RETURN_IF_ERROR(prepare(transaction, before, after));
        after.metadata.update_time = transaction.now();
        transaction.Update(before, after);
        return after;
      },
      [&](const Replay& replay) {
        return ReadResource(*context.store, wanted.name, replay.revision);
      });
}

// DeleteResource: deletes `name`, which must have `etag`, if any. `prepare`
// says what stands in the way, and what else goes.
template <typename Name>
absl::Status DeleteResource(
    const Context& context, const Caller& caller, const Write& write,
    const Name& name, const domain::Etag& etag,
    absl::FunctionRef<absl::Status(
        Transaction&, const typename decltype(store::Decode(
                          name, std::declval<store::Record>()))::value_type&)>
        prepare) {
  return Mutate<Deleted>(
             context, caller, write,
             [&](Transaction& transaction) -> absl::StatusOr<Deleted> {
               SALLYPORT_ASSIGN_OR_RETURN(const auto resource,
                                          transaction.Load(name));
               SALLYPORT_RETURN_IF_ERROR(domain::CheckEtag(
                   etag, resource.metadata.etag, name.ToString()));
               SALLYPORT_RETURN_IF_ERROR(prepare(transaction, resource));
               transaction.Delete(resource);
               return Deleted();
             },
             [](const Replay&) -> absl::StatusOr<Deleted> { return Deleted(); })
      .status();
}

// For UpdateResource().
struct NothingElse {
  template <typename... Arguments>
  absl::Status operator()(Arguments&&...) const {
    return absl::OkStatus();
  }
};

// DeleteVersions: deletes the versions of `parent` with it; at most `limit`, of
// which there are never more. A new version changes the parent, so these are
// all of them.
template <typename VersionName>
absl::Status DeleteVersions(Transaction& transaction, store::Store& store,
                            const typename VersionName::Parent& parent,
                            size_t limit) {
  store::ListRequest list;
  list.prefix = store::ChildrenPrefix<VersionName>(parent);
  list.limit = limit;
  list.what = store::ListRequest::What::kKeysOnly;
  absl::StatusOr<store::ListPage> page = store.List(list);
  if (!page.ok()) return FromStore(page.status());
  for (store::Record& record : page->records) {
    transaction.DeletePart(std::move(record.key));
  }
  return absl::OkStatus();
}

// ReadAll: all resources of a collection that is not below another, in the
// order of their ids.
template <typename Name>
auto ReadAll(store::Store& store)
    -> absl::StatusOr<std::vector<typename decltype(store::Decode(
        std::declval<Name>(), std::declval<store::Record>()))::value_type>> {
  std::vector<typename decltype(store::Decode(
      std::declval<Name>(), std::declval<store::Record>()))::value_type>
      out;
  store::ListRequest list;
  list.prefix = store::CollectionPrefix<Name>();
  list.limit = store::kMaxPageRecords;
  const absl::StatusOr<store::Revision> read = store::ForEachRecord(
      store, list, [&](const store::Record& record) -> absl::Status {
        SALLYPORT_ASSIGN_OR_RETURN(
            auto resource,
            store::Decode(Name(store::IdOfKey(record.key)), record));
        out.push_back(std::move(resource));
        return absl::OkStatus();
      });
  if (!read.ok()) return FromStore(read.status());
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
