#include "filters/lambda/token_pattern.h"

#include <regex.h>

#include <string>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace sallyport::lambda {
namespace {

constexpr int kMaxRepetition = 100;

bool IsPunctuation(char c) {
  return absl::ascii_ispunct(static_cast<unsigned char>(c));
}

absl::Status Wrong(absl::string_view what) {
  return absl::InvalidArgumentError(what);
}

// What is between '[' and ']', in POSIX's notation, where '\' is a character
// like others, and ']', '^' and '-' count by where they stand.
absl::Status TranslateBracket(absl::string_view in, size_t& i,
                              std::string& out) {
  ++i;  // '['
  bool negated = false;
  if (i < in.size() && in[i] == '^') {
    negated = true;
    ++i;
  }
  std::string members;
  bool bracket = false;  // ']' is a member
  bool caret = false;
  bool dash = false;
  for (; i < in.size() && in[i] != ']'; ++i) {
    char c = in[i];
    bool escaped = false;
    if (c == '[') return Wrong("has a '[' within brackets; write \\[");
    if (c == '\\') {
      if (++i >= in.size()) return Wrong("ends in a '\\'");
      c = in[i];
      escaped = true;
      if (c == 'd' || c == 'w' || c == 's') {
        members += c == 'd' ? "0-9" : c == 'w' ? "A-Za-z0-9_" : " \t";
        continue;
      }
      if (!IsPunctuation(c)) return Wrong("has an escape that is not known");
    }
    if (c == ']') {
      bracket = true;
    } else if (c == '^') {
      caret = true;
    } else if (c == '[' || c == '\\') {
      members.push_back(c);
    } else if (c == '-' && (escaped || members.empty() || i + 1 >= in.size() ||
                            in[i + 1] == ']')) {
      dash = true;
    } else if (c == '-') {
      // A range: its end is a plain character.
      const char end = in[i + 1];
      if (!absl::ascii_isalnum(static_cast<unsigned char>(end)) ||
          !absl::ascii_isalnum(static_cast<unsigned char>(members.back()))) {
        return Wrong("has a range of something but letters and digits");
      }
      absl::StrAppend(&members, "-", std::string(1, end));
      ++i;
    } else {
      members.push_back(c);
    }
  }
  if (i >= in.size()) return Wrong("has a '[' without a ']'");
  if (members.empty() && !bracket && !caret && !dash) {
    return Wrong("has empty brackets");
  }
  if (caret && members.empty() && !bracket && !dash && !negated) {
    out += "\\^";
    return absl::OkStatus();
  }
  absl::StrAppend(&out, "[", negated ? "^" : "", bracket ? "]" : "", members);
  // '^' is one of them anywhere but at the front.
  if (caret && members.empty() && !bracket) {
    // "[-^]": what is left but the front.
    out += dash ? "-^" : "^";
    dash = false;
  } else if (caret) {
    out += "^";
  }
  absl::StrAppend(&out, dash ? "-" : "", "]");
  return absl::OkStatus();
}

absl::StatusOr<std::string> Translate(absl::string_view in) {
  std::string out;
  bool after_repetition = false;
  for (size_t i = 0; i < in.size(); ++i) {
    const char c = in[i];
    const bool repeats = c == '*' || c == '+' || c == '?' || c == '{';
    if (repeats && after_repetition) {
      return Wrong("has a repetition of a repetition (lazy or possessive?)");
    }
    after_repetition = repeats;
    switch (c) {
      case '\\': {
        if (++i >= in.size()) return Wrong("ends in a '\\'");
        const char escaped = in[i];
        if (escaped == 'd' || escaped == 'D') {
          out += escaped == 'd' ? "[0-9]" : "[^0-9]";
        } else if (escaped == 'w' || escaped == 'W') {
          out += escaped == 'w' ? "[A-Za-z0-9_]" : "[^A-Za-z0-9_]";
        } else if (escaped == 's' || escaped == 'S') {
          out += escaped == 's' ? "[ \t]" : "[^ \t]";
        } else if (escaped == '<' || escaped == '>' || escaped == '`' ||
                   escaped == '\'') {
          // glibc has meanings for these.
          out.push_back(escaped);
        } else if (IsPunctuation(escaped)) {
          out.push_back('\\');
          out.push_back(escaped);
        } else {
          return Wrong("has an escape that is not known");
        }
        break;
      }
      case '[': {
        const absl::Status good = TranslateBracket(in, i, out);
        if (!good.ok()) return good;
        break;
      }
      case '(':
        if (i + 1 < in.size() && in[i + 1] == '?') {
          return Wrong("has a group that begins with (?");
        }
        out.push_back(c);
        break;
      case '{': {
        const size_t end = in.find('}', i);
        if (end == absl::string_view::npos) {
          return Wrong("has a '{' without a '}'");
        }
        const absl::string_view count = in.substr(i + 1, end - i - 1);
        int largest = 0;
        for (const absl::string_view part : absl::StrSplit(count, ',')) {
          int number = 0;
          if (!part.empty() &&
              (!absl::SimpleAtoi(part, &number) || number < 0)) {
            return Wrong("has a repetition that is none");
          }
          largest = std::max(largest, number);
        }
        if (largest > kMaxRepetition) {
          return Wrong(absl::StrCat("repeats something more than ",
                                    kMaxRepetition, " times"));
        }
        absl::StrAppend(&out, in.substr(i, end - i + 1));
        i = end;
        break;
      }
      default:
        if (static_cast<unsigned char>(c) < 0x20 ||
            static_cast<unsigned char>(c) > 0x7e) {
          return Wrong("holds something but printable ASCII");
        }
        out.push_back(c);
    }
  }
  return out;
}

}  // namespace

struct TokenPattern::Compiled {
  Compiled() = default;
  ~Compiled() {
    if (good) regfree(&regex);
  }
  Compiled(const Compiled&) = delete;

  regex_t regex{};
  bool good = false;
};

absl::StatusOr<TokenPattern> TokenPattern::Read(absl::string_view expression) {
  if (expression.size() > kMaxTokenPatternBytes) {
    return Wrong(
        absl::StrCat("has more than ", kMaxTokenPatternBytes, " characters"));
  }
  const absl::StatusOr<std::string> posix = Translate(expression);
  if (!posix.ok()) return posix.status();
  auto compiled = std::make_shared<Compiled>();
  const std::string whole = absl::StrCat("^(", *posix, ")$");
  if (regcomp(&compiled->regex, whole.c_str(), REG_EXTENDED | REG_NOSUB) != 0) {
    return Wrong("is no regular expression");
  }
  compiled->good = true;
  TokenPattern pattern;
  pattern.compiled_ = std::move(compiled);
  return pattern;
}

bool TokenPattern::Matches(absl::string_view token) const {
  if (token.size() > kMaxTokenBytes || absl::StrContains(token, '\0')) {
    return false;
  }
  const std::string text(token);
  return regexec(&compiled_->regex, text.c_str(), 0, nullptr, 0) == 0;
}

}  // namespace sallyport::lambda
