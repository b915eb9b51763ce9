// Issuance: what an issuer of the installation is asked for when it makes a
// server certificate, and again whenever it renews it. AllowedNames: for whom
// it may.

#ifndef SALLYPORT_CONFIG_SERVICE_DOMAIN_ISSUANCE_H_
#define SALLYPORT_CONFIG_SERVICE_DOMAIN_ISSUANCE_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "config_service/domain/name.h"
#include "config_service/domain/violations.h"
#include "pki/keys/private_key.h"

namespace sallyport::domain {

struct Issuance {
  // Empty: the first that is configured.
  IssuerName issuer;
  // Host names, or "*." and one, as domain names are written.
  std::vector<std::string> dns_names;
  pki::PrivateKey::Kind key_kind = pki::PrivateKey::Kind::kEcP256;
  // Zero: the issuer's own.
  absl::Duration validity = absl::ZeroDuration();

  friend bool operator==(const Issuance& a, const Issuance& b) {
    return a.issuer == b.issuer && a.dns_names == b.dns_names &&
           a.key_kind == b.key_kind && a.validity == b.validity;
  }
  friend bool operator!=(const Issuance& a, const Issuance& b) {
    return !(a == b);
  }
};

// By itself: 1 to kMaxIssuedNames different names that can be served, and a
// validity between kMinIssuedValidity and kMaxIssuedValidity.
void Validate(const Issuance& issuance, Violations& violations);

// AllowedNames: the names that an issuer makes certificates for. Immutable;
// thread-safe.
class AllowedNames {
 public:
  // None.
  AllowedNames() = default;

  // "example.com,internal": each stands for itself, all that is below it, and
  // wildcards of those; "*" alone for every name. InvalidArgument says which
  // entry is none; there must be one, and at most kMaxIssuerDomains.
  static absl::StatusOr<AllowedNames> Parse(absl::string_view text);

  // `dns_name` as in an Issuance.
  bool Allow(absl::string_view dns_name) const;

  // In the order given; {"*"}: every name.
  const std::vector<std::string>& domains() const { return domains_; }

  // ISSUER_REFUSES_NAME at each of the names that is not allowed.
  void Check(const Issuance& issuance, Violations& violations) const;

 private:
  std::vector<std::string> domains_;
};

// RenewalTime: when what was made at `made` and ends at `not_after` is to be
// renewed: when `percent` of that time are left.
absl::Time RenewalTime(absl::Time made, absl::Time not_after, int percent);

}  // namespace sallyport::domain

#endif  // SALLYPORT_CONFIG_SERVICE_DOMAIN_ISSUANCE_H_
