// UUIDs: ids of requests, and of certificates.

#ifndef SALLYPORT_CONFIG_SERVICE_AWS_REQUEST_ID_H_
#define SALLYPORT_CONFIG_SERVICE_AWS_REQUEST_ID_H_

#include <string>

#include "absl/strings/string_view.h"

namespace sallyport::aws {

// A random one (RFC 9562, version 4).
std::string NewUuid();
// The same for the same text (version 8, of its SHA-256).
std::string UuidOf(absl::string_view text);

}  // namespace sallyport::aws

#endif  // SALLYPORT_CONFIG_SERVICE_AWS_REQUEST_ID_H_
