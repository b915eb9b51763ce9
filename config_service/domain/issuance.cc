#include "config_service/domain/issuance.h"

#include <algorithm>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/text.h"
#include "config_service/domain/domain_name.h"
#include "config_service/domain/limits.h"

namespace sallyport::domain {
namespace {

constexpr absl::string_view kEveryName = "*";

}  // namespace

void Validate(const Issuance& issuance, Violations& violations) {
  const std::vector<std::string>& names = issuance.dns_names;
  if (names.empty()) {
    violations.Add("dns_names", Reason::kFieldRequired,
                   "is empty; give the names that the certificate is for");
  } else if (names.size() > kMaxIssuedNames) {
    violations.Add("dns_names", Reason::kTooManyEntries,
                   absl::StrCat("has ", names.size(), " entries; at most ",
                                kMaxIssuedNames));
  } else {
    for (size_t i = 0; i < names.size(); ++i) {
      const absl::Status status = CheckDomain(names[i]);
      if (!status.ok()) {
        violations.Add(Element("dns_names", i), Reason::kDomainNameInvalid,
                       status.message());
      } else if (std::find(names.begin(),
                           names.begin() + static_cast<std::ptrdiff_t>(i),
                           names[i]) !=
                 names.begin() + static_cast<std::ptrdiff_t>(i)) {
        violations.Add(Element("dns_names", i), Reason::kDuplicateEntry,
                       "is there before; leave one out");
      }
    }
  }
  if (issuance.validity != absl::ZeroDuration() &&
      (issuance.validity < kMinIssuedValidity ||
       issuance.validity > kMaxIssuedValidity)) {
    violations.Add("validity", Reason::kFieldOutOfRange,
                   "is not between 1 minute and 825 days");
  }
}

absl::StatusOr<AllowedNames> AllowedNames::Parse(absl::string_view text) {
  AllowedNames out;
  for (absl::string_view entry :
       absl::StrSplit(text, ',', absl::SkipWhitespace())) {
    entry = absl::StripAsciiWhitespace(entry);
    if (entry != kEveryName) {
      // Also one label, which is no domain itself.
      const absl::Status status = CheckDomain(absl::StrCat("a.", entry));
      if (!status.ok() || absl::StartsWith(entry, "*")) {
        return absl::InvalidArgumentError(absl::StrCat(
            "\"", Printable(entry, 64),
            "\" is no domain; give names like example.com, which stand for all "
            "that is below them too, or * alone for every name"));
      }
    }
    out.domains_.emplace_back(entry);
  }
  if (out.domains_.empty()) {
    return absl::InvalidArgumentError(
        "is empty; give the domains that certificates may be made for, with "
        "commas, or * for every name");
  }
  if (out.domains_.size() > kMaxIssuerDomains) {
    return absl::InvalidArgumentError(absl::StrCat(
        "has ", out.domains_.size(), " entries; at most ", kMaxIssuerDomains));
  }
  if (out.domains_.size() > 1 &&
      std::find(out.domains_.begin(), out.domains_.end(), kEveryName) !=
          out.domains_.end()) {
    return absl::InvalidArgumentError(
        "has * and others; * alone stands for every name");
  }
  return out;
}

bool AllowedNames::Allow(absl::string_view dns_name) const {
  const absl::string_view host = absl::StripPrefix(dns_name, "*.");
  return std::any_of(
      domains_.begin(), domains_.end(), [&](const std::string& domain) {
        return domain == kEveryName || host == domain ||
               (absl::EndsWith(host, domain) && host.size() > domain.size() &&
                host[host.size() - domain.size() - 1] == '.');
      });
}

void AllowedNames::Check(const Issuance& issuance,
                         Violations& violations) const {
  for (size_t i = 0; i < issuance.dns_names.size(); ++i) {
    if (Allow(issuance.dns_names[i])) continue;
    violations.Add(Element("dns_names", i), Reason::kIssuerRefusesName,
                   "is in no domain that the issuer makes certificates for "
                   "(--issuer-domains)");
  }
}

absl::Time RenewalTime(absl::Time made, absl::Time not_after, int percent) {
  return not_after - (not_after - made) * percent / 100;
}

}  // namespace sallyport::domain
