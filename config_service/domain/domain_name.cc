#include "config_service/domain/domain_name.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/limits.h"
#include "base/text.h"
#include "config_service/domain/limits.h"
#include "settings/bad_request.h"
#include "settings/limits.h"
#include "settings/path.h"

namespace sallyport::domain {
namespace {

absl::Status Bad(absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat(
      what, "; give a host name such as api.example.com, or *.example.com"));
}

bool IsDigit(char c) {
  return absl::ascii_isdigit(static_cast<unsigned char>(c));
}

// Whether `encoded`, what follows "xn--", is Punycode of a label with something
// beyond ASCII in it (RFC 3492, 6.2). Lower case.
bool IsPunycode(absl::string_view encoded) {
  constexpr uint32_t kBase = 36;
  constexpr uint32_t kTMin = 1;
  constexpr uint32_t kTMax = 26;
  constexpr uint32_t kSkew = 38;
  constexpr uint32_t kDamp = 700;
  constexpr uint32_t kLastCodePoint = 0x10ffff;

  const size_t delimiter = encoded.rfind('-');
  uint32_t length = 0;  // of the label so far, in code points
  if (delimiter == 0) return false;
  if (delimiter != absl::string_view::npos) {
    length = static_cast<uint32_t>(delimiter);
    encoded.remove_prefix(delimiter + 1);
  }
  // No code point beyond ASCII, and so no reason for the prefix.
  if (encoded.empty()) return false;
  uint32_t code_point = 0x80;
  uint32_t bias = 72;
  uint32_t i = 0;
  while (!encoded.empty()) {
    const uint32_t before = i;
    uint32_t weight = 1;
    for (uint32_t k = kBase;; k += kBase) {
      if (encoded.empty()) return false;  // in the middle of a number
      const char c = encoded.front();
      encoded.remove_prefix(1);
      uint32_t digit = 0;
      if (c >= 'a' && c <= 'z') {
        digit = static_cast<uint32_t>(c - 'a');
      } else if (IsDigit(c)) {
        digit = static_cast<uint32_t>(c - '0') + 26;
      } else {
        return false;
      }
      if (digit > (UINT32_MAX - i) / weight) return false;
      i += digit * weight;
      const uint32_t threshold =
          k <= bias ? kTMin : (k >= bias + kTMax ? kTMax : k - bias);
      if (digit < threshold) break;
      if (weight > UINT32_MAX / (kBase - threshold)) return false;
      weight *= kBase - threshold;
    }
    ++length;
    uint32_t delta = before == 0 ? (i - before) / kDamp : (i - before) / 2;
    delta += delta / length;
    bias = 0;
    while (delta > ((kBase - kTMin) * kTMax) / 2) {
      delta /= kBase - kTMin;
      bias += kBase;
    }
    bias += (kBase - kTMin + 1) * delta / (delta + kSkew);
    if (i / length > kLastCodePoint - code_point) return false;
    code_point += i / length;
    i %= length;
    if (code_point >= 0xd800 && code_point <= 0xdfff) return false;
    ++i;
  }
  return true;
}

absl::Status CheckLabel(absl::string_view label) {
  if (label.empty()) {
    return Bad("has an empty label (two dots, or one at an end)");
  }
  if (label == "*") return Bad("has '*' elsewhere than as its first label");
  if (label.size() > kMaxDomainLabelLength) {
    return Bad(absl::StrCat("has a label of ", label.size(),
                            " characters; at most ", kMaxDomainLabelLength));
  }
  for (const char c : label) {
    if (absl::ascii_isupper(static_cast<unsigned char>(c))) {
      return Bad("has an upper-case letter; write it in lower case");
    }
    if (!absl::ascii_islower(static_cast<unsigned char>(c)) && !IsDigit(c) &&
        c != '-') {
      return Bad(
          static_cast<unsigned char>(c) >= 0x80
              ? "has a character beyond ASCII; write its label in the xn-- form"
              : "has a character that no host name has");
    }
  }
  if (label.front() == '-' || label.back() == '-') {
    return Bad("has a label that begins or ends with '-'");
  }
  if (label.size() >= 4 && label.substr(2, 2) == "--") {
    if (!absl::StartsWith(label, "xn--")) {
      return Bad(
          "has a label with \"--\" as its third and fourth characters that "
          "does not begin with xn--");
    }
    if (!IsPunycode(label.substr(4))) {
      return Bad("has a label that begins with xn-- and is no Punycode");
    }
  }
  return absl::OkStatus();
}

void CheckVerifyLimits(absl::string_view field, const VerifyLimits& given,
                       Violations& violations) {
  const auto check = [&](absl::string_view name, uint32_t value,
                         size_t fallback, size_t max) {
    if (value <= max) return;
    violations.Add(Field(field, name), Reason::kFieldOutOfRange,
                   absl::StrCat("is ", value, "; at most ", max,
                                " (0 means the default, ", fallback, ")"));
  };
  check("max_chain_length", given.max_chain_length, limits::kMaxChainLength,
        limits::kMaxConfigurableChainLength);
  check("max_client_certificates", given.max_client_certificates,
        limits::kMaxClientCertificates,
        settings::kMaxConfigurableClientCertificates);
  check("max_client_chain_bytes", given.max_client_chain_bytes,
        limits::kMaxClientChainBytes,
        settings::kMaxConfigurableClientChainBytes);
  check("max_signature_checks", given.max_signature_checks,
        limits::kMaxSignatureChecks, settings::kMaxConfigurableSignatureChecks);
  check("max_path_iterations", given.max_path_iterations,
        limits::kMaxPathIterations, settings::kMaxConfigurablePathIterations);
  check("max_verified_paths", given.max_verified_paths,
        limits::kMaxVerifiedPaths, settings::kMaxConfigurableVerifiedPaths);
  check("max_sent_name_checks", given.max_sent_name_checks,
        limits::kMaxSentNameChecks, settings::kMaxConfigurableSentNameChecks);
}

void CheckTruststores(absl::string_view field,
                      const std::vector<TruststoreBinding>& bindings,
                      Violations& violations) {
  if (bindings.empty()) {
    violations.Add(field, Reason::kFieldRequired,
                   "is empty; name at least one truststore, or leave out "
                   "mutual_tls");
    return;
  }
  if (bindings.size() > kMaxTruststoresOfDomain) {
    violations.Add(field, Reason::kTooManyEntries,
                   absl::StrCat("has ", bindings.size(), " entries; at most ",
                                kMaxTruststoresOfDomain));
  }
  std::map<TruststoreName, size_t> seen;
  for (size_t i = 0; i < bindings.size(); ++i) {
    const TruststoreBinding& binding = bindings[i];
    const std::string element = Element(field, i);
    if (binding.truststore.empty()) {
      if (binding.version.empty()) {
        violations.Add(Field(element, "truststore"), Reason::kFieldRequired,
                       "is empty; name a truststore");
      } else {
        violations.Add(Field(element, "version"),
                       Reason::kTruststoreVersionWithoutUri,
                       "is a version without the truststore that it is of; set "
                       "truststore");
      }
      continue;
    }
    if (!binding.version.empty() &&
        binding.version.parent() != binding.truststore) {
      violations.Add(Field(element, "version"), Reason::kFieldsConflict,
                     "is a version of another truststore");
    }
    const auto [first, added] = seen.emplace(binding.truststore, i);
    if (!added) {
      violations.Add(Field(element, "truststore"), Reason::kDuplicateEntry,
                     absl::StrCat("is that of ", Element(field, first->second),
                                  " again; leave one of them out"));
    }
  }
}

void CheckPaths(absl::string_view field, const std::vector<PathRule>& paths,
                Violations& violations) {
  if (paths.size() > limits::kMaxPathRules) {
    violations.Add(
        field, Reason::kTooManyEntries,
        absl::StrCat("has ", paths.size(), " entries; at most ",
                     limits::kMaxPathRules, "; cover several by one `prefix`"));
    return;
  }
  std::map<std::pair<bool, std::string>, size_t> seen;
  for (size_t i = 0; i < paths.size(); ++i) {
    const PathRule& rule = paths[i];
    const std::string element = Element(field, i);
    const std::string path = Field(element, rule.exact ? "exact" : "prefix");
    const absl::Status plain = settings::CheckRulePath(rule.path);
    if (!plain.ok()) {
      violations.Add(path, Reason::kPathRuleInvalid, plain.message());
    } else {
      const auto [first, added] =
          seen.emplace(std::make_pair(rule.exact, rule.path), i);
      if (!added) {
        violations.Add(
            path, Reason::kDuplicateEntry,
            absl::StrCat("is the path of ", Element(field, first->second),
                         " again; leave one of them out"));
      }
    }
    if (rule.allow.has_value()) {
      CheckClientRule(Field(element, "allow"), *rule.allow, violations);
    }
  }
}

void CheckBadRequest(absl::string_view field, const MutualTls& mutual_tls,
                     Violations& violations) {
  if (!mutual_tls.bad_request.has_value()) return;
  if (mutual_tls.rejection != RejectionStyle::kBadRequest) {
    violations.Add(field, Reason::kFieldsConflict,
                   "counts only with rejection: BAD_REQUEST");
  }
  const BadRequest& answer = *mutual_tls.bad_request;
  const absl::Status good = settings::CheckBadRequest(
      answer.body, answer.content_type, answer.redirect);
  if (good.ok()) return;
  // "redirect: must be ..."
  const absl::string_view message = good.message();
  const size_t colon = message.find(": ");
  violations.Add(Field(field, message.substr(0, colon)),
                 Reason::kFieldMalformed, message.substr(colon + 2));
}

void CheckMutualTls(absl::string_view field, const MutualTls& mutual_tls,
                    Violations& violations) {
  CheckTruststores(Field(field, "truststores"), mutual_tls.truststores,
                   violations);
  CheckReferences(Field(field, "deny_lists"), mutual_tls.deny_lists,
                  kMaxCertificateListsOfDomain, violations);
  CheckReferences(Field(field, "allow_lists"), mutual_tls.allow_lists,
                  kMaxCertificateListsOfDomain, violations);
  CheckBadRequest(Field(field, "bad_request"), mutual_tls, violations);
  if (mutual_tls.allow.has_value()) {
    CheckClientRule(Field(field, "allow"), *mutual_tls.allow, violations);
  }
  CheckPaths(Field(field, "paths"), mutual_tls.paths, violations);
  if (mutual_tls.end_streams_after.has_value() &&
      (*mutual_tls.end_streams_after < absl::ZeroDuration() ||
       *mutual_tls.end_streams_after > kMaxEndStreamsAfter)) {
    violations.Add(
        Field(field, "end_streams_after"), Reason::kFieldOutOfRange,
        absl::StrCat("is ", absl::FormatDuration(*mutual_tls.end_streams_after),
                     "; from 0s to ",
                     absl::FormatDuration(kMaxEndStreamsAfter)));
  }
  CheckVerifyLimits(Field(field, "limits"), mutual_tls.limits, violations);
}

void WarnOfTruststores(absl::string_view field, const ClientRule& rule,
                       const MutualTls& mutual_tls,
                       std::vector<Warning>& warnings) {
  std::set<std::string> unknown;
  for (const std::string& name : TruststoresOf(rule)) unknown.insert(name);
  for (const TruststoreBinding& binding : mutual_tls.truststores) {
    unknown.erase(binding.truststore.id());
  }
  for (const std::string& name : unknown) {
    Warning& warning = warnings.emplace_back();
    warning.reason = "UNKNOWN_TRUSTSTORE";
    warning.field = std::string(field);
    warning.message = absl::StrCat(
        "asks for the truststore ", Printable(name, kMaxIdLength),
        ", which the domain does not have, so this part never matches");
  }
}

}  // namespace

