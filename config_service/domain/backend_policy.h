// Which addresses integrations may name. Nodes connect to them, so that whoever
// changes routes would otherwise reach what listens on the nodes themselves
// (Envoy's admin port, say), and what a cloud tells a machine about itself, its
// credentials among it.
//
// Of a name only itself is seen: what it resolves to is the nodes' business.

#ifndef SALLYPORT_CONFIG_SERVICE_DOMAIN_BACKEND_POLICY_H_
#define SALLYPORT_CONFIG_SERVICE_DOMAIN_BACKEND_POLICY_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace sallyport::domain {

struct BackendPolicy {
  // 127.0.0.0/8, 0.0.0.0/8, ::1, ::, localhost.
  bool loopback = false;
  // 169.254.0.0/16 and fe80::/10 (RFC 3927, RFC 4291), and where clouds tell
  // machines about themselves, wherever that is.
  bool link_local = false;
};

// "loopback,link-local", or one of these, or nothing. InvalidArgument.
absl::StatusOr<BackendPolicy> ParseBackendPolicy(absl::string_view text);

// Why `host`, an IntegrationUri::Host(), must not be named, for people: "is a
// loopback address, ..."; empty: it may. IPv4 addresses inside of IPv6 ones
// count as such (RFC 4291, 2.5.5; RFC 6052; RFC 3056). A host that ends like an
// IPv4 address and is not written as one ("127.1") never may.
std::string RefusedBackend(absl::string_view host, const BackendPolicy& policy);

}  // namespace sallyport::domain

#endif  // SALLYPORT_CONFIG_SERVICE_DOMAIN_BACKEND_POLICY_H_
