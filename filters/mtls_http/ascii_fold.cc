#include "filters/mtls_http/ascii_fold.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>

namespace sallyport::mtls_http {
namespace {

// From `first` to `last`; a text of one character counts up with them.
struct Fold {
  uint32_t first;
  uint32_t last;
  absl::string_view text;
};
// In order.
constexpr Fold kFolds[] = {
#include "filters/mtls_http/ascii_fold_table.inc"
};

const Fold* Find(uint32_t code) {
  const Fold* const found = std::lower_bound(
      std::begin(kFolds), std::end(kFolds), code,
      [](const Fold& fold, uint32_t wanted) { return fold.last < wanted; });
  return found != std::end(kFolds) && found->first <= code ? found : nullptr;
}

// The octets of the character that `lead` begins.
size_t SizeOf(uint8_t lead) {
  if (lead < 0x80) return 1;
  if (lead < 0xe0) return 2;
  return lead < 0xf0 ? 3 : 4;
}

}  // namespace

std::string FoldToAscii(absl::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size();) {
    const auto lead = static_cast<uint8_t>(text[i]);
    const absl::string_view character = text.substr(i, SizeOf(lead));
    i += character.size();
    if (lead < 0x80) {
      out.push_back(text[i - 1]);
      continue;
    }
    uint32_t code = lead & (0x7fU >> character.size());
    for (const char c : character.substr(1)) {
      code = code << 6 | (static_cast<uint8_t>(c) & 0x3fU);
    }
    const Fold* const fold = Find(code);
    if (fold == nullptr) {
      out.append(character.data(), character.size());
    } else if (fold->text.size() == 1) {
      out.push_back(static_cast<char>(static_cast<uint32_t>(fold->text[0]) +
                                      code - fold->first));
    } else {
      out.append(fold->text.data(), fold->text.size());
    }
  }
  return out;
}

}  // namespace sallyport::mtls_http
