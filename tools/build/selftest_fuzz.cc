// Shows the shape of a fuzz target, and that both drivers work.

#include <openssl/bytestring.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  CBS input;
  CBS_init(&input, data, size);
  CBS element;
  if (CBS_get_asn1(&input, &element, CBS_ASN1_SEQUENCE) != 0 &&
      CBS_len(&element) > size) {
    std::abort();
  }
  return 0;
}
