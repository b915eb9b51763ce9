// Envoy's hooks of HTTP filters, for all of the module's.

#include <algorithm>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/text.h"
#include "filters/shim/barrier.h"
#include "filters/shim/buffers.h"
#include "filters/shim/http_filter.h"
#include "filters/shim/local_reply.h"
#include "filters/shim/log.h"

namespace sallyport::shim {
namespace {

HookSite config_new_site("http_filter_config_new");
HookSite config_destroy_site("http_filter_config_destroy");
HookSite new_site("http_filter_new");
HookSite destroy_site("http_filter_destroy");
HookSite headers_site("http_filter_request_headers");
HookSite body_site("http_filter_request_body");
HookSite trailers_site("http_filter_request_trailers");
HookSite scheduled_site("http_filter_scheduled");
HookSite callout_site("http_filter_http_callout_done");
HookSite complete_site("http_filter_stream_complete");
HookSite route_new_site("http_filter_per_route_config_new");
HookSite route_destroy_site("http_filter_per_route_config_destroy");
HookSite config_scheduled_site("http_filter_config_scheduled");
HookSite refuse_site("http_filter_request_headers (answering)");

std::vector<HttpFilterType>& Types() {
  static auto& types = *new std::vector<HttpFilterType>;
  return types;
}

absl::StatusOr<HttpFilterType> Find(absl::string_view field,
                                    absl::string_view name) {
  std::vector<std::string> known;
  for (const HttpFilterType& type : Types()) {
    if (name == type.name) return type;
    known.emplace_back(type.name);
  }
  std::sort(known.begin(), known.end());
  return absl::InvalidArgumentError(
      absl::StrCat(field, ": \"", Printable(name, 80), "\" is not known; use ",
                   absl::StrJoin(known, " or ")));
}

const void* ConfigNew(abi::HttpFilterConfig* envoy_config,
                      absl::string_view name, absl::string_view bytes) {
  const absl::StatusOr<HttpFilterType> type = Find("filter_name", name);
  if (!type.ok()) {
    LogRefused("HTTP filter: configuration", type.status());
    return nullptr;
  }
  absl::StatusOr<std::unique_ptr<HttpConfig>> config =
      type->load(envoy_config, bytes);
  if (!config.ok()) {
    LogRefused(absl::StrCat(type->name, ": configuration"), config.status());
    return nullptr;
  }
  return config->release();
}

const void* RouteConfigNew(absl::string_view name, absl::string_view bytes) {
  const absl::StatusOr<HttpFilterType> type =
      Find("per_route_config_name", name);
  if (!type.ok()) {
    LogRefused("HTTP filter: route configuration", type.status());
    return nullptr;
  }
  absl::StatusOr<std::unique_ptr<HttpRouteConfig>> config =
      type->load_route(bytes);
  if (!config.ok()) {
    LogRefused(absl::StrCat(type->name, ": route configuration"),
               config.status());
    return nullptr;
  }
  return config->release();
}

const HttpConfig* ConfigFromEnvoy(const void* config) {
  return static_cast<const HttpConfig*>(config);
}

// It hands it back as it got it.
HttpStream* StreamFromEnvoy(const void* stream) {
  return const_cast<HttpStream*>(static_cast<const HttpStream*>(stream));
}

void Refuse(abi::HttpFilter* envoy_filter, const void* filter) {
  GuardedVoid(refuse_site, [&] {
    if (envoy_filter == nullptr) return;
    if (filter != nullptr) {
      StreamFromEnvoy(filter)->Refuse(envoy_filter);
    } else {
      Send(envoy_filter, kForbidden, "sallyport_denied{INTERNAL_ERROR}");
    }
  });
}

}  // namespace

bool RegisterHttpFilter(const HttpFilterType& type) {
  Types().push_back(type);
  return true;
}

const HttpRouteConfig* RouteConfigOf(abi::HttpFilter* stream,
                                     const char* filter_name) {
  const auto* const config = static_cast<const HttpRouteConfig*>(
      envoy_dynamic_module_callback_get_most_specific_route_config(stream));
  if (config != nullptr && config->filter_name() != filter_name) {
    throw std::logic_error(absl::StrCat(
        "the route's configuration of ", filter_name, " is one of ",
        config->filter_name(), "; give it under the name of that filter"));
  }
  return config;
}

absl::Status DefineCounter(abi::HttpFilterConfig* config,
                           absl::string_view name,
                           absl::Span<const absl::string_view> labels,
                           size_t& id) {
  std::vector<abi::ModuleBuffer> names;
  for (const absl::string_view label : labels) names.push_back(Buffer(label));
  const abi::MetricsResult result =
      envoy_dynamic_module_callback_http_filter_config_define_counter(
          config, Buffer(name), names.data(), names.size(), &id);
  if (result == abi::MetricsResult::kSuccess) return absl::OkStatus();
  return absl::InternalError(absl::StrCat("Envoy did not define the counter ",
                                          name, " (result ",
                                          static_cast<uint32_t>(result), ")"));
}

}  // namespace sallyport::shim

namespace shim = sallyport::shim;
namespace sabi = sallyport::abi;

