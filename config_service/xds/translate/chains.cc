#include "config_service/xds/translate/chains.h"

#include <utility>

#include "config_service/filter_messages/to_filter.h"
#include "config_service/xds/translate/access_log.h"
#include "config_service/xds/translate/pack.h"
#include "envoy/config/core/v3/protocol.pb.h"
#include "envoy/config/listener/v3/listener_components.pb.h"
#include "envoy/extensions/filters/http/dynamic_modules/v3/dynamic_modules.pb.h"
#include "envoy/extensions/filters/http/router/v3/router.pb.h"
#include "envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.pb.h"
#include "envoy/extensions/http/early_header_mutation/header_mutation/v3/header_mutation.pb.h"
#include "envoy/extensions/transport_sockets/tls/cert_validator/dynamic_modules/v3/dynamic_modules.pb.h"
#include "envoy/extensions/transport_sockets/tls/v3/tls.pb.h"

namespace sallyport::xds {
namespace {

namespace v1 = ::sallyport::filter::v1;
using ::envoy::config::listener::v3::FilterChain;
using ::envoy::extensions::filters::network::http_connection_manager::v3::
    HttpConnectionManager;
using ::envoy::extensions::transport_sockets::tls::cert_validator::
    dynamic_modules::v3::DynamicModuleCertValidatorConfig;
using ::envoy::extensions::transport_sockets::tls::v3::DownstreamTlsContext;
using ::envoy::extensions::transport_sockets::tls::v3::TlsParameters;
using filter_messages::ToFilter;

constexpr absl::Duration kHandshakeTimeout = absl::Seconds(10);
constexpr absl::Duration kHeadersTimeout = absl::Seconds(60);
constexpr uint32_t kMaxHttp2Streams = 100;
constexpr uint32_t kHttp2StreamWindow = 64 << 10;
constexpr uint32_t kHttp2ConnectionWindow = 1 << 20;
constexpr char kOnlyClientTruststore[] = "only-client";

void SetTls(const ChainSpec& spec, DownstreamTlsContext& tls) {
  auto& common = *tls.mutable_common_tls_context();
  common.add_alpn_protocols("h2");
  common.add_alpn_protocols("http/1.1");
  switch (spec.security_policy) {
    case domain::SecurityPolicy::kTls10:
      common.mutable_tls_params()->set_tls_minimum_protocol_version(
          TlsParameters::TLSv1_0);
      break;
    case domain::SecurityPolicy::kTls12:
      common.mutable_tls_params()->set_tls_minimum_protocol_version(
          TlsParameters::TLSv1_2);
      break;
    case domain::SecurityPolicy::kTls13:
      common.mutable_tls_params()->set_tls_minimum_protocol_version(
          TlsParameters::TLSv1_3);
      break;
  }
  common.mutable_tls_params()->set_tls_maximum_protocol_version(
      TlsParameters::TLSv1_3);
  *common.add_tls_certificate_sds_secret_configs() =
      SecretByName(spec.certificate_secret);
  const bool one_client = !spec.only_client_pem.empty();
  tls.mutable_require_client_certificate()->set_value(
      spec.require_certificate || one_client);
  if (spec.mutual_tls == nullptr && !one_client) return;
  // Envoy would keep the sessions of clients that take no tickets, with all
  // that they sent: memory that a stranger fills.
  tls.set_disable_stateful_session_resumption(true);
  if (one_client || spec.mutual_tls->strict_handshake) {
    tls.set_disable_stateless_session_resumption(true);
  }
  v1::TruststoreValidator validator;
  validator.set_domain(spec.domain);
  if (one_client) {
    v1::Truststore& truststore = *validator.add_truststores();
    truststore.set_name(kOnlyClientTruststore);
    truststore.set_inline_pem(spec.only_client_pem);
    validator.set_rejection(v1::HANDSHAKE);
  } else {
    // Never anything that changes with the trust: the chain would be replaced.
    validator.set_from_registry(true);
    validator.set_rejection(ToFilter(spec.mutual_tls->rejection));
  }
  DynamicModuleCertValidatorConfig config;
  *config.mutable_dynamic_module_config() = Module();
  config.set_validator_name(kValidator);
  *config.mutable_validator_config() = PackForModule(validator);
  auto& custom =
      *common.mutable_validation_context()->mutable_custom_validator_config();
  custom.set_name("envoy.tls.cert_validator.dynamic_modules");
  *custom.mutable_typed_config() = Pack(config);
}

using EarlyHeaderMutation = ::envoy::extensions::http::early_header_mutation::
    header_mutation::v3::HeaderMutation;

// Keeps what a proxy says of its own client (Forwarding.trusted_proxy) before
// Envoy writes its own x-forwarded-client-cert, under a name that no client can
// use. On every domain with mutual TLS: the routes, which can ask for it, come
// on their own, and must never meet a chain without it.
void KeepInboundXfcc(EarlyHeaderMutation& early) {
  constexpr char kInbound[] = "x-sallyport-inbound-xfcc";
  early.add_mutations()->set_remove(kInbound);
  auto& append = *early.add_mutations()->mutable_append();
  append.mutable_header()->set_key(kInbound);
  append.mutable_header()->set_value("%REQ(x-forwarded-client-cert)%");
  append.set_append_action(
      envoy::config::core::v3::HeaderValueOption::OVERWRITE_IF_EXISTS_OR_ADD);
}

void MutateEarly(const ChainSpec& spec, HttpConnectionManager& http) {
  EarlyHeaderMutation early;
  // Envoy keeps it of clients with private addresses, and the access log would
  // have the path that they say.
  early.add_mutations()->set_remove("x-envoy-original-path");
  if (spec.mutual_tls != nullptr) KeepInboundXfcc(early);
  auto& extension = *http.add_early_header_mutation_extensions();
  extension.set_name("envoy.http.early_header_mutation.header_mutation");
  *extension.mutable_typed_config() = Pack(early);
}

void SetConnectionManager(const ChainSpec& spec, HttpConnectionManager& http) {
  http.set_stat_prefix("https");
  http.mutable_rds()->set_route_config_name(spec.name);
  *http.mutable_rds()->mutable_config_source() = Ads();
  // Where the chain of a resumed connection comes from; the module replaces
  // it.
  http.set_forward_client_cert_details(HttpConnectionManager::SANITIZE_SET);
  auto& details = *http.mutable_set_current_client_cert_details();
  details.mutable_subject()->set_value(true);
  details.set_cert(true);
  details.set_chain(true);
  details.set_dns(true);
  details.set_uri(true);
  MutateEarly(spec, http);
  http.mutable_use_remote_address()->set_value(true);
  // A path that has other rules must not be written in a way that another
  // mapping's route takes.
  http.mutable_normalize_path()->set_value(true);
  http.set_merge_slashes(true);
  http.set_path_with_escaped_slashes_action(
      HttpConnectionManager::REJECT_REQUEST);
  *http.mutable_request_headers_timeout() = ToProto(kHeadersTimeout);
  auto& http2 = *http.mutable_http2_protocol_options();
  http2.mutable_max_concurrent_streams()->set_value(kMaxHttp2Streams);
  http2.mutable_initial_stream_window_size()->set_value(kHttp2StreamWindow);
  http2.mutable_initial_connection_window_size()->set_value(
      kHttp2ConnectionWindow);

  envoy::extensions::filters::http::dynamic_modules::v3::DynamicModuleFilter
      module;
  *module.mutable_dynamic_module_config() = Module();
  module.set_filter_name(kHttpFilter);
  *module.mutable_filter_config() = PackForModule(spec.filter);
  auto& mtls = *http.add_http_filters();
  mtls.set_name(kHttpFilter);
  *mtls.mutable_typed_config() = Pack(module);
  *http.add_access_log() = RequestLog();
  auto& router = *http.add_http_filters();
  router.set_name("envoy.filters.http.router");
  *router.mutable_typed_config() =
      Pack(envoy::extensions::filters::http::router::v3::Router());
}

}  // namespace

Translated TranslateChain(const ChainSpec& spec) {
  FilterChain chain;
  chain.set_name(spec.name);
  DownstreamTlsContext tls;
  SetTls(spec, tls);
  chain.mutable_transport_socket()->set_name("envoy.transport_sockets.tls");
  *chain.mutable_transport_socket()->mutable_typed_config() = Pack(tls);
  *chain.mutable_transport_socket_connect_timeout() =
      ToProto(kHandshakeTimeout);
  HttpConnectionManager http;
  SetConnectionManager(spec, http);
  auto& filter = *chain.add_filters();
  filter.set_name("envoy.filters.network.http_connection_manager");
  *filter.mutable_typed_config() = Pack(http);
  Translated translated =
      MakeTranslated(ResourceType::kFilterChain, spec.name, chain);
  translated.references = {
      {ResourceType::kSecret, spec.certificate_secret},
      {ResourceType::kRouteConfiguration, spec.name},
  };
  if (spec.mutual_tls != nullptr) {
    translated.references.push_back(
        {ResourceType::kSecret, BindingSecret(spec.domain)});
  }
  return translated;
}

}  // namespace sallyport::xds
