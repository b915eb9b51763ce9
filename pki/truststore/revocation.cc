#include "pki/truststore/revocation.h"

#include <openssl/digest.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <map>
#include <tuple>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/container/inlined_vector.h"
#include "absl/hash/hash.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/text.h"
#include "pki/x509/der.h"
#include "pki/x509/pem.h"
#include "third_party_boringssl/pki/cert_errors.h"
#include "third_party_boringssl/pki/crl.h"
#include "third_party_boringssl/pki/parse_certificate.h"
#include "third_party_boringssl/pki/parsed_certificate.h"
#include "third_party_boringssl/pki/parser.h"
#include "third_party_boringssl/pki/verify_name_match.h"
#include "third_party_boringssl/pki/verify_signed_data.h"

namespace sallyport::pki {
namespace {

using CertificatePtr = std::shared_ptr<const Certificate>;

// Contents of object identifiers (RFC 5280, 5.2 and 5.3).
constexpr absl::string_view kReasonCode("\x55\x1d\x15", 3);
constexpr absl::string_view kInvalidityDate("\x55\x1d\x18", 3);
constexpr absl::string_view kCertificateIssuer("\x55\x1d\x1d", 3);
constexpr absl::string_view kCrlNumber("\x55\x1d\x14", 3);
constexpr absl::string_view kDeltaIndicator("\x55\x1d\x1b", 3);
constexpr absl::string_view kDistributionPoint("\x55\x1d\x1c", 3);
constexpr absl::string_view kAuthorityKeyId("\x55\x1d\x23", 3);
constexpr absl::string_view kCrlDistributionPoints("\x55\x1d\x1f", 3);

// The names of the distribution points that a certificate gives (RFC 5280,
// 4.2.1.13), and what kind it is: read when the first list asks.
class CertificateScope {
 public:
  explicit CertificateScope(const bssl::ParsedCertificate& certificate)
      : certificate_(certificate) {}

  bool IsCa() const {
    return certificate_.has_basic_constraints() &&
           certificate_.basic_constraints().is_ca;
  }
  bool IsVersion3() const {
    return certificate_.tbs().version == bssl::CertificateVersion::V3;
  }
  bool HasPoint(absl::string_view name) {
    ReadPoints();
    return points_.contains(name);
  }
  bool IssuerIs(absl::string_view rdn_sequence) const {
    bssl::der::Parser parser(certificate_.tbs().issuer_tlv);
    bssl::der::Input issuer;
    return parser.ReadTag(CBS_ASN1_SEQUENCE, &issuer) &&
           bssl::VerifyNameMatch(issuer, Input(rdn_sequence));
  }

 private:
  void ReadPoints() {
    if (read_) return;
    read_ = true;
    bssl::ParsedExtension extension;
    if (!certificate_.GetExtension(Input(kCrlDistributionPoints), &extension) ||
        !bssl::ParseCrlDistributionPoints(extension.value, &parsed_)) {
      return;
    }
    for (const bssl::ParsedDistributionPoint& point : parsed_) {
      // For some reasons only, or of an indirect list: neither is supported.
      if (point.reasons.has_value() || point.crl_issuer.has_value() ||
          point.distribution_point_fullname == nullptr) {
        continue;
      }
      const bssl::GeneralNames& names = *point.distribution_point_fullname;
      for (const auto& uri : names.uniform_resource_identifiers) {
        points_.insert(absl::string_view(uri.data(), uri.size()));
      }
      for (const auto& name : names.directory_names) points_.insert(View(name));
    }
  }

