// Domain names: where clients arrive, and who of them is let in.

#ifndef SALLYPORT_CONFIG_SERVICE_DOMAIN_DOMAIN_NAME_H_
#define SALLYPORT_CONFIG_SERVICE_DOMAIN_DOMAIN_NAME_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "config_service/domain/client_rule.h"
#include "config_service/domain/common.h"
#include "config_service/domain/forwarding.h"
#include "config_service/domain/name.h"
#include "config_service/domain/violations.h"
#include "pki/chain/verify.h"

namespace sallyport::domain {

// CheckDomain: whether `text` is a domain in its one form: a host name of two
// labels or more, or "*." and such a name, in lower case, without a dot at the
// end. Labels are letters, digits and '-' (not at the ends), at most 63; the
// last is not all digits (such a name would be read as an address); one with
// "--" as its third and fourth characters is "xn--" and Punycode that decodes
// (RFC 5890, 2.3.2.1; RFC 3492). InvalidArgument says what is wrong and how to
// mend it, without the text.
absl::Status CheckDomain(absl::string_view text);

// Whether requests for the host `host` (lower case, no port) belong to
// `domain`: equal, or `domain` is "*.X" and `host` one label and ".X".
bool DomainCovers(absl::string_view domain, absl::string_view host);

enum class EndpointType { kRegional, kEdge, kPrivate };
enum class SecurityPolicy { kTls10, kTls12, kTls13 };

struct TruststoreBinding {
  TruststoreName truststore;
  // Empty: the active version. Of `truststore`.
  TruststoreVersionName version;
  // Unset: the truststore's own.
  std::optional<pki::ExtendedKeyUsageRule> extended_key_usage;
};

enum class ClientRequirement { kRequired, kOptional };
enum class RejectionStyle { kForbidden, kHandshake, kBadRequest, kPass };

// As BadRequest in proto/sallyport/filter/v1/config.proto.
struct BadRequest {
  std::string body;
  std::string content_type;
  std::string redirect;
};

// As PathRule in proto/sallyport/filter/v1/config.proto.
struct PathRule {
  bool exact = false;  // else a prefix
  std::string path;
  std::optional<ClientRequirement> client_certificate;
  std::optional<ClientRule> allow;
};

// As VerifyLimits in proto/sallyport/filter/v1/config.proto; 0: the default.
struct VerifyLimits {
  uint32_t max_chain_length = 0;
  uint32_t max_client_certificates = 0;
  uint32_t max_client_chain_bytes = 0;
  uint32_t max_signature_checks = 0;
  uint32_t max_path_iterations = 0;
  uint32_t max_verified_paths = 0;
  uint32_t max_sent_name_checks = 0;
};

struct MutualTls {
  std::vector<TruststoreBinding> truststores;
  std::vector<CertificateListName> deny_lists;
  ClientRequirement client_certificate = ClientRequirement::kRequired;
  RejectionStyle rejection = RejectionStyle::kForbidden;
  std::optional<BadRequest> bad_request;
  std::optional<ClientRule> allow;
  std::vector<CertificateListName> allow_lists;
  std::vector<PathRule> paths;
  std::optional<absl::Duration> end_streams_after;
  bool strict_handshake = false;
  VerifyLimits limits;
};

struct DomainName {
  enum class Status {
    kAvailable,
    kUpdating,
    kPending,
    kPendingCertificateReimport,
    kPendingOwnershipVerification,
    kFailed,
  };

  DomainNameName name;
  Metadata metadata;
  std::vector<FleetName> fleets;  // empty: DefaultFleet()
  EndpointType endpoint_type = EndpointType::kRegional;
  SecurityPolicy security_policy = SecurityPolicy::kTls12;
  ServerCertificateName server_certificate;
  ServerCertificateName ownership_verification_certificate;
  std::optional<MutualTls> mutual_tls;
  Forwarding forwarding;

  // The version of the server certificate that is shown, when it is not to be
  // the active one (kPendingCertificateReimport); 0: the active one.
  int64_t held_certificate_version = 0;
  // Found out by the service; not what the user asked for.
  Status status = Status::kPending;
  std::string status_message;
  std::vector<Condition> conditions;

  // The domain itself: "api.example.com".
  const std::string& domain() const { return name.id(); }
  bool wildcard() const { return domain().rfind("*.", 0) == 0; }
  // `fleets`, or the default one.
  std::vector<FleetName> Fleets() const;
};

// "AVAILABLE".
absl::string_view StatusName(DomainName::Status status);

// The domain by itself.
void Validate(const DomainName& domain_name, Violations& violations);

// What is allowed and deserves attention: TLS 1.0 (WEAK_SECURITY_POLICY), and a
// client rule that asks for a truststore which the domain does not have
// (UNKNOWN_TRUSTSTORE), each at its field. Those of certificates are not here.
std::vector<Warning> Warnings(const DomainName& domain_name);

}  // namespace sallyport::domain

#endif  // SALLYPORT_CONFIG_SERVICE_DOMAIN_DOMAIN_NAME_H_
