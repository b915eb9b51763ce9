// The HTTP filter `sallyport.lambda` as one of the module's.

#include <memory>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/status_macros.h"
#include "filters/abi/abi.h"
#include "filters/lambda/proxy.h"
#include "filters/shim/config.h"
#include "filters/shim/http_filter.h"
#include "proto/sallyport/filter/v1/authorizer.pb.h"

namespace sallyport::lambda {
namespace {

class Config : public shim::HttpConfig {
 public:
  explicit Config(std::shared_ptr<const LambdaProxy> proxy)
      : proxy_(std::move(proxy)) {}
  std::unique_ptr<shim::HttpStream> NewStream() const override {
    return std::make_unique<LambdaStream>(proxy_);
  }

 private:
  const std::shared_ptr<const LambdaProxy> proxy_;
};

absl::StatusOr<std::unique_ptr<shim::HttpConfig>> Load(
    abi::HttpFilterConfig* envoy_config, absl::string_view bytes) {
  filter::v1::LambdaProxy config;
  SALLYPORT_RETURN_IF_ERROR(shim::ReadConfig(bytes, config));
  SALLYPORT_ASSIGN_OR_RETURN(std::shared_ptr<const LambdaProxy> proxy,
                             LambdaProxy::Create(config, envoy_config));
  return std::unique_ptr<shim::HttpConfig>(
      std::make_unique<Config>(std::move(proxy)));
}

absl::StatusOr<std::unique_ptr<shim::HttpRouteConfig>> LoadRoute(
    absl::string_view bytes) {
  filter::v1::LambdaProxyRoute config;
  SALLYPORT_RETURN_IF_ERROR(shim::ReadConfig(bytes, config));
  SALLYPORT_ASSIGN_OR_RETURN(std::unique_ptr<LambdaRoute> route,
                             LambdaRoute::Create(config));
  return std::unique_ptr<shim::HttpRouteConfig>(std::move(route));
}

const bool registered =
    shim::RegisterHttpFilter({kLambdaName, Load, LoadRoute});

}  // namespace
}  // namespace sallyport::lambda
