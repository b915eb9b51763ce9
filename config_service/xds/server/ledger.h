// Ledger: which proxies are connected, what each has acknowledged and refused,
// and how far it is.
//
// Thread-safety: Ledger may be used by any number of threads at once.

#ifndef SALLYPORT_CONFIG_SERVICE_XDS_SERVER_LEDGER_H_
#define SALLYPORT_CONFIG_SERVICE_XDS_SERVER_LEDGER_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "config_service/xds/cache/cache.h"
#include "config_service/xds/cache/fleet.h"
#include "config_service/xds/cache/resource.h"

namespace sallyport::xds {

// Refusals that are kept for one node, the newest; NodeStatus::num_refusals
// counts all that stand.
constexpr size_t kMaxRefusalsPerNode = 100;
// The text of one refusal; the rest is cut off.
constexpr size_t kMaxRefusalTextBytes = 2048;
// Events that are kept of kUpToDate, and of all others; the oldest go first.
constexpr size_t kMaxLedgerEvents = 10000;
// Nodes that are remembered after they left; those that left first go first.
constexpr size_t kMaxDepartedNodes = 10000;

// What a node says of itself, and who it is. Everything but name and fleet is
// the node's own word, cut to a length and made printable.
struct NodeInfo {
  std::string name;   // from the authenticator
  std::string fleet;  // from the authenticator
  std::string cluster;
  std::string user_agent;  // "envoy 1.40.0"
  std::string address;     // of the peer
};

// A resource that a node refused; it is not sent again until it changes.
struct Refusal {
  ResourceKey resource;
  std::string version;
  std::string reason;  // the node's text, printable
  absl::Time time;
  // The store's revision that was published when it was sent.
  uint64_t store_revision = 0;
};

struct TypeStatus {
  bool requested = false;       // the node asked for resources of this type
  bool wildcard = false;        // ...for all of them
  size_t num_subscribed = 0;    // names that it asked for
  size_t num_absent = 0;        // ...that do not exist
  size_t num_unanswered = 0;    // responses sent, neither accepted nor refused
  size_t num_acknowledged = 0;  // resources that it has, as last sent
  size_t num_refused = 0;       // resources that it refuses as they are now
  // When it accepted something of this type last; InfinitePast: never.
  absl::Time last_acknowledged = absl::InfinitePast();
};

struct NodeStatus {
  // Of one connection; never used again.
  uint64_t connection = 0;
  NodeInfo info;
  bool connected = false;
  bool delta = true;
  absl::Time connected_at;
  // When it went, if it is not connected any more.
  absl::Time disconnected_at;
  std::string disconnect_reason;

  // Everything that was published up to this has been sent as far as the node
  // asked for it, and accepted or refused; 0: nothing yet.
  Sequence sequence = 0;
  // The store's revision that was complete with it.
  uint64_t store_revision = 0;
  // Publications of its fleet that it does not have yet.
  Sequence behind = 0;
  // Since when something is on its way to it; InfiniteFuture: nothing is.
  absl::Time unanswered_since = absl::InfiniteFuture();

  std::array<TypeStatus, kNumResourceTypes> types;
  uint64_t num_requests = 0;
  uint64_t num_responses = 0;
  uint64_t num_refused_responses = 0;  // since it connected
  size_t num_refusals = 0;             // resources, that stand
  std::vector<Refusal> refusals;       // those that stand, oldest first
};

// Something that happened.
struct NodeEvent {
  enum class Kind {
    kConnected,
    kDisconnected,  // reason
    kRefused,       // resource, version, reason
    kRecovered,     // resource, version: accepted, or gone, after a refusal
    kUpToDate,      // sequence: the node has all that is published
  };
  Kind kind = Kind::kConnected;
  uint64_t number = 0;  // 1, 2, 3... over all fleets
  absl::Time time;
  uint64_t connection = 0;
  std::string node;
  std::string fleet;
  ResourceKey resource;
  std::string version;
  std::string reason;
  Sequence sequence = 0;
  uint64_t store_revision = 0;
};

struct EventBatch {
  std::vector<NodeEvent> events;
  // Events that were asked for are dropped already: look at Nodes().
  bool lost = false;
};

// What to wait for: every connected node of the fleet has answered all that was
// published up to `sequence`, and has each of `resources` as it is in force now
// (accepted, or refused: see WaitResult). A resource counts for each node of
// the fleet, whether it asks for it or not; one that is not published is never
// had.
struct WaitFor {
  std::string fleet;
  Sequence sequence = 0;
  std::vector<ResourceKey> resources;
  // Whether the wait ends, without being done, as soon as a node refuses
  // something: one of `resources`, or anything when there are none.
  bool until_refusal = false;
  // Nodes that are not waited for, unless the fleet has no others.
  std::set<std::string> skipped;
};

struct WaitResult {
  // false: the deadline passed, it was cancelled, or ended by a refusal.
  bool done = false;
  size_t num_connected = 0;
  // Nodes that still lack something, by name; at most 100 of them.
  size_t num_lagging = 0;
  std::vector<std::string> lagging;
  // Nodes with standing refusals, by name; at most 100 of them.
  size_t num_refusing = 0;
  std::vector<std::string> refusing;
};

// Cancellation of a wait, from any thread.
class WaitCancel {
 public:
  void Cancel() { cancelled_.store(true, std::memory_order_release); }
  bool cancelled() const { return cancelled_.load(std::memory_order_acquire); }

