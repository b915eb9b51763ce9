#include "pki/x509/certificate.h"

#include <arpa/inet.h>
#include <openssl/asn1.h>
#include <openssl/bio.h>
#include <openssl/bytestring.h>
#include <openssl/evp.h>
#include <openssl/mem.h>
#include <openssl/nid.h>
#include <openssl/obj.h>
#include <openssl/pool.h>
#include <openssl/sha2.h>
#include <openssl/x509.h>

#include <cstring>
#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "base/limits.h"
#include "base/text.h"
#include "pki/x509/der.h"
#include "pki/x509/pem.h"
#include "third_party_boringssl/pki/cert_errors.h"
#include "third_party_boringssl/pki/common_cert_errors.h"
#include "third_party_boringssl/pki/encode_values.h"
#include "third_party_boringssl/pki/general_names.h"
#include "third_party_boringssl/pki/parse_certificate.h"
#include "third_party_boringssl/pki/parsed_certificate.h"
#include "third_party_boringssl/pki/signature_algorithm.h"
#include "third_party_boringssl/pki/verify_certificate_chain.h"
#include "third_party_boringssl/pki/verify_signed_data.h"

namespace sallyport::pki {
namespace {

absl::string_view View(const CBS& cbs) {
  return absl::string_view(reinterpret_cast<const char*>(CBS_data(&cbs)),
                           CBS_len(&cbs));
}

const uint8_t* Bytes(absl::string_view s) {
  return reinterpret_cast<const uint8_t*>(s.data());
}

// The parts of a certificate, found without judging them. ITU-T X.509 7.2,
// RFC 5280 4.1.
struct Outline {
  CBS tbs_algorithm;
  CBS serial;  // contents of the INTEGER
  CBS issuer;  // whole elements
  CBS validity;
  CBS subject;
  CBS spki;
  CBS algorithm;
  int version = 1;
};

// Says which part is missing; null when all were found.
const char* ReadOutline(absl::string_view der, Outline* out) {
  CBS input;
  CBS_init(&input, Bytes(der), der.size());
  CBS certificate;
  CBS tbs;
  if (!CBS_get_asn1(&input, &certificate, CBS_ASN1_SEQUENCE)) {
    return "it is not a DER SEQUENCE";
  }
  if (CBS_len(&input) != 0) return "there are bytes after its end";
  if (!CBS_get_asn1(&certificate, &tbs, CBS_ASN1_SEQUENCE)) {
    return "tbsCertificate is missing";
  }
  CBS version;
  int has_version = 0;
  if (!CBS_get_optional_asn1(
          &tbs, &version, &has_version,
          CBS_ASN1_CONTEXT_SPECIFIC | CBS_ASN1_CONSTRUCTED | 0)) {
    return "the version cannot be read";
  }
  if (has_version) {
    uint64_t number = 0;
    if (!CBS_get_asn1_uint64(&version, &number) || CBS_len(&version) != 0 ||
        number > 2) {
      return "the version is none of v1, v2 and v3";
    }
    out->version = static_cast<int>(number) + 1;
  }
  if (!CBS_get_asn1(&tbs, &out->serial, CBS_ASN1_INTEGER)) {
    return "the serial number is missing";
  }
  if (!CBS_get_asn1_element(&tbs, &out->tbs_algorithm, CBS_ASN1_SEQUENCE)) {
    return "the signature algorithm is missing";
  }
  if (!CBS_get_asn1_element(&tbs, &out->issuer, CBS_ASN1_SEQUENCE)) {
    return "the issuer is missing";
  }
  if (!CBS_get_asn1_element(&tbs, &out->validity, CBS_ASN1_SEQUENCE)) {
    return "the validity is missing";
  }
  if (!CBS_get_asn1_element(&tbs, &out->subject, CBS_ASN1_SEQUENCE)) {
    return "the subject is missing";
  }
  if (!CBS_get_asn1_element(&tbs, &out->spki, CBS_ASN1_SEQUENCE)) {
    return "the public key is missing";
  }
  CBS signature;
  if (!CBS_get_asn1_element(&certificate, &out->algorithm, CBS_ASN1_SEQUENCE) ||
      !CBS_get_asn1(&certificate, &signature, CBS_ASN1_BITSTRING) ||
      CBS_len(&certificate) != 0) {
    return "the signature is missing";
  }
  return nullptr;
}

PublicKeyInfo ReadPublicKey(absl::string_view spki) {
  PublicKeyInfo info;
  bssl::UniquePtr<EVP_PKEY> key;
  if (!bssl::ParsePublicKey(Input(spki), &key) || key == nullptr) {
    // Ed25519 is told apart by its algorithm identifier (RFC 8410), since the
    // verifier does not read such keys.
    constexpr absl::string_view kEd25519 = "\x06\x03\x2b\x65\x70";
    if (spki.substr(0, 16).find(kEd25519) != absl::string_view::npos) {
      info.type = KeyType::kEd25519;
      info.bits = 256;
    }
    return info;
  }
  info.bits = EVP_PKEY_bits(key.get());
  switch (EVP_PKEY_id(key.get())) {
    case EVP_PKEY_RSA:
      info.type = KeyType::kRsa;
      break;
    case EVP_PKEY_EC:
      switch (EVP_PKEY_get_ec_curve_nid(key.get())) {
        case NID_X9_62_prime256v1:
          info.type = KeyType::kEcP256;
          break;
        case NID_secp384r1:
          info.type = KeyType::kEcP384;
          break;
        default:
          info.type = KeyType::kEcOther;
      }
      break;
    case EVP_PKEY_ED25519:
      info.type = KeyType::kEd25519;
      break;
    default:
      info.type = KeyType::kOther;
  }
  return info;
}

bssl::UniquePtr<X509_NAME> ReadName(absl::string_view der) {
  const uint8_t* p = Bytes(der);
  bssl::UniquePtr<X509_NAME> name(
      d2i_X509_NAME(nullptr, &p, static_cast<long>(der.size())));
  if (name != nullptr && p != Bytes(der) + der.size()) name.reset();
  return name;
}

std::string NameTextByLibrary(absl::string_view der) {
  const bssl::UniquePtr<X509_NAME> name = ReadName(der);
  bssl::UniquePtr<BIO> bio(BIO_new(BIO_s_mem()));
  const uint8_t* data = nullptr;
  size_t len = 0;
  if (name == nullptr || bio == nullptr ||
      X509_NAME_print_ex(bio.get(), name.get(), 0, XN_FLAG_RFC2253) < 0 ||
      !BIO_mem_contents(bio.get(), &data, &len)) {
    // RFC 4514 has no form for a name that is not one; '#' and hex is what it
    // uses for values without a text form.
    return absl::StrCat("#", HexLower(der));
  }
  const absl::string_view text(reinterpret_cast<const char*>(data), len);
  for (const unsigned char c : text) {
    if (c < 0x20 || c > 0x7e) return absl::StrCat("#", HexLower(der));
  }
  return std::string(text);
}

// The text of a name that has nothing in it that RFC 4514 escapes, which is
// nearly every name: RDNs of one attribute each, of the usual types, with
// printable ASCII in a one-byte string type. False for any other name. Many
// times faster than X509_NAME_print_ex(), and the same text (a test compares).
bool PlainNameText(absl::string_view der, std::string* out) {
  struct Type {
    uint8_t oid;  // of 2.5.4.x
    const char* name;
  };
  static constexpr Type kTypes[] = {{3, "CN"}, {6, "C"},  {7, "L"},
                                    {8, "ST"}, {10, "O"}, {11, "OU"}};
  CBS input;
  CBS rdns;
  CBS_init(&input, Bytes(der), der.size());
  if (!CBS_get_asn1(&input, &rdns, CBS_ASN1_SEQUENCE)) return false;
  struct Part {
    const char* name;
    absl::string_view value;
  };
  std::array<Part, 16> parts;
  size_t count = 0;
  size_t size = 0;
  while (CBS_len(&rdns) != 0) {
    CBS rdn;
    CBS attribute;
    CBS oid;
    CBS value;
    CBS_ASN1_TAG tag = 0;
    if (count == parts.size() || !CBS_get_asn1(&rdns, &rdn, CBS_ASN1_SET) ||
        !CBS_get_asn1(&rdn, &attribute, CBS_ASN1_SEQUENCE) ||
        CBS_len(&rdn) != 0 ||
        !CBS_get_asn1(&attribute, &oid, CBS_ASN1_OBJECT) ||
        !CBS_get_any_asn1(&attribute, &value, &tag) ||
        CBS_len(&attribute) != 0) {
      return false;
    }
    if (tag != CBS_ASN1_UTF8STRING && tag != CBS_ASN1_PRINTABLESTRING &&
        tag != CBS_ASN1_IA5STRING) {
      return false;
    }
    const absl::string_view type = View(oid);
    if (type.size() != 3 || type[0] != 0x55 || type[1] != 0x04) return false;
    const char* name = nullptr;
    for (const Type& known : kTypes) {
      if (static_cast<uint8_t>(type[2]) == known.oid) name = known.name;
    }
    const absl::string_view text = View(value);
    if (name == nullptr || text.empty() || text.front() == ' ' ||
        text.back() == ' ' || text.front() == '#') {
      return false;
    }
    for (const char c : text) {
      if (!absl::ascii_isalnum(static_cast<unsigned char>(c)) && c != ' ' &&
          c != '-' && c != '.' && c != '_' && c != '@' && c != ':' &&
          c != '/' && c != '*' && c != '(' && c != ')') {
        return false;
      }
    }
    parts[count++] = {name, text};
    size += text.size() + 4;
  }
  out->clear();
  out->reserve(size);
  while (count-- > 0) {
    absl::StrAppend(out, out->empty() ? "" : ",", parts[count].name, "=",
                    parts[count].value);
  }
  return true;
}

// Extensions that the verifier processes or that have no bearing on trust.
bool IsKnownCriticalExtension(bssl::der::Input oid) {
  static const bssl::Span<const uint8_t> kKnown[] = {
      bssl::kBasicConstraintsOid,  bssl::kKeyUsageOid,
      bssl::kExtKeyUsageOid,       bssl::kSubjectAltNameOid,
      bssl::kNameConstraintsOid,   bssl::kCertificatePoliciesOid,
      bssl::kPolicyConstraintsOid, bssl::kPolicyMappingsOid,
      bssl::kInhibitAnyPolicyOid,
  };
  for (const auto& known : kKnown) {
    if (oid == bssl::der::Input(known)) return true;
  }
  return false;
}

std::string FirstError(const bssl::CertErrors& errors) {
  // ToDebugString() lists "ERROR: <id>" first and then parameters, which may
  // hold bytes of the certificate: only the first line is used.
  const std::string text = errors.ToDebugString();
  absl::string_view line(text);
  line = line.substr(0, line.find('\n'));
  const size_t colon = line.find(": ");
  if (colon != absl::string_view::npos) line.remove_prefix(colon + 2);
  return Printable(line, 120);
}

}  // namespace

absl::optional<absl::Time> ToTime(const bssl::der::GeneralizedTime& time) {
  int64_t seconds = 0;
  if (!bssl::der::GeneralizedTimeToPosixTime(time, &seconds)) {
    return absl::nullopt;
  }
  return absl::FromUnixSeconds(seconds);
}

absl::optional<SpkiParts> ReadSpki(absl::string_view spki_der) {
  CBS spki;
  CBS_init(&spki, reinterpret_cast<const uint8_t*>(spki_der.data()),
           spki_der.size());
  CBS info;
  CBS algorithm;
  CBS bits;
  uint8_t unused = 0;
  if (!CBS_get_asn1(&spki, &info, CBS_ASN1_SEQUENCE) ||
      !CBS_get_asn1_element(&info, &algorithm, CBS_ASN1_SEQUENCE) ||
      !CBS_get_asn1(&info, &bits, CBS_ASN1_BITSTRING) ||
      !CBS_get_u8(&bits, &unused)) {
    return absl::nullopt;
  }
  return SpkiParts{View(algorithm), View(bits)};
}

SignatureStrength StrengthOf(bssl::SignatureAlgorithm algorithm) {
  switch (algorithm) {
    case bssl::SignatureAlgorithm::kRsaPkcs1Sha256:
    case bssl::SignatureAlgorithm::kRsaPkcs1Sha384:
    case bssl::SignatureAlgorithm::kRsaPkcs1Sha512:
    case bssl::SignatureAlgorithm::kEcdsaSha256:
    case bssl::SignatureAlgorithm::kEcdsaSha384:
    case bssl::SignatureAlgorithm::kEcdsaSha512:
    case bssl::SignatureAlgorithm::kRsaPssSha256:
    case bssl::SignatureAlgorithm::kRsaPssSha384:
    case bssl::SignatureAlgorithm::kRsaPssSha512:
      return SignatureStrength::kStrong;
    case bssl::SignatureAlgorithm::kRsaPkcs1Sha1:
    case bssl::SignatureAlgorithm::kEcdsaSha1:
      return SignatureStrength::kSha1;
    default:
      return SignatureStrength::kUnsupported;
  }
}

std::string NameText(absl::string_view name_der) {
  std::string plain;
  if (PlainNameText(name_der, &plain)) return plain;
  return NameTextByLibrary(name_der);
}

std::string OidText(absl::string_view oid_contents) {
  CBS cbs;
  CBS_init(&cbs, Bytes(oid_contents), oid_contents.size());
  bssl::UniquePtr<char> text(CBS_asn1_oid_to_text(&cbs));
  return text == nullptr ? absl::StrCat("#", HexLower(oid_contents))
                         : std::string(text.get());
}

std::string AlgorithmText(absl::string_view algorithm_der) {
  CBS input;
  CBS_init(&input, Bytes(algorithm_der), algorithm_der.size());
  CBS sequence;
  CBS oid;
  if (!CBS_get_asn1(&input, &sequence, CBS_ASN1_SEQUENCE) ||
      !CBS_get_asn1(&sequence, &oid, CBS_ASN1_OBJECT)) {
    return "unreadable";
  }
  const int nid = OBJ_cbs2nid(&oid);
  if (nid != NID_undef) {
    if (const char* name = OBJ_nid2ln(nid)) return name;
  }
  return OidText(View(oid));
}

struct Certificate::Buffer {
  bssl::UniquePtr<CRYPTO_BUFFER> bytes;
};

Certificate::Certificate() = default;
Certificate::~Certificate() = default;

Sha256Digest Sha256(absl::string_view bytes) {
  Sha256Digest digest;
  SHA256(Bytes(bytes), bytes.size(), digest.data());
  return digest;
}

absl::StatusOr<std::shared_ptr<const Certificate>> Certificate::Parse(
    absl::string_view der) {
  if (der.size() > limits::kMaxCertificateBytes) {
    return absl::ResourceExhaustedError(
        absl::StrCat("the certificate has ", der.size(),
                     " bytes; the limit is ", limits::kMaxCertificateBytes));
  }
  Outline outline;
  if (const char* missing = ReadOutline(der, &outline)) {
    return absl::InvalidArgumentError(
        absl::StrCat("not an X.509 certificate: ", missing));
  }
  std::shared_ptr<Certificate> out(new Certificate());
  out->buffer_ = std::make_unique<Buffer>();
  out->buffer_->bytes.reset(
      CRYPTO_BUFFER_new(Bytes(der), der.size(), /*pool=*/nullptr));
  if (out->buffer_->bytes == nullptr) {
    return absl::ResourceExhaustedError("out of memory");
  }
  out->der_ =
      absl::string_view(reinterpret_cast<const char*>(
                            CRYPTO_BUFFER_data(out->buffer_->bytes.get())),
                        der.size());
  // The same again, so that the views point into our own copy.
  ReadOutline(out->der_, &outline);
  out->version_ = outline.version;
  out->subject_der_ = View(outline.subject);
  out->issuer_der_ = View(outline.issuer);
  out->spki_der_ = View(outline.spki);
  out->serial_ = View(outline.serial);
  out->signature_algorithm_der_ = View(outline.algorithm);
  out->fingerprint_ = Sha256(out->der_);
  if (const std::optional<bssl::SignatureAlgorithm> algorithm =
          bssl::ParseSignatureAlgorithm(Input(out->signature_algorithm_der_))) {
    out->signature_strength_ = StrengthOf(*algorithm);
  }
  out->public_key_ = ReadPublicKey(out->spki_der_);
  out->not_before_ = absl::InfiniteFuture();
  out->not_after_ = absl::InfinitePast();
  bssl::der::GeneralizedTime not_before;
  bssl::der::GeneralizedTime not_after;
  if (bssl::ParseValidity(Input(View(outline.validity)), &not_before,
                          &not_after)) {
    const absl::optional<absl::Time> from = ToTime(not_before);
    const absl::optional<absl::Time> to = ToTime(not_after);
    if (from.has_value() && to.has_value()) {
      out->not_before_ = *from;
      out->not_after_ = *to;
    }
  }

  bssl::CertErrors errors;
  out->parsed_ =
      bssl::ParsedCertificate::Create(bssl::UpRef(out->buffer_->bytes),
                                      bssl::ParseCertificateOptions(), &errors);
  if (out->parsed_ == nullptr) {
    out->problem_kind_ = Problem::kMalformed;
    out->problem_ =
        absl::StrCat("against the rules of X.509: ", FirstError(errors));
    return std::shared_ptr<const Certificate>(std::move(out));
  }
  const bssl::ParsedCertificate& parsed = *out->parsed_;
  out->self_issued_ = parsed.normalized_subject() == parsed.normalized_issuer();
  out->is_ca_ =
      parsed.has_basic_constraints() && parsed.basic_constraints().is_ca &&
      (!parsed.has_key_usage() ||
       parsed.key_usage().AssertsBit(bssl::KEY_USAGE_BIT_KEY_CERT_SIGN));
  if (View(outline.tbs_algorithm) != View(outline.algorithm)) {
    out->problem_kind_ = Problem::kMalformed;
    out->problem_ =
        "against the rules of X.509: the signed and the outer signature "
        "algorithm differ";
    return std::shared_ptr<const Certificate>(std::move(out));
  }
  for (const auto& [oid, extension] : parsed.extensions()) {
    if (extension.critical && !IsKnownCriticalExtension(oid)) {
      out->problem_kind_ = Problem::kUnknownCriticalExtension;
      out->problem_ =
          absl::StrCat("unknown critical extension ", OidText(View(oid)));
      break;
    }
  }
  return std::shared_ptr<const Certificate>(std::move(out));
}

std::string Certificate::Subject() const { return NameText(subject_der_); }
std::string Certificate::SubjectByLibraryForTest() const {
  return NameTextByLibrary(subject_der_);
}
std::string Certificate::Issuer() const { return NameText(issuer_der_); }

std::string Certificate::CommonName() const {
  const bssl::UniquePtr<X509_NAME> name = ReadName(subject_der_);
  if (name == nullptr) return "";
  const int i = X509_NAME_get_index_by_NID(name.get(), NID_commonName, -1);
  if (i < 0) return "";
  const ASN1_STRING* value =
      X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name.get(), i));
  unsigned char* utf8 = nullptr;
  const int len = ASN1_STRING_to_UTF8(&utf8, value);
  if (len < 0) return "";
  bssl::UniquePtr<unsigned char> owned(utf8);
  return std::string(reinterpret_cast<const char*>(utf8),
                     static_cast<size_t>(len));
}

