// Server certificates, and the certificates of clients of backends: what is
// imported with its key, and the rules about names and issuers.

#ifndef SALLYPORT_CONFIG_SERVICE_DOMAIN_SERVER_CERTIFICATE_H_
#define SALLYPORT_CONFIG_SERVICE_DOMAIN_SERVER_CERTIFICATE_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "base/secret.h"
#include "config_service/domain/common.h"
#include "config_service/domain/domain_name.h"
#include "config_service/domain/issuance.h"
#include "config_service/domain/name.h"
#include "config_service/domain/violations.h"
#include "pki/x509/certificate.h"

namespace sallyport::domain {

using CertificatePtr = std::shared_ptr<const pki::Certificate>;

struct ServerCertificate {
  enum class Origin { kImported, kIssued };

  ServerCertificateName name;
  Metadata metadata;
  Origin origin = Origin::kImported;
  // Of an issued one: the id of the issuer, and what it was asked for.
  std::string issued_by;
  std::optional<Issuance> issuance;
  int64_t active_version = 0;
  int64_t next_version = 1;
  std::vector<Condition> conditions;
};

void Validate(const ServerCertificate& certificate, Violations& violations);

// One import. The private key is not here: it is sealed, in a record of its
// own.
struct ServerCertificateVersion {
  ServerCertificateVersionName name;
  absl::Time create_time = absl::InfinitePast();
  int64_t revision = 0;
  // The certificate, then its intermediates; PEM, without anything else.
  std::string certificate_chain_pem;
  std::string spki_sha256_hex;
};

struct ClientCertificate {
  enum class Origin { kGenerated, kImported };

