#include "base/clock.h"

namespace sallyport {
namespace {

class SystemClock final : public Clock {
 public:
  absl::Time Now() const override { return absl::Now(); }
};

}  // namespace

const Clock& Clock::System() {
  static const Clock* const kClock = new SystemClock();
  return *kClock;
}

}  // namespace sallyport
