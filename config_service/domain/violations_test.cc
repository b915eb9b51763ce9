#include "config_service/domain/violations.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "config_service/domain/limits.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace sallyport::domain {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;

TEST(Violations, AreOkWhenThereAreNone) {
  EXPECT_TRUE(Violations().ToStatus().ok());
  EXPECT_TRUE(Violations().empty());
}

TEST(Violations, AreAllInTheStatus) {
  Violations violations;
  violations.Add("a", Reason::kFieldRequired, "is empty");
  violations.Add("b.c[3]", Reason::kFieldOutOfRange, "is 7; at most 5");
  const absl::Status status = violations.ToStatus();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(status.message(), "a: is empty; and 1 more field is wrong");
  const std::optional<Error> error = ErrorOf(status);
  ASSERT_TRUE(error.has_value());
  EXPECT_EQ(error->reason, Reason::kFieldsInvalid);
  ASSERT_EQ(error->violations.size(), 2u);
  EXPECT_EQ(error->violations[0].field, "a");
  EXPECT_EQ(error->violations[0].reason, Reason::kFieldRequired);
  EXPECT_EQ(error->violations[0].description, "is empty");
  EXPECT_EQ(error->violations[1].field, "b.c[3]");
  EXPECT_EQ(error->violations[1].reason, Reason::kFieldOutOfRange);
  EXPECT_EQ(error->violations[1].description, "is 7; at most 5");
  EXPECT_THAT(error->metadata, ElementsAre(Pair("field_violations", "2")));
}

TEST(Violations, OfOneReasonHaveThatReason) {
  Violations violations;
  violations.Add("a", Reason::kFieldRequired, "is empty");
  violations.Add("b", Reason::kFieldRequired, "is empty");
  EXPECT_EQ(ErrorOf(violations.ToStatus())->reason, Reason::kFieldRequired);
}

TEST(Violations, HaveTheCodeThatAllShare) {
  Violations violations;
  violations.Add("a", Reason::kReferenceNotFound, "does not exist");
  EXPECT_EQ(violations.ToStatus().code(),
            absl::StatusCode::kFailedPrecondition);
  violations.Add("b", Reason::kCertificateDoesNotCoverDomain, "no");
  EXPECT_EQ(violations.ToStatus().code(),
            absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(ErrorOf(violations.ToStatus())->reason, Reason::kFieldsInvalid);
  violations.Add("c", Reason::kFieldRequired, "is empty");
  EXPECT_EQ(violations.ToStatus().code(), absl::StatusCode::kInvalidArgument);
}

TEST(Violations, ListAsManyAsTheLimitAndCountTheRest) {
  Violations violations;
  for (size_t i = 0; i < kMaxListedViolations; ++i) {
    violations.Add(absl::StrCat("f", i), Reason::kFieldRequired, "is empty");
  }
  EXPECT_EQ(violations.list().size(), kMaxListedViolations);
  violations.Add("one too many", Reason::kFieldOutOfRange, "x");
  EXPECT_EQ(violations.list().size(), kMaxListedViolations);
  EXPECT_EQ(violations.size(), kMaxListedViolations + 1);
  const std::optional<Error> error = ErrorOf(violations.ToStatus());
  EXPECT_EQ(error->num_violations, kMaxListedViolations + 1);
  EXPECT_EQ(error->violations.size(), kMaxListedViolations);
  // The one that is not listed counts for the reason too.
  EXPECT_EQ(error->reason, Reason::kFieldsInvalid);
}

TEST(Violations, ComeBelowAnotherField) {
  Violations inner;
  inner.Add("limits", Reason::kFieldOutOfRange, "x");
  inner.Add("[3]", Reason::kFieldRequired, "y");
  Violations outer;
  outer.AddAll("domain_name.mutual_tls", inner);
  EXPECT_TRUE(
      outer.Has("domain_name.mutual_tls.limits", Reason::kFieldOutOfRange));
  EXPECT_TRUE(outer.Has("domain_name.mutual_tls[3]"));
  EXPECT_FALSE(outer.Has("limits"));
  EXPECT_FALSE(
      outer.Has("domain_name.mutual_tls.limits", Reason::kFieldRequired));
  Violations same;
  same.AddAll("", inner);
  EXPECT_TRUE(same.Has("limits"));
}

TEST(Violations, KeepTheCountOfWhatAnotherNoLongerLists) {
  Violations inner;
  for (size_t i = 0; i < kMaxListedViolations + 5; ++i) {
    inner.Add("f", Reason::kFieldRequired, "x");
  }
  Violations outer;
  outer.AddAll("", inner);
  EXPECT_EQ(outer.size(), kMaxListedViolations + 5);
}

TEST(Error, CrossesAStatusWithWhateverBytes) {
  Error error;
  error.reason = Reason::kResourceInUse;
  error.message = "in use";
  error.metadata = {{"resource", "a:b"}, {"", std::string("\0:7:\xff", 5)}};
  error.violations = {{"3:x", Reason::kFieldMalformed, ""}};
  error.num_violations = 42;
  const absl::Status status = ToStatus(error);
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(status.message(), "in use");
  const std::optional<Error> read = ErrorOf(status);
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(read->reason, error.reason);
  EXPECT_EQ(read->message, error.message);
  EXPECT_EQ(read->metadata, error.metadata);
  EXPECT_EQ(read->num_violations, 42u);
  ASSERT_EQ(read->violations.size(), 1u);
  EXPECT_EQ(read->violations[0].field, "3:x");
}

TEST(Error, IsNotReadFromOtherStatuses) {
  EXPECT_FALSE(ErrorOf(absl::OkStatus()).has_value());
  EXPECT_FALSE(ErrorOf(absl::NotFoundError("x")).has_value());
}

TEST(MakeError, HasTheCodeOfItsReason) {
  const absl::Status status =
      MakeError(Reason::kEtagMismatch, "has changed", {{"resource", "a"}});
  EXPECT_EQ(status.code(), absl::StatusCode::kAborted);
  EXPECT_THAT(ErrorOf(status)->metadata, ElementsAre(Pair("resource", "a")));
}

TEST(Paths, AreWrittenAsProtobufNamesFields) {
  EXPECT_EQ(Field("a", "b"), "a.b");
  EXPECT_EQ(Field("", "b"), "b");
  EXPECT_EQ(Field("a", ""), "a");
  EXPECT_EQ(Field("a", "[2].c"), "a[2].c");
  EXPECT_EQ(Element("a.b", 0), "a.b[0]");
  EXPECT_EQ(Entry("labels", "team"), "labels[\"team\"]");
  EXPECT_EQ(Entry("labels", "a\nb"), "labels[\"a\\x0ab\"]");
}

}  // namespace
}  // namespace sallyport::domain
