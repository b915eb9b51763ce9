#include "filters/cert_validator/refused_updates.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace sallyport::cert_validator {
namespace {

using ::testing::IsEmpty;
using Counter = RefusedUpdates::Counter;

TEST(RefusedUpdates, WaitForACounterAndAreTakenOnce) {
  RefusedUpdates::Add("truststore", RefusedUpdates::kContent);
  int woken = 0;
  const Counter counter([&] { ++woken; });
  EXPECT_EQ(woken, 1);
  RefusedUpdates::Add("truststore", RefusedUpdates::kContent);
  RefusedUpdates::Add("deny list", RefusedUpdates::kInPlace);
  EXPECT_EQ(woken, 3);
  const auto taken = Counter::Take();
  ASSERT_EQ(taken.size(), 2u);
  EXPECT_EQ(taken[0].first.file, "deny list");
  EXPECT_EQ(taken[0].first.why, "in_place");
  EXPECT_EQ(taken[0].second, 1u);
  EXPECT_EQ(taken[1].first.file, "truststore");
  EXPECT_EQ(taken[1].first.why, "content");
  EXPECT_EQ(taken[1].second, 2u);
  EXPECT_THAT(Counter::Take(), IsEmpty());
}

TEST(RefusedUpdates, WakeTheNewestCounterAndTheOneBeforeWhenItGoes) {
  int old_woken = 0;
  int new_woken = 0;
  const Counter old_counter([&] { ++old_woken; });
  {
    const Counter new_counter([&] { ++new_woken; });
    RefusedUpdates::Add("truststore", RefusedUpdates::kGone);
    EXPECT_EQ(new_woken, 1);
    EXPECT_EQ(old_woken, 0);
  }
  // The new one went without taking.
  EXPECT_EQ(old_woken, 1);
  EXPECT_EQ(Counter::Take().size(), 1u);
}

}  // namespace
}  // namespace sallyport::cert_validator
