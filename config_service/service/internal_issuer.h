// InternalIssuer: the issuer "internal", a CA of the installation's own: one
// that the operator gives, or one that the service makes and keeps.

#ifndef SALLYPORT_CONFIG_SERVICE_SERVICE_INTERNAL_ISSUER_H_
#define SALLYPORT_CONFIG_SERVICE_SERVICE_INTERNAL_ISSUER_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/secret.h"
#include "config_service/domain/issuance.h"
#include "config_service/service/certificate_issuer.h"
#include "config_service/store/sealer.h"
#include "config_service/store/store.h"
#include "pki/keys/private_key.h"

namespace sallyport::service {

constexpr absl::string_view kInternalIssuerId = "internal";
// How long a CA that the service makes is valid.
constexpr absl::Duration kIssuerCaValidity = absl::Hours(24 * 3650);

// Immutable; thread-safe.
class InternalIssuer final : public CertificateIssuer {
 public:
  struct Settings {
    domain::AllowedNames names;
    absl::Duration validity;
  };

  // With the CA in `store`; when there is none, a new one is put there first.
  static absl::StatusOr<std::unique_ptr<InternalIssuer>> FromStore(
      store::Store& store, const store::Sealer& sealer, const Clock& clock,
      const Settings& settings);

  // With the CA `chain_pem` (its own certificate, then its issuers') and the
  // key that belongs to it. What is wrong is in the error, a violation for
  // each, at "chain" or "key"; never contents.
  static absl::StatusOr<std::unique_ptr<InternalIssuer>> FromPem(
      absl::string_view chain_pem, const Secret& key_pem, absl::Time now,
      const Settings& settings);

  Info info() const override;
  absl::Time not_after() const override;
  void Check(const domain::Issuance& issuance,
             domain::Violations& violations) const override;
  absl::StatusOr<Issued> Issue(const domain::Issuance& issuance,
                               absl::Time now) override;

 private:
  InternalIssuer(std::vector<domain::CertificatePtr> chain,
                 std::unique_ptr<const pki::PrivateKey> key,
                 const Settings& settings);

  const std::vector<domain::CertificatePtr> chain_;
  // What follows a leaf: the chain without a root.
  std::string intermediates_pem_;
  const std::unique_ptr<const pki::PrivateKey> key_;
  const Settings settings_;
};

}  // namespace sallyport::service

#endif  // SALLYPORT_CONFIG_SERVICE_SERVICE_INTERNAL_ISSUER_H_