absl::Status CheckDomain(absl::string_view text) {
  if (text.empty()) return Bad("is empty");
  if (text.size() > kMaxDomainLength) {
    return Bad(absl::StrCat("has ", text.size(), " characters; at most ",
                            kMaxDomainLength));
  }
  absl::string_view rest = text;
  const bool wildcard = absl::ConsumePrefix(&rest, "*.");
  const std::vector<absl::string_view> labels = absl::StrSplit(rest, '.');
  for (const absl::string_view label : labels) {
    absl::Status status = CheckLabel(label);
    if (!status.ok()) return status;
  }
  if (labels.size() < 2 && !wildcard) return Bad("has only one label");
  if (std::all_of(labels.back().begin(), labels.back().end(), IsDigit)) {
    return Bad("ends in a number, as an address does");
  }
  return absl::OkStatus();
}

bool DomainCovers(absl::string_view domain, absl::string_view host) {
  if (!absl::ConsumePrefix(&domain, "*.")) return host == domain;
  const size_t dot = host.find('.');
  return dot != absl::string_view::npos && dot != 0 &&
         host.substr(0, dot) != "*" && host.substr(dot + 1) == domain;
}

std::vector<FleetName> DomainName::Fleets() const {
  if (fleets.empty()) return {DefaultFleet()};
  return fleets;
}

