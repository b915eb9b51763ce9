// What is checked of routes, whoever changes them.

#ifndef SALLYPORT_CONFIG_SERVICE_SERVICE_ROUTE_CHECKS_H_
#define SALLYPORT_CONFIG_SERVICE_SERVICE_ROUTE_CHECKS_H_

#include <cstddef>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "config_service/domain/api.h"
#include "config_service/domain/backend_policy.h"
#include "config_service/domain/violations.h"
#include "config_service/service/transaction.h"

namespace sallyport::service {

// What tells a route from others: two with the same match the same requests.
std::string MatchOf(const domain::Route& route);

// ROUTE_TAKEN: `other` matches the same requests.
absl::Status RouteTaken(const domain::Route& other);

// CheckBackend: that the route's backend may have its address (`policy`; null:
// any), and that the truststore by which it is known exists, now and when this
// is committed. Else violations at fields below "route".
absl::Status CheckBackend(Transaction& transaction,
                          const domain::BackendPolicy* policy,
                          const domain::Route& route,
                          domain::Violations& violations);

// QUOTA_EXCEEDED: an API has `limit` of `what` ("routes").
absl::Status TooManyOfApi(absl::string_view what, size_t limit);

}  // namespace sallyport::service

#endif  // SALLYPORT_CONFIG_SERVICE_SERVICE_ROUTE_CHECKS_H_
