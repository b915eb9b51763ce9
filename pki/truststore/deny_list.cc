#include "pki/truststore/deny_list.h"

#include <algorithm>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/limits.h"
#include "pki/x509/der.h"
#include "pki/x509/distinguished_name.h"
#include "pki/x509/twin.h"
#include "third_party_boringssl/pki/cert_errors.h"
#include "third_party_boringssl/pki/parsed_certificate.h"
#include "third_party_boringssl/pki/parser.h"
#include "third_party_boringssl/pki/verify_name_match.h"

namespace sallyport::pki {
namespace {

constexpr absl::string_view kDerPrefix = "der:";

absl::Status At(absl::string_view field, size_t index, absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat(field, "[", index, "]", what));
}

// The digits of `text` without colons and the blanks around it, upper-case;
// false when anything else is in it.
bool ReadHex(absl::string_view text, std::string* out) {
  out->clear();
  for (const char c : absl::StripAsciiWhitespace(text)) {
    if (c == ':') continue;
    if (!absl::ascii_isxdigit(static_cast<unsigned char>(c))) return false;
    out->push_back(absl::ascii_toupper(static_cast<unsigned char>(c)));
  }
  return !out->empty();
}

bool ReadDigest(absl::string_view text, Sha256Digest* out) {
  std::string hex;
  if (!ReadHex(text, &hex) || hex.size() != 2 * out->size()) return false;
  const std::string bytes = absl::HexStringToBytes(hex);
  std::copy(bytes.begin(), bytes.end(), out->begin());
  return true;
}

// A serial number in the form of Certificate::SerialHex().
bool ReadSerial(absl::string_view text, std::string* out) {
  text = absl::StripAsciiWhitespace(text);
  const bool negative = absl::ConsumePrefix(&text, "-");
  std::string hex;
  if (!ReadHex(text, &hex)) return false;
  absl::string_view digits(hex);
  while (digits.size() > 1 && digits[0] == '0') digits.remove_prefix(1);
  *out = absl::StrCat(negative ? "-" : "", digits.size() % 2 == 1 ? "0" : "",
                      digits);
  return true;
}

// The normalised RDNSequence of a Name.
bool Normalize(absl::string_view name_der, std::string* out) {
  bssl::der::Parser parser(Input(name_der));
  bssl::der::Input rdns;
  bssl::CertErrors unused;
  return parser.ReadTag(CBS_ASN1_SEQUENCE, &rdns) && !parser.HasMore() &&
         bssl::NormalizeName(rdns, out, &unused);
}

// Why `text` cannot be what Certificate::Issuer() prints; null when it can.
const char* WhyNoName(absl::string_view text) {
  if (text.empty()) return "is empty";
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] < ' ' || text[i] > '~') {
      return "holds a character that is not printable ASCII; such bytes are "
             "printed as \\XX";
    }
    if (text[i] == '\\') {
      ++i;
      continue;
    }
    if (text[i] == ',' && (i + 1 == text.size() || text[i + 1] == ' ')) {
      return "has a blank, or nothing, after a comma";
    }
  }
  if (text.front() == '/' ||
      (text.front() != '#' && text.find('=') == absl::string_view::npos)) {
    return "is not of the form CN=...,O=...";
  }
  return nullptr;
}

}  // namespace

absl::string_view DenyMatchText(DenyList::Match match) {
  switch (match) {
    case DenyList::Match::kNone:
      return "";
    case DenyList::Match::kCertificate:
      return "the certificate's SHA-256";
    case DenyList::Match::kKey:
      return "its key's SHA-256";
    case DenyList::Match::kIssuerAndSerial:
      return "its issuer and serial number";
  }
  return "";
}

