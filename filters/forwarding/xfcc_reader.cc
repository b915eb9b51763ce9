#include "filters/forwarding/xfcc_reader.h"

#include <cstddef>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace sallyport::forwarding {

bool ReadXfcc(absl::string_view value, XfccReading reading,
              std::vector<XfccElement>* elements, XfccEquals equals_rule) {
  elements->assign(1, {});
  size_t i = 0;
  while (true) {
    const size_t equals = value.find('=', i);
    if (equals == absl::string_view::npos || equals == i) return false;
    const absl::string_view key = value.substr(i, equals - i);
    if (key.find_first_of(",;\"") != absl::string_view::npos) return false;
    i = equals + 1;

    std::string text;
    if (i < value.size() && value[i] == '"') {
      ++i;
      bool escaped = false;
      while (true) {
        if (i == value.size()) return false;
        const char c = value[i++];
        if (c == '"' && !escaped) break;
        text.push_back(c);
        escaped = c == '\\' &&
                  (reading == XfccReading::kQuoteAfterBackslash || !escaped);
      }
    } else {
      while (i < value.size() && value[i] != ';' && value[i] != ',') {
        if (value[i] == '"') return false;
        if (value[i] == '=' && equals_rule == XfccEquals::kRefused) {
          return false;
        }
        text.push_back(value[i++]);
      }
    }
    elements->back().emplace_back(std::string(key), text);

    if (i == value.size()) return true;
    if (value[i] == ',') {
      elements->emplace_back();
    } else if (value[i] != ';') {
      return false;
    }
    ++i;
  }
}

}  // namespace sallyport::forwarding
