// Prints the resources of a sample fleet as JSON, one for a line:
// {"type": "Listener", "name": "https", "resource": {...}}. For the test that
// shows them to a real Envoy (tests/envoy/translate_test.py).
//
// Usage: sample BACKEND-PORT TRUSTSTORE.pem SERVER.pem SERVER-KEY.pem
//        ALLOWED-SHA256

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <iterator>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "config_service/xds/translate/translate.h"
#include "envoy/config/cluster/v3/cluster.pb.h"
#include "envoy/config/listener/v3/listener.pb.h"
#include "envoy/config/route/v3/route.pb.h"
#include "envoy/extensions/transport_sockets/tls/v3/secret.pb.h"
#include "google/protobuf/util/json_util.h"
#include "pki/x509/certificate.h"

namespace sallyport::xds {
namespace {

using domain::ApiName;
using domain::CertificateListName;
using domain::DomainNameName;
using domain::ServerCertificateName;
using domain::StageName;
using domain::TruststoreName;

std::string Read(const char* path) {
  std::ifstream in(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(in), {});
}

struct SampleApi {
  explicit SampleApi(const std::string& id) {
    api.name = ApiName(id);
    stage.name = StageName(api.name, "prod");
    deployment.name = domain::DeploymentName(api.name, "d1");
  }
  void Add(const std::string& method, const std::string& path,
           domain::Integration integration) {
    domain::Route route;
    route.name = domain::RouteName(api.name,
                                   absl::StrCat("r", deployment.routes.size()));
    route.method = method;
    route.path = path;
    route.integration = std::move(integration);
    deployment.routes.push_back(std::move(route));
  }
  StageInput input() const { return {&api, &stage, &deployment, nullptr}; }

