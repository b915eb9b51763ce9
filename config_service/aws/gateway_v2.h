// The second version of API Gateway: domain names, API mappings and APIs as it
// calls them. They are the same as those of the first version; its domain names
// are read and written by the first version's handlers.

#ifndef SALLYPORT_CONFIG_SERVICE_AWS_GATEWAY_V2_H_
#define SALLYPORT_CONFIG_SERVICE_AWS_GATEWAY_V2_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "config_service/aws/call.h"
#include "config_service/service/api_mappings.h"
#include "config_service/service/apis.h"

namespace sallyport::aws {

// Thread-safe.
class GatewayV2 {
 public:
  // All outlive it; `handlers` has those of domain names when a call comes.
  GatewayV2(service::Apis* apis, service::ApiMappings* mappings,
            const Handlers* handlers)
      : apis_(*apis), mappings_(*mappings), handlers_(*handlers) {}

  // Adds a handler for each operation that is supported. This outlives them.
  void AddTo(Handlers& handlers);

 private:
  absl::StatusOr<Json> CreateDomainName(const Call& call);
  absl::StatusOr<Json> DeleteDomainName(const Call& call);
  absl::StatusOr<Json> GetDomainName(const Call& call);
  absl::StatusOr<Json> ListDomainNames(const Call& call);
  absl::StatusOr<Json> UpdateDomainName(const Call& call);

  absl::StatusOr<Json> CreateMapping(const Call& call);
  absl::StatusOr<Json> DeleteMapping(const Call& call);
  absl::StatusOr<Json> GetMapping(const Call& call);
  absl::StatusOr<Json> ListMappings(const Call& call);
  absl::StatusOr<Json> UpdateMapping(const Call& call);

  absl::StatusOr<Json> GetApi(const Call& call);
  absl::StatusOr<Json> ListApis(const Call& call);
  absl::StatusOr<Json> UpdateApi(const Call& call);

  // Calls an operation of the first version in place of `call`, which has the
  // caller.
  absl::StatusOr<Json> CallFirst(const Call& call, absl::string_view operation,
                                 const std::string& domain_name,
                                 Json body) const;

  service::Apis& apis_;
  service::ApiMappings& mappings_;
  const Handlers& handlers_;
};

}  // namespace sallyport::aws

#endif  // SALLYPORT_CONFIG_SERVICE_AWS_GATEWAY_V2_H_
