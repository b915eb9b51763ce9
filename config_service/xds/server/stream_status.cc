// The part of Stream that tells what its proxy has.

#include <algorithm>
#include <optional>
#include <utility>

#include "config_service/xds/server/stream.h"

namespace sallyport::xds {

bool Stream::idle() const { return all_sent_ && num_unanswered_ == 0; }

absl::Time Stream::unanswered_since() const {
  absl::Time since = absl::InfiniteFuture();
  for (const TypeState& t : types_) {
    if (!t.unanswered.empty()) {
      since = std::min(since, t.unanswered.front().time);
    }
  }
  return since;
}

bool Stream::Has(const ResourceKey& key) const {
  const TypeState& t = state(key.type);
  ResourceId id;
  Stamp stamp;
  {
    FleetView view(*fleet_);
    const auto found = view.Find(key.type, key.name);
    if (!found.has_value()) return false;
    if (view.resource(key.type, *found) == nullptr) return false;
    id = *found;
    stamp = view.stamp(key.type, id);
  }
  if (HasOf(t.known.Get(id)) != stamp) return false;
  for (const Unanswered& unanswered : t.unanswered) {
    for (const Sent& sent : unanswered.sent) {
      if (sent.id == id && sent.stamp == stamp) return false;
    }
  }
  return true;
}

bool Stream::Refuses(const ResourceKey& key) const {
  const TypeState& t = state(key.type);
  if (t.refused.empty()) return false;
  if (t.refused.contains(kEverything)) return true;
  FleetView view(*fleet_);
  const auto found = view.Find(key.type, key.name);
  if (!found.has_value()) return false;
  const auto refused = t.refused.find(*found);
  return refused != t.refused.end() &&
         refused->second == view.stamp(key.type, *found);
}

size_t Stream::num_refusals() const {
  size_t total = 0;
  for (const TypeState& t : types_) total += t.refused.size();
  return total;
}

void Stream::FillStatus(NodeStatus* status) const {
  status->delta = form_ == Form::kDelta;
  status->sequence = sequence_;
  status->store_revision = fleet_->RevisionAt(sequence_);
  const Sequence newest = fleet_->sequence();
  status->behind = newest > sequence_ ? newest - sequence_ : 0;
  status->unanswered_since = unanswered_since();
  for (size_t i = 0; i < kNumResourceTypes; ++i) {
    const TypeState& t = types_[i];
    TypeStatus& s = status->types[i];
    s.requested = t.requested;
    s.wildcard = t.wildcard;
    s.num_subscribed = t.num_by_name;
    s.num_absent = t.watched.size();
    s.num_unanswered = t.unanswered.size();
    s.num_refused = t.refused.size();
    size_t not_acknowledged = t.refused.size();
    for (const Unanswered& u : t.unanswered) not_acknowledged += u.sent.size();
    s.num_acknowledged =
        t.num_sent > not_acknowledged ? t.num_sent - not_acknowledged : 0;
    s.last_acknowledged = t.last_acknowledged;
  }
  status->num_requests = num_requests_;
  status->num_responses = num_responses_;
  status->num_refused_responses = num_refused_responses_;
  status->num_refusals = num_refusals();
  status->refusals.clear();
  for (const Detail& detail : details_) {
    status->refusals.push_back(detail.refusal);
  }
}

std::vector<ResourceStatus> Stream::Resources() const {
  // What was sent and not answered: the newest of each.
  std::array<absl::flat_hash_map<ResourceId, const Sent*>, kNumResourceTypes>
      unanswered;
  for (size_t i = 0; i < kNumResourceTypes; ++i) {
    for (const Unanswered& response : types_[i].unanswered) {
      for (const Sent& sent : response.sent) unanswered[i][sent.id] = &sent;
    }
  }
  std::vector<ResourceStatus> all;
  {
    FleetView view(*fleet_);
    for (size_t i = 0; i < kNumResourceTypes; ++i) {
      const auto type = static_cast<ResourceType>(i);
      const TypeState& t = types_[i];
      t.known.ForEach([&](ResourceId id, uint32_t known) {
        ResourceStatus one;
        one.resource = {type, view.name(type, id)};
        const ResourcePtr& now = view.resource(type, id);
        const uint32_t has = HasOf(known);
        const auto sent = unanswered[i].find(id);
        if (sent != unanswered[i].end() && sent->second->stamp == has) {
          one.state = ResourceStatus::State::kSent;
          one.version = sent->second->resource->version();
        } else if (now == nullptr) {
          one.state = ResourceStatus::State::kAbsent;
        } else if (has == view.stamp(type, id)) {
          one.state = ResourceStatus::State::kAccepted;
          one.version = now->version();
        }
        if (has >= kFirstStamp && one.state != ResourceStatus::State::kSent) {
          const auto refused = t.refused.find(id);
          if (t.refused.contains(kEverything) ||
              (refused != t.refused.end() && refused->second == has)) {
            one.state = ResourceStatus::State::kRefused;
          }
        }
        all.push_back(std::move(one));
      });
    }
  }
  // Not all refusals have their texts here still.
  for (const Detail& detail : details_) {
    const bool whole = detail.id == kEverything;
    for (ResourceStatus& one : all) {
      if (one.state != ResourceStatus::State::kRefused ||
          one.resource.type != detail.type ||
          (!whole && one.resource.name != detail.refusal.resource.name)) {
        continue;
      }
      one.version = detail.refusal.version;
      one.reason = detail.refusal.reason;
      one.time = detail.refusal.time;
      if (!whole) break;
    }
  }
  return all;
}

}  // namespace sallyport::xds
