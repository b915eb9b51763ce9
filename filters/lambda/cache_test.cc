#include "filters/lambda/cache.h"

#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace sallyport::lambda {
namespace {

const absl::Time kNow = absl::FromUnixSeconds(1000);

std::shared_ptr<const AuthorizerAnswer> Answer(size_t bytes = 100) {
  auto answer = std::make_shared<AuthorizerAnswer>();
  answer->bytes = bytes;
  return answer;
}

TEST(AnswerCache, ForgetsAtTheEndOfItsTime) {
  AnswerCache cache(absl::Seconds(300));
  cache.Put("key", "client", Answer(), kNow);
  EXPECT_NE(cache.Find("key", kNow + absl::Seconds(299)), nullptr);
  EXPECT_EQ(cache.Find("other", kNow), nullptr);
  EXPECT_EQ(cache.Find("key", kNow + absl::Seconds(300)), nullptr);
  EXPECT_EQ(cache.size(), 0u);
}

TEST(AnswerCache, DoesNotTrustAClockThatWasSetBack) {
  AnswerCache cache(absl::Seconds(300));
  cache.Put("key", "client", Answer(), kNow);
  EXPECT_EQ(cache.Find("key", kNow - absl::Seconds(1)), nullptr);
}

TEST(AnswerCache, RemembersNothingWithoutATime) {
  AnswerCache cache(absl::ZeroDuration());
  cache.Put("key", "client", Answer(), kNow);
  EXPECT_EQ(cache.size(), 0u);
}

TEST(AnswerCache, HasALimitOfEntries) {
  AnswerCache cache(absl::Seconds(300));
  for (size_t i = 0; i <= kMaxCachedAnswers; ++i) {
    cache.Put(absl::StrCat(i), absl::StrCat("client", i), Answer(), kNow);
    // Used again and again.
    EXPECT_NE(cache.Find("0", kNow), nullptr);
  }
  EXPECT_EQ(cache.size(), kMaxCachedAnswers);
  EXPECT_EQ(cache.Find("1", kNow), nullptr);
}

TEST(AnswerCache, HasALimitOfBytes) {
  AnswerCache cache(absl::Seconds(300));
  cache.Put("a", "client", Answer(kMaxCachedAnswerBytes / 2), kNow);
  cache.Put("b", "client", Answer(kMaxCachedAnswerBytes / 2), kNow);
  EXPECT_EQ(cache.size(), 2u);
  cache.Put("c", "client", Answer(1), kNow);
  EXPECT_EQ(cache.size(), 2u);
  EXPECT_EQ(cache.Find("a", kNow), nullptr);
  cache.Put("d", "client", Answer(kMaxCachedAnswerBytes + 1), kNow);
  EXPECT_EQ(cache.Find("d", kNow), nullptr);
  EXPECT_EQ(cache.size(), 2u);
}

TEST(AnswerCache, KeepsOneClientFromPushingOutTheOthers) {
  AnswerCache cache(absl::Seconds(300));
  cache.Put("victim", "honest", Answer(), kNow);
  for (size_t i = 0; i < 3 * kMaxCachedAnswers; ++i) {
    cache.Put(absl::StrCat("flood", i), "attacker", Answer(), kNow);
  }
  EXPECT_EQ(cache.size(), kMaxCachedAnswersOfOneClient + 1);
  EXPECT_NE(cache.Find("victim", kNow), nullptr);
}

TEST(CacheKeyOf, TellsListsApart) {
  EXPECT_EQ(CacheKeyOf({"a", "b"}), CacheKeyOf({"a", "b"}));
  EXPECT_NE(CacheKeyOf({"a", "b"}), CacheKeyOf({"ab"}));
  EXPECT_NE(CacheKeyOf({"a", "b"}), CacheKeyOf({"ab", ""}));
  EXPECT_NE(CacheKeyOf({"1:a"}), CacheKeyOf({"", "a"}));
}

}  // namespace
}  // namespace sallyport::lambda
