// ServerCertificates: the use cases of server certificates and their versions.

#ifndef SALLYPORT_CONFIG_SERVICE_SERVICE_SERVER_CERTIFICATES_H_
#define SALLYPORT_CONFIG_SERVICE_SERVICE_SERVER_CERTIFICATES_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/secret.h"
#include "config_service/domain/common.h"
#include "config_service/domain/server_certificate.h"
#include "config_service/service/caller.h"
#include "config_service/service/paging.h"
#include "config_service/service/served_certificates.h"
#include "config_service/service/transaction.h"

namespace sallyport::service {

// A resource, and what its active version is.
struct ServerCertificateView {
  domain::ServerCertificate certificate;  // `conditions` are filled
  domain::ServerCertificateVersion active;
  std::vector<domain::CertificatePtr> chain;  // of the active version
  std::vector<domain::Warning> warnings;
};

struct ServerCertificateVersionView {
  domain::ServerCertificateVersion version;
  std::vector<domain::CertificatePtr> chain;
  bool active = false;
};

// Thread-safe. Callers are authorised before (roles.h); what depends on the
// role beyond that is said here. Errors carry a domain::Error. Private keys are
// taken and never given: they are sealed in the version's record.
class ServerCertificates {
 public:
  struct Material {
    std::string certificate_chain_pem;
    Secret private_key_pem;
  };
  struct CreateRequest {
    std::string id;
    domain::ServerCertificate certificate;  // description and labels
    Material material;
  };
  struct UpdateRequest {
    domain::ServerCertificate certificate;  // its etag, if any, is checked
    std::vector<std::string> mask;          // as ApplyMask()
  };
  enum class IssuerConflict { kRefuse, kOverride };
  struct ImportRequest {
    domain::ServerCertificateName name;
    Material material;
    domain::Etag etag;
    // Overriding needs the role admin (ROLE_MISSING).
    IssuerConflict issuer_conflict = IssuerConflict::kRefuse;
  };

  // What `context` points to, its sealer too, and `served` outlive this.
  // Without `served` issuers of domains are not compared. `ownership_required`:
  // as DomainNameSettings.
  explicit ServerCertificates(const Context& context,
                              ServedCertificates* served = nullptr,
                              bool ownership_required = false)
      : context_(context),
        served_(served),
        ownership_required_(ownership_required) {}

  absl::StatusOr<ServerCertificateView> Create(const Caller& caller,
                                               const Write& write,
                                               const CreateRequest& request);
  absl::StatusOr<ServerCertificateView> Get(
      const domain::ServerCertificateName& name);
  absl::StatusOr<Page<ServerCertificateView>> List(const PageRequest& request);
  absl::StatusOr<ServerCertificateView> Update(const Caller& caller,
                                               const Write& write,
                                               const UpdateRequest& request);
  absl::Status Delete(const Caller& caller, const Write& write,
                      const domain::ServerCertificateName& name,
                      const domain::Etag& etag);

  // A new version, in force at once; what is in force already makes none. A
  // domain that it is not good for goes on with the one before, until there is
  // one that is. CERTIFICATE_ISSUER_CONFLICT, where a domain with mutual TLS
  // would show it. The
  // oldest version that nobody shows goes when there are
  // kMaxVersionsOfServerCertificate.
  absl::StatusOr<ServerCertificateView> Import(const Caller& caller,
                                               const Write& write,
                                               const ImportRequest& request);
  absl::StatusOr<ServerCertificateVersionView> GetVersion(
      const domain::ServerCertificateVersionName& name);
  absl::StatusOr<Page<ServerCertificateVersionView>> ListVersions(
      const domain::ServerCertificateName& parent, const PageRequest& request);

 private:
  // `active`, when it is known already.
  absl::StatusOr<ServerCertificateView> View(
      domain::ServerCertificate certificate,
      const domain::ServerCertificateVersion* active = nullptr);
  // Removes versions of `before` until one more may be added.
  absl::Status MakeRoom(Transaction& transaction,
                        const domain::ServerCertificate& before);

  const Context context_;
  ServedCertificates* const served_;
  const bool ownership_required_;
};

}  // namespace sallyport::service

#endif  // SALLYPORT_CONFIG_SERVICE_SERVICE_SERVER_CERTIFICATES_H_
