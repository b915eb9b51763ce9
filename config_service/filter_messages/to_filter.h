// From values of the domain to messages of the module's configuration.

#ifndef SALLYPORT_CONFIG_SERVICE_FILTER_MESSAGES_TO_FILTER_H_
#define SALLYPORT_CONFIG_SERVICE_FILTER_MESSAGES_TO_FILTER_H_

#include "config_service/domain/client_rule.h"
#include "config_service/domain/domain_name.h"
#include "config_service/domain/forwarding.h"
#include "pki/chain/verify.h"
#include "proto/sallyport/filter/v1/config.pb.h"

namespace sallyport::filter_messages {

filter::v1::ClientRule ToFilter(const domain::ClientRule& rule);
filter::v1::Forwarding ToFilter(const domain::Forwarding& forwarding);
filter::v1::VerifyLimits ToFilter(const domain::VerifyLimits& limits);
filter::v1::PathRule ToFilter(const domain::PathRule& rule);
filter::v1::BadRequest ToFilter(const domain::BadRequest& bad_request);
filter::v1::ClientCertificate ToFilter(domain::ClientRequirement requirement);
filter::v1::RejectionStyle ToFilter(domain::RejectionStyle style);
filter::v1::ChainPolicy ToFilter(pki::ChainPolicy policy);
filter::v1::ExtendedKeyUsageRule ToFilter(pki::ExtendedKeyUsageRule rule);
filter::v1::RevocationRule ToFilter(pki::RevocationRule rule);
filter::v1::RevocationScope ToFilter(pki::RevocationScope scope);

}  // namespace sallyport::filter_messages

#endif  // SALLYPORT_CONFIG_SERVICE_FILTER_MESSAGES_TO_FILTER_H_
