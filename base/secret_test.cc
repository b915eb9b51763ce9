#include "base/secret.h"

#include <sstream>
#include <string>
#include <type_traits>
#include <utility>

#include "gtest/gtest.h"

namespace sallyport {
namespace {

TEST(Secret, PrintsNothingOfItself) {
  const Secret secret = Secret::CopyOf("correct horse");
  std::ostringstream out;
  out << secret;
  EXPECT_EQ(out.str(), "[secret]");
  // What a failed expectation prints.
  EXPECT_EQ(testing::PrintToString(secret), "[secret]");
}

TEST(Secret, TakesTheBytesAndLeavesNoneBehind) {
  // Short enough to lie in the string itself, where a move leaves it.
  std::string source = "battery";
  const char* where = source.data();
  const Secret secret(std::move(source));
  EXPECT_EQ(secret.Reveal(), "battery");
  EXPECT_TRUE(source.empty());  // NOLINT(bugprone-use-after-move)
  EXPECT_EQ(std::string(where, 7), std::string(7, '\0'));
}

TEST(Secret, IsMovedWithoutALeftover) {
  Secret first = Secret::CopyOf("staple");
  const char* where = first.Reveal().data();
  const Secret second = std::move(first);
  EXPECT_EQ(second.Reveal(), "staple");
  EXPECT_TRUE(first.empty());  // NOLINT(bugprone-use-after-move)
  EXPECT_EQ(std::string(where, 6), std::string(6, '\0'));

  Secret third = Secret::CopyOf("replaced");
  third = second.Clone();
  EXPECT_EQ(third.Reveal(), "staple");
}

TEST(Secret, IsNotCopiedByAccident) {
  static_assert(!std::is_copy_constructible<Secret>::value, "");
  static_assert(!std::is_copy_assignable<Secret>::value, "");
  static_assert(!std::is_convertible<Secret, absl::string_view>::value, "");
  static_assert(!std::is_convertible<std::string, Secret>::value, "");
}

TEST(WipeString, OverwritesWhatLiesBeyondTheEnd) {
  std::string text = "a longer text that does not fit into the string itself";
  const char* where = text.data();
  const size_t len = text.size();
  text.resize(3);
  WipeString(text);
  EXPECT_TRUE(text.empty());
  EXPECT_EQ(std::string(where, len), std::string(len, '\0'));
}

}  // namespace
}  // namespace sallyport
