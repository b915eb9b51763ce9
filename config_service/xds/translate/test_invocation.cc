// What a test invocation is: a route of an API on a filter chain of its own.

#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "config_service/xds/translate/chains.h"
#include "config_service/xds/translate/pack.h"
#include "config_service/xds/translate/routes.h"
#include "config_service/xds/translate/secrets.h"
#include "config_service/xds/translate/translate.h"
#include "envoy/config/core/v3/base.pb.h"
#include "envoy/config/route/v3/route.pb.h"
#include "proto/sallyport/filter/v1/config.pb.h"

namespace sallyport::xds {
namespace {

namespace v1 = ::sallyport::filter::v1;
using ::envoy::config::route::v3::RouteConfiguration;
using ::envoy::config::route::v3::VirtualHost;

// ".invalid" is nobody's (RFC 6761, 6.4).
constexpr char kDomainSuffix[] = ".test-invocations.sallyport.invalid";

// What Envoy says of itself in each header.
constexpr struct {
  absl::string_view header;
  absl::string_view command;
} kHeaders[] = {
    {kTestRouteHeader, "%ROUTE_NAME%"},
    {kTestDetailsHeader, "%RESPONSE_CODE_DETAILS%"},
    {kTestFlagsHeader, "%RESPONSE_FLAGS%"},
    {kTestBackendHeader, "%UPSTREAM_HOST%"},
    {kTestTlsVersionHeader, "%UPSTREAM_TLS_VERSION%"},
    {kTestTlsSubjectHeader, "%UPSTREAM_PEER_SUBJECT%"},
    {kTestTlsFailureHeader, "%UPSTREAM_TRANSPORT_FAILURE_REASON%"},
};

// On the answers of nodes and of backends alike. The value is never empty, so
// that a backend's own header of that name never stays.
void AddHeaders(RouteConfiguration& config) {
  for (const auto& one : kHeaders) {
    auto& option = *config.add_response_headers_to_add();
    option.mutable_header()->set_key(std::string(one.header));
    option.mutable_header()->set_value(
        absl::StrCat(std::string(1, kTestValuePrefix), one.command));
    option.set_append_action(
        envoy::config::core::v3::HeaderValueOption::OVERWRITE_IF_EXISTS_OR_ADD);
  }
}

}  // namespace

std::string TestInvocationDomain(absl::string_view id) {
  return absl::StrCat(id, kDomainSuffix);
}

TestInvocationOutput TranslateTestInvocation(const TestInvocationInput& input) {
  TestInvocationOutput output;
  output.domain = TestInvocationDomain(input.id);
  if (input.client_certificate_pem.empty()) {
    output.problems.push_back({"", "nobody would be kept out"});
  }
  const std::string scope = absl::StrCat("test-invocations/", input.id, "/");
  StageInput stage = input.stage;
  stage.scope = scope;

  RouteConfiguration config;
  config.set_name(DomainResource(output.domain));
  VirtualHost& host = *config.add_virtual_hosts();
  host.set_name(output.domain);
  host.add_domains("*");  // the module has compared the Host
  Clusters clusters;
  AddStageRoutes(stage, "", std::nullopt, host, clusters, output.problems);
  AddHeaders(config);
  Translated routes =
      MakeTranslated(ResourceType::kRouteConfiguration, config.name(), config);
  for (auto& [name, cluster] : clusters) {
    routes.references.push_back(cluster.key);
    output.resources.push_back(std::move(cluster));
  }

  const std::string server_certificate =
      absl::StrCat(scope, "server-certificate");
  output.resources.push_back(TranslateCertificate(
      server_certificate, input.server_certificate_pem, *input.server_key_pem));
  if (input.backend_key_pem != nullptr) {
    output.resources.push_back(TranslateCertificate(
        absl::StrCat(scope, ClientCertificateSecret(
                                input.stage.stage->client_certificate)),
        input.backend_chain_pem, *input.backend_key_pem));
  }
  if (!input.backend_truststore.empty()) {
    output.resources.push_back(TranslateTrustedCas(
        absl::StrCat(scope, BackendTrustSecret(input.backend_truststore)),
        input.backend_trust));
  }

  ChainSpec spec;
  spec.name = DomainResource(output.domain);
  spec.domain = output.domain;
  spec.certificate_secret = server_certificate;
  spec.security_policy = domain::SecurityPolicy::kTls13;
  spec.only_client_pem = input.client_certificate_pem;
  spec.filter.set_domain(spec.domain);
  spec.filter.set_client_certificate(v1::REQUIRED);
  spec.filter.set_rejection(v1::HANDSHAKE);
  spec.filter.set_strict_handshake(true);
  output.resources.push_back(TranslateChain(spec));
  output.resources.push_back(std::move(routes));
  output.carried.name = spec.name;
  output.carried.certificate_secret = server_certificate;
  return output;
}

}  // namespace sallyport::xds
