#include "filters/cert_validator/trust_watch.h"

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include "absl/time/clock.h"
#include "base/clock.h"
#include "filters/cert_validator/test_support.h"
#include "filters/shim/clock.h"
#include "filters/shim/fake_envoy.h"
#include "gtest/gtest.h"

namespace sallyport::cert_validator {
namespace {

std::shared_ptr<const TrustState> StateOfVersion(
    const char* version, const char* name = "partners") {
  TrustState::Spec spec;
  spec.domain = "watched.example.com";
  spec.active.sources.emplace_back();
  spec.active.sources[0].name = name;
  spec.active.sources[0].version = version;
  spec.active.sources[0].truststore =
      *SharedTruststore::Get(Certificates().root.pem, {});
  return TrustState::Intern(spec);
}

class TrustWatchTest : public testing::Test {
 protected:
  std::unique_ptr<TrustWatch> Watch(uint64_t seen, absl::Time at) {
    return std::make_unique<TrustWatch>(domain_, seen, at,
                                        [this] { ++woken_; });
  }
  bool WokenTimes(int n) {
    return WaitFor([&] { return woken_ == n; });
  }

  const std::shared_ptr<DomainTrust> domain_ =
      DomainTrust::For("watched.example.com");
  const std::shared_ptr<const TrustState> one_ = StateOfVersion("1");
  const std::shared_ptr<const TrustState> two_ = StateOfVersion("2");
  DomainTrust::Binding binding_{domain_, one_};
  std::atomic<int> woken_{0};
};

TEST_F(TrustWatchTest, WakesWhenTheTrustChanges) {
  const auto watch = Watch(domain_->changes(), absl::InfiniteFuture());
  EXPECT_EQ(woken_, 0);
  binding_.Set(two_);
  EXPECT_TRUE(WokenTimes(1));
  binding_.Set(one_);  // once only
  const auto next = Watch(domain_->changes() - 1, absl::InfiniteFuture());
  EXPECT_TRUE(WokenTimes(2));
}

TEST_F(TrustWatchTest, WakesAtOnceWhenTheChangeCameBefore) {
  const uint64_t seen = domain_->changes();
  binding_.Set(two_);
  const auto watch = Watch(seen, absl::InfiniteFuture());
  EXPECT_TRUE(WokenTimes(1));
}

TEST_F(TrustWatchTest, WakesWhenAnOlderLineageChanges) {
  DomainTrust::Binding newer(domain_, StateOfVersion("1", "others"));
  const uint64_t in_force = domain_->current_id();
  const auto watch = Watch(domain_->changes(), absl::InfiniteFuture());
  binding_.Set(two_);
  EXPECT_EQ(domain_->current_id(), in_force);
  EXPECT_TRUE(WokenTimes(1));
}

TEST_F(TrustWatchTest, WakesAtItsTimeAndNotBefore) {
  const absl::Time start = absl::Now();
  const auto later = Watch(domain_->changes(), start + absl::Hours(1));
  const auto soon = Watch(domain_->changes(), start + absl::Milliseconds(200));
  EXPECT_TRUE(WokenTimes(1));
  EXPECT_GE(absl::Now(), start + absl::Milliseconds(200));
}

TEST_F(TrustWatchTest, WakesAtATimeThatHasPassed) {
  const auto watch = Watch(domain_->changes(), absl::InfinitePast());
  EXPECT_TRUE(WokenTimes(1));
}

TEST_F(TrustWatchTest, SeesTheClockJump) {
  static FakeClock clock(absl::Now());
  shim::SetModuleClockForTest(&clock);
  const auto watch = Watch(domain_->changes(), clock.Now() + absl::Hours(1));
  EXPECT_EQ(woken_, 0);
  clock.Set(clock.Now() + absl::Hours(2));
  EXPECT_TRUE(WokenTimes(1));
  shim::SetModuleClockForTest(nullptr);
}

TEST_F(TrustWatchTest, DoesNotWakeAfterItsEnd) {
  for (int i = 0; i < 200; ++i) {
    auto alive = std::make_unique<std::atomic<int>>(0);
    {
      std::atomic<int>* const counter = alive.get();
      TrustWatch watch(domain_, domain_->changes(), absl::InfiniteFuture(),
                       [counter] { ++*counter; });
      binding_.Set(i % 2 == 0 ? two_ : one_);
    }
    // A late call would write to freed memory (seen by the sanitizers).
    alive.reset();
    binding_.Set(one_);
  }
}

TEST_F(TrustWatchTest, ServesManyThreads) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&] {
      std::vector<std::unique_ptr<TrustWatch>> watches;
      for (int i = 0; i < 100; ++i) {
        watches.push_back(Watch(domain_->changes(), absl::InfiniteFuture()));
      }
      if (woken_ >= 0) binding_.Set(two_);
      EXPECT_TRUE(WaitFor([&] { return woken_ >= 800; }));
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(woken_, 800);
}

}  // namespace
}  // namespace sallyport::cert_validator
