#include "config_service/xds/cache/fleet.h"

#include <algorithm>
#include <iterator>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/text.h"
#include "config_service/xds/cache/cache.h"
#include "config_service/xds/cache/limits.h"

namespace sallyport::xds {
namespace {

// How many revisions of the store can be told apart.
constexpr size_t kMaxMarks = 1024;

// A log is cut when it has more entries than this and than its table.
constexpr size_t kMinLogEntries = 4096;

}  // namespace

Sequence Fleet::sequence() const {
  absl::MutexLock lock(&mu_);
  return sequence_;
}

uint64_t Fleet::store_revision() const {
  absl::MutexLock lock(&mu_);
  return store_revision_;
}

std::optional<Sequence> Fleet::SequenceOf(uint64_t revision) const {
  absl::MutexLock lock(&mu_);
  const auto mark = std::lower_bound(
      marks_.begin(), marks_.end(), revision,
      [](const Mark& m, uint64_t wanted) { return m.revision < wanted; });
  if (mark == marks_.end()) return std::nullopt;
  return mark->sequence;
}

uint64_t Fleet::RevisionAt(Sequence sequence) const {
  absl::MutexLock lock(&mu_);
  const auto mark = std::upper_bound(
      marks_.begin(), marks_.end(), sequence,
      [](Sequence wanted, const Mark& m) { return wanted < m.sequence; });
  return mark == marks_.begin() ? 0 : std::prev(mark)->revision;
}

ResourcePtr Fleet::Find(ResourceType type, absl::string_view name) const {
  absl::MutexLock lock(&mu_);
  const Table& t = table(type);
  const auto found = t.ids.find(name);
  return found == t.ids.end() ? nullptr : t.entries[found->second].resource;
}

std::vector<ResourcePtr> Fleet::List(ResourceType type) const {
  std::vector<ResourcePtr> all;
  {
    absl::MutexLock lock(&mu_);
    const Table& t = table(type);
    all.reserve(t.num_resources);
    for (const Entry& entry : t.entries) {
      if (entry.resource != nullptr) all.push_back(entry.resource);
    }
  }
  std::sort(all.begin(), all.end(),
            [](const ResourcePtr& a, const ResourcePtr& b) {
              return a->name() < b->name();
            });
  return all;
}

size_t Fleet::num_resources(ResourceType type) const {
  absl::MutexLock lock(&mu_);
  return table(type).num_resources;
}

absl::Status Fleet::Check(const Publication& publication) const {
  if (publication.store_revision < store_revision_) {
    return absl::InvalidArgumentError(absl::StrCat(
        "Fleet \"", Printable(name_), "\" shows the store's revision ",
        store_revision_, "; revision ", publication.store_revision,
        " cannot be published after it."));
  }
  if (publication.kind == Publication::Kind::kWhole &&
      !publication.remove.empty()) {
    return absl::InvalidArgumentError(
        "A publication of everything has nothing to remove by name.");
  }

  absl::flat_hash_set<std::pair<ResourceType, absl::string_view>> keys;
  keys.reserve(publication.put.size() + publication.remove.size());
  std::array<size_t, kNumResourceTypes> total = {};
  const auto add_key = [&keys](ResourceType type, absl::string_view name) {
    return keys.insert({type, name}).second
               ? absl::OkStatus()
               : absl::InvalidArgumentError(
                     absl::StrCat(TypeName(type), " \"", Printable(name, 100),
                                  "\" is named twice in one publication."));
  };
  for (const ResourcePtr& resource : publication.put) {
    if (resource == nullptr) {
      return absl::InvalidArgumentError("A publication has an empty resource.");
    }
    absl::Status status = add_key(resource->type(), resource->name());
    if (!status.ok()) return status;
    ++total[static_cast<size_t>(resource->type())];
  }
  for (const ResourceKey& key : publication.remove) {
    absl::Status status = add_key(key.type, key.name);
    if (!status.ok()) return status;
  }

  for (size_t i = 0; i < kNumResourceTypes; ++i) {
    // An upper bound where some of `put` are there already.
    const size_t present = publication.kind == Publication::Kind::kWhole
                               ? 0
                               : tables_[i].num_resources;
    if (present + total[i] <= kMaxResourcesPerType) continue;
    return absl::ResourceExhaustedError(
        absl::StrCat("Fleet \"", Printable(name_), "\" would have more than ",
                     kMaxResourcesPerType, " resources of type ",
                     TypeName(static_cast<ResourceType>(i)), "."));
  }
  return absl::OkStatus();
}

void Fleet::Apply(const Publication& publication) {
  bool changed = sequence_ == 0;
  for (const ResourcePtr& resource : publication.put) {
    changed |= Put(resource);
  }
  for (const ResourceKey& key : publication.remove) {
    changed |= Remove(key.type, key.name);
  }
  if (publication.kind == Publication::Kind::kWhole) {
    std::array<std::vector<bool>, kNumResourceTypes> keep;
    for (size_t i = 0; i < kNumResourceTypes; ++i) {
      keep[i].resize(tables_[i].entries.size());
    }
    for (const ResourcePtr& resource : publication.put) {
      const Table& t = table(resource->type());
      keep[static_cast<size_t>(resource->type())]
          [t.ids.find(resource->name())->second] = true;
    }
    for (size_t i = 0; i < kNumResourceTypes; ++i) {
      for (ResourceId id = 0; id < keep[i].size(); ++id) {
        if (keep[i][id] || tables_[i].entries[id].resource == nullptr) continue;
        RemoveEntry(tables_[i], id);
        changed = true;
      }
    }
  }

  if (changed) ++sequence_;
  store_revision_ = publication.store_revision;
  if (marks_.empty() || marks_.back().revision < store_revision_) {
    marks_.push_back({store_revision_, sequence_});
    if (marks_.size() > kMaxMarks) marks_.pop_front();
  }
  if (changed) {
    for (size_t i = 0; i < kNumResourceTypes; ++i) {
      Trim(static_cast<ResourceType>(i));
    }
  }
}

bool Fleet::Put(const ResourcePtr& resource) {
  Table& t = table(resource->type());
  const ResourceId id = Intern(t, resource->name());
  Entry& entry = t.entries[id];
  if (entry.resource != nullptr) {
    if (entry.resource->version_number() == resource->version_number()) {
      return false;
    }
    t.versions -= entry.resource->version_number();
  } else {
    ++t.num_resources;
  }
  t.versions += resource->version_number();
  entry.resource = resource;
  entry.stamp = t.next_stamp;
  t.next_stamp = t.next_stamp == kLastStamp ? kFirstStamp : t.next_stamp + 1;
  Log(t, id);
  return true;
}

bool Fleet::Remove(ResourceType type, absl::string_view name) {
  Table& t = table(type);
  const auto found = t.ids.find(name);
  if (found == t.ids.end()) return false;
  if (t.entries[found->second].resource == nullptr) return false;
  RemoveEntry(t, found->second);
  return true;
}

void Fleet::RemoveEntry(Table& t, ResourceId id) {
  Entry& entry = t.entries[id];
  t.versions -= entry.resource->version_number();
  --t.num_resources;
  entry.resource = nullptr;
  entry.stamp = 0;
  Log(t, id);
  t.abandoned.push_back(id);
}

ResourceId Fleet::Intern(Table& t, absl::string_view name) {
  const auto found = t.ids.find(name);
  if (found != t.ids.end()) return found->second;
  ResourceId id;
  if (t.free.empty()) {
    id = static_cast<ResourceId>(t.entries.size());
    t.entries.emplace_back();
  } else {
    id = t.free.back();
    t.free.pop_back();
  }
  Entry& entry = t.entries[id];
  entry.name = std::string(name);
  entry.in_use = true;
  t.ids.emplace(entry.name, id);
  return id;
}

void Fleet::Log(Table& t, ResourceId id) {
  t.entries[id].position = t.log_begin + t.log.size();
  t.log.push_back(id);
}

uint64_t Fleet::LowestPosition(ResourceType type) const {
  const Table& t = table(type);
  uint64_t lowest = t.log_begin + t.log.size();
  for (const FleetReader* reader : readers_) {
    lowest = std::min(lowest, reader->done[static_cast<size_t>(type)]);
  }
  return lowest;
}

void Fleet::Trim(ResourceType type) {
  Table& t = table(type);
  t.lowest = LowestPosition(type);
  while (!t.log.empty() && t.log_begin < t.lowest) {
    t.log.pop_front();
    ++t.log_begin;
  }
  const size_t most = std::max(kMinLogEntries, t.entries.size());
  if (t.log.size() > most) {
    // To half of it, so that readers that are slow look at the whole table
    // once in a while and not at each change.
    while (t.log.size() > most / 2) {
      t.log.pop_front();
      ++t.log_begin;
    }
  }
  while (!t.abandoned.empty()) {
    const ResourceId id = t.abandoned.front();
    const Entry& entry = t.entries[id];
    const bool unused =
        entry.in_use && entry.resource == nullptr && entry.watchers == 0;
    if (unused && entry.position >= t.lowest) break;
    t.abandoned.pop_front();
    if (unused) Forget(t, id);
  }
}

void Fleet::Forget(Table& t, ResourceId id) {
  Entry& entry = t.entries[id];
  t.ids.erase(entry.name);
  entry = Entry();
  t.free.push_back(id);
}

void FleetView::Add(FleetReader* reader) {
  reader->done.fill(FleetReader::kNotReading);
  fleet_.readers_.insert(reader);
}

void FleetView::Remove(FleetReader* reader) { fleet_.readers_.erase(reader); }

Sequence FleetView::sequence() const { return fleet_.sequence_; }

uint64_t FleetView::store_revision() const { return fleet_.store_revision_; }

uint64_t FleetView::log_begin(ResourceType type) const {
  return fleet_.table(type).log_begin;
}

uint64_t FleetView::log_end(ResourceType type) const {
  const Fleet::Table& t = fleet_.table(type);
  return t.log_begin + t.log.size();
}

ResourceId FleetView::log_at(ResourceType type, uint64_t position) const {
  const Fleet::Table& t = fleet_.table(type);
  return t.log[position - t.log_begin];
}

ResourceId FleetView::table_size(ResourceType type) const {
  return static_cast<ResourceId>(fleet_.table(type).entries.size());
}

const ResourcePtr& FleetView::resource(ResourceType type, ResourceId id) const {
  return fleet_.table(type).entries[id].resource;
}

Stamp FleetView::stamp(ResourceType type, ResourceId id) const {
  return fleet_.table(type).entries[id].stamp;
}

const std::string& FleetView::name(ResourceType type, ResourceId id) const {
  return fleet_.table(type).entries[id].name;
}

std::optional<ResourceId> FleetView::Find(ResourceType type,
                                          absl::string_view name) const {
  const Fleet::Table& t = fleet_.table(type);
  const auto found = t.ids.find(name);
  if (found == t.ids.end()) return std::nullopt;
  return found->second;
}

ResourceId FleetView::Watch(ResourceType type, absl::string_view name) {
  const ResourceId id = fleet_.Intern(fleet_.table(type), name);
  WatchId(type, id);
  return id;
}

void FleetView::WatchId(ResourceType type, ResourceId id) {
  ++fleet_.table(type).entries[id].watchers;
}

void FleetView::Unwatch(ResourceType type, ResourceId id) {
  Fleet::Table& t = fleet_.table(type);
  Fleet::Entry& entry = t.entries[id];
  if (--entry.watchers > 0 || entry.resource != nullptr) return;
  if (entry.position < t.lowest) {
    fleet_.Forget(t, id);
  } else {
    t.abandoned.push_back(id);
  }
}

std::string FleetView::TypeVersion(ResourceType type) const {
  return VersionText(fleet_.table(type).versions);
}

}  // namespace sallyport::xds
