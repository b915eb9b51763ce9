// Fleets: the use cases of fleets, of their nodes, and of how far changes are.

#ifndef SALLYPORT_CONFIG_SERVICE_SERVICE_FLEETS_H_
#define SALLYPORT_CONFIG_SERVICE_SERVICE_FLEETS_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "config_service/domain/common.h"
#include "config_service/domain/fleet.h"
#include "config_service/service/caller.h"
#include "config_service/service/paging.h"
#include "config_service/service/rollouts.h"
#include "config_service/service/transaction.h"

namespace sallyport::service {

struct FleetView {
  domain::Fleet fleet;  // `conditions` are filled
  size_t num_nodes = 0;
  size_t num_connected_nodes = 0;
};

// Thread-safe. Callers are authorised before (roles.h). Errors carry a
// domain::Error.
class Fleets {
 public:
  struct CreateRequest {
    std::string id;
    domain::Fleet fleet;
  };
  struct UpdateRequest {
    domain::Fleet fleet;            // its etag, if any, is checked
    std::vector<std::string> mask;  // as ApplyMask()
  };

  // What `context` points to outlives this. Without rollouts there are no
  // nodes.
  explicit Fleets(const Context& context) : context_(context) {}

  // Makes the fleet "default" if it is not there. To be called at the start.
  absl::Status EnsureDefault();

  absl::StatusOr<FleetView> Create(const Caller& caller, const Write& write,
                                   const CreateRequest& request);
  absl::StatusOr<FleetView> Get(const domain::FleetName& name);
  absl::StatusOr<Page<FleetView>> List(const PageRequest& request);
  absl::StatusOr<FleetView> Update(const Caller& caller, const Write& write,
                                   const UpdateRequest& request);
  // FLEET_IS_DEFAULT, RESOURCE_IN_USE, NODE_CONNECTED.
  absl::Status Delete(const Caller& caller, const Write& write,
                      const domain::FleetName& name, const domain::Etag& etag);

  absl::StatusOr<NodeView> GetNode(const domain::NodeName& name);
  // Of one fleet, or of all (empty). By name.
  absl::StatusOr<Page<NodeView>> ListNodes(const domain::FleetName& fleet,
                                           const PageRequest& request);
  // NODE_CONNECTED. Nothing of it is in the store, so it is not in the audit
  // log either.
  absl::Status DeleteNode(const Write& write, const domain::NodeName& name);

  // How far `revision` is (0: the store's, now), in one fleet or in all
  // (empty).
  absl::StatusOr<RolloutView> GetRollout(int64_t revision,
                                         const domain::FleetName& fleet);
  // The same once it is complete with at least `min_nodes` (0 to
  // kMaxAwaitedNodes), something is refused, or `timeout` (at most
  // kMaxRolloutWait) is over.
  absl::StatusOr<RolloutView> WaitForRollout(int64_t revision,
                                             const domain::FleetName& fleet,
                                             int64_t min_nodes,
                                             absl::Duration timeout,
                                             const Cancelled& cancelled);

 private:
  absl::StatusOr<FleetView> View(domain::Fleet fleet);
  // That its certificate is there and covers its default endpoints.
  absl::Status CheckCertificate(Transaction& transaction,
                                const domain::Fleet& fleet);
  // The revision that is meant; FIELD_OUT_OF_RANGE, RESOURCE_NOT_FOUND.
  absl::StatusOr<int64_t> CheckRollout(int64_t revision,
                                       const domain::FleetName& fleet);

  const Context context_;
};

}  // namespace sallyport::service

#endif  // SALLYPORT_CONFIG_SERVICE_SERVICE_FLEETS_H_
