// ClientStatus: Envoy's client status discovery service (CSDS,
// envoy.service.status.v3.ClientStatusDiscoveryService), from the ledger: for
// each connected node, where each resource stands that it asked for.
//
// Contents of resources are never in an answer, whatever the request says: some
// are private keys. A node's id is its name, its cluster is its fleet, both
// from the authenticator.

#ifndef SALLYPORT_CONFIG_SERVICE_XDS_SERVER_CLIENT_STATUS_H_
#define SALLYPORT_CONFIG_SERVICE_XDS_SERVER_CLIENT_STATUS_H_

#include <cstddef>
#include <functional>
#include <memory>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "config_service/xds/server/ledger.h"

namespace grpc {
class ServerContext;
class Service;
class Status;
}  // namespace grpc

namespace sallyport::xds {

// Resources in one answer. There is no paging: who has more asks for fewer
// nodes.
constexpr size_t kMaxClientStatusResources = 50000;
// A stream's requests are answered no faster than this.
constexpr absl::Duration kClientStatusInterval = absl::Seconds(1);

// Runs `handler` if the caller may call `method` ("envoy.service.status.v3.
// ClientStatusDiscoveryService/FetchClientStatus"), and makes the answer of
// what it returns: OK; InvalidArgument, whose message begins with the field and
// ": "; ResourceExhausted.
using ClientStatusGate = std::function<grpc::Status(
    grpc::ServerContext& context, absl::string_view method,
    const std::function<absl::Status()>& handler)>;

// Calls `write`, which waits for the client, and returns what it returns; it is
// made to return when the client takes too long.
using ClientStatusWrite =
    std::function<bool(const std::function<bool()>& write)>;

// `ledger` outlives it. `stopping` ends streams that wait. How many streams
// there may be is for `gate` to say: each takes a thread.
std::unique_ptr<grpc::Service> NewClientStatusService(
    const Ledger* ledger, ClientStatusGate gate, ClientStatusWrite write,
    std::function<bool()> stopping);

}  // namespace sallyport::xds

#endif  // SALLYPORT_CONFIG_SERVICE_XDS_SERVER_CLIENT_STATUS_H_
