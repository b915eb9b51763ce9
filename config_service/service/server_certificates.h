// ServerCertificates: the use cases of server certificates and their versions.

#ifndef SALLYPORT_CONFIG_SERVICE_SERVICE_SERVER_CERTIFICATES_H_
#define SALLYPORT_CONFIG_SERVICE_SERVICE_SERVER_CERTIFICATES_H_

#include <atomic>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/secret.h"
#include "config_service/domain/common.h"
#include "config_service/domain/limits.h"
#include "config_service/domain/server_certificate.h"
#include "config_service/service/caller.h"
#include "config_service/service/certificate_issuer.h"
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
  // Of an issued one: when it is due. InfiniteFuture: never.
  absl::Time renew_time = absl::InfiniteFuture();
};

// FALSE when the issuer could not make a certificate anew (renewals.h).
constexpr absl::string_view kIssuedCondition = "Issued";

// Who makes certificates, and when they are renewed.
struct Issuing {
  // The first is meant where none is named. They outlive whoever has this.
  std::vector<CertificateIssuer*> issuers;
  // What is left of a certificate's time, in percent, when it is renewed.
  int renew_percent = domain::kDefaultRenewPercent;
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
    // Description and labels; the issuance of one that is to be issued.
    domain::ServerCertificate certificate;
    // Empty for one that is to be issued.
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
                              bool ownership_required = false,
                              Issuing issuing = {})
      : context_(context),
        served_(served),
        ownership_required_(ownership_required),
        issuing_(std::move(issuing)) {}

  // Imports a certificate, or has an issuer make one, before this returns:
  // ISSUER_NOT_CONFIGURED, ISSUER_REFUSES_NAME, ISSUER_EXPIRES, and
  // RATE_LIMITED when kMaxIssuancesAtOnce are being made.
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
  // Has the issuer make the certificate anew, with a new key; in force at once.
  // CERTIFICATE_IS_IMPORTED, and as Create(). What was asked for is looked at
  // again: an issuer that may no longer make it does not.
  absl::StatusOr<ServerCertificateView> Renew(
      const Caller& caller, const Write& write,
      const domain::ServerCertificateName& name, const domain::Etag& etag);
  // The same for when it is due (renewals.h), whatever others ask for.
  absl::Status RenewDue(const Caller& caller, const Write& write,
                        const domain::ServerCertificateName& name,
                        const domain::Etag& etag);

  const Issuing& issuing() const { return issuing_; }
  // The issuer of that id; null: there is none. "" is the first.
  CertificateIssuer* FindIssuer(absl::string_view id) const;

  absl::StatusOr<ServerCertificateVersionView> GetVersion(
      const domain::ServerCertificateVersionName& name);
  absl::StatusOr<Page<ServerCertificateVersionView>> ListVersions(
      const domain::ServerCertificateName& parent, const PageRequest& request);

 private:
  enum class Hurry { kAsked, kDue };
  // What a version is made of.
  struct NewMaterial {
    domain::CertificatePtr leaf;
    std::string chain_pem;
    Secret private_key_pem;
  };

  absl::StatusOr<NewMaterial> Issue(CertificateIssuer& issuer,
                                    const domain::Issuance& issuance,
                                    Hurry hurry);
  absl::StatusOr<domain::ServerCertificate> RenewWithin(
      const Caller& caller, const Write& write,
      const domain::ServerCertificateName& name, const domain::Etag& etag,
      Hurry hurry);
  // The certificate after `before`, with `material` as its active version,
  // which becomes `version`.
  absl::StatusOr<domain::ServerCertificate> AddVersion(
      Transaction& transaction, const domain::ServerCertificate& before,
      const NewMaterial& material, IssuerConflict issuer_conflict,
      domain::ServerCertificateVersion& version);
  // `active`, when it is known already; without a chain, there is none yet.
  absl::StatusOr<ServerCertificateView> View(
      domain::ServerCertificate certificate,
      const domain::ServerCertificateVersion* active = nullptr);
  // Removes versions of `before` until one more may be added.
  absl::Status MakeRoom(Transaction& transaction,
                        const domain::ServerCertificate& before);

  const Context context_;
  ServedCertificates* const served_;
  const bool ownership_required_;
  const Issuing issuing_;
  std::atomic<int> num_issuing_{0};
};

}  // namespace sallyport::service

#endif  // SALLYPORT_CONFIG_SERVICE_SERVICE_SERVER_CERTIFICATES_H_
