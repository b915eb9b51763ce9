#include "config_service/api/apis.h"

#include <string>
#include <utility>
#include <vector>

#include "base/text.h"
#include "config_service/api/convert_api.h"
#include "config_service/api/handlers.h"
#include "config_service/domain/violations.h"
#include "pki/x509/distinguished_name.h"
#include "proto/sallyport/config/v1/api.grpc.pb.h"

namespace sallyport::api {

namespace proto = sallyport::config::v1;
using domain::ApiName;
using domain::DeploymentName;
using domain::Etag;
using domain::RouteName;
using domain::StageName;
using grpc::ServerContext;
using service::Apis;
using service::Caller;
using service::PageRequest;
using service::TestInvocations;
using service::Write;

namespace {

using Mask = std::vector<std::string>;

class ApisService final : public proto::Apis::Service, private Handlers {
 public:
  ApisService(Apis* apis, TestInvocations* test_invocations,
              std::function<bool()> stopping, Gate* gate)
      : Handlers("Apis", gate),
        apis_(apis),
        test_invocations_(test_invocations),
        stopping_(std::move(stopping)) {}

  // APIs.

  grpc::Status CreateApi(ServerContext* context,
                         const proto::CreateApiRequest* request,
                         proto::Api* response) override {
    return Create(
        context, __func__, *request, "api", request->api(), *response,
        [&](const Caller& caller, const Write& write, const domain::Api& api) {
          return apis_->CreateApi(caller, write, request->api_id(), api);
        });
  }

  grpc::Status GetApi(ServerContext* context,
                      const proto::GetApiRequest* request,
                      proto::Api* response) override {
    return Get<ApiName>(
        context, __func__, *request, *response,
        [&](const ApiName& name) { return apis_->GetApi(name); });
  }

  grpc::Status ListApis(ServerContext* context,
                        const proto::ListApisRequest* request,
                        proto::ListApisResponse* response) override {
    return List(context, __func__, *request, *response,
                &proto::ListApisResponse::add_apis,
                [&](const PageRequest& page) { return apis_->ListApis(page); });
  }

  grpc::Status UpdateApi(ServerContext* context,
                         const proto::UpdateApiRequest* request,
                         proto::Api* response) override {
    return Update(context, __func__, *request, "api", request->api(), *response,
                  [&](const Caller& caller, const Write& write,
                      const domain::Api& api, const Mask& mask) {
                    return apis_->UpdateApi(caller, write, api, mask);
                  });
  }

  grpc::Status DeleteApi(ServerContext* context,
                         const proto::DeleteApiRequest* request,
                         google::protobuf::Empty*) override {
    return Delete<ApiName>(context, __func__, *request,
                           [&](const Caller& caller, const Write& write,
                               const ApiName& name, const Etag& etag) {
                             return apis_->DeleteApi(caller, write, name, etag);
                           });
  }

  // Routes.

  grpc::Status CreateRoute(ServerContext* context,
                           const proto::CreateRouteRequest* request,
                           proto::Route* response) override {
    return CreateIn<ApiName>(
        context, __func__, *request, "route", request->route(), *response,
        [&](const Caller& caller, const Write& write, const ApiName& parent,
            const domain::Route& route) {
          return apis_->CreateRoute(caller, write, parent, request->route_id(),
                                    route);
        });
  }

  grpc::Status GetRoute(ServerContext* context,
                        const proto::GetRouteRequest* request,
                        proto::Route* response) override {
    return Get<RouteName>(
        context, __func__, *request, *response,
        [&](const RouteName& name) { return apis_->GetRoute(name); });
  }

  grpc::Status ListRoutes(ServerContext* context,
                          const proto::ListRoutesRequest* request,
                          proto::ListRoutesResponse* response) override {
    return ListInAny<ApiName>(
        context, __func__, *request, *response,
        &proto::ListRoutesResponse::add_routes,
        [&](const ApiName& parent, const PageRequest& page) {
          return apis_->ListRoutes(parent, page);
        });
  }

  grpc::Status UpdateRoute(ServerContext* context,
                           const proto::UpdateRouteRequest* request,
                           proto::Route* response) override {
    return Update(context, __func__, *request, "route", request->route(),
                  *response,
                  [&](const Caller& caller, const Write& write,
                      const domain::Route& route, const Mask& mask) {
                    return apis_->UpdateRoute(caller, write, route, mask);
                  });
  }

