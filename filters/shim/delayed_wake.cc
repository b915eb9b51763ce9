#include "filters/shim/delayed_wake.h"

#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_set.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "filters/shim/background_thread.h"

namespace sallyport::shim {

// The background thread.
class DelayedWake::Ringer {
 public:
  static Ringer& Global() {
    static auto& ringer = *new Ringer;  // never destroyed
    return ringer;
  }

  void Add(DelayedWake* wake) {
    absl::MutexLock lock(&mu_);
    waiting_.insert(wake);
    if (started_) return;
    started_ = true;
    StartBackgroundThread("sallyport:wake", [this] { Run(); });
  }

  void Remove(DelayedWake* wake) {
    absl::MutexLock lock(&mu_);
    waiting_.erase(wake);
  }

 private:
  Ringer() = default;

  void Run() {
    while (true) {
      {
        absl::MutexLock lock(&mu_);
        mu_.Await(absl::Condition(
            +[](absl::flat_hash_set<DelayedWake*>* waiting) {
              return !waiting->empty();
            },
            &waiting_));
      }
      absl::SleepFor(kWakeDelay);
      // Under the lock: ~DelayedWake() waits for it.
      absl::MutexLock lock(&mu_);
      for (DelayedWake* wake : waiting_) {
        // First: what is done from here on rings again.
        wake->rung_.store(false);
        wake->wake_();
      }
      waiting_.clear();
    }
  }

  absl::Mutex mu_;
  bool started_ ABSL_GUARDED_BY(mu_) = false;
  absl::flat_hash_set<DelayedWake*> waiting_ ABSL_GUARDED_BY(mu_);
};

DelayedWake::DelayedWake(std::function<void()> wake) : wake_(std::move(wake)) {}

DelayedWake::~DelayedWake() { Ringer::Global().Remove(this); }

void DelayedWake::RingFirst() {
  if (!rung_.exchange(true)) Ringer::Global().Add(this);
}

}  // namespace sallyport::shim
