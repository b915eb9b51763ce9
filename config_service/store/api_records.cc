#include "config_service/store/api_records.h"

#include <utility>
#include <variant>

#include "base/status_macros.h"
#include "config_service/store/endpoint_type.h"
#include "config_service/store/record_io.h"
#include "proto/sallyport/store/v1/records.pb.h"

namespace sallyport::store {
namespace {

namespace proto = sallyport::store::v1;
using internal::Damaged;
using internal::ParseRecord;
using internal::ReadName;

void WriteTls(const domain::BackendTls& from, proto::BackendTls& to) {
  to.set_truststore(from.truststore.ToString());
  to.set_server_name(from.server_name);
  to.set_insecure_skip_verification(from.insecure_skip_verification);
}

absl::Status ReadTls(absl::string_view resource, const proto::BackendTls& from,
                     domain::BackendTls& to) {
  SALLYPORT_RETURN_IF_ERROR(
      ReadName(resource, from.truststore(), to.truststore));
  to.server_name = from.server_name();
  to.insecure_skip_verification = from.insecure_skip_verification();
  return absl::OkStatus();
}

// Writes the integration that `out` is called with.
struct WriteIntegration {
  proto::Route& out;

  void operator()(std::monostate) const {}
  void operator()(const domain::HttpProxyIntegration& from) const {
    proto::Route::HttpProxy& to = *out.mutable_http_proxy();
    to.set_uri(from.uri);
    to.set_timeout(absl::ToInt64Nanoseconds(from.timeout));
    WriteTls(from.tls, *to.mutable_tls());
  }
  void operator()(const domain::HttpIntegration& from) const {
    proto::Route::Http& to = *out.mutable_http();
    to.set_uri(from.uri);
    to.set_method(from.method);
    for (const auto& [parameter, source] : from.path_parameters) {
      (*to.mutable_path_parameters())[parameter] = source;
    }
    to.set_timeout(absl::ToInt64Nanoseconds(from.timeout));
    WriteTls(from.tls, *to.mutable_tls());
  }
  void operator()(const domain::MockIntegration& from) const {
    proto::Route::Mock& to = *out.mutable_mock();
    to.set_status(from.status);
    for (const auto& [header, value] : from.headers) {
      (*to.mutable_headers())[header] = value;
    }
    to.set_body(from.body);
  }
};

absl::Status ReadIntegration(absl::string_view resource,
                             const proto::Route& from,
                             domain::Integration& to) {
  switch (from.integration_case()) {
    case proto::Route::kHttpProxy: {
      domain::HttpProxyIntegration read;
      read.uri = from.http_proxy().uri();
      read.timeout = absl::Nanoseconds(from.http_proxy().timeout());
      SALLYPORT_RETURN_IF_ERROR(
          ReadTls(resource, from.http_proxy().tls(), read.tls));
      to = std::move(read);
      return absl::OkStatus();
    }
    case proto::Route::kHttp: {
      domain::HttpIntegration read;
      read.uri = from.http().uri();
      read.method = from.http().method();
      read.path_parameters = {from.http().path_parameters().begin(),
                              from.http().path_parameters().end()};
      read.timeout = absl::Nanoseconds(from.http().timeout());
      SALLYPORT_RETURN_IF_ERROR(ReadTls(resource, from.http().tls(), read.tls));
      to = std::move(read);
      return absl::OkStatus();
    }
    case proto::Route::kMock: {
      domain::MockIntegration read;
      read.status = from.mock().status();
      read.headers = {from.mock().headers().begin(),
                      from.mock().headers().end()};
      read.body = from.mock().body();
      to = std::move(read);
      return absl::OkStatus();
    }
    case proto::Route::INTEGRATION_NOT_SET:
      to = std::monostate();
      return absl::OkStatus();
  }
  return Damaged(resource, "has no known integration");
}

proto::Route ToProto(const domain::Route& route) {
  proto::Route out;
  internal::WriteMetadata(route.metadata, *out.mutable_metadata());
  out.set_method(route.method);
  out.set_path(route.path);
  std::visit(WriteIntegration{out}, route.integration);
  return out;
}

absl::StatusOr<domain::Route> FromProto(const domain::RouteName& name,
                                        const proto::Route& in,
                                        const Record& record) {
  domain::Route out;
  out.name = name;
  out.metadata = internal::ReadMetadata(in.metadata(), record);
  out.method = in.method();
  out.path = in.path();
  SALLYPORT_RETURN_IF_ERROR(
      ReadIntegration(name.ToString(), in, out.integration));
  return out;
}

}  // namespace

std::string Encode(const domain::Api& api) {
  proto::Api out;
  internal::WriteMetadata(api.metadata, *out.mutable_metadata());
  out.set_display_name(api.display_name);
  out.set_endpoint_type(internal::ToProto(api.endpoint_type));
  out.set_disable_default_endpoint(api.disable_default_endpoint);
  return internal::Bytes(out);
}

absl::StatusOr<domain::Api> Decode(const domain::ApiName& name,
                                   const Record& record) {
  const std::string resource = name.ToString();
  SALLYPORT_ASSIGN_OR_RETURN(proto::Api in,
                             ParseRecord<proto::Api>(resource, record.value));
  domain::Api out;
  out.name = name;
  out.metadata = internal::ReadMetadata(in.metadata(), record);
  out.display_name = in.display_name();
  const auto endpoint_type = internal::FromProto(in.endpoint_type());
  if (!endpoint_type) return Damaged(resource, "has no known endpoint type");
  out.endpoint_type = *endpoint_type;
  out.disable_default_endpoint = in.disable_default_endpoint();
  return out;
}

std::string Encode(const domain::Route& route) {
  return internal::Bytes(ToProto(route));
}

absl::StatusOr<domain::Route> Decode(const domain::RouteName& name,
                                     const Record& record) {
  SALLYPORT_ASSIGN_OR_RETURN(
      proto::Route in,
      ParseRecord<proto::Route>(name.ToString(), record.value));
  return FromProto(name, in, record);
}

std::string Encode(const domain::Stage& stage) {
  proto::Stage out;
  internal::WriteMetadata(stage.metadata, *out.mutable_metadata());
  out.set_deployment(stage.deployment.ToString());
  out.set_previous_deployment(stage.previous_deployment.ToString());
  for (const auto& [name, value] : stage.variables) {
    (*out.mutable_variables())[name] = value;
  }
  out.set_client_certificate(stage.client_certificate.ToString());
  return internal::Bytes(out);
}

absl::StatusOr<domain::Stage> Decode(const domain::StageName& name,
                                     const Record& record) {
  const std::string resource = name.ToString();
  SALLYPORT_ASSIGN_OR_RETURN(proto::Stage in,
                             ParseRecord<proto::Stage>(resource, record.value));
  domain::Stage out;
  out.name = name;
  out.metadata = internal::ReadMetadata(in.metadata(), record);
  SALLYPORT_RETURN_IF_ERROR(
      ReadName(resource, in.deployment(), out.deployment));
  SALLYPORT_RETURN_IF_ERROR(
      ReadName(resource, in.previous_deployment(), out.previous_deployment));
  out.variables = {in.variables().begin(), in.variables().end()};
  SALLYPORT_RETURN_IF_ERROR(
      ReadName(resource, in.client_certificate(), out.client_certificate));
  return out;
}

std::string EncodeRoutes(const domain::Deployment& deployment) {
  proto::DeployedRoutes out;
  for (const domain::Route& route : deployment.routes) {
    proto::DeployedRoutes::Entry& entry = *out.add_routes();
    entry.set_name(route.name.ToString());
    *entry.mutable_route() = ToProto(route);
  }
  return internal::Bytes(out);
}

BlobDigest BlobOf(const domain::Deployment& deployment) {
  return BlobDigest::Of(EncodeRoutes(deployment));
}

std::string Encode(const domain::Deployment& deployment) {
  proto::Deployment out;
  internal::WriteMetadata(deployment.metadata, *out.mutable_metadata());
  out.set_routes_sha256(std::string(BlobOf(deployment).bytes()));
  out.set_route_count(static_cast<uint32_t>(deployment.routes.size()));
  return internal::Bytes(out);
}

absl::StatusOr<BlobDigest> RoutesOf(const domain::DeploymentName& name,
                                    const Record& record) {
  const std::string resource = name.ToString();
  SALLYPORT_ASSIGN_OR_RETURN(
      proto::Deployment in,
      ParseRecord<proto::Deployment>(resource, record.value));
  absl::StatusOr<BlobDigest> digest = BlobDigest::FromBytes(in.routes_sha256());
  if (!digest.ok()) return Damaged(resource, "names no routes");
  return digest;
}

absl::StatusOr<DeploymentHead> DecodeHead(const domain::DeploymentName& name,
                                          const Record& record) {
  SALLYPORT_ASSIGN_OR_RETURN(
      proto::Deployment in,
      ParseRecord<proto::Deployment>(name.ToString(), record.value));
  DeploymentHead out;
  out.deployment.name = name;
  out.deployment.metadata = internal::ReadMetadata(in.metadata(), record);
  out.num_routes = in.route_count();
  return out;
}

absl::StatusOr<domain::Deployment> Decode(const domain::DeploymentName& name,
                                          const Record& record,
                                          absl::string_view routes) {
  const std::string resource = name.ToString();
  SALLYPORT_ASSIGN_OR_RETURN(
      proto::Deployment in,
      ParseRecord<proto::Deployment>(resource, record.value));
  if (in.routes_sha256() != BlobDigest::Of(routes).bytes()) {
    return Damaged(resource, "has other routes than it names");
  }
  SALLYPORT_ASSIGN_OR_RETURN(
      proto::DeployedRoutes deployed,
      ParseRecord<proto::DeployedRoutes>(resource, routes));
  domain::Deployment out;
  out.name = name;
  out.metadata = internal::ReadMetadata(in.metadata(), record);
  out.routes.reserve(static_cast<size_t>(deployed.routes_size()));
  for (const proto::DeployedRoutes::Entry& entry : deployed.routes()) {
    domain::RouteName route_name;
    SALLYPORT_RETURN_IF_ERROR(ReadName(resource, entry.name(), route_name));
    // A snapshot has neither an etag nor a revision of its own.
    SALLYPORT_ASSIGN_OR_RETURN(domain::Route route,
                               FromProto(route_name, entry.route(), Record()));
    route.metadata.etag = domain::Etag();
    out.routes.push_back(std::move(route));
  }
  return out;
}

}  // namespace sallyport::store
