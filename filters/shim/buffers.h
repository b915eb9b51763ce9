// Between Envoy's buffers and string views.

#ifndef SALLYPORT_FILTERS_SHIM_BUFFERS_H_
#define SALLYPORT_FILTERS_SHIM_BUFFERS_H_

#include "absl/strings/string_view.h"
#include "filters/abi/abi.h"

namespace sallyport::shim {

// View: the bytes of `buffer`, for as long as Envoy keeps them (abi.h). Empty
// for a null pointer.
inline absl::string_view View(const abi::EnvoyBuffer& buffer) {
  if (buffer.ptr == nullptr) return absl::string_view();
  return absl::string_view(buffer.ptr, buffer.length);
}

// Buffer: `text` for a callback; Envoy copies it before the callback returns.
// Its pointer is never null, also for an empty text, because a null pointer
// means "remove" in some callbacks.
inline abi::ModuleBuffer Buffer(absl::string_view text) {
  return abi::ModuleBuffer{text.data() != nullptr ? text.data() : "",
                           text.size()};
}

// The value that makes http_set_header remove the header.
inline constexpr abi::ModuleBuffer kRemove{nullptr, 0};

}  // namespace sallyport::shim

#endif  // SALLYPORT_FILTERS_SHIM_BUFFERS_H_
