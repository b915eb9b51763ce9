// Expiry of certificates that the service keeps: conditions and warnings, as of
// now.

#ifndef SALLYPORT_CONFIG_SERVICE_SERVICE_EXPIRY_H_
#define SALLYPORT_CONFIG_SERVICE_SERVICE_EXPIRY_H_

#include <cstdint>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "config_service/domain/common.h"
#include "config_service/domain/server_certificate.h"

namespace sallyport::service {

// How long before an expiry it is spoken of.
constexpr absl::Duration kExpiringSoon = absl::Hours(24 * 30);

constexpr absl::string_view kExpiresSoon = "EXPIRES_SOON";

// Adds "Valid" (FALSE: a certificate of the chain has expired, or is not valid
// yet) and "Expiring" (TRUE: one expires within kExpiringSoon, or has) to
// `conditions`. When they became so is not known: it is found out just now.
void AddExpiryConditions(absl::Span<const domain::CertificatePtr> chain,
                         absl::Time now, int64_t revision,
                         std::vector<domain::Condition>& conditions);

// EXPIRED, NOT_YET_VALID, EXPIRES_SOON: one for each certificate of the chain
// that deserves it.
std::vector<domain::Warning> ExpiryWarnings(
    absl::Span<const domain::CertificatePtr> chain, absl::Time now);

}  // namespace sallyport::service

#endif  // SALLYPORT_CONFIG_SERVICE_SERVICE_EXPIRY_H_
