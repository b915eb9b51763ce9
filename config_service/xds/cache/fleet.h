// Fleet: the resources of one fleet and the log of what changed; the side of
// the cache that streams read.
//
// Within a fleet and a type each name has a 32-bit id and each content that it
// ever had a 32-bit stamp, so that a stream remembers what its proxy has in
// four bytes for each resource.
//
// How a stream follows: it remembers, for each type, a position in the type's
// log. The log has the id of each resource that was put or removed, in order;
// what is behind the position has been looked at. The resource itself is looked
// up when it is sent, so whatever was overtaken is skipped. When the log has
// been cut past a position (the stream was slow), the stream looks at all
// entries once.

#ifndef SALLYPORT_CONFIG_SERVICE_XDS_CACHE_FLEET_H_
#define SALLYPORT_CONFIG_SERVICE_XDS_CACHE_FLEET_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/numeric/int128.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "config_service/xds/cache/resource.h"

namespace sallyport::xds {

// The number of a fleet's publication: 1, 2, 3... 0 is "nothing published".
using Sequence = uint64_t;

// A name of one fleet and type. Ids are used again once nobody knows them.
using ResourceId = uint32_t;

// A content of a resource. Of two contents that a name had one after the other
// no two have the same stamp (until 2^31 changes of one type have gone by).
using Stamp = uint32_t;

// Never a content's stamp: values below are free for streams to use.
constexpr Stamp kFirstStamp = 16;
constexpr Stamp kLastStamp = 0x7fffffff;

struct Publication;

// FleetReader: what a stream tells its fleet: how far it has read. Belongs to
// the stream; the fleet looks at it under its lock.
struct FleetReader {
  static constexpr uint64_t kNotReading = ~uint64_t{0};
  // For each type: the log before this position is done with, removals
  // included. kNotReading: the stream does not follow the type (yet).
  std::array<uint64_t, kNumResourceTypes> done = {};
};

// Thread-safety: Fleet may be used by any number of threads at once.
class Fleet {
 public:
  explicit Fleet(absl::string_view name) : name_(name) {}
  Fleet(const Fleet&) = delete;
  Fleet& operator=(const Fleet&) = delete;

  const std::string& name() const { return name_; }

  // The last publication; 0 before the first.
  Sequence sequence() const;
  // The store's revision of the last publication.
  uint64_t store_revision() const;

  // The first publication that showed the store's `revision` (or a later one)
  // completely; nothing when it has not been published yet. Of revisions that
  // are long past a later publication may be named.
  std::optional<Sequence> SequenceOf(uint64_t revision) const;
  // The store's revision that was complete with publication `sequence`; of
  // publications that are long past an earlier revision may be named.
  uint64_t RevisionAt(Sequence sequence) const;

  // The resource in force; null when there is none.
  ResourcePtr Find(ResourceType type, absl::string_view name) const;
  // All of one type, by name.
  std::vector<ResourcePtr> List(ResourceType type) const;
  size_t num_resources(ResourceType type) const;

 private:
  friend class Cache;
  friend class FleetView;

  struct Entry {
    std::string name;
    ResourcePtr resource;  // null: no such resource (now)
    Stamp stamp = 0;
    // Where in the log its last change is; 0: it never was there.
    uint64_t position = 0;
    // Streams that are subscribed to the name while there is no resource.
    uint32_t watchers = 0;
    bool in_use = false;
  };

  struct Table {
    std::deque<Entry> entries;  // by id; addresses do not change
    std::vector<ResourceId> free;
    absl::flat_hash_map<absl::string_view, ResourceId> ids;  // views of entries
    // Entries without a resource that may be forgotten, by when they were left.
    std::deque<ResourceId> abandoned;
    std::deque<ResourceId> log;
    uint64_t log_begin = 1;  // position of log.front()
    Stamp next_stamp = kFirstStamp;
    // LowestPosition when it was looked at last: never too high.
    uint64_t lowest = 1;
    size_t num_resources = 0;
    // Sum of the versions of all resources, modulo 2^128.
    absl::uint128 versions = 0;
  };

