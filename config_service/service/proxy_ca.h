// ProxyCa: the CA of the xDS port. It signs the certificates by which nodes
// prove who they are, and the one by which the port proves to be ours. It is
// made on the first start and kept in the store, its key sealed.

#ifndef SALLYPORT_CONFIG_SERVICE_SERVICE_PROXY_CA_H_
#define SALLYPORT_CONFIG_SERVICE_SERVICE_PROXY_CA_H_

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/secret.h"
#include "config_service/domain/name.h"
#include "config_service/service/caller.h"
#include "config_service/service/stored_ca.h"
#include "config_service/service/transaction.h"
#include "config_service/store/sealer.h"
#include "config_service/store/store.h"
#include "pki/keys/private_key.h"
#include "pki/x509/certificate.h"

namespace sallyport::service {

// How long certificates are valid.
constexpr absl::Duration kProxyCaValidity = absl::Hours(24 * 3650);
constexpr absl::Duration kMinNodeCertificateValidity = absl::Hours(1);
constexpr absl::Duration kMaxNodeCertificateValidity = absl::Hours(24 * 825);
constexpr absl::Duration kDefaultNodeCertificateValidity =
    absl::Hours(24 * 365);

// The one URI of a node's certificate, and that of the xDS port's:
// "spiffe://TRUST_DOMAIN/fleets/FLEET/nodes/NODE", "spiffe://TRUST_DOMAIN/xds".
// A node checks the latter, so that no other node can pose as the service.
std::string NodeUri(absl::string_view trust_domain,
                    const domain::NodeName& node);
std::string XdsUri(absl::string_view trust_domain);

// Immutable; thread-safe.
class ProxyCa {
 public:
  // The CA in `store`; when there is none, a new one is put there first.
  // `trust_domain` is the installation's name in URIs. Errors say what is
  // wrong with the record or the store.
  static absl::StatusOr<std::unique_ptr<ProxyCa>> Open(
      store::Store& store, const store::Sealer& sealer, const Clock& clock,
      absl::string_view trust_domain);

  const std::string& trust_domain() const { return trust_domain_; }
  const std::string& certificate_pem() const { return pem_; }
  absl::Time not_after() const { return certificate_->not_after(); }

  struct Issued {
    std::string chain_pem;
    std::shared_ptr<const pki::Certificate> certificate;
  };
  // A certificate for the key `spki_der` (DER), good for xDS clients alone.
  // Never longer than the CA's own.
  absl::StatusOr<Issued> IssueNode(const domain::NodeName& node,
                                   absl::string_view spki_der, absl::Time now,
                                   absl::Duration validity) const;

  struct XdsIdentity {
    std::string chain_pem;
    Secret private_key_pem;
  };
  // A new key and certificate for the xDS port. `hosts` are DNS names and
  // addresses that nodes may call it by.
  absl::StatusOr<XdsIdentity> IssueXds(const std::vector<std::string>& hosts,
                                       absl::Time now) const;

 private:
  ProxyCa() = default;

  std::string trust_domain_;
  std::string pem_;
  std::shared_ptr<const pki::Certificate> certificate_;
  std::unique_ptr<const pki::PrivateKey> key_;
};

// Certificates of one node that count although its certificates were revoked
// once; then the oldest does not any more.
constexpr size_t kMaxCertificatesSinceRevocation = 100;

// That the node may come by the certificate with this SHA-256 (32 bytes), which
// the proxy CA signed. PermissionDenied: it is revoked. Other errors: the store
// does not say, so it may not.
absl::Status CheckNodeCertificate(store::Store& store,
                                  const domain::NodeName& node,
                                  absl::string_view sha256);

// NodeCertificates: the use cases of Fleets/IssueNodeCertificate and
// RevokeNode. Thread-safe.
class NodeCertificates {
 public:
  struct Request {
    domain::FleetName fleet;
    std::string node_id;
    std::string certificate_request_pem;
    // Zero: the default.
    absl::Duration validity = absl::ZeroDuration();
  };
  struct Answer {
    std::string chain_pem;
    std::string ca_pem;
    std::shared_ptr<const pki::Certificate> certificate;
  };

  // `ca` and what `context` points to outlive it. `on_revoked` is to end
  // streams that CheckNodeCertificate() would not let in any more; may be null.
  NodeCertificates(const Context& context, const ProxyCa* ca,
                   std::function<void()> on_revoked = nullptr)
      : context_(context), ca_(ca), on_revoked_(std::move(on_revoked)) {}

  // The fleet must be there. What was issued is in the audit log. A request
  // that is sent again gets another certificate.
  absl::StatusOr<Answer> Issue(const Caller& caller, const Write& write,
                               const Request& request) const;

  // Certificates of the node that were issued until now count no longer. When
  // this was.
  absl::StatusOr<absl::Time> Revoke(const Caller& caller, const Write& write,
                                    const domain::NodeName& node) const;

 private:
  // RESOURCE_NOT_FOUND.
  absl::Status CheckFleet(const domain::FleetName& fleet) const;
  // With the entry in the audit log.
  absl::Status Commit(const Caller& caller, const Write& write,
                      store::Commit commit,
                      domain::AuditEntry::Change change) const;

  const Context context_;
  const ProxyCa* const ca_;
  const std::function<void()> on_revoked_;
};

}  // namespace sallyport::service

#endif  // SALLYPORT_CONFIG_SERVICE_SERVICE_PROXY_CA_H_
