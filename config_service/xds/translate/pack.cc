#include "config_service/xds/translate/pack.h"

#include "absl/strings/str_cat.h"
#include "google/protobuf/io/coded_stream.h"
#include "google/protobuf/io/zero_copy_stream_impl_lite.h"
#include "google/protobuf/wrappers.pb.h"

namespace sallyport::xds {

std::string Serialize(const google::protobuf::Message& message) {
  std::string bytes;
  {
    google::protobuf::io::StringOutputStream stream(&bytes);
    google::protobuf::io::CodedOutputStream out(&stream);
    out.SetSerializationDeterministic(true);
    message.SerializeToCodedStream(&out);
  }
  return bytes;
}

google::protobuf::Any Pack(const google::protobuf::Message& message) {
  google::protobuf::Any any;
  any.set_type_url(absl::StrCat("type.googleapis.com/",
                                message.GetDescriptor()->full_name()));
  any.set_value(Serialize(message));
  return any;
}

google::protobuf::Any PackForModule(const google::protobuf::Message& message) {
  google::protobuf::BytesValue bytes;
  bytes.set_value(Serialize(message));
  return Pack(bytes);
}

google::protobuf::Duration ToProto(absl::Duration duration) {
  google::protobuf::Duration proto;
  const int64_t seconds =
      absl::IDivDuration(duration, absl::Seconds(1), &duration);
  proto.set_seconds(seconds);
  proto.set_nanos(static_cast<int32_t>(duration / absl::Nanoseconds(1)));
  return proto;
}

envoy::extensions::dynamic_modules::v3::DynamicModuleConfig Module() {
  envoy::extensions::dynamic_modules::v3::DynamicModuleConfig module;
  module.set_name("sallyport");
  module.set_do_not_close(true);
  module.set_metrics_namespace("sallyport");
  return module;
}

envoy::config::core::v3::ConfigSource Ads() {
  envoy::config::core::v3::ConfigSource source;
  source.mutable_ads();
  source.set_resource_api_version(envoy::config::core::v3::V3);
  return source;
}

envoy::extensions::transport_sockets::tls::v3::SdsSecretConfig SecretByName(
    absl::string_view name) {
  envoy::extensions::transport_sockets::tls::v3::SdsSecretConfig secret;
  secret.set_name(std::string(name));
  *secret.mutable_sds_config() = Ads();
  return secret;
}

std::string ServerCertificateSecret(const domain::ServerCertificateName& name) {
  return absl::StrCat("server-certificates/", name.id());
}
std::string ServerCertificateSecret(
    const domain::ServerCertificateVersionName& name) {
  return absl::StrCat(ServerCertificateSecret(name.parent()), "/versions/",
                      name.number());
}
std::string ClientCertificateSecret(const domain::ClientCertificateName& name) {
  return absl::StrCat("client-certificates/", name.id());
}
std::string BackendTrustSecret(const domain::TruststoreName& name) {
  return absl::StrCat("backend-trust/", name.id());
}
std::string TruststoreSecret(const domain::TruststoreName& name) {
  return absl::StrCat("truststores/", name.id());
}
std::string TruststoreSecret(const domain::TruststoreVersionName& name) {
  return name.ToString();
}
std::string RevocationListSecret(const domain::RevocationListName& name) {
  return absl::StrCat("revocation-lists/", name.id());
}
std::string CertificateListSecret(const domain::CertificateListName& name) {
  return absl::StrCat("certificate-lists/", name.id());
}
std::string BindingSecret(absl::string_view domain) {
  return absl::StrCat("bindings/", domain);
}
std::string DomainResource(absl::string_view domain) {
  return absl::StrCat("domains/", domain);
}

Translated MakeTranslated(ResourceType type, absl::string_view name,
                          const google::protobuf::Message& message) {
  return Translated{
      ResourceKey{type, std::string(name)}, Serialize(message), {}};
}

}  // namespace sallyport::xds
