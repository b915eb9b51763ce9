// TestInvoker: sends one request through one node of a fleet, by a filter chain
// that is there for this request alone.
//
// The chain is chosen by an SNI that nobody can guess, and lets in one client:
// a key that is made for the invocation and never leaves this process. It has
// the route as it would be served, with a cluster, and secrets, of its own. It
// is published beside what the store says (reconcile), so nothing of it is
// stored, and it is gone when the invocation ends, in whatever way; after a
// crash, with the fleet's next publication.

#ifndef SALLYPORT_CONFIG_SERVICE_TEST_INVOKE_TEST_INVOKER_H_
#define SALLYPORT_CONFIG_SERVICE_TEST_INVOKE_TEST_INVOKER_H_

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "config_service/reconcile/fleet_publisher.h"
#include "config_service/service/node_invoker.h"
#include "config_service/xds/cache/cache.h"
#include "config_service/xds/server/ledger.h"

namespace sallyport::test_invoke {

// How long before and after its making a certificate of an invocation is valid:
// clocks of nodes may differ by that.
constexpr absl::Duration kCertificateMargin = absl::Minutes(5);
// How long a node has to take up what it is told.
constexpr absl::Duration kNodeWait = absl::Seconds(15);
// How long it is dialled, again and again: its workers take up a chain a moment
// after it said that it has it. The same for a backend's name, until it is
// resolved.
constexpr absl::Duration kDialTime = absl::Seconds(5);
// Between two attempts, in the end.
constexpr absl::Duration kMaxDialPause = absl::Seconds(1);

// Thread-safe.
class TestInvoker : public service::NodeInvoker {
 public:
  // Publishes in a fleet beside what the store says; false: there is no such
  // fleet.
  using Publish = std::function<bool(const std::string& fleet,
                                     reconcile::FleetChange change)>;

  // All outlive it.
  TestInvoker(Publish publish, const xds::Ledger* ledger, const Clock* clock)
      : publish_(std::move(publish)), ledger_(ledger), clock_(clock) {}

  absl::StatusOr<service::NodeAnswer> Invoke(
      const service::NodeInvocation& invocation, absl::Time deadline,
      const service::Cancelled& cancelled) override;

 private:
  // Until the node has all of `keys`. Empty; or why it has not.
  std::string WaitForNode(const domain::NodeName& node,
                          const std::vector<xds::ResourceKey>& keys,
                          absl::Time deadline,
                          const service::Cancelled& cancelled) const;

  const Publish publish_;
  const xds::Ledger* const ledger_;
  const Clock* const clock_;
};

}  // namespace sallyport::test_invoke

#endif  // SALLYPORT_CONFIG_SERVICE_TEST_INVOKE_TEST_INVOKER_H_
