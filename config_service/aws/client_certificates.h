// API Gateway's operations on client certificates: what nodes present to
// backends.

#ifndef SALLYPORT_CONFIG_SERVICE_AWS_CLIENT_CERTIFICATES_H_
#define SALLYPORT_CONFIG_SERVICE_AWS_CLIENT_CERTIFICATES_H_

#include "absl/status/statusor.h"
#include "config_service/aws/call.h"
#include "config_service/service/client_certificates.h"

namespace sallyport::aws {

// Thread-safe.
class ClientCertificates {
 public:
  // `certificates` outlives it.
  explicit ClientCertificates(service::ClientCertificates* certificates)
      : certificates_(*certificates) {}

  // Adds a handler for each operation that is supported. This outlives them.
  void AddTo(Handlers& handlers);

 private:
  absl::StatusOr<Json> Generate(const Call& call);
  absl::StatusOr<Json> Get(const Call& call);
  absl::StatusOr<Json> List(const Call& call);
  absl::StatusOr<Json> Update(const Call& call);
  absl::StatusOr<Json> Delete(const Call& call);

  service::ClientCertificates& certificates_;
};

}  // namespace sallyport::aws

#endif  // SALLYPORT_CONFIG_SERVICE_AWS_CLIENT_CERTIFICATES_H_