  domain::Api api;
  domain::Stage stage;
  domain::Deployment deployment;
};

domain::ApiMapping Mapping(const std::string& domain, const std::string& id,
                           const std::string& base_path, const SampleApi& api) {
  domain::ApiMapping mapping;
  mapping.name = domain::ApiMappingName(DomainNameName(domain), id);
  mapping.base_path = base_path;
  mapping.stage = api.stage.name;
  return mapping;
}

domain::DomainName Domain(const std::string& name, bool mutual_tls) {
  domain::DomainName domain_name;
  domain_name.name = DomainNameName(name);
  domain_name.server_certificate = ServerCertificateName("web");
  if (mutual_tls) {
    domain_name.mutual_tls.emplace();
    domain_name.mutual_tls->truststores.push_back(
        {TruststoreName("partners"), {}, std::nullopt});
    domain::Forwarding::Xfcc xfcc;
    xfcc.subject = true;
    domain_name.forwarding.xfcc = xfcc;
  }
  return domain_name;
}

template <typename T>
std::string ToJson(const std::string& bytes) {
  T message;
  std::string json;
  if (!message.ParseFromString(bytes)) return "null";
  google::protobuf::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  const auto status =
      google::protobuf::util::MessageToJsonString(message, &json, options);
  return status.ok() ? json : "null";
}

void Print(const Translated& translated) {
  std::string json;
  switch (translated.key.type) {
    case ResourceType::kCluster:
      json = ToJson<envoy::config::cluster::v3::Cluster>(translated.message);
      break;
    case ResourceType::kSecret:
      json = ToJson<envoy::extensions::transport_sockets::tls::v3::Secret>(
          translated.message);
      break;
    case ResourceType::kFilterChain:
      json =
          ToJson<envoy::config::listener::v3::FilterChain>(translated.message);
      break;
    case ResourceType::kListener:
      json = ToJson<envoy::config::listener::v3::Listener>(translated.message);
      break;
    default:
      json = ToJson<envoy::config::route::v3::RouteConfiguration>(
          translated.message);
      break;
  }
  std::cout << "{\"type\": \"" << TypeName(translated.key.type)
            << "\", \"name\": \"" << translated.key.name
            << "\", \"resource\": " << json << "}\n";
}

int Main(int argc, char** argv) {
  if (argc != 6) {
    std::cerr << "usage: sample PORT TRUSTSTORE CERTIFICATE KEY SHA256\n";
    return 2;
  }
  const std::string port = argv[1];
  const auto pem = std::make_shared<const std::string>(Read(argv[2]));
  const std::string certificate = Read(argv[3]);
  const Secret key = Secret::CopyOf(Read(argv[4]));
  const auto proxy = [&](const std::string& path) {
    domain::HttpProxyIntegration integration;
    integration.uri = absl::StrCat("http://127.0.0.1:", port, path);
    return integration;
  };

  std::vector<Translated> all;
  const auto add = [&all](std::vector<Translated> more) {
    std::move(more.begin(), more.end(), std::back_inserter(all));
  };

  domain::Truststore truststore;
  truststore.name = TruststoreName("partners");
  truststore.active_version = 1;
  TruststoreContent content;
  content.version = 1;
  content.sha256 = pki::Sha256(*pem);
  content.pem = {pem};
  add(TranslateTruststore(truststore, {content}, {}));
  domain::CertificateListEntry allowed;
  allowed.sha256 = argv[5];
  all.push_back(
      TranslateCertificateList(CertificateListName("vip"), {allowed}));
  all.push_back(TranslateServerCertificate(ServerCertificateName("web"),
                                           certificate, key));
  all.push_back(TranslateCarrierCertificate(certificate, key));

  SampleApi customers("customers"), partners("partners"), later("later");
  customers.Add("GET", "/customer", proxy("/v1/customers"));
  customers.Add("GET", "/customer/{id}", proxy("/v1/customers/{id}"));
  customers.Add("GET", "/customer/me", proxy("/v1/self"));
  customers.Add("ANY", "/files/{proxy+}", proxy("/store/{proxy}"));
  domain::HttpIntegration mapped;
  mapped.uri =
      absl::StrCat("http://127.0.0.1:", port, "/orders/{order}/of/{who}");
  mapped.path_parameters = {{"order", "number"}, {"who", "id"}};
  customers.Add("GET", "/customer/{id}/order/{number}", mapped);
  domain::MockIntegration mock;
  mock.status = 202;
  mock.headers = {{"x-mock", "100%"}};
  mock.body = R"({"ok":true})";
  partners.Add("GET", "/", mock);
  partners.Add("POST", "/", proxy(""));

  domain::Fleet fleet;
  fleet.name = domain::DefaultFleet();
  fleet.listen_address = "127.0.0.1";
  fleet.default_endpoint_suffix = "apis.test";
  fleet.default_endpoint_certificate = ServerCertificateName("web");
  FleetInput fleet_input;
  fleet_input.fleet = &fleet;
  std::vector<Problem> problems;

  const auto publish = [&](const domain::DomainName& domain_name,
                           std::vector<MappingInput> mappings) {
    DomainInput input;
    input.domain_name = &domain_name;
    input.mappings = std::move(mappings);
    DomainOutput output = TranslateDomain(input);
    add(std::move(output.resources));
    problems.insert(problems.end(), output.problems.begin(),
                    output.problems.end());
    fleet_input.domains.push_back(domain_name.domain());
    fleet_input.carried.push_back(
        {absl::StrCat("domains/", domain_name.domain()),
         "server-certificates/web",
         domain_name.mutual_tls.has_value()
             ? absl::StrCat("bindings/", domain_name.domain())
             : ""});
  };
  const auto c360 = Mapping("api.example.com", "a", "c360", customers);
  const auto deeper = Mapping("api.example.com", "b", "c360/later", later);
  auto vip = Mapping("api.example.com", "c", "vip", partners);
  vip.allow_lists = {CertificateListName("vip")};
  StageInput nothing = later.input();
  nothing.deployment = nullptr;
  publish(Domain("api.example.com", true), {{&c360, customers.input()},
                                            {&deeper, nothing},
                                            {&vip, partners.input()}});
  const auto open = Mapping("open.example.com", "a", "", partners);
  publish(Domain("open.example.com", false), {{&open, partners.input()}});
  const auto wild = Mapping("*.wild.example.com", "a", "", customers);
  publish(Domain("*.wild.example.com", true), {{&wild, customers.input()}});

  partners.api.disable_default_endpoint = true;
  DefaultEndpointsInput endpoints;
  endpoints.fleet = &fleet;
  endpoints.apis = {{&customers.api, {customers.input()}},
                    {&partners.api, {partners.input()}}};
  DomainOutput output = TranslateDefaultEndpoints(endpoints);
  add(std::move(output.resources));
  fleet_input.default_endpoints = true;
  fleet_input.carried.push_back(
      {"certificate-lists/vip", "carrier", "certificate-lists/vip"});
  fleet_input.carried.push_back(
      {"truststores/partners", "carrier", "truststores/partners"});
  add(TranslateListeners(fleet_input));

  for (const Problem& problem : problems) {
    std::cerr << problem.resource << ": " << problem.message << "\n";
  }
  if (!problems.empty()) return 1;
  // Domains share clusters.
  std::set<ResourceKey> printed;
  for (const Translated& translated : all) {
    if (printed.insert(translated.key).second) Print(translated);
  }
  return 0;
}

}  // namespace
}  // namespace sallyport::xds

int main(int argc, char** argv) { return sallyport::xds::Main(argc, argv); }
