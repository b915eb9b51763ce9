#include "config_service/xds/server/ledger.h"

#include <algorithm>
#include <iterator>
#include <tuple>
#include <utility>

#include "config_service/xds/server/stream.h"

namespace sallyport::xds {
namespace {

// Names that a WaitResult lists of each kind.
constexpr size_t kMaxNamesInResult = 100;

// How long a wait sleeps at most before it looks at its cancellation: Wake()
// is the usual way to hear of it.
constexpr absl::Duration kLookAgain = absl::Milliseconds(250);

bool ByFleetAndName(const NodeStatus& a, const NodeStatus& b) {
  return std::tie(a.info.fleet, a.info.name, a.connection) <
         std::tie(b.info.fleet, b.info.name, b.connection);
}

bool Cancelled(const WaitCancel* cancel) {
  return cancel != nullptr && cancel->cancelled();
}

// Of one connection; the kind's own fields are the caller's to fill in.
NodeEvent EventOf(NodeEvent::Kind kind, uint64_t connection,
                  const NodeInfo& info) {
  NodeEvent event;
  event.kind = kind;
  event.connection = connection;
  event.node = info.name;
  event.fleet = info.fleet;
  return event;
}

void AddName(const std::string& name, size_t* number,
             std::vector<std::string>* names) {
  ++*number;
  if (names->size() < kMaxNamesInResult) names->push_back(name);
}

}  // namespace

std::vector<Ledger::Member> Ledger::Members(absl::string_view fleet) const {
  std::vector<Member> members;
  absl::MutexLock lock(&mu_);
  for (const auto& [number, member] : connected_) {
    if (fleet.empty() || member.fleet == fleet) members.push_back(member);
  }
  return members;
}

std::vector<NodeStatus> Ledger::Nodes(absl::string_view fleet,
                                      Departed departed) const {
  std::vector<NodeStatus> nodes;
  absl::flat_hash_set<std::pair<std::string, std::string>> present;
  for (const Member& member : Members(fleet)) {
    nodes.push_back(member.connection->Status());
    present.insert({member.fleet, member.name});
  }
  std::sort(nodes.begin(), nodes.end(), ByFleetAndName);
  if (departed == Departed::kLeaveOut) return nodes;

  std::vector<NodeStatus> gone;
  {
    absl::MutexLock lock(&mu_);
    for (const NodeStatus& status : departed_) {
      if (!fleet.empty() && status.info.fleet != fleet) continue;
      if (present.contains({status.info.fleet, status.info.name})) continue;
      gone.push_back(status);
    }
  }
  std::sort(gone.begin(), gone.end(), ByFleetAndName);
  std::move(gone.begin(), gone.end(), std::back_inserter(nodes));
  return nodes;
}

void Ledger::ForEachConnection(const Visit& visit) const {
  std::vector<Member> members = Members("");
  std::sort(members.begin(), members.end(),
            [](const Member& a, const Member& b) {
              return std::tie(a.fleet, a.name) < std::tie(b.fleet, b.name);
            });
  for (const Member& member : members) {
    if (!visit(member.fleet, member.name, *member.connection)) return;
  }
}

std::optional<NodeStatus> Ledger::Node(absl::string_view fleet,
                                       absl::string_view name) const {
  std::shared_ptr<const NodeConnection> newest;
  uint64_t newest_number = 0;
  std::optional<NodeStatus> gone;
  {
    absl::MutexLock lock(&mu_);
    for (const auto& [number, member] : connected_) {
      if (member.fleet != fleet || member.name != name) continue;
      if (number > newest_number) {
        newest = member.connection;
        newest_number = number;
      }
    }
    for (const NodeStatus& status : departed_) {
      if (status.info.fleet == fleet && status.info.name == name) {
        gone = status;
      }
    }
  }
  if (newest != nullptr) return newest->Status();
  return gone;
}

size_t Ledger::num_connected() const {
  absl::MutexLock lock(&mu_);
  return connected_.size();
}

Ledger::NodeCount Ledger::Count(absl::string_view fleet) const {
  absl::flat_hash_set<absl::string_view> names;
  absl::MutexLock lock(&mu_);
  for (const auto& [number, member] : connected_) {
    if (member.fleet == fleet) names.insert(member.name);
  }
  NodeCount count;
  count.connected = names.size();
  for (const NodeStatus& status : departed_) {
    if (status.info.fleet == fleet) names.insert(status.info.name);
  }
  count.known = names.size();
  return count;
}

bool Ledger::Forget(absl::string_view fleet, absl::string_view name) {
  absl::MutexLock lock(&mu_);
  const auto found = std::find_if(
      departed_.begin(), departed_.end(), [&](const NodeStatus& status) {
        return status.info.fleet == fleet && status.info.name == name;
      });
  if (found == departed_.end()) return false;
  departed_.erase(found);
  return true;
}

void Ledger::RefusedStream() {
  refused_streams_.fetch_add(1, std::memory_order_relaxed);
}

uint64_t Ledger::num_refused_streams() const {
  return refused_streams_.load(std::memory_order_relaxed);
}

uint64_t Ledger::num_refused_responses() const {
  return refused_responses_.load(std::memory_order_relaxed);
}

WaitResult Ledger::Wait(const WaitFor& what, absl::Time deadline,
                        const WaitCancel* cancel) const {
  Waiter waiter;
  waiter.fleet = what.fleet;
  absl::flat_hash_map<uint64_t, std::string> lagging;
  bool skip_none = true;
  {
    absl::MutexLock lock(&mu_);
    waiters_.insert(&waiter);
    num_waiters_.store(waiters_.size(), std::memory_order_release);
    for (const auto& [number, member] : connected_) {
      if (member.fleet != what.fleet) continue;
      waiter.changed.insert(number);
      skip_none = skip_none && what.skipped.count(member.name) > 0;
    }
  }

  const auto lacks = [&what](const Stream& stream) {
    if (stream.sequence() < what.sequence) return true;
    for (const ResourceKey& key : what.resources) {
      if (!stream.Has(key)) return true;
    }
    return false;
  };
  const auto refuses = [&what](const Stream& stream) {
    if (what.resources.empty()) return stream.num_refusals() > 0;
    for (const ResourceKey& key : what.resources) {
      if (stream.Refuses(key)) return true;
    }
    return false;
  };

  WaitResult result;
  bool refused = false;
  while (true) {
    // Those that may have come further, without the lock: their own comes
    // first.
    std::vector<std::pair<uint64_t, Member>> changed;
    {
      absl::MutexLock lock(&mu_);
      for (const uint64_t number : waiter.changed) {
        const auto found = connected_.find(number);
        if (found == connected_.end()) {
          lagging.erase(number);
        } else {
          changed.emplace_back(number, found->second);
        }
      }
      waiter.changed.clear();
    }
    for (const auto& [number, member] : changed) {
      bool lacking = true;
      member.connection->WithStream([&](const Stream& stream) {
        lacking = lacks(stream);
        refused = refused || refuses(stream);
      });
      if (lacking) {
        lagging[number] = member.name;
      } else {
        lagging.erase(number);
      }
    }

    absl::MutexLock lock(&mu_);
    if (!waiter.changed.empty()) continue;
    result.done =
        std::none_of(lagging.begin(), lagging.end(), [&](const auto& one) {
          return skip_none || what.skipped.count(one.second) == 0;
        });
    if (result.done || (refused && what.until_refusal) || Cancelled(cancel) ||
        clock_.Now() >= deadline) {
      waiters_.erase(&waiter);
      num_waiters_.store(waiters_.size(), std::memory_order_release);
      break;
    }
    const absl::Duration left = deadline - clock_.Now();
    wake_.WaitWithTimeout(&mu_, std::min(left, kLookAgain));
  }

  for (const auto& [number, name] : lagging) {
    if (!skip_none && what.skipped.count(name) > 0) continue;
    AddName(name, &result.num_lagging, &result.lagging);
  }
  std::sort(result.lagging.begin(), result.lagging.end());
  for (const Member& member : Members(what.fleet)) {
    ++result.num_connected;
    bool refusing = false;
    member.connection->WithStream(
        [&](const Stream& stream) { refusing = refuses(stream); });
    if (refusing) AddName(member.name, &result.num_refusing, &result.refusing);
  }
  std::sort(result.refusing.begin(), result.refusing.end());
  return result;
}

WaitResult Ledger::WaitForRevision(absl::string_view fleet,
                                   uint64_t store_revision, absl::Time deadline,
                                   AtRefusal at_refusal,
                                   const WaitCancel* cancel) const {
  while (true) {
    uint64_t wakes;
    {
      absl::MutexLock lock(&mu_);
      wakes = wakes_;
    }
    const std::shared_ptr<Fleet> found = cache_.FindFleet(fleet);
    if (found != nullptr) {
      if (const auto sequence = found->SequenceOf(store_revision)) {
        WaitFor what;
        what.fleet = std::string(fleet);
        what.sequence = *sequence;
        what.until_refusal = at_refusal == AtRefusal::kStop;
        return Wait(what, deadline, cancel);
      }
    }
    absl::MutexLock lock(&mu_);
    while (wakes_ == wakes) {
      if (Cancelled(cancel) || clock_.Now() >= deadline) {
        WaitResult result;
        for (const auto& [number, member] : connected_) {
          if (member.fleet != fleet) continue;
          ++result.num_connected;
          AddName(member.name, &result.num_lagging, &result.lagging);
        }
        std::sort(result.lagging.begin(), result.lagging.end());
        return result;
      }
      wake_.WaitWithTimeout(&mu_,
                            std::min(deadline - clock_.Now(), kLookAgain));
    }
  }
}

void Ledger::Wake() const {
  absl::MutexLock lock(&mu_);
  ++wakes_;
  wake_.SignalAll();
}

EventBatch Ledger::Events(uint64_t after, size_t limit, absl::Time deadline,
                          const WaitCancel* cancel) const {
  absl::MutexLock lock(&mu_);
  const uint64_t wakes = wakes_;
  while (last_event_ <= after && wakes_ == wakes && !Cancelled(cancel) &&
         clock_.Now() < deadline) {
    wake_.WaitWithTimeout(&mu_, std::min(deadline - clock_.Now(), kLookAgain));
  }
  EventBatch batch;
  batch.lost = after < last_dropped_event_;
  const auto later = [after](const std::deque<NodeEvent>& events) {
    return std::partition_point(
        events.begin(), events.end(),
        [after](const NodeEvent& event) { return event.number <= after; });
  };
  auto one = later(events_);
  auto other = later(up_to_date_events_);
  while (batch.events.size() < limit) {
    const bool have_one = one != events_.end();
    const bool have_other = other != up_to_date_events_.end();
    if (!have_one && !have_other) break;
    const bool take_one =
        have_one && (!have_other || one->number < other->number);
    batch.events.push_back(take_one ? *one++ : *other++);
  }
  return batch;
}

uint64_t Ledger::last_event() const {
  absl::MutexLock lock(&mu_);
  return last_event_;
}

uint64_t Ledger::NewConnectionNumber() {
  absl::MutexLock lock(&mu_);
  return next_connection_++;
}

void Ledger::AddEvent(NodeEvent event) {
  event.number = ++last_event_;
  event.time = clock_.Now();
  std::deque<NodeEvent>& events =
      event.kind == NodeEvent::Kind::kUpToDate ? up_to_date_events_ : events_;
  events.push_back(std::move(event));
  if (events.size() > kMaxLedgerEvents) {
    last_dropped_event_ = std::max(last_dropped_event_, events.front().number);
    events.pop_front();
  }
  wake_.SignalAll();
}

void Ledger::TellWaiters(uint64_t number, absl::string_view fleet) const {
  for (Waiter* waiter : waiters_) {
    if (waiter->fleet == fleet) waiter->changed.insert(number);
  }
  wake_.SignalAll();
}

void Ledger::Connected(uint64_t number,
                       const std::shared_ptr<const NodeConnection>& connection,
                       const NodeInfo& info) {
  absl::MutexLock lock(&mu_);
  connected_[number] = Member{connection, info.fleet, info.name};
  AddEvent(EventOf(NodeEvent::Kind::kConnected, number, info));
  TellWaiters(number, info.fleet);
}

void Ledger::Disconnected(uint64_t number, NodeStatus last) {
  absl::MutexLock lock(&mu_);
  if (connected_.erase(number) == 0) return;
  last.connected = false;
  last.disconnected_at = clock_.Now();
  NodeEvent event = EventOf(NodeEvent::Kind::kDisconnected, number, last.info);
  event.reason = last.disconnect_reason;
  AddEvent(std::move(event));
  TellWaiters(number, last.info.fleet);

  const auto same = std::find_if(
      departed_.begin(), departed_.end(), [&](const NodeStatus& status) {
        return status.info.fleet == last.info.fleet &&
               status.info.name == last.info.name;
      });
  if (same != departed_.end()) departed_.erase(same);
  departed_.push_back(std::move(last));
  if (departed_.size() > kMaxDepartedNodes) departed_.pop_front();
}

void Ledger::Refused(uint64_t number, const NodeInfo& info,
                     const Refusal& refusal) {
  absl::MutexLock lock(&mu_);
  NodeEvent event = EventOf(NodeEvent::Kind::kRefused, number, info);
  event.resource = refusal.resource;
  event.version = refusal.version;
  event.reason = refusal.reason;
  event.store_revision = refusal.store_revision;
  AddEvent(std::move(event));
}

void Ledger::Recovered(uint64_t number, const NodeInfo& info,
                       const ResourceKey& resource,
                       const std::string& version) {
  absl::MutexLock lock(&mu_);
  NodeEvent event = EventOf(NodeEvent::Kind::kRecovered, number, info);
  event.resource = resource;
  event.version = version;
  AddEvent(std::move(event));
}

void Ledger::RefusedResponse() {
  refused_responses_.fetch_add(1, std::memory_order_relaxed);
}

void Ledger::Progressed(uint64_t number, const NodeInfo& info) {
  // Each answer of each node comes here, and mostly nobody waits.
  if (num_waiters_.load(std::memory_order_acquire) == 0) return;
  absl::MutexLock lock(&mu_);
  TellWaiters(number, info.fleet);
}

void Ledger::UpToDate(uint64_t number, const NodeInfo& info, Sequence sequence,
                      uint64_t store_revision) {
  absl::MutexLock lock(&mu_);
  NodeEvent event = EventOf(NodeEvent::Kind::kUpToDate, number, info);
  event.sequence = sequence;
  event.store_revision = store_revision;
  AddEvent(std::move(event));
}

}  // namespace sallyport::xds
