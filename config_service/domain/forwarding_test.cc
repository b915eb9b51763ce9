#include "config_service/domain/forwarding.h"

#include "gtest/gtest.h"
#include "settings/header_name.h"

namespace sallyport::domain {
namespace {

Violations Check(const Forwarding& forwarding) {
  Violations violations;
  CheckForwarding("forwarding", forwarding, violations);
  return violations;
}

TEST(CheckForwarding, TakesNothingAndEverything) {
  EXPECT_TRUE(Check(Forwarding()).empty());
  Forwarding all;
  all.xfcc.emplace();
  all.rfc9440.emplace();
  all.alb.emplace();
  all.ingress_nginx.emplace();
  all.traefik = Forwarding::Traefik{true, false};
  all.cloudflare = all.api_gateway = all.truststore = all.verdict = true;
  all.remove_headers = {"x-partner"};
  all.max_header_bytes = settings::kMinMaxHeaderBytes;
  all.trusted_proxy.emplace();
  all.trusted_proxy->kind = ClientRule::Kind::kTruststore;
  all.trusted_proxy->values = {"proxies"};
  EXPECT_TRUE(Check(all).empty());
}

TEST(CheckForwarding, RefusesWhatTheModuleRefuses) {
  Forwarding bad;
  bad.traefik.emplace();
  bad.remove_headers = {"x-good", "Content_Length", "*"};
  bad.max_header_bytes = settings::kMinMaxHeaderBytes - 1;
  bad.trusted_proxy.emplace();  // an empty `all`, without xfcc
  const Violations violations = Check(bad);
  EXPECT_EQ(violations.size(), 6u);
  EXPECT_TRUE(violations.Has("forwarding.traefik", Reason::kForwardingInvalid));
  EXPECT_TRUE(violations.Has("forwarding.remove_headers[1]"));
  EXPECT_TRUE(violations.Has("forwarding.remove_headers[2]"));
  EXPECT_TRUE(violations.Has("forwarding.max_header_bytes"));
  EXPECT_TRUE(
      violations.Has("forwarding.trusted_proxy", Reason::kForwardingInvalid));
  EXPECT_TRUE(violations.Has("forwarding.trusted_proxy.all.rules",
                             Reason::kClientRuleInvalid));
}

}  // namespace
}  // namespace sallyport::domain
