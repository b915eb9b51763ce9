#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "filters/forwarding/forwarding.h"
#include "filters/forwarding/parts.h"
#include "pki/x509/certificate.h"
#include "pki/x509/name.h"
#include "proto/sallyport/filter/v1/config.pb.h"

namespace sallyport::forwarding {
namespace {

using ::sallyport::filter::v1::Forwarding;
using ::sallyport::pki::Certificate;
using ::sallyport::pki::NameAttribute;

constexpr absl::string_view kPemHeader = "x-forwarded-tls-client-cert";
constexpr absl::string_view kInfoHeader = "x-forwarded-tls-client-cert-info";
// ';' on the wire.
constexpr absl::string_view kFieldSeparator = "%3B";

// What Go's url.QueryEscape makes of `text`.
std::string QueryEscape(absl::string_view text) {
  std::string out;
  out.reserve(text.size() + text.size() / 2);
  for (const char c : text) {
    if (c == ' ') {
      out.push_back('+');
    } else if (IsUnreserved(c)) {
      out.push_back(c);
    } else {
      AppendPercent(c, &out);
    }
  }
  return out;
}

// A value between the quotes. Traefik writes it as it is, which lets a name
// end its field; here whatever could is percent-encoded, and the percent sign
// too, so that no two values look the same. Beyond ASCII it is UTF-8.
void AppendValue(absl::string_view value, std::string* out) {
  constexpr absl::string_view kReserved = "\",;=\\%";
  for (const char c : value) {
    const unsigned char byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f ||
        kReserved.find(c) != absl::string_view::npos) {
      AppendPercent(c, out);
    } else {
      out->push_back(c);
    }
  }
}

struct Attribute {
  absl::string_view type;
  absl::string_view name;
  // Of several, Go's x509 keeps the last.
  bool last_only;
};

constexpr Attribute kSubjectAttributes[] = {
    {"0.9.2342.19200300.100.1.25", "DC", false},
    {"2.5.4.6", "C", false},
    {"2.5.4.8", "ST", false},
    {"2.5.4.7", "L", false},
    {"2.5.4.10", "O", false},
    {"2.5.4.11", "OU", false},
    {"2.5.4.5", "SN", true},
    {"2.5.4.3", "CN", true},
};
constexpr absl::string_view kNotInIssuer = "OU";

enum class Whose { kSubject, kIssuer };

std::string Name(absl::string_view der, Whose whose) {
  const std::vector<NameAttribute> attributes = pki::NameAttributes(der);
  std::string out;
  for (const Attribute& wanted : kSubjectAttributes) {
    if (whose == Whose::kIssuer && wanted.name == kNotInIssuer) continue;
    const NameAttribute* last = nullptr;
    const auto append = [&](const NameAttribute& attribute) {
      if (attribute.value.empty()) return;
      absl::StrAppend(&out, out.empty() ? "" : ",", wanted.name, "=");
      AppendValue(attribute.value, &out);
    };
    for (const NameAttribute& attribute : attributes) {
      if (attribute.type != wanted.type) continue;
      last = &attribute;
      if (!wanted.last_only) append(attribute);
    }
    if (wanted.last_only && last != nullptr) append(*last);
  }
  return out;
}

std::string Field(absl::string_view key, absl::string_view value) {
  return QueryEscape(absl::StrCat(key, "=\"", value, "\""));
}

// A serial of more octets is no serial (RFC 5280, 4.1.2.2, allows 20), and
// converting it takes time that grows with its square.
constexpr size_t kMaxSerialDigits = size_t{2} * 256;

// "-0A1B" in hexadecimal to "-2587".
std::string Decimal(absl::string_view hex) {
  std::string out;
  if (!hex.empty() && hex.front() == '-') {
    out.push_back('-');
    hex.remove_prefix(1);
  }
  // Nine decimal digits each, the least first.
  std::vector<uint32_t> limbs = {0};
  for (const char c : hex) {
    uint64_t carry = static_cast<uint64_t>(c <= '9' ? c - '0' : c - 'A' + 10);
    for (uint32_t& limb : limbs) {
      carry += uint64_t{limb} * 16;
      limb = static_cast<uint32_t>(carry % 1000000000);
      carry /= 1000000000;
    }
    if (carry != 0) limbs.push_back(static_cast<uint32_t>(carry));
  }
  absl::StrAppend(&out, limbs.back());
  for (size_t i = limbs.size() - 1; i-- > 0;) {
    const std::string digits = absl::StrCat(limbs[i]);
    absl::StrAppend(&out, std::string(9 - digits.size(), '0'), digits);
  }
  return out;
}

std::string AltNames(const Certificate& leaf) {
  const pki::SubjectAltNames names = leaf.AltNames();
  std::string out;
  bool first = true;
  for (const auto* list : {&names.dns, &names.email, &names.ip, &names.uri}) {
    for (const std::string& name : *list) {
      if (!first) out.push_back(',');
      first = false;
      AppendValue(name, &out);
    }
  }
  return out;
}

void AddInfo(const Certificate& leaf, Parts* parts) {
  const auto add = [parts](absl::string_view label, Drop drop,
                           std::string text) {
    parts->push_back(
        {kInfoHeader, kFieldSeparator, label, drop, std::move(text)});
  };
  const std::string subject = Name(leaf.subject_der(), Whose::kSubject);
  if (!subject.empty()) {
    add("x-forwarded-tls-client-cert-info/Subject", Drop::kTraefikSubject,
        Field("Subject", subject));
  }
  const std::string issuer = Name(leaf.issuer_der(), Whose::kIssuer);
  if (!issuer.empty()) {
    add("x-forwarded-tls-client-cert-info/Issuer", Drop::kTraefikIssuer,
        Field("Issuer", issuer));
  }
  const std::string serial = leaf.SerialHex();
  std::string numbers;
  if (serial.size() <= kMaxSerialDigits) {
    absl::StrAppend(&numbers, Field("SerialNumber", Decimal(serial)),
                    kFieldSeparator);
  }
  absl::StrAppend(
      &numbers,
      Field("NB", absl::StrCat(absl::ToUnixSeconds(leaf.not_before()))),
      kFieldSeparator,
      Field("NA", absl::StrCat(absl::ToUnixSeconds(leaf.not_after()))));
  add("x-forwarded-tls-client-cert-info/SerialNumber", Drop::kTraefikNumbers,
      std::move(numbers));
  const std::string names = AltNames(leaf);
  if (!names.empty()) {
    add("x-forwarded-tls-client-cert-info/SAN", Drop::kTraefikSan,
        Field("SAN", names));
  }
}

}  // namespace

void AddTraefik(const Forwarding::Traefik& config, Chain chain, Parts* parts) {
  if (config.pem()) {
    parts->push_back({kPemHeader, ",", kPemHeader, Drop::kTraefikLeaf,
                      absl::Base64Escape(chain[0]->der())});
    if (chain.size() > 1) {
      std::string rest;
      for (const auto& certificate : chain.subspan(1)) {
        absl::StrAppend(&rest, rest.empty() ? "" : ",",
                        absl::Base64Escape(certificate->der()));
      }
      parts->push_back({kPemHeader, ",", "x-forwarded-tls-client-cert/Chain",
                        Drop::kTraefikChain, std::move(rest)});
    }
  }
  if (config.info()) AddInfo(*chain[0], parts);
}

std::vector<Header> EncodeTraefik(const Forwarding::Traefik& config,
                                  Chain sent) {
  Parts parts;
  AddTraefik(config, WithoutRoot(sent), &parts);
  return Assemble(parts);
}

}  // namespace sallyport::forwarding