  const bssl::ParsedCertificate& certificate_;
  bool read_ = false;
  std::vector<bssl::ParsedDistributionPoint> parsed_;
  absl::flat_hash_set<absl::string_view> points_;
};

const EVP_MD* DigestOf(bssl::SignatureAlgorithm algorithm) {
  switch (algorithm) {
    case bssl::SignatureAlgorithm::kRsaPkcs1Sha256:
    case bssl::SignatureAlgorithm::kEcdsaSha256:
    case bssl::SignatureAlgorithm::kRsaPssSha256:
      return EVP_sha256();
    case bssl::SignatureAlgorithm::kRsaPkcs1Sha384:
    case bssl::SignatureAlgorithm::kEcdsaSha384:
    case bssl::SignatureAlgorithm::kRsaPssSha384:
      return EVP_sha384();
    case bssl::SignatureAlgorithm::kRsaPkcs1Sha512:
    case bssl::SignatureAlgorithm::kEcdsaSha512:
    case bssl::SignatureAlgorithm::kRsaPssSha512:
      return EVP_sha512();
    default:
      return nullptr;
  }
}

bool IsPss(bssl::SignatureAlgorithm algorithm) {
  return algorithm == bssl::SignatureAlgorithm::kRsaPssSha256 ||
         algorithm == bssl::SignatureAlgorithm::kRsaPssSha384 ||
         algorithm == bssl::SignatureAlgorithm::kRsaPssSha512;
}

bool IsRsa(bssl::SignatureAlgorithm algorithm) {
  return IsPss(algorithm) ||
         algorithm == bssl::SignatureAlgorithm::kRsaPkcs1Sha256 ||
         algorithm == bssl::SignatureAlgorithm::kRsaPkcs1Sha384 ||
         algorithm == bssl::SignatureAlgorithm::kRsaPkcs1Sha512;
}

// bssl::VerifySignedData() over a digest, so that a list of megabytes is hashed
// once, however many keys are tried.
bool VerifyDigest(bssl::SignatureAlgorithm algorithm, absl::string_view digest,
                  absl::string_view signature, absl::string_view spki) {
  bssl::UniquePtr<EVP_PKEY> key;
  if (!bssl::ParsePublicKey(Input(spki), &key) ||
      EVP_PKEY_id(key.get()) !=
          (IsRsa(algorithm) ? EVP_PKEY_RSA : EVP_PKEY_EC)) {
    return false;
  }
  bssl::UniquePtr<EVP_PKEY_CTX> context(EVP_PKEY_CTX_new(key.get(), nullptr));
  bool ok =
      context != nullptr && EVP_PKEY_verify_init(context.get()) == 1 &&
      EVP_PKEY_CTX_set_signature_md(context.get(), DigestOf(algorithm)) == 1;
  if (ok && IsPss(algorithm)) {
    ok = EVP_PKEY_CTX_set_rsa_padding(context.get(), RSA_PKCS1_PSS_PADDING) ==
             1 &&
         EVP_PKEY_CTX_set_rsa_pss_saltlen(context.get(),
                                          RSA_PSS_SALTLEN_DIGEST) == 1;
  }
  ok = ok &&
       EVP_PKEY_verify(context.get(), Input(signature).data(), signature.size(),
                       Input(digest).data(), digest.size()) == 1;
  ERR_clear_error();
  return ok;
}

// One entry of a list.
struct Entry {
  absl::string_view serial;  // contents of the INTEGER
  bssl::der::GeneralizedTime revoked_at;
  absl::optional<bssl::der::Input> extensions;
};

bool ReadEntry(bssl::der::Parser* list, Entry* out) {
  bssl::der::Parser parser;
  bssl::der::Input serial;
  if (!list->ReadSequence(&parser) ||
      !parser.ReadTag(CBS_ASN1_INTEGER, &serial) ||
      !bssl::ReadUTCOrGeneralizedTime(&parser, &out->revoked_at)) {
    return false;
  }
  out->serial = View(serial);
  out->extensions = absl::nullopt;
  if (parser.HasMore()) {
    bssl::der::Input extensions;
    if (!parser.ReadRawTLV(&extensions) || parser.HasMore()) return false;
    out->extensions = extensions;
  }
  return true;
}

// The reason code (RFC 5280, 5.3.1) in an extension's value; -1 when it cannot
// be read.
int ReadReasonCode(bssl::der::Input value) {
  bssl::der::Parser parser(value);
  bssl::der::Input code;
  if (!parser.ReadTag(CBS_ASN1_ENUMERATED, &code) || parser.HasMore() ||
      code.size() != 1) {
    return -1;
  }
  return code[0];
}

}  // namespace

// --- names ---------------------------------------------------------------

absl::string_view ReasonName(RevocationErrorReason reason) {
  switch (reason) {
    case RevocationErrorReason::kNone:
      return "NONE";
    case RevocationErrorReason::kNoList:
      return "NO_LIST";
    case RevocationErrorReason::kNotAListBlock:
      return "NOT_A_LIST_BLOCK";
    case RevocationErrorReason::kMalformedPem:
      return "MALFORMED_PEM";
    case RevocationErrorReason::kMalformedList:
      return "MALFORMED_LIST";
    case RevocationErrorReason::kUnsupportedList:
      return "UNSUPPORTED_LIST";
    case RevocationErrorReason::kTooLarge:
      return "TOO_LARGE";
    case RevocationErrorReason::kTooManyEntries:
      return "TOO_MANY_ENTRIES";
    case RevocationErrorReason::kTooManyLists:
      return "TOO_MANY_LISTS";
  }
  return "UNKNOWN";
}

absl::string_view ReasonName(RevocationWarningReason reason) {
  switch (reason) {
    case RevocationWarningReason::kOutOfDate:
      return "OUT_OF_DATE";
    case RevocationWarningReason::kNotYetValid:
      return "NOT_YET_VALID";
    case RevocationWarningReason::kNoNextUpdate:
      return "NO_NEXT_UPDATE";
    case RevocationWarningReason::kUnknownIssuer:
      return "UNKNOWN_ISSUER";
    case RevocationWarningReason::kUntrustedSignature:
      return "UNTRUSTED_SIGNATURE";
    case RevocationWarningReason::kWeakSignature:
      return "WEAK_SIGNATURE";
    case RevocationWarningReason::kMayNotSign:
      return "MAY_NOT_SIGN";
    case RevocationWarningReason::kDuplicate:
      return "DUPLICATE";
    case RevocationWarningReason::kOtherKey:
      return "OTHER_KEY";
  }
  return "UNKNOWN";
}

absl::string_view RevocationReasonText(int reason_code) {
  constexpr std::array<absl::string_view, 11> kTexts = {
      "unspecified",     "keyCompromise",
      "cACompromise",    "affiliationChanged",
      "superseded",      "cessationOfOperation",
      "certificateHold", "",
      "removeFromCRL",   "privilegeWithdrawn",
      "aACompromise"};
  return reason_code >= 0 && static_cast<size_t>(reason_code) < kTexts.size()
             ? kTexts[static_cast<size_t>(reason_code)]
             : "";
}

std::string RevocationError::ToString() const {
  std::string out;
  if (source != 0) absl::StrAppend(&out, "source ", source);
  if (block != 0) {
    absl::StrAppend(&out, out.empty() ? "" : ", ", "block ", block);
  }
  if (line != 0) absl::StrAppend(&out, out.empty() ? "" : ", ", "line ", line);
  return absl::StrCat(out, out.empty() ? "" : ": ", message);
}

// --- one list --------------------------------------------------------------

struct RevocationLists::List::Rep {
  std::string der;
  Sha256Digest der_digest;
  std::string normalized_issuer;
  absl::string_view issuer_der;     // this and all below: into `der`
  absl::string_view algorithm_der;  // AlgorithmIdentifier
  absl::string_view signature;
  absl::string_view number;  // contents of an INTEGER, "" when absent
  // The issuing distribution point's value: lists with the same one have the
  // same scope. "" when there is none.
  absl::string_view scope;
  bssl::ContainedCertsType contained = bssl::ContainedCertsType::ANY_CERTS;
  bool has_points = false;
  std::vector<absl::string_view> point_uris;
  std::vector<absl::string_view> point_names;  // RDNSequence

