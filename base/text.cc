#include "base/text.h"

#include "absl/strings/ascii.h"

namespace sallyport {
namespace {

std::string Hex(absl::string_view bytes, const char* digits) {
  std::string out;
  out.reserve(bytes.size() * 2);
  for (unsigned char c : bytes) {
    out.push_back(digits[c >> 4]);
    out.push_back(digits[c & 0xf]);
  }
  return out;
}

}  // namespace

std::string HexLower(absl::string_view bytes) {
  return Hex(bytes, "0123456789abcdef");
}

std::string HexUpper(absl::string_view bytes) {
  return Hex(bytes, "0123456789ABCDEF");
}

std::string Printable(absl::string_view text, size_t max_len) {
  std::string out;
  out.reserve(text.size() < max_len ? text.size() : max_len);
  for (unsigned char c : text) {
    if (out.size() >= max_len) {
      out.append("...");
      return out;
    }
    if (absl::ascii_isprint(c)) {
      out.push_back(static_cast<char>(c));
    } else {
      out.append("\\x");
      out.append(Hex(absl::string_view(reinterpret_cast<const char*>(&c), 1),
                     "0123456789abcdef"));
    }
  }
  return out;
}

std::string TimeText(absl::Time time) {
  return absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", time, absl::UTCTimeZone());
}

}  // namespace sallyport
