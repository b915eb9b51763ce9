#include "config_service/xds/server/authenticator.h"

#include <vector>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/text.h"

namespace sallyport::xds {
namespace {

constexpr size_t kMaxNodeNameBytes = 128;

std::string Quoted(absl::string_view text) {
  return absl::StrCat("\"", Printable(text, 200), "\"");
}

}  // namespace

bool IsNodeName(absl::string_view name) {
  if (name.empty() || name.size() > kMaxNodeNameBytes) return false;
  for (const char c : name) {
    if (!absl::ascii_isalnum(static_cast<unsigned char>(c)) && c != '.' &&
        c != '_' && c != '-') {
      return false;
    }
  }
  return true;
}

absl::StatusOr<std::string> CertificateAuthenticator::UriFor(
    absl::string_view trust_domain, absl::string_view fleet,
    absl::string_view node) {
  for (const auto& [what, name] :
       {std::pair<absl::string_view, absl::string_view>{"fleet", fleet},
        {"node", node}}) {
    if (!IsNodeName(name)) {
      return absl::InvalidArgumentError(absl::StrCat(
          Quoted(name), " is no ", what, "'s name: that is 1 to ",
          kMaxNodeNameBytes, " letters, digits, '.', '_' and '-'."));
    }
  }
  return absl::StrCat("spiffe://", trust_domain, "/fleets/", fleet, "/nodes/",
                      node);
}

absl::StatusOr<NodeIdentity> CertificateAuthenticator::Identify(
    const Peer& peer, const NodeClaim& claim) const {
  if (!peer.authenticated) {
    return absl::UnauthenticatedError(
        "The peer has no verified client certificate.");
  }
  if (peer.uris.size() != 1) {
    return absl::UnauthenticatedError(
        absl::StrCat("The peer's certificate has ", peer.uris.size(),
                     " URIs; a node's has one."));
  }
  const std::string& uri = peer.uris.front();
  absl::string_view path = uri;
  if (!absl::ConsumePrefix(&path,
                           absl::StrCat("spiffe://", trust_domain_, "/"))) {
    return absl::UnauthenticatedError(absl::StrCat(
        "The peer's certificate is of another installation: its "
        "URI ",
        Quoted(uri), " is not under spiffe://", trust_domain_, "/."));
  }
  const std::vector<absl::string_view> parts = absl::StrSplit(path, '/');
  if (parts.size() != 4 || parts[0] != "fleets" || !IsNodeName(parts[1]) ||
      parts[2] != "nodes" || !IsNodeName(parts[3])) {
    return absl::UnauthenticatedError(
        absl::StrCat("The peer's certificate is not a node's: its URI ",
                     Quoted(uri), " is not of the form spiffe://",
                     trust_domain_, "/fleets/FLEET/nodes/NODE."));
  }
  NodeIdentity identity{std::string(parts[3]), std::string(parts[1])};
  if (!claim.id.empty() && claim.id != identity.name) {
    return absl::PermissionDeniedError(absl::StrCat(
        "The certificate is node ", Quoted(identity.name),
        "'s, but the peer says that it is ", Quoted(claim.id), "."));
  }
  if (!claim.cluster.empty() && claim.cluster != identity.fleet) {
    return absl::PermissionDeniedError(absl::StrCat(
        "The certificate is of fleet ", Quoted(identity.fleet),
        ", but the peer says that it is in ", Quoted(claim.cluster), "."));
  }
  return identity;
}

absl::StatusOr<NodeIdentity> LoopbackAuthenticator::Identify(
    const Peer& peer, const NodeClaim& claim) const {
  const absl::string_view address = peer.address;
  const bool local = absl::StartsWith(address, "ipv4:127.") ||
                     absl::StartsWith(address, "ipv6:[::1]:") ||
                     absl::StartsWith(address, "unix:");
  if (!local) {
    return absl::PermissionDeniedError(absl::StrCat(
        "Nodes without certificates are taken from loopback addresses only, "
        "not from ",
        Quoted(address), "."));
  }
  if (!IsNodeName(claim.id) || !IsNodeName(claim.cluster)) {
    return absl::InvalidArgumentError(
        absl::StrCat("node.id and node.cluster must be 1 to ",
                     kMaxNodeNameBytes, " letters, digits, '.', '_' and '-'."));
  }
  return NodeIdentity{claim.id, claim.cluster};
}

}  // namespace sallyport::xds
