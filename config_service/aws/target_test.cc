#include "config_service/aws/target.h"

#include <string>

#include "config_service/aws/limits.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace sallyport::aws {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

TEST(ParseTarget, DecodesEachSegmentByItself) {
  const auto target =
      ParseTarget("/tags/arn%3Aaws%2Fx/?tagKeys=a&tagKeys=b%20c");
  ASSERT_TRUE(target.has_value());
  EXPECT_EQ(target->path, "/tags/arn%3Aaws%2Fx/");
  EXPECT_THAT(target->segments, ElementsAre("tags", "arn:aws/x"));
  EXPECT_THAT(target->query,
              ElementsAre(Pair("tagKeys", "a"), Pair("tagKeys", "b c")));
}

TEST(ParseTarget, TakesTheRootAndParametersWithoutValue) {
  const auto target = ParseTarget("/?mode&a=b=c&x=1+2");
  ASSERT_TRUE(target.has_value());
  EXPECT_THAT(target->segments, IsEmpty());
  EXPECT_THAT(target->query, ElementsAre(Pair("mode", ""), Pair("a", "b=c"),
                                         Pair("x", "1+2")));
}

TEST(ParseTarget, KeepsEmptySegmentsInTheMiddle) {
  const auto target = ParseTarget("/a//b");
  ASSERT_TRUE(target.has_value());
  EXPECT_THAT(target->segments, ElementsAre("a", "", "b"));
}

TEST(ParseTarget, RefusesWhatCannotBeRead) {
  for (const char* text : {"", "a", "*", "/%", "/%4", "/%zz", "/%00", "/?a=%",
                           "/?%g0=1", "http://x/"}) {
    EXPECT_FALSE(ParseTarget(text).has_value()) << text;
  }
  EXPECT_TRUE(
      ParseTarget("/" + std::string(kMaxTargetBytes - 1, 'a')).has_value());
  EXPECT_FALSE(
      ParseTarget("/" + std::string(kMaxTargetBytes, 'a')).has_value());
}

}  // namespace
}  // namespace sallyport::aws
