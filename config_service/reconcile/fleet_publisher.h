// FleetPublisher: brings what a fleet is to have into force, in an order in
// which no domain is ever shown without what it needs.
//
//   1. What others need: clusters, secrets, and the carriers that name them.
//      Nothing is taken away.
//   2. Once the connected nodes have that: chains, routes, and the matcher.
//   3. Once they have that: what nothing needs any more is taken away. Nodes
//      keep chains until their connections are drained, and their routes with
//      them: in place of these they get some that serve nobody
//      (TranslateWithdrawn()).
//
// Each step is one publication (xds/cache). A change that needs only one step
// is one publication and waits for nobody: a new truststore version, say. While
// a step waits, new contents of secrets that are there already go out at once;
// everything else that changes meanwhile is taken together into the next round.

#ifndef SALLYPORT_CONFIG_SERVICE_RECONCILE_FLEET_PUBLISHER_H_
#define SALLYPORT_CONFIG_SERVICE_RECONCILE_FLEET_PUBLISHER_H_

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "config_service/domain/fleet.h"
#include "config_service/reconcile/carriers.h"
#include "config_service/xds/cache/cache.h"
#include "config_service/xds/server/ledger.h"
#include "config_service/xds/translate/translate.h"

namespace sallyport::reconcile {

// How long a step waits at most for the nodes to have the one before. A node
// that is slower gets the rest nevertheless; what it lacks it refuses to serve
// until it has it.
constexpr absl::Duration kMaxStepWait = absl::Seconds(5);
// How long it waits for nodes that were slower than that the last time.
constexpr absl::Duration kSlowNodeWait = absl::Seconds(2);
// How long at least nodes are told that what was taken away is not served any
// more: longer than an Envoy drains its connections unless it is told otherwise
// (--drain-time-s, ten minutes).
constexpr absl::Duration kWithdrawnFor = absl::Minutes(15);
// How long after it was held back a change is tried again, if nothing else
// happens.
constexpr absl::Duration kTryHeldAgain = absl::Seconds(60);

// What a change of the state means for one fleet.
struct FleetChange {
  struct Put {
    xds::ResourcePtr resource;
    // What the resource names.
    std::vector<xds::ResourceKey> references;
    // If not null, what is shown in its place until the chains and routes that
    // go with `resource` are in force.
    xds::ResourcePtr meanwhile;
  };
  // Everything but listeners.
  std::map<xds::ResourceKey, Put> put;
  std::set<xds::ResourceKey> remove;
  // Domains that are served from now on (true) or no longer.
  std::map<std::string, bool> domains;
  // What carriers have, by name; nothing: no longer.
  std::map<std::string, std::optional<xds::Carried>> carried;
  std::optional<domain::Fleet> fleet;
  std::optional<bool> default_endpoints;
  // The store's revision that the fleet shows with this. Never decreases.
  uint64_t revision = 0;

  bool empty() const {
    return put.empty() && remove.empty() && domains.empty() &&
           carried.empty() && !fleet.has_value() &&
           !default_endpoints.has_value();
  }
};

// Thread-safe.
class FleetPublisher {
 public:
  // Called from any thread; must not call back.
  using Log = std::function<void(absl::string_view)>;
  // A domain stays as it is, and why; empty: not any more. Called from the
  // publisher's thread; must not call back.
  using Held = std::function<void(const std::string& domain,
                                  const std::string& message)>;

  // All outlive it. `first` is the whole, and published before this returns.
  FleetPublisher(std::string fleet, FleetChange first, xds::Cache* cache,
                 const xds::Ledger* ledger, const Clock* clock,
                 absl::Duration max_wait, absl::Duration withdrawn_for, Log log,
                 Held held);
  FleetPublisher(const FleetPublisher&) = delete;
  FleetPublisher& operator=(const FleetPublisher&) = delete;
  // Stops, wherever it is.
  ~FleetPublisher();

  // Returns at once.
  void Add(FleetChange change);

  // The revision that is wholly published.
  uint64_t revision() const;
  // What made domains stay as they are: nodes and what they refused, one for
  // each resource.
  struct NodeRefusal {
    std::string node;
    xds::Refusal refusal;
  };
  std::vector<NodeRefusal> HeldRefusals() const;
  // Domains that stay as they are, since all nodes refuse what they need now.
  size_t num_held() const;
  // Waits that ended because their time was over.
  uint64_t num_timeouts() const;
  // Since when something waits to be published; InfiniteFuture: nothing does.
  absl::Time busy_since() const;

 private:
  // One way through the steps.
  struct Round {
    FleetChange change;
    // Contents that go out in the last step.
    std::map<xds::ResourceKey, xds::ResourcePtr> last;
    // What was needed before, and is not any more.
    std::set<xds::ResourceKey> left;
    // What carriers have from the last step on; nothing: no longer.
    std::map<std::string, std::optional<xds::Carried>> last_carried;
    // What carriers had before, of what is another now.
    std::map<std::string, std::optional<xds::Carried>> carried_before;
  };

