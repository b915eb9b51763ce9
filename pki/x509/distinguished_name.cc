#include "pki/x509/distinguished_name.h"

#include <openssl/asn1.h>
#include <openssl/bytestring.h>
#include <openssl/mem.h>
#include <openssl/nid.h>
#include <openssl/obj.h>

#include <algorithm>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "pki/x509/der.h"
#include "third_party_boringssl/pki/cert_errors.h"
#include "third_party_boringssl/pki/parse_name.h"
#include "third_party_boringssl/pki/verify_name_match.h"

namespace sallyport::pki {
namespace {

const uint8_t* Bytes(absl::string_view s) {
  return reinterpret_cast<const uint8_t*>(s.data());
}

// Universal tags that BoringSSL's pki/ does not read as text.
constexpr CBS_ASN1_TAG kNumericString = CBS_ASN1_NUMERICSTRING;
constexpr CBS_ASN1_TAG kVisibleString = CBS_ASN1_VISIBLESTRING;

struct Type {
  absl::string_view name;
  int nid;
};

// In any case. The short names that BoringSSL prints for the same types, and
// those that RFC 4514 and the contract of the module's configuration give.
constexpr Type kTypes[] = {
    {"CN", NID_commonName},
    {"O", NID_organizationName},
    {"OU", NID_organizationalUnitName},
    {"C", NID_countryName},
    {"L", NID_localityName},
    {"ST", NID_stateOrProvinceName},
    {"STREET", NID_streetAddress},
    {"DC", NID_domainComponent},
    {"UID", NID_userId},
    {"SERIALNUMBER", NID_serialNumber},
    {"EMAILADDRESS", NID_pkcs9_emailAddress},
    {"SN", NID_surname},
    {"GN", NID_givenName},
    {"GIVENNAME", NID_givenName},
    {"INITIALS", NID_initials},
    {"TITLE", NID_title},
    {"NAME", NID_name},
    {"DNQUALIFIER", NID_dnQualifier},
    {"PSEUDONYM", NID_pseudonym},
    {"POSTALCODE", NID_postalCode},
    {"BUSINESSCATEGORY", NID_businessCategory},
};

std::optional<std::string> OidOfNid(int nid) {
  const ASN1_OBJECT* object = OBJ_nid2obj(nid);
  if (object == nullptr || OBJ_length(object) == 0) return std::nullopt;
  return std::string(reinterpret_cast<const char*>(OBJ_get0_data(object)),
                     OBJ_length(object));
}

// `type` may also be a short name that BoringSSL prints.
std::optional<std::string> PrintedTypeOid(absl::string_view type) {
  if (std::optional<std::string> oid = AttributeTypeOid(type)) return oid;
  const int nid = OBJ_sn2nid(std::string(type).c_str());
  if (nid == NID_undef) return std::nullopt;
  return OidOfNid(nid);
}

absl::Status Bad(absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat(
      what,
      "; write the name as sallyportctl prints it (RFC 4514), such as "
      "CN=partner-1,O=Example\\, Inc,C=US"));
}

struct Attribute {
  std::string oid;
  std::string value_der;  // tag, length and value
};

// Reads a name from its text, one attribute after the other.
class Reader {
 public:
  explicit Reader(absl::string_view text) : text_(text) {}

  // RDNs in the order of the text.
  absl::StatusOr<std::vector<std::vector<Attribute>>> Read() {
    std::vector<std::vector<Attribute>> rdns(1);
    for (;;) {
      ++number_;
      Attribute attribute;
      absl::Status status = ReadType(attribute);
      if (status.ok()) status = ReadValue(attribute);
      if (!status.ok()) return status;
      rdns.back().push_back(std::move(attribute));
      if (text_.empty()) return rdns;
      if (text_.front() == ',') rdns.emplace_back();
      text_.remove_prefix(1);
    }
  }

 private:
  absl::Status Wrong(absl::string_view what) const {
    return Bad(absl::StrCat("attribute ", number_, " ", what));
  }

  void SkipBlanks() {
    while (!text_.empty() && text_.front() == ' ') text_.remove_prefix(1);
  }

