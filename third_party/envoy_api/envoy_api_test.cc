// What this project relies on in the API that was read out of Envoy: above all
// the numbers of new fields, which other editions of the API lack.

#include <string>

#include "envoy/config/cluster/v3/cluster.pb.h"
#include "envoy/config/listener/v3/listener.pb.h"
#include "envoy/extensions/dynamic_modules/v3/dynamic_modules.pb.h"
#include "envoy/extensions/filters/http/dynamic_modules/v3/dynamic_modules.pb.h"
#include "envoy/extensions/filters/network/dynamic_modules/v3/dynamic_modules.pb.h"
#include "envoy/extensions/transport_sockets/tls/cert_validator/dynamic_modules/v3/dynamic_modules.pb.h"
#include "envoy/service/status/v3/csds.pb.h"
#include "google/protobuf/any.pb.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/descriptor.pb.h"
#include "google/protobuf/unknown_field_set.h"
#include "gtest/gtest.h"
#include "xds/type/matcher/v3/domain.pb.h"

namespace {

using ::envoy::config::listener::v3::Listener;
using ::envoy::extensions::transport_sockets::tls::cert_validator::
    dynamic_modules::v3::DynamicModuleCertValidatorConfig;
using ::google::protobuf::Descriptor;
using ::google::protobuf::FieldDescriptor;

// "number type" of a field, or "none".
std::string Field(const Descriptor* message, const std::string& name) {
  const FieldDescriptor* field = message->FindFieldByName(name);
  if (field == nullptr) {
    return "none";
  }
  return std::to_string(field->number()) + " " +
         (field->message_type() != nullptr
              ? std::string(field->message_type()->full_name())
              : std::string(field->type_name()));
}

TEST(EnvoyApi, AListenerCanTakeItsFilterChainsFromDiscovery) {
  EXPECT_EQ(Field(Listener::descriptor(), "fcds_config"),
            "36 envoy.config.listener.v3.Listener.FcdsConfig");
  EXPECT_EQ(Field(Listener::FcdsConfig::descriptor(), "config_source"),
            "2 envoy.config.core.v3.ConfigSource");
}

TEST(EnvoyApi, AValidatorCanBeADynamicModule) {
  const Descriptor* validator = DynamicModuleCertValidatorConfig::descriptor();
  EXPECT_EQ(Field(validator, "dynamic_module_config"),
            "1 envoy.extensions.dynamic_modules.v3.DynamicModuleConfig");
  EXPECT_EQ(Field(validator, "validator_name"), "2 string");
  EXPECT_EQ(Field(validator, "validator_config"), "3 google.protobuf.Any");
  EXPECT_EQ(Field(envoy::extensions::dynamic_modules::v3::DynamicModuleConfig::
                      descriptor(),
                  "do_not_close"),
            "3 bool");
}

TEST(EnvoyApi, FiltersCanBeDynamicModules) {
  EXPECT_EQ(Field(envoy::extensions::filters::http::dynamic_modules::v3::
                      DynamicModuleFilter::descriptor(),
                  "filter_config"),
            "3 google.protobuf.Any");
  EXPECT_EQ(Field(envoy::extensions::filters::network::dynamic_modules::v3::
                      DynamicModuleNetworkFilter::descriptor(),
                  "filter_config"),
            "3 google.protobuf.Any");
}

TEST(EnvoyApi, MessagesHaveTheirPlaceInAny) {
  google::protobuf::Any any;
  ASSERT_TRUE(any.PackFrom(DynamicModuleCertValidatorConfig()));
  EXPECT_EQ(any.type_url(),
            "type.googleapis.com/"
            "envoy.extensions.transport_sockets.tls.cert_validator."
            "dynamic_modules.v3.DynamicModuleCertValidatorConfig");
  ASSERT_TRUE(any.PackFrom(xds::type::matcher::v3::ServerNameMatcher()));
  EXPECT_EQ(any.type_url(),
            "type.googleapis.com/xds.type.matcher.v3.ServerNameMatcher");
}

TEST(EnvoyApi, StatusIsCompatibleOnTheWire) {
  const Descriptor* config =
      envoy::service::status::v3::ClientConfig::descriptor();
  EXPECT_EQ(Field(config, "generic_xds_configs"),
            "3 envoy.service.status.v3.ClientConfig.GenericXdsConfig");
  EXPECT_EQ(config->file()->service(0)->full_name(),
            "envoy.service.status.v3.ClientStatusDiscoveryService");
}

TEST(EnvoyApi, CustomOptionsAreLeftOutAndStandardOnesKept) {
  const FieldDescriptor* field =
      envoy::config::cluster::v3::Cluster::descriptor()->FindFieldByName(
          "http2_protocol_options");
  ASSERT_NE(field, nullptr);
  EXPECT_TRUE(field->options().deprecated());
  const auto& options = field->options();
  EXPECT_EQ(options.GetReflection()->GetUnknownFields(options).field_count(),
            0);
}

}  // namespace