 private:
  std::atomic<bool> cancelled_{false};
};

class Stream;

// NodeConnection: the server's side of one connected stream, as the ledger sees
// it. Its functions are called without the ledger's lock held.
class NodeConnection {
 public:
  virtual ~NodeConnection() = default;
  virtual NodeStatus Status() const = 0;
  // Calls `look` with the stream, under the lock that guards it.
  virtual void WithStream(
      const std::function<void(const Stream&)>& look) const = 0;
};

class Ledger {
 public:
  // `clock` and `cache` must outlive it.
  Ledger(const Clock& clock, Cache& cache) : clock_(clock), cache_(cache) {}
  Ledger(const Ledger&) = delete;
  Ledger& operator=(const Ledger&) = delete;

  // Connected nodes, then, if asked for, those that left (the last connection
  // of each name); each group by fleet and name. An empty `fleet` means all.
  enum class Departed { kLeaveOut, kInclude };
  std::vector<NodeStatus> Nodes(absl::string_view fleet,
                                Departed departed) const;
  // The connected node of that name (of several the newest), or what it was
  // when it left; nothing when it is not known.
  std::optional<NodeStatus> Node(absl::string_view fleet,
                                 absl::string_view name) const;
  // Calls `visit` with the fleet, the name and the connection of each connected
  // node, by fleet and name, until it returns false. Without a lock held.
  using Visit =
      std::function<bool(const std::string& fleet, const std::string& name,
                         const NodeConnection& connection)>;
  void ForEachConnection(const Visit& visit) const;
  size_t num_connected() const;
  // Of one fleet: nodes that are known, and of these connected, by name.
  struct NodeCount {
    size_t known = 0;
    size_t connected = 0;
  };
  NodeCount Count(absl::string_view fleet) const;
  // No longer remembers a node that left. Whether it was remembered.
  bool Forget(absl::string_view fleet, absl::string_view name);
  // Sums for metrics.
  uint64_t num_refused_responses() const;
  uint64_t num_refused_streams() const;

  // Waits until `what` holds, at most until `deadline`. A fleet without
  // connected nodes has everything.
  WaitResult Wait(const WaitFor& what, absl::Time deadline,
                  const WaitCancel* cancel = nullptr) const;
  // The same for the store's revision: waits for its publication too.
  enum class AtRefusal { kGoOn, kStop };
  WaitResult WaitForRevision(absl::string_view fleet, uint64_t store_revision,
                             absl::Time deadline, AtRefusal at_refusal,
                             const WaitCancel* cancel = nullptr) const;
  // Makes waits look at their WaitCancel (or anything else) again.
  void Wake() const;

  // Events with a number above `after`, oldest first, at most `limit`; waits
  // until there is one, until `deadline`, or Wake().
  EventBatch Events(uint64_t after, size_t limit, absl::Time deadline,
                    const WaitCancel* cancel = nullptr) const;
  // The number of the newest event.
  uint64_t last_event() const;

  // For the server.

  uint64_t NewConnectionNumber();
  void Connected(uint64_t number,
                 const std::shared_ptr<const NodeConnection>& connection,
                 const NodeInfo& info);
  // `last` is kept as the node's last status.
  void Disconnected(uint64_t number, NodeStatus last);
  void Refused(uint64_t number, const NodeInfo& info, const Refusal& refusal);
  void Recovered(uint64_t number, const NodeInfo& info,
                 const ResourceKey& resource, const std::string& version);
  void RefusedResponse();
  // One more stream of a node than one may have, or than there may be.
  void RefusedStream();
  // The node's sequence moved, or it accepted or refused something.
  void Progressed(uint64_t number, const NodeInfo& info);
  // The node has everything that is published.
  void UpToDate(uint64_t number, const NodeInfo& info, Sequence sequence,
                uint64_t store_revision);

 private:
  struct Member {
    std::shared_ptr<const NodeConnection> connection;
    std::string fleet;
    std::string name;
  };

  // A wait that is under way: the connections that may have come further since
  // it looked last.
  struct Waiter {
    std::string fleet;
    absl::flat_hash_set<uint64_t> changed;
  };

  void AddEvent(NodeEvent event) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  std::vector<Member> Members(absl::string_view fleet) const;
  void TellWaiters(uint64_t number, absl::string_view fleet) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const Clock& clock_;
  Cache& cache_;

  mutable absl::Mutex mu_;
  mutable absl::CondVar wake_;
  uint64_t next_connection_ ABSL_GUARDED_BY(mu_) = 1;
  absl::flat_hash_map<uint64_t, Member> connected_ ABSL_GUARDED_BY(mu_);
  std::deque<NodeStatus> departed_ ABSL_GUARDED_BY(mu_);
  // kUpToDate is kept apart: there are many of it, and they must not push out
  // what went wrong.
  std::deque<NodeEvent> events_ ABSL_GUARDED_BY(mu_);
  std::deque<NodeEvent> up_to_date_events_ ABSL_GUARDED_BY(mu_);
  uint64_t last_event_ ABSL_GUARDED_BY(mu_) = 0;
  uint64_t last_dropped_event_ ABSL_GUARDED_BY(mu_) = 0;
  mutable absl::flat_hash_set<Waiter*> waiters_ ABSL_GUARDED_BY(mu_);
  mutable uint64_t wakes_ ABSL_GUARDED_BY(mu_) = 0;
  std::atomic<uint64_t> refused_responses_{0};
  std::atomic<uint64_t> refused_streams_{0};
  // waiters_.size(), to be read without the lock.
  mutable std::atomic<size_t> num_waiters_{0};
};

}  // namespace sallyport::xds

#endif  // SALLYPORT_CONFIG_SERVICE_XDS_SERVER_LEDGER_H_
