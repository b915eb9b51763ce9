#include "config_service/service/call_limiter.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "config_service/domain/violations.h"

namespace sallyport::service {

absl::Status CallLimiter::Count(const std::string& who) {
  if (limits_.per_second <= 0) return absl::OkStatus();
  const absl::Time now = clock_->Now();
  absl::MutexLock lock(&mu_);
  const auto it = index_.find(who);
  if (it == index_.end()) {
    if (buckets_.size() >= limits_.max_callers && !buckets_.empty()) {
      index_.erase(buckets_.back().who);
      buckets_.pop_back();
    }
    buckets_.push_front({who, limits_.burst, now});
    index_[who] = buckets_.begin();
  } else {
    buckets_.splice(buckets_.begin(), buckets_, it->second);
  }
  Bucket& bucket = buckets_.front();
  const double passed = std::max(0.0, absl::ToDoubleSeconds(now - bucket.time));
  bucket.tokens =
      std::min(limits_.burst, bucket.tokens + passed * limits_.per_second);
  bucket.time = now;
  if (bucket.tokens >= 1) {
    bucket.tokens -= 1;
    return absl::OkStatus();
  }
  const int wait =
      static_cast<int>(std::ceil((1 - bucket.tokens) / limits_.per_second));
  return domain::MakeError(
      domain::Reason::kRateLimited,
      absl::StrCat("too many calls; wait ", wait,
                   " s (--principal-calls-per-second of sallyportd)"),
      {{"retry_after_seconds", absl::StrCat(wait)},
       {"limit", "principal-calls-per-second"}});
}

}  // namespace sallyport::service
