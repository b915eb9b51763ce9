// Routes of one stage of an API, and the clusters that they go to.

#ifndef SALLYPORT_CONFIG_SERVICE_XDS_TRANSLATE_ROUTES_H_
#define SALLYPORT_CONFIG_SERVICE_XDS_TRANSLATE_ROUTES_H_

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "config_service/xds/translate/translate.h"
#include "envoy/config/route/v3/route_components.pb.h"
#include "proto/sallyport/filter/v1/config.pb.h"

namespace sallyport::xds {

// By name; equal backends have one name.
using Clusters = std::map<std::string, Translated>;

// 403 as API Gateway answers: {"message":"Missing Authentication Token"} where
// no method of the API has the path, {"message":"Forbidden"} where no API is.
enum class Denial { kMissingAuthenticationToken, kForbidden };
// A route for everything below `base_path` ("" for the root), in whole
// segments.
envoy::config::route::v3::Route DenyBelow(absl::string_view base_path,
                                          Denial denial);

// Adds the routes of the stage below `base_path`, the most specific first, and
// a last one that denies what is left of it. `rules`, if any, are the module's
// for each of them. Problems name the route.
void AddStageRoutes(const StageInput& stage, absl::string_view base_path,
                    const std::optional<filter::v1::MutualTlsRoute>& rules,
                    envoy::config::route::v3::VirtualHost& host,
                    Clusters& clusters, std::vector<Problem>& problems);

// The module's configuration for a virtual host or a route.
google::protobuf::Any RouteRules(const filter::v1::MutualTlsRoute& rules);

}  // namespace sallyport::xds

#endif  // SALLYPORT_CONFIG_SERVICE_XDS_TRANSLATE_ROUTES_H_
