// The HTTP port: /healthz, /readyz, /metrics, and what else is given to it: the
// console and the AWS-compatible API. A connection has one request, ten seconds
// to send it and, when it is answered, ten to read the answer.

#ifndef SALLYPORT_CONFIG_SERVICE_SERVER_HTTP_H_
#define SALLYPORT_CONFIG_SERVICE_SERVER_HTTP_H_

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"

namespace sallyport::server {

// A request that is none of the port's own, as it was sent.
struct HttpCall {
  std::string method;
  std::string target;  // path and query
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  std::string peer;  // "127.0.0.1:5000"
};
struct HttpAnswer {
  int status = 200;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
};

// Bytes of a path; of a body, what HttpHandlers says.
constexpr size_t kMaxHttpPathBytes = 2048;

// What it answers. Called from any thread.
struct HttpHandlers {
  // Empty: ready; else why not.
  std::function<std::string()> ready;
  // Whether who sends this Authorization header (null: none) may see metrics.
  std::function<bool(const std::string* authorization)> may_see_metrics;
  std::function<std::string()> metrics;
  // The rest. Empty: 404.
  std::function<HttpAnswer(HttpCall)> other;
  size_t max_body_bytes = 1024;
};

class HttpServer {
 public:
  // Open at one time, each with a thread; one more ends the oldest
  // whose request is not being answered.
  static constexpr size_t kMaxConnections = 32;
  // Of these, answered by HttpHandlers::other at one time; one more gets 503.
  static constexpr size_t kMaxAnswering = 24;

  // Listens and serves. Port 0: any free one.
  static absl::StatusOr<std::unique_ptr<HttpServer>> Start(
      const std::string& host, int port, HttpHandlers handlers);
  // Stops.
  virtual ~HttpServer() = default;
  virtual int port() const = 0;
};

}  // namespace sallyport::server

#endif  // SALLYPORT_CONFIG_SERVICE_SERVER_HTTP_H_
