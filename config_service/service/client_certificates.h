// ClientCertificates: the use cases of the certificates that nodes present to
// backends.

#ifndef SALLYPORT_CONFIG_SERVICE_SERVICE_CLIENT_CERTIFICATES_H_
#define SALLYPORT_CONFIG_SERVICE_SERVICE_CLIENT_CERTIFICATES_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/secret.h"
#include "config_service/domain/common.h"
#include "config_service/domain/server_certificate.h"
#include "config_service/service/caller.h"
#include "config_service/service/paging.h"
#include "config_service/service/transaction.h"
#include "pki/keys/private_key.h"

namespace sallyport::service {

struct ClientCertificateView {
  domain::ClientCertificate certificate;  // `conditions` are filled
  std::vector<domain::CertificatePtr> chain;
  // Names of the stages that name it, at most kMaxListedStages.
  std::vector<std::string> stages;
  std::vector<domain::Warning> warnings;
};

// Thread-safe. Callers are authorised before (roles.h). Errors carry a
// domain::Error. Private keys are made or taken, and never given: they are
// sealed in the certificate's record.
class ClientCertificates {
 public:
  struct GenerateRequest {
    std::string id;                         // empty: one is made
    domain::ClientCertificate certificate;  // description and labels
    pki::PrivateKey::Kind key_kind = pki::PrivateKey::Kind::kRsa2048;
    std::string common_name;  // empty: "sallyport-ID"
  };
  struct ImportRequest {
    std::string id;                         // empty: one is made
    domain::ClientCertificate certificate;  // description and labels
    std::string certificate_chain_pem;
    Secret private_key_pem;
  };
  struct UpdateRequest {
    domain::ClientCertificate certificate;  // its etag, if any, is checked
    std::vector<std::string> mask;          // as ApplyMask()
  };

  // What `context` points to, its sealer too, outlives this.
  explicit ClientCertificates(const Context& context) : context_(context) {}

  // A new key, and a certificate that is signed by it, valid from now on for
  // domain::kGeneratedValidity.
  absl::StatusOr<ClientCertificateView> Generate(
      const Caller& caller, const Write& write, const GenerateRequest& request);
  absl::StatusOr<ClientCertificateView> Import(const Caller& caller,
                                               const Write& write,
                                               const ImportRequest& request);
  absl::StatusOr<ClientCertificateView> Get(
      const domain::ClientCertificateName& name);
  absl::StatusOr<Page<ClientCertificateView>> List(const PageRequest& request);
  absl::StatusOr<ClientCertificateView> Update(const Caller& caller,
                                               const Write& write,
                                               const UpdateRequest& request);
  // RESOURCE_IN_USE while a stage names it, CLIENT_CERTIFICATE_IN_FORCE while a
  // node may still present it.
  absl::Status Delete(const Caller& caller, const Write& write,
                      const domain::ClientCertificateName& name,
                      const domain::Etag& etag);

 private:
  absl::StatusOr<ClientCertificateView> Create(
      const Caller& caller, const Write& write,
      const domain::ClientCertificate& wanted, const Secret& private_key_pem);
  absl::StatusOr<ClientCertificateView> View(
      domain::ClientCertificate certificate);

  const Context context_;
};

}  // namespace sallyport::service

#endif  // SALLYPORT_CONFIG_SERVICE_SERVICE_CLIENT_CERTIFICATES_H_
