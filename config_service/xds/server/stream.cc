#include "config_service/xds/server/stream.h"

#include <algorithm>
#include <utility>

#include "absl/hash/hash.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "base/text.h"
#include "config_service/xds/cache/limits.h"

namespace sallyport::xds {
namespace {

// Into how many parts a refused response is taken apart.
constexpr size_t kRefusedParts = 8;

// A request that asks for no more names than this is one of many.
constexpr size_t kFewNames = 4;

// Names that may be waiting in `asked`, at least. With more than there are ids
// it is cheaper to look at all of them.
constexpr size_t kMinAsked = 1024;

bool HasImplicitWildcard(ResourceType type) {
  return type == ResourceType::kCluster || type == ResourceType::kListener;
}

}  // namespace

std::string Response::Bytes() const {
  std::string all;
  for (const Part& part : parts) {
    all.append(*part.resource->wire(), part.offset, part.size);
  }
  return all + tail;
}

Stream::Stream(Form form, std::shared_ptr<Fleet> fleet,
               const StreamOptions& options, StreamObserver& observer)
    : form_(form),
      fleet_(std::move(fleet)),
      options_(options),
      observer_(observer) {
  FleetView view(*fleet_);
  view.Add(&reader_);
}

Stream::~Stream() {
  FleetView view(*fleet_);
  for (size_t i = 0; i < kNumResourceTypes; ++i) {
    for (const ResourceId id : types_[i].watched) {
      view.Unwatch(static_cast<ResourceType>(i), id);
    }
  }
  view.Remove(&reader_);
}

absl::StatusOr<Stream::Accepted> Stream::OnRequest(const Request& request,
                                                   absl::Time now) {
  ++num_requests_;
  began_ = std::min(began_, now);
  if (request.type_url.empty()) {
    return absl::InvalidArgumentError("The request has no type_url.");
  }
  Accepted accepted;
  const std::optional<ResourceType> type = FindResourceType(request.type_url);
  // A type that is not served: nothing of it will ever come.
  if (!type.has_value()) return accepted;

  if (!request.nonce.empty()) {
    accepted.answered_bytes = OnAnswer(*type, request, now);
  }
  {
    FleetView view(*fleet_);
    const bool first = !state(*type).requested;
    if (first) Begin(view, *type);
    SALLYPORT_RETURN_IF_ERROR(form_ == Form::kDelta
                                  ? OnDelta(view, *type, request, first)
                                  : OnSotw(view, *type, request, first));
  }
  TellObserver();
  accepted.may_wait = form_ == Form::kDelta && request.nonce.empty() &&
                      request.versions.empty() && !request.subscribe.empty() &&
                      request.subscribe.size() <= kFewNames;
  return accepted;
}

void Stream::Begin(FleetView& view, ResourceType type) {
  TypeState& t = state(type);
  t.requested = true;
  t.additions.position = view.log_end(type);
  t.removals.position = t.additions.position;
  reader_.done[static_cast<size_t>(type)] = t.removals.position;
}

void Stream::BeginWildcard(FleetView& view, ResourceType type) {
  TypeState& t = state(type);
  t.wildcard = true;
  t.additions.scan_next = 0;
  t.additions.scan_end = view.table_size(type);
  // What is still on its way to the proxy it will take as part of the wildcard,
  // also when it is gone since an earlier wildcard or subscription ended.
  for (const Unanswered& unanswered : t.unanswered) {
    for (const Sent& sent : unanswered.sent) {
      HadBefore(view, type, sent.resource->name());
    }
  }
}

// The wildcard covers `name`, and the proxy has some version of it: if it is
// gone, the proxy has to be told.
void Stream::HadBefore(FleetView& view, ResourceType type,
                       absl::string_view name) {
  TypeState& t = state(type);
  auto id = view.Find(type, name);
  if (id.has_value() &&
      (view.resource(type, *id) != nullptr || t.known.Get(*id) != kUnknown)) {
    return;
  }
  if (id.has_value()) {
    Watch(view, type, *id);
  } else {
    id = WatchName(view, type, name);
  }
  SetKnown(t, *id, kWanted);
  Ask(view, type, *id);
}

void Stream::EndWildcard(FleetView& view, ResourceType type) {
  TypeState& t = state(type);
  t.wildcard = false;
  t.known.ForEach([&](ResourceId id, uint32_t known) {
    if ((known & kByName) != 0) return;
    Unwatch(view, type, id);
    ForgetRefusal(type, id, "");
    SetKnown(t, id, kUnknown);
  });
}

absl::Status Stream::OnDelta(FleetView& view, ResourceType type,
                             const Request& request, bool first) {
  TypeState& t = state(type);
  if (first && request.subscribe.empty() && HasImplicitWildcard(type)) {
    BeginWildcard(view, type);
    t.owes_first = request.versions.empty();
  }
  // First, so that what is dropped by name stays covered.
  const bool wildcard =
      std::find(request.subscribe.begin(), request.subscribe.end(), "*") !=
      request.subscribe.end();
  if (wildcard) {
    if (!t.wildcard) t.owes_first = request.versions.empty();
    BeginWildcard(view, type);
  }
  for (const absl::string_view name : request.unsubscribe) {
    if (name == "*") {
      if (t.wildcard && !wildcard) EndWildcard(view, type);
    } else if (const auto id = view.Find(type, name)) {
      Unsubscribe(view, type, *id);
    }
  }
  for (const absl::string_view name : request.subscribe) {
    if (name == "*") continue;
    SALLYPORT_RETURN_IF_ERROR(Subscribe(view, type, name));
  }
  if (first) {
    for (const auto& [name, version] : request.versions) {
      SALLYPORT_RETURN_IF_ERROR(TakeVersion(view, type, name, version));
    }
  }
  return CheckWatched();
}

void Stream::SetKnown(TypeState& t, ResourceId id, uint32_t known) {
  if (HasOf(t.known.Get(id)) >= kFirstStamp) --t.num_sent;
  if (HasOf(known) >= kFirstStamp) ++t.num_sent;
  t.known.Set(id, known);
}

absl::Status Stream::Subscribe(FleetView& view, ResourceType type,
                               absl::string_view name) {
  TypeState& t = state(type);
  ResourceId id;
  if (const auto found = view.Find(type, name)) {
    id = *found;
    if (view.resource(type, id) == nullptr) Watch(view, type, id);
  } else {
    // Names that are known were looked at when they came to be.
    if (!IsResourceName(name)) {
      return absl::InvalidArgumentError(absl::StrCat(
          "\"", Printable(name, 100), "\" is no resource's name: that is 1 to ",
          kMaxResourceNameBytes, " bytes of UTF-8."));
    }
    SALLYPORT_RETURN_IF_ERROR(CheckWatched());
    id = WatchName(view, type, name);
  }
  const uint32_t known = t.known.Get(id);
  if ((known & kByName) == 0) ++t.num_by_name;
  // Also when the proxy has it: it asks to have it again.
  SetKnown(t, id, kByName | kWanted);
  // If it was wanted by name before, it is in `asked` (or in `ready`) already.
  if (known != (kByName | kWanted)) Ask(view, type, id);
  return absl::OkStatus();
}

void Stream::Ask(FleetView& view, ResourceType type, ResourceId id) {
  TypeState& t = state(type);
  if (t.asked.size() - t.asked_next >=
      std::max<size_t>(kMinAsked, view.table_size(type))) {
    t.asked.clear();
    t.asked_next = 0;
    t.additions.scan_next = 0;
    t.additions.scan_end = view.table_size(type);
    return;
  }
  t.asked.push_back(id);
}

void Stream::Unsubscribe(FleetView& view, ResourceType type, ResourceId id) {
  TypeState& t = state(type);
  const uint32_t known = t.known.Get(id);
  if ((known & kByName) == 0) return;
  --t.num_by_name;
  if (t.wildcard) {
    // It stays covered by the wildcard: the proxy is told what holds now.
    SetKnown(t, id, kWanted);
    Ask(view, type, id);
    return;
  }
  Unwatch(view, type, id);
  ForgetRefusal(type, id, "");
  SetKnown(t, id, kUnknown);
}

absl::Status Stream::TakeVersion(FleetView& view, ResourceType type,
                                 absl::string_view name,
                                 absl::string_view version) {
  TypeState& t = state(type);
  const auto found = view.Find(type, name);
  const uint32_t known = found.has_value() ? t.known.Get(*found) : kUnknown;
  if ((known & kByName) == 0 && !t.wildcard) return absl::OkStatus();
  if (found.has_value() && view.resource(type, *found) != nullptr) {
    const bool same = view.resource(type, *found)->version() == version;
    SetKnown(t, *found,
             (known & kByName) | (same ? view.stamp(type, *found) : kWanted));
    return absl::OkStatus();
  }
  if ((known & kByName) != 0) return absl::OkStatus();
  // It was removed while the proxy was away.
  if (!IsResourceName(name)) {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", Printable(name, 100), "\" is no resource's name."));
  }
  SALLYPORT_RETURN_IF_ERROR(CheckWatched());
  HadBefore(view, type, name);
  return absl::OkStatus();
}

