#include "config_service/aws/installation.h"

#include <algorithm>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "config_service/domain/domain_name.h"
#include "pki/x509/certificate.h"

namespace sallyport::aws {
namespace {

using domain::ServerCertificateName;

constexpr size_t kAccountDigits = 12;
constexpr size_t kMaxRegionLength = 32;
constexpr size_t kMaxZoneLength = 32;
constexpr size_t kArnParts = 6;
constexpr size_t kHostIdLength = 10;

bool IsLowerOrDigit(char c) {
  return absl::ascii_islower(static_cast<unsigned char>(c)) ||
         absl::ascii_isdigit(static_cast<unsigned char>(c));
}

std::string GatewayArn(const Installation& installation,
                       absl::string_view collection, absl::string_view id) {
  return absl::StrCat("arn:aws:apigateway:", installation.region, "::/",
                      collection, "/", id);
}

}  // namespace

absl::Status CheckAccount(absl::string_view account) {
  if (account.size() == kAccountDigits &&
      std::all_of(account.begin(), account.end(), [](char c) {
        return absl::ascii_isdigit(static_cast<unsigned char>(c));
      })) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError("is not 12 digits");
}

absl::Status CheckRegion(absl::string_view region) {
  if (!region.empty() && region.size() <= kMaxRegionLength &&
      IsLowerOrDigit(region.front()) && IsLowerOrDigit(region.back()) &&
      std::all_of(region.begin(), region.end(),
                  [](char c) { return IsLowerOrDigit(c) || c == '-'; })) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      "is not 1 to 32 lower-case letters, digits and '-', like eu-central-1");
}

absl::Status CheckDomainSuffix(absl::string_view suffix) {
  if (absl::StartsWith(suffix, "*")) {
    return absl::InvalidArgumentError("begins with '*'; leave that out");
  }
  return domain::CheckDomain(suffix);
}

absl::Status CheckHostedZone(absl::string_view zone) {
  if (!zone.empty() && zone.size() <= kMaxZoneLength &&
      std::all_of(zone.begin(), zone.end(), [](char c) {
        return absl::ascii_isupper(static_cast<unsigned char>(c)) ||
               absl::ascii_isdigit(static_cast<unsigned char>(c));
      })) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      "is not 1 to 32 upper-case letters and digits");
}

std::string ArnOf(const Installation& installation,
                  const ServerCertificateName& certificate) {
  return absl::StrCat("arn:aws:acm:", installation.region, ":",
                      installation.account, ":certificate/", certificate.id());
}
std::string ArnOf(const Installation& installation,
                  const domain::DomainNameName& domain_name) {
  return GatewayArn(installation, "domainnames", domain_name.id());
}
std::string ArnOf(const Installation& installation,
                  const domain::ClientCertificateName& certificate) {
  return GatewayArn(installation, "clientcertificates", certificate.id());
}

absl::StatusOr<ServerCertificateName> ReadCertificateArn(
    const Installation& installation, absl::string_view arn) {
  const std::vector<absl::string_view> parts = absl::StrSplit(arn, ':');
  if (parts.size() != kArnParts || parts[0] != "arn" || parts[1] != "aws" ||
      parts[2] != "acm") {
    return absl::InvalidArgumentError(
        absl::StrCat("is no ARN of a certificate, like ",
                     ArnOf(installation, ServerCertificateName("ID"))));
  }
  if (parts[3] != installation.region || parts[4] != installation.account) {
    return absl::InvalidArgumentError(
        absl::StrCat("is of another region or account; this installation is ",
                     installation.region, ", ", installation.account));
  }
  absl::string_view id = parts[5];
  if (!absl::ConsumePrefix(&id, "certificate/") ||
      !domain::CheckId(ServerCertificateName::kIdRule, id).ok()) {
    return absl::InvalidArgumentError(
        "does not end in certificate/ and an id of [a-z0-9-]");
  }
  return ServerCertificateName(id);
}

ServerCertificateName ReadCertificateArn(const Installation& installation,
                                         absl::string_view field,
                                         absl::string_view arn,
                                         domain::Violations& violations) {
  absl::StatusOr<ServerCertificateName> name =
      ReadCertificateArn(installation, arn);
  if (name.ok()) return *std::move(name);
  violations.Add(field, domain::Reason::kFieldMalformed,
                 name.status().message());
  return ServerCertificateName();
}

std::string RegionalDomainName(const Installation& installation,
                               absl::string_view fleet_suffix,
                               const domain::DomainNameName& domain_name) {
  const pki::Sha256Digest digest = pki::Sha256(domain_name.id());
  const std::string suffix =
      !fleet_suffix.empty() ? std::string(fleet_suffix)
      : !installation.domain_suffix.empty()
          ? installation.domain_suffix
          : absl::StrCat("execute-api.", installation.region,
                         ".sallyport.internal");
  return absl::StrCat("d-",
                      domain::GenerateId(pki::AsBytes(digest), kHostIdLength),
                      ".", suffix);
}

}  // namespace sallyport::aws
