// Fleets and their nodes.

#ifndef SALLYPORT_CONFIG_SERVICE_DOMAIN_FLEET_H_
#define SALLYPORT_CONFIG_SERVICE_DOMAIN_FLEET_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "config_service/domain/common.h"
#include "config_service/domain/limits.h"
#include "config_service/domain/name.h"
#include "config_service/domain/violations.h"

namespace sallyport::domain {

// What nodes write about connections and requests.
struct AccessLog {
  enum class Output { kOff, kStdout };
  Output output = Output::kStdout;
  // Requests that are answered with a lower status are left out; 0: none is.
  uint32_t min_status = 0;
};

struct Fleet {
  FleetName name;
  Metadata metadata;
  std::string listen_address;  // empty: 0.0.0.0
  uint16_t listen_port = kDefaultListenPort;
  // Empty: its nodes have no default endpoints.
  std::string default_endpoint_suffix;
  ServerCertificateName default_endpoint_certificate;
  AccessLog access_log;
  std::vector<Condition> conditions;
};

// `listen_port` as a number that a caller gave; 0 means the default.
void CheckPort(absl::string_view field, int64_t port, Violations& violations);
// `min_status` as a number that a caller gave.
void CheckMinStatus(absl::string_view field, int64_t status,
                    Violations& violations);
void Validate(const Fleet& fleet, Violations& violations);

// "*.SUFFIX": what default_endpoint_certificate must cover.
std::string DefaultEndpointWildcard(const Fleet& fleet);
// "API-ID.SUFFIX".
std::string DefaultEndpointHost(const Fleet& fleet, const ApiName& api);

// A resource that a node did not take.
struct Refusal {
  std::string type;      // Envoy's, short: "Secret"
  std::string resource;  // its xDS name
  std::string version;
  int64_t revision = 0;
  absl::Time time = absl::InfinitePast();
  std::string reason;  // printable
  std::string cause;   // name of a resource of ours; empty: not known
};

// What is known of a node.
struct Node {
  NodeName name;
  bool connected = false;
  absl::Time connect_time = absl::InfinitePast();
  absl::Time last_seen_time = absl::InfinitePast();
  std::string address;
  std::string software_version;
  int64_t acknowledged_revision = 0;
  // When the oldest change that it has not acknowledged was committed;
  // InfiniteFuture: none.
  absl::Time behind_since = absl::InfiniteFuture();
  std::vector<Refusal> refusals;
};

}  // namespace sallyport::domain

#endif  // SALLYPORT_CONFIG_SERVICE_DOMAIN_FLEET_H_