void Stream::Watch(FleetView& view, ResourceType type, ResourceId id) {
  if (!state(type).watched.insert(id).second) return;
  view.WatchId(type, id);
  ++num_watched_;
  watched_bytes_ += view.name(type, id).size();
}

ResourceId Stream::WatchName(FleetView& view, ResourceType type,
                             absl::string_view name) {
  const ResourceId id = view.Watch(type, name);
  state(type).watched.insert(id);
  ++num_watched_;
  watched_bytes_ += name.size();
  return id;
}

void Stream::Unwatch(FleetView& view, ResourceType type, ResourceId id) {
  if (state(type).watched.erase(id) == 0) return;
  watched_bytes_ -= view.name(type, id).size();
  view.Unwatch(type, id);
  --num_watched_;
}

absl::Status Stream::CheckWatched() const {
  if (num_watched_ > kMaxAbsentNamesPerStream) {
    return absl::ResourceExhaustedError(
        absl::StrCat("More than ", kMaxAbsentNamesPerStream,
                     " names that do not exist were asked for."));
  }
  if (watched_bytes_ > kMaxAbsentNameBytesPerStream) {
    return absl::ResourceExhaustedError(
        absl::StrCat("Names that do not exist were asked for, of more than ",
                     kMaxAbsentNameBytesPerStream, " bytes together."));
  }
  return absl::OkStatus();
}

