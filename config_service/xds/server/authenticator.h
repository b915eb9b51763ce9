// Authenticator: who a proxy is. Its certificate says so, not what it says of
// itself.

#ifndef SALLYPORT_CONFIG_SERVICE_XDS_SERVER_AUTHENTICATOR_H_
#define SALLYPORT_CONFIG_SERVICE_XDS_SERVER_AUTHENTICATOR_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace sallyport::xds {

// What the transport knows of the peer.
struct Peer {
  // As gRPC gives it: "ipv4:127.0.0.1:1234", "ipv6:[::1]:1234", "unix:...".
  std::string address;
  // TLS with a client certificate that was verified against the proxy CA.
  bool authenticated = false;
  // URI subject alternative names of that certificate.
  std::vector<std::string> uris;
  // That certificate, PEM.
  std::string certificate_pem;
};

// What the node says of itself in its first request.
struct NodeClaim {
  std::string id;
  std::string cluster;
};

struct NodeIdentity {
  std::string name;
  std::string fleet;
};

// Thread-safety: implementations may be used by any number of threads at once.
class Authenticator {
 public:
  virtual ~Authenticator() = default;
  // An error (Unauthenticated, PermissionDenied, InvalidArgument) ends the
  // stream with that code. The message goes to
  // the log; the peer is told only that it was refused.
  virtual absl::StatusOr<NodeIdentity> Identify(
      const Peer& peer, const NodeClaim& claim) const = 0;
};

// CertificateAuthenticator: the one URI SAN of the form
//   spiffe://<trust domain>/fleets/<fleet>/nodes/<node>
// of the verified client certificate, which has no other URI. What the node
// claims must agree: id with the node, cluster with the fleet; an empty claim
// agrees.
class CertificateAuthenticator : public Authenticator {
 public:
  // `trust_domain`: of this installation; a certificate of another one is
  // refused even when the same CA signed it.
  explicit CertificateAuthenticator(absl::string_view trust_domain)
      : trust_domain_(trust_domain) {}
  absl::StatusOr<NodeIdentity> Identify(const Peer& peer,
                                        const NodeClaim& claim) const override;

  // The URI that a node's certificate has to carry; InvalidArgument when fleet
  // or node is no valid name (IsNodeName).
  static absl::StatusOr<std::string> UriFor(absl::string_view trust_domain,
                                            absl::string_view fleet,
                                            absl::string_view node);

 private:
  const std::string trust_domain_;
};

// LoopbackAuthenticator: believes any peer on a loopback address or a Unix
// socket what it claims. For demonstrations, where the operator asked for it.
// Its fleet is the cluster it claims. PermissionDenied for any other peer;
// InvalidArgument when id or cluster is no valid name.
class LoopbackAuthenticator : public Authenticator {
 public:
  absl::StatusOr<NodeIdentity> Identify(const Peer& peer,
                                        const NodeClaim& claim) const override;
};

// IsNodeName: 1 to 128 ASCII letters, digits, '.', '_' and '-'. Names of nodes
// and of fleets.
bool IsNodeName(absl::string_view name);

}  // namespace sallyport::xds

#endif  // SALLYPORT_CONFIG_SERVICE_XDS_SERVER_AUTHENTICATOR_H_
