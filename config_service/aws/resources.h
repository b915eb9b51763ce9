// API Gateway's operations on what is being worked on of a REST API: resources,
// methods, their responses, integrations; and test invocations.
//
// A method with an integration is a route, whoever made it; what a route does
// not carry is kept beside it, in the API's draft.

#ifndef SALLYPORT_CONFIG_SERVICE_AWS_RESOURCES_H_
#define SALLYPORT_CONFIG_SERVICE_AWS_RESOURCES_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "config_service/aws/call.h"
#include "config_service/aws/integrations.h"
#include "config_service/service/api_drafts.h"
#include "config_service/service/test_invocations.h"

namespace sallyport::aws {

// Thread-safe.
class Resources {
 public:
  // Both outlive it. `test_invocations` null: there are none.
  Resources(service::ApiDrafts* drafts,
            service::TestInvocations* test_invocations)
      : drafts_(*drafts), test_invocations_(test_invocations) {}

  // Adds a handler for each operation that is supported. This outlives them.
  void AddTo(Handlers& handlers);

 private:
  absl::StatusOr<Json> CreateResource(const Call& call);
  absl::StatusOr<Json> DeleteResource(const Call& call);
  absl::StatusOr<Json> GetResource(const Call& call);
  absl::StatusOr<Json> ListResources(const Call& call);

  absl::StatusOr<Json> PutMethod(const Call& call);
  absl::StatusOr<Json> GetMethod(const Call& call);
  absl::StatusOr<Json> UpdateMethod(const Call& call);
  absl::StatusOr<Json> DeleteMethod(const Call& call);
  absl::StatusOr<Json> PutMethodResponse(const Call& call);
  absl::StatusOr<Json> GetMethodResponse(const Call& call);
  absl::StatusOr<Json> DeleteMethodResponse(const Call& call);

  absl::StatusOr<Json> PutIntegration(const Call& call);
  absl::StatusOr<Json> GetIntegration(const Call& call);
  absl::StatusOr<Json> UpdateIntegration(const Call& call);
  absl::StatusOr<Json> DeleteIntegration(const Call& call);
  absl::StatusOr<Json> PutIntegrationResponse(const Call& call);
  absl::StatusOr<Json> GetIntegrationResponse(const Call& call);
  absl::StatusOr<Json> DeleteIntegrationResponse(const Call& call);

  absl::StatusOr<Json> TestInvoke(const Call& call);

  service::ApiDrafts& drafts_;
  service::TestInvocations* const test_invocations_;
};

// What is said of a method beside its integration, as it is kept and answered;
// read from the request for it. What is not supported is a violation.
Json ReadMethod(Fields& fields, domain::Violations& violations);

// Gives a method of `view` what serves it: its route is made or changed.
absl::Status SetIntegration(service::ApiDraftView& view,
                            const domain::ApiDraft::Method& method,
                            const MethodIntegration& integration);

// A method as it is answered.
Json MethodJson(const domain::ApiName& api, const service::ApiDraftView& view,
                absl::string_view path, absl::string_view http_method);

}  // namespace sallyport::aws

#endif  // SALLYPORT_CONFIG_SERVICE_AWS_RESOURCES_H_
