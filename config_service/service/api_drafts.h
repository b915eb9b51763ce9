// ApiDrafts: what is being worked on of an API as a whole: its routes, and what
// a draft has beside them (domain/api_draft.h), changed in one commit.

#ifndef SALLYPORT_CONFIG_SERVICE_SERVICE_API_DRAFTS_H_
#define SALLYPORT_CONFIG_SERVICE_SERVICE_API_DRAFTS_H_

#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "config_service/domain/api.h"
#include "config_service/domain/api_draft.h"
#include "config_service/domain/name.h"
#include "config_service/service/caller.h"
#include "config_service/service/transaction.h"

namespace sallyport::service {

struct ApiDraftView {
  domain::ApiDraft draft;
  // By name.
  std::vector<domain::Route> routes;
};

// Thread-safe. Callers are authorised before (roles.h). Errors carry a
// domain::Error.
class ApiDrafts {
 public:
  // What `context` points to outlives this.
  explicit ApiDrafts(const Context& context) : context_(context) {}

  // RESOURCE_NOT_FOUND.
  absl::StatusOr<ApiDraftView> Get(const domain::ApiName& api);
  // Empty when there is none, or no such API.
  absl::StatusOr<domain::ApiDraft> GetWithoutRoutes(const domain::ApiName& api);

  // Changes it: `change` gets it as it is, and may be called several times; an
  // error of it is returned, and nothing is changed. A route without a name is
  // a new one. What is wrong with a route is said at fields below "route".
  // RESOURCE_NOT_FOUND, ROUTE_TAKEN, QUOTA_EXCEEDED.
  absl::StatusOr<ApiDraftView> Change(
      const Caller& caller, const Write& write, const domain::ApiName& api,
      absl::FunctionRef<absl::Status(ApiDraftView&)> change);

 private:
  const Context context_;
};

}  // namespace sallyport::service

#endif  // SALLYPORT_CONFIG_SERVICE_SERVICE_API_DRAFTS_H_
