// API Gateway's operations that read and write an API as a whole: import, put,
// export.

#ifndef SALLYPORT_CONFIG_SERVICE_AWS_DEFINITIONS_H_
#define SALLYPORT_CONFIG_SERVICE_AWS_DEFINITIONS_H_

#include "absl/status/statusor.h"
#include "config_service/aws/call.h"
#include "config_service/aws/openapi.h"
#include "config_service/service/api_drafts.h"
#include "config_service/service/apis.h"

namespace sallyport::aws {

// Thread-safe.
class Definitions {
 public:
  // Both outlive it.
  Definitions(service::Apis* apis, service::ApiDrafts* drafts)
      : apis_(*apis), drafts_(*drafts) {}

  // Adds a handler for each operation that is supported. This outlives them.
  void AddTo(Handlers& handlers);

 private:
  absl::StatusOr<Json> Import(const Call& call);
  absl::StatusOr<Json> Put(const Call& call);
  absl::StatusOr<Json> Export(const Call& call);

  service::Apis& apis_;
  service::ApiDrafts& drafts_;
};

}  // namespace sallyport::aws

#endif  // SALLYPORT_CONFIG_SERVICE_AWS_DEFINITIONS_H_
