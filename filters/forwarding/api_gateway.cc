#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "filters/forwarding/forwarding.h"
#include "filters/forwarding/parts.h"
#include "pki/x509/certificate.h"

namespace sallyport::forwarding {
namespace {

// A JSON string (RFC 8259, 7) of `text`, which is ASCII.
std::string Quoted(absl::string_view text) {
  constexpr char kHex[] = "0123456789abcdef";
  std::string out = "\"";
  for (const char c : text) {
    const unsigned char byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out.push_back('\\');
      out.push_back(c);
    } else if (c == '\n') {
      out += "\\n";
    } else if (byte < 0x20 || byte > 0x7e) {
      absl::StrAppend(&out, "\\u00", std::string(1, kHex[byte >> 4]),
                      std::string(1, kHex[byte & 15]));
    } else {
      out.push_back(c);
    }
  }
  out.push_back('"');
  return out;
}

// "03:a5:b1" of "03A5B1".
std::string HexPairs(absl::string_view hex) {
  std::string out;
  if (!hex.empty() && hex.front() == '-') {
    out.push_back('-');
    hex.remove_prefix(1);
  }
  for (size_t i = 0; i < hex.size(); ++i) {
    if (i != 0 && i % 2 == 0) out.push_back(':');
    out.push_back(absl::ascii_tolower(static_cast<unsigned char>(hex[i])));
  }
  return out;
}

// As OpenSSL prints it: "Aug  5 09:36:04 2021 GMT".
std::string OpenSslTime(absl::Time time) {
  return absl::FormatTime("%b %e %H:%M:%S %Y GMT", time, absl::UTCTimeZone());
}

}  // namespace

std::string ClientCertJson(const pki::Certificate& leaf) {
  return absl::StrCat(R"({"clientCertPem":)", Quoted(leaf.Pem()),  //
                      R"(,"subjectDN":)", Quoted(leaf.Subject()),  //
                      R"(,"issuerDN":)", Quoted(leaf.Issuer()),    //
                      R"(,"serialNumber":)", Quoted(HexPairs(leaf.SerialHex())),
                      R"(,"validity":{"notBefore":)",
                      Quoted(OpenSslTime(leaf.not_before())), R"(,"notAfter":)",
                      Quoted(OpenSslTime(leaf.not_after())), "}}");
}

void AddApiGateway(const pki::Certificate& leaf, Parts* parts) {
  parts->push_back({kClientCertJsonHeader, "", kClientCertJsonHeader,
                    Drop::kApiGateway,
                    absl::Base64Escape(ClientCertJson(leaf))});
}

}  // namespace sallyport::forwarding
