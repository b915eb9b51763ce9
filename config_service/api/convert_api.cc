#include "config_service/api/convert_api.h"

#include <string>
#include <utility>
#include <variant>

#include "config_service/api/convert.h"
#include "config_service/api/convert_domain_name.h"

namespace sallyport::api {

namespace proto = sallyport::config::v1;

namespace {

// What messages without a description and labels have.
template <typename T, typename Message>
void ConvertTimes(const T& from, Message& to) {
  to.set_name(from.name.ToString());
  to.set_etag(from.metadata.etag.text());
  to.set_revision(from.metadata.revision);
  SetTime(from.metadata.create_time, [&] { return to.mutable_create_time(); });
}

template <typename View, typename Message>
void ConvertWarnings(const View& from, Message& to) {
  for (const domain::Warning& warning : from.warnings) {
    Convert(warning, *to.add_warnings());
  }
}

template <typename T, typename Message>
void ConvertConditions(const T& from, Message& to) {
  for (const domain::Condition& condition : from.conditions) {
    Convert(condition, *to.add_conditions());
  }
}

domain::BackendTls ConvertTls(absl::string_view field,
                              const proto::BackendTls& from,
                              domain::Violations& violations) {
  domain::BackendTls to;
  to.truststore = ParseNameIfAny<domain::TruststoreName>(
      domain::Field(field, "truststore"), from.truststore(), violations);
  to.server_name = from.server_name();
  to.insecure_skip_verification = from.insecure_skip_verification();
  return to;
}

void ConvertTls(const domain::BackendTls& from, proto::BackendTls& to) {
  to.set_truststore(from.truststore.ToString());
  to.set_server_name(from.server_name);
  to.set_insecure_skip_verification(from.insecure_skip_verification);
}

bool IsSet(const domain::BackendTls& tls) {
  return !tls.truststore.empty() || !tls.server_name.empty() ||
         tls.insecure_skip_verification;
}

struct WriteIntegration {
  proto::Route& out;

