// Writes the resources of a fleet with so many domains, and changes of them, as
// files of records (records.h):
//
//   base           everything
//   route-I        another route configuration of domain I (I = 0, 1, ...)
//   truststore-I   another content of the shared truststore
//   add-I, remove-I  one more domain, and its end: the listener with its
//   matcher,
//                  a cluster, a chain, a secret and routes
//
// Sizes are those of real ones: a route configuration of three routes; a chain
// with a server certificate and key in it, a connection manager and a filter;
// a cluster with one endpoint; a secret of one CA; 1,000 CAs. Texts in the
// place of PEM are of its alphabet and length, and no certificates: servers
// look into none of it.
//
// Usage: make_resources FOLDER DOMAINS CHANGES

#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "bench/xds/records.h"
#include "envoy/config/cluster/v3/cluster.pb.h"
#include "envoy/config/listener/v3/listener.pb.h"
#include "envoy/config/listener/v3/listener_components.pb.h"
#include "envoy/config/route/v3/route.pb.h"
#include "envoy/extensions/filters/http/dynamic_modules/v3/dynamic_modules.pb.h"
#include "envoy/extensions/filters/http/router/v3/router.pb.h"
#include "envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.pb.h"
#include "envoy/extensions/transport_sockets/tls/v3/secret.pb.h"
#include "envoy/extensions/transport_sockets/tls/v3/tls.pb.h"
#include "google/protobuf/io/coded_stream.h"
#include "google/protobuf/io/zero_copy_stream_impl_lite.h"
#include "google/protobuf/wrappers.pb.h"

