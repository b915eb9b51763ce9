// The hooks of the HTTP filter `sallyport.mtls`.

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/status_macros.h"
#include "filters/abi/abi.h"
#include "filters/mtls_http/answers.h"
#include "filters/mtls_http/filter.h"
#include "filters/mtls_http/stream.h"
#include "filters/shim/barrier.h"
#include "filters/shim/buffers.h"
#include "filters/shim/clock.h"
#include "filters/shim/config.h"
#include "filters/shim/log.h"
#include "proto/sallyport/filter/v1/config.pb.h"

namespace sallyport::mtls_http {
namespace {

constexpr absl::string_view kName = "sallyport.mtls";

// What Envoy holds for a configuration.
using Handle = std::shared_ptr<const Filter>;

const Handle* FromEnvoy(const void* handle) {
  return static_cast<const Handle*>(handle);
}

// What it holds for a stream; it hands it back as it got it.
Stream* StreamFromEnvoy(const void* stream) {
  return const_cast<Stream*>(static_cast<const Stream*>(stream));
}

shim::HookSite config_new_site("http_filter_config_new");
shim::HookSite config_destroy_site("http_filter_config_destroy");
shim::HookSite new_site("http_filter_new");
shim::HookSite destroy_site("http_filter_destroy");
shim::HookSite headers_site("http_filter_request_headers");
shim::HookSite trailers_site("http_filter_request_trailers");
shim::HookSite scheduled_site("http_filter_scheduled");
shim::HookSite complete_site("http_filter_stream_complete");
shim::HookSite route_new_site("http_filter_per_route_config_new");
shim::HookSite route_destroy_site("http_filter_per_route_config_destroy");
shim::HookSite config_scheduled_site("http_filter_config_scheduled");
shim::HookSite refuse_site("http_filter_request_headers (answering)");

absl::StatusOr<Handle> Load(abi::HttpFilterConfig* envoy_config,
                            absl::string_view name, absl::string_view bytes) {
  filter::v1::MutualTls config;
  SALLYPORT_RETURN_IF_ERROR(
      shim::ReadNamedConfig("filter_name", name, kName, bytes, config));
  return Filter::Create(config, envoy_config);
}

const void* ConfigNew(abi::HttpFilterConfig* envoy_config,
                      absl::string_view name, absl::string_view bytes) {
  absl::StatusOr<Handle> filter = Load(envoy_config, name, bytes);
  if (!filter.ok()) {
    shim::LogRefused(absl::StrCat(kName, ": configuration"), filter.status());
    return nullptr;
  }
  return new Handle(*std::move(filter));
}

absl::StatusOr<std::unique_ptr<const RouteFilter>> LoadRoute(
    absl::string_view name, absl::string_view bytes) {
  filter::v1::MutualTlsRoute config;
  SALLYPORT_RETURN_IF_ERROR(shim::ReadNamedConfig("per_route_config_name", name,
                                                  kName, bytes, config));
  return RouteFilter::Create(config);
}

const void* RouteConfigNew(absl::string_view name, absl::string_view bytes) {
  absl::StatusOr<std::unique_ptr<const RouteFilter>> route =
      LoadRoute(name, bytes);
  if (!route.ok()) {
    shim::LogRefused(absl::StrCat(kName, ": route configuration"),
                     route.status());
    return nullptr;
  }
  return route->release();
}

}  // namespace
}  // namespace sallyport::mtls_http

namespace sp = sallyport::mtls_http;
namespace shim = sallyport::shim;
namespace sabi = sallyport::abi;

