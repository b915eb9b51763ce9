#include "config_service/xds/translate/withdrawn.h"

#include "config_service/xds/translate/pack.h"
#include "config_service/xds/translate/routes.h"
#include "envoy/config/route/v3/route.pb.h"
#include "envoy/extensions/filters/http/dynamic_modules/v3/dynamic_modules.pb.h"
#include "google/protobuf/wrappers.pb.h"

namespace sallyport::xds {
namespace {

using ::envoy::config::route::v3::RouteConfiguration;
using ::envoy::config::route::v3::VirtualHost;
using ::envoy::extensions::filters::http::dynamic_modules::v3::
    DynamicModuleFilterPerRoute;

// The module's (filters/mtls_http).
constexpr char kWithdrawnRoute[] = "sallyport.withdrawn";

}  // namespace

Translated TranslateWithdrawn(absl::string_view name,
                              absl::string_view domain) {
  RouteConfiguration config;
  config.set_name(std::string(name));
  VirtualHost& host = *config.add_virtual_hosts();
  host.set_name("withdrawn");
  host.add_domains("*");
  google::protobuf::StringValue value;
  value.set_value(std::string(domain));
  DynamicModuleFilterPerRoute per_route;
  *per_route.mutable_dynamic_module_config() = Module();
  per_route.set_filter_name(kWithdrawnRoute);
  *per_route.mutable_filter_config() = Pack(value);
  (*host.mutable_typed_per_filter_config())[kHttpFilter] = Pack(per_route);
  *host.add_routes() = DenyBelow("", Denial::kForbidden);
  return MakeTranslated(ResourceType::kRouteConfiguration, config.name(),
                        config);
}

}  // namespace sallyport::xds
