#include "config_service/xds/translate/clusters.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "base/text.h"
#include "config_service/xds/translate/pack.h"
#include "envoy/config/cluster/v3/cluster.pb.h"
#include "envoy/config/core/v3/base.pb.h"
#include "envoy/extensions/transport_sockets/tls/v3/tls.pb.h"
#include "pki/x509/certificate.h"

namespace sallyport::xds {
namespace {

using ::envoy::config::cluster::v3::Cluster;
using ::envoy::extensions::transport_sockets::tls::v3::CommonTlsContext;
using ::envoy::extensions::transport_sockets::tls::v3::TlsParameters;
using ::envoy::extensions::transport_sockets::tls::v3::UpstreamTlsContext;

constexpr absl::Duration kConnectTimeout = absl::Seconds(5);
// Hexadecimal digits that tell clusters of one host and port apart.
constexpr size_t kHashDigits = 12;

bool IsAddress(const std::string& host) {
  in6_addr address;
  return inet_pton(AF_INET, host.c_str(), &address) == 1 ||
         inet_pton(AF_INET6, host.c_str(), &address) == 1;
}

void SetTls(const domain::IntegrationUri& uri, const domain::BackendTls& tls,
            const domain::ClientCertificateName& client_certificate,
            absl::string_view scope, UpstreamTlsContext& out,
            std::vector<ResourceKey>& references) {
  const std::string host = uri.Host();
  const std::string& name = tls.server_name.empty() ? host : tls.server_name;
  const bool is_address = IsAddress(name);
  if (!is_address) out.set_sni(name);  // RFC 6066: no literal addresses
  CommonTlsContext& common = *out.mutable_common_tls_context();
  common.mutable_tls_params()->set_tls_minimum_protocol_version(
      TlsParameters::TLSv1_2);
  // Unset, Envoy speaks TLS 1.2 to backends at most.
  common.mutable_tls_params()->set_tls_maximum_protocol_version(
      TlsParameters::TLSv1_3);
  if (!client_certificate.empty()) {
    const std::string secret =
        absl::StrCat(scope, ClientCertificateSecret(client_certificate));
    *common.add_tls_certificate_sds_secret_configs() = SecretByName(secret);
    references.push_back({ResourceType::kSecret, secret});
  }
  if (tls.insecure_skip_verification) return;
  auto& combined = *common.mutable_combined_validation_context();
  auto& names = *combined.mutable_default_validation_context()
                     ->add_match_typed_subject_alt_names();
  names.set_san_type(is_address ? envoy::extensions::transport_sockets::tls::
                                      v3::SubjectAltNameMatcher::IP_ADDRESS
                                : envoy::extensions::transport_sockets::tls::
                                      v3::SubjectAltNameMatcher::DNS);
  names.mutable_matcher()->set_exact(name);
  if (tls.truststore.empty()) {
    combined.mutable_validation_context_sds_secret_config()->set_name(
        std::string(kSystemTrustSecret));
  } else {
    const std::string secret =
        absl::StrCat(scope, BackendTrustSecret(tls.truststore));
    *combined.mutable_validation_context_sds_secret_config() =
        SecretByName(secret);
    references.push_back({ResourceType::kSecret, secret});
  }
}

}  // namespace

Translated TranslateCluster(
    const domain::IntegrationUri& uri, const domain::BackendTls& tls,
    const domain::ClientCertificateName& client_certificate,
    absl::string_view scope) {
  const std::string host = uri.Host();
  const uint16_t port = uri.Port();
  Cluster cluster;
  std::vector<ResourceKey> references;
  *cluster.mutable_connect_timeout() = ToProto(kConnectTimeout);
  cluster.set_type(IsAddress(host) ? Cluster::STATIC : Cluster::STRICT_DNS);
  if (!IsAddress(host)) {
    cluster.set_dns_lookup_family(Cluster::V4_PREFERRED);
  }
  if (uri.tls) {
    UpstreamTlsContext context;
    SetTls(uri, tls, client_certificate, scope, context, references);
    cluster.mutable_transport_socket()->set_name("envoy.transport_sockets.tls");
    *cluster.mutable_transport_socket()->mutable_typed_config() = Pack(context);
  }
  auto& address = *cluster.mutable_load_assignment()
                       ->add_endpoints()
                       ->add_lb_endpoints()
                       ->mutable_endpoint()
                       ->mutable_address()
                       ->mutable_socket_address();
  address.set_address(host);
  address.set_port_value(port);
  // The name says what it is, and is as long as the content stays the same.
  const std::string hash =
      HexLower(pki::AsBytes(pki::Sha256(Serialize(cluster))))
          .substr(0, kHashDigits);
  const std::string name =
      absl::StrCat(scope, "backends/", host, ":", port, "/", hash);
  cluster.set_name(name);
  cluster.mutable_load_assignment()->set_cluster_name(name);
  Translated translated = MakeTranslated(ResourceType::kCluster, name, cluster);
  translated.references = std::move(references);
  return translated;
}

}  // namespace sallyport::xds
