// The HTTP port: /healthz, /readyz, /metrics. A connection has one request and
// ten seconds.

#ifndef SALLYPORT_CONFIG_SERVICE_SERVER_HTTP_H_
#define SALLYPORT_CONFIG_SERVICE_SERVER_HTTP_H_

#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace sallyport::server {

// What it answers. Called from any thread.
struct HttpHandlers {
  // Empty: ready; else why not.
  std::function<std::string()> ready;
  // Whether who sends this Authorization header (null: none) may see metrics.
  std::function<bool(const std::string* authorization)> may_see_metrics;
  std::function<std::string()> metrics;
};

class HttpServer {
 public:
  // Open at one time, each with a thread; one more ends the oldest.
  static constexpr size_t kMaxConnections = 32;

  // Listens and serves. Port 0: any free one.
  static absl::StatusOr<std::unique_ptr<HttpServer>> Start(
      const std::string& host, int port, HttpHandlers handlers);
  // Stops.
  virtual ~HttpServer() = default;
  virtual int port() const = 0;
};

}  // namespace sallyport::server

#endif  // SALLYPORT_CONFIG_SERVICE_SERVER_HTTP_H_
