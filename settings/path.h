// Paths of path rules (MutualTls.paths of the module's configuration).

#ifndef SALLYPORT_SETTINGS_PATH_H_
#define SALLYPORT_SETTINGS_PATH_H_

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace sallyport::settings {

// CheckRulePath: OK when `path` is written plain and decoded: '/' at the front
// and none at the end (but for "/" itself), no query, no '%', ';', '\', '*', no
// empty segments and none that ends in a dot or a blank, UTF-8. InvalidArgument
// or ResourceExhausted (limits::kMaxPathRuleBytes): what is wrong and how to
// mend it, without the path.
absl::Status CheckRulePath(absl::string_view path);

}  // namespace sallyport::settings

#endif  // SALLYPORT_SETTINGS_PATH_H_
