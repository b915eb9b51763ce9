// Target: the path and query of a request, read.

#ifndef SALLYPORT_CONFIG_SERVICE_AWS_TARGET_H_
#define SALLYPORT_CONFIG_SERVICE_AWS_TARGET_H_

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"

namespace sallyport::aws {

struct Target {
  // As sent, without the query: what is signed.
  std::string path;
  // Between the slashes, decoded: "/a/b%2Fc" has "a" and "b/c". One slash at
  // the end does not count.
  std::vector<std::string> segments;
  // Decoded, in the order sent. '+' is itself.
  std::vector<std::pair<std::string, std::string>> query;
};

// Nothing: it does not begin with '/', has a '%' without two hexadecimal digits
// after it, a NUL, or is longer than kMaxTargetBytes.
std::optional<Target> ParseTarget(absl::string_view target);

}  // namespace sallyport::aws

#endif  // SALLYPORT_CONFIG_SERVICE_AWS_TARGET_H_
