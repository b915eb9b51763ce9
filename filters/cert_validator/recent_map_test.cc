#include "filters/cert_validator/recent_map.h"

#include <memory>

#include "gtest/gtest.h"

namespace sallyport::cert_validator {
namespace {

std::shared_ptr<const int> Number(int n) {
  return std::make_shared<const int>(n);
}

TEST(RecentMap, FindsWhatWasPut) {
  RecentMap<int, int> map(3, 100);
  EXPECT_EQ(map.Find(1), nullptr);
  map.Put(1, Number(10), 1);
  EXPECT_EQ(*map.Find(1), 10);
  map.Put(1, Number(11), 5);
  EXPECT_EQ(*map.Find(1), 11);
  EXPECT_EQ(map.size(), 1u);
  EXPECT_EQ(map.bytes(), 5u);
}

TEST(RecentMap, ForgetsTheLeastRecentlyUsed) {
  RecentMap<int, int> map(3, 100);
  for (int i = 1; i <= 3; ++i) map.Put(i, Number(i), 1);
  map.Find(1);
  map.Put(4, Number(4), 1);
  EXPECT_EQ(map.Find(2), nullptr);
  EXPECT_NE(map.Find(1), nullptr);
  EXPECT_EQ(map.size(), 3u);
}

TEST(RecentMap, StaysWithinItsBytes) {
  RecentMap<int, int> map(100, 100);
  for (int i = 0; i < 1000; ++i) {
    map.Put(i, Number(i), 30);
    EXPECT_LE(map.bytes(), 100u);
  }
  EXPECT_EQ(map.size(), 3u);
  EXPECT_NE(map.Find(999), nullptr);
  map.Put(5, Number(5), 100);
  EXPECT_EQ(map.size(), 1u);
}

TEST(RecentMap, DoesNotKeepWhatIsTooLargeByItself) {
  RecentMap<int, int> map(100, 100);
  map.Put(1, Number(1), 50);
  map.Put(2, Number(2), 101);
  EXPECT_EQ(map.Find(2), nullptr);
  EXPECT_NE(map.Find(1), nullptr);
  // An older value of the same key does not come back.
  map.Put(1, Number(3), 101);
  EXPECT_EQ(map.Find(1), nullptr);
  EXPECT_EQ(map.bytes(), 0u);
}

}  // namespace
}  // namespace sallyport::cert_validator
