// DomainNames: the use cases of domain names.

#ifndef SALLYPORT_CONFIG_SERVICE_SERVICE_DOMAIN_NAMES_H_
#define SALLYPORT_CONFIG_SERVICE_SERVICE_DOMAIN_NAMES_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "config_service/domain/common.h"
#include "config_service/domain/domain_name.h"
#include "config_service/domain/name.h"
#include "config_service/domain/server_certificate.h"
#include "config_service/domain/violations.h"
#include "config_service/service/bundles.h"
#include "config_service/service/caller.h"
#include "config_service/service/paging.h"
#include "config_service/service/served_certificates.h"
#include "config_service/service/transaction.h"

namespace sallyport::service {

struct DomainNameView {
  // `conditions`, `status` and `status_message` are filled.
  domain::DomainName domain_name;
  // The version of the server certificate that is shown; empty: it is gone.
  domain::ServerCertificateVersionName served_version;
  // At most kMaxListedWarnings, `num_warnings` in all.
  std::vector<domain::Warning> warnings;
  size_t num_warnings = 0;
};

// What an installation decides about its domains.
struct DomainNameSettings {
  // Whether an imported server certificate of a domain with mutual TLS needs an
  // ownership verification certificate.
  bool ownership_required = false;
};

// Thread-safe. Callers are authorised before (roles.h); what depends on the
// role beyond that is said here. Errors carry a domain::Error. Output-only
// fields of what is passed in are left out of account.
class DomainNames {
 public:
  // How a rule may be left out.
  struct Exceptions {
    // Truststores that trust nobody.
    bool force = false;
    // CERTIFICATE_ISSUER_CONFLICT; only an admin may (ROLE_MISSING).
    bool override_issuer_conflict = false;
  };
  struct CreateRequest {
    std::string id;  // the domain itself
    domain::DomainName domain_name;
    Exceptions exceptions;
  };
  struct UpdateRequest {
    domain::DomainName domain_name;  // its etag, if any, is checked
    std::vector<std::string> mask;   // as ApplyMask()
    Exceptions exceptions;
  };
  enum class Mappings { kKeep, kDelete };

  // What `context` points to, `bundles` and `served` outlive this.
  DomainNames(const Context& context, Bundles* bundles,
              ServedCertificates* served, const DomainNameSettings& settings)
      : context_(context),
        bundles_(bundles),
        served_(served),
        settings_(settings) {}

  absl::StatusOr<DomainNameView> Create(const Caller& caller,
                                        const Write& write,
                                        const CreateRequest& request);
  absl::StatusOr<DomainNameView> Get(const domain::DomainNameName& name);
  absl::StatusOr<Page<DomainNameView>> List(const PageRequest& request);
  // DOMAIN_LOCKED.
  absl::StatusOr<DomainNameView> Update(const Caller& caller,
                                        const Write& write,
                                        const UpdateRequest& request);
  // RESOURCE_IN_USE while it has API mappings that are to be kept.
  absl::Status Delete(const Caller& caller, const Write& write,
                      const domain::DomainNameName& name,
                      const domain::Etag& etag, Mappings mappings);

 private:
  // A server certificate and the leaf of its active version.
  struct Certificate {
    domain::ServerCertificate certificate;
    domain::CertificatePtr leaf;
  };
  class Checker;

  absl::StatusOr<DomainNameView> View(domain::DomainName domain_name);
  // Fills the status, and the condition "Programmed", from what the nodes have.
  absl::Status AddRollout(domain::DomainName& domain_name);
  // Adds the warnings of the truststores, and "TruststoresReady". Returns why a
  // truststore is not ready; empty: all are.
  absl::StatusOr<std::string> AddTruststores(DomainNameView& view);
  absl::StatusOr<std::optional<Certificate>> ReadCertificate(
      const domain::ServerCertificateName& name);

  const Context context_;
  Bundles* const bundles_;
  ServedCertificates* const served_;
  const DomainNameSettings settings_;
  // Domains with mutual TLS are checked against all others, so that changes at
  // one time would only make each other run again.
  absl::Mutex one_change_;
};

}  // namespace sallyport::service

#endif  // SALLYPORT_CONFIG_SERVICE_SERVICE_DOMAIN_NAMES_H_
