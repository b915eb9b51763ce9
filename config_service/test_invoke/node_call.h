// CallNode: one HTTPS request to a node.

#ifndef SALLYPORT_CONFIG_SERVICE_TEST_INVOKE_NODE_CALL_H_
#define SALLYPORT_CONFIG_SERVICE_TEST_INVOKE_NODE_CALL_H_

#include <functional>
#include <string>

#include "absl/time/time.h"
#include "base/secret.h"
#include "config_service/service/node_invoker.h"

namespace sallyport::test_invoke {

struct NodeCall {
  // "192.0.2.1:8443", with brackets around IPv6.
  std::string address;
  // The SNI, and the Host.
  std::string domain;
  // The only certificate that the node may show (self-signed, for `domain`),
  // and base64 of the SHA-256 of its public key (SPKI).
  std::string node_certificate_pem;
  std::string node_key_sha256_base64;
  // What is shown to the node.
  std::string client_certificate_pem;
  const Secret* client_key_pem = nullptr;

  // As in service::NodeInvocation.
  const service::NodeInvocation* request = nullptr;
  absl::Duration connect_timeout;
  absl::Duration timeout;
  // Asked from the calling thread, several times a second.
  std::function<bool()> cancelled;
};

struct NodeCallResult {
  // False: there was no TLS connection with that node, and so nothing of the
  // request left this process.
  bool sent = false;
  // Whoever listens there is not the node: it has another certificate.
  bool another_node = false;
  // `failure` says why nothing came.
  service::NodeAnswer answer;
};

// HTTP/1.1 in TLS 1.3 by a connection of its own; no proxy, no redirection, no
// cookies. Thread-safe.
NodeCallResult CallNode(const NodeCall& call);

}  // namespace sallyport::test_invoke

#endif  // SALLYPORT_CONFIG_SERVICE_TEST_INVOKE_NODE_CALL_H_
