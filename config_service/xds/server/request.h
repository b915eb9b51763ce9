// Requests of the two forms of ADS, read without copying.
//
// A request of a real proxy carries a node of tens of kilobytes of which four
// fields are of interest, and a proxy that comes back names thousands of
// resources. So requests are read in place rather than through generated
// messages, which would copy all of it. The parts of Protocol Buffers that read
// the wire format are used; the tests compare the result with the generated
// messages.

#ifndef SALLYPORT_CONFIG_SERVICE_XDS_SERVER_REQUEST_H_
#define SALLYPORT_CONFIG_SERVICE_XDS_SERVER_REQUEST_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace sallyport::xds {

// What is read of envoy.config.core.v3.Node.
struct NodeFields {
  absl::string_view id;
  absl::string_view cluster;
  absl::string_view user_agent_name;
  // user_agent_version, or the numbers of user_agent_build_version ("1.40.0").
  std::string user_agent_version;
};

// Views are of the bytes that were parsed.
struct Request {
  bool has_node = false;
  NodeFields node;
  absl::string_view type_url;
  absl::string_view nonce;
  bool refused = false;  // error_detail is there
  absl::string_view error_message;

  // Delta.
  std::vector<absl::string_view> subscribe;
  std::vector<absl::string_view> unsubscribe;
  std::vector<std::pair<absl::string_view, absl::string_view>> versions;

  // State of the world.
  absl::string_view version_info;
  std::vector<absl::string_view> names;
};

// ParseDeltaRequest, ParseSotwRequest: `bytes` as
// envoy.service.discovery.v3.DeltaDiscoveryRequest or DiscoveryRequest. Fields
// that are not listed above are passed over. InvalidArgument when the bytes are
// no such message; names are not judged here.
absl::StatusOr<Request> ParseDeltaRequest(absl::string_view bytes);
absl::StatusOr<Request> ParseSotwRequest(absl::string_view bytes);

}  // namespace sallyport::xds

#endif  // SALLYPORT_CONFIG_SERVICE_XDS_SERVER_REQUEST_H_