extern "C" {

const void* envoy_dynamic_module_on_http_filter_config_new(
    sabi::HttpFilterConfig* envoy_config, sabi::EnvoyBuffer name,
    sabi::EnvoyBuffer config) {
  return shim::Guarded<const void*>(sp::config_new_site, nullptr, [&] {
    return sp::ConfigNew(envoy_config, shim::View(name), shim::View(config));
  });
}

void envoy_dynamic_module_on_http_filter_config_destroy(const void* config) {
  shim::GuardedVoid(sp::config_destroy_site, [&] {
    if (config == nullptr) return;
    // Envoy's own is still whole (it is in its destructor).
    (*sp::FromEnvoy(config))->CountGathered();
    delete sp::FromEnvoy(config);
  });
}

void envoy_dynamic_module_on_http_filter_config_scheduled(
    sabi::HttpFilterConfig* /*envoy_config*/, const void* config,
    uint64_t /*event_id*/) {
  shim::GuardedVoid(sp::config_scheduled_site, [&] {
    if (config != nullptr) (*sp::FromEnvoy(config))->CountGathered();
  });
}

const void* envoy_dynamic_module_on_http_filter_new(
    const void* config, sabi::HttpFilter* /*envoy_filter*/) {
  return shim::Guarded<const void*>(
      sp::new_site, nullptr, [&]() -> const void* {
        if (config == nullptr) return nullptr;
        return new sp::Stream(*sp::FromEnvoy(config));
      });
}

void envoy_dynamic_module_on_http_filter_destroy(const void* filter) {
  shim::GuardedVoid(sp::destroy_site,
                    [&] { delete sp::StreamFromEnvoy(filter); });
}

const void* envoy_dynamic_module_on_http_filter_per_route_config_new(
    sabi::EnvoyBuffer name, sabi::EnvoyBuffer config) {
  return shim::Guarded<const void*>(sp::route_new_site, nullptr, [&] {
    return sp::RouteConfigNew(shim::View(name), shim::View(config));
  });
}

void envoy_dynamic_module_on_http_filter_per_route_config_destroy(
    const void* config) {
  shim::GuardedVoid(sp::route_destroy_site, [&] {
    delete static_cast<const sp::RouteFilter*>(config);
  });
}

sabi::HeadersStatus envoy_dynamic_module_on_http_filter_request_headers(
    sabi::HttpFilter* envoy_filter, const void* filter,
    bool /*end_of_stream*/) {
  // A value that no answer has marks the exception.
  constexpr auto kFailed = static_cast<sabi::HeadersStatus>(~uint32_t{0});
  const sabi::HeadersStatus status =
      shim::Guarded(sp::headers_site, kFailed, [&] {
        if (envoy_filter == nullptr || filter == nullptr) return kFailed;
        return sp::StreamFromEnvoy(filter)->OnRequestHeaders(
            envoy_filter, shim::ModuleClock().Now());
      });
  if (status != kFailed) return status;
  shim::GuardedVoid(sp::refuse_site, [&] {
    if (envoy_filter != nullptr) {
      sp::AnswerForbidden(envoy_filter, "INTERNAL_ERROR");
    }
  });
  return sabi::HeadersStatus::kStopIteration;
}

sabi::BodyStatus envoy_dynamic_module_on_http_filter_request_body(
    sabi::HttpFilter* /*envoy_filter*/, const void* /*filter*/,
    bool /*end_of_stream*/) {
  return sabi::BodyStatus::kContinue;
}

sabi::TrailersStatus envoy_dynamic_module_on_http_filter_request_trailers(
    sabi::HttpFilter* envoy_filter, const void* filter) {
  // Trailers that could not be cleaned do not go on.
  return shim::Guarded(
      sp::trailers_site, sabi::TrailersStatus::kStopIteration, [&] {
        const bool clean =
            envoy_filter != nullptr && filter != nullptr &&
            sp::StreamFromEnvoy(filter)->OnRequestTrailers(envoy_filter);
        return clean ? sabi::TrailersStatus::kContinue
                     : sabi::TrailersStatus::kStopIteration;
      });
}

sabi::HeadersStatus envoy_dynamic_module_on_http_filter_response_headers(
    sabi::HttpFilter* /*envoy_filter*/, const void* /*filter*/,
    bool /*end_of_stream*/) {
  return sabi::HeadersStatus::kContinue;
}

sabi::BodyStatus envoy_dynamic_module_on_http_filter_response_body(
    sabi::HttpFilter* /*envoy_filter*/, const void* /*filter*/,
    bool /*end_of_stream*/) {
  return sabi::BodyStatus::kContinue;
}

sabi::TrailersStatus envoy_dynamic_module_on_http_filter_response_trailers(
    sabi::HttpFilter* /*envoy_filter*/, const void* /*filter*/) {
  return sabi::TrailersStatus::kContinue;
}

void envoy_dynamic_module_on_http_filter_stream_complete(
    sabi::HttpFilter* /*envoy_filter*/, const void* filter) {
  shim::GuardedVoid(sp::complete_site, [&] {
    if (filter != nullptr) sp::StreamFromEnvoy(filter)->OnComplete();
  });
}

void envoy_dynamic_module_on_http_filter_http_callout_done(
    sabi::HttpFilter* /*envoy_filter*/, const void* /*filter*/,
    uint64_t /*callout_id*/, uint32_t /*result*/,
    sabi::EnvoyHeader* /*headers*/, size_t /*num_headers*/,
    sabi::EnvoyBuffer* /*body_chunks*/, size_t /*num_body_chunks*/) {}

void envoy_dynamic_module_on_http_filter_http_stream_headers(
    sabi::HttpFilter* /*envoy_filter*/, const void* /*filter*/,
    uint64_t /*stream_id*/, sabi::EnvoyHeader* /*headers*/,
    size_t /*num_headers*/, bool /*end_of_stream*/) {}

void envoy_dynamic_module_on_http_filter_http_stream_data(
    sabi::HttpFilter* /*envoy_filter*/, const void* /*filter*/,
    uint64_t /*stream_id*/, const sabi::EnvoyBuffer* /*data*/,
    size_t /*num_chunks*/, bool /*end_of_stream*/) {}

void envoy_dynamic_module_on_http_filter_http_stream_trailers(
    sabi::HttpFilter* /*envoy_filter*/, const void* /*filter*/,
    uint64_t /*stream_id*/, sabi::EnvoyHeader* /*trailers*/,
    size_t /*num_trailers*/) {}

void envoy_dynamic_module_on_http_filter_http_stream_complete(
    sabi::HttpFilter* /*envoy_filter*/, const void* /*filter*/,
    uint64_t /*stream_id*/) {}

void envoy_dynamic_module_on_http_filter_http_stream_reset(
    sabi::HttpFilter* /*envoy_filter*/, const void* /*filter*/,
    uint64_t /*stream_id*/, uint32_t /*reason*/) {}

void envoy_dynamic_module_on_http_filter_scheduled(
    sabi::HttpFilter* envoy_filter, const void* filter, uint64_t /*event_id*/) {
  const bool done = shim::Guarded(sp::scheduled_site, false, [&] {
    if (envoy_filter != nullptr && filter != nullptr) {
      sp::StreamFromEnvoy(filter)->OnScheduled(envoy_filter,
                                               shim::ModuleClock().Now());
    }
    return true;
  });
  if (done) return;
  // Whether its client is still trusted is not known.
  shim::GuardedVoid(sp::refuse_site, [&] {
    envoy_dynamic_module_callback_http_filter_reset_stream(
        envoy_filter, sabi::StreamReset::kLocalReset,
        shim::Buffer("sallyport_trust_lost{INTERNAL_ERROR}"));
  });
}

void envoy_dynamic_module_on_http_filter_downstream_above_write_buffer_high_watermark(  // NOLINT
    sabi::HttpFilter* /*envoy_filter*/, const void* /*filter*/) {}

void envoy_dynamic_module_on_http_filter_downstream_below_write_buffer_low_watermark(  // NOLINT
    sabi::HttpFilter* /*envoy_filter*/, const void* /*filter*/) {}

}  // extern "C"
