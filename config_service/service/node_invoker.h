// NodeInvoker: one request through one node. An interface: whoever serves the
// nodes can do it.

#ifndef SALLYPORT_CONFIG_SERVICE_SERVICE_NODE_INVOKER_H_
#define SALLYPORT_CONFIG_SERVICE_SERVICE_NODE_INVOKER_H_

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/secret.h"
#include "config_service/domain/api.h"
#include "config_service/domain/name.h"
#include "config_service/service/rollouts.h"

namespace sallyport::service {

// Of an answer: what is kept of its body and of its headers.
constexpr size_t kMaxTestAnswerBytes = size_t{64} << 10;
constexpr size_t kMaxTestAnswerHeaderBytes = size_t{64} << 10;

struct HttpHeader {
  std::string name;
  std::string value;
};

struct NodeInvocation {
  domain::NodeName node;
  // "192.0.2.1:8443", "[2001:db8::1]:8443": where the node listens.
  std::string address;

  // One route, in a stage whose variables and client certificate count.
  domain::Api api;
  domain::Stage stage;
  domain::Deployment deployment;
  // Which addresses backends may have; null: any.
  const domain::BackendPolicy* backends = nullptr;
  // Of the stage's client certificate, if it names one.
  std::string client_chain_pem;
  Secret client_key_pem;
  // The truststore that the route names, if it names one; its text in pieces.
  domain::TruststoreName truststore;
  std::vector<std::shared_ptr<const std::string>> truststore_pem;

  // Checked: what no request may have is not in them.
  std::string method;
  std::string path;
  std::vector<HttpHeader> headers;
  std::string body;
};

struct NodeAnswer {
  // 0: none came; `failure` says why.
  int status = 0;
  // Names in lower case, in the order in which they came.
  std::vector<HttpHeader> headers;
  std::string body;
  bool body_truncated = false;
  bool headers_truncated = false;
  absl::Duration latency = absl::ZeroDuration();
  // Printable.
  std::string failure;

  // What the node says of it, printable; empty: nothing.
  std::string route;        // the name of the route that matched
  std::string details;      // Envoy's response code details
  std::string flags;        // Envoy's response flags
  std::string backend;      // its address
  std::string tls_version;  // of the connection to the backend
  std::string tls_subject;  // of the backend's certificate
  std::string tls_failure;  // of the connection to the backend
};

// Thread-safe.
class NodeInvoker {
 public:
  virtual ~NodeInvoker() = default;

  // Waits for the answer, at most until `deadline`, or `cancelled`. Nothing of
  // it stays on the node afterwards, whatever comes of it. Errors are of what
  // no node could do (NOT_SUPPORTED), and UNAVAILABLE; what a node did not do
  // is in the answer.
  virtual absl::StatusOr<NodeAnswer> Invoke(const NodeInvocation& invocation,
                                            absl::Time deadline,
                                            const Cancelled& cancelled) = 0;
};

}  // namespace sallyport::service

#endif  // SALLYPORT_CONFIG_SERVICE_SERVICE_NODE_INVOKER_H_
