// Apis: the use cases of APIs, their routes, stages and deployments.
//
// Routes are what is worked on. A deployment is what they were at one moment;
// a stage serves one.

#ifndef SALLYPORT_CONFIG_SERVICE_SERVICE_APIS_H_
#define SALLYPORT_CONFIG_SERVICE_SERVICE_APIS_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "config_service/domain/api.h"
#include "config_service/domain/common.h"
#include "config_service/domain/name.h"
#include "config_service/service/caller.h"
#include "config_service/service/paging.h"
#include "config_service/service/transaction.h"

namespace sallyport::service {

// A resource, and what it is worth now.
struct ApiView {
  domain::Api api;  // `conditions` are filled
  // "https://ID.SUFFIX", below which a stage answers at its id; empty where no
  // fleet has a suffix.
  std::string default_endpoint;
  std::vector<domain::Warning> warnings;
};

struct RouteView {
  domain::Route route;
  std::vector<domain::Warning> warnings;
};

struct StageView {
  domain::Stage stage;  // `conditions` are filled
  std::vector<domain::Warning> warnings;
};

struct DeploymentView {
  domain::Deployment deployment;  // in lists without `routes`
  size_t num_routes = 0;
  // Those that serve it, by name.
  std::vector<domain::StageName> stages;
};

// Thread-safe. Callers are authorised before (roles.h). Errors carry a
// domain::Error. Output-only fields of what is passed in are left out of
// account; the etag of an update, if any, must be the current one; `mask` has
// paths of fields, "*" for all.
class Apis {
 public:
  struct CreateDeploymentRequest {
    domain::ApiName parent;
    std::string description;
    domain::StageName stage;    // empty: none
    bool create_stage = false;  // make it when there is none
  };

  // What `context` points to outlives this.
  explicit Apis(const Context& context) : context_(context) {}

  // An empty id: one is made.
  absl::StatusOr<ApiView> CreateApi(const Caller& caller, const Write& write,
                                    const std::string& id,
                                    const domain::Api& api);
  absl::StatusOr<ApiView> GetApi(const domain::ApiName& name);
  absl::StatusOr<Page<ApiView>> ListApis(const PageRequest& request);
  // MUTUAL_TLS_ON_PRIVATE_API when it is mapped to such a domain.
  absl::StatusOr<ApiView> UpdateApi(const Caller& caller, const Write& write,
                                    const domain::Api& api,
                                    const std::vector<std::string>& mask);
  // With its routes, stages and deployments. RESOURCE_IN_USE while a mapping
  // names a stage.
  absl::Status DeleteApi(const Caller& caller, const Write& write,
                         const domain::ApiName& name, const domain::Etag& etag);

  // An empty id: one is made. ROUTE_TAKEN.
  absl::StatusOr<RouteView> CreateRoute(const Caller& caller,
                                        const Write& write,
                                        const domain::ApiName& parent,
                                        const std::string& id,
                                        const domain::Route& route);
  absl::StatusOr<RouteView> GetRoute(const domain::RouteName& name);
  // An empty parent: those of all APIs.
  absl::StatusOr<Page<RouteView>> ListRoutes(const domain::ApiName& parent,
                                             const PageRequest& request);
  absl::StatusOr<RouteView> UpdateRoute(const Caller& caller,
                                        const Write& write,
                                        const domain::Route& route,
                                        const std::vector<std::string>& mask);
  absl::Status DeleteRoute(const Caller& caller, const Write& write,
                           const domain::RouteName& name,
                           const domain::Etag& etag);

  absl::StatusOr<StageView> CreateStage(const Caller& caller,
                                        const Write& write,
                                        const domain::ApiName& parent,
                                        const std::string& id,
                                        const domain::Stage& stage);
  absl::StatusOr<StageView> GetStage(const domain::StageName& name);
  // An empty parent: those of all APIs.
  absl::StatusOr<Page<StageView>> ListStages(const domain::ApiName& parent,
                                             const PageRequest& request);
  absl::StatusOr<StageView> UpdateStage(const Caller& caller,
                                        const Write& write,
                                        const domain::Stage& stage,
                                        const std::vector<std::string>& mask);
  // RESOURCE_IN_USE while a mapping names it.
  absl::Status DeleteStage(const Caller& caller, const Write& write,
                           const domain::StageName& name,
                           const domain::Etag& etag);
  // An empty `deployment`: the one before; NO_EARLIER_DEPLOYMENT.
  absl::StatusOr<StageView> RollbackStage(
      const Caller& caller, const Write& write, const domain::StageName& name,
      const domain::DeploymentName& deployment, const domain::Etag& etag);

  // NOTHING_TO_DEPLOY, STAGE_VARIABLE_MISSING.
  absl::StatusOr<DeploymentView> CreateDeployment(
      const Caller& caller, const Write& write,
      const CreateDeploymentRequest& request);
  absl::StatusOr<DeploymentView> GetDeployment(
      const domain::DeploymentName& name);
  // The newest first.
  absl::StatusOr<Page<DeploymentView>> ListDeployments(
      const domain::ApiName& parent, const PageRequest& request);
  // The description only.
  absl::StatusOr<DeploymentView> UpdateDeployment(
      const Caller& caller, const Write& write,
      const domain::Deployment& deployment,
      const std::vector<std::string>& mask);
  // RESOURCE_IN_USE while a stage serves it or would roll back to it.
  absl::Status DeleteDeployment(const Caller& caller, const Write& write,
                                const domain::DeploymentName& name,
                                const domain::Etag& etag);

 private:
  // With its routes, as of `revision`, or now.
  absl::StatusOr<domain::Deployment> ReadDeployment(
      const domain::DeploymentName& name, int64_t revision = 0);
  // The same; the commit relies on it.
  absl::StatusOr<domain::Deployment> LoadDeployment(
      Transaction& transaction, const domain::DeploymentName& name);
  absl::StatusOr<domain::Deployment> Decode(const domain::DeploymentName& name,
                                            const store::Record& record);
  absl::StatusOr<ApiView> View(domain::Api api);
  absl::StatusOr<StageView> View(domain::Stage stage);
  absl::StatusOr<DeploymentView> View(domain::Deployment deployment);
  // That what `stage` names is there and fits; at fields below "stage".
  absl::Status CheckStage(Transaction& transaction, const domain::Stage& stage);
  // That no other route matches what `route` does, and there are not too many.
  absl::Status CheckRoute(Transaction& transaction, const domain::Route& route,
                          bool is_new);
  absl::Status StoreRoutes(const domain::Deployment& deployment);

  const Context context_;
};

}  // namespace sallyport::service

#endif  // SALLYPORT_CONFIG_SERVICE_SERVICE_APIS_H_