absl::Status Stream::OnSotw(FleetView& view, ResourceType type,
                            const Request& request, bool first) {
  TypeState& t = state(type);
  const uint64_t names_hash =
      absl::Hash<decltype(request.names)>()(request.names);
  if (first || names_hash != t.names_hash) {
    t.names_hash = names_hash;
    t.named_before |= !request.names.empty();

    absl::flat_hash_set<ResourceId> wanted;
    wanted.reserve(request.names.size());
    bool wildcard = HasImplicitWildcard(type) && !t.named_before;
    for (const absl::string_view name : request.names) {
      if (name == "*") {
        wildcard = true;
        continue;
      }
      auto id = view.Find(type, name);
      if (!id.has_value() || (t.known.Get(*id) & kByName) == 0) {
        SALLYPORT_RETURN_IF_ERROR(Subscribe(view, type, name));
        id = view.Find(type, name);
      }
      wanted.insert(*id);
    }
    t.known.ForEach([&](ResourceId id, uint32_t known) {
      if ((known & kByName) == 0 || wanted.contains(id)) return;
      Unsubscribe(view, type, id);
    });
    // Other names make another whole, also when nothing else is due.
    if (SendsEverything(type)) t.owes_first = true;
    if (wildcard && !t.wildcard) {
      BeginWildcard(view, type);
      t.owes_first = true;
    } else if (!wildcard && t.wildcard) {
      EndWildcard(view, type);
    }
  }
  if (first && t.wildcard && SendsEverything(type) &&
      request.version_info == view.TypeVersion(type)) {
    // The proxy comes back and has all of it: this version names the whole.
    t.owes_first = false;
    for (ResourceId id = 0; id < view.table_size(type); ++id) {
      if (view.resource(type, id) == nullptr) continue;
      SetKnown(t, id, (t.known.Get(id) & kByName) | view.stamp(type, id));
    }
  }
  return CheckWatched();
}

size_t Stream::OnAnswer(ResourceType type, const Request& request,
                        absl::Time now) {
  TypeState& t = state(type);
  // Its very text: " 1" was never sent.
  const auto found = std::find_if(
      t.unanswered.begin(), t.unanswered.end(), [&](const Unanswered& u) {
        return absl::AlphaNum(u.nonce).Piece() == request.nonce;
      });
  // An answer to what was answered already, or to another stream.
  if (found == t.unanswered.end()) return 0;
  const Unanswered answered = std::move(*found);
  t.unanswered.erase(found);
  unanswered_bytes_ -= answered.bytes;
  --num_unanswered_;
  if (request.refused) {
    ++num_refused_responses_;
    OnRefusal(type, answered, request.error_message, now);
  } else {
    t.last_acknowledged = now;
    OnAcceptance(type, answered);
  }
  UpdateSequence();
  return answered.bytes;
}