  bssl::SignatureAlgorithm algorithm =
      bssl::SignatureAlgorithm::kRsaPkcs1Sha256;  // when it is strong
  std::array<uint8_t, EVP_MAX_MD_SIZE> digest;    // of the signed part
  size_t digest_size = 0;

  // An open hash table of the offsets in `der` of entries, 0 for none, at most
  // half full; its size is a power of two, or 0 for a list without entries.
  std::vector<uint32_t> table;

  // A key that was tried. Pushed at the front, never taken out while the list
  // lives.
  struct Signer {
    std::string spki;
    bool signed_it;
    const Signer* next;
  };
  mutable std::atomic<const Signer*> signers{nullptr};
  mutable std::atomic<size_t> num_signers{0};

  ~Rep() {
    const Signer* signer = signers.load();
    while (signer != nullptr) delete std::exchange(signer, signer->next);
  }

  Entry EntryAt(uint32_t offset) const {
    Entry entry;
    bssl::der::Parser parser(Input(absl::string_view(der).substr(offset)));
    // It was read when the list was.
    if (!ReadEntry(&parser, &entry)) entry.serial = {};
    return entry;
  }

  // The slot with `serial`, or the empty one where it belongs.
  size_t SlotOf(absl::string_view serial) const {
    const size_t mask = table.size() - 1;
    size_t slot = absl::Hash<absl::string_view>()(serial) & mask;
    while (table[slot] != 0 && EntryAt(table[slot]).serial != serial) {
      slot = (slot + 1) & mask;
    }
    return slot;
  }

  // Offset of the entry with this serial number; 0 when there is none.
  uint32_t Find(absl::string_view serial) const {
    return table.empty() ? 0 : table[SlotOf(serial)];
  }

  // RFC 5280, 6.3.3 (b) (2).
  bool Covers(CertificateScope& certificate) const {
    switch (contained) {
      case bssl::ContainedCertsType::ANY_CERTS:
        break;
      case bssl::ContainedCertsType::USER_CERTS:
        // No version 1 or 2 certificates: RFC 5280, 5.2.5.
        if (certificate.IsCa() || !certificate.IsVersion3()) return false;
        break;
      case bssl::ContainedCertsType::CA_CERTS:
        if (!certificate.IsCa()) return false;
        break;
    }
    if (!has_points) return true;
    for (const absl::string_view uri : point_uris) {
      if (certificate.HasPoint(uri)) return true;
    }
    for (const absl::string_view name : point_names) {
      // A list that no distribution point of the certificate leads to is as
      // one at the point with the issuer's name: RFC 5280, 6.3.3, last
      // paragraph.
      if (certificate.HasPoint(name) || certificate.IssuerIs(name)) return true;
    }
    return false;
  }
};

RevocationLists::List::List() : rep_(std::make_unique<Rep>()) {}
RevocationLists::List::~List() = default;

std::string RevocationLists::List::Issuer() const {
  return NameText(rep_->issuer_der);
}

std::string RevocationLists::List::NumberHex() const {
  absl::string_view digits = rep_->number;
  while (digits.size() > 1 && digits[0] == '\0') digits.remove_prefix(1);
  return HexUpper(digits);
}

std::string RevocationLists::List::SignatureAlgorithmName() const {
  return AlgorithmText(rep_->algorithm_der);
}

std::string RevocationLists::List::Scope() const {
  std::string out;
  if (rep_->contained == bssl::ContainedCertsType::USER_CERTS) {
    out = "only end-entity certificates";
  } else if (rep_->contained == bssl::ContainedCertsType::CA_CERTS) {
    out = "only CAs";
  }
  if (rep_->has_points) {
    absl::StrAppend(&out, out.empty() ? "only" : " of",
                    " one distribution point");
  }
  return out;
}

RevocationLists::List::Signed RevocationLists::List::SignedBy(
    const Certificate& issuer, size_t* checks_left) const {
  if (strength_ != SignatureStrength::kStrong) return Signed::kNo;
  const absl::string_view spki = issuer.spki_der();
  const Rep::Signer* head = rep_->signers.load(std::memory_order_acquire);
  for (const Rep::Signer* s = head; s != nullptr; s = s->next) {
    if (s->spki == spki) return s->signed_it ? Signed::kYes : Signed::kNo;
  }
  if (*checks_left == 0) return Signed::kUnknown;
  --*checks_left;
  const bool signed_it = VerifyDigest(
      rep_->algorithm,
      absl::string_view(reinterpret_cast<const char*>(rep_->digest.data()),
                        rep_->digest_size),
      rep_->signature, spki);
  // Two threads may both add one key; they get the same answer.
  if (rep_->num_signers.fetch_add(1, std::memory_order_relaxed) <
      limits::kMaxRevocationSigners) {
    auto* const signer = new Rep::Signer{std::string(spki), signed_it, head};
    while (!rep_->signers.compare_exchange_weak(signer->next, signer,
                                                std::memory_order_release,
                                                std::memory_order_relaxed)) {
    }
  } else {
    rep_->num_signers.fetch_sub(1, std::memory_order_relaxed);
  }
  return signed_it ? Signed::kYes : Signed::kNo;
}

// --- reading -----------------------------------------------------------------

class RevocationReader {
 public:
  explicit RevocationReader(const RevocationLimits& limits)
      : limits_(limits), out_(new RevocationLists()) {}

