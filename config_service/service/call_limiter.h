// CallLimiter: how often each caller may call: so many times at once, and so
// many times a second.

#ifndef SALLYPORT_CONFIG_SERVICE_SERVICE_CALL_LIMITER_H_
#define SALLYPORT_CONFIG_SERVICE_SERVICE_CALL_LIMITER_H_

#include <cstddef>
#include <list>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "base/clock.h"

namespace sallyport::service {

// Thread-safe.
class CallLimiter {
 public:
  struct Limits {
    double burst = 0;
    double per_second = 0;  // 0: any number
    // Callers whose calls are counted; of more, those who called last.
    size_t max_callers = 0;
  };

  // `clock` outlives it.
  CallLimiter(const Limits& limits, const Clock* clock)
      : limits_(limits), clock_(clock) {}

  // Counts a call of `who`. RATE_LIMITED, with "retry_after_seconds".
  absl::Status Count(const std::string& who);

 private:
  struct Bucket {
    std::string who;
    double tokens;
    absl::Time time;
  };

  const Limits limits_;
  const Clock* const clock_;
  absl::Mutex mu_;
  // The last used first.
  std::list<Bucket> buckets_ ABSL_GUARDED_BY(mu_);
  absl::flat_hash_map<std::string, std::list<Bucket>::iterator> index_
      ABSL_GUARDED_BY(mu_);
};

}  // namespace sallyport::service

#endif  // SALLYPORT_CONFIG_SERVICE_SERVICE_CALL_LIMITER_H_
