#include "config_service/domain/backend_policy.h"

#include "absl/strings/match.h"
#include "gtest/gtest.h"

namespace sallyport::domain {
namespace {

bool Refuses(const char* host, const BackendPolicy& policy = {}) {
  return !RefusedBackend(host, policy).empty();
}

TEST(BackendPolicy, LetsOrdinaryAddressesAndNamesThrough) {
  for (const char* host : {"10.0.0.1",
                           "192.168.0.1",
                           "128.0.0.1",
                           "126.255.255.255",
                           "169.253.255.255",
                           "169.255.0.0",
                           "1.0.0.0",
                           "2001:db8::1",
                           "fec0::1",
                           "fe7f::1",
                           "fd00:ec2::255",
                           "::ffff:10.0.0.1",
                           "64:ff9b::a00:1",
                           "2002:a00:1::1",
                           "backend.example.com",
                           "localhost1.example.com",
                           "notlocalhost",
                           "a.b-1",
                           "127.0.0.1.example.com",
                           "metadata.example"}) {
    EXPECT_FALSE(Refuses(host)) << host << ": " << RefusedBackend(host, {});
  }
}

TEST(BackendPolicy, RefusesLoopbackUnlessAllowed) {
  BackendPolicy policy;
  policy.loopback = true;
  for (const char* host :
       {"127.0.0.1", "127.255.255.255", "127.0.0.1.", "0.0.0.0", "0.1.2.3",
        "::1", "::", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:7f00:1",
        "::ffff:0.0.0.0", "64:ff9b::7f00:1", "2002:7f00:1::", "localhost",
        "LOCALHOST.", "x.localhost", "localhost.localdomain",
        "ip6-localhost"}) {
    EXPECT_TRUE(Refuses(host)) << host;
    EXPECT_FALSE(Refuses(host, policy)) << host;
  }
}

TEST(BackendPolicy, RefusesLinkLocalAndMetadataUnlessAllowed) {
  BackendPolicy policy;
  policy.link_local = true;
  for (const char* host :
       {"169.254.169.254", "169.254.0.0", "169.254.255.255", "fe80::1",
        "febf::1", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe",
        "2002:a9fe:a9fe::1", "fd00:ec2::254", "FD20:CE::254", "100.100.100.200",
        "168.63.129.16", "192.0.0.192", "metadata.google.internal",
        "Metadata.Google.Internal."}) {
    EXPECT_TRUE(Refuses(host)) << host;
    EXPECT_FALSE(Refuses(host, policy)) << host;
  }
  policy = {};
  policy.loopback = true;
  EXPECT_TRUE(Refuses("169.254.169.254", policy));
  policy = {};
  policy.link_local = true;
  EXPECT_TRUE(Refuses("127.0.0.1", policy));
}

TEST(BackendPolicy, NeverTakesWhatOnlyLooksLikeAnAddress) {
  BackendPolicy policy;
  policy.loopback = policy.link_local = true;
  for (const char* host : {"127.1", "2130706433", "0x7f000001", "0x7f.1",
                           "127.0.0.01", "1.2.3.4.5", "10.0.0.256", "a.1"}) {
    EXPECT_TRUE(Refuses(host, policy)) << host;
  }
}

TEST(ParseBackendPolicy, ReadsWords) {
  EXPECT_FALSE(ParseBackendPolicy("")->loopback);
  EXPECT_FALSE(ParseBackendPolicy("")->link_local);
  EXPECT_TRUE(ParseBackendPolicy(" loopback ")->loopback);
  EXPECT_FALSE(ParseBackendPolicy("loopback")->link_local);
  EXPECT_TRUE(ParseBackendPolicy("link-local, loopback")->loopback);
  const auto wrong = ParseBackendPolicy("loopback,private");
  EXPECT_TRUE(absl::StrContains(wrong.status().message(), "\"private\""));
}

}  // namespace
}  // namespace sallyport::domain
