// Reading the configurations that Envoy hands over, strictly.

#ifndef SALLYPORT_FILTERS_SHIM_CONFIG_H_
#define SALLYPORT_FILTERS_SHIM_CONFIG_H_

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "google/protobuf/message.h"

namespace sallyport::shim {

// ReadConfig: fills `out` from `bytes`: JSON (the protobuf JSON mapping) when
// the first character that is no blank is '{', the binary form otherwise.
//
// InvalidArgument: malformed, or a field, anywhere, that this version does not
// know. ResourceExhausted: over limits::kMaxModuleConfigBytes. Messages say
// where as far as the reader knows, are printable, and hold no values of the
// input: a value may be a key that someone put into the wrong place.
absl::Status ReadConfig(absl::string_view bytes,
                        google::protobuf::Message& out);

// ReadNamedConfig: the same for a configuration that Envoy's own calls `name`,
// in its field `field`. InvalidArgument too when that is not `expected`.
absl::Status ReadNamedConfig(absl::string_view field, absl::string_view name,
                             absl::string_view expected,
                             absl::string_view bytes,
                             google::protobuf::Message& out);

}  // namespace sallyport::shim

#endif  // SALLYPORT_FILTERS_SHIM_CONFIG_H_