  void operator()(std::monostate) const {}
  void operator()(const domain::HttpProxyIntegration& from) const {
    proto::HttpProxyIntegration& to = *out.mutable_http_proxy();
    to.set_uri(from.uri);
    Convert(from.timeout, *to.mutable_timeout());
    if (IsSet(from.tls)) ConvertTls(from.tls, *to.mutable_tls());
  }
  void operator()(const domain::HttpIntegration& from) const {
    proto::HttpIntegration& to = *out.mutable_http();
    to.set_uri(from.uri);
    to.set_method(from.method);
    for (const auto& [name, parameter] : from.path_parameters) {
      (*to.mutable_path_parameters())[name] = parameter;
    }
    Convert(from.timeout, *to.mutable_timeout());
    if (IsSet(from.tls)) ConvertTls(from.tls, *to.mutable_tls());
  }
  void operator()(const domain::MockIntegration& from) const {
    proto::MockIntegration& to = *out.mutable_mock();
    to.set_status(from.status);
    for (const auto& [name, value] : from.headers) {
      (*to.mutable_headers())[name] = value;
    }
    to.set_body(from.body);
  }
};

}  // namespace

domain::Api Convert(const proto::Api& from, domain::Violations& violations) {
  domain::Api to;
  ConvertMetadata(from, to, violations);
  to.display_name = from.display_name();
  to.endpoint_type = Convert("endpoint_type", from.endpoint_type(), violations);
  to.disable_default_endpoint = from.disable_default_endpoint();
  return to;
}

void Convert(const domain::Api& from, proto::Api& to) {
  ConvertMetadata(from, to);
  to.set_display_name(from.display_name);
  to.set_endpoint_type(Convert(from.endpoint_type));
  to.set_disable_default_endpoint(from.disable_default_endpoint);
}

void Convert(const service::ApiView& from, proto::Api& to) {
  Convert(from.api, to);
  to.set_default_endpoint(from.default_endpoint);
  ConvertWarnings(from, to);
  ConvertConditions(from.api, to);
}

domain::Route Convert(const proto::Route& from,
                      domain::Violations& violations) {
  domain::Route to;
  to.name = ParseNameIfAny<domain::RouteName>("name", from.name(), violations);
  to.metadata.etag = domain::Etag(from.etag());
  to.method = from.method();
  to.path = from.path();
  switch (from.integration_case()) {
    case proto::Route::kHttpProxy: {
      domain::HttpProxyIntegration proxy;
      proxy.uri = from.http_proxy().uri();
      if (from.http_proxy().has_timeout()) {
        proxy.timeout = Convert(from.http_proxy().timeout());
      }
      proxy.tls =
          ConvertTls("http_proxy.tls", from.http_proxy().tls(), violations);
      to.integration = std::move(proxy);
      break;
    }
    case proto::Route::kHttp: {
      domain::HttpIntegration http;
      http.uri = from.http().uri();
      http.method = from.http().method();
      http.path_parameters = {from.http().path_parameters().begin(),
                              from.http().path_parameters().end()};
      if (from.http().has_timeout()) {
        http.timeout = Convert(from.http().timeout());
      }
      http.tls = ConvertTls("http.tls", from.http().tls(), violations);
      to.integration = std::move(http);
      break;
    }
    case proto::Route::kMock: {
      domain::MockIntegration mock;
      if (from.mock().status() != 0) mock.status = from.mock().status();
      mock.headers = {from.mock().headers().begin(),
                      from.mock().headers().end()};
      mock.body = from.mock().body();
      to.integration = std::move(mock);
      break;
    }
    case proto::Route::INTEGRATION_NOT_SET:
      break;
  }
  return to;
}

void Convert(const domain::Route& from, proto::Route& to) {
  ConvertTimes(from, to);
  SetTime(from.metadata.update_time, [&] { return to.mutable_update_time(); });
  to.set_method(from.method);
  to.set_path(from.path);
  std::visit(WriteIntegration{to}, from.integration);
}

void Convert(const service::RouteView& from, proto::Route& to) {
  Convert(from.route, to);
  ConvertWarnings(from, to);
}

domain::Stage Convert(const proto::Stage& from,
                      domain::Violations& violations) {
  domain::Stage to;
  ConvertMetadata(from, to, violations);
  to.deployment = ParseNameIfAny<domain::DeploymentName>(
      "deployment", from.deployment(), violations);
  to.variables = {from.variables().begin(), from.variables().end()};
  to.client_certificate = ParseNameIfAny<domain::ClientCertificateName>(
      "client_certificate", from.client_certificate(), violations);
  return to;
}

void Convert(const domain::Stage& from, proto::Stage& to) {
  ConvertMetadata(from, to);
  to.set_deployment(from.deployment.ToString());
  to.set_previous_deployment(from.previous_deployment.ToString());
  for (const auto& [name, value] : from.variables) {
    (*to.mutable_variables())[name] = value;
  }
  to.set_client_certificate(from.client_certificate.ToString());
}

void Convert(const service::StageView& from, proto::Stage& to) {
  Convert(from.stage, to);
  ConvertWarnings(from, to);
  ConvertConditions(from.stage, to);
}

domain::Deployment Convert(const proto::Deployment& from,
                           domain::Violations& violations) {
  domain::Deployment to;
  to.name =
      ParseNameIfAny<domain::DeploymentName>("name", from.name(), violations);
  to.metadata.etag = domain::Etag(from.etag());
  to.metadata.description = from.description();
  return to;
}

void Convert(const domain::Deployment& from, proto::Deployment& to) {
  ConvertTimes(from, to);
  to.set_description(from.metadata.description);
  to.set_route_count(static_cast<int>(from.routes.size()));
}

void Convert(const service::DeploymentView& from, proto::Deployment& to) {
  Convert(from.deployment, to);
  to.set_route_count(static_cast<int>(from.num_routes));
  for (const domain::Route& route : from.deployment.routes) {
    Convert(route, *to.add_routes());
  }
  for (const domain::StageName& stage : from.stages) {
    to.add_stages(stage.ToString());
  }
}

}  // namespace sallyport::api
