#include "config_service/service/expiry.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/text.h"

namespace sallyport::service {

std::vector<domain::Warning> ExpiryWarnings(
    absl::Span<const domain::CertificatePtr> chain, absl::Time now) {
  std::vector<domain::Warning> out;
  for (size_t i = 0; i < chain.size(); ++i) {
    const pki::Certificate& certificate = *chain[i];
    domain::Warning warning;
    if (now > certificate.not_after()) {
      warning.reason = "EXPIRED";
      warning.message =
          absl::StrCat("expired on ", TimeText(certificate.not_after()));
    } else if (now < certificate.not_before()) {
      warning.reason = "NOT_YET_VALID";
      warning.message = absl::StrCat("is valid only from ",
                                     TimeText(certificate.not_before()), " on");
    } else if (certificate.not_after() - now < kExpiringSoon) {
      warning.reason = std::string(kExpiresSoon);
      warning.message =
          absl::StrCat("expires on ", TimeText(certificate.not_after()));
    } else {
      continue;
    }
    warning.subject = certificate.Subject();
    warning.index = i + 1;
    out.push_back(std::move(warning));
  }
  return out;
}

void AddExpiryConditions(absl::Span<const domain::CertificatePtr> chain,
                         absl::Time now, int64_t revision,
                         std::vector<domain::Condition>& conditions) {
  domain::Condition valid;
  valid.type = "Valid";
  valid.status = domain::Condition::Status::kTrue;
  valid.reason = "IN_VALIDITY_PERIOD";
  valid.observed_revision = revision;
  domain::Condition expiring;
  expiring.type = "Expiring";
  expiring.status = domain::Condition::Status::kFalse;
  expiring.reason = "NOT_SOON";
  expiring.observed_revision = revision;
  for (const domain::Warning& warning : ExpiryWarnings(chain, now)) {
    const std::string message =
        absl::StrCat("certificate ", warning.index, " ", warning.message);
    if (warning.reason != kExpiresSoon) {
      valid.status = domain::Condition::Status::kFalse;
      valid.reason = warning.reason;
      valid.message = message;
    }
    if (warning.reason != "NOT_YET_VALID") {
      expiring.status = domain::Condition::Status::kTrue;
      expiring.reason = warning.reason;
      expiring.message = message;
    }
  }
  domain::SetCondition(std::move(valid), absl::InfinitePast(), conditions);
  domain::SetCondition(std::move(expiring), absl::InfinitePast(), conditions);
}

}  // namespace sallyport::service
