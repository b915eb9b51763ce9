// DelayedWake: tells somebody, a moment later, that there is something to do,
// however often it is asked for in between. For what workers leave behind by
// the thousand and somebody else takes in one go.

#ifndef SALLYPORT_FILTERS_SHIM_DELAYED_WAKE_H_
#define SALLYPORT_FILTERS_SHIM_DELAYED_WAKE_H_

#include <atomic>
#include <functional>

#include "absl/time/time.h"

namespace sallyport::shim {

// How long after the first Ring() the wake comes, about.
inline constexpr absl::Duration kWakeDelay = absl::Milliseconds(250);

// Thread-safe. One background thread in the process serves all of them: it
// starts with the first Ring(), blocks all signals, sleeps while nothing is
// rung, and is never joined (the module stays loaded until the process ends).
class DelayedWake {
 public:
  // `wake` is called on the background thread: it must not block nor throw, and
  // must not make, ring or destroy a DelayedWake. It posts an event.
  explicit DelayedWake(std::function<void()> wake);
  // Afterwards `wake` is not running and will not run.
  ~DelayedWake();
  DelayedWake(const DelayedWake&) = delete;
  DelayedWake& operator=(const DelayedWake&) = delete;

  // `wake` runs within kWakeDelay and a little, after whatever the caller did
  // before this. One atomic read when it has been rung already.
  void Ring() {
    if (!rung_.load()) RingFirst();
  }

 private:
  class Ringer;

  void RingFirst();

  std::atomic<bool> rung_{false};
  const std::function<void()> wake_;
};

}  // namespace sallyport::shim

#endif  // SALLYPORT_FILTERS_SHIM_DELAYED_WAKE_H_
