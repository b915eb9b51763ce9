// The operations of AWS Certificate Manager: server certificates.

#ifndef SALLYPORT_CONFIG_SERVICE_AWS_ACM_H_
#define SALLYPORT_CONFIG_SERVICE_AWS_ACM_H_

#include <string>

#include "absl/status/statusor.h"
#include "config_service/aws/call.h"
#include "config_service/aws/installation.h"
#include "config_service/service/server_certificates.h"
#include "config_service/service/transaction.h"

namespace sallyport::aws {

// Thread-safe. A certificate's ARN ends in the id of the server certificate;
// those that are made here get a UUID.
class Acm {
 public:
  // What is passed in outlives it.
  Acm(const service::Context& context,
      service::ServerCertificates* certificates,
      const Installation* installation)
      : context_(context),
        certificates_(*certificates),
        installation_(*installation) {}

  // Adds a handler for each operation that is supported. This outlives them.
  void AddTo(Handlers& handlers);

 private:
  absl::StatusOr<Json> AddTags(const Call& call);
  absl::StatusOr<Json> Delete(const Call& call);
  absl::StatusOr<Json> Describe(const Call& call);
  absl::StatusOr<Json> Get(const Call& call);
  absl::StatusOr<Json> Import(const Call& call);
  absl::StatusOr<Json> List(const Call& call);
  absl::StatusOr<Json> ListTags(const Call& call);
  absl::StatusOr<Json> RemoveTags(const Call& call);
  absl::StatusOr<Json> Renew(const Call& call);
  absl::StatusOr<Json> Request(const Call& call);

  // The certificate that the body's CertificateArn names: the errors that
  // Amazon's documents name. `fields` are those of the body.
  absl::StatusOr<domain::ServerCertificateName> NameIn(
      Fields& fields, domain::Violations& violations);
  absl::StatusOr<Json> SetTags(const Call& call,
                               const service::ServerCertificateView& view,
                               domain::Labels labels);
  // ARNs of what names the certificate, at most 100.
  absl::StatusOr<Json> InUseBy(const domain::ServerCertificateName& name);

  const service::Context context_;
  service::ServerCertificates& certificates_;
  const Installation& installation_;
};

}  // namespace sallyport::aws

#endif  // SALLYPORT_CONFIG_SERVICE_AWS_ACM_H_
