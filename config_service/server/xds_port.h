// XdsPort: what serves the nodes: the resources of each fleet, the port they
// come by, and the book of who has what.

#ifndef SALLYPORT_CONFIG_SERVICE_SERVER_XDS_PORT_H_
#define SALLYPORT_CONFIG_SERVICE_SERVER_XDS_PORT_H_

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "config_service/reconcile/reconciler.h"
#include "config_service/reconcile/rollouts.h"
#include "config_service/service/node_invoker.h"
#include "config_service/service/proxy_ca.h"
#include "config_service/service/rollouts.h"
#include "config_service/store/sealer.h"
#include "config_service/store/store.h"
#include "config_service/test_invoke/test_invoker.h"
#include "config_service/xds/cache/cache.h"
#include "config_service/xds/server/authenticator.h"
#include "config_service/xds/server/ledger.h"
#include "config_service/xds/server/options.h"
#include "config_service/xds/server/server.h"

namespace sallyport::server {

class XdsPort {
 public:
  struct Config {
    // "HOST:PORT".
    std::string address;
    // No TLS: a peer on loopback is who it says. Only on loopback.
    bool trust_loopback = false;
    // Names and addresses in the port's certificate.
    std::vector<std::string> hosts;
    // Which addresses backends may have.
    domain::BackendPolicy backends;
    // Streams of one node.
    size_t node_streams = xds::ServerOptions().max_streams_of_node;
  };

  // All outlive it.
  XdsPort(store::Store* store, const store::Sealer* sealer, const Clock* clock);
  // Stops, if Stop() did not.
  ~XdsPort();
  XdsPort(const XdsPort&) = delete;
  XdsPort& operator=(const XdsPort&) = delete;

  // Publishes what the store says, then listens. `ca` signs the port's
  // certificate, and signed those of the nodes. Once.
  absl::Status Start(const Config& config, const service::ProxyCa& ca);
  // Certificates of nodes were revoked: ends the streams that came by them.
  void EndRevoked();
  // Ends all streams; nodes go on with what they have. Nothing may ask
  // rollouts() or invoker() any more. Once.
  void Stop(absl::Duration grace);

  // What the service asks; before Start() there are no nodes.
  service::Rollouts* rollouts() { return &rollouts_; }
  // What sends requests through nodes.
  service::NodeInvoker* invoker() { return &invoker_; }
  const xds::Ledger* ledger() const { return &ledger_; }
  int port() const { return server_ == nullptr ? 0 : server_->port(); }
  // Empty: good; else why what is stored is not what is shown.
  std::string Problem() const;
  // In the text format of Prometheus.
  std::string MetricsText() const;

 private:
  std::vector<reconcile::LedgerRollouts::HeldRefusal> Held(
      const std::string& fleet) const;

  store::Store* const store_;
  const store::Sealer* const sealer_;
  const Clock* const clock_;
  xds::Cache cache_;
  xds::Ledger ledger_;
  reconcile::LedgerRollouts rollouts_;
  test_invoke::TestInvoker invoker_;
  std::unique_ptr<xds::Authenticator> authenticator_;
  std::unique_ptr<reconcile::Reconciler> reconciler_;
  std::unique_ptr<xds::Server> server_;
  std::atomic<bool> started_{false};
};

}  // namespace sallyport::server

#endif  // SALLYPORT_CONFIG_SERVICE_SERVER_XDS_PORT_H_