  ClientCertificateName name;
  Metadata metadata;
  Origin origin = Origin::kGenerated;
  std::string certificate_chain_pem;
  std::vector<Condition> conditions;
};

void Validate(const ClientCertificate& certificate, Violations& violations);

// What a certificate is imported for. kIssuer: a CA that signs certificates of
// servers.
enum class CertificatePurpose { kServer, kClient, kIssuer };

// A chain and key that belong together.
struct CheckedMaterial {
  std::vector<CertificatePtr> chain;  // the leaf first; not empty
  // The chain as text, one block for each certificate, nothing else.
  std::string chain_pem;
  // PKCS #8, PEM.
  Secret private_key_pem;
};

// CheckMaterial: reads a chain and its key as they are imported, and adds all
// that is wrong at `chain_field` ("material.certificate_chain_pem") and
// `key_field`:
//   * the text: certificates only, at most kMaxChainCertificates and
//     kMaxChainPemBytes (CERTIFICATE_CHAIN_MALFORMED,
//     CERTIFICATE_CHAIN_TOO_LARGE);
//   * each certificate is signed by the next, which is a CA
//     (CERTIFICATE_CHAIN_ORDER, CERTIFICATE_CHAIN_NOT_A_CA); a self-signed root
//     at the end is left out of the result;
//   * each is valid at `now`, strong enough and by the rules of X.509
//     (CERTIFICATE_EXPIRED, _NOT_YET_VALID, _WEAK, _INVALID);
//   * the leaf may be used for `purpose` (CERTIFICATE_NOT_FOR_PURPOSE), and one
//     of a server has a DNS name (CERTIFICATE_HAS_NO_NAMES); of an issuer the
//     first is a CA (CERTIFICATE_CHAIN_NOT_A_CA);
//   * the key is the leaf's (PRIVATE_KEY_MALFORMED, _ENCRYPTED, _UNSUPPORTED,
//     _MISMATCH).
// Messages name a certificate by its number, never by the text that was sent.
// The result counts only if nothing was added.
CheckedMaterial CheckMaterial(absl::string_view chain_field,
                              absl::string_view chain_pem,
                              absl::string_view key_field,
                              const Secret& private_key_pem,
                              CertificatePurpose purpose, absl::Time now,
                              Violations& violations);

// ReadStoredChain: the certificates of a chain that CheckMaterial() made.
absl::StatusOr<std::vector<CertificatePtr>> ReadStoredChain(
    absl::string_view chain_pem);

// The DNS names of `certificate` that can be served: of its subject alternative
// names those that are host names or "*." and one, in lower case without a dot
// at the end, each once, in order. The common name does not count (RFC 9525).
std::vector<std::string> DnsNames(const pki::Certificate& certificate);

// Whether `certificate` is good for `domain`: one of its DnsNames() is equal,
// or is "*.X" while `domain` is one label and ".X". A wildcard domain needs the
// same wildcard.
bool CoversDomain(const pki::Certificate& certificate,
                  absl::string_view domain);

// The first date in `chain` at which one of it expires.
absl::Time FirstExpiry(absl::Span<const CertificatePtr> chain);

// CERTIFICATE_ISSUER_CHANGED when `after` has another issuer than `before`
// (both leaves). Issuers are told apart by their names (RFC 5280, 7.1), so that
// a CA may renew its key.
absl::Status CheckSameIssuer(const pki::Certificate& before,
                             const pki::Certificate& after);

// A leaf that a domain with mutual TLS shows.
struct ServedCertificate {
  // The domain, for the message.
  std::string domain;
  CertificatePtr leaf;
};

// CheckIssuerConflict: of one subject the certificates of all domains with
// mutual TLS have one issuer: CERTIFICATE_ISSUER_CONFLICT, in the words of
// Amazon's documentation ("The certificate subject <subject> conflicts with an
// existing certificate from a different issuer."), with the subject in the
// metadata. The subjects of a certificate are its distinguished name, if it has
// one, and its DnsNames(). `others` are the leaves of the other domains.
absl::Status CheckIssuerConflict(const pki::Certificate& leaf,
                                 absl::Span<const ServedCertificate> others);

// What proves that a domain is its owner's.
struct OwnershipInputs {
  const DomainName* domain_name = nullptr;
  // The leaf of the server certificate, and where that comes from.
  const pki::Certificate* server_leaf = nullptr;
  ServerCertificate::Origin server_origin =
      ServerCertificate::Origin::kImported;
  // Null: there is none.
  const pki::Certificate* ownership_leaf = nullptr;
  ServerCertificate::Origin ownership_origin =
      ServerCertificate::Origin::kImported;
  // Another domain with mutual TLS whose server certificate is the ownership
  // verification certificate; empty: none.
  std::string ownership_used_by;
  // Whether the installation asks for proof.
  bool required = false;
};

// Whether an ownership verification certificate is needed: the installation
// asks for it, the domain has mutual TLS, and its server certificate is
// imported.
bool NeedsOwnership(const OwnershipInputs& inputs);

// CheckOwnership: adds what is wrong with the ownership verification
// certificate at the field `ownership_verification_certificate`: missing though
// needed, not valid at `now`, not issued by a configured issuer (only where
// proof is required), not covering the domain and every DNS name of the server
// certificate, or in use as a server certificate. One that is given though it
// is not needed is checked too.
void CheckOwnership(const OwnershipInputs& inputs, absl::Time now,
                    Violations& violations);

// The status that a domain has for reasons of its certificates, apart from
// rollout: kPendingOwnershipVerification when the ownership verification
// certificate is needed and not valid at `now`, kPendingCertificateReimport
// when the server certificate does not cover the domain or the ownership
// verification certificate does not cover its names; kAvailable otherwise.
struct CertificateStatus {
  DomainName::Status status = DomainName::Status::kAvailable;
  std::string message;
};
CertificateStatus StatusFromCertificates(const OwnershipInputs& inputs,
                                         absl::Time now);

// CheckLocked: DOMAIN_LOCKED when an update must be refused because the
// ownership verification certificate is no longer valid; `before` is the domain
// as it is. An update that names another one (`after`) is let through.
absl::Status CheckLocked(const OwnershipInputs& before, const DomainName& after,
                         absl::Time now);

}  // namespace sallyport::domain

#endif  // SALLYPORT_CONFIG_SERVICE_DOMAIN_SERVER_CERTIFICATE_H_
