// Installation: what an AWS account and region are here, and the names that are
// made of them.

#ifndef SALLYPORT_CONFIG_SERVICE_AWS_INSTALLATION_H_
#define SALLYPORT_CONFIG_SERVICE_AWS_INSTALLATION_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "config_service/domain/name.h"
#include "config_service/domain/violations.h"

namespace sallyport::aws {

// What Amazon's documents write.
constexpr char kDefaultAccount[] = "123456789012";
constexpr char kDefaultRegion[] = "us-east-1";
constexpr char kDefaultHostedZone[] = "Z0SALLYPORT0000";

struct Installation {
  std::string account = kDefaultAccount;
  std::string region = kDefaultRegion;
  // regionalDomainName is "d-ID." and this, unless the fleets have a suffix of
  // default endpoints, which counts then. Empty:
  // "execute-api.REGION.sallyport.internal".
  std::string domain_suffix;
  std::string hosted_zone = kDefaultHostedZone;
};

// CheckInstallation: InvalidArgument with what is wrong: the account is 12
// digits, the region as Amazon writes its own ("eu-central-1"), the suffix a
// host name, the zone of [A-Z0-9].
absl::Status CheckAccount(absl::string_view account);
absl::Status CheckRegion(absl::string_view region);
absl::Status CheckDomainSuffix(absl::string_view suffix);
absl::Status CheckHostedZone(absl::string_view zone);

// "arn:aws:acm:REGION:ACCOUNT:certificate/ID".
std::string ArnOf(const Installation& installation,
                  const domain::ServerCertificateName& certificate);
// "arn:aws:apigateway:REGION::/domainnames/api.example.com".
std::string ArnOf(const Installation& installation,
                  const domain::DomainNameName& domain_name);
std::string ArnOf(const Installation& installation,
                  const domain::ClientCertificateName& certificate);

// ReadCertificateArn: the certificate that `arn` names; InvalidArgument with
// what is wrong. It must be of this installation's account and region.
absl::StatusOr<domain::ServerCertificateName> ReadCertificateArn(
    const Installation& installation, absl::string_view arn);
// The same, at a field of a request; empty, and a violation there, when it is
// none.
domain::ServerCertificateName ReadCertificateArn(
    const Installation& installation, absl::string_view field,
    absl::string_view arn, domain::Violations& violations);

// RegionalDomainName: the host name that a domain's DNS record is to point to:
// "d-" and 10 characters that the domain decides, under `fleet_suffix`, or
// where that is empty under the installation's.
std::string RegionalDomainName(const Installation& installation,
                               absl::string_view fleet_suffix,
                               const domain::DomainNameName& domain_name);

}  // namespace sallyport::aws

#endif  // SALLYPORT_CONFIG_SERVICE_AWS_INSTALLATION_H_
