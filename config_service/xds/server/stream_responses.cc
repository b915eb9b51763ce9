// The half of Stream that makes responses.

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "config_service/xds/cache/wire.h"
#include "config_service/xds/server/stream.h"

namespace sallyport::xds {
namespace {

// Field numbers of envoy.service.discovery.v3.DeltaDiscoveryResponse and
// DiscoveryResponse. The version is field 1, type_url 4 and nonce 5 of both.
constexpr int kVersionInfo = 1;
constexpr int kTypeUrl = 4;
constexpr int kNonce = 5;
constexpr int kRemovedResources = 6;

// Types whose refusals name no resource and which come in large numbers.
bool GoesSingly(ResourceType type) {
  switch (type) {
    case ResourceType::kSecret:
    case ResourceType::kExtensionConfig:
    case ResourceType::kFilterChain:
    case ResourceType::kRouteConfiguration:
      return true;
    case ResourceType::kRuntime:
    case ResourceType::kCluster:
    case ResourceType::kEndpoints:
    case ResourceType::kListener:
      break;
  }
  return false;
}

}  // namespace

// In the state of the world, a response of these types is all there is, and
// what is not in it is removed.
bool Stream::SendsEverything(ResourceType type) const {
  return form_ == Form::kStateOfTheWorld &&
         (type == ResourceType::kCluster || type == ResourceType::kListener);
}

// In the state of the world an answer names the last version only, so that a
// second response waits for the answer to the first.
bool Stream::Blocked(ResourceType type) const {
  return form_ == Form::kStateOfTheWorld && !state(type).unanswered.empty();
}

std::optional<Response> Stream::NextResponse(absl::Time now) {
  all_sent_ = false;
  if (num_unanswered_ > 0 &&
      (num_unanswered_ >= options_.max_unanswered_responses ||
       unanswered_bytes_ >= options_.max_unanswered_bytes)) {
    return std::nullopt;
  }
  std::optional<Response> response;
  bool blocked = false;
  Sequence newest;
  {
    FleetView view(*fleet_);
    for (size_t i = 0; i < kNumResourceTypes && !response && !blocked; ++i) {
      if (!types_[i].requested) continue;
      response = Additions(view, static_cast<ResourceType>(i), now, &blocked);
    }
    for (size_t i = kNumResourceTypes; i > 0 && !response && !blocked; --i) {
      if (!types_[i - 1].requested) continue;
      response =
          Removals(view, static_cast<ResourceType>(i - 1), now, &blocked);
    }
    newest = view.sequence();
  }
  TellObserver();
  if (response || blocked) return response;

  // Everything that the proxy asked for is sent.
  all_sent_ = true;
  const bool started = state(ResourceType::kListener).requested ||
                       now - began_ >= options_.startup;
  if (!started) return std::nullopt;
  if (num_unanswered_ == 0) {
    checkpoints_.clear();
    sequence_ = newest;
  } else if (!checkpoints_.empty() &&
             checkpoints_.back().nonce == last_nonce_) {
    checkpoints_.back().sequence = newest;
  } else {
    checkpoints_.push_back({newest, last_nonce_});
  }
  return std::nullopt;
}

bool Stream::IsDue(const FleetView& view, ResourceType type,
                   ResourceId id) const {
  const TypeState& t = state(type);
  const uint32_t known = t.known.Get(id);
  if ((known & kByName) == 0 && !t.wildcard) return false;
  return view.resource(type, id) != nullptr &&
         HasOf(known) != view.stamp(type, id);
}

// Asked for, not there, and the proxy was not told yet.
bool Stream::IsAbsentDue(const FleetView& view, ResourceType type,
                         ResourceId id) const {
  return HasOf(state(type).known.Get(id)) == kWanted &&
         view.resource(type, id) == nullptr;
}

// The proxy has it, or was promised an answer, and it is gone.
bool Stream::IsRemovalDue(const FleetView& view, ResourceType type,
                          ResourceId id) const {
  const uint32_t has = HasOf(state(type).known.Get(id));
  return has != kUnknown && has != kAbsent &&
         view.resource(type, id) == nullptr;
}

std::optional<ResourceId> Stream::At(const FleetView& view, ResourceType type,
                                     Cursor& cursor) {
  if (cursor.position < view.log_begin(type)) {
    cursor = Cursor{view.log_end(type), 0, view.table_size(type)};
  }
  if (cursor.scanning()) return cursor.scan_next;
  if (cursor.position == view.log_end(type)) return std::nullopt;
  return view.log_at(type, cursor.position);
}

void Stream::Advance(Cursor& cursor) {
  if (cursor.scanning()) {
    ++cursor.scan_next;
  } else {
    ++cursor.position;
  }
}

std::optional<ResourceId> Stream::PeekAddition(FleetView& view,
                                               ResourceType type) {
  TypeState& t = state(type);
  while (true) {
    // Also while `asked` is not empty: it looks at where the log begins.
    std::optional<ResourceId> id = At(view, type, t.additions);
    if (t.asked_next < t.asked.size()) id = t.asked[t.asked_next];
    if (!id.has_value() || IsDue(view, type, *id) ||
        IsAbsentDue(view, type, *id)) {
      return id;
    }
    TakeAddition(type);
  }
}

void Stream::TakeAddition(ResourceType type) {
  TypeState& t = state(type);
  if (t.asked_next == t.asked.size()) {
    Advance(t.additions);
  } else if (++t.asked_next == t.asked.size()) {
    std::vector<ResourceId>().swap(t.asked);
    t.asked_next = 0;
  }
}

std::optional<ResourceId> Stream::PeekRemoval(FleetView& view,
                                              ResourceType type) {
  TypeState& t = state(type);
  while (true) {
    const std::optional<ResourceId> id = At(view, type, t.removals);
    if (!id.has_value()) break;
    if (IsRemovalDue(view, type, *id)) return id;
    TakeRemoval(type);
  }
  reader_.done[static_cast<size_t>(type)] = t.removals.position;
  return std::nullopt;
}

void Stream::TakeRemoval(ResourceType type) { Advance(state(type).removals); }

// The proxy is told, or knows by what it was sent, that there is none.
void Stream::MarkRemoved(FleetView& view, ResourceType type, ResourceId id) {
  TypeState& t = state(type);
  ForgetRefusal(type, id, "");
  if ((t.known.Get(id) & kByName) != 0) {
    Watch(view, type, id);
    SetKnown(t, id, kByName | kAbsent);
  } else {
    // The id may be forgotten here, so this is the last use of it.
    SetKnown(t, id, kUnknown);
    Unwatch(view, type, id);
  }
}

// Puts what is due into `ready`, about as much as fits one response.
void Stream::Gather(FleetView& view, ResourceType type,
                    std::vector<std::string>* absent) {
  std::vector<ResourceId> ids;
  size_t bytes = 0;
  bool all = false;
  while (true) {
    const std::optional<ResourceId> id = PeekAddition(view, type);
    if (!id.has_value()) {
      all = true;
      break;
    }
    if (ids.size() >= options_.max_response_resources ||
        absent->size() >= options_.max_response_resources) {
      break;
    }
    if (IsAbsentDue(view, type, *id)) {
      absent->push_back(view.name(type, *id));
      MarkRemoved(view, type, *id);
      TakeAddition(type);
      continue;
    }
    const size_t size = view.resource(type, *id)->wire()->size();
    // Few large ones go singly too.
    const size_t at_least = GoesSingly(type) ? options_.singly_up_to : 0;
    if (ids.size() > at_least && bytes + size > options_.max_response_bytes) {
      break;
    }
    bytes += size;
    ids.push_back(*id);
    TakeAddition(type);
  }
  // A name that was asked for may be among all of a wildcard too.
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  TypeState& t = state(type);
  if (all && GoesSingly(type) && ids.size() <= options_.singly_up_to) {
    for (const ResourceId id : ids) t.ready.push_back({id});
  } else if (!ids.empty()) {
    t.ready.push_back(std::move(ids));
  }
}

std::optional<Response> Stream::Additions(FleetView& view, ResourceType type,
                                          absl::Time now, bool* blocked) {
  TypeState& t = state(type);
  if (SendsEverything(type)) {
    if (!t.owes_first && !PeekAddition(view, type).has_value()) {
      return std::nullopt;
    }
    if (Blocked(type)) {
      *blocked = true;
      return std::nullopt;
    }
    return Everything(view, type, now);
  }

  while (true) {
    while (!t.ready.empty()) {
      std::vector<ResourceId>& group = t.ready.front();
      std::vector<ResourceId> ids;
      std::vector<ResourceId> rest;
      size_t bytes = 0;
      for (const ResourceId id : group) {
        // It may have been sent, dropped or removed since it was gathered.
        if (!IsDue(view, type, id)) continue;
        bytes += view.resource(type, id)->wire()->size();
        if (ids.empty() || bytes <= options_.max_response_bytes) {
          ids.push_back(id);
        } else {
          rest.push_back(id);
        }
      }
      if (!ids.empty() && Blocked(type)) {
        *blocked = true;
        return std::nullopt;
      }
      if (rest.empty()) {
        t.ready.pop_front();
      } else {
        group = std::move(rest);
      }
      if (!ids.empty()) return Compose(view, type, ids, {}, now);
    }

    std::vector<std::string> absent;
    Gather(view, type, &absent);
    // The state of the world has no way to say that there is none.
    if (!absent.empty() && form_ == Form::kDelta) {
      return Compose(view, type, {}, absent, now);
    }
    if (t.ready.empty() && absent.empty()) break;
  }

  if (t.owes_first && !Blocked(type)) return Compose(view, type, {}, {}, now);
  return std::nullopt;
}

std::optional<Response> Stream::Removals(FleetView& view, ResourceType type,
                                         absl::Time now, bool* blocked) {
  if (SendsEverything(type)) {
    if (!PeekRemoval(view, type).has_value()) return std::nullopt;
    if (Blocked(type)) {
      *blocked = true;
      return std::nullopt;
    }
    return Everything(view, type, now);
  }
  // In the state of the world there is nothing to say of these types, and so no
  // limit to what fits.
  const bool delta = form_ == Form::kDelta;
  std::vector<std::string> removed;
  while (!delta || removed.size() < options_.max_response_resources) {
    const std::optional<ResourceId> id = PeekRemoval(view, type);
    if (!id.has_value()) break;
    if (delta) removed.push_back(view.name(type, *id));
    TakeRemoval(type);
    MarkRemoved(view, type, *id);
  }
  if (removed.empty()) return std::nullopt;
  return Compose(view, type, {}, removed, now);
}

// A state-of-the-world response of all that the proxy asked for.
Response Stream::Everything(FleetView& view, ResourceType type,
                            absl::Time now) {
  TypeState& t = state(type);
  std::vector<ResourceId> ids;
  for (ResourceId id = 0; id < view.table_size(type); ++id) {
    const uint32_t known = t.known.Get(id);
    if (view.resource(type, id) != nullptr) {
      if (t.wildcard || (known & kByName) != 0) ids.push_back(id);
    } else if (HasOf(known) != kUnknown && HasOf(known) != kAbsent) {
      MarkRemoved(view, type, id);
    }
  }
  std::vector<ResourceId>().swap(t.asked);
  t.asked_next = 0;
  t.additions = Cursor{view.log_end(type), 0, 0};
  t.removals = t.additions;
  reader_.done[static_cast<size_t>(type)] = t.removals.position;
  return Compose(view, type, ids, {}, now);
}

Response Stream::Compose(FleetView& view, ResourceType type,
                         const std::vector<ResourceId>& ids,
                         const std::vector<std::string>& removed,
                         absl::Time now) {
  TypeState& t = state(type);
  t.owes_first = false;
  Response response;
  response.type = type;
  Unanswered unanswered;
  unanswered.sent.reserve(ids.size());
  response.parts.reserve(ids.size());
  const bool delta = form_ == Form::kDelta;
  for (const ResourceId id : ids) {
    const ResourcePtr& resource = view.resource(type, id);
    const Stamp stamp = view.stamp(type, id);
    Unwatch(view, type, id);
    SetKnown(t, id, (t.known.Get(id) & kByName) | stamp);
    unanswered.sent.push_back({id, stamp, resource});
    Response::Part part;
    part.resource = resource;
    part.offset = delta ? 0 : resource->any_offset();
    part.size = delta ? resource->wire()->size() : resource->any_size();
    response.bytes += part.size;
    response.parts.push_back(std::move(part));
  }

  std::string& tail = response.tail;
  if (delta) {
    AppendBytes(kVersionInfo, absl::StrCat(view.store_revision()), &tail);
  } else {
    unanswered.version = view.TypeVersion(type);
    AppendBytes(kVersionInfo, unanswered.version, &tail);
  }
  AppendBytes(kTypeUrl, TypeUrl(type), &tail);
  unanswered.nonce = ++last_nonce_;
  AppendBytes(kNonce, absl::StrCat(last_nonce_), &tail);
  for (const std::string& name : removed) {
    AppendBytes(kRemovedResources, name, &tail);
  }
  response.bytes += tail.size();

  unanswered.store_revision = view.store_revision();
  unanswered.bytes = response.bytes;
  unanswered.time = now;
  t.unanswered.push_back(std::move(unanswered));
  unanswered_bytes_ += response.bytes;
  ++num_unanswered_;
  ++num_responses_;
  return response;
}

}  // namespace sallyport::xds
