// API Gateway's operations on base path mappings. One is named by its domain
// and base path; "(none)" is the root.

#ifndef SALLYPORT_CONFIG_SERVICE_AWS_BASE_PATH_MAPPINGS_H_
#define SALLYPORT_CONFIG_SERVICE_AWS_BASE_PATH_MAPPINGS_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "config_service/aws/call.h"
#include "config_service/service/api_mappings.h"

namespace sallyport::aws {

// Thread-safe.
class BasePathMappings {
 public:
  // `mappings` outlives it.
  explicit BasePathMappings(service::ApiMappings* mappings)
      : mappings_(*mappings) {}

  // Adds a handler for each operation that is supported. This outlives them.
  void AddTo(Handlers& handlers);

 private:
  absl::StatusOr<Json> Create(const Call& call);
  absl::StatusOr<Json> Delete(const Call& call);
  absl::StatusOr<Json> Get(const Call& call);
  absl::StatusOr<Json> List(const Call& call);
  absl::StatusOr<Json> Update(const Call& call);

  // NotFoundException.
  absl::StatusOr<domain::ApiMapping> Find(const Call& call);

  service::ApiMappings& mappings_;
};

}  // namespace sallyport::aws

#endif  // SALLYPORT_CONFIG_SERVICE_AWS_BASE_PATH_MAPPINGS_H_
