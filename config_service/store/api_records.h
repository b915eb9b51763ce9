// Records of APIs. As records.h.

#ifndef SALLYPORT_CONFIG_SERVICE_STORE_API_RECORDS_H_
#define SALLYPORT_CONFIG_SERVICE_STORE_API_RECORDS_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "config_service/domain/api.h"
#include "config_service/domain/name.h"
#include "config_service/store/store.h"

namespace sallyport::store {

std::string Encode(const domain::Api& api);
absl::StatusOr<domain::Api> Decode(const domain::ApiName& name,
                                   const Record& record);

std::string Encode(const domain::Route& route);
absl::StatusOr<domain::Route> Decode(const domain::RouteName& name,
                                     const Record& record);

std::string Encode(const domain::Stage& stage);
absl::StatusOr<domain::Stage> Decode(const domain::StageName& name,
                                     const Record& record);

// The routes of a deployment are a blob of their own: they may be more than one
// value holds. Store what EncodeRoutes() gives, then put Encode() and name the
// blob BlobOf().
std::string EncodeRoutes(const domain::Deployment& deployment);
BlobDigest BlobOf(const domain::Deployment& deployment);
std::string Encode(const domain::Deployment& deployment);
// The digest of the blob that Decode() needs.
absl::StatusOr<BlobDigest> RoutesOf(const domain::DeploymentName& name,
                                    const Record& record);
// `routes`: the blob's content. RECORD_DAMAGED also when it is another.
absl::StatusOr<domain::Deployment> Decode(const domain::DeploymentName& name,
                                          const Record& record,
                                          absl::string_view routes);

// What the record itself says: `deployment` without its routes.
struct DeploymentHead {
  domain::Deployment deployment;
  uint32_t num_routes = 0;
};
absl::StatusOr<DeploymentHead> DecodeHead(const domain::DeploymentName& name,
                                          const Record& record);

}  // namespace sallyport::store

#endif  // SALLYPORT_CONFIG_SERVICE_STORE_API_RECORDS_H_
