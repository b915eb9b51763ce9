// Writing fields of Protocol Buffers messages by hand, for messages that are
// put together from parts that are serialised already.

#ifndef SALLYPORT_CONFIG_SERVICE_XDS_CACHE_WIRE_H_
#define SALLYPORT_CONFIG_SERVICE_XDS_CACHE_WIRE_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"

namespace sallyport::xds {

// AppendVarint: base 128, at most ten bytes.
void AppendVarint(uint64_t value, std::string* out);

// AppendLength: tag of a length-delimited field and the length; the caller
// appends `size` bytes after it.
void AppendLength(int field, size_t size, std::string* out);

// AppendBytes: a whole length-delimited field (string, bytes or message).
void AppendBytes(int field, absl::string_view value, std::string* out);

// BytesFieldSize: what AppendBytes appends for a value of `size` bytes.
size_t BytesFieldSize(int field, size_t size);

}  // namespace sallyport::xds

#endif  // SALLYPORT_CONFIG_SERVICE_XDS_CACHE_WIRE_H_
