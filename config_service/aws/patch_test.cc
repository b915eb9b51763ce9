#include "config_service/aws/patch.h"

#include "config_service/aws/limits.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace sallyport::aws {
namespace {

using domain::Reason;
using domain::Violations;
using ::testing::ElementsAre;
using Kind = PatchOperation::Kind;

Json Patch(Json operations) {
  return Json{{"patchOperations", std::move(operations)}};
}

TEST(ReadPatch, GivesTheOperationsInOrder) {
  Violations violations;
  const auto operations = ReadPatch(
      Patch(Json::array({{{"op", "replace"}, {"path", "/a"}, {"value", "1"}},
                         {{"op", "add"}, {"path", "/b"}, {"value", ""}},
                         {{"op", "remove"}, {"path", "/c"}}})),
      violations);
  ASSERT_TRUE(violations.empty()) << violations.ToStatus();
  ASSERT_EQ(operations.size(), 3u);
  EXPECT_EQ(operations[0].kind, Kind::kReplace);
  EXPECT_EQ(operations[0].path, "/a");
  EXPECT_EQ(operations[0].value, "1");
  EXPECT_EQ(operations[1].kind, Kind::kAdd);
  EXPECT_EQ(operations[2].kind, Kind::kRemove);
  EXPECT_EQ(operations[2].field, "patchOperations[2]");
}

TEST(ReadPatch, TakesABodyWithout) {
  Violations violations;
  EXPECT_TRUE(ReadPatch(Json::object(), violations).empty());
  EXPECT_TRUE(violations.empty());
}

TEST(ReadPatch, RefusesWhatItCannotDo) {
  const auto refused = [](Json operation, absl::string_view field) {
    Violations violations;
    ReadPatch(Patch(Json::array({std::move(operation)})), violations);
    return violations.Has(field);
  };
  EXPECT_TRUE(refused({{"op", "move"}, {"path", "/a"}, {"from", "/b"}},
                      "patchOperations[0].op"));
  EXPECT_TRUE(refused({{"op", "test"}, {"path", "/a"}, {"value", "b"}},
                      "patchOperations[0].op"));
  EXPECT_TRUE(refused({{"op", "replace"}, {"path", "a"}, {"value", "b"}},
                      "patchOperations[0].path"));
  EXPECT_TRUE(
      refused({{"op", "replace"}, {"value", "b"}}, "patchOperations[0].path"));
  EXPECT_TRUE(refused({{"path", "/a"}}, "patchOperations[0].op"));
  EXPECT_TRUE(refused({{"op", "replace"}, {"path", "/a"}, {"value", 1}},
                      "patchOperations[0].value"));
  EXPECT_TRUE(refused({{"op", "remove"}, {"path", "/a"}, {"value", "x"}},
                      "patchOperations[0].value"));
  EXPECT_TRUE(refused({{"op", "add"}, {"path", "/a"}, {"more", "x"}},
                      "patchOperations[0].more"));
  EXPECT_TRUE(refused("text", "patchOperations[0]"));
  Violations violations;
  ReadPatch(Json{{"patchOperations", "x"}, {"other", 1}}, violations);
  EXPECT_TRUE(violations.Has("patchOperations"));
  EXPECT_TRUE(violations.Has("other"));
}

TEST(ReadPatch, HasALimit) {
  const auto with = [](size_t count) {
    Json operations = Json::array();
    for (size_t i = 0; i < count; ++i) {
      operations.push_back(
          Json{{"op", "replace"}, {"path", "/a"}, {"value", "b"}});
    }
    Violations violations;
    ReadPatch(Patch(std::move(operations)), violations);
    return violations.empty();
  };
  EXPECT_TRUE(with(kMaxPatchOperations));
  EXPECT_FALSE(with(kMaxPatchOperations + 1));
}

TEST(PathParts, DecodesThem) {
  EXPECT_THAT(PathParts("/a/b~1c/d~0e/~01"),
              ElementsAre("a", "b/c", "d~e", "~1"));
  EXPECT_THAT(PathParts("/"), ElementsAre(""));
}

}  // namespace
}  // namespace sallyport::aws
