// FakeRollouts: nodes as a test says they are.

#ifndef SALLYPORT_CONFIG_SERVICE_SERVICE_TESTING_FAKE_ROLLOUTS_H_
#define SALLYPORT_CONFIG_SERVICE_SERVICE_TESTING_FAKE_ROLLOUTS_H_

#include <optional>
#include <vector>

#include "config_service/service/rollouts.h"

namespace sallyport::service {

// Not thread-safe, but for the functions that wait for nothing.
class FakeRollouts : public Rollouts {
 public:
  std::vector<NodeView> nodes;  // by name
  std::vector<domain::NodeName> presenting;
  RolloutView rollout;
  std::vector<NodeEvent> events;
  bool events_lost = false;
  // What the last call asked for.
  domain::FleetName asked_fleet;
  absl::Time asked_deadline;
  size_t asked_min_nodes = 0;

  std::vector<NodeView> Nodes(const domain::FleetName& fleet) override {
    std::vector<NodeView> out;
    for (const NodeView& view : nodes) {
      if (fleet.empty() || view.node.name.parent() == fleet) {
        out.push_back(view);
      }
    }
    return out;
  }
  std::optional<NodeView> Node(const domain::NodeName& name) override {
    for (const NodeView& view : nodes) {
      if (view.node.name == name) return view;
    }
    return std::nullopt;
  }
  NodeCount Count(const domain::FleetName& fleet) override {
    NodeCount out;
    for (const NodeView& view : Nodes(fleet)) {
      ++out.known;
      out.connected += view.node.connected ? 1 : 0;
    }
    return out;
  }
  Forgotten Forget(const domain::NodeName& name) override {
    for (auto it = nodes.begin(); it != nodes.end(); ++it) {
      if (it->node.name != name) continue;
      if (it->node.connected) return Forgotten::kConnected;
      nodes.erase(it);
      return Forgotten::kYes;
    }
    return Forgotten::kUnknown;
  }
  RolloutView Get(int64_t revision, const domain::FleetName& fleet) override {
    asked_fleet = fleet;
    RolloutView out = rollout;
    out.revision = revision;
    return out;
  }
  RolloutView Wait(int64_t revision, const domain::FleetName& fleet,
                   size_t min_nodes, absl::Time deadline,
                   const Cancelled&) override {
    asked_min_nodes = min_nodes;
    asked_deadline = deadline;
    return Get(revision, fleet);
  }
  std::vector<domain::NodeName> NodesWith(
      const domain::ClientCertificateName&) override {
    return presenting;
  }
  NodeEvents Events(uint64_t after, size_t limit, absl::Time,
                    const Cancelled&) override {
    NodeEvents out;
    out.lost = events_lost;
    for (const NodeEvent& event : events) {
      if (event.number > after && out.events.size() < limit) {
        out.events.push_back(event);
      }
    }
    return out;
  }
  uint64_t LastEvent() override {
    return events.empty() ? 0 : events.back().number;
  }
};

}  // namespace sallyport::service

#endif  // SALLYPORT_CONFIG_SERVICE_SERVICE_TESTING_FAKE_ROLLOUTS_H_
