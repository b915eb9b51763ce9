#include "config_service/xds/cache/wire.h"

#include "google/protobuf/io/coded_stream.h"

namespace sallyport::xds {
namespace {

using google::protobuf::io::CodedOutputStream;

constexpr uint32_t kLengthDelimited = 2;

uint32_t Tag(int field) {
  return (static_cast<uint32_t>(field) << 3) | kLengthDelimited;
}

}  // namespace

void AppendVarint(uint64_t value, std::string* out) {
  uint8_t bytes[10];
  const uint8_t* end = CodedOutputStream::WriteVarint64ToArray(value, bytes);
  out->append(reinterpret_cast<const char*>(bytes),
              static_cast<size_t>(end - bytes));
}

void AppendLength(int field, size_t size, std::string* out) {
  AppendVarint(Tag(field), out);
  AppendVarint(size, out);
}

void AppendBytes(int field, absl::string_view value, std::string* out) {
  AppendLength(field, value.size(), out);
  out->append(value.data(), value.size());
}

size_t BytesFieldSize(int field, size_t size) {
  return CodedOutputStream::VarintSize32(Tag(field)) +
         CodedOutputStream::VarintSize64(size) + size;
}

}  // namespace sallyport::xds
