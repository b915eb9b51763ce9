#include "cli/online/bootstrap.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "yaml-cpp/yaml.h"

namespace sallyport::cli::online {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

BootstrapOptions Good() {
  BootstrapOptions out;
  out.node = "edge-1";
  return out;
}

TEST(Bootstrap, SaysWhoTheNodeIsAndWhereTheServiceIs) {
  BootstrapOptions options = Good();
  options.fleet = "edge";
  options.xds_address = "config.example.com:9441";
  const YAML::Node root = YAML::Load(*MakeBootstrap(options));
  EXPECT_EQ(root["node"]["id"].Scalar(), "edge-1");
  EXPECT_EQ(root["node"]["cluster"].Scalar(), "edge");
  const YAML::Node cluster = root["static_resources"]["clusters"][0];
  EXPECT_EQ(cluster["type"].Scalar(), "STRICT_DNS");
  EXPECT_EQ(cluster["load_assignment"]["endpoints"][0]["lb_endpoints"][0]
                   ["endpoint"]["address"]["socket_address"]["port_value"]
                       .as<int>(),
            9441);
  EXPECT_FALSE(cluster["transport_socket"]);
  EXPECT_FALSE(root["admin"]);
}

TEST(Bootstrap, TakesWhatTheFleetSaysWithoutEndingConnections) {
  const YAML::Node layers =
      YAML::Load(*MakeBootstrap(Good()))["layered_runtime"]["layers"];
  ASSERT_EQ(layers.size(), 2u);
  EXPECT_EQ(layers[1]["rtds_layer"]["name"].Scalar(), "fleet");
  EXPECT_TRUE(layers[1]["rtds_layer"]["rtds_config"]["ads"]);
}

TEST(Bootstrap, ChecksThatTheServiceIsTheService) {
  BootstrapOptions options = Good();
  options.ca = "/etc/ca.pem";
  options.node_certificate = "/etc/a.pem";
  options.node_key = "/etc/a.key";
  const YAML::Node context = YAML::Load(*MakeBootstrap(
      options))["static_resources"]["clusters"][0]["transport_socket"]
               ["typed_config"]["common_tls_context"];
  EXPECT_EQ(context["validation_context"]["match_typed_subject_alt_names"][0]
                   ["matcher"]["exact"]
                       .Scalar(),
            "spiffe://sallyport/xds");
  EXPECT_EQ(context["tls_certificates"][0]["private_key"]["filename"].Scalar(),
            "/etc/a.key");
}

TEST(Bootstrap, RefusesWhatWouldNotBeWhatItSays) {
  const auto error = [](BootstrapOptions options) {
    return std::string(MakeBootstrap(options).status().message());
  };
  BootstrapOptions options = Good();
  options.node = "a\nb";
  EXPECT_THAT(error(options), HasSubstr("NODE"));
  options = Good();
  options.ca = "/ca";
  EXPECT_THAT(error(options), HasSubstr("need each other"));
  for (const char* address :
       {"", "host", "host:", "host:65536", "::1:9", ":9"}) {
    options = Good();
    options.xds_address = address;
    EXPECT_THAT(error(options), HasSubstr("--xds-address")) << address;
  }
  options = Good();
  options.xds_address = "[::1]:9441";
  options.ca = options.node_certificate = options.node_key = "/x\n\"y: {";
  const auto text = MakeBootstrap(options);
  ASSERT_TRUE(text.ok()) << text.status();
  EXPECT_THAT(*text, Not(HasSubstr("\n\"y")));
  YAML::Load(*text);
}

}  // namespace
}  // namespace sallyport::cli::online
