// Clock: the one source of the current time, so that tests can set it.

#ifndef SALLYPORT_BASE_CLOCK_H_
#define SALLYPORT_BASE_CLOCK_H_

#include <atomic>
#include <cstdint>

#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace sallyport {

// Clock: thread-safe. Now() is wall-clock time; it may go backwards when the
// machine's clock is set.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual absl::Time Now() const = 0;

  // The machine's clock. Never destroyed.
  static const Clock& System();
};

// FakeClock: stands still until it is moved. For tests.
class FakeClock : public Clock {
 public:
  explicit FakeClock(absl::Time now) : unix_nanos_(absl::ToUnixNanos(now)) {}

  absl::Time Now() const override {
    return absl::FromUnixNanos(unix_nanos_.load(std::memory_order_acquire));
  }
  void Set(absl::Time now) {
    unix_nanos_.store(absl::ToUnixNanos(now), std::memory_order_release);
  }
  void Advance(absl::Duration d) { Set(Now() + d); }

 private:
  std::atomic<int64_t> unix_nanos_;
};

}  // namespace sallyport

#endif  // SALLYPORT_BASE_CLOCK_H_
