// What the function of an AWS_PROXY integration answers.
//
// Input: the payload format (one byte, modulo 2), and the answer. Invariants: a
// response that is read can be written: a status that is one, names that are
// tokens, values without control characters, nothing that frames the message.

#include <cstddef>
#include <cstdint>

#include "absl/strings/string_view.h"
#include "filters/lambda/proxy_answer.h"
#include "tests/fuzz/fuzz_check.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using sallyport::fuzz::Require;
  using sallyport::lambda::PayloadFormat;
  if (size < 1) return 0;
  const auto answer = sallyport::lambda::ReadProxyAnswer(
      data[0] % 2 == 0 ? PayloadFormat::k10 : PayloadFormat::k20,
      absl::string_view(reinterpret_cast<const char*>(data) + 1, size - 1));
  if (!answer.ok()) return 0;
  Require(answer->status >= 200 && answer->status <= 599, "the status is one");
  for (const auto& [name, value] : answer->headers) {
    Require(!name.empty() && name.front() != ':', "the name is none of HTTP/2");
    Require(name != "content-length" && name != "transfer-encoding" &&
                name != "connection",
            "nothing frames the message");
    for (const char c : name) {
      Require(c > 0x20 && c < 0x7f, "the name is a token");
    }
    for (const char c : value) {
      const auto byte = static_cast<unsigned char>(c);
      Require((byte >= 0x20 || byte == '\t') && byte != 0x7f,
              "the value has no control character");
    }
  }
  return 0;
}
