// Client rules as resources hold them. What they mean, and whether they can be
// used, is for pki/chain/client_rule.h to say: the module asks the same.

#ifndef SALLYPORT_CONFIG_SERVICE_DOMAIN_CLIENT_RULE_H_
#define SALLYPORT_CONFIG_SERVICE_DOMAIN_CLIENT_RULE_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "config_service/domain/violations.h"
#include "pki/chain/client_rule.h"

namespace sallyport::domain {

// The owning form of pki::ClientRuleSpec; the fields are the same.
struct ClientRule {
  using Kind = pki::ClientRuleSpec::Kind;
  struct Attribute {
    std::string type;
    std::vector<std::string> exact;
    std::vector<std::string> prefix;
    std::vector<std::string> suffix;
    bool ignore_case = false;
  };

  Kind kind = Kind::kAll;
  std::vector<ClientRule> rules;      // kAll, kAny, kNone
  std::vector<std::string> values;    // all other kinds
  std::vector<std::string> spiffe;    // kSanUri
  std::vector<Attribute> attributes;  // kSubject, kIssuer
};

// CheckClientRule: compiles it as the module does, and adds CLIENT_RULE_INVALID
// at each part of it that is refused, below `field`.
void CheckClientRule(absl::string_view field, const ClientRule& rule,
                     Violations& violations);

// The names that matchers `truststore` of `rule` have, in order, repeated as
// they are.
std::vector<std::string> TruststoresOf(const ClientRule& rule);

}  // namespace sallyport::domain

#endif  // SALLYPORT_CONFIG_SERVICE_DOMAIN_CLIENT_RULE_H_
