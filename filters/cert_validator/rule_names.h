// RuleNames: what client rules name outside of the client's certificate, to
// tell the operator of a name that leads nowhere. Such a rule is no error,
// since a truststore may come later; but it lets nobody in.

#ifndef SALLYPORT_FILTERS_CERT_VALIDATOR_RULE_NAMES_H_
#define SALLYPORT_FILTERS_CERT_VALIDATOR_RULE_NAMES_H_

#include <atomic>
#include <cstdint>
#include <set>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "filters/cert_validator/trust_state.h"
#include "proto/sallyport/filter/v1/config.pb.h"

namespace sallyport::cert_validator {

class RuleNames {
 public:
  // Of a rule and those in it. Before the object is shared.
  void Add(const filter::v1::ClientRule& rule);

  // Warns in the log of truststores that the domain does not have, and of
  // certificate_list in a domain without lists. For when a rule let a trusted
  // client not in; looks once for each change of the trust, and says nothing
  // twice in a row. Thread-safe.
  void WarnOfMissing(const DomainTrust& domain) const;

 private:
  std::set<std::string> truststores_;
  bool lists_ = false;
  mutable std::atomic<uint64_t> looked_at_{0};  // DomainTrust::changes()
  mutable absl::Mutex mu_;
  mutable std::string told_ ABSL_GUARDED_BY(mu_);
};

}  // namespace sallyport::cert_validator

#endif  // SALLYPORT_FILTERS_CERT_VALIDATOR_RULE_NAMES_H_
