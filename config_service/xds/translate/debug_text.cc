#include <memory>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "config_service/xds/translate/pack.h"
#include "config_service/xds/translate/translate.h"
#include "envoy/config/cluster/v3/cluster.pb.h"
#include "envoy/config/listener/v3/listener.pb.h"
#include "envoy/config/route/v3/route.pb.h"
#include "envoy/extensions/transport_sockets/tls/v3/secret.pb.h"
#include "envoy/service/runtime/v3/rtds.pb.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/text_format.h"
#include "google/protobuf/wrappers.pb.h"
#include "proto/sallyport/filter/v1/config.pb.h"

namespace sallyport::xds {
namespace {

using ::google::protobuf::Any;
using ::google::protobuf::FieldDescriptor;
using ::google::protobuf::Message;

std::unique_ptr<Message> NewMessage(ResourceType type) {
  switch (type) {
    case ResourceType::kCluster:
      return std::make_unique<envoy::config::cluster::v3::Cluster>();
    case ResourceType::kSecret:
      return std::make_unique<
          envoy::extensions::transport_sockets::tls::v3::Secret>();
    case ResourceType::kFilterChain:
      return std::make_unique<envoy::config::listener::v3::FilterChain>();
    case ResourceType::kListener:
      return std::make_unique<envoy::config::listener::v3::Listener>();
    case ResourceType::kRuntime:
      return std::make_unique<envoy::service::runtime::v3::Runtime>();
    case ResourceType::kRouteConfiguration:
      return std::make_unique<envoy::config::route::v3::RouteConfiguration>();
    default:
      return nullptr;
  }
}

// The module's message that the validator or filter `name` takes in a message
// of Envoy's type `type`; null: none of ours.
std::unique_ptr<Message> ModuleMessage(absl::string_view type,
                                       absl::string_view name) {
  if (absl::EndsWith(type, "PerRoute")) {
    return std::make_unique<filter::v1::MutualTlsRoute>();
  }
  if (name == kValidator) {
    return std::make_unique<filter::v1::TruststoreValidator>();
  }
  if (name == kRegistryValidator) {
    return std::make_unique<filter::v1::RegistryEntry>();
  }
  if (name == kHttpFilter) return std::make_unique<filter::v1::MutualTls>();
  return nullptr;
}

// Opens the BytesValue that the module gets in `message`, a
// DynamicModule... configuration.
void OpenModuleConfig(Message& message) {
  const auto& reflection = *message.GetReflection();
  const auto* const descriptor = message.GetDescriptor();
  for (const char* field : {"validator_name", "filter_name"}) {
    const FieldDescriptor* const name = descriptor->FindFieldByName(field);
    if (name == nullptr) continue;
    const FieldDescriptor* config =
        descriptor->FindFieldByName("validator_config");
    if (config == nullptr)
      config = descriptor->FindFieldByName("filter_config");
    auto ours = ModuleMessage(descriptor->full_name(),
                              reflection.GetString(message, name));
    if (config == nullptr || ours == nullptr) return;
    auto& any =
        dynamic_cast<Any&>(*reflection.MutableMessage(&message, config));
    google::protobuf::BytesValue bytes;
    if (any.UnpackTo(&bytes) && ours->ParseFromString(bytes.value())) {
      any.PackFrom(*ours);
    }
  }
}

constexpr char kLeftOut[] = "(left out)";

// NOLINTNEXTLINE(misc-no-recursion): as deep as the message.
void Prepare(Message& message) {
  if (message.GetDescriptor()->full_name() == "google.protobuf.Any") {
    Any& any = dynamic_cast<Any&>(message);
    const std::string type =
        any.type_url().substr(any.type_url().rfind('/') + 1);
    const auto* const descriptor =
        google::protobuf::DescriptorPool::generated_pool()
            ->FindMessageTypeByName(type);
    if (descriptor == nullptr) return;
    std::unique_ptr<Message> inner(
        google::protobuf::MessageFactory::generated_factory()
            ->GetPrototype(descriptor)
            ->New());
    if (!inner->ParseFromString(any.value())) return;
    Prepare(*inner);
    any = Pack(*inner);
    return;
  }
  const auto& reflection = *message.GetReflection();
  if (absl::StrContains(message.GetDescriptor()->full_name(),
                        "TlsCertificate")) {
    const FieldDescriptor* const key =
        message.GetDescriptor()->FindFieldByName("private_key");
    if (key != nullptr && reflection.HasField(message, key)) {
      auto& source = dynamic_cast<envoy::config::core::v3::DataSource&>(
          *reflection.MutableMessage(&message, key));
      source.set_inline_string(kLeftOut);
    }
  }
  OpenModuleConfig(message);
  std::vector<const FieldDescriptor*> fields;
  reflection.ListFields(message, &fields);
  for (const FieldDescriptor* field : fields) {
    if (field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) continue;
    if (!field->is_repeated()) {
      Prepare(*reflection.MutableMessage(&message, field));
      continue;
    }
    for (int i = 0; i < reflection.FieldSize(message, field); ++i) {
      Prepare(*reflection.MutableRepeatedMessage(&message, field, i));
    }
  }
}

}  // namespace

std::string DebugText(const Translated& translated) {
  std::string text = absl::StrCat("# ", TypeName(translated.key.type), " ",
                                  translated.key.name, "\n");
  for (const ResourceKey& key : translated.references) {
    absl::StrAppend(&text, "# needs ", TypeName(key.type), " ", key.name, "\n");
  }
  const auto message = NewMessage(translated.key.type);
  if (message == nullptr || !message->ParseFromString(translated.message)) {
    return absl::StrCat(text, "# cannot be read\n");
  }
  Prepare(*message);
  google::protobuf::TextFormat::Printer printer;
  printer.SetExpandAny(true);
  printer.SetUseShortRepeatedPrimitives(true);
  printer.SetUseUtf8StringEscaping(true);
  std::string body;
  printer.PrintToString(*message, &body);
  return text + body;
}

}  // namespace sallyport::xds
