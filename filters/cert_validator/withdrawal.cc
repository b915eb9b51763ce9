#include "filters/cert_validator/withdrawal.h"

#include <cstddef>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/synchronization/mutex.h"

namespace sallyport::cert_validator {
namespace {

struct Withdrawals {
  absl::Mutex mu;
  // How many live.
  absl::flat_hash_map<std::string, size_t> by_domain ABSL_GUARDED_BY(mu);
};
Withdrawals& All() {
  static auto& all = *new Withdrawals;
  return all;
}

}  // namespace

Withdrawal::Withdrawal(absl::string_view domain) : domain_(domain) {
  Withdrawals& all = All();
  absl::MutexLock lock(&all.mu);
  ++all.by_domain[domain_];
}

Withdrawal::~Withdrawal() {
  Withdrawals& all = All();
  absl::MutexLock lock(&all.mu);
  const auto it = all.by_domain.find(domain_);
  if (--it->second == 0) all.by_domain.erase(it);
}

bool Withdrawal::Is(absl::string_view domain) {
  Withdrawals& all = All();
  absl::ReaderMutexLock lock(&all.mu);
  return all.by_domain.contains(domain);
}

}  // namespace sallyport::cert_validator
