// API Gateway's operations on REST APIs, their deployments and stages.

#ifndef SALLYPORT_CONFIG_SERVICE_AWS_REST_APIS_H_
#define SALLYPORT_CONFIG_SERVICE_AWS_REST_APIS_H_

#include "absl/status/statusor.h"
#include "config_service/aws/call.h"
#include "config_service/service/api_drafts.h"
#include "config_service/service/apis.h"

namespace sallyport::aws {

// The API, stage or deployment that the call's path names: NotFoundException
// when the text is no id of one.
absl::StatusOr<domain::ApiName> ApiIn(const Call& call);
absl::StatusOr<domain::StageName> StageIn(const Call& call);
absl::StatusOr<domain::DeploymentName> DeploymentIn(const Call& call);

// A REST API as it is answered.
Json ToJson(const service::ApiView& view, const domain::ApiDraft& draft);

// Thread-safe.
class RestApis {
 public:
  // Both outlive it.
  RestApis(service::Apis* apis, service::ApiDrafts* drafts)
      : apis_(*apis), drafts_(*drafts) {}

  // Adds a handler for each operation that is supported. This outlives them.
  void AddTo(Handlers& handlers);

 private:
  absl::StatusOr<Json> CreateApi(const Call& call);
  absl::StatusOr<Json> DeleteApi(const Call& call);
  absl::StatusOr<Json> GetApi(const Call& call);
  absl::StatusOr<Json> ListApis(const Call& call);
  absl::StatusOr<Json> UpdateApi(const Call& call);

  absl::StatusOr<Json> CreateDeployment(const Call& call);
  absl::StatusOr<Json> DeleteDeployment(const Call& call);
  absl::StatusOr<Json> GetDeployment(const Call& call);
  absl::StatusOr<Json> ListDeployments(const Call& call);
  absl::StatusOr<Json> UpdateDeployment(const Call& call);

  absl::StatusOr<Json> CreateStage(const Call& call);
  absl::StatusOr<Json> DeleteStage(const Call& call);
  absl::StatusOr<Json> GetStage(const Call& call);
  absl::StatusOr<Json> ListStages(const Call& call);
  absl::StatusOr<Json> UpdateStage(const Call& call);

  // That each method has an integration: nothing else can be served.
  absl::Status CheckComplete(const domain::ApiName& api);

  service::Apis& apis_;
  service::ApiDrafts& drafts_;
};

}  // namespace sallyport::aws

#endif  // SALLYPORT_CONFIG_SERVICE_AWS_REST_APIS_H_
