// Withdrawal: a domain that is not served any more, though filter chains of it
// are still there: Envoy keeps them until their connections are drained.

#ifndef SALLYPORT_FILTERS_CERT_VALIDATOR_WITHDRAWAL_H_
#define SALLYPORT_FILTERS_CERT_VALIDATOR_WITHDRAWAL_H_

#include <string>

#include "absl/strings/string_view.h"

namespace sallyport::cert_validator {

// While one lives, the domain does not count as one with a configuration of its
// own. Thread-safe.
class Withdrawal {
 public:
  // `domain` as ReadDomain() returns it.
  explicit Withdrawal(absl::string_view domain);
  ~Withdrawal();
  Withdrawal(const Withdrawal&) = delete;
  Withdrawal& operator=(const Withdrawal&) = delete;

  // Whether there is one of `domain`. A short lock.
  static bool Is(absl::string_view domain);

 private:
  const std::string domain_;
};

}  // namespace sallyport::cert_validator

#endif  // SALLYPORT_FILTERS_CERT_VALIDATOR_WITHDRAWAL_H_
