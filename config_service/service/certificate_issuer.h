// CertificateIssuer: who makes server certificates for the installation.

#ifndef SALLYPORT_CONFIG_SERVICE_SERVICE_CERTIFICATE_ISSUER_H_
#define SALLYPORT_CONFIG_SERVICE_SERVICE_CERTIFICATE_ISSUER_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/secret.h"
#include "config_service/domain/issuance.h"
#include "config_service/domain/server_certificate.h"
#include "config_service/domain/violations.h"

namespace sallyport::service {

// Thread-safe.
class CertificateIssuer {
 public:
  // What it is, as of a moment.
  struct Info {
    std::string id;
    // Its own certificate, then those that it hangs from: what whoever is to
    // trust its certificates needs.
    std::vector<domain::CertificatePtr> chain;
    std::vector<std::string> domains;  // as AllowedNames::domains()
    // What a certificate has unless it is asked for another.
    absl::Duration validity;
  };
  struct Issued {
    domain::CertificatePtr leaf;
    std::string chain_pem;   // the leaf, then its intermediates
    Secret private_key_pem;  // PKCS #8
  };

  virtual ~CertificateIssuer() = default;

  virtual Info info() const = 0;

  // Adds why it would refuse `issuance`, at its fields: ISSUER_REFUSES_NAME.
  virtual void Check(const domain::Issuance& issuance,
                     domain::Violations& violations) const = 0;

  // When its own certificate ends: none that it makes is valid for longer.
  virtual absl::Time not_after() const = 0;

  // A new key, and a certificate for it. Check() found nothing. Errors carry a
  // domain::Error: ISSUER_EXPIRES. Nothing of the key is in them.
  virtual absl::StatusOr<Issued> Issue(const domain::Issuance& issuance,
                                       absl::Time now) = 0;
};

}  // namespace sallyport::service

#endif  // SALLYPORT_CONFIG_SERVICE_SERVICE_CERTIFICATE_ISSUER_H_