  grpc::Status DeleteRoute(ServerContext* context,
                           const proto::DeleteRouteRequest* request,
                           google::protobuf::Empty*) override {
    return Delete<RouteName>(context, __func__, *request,
                             [&](const Caller& caller, const Write& write,
                                 const RouteName& name, const Etag& etag) {
                               return apis_->DeleteRoute(caller, write, name,
                                                         etag);
                             });
  }

  // Stages.

  grpc::Status CreateStage(ServerContext* context,
                           const proto::CreateStageRequest* request,
                           proto::Stage* response) override {
    return CreateIn<ApiName>(
        context, __func__, *request, "stage", request->stage(), *response,
        [&](const Caller& caller, const Write& write, const ApiName& parent,
            const domain::Stage& stage) {
          return apis_->CreateStage(caller, write, parent, request->stage_id(),
                                    stage);
        });
  }

  grpc::Status GetStage(ServerContext* context,
                        const proto::GetStageRequest* request,
                        proto::Stage* response) override {
    return Get<StageName>(
        context, __func__, *request, *response,
        [&](const StageName& name) { return apis_->GetStage(name); });
  }

  grpc::Status ListStages(ServerContext* context,
                          const proto::ListStagesRequest* request,
                          proto::ListStagesResponse* response) override {
    return ListInAny<ApiName>(
        context, __func__, *request, *response,
        &proto::ListStagesResponse::add_stages,
        [&](const ApiName& parent, const PageRequest& page) {
          return apis_->ListStages(parent, page);
        });
  }

  grpc::Status UpdateStage(ServerContext* context,
                           const proto::UpdateStageRequest* request,
                           proto::Stage* response) override {
    return Update(context, __func__, *request, "stage", request->stage(),
                  *response,
                  [&](const Caller& caller, const Write& write,
                      const domain::Stage& stage, const Mask& mask) {
                    return apis_->UpdateStage(caller, write, stage, mask);
                  });
  }

  grpc::Status DeleteStage(ServerContext* context,
                           const proto::DeleteStageRequest* request,
                           google::protobuf::Empty*) override {
    return Delete<StageName>(context, __func__, *request,
                             [&](const Caller& caller, const Write& write,
                                 const StageName& name, const Etag& etag) {
                               return apis_->DeleteStage(caller, write, name,
                                                         etag);
                             });
  }

  grpc::Status RollbackStage(ServerContext* context,
                             const proto::RollbackStageRequest* request,
                             proto::Stage* response) override {
    return Run(
        context, __func__,
        [&](const Caller& caller, absl::string_view method) -> absl::Status {
          domain::Violations violations;
          const auto name =
              ParseName<StageName>("name", request->name(), violations);
          const auto deployment = ParseNameIfAny<DeploymentName>(
              "deployment", request->deployment(), violations);
          SALLYPORT_RETURN_IF_ERROR(violations.ToStatus());
          return Answer(
              apis_->RollbackStage(caller, WriteOf(method, *request), name,
                                   deployment, Etag(request->etag())),
              *response);
        });
  }

  // Deployments.

  grpc::Status CreateDeployment(ServerContext* context,
                                const proto::CreateDeploymentRequest* request,
                                proto::Deployment* response) override {
    return CreateIn<ApiName>(
        context, __func__, *request, "deployment", request->deployment(),
        *response,
        [&](const Caller& caller, const Write& write, const ApiName& parent,
            const domain::Deployment& deployment)
            -> absl::StatusOr<service::DeploymentView> {
          domain::Violations violations;
          Apis::CreateDeploymentRequest create;
          create.parent = parent;
          create.description = deployment.metadata.description;
          create.stage =
              ParseNameIfAny<StageName>("stage", request->stage(), violations);
          create.create_stage = request->create_stage();
          SALLYPORT_RETURN_IF_ERROR(violations.ToStatus());
          return apis_->CreateDeployment(caller, write, create);
        });
  }

  grpc::Status GetDeployment(ServerContext* context,
                             const proto::GetDeploymentRequest* request,
                             proto::Deployment* response) override {
    return Get<DeploymentName>(
        context, __func__, *request, *response,
        [&](const DeploymentName& name) { return apis_->GetDeployment(name); });
  }