  absl::Status ReadType(Attribute& out) {
    SkipBlanks();
    size_t end = 0;
    while (end < text_.size() &&
           (absl::ascii_isalnum(static_cast<unsigned char>(text_[end])) ||
            text_[end] == '.' || text_[end] == '-')) {
      ++end;
    }
    const absl::string_view type = text_.substr(0, end);
    text_.remove_prefix(end);
    SkipBlanks();
    if (type.empty() || text_.empty() || text_.front() != '=') {
      return Wrong("does not begin with a type and '='");
    }
    text_.remove_prefix(1);
    std::optional<std::string> oid = PrintedTypeOid(type);
    if (!oid.has_value()) {
      return Wrong("has an unknown type; use its object identifier");
    }
    out.oid = *std::move(oid);
    return absl::OkStatus();
  }

  absl::Status ReadValue(Attribute& out) {
    SkipBlanks();
    if (!text_.empty() && text_.front() == '#') return ReadHexValue(out);
    std::string value;
    // Up to here no blank is dropped from the end: they were escaped.
    size_t kept = 0;
    while (!text_.empty() && text_.front() != ',' && text_.front() != '+') {
      const char c = text_.front();
      text_.remove_prefix(1);
      if (c == '\\') {
        if (!ReadEscape(value)) return Wrong("has a '\\' that escapes nothing");
        kept = value.size();
        continue;
      }
      if (c == '"' || c == ';' || c == '<' || c == '>' || c == '\0') {
        return Wrong("has a character that must be escaped by '\\'");
      }
      value.push_back(c);
    }
    size_t size = value.size();
    while (size > kept && value[size - 1] == ' ') --size;
    value.resize(size);
    if (!IsUtf8(value)) return Wrong("is not UTF-8");
    bssl::ScopedCBB cbb;
    CBB child;
    if (!CBB_init(cbb.get(), value.size() + 8) ||
        !CBB_add_asn1(cbb.get(), &child, CBS_ASN1_UTF8STRING) ||
        !CBB_add_bytes(&child, Bytes(value), value.size()) ||
        !CBB_flush(cbb.get())) {
      return absl::ResourceExhaustedError("out of memory");
    }
    out.value_der.assign(reinterpret_cast<const char*>(CBB_data(cbb.get())),
                         CBB_len(cbb.get()));
    return absl::OkStatus();
  }

  absl::Status ReadHexValue(Attribute& out) {
    text_.remove_prefix(1);
    size_t end = 0;
    while (end < text_.size() &&
           absl::ascii_isxdigit(static_cast<unsigned char>(text_[end]))) {
      ++end;
    }
    if (end % 2 != 0) return Wrong("has an odd number of digits after '#'");
    out.value_der = absl::HexStringToBytes(text_.substr(0, end));
    text_.remove_prefix(end);
    SkipBlanks();
    CBS input;
    CBS element;
    CBS_init(&input, Bytes(out.value_der), out.value_der.size());
    if ((!text_.empty() && text_.front() != ',' && text_.front() != '+') ||
        !CBS_get_any_asn1_element(&input, &element, nullptr, nullptr) ||
        CBS_len(&input) != 0) {
      return Wrong("has something else than one DER element after '#'");
    }
    return absl::OkStatus();
  }

  // After a backslash.
  bool ReadEscape(std::string& value) {
    if (text_.empty()) return false;
    const auto is_hex = [this](size_t i) {
      return i < text_.size() &&
             absl::ascii_isxdigit(static_cast<unsigned char>(text_[i]));
    };
    if (is_hex(0) && is_hex(1)) {
      value += absl::HexStringToBytes(text_.substr(0, 2));
      text_.remove_prefix(2);
      return true;
    }
    if (!absl::StrContains(R"( "#+,;<=>\)", text_.front())) return false;
    value.push_back(text_.front());
    text_.remove_prefix(1);
    return true;
  }

  absl::string_view text_;  // what is left
  int number_ = 0;          // of the attribute, from 1
};

bool IsAscii(absl::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    return absl::ascii_isascii(static_cast<unsigned char>(c));
  });
}

std::optional<std::string> TextOf(const bssl::X509NameAttribute& attribute) {
  std::string text;
  if (attribute.value_tag == kNumericString ||
      attribute.value_tag == kVisibleString) {
    text = std::string(View(attribute.value));
    if (!IsAscii(text)) return std::nullopt;
    return text;
  }
  if (!attribute.ValueAsString(&text) || !IsUtf8(text)) return std::nullopt;
  return text;
}

}  // namespace