void Stream::OnRefusal(ResourceType type, const Unanswered& answered,
                       absl::string_view message, absl::Time now) {
  TypeState& t = state(type);
  Refusal refusal;
  refusal.resource.type = type;
  refusal.reason = Printable(message, kMaxRefusalTextBytes);
  refusal.time = now;
  refusal.store_revision = answered.store_revision;
  if (SendsEverything(type)) {
    refusal.resource.name = "*";
    refusal.version = answered.version;
    Refuse(type, kEverything, 0, std::move(refusal));
    return;
  }
  if (answered.sent.size() == 1) {
    const Sent& sent = answered.sent.front();
    // Nothing to remember when it was dropped, removed or overtaken since.
    if (HasOf(t.known.Get(sent.id)) != sent.stamp) return;
    refusal.resource.name = sent.resource->name();
    refusal.version = sent.resource->version();
    Refuse(type, sent.id, sent.stamp, std::move(refusal));
    return;
  }
  // One of several is bad; which one, the proxy does not say, nor which of the
  // others it took. They are sent again in smaller parts.
  std::vector<ResourceId> suspects;
  for (const Sent& sent : answered.sent) {
    const uint32_t known = t.known.Get(sent.id);
    if (HasOf(known) != sent.stamp) continue;
    SetKnown(t, sent.id, (known & kByName) | kWanted);
    suspects.push_back(sent.id);
  }
  if (suspects.empty()) return;
  // What was said of the proxy's having it all does not hold.
  checkpoints_.clear();
  all_sent_ = false;
  const size_t part = (suspects.size() + kRefusedParts - 1) / kRefusedParts;
  for (size_t i = 0; i < suspects.size(); i += part) {
    const auto end = std::min(i + part, suspects.size());
    t.ready.emplace_back(suspects.begin() + static_cast<std::ptrdiff_t>(i),
                         suspects.begin() + static_cast<std::ptrdiff_t>(end));
  }
}

void Stream::OnAcceptance(ResourceType type, const Unanswered& answered) {
  TypeState& t = state(type);
  if (t.refused.empty()) return;
  if (SendsEverything(type)) {
    ForgetRefusal(type, kEverything, answered.version);
    return;
  }
  for (const Sent& sent : answered.sent) {
    ForgetRefusal(type, sent.id, sent.resource->version());
  }
}

void Stream::Refuse(ResourceType type, ResourceId id, Stamp stamp,
                    Refusal refusal) {
  state(type).refused[id] = stamp;
  const auto same = std::find_if(
      details_.begin(), details_.end(),
      [&](const Detail& d) { return d.type == type && d.id == id; });
  if (same != details_.end()) details_.erase(same);
  if (details_.size() >= kMaxRefusalsPerNode) details_.pop_front();
  // A proxy that refuses everything says so often enough.
  if (num_refusals() <= kMaxRefusalsPerNode) refused_now_.push_back(refusal);
  details_.push_back({type, id, std::move(refusal)});
}

void Stream::ForgetRefusal(ResourceType type, ResourceId id,
                           const std::string& version) {
  TypeState& t = state(type);
  if (t.refused.empty() || t.refused.erase(id) == 0) return;
  const auto same = std::find_if(
      details_.begin(), details_.end(),
      [&](const Detail& d) { return d.type == type && d.id == id; });
  if (same == details_.end()) return;
  recovered_now_.push_back({same->refusal.resource, version});
  details_.erase(same);
}

void Stream::TellObserver() {
  for (const Refusal& refusal : refused_now_) observer_.OnRefused(refusal);
  refused_now_.clear();
  for (const auto& [resource, version] : recovered_now_) {
    observer_.OnRecovered(resource, version);
  }
  recovered_now_.clear();
}

void Stream::UpdateSequence() {
  uint64_t oldest = last_nonce_ + 1;
  for (const TypeState& t : types_) {
    if (!t.unanswered.empty()) {
      oldest = std::min(oldest, t.unanswered.front().nonce);
    }
  }
  while (!checkpoints_.empty() && checkpoints_.front().nonce < oldest) {
    sequence_ = checkpoints_.front().sequence;
    checkpoints_.pop_front();
  }
}

}  // namespace sallyport::xds
