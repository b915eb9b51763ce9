// Whatever DecodeRecord() accepts is exactly what EncodeRecord() makes of it.

#include <cstdint>
#include <cstdlib>

#include "filters/cert_validator/connection_record.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using sallyport::cert_validator::ConnectionRecord;
  const absl::string_view bytes(reinterpret_cast<const char*>(data), size);
  ConnectionRecord record;
  if (!sallyport::cert_validator::DecodeRecord(bytes, record)) return 0;
  if (sallyport::cert_validator::EncodeRecord(record) != bytes) std::abort();
  return 0;
}
