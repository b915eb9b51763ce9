#include "filters/forwarding/append_xfcc.h"

#include <algorithm>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "filters/forwarding/forwarding.h"

namespace sallyport::forwarding {
namespace {

constexpr absl::string_view kXfccHeader = "x-forwarded-client-cert";

// Takes `"..."` off `rest`. A backslash takes the next character with it; an
// even number of them before a quote is refused, since some readers take the
// last for the quote's escape.
bool SkipQuoted(absl::string_view& rest) {
  size_t backslashes = 0;
  for (size_t i = 1; i < rest.size(); ++i) {
    if (rest[i] == '\\') {
      ++backslashes;
      continue;
    }
    if (rest[i] == '"' && backslashes % 2 == 0) {
      if (backslashes != 0) return false;
      rest.remove_prefix(i + 1);
      return true;
    }
    backslashes = 0;
  }
  return false;
}

void SkipBlanks(absl::string_view& rest) {
  while (!rest.empty() && rest.front() == ' ') rest.remove_prefix(1);
}

// Takes KEY=VALUE off `rest`, up to its separator.
bool SkipField(absl::string_view& rest) {
  size_t key = 0;
  while (key < rest.size() &&
         absl::ascii_isalpha(static_cast<unsigned char>(rest[key]))) {
    ++key;
  }
  if (key == 0 || key == rest.size() || rest[key] != '=') return false;
  rest.remove_prefix(key + 1);
  if (!rest.empty() && rest.front() == '"') {
    if (!SkipQuoted(rest)) return false;
    SkipBlanks(rest);
    return true;
  }
  const size_t end = std::min(rest.find_first_of(",;\"\\"), rest.size());
  rest.remove_prefix(end);
  return rest.empty() || rest.front() == ',' || rest.front() == ';';
}

bool IsWellFormed(absl::string_view rest) {
  if (!std::all_of(rest.begin(), rest.end(),
                   [](char c) { return c >= 0x20 && c <= 0x7e; })) {
    return false;
  }
  while (true) {
    SkipBlanks(rest);
    if (!SkipField(rest)) return false;
    if (rest.empty()) return true;
    if (rest.front() != ',' && rest.front() != ';') return false;
    rest.remove_prefix(1);
  }
}

}  // namespace

InboundXfcc AppendXfcc(absl::string_view inbound, const Forwarded& ours,
                       size_t max_header_bytes, std::string* value) {
  if (inbound.empty()) return InboundXfcc::kNone;
  const auto own = std::find_if(
      ours.headers.begin(), ours.headers.end(),
      [](const Header& header) { return header.name == kXfccHeader; });
  if (own == ours.headers.end() || inbound.size() > max_header_bytes ||
      ours.bytes + inbound.size() + 1 > max_header_bytes) {
    return InboundXfcc::kTooLarge;
  }
  if (!IsWellFormed(inbound)) return InboundXfcc::kMalformed;
  *value = absl::StrCat(inbound, ",", own->value);
  return InboundXfcc::kKept;
}

}  // namespace sallyport::forwarding
