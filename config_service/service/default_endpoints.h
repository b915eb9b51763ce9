// Where APIs can be reached without a domain, and so without mutual TLS.

#ifndef SALLYPORT_CONFIG_SERVICE_SERVICE_DEFAULT_ENDPOINTS_H_
#define SALLYPORT_CONFIG_SERVICE_SERVICE_DEFAULT_ENDPOINTS_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "config_service/domain/common.h"
#include "config_service/domain/name.h"
#include "config_service/domain/violations.h"
#include "config_service/service/transaction.h"
#include "config_service/store/store.h"

namespace sallyport::service {

// The suffix of default endpoints: that of the default fleet, or else of the
// first fleet that has one; empty: there are none.
absl::StatusOr<std::string> DefaultEndpointSuffix(store::Store& store);

// A mapping of `api` whose domain has mutual TLS, by its name; empty: there is
// none.
absl::StatusOr<std::string> MutualTlsMappingOf(store::Store& store,
                                               const domain::ApiName& api);

// DEFAULT_ENDPOINT_OPEN.
domain::Warning OpenDefaultEndpointWarning(absl::string_view mapping);

// MUTUAL_TLS_ON_PRIVATE_API at `endpoint_type` when a mapping of `api` is on a
// domain with mutual TLS, now or when this is committed.
absl::Status CheckNoMutualTlsMapping(Transaction& transaction,
                                     const domain::ApiName& api,
                                     domain::Violations& violations);

}  // namespace sallyport::service

#endif  // SALLYPORT_CONFIG_SERVICE_SERVICE_DEFAULT_ENDPOINTS_H_
