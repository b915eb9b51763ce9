#include "config_service/aws/target.h"

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "config_service/aws/limits.h"

namespace sallyport::aws {
namespace {

constexpr size_t kEscapeLength = 3;

bool IsHex(char c) {
  return absl::ascii_isxdigit(static_cast<unsigned char>(c));
}

std::optional<std::string> Decode(absl::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    if (i + kEscapeLength > text.size() || !IsHex(text[i + 1]) ||
        !IsHex(text[i + 2])) {
      return std::nullopt;
    }
    out += absl::HexStringToBytes(text.substr(i + 1, 2));
    i += 2;
  }
  if (absl::StrContains(out, '\0')) return std::nullopt;
  return out;
}

}  // namespace

std::optional<Target> ParseTarget(absl::string_view target) {
  if (target.size() > kMaxTargetBytes || !absl::StartsWith(target, "/")) {
    return std::nullopt;
  }
  const std::pair<absl::string_view, absl::string_view> parts =
      absl::StrSplit(target, absl::MaxSplits('?', 1));
  Target out;
  out.path = std::string(parts.first);
  absl::string_view path = parts.first;
  absl::ConsumePrefix(&path, "/");
  absl::ConsumeSuffix(&path, "/");
  if (!path.empty()) {
    for (absl::string_view segment : absl::StrSplit(path, '/')) {
      std::optional<std::string> decoded = Decode(segment);
      if (!decoded.has_value()) return std::nullopt;
      out.segments.push_back(*std::move(decoded));
    }
  }
  for (absl::string_view parameter :
       absl::StrSplit(parts.second, '&', absl::SkipEmpty())) {
    const std::pair<absl::string_view, absl::string_view> pair =
        absl::StrSplit(parameter, absl::MaxSplits('=', 1));
    std::optional<std::string> name = Decode(pair.first);
    std::optional<std::string> value = Decode(pair.second);
    if (!name.has_value() || !value.has_value()) return std::nullopt;
    out.query.emplace_back(*std::move(name), *std::move(value));
  }
  return out;
}

}  // namespace sallyport::aws
