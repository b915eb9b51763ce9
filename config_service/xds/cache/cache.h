// Cache: the resources of each fleet, as last published, and what changed when.
//
// A fleet is a set of proxies that get the same resources. What is published
// for it takes effect as a whole and gets the next sequence number of that
// fleet. Proxies follow: a stream that has seen everything up to a sequence
// number finds what came after it without looking at anything else, so neither
// publishing a change nor following it depends on how much there is.
//
// Only the last content of a resource is kept. A stream that is slow skips what
// was overtaken.
//
// Thread-safety: Cache may be used by any number of threads at once.

#ifndef SALLYPORT_CONFIG_SERVICE_XDS_CACHE_CACHE_H_
#define SALLYPORT_CONFIG_SERVICE_XDS_CACHE_CACHE_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "config_service/xds/cache/fleet.h"
#include "config_service/xds/cache/resource.h"

namespace sallyport::xds {

// One resource of a fleet.
struct ResourceKey {
  ResourceType type = ResourceType::kCluster;
  std::string name;

  friend bool operator==(const ResourceKey& a, const ResourceKey& b) {
    return a.type == b.type && a.name == b.name;
  }
  friend bool operator<(const ResourceKey& a, const ResourceKey& b) {
    return a.type != b.type ? a.type < b.type : a.name < b.name;
  }
  template <typename H>
  friend H AbslHashValue(H h, const ResourceKey& key) {
    return H::combine(std::move(h), key.type, key.name);
  }
};

// What to publish.
struct Publication {
  enum class Kind {
    // `put` is everything: what is not in it is removed. `remove` is empty.
    kWhole,
    // `put` and `remove` are what is different.
    kChanges,
  };
  Kind kind = Kind::kChanges;
  // Each (type, name) once. A resource whose version is the one in force is no
  // change.
  std::vector<ResourcePtr> put;
  // A name that is not there is no change.
  std::vector<ResourceKey> remove;
  // The store's revision that the fleet shows completely once this is in
  // force; when one revision takes several publications, the earlier ones
  // carry the revision before it. Never decreases.
  uint64_t store_revision = 0;
};

class Cache {
 public:
  Cache() = default;
  Cache(const Cache&) = delete;
  Cache& operator=(const Cache&) = delete;

  // Publishes for `fleet`. Returns the sequence number with which the fleet
  // has what was published: a new one, or the present one when nothing is
  // different (but for the store's revision). A fleet's first publication
  // counts also when it is empty; until then its proxies get no answer at all.
  // Errors (nothing was published): InvalidArgument when a key is named twice
  // or kWhole comes with removals, or the store's revision decreases;
  // ResourceExhausted over the limits of limits.h.
  absl::StatusOr<Sequence> Publish(absl::string_view fleet,
                                   const Publication& publication);

  // The fleet of that name, made when it is not there (without a publication).
  // ResourceExhausted when there are kMaxFleets.
  absl::StatusOr<std::shared_ptr<Fleet>> GetFleet(absl::string_view fleet);

  // Null when nobody has published for it or asked for it.
  std::shared_ptr<Fleet> FindFleet(absl::string_view fleet) const;

  // Names of all fleets, sorted.
  std::vector<std::string> FleetNames() const;

  // `callback` is called after each publication, also one that changed nothing
  // but the store's revision, in the publishing thread. It must not call this
  // function. There is one callback; null takes it away. Returns when no call
  // of the one before is under way any more.
  void OnPublished(std::function<void(const std::shared_ptr<Fleet>&)> callback);

 private:
  mutable absl::Mutex mu_;
  std::map<std::string, std::shared_ptr<Fleet>, std::less<>> fleets_
      ABSL_GUARDED_BY(mu_);

  // Held for reading during calls.
  absl::Mutex published_mu_;
  std::function<void(const std::shared_ptr<Fleet>&)> published_
      ABSL_GUARDED_BY(published_mu_);
};

}  // namespace sallyport::xds

#endif  // SALLYPORT_CONFIG_SERVICE_XDS_CACHE_CACHE_H_