  void Run();
  void Publish(xds::Publication publication);
  void SetFleet(domain::Fleet fleet);
  // What is shown in place of `key`, which is taken away; null: nothing.
  xds::ResourcePtr Withdrawn(const xds::ResourceKey& key);
  // Takes away what has been withdrawn for long enough.
  void ForgetWithdrawn();
  void PublishFirst(FleetChange first);
  void PublishRound(Round round);
  // Puts what the carriers in `touched` are now into `publication`, or takes
  // them out.
  void AddCarriers(const std::set<size_t>& touched,
                   xds::Publication& publication);
  xds::ResourcePtr Port();
  xds::ResourcePtr Runtime();
  // Until the nodes have `keys` and everything up to `sequence`, or time is
  // over; meanwhile publishes what need not wait for `round`. A node that did
  // not answer in time is not waited for until it has answered all that it owed
  // and refuses nothing, unless the fleet has no others: one node must not hold
  // up what the others are to be shown.
  // Whether a node refuses one of `keys`.
  bool WaitForNodes(xds::Sequence sequence, std::vector<xds::ResourceKey> keys,
                    const Round& round);
  // Of unanswering_nodes_, those that still owe something.
  std::set<std::string> UnansweringNodes();
  void PublishUrgent(const Round& round);
  // Takes out of `round` what needs one of `keys` that all nodes refuse: what
  // is in force stays. Whether carriers were changed back for it, so that the
  // nodes may take now what else is in them.
  bool HoldBack(const std::set<xds::ResourceKey>& keys, Round& round);
  // `key`, what it names, what that names, and so on.
  std::set<xds::ResourceKey> Closure(const xds::ResourceKey& key) const;
  // Whether `next` may be what was waited for, or touches what is held.
  bool Releases(const FleetChange& next) const;
  static void Merge(FleetChange newer, FleetChange& into);
  bool IsUrgent(const FleetChange::Put& put, const Round& round) const;
  xds::ResourcePtr Make(const xds::Translated& translated);

  const std::string fleet_name_;
  xds::Cache* const cache_;
  const xds::Ledger* const ledger_;
  const Clock* const clock_;
  const absl::Duration max_wait_;
  const absl::Duration withdrawn_for_;
  const Log log_;
  const Held on_held_;

  // The worker's own.
  domain::Fleet fleet_;
  bool default_endpoints_ = false;
  // Of the last that there were.
  std::string default_endpoints_domain_;
  std::set<std::string> domains_;
  Carriers carriers_;
  xds::Sequence sequence_ = 0;
  xds::Sequence port_sequence_ = 0;
  uint64_t shown_revision_ = 0;
  // Nodes that did not answer a wait in time, and up to where they owe answers;
  // and those that were not done with the last one when it was soon.
  std::map<std::string, xds::Sequence> unanswering_nodes_;
  std::set<std::string> slow_nodes_;
  // What each resource of the fleet names.
  std::map<xds::ResourceKey, std::vector<xds::ResourceKey>> references_;
  // Routes that serve nobody any more, and until when they are shown.
  std::map<xds::ResourceKey, absl::Time> withdrawn_;
  // What was held back, because of these. Tried again when they change, and
  // from time to time.
  FleetChange held_;
  std::set<xds::ResourceKey> held_keys_;
  std::set<std::string> held_domains_;
  // What is held back, and all that it needs.
  std::set<xds::ResourceKey> held_closure_;
  absl::Time held_since_ = absl::InfinitePast();

  mutable absl::Mutex mu_;
  absl::CondVar wake_;
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  std::optional<FleetChange> pending_ ABSL_GUARDED_BY(mu_);
  // Whether something was added to it since the wait looked at it.
  bool pending_is_new_ ABSL_GUARDED_BY(mu_) = false;
  absl::Time pending_since_ ABSL_GUARDED_BY(mu_) = absl::InfiniteFuture();
  absl::Time round_since_ ABSL_GUARDED_BY(mu_) = absl::InfiniteFuture();
  uint64_t revision_ ABSL_GUARDED_BY(mu_) = 0;
  size_t num_held_ ABSL_GUARDED_BY(mu_) = 0;
  std::map<xds::ResourceKey, NodeRefusal> held_refusals_ ABSL_GUARDED_BY(mu_);
  uint64_t timeouts_ ABSL_GUARDED_BY(mu_) = 0;
  // Of the wait that is under way.
  xds::WaitCancel* cancel_ ABSL_GUARDED_BY(mu_) = nullptr;

  std::thread worker_;
};

}  // namespace sallyport::reconcile

#endif  // SALLYPORT_CONFIG_SERVICE_RECONCILE_FLEET_PUBLISHER_H_
