// Rollouts: what the nodes have of the state. An interface: whoever serves the
// nodes knows.

#ifndef SALLYPORT_CONFIG_SERVICE_SERVICE_ROLLOUTS_H_
#define SALLYPORT_CONFIG_SERVICE_SERVICE_ROLLOUTS_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "config_service/domain/fleet.h"
#include "config_service/domain/name.h"

namespace sallyport::service {

// Names and refusals that one answer about a rollout lists, and refusals of one
// node; the rest is counted.
constexpr size_t kMaxListedNodes = 100;

// A node, and what it has of each type of resource.
struct NodeView {
  struct Type {
    std::string type;  // Envoy's, short: "Secret"
    size_t num_subscribed = 0;
    size_t num_acknowledged = 0;
    size_t num_refused = 0;
    absl::Time last_acknowledged = absl::InfinitePast();
  };
  // `refusals` are at most kMaxListedNodes, the oldest first.
  domain::Node node;
  size_t num_refusals = 0;
  std::vector<Type> types;  // those that it asked for
};

// How far the state of a revision is.
struct RolloutView {
  struct NodeRefusal {
    domain::NodeName node;
    domain::Refusal refusal;
  };
  int64_t revision = 0;
  // Every connected node has everything of it that concerns it. Without
  // connected nodes: it is published.
  bool complete = false;
  size_t num_connected = 0;
  // Nodes that have all of it. Those that refuse something are counted apart.
  size_t num_acknowledged = 0;
  size_t num_refusing = 0;
  // At most kMaxListedNodes each.
  std::vector<domain::NodeName> pending;
  std::vector<NodeRefusal> refusals;
};

// Something that happened to a node.
struct NodeEvent {
  enum class Kind { kConnected, kDisconnected, kAcknowledged, kRefused };
  Kind kind = Kind::kConnected;
  // 1, 2, 3... without gaps, in one process.
  uint64_t number = 0;
  absl::Time time;
  domain::NodeName node;
  // The store's revision that the node has, or of which it refused something.
  int64_t revision = 0;
  std::string reason;       // kDisconnected; printable
  domain::Refusal refusal;  // kRefused
};

struct NodeEvents {
  std::vector<NodeEvent> events;  // the oldest first
  // Events that were asked for are no longer kept: look at the nodes.
  bool lost = false;
};

// Whether a wait is to end before its time. Is asked several times a second,
// from the thread that waits.
using Cancelled = std::function<bool()>;

// Thread-safe.
class Rollouts {
 public:
  virtual ~Rollouts() = default;

  // Nodes that are connected, or were and are remembered, of one fleet, or of
  // all (empty), by name.
  virtual std::vector<NodeView> Nodes(const domain::FleetName& fleet) = 0;
  virtual std::optional<NodeView> Node(const domain::NodeName& name) = 0;
  // How many nodes of a fleet are known, and of these connected. Cheap.
  struct NodeCount {
    size_t known = 0;
    size_t connected = 0;
  };
  virtual NodeCount Count(const domain::FleetName& fleet) = 0;

  // No longer remembers a node that is not connected.
  enum class Forgotten { kYes, kUnknown, kConnected };
  virtual Forgotten Forget(const domain::NodeName& name) = 0;

  // How far `revision` is in one fleet, or in all (empty).
  virtual RolloutView Get(int64_t revision, const domain::FleetName& fleet) = 0;
  // The same once it is complete with at least `min_nodes`, a node refuses
  // something of it, `deadline` is reached, or `cancelled`, whichever is first.
  // With fewer nodes it is not complete.
  virtual RolloutView Wait(int64_t revision, const domain::FleetName& fleet,
                           size_t min_nodes, absl::Time deadline,
                           const Cancelled& cancelled) = 0;

  // Connected nodes that have, or may still have, what is made of a client
  // certificate: they acknowledged it and not yet that it is gone. At most
  // kMaxListedNodes.
  virtual std::vector<domain::NodeName> NodesWith(
      const domain::ClientCertificateName& certificate) = 0;

  // Events with a number above `after`, at most `limit`; waits until there is
  // one, until `deadline`, or `cancelled`.
  virtual NodeEvents Events(uint64_t after, size_t limit, absl::Time deadline,
                            const Cancelled& cancelled) = 0;
  // The number of the newest event; 0: none yet.
  virtual uint64_t LastEvent() = 0;
};

}  // namespace sallyport::service

#endif  // SALLYPORT_CONFIG_SERVICE_SERVICE_ROLLOUTS_H_
