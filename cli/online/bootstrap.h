// The Envoy bootstrap of a node.

#ifndef SALLYPORT_CLI_ONLINE_BOOTSTRAP_H_
#define SALLYPORT_CLI_ONLINE_BOOTSTRAP_H_

#include <string>

#include "absl/status/statusor.h"

namespace sallyport::cli::online {

// Whether it can name a node, a fleet or the owner of a token: 1 to 128
// letters, digits, '.', '_' or '-'.
bool IsNodeName(absl::string_view name);

struct BootstrapOptions {
  std::string node;
  std::string fleet = "default";
  // HOST:PORT of the xDS port.
  std::string xds_address = "127.0.0.1:9441";
  // The service's name in its certificate: spiffe://TRUST_DOMAIN/xds.
  std::string trust_domain = "sallyport";
  // Files on the node, PEM. All three or none; none is for a service that
  // trusts its loopback interface.
  std::string ca;
  std::string node_certificate;
  std::string node_key;
  // HOST:PORT of Envoy's admin port; empty: none.
  std::string admin_address;
  // The CAs that backends over HTTPS are trusted by.
  std::string system_trust = "/etc/ssl/certs/ca-certificates.crt";
};

// MakeBootstrap: YAML. InvalidArgument says which option is wrong.
absl::StatusOr<std::string> MakeBootstrap(const BootstrapOptions& options);

}  // namespace sallyport::cli::online

#endif  // SALLYPORT_CLI_ONLINE_BOOTSTRAP_H_