  RevocationLists::ParseResult Run(
      absl::Span<const absl::string_view> sources) {
    size_t bytes = 0;
    for (const absl::string_view source : sources) bytes += source.size();
    if (bytes > limits_.max_bytes) {
      Fail(RevocationErrorReason::kTooLarge,
           absl::StrCat("the revocation lists have ", bytes,
                        " bytes; the limit is ", limits_.max_bytes));
    }
    for (size_t i = 0; i < sources.size() && error_.ok(); ++i) {
      source_ = i + 1;
      ReadSource(sources[i]);
    }
    RevocationLists::ParseResult result;
    if (error_.ok()) Finish();
    if (error_.ok()) {
      result.lists = std::move(out_);
    } else {
      result.error = std::move(error_);
    }
    return result;
  }

 private:
  using List = RevocationLists::List;

  void Fail(RevocationErrorReason reason, std::string message) {
    error_.reason = reason;
    error_.source = source_;
    error_.block = block_;
    error_.line = line_;
    error_.message = std::move(message);
  }
  void Malformed(absl::string_view what) {
    Fail(RevocationErrorReason::kMalformedList,
         absl::StrCat("not an X.509 revocation list: ", what));
  }
  void Unsupported(absl::string_view what) {
    Fail(RevocationErrorReason::kUnsupportedList, std::string(what));
  }

  void ReadSource(absl::string_view source) {
    block_ = line_ = 0;
    // PEM may begin with a '0' too; but then its second byte is no length that
    // fits.
    CBS cbs;
    CBS element;
    CBS_init(&cbs, Input(source).data(), source.size());
    const bool is_der = (CBS_get_asn1(&cbs, &element, CBS_ASN1_SEQUENCE) &&
                         CBS_len(&cbs) == 0) ||
                        (source.size() > 1 && source[0] == '\x30' &&
                         (static_cast<unsigned char>(source[1]) & 0x80) != 0);
    if (is_der) {
      ReadList(source);
      return;
    }
    size_t found = 0;
    const PemError pem_error =
        ReadPem(source, limits_.max_bytes, [&](const PemBlock& block) {
          block_ = block.index;
          line_ = block.line;
          if (block.label != "X509 CRL") {
            Fail(RevocationErrorReason::kNotAListBlock,
                 NotAListMessage(block.label));
            return false;
          }
          ++found;
          ReadList(block.data);
          return error_.ok();
        });
    if (!error_.ok()) return;
    if (!pem_error.ok()) {
      block_ = pem_error.index;
      line_ = pem_error.line;
      Fail(RevocationErrorReason::kMalformedPem, pem_error.message);
      return;
    }
    block_ = line_ = 0;
    if (found == 0) {
      Fail(RevocationErrorReason::kNoList,
           "no revocation list: give PEM with at least one -----BEGIN X509 "
           "CRL----- block, or one list in DER");
    }
  }

  static std::string NotAListMessage(absl::string_view label) {
    if (absl::StrContains(label, "PRIVATE KEY")) {
      return "a private key: here are revocation lists only. Remove the key, "
             "and replace it if the file was shared";
    }
    return absl::StrCat("the block is '", Printable(label, 64),
                        "', not X509 CRL: remove it, or convert it with "
                        "openssl crl");
  }

  void ReadList(absl::string_view der) {
    if (lists_.size() >= limits_.max_lists) {
      Fail(RevocationErrorReason::kTooManyLists,
           absl::StrCat("there are more revocation lists than the limit of ",
                        limits_.max_lists));
      return;
    }
    if (der.size() > UINT32_MAX) {
      Fail(RevocationErrorReason::kTooLarge, "one list has over 4 GiB");
      return;
    }
    const Sha256Digest digest = Sha256(der);
    const auto known = by_digest_.find(digest);
    if (known != by_digest_.end()) {
      out_->duplicates_.push_back(
          {known->second, static_cast<uint32_t>(source_),
           static_cast<uint32_t>(block_), static_cast<uint32_t>(line_)});
      return;
    }
    std::unique_ptr<List> list(new List());
    list->source_ = source_;
    list->block_ = block_;
    list->line_ = line_;
    List::Rep& rep = *list->rep_;
    rep.der.assign(der.data(), der.size());
    rep.der_digest = digest;

    bssl::der::Input tbs;
    bssl::der::Input algorithm;
    bssl::der::BitString signature;
    bssl::ParsedCrlTbsCertList parsed;
    if (!bssl::ParseCrlCertificateList(Input(rep.der), &tbs, &algorithm,
                                       &signature) ||
        !bssl::ParseCrlTbsCertList(tbs, &parsed)) {
      Malformed(Certificate::Parse(der).ok() ? "it is a certificate"
                                             : "its DER cannot be read as one");
      return;
    }
    if (signature.unused_bits() != 0) {
      Malformed("its signature is not a whole number of bytes");
      return;
    }
    rep.algorithm_der = View(algorithm);
    rep.signature = View(signature.bytes());
    rep.issuer_der = View(parsed.issuer_tlv);
    if (!ReadHead(parsed, tbs, list.get())) return;
    if (parsed.crl_extensions_tlv.has_value() &&
        !ReadExtensions(*parsed.crl_extensions_tlv, &rep)) {
      return;
    }
    if (parsed.revoked_certificates_tlv.has_value() &&
        !ReadEntries(*parsed.revoked_certificates_tlv,
                     parsed.version == bssl::CrlVersion::V2, list.get())) {
      return;
    }
    by_digest_.emplace(digest, list.get());
    lists_.push_back(std::move(list));
  }

