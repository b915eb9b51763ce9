#include <algorithm>
#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/text.h"
#include "filters/forwarding/forwarding.h"
#include "pki/x509/certificate.h"
#include "proto/sallyport/filter/v1/config.pb.h"

namespace sallyport::forwarding {
namespace {

using ::sallyport::filter::v1::Forwarding;
using ::sallyport::pki::Certificate;

constexpr absl::string_view kXfccHeader = "x-forwarded-client-cert";
constexpr absl::string_view kClientCertHeader = "client-cert";
constexpr absl::string_view kClientCertChainHeader = "client-cert-chain";
constexpr absl::string_view kAlbHeader = "x-amzn-mtls-clientcert";
constexpr absl::string_view kAlbSerialHeader =
    "x-amzn-mtls-clientcert-serial-number";
constexpr absl::string_view kAlbIssuerHeader = "x-amzn-mtls-clientcert-issuer";
constexpr absl::string_view kAlbSubjectHeader =
    "x-amzn-mtls-clientcert-subject";
constexpr absl::string_view kAlbValidityHeader =
    "x-amzn-mtls-clientcert-validity";
constexpr absl::string_view kAlbLeafHeader = "x-amzn-mtls-clientcert-leaf";

// What the budget takes first, lowest first: the order in forwarding.h.
enum class Drop {
  kXfccChain,
  kRfc9440Chain,
  kAlbChain,
  kXfccCert,
  kAlbLeaf,
  kAlbPassthroughLeaf,
  kRfc9440Leaf,
  kXfccDns,
  kXfccUri,
  kAlbIssuer,
  kAlbSubject,
  kXfccSubject,
  kAlbValidity,
  kAlbSerial,
  kXfccHash,
};

// A part of a header's value that is there or not there as a whole. Parts of
// one header stand side by side, joined by the header's separator.
struct Part {
  absl::string_view header;
  absl::string_view separator;
  absl::string_view label;  // as in Forwarded::dropped
  Drop drop;
  std::string text;
};

using Parts = std::vector<Part>;

bool IsUnreserved(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
         (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.' || c == '~';
}

void AppendPercent(char c, std::string* out) {
  constexpr char kHex[] = "0123456789ABCDEF";
  const unsigned char byte = static_cast<unsigned char>(c);
  out->push_back('%');
  out->push_back(kHex[byte >> 4]);
  out->push_back(kHex[byte & 15]);
}

// PEM, percent-encoded but for the unreserved characters of RFC 3986 and
// those of `safe`.
std::string UrlEncodedPem(const Certificate& certificate,
                          absl::string_view safe) {
  const std::string pem = certificate.Pem();
  std::string out;
  out.reserve(pem.size() + pem.size() / 8);
  // PEM is mostly letters and digits: copy them in runs.
  size_t run = 0;
  for (size_t i = 0; i < pem.size(); ++i) {
    const char c = pem[i];
    if (IsUnreserved(c) || safe.find(c) != absl::string_view::npos) continue;
    out.append(pem, run, i - run);
    AppendPercent(c, &out);
    run = i + 1;
  }
  out.append(pem, run, std::string::npos);
  return out;
}

std::string UrlEncodedPem(Chain chain, absl::string_view safe) {
  std::string out;
  for (const auto& certificate : chain) {
    out += UrlEncodedPem(*certificate, safe);
  }
  return out;
}

// Printable ASCII without a blank at either end: what every hop passes on as
// it is (RFC 9110, 5.5, without obs-text and tabs).
bool IsPlainFieldValue(absl::string_view value) {
  if (value.empty()) return true;
  if (value.front() == ' ' || value.back() == ' ') return false;
  return std::all_of(value.begin(), value.end(),
                     [](char c) { return c >= 0x20 && c <= 0x7e; });
}

// Whether RFC 4514 text can stand between quotes as it is: every quote in it
// is escaped and no backslash is left over at its end.
bool EscapesItsQuotes(absl::string_view name) {
  bool escaped = false;
  for (char c : name) {
    if (escaped) {
      escaped = false;
    } else if (c == '\\') {
      escaped = true;
    } else if (c == '"') {
      return false;
    }
  }
  return !escaped;
}

// Every name as key=value, joined by ';'.
std::string XfccNames(absl::string_view key,
                      const std::vector<std::string>& names) {
  std::string out;
  for (const std::string& name : names) {
    absl::StrAppend(&out, out.empty() ? "" : ";", XfccName(key, name));
  }
  return out;
}

void AddXfcc(const Forwarding::Xfcc& config, Chain sent, Parts* parts) {
  const Certificate& leaf = *sent[0];
  const auto add = [parts](absl::string_view label, Drop drop,
                           std::string text) {
    parts->push_back({kXfccHeader, ";", label, drop, std::move(text)});
  };
  add("x-forwarded-client-cert/Hash", Drop::kXfccHash,
      absl::StrCat("Hash=", HexLower(pki::AsBytes(leaf.fingerprint()))));
  if (config.cert()) {
    add("x-forwarded-client-cert/Cert", Drop::kXfccCert,
        absl::StrCat("Cert=\"", UrlEncodedPem(leaf, ""), "\""));
  }
  if (config.chain()) {
    add("x-forwarded-client-cert/Chain", Drop::kXfccChain,
        absl::StrCat("Chain=\"", UrlEncodedPem(sent, ""), "\""));
  }
  if (config.subject()) {
    add("x-forwarded-client-cert/Subject", Drop::kXfccSubject,
        XfccSubject(leaf.Subject()));
  }
  if (!config.uri() && !config.dns()) return;
  const pki::SubjectAltNames names = leaf.AltNames();
  if (config.uri()) {
    add("x-forwarded-client-cert/URI", Drop::kXfccUri,
        names.uri.empty() ? "URI=" : XfccNames("URI", names.uri));
  }
  if (config.dns() && !names.dns.empty()) {
    add("x-forwarded-client-cert/DNS", Drop::kXfccDns,
        XfccNames("DNS", names.dns));
  }
}

std::string ByteSequence(const Certificate& certificate) {
  return absl::StrCat(":", absl::Base64Escape(certificate.der()), ":");
}

void AddRfc9440(const Forwarding::Rfc9440& config, Chain sent, Parts* parts) {
  parts->push_back({kClientCertHeader, "", kClientCertHeader,
                    Drop::kRfc9440Leaf, ByteSequence(*sent[0])});
  if (!config.chain() || sent.size() == 1) return;
  std::string chain;
  for (const auto& certificate : sent.subspan(1)) {
    absl::StrAppend(&chain, chain.empty() ? "" : ", ",
                    ByteSequence(*certificate));
  }
  parts->push_back({kClientCertChainHeader, "", kClientCertChainHeader,
                    Drop::kRfc9440Chain, std::move(chain)});
}

// RFC 2253 text as a whole header value. Only its last character can be a
// blank (an escaped one); HTTP would trim that.
std::string AlbName(std::string name) {
  if (absl::EndsWith(name, "\\ ")) {
    name.pop_back();
    name += "20";
  }
  return name;
}

std::string AlbTime(absl::Time time) {
  return absl::FormatTime("%E4Y-%m-%dT%H:%M:%SZ", time, absl::UTCTimeZone());
}

void AddAlb(const Forwarding::Alb& config, Chain sent, Parts* parts) {
  constexpr absl::string_view kSafe = "+=/";
  const Certificate& leaf = *sent[0];
  const auto add = [parts](absl::string_view header, absl::string_view label,
                           Drop drop, std::string text) {
    parts->push_back({header, "", label, drop, std::move(text)});
  };
  if (config.mode() == Forwarding::Alb::PASSTHROUGH) {
    add(kAlbHeader, kAlbHeader, Drop::kAlbPassthroughLeaf,
        UrlEncodedPem(leaf, kSafe));
    if (sent.size() > 1) {
      add(kAlbHeader, "x-amzn-mtls-clientcert/Chain", Drop::kAlbChain,
          UrlEncodedPem(sent.subspan(1), kSafe));
    }
    return;
  }
  add(kAlbSerialHeader, kAlbSerialHeader, Drop::kAlbSerial, leaf.SerialHex());
  add(kAlbIssuerHeader, kAlbIssuerHeader, Drop::kAlbIssuer,
      AlbName(leaf.Issuer()));
  add(kAlbSubjectHeader, kAlbSubjectHeader, Drop::kAlbSubject,
      AlbName(leaf.Subject()));
  add(kAlbValidityHeader, kAlbValidityHeader, Drop::kAlbValidity,
      absl::StrCat("NotBefore=", AlbTime(leaf.not_before()),
                   ";NotAfter=", AlbTime(leaf.not_after())));
  add(kAlbLeafHeader, kAlbLeafHeader, Drop::kAlbLeaf,
      UrlEncodedPem(leaf, kSafe));
}

std::vector<Header> Assemble(const Parts& parts) {
  std::vector<Header> headers;
  for (const Part& part : parts) {
    if (!headers.empty() && headers.back().name == part.header) {
      absl::StrAppend(&headers.back().value, part.separator, part.text);
    } else {
      headers.push_back({std::string(part.header), part.text});
    }
  }
  return headers;
}

// Names and values of what Assemble() would make.
size_t AssembledBytes(const Parts& parts) {
  size_t bytes = 0;
  absl::string_view header;
  for (const Part& part : parts) {
    bytes += part.text.size() + (part.header == header ? part.separator.size()
                                                       : part.header.size());
    header = part.header;
  }
  return bytes;
}

// `sent` without the root at its end, however often it was sent.
Chain WithoutRoot(Chain sent) {
  if (sent.size() < 2 || !sent.back()->self_issued()) return sent;
  const absl::string_view root = sent.back()->der();
  while (sent.size() > 1 && sent.back()->der() == root) {
    sent.remove_suffix(1);
  }
  return sent;
}

}  // namespace

std::string XfccSubject(absl::string_view name) {
  std::string subject(name);
  if (!EscapesItsQuotes(subject)) {
    // Not the text that Certificate::Subject() promises.
    std::string escaped;
    for (char c : subject) {
      if (c == '"' || c == '\\') escaped.push_back('\\');
      escaped.push_back(c);
    }
    subject = std::move(escaped);
  }
  // Before the closing quote, readers that know \" but not \\ would take a
  // backslash for the escape of that quote.
  if (absl::EndsWith(subject, "\\\\")) {
    subject.resize(subject.size() - 2);
    subject += "\\5C";
  }
  return absl::StrCat("Subject=\"", subject, "\"");
}

std::string XfccName(absl::string_view key, absl::string_view name) {
  bool quote = !name.empty() && (name.front() == ' ' || name.back() == ' ');
  std::string value;
  value.reserve(name.size() + 2);
  for (char c : name) {
    if (c < 0x20 || c > 0x7e || c == '\\') {
      AppendPercent(c, &value);
      continue;
    }
    if (c == ',' || c == ';' || c == '=' || c == '"') quote = true;
    if (c == '"') value.push_back('\\');
    value.push_back(c);
  }
  const absl::string_view mark = quote ? "\"" : "";
  return absl::StrCat(key, "=", mark, value, mark);
}

std::string EncodeXfcc(const Forwarding::Xfcc& config, Chain sent) {
  Parts parts;
  AddXfcc(config, WithoutRoot(sent), &parts);
  return Assemble(parts)[0].value;
}

std::vector<Header> EncodeRfc9440(const Forwarding::Rfc9440& config,
                                  Chain sent) {
  Parts parts;
  AddRfc9440(config, WithoutRoot(sent), &parts);
  return Assemble(parts);
}

std::vector<Header> EncodeAlb(const Forwarding::Alb& config, Chain sent) {
  Parts parts;
  AddAlb(config, WithoutRoot(sent), &parts);
  return Assemble(parts);
}

Forwarded Encode(const Forwarding& config, Chain sent, Chain /*path*/) {
  Forwarded result;
  if (sent.empty()) return result;
  sent = WithoutRoot(sent);

  Parts parts;
  if (config.has_xfcc()) AddXfcc(config.xfcc(), sent, &parts);
  if (config.has_rfc9440()) AddRfc9440(config.rfc9440(), sent, &parts);
  if (config.has_alb()) AddAlb(config.alb(), sent, &parts);

  // The encoders leave nothing that a header cannot carry; should a name ever
  // break its promise, its part is missing rather than the request.
  for (auto part = parts.begin(); part != parts.end();) {
    if (IsPlainFieldValue(part->text)) {
      ++part;
    } else {
      result.dropped.emplace_back(part->label);
      part = parts.erase(part);
    }
  }

  const size_t budget = config.max_header_bytes() == 0
                            ? kDefaultMaxHeaderBytes
                            : config.max_header_bytes();
  while (!parts.empty()) {
    const size_t note =
        result.truncated ? kNoteHeader.size() + kNoteTruncated.size() : 0;
    if (AssembledBytes(parts) + note <= budget) break;
    const auto first = std::min_element(
        parts.begin(), parts.end(),
        [](const Part& a, const Part& b) { return a.drop < b.drop; });
    result.dropped.emplace_back(first->label);
    result.truncated = true;
    parts.erase(first);
  }

  result.headers = Assemble(parts);
  if (result.truncated) {
    result.headers.push_back(
        {std::string(kNoteHeader), std::string(kNoteTruncated)});
  }
  return result;
}

}  // namespace sallyport::forwarding
