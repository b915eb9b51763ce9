// Client rules from the module's configuration.

#ifndef SALLYPORT_FILTERS_CERT_VALIDATOR_READ_CLIENT_RULE_H_
#define SALLYPORT_FILTERS_CERT_VALIDATOR_READ_CLIENT_RULE_H_

#include <memory>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "pki/chain/client_rule.h"
#include "proto/sallyport/filter/v1/config.pb.h"

namespace sallyport::cert_validator {

// ReadClientRule: `rule` compiled. `field` is where it stands ("allow",
// "paths[2].allow"). A rule that sets nothing is an error, as is an empty list:
// whether a field is there at all is for the caller to ask (has_allow()).
//
// InvalidArgument or ResourceExhausted, as pki::ClientRule::Compile(): the
// message begins with the path of the field that is wrong.
absl::StatusOr<std::shared_ptr<const pki::ClientRule>> ReadClientRule(
    const filter::v1::ClientRule& rule, absl::string_view field);

}  // namespace sallyport::cert_validator

#endif  // SALLYPORT_FILTERS_CERT_VALIDATOR_READ_CLIENT_RULE_H_