bool IsUtf8(absl::string_view text) {
  CBS input;
  CBS_init(&input, Bytes(text), text.size());
  while (CBS_len(&input) != 0) {
    uint32_t character = 0;
    if (!CBS_get_utf8(&input, &character)) return false;
  }
  return true;
}

std::optional<std::string> AttributeTypeOid(absl::string_view type) {
  for (const Type& known : kTypes) {
    if (absl::EqualsIgnoreCase(known.name, type)) return OidOfNid(known.nid);
  }
  if (!absl::StrContains(type, '.')) return std::nullopt;
  bssl::ScopedCBB cbb;
  if (!CBB_init(cbb.get(), 16) ||
      !CBB_add_asn1_oid_from_text(cbb.get(), type.data(), type.size()) ||
      !CBB_flush(cbb.get())) {
    return std::nullopt;
  }
  return std::string(reinterpret_cast<const char*>(CBB_data(cbb.get())),
                     CBB_len(cbb.get()));
}

absl::StatusOr<std::string> ParseDistinguishedName(absl::string_view text) {
  if (absl::StripAsciiWhitespace(text).empty()) return Bad("the name is empty");
  if (text.front() == '/') {
    return Bad("the name is in the form with slashes");
  }
  const auto rdns = Reader(text).Read();
  if (!rdns.ok()) return rdns.status();
  bssl::ScopedCBB cbb;
  CBB name;
  const auto write = [&]() {
    if (!CBB_init(cbb.get(), 64) ||
        !CBB_add_asn1(cbb.get(), &name, CBS_ASN1_SEQUENCE)) {
      return false;
    }
    for (auto rdn = rdns->rbegin(); rdn != rdns->rend(); ++rdn) {
      CBB set;
      if (!CBB_add_asn1(&name, &set, CBS_ASN1_SET)) return false;
      for (const Attribute& attribute : *rdn) {
        CBB pair;
        CBB oid;
        if (!CBB_add_asn1(&set, &pair, CBS_ASN1_SEQUENCE) ||
            !CBB_add_asn1(&pair, &oid, CBS_ASN1_OBJECT) ||
            !CBB_add_bytes(&oid, Bytes(attribute.oid), attribute.oid.size()) ||
            !CBB_add_bytes(&pair, Bytes(attribute.value_der),
                           attribute.value_der.size()) ||
            !CBB_flush(&set)) {
          return false;
        }
      }
      if (!CBB_flush_asn1_set_of(&set) || !CBB_flush(&name)) return false;
    }
    return CBB_flush(cbb.get()) == 1;
  };
  if (!write()) return absl::ResourceExhaustedError("out of memory");
  return std::string(reinterpret_cast<const char*>(CBB_data(cbb.get())),
                     CBB_len(cbb.get()));
}

std::optional<std::string> NormalizeName(absl::string_view name_der) {
  CBS input;
  CBS rdns;
  CBS_init(&input, Bytes(name_der), name_der.size());
  if (!CBS_get_asn1(&input, &rdns, CBS_ASN1_SEQUENCE) || CBS_len(&input) != 0) {
    return std::nullopt;
  }
  bssl::CertErrors errors;
  std::string out;
  if (!bssl::NormalizeName(bssl::der::Input(CBS_data(&rdns), CBS_len(&rdns)),
                           &out, &errors)) {
    return std::nullopt;
  }
  return out;
}

std::optional<std::vector<DnAttribute>> ReadDnAttributes(
    absl::string_view name_der) {
  bssl::RDNSequence rdns;
  if (!bssl::ParseName(bssl::der::Input(Bytes(name_der), name_der.size()),
                       &rdns)) {
    return std::nullopt;
  }
  std::vector<DnAttribute> out;
  for (const bssl::RelativeDistinguishedName& rdn : rdns) {
    for (const bssl::X509NameAttribute& attribute : rdn) {
      DnAttribute& added = out.emplace_back();
      added.type = View(attribute.type);
      added.text = TextOf(attribute);
      switch (attribute.value_tag) {
        case CBS_ASN1_PRINTABLESTRING:
        case CBS_ASN1_UTF8STRING:
        case CBS_ASN1_IA5STRING:
        case CBS_ASN1_UNIVERSALSTRING:
        case CBS_ASN1_BMPSTRING:
          added.normalizes = true;
          break;
        default:
          break;
      }
    }
  }
  return out;
}

}  // namespace sallyport::pki
