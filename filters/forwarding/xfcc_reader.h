// Readers of x-forwarded-client-cert, written from Envoy's documentation and
// sharing nothing with the encoder: what a backend would understand.

#ifndef SALLYPORT_FILTERS_FORWARDING_XFCC_READER_H_
#define SALLYPORT_FILTERS_FORWARDING_XFCC_READER_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"

namespace sallyport::forwarding {

// The two ways in which backends find the end of a quoted value.
enum class XfccReading {
  // A quote ends it unless a backslash stands before it.
  kQuoteAfterBackslash,
  // A backslash takes the next character with it, whatever that is.
  kBackslashPairs,
};

// Whether a value without quotes may hold '='. Envoy writes SANs so, against
// its documentation.
enum class XfccEquals { kRefused, kAllowed };

using XfccField = std::pair<std::string, std::string>;
using XfccElement = std::vector<XfccField>;

// The elements of `value`, each with its keys and values in order; values
// without their quotes, escapes left as they are. False when it is malformed.
bool ReadXfcc(absl::string_view value, XfccReading reading,
              std::vector<XfccElement>* elements,
              XfccEquals equals = XfccEquals::kRefused);

}  // namespace sallyport::forwarding

#endif  // SALLYPORT_FILTERS_FORWARDING_XFCC_READER_H_
