// Any bytes as the x-forwarded-client-cert of a resumed connection.
//
// Invariant: what is read is what stands in the first `Chain`, written the one
// way in which Envoy writes it, and begins with the peer's certificate.

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/string_view.h"
#include "base/text.h"
#include "filters/forwarding/dialect_readers.h"
#include "filters/forwarding/xfcc_chain.h"
#include "pki/x509/certificate.h"
#include "pki/x509/pem.h"

namespace sallyport::forwarding {
namespace {

#define SALLYPORT_FUZZ_CHECK(condition)                                    \
  do {                                                                     \
    if (!(condition)) {                                                    \
      std::fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
      std::abort();                                                        \
    }                                                                      \
  } while (false)

// The text of the first Chain, and the SHA-256 of its first certificate, by
// the general PEM reader.
struct Independent {
  absl::string_view chain;
  std::string peer;
};

Independent ReadIndependently(absl::string_view value) {
  Independent out;
  const size_t at = value.find("Chain=\"");
  if (at == absl::string_view::npos) return out;
  out.chain = value.substr(at + 7);
  out.chain = out.chain.substr(0, out.chain.find('"'));
  pki::ReadPem(PercentDecoded(out.chain), size_t{2} << 20,
               [&out](const pki::PemBlock& block) {
                 out.peer = HexLower(pki::AsBytes(pki::Sha256(block.data)));
                 return false;
               });
  return out;
}

void Run(absl::string_view value) {
  const Independent independent = ReadIndependently(value);
  SALLYPORT_FUZZ_CHECK(!ReadXfccChain(value, "").ok());
  const auto chain = ReadXfccChain(value, independent.peer);
  if (!chain.ok()) return;
  SALLYPORT_FUZZ_CHECK(!chain->certificates().empty());
  SALLYPORT_FUZZ_CHECK(chain->certificates().size() <= kMaxXfccCertificates);
  std::string pem;
  size_t bytes = 0;
  for (const absl::string_view der : chain->certificates()) {
    bytes += der.size();
    pem += pki::WritePem("CERTIFICATE", der);
  }
  SALLYPORT_FUZZ_CHECK(bytes <= kMaxXfccChainBytes);
  SALLYPORT_FUZZ_CHECK(HexLower(pki::AsBytes(pki::Sha256(
                           chain->certificates()[0]))) == independent.peer);
  SALLYPORT_FUZZ_CHECK(absl::StrReplaceAll(pem, {{" ", "%20"},
                                                 {"\n", "%0A"},
                                                 {"+", "%2B"},
                                                 {"/", "%2F"},
                                                 {"=", "%3D"}}) ==
                       independent.chain);
}

}  // namespace
}  // namespace sallyport::forwarding

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  sallyport::forwarding::Run(
      absl::string_view(reinterpret_cast<const char*>(data), size));
  return 0;
}