std::string Certificate::SerialHex() const {
  if (serial_.empty()) return "00";
  std::string magnitude(serial_);
  const bool negative = (static_cast<unsigned char>(magnitude[0]) & 0x80) != 0;
  if (negative) {
    // Two's complement (X.690 8.3).
    int carry = 1;
    for (size_t i = magnitude.size(); i-- > 0;) {
      const int v = (~static_cast<unsigned char>(magnitude[i]) & 0xff) + carry;
      magnitude[i] = static_cast<char>(v & 0xff);
      carry = v >> 8;
    }
  }
  absl::string_view digits(magnitude);
  while (digits.size() > 1 && digits[0] == '\0') digits.remove_prefix(1);
  return absl::StrCat(negative ? "-" : "", HexUpper(digits));
}

std::string Certificate::SignatureAlgorithmName() const {
  return AlgorithmText(signature_algorithm_der_);
}

bool Certificate::IsSelfSigned() const {
  int known = self_signed_.load(std::memory_order_relaxed);
  if (known == 0) {
    // Two threads may both compute it; they get the same answer.
    const bool yes =
        parsed_ != nullptr && self_issued_ &&
        bssl::VerifyCertificateIsSelfSigned(*parsed_, nullptr, nullptr);
    known = yes ? 2 : 1;
    self_signed_.store(known, std::memory_order_relaxed);
  }
  return known == 2;
}

SubjectAltNames Certificate::AltNames() const {
  SubjectAltNames out;
  if (parsed_ == nullptr || !parsed_->has_subject_alt_names()) return out;
  const bssl::GeneralNames& names = *parsed_->subject_alt_names();
  for (const auto& name : names.dns_names) out.dns.emplace_back(name);
  for (const auto& name : names.uniform_resource_identifiers) {
    out.uri.emplace_back(name);
  }
  for (const auto& name : names.rfc822_names) out.email.emplace_back(name);
  for (const auto& address : names.ip_addresses) {
    char text[INET6_ADDRSTRLEN];
    const int family = address.size() == 4 ? AF_INET : AF_INET6;
    if ((address.size() == 4 || address.size() == 16) &&
        inet_ntop(family, address.data(), text, sizeof(text)) != nullptr) {
      out.ip.emplace_back(text);
    }
  }
  return out;
}

std::string Certificate::Pem() const { return WritePem("CERTIFICATE", der_); }

}  // namespace sallyport::pki
