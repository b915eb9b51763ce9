// Short forms of Envoy's callbacks on a stream.

#ifndef SALLYPORT_FILTERS_MTLS_HTTP_STREAM_ACCESS_H_
#define SALLYPORT_FILTERS_MTLS_HTTP_STREAM_ACCESS_H_

#include "absl/container/inlined_vector.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "filters/abi/abi.h"
#include "filters/shim/buffers.h"

namespace sallyport::mtls_http {

// The value of a request header; dead after the first change to the stream.
// `count`, when not null, gets the number of values.
inline absl::string_view GetHeader(abi::HttpFilter* stream,
                                   absl::string_view name, size_t index = 0,
                                   size_t* count = nullptr) {
  abi::EnvoyBuffer value{nullptr, 0};
  if (!envoy_dynamic_module_callback_http_get_header(
          stream, abi::HeaderMap::kRequest, shim::Buffer(name), &value, index,
          count)) {
    return absl::string_view();
  }
  return shim::View(value);
}

// False: it could not be set.
inline bool SetHeader(abi::HttpFilter* stream, absl::string_view name,
                      absl::string_view value) {
  return envoy_dynamic_module_callback_http_set_header(
      stream, abi::HeaderMap::kRequest, shim::Buffer(name),
      shim::Buffer(value));
}

// The labels of a counter for Envoy; they point to where `labels` do.
inline absl::InlinedVector<abi::ModuleBuffer, 4> LabelValues(
    absl::Span<const absl::string_view> labels) {
  absl::InlinedVector<abi::ModuleBuffer, 4> values;
  for (const absl::string_view label : labels) {
    values.push_back(shim::Buffer(label));
  }
  return values;
}

inline void Count(abi::HttpFilter* stream, size_t id,
                  absl::Span<const absl::string_view> labels) {
  auto values = LabelValues(labels);
  envoy_dynamic_module_callback_http_filter_increment_counter(
      stream, id, values.data(), values.size(), 1);
}

}  // namespace sallyport::mtls_http

#endif  // SALLYPORT_FILTERS_MTLS_HTTP_STREAM_ACCESS_H_
