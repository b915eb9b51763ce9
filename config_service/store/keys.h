// Keys of the store, from names of resources.
//
//   truststores/ID                     a resource
//   truststores.versions/ID/NUMBER     a version; the newest sorts first
//   apis.routes/API/ID                 a resource of a resource
//   refs/NAME/by/NAME                  the second names the first; no value
//   status/NAME                        what the service found out about it
//   audit/TIME-RANDOM                  an audit entry; the newest sorts first
//   requests/DIGEST                    the answer to a request_id
//
// A resource that names another puts refs/ in its own commit, with the
// precondition that the other exists; the other is deleted with the
// precondition that refs/ has nothing of it. So whichever comes second fails.

#ifndef SALLYPORT_CONFIG_SERVICE_STORE_KEYS_H_
#define SALLYPORT_CONFIG_SERVICE_STORE_KEYS_H_

#include <cstdint>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "config_service/domain/name.h"

namespace sallyport::store {

// "0999999997" for version 3: a later version has the smaller text.
std::string VersionKeyPart(int64_t number);

template <typename Kind>
std::string KeyOf(const domain::RootName<Kind>& name) {
  return absl::StrCat(Kind::kCollection, "/", name.id());
}
template <typename Kind>
std::string KeyOf(const domain::ChildName<Kind>& name) {
  return absl::StrCat(Kind::Parent::kCollection, ".", Kind::kCollection, "/",
                      name.parent().id(), "/", name.id());
}
template <typename Kind>
std::string KeyOf(const domain::VersionName<Kind>& name) {
  return absl::StrCat(Kind::Parent::kCollection, ".versions/",
                      name.parent().id(), "/", VersionKeyPart(name.number()));
}

// All resources of a kind: CollectionPrefix<domain::TruststoreName>().
template <typename Name>
std::string CollectionPrefix() {
  return absl::StrCat(Name::kCollection, "/");
}
// All of a kind that one parent has.
template <typename Name>
std::string ChildrenPrefix(const typename Name::Parent& parent) {
  return absl::StrCat(Name::Parent::kCollection, ".", Name::kCollection, "/",
                      parent.id(), "/");
}

// All of a kind, whatever their parent.
template <typename Name>
std::string ChildCollectionPrefix() {
  return absl::StrCat(Name::Parent::kCollection, ".", Name::kCollection, "/");
}

// The id at the end of a resource's key, that of its parent before it, and the
// number of a version's; 0 when the key is none.
absl::string_view IdOfKey(absl::string_view key);
absl::string_view ParentIdOfKey(absl::string_view key);
int64_t VersionOfKey(absl::string_view key);

// That `by` names `target`; and the prefix of all who name `target` or what is
// below it (a version). Both are names of resources.
std::string ReferenceKey(absl::string_view target, absl::string_view by);
std::string ReferencesPrefix(absl::string_view target);
// Who it is, from a key made by ReferenceKey().
absl::string_view ReferrerOfKey(absl::string_view key);

std::string StatusKey(absl::string_view resource);

constexpr absl::string_view kAuditPrefix = "audit/";
// `random`: 8 bytes that make keys of one instant differ.
std::string AuditKey(absl::Time time, absl::string_view random);

constexpr absl::string_view kRequestsPrefix = "requests/";
// One principal's ids are not another's.
std::string RequestKey(absl::string_view principal,
                       absl::string_view request_id);

}  // namespace sallyport::store

#endif  // SALLYPORT_CONFIG_SERVICE_STORE_KEYS_H_
