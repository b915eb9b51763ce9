// Where APIs can be reached without a domain, and so without mutual TLS.

#ifndef SALLYPORT_CONFIG_SERVICE_SERVICE_DEFAULT_ENDPOINTS_H_
#define SALLYPORT_CONFIG_SERVICE_SERVICE_DEFAULT_ENDPOINTS_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "config_service/domain/common.h"
#include "config_service/domain/domain_name.h"
#include "config_service/domain/name.h"
#include "config_service/domain/violations.h"
#include "config_service/service/transaction.h"
#include "config_service/store/store.h"

namespace sallyport::service {

// The suffix of the API's default endpoint: of the fleets that its domains are
// on, or of all when no domain maps it, that of the default fleet, or else of
// the first that has one. Empty: the API has none.
absl::StatusOr<std::string> DefaultEndpointSuffix(store::Store& store,
                                                  const domain::ApiName& api);

// Whether the API has a default endpoint on some fleet, being mapped by `on`.
absl::StatusOr<bool> HasDefaultEndpoint(store::Store& store,
                                        const domain::ApiName& api,
                                        const domain::DomainName& on);

// Whether `domain` ("*.SUFFIX", or one label before ".SUFFIX") is the name of
// default endpoints with that suffix; of an empty one there are none. On a
// fleet that has them, the wildcard would be there twice, and a name would be
// served in the place of an API's endpoint. SUFFIX itself, and names further
// below it, do no harm.
bool IsDefaultEndpoint(absl::string_view domain, absl::string_view suffix);

// The fleets of the domains that have a mapping of `api`, in the order of their
// names.
absl::StatusOr<std::vector<domain::FleetName>> FleetsOfDomainsOf(
    store::Store& store, const domain::ApiName& api);

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
