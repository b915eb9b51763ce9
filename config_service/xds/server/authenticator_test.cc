#include "config_service/xds/server/authenticator.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace sallyport::xds {
namespace {

using ::testing::HasSubstr;

Peer PeerWith(std::vector<std::string> uris) {
  Peer peer;
  peer.address = "ipv4:192.0.2.1:1234";
  peer.authenticated = true;
  peer.uris = std::move(uris);
  return peer;
}

TEST(CertificateAuthenticator, TakesNameAndFleetFromTheCertificate) {
  const CertificateAuthenticator authenticator("example.org");
  const Peer peer = PeerWith(
      {CertificateAuthenticator::UriFor("example.org", "edge", "n-1").value()});
  for (const NodeClaim& claim :
       {NodeClaim{}, NodeClaim{"n-1", ""}, NodeClaim{"", "edge"},
        NodeClaim{"n-1", "edge"}}) {
    const auto identity = authenticator.Identify(peer, claim);
    ASSERT_TRUE(identity.ok()) << identity.status();
    EXPECT_EQ(identity->name, "n-1");
    EXPECT_EQ(identity->fleet, "edge");
  }
}

TEST(CertificateAuthenticator, RefusesANodeThatSaysItIsAnother) {
  const CertificateAuthenticator authenticator("example.org");
  const Peer peer = PeerWith({"spiffe://example.org/fleets/edge/nodes/n-1"});
  for (const NodeClaim& claim :
       {NodeClaim{"n-2", "edge"}, NodeClaim{"n-1", "core"},
        NodeClaim{"N-1", "edge"}, NodeClaim{"", "Edge"}}) {
    EXPECT_EQ(authenticator.Identify(peer, claim).status().code(),
              absl::StatusCode::kPermissionDenied);
  }
}

TEST(CertificateAuthenticator, RefusesCertificatesThatAreNotANodes) {
  const CertificateAuthenticator authenticator("example.org");
  for (const Peer& peer : {
           Peer(),
           PeerWith({}),
           PeerWith({"spiffe://example.org/fleets/edge/nodes/n-1",
                     "spiffe://example.org/fleets/core/nodes/n-1"}),
           PeerWith({"spiffe://example.com/fleets/edge/nodes/n-1"}),
           PeerWith({"spiffe://example.org.evil/fleets/edge/nodes/n-1"}),
           PeerWith({"https://example.org/fleets/edge/nodes/n-1"}),
           PeerWith({"spiffe://example.org/fleets/edge"}),
           PeerWith({"spiffe://example.org/fleets/edge/nodes/"}),
           PeerWith({"spiffe://example.org/fleets//nodes/n"}),
           PeerWith({"spiffe://example.org/fleets/edge/nodes/n-1/x"}),
           PeerWith({"spiffe://example.org/fleets/edge/nodes/n%2f1"}),
           PeerWith({"spiffe://example.org/nodes/edge/fleets/n-1"}),
           PeerWith(
               {std::string("spiffe://example.org/fleets/edge/nodes/n\0", 41)}),
       }) {
    EXPECT_EQ(authenticator.Identify(peer, {}).status().code(),
              absl::StatusCode::kUnauthenticated);
  }
  // What the certificate says counts for nothing when it was not verified.
  Peer unverified = PeerWith({"spiffe://example.org/fleets/edge/nodes/n-1"});
  unverified.authenticated = false;
  EXPECT_EQ(authenticator.Identify(unverified, {}).status().code(),
            absl::StatusCode::kUnauthenticated);
}

TEST(CertificateAuthenticator, MakesNoUriOfNamesThatAreNone) {
  EXPECT_FALSE(CertificateAuthenticator::UriFor("d", "a/b", "n").ok());
  EXPECT_FALSE(CertificateAuthenticator::UriFor("d", "a", "").ok());
  EXPECT_FALSE(
      CertificateAuthenticator::UriFor("d", "a", std::string(129, 'n')).ok());
  EXPECT_TRUE(
      CertificateAuthenticator::UriFor("d", "a", std::string(128, 'n')).ok());
}

TEST(LoopbackAuthenticator, BelievesOnlyThisMachine) {
  const LoopbackAuthenticator authenticator;
  for (const char* address : {"ipv4:127.0.0.1:1234", "ipv4:127.9.9.9:1",
                              "ipv6:[::1]:1234", "unix:/run/x", "unix:"}) {
    Peer peer;
    peer.address = address;
    const auto identity = authenticator.Identify(peer, {"node", "fleet"});
    ASSERT_TRUE(identity.ok()) << address;
    EXPECT_EQ(identity->name, "node");
    EXPECT_EQ(identity->fleet, "fleet");
  }
  for (const char* address :
       {"", "ipv4:10.0.0.1:1234", "ipv4:12.7.0.1:1", "ipv6:[::2]:1234",
        "ipv6:[::10]:1", "127.0.0.1:1", "ipv4:1.127.0.0:1"}) {
    Peer peer;
    peer.address = address;
    EXPECT_EQ(authenticator.Identify(peer, {"node", "fleet"}).status().code(),
              absl::StatusCode::kPermissionDenied)
        << address;
  }
}

TEST(LoopbackAuthenticator, NeedsANodesNameAndFleet) {
  const LoopbackAuthenticator authenticator;
  Peer peer;
  peer.address = "ipv4:127.0.0.1:1";
  for (const NodeClaim& claim :
       {NodeClaim{"", "fleet"}, NodeClaim{"node", ""},
        NodeClaim{"no de", "fleet"}, NodeClaim{"node", "fleets/x"}}) {
    const auto status = authenticator.Identify(peer, claim).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(status.message()), HasSubstr("node.id"));
  }
}

}  // namespace
}  // namespace sallyport::xds
