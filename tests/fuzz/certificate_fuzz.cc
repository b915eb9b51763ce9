// Input: the DER of a certificate. Whatever parses keeps its bytes, has text
// that is safe to print, and is the same when printed and read again.

#include <cstddef>
#include <cstdint>
#include <string>

#include "pki/truststore/truststore.h"
#include "pki/x509/certificate.h"
#include "pki/x509/pem.h"
#include "tests/fuzz/fuzz_check.h"

namespace sallyport::fuzz {
namespace {

void Test(absl::string_view der) {
  const auto parsed = pki::Certificate::Parse(der);
  if (!parsed.ok()) {
    Require(!parsed.status().message().empty(), "an error says why");
    RequirePrintable(parsed.status().message(), "an error");
    return;
  }
  const pki::Certificate& certificate = **parsed;
  Require(certificate.der() == der, "its bytes are kept");
  Require(certificate.fingerprint() == pki::Sha256(der), "its fingerprint");
  RequirePrintable(certificate.Subject(), "the subject");
  RequirePrintable(certificate.Issuer(), "the issuer");
  RequirePrintable(certificate.SignatureAlgorithmName(), "the algorithm");
  RequirePrintable(certificate.problem(), "the problem");
  Require(certificate.version() >= 1 && certificate.version() <= 3, "version");
  const std::string serial = certificate.SerialHex();
  Require(!serial.empty(), "the serial number has digits");
  for (const char c : serial) {
    Require((c >= '0' && c <= '9') || (c >= 'A' && c <= 'F') || c == '-',
            "the serial number is hex");
  }
  if (certificate.parsed() == nullptr) {
    Require(!certificate.problem().empty(), "what is broken has a problem");
  }
  if (certificate.is_ca()) {
    Require(certificate.version() == 3, "only v3 certificates are CAs");
  }
  const bool self_signed = certificate.IsSelfSigned();
  Require(self_signed == certificate.IsSelfSigned(), "it does not waver");
  if (self_signed) Require(certificate.self_issued(), "self-signed");
  certificate.CommonName();
  for (const std::string& ip : certificate.AltNames().ip) {
    RequirePrintable(ip, "an IP address");
  }
  for (const auto signature :
       {pki::OwnSignature::kCounts, pki::OwnSignature::kIgnored}) {
    const pki::Unfitness unfit = pki::CheckFitness(certificate, signature);
    RequirePrintable(unfit.message, "why it is unfit");
    Require(unfit.ok() == unfit.message.empty(), "unfit and says why");
    if (!certificate.problem().empty()) {
      Require(!unfit.ok(), "a certificate with a problem is unfit");
    }
  }

  size_t blocks = 0;
  const pki::PemError error = pki::ReadPem(
      certificate.Pem(), der.size(), [&](const pki::PemBlock& block) {
        ++blocks;
        Require(block.label == "CERTIFICATE", "its label");
        Require(block.data == der, "its PEM is the same bytes");
        const auto again = pki::Certificate::Parse(block.data);
        Require(again.ok(), "it parses again");
        Require((*again)->Subject() == certificate.Subject() &&
                    (*again)->Issuer() == certificate.Issuer() &&
                    (*again)->SerialHex() == serial &&
                    (*again)->not_before() == certificate.not_before() &&
                    (*again)->not_after() == certificate.not_after() &&
                    (*again)->problem() == certificate.problem(),
                "and is the same");
        return true;
      });
  Require(error.ok() && blocks == 1, "its PEM is one block");
}

}  // namespace
}  // namespace sallyport::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  sallyport::fuzz::Test(
      absl::string_view(reinterpret_cast<const char*>(data), size));
  return 0;
}
