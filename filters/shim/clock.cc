#include "filters/shim/clock.h"

#include <atomic>

namespace sallyport::shim {
namespace {

std::atomic<const Clock*> clock_for_test{nullptr};

}  // namespace

const Clock& ModuleClock() {
  const Clock* clock = clock_for_test.load(std::memory_order_acquire);
  return clock != nullptr ? *clock : Clock::System();
}

void SetModuleClockForTest(const Clock* clock) {
  clock_for_test.store(clock, std::memory_order_release);
}

}  // namespace sallyport::shim
