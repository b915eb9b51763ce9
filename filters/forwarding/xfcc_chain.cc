#include "filters/forwarding/xfcc_chain.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/status_macros.h"
#include "base/text.h"
#include "pki/x509/certificate.h"

namespace sallyport::forwarding {
namespace {

constexpr absl::string_view kBegin = "-----BEGIN%20CERTIFICATE-----%0A";
constexpr absl::string_view kEnd = "-----END%20CERTIFICATE-----%0A";
constexpr size_t kLineChars = 64;

absl::Status Malformed(absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat(
      "x-forwarded-client-cert is not as Envoy writes it: ", what));
}

absl::Status TooLarge(absl::string_view what) {
  return absl::ResourceExhaustedError(
      absl::StrCat("x-forwarded-client-cert holds over ", what));
}

constexpr uint32_t kNoDigit = 64;

// The value of each character that stands for itself.
constexpr std::array<uint8_t, 256> MakeDigits() {
  constexpr absl::string_view kAlphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
  std::array<uint8_t, 256> digits{};
  for (uint8_t& digit : digits) digit = kNoDigit;
  for (size_t i = 0; i < kAlphabet.size(); ++i) {
    digits[static_cast<uint8_t>(kAlphabet[i])] = static_cast<uint8_t>(i);
  }
  return digits;
}
constexpr std::array<uint8_t, 256> kDigits = MakeDigits();

// Reads one block of URL-encoded PEM off `text` and appends what it holds.
// Only the one way to write it is accepted: lines of 64 but for the last, and
// no bits in the padding.
bool ReadBlock(absl::string_view& text, std::vector<char>& out) {
  if (!absl::ConsumePrefix(&text, kBegin)) return false;
  uint32_t bits = 0;
  size_t digits = 0;   // in `bits`
  size_t padding = 0;  // characters '='
  size_t line = 0;     // characters of the line
  bool ended = false;  // a line was shorter than the others
  size_t i = 0;
  while (i < text.size() && text[i] != '-') {
    uint32_t digit = kDigits[static_cast<uint8_t>(text[i])];
    if (digit != kNoDigit) {
      ++i;
    } else {
      const absl::string_view code = text.substr(i, 3);
      i += 3;
      if (code == "%0A") {
        if (line == 0 || ended) return false;
        ended = line != kLineChars;
        line = 0;
        continue;
      }
      if (code == "%2B") {
        digit = 62;
      } else if (code == "%2F") {
        digit = 63;
      } else if (code == "%3D") {
        ++padding;
        if (++line > kLineChars || ended) return false;
        continue;
      } else {
        return false;
      }
    }
    if (++line > kLineChars || ended || padding != 0) return false;
    bits = (bits << 6) | digit;
    if (++digits == 4) {
      out.push_back(static_cast<char>(bits >> 16));
      out.push_back(static_cast<char>(bits >> 8));
      out.push_back(static_cast<char>(bits));
      bits = 0;
      digits = 0;
    }
  }
  if (line != 0) return false;
  if (digits == 0 ? padding != 0 : digits + padding != 4) return false;
  if (digits == 1) return false;
  if (digits == 2) {
    if ((bits & 0xf) != 0) return false;
    out.push_back(static_cast<char>(bits >> 4));
  } else if (digits == 3) {
    if ((bits & 0x3) != 0) return false;
    out.push_back(static_cast<char>(bits >> 10));
    out.push_back(static_cast<char>(bits >> 2));
  }
  text.remove_prefix(i);
  return absl::ConsumePrefix(&text, kEnd);
}

// The fields before those with text from the certificate.
struct Fields {
  absl::string_view hash;
  absl::string_view cert;
  absl::string_view chain;
};

absl::Status ReadQuoted(absl::string_view& rest, absl::string_view& out) {
  // The contents have no escapes: PEM, percent-encoded.
  if (!out.empty()) return Malformed("a field is there twice");
  if (!absl::ConsumePrefix(&rest, "\""))
    return Malformed("a value is not quoted");
  const size_t end = rest.find('"');
  if (end == absl::string_view::npos) return Malformed("a quote is not closed");
  if (end == 0) return Malformed("a value is empty");
  out = rest.substr(0, end);
  rest.remove_prefix(end + 1);
  return absl::OkStatus();
}

absl::Status ReadFields(absl::string_view rest, Fields& fields) {
  while (true) {
    if (absl::ConsumePrefix(&rest, "By=")) {
      // From the server's certificate.
      rest.remove_prefix(std::min(rest.find_first_of(";,\""), rest.size()));
    } else if (absl::ConsumePrefix(&rest, "Hash=")) {
      if (!fields.hash.empty()) return Malformed("a field is there twice");
      fields.hash =
          rest.substr(0, std::min(rest.find_first_of(";,\""), rest.size()));
      if (fields.hash.empty()) return Malformed("a value is empty");
      rest.remove_prefix(fields.hash.size());
    } else if (absl::ConsumePrefix(&rest, "Cert=")) {
      SALLYPORT_RETURN_IF_ERROR(ReadQuoted(rest, fields.cert));
    } else if (absl::ConsumePrefix(&rest, "Chain=")) {
      SALLYPORT_RETURN_IF_ERROR(ReadQuoted(rest, fields.chain));
    } else if (absl::StartsWith(rest, "Subject=") ||
               absl::StartsWith(rest, "URI=") ||
               absl::StartsWith(rest, "DNS=")) {
      return absl::OkStatus();
    } else {
      return Malformed("unknown field");
    }
    if (rest.empty()) return absl::OkStatus();
    if (!absl::ConsumePrefix(&rest, ";")) {
      return Malformed("more than one element, or text after a value");
    }
  }
}

}  // namespace

absl::StatusOr<XfccChain> ReadXfccChain(absl::string_view value,
                                        absl::string_view peer_sha256) {
  Fields fields;
  if (!value.empty()) SALLYPORT_RETURN_IF_ERROR(ReadFields(value, fields));
  if (fields.chain.empty()) {
    return absl::FailedPreconditionError(
        "x-forwarded-client-cert has no Chain: set forward_client_cert_details "
        "SANITIZE_SET, and cert and chain in set_current_client_cert_details");
  }
  if (!fields.hash.empty() && fields.hash != peer_sha256) {
    return Malformed("it has another client's Hash");
  }
  if (!absl::StartsWith(fields.chain, fields.cert)) {
    return Malformed("Chain does not begin with Cert");
  }

  XfccChain out;
  // Every three bytes take four characters or more. With this no push_back()
  // moves what the views point at.
  out.bytes_.reserve(fields.chain.size() / 4 * 3 + 3);
  std::vector<size_t> ends;
  while (!fields.chain.empty()) {
    if (ends.size() == kMaxXfccCertificates) {
      return TooLarge("100 certificates");
    }
    if (!ReadBlock(fields.chain, out.bytes_)) {
      return Malformed("Chain is not URL-encoded PEM");
    }
    if (out.bytes_.size() > kMaxXfccChainBytes) return TooLarge("1 MiB");
    ends.push_back(out.bytes_.size());
  }
  const absl::string_view all(out.bytes_.data(), out.bytes_.size());
  size_t start = 0;
  for (const size_t end : ends) {
    if (end == start) return Malformed("a certificate is empty");
    out.certificates_.push_back(all.substr(start, end - start));
    start = end;
  }
  if (HexLower(pki::AsBytes(pki::Sha256(out.certificates_[0]))) !=
      peer_sha256) {
    return Malformed("Chain begins with another client's certificate");
  }
  return out;
}

}  // namespace sallyport::forwarding
