#include "filters/shim/delayed_wake.h"

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "gtest/gtest.h"

namespace sallyport::shim {
namespace {

TEST(DelayedWake, WakesOnceForManyRings) {
  std::atomic<int> woken{0};
  absl::Notification done;
  DelayedWake wake([&] {
    if (woken.fetch_add(1) == 0) done.Notify();
  });
  for (int i = 0; i < 1000; ++i) wake.Ring();
  done.WaitForNotification();
  EXPECT_EQ(woken.load(), 1);
}

TEST(DelayedWake, WakesAgainWhenItIsRungAgain) {
  absl::Notification first;
  absl::Notification second;
  std::atomic<int> woken{0};
  DelayedWake wake([&] {
    const int now = woken.fetch_add(1) + 1;
    if (now == 1) first.Notify();
    if (now == 2) second.Notify();
  });
  wake.Ring();
  first.WaitForNotification();
  wake.Ring();
  second.WaitForNotification();
}

TEST(DelayedWake, DoesNotWakeAfterItsEnd) {
  // The second is rung later, so that its wake comes no earlier than the
  // first's would have come.
  std::atomic<int> woken{0};
  auto ended = std::make_unique<DelayedWake>([&] { woken.fetch_add(1); });
  absl::Notification done;
  DelayedWake other([&] { done.Notify(); });
  ended->Ring();
  other.Ring();
  ended.reset();
  done.WaitForNotification();
  EXPECT_EQ(woken.load(), 0);
}

TEST(DelayedWake, LosesNothingThatWasDoneBeforeARing) {
  constexpr int kThreads = 4;
  constexpr int kEach = 50000;
  std::atomic<int> added{0};
  std::atomic<int> taken{0};
  DelayedWake wake([&] { taken.fetch_add(added.exchange(0)); });
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] {
      for (int j = 0; j < kEach; ++j) {
        added.fetch_add(1);
        wake.Ring();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  while (taken.load() < kThreads * kEach) absl::SleepFor(absl::Milliseconds(1));
  EXPECT_EQ(taken.load(), kThreads * kEach);
}

}  // namespace
}  // namespace sallyport::shim
