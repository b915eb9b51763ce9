// Server: the xDS port. Serves aggregated discovery (ADS), delta and
// state-of-the-world, from a Cache, and keeps a Ledger.

#ifndef SALLYPORT_CONFIG_SERVICE_XDS_SERVER_SERVER_H_
#define SALLYPORT_CONFIG_SERVICE_XDS_SERVER_SERVER_H_

#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "config_service/xds/cache/cache.h"
#include "config_service/xds/server/authenticator.h"
#include "config_service/xds/server/ledger.h"
#include "config_service/xds/server/options.h"

namespace sallyport::xds {

// TLS of the port: mutual, always. PEM; the key never leaves this process.
struct ServerTls {
  std::string certificate_chain;
  std::string private_key;
  // CAs that sign proxies' certificates.
  std::string client_roots;
};

class Server {
 public:
  struct Config {
    // "host:port" as gRPC takes it; port 0 means any free one.
    std::string address;
    // Null: no TLS. Only for loopback addresses and Unix sockets; anything
    // else is refused.
    std::unique_ptr<ServerTls> tls;
    ServerOptions options;
    // One line for the operator's log: a node came, went, was refused, or
    // refused something. May be null. Called from any thread, with locks held:
    // it must not call back into the server.
    std::function<void(absl::string_view)> log;
  };

  // Binds and serves. `cache`, `ledger`, `authenticator` and `clock` must
  // outlive the server; `cache.OnPublished` becomes the server's.
  static absl::StatusOr<std::unique_ptr<Server>> Start(
      Config config, Cache& cache, Ledger& ledger,
      const Authenticator& authenticator, const Clock& clock);

  virtual ~Server() = default;

  // The port that it listens on.
  virtual int port() const = 0;

  // Ends the streams of nodes that the authenticator does not take any more.
  virtual void Reauthenticate() = 0;

  // Ends all streams with UNAVAILABLE (proxies come back elsewhere, or later)
  // and stops. Returns when nothing of it runs any more. Once.
  virtual void Stop(absl::Duration grace) = 0;
};

}  // namespace sallyport::xds

#endif  // SALLYPORT_CONFIG_SERVICE_XDS_SERVER_SERVER_H_