namespace sallyport::bench {
namespace {

namespace hcm =
    envoy::extensions::filters::network::http_connection_manager::v3;
namespace tls = envoy::extensions::transport_sockets::tls::v3;
using xds::ResourceType;

constexpr size_t kNumAuthorities = 1000;
// Of a certificate of one CA, of a server's with its chain, of a key.
constexpr size_t kAuthorityBytes = 665;
constexpr size_t kChainBytes = 800;
constexpr size_t kKeyBytes = 227;

// So many characters of base64 between PEM's lines, others for each seed.
std::string Pem(const std::string& label, size_t bytes, uint64_t seed) {
  static constexpr char kAlphabet[] =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string pem = absl::StrCat("-----BEGIN ", label, "-----\n");
  const std::string end = absl::StrCat("\n-----END ", label, "-----\n");
  uint64_t state = seed * 2654435761 + 1;
  for (size_t column = 0; pem.size() + end.size() < bytes; ++column) {
    if (column == 64) {
      pem.push_back('\n');
      column = 0;
    }
    state = state * 6364136223846793005 + 1442695040888963407;
    pem.push_back(kAlphabet[state >> 58]);
  }
  return pem + end;
}

std::string Bytes(const google::protobuf::Message& message) {
  std::string bytes;
  google::protobuf::io::StringOutputStream stream(&bytes);
  google::protobuf::io::CodedOutputStream out(&stream);
  out.SetSerializationDeterministic(true);
  message.SerializeToCodedStream(&out);
  out.Trim();
  return bytes;
}

// Of the same length for all, so that no size depends on the number.
std::string Domain(int i) { return absl::StrFormat("d%06d.example.com", i); }

Record Put(ResourceType type, std::string name,
           const google::protobuf::Message& message) {
  Record record;
  record.type = type;
  record.name = std::move(name);
  record.content = Bytes(message);
  return record;
}

Record Remove(ResourceType type, std::string name) {
  Record record;
  record.remove = true;
  record.type = type;
  record.name = std::move(name);
  return record;
}

std::string ChainName(int i) { return absl::StrCat("domains/", Domain(i)); }
std::string SecretName(int i) { return absl::StrCat("bindings/", Domain(i)); }
std::string ClusterName(int i) { return absl::StrCat("backends/", Domain(i)); }

Record Cluster(int i) {
  envoy::config::cluster::v3::Cluster cluster;
  cluster.set_name(ClusterName(i));
  cluster.set_type(envoy::config::cluster::v3::Cluster::STRICT_DNS);
  cluster.mutable_connect_timeout()->set_seconds(5);
  auto* load = cluster.mutable_load_assignment();
  load->set_cluster_name(ClusterName(i));
  auto* address = load->add_endpoints()
                      ->add_lb_endpoints()
                      ->mutable_endpoint()
                      ->mutable_address()
                      ->mutable_socket_address();
  address->set_address(absl::StrCat("backend.", Domain(i)));
  address->set_port_value(8443);
  return Put(ResourceType::kCluster, ClusterName(i), cluster);
}

Record Routes(int i, int content) {
  envoy::config::route::v3::RouteConfiguration routes;
  routes.set_name(ChainName(i));
  auto* host = routes.add_virtual_hosts();
  host->set_name(Domain(i));
  host->add_domains("*");
  for (const char* prefix : {"/orders/", "/customers/", "/"}) {
    auto* route = host->add_routes();
    route->set_name(absl::StrCat(prefix, "#", content));
    route->mutable_match()->set_prefix(prefix);
    route->mutable_route()->set_cluster(ClusterName(i));
    route->mutable_route()->set_prefix_rewrite("/");
    route->mutable_route()->mutable_timeout()->set_seconds(29);
  }
  return Put(ResourceType::kRouteConfiguration, ChainName(i), routes);
}

Record Secret(int i) {
  tls::Secret secret;
  secret.set_name(SecretName(i));
  secret.mutable_validation_context()->mutable_trusted_ca()->set_inline_string(
      Pem("CERTIFICATE", 600, 1000 + static_cast<uint64_t>(i)));
  return Put(ResourceType::kSecret, SecretName(i), secret);
}

Record Truststore(int content) {
  std::string pem;
  for (size_t i = 0; i < kNumAuthorities; ++i) {
    pem += Pem("CERTIFICATE", kAuthorityBytes,
               i * 7919 + static_cast<uint64_t>(content));
  }
  tls::Secret secret;
  secret.set_name("truststores/shared");
  secret.mutable_validation_context()->mutable_trusted_ca()->set_inline_string(
      pem);
  return Put(ResourceType::kSecret, "truststores/shared", secret);
}

Record Chain(int i) {
  envoy::config::listener::v3::FilterChain chain;
  chain.set_name(ChainName(i));
  tls::DownstreamTlsContext context;
  context.mutable_require_client_certificate()->set_value(true);
  auto* common = context.mutable_common_tls_context();
  auto* certificate = common->add_tls_certificates();
  certificate->mutable_certificate_chain()->set_inline_string(
      Pem("CERTIFICATE", kChainBytes, 500000 + static_cast<uint64_t>(i)));
  certificate->mutable_private_key()->set_inline_string(
      Pem("PRIVATE KEY", kKeyBytes, 700000 + static_cast<uint64_t>(i)));
  common->add_alpn_protocols("h2");
  common->add_alpn_protocols("http/1.1");
  auto* sds = common->mutable_validation_context_sds_secret_config();
  sds->set_name(SecretName(i));
  sds->mutable_sds_config()->mutable_ads();
  chain.mutable_transport_socket()->set_name("envoy.transport_sockets.tls");
  chain.mutable_transport_socket()->mutable_typed_config()->PackFrom(context);

  hcm::HttpConnectionManager manager;
  manager.set_stat_prefix(Domain(i));
  manager.mutable_rds()->set_route_config_name(ChainName(i));
  manager.mutable_rds()->mutable_config_source()->mutable_ads();
  manager.set_forward_client_cert_details(
      hcm::HttpConnectionManager::SANITIZE_SET);
  auto* filter = manager.add_http_filters();
  filter->set_name("sallyport.mtls");
  envoy::extensions::filters::http::dynamic_modules::v3::DynamicModuleFilter
      module;
  module.mutable_dynamic_module_config()->set_name("sallyport");
  module.mutable_dynamic_module_config()->set_do_not_close(true);
  module.set_filter_name("sallyport.mtls");
  google::protobuf::StringValue config;
  config.set_value(absl::StrCat("{\"domain\":\"", Domain(i), "\"}"));
  module.mutable_filter_config()->PackFrom(config);
  filter->mutable_typed_config()->PackFrom(module);
  auto* router = manager.add_http_filters();
  router->set_name("router");
  router->mutable_typed_config()->PackFrom(
      envoy::extensions::filters::http::router::v3::Router());
  auto* network = chain.add_filters();
  network->set_name("http");
  network->mutable_typed_config()->PackFrom(manager);
  return Put(ResourceType::kFilterChain, ChainName(i), chain);
}

Record Listener(int domains) {
  envoy::config::listener::v3::Listener listener;
  listener.set_name("https");
  auto* address = listener.mutable_address()->mutable_socket_address();
  address->set_address("0.0.0.0");
  address->set_port_value(8443);
  listener.add_filter_chains()->set_name("none");
  listener.mutable_fcds_config()->mutable_config_source()->mutable_ads();
  auto* map = listener.mutable_filter_chain_matcher()
                  ->mutable_matcher_tree()
                  ->mutable_exact_match_map()
                  ->mutable_map();
  for (int i = 0; i < domains; ++i) {
    google::protobuf::StringValue name;
    name.set_value(ChainName(i));
    auto* action = (*map)[Domain(i)].mutable_action();
    action->set_name("chain");
    action->mutable_typed_config()->PackFrom(name);
  }
  return Put(ResourceType::kListener, "https", listener);
}

int Main(int argc, char** argv) {
  if (argc != 4) {
    std::cerr << "usage: make_resources FOLDER DOMAINS CHANGES\n";
    return 2;
  }
  const std::string folder = absl::StrCat(argv[1], "/");
  const int domains = std::atoi(argv[2]);
  const int changes = std::atoi(argv[3]);
  if (domains < 1 || changes < 1 || changes > domains) {
    std::cerr << "make_resources: DOMAINS >= CHANGES >= 1\n";
    return 2;
  }

  std::vector<Record> base;
  for (int i = 0; i < domains; ++i) {
    base.push_back(Cluster(i));
    base.push_back(Chain(i));
    base.push_back(Secret(i));
    base.push_back(Routes(i, 0));
  }
  base.push_back(Truststore(0));
  const Record listener = Listener(domains);
  base.push_back(listener);
  WriteRecords(folder + "base", base);

  const int more = domains;
  for (int i = 0; i < changes; ++i) {
    WriteRecords(absl::StrCat(folder, "route-", i), {Routes(i, i + 1)});
    WriteRecords(absl::StrCat(folder, "truststore-", i), {Truststore(i + 1)});
    WriteRecords(absl::StrCat(folder, "add-", i),
                 {Cluster(more), Chain(more), Secret(more), Routes(more, i),
                  Listener(domains + 1)});
    WriteRecords(absl::StrCat(folder, "remove-", i),
                 {listener, Remove(ResourceType::kCluster, ClusterName(more)),
                  Remove(ResourceType::kFilterChain, ChainName(more)),
                  Remove(ResourceType::kSecret, SecretName(more)),
                  Remove(ResourceType::kRouteConfiguration, ChainName(more))});
  }
  size_t bytes = 0;
  for (const Record& record : base) bytes += record.content.size();
  std::cout << "{\"resources\": " << base.size() << ", \"bytes\": " << bytes
            << ", \"listener_bytes\": " << listener.content.size()
            << ", \"chain_bytes\": " << base[1].content.size()
            << ", \"secret_bytes\": " << base[2].content.size()
            << ", \"routes_bytes\": " << base[3].content.size()
            << ", \"cluster_bytes\": " << base[0].content.size() << "}\n";
  return 0;
}

}  // namespace
}  // namespace sallyport::bench

int main(int argc, char** argv) { return sallyport::bench::Main(argc, argv); }
