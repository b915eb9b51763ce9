#include "config_service/domain/common.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "config_service/domain/limits.h"
#include "config_service/domain/name.h"
#include "gtest/gtest.h"

namespace sallyport::domain {
namespace {

TEST(Etag, IsEqualForEqualForms) {
  EXPECT_EQ(Etag::Of("a"), Etag::Of("a"));
  EXPECT_NE(Etag::Of("a"), Etag::Of("b"));
  // Quoted, as HTTP writes entity tags: two quotes and 32 digits.
  EXPECT_EQ(Etag::Of("a").text().size(), 34u);
  EXPECT_EQ(Etag::Of("a").text().front(), '"');
}

TEST(CheckEtag, LetsThroughTheCurrentOneAndNone) {
  EXPECT_TRUE(CheckEtag(Etag(), Etag::Of("a"), "apis/x").ok());
  EXPECT_TRUE(CheckEtag(Etag::Of("a"), Etag::Of("a"), "apis/x").ok());
  const absl::Status status = CheckEtag(Etag::Of("b"), Etag::Of("a"), "apis/x");
  EXPECT_EQ(status.code(), absl::StatusCode::kAborted);
  EXPECT_EQ(ErrorOf(status)->reason, Reason::kEtagMismatch);
  EXPECT_EQ(ErrorOf(status)->metadata[0].second, "apis/x");
}

Violations CheckedText(absl::string_view text) {
  Violations violations;
  CheckText("f", text, 10, violations);
  return violations;
}

TEST(CheckText, CountsCharactersNotBytes) {
  EXPECT_TRUE(CheckedText("0123456789").empty());
  EXPECT_TRUE(CheckedText("ääääääääää").empty());
  EXPECT_TRUE(CheckedText("ääääääääääa").Has("f", Reason::kFieldOutOfRange));
}

TEST(CheckText, RefusesAPrivateKeyAndDoesNotRepeatIt) {
  Violations violations;
  CheckText("f", "x\n-----BEGIN EC PRIVATE KEY-----\nMHcCAQ", 1000, violations);
  const absl::Status status = violations.ToStatus();
  EXPECT_FALSE(status.ok());
  EXPECT_EQ(status.ToString().find("MHcCAQ"), std::string::npos);
}

TEST(CheckText, RefusesControlsAndWhatIsNoUtf8) {
  EXPECT_TRUE(CheckedText("a\nb\tc\r").empty());
  EXPECT_TRUE(CheckedText("a\x1b[0m").Has("f", Reason::kFieldMalformed));
  EXPECT_TRUE(
      CheckedText(std::string("a\0", 2)).Has("f", Reason::kFieldMalformed));
  // CSI as one character beyond ASCII.
  EXPECT_TRUE(CheckedText("a\xc2\x9b").Has("f", Reason::kFieldMalformed));
  EXPECT_TRUE(CheckedText("\xc2\xa0").empty());
  EXPECT_TRUE(CheckedText("\xff").Has("f", Reason::kFieldMalformed));
}

Violations CheckedLabels(const Labels& labels) {
  Violations violations;
  CheckLabels("labels", labels, violations);
  return violations;
}

TEST(CheckLabels, TakesKeysAndValues) {
  EXPECT_TRUE(CheckedLabels({{"team", "payments"},
                             {"example.com/cost-center_1", "Köln 7"},
                             {"a", ""}})
                  .empty());
}

TEST(CheckLabels, RefusesBadKeys) {
  for (const char* key : {"", "Team", "-a", "a-", "a b", "a=b", "ä"}) {
    const Violations violations = CheckedLabels({{key, "x"}});
    ASSERT_EQ(violations.size(), 1u) << key;
    EXPECT_EQ(violations.list()[0].reason, Reason::kKeyMalformed) << key;
  }
}

TEST(CheckLabels, HasLimits) {
  EXPECT_TRUE(CheckedLabels({{std::string(kMaxLabelKeyLength, 'a'),
                              std::string(kMaxLabelValueLength, 'b')}})
                  .empty());
  EXPECT_EQ(
      CheckedLabels({{std::string(kMaxLabelKeyLength + 1, 'a'), ""}}).size(),
      1u);
  EXPECT_TRUE(CheckedLabels({{"a", std::string(kMaxLabelValueLength + 1, 'b')}})
                  .Has("labels[\"a\"]", Reason::kFieldOutOfRange));
  Labels labels;
  for (size_t i = 0; i < kMaxLabels; ++i) labels[absl::StrCat("k", i)] = "";
  EXPECT_TRUE(CheckedLabels(labels).empty());
  labels["one-more"] = "";
  EXPECT_TRUE(CheckedLabels(labels).Has("labels", Reason::kTooManyEntries));
}

TEST(Validate, ChecksADescription) {
  Metadata metadata;
  metadata.description = std::string(kMaxDescriptionLength, 'a');
  Violations good;
  Validate(metadata, good);
  EXPECT_TRUE(good.empty());
  metadata.description += "a";
  Violations bad;
  Validate(metadata, bad);
  EXPECT_TRUE(bad.Has("description", Reason::kFieldOutOfRange));
}

Condition MakeCondition(absl::string_view type, Condition::Status status,
                        absl::string_view message) {
  Condition condition;
  condition.type = std::string(type);
  condition.status = status;
  condition.message = std::string(message);
  return condition;
}

TEST(SetCondition, KeepsTheTimeUntilTheStatusChanges) {
  const absl::Time t1 = absl::FromUnixSeconds(1);
  const absl::Time t2 = absl::FromUnixSeconds(2);
  const absl::Time t3 = absl::FromUnixSeconds(3);
  std::vector<Condition> conditions;
  EXPECT_TRUE(SetCondition(
      MakeCondition("Valid", Condition::Status::kTrue, "a"), t1, conditions));
  EXPECT_FALSE(SetCondition(
      MakeCondition("Valid", Condition::Status::kTrue, "a"), t2, conditions));
  EXPECT_EQ(FindCondition(conditions, "Valid")->transition_time, t1);
  EXPECT_TRUE(SetCondition(
      MakeCondition("Valid", Condition::Status::kTrue, "b"), t2, conditions));
  EXPECT_EQ(FindCondition(conditions, "Valid")->transition_time, t1);
  EXPECT_EQ(FindCondition(conditions, "Valid")->message, "b");
  EXPECT_TRUE(SetCondition(
      MakeCondition("Valid", Condition::Status::kFalse, "b"), t3, conditions));
  EXPECT_EQ(FindCondition(conditions, "Valid")->transition_time, t3);
  EXPECT_EQ(conditions.size(), 1u);
}

TEST(SetCondition, KeepsTheOrderOfTypes) {
  std::vector<Condition> conditions;
  for (const char* type : {"b", "c", "a"}) {
    SetCondition(MakeCondition(type, Condition::Status::kTrue, ""),
                 absl::UnixEpoch(), conditions);
  }
  ASSERT_EQ(conditions.size(), 3u);
  EXPECT_EQ(conditions[0].type, "a");
  EXPECT_EQ(conditions[2].type, "c");
  EXPECT_EQ(FindCondition(conditions, "d"), nullptr);
}

TEST(CheckReferences, NamesRepetitionsAndHasALimit) {
  std::vector<FleetName> names = {FleetName("a"), FleetName("b"),
                                  FleetName("a")};
  Violations repeated;
  CheckReferences("fleets", names, 3, repeated);
  EXPECT_EQ(repeated.size(), 1u);
  EXPECT_TRUE(repeated.Has("fleets[2]", Reason::kDuplicateEntry));
  Violations many;
  CheckReferences("fleets", names, 2, many);
  EXPECT_TRUE(many.Has("fleets", Reason::kTooManyEntries));
}

}  // namespace
}  // namespace sallyport::domain
