// From messages of the module's configuration to values of the domain. The
// public API and the stored records have these messages in their own.
//
// What a message cannot say in the domain (an enum's number without a name, a
// rule that sets nothing) is added to `violations` at its field; the result
// then does not count. What a value may be is for domain's Validate() to say.

#ifndef SALLYPORT_CONFIG_SERVICE_FILTER_MESSAGES_FROM_FILTER_H_
#define SALLYPORT_CONFIG_SERVICE_FILTER_MESSAGES_FROM_FILTER_H_

#include <optional>

#include "absl/strings/string_view.h"
#include "config_service/domain/client_rule.h"
#include "config_service/domain/domain_name.h"
#include "config_service/domain/forwarding.h"
#include "config_service/domain/violations.h"
#include "pki/chain/verify.h"
#include "pki/truststore/truststore.h"
#include "proto/sallyport/filter/v1/config.pb.h"

namespace sallyport::filter_messages {

domain::ClientRule FromFilter(absl::string_view field,
                              const filter::v1::ClientRule& rule,
                              domain::Violations& violations);
domain::Forwarding FromFilter(absl::string_view field,
                              const filter::v1::Forwarding& forwarding,
                              domain::Violations& violations);
domain::PathRule FromFilter(absl::string_view field,
                            const filter::v1::PathRule& rule,
                            domain::Violations& violations);
domain::BadRequest FromFilter(const filter::v1::BadRequest& bad_request);
domain::VerifyLimits FromFilter(const filter::v1::VerifyLimits& limits);

// Unspecified is the default that config.proto names.
domain::RejectionStyle FromFilter(absl::string_view field,
                                  filter::v1::RejectionStyle style,
                                  domain::Violations& violations);
pki::ChainPolicy FromFilter(absl::string_view field,
                            filter::v1::ChainPolicy policy,
                            domain::Violations& violations);
pki::RevocationRule FromFilter(absl::string_view field,
                               filter::v1::RevocationRule rule,
                               domain::Violations& violations);
pki::RevocationScope FromFilter(absl::string_view field,
                                filter::v1::RevocationScope scope,
                                domain::Violations& violations);

// Unspecified is nothing: what stands elsewhere counts.
std::optional<domain::ClientRequirement> FromFilter(
    absl::string_view field, filter::v1::ClientCertificate requirement,
    domain::Violations& violations);
std::optional<pki::ExtendedKeyUsageRule> FromFilter(
    absl::string_view field, filter::v1::ExtendedKeyUsageRule rule,
    domain::Violations& violations);

}  // namespace sallyport::filter_messages

#endif  // SALLYPORT_CONFIG_SERVICE_FILTER_MESSAGES_FROM_FILTER_H_