  // What the last publications of a revision were.
  struct Mark {
    uint64_t revision;
    Sequence sequence;
  };

  absl::Status Check(const Publication& publication) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Apply(const Publication& publication) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Whether anything is different.
  bool Put(const ResourcePtr& resource) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  bool Remove(ResourceType type, absl::string_view name)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void RemoveEntry(Table& table, ResourceId id)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  ResourceId Intern(Table& table, absl::string_view name)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Log(Table& table, ResourceId id) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Forgets what all readers are done with.
  void Trim(ResourceType type) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Forget(Table& table, ResourceId id) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // The lowest position that a reader still has to look at.
  uint64_t LowestPosition(ResourceType type) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  Table& table(ResourceType type) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    return tables_[static_cast<size_t>(type)];
  }
  const Table& table(ResourceType type) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    return tables_[static_cast<size_t>(type)];
  }

  const std::string name_;

  mutable absl::Mutex mu_;
  Sequence sequence_ ABSL_GUARDED_BY(mu_) = 0;
  uint64_t store_revision_ ABSL_GUARDED_BY(mu_) = 0;
  std::deque<Mark> marks_ ABSL_GUARDED_BY(mu_);
  std::array<Table, kNumResourceTypes> tables_ ABSL_GUARDED_BY(mu_);
  absl::flat_hash_set<const FleetReader*> readers_ ABSL_GUARDED_BY(mu_);
};

// FleetView: a stream's look into its fleet; holds the fleet's lock for as long
// as it lives, so keep it short and take no other lock meanwhile.
class ABSL_SCOPED_LOCKABLE FleetView {
 public:
  explicit FleetView(Fleet& fleet) ABSL_EXCLUSIVE_LOCK_FUNCTION(fleet.mu_)
      : fleet_(fleet) {
    fleet_.mu_.Lock();
  }
  ~FleetView() ABSL_UNLOCK_FUNCTION() { fleet_.mu_.Unlock(); }
  FleetView(const FleetView&) = delete;
  FleetView& operator=(const FleetView&) = delete;

  // Readers. Add() sets the reader to kNotReading everywhere. Until Remove(),
  // no id is used for another name that the reader watches, or whose resource
  // was removed at a position that the reader is not done with.
  void Add(FleetReader* reader);
  void Remove(FleetReader* reader);

  Sequence sequence() const;
  uint64_t store_revision() const;

  // The log of `type`: positions begin() <= p < end(). Positions only grow.
  uint64_t log_begin(ResourceType type) const;
  uint64_t log_end(ResourceType type) const;
  ResourceId log_at(ResourceType type, uint64_t position) const;

  // Ids are below table_size(). An id in the table may be of no name.
  ResourceId table_size(ResourceType type) const;

  // The resource in force under an id; null when there is none.
  const ResourcePtr& resource(ResourceType type, ResourceId id) const;
  // Its stamp.
  Stamp stamp(ResourceType type, ResourceId id) const;
  // The name of an id that is in use.
  const std::string& name(ResourceType type, ResourceId id) const;

  std::optional<ResourceId> Find(ResourceType type,
                                 absl::string_view name) const;

  // Watch: the id of a name that has no resource, kept as long as someone
  // watches it. Each call is answered by one Unwatch.
  ResourceId Watch(ResourceType type, absl::string_view name);
  // The same for an id that is in use.
  void WatchId(ResourceType type, ResourceId id);
  void Unwatch(ResourceType type, ResourceId id);

  // 22 characters: the same for the same set of resources and versions.
  std::string TypeVersion(ResourceType type) const;

 private:
  Fleet& fleet_;
};

}  // namespace sallyport::xds

#endif  // SALLYPORT_CONFIG_SERVICE_XDS_CACHE_FLEET_H_