absl::string_view StatusName(DomainName::Status status) {
  switch (status) {
    case DomainName::Status::kAvailable:
      return "AVAILABLE";
    case DomainName::Status::kUpdating:
      return "UPDATING";
    case DomainName::Status::kPending:
      return "PENDING";
    case DomainName::Status::kPendingCertificateReimport:
      return "PENDING_CERTIFICATE_REIMPORT";
    case DomainName::Status::kPendingOwnershipVerification:
      return "PENDING_OWNERSHIP_VERIFICATION";
    case DomainName::Status::kFailed:
      return "FAILED";
  }
  return "";
}

void Validate(const DomainName& domain_name, Violations& violations) {
  const absl::Status domain = CheckDomain(domain_name.domain());
  if (!domain.ok()) {
    violations.Add("name", Reason::kDomainNameInvalid, domain.message());
  }
  Validate(domain_name.metadata, violations);
  CheckReferences("fleets", domain_name.fleets, kMaxFleetsOfDomain, violations);
  if (domain_name.server_certificate.empty()) {
    violations.Add("server_certificate", Reason::kFieldRequired,
                   "is empty; name the certificate that the domain shows");
  } else if (domain_name.server_certificate ==
             domain_name.ownership_verification_certificate) {
    violations.Add("ownership_verification_certificate",
                   Reason::kFieldsConflict,
                   "is the server certificate, which proves nothing; name "
                   "another, or leave it out");
  }
  CheckForwarding("forwarding", domain_name.forwarding, violations);
  if (!domain_name.mutual_tls.has_value()) return;
  if (domain_name.endpoint_type != EndpointType::kRegional) {
    violations.Add("endpoint_type", Reason::kMutualTlsNeedsRegional,
                   "mutual TLS needs an endpoint of the type REGIONAL");
  }
  if (domain_name.security_policy == SecurityPolicy::kTls10) {
    violations.Add("security_policy", Reason::kMutualTlsNeedsTls12,
                   "mutual TLS needs TLS_1_2 or TLS_1_3");
  }
  CheckMutualTls("mutual_tls", *domain_name.mutual_tls, violations);
}

