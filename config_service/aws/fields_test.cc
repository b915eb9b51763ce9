#include "config_service/aws/fields.h"

#include <string>

#include "config_service/domain/violations.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace sallyport::aws {
namespace {

using domain::Reason;
using domain::Violations;
using ::testing::ElementsAre;
using ::testing::Pair;

TEST(Fields, ReadsWhatIsThere) {
  const Json body = {{"s", "x"},    {"i", 3},          {"b", true},
                     {"t", "True"}, {"l", {"a", "b"}}, {"m", {{"k", "v"}}},
                     {"n", nullptr}};
  Violations violations;
  Fields fields(body, "", violations);
  EXPECT_EQ(fields.Required("s"), "x");
  EXPECT_EQ(fields.Integer("i"), 3);
  EXPECT_EQ(fields.Bool("b"), true);
  EXPECT_EQ(fields.Bool("t"), true);
  EXPECT_THAT(fields.Strings("l"), ElementsAre("a", "b"));
  EXPECT_THAT(fields.StringMap("m"), ElementsAre(Pair("k", "v")));
  EXPECT_FALSE(fields.Has("n"));
  EXPECT_FALSE(fields.String("none").has_value());
  fields.Finish();
  EXPECT_TRUE(violations.empty());
}

TEST(Fields, ComplainsOfOtherTypes) {
  const Json body = {{"s", 1},      {"i", "3"},        {"b", "maybe"},
                     {"l", {1, 2}}, {"m", {{"k", 1}}}, {"f", 1.5}};
  Violations violations;
  Fields fields(body, "outer", violations);
  EXPECT_FALSE(fields.String("s").has_value());
  EXPECT_FALSE(fields.Integer("i").has_value());
  EXPECT_FALSE(fields.Integer("f").has_value());
  EXPECT_FALSE(fields.Bool("b").has_value());
  EXPECT_TRUE(fields.Strings("l").empty());
  EXPECT_TRUE(fields.StringMap("m").empty());
  for (const char* name : {"s", "i", "f", "b", "l", "m"}) {
    EXPECT_TRUE(
        violations.Has(domain::Field("outer", name), Reason::kFieldMalformed))
        << name;
  }
}

TEST(Fields, ComplainsOfWhatNobodyAskedFor) {
  const Json body = {{"known", "x"},
                     {"other", 1},
                     {"policy", "p"},
                     {"mode", "B"},
                     {"null", nullptr}};
  Violations violations;
  Fields fields(body, "", violations);
  fields.String("known");
  fields.Refuse("policy", "there is none");
  fields.Refuse("absent", "there is none");
  fields.RefuseUnless("mode", "A", "it is A");
  fields.Finish();
  EXPECT_EQ(violations.size(), 3u);
  EXPECT_TRUE(violations.Has("other", Reason::kFieldUnknown));
  EXPECT_TRUE(violations.Has("policy", Reason::kNotSupported));
  EXPECT_TRUE(violations.Has("mode", Reason::kNotSupported));
}

TEST(Fields, WantsAnObject) {
  const Json body = Json::array({1});
  Violations violations;
  Fields fields(body, "x", violations);
  EXPECT_FALSE(fields.Has("a"));
  fields.Finish();
  EXPECT_TRUE(violations.Has("x", Reason::kFieldMalformed));
}

TEST(Fields, WantsWhatIsRequired) {
  const Json body = {{"empty", ""}, {"number", 1}};
  Violations violations;
  Fields fields(body, "", violations);
  fields.Required("none");
  fields.Required("empty");
  fields.Required("number");
  EXPECT_TRUE(violations.Has("none", Reason::kFieldRequired));
  EXPECT_TRUE(violations.Has("empty", Reason::kFieldRequired));
  // One complaint for one field.
  EXPECT_FALSE(violations.Has("number", Reason::kFieldRequired));
  EXPECT_TRUE(violations.Has("number", Reason::kFieldMalformed));
}

TEST(RefuseQuery, ComplainsOfParametersThatAreNotKnown) {
  Violations violations;
  RefuseQuery({{"limit", "1"}, {"domainNameId", "x"}}, {"limit"}, violations);
  EXPECT_EQ(violations.size(), 1u);
  EXPECT_TRUE(violations.Has("domainNameId", Reason::kNotSupported));
}

}  // namespace
}  // namespace sallyport::aws