  grpc::Status ListDeployments(
      ServerContext* context, const proto::ListDeploymentsRequest* request,
      proto::ListDeploymentsResponse* response) override {
    return ListIn<ApiName>(context, __func__, *request, *response,
                           &proto::ListDeploymentsResponse::add_deployments,
                           [&](const ApiName& parent, const PageRequest& page) {
                             return apis_->ListDeployments(parent, page);
                           });
  }

  grpc::Status UpdateDeployment(ServerContext* context,
                                const proto::UpdateDeploymentRequest* request,
                                proto::Deployment* response) override {
    return Update(context, __func__, *request, "deployment",
                  request->deployment(), *response,
                  [&](const Caller& caller, const Write& write,
                      const domain::Deployment& deployment, const Mask& mask) {
                    return apis_->UpdateDeployment(caller, write, deployment,
                                                   mask);
                  });
  }

  grpc::Status DeleteDeployment(ServerContext* context,
                                const proto::DeleteDeploymentRequest* request,
                                google::protobuf::Empty*) override {
    return Delete<DeploymentName>(
        context, __func__, *request,
        [&](const Caller& caller, const Write& write,
            const DeploymentName& name, const Etag& etag) {
          return apis_->DeleteDeployment(caller, write, name, etag);
        });
  }

  grpc::Status TestInvokeRoute(
      ServerContext* context, const proto::TestInvokeRouteRequest* request,
      proto::TestInvokeRouteResponse* response) override {
    return Run(
        context, __func__,
        [&](const Caller& caller, absl::string_view method) -> absl::Status {
          domain::Violations violations;
          TestInvocations::Request invoke;
          invoke.route =
              ParseName<RouteName>("route", request->route(), violations);
          invoke.stage =
              ParseNameIfAny<StageName>("stage", request->stage(), violations);
          invoke.client_certificate =
              ParseNameIfAny<domain::ClientCertificateName>(
                  "client_certificate", request->client_certificate(),
                  violations);
          invoke.node = ParseNameIfAny<domain::NodeName>(
              "node", request->node(), violations);
          SALLYPORT_RETURN_IF_ERROR(violations.ToStatus());
          invoke.node_address = request->node_address();
          invoke.method = request->method();
          invoke.path = request->path();
          for (const proto::HttpHeader& header : request->headers()) {
            invoke.headers.push_back({header.name(), header.value()});
          }
          invoke.body = request->body();
          invoke.stage_variables = {request->stage_variables().begin(),
                                    request->stage_variables().end()};
          Write write;
          write.method = std::string(method);
          const auto result = test_invocations_->Invoke(
              caller, write, invoke,
              [&] { return stopping_() || context->IsCancelled(); });
          SALLYPORT_RETURN_IF_ERROR(result.status());
          Fill(*result, *response);
          return absl::OkStatus();
        });
  }

 private:
  static void Fill(const TestInvocations::Result& result,
                   proto::TestInvokeRouteResponse& response) {
    const service::NodeAnswer& answer = result.answer;
    // A backend may send anything.
    const auto text = [](const std::string& value) {
      return pki::IsUtf8(value) ? value : Printable(value, value.size() * 4);
    };
    response.set_status(answer.status);
    for (const service::HttpHeader& header : answer.headers) {
      proto::HttpHeader& out = *response.add_headers();
      out.set_name(text(header.name));
      out.set_value(text(header.value));
    }
    response.set_body(answer.body);
    response.set_body_truncated(answer.body_truncated);
    Convert(answer.latency, *response.mutable_latency());
    response.set_node(result.node.ToString());
    response.set_client_certificate(result.client_certificate.ToString());
    response.set_client_certificate_subject(result.client_certificate_subject);
    response.set_client_certificate_sha256(result.client_certificate_sha256);
    response.set_failure(answer.failure);
    for (const std::string& line : result.log) response.add_log(line);
    response.set_backend(result.backend);
  }

  Apis* const apis_;
  TestInvocations* const test_invocations_;
  const std::function<bool()> stopping_;
};

}  // namespace

std::unique_ptr<grpc::Service> NewApisService(Apis* apis,
                                              TestInvocations* test_invocations,
                                              std::function<bool()> stopping,
                                              Gate* gate) {
  return std::make_unique<ApisService>(apis, test_invocations,
                                       std::move(stopping), gate);
}

}  // namespace sallyport::api