std::vector<Warning> Warnings(const DomainName& domain_name) {
  std::vector<Warning> warnings;
  if (domain_name.security_policy == SecurityPolicy::kTls10) {
    Warning& warning = warnings.emplace_back();
    warning.reason = "WEAK_SECURITY_POLICY";
    warning.field = "security_policy";
    warning.message = "TLS 1.0 and 1.1 are broken (RFC 8996); use TLS_1_2";
  }
  if (!domain_name.mutual_tls.has_value()) return warnings;
  const MutualTls& mutual_tls = *domain_name.mutual_tls;
  if (mutual_tls.allow.has_value()) {
    WarnOfTruststores("mutual_tls.allow", *mutual_tls.allow, mutual_tls,
                      warnings);
  }
  for (size_t i = 0; i < mutual_tls.paths.size(); ++i) {
    if (!mutual_tls.paths[i].allow.has_value()) continue;
    WarnOfTruststores(Field(Element("mutual_tls.paths", i), "allow"),
                      *mutual_tls.paths[i].allow, mutual_tls, warnings);
  }
  if (domain_name.forwarding.trusted_proxy.has_value()) {
    WarnOfTruststores("forwarding.trusted_proxy",
                      *domain_name.forwarding.trusted_proxy, mutual_tls,
                      warnings);
  }
  return warnings;
}

}  // namespace sallyport::domain