  // Issuer, dates and algorithm; and the digest that was signed.
  bool ReadHead(const bssl::ParsedCrlTbsCertList& parsed, bssl::der::Input tbs,
                List* list) {
    List::Rep& rep = *list->rep_;
    bssl::der::Parser issuer(parsed.issuer_tlv);
    bssl::der::Input rdns;
    bssl::CertErrors unused;
    if (!issuer.ReadTag(CBS_ASN1_SEQUENCE, &rdns) || issuer.HasMore() ||
        !bssl::NormalizeName(rdns, &rep.normalized_issuer, &unused)) {
      Malformed("its issuer is not a name");
      return false;
    }
    const auto this_update = ToTime(parsed.this_update);
    const auto next_update = parsed.next_update.has_value()
                                 ? ToTime(*parsed.next_update)
                                 : absl::InfiniteFuture();
    if (!this_update.has_value() || !next_update.has_value()) {
      Malformed("thisUpdate or nextUpdate is no date");
      return false;
    }
    list->this_update_ = *this_update;
    list->next_update_ = *next_update;
    const std::optional<bssl::SignatureAlgorithm> inner =
        bssl::ParseSignatureAlgorithm(parsed.signature_algorithm_tlv);
    const std::optional<bssl::SignatureAlgorithm> outer =
        bssl::ParseSignatureAlgorithm(Input(rep.algorithm_der));
    if (inner != outer ||
        (!outer.has_value() &&
         View(parsed.signature_algorithm_tlv) != rep.algorithm_der)) {
      Malformed("the signed and the outer signature algorithm differ");
      return false;
    }
    if (!outer.has_value()) return true;  // never counts, for its algorithm
    list->strength_ = StrengthOf(*outer);
    if (list->strength_ != SignatureStrength::kStrong) return true;
    rep.algorithm = *outer;
    unsigned size = 0;
    if (EVP_Digest(tbs.data(), tbs.size(), rep.digest.data(), &size,
                   DigestOf(*outer), nullptr) != 1) {
      Fail(RevocationErrorReason::kTooLarge, "out of memory");
      return false;
    }
    rep.digest_size = size;
    return true;
  }

  bool ReadExtensions(bssl::der::Input tlv, List::Rep* rep) {
    std::map<bssl::der::Input, bssl::ParsedExtension> extensions;
    if (!bssl::ParseExtensions(tlv, &extensions)) {
      Malformed("its extensions cannot be read");
      return false;
    }
    for (const auto& [oid, extension] : extensions) {
      const absl::string_view id = View(oid);
      if (id == kDeltaIndicator) {
        Unsupported(
            "a delta list, which says only what changed: give the complete "
            "list");
        return false;
      }
      if (id == kDistributionPoint) {
        if (!ReadDistributionPoint(extension.value, rep)) return false;
      } else if (id == kCrlNumber) {
        bssl::der::Parser parser(extension.value);
        bssl::der::Input number;
        bool negative = false;
        if (!parser.ReadTag(CBS_ASN1_INTEGER, &number) || parser.HasMore() ||
            !bssl::der::IsValidInteger(number, &negative)) {
          Malformed("its CRL number is no number");
          return false;
        }
        rep->number = View(number);
      } else if (extension.critical && id != kAuthorityKeyId) {
        // RFC 5280, 5.2: such a list must not be used.
        Unsupported(absl::StrCat("it has the unknown critical extension ",
                                 OidText(id)));
        return false;
      }
    }
    return true;
  }

  bool ReadDistributionPoint(bssl::der::Input value, List::Rep* rep) {
    std::unique_ptr<bssl::GeneralNames> names;
    if (!bssl::ParseIssuingDistributionPoint(value, &names, &rep->contained)) {
      Unsupported(WhyNot(value));
      return false;
    }
    rep->scope = View(value);
    if (names == nullptr) return true;
    rep->has_points = true;
    for (const auto& uri : names->uniform_resource_identifiers) {
      rep->point_uris.emplace_back(uri.data(), uri.size());
    }
    for (const auto& name : names->directory_names) {
      rep->point_names.push_back(View(name));
    }
    return true;
  }

  // What ParseIssuingDistributionPoint() does not take, for people.
  static absl::string_view WhyNot(bssl::der::Input value) {
    bssl::der::Parser parser(value);
    bssl::der::Parser sequence;
    if (!parser.ReadSequence(&sequence)) sequence = bssl::der::Parser();
    while (sequence.HasMore()) {
      CBS_ASN1_TAG tag = 0;
      bssl::der::Input unused;
      if (!sequence.ReadTagAndValue(&tag, &unused)) break;
      switch (tag & CBS_ASN1_TAG_NUMBER_MASK) {
        case 3:
          return "a list for some revocation reasons only: give one for all";
        case 4:
          return "an indirect list, which names certificates of other "
                 "issuers: give each issuer's own list";
        case 5:
          return "a list of attribute certificates, which no client has here";
        default:
          break;
      }
    }
    return "its issuing distribution point cannot be read, or is of a form "
           "that is not supported (a name relative to the issuer)";
  }