absl::StatusOr<std::shared_ptr<const DenyList>> DenyList::Create(
    const Entries& entries) {
  const size_t count = entries.certificate_sha256.size() +
                       entries.spki_sha256.size() +
                       entries.issuer_and_serial.size();
  if (count > limits::kMaxDenyListEntries) {
    return absl::ResourceExhaustedError(
        absl::StrCat("the deny list has ", count, " entries; the limit is ",
                     limits::kMaxDenyListEntries));
  }
  std::shared_ptr<DenyList> list(new DenyList());
  // Every entry as text, for digest_.
  std::vector<std::string> all;
  all.reserve(count);
  const auto read_digests = [&all](const std::vector<std::string>& texts,
                                   absl::string_view field,
                                   absl::flat_hash_set<Sha256Digest>& out) {
    out.reserve(texts.size());
    for (size_t i = 0; i < texts.size(); ++i) {
      Sha256Digest digest;
      if (!ReadDigest(texts[i], &digest)) {
        return At(field, i,
                  ": is no SHA-256; give 64 hexadecimal digits, colons "
                  "allowed");
      }
      if (out.insert(digest).second) {
        all.push_back(absl::StrCat(field, ":", AsBytes(digest)));
      }
    }
    return absl::OkStatus();
  };
  absl::Status status = read_digests(entries.certificate_sha256,
                                     "certificate_sha256", list->certificates_);
  if (status.ok()) {
    status = read_digests(entries.spki_sha256, "spki_sha256", list->keys_);
  }
  if (!status.ok()) return status;
  constexpr absl::string_view kField = "issuer_and_serial";
  for (size_t i = 0; i < entries.issuer_and_serial.size(); ++i) {
    const Entries::IssuerAndSerial& entry = entries.issuer_and_serial[i];
    std::string serial;
    if (!ReadSerial(entry.serial, &serial)) {
      return At(kField, i,
                ".serial: is no serial number; give it in hexadecimal, colons "
                "allowed");
    }
    absl::string_view issuer = entry.issuer;
    std::string normalized;
    const bool is_der = absl::ConsumePrefix(&issuer, kDerPrefix);
    if (is_der) {
      std::string der;
      if (!absl::Base64Unescape(absl::StripAsciiWhitespace(issuer), &der) ||
          !Normalize(der, &normalized)) {
        return At(kField, i,
                  ".issuer: holds no name; after der: comes the base64 of the "
                  "issuer's DER");
      }
    } else if (const char* why = WhyNoName(issuer)) {
      return At(kField, i,
                absl::StrCat(".issuer: ", why,
                             "; give the name as sallyportctl and the access "
                             "log print it, or der: and its base64"));
    }
    Issuers& issuers = list->serials_[serial];
    if (is_der ? issuers.normalized.insert(normalized).second
               : issuers.texts.insert(std::string(issuer)).second) {
      all.push_back(absl::StrCat(kField, is_der ? ":der:" : ":text:", serial,
                                 ":", is_der ? normalized : issuer));
    }
    if (is_der) continue;
    // However the name is written. What no rule brings into one form (a string
    // type that the text does not tell) is still found by its text.
    const absl::StatusOr<std::string> der = ParseDistinguishedName(issuer);
    if (der.ok() && Normalize(*der, &normalized)) {
      issuers.normalized.insert(normalized);
    }
  }
  std::sort(all.begin(), all.end());
  list->num_entries_ = all.size();
  std::string text;
  for (const std::string& entry : all) {
    absl::StrAppend(&text, entry.size(), ":", entry, ";");
  }
  list->digest_ = Sha256(text);
  return std::shared_ptr<const DenyList>(std::move(list));
}

std::shared_ptr<const DenyList> DenyList::Join(
    std::vector<std::shared_ptr<const DenyList>> lists) {
  std::shared_ptr<DenyList> joined(new DenyList());
  std::string digests = "joined";
  for (const auto& list : lists) {
    joined->num_entries_ += list->num_entries_;
    absl::StrAppend(&digests, AsBytes(list->digest_));
  }
  joined->digest_ = Sha256(digests);
  joined->parts_ = std::move(lists);
  return joined;
}

DenyList::Match DenyList::Find(const Certificate& certificate) const {
  // A part may be joined itself; nobody nests them deeply.
  for (const auto& part : parts_) {
    const Match match = part->Find(certificate);
    if (match != Match::kNone) return match;
  }
  if (!certificates_.empty()) {
    if (certificates_.contains(certificate.fingerprint())) {
      return Match::kCertificate;
    }
    // Its holder can give it another fingerprint.
    for (const Sha256Digest& twin : TwinFingerprints(certificate)) {
      if (certificates_.contains(twin)) return Match::kCertificate;
    }
  }
  if (!keys_.empty()) {
    for (const Sha256Digest& digest : KeyDigests(certificate)) {
      if (keys_.contains(digest)) return Match::kKey;
    }
  }
  if (serials_.empty()) return Match::kNone;
  const auto found = serials_.find(certificate.SerialHex());
  if (found == serials_.end()) return Match::kNone;
  const Issuers& issuers = found->second;
  if (!issuers.texts.empty() && issuers.texts.contains(certificate.Issuer())) {
    return Match::kIssuerAndSerial;
  }
  if (!issuers.normalized.empty() && certificate.parsed() != nullptr &&
      issuers.normalized.contains(
          View(certificate.parsed()->normalized_issuer()))) {
    return Match::kIssuerAndSerial;
  }
  return Match::kNone;
}

size_t DenyList::ApproximateBytes() const {
  size_t bytes =
      sizeof(*this) +
      (certificates_.capacity() + keys_.capacity()) *
          (sizeof(Sha256Digest) + 1) +
      serials_.capacity() * (sizeof(std::string) + sizeof(Issuers) + 1);
  for (const auto& [serial, issuers] : serials_) {
    bytes += serial.capacity();
    for (const auto* names : {&issuers.texts, &issuers.normalized}) {
      bytes += names->capacity() * (sizeof(std::string) + 1);
      for (const std::string& name : *names) bytes += name.capacity();
    }
  }
  return bytes;
}

}  // namespace sallyport::pki
