// Domain names as the module compares them.

#ifndef SALLYPORT_FILTERS_SHIM_DOMAIN_H_
#define SALLYPORT_FILTERS_SHIM_DOMAIN_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace sallyport::shim {

// ReadDomain: `text` in lower case when it is a host name, or "*." and a host
// name of at least one label. InvalidArgument: anything else, with a message
// that says what is wrong and how to mend it.
absl::StatusOr<std::string> ReadDomain(absl::string_view text);

// DomainCovers: whether a request for `authority` (the value of :authority or
// Host, possibly with a port and a trailing dot, in any case) belongs to
// `domain`, which ReadDomain() made. "*.example.com" covers exactly one label:
// "a.example.com", neither "example.com" nor "a.b.example.com".
// The label that '*' covers holds letters, digits, '-' and '_' only.
bool DomainCovers(absl::string_view domain, absl::string_view authority);

// HostOf: the host of `authority` as domains are compared: lower case, without
// port and trailing dot.
std::string HostOf(absl::string_view authority);

}  // namespace sallyport::shim

#endif  // SALLYPORT_FILTERS_SHIM_DOMAIN_H_