  bool ReadEntries(bssl::der::Input tlv, bool is_v2, List* list) {
    List::Rep& rep = *list->rep_;
    bssl::der::Parser parser(tlv);
    bssl::der::Parser entries;
    if (!parser.ReadSequence(&entries) || parser.HasMore()) {
      Malformed("its entries are no SEQUENCE");
      return false;
    }
    // Where each entry is; the table is made when their number is known.
    std::vector<uint32_t> offsets;
    bssl::der::Parser ahead = entries;
    while (ahead.HasMore()) {
      bssl::der::Input raw;
      if (!ahead.ReadRawTLV(&raw)) {
        Malformed(
            absl::StrCat("entry ", offsets.size() + 1, " cannot be read"));
        return false;
      }
      if (num_entries_ + offsets.size() >= limits_.max_entries) {
        Fail(RevocationErrorReason::kTooManyEntries,
             absl::StrCat("the revocation lists have more entries than the "
                          "limit of ",
                          limits_.max_entries));
        return false;
      }
      offsets.push_back(
          static_cast<uint32_t>(raw.data() - Input(rep.der).data()));
    }
    num_entries_ += offsets.size();
    if (offsets.empty()) return true;
    size_t size = 4;
    while (size < 2 * offsets.size()) size *= 2;
    rep.table.assign(size, 0);
    for (size_t i = 0; i < offsets.size(); ++i) {
      Entry entry;
      bool negative = false;
      if (!ReadEntry(&entries, &entry) ||
          !bssl::der::IsValidInteger(Input(entry.serial), &negative)) {
        Malformed(absl::StrCat("entry ", i + 1, " cannot be read"));
        return false;
      }
      if (entry.extensions.has_value() &&
          !CheckEntryExtensions(*entry.extensions, is_v2, i + 1)) {
        return false;
      }
      uint32_t& slot = rep.table[rep.SlotOf(entry.serial)];
      if (slot == 0) ++list->num_entries_;
      slot = slot == 0 ? offsets[i] : slot;
    }
    return true;
  }

  bool CheckEntryExtensions(bssl::der::Input tlv, bool is_v2, size_t number) {
    std::map<bssl::der::Input, bssl::ParsedExtension> extensions;
    if (!is_v2 || !bssl::ParseExtensions(tlv, &extensions)) {
      Malformed(
          absl::StrCat("the extensions of entry ", number, " cannot be read"));
      return false;
    }
    for (const auto& [oid, extension] : extensions) {
      const absl::string_view id = View(oid);
      if (id == kCertificateIssuer) {
        Unsupported(absl::StrCat("entry ", number,
                                 " names another issuer, as indirect lists do: "
                                 "give each issuer's own list"));
        return false;
      }
      if (extension.critical && id != kReasonCode && id != kInvalidityDate) {
        // RFC 5280, 5.3: such a list must not be used for any certificate.
        Unsupported(absl::StrCat("entry ", number,
                                 " has the unknown critical extension ",
                                 OidText(id)));
        return false;
      }
    }
    return true;
  }

  // Sorts the lists and makes the index.
  void Finish() {
    source_ = block_ = line_ = 0;
    std::sort(lists_.begin(), lists_.end(), [](const auto& a, const auto& b) {
      if (const int c =
              a->rep_->normalized_issuer.compare(b->rep_->normalized_issuer)) {
        return c < 0;
      }
      if (a->this_update_ != b->this_update_) {
        return a->this_update_ > b->this_update_;
      }
      return a->rep_->der_digest < b->rep_->der_digest;
    });
    std::string digests;
    for (const auto& list : lists_) {
      absl::StrAppend(&digests, AsBytes(list->rep_->der_digest));
    }
    out_->digest_ = Sha256(digests);
    for (uint32_t i = 0; i < lists_.size(); ++i) {
      auto& run = out_->by_issuer_
                      .try_emplace(lists_[i]->rep_->normalized_issuer,
                                   RevocationLists::Run{i, i})
                      .first->second;
      run.end = i + 1;
      if (run.end - run.begin > limits::kMaxRevocationListsOfOneIssuer) {
        source_ = lists_[i]->source_;
        block_ = lists_[i]->block_;
        line_ = lists_[i]->line_;
        Fail(RevocationErrorReason::kTooManyLists,
             absl::StrCat("one issuer has more revocation lists than the limit "
                          "of ",
                          limits::kMaxRevocationListsOfOneIssuer));
        return;
      }
      out_->num_entries_ += lists_[i]->num_entries_;
    }
    out_->lists_.reserve(lists_.size());
    for (auto& list : lists_) out_->lists_.push_back(std::move(list));
  }

