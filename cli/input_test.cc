#include "cli/input.h"

#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace sallyport::cli {
namespace {

// The lines of `text`; "<too long>" for one over `limit`.
std::vector<std::string> Lines(const std::string& text, size_t limit) {
  std::istringstream in(text);
  LineReader reader(in, limit);
  std::vector<std::string> lines;
  while (true) {
    switch (reader.Next()) {
      case LineReader::Result::kLine:
        lines.push_back(reader.line());
        break;
      case LineReader::Result::kTooLong:
        lines.push_back("<too long>");
        break;
      case LineReader::Result::kEnd:
        return lines;
      case LineReader::Result::kError:
        lines.push_back("<error>");
        return lines;
    }
  }
}

using Strings = std::vector<std::string>;

TEST(LineReader, ReadsLinesWithAndWithoutALastLineFeed) {
  EXPECT_EQ(Lines("", 10), Strings());
  EXPECT_EQ(Lines("a", 10), Strings({"a"}));
  EXPECT_EQ(Lines("a\n", 10), Strings({"a"}));
  EXPECT_EQ(Lines("a\n\nb", 10), Strings({"a", "", "b"}));
  EXPECT_EQ(Lines("a\r\nb\n", 10), Strings({"a\r", "b"}));
}

TEST(LineReader, KeepsNulBytes) {
  const std::string line("a\0b", 3);
  EXPECT_EQ(Lines(line + "\nc\n", 10), Strings({line, "c"}));
}

TEST(LineReader, GoesOnAfterALineOverTheLimit) {
  EXPECT_EQ(Lines("12345\n123456\nab\n", 5),
            Strings({"12345", "<too long>", "ab"}));
  EXPECT_EQ(Lines("123456", 5), Strings({"<too long>"}));
}

TEST(LineReader, ReadsLinesAroundTheSizeOfItsBuffer) {
  for (size_t size = 65533; size <= 65539; ++size) {
    const std::string a(size, 'a');
    const std::string b(2 * size, 'b');
    EXPECT_EQ(Lines(absl::StrCat(a, "\n", b, "\n\n", a), 1 << 20),
              Strings({a, b, "", a}))
        << size;
    EXPECT_EQ(Lines(absl::StrCat(a, "\n", b, "\nc\n"), size),
              Strings({a, "<too long>", "c"}))
        << size;
  }
}

TEST(LineReader, ReportsAStreamThatBreaks) {
  std::istringstream in("a\nb\n");
  LineReader reader(in, 10);
  EXPECT_EQ(reader.Next(), LineReader::Result::kLine);
  in.setstate(std::ios::badbit);
  EXPECT_EQ(reader.Next(), LineReader::Result::kError);
}

TEST(ReadInput, BoundsStandardInput) {
  std::istringstream five("12345");
  EXPECT_EQ(*ReadInput("-", 5, five), "12345");
  std::istringstream six("123456");
  EXPECT_EQ(ReadInput("-", 5, six).status().code(),
            absl::StatusCode::kResourceExhausted);
  std::istringstream broken("12345");
  broken.setstate(std::ios::badbit);
  EXPECT_EQ(ReadInput("-", 5, broken).status().code(),
            absl::StatusCode::kUnavailable);
}

TEST(OpenInput, TellsMissingFromDirectory) {
  std::ifstream file;
  EXPECT_EQ(OpenInput("/nonexistent/cases", file).code(),
            absl::StatusCode::kNotFound);
  EXPECT_EQ(OpenInput("/", file).code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace sallyport::cli
