// LedgerRollouts: what the nodes have of the state, from the xDS port's ledger.

#ifndef SALLYPORT_CONFIG_SERVICE_RECONCILE_ROLLOUTS_H_
#define SALLYPORT_CONFIG_SERVICE_RECONCILE_ROLLOUTS_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "base/clock.h"
#include "config_service/domain/name.h"
#include "config_service/service/rollouts.h"
#include "config_service/xds/cache/cache.h"
#include "config_service/xds/server/ledger.h"

namespace sallyport::reconcile {

// The resource of ours that `key` is made from, "truststores/x"; empty: of
// more than one, or not known.
std::string CauseOf(const xds::ResourceKey& key);

// Thread-safe.
class LedgerRollouts : public service::Rollouts {
 public:
  // What nodes of a fleet refused, so that a change was not shown to them.
  struct HeldRefusal {
    std::string node;
    xds::Refusal refusal;
  };
  using HeldRefusals =
      std::function<std::vector<HeldRefusal>(const std::string& fleet)>;

  // All outlive it.
  LedgerRollouts(xds::Ledger* ledger, const xds::Cache* cache,
                 const Clock* clock, HeldRefusals held)
      : ledger_(ledger), cache_(cache), clock_(clock), held_(std::move(held)) {}

  std::vector<service::NodeView> Nodes(const domain::FleetName& fleet) override;
  std::optional<service::NodeView> Node(const domain::NodeName& name) override;
  NodeCount Count(const domain::FleetName& fleet) override;
  Forgotten Forget(const domain::NodeName& name) override;
  service::RolloutView Get(int64_t revision,
                           const domain::FleetName& fleet) override;
  service::RolloutView Wait(int64_t revision, const domain::FleetName& fleet,
                            size_t min_nodes, absl::Time deadline,
                            const service::Cancelled& cancelled) override;
  // A node of a fleet in which the certificate is published, or that lacks
  // something: it may be that the certificate is gone.
  std::vector<domain::NodeName> NodesWith(
      const domain::ClientCertificateName& certificate) override;
  service::NodeEvents Events(uint64_t after, size_t limit, absl::Time deadline,
                             const service::Cancelled& cancelled) override;
  uint64_t LastEvent() override;

 private:
  // Null when the fleet shows nothing: there is none of that name, or it was
  // deleted. Nodes that came for it get nothing, ever.
  std::shared_ptr<xds::Fleet> Shown(const std::string& name) const;
  // Whether a node refuses something as it is published now.
  bool IsRefused(const std::string& fleet) const;
  std::vector<std::string> FleetsOf(const domain::FleetName& fleet) const;
  // As Wait(), without a count of nodes.
  service::RolloutView WaitForNodes(int64_t revision,
                                    const domain::FleetName& fleet,
                                    absl::Time deadline,
                                    const service::Cancelled& cancelled);

  xds::Ledger* const ledger_;
  const xds::Cache* const cache_;
  const Clock* const clock_;
  const HeldRefusals held_;
};

}  // namespace sallyport::reconcile

#endif  // SALLYPORT_CONFIG_SERVICE_RECONCILE_ROLLOUTS_H_