  const RevocationLimits& limits_;
  std::shared_ptr<RevocationLists> out_;
  RevocationError error_;
  std::vector<std::unique_ptr<List>> lists_;
  absl::flat_hash_map<Sha256Digest, const List*> by_digest_;
  size_t num_entries_ = 0;
  size_t source_ = 0;
  size_t block_ = 0;
  size_t line_ = 0;
};

RevocationLists::~RevocationLists() = default;

RevocationLists::ParseResult RevocationLists::Parse(
    absl::Span<const absl::string_view> sources,
    const RevocationLimits& limits) {
  return RevocationReader(limits).Run(sources);
}

size_t RevocationLists::ApproximateBytes() const {
  size_t bytes =
      sizeof(*this) + lists_.capacity() * sizeof(lists_[0]) +
      duplicates_.capacity() * sizeof(Duplicate) +
      by_issuer_.capacity() * (sizeof(absl::string_view) + sizeof(Run) + 1);
  for (const auto& list : lists_) {
    const List::Rep& rep = *list->rep_;
    bytes += sizeof(List) + sizeof(List::Rep) + rep.der.capacity() +
             rep.normalized_issuer.capacity() +
             rep.table.capacity() * sizeof(uint32_t) +
             (rep.point_uris.capacity() + rep.point_names.capacity()) *
                 sizeof(absl::string_view);
    for (const auto* signer = rep.signers.load(std::memory_order_acquire);
         signer != nullptr; signer = signer->next) {
      bytes += sizeof(*signer) + signer->spki.capacity();
    }
  }
  return bytes;
}

// --- looking up ------------------------------------------------------------

namespace {

bool MaySignLists(const Certificate& issuer) {
  const auto& parsed = issuer.parsed();
  return parsed != nullptr &&
         (!parsed->has_key_usage() ||
          parsed->key_usage().AssertsBit(bssl::KEY_USAGE_BIT_CRL_SIGN));
}

}  // namespace

bool RevocationLists::HasListFor(const Certificate& certificate) const {
  return certificate.parsed() != nullptr &&
         by_issuer_.contains(View(certificate.parsed()->normalized_issuer()));
}

RevocationLists::Answer RevocationLists::Check(
    const Certificate& certificate,
    absl::Span<const Certificate* const> issuers, absl::Time now,
    size_t* checks_left) const {
  using Kind = Answer::Kind;
  Answer answer;
  const auto& parsed = certificate.parsed();
  if (parsed == nullptr) return answer;
  const auto run = by_issuer_.find(View(parsed->normalized_issuer()));
  if (run == by_issuer_.end()) return answer;
  CertificateScope scope(*parsed);
  const absl::string_view serial = View(parsed->tbs().serial_number);
  // How near a list that does not count came to it.
  const auto note = [&answer](Kind kind, const List* list) {
    if (answer.kind == Kind::kMissing) {
      answer.kind = kind;
      answer.list = list;
    }
  };
  // Whether a key of `issuers` made the list's signature. kOnlyRevokes: one of
  // a CA whose key usage does not let it sign lists. Such a list covers nobody,
  // but what it names stays revoked: a CA can have several certificates of one
  // key, and a client could choose the path by the one that may not.
  enum class Counts { kYes, kOnlyRevokes, kNo, kLimit };
  const auto counts = [&](const List& list) {
    bool only_revokes = false;
    for (const Certificate* issuer : issuers) {
      const bool may_sign = MaySignLists(*issuer);
      if (only_revokes && !may_sign) continue;
      switch (list.SignedBy(*issuer, checks_left)) {
        case List::Signed::kYes:
          if (may_sign) return Counts::kYes;
          only_revokes = true;
          break;
        case List::Signed::kNo:
          break;
        case List::Signed::kUnknown:
          return Counts::kLimit;
      }
    }
    return only_revokes ? Counts::kOnlyRevokes : Counts::kNo;
  };
  const auto limit = [&answer](const List& list) {
    answer.kind = Kind::kLimit;
    answer.list = &list;
    return answer;
  };
  // The list that decided for each scope: the newest that counts.
  absl::InlinedVector<const List*, 4> deciding;
  for (uint32_t i = run->second.begin; i < run->second.end; ++i) {
    const List& list = *lists_[i];
    const bool covers = list.rep_->Covers(scope);
    const uint32_t at = list.rep_->Find(serial);
    // A scope tells for whom a list vouches. An issuer gives a serial number
    // once, so whom a list names is revoked, whatever its scope.
    if (!covers && at == 0) continue;
    if (now < list.this_update_) {
      // The newest come first, so all of these come before any that counts.
      answer.next_list_at = std::min(answer.next_list_at, list.this_update_);
      if (covers) note(Kind::kNotYet, &list);
      continue;
    }
    const bool decided =
        std::any_of(deciding.begin(), deciding.end(), [&](const List* newer) {
          return newer->rep_->scope == list.rep_->scope &&
                 newer->this_update_ > list.this_update_;
        });
    if (decided) continue;
    if (list.strength_ != SignatureStrength::kStrong) {
      if (covers) note(Kind::kWeak, &list);
      continue;
    }
    const Counts by = counts(list);
    if (by == Counts::kLimit) return limit(list);
    if (by == Counts::kNo || (by == Counts::kOnlyRevokes && at == 0)) {
      if (covers) note(Kind::kNotSigned, &list);
      continue;
    }
    if (!covers) {
      // Newer lists of its scope that name nobody here were passed by.
      bool superseded = false;
      for (uint32_t j = run->second.begin; j < i && !superseded; ++j) {
        const List& newer = *lists_[j];
        if (newer.rep_->scope != list.rep_->scope || now < newer.this_update_ ||
            newer.this_update_ <= list.this_update_ ||
            newer.strength_ != SignatureStrength::kStrong) {
          continue;
        }
        const Counts newer_by = counts(newer);
        if (newer_by == Counts::kLimit) return limit(newer);
        superseded = newer_by == Counts::kYes;
      }
      if (superseded) continue;
    }
    if (by == Counts::kYes && covers) deciding.push_back(&list);
    if (at != 0) {
      answer.kind = Kind::kRevoked;
      answer.list = &list;
      answer.good_until = absl::InfiniteFuture();
      const Entry entry = list.rep_->EntryAt(at);
      answer.revoked_at =
          ToTime(entry.revoked_at).value_or(absl::InfinitePast());
      std::map<bssl::der::Input, bssl::ParsedExtension> extensions;
      if (entry.extensions.has_value() &&
          bssl::ParseExtensions(*entry.extensions, &extensions)) {
        const auto reason = extensions.find(Input(kReasonCode));
        if (reason != extensions.end()) {
          answer.reason_code = ReadReasonCode(reason->second.value);
        }
      }
      return answer;
    }
    if (now >= list.next_update_) {
      // Says more than that another list does not count.
      if (answer.kind != Kind::kGood) {
        answer.kind = Kind::kOutOfDate;
        answer.list = &list;
      }
    } else if (answer.kind != Kind::kGood ||
               answer.good_until < list.next_update_) {
      answer.kind = Kind::kGood;
      answer.list = &list;
      answer.good_until = list.next_update_;
    }
  }
  return answer;
}

std::vector<RevocationWarning> RevocationLists::Warnings(
    const Truststore* truststore, absl::Time now) const {
  std::vector<RevocationWarning> out;
  const auto warn = [&out](const List& list, RevocationWarningReason reason,
                           std::string message) -> RevocationWarning& {
    RevocationWarning warning;
    warning.source = list.source_;
    warning.block = list.block_;
    warning.line = list.line_;
    warning.issuer = list.Issuer();
    warning.reason = reason;
    warning.message = std::move(message);
    out.push_back(std::move(warning));
    return out.back();
  };
  size_t checks_left = limits::kMaxWarningSignatureChecks;
  // CAs of the truststore by the name of a list: the first that is signed, and
  // by position whether one is signed with the CA's key.
  struct Namesakes {
    const List* list = nullptr;
    std::map<uint32_t, bool> has_list;
  };
  std::map<absl::string_view, Namesakes> by_name;
  for (const auto& list : lists_) {
    if (now < list->this_update_) {
      warn(*list, RevocationWarningReason::kNotYetValid,
           absl::StrCat("does not count before thisUpdate, ",
                        TimeText(list->this_update_)));
    }
    if (now >= list->next_update_) {
      warn(*list, RevocationWarningReason::kOutOfDate,
           absl::StrCat("is past nextUpdate, ", TimeText(list->next_update_),
                        ": it revokes what it names, and covers nothing"));
    } else if (list->next_update_ == absl::InfiniteFuture()) {
      warn(*list, RevocationWarningReason::kNoNextUpdate,
           "has no nextUpdate, so nobody can tell when it is out of date");
    }
    if (list->strength_ != SignatureStrength::kStrong) {
      warn(*list, RevocationWarningReason::kWeakSignature,
           absl::StrCat("does not count: signed with ",
                        list->SignatureAlgorithmName(),
                        "; SHA-256 or stronger with RSA or ECDSA is needed"));
      continue;
    }
    if (truststore == nullptr) continue;
    bool has_namesake = false;
    bool is_signed = false;
    bool may_sign = false;
    Namesakes& namesakes = by_name[list->rep_->normalized_issuer];
    for (const uint32_t position :
         truststore->FindBySubject(list->rep_->normalized_issuer)) {
      const Truststore::Entry& entry = truststore->entries()[position];
      const CertificatePtr& issuer = entry.certificate();
      if (issuer->parsed() == nullptr ||
          View(issuer->parsed()->normalized_subject()) !=
              list->rep_->normalized_issuer) {
        continue;
      }
      has_namesake = true;
      bool& has_list = namesakes.has_list[position];
      switch (list->SignedBy(*issuer, &checks_left)) {
        case List::Signed::kNo:
          break;
        case List::Signed::kYes:
          is_signed = has_list = true;
          may_sign = may_sign || MaySignLists(*issuer);
          if (namesakes.list == nullptr) namesakes.list = list.get();
          break;
        case List::Signed::kUnknown:
          // Not known to be wrong.
          is_signed = may_sign = has_list = true;
          break;
      }
    }
    if (!has_namesake) {
      warn(*list, RevocationWarningReason::kUnknownIssuer,
           "has an issuer that the truststore lacks; it counts only for a CA "
           "of that name that a client sends");
    } else if (!is_signed) {
      warn(*list, RevocationWarningReason::kUntrustedSignature,
           "is signed by no CA of that name in the truststore; it counts only "
           "for one that a client sends");
    } else if (!may_sign) {
      warn(*list, RevocationWarningReason::kMayNotSign,
           "does not count: the key usage of the CA that signed it lacks "
           "cRLSign");
    }
  }
  for (const auto& [name, namesakes] : by_name) {
    if (namesakes.list == nullptr) continue;
    for (const auto& [position, has_list] : namesakes.has_list) {
      const Truststore::Entry& entry = truststore->entries()[position];
      if (has_list || !entry.certificate()->is_ca()) continue;
      warn(*namesakes.list, RevocationWarningReason::kOtherKey,
           absl::StrCat("is not signed with the key of certificate ",
                        entry.index(),
                        " of the truststore, a CA of the same name, and no "
                        "other list is: what that one issued is not looked up "
                        "here. Add its list"));
    }
  }
  for (const Duplicate& duplicate : duplicates_) {
    RevocationWarning& warning = warn(
        *duplicate.list, RevocationWarningReason::kDuplicate,
        absl::StrCat("the same list as in source ", duplicate.list->source_,
                     duplicate.list->block_ == 0
                         ? ""
                         : absl::StrCat(", block ", duplicate.list->block_),
                     "; kept once"));
    warning.source = duplicate.source;
    warning.block = duplicate.block;
    warning.line = duplicate.line;
  }
  std::stable_sort(out.begin(), out.end(),
                   [](const RevocationWarning& a, const RevocationWarning& b) {
                     return std::tie(a.source, a.block, a.reason) <
                            std::tie(b.source, b.block, b.reason);
                   });
  return out;
}

}  // namespace sallyport::pki
