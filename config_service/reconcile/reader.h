// Reader: the store as of one revision, with a note of what was looked at.

#ifndef SALLYPORT_CONFIG_SERVICE_RECONCILE_READER_H_
#define SALLYPORT_CONFIG_SERVICE_RECONCILE_READER_H_

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/status_macros.h"
#include "config_service/domain/api.h"
#include "config_service/domain/name.h"
#include "config_service/store/api_records.h"
#include "config_service/store/keys.h"
#include "config_service/store/store.h"
#include "config_service/xds/translate/translate.h"

namespace sallyport::reconcile {

// What a part of the translation looked at: keys of the store, prefixes of keys
// that end in '/' (it listed what is below), and the words of graph.h.
using Inputs = std::set<std::string>;

// The prefix that a key is listed under: "apis.stages/orders/" of
// "apis.stages/orders/prod".
absl::string_view ParentOfKey(absl::string_view key);

// Thread-compatible.
class Reader {
 public:
  // `store` outlives it.
  Reader(store::Store* store, store::Revision at) : store_(store), at_(at) {}

  store::Revision at() const { return at_; }

  // What is read from now on is added to `inputs`, which outlives the next
  // call; null: to nothing.
  void Note(Inputs* inputs) { inputs_ = inputs; }
  Inputs* noted() const { return inputs_; }

  // The record; null when there is none. Errors are the store's.
  absl::StatusOr<std::shared_ptr<const store::Record>> Get(
      const std::string& key);

  // The resource of that name; null when there is none.
  template <typename T, typename Name>
  absl::StatusOr<std::shared_ptr<const T>> Load(const Name& name) {
    const std::string key = store::KeyOf(name);
    SALLYPORT_ASSIGN_OR_RETURN(const std::shared_ptr<const store::Record> read,
                               Get(key));
    if (read == nullptr) return std::shared_ptr<const T>();
    std::shared_ptr<const void>& kept = decoded_[key];
    if (kept == nullptr) {
      SALLYPORT_ASSIGN_OR_RETURN(T decoded, Decode(name, *read));
      kept = std::make_shared<const T>(std::move(decoded));
    }
    return std::static_pointer_cast<const T>(kept);
  }
  absl::StatusOr<std::shared_ptr<const domain::Deployment>> LoadDeployment(
      const domain::DeploymentName& name);

  // All records under `prefix`, which ends in '/'.
  absl::StatusOr<std::vector<store::Record>> List(const std::string& prefix);
  // Their keys alone.
  absl::StatusOr<std::vector<std::string>> Keys(const std::string& prefix);

  absl::StatusOr<xds::Pieces> Blob(const store::BlobDigest& digest);

 private:
  absl::StatusOr<std::vector<store::Record>> ListAll(
      const std::string& prefix, store::ListRequest::What what);

  store::Store* const store_;
  const store::Revision at_;
  Inputs* inputs_ = nullptr;
  // Everything that was read, by key: one revision never changes.
  absl::flat_hash_map<std::string, std::shared_ptr<const store::Record>>
      records_;
  absl::flat_hash_map<std::string, std::shared_ptr<const void>> decoded_;
};

}  // namespace sallyport::reconcile

#endif  // SALLYPORT_CONFIG_SERVICE_RECONCILE_READER_H_
