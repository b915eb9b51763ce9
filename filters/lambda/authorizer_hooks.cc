// The HTTP filter `sallyport.authorizer` as one of the module's.

#include <memory>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/status_macros.h"
#include "filters/abi/abi.h"
#include "filters/lambda/authorizer.h"
#include "filters/shim/config.h"
#include "filters/shim/http_filter.h"
#include "proto/sallyport/filter/v1/authorizer.pb.h"

namespace sallyport::lambda {
namespace {

class Config : public shim::HttpConfig {
 public:
  explicit Config(std::shared_ptr<const Authorizer> authorizer)
      : authorizer_(std::move(authorizer)) {}
  std::unique_ptr<shim::HttpStream> NewStream() const override {
    return std::make_unique<AuthorizerStream>(authorizer_);
  }

 private:
  const std::shared_ptr<const Authorizer> authorizer_;
};

absl::StatusOr<std::unique_ptr<shim::HttpConfig>> Load(
    abi::HttpFilterConfig* envoy_config, absl::string_view bytes) {
  filter::v1::Authorizer config;
  SALLYPORT_RETURN_IF_ERROR(shim::ReadConfig(bytes, config));
  SALLYPORT_ASSIGN_OR_RETURN(std::shared_ptr<const Authorizer> authorizer,
                             Authorizer::Create(config, envoy_config));
  return std::unique_ptr<shim::HttpConfig>(
      std::make_unique<Config>(std::move(authorizer)));
}

absl::StatusOr<std::unique_ptr<shim::HttpRouteConfig>> LoadRoute(
    absl::string_view bytes) {
  filter::v1::AuthorizerRoute config;
  SALLYPORT_RETURN_IF_ERROR(shim::ReadConfig(bytes, config));
  SALLYPORT_ASSIGN_OR_RETURN(std::unique_ptr<AuthorizerRoute> route,
                             AuthorizerRoute::Create(config));
  return std::unique_ptr<shim::HttpRouteConfig>(std::move(route));
}

const bool registered =
    shim::RegisterHttpFilter({kAuthorizerName, Load, LoadRoute});

}  // namespace
}  // namespace sallyport::lambda
