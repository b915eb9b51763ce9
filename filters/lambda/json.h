// Reading JSON that a function sent, within limits.

#ifndef SALLYPORT_FILTERS_LAMBDA_JSON_H_
#define SALLYPORT_FILTERS_LAMBDA_JSON_H_

#include <cstddef>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "nlohmann/json.hpp"

namespace sallyport::lambda {

// How deep arrays and objects may lie in each other.
inline constexpr size_t kMaxJsonDepth = 32;

// ReadJson: the value that `text` is (RFC 8259). InvalidArgument: malformed,
// not UTF-8, nested deeper than kMaxJsonDepth, or an object with a name twice,
// of which two readers could take different ones. Messages hold nothing of the
// input.
absl::StatusOr<nlohmann::json> ReadJson(absl::string_view text);

// WriteJson: one line. What is not UTF-8 becomes U+FFFD.
std::string WriteJson(const nlohmann::json& value);
std::string WriteJson(const nlohmann::ordered_json& value);

// IsUtf8: whether `text` is well-formed UTF-8 (RFC 3629).
bool IsUtf8(absl::string_view text);

}  // namespace sallyport::lambda

#endif  // SALLYPORT_FILTERS_LAMBDA_JSON_H_
