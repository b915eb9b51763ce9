#include "config_service/service/call_limiter.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "config_service/domain/violations.h"
#include "gtest/gtest.h"

namespace sallyport::service {
namespace {

constexpr CallLimiter::Limits kLimits = {/*burst=*/3, /*per_second=*/2,
                                         /*max_callers=*/2};

TEST(CallLimiter, LetsABurstThroughAndThenSoManyASecond) {
  FakeClock clock(absl::FromUnixSeconds(1'800'000'000));
  CallLimiter limiter(kLimits, &clock);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(limiter.Count("a").ok());
  const absl::Status status = limiter.Count("a");
  const auto error = domain::ErrorOf(status);
  ASSERT_TRUE(error.has_value());
  EXPECT_EQ(error->reason, domain::Reason::kRateLimited);
  EXPECT_EQ(error->metadata.at(0).second, "1");
  // Others are not slowed down.
  EXPECT_TRUE(limiter.Count("b").ok());
  clock.Advance(absl::Milliseconds(500));
  EXPECT_TRUE(limiter.Count("a").ok());
  EXPECT_FALSE(limiter.Count("a").ok());
  clock.Advance(absl::Hours(1));
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(limiter.Count("a").ok());
  EXPECT_FALSE(limiter.Count("a").ok());
}

TEST(CallLimiter, ForgetsWhoCalledLongestAgo) {
  FakeClock clock(absl::FromUnixSeconds(1'800'000'000));
  CallLimiter limiter(kLimits, &clock);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(limiter.Count("a").ok());
  EXPECT_FALSE(limiter.Count("a").ok());
  for (int i = 0; i < 100; ++i) {
    EXPECT_TRUE(limiter.Count(absl::StrCat("p", i)).ok());
  }
  EXPECT_TRUE(limiter.Count("a").ok());
}

TEST(CallLimiter, GivesNothingForAClockThatGoesBack) {
  FakeClock clock(absl::FromUnixSeconds(1'800'000'000));
  CallLimiter limiter(kLimits, &clock);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(limiter.Count("a").ok());
  clock.Advance(-absl::Hours(1));
  EXPECT_FALSE(limiter.Count("a").ok());
}

TEST(CallLimiter, LetsAnyNumberThroughWhenThereIsNoLimit) {
  FakeClock clock(absl::FromUnixSeconds(1'800'000'000));
  CallLimiter limiter({/*burst=*/0, /*per_second=*/0, /*max_callers=*/2},
                      &clock);
  for (int i = 0; i < 100; ++i) EXPECT_TRUE(limiter.Count("a").ok());
}

}  // namespace
}  // namespace sallyport::service
