// API Gateway's operations on custom domain names.
//
// A truststoreUri of s3:// (or file://) is read when the domain is made or
// updated, as Amazon's documents say, into a version of a truststore that
// belongs to the domain, and the domain names that version. So one change of
// the domain is all that nodes see, and its status is that of the rollout.
// Another truststore is written "truststores/ID", its version by its number.

#ifndef SALLYPORT_CONFIG_SERVICE_AWS_DOMAIN_NAMES_H_
#define SALLYPORT_CONFIG_SERVICE_AWS_DOMAIN_NAMES_H_

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "config_service/aws/call.h"
#include "config_service/aws/installation.h"
#include "config_service/aws/patch.h"
#include "config_service/domain/domain_name.h"
#include "config_service/domain/truststore.h"
#include "config_service/service/domain_names.h"
#include "config_service/service/server_certificates.h"
#include "config_service/service/transaction.h"
#include "config_service/service/truststores.h"

namespace sallyport::aws {

// OwnTruststore: the truststore that belongs to a domain: its name, as far as
// an id may have it, and 8 digits that tell like ones apart.
domain::TruststoreName OwnTruststore(const domain::DomainNameName& domain_name);

// Thread-safe.
class DomainNames {
 public:
  // What is passed in outlives it.
  DomainNames(const service::Context& context,
              service::DomainNames* domain_names,
              service::Truststores* truststores,
              service::ServerCertificates* certificates,
              const Installation* installation)
      : context_(context),
        domain_names_(*domain_names),
        truststores_(*truststores),
        certificates_(*certificates),
        installation_(*installation) {}

  // Adds a handler for each operation that is supported. This outlives them.
  void AddTo(Handlers& handlers);

 private:
  // What mutualTlsAuthentication says.
  struct Trust {
    std::string uri;      // empty: no mutual TLS
    std::string version;  // empty: the newest, or the active one
  };
  // A binding, and what was made for it, to be undone if it is not used.
  struct NewBinding {
    domain::TruststoreBinding binding;
    bool made_truststore = false;
    bool made_version = false;
  };
  struct Changes;

  absl::StatusOr<Json> Create(const Call& call);
  absl::StatusOr<Json> Delete(const Call& call);
  absl::StatusOr<Json> Get(const Call& call);
  absl::StatusOr<Json> List(const Call& call);
  absl::StatusOr<Json> Update(const Call& call);

  absl::StatusOr<Json> ToJson(const service::DomainNameView& view);
  absl::StatusOr<Trust> TrustOf(const domain::DomainNameName& name,
                                const domain::TruststoreBinding& binding);
  // One operation of a PATCH.
  void Apply(const PatchOperation& operation, const domain::DomainName& before,
             Changes& changes, domain::Violations& violations);
  // Reads the bundle, and stores it.
  absl::StatusOr<NewBinding> Bind(const Call& call,
                                  const domain::DomainNameName& name,
                                  const Trust& trust);
  void Undo(const Call& call, const NewBinding& made);
  // Makes the version the active one of the domain's own truststore, and
  // removes one that is long no longer.
  void Settle(const Call& call, const NewBinding& made);

  const service::Context context_;
  service::DomainNames& domain_names_;
  service::Truststores& truststores_;
  service::ServerCertificates& certificates_;
  const Installation& installation_;
  // A change is several commits, the truststore's and then the domain's, and a
  // bundle may take its time: those of one domain come one after the other.
  // Some domains share a lock.
  absl::Mutex& LockOf(const domain::DomainNameName& name);
  static constexpr size_t kLocks = 64;
  std::array<absl::Mutex, kLocks> locks_;
};

}  // namespace sallyport::aws

#endif  // SALLYPORT_CONFIG_SERVICE_AWS_DOMAIN_NAMES_H_
