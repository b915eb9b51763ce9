// Errors of the store as errors of the service.

#ifndef SALLYPORT_CONFIG_SERVICE_SERVICE_ERRORS_H_
#define SALLYPORT_CONFIG_SERVICE_SERVICE_ERRORS_H_

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace sallyport::service {

// FromStore: an error that carries a domain::Error stays as it is. Of the
// others the code decides: STORE_READ_ONLY, RECORD_DAMAGED, REVISION_COMPACTED,
// CONCURRENT_CHANGE, INTERNAL. The message is the store's own, for the log;
// whoever answers an outsider leaves that of INTERNAL out.
absl::Status FromStore(const absl::Status& status);

// RESOURCE_NOT_FOUND, RESOURCE_ALREADY_EXISTS. `type` is "truststore".
absl::Status NotFound(absl::string_view type, absl::string_view resource);
absl::Status AlreadyExists(absl::string_view type, absl::string_view resource);

}  // namespace sallyport::service

#endif  // SALLYPORT_CONFIG_SERVICE_SERVICE_ERRORS_H_
