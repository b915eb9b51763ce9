#include "cli/rfc3339.h"

#include <string>

#include "gtest/gtest.h"

namespace sallyport::cli {
namespace {

TEST(ParseRfc3339, ReadsInstants) {
  EXPECT_EQ(ParseRfc3339("1970-01-01T00:00:10Z"), absl::FromUnixSeconds(10));
  EXPECT_EQ(ParseRfc3339("1970-01-01t01:00:10+01:00"),
            absl::FromUnixSeconds(10));
  EXPECT_EQ(ParseRfc3339("1969-12-31T23:30:00.250-00:30"),
            absl::FromUnixMillis(250));
  EXPECT_EQ(ParseRfc3339("1970-01-01T00:00:10z"), absl::FromUnixSeconds(10));
}

TEST(ParseRfc3339, RefusesEverythingElse) {
  for (const char* text : {"",
                           "now",
                           "infinite-future",
                           "2026",
                           "2026-01-31",
                           "1700000000",
                           "2026-01-31T12:00:00",
                           "2026-01-31 12:00:00Z",
                           " 2026-01-31T12:00:00Z",
                           "2026-01-31T12:00:00Z ",
                           "2026-01-31T12:00:00+01",
                           "2026-01-31T12:00Z",
                           "2026-01-31T12:00:00+0100",
                           "2026-01-31T12:00:00+24:00",
                           "2026-01-31T12:00:00+01:60",
                           "2026-01-31T12:00:00.Z",
                           "2026-13-01T00:00:00Z",
                           "2026-02-30T00:00:00Z",
                           "2026-01-31T25:00:00Z",
                           "2026-01-31T12:61:00Z",
                           "02026-01-31T12:00:00Z",
                           "2026-01-31T12:00:00ZZ",
                           "-026-01-31T12:00:00Z"}) {
    EXPECT_FALSE(ParseRfc3339(text).has_value()) << text;
  }
  EXPECT_FALSE(ParseRfc3339(absl::string_view("2026-01-31T12:00:00Z\0", 21))
                   .has_value());
}

TEST(FormatRfc3339, WritesWhatParseReads) {
  EXPECT_EQ(FormatRfc3339(absl::FromUnixSeconds(10)), "1970-01-01T00:00:10Z");
  EXPECT_EQ(FormatRfc3339(absl::FromUnixMillis(10500)),
            "1970-01-01T00:00:10.5Z");
  EXPECT_EQ(FormatRfc3339(absl::InfiniteFuture()), "never");
  const absl::Time end = *ParseRfc3339("9999-12-31T23:59:59Z");
  EXPECT_EQ(FormatRfc3339(end), "9999-12-31T23:59:59Z");
}

}  // namespace
}  // namespace sallyport::cli
