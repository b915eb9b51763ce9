// The HTTP filter `sallyport.mtls` as one of the module's (shim/http_filter.h).

#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/status_macros.h"
#include "filters/abi/abi.h"
#include "filters/mtls_http/answers.h"
#include "filters/mtls_http/filter.h"
#include "filters/mtls_http/stream.h"
#include "filters/shim/clock.h"
#include "filters/shim/config.h"
#include "filters/shim/http_filter.h"
#include "proto/sallyport/filter/v1/config.pb.h"

namespace sallyport::mtls_http {
namespace {

class MtlsStream : public shim::HttpStream {
 public:
  explicit MtlsStream(std::shared_ptr<const Filter> filter)
      : stream_(std::move(filter)) {}

  abi::HeadersStatus OnRequestHeaders(abi::HttpFilter* stream,
                                      shim::EndOfStream /*end*/) override {
    return stream_.OnRequestHeaders(stream, shim::ModuleClock().Now());
  }
  abi::TrailersStatus OnRequestTrailers(abi::HttpFilter* stream) override {
    return stream_.OnRequestTrailers(stream)
               ? abi::TrailersStatus::kContinue
               : abi::TrailersStatus::kStopIteration;
  }
  void OnScheduled(abi::HttpFilter* stream) override {
    stream_.OnScheduled(stream, shim::ModuleClock().Now());
  }
  void OnComplete() override { stream_.OnComplete(); }
  void Refuse(abi::HttpFilter* stream) const override {
    AnswerForbidden(stream, "INTERNAL_ERROR");
  }
  absl::string_view ResetDetails() const override {
    return "sallyport_trust_lost{INTERNAL_ERROR}";
  }

 private:
  Stream stream_;
};

class MtlsConfig : public shim::HttpConfig {
 public:
  explicit MtlsConfig(std::shared_ptr<const Filter> filter)
      : filter_(std::move(filter)) {}
  // Envoy's own is still whole (it is in its destructor).
  ~MtlsConfig() override {
    try {
      filter_->CountGathered();
    } catch (...) {  // NOLINT(bugprone-empty-catch): what was counted is lost
    }
  }
  MtlsConfig(const MtlsConfig&) = delete;

  std::unique_ptr<shim::HttpStream> NewStream() const override {
    return std::make_unique<MtlsStream>(filter_);
  }
  void OnScheduled() const override { filter_->CountGathered(); }

 private:
  const std::shared_ptr<const Filter> filter_;
};

absl::StatusOr<std::unique_ptr<shim::HttpConfig>> Load(
    abi::HttpFilterConfig* envoy_config, absl::string_view bytes) {
  filter::v1::MutualTls config;
  SALLYPORT_RETURN_IF_ERROR(shim::ReadConfig(bytes, config));
  SALLYPORT_ASSIGN_OR_RETURN(std::shared_ptr<const Filter> filter,
                             Filter::Create(config, envoy_config));
  return std::unique_ptr<shim::HttpConfig>(
      std::make_unique<MtlsConfig>(std::move(filter)));
}

absl::StatusOr<std::unique_ptr<shim::HttpRouteConfig>> LoadRoute(
    absl::string_view bytes) {
  filter::v1::MutualTlsRoute config;
  SALLYPORT_RETURN_IF_ERROR(shim::ReadConfig(bytes, config));
  SALLYPORT_ASSIGN_OR_RETURN(std::unique_ptr<RouteFilter> route,
                             RouteFilter::Create(config));
  return std::unique_ptr<shim::HttpRouteConfig>(std::move(route));
}

absl::StatusOr<std::unique_ptr<shim::HttpConfig>> LoadWithdrawn(
    abi::HttpFilterConfig*, absl::string_view) {
  return absl::InvalidArgumentError(absl::StrCat(
      "filter_name: \"", kWithdrawnRoute, "\" is for routes only"));
}

absl::StatusOr<std::unique_ptr<shim::HttpRouteConfig>> LoadWithdrawnRoute(
    absl::string_view domain) {
  SALLYPORT_ASSIGN_OR_RETURN(std::unique_ptr<RouteFilter> route,
                             RouteFilter::Withdrawn(domain));
  return std::unique_ptr<shim::HttpRouteConfig>(std::move(route));
}

const bool registered =
    shim::RegisterHttpFilter({kFilterName, Load, LoadRoute}) &&
    shim::RegisterHttpFilter(
        {kWithdrawnRoute, LoadWithdrawn, LoadWithdrawnRoute});

}  // namespace
}  // namespace sallyport::mtls_http
