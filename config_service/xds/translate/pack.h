// Building Envoy messages, deterministically.

#ifndef SALLYPORT_CONFIG_SERVICE_XDS_TRANSLATE_PACK_H_
#define SALLYPORT_CONFIG_SERVICE_XDS_TRANSLATE_PACK_H_

#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "config_service/xds/translate/names.h"
#include "config_service/xds/translate/translate.h"
#include "envoy/config/core/v3/config_source.pb.h"
#include "envoy/extensions/dynamic_modules/v3/dynamic_modules.pb.h"
#include "envoy/extensions/transport_sockets/tls/v3/secret.pb.h"
#include "google/protobuf/any.pb.h"
#include "google/protobuf/duration.pb.h"
#include "google/protobuf/message.h"
#include "proto/sallyport/filter/v1/config.pb.h"

namespace sallyport::xds {

// The module's validators and filters (filters/module).
inline constexpr char kValidator[] = "sallyport.truststore";
inline constexpr char kRegistryValidator[] = "sallyport.registry";
inline constexpr char kHttpFilter[] = "sallyport.mtls";

// The same bytes for equal messages: maps in the order of their keys.
std::string Serialize(const google::protobuf::Message& message);
google::protobuf::Any Pack(const google::protobuf::Message& message);
// What the module gets as bytes.
google::protobuf::Any PackForModule(const google::protobuf::Message& message);
google::protobuf::Duration ToProto(absl::Duration duration);

// The module, always loaded in the same way: another way would be a second copy
// with a registry of its own.
envoy::extensions::dynamic_modules::v3::DynamicModuleConfig Module();
envoy::config::core::v3::ConfigSource Ads();
envoy::extensions::transport_sockets::tls::v3::SdsSecretConfig SecretByName(
    absl::string_view name);

// The secret `name` with an entry of the registry.
Translated TranslateEntry(absl::string_view name,
                          const filter::v1::RegistryEntry& entry);

Translated MakeTranslated(ResourceType type, absl::string_view name,
                          const google::protobuf::Message& message);

}  // namespace sallyport::xds

#endif  // SALLYPORT_CONFIG_SERVICE_XDS_TRANSLATE_PACK_H_
