#include "cli/rfc3339.h"

#include "absl/strings/ascii.h"

namespace sallyport::cli {
namespace {

// Takes `pattern` off the front of `text`: '0' stands for a digit, anything
// else for itself in either case.
bool Consume(absl::string_view pattern, absl::string_view& text) {
  if (text.size() < pattern.size()) return false;
  for (size_t i = 0; i < pattern.size(); ++i) {
    const bool matches = pattern[i] == '0'
                             ? absl::ascii_isdigit(text[i])
                             : absl::ascii_toupper(text[i]) == pattern[i];
    if (!matches) return false;
  }
  text.remove_prefix(pattern.size());
  return true;
}

int TwoDigits(absl::string_view text) {
  return (text[0] - '0') * 10 + (text[1] - '0');
}

}  // namespace

absl::optional<absl::Time> ParseRfc3339(absl::string_view text) {
  absl::string_view rest = text;
  if (!Consume("0000-00-00T00:00:00", rest)) return absl::nullopt;
  if (Consume(".0", rest)) {
    while (Consume("0", rest)) {
    }
  }
  if (!Consume("Z", rest)) {
    if (rest.empty() || (rest[0] != '+' && rest[0] != '-')) {
      return absl::nullopt;
    }
    rest.remove_prefix(1);
    const absl::string_view offset = rest;
    if (!Consume("00:00", rest)) return absl::nullopt;
    if (TwoDigits(offset) > 23 || TwoDigits(offset.substr(3)) > 59) {
      return absl::nullopt;
    }
  }
  if (!rest.empty()) return absl::nullopt;
  absl::Time time;
  std::string error;
  if (!absl::ParseTime(absl::RFC3339_full, text, &time, &error)) {
    return absl::nullopt;
  }
  return time;
}

std::string FormatRfc3339(absl::Time time) {
  if (time == absl::InfiniteFuture()) return "never";
  return absl::FormatTime("%E4Y-%m-%d%ET%H:%M:%E*SZ", time,
                          absl::UTCTimeZone());
}

}  // namespace sallyport::cli
