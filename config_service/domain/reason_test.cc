#include "config_service/domain/reason.h"

#include <set>
#include <string>

#include "gtest/gtest.h"

namespace sallyport::domain {
namespace {

// That the reasons are those of the public API, tests/architecture checks.

TEST(Reason, HasANameOfItsOwnAndAStatus) {
  std::set<std::string> names;
  for (int number = 1; number < 1000; ++number) {
    const std::optional<Reason> reason = ReasonFromNumber(number);
    if (!reason.has_value()) continue;
    EXPECT_EQ(static_cast<int>(*reason), number);
    EXPECT_TRUE(names.insert(std::string(ReasonName(*reason))).second);
    EXPECT_NE(CodeOf(*reason), absl::StatusCode::kOk);
    EXPECT_NE(CodeOf(*reason), absl::StatusCode::kUnknown);
  }
  EXPECT_GT(names.size(), 80u);
}

TEST(Reason, OfAnUnknownNumberIsNone) {
  EXPECT_FALSE(ReasonFromNumber(0).has_value());
  EXPECT_FALSE(ReasonFromNumber(999).has_value());
  EXPECT_EQ(CodeOf(static_cast<Reason>(999)), absl::StatusCode::kInternal);
}

}  // namespace
}  // namespace sallyport::domain
