#include "config_service/domain/fleet.h"

#include <string>

#include "config_service/domain/domain_name.h"
#include "config_service/domain/limits.h"
#include "gtest/gtest.h"

namespace sallyport::domain {
namespace {

Violations Check(const Fleet& fleet) {
  Violations violations;
  Validate(fleet, violations);
  return violations;
}

Fleet WithDefaultEndpoints() {
  Fleet fleet;
  fleet.name = FleetName("edge");
  fleet.default_endpoint_suffix = "execute-api.example.com";
  fleet.default_endpoint_certificate = ServerCertificateName("wildcard");
  return fleet;
}

TEST(ValidateFleet, TakesOneWithAndWithoutDefaultEndpoints) {
  EXPECT_TRUE(Check(Fleet()).empty());
  EXPECT_TRUE(Check(WithDefaultEndpoints()).empty());
}

TEST(ValidateFleet, WantsSuffixAndCertificateTogether) {
  Fleet fleet = WithDefaultEndpoints();
  fleet.default_endpoint_certificate = ServerCertificateName();
  EXPECT_TRUE(
      Check(fleet).Has("default_endpoint_certificate", Reason::kFieldRequired));
  fleet = WithDefaultEndpoints();
  fleet.default_endpoint_suffix.clear();
  EXPECT_TRUE(Check(fleet).Has("default_endpoint_certificate",
                               Reason::kFieldsConflict));
}

TEST(ValidateFleet, LeavesRoomForTheIdBeforeTheSuffix) {
  Fleet fleet = WithDefaultEndpoints();
  const std::string label(63, 'a');
  // 2 * 64 + 61 = 189 and an id of 63 with its dot: 253.
  fleet.default_endpoint_suffix =
      label + "." + label + "." + std::string(61, 'b');
  EXPECT_TRUE(Check(fleet).empty());
  EXPECT_TRUE(CheckDomain(DefaultEndpointHost(
                              fleet, ApiName(std::string(kMaxIdLength, 'i'))))
                  .ok());
  fleet.default_endpoint_suffix += "b";
  EXPECT_TRUE(
      Check(fleet).Has("default_endpoint_suffix", Reason::kFieldOutOfRange));
  fleet.default_endpoint_suffix = "Execute.example";
  EXPECT_TRUE(
      Check(fleet).Has("default_endpoint_suffix", Reason::kDomainNameInvalid));
}

TEST(ValidateFleet, ChecksTheStatusThatTheAccessLogBeginsAt) {
  for (const uint32_t status : {0u, 100u, 400u, 599u}) {
    Fleet fleet;
    fleet.access_log.min_status = status;
    EXPECT_TRUE(Check(fleet).empty()) << status;
  }
  for (const uint32_t status : {1u, 99u, 600u}) {
    Fleet fleet;
    fleet.access_log.min_status = status;
    EXPECT_TRUE(
        Check(fleet).Has("access_log.min_status", Reason::kFieldOutOfRange))
        << status;
  }
}

TEST(ValidateFleet, ChecksWhereNodesListen) {
  Fleet fleet;
  for (const char* address : {"0.0.0.0", "::", "127.0.0.1", "2001:db8::1"}) {
    fleet.listen_address = address;
    EXPECT_TRUE(Check(fleet).empty()) << address;
  }
  for (const char* address : {"localhost", "[::]", "1.2.3", "0.0.0.0:80"}) {
    fleet.listen_address = address;
    EXPECT_TRUE(Check(fleet).Has("listen_address", Reason::kFieldMalformed))
        << address;
  }
}

TEST(CheckPort, TakesPortsAndNoneForTheDefault) {
  for (const int64_t port : {0, 1, 443, 65535}) {
    Violations violations;
    CheckPort("listen_port", port, violations);
    EXPECT_TRUE(violations.empty()) << port;
  }
  for (const int64_t port : {-1, 65536}) {
    Violations violations;
    CheckPort("listen_port", port, violations);
    EXPECT_TRUE(violations.Has("listen_port", Reason::kFieldOutOfRange))
        << port;
  }
}

TEST(DefaultEndpoint, IsTheIdBeforeTheSuffix) {
  EXPECT_EQ(DefaultEndpointHost(WithDefaultEndpoints(), ApiName("a1b2")),
            "a1b2.execute-api.example.com");
  EXPECT_EQ(DefaultEndpointWildcard(WithDefaultEndpoints()),
            "*.execute-api.example.com");
}

}  // namespace
}  // namespace sallyport::domain