extern "C" {

const void* envoy_dynamic_module_on_http_filter_config_new(
    sabi::HttpFilterConfig* envoy_config, sabi::EnvoyBuffer name,
    sabi::EnvoyBuffer config) {
  return shim::Guarded<const void*>(shim::config_new_site, nullptr, [&] {
    return shim::ConfigNew(envoy_config, shim::View(name), shim::View(config));
  });
}

void envoy_dynamic_module_on_http_filter_config_destroy(const void* config) {
  shim::GuardedVoid(shim::config_destroy_site,
                    [&] { delete shim::ConfigFromEnvoy(config); });
}

void envoy_dynamic_module_on_http_filter_config_scheduled(
    sabi::HttpFilterConfig* /*envoy_config*/, const void* config,
    uint64_t /*event_id*/) {
  shim::GuardedVoid(shim::config_scheduled_site, [&] {
    if (config != nullptr) shim::ConfigFromEnvoy(config)->OnScheduled();
  });
}

const void* envoy_dynamic_module_on_http_filter_new(
    const void* config, sabi::HttpFilter* /*envoy_filter*/) {
  return shim::Guarded<const void*>(
      shim::new_site, nullptr, [&]() -> const void* {
        if (config == nullptr) return nullptr;
        return shim::ConfigFromEnvoy(config)->NewStream().release();
      });
}

void envoy_dynamic_module_on_http_filter_destroy(const void* filter) {
  shim::GuardedVoid(shim::destroy_site,
                    [&] { delete shim::StreamFromEnvoy(filter); });
}

const void* envoy_dynamic_module_on_http_filter_per_route_config_new(
    sabi::EnvoyBuffer name, sabi::EnvoyBuffer config) {
  return shim::Guarded<const void*>(shim::route_new_site, nullptr, [&] {
    return shim::RouteConfigNew(shim::View(name), shim::View(config));
  });
}

void envoy_dynamic_module_on_http_filter_per_route_config_destroy(
    const void* config) {
  shim::GuardedVoid(shim::route_destroy_site, [&] {
    delete static_cast<const shim::HttpRouteConfig*>(config);
  });
}

sabi::HeadersStatus envoy_dynamic_module_on_http_filter_request_headers(
    sabi::HttpFilter* envoy_filter, const void* filter, bool end_of_stream) {
  // A value that no answer has marks the exception.
  constexpr auto kFailed = static_cast<sabi::HeadersStatus>(~uint32_t{0});
  const sabi::HeadersStatus status =
      shim::Guarded(shim::headers_site, kFailed, [&] {
        if (envoy_filter == nullptr || filter == nullptr) return kFailed;
        return shim::StreamFromEnvoy(filter)->OnRequestHeaders(
            envoy_filter,
            end_of_stream ? shim::EndOfStream::kYes : shim::EndOfStream::kNo);
      });
  if (status != kFailed) return status;
  shim::Refuse(envoy_filter, filter);
  return sabi::HeadersStatus::kStopIteration;
}

sabi::BodyStatus envoy_dynamic_module_on_http_filter_request_body(
    sabi::HttpFilter* envoy_filter, const void* filter, bool end_of_stream) {
  constexpr auto kFailed = static_cast<sabi::BodyStatus>(~uint32_t{0});
  const sabi::BodyStatus status = shim::Guarded(shim::body_site, kFailed, [&] {
    if (envoy_filter == nullptr || filter == nullptr) return kFailed;
    return shim::StreamFromEnvoy(filter)->OnRequestBody(
        envoy_filter,
        end_of_stream ? shim::EndOfStream::kYes : shim::EndOfStream::kNo);
  });
  if (status != kFailed) return status;
  shim::Refuse(envoy_filter, filter);
  return sabi::BodyStatus::kStopIterationNoBuffer;
}

sabi::TrailersStatus envoy_dynamic_module_on_http_filter_request_trailers(
    sabi::HttpFilter* envoy_filter, const void* filter) {
  // Trailers that could not be cleaned do not go on.
  return shim::Guarded(
      shim::trailers_site, sabi::TrailersStatus::kStopIteration, [&] {
        return envoy_filter != nullptr && filter != nullptr
                   ? shim::StreamFromEnvoy(filter)->OnRequestTrailers(
                         envoy_filter)
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
  shim::GuardedVoid(shim::complete_site, [&] {
    if (filter != nullptr) shim::StreamFromEnvoy(filter)->OnComplete();
  });
}

void envoy_dynamic_module_on_http_filter_http_callout_done(
    sabi::HttpFilter* envoy_filter, const void* filter, uint64_t callout_id,
    sabi::CalloutResult result, sabi::EnvoyHeader* headers, size_t num_headers,
    sabi::EnvoyBuffer* body_chunks, size_t num_body_chunks) {
  const bool done = shim::Guarded(shim::callout_site, false, [&] {
    if (envoy_filter == nullptr || filter == nullptr) return true;
    shim::CalloutEnd end;
    end.id = callout_id;
    end.result = result;
    if (headers != nullptr) end.headers = {headers, num_headers};
    if (body_chunks != nullptr) end.body = {body_chunks, num_body_chunks};
    shim::StreamFromEnvoy(filter)->OnCalloutDone(envoy_filter, end);
    return true;
  });
  if (!done) shim::Refuse(envoy_filter, filter);
}

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
  const bool done = shim::Guarded(shim::scheduled_site, false, [&] {
    if (envoy_filter != nullptr && filter != nullptr) {
      shim::StreamFromEnvoy(filter)->OnScheduled(envoy_filter);
    }
    return true;
  });
  if (done) return;
  // Whether its client may still be there is not known.
  shim::GuardedVoid(shim::refuse_site, [&] {
    envoy_dynamic_module_callback_http_filter_reset_stream(
        envoy_filter, sabi::StreamReset::kLocalReset,
        shim::Buffer(shim::StreamFromEnvoy(filter)->ResetDetails()));
  });
}

void envoy_dynamic_module_on_http_filter_downstream_above_write_buffer_high_watermark(  // NOLINT
    sabi::HttpFilter* /*envoy_filter*/, const void* /*filter*/) {}

void envoy_dynamic_module_on_http_filter_downstream_below_write_buffer_low_watermark(  // NOLINT
    sabi::HttpFilter* /*envoy_filter*/, const void* /*filter*/) {}

}  // extern "C"
