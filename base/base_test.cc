#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/status_macros.h"
#include "base/text.h"
#include "gtest/gtest.h"

namespace sallyport {
namespace {

std::string TempPath(const std::string& name) {
  const char* dir = std::getenv("TEST_TMPDIR");
  return absl::StrCat(dir != nullptr ? dir : "/tmp", "/", name);
}

TEST(Printable, EscapesWhatCouldForgeALine) {
  EXPECT_EQ(Printable("CN=a\nb\x1b[0m\xc3\xa9"),
            "CN=a\\x0ab\\x1b[0m\\xc3\\xa9");
}

TEST(Printable, CutsAtTheLimitAndSaysSo) {
  EXPECT_EQ(Printable("abcdef", 6), "abcdef");
  EXPECT_EQ(Printable("abcdefg", 6), "abcdef...");
}

TEST(Hex, WritesTwoDigitsAByte) {
  EXPECT_EQ(HexLower("\x01\xab"), "01ab");
  EXPECT_EQ(HexUpper("\x01\xab"), "01AB");
}

TEST(ReadFile, ReadsUpToTheLimit) {
  const std::string path = TempPath("five");
  std::ofstream(path) << "12345";
  EXPECT_EQ(*ReadFile(path, 5), "12345");
  EXPECT_EQ(ReadFile(path, 4).status().code(),
            absl::StatusCode::kResourceExhausted);
}

TEST(ReadFile, TellsMissingFromDirectory) {
  EXPECT_EQ(ReadFile(TempPath("missing"), 5).status().code(),
            absl::StatusCode::kNotFound);
  EXPECT_EQ(ReadFile(TempPath(""), 5).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(ReadFile("", 5).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST(ReadRegularFile, DoesNotWaitForAPipe) {
  const std::string path = TempPath("pipe");
  unlink(path.c_str());
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
  EXPECT_EQ(ReadRegularFile(path, 5).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(ReadRegularFile("/dev/null", 5).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(ReadRegularFile("-", 5).status().code(),
            absl::StatusCode::kNotFound);
}

TEST(FakeClock, MovesOnlyWhenTold) {
  FakeClock clock(absl::FromUnixSeconds(100));
  EXPECT_EQ(clock.Now(), absl::FromUnixSeconds(100));
  clock.Advance(absl::Seconds(1));
  EXPECT_EQ(clock.Now(), absl::FromUnixSeconds(101));
}

absl::StatusOr<int> Half(int n) {
  if (n % 2 != 0) return absl::InvalidArgumentError("odd");
  return n / 2;
}

absl::StatusOr<int> Quarter(int n) {
  SALLYPORT_ASSIGN_OR_RETURN(int half, Half(n));
  SALLYPORT_RETURN_IF_ERROR(Half(half).status());
  return half / 2;
}

TEST(StatusMacros, ReturnTheFirstError) {
  EXPECT_EQ(*Quarter(8), 2);
  EXPECT_FALSE(Quarter(6).ok());
  EXPECT_FALSE(Quarter(7).ok());
}

}  // namespace
}  // namespace sallyport
