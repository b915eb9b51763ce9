// An Envoy module whose HTTP filter does as little as one can: what a filter of
// a dynamic module costs in Envoy itself. filter_name says what it does:
//
//   nothing   it lets every request through
//   header    it also sets one header of 1,600 bytes, about what RFC 9440 takes
//             for a chain of two P-256 certificates

#include <cstddef>
#include <cstdint>
#include <string>

#include "filters/abi/abi.h"

namespace abi = sallyport::abi;

namespace {

constexpr char kHeaderName[] = "x-bench";

// What Envoy holds for a configuration.
struct Config {
  std::string header;  // empty: none
};

}  // namespace

const char* envoy_dynamic_module_on_program_init() { return abi::kVersion; }

const void* envoy_dynamic_module_on_http_filter_config_new(
    abi::HttpFilterConfig*, abi::EnvoyBuffer name, abi::EnvoyBuffer) {
  const bool header = std::string(name.ptr, name.length) == "header";
  return new Config{std::string(header ? 1600 : 0, 'x')};
}

void envoy_dynamic_module_on_http_filter_config_destroy(const void* config) {
  delete static_cast<const Config*>(config);
}

const void* envoy_dynamic_module_on_http_filter_new(const void* config,
                                                    abi::HttpFilter*) {
  return config;
}

abi::HeadersStatus envoy_dynamic_module_on_http_filter_request_headers(
    abi::HttpFilter* envoy_filter, const void* filter, bool) {
  const std::string& header = static_cast<const Config*>(filter)->header;
  if (!header.empty()) {
    envoy_dynamic_module_callback_http_set_header(
        envoy_filter, abi::HeaderMap::kRequest,
        {kHeaderName, sizeof(kHeaderName) - 1}, {header.data(), header.size()});
  }
  return abi::HeadersStatus::kContinue;
}

abi::BodyStatus envoy_dynamic_module_on_http_filter_request_body(
    abi::HttpFilter*, const void*, bool) {
  return abi::BodyStatus::kContinue;
}

abi::TrailersStatus envoy_dynamic_module_on_http_filter_request_trailers(
    abi::HttpFilter*, const void*) {
  return abi::TrailersStatus::kContinue;
}

abi::HeadersStatus envoy_dynamic_module_on_http_filter_response_headers(
    abi::HttpFilter*, const void*, bool) {
  return abi::HeadersStatus::kContinue;
}

abi::BodyStatus envoy_dynamic_module_on_http_filter_response_body(
    abi::HttpFilter*, const void*, bool) {
  return abi::BodyStatus::kContinue;
}

abi::TrailersStatus envoy_dynamic_module_on_http_filter_response_trailers(
    abi::HttpFilter*, const void*) {
  return abi::TrailersStatus::kContinue;
}

void envoy_dynamic_module_on_http_filter_stream_complete(abi::HttpFilter*,
                                                         const void*) {}

void envoy_dynamic_module_on_http_filter_destroy(const void*) {}

void envoy_dynamic_module_on_http_filter_scheduled(abi::HttpFilter*,
                                                   const void*, uint64_t) {}

void envoy_dynamic_module_on_http_filter_http_callout_done(
    abi::HttpFilter*, const void*, uint64_t, abi::CalloutResult,
    abi::EnvoyHeader*, size_t, abi::EnvoyBuffer*, size_t) {}

void envoy_dynamic_module_on_http_filter_http_stream_headers(
    abi::HttpFilter*, const void*, uint64_t, abi::EnvoyHeader*, size_t, bool) {}

void envoy_dynamic_module_on_http_filter_http_stream_data(
    abi::HttpFilter*, const void*, uint64_t, const abi::EnvoyBuffer*, size_t,
    bool) {}

void envoy_dynamic_module_on_http_filter_http_stream_trailers(
    abi::HttpFilter*, const void*, uint64_t, abi::EnvoyHeader*, size_t) {}

void envoy_dynamic_module_on_http_filter_http_stream_complete(abi::HttpFilter*,
                                                              const void*,
                                                              uint64_t) {}

void envoy_dynamic_module_on_http_filter_http_stream_reset(abi::HttpFilter*,
                                                           const void*,
                                                           uint64_t, uint32_t) {
}

void envoy_dynamic_module_on_http_filter_downstream_above_write_buffer_high_watermark(
    abi::HttpFilter*, const void*) {}

void envoy_dynamic_module_on_http_filter_downstream_below_write_buffer_low_watermark(
    abi::HttpFilter*, const void*) {}
