// API Gateway's operations on tags: labels of what an ARN names.

#ifndef SALLYPORT_CONFIG_SERVICE_AWS_TAGS_H_
#define SALLYPORT_CONFIG_SERVICE_AWS_TAGS_H_

#include <functional>

#include "absl/status/statusor.h"
#include "config_service/aws/call.h"
#include "config_service/aws/installation.h"
#include "config_service/service/apis.h"
#include "config_service/service/client_certificates.h"
#include "config_service/service/domain_names.h"

namespace sallyport::aws {

// Thread-safe.
class Tags {
 public:
  // All outlive it.
  Tags(service::Apis* apis, service::ClientCertificates* certificates,
       service::DomainNames* domain_names, const Installation* installation)
      : apis_(*apis),
        certificates_(*certificates),
        domain_names_(*domain_names),
        installation_(*installation) {}

  // Adds a handler for each operation that is supported. This outlives them.
  void AddTo(Handlers& handlers);

 private:
  using ChangeLabels = std::function<void(domain::Labels&)>;

  absl::StatusOr<Json> Add(const Call& call);
  absl::StatusOr<Json> Get(const Call& call);
  absl::StatusOr<Json> Remove(const Call& call);

  // The labels of what the call's ARN names, changed by `change` if there is
  // one.
  absl::StatusOr<domain::Labels> LabelsOf(const Call& call,
                                          const ChangeLabels& change);

  service::Apis& apis_;
  service::ClientCertificates& certificates_;
  service::DomainNames& domain_names_;
  const Installation& installation_;
};

}  // namespace sallyport::aws

#endif  // SALLYPORT_CONFIG_SERVICE_AWS_TAGS_H_
