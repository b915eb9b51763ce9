// Daemon: the config service, put together.

#ifndef SALLYPORT_CONFIG_SERVICE_SERVER_DAEMON_H_
#define SALLYPORT_CONFIG_SERVICE_SERVER_DAEMON_H_

#include <memory>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "config_service/server/options.h"

namespace sallyport::server {

class Daemon {
 public:
  // Opens the store and listens. Errors say what to mend.
  static absl::StatusOr<std::unique_ptr<Daemon>> Start(Settings settings);

  // Stops, if Stop() did not.
  virtual ~Daemon() = default;

  // Ends: new calls are refused, those under way have `grace`. Once.
  virtual void Stop(absl::Duration grace) = 0;

  virtual int admin_port() const = 0;
  virtual int xds_port() const = 0;
  virtual int http_port() const = 0;
};

}  // namespace sallyport::server

#endif  // SALLYPORT_CONFIG_SERVICE_SERVER_DAEMON_H_
