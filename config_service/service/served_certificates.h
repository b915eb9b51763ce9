// ServedCertificates: which server certificates the domains with mutual TLS
// show, found by subject, so that a conflict of issuers among 100,000 domains
// is found without reading them all.
//
// It follows the store: what it holds is as of a revision, and a transaction
// that relies on an answer fails when a domain or a server certificate was put
// since.

#ifndef SALLYPORT_CONFIG_SERVICE_SERVICE_SERVED_CERTIFICATES_H_
#define SALLYPORT_CONFIG_SERVICE_SERVICE_SERVED_CERTIFICATES_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "config_service/domain/domain_name.h"
#include "config_service/domain/name.h"
#include "config_service/domain/server_certificate.h"
#include "config_service/service/transaction.h"
#include "config_service/store/store.h"

namespace sallyport::service {

// Thread-safe.
class ServedCertificates {
 public:
  // `store` outlives it.
  explicit ServedCertificates(store::Store* store) : store_(store) {}

  // Whether `leaf` may be shown by domains with mutual TLS beside what those
  // show that `except` does not count: CERTIFICATE_ISSUER_CONFLICT, as
  // domain::CheckIssuerConflict(). Exceptions are a domain (its own certificate
  // is about to be replaced), or a certificate (a new version of it is).
  absl::Status CheckIssuer(Transaction& transaction,
                           const pki::Certificate& leaf,
                           const domain::DomainNameName& except);
  absl::Status CheckIssuer(Transaction& transaction,
                           const pki::Certificate& leaf,
                           const domain::ServerCertificateName& except);

  // A domain with mutual TLS, other than `except`, that shows `certificate`, or
  // whose ownership verification certificate it is; empty: none.
  absl::StatusOr<std::string> ShownBy(
      Transaction& transaction,
      const domain::ServerCertificateName& certificate,
      const domain::DomainNameName& except);
  absl::StatusOr<std::string> ProofOf(
      Transaction& transaction,
      const domain::ServerCertificateName& certificate,
      const domain::DomainNameName& except);

 private:
  // What a domain with mutual TLS has to do with certificates (ids).
  struct Domain {
    std::string certificate;
    int64_t held_version = 0;
    std::string ownership;
  };
  // A certificate in the version that is shown: the active one, or one that is
  // held.
  struct ShownId {
    std::string certificate;
    int64_t held_version = 0;

    friend bool operator==(const ShownId& a, const ShownId& b) {
      return a.held_version == b.held_version && a.certificate == b.certificate;
    }
    template <typename H>
    friend H AbslHashValue(H h, const ShownId& id) {
      return H::combine(std::move(h), id.certificate, id.held_version);
    }
  };
  struct Shown {
    absl::flat_hash_set<std::string> domains;
    std::vector<std::string> subjects;
  };

  absl::Status Check(Transaction& transaction, const pki::Certificate& leaf,
                     const std::string& except_domain,
                     const std::string& except_certificate);
  // Brings everything up to date, and makes `transaction` rely on it.
  absl::Status Refresh(Transaction& transaction)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status Follow() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status Load() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status TakeDomain(const store::Record& record)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void DropDomain(const std::string& id) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // (Again) finds out the subjects of what is shown.
  absl::Status Index(const ShownId& id) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Unindex(const ShownId& id) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Null when it is not (or no longer) there.
  absl::StatusOr<domain::CertificatePtr> LeafOf(const ShownId& id);

  store::Store* const store_;
  absl::Mutex mu_;
  std::unique_ptr<store::Watcher> domain_changes_ ABSL_GUARDED_BY(mu_);
  std::unique_ptr<store::Watcher> certificate_changes_ ABSL_GUARDED_BY(mu_);
  // Up to which all is known.
  store::Revision domains_at_ ABSL_GUARDED_BY(mu_);
  store::Revision certificates_at_ ABSL_GUARDED_BY(mu_);
  absl::flat_hash_map<std::string, Domain> domains_ ABSL_GUARDED_BY(mu_);
  absl::flat_hash_map<ShownId, Shown> shown_ ABSL_GUARDED_BY(mu_);
  absl::flat_hash_map<std::string, absl::flat_hash_set<ShownId>> by_subject_
      ABSL_GUARDED_BY(mu_);
  // Domains by the certificate that they show, and by the one that proves
  // whose they are.
  absl::flat_hash_map<std::string, absl::flat_hash_set<std::string>> shown_by_
      ABSL_GUARDED_BY(mu_);
  absl::flat_hash_map<std::string, absl::flat_hash_set<std::string>> proof_of_
      ABSL_GUARDED_BY(mu_);
};

// A new version of a server certificate.
struct NewVersion {
  // The certificate as it was, its active version being the one that is shown.
  const domain::ServerCertificate* before = nullptr;
  const pki::Certificate* leaf = nullptr;
  // As DomainNameSettings has it.
  bool ownership_required = false;
};
// HoldVersions: has the domains that name the certificate, and that the new
// version is not good for, go on with the one before
// (DomainName::held_certificate_version), and those that it is good for follow
// it again. Returns whether a domain with mutual TLS will show the new version.
// QUOTA_EXCEEDED: more than kMaxHeldDomainsOfImport would change.
absl::StatusOr<bool> HoldVersions(Transaction& transaction, store::Store& store,
                                  const NewVersion& version);

}  // namespace sallyport::service

#endif  // SALLYPORT_CONFIG_SERVICE_SERVICE_SERVED_CERTIFICATES_H_
