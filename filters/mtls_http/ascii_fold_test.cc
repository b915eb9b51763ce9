#include "filters/mtls_http/ascii_fold.h"

#include <string>
#include <utility>

#include "gtest/gtest.h"

namespace sallyport::mtls_http {
namespace {

TEST(FoldToAscii, ReplacesWhatNormalisesToAscii) {
  const std::pair<const char*, const char*> kTexts[] = {
      {"", ""},
      {"Plain%", "Plain%"},
      // The ends of a range, and both sides of it.
      {"\uff01\uff5e", "!~"},
      {"\uff00\uff5f", "\uff00\uff5f"},
      {"\uff21\uff44\uff4d\uff49\uff4e", "admin"},
      {"\U0001d41a\U0001d7ff", "a9"},
      {"o\ufb00ice", "office"},
      {"\ufb03", "ffi"},
      {"stra\u00dfe", "strasse"},
      {"\u1e9e", "ss"},
      {"\u2167", "viii"},
      {"\u2460", "1"},
      {"\u2488", "1."},
      {"a\u200bd\u00adm\ufeffin\ufe0f\U000e0061\U000e0fff", "admin"},
      {"\u00a0\u3000", "  "},
      {"\u2026\uff0e", "...."},
      {"\u212a\u017f", "ks"},
      {"\uff0f\u2100\uff05\uff3c\uff1b", "/a/c%\\;"},
  };
  for (const auto& [text, folded] : kTexts) {
    EXPECT_EQ(FoldToAscii(text), folded) << text;
  }
}

TEST(FoldToAscii, LeavesWhatDoesNot) {
  for (const char* text :
       {"caf\u00e9", "cafe\u0301", "\u5e74", "\u0430dmin", "\u03b1", "\u0131",
        "\u0130", "\u2764", "\U0001f600", "\U0010ffff", "\u0080", "\u07ff",
        "\u0800", "\uffff", "\U00010000"}) {
    EXPECT_EQ(FoldToAscii(text), text) << text;
  }
}

}  // namespace
}  // namespace sallyport::mtls_http
