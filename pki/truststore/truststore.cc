#include "pki/truststore/truststore.h"

#include <algorithm>
#include <deque>
#include <tuple>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/hash/hash.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/text.h"
#include "pki/x509/der.h"
#include "pki/x509/pem.h"
#include "third_party_boringssl/pki/parse_certificate.h"
#include "third_party_boringssl/pki/parsed_certificate.h"
#include "third_party_boringssl/pki/verify_signed_data.h"

namespace sallyport::pki {
namespace {

using CertificatePtr = std::shared_ptr<const Certificate>;

// A name as a map key: 16 bytes of its SHA-256. Whoever finds a certificate by
// it compares the name itself.
using Key = std::pair<uint64_t, uint64_t>;

Key KeyOf(const Sha256Digest& digest) {
  Key key;
  static_assert(sizeof(key) <= sizeof(digest), "a key is part of a digest");
  std::copy_n(digest.begin(), sizeof(key.first),
              reinterpret_cast<uint8_t*>(&key.first));
  std::copy_n(digest.begin() + sizeof(key.first), sizeof(key.second),
              reinterpret_cast<uint8_t*>(&key.second));
  return key;
}

BundleError FromPemError(const PemError& error) {
  BundleError out;
  out.reason = error.reason == PemError::Reason::kTooLarge
                   ? BundleErrorReason::kCertificateTooLarge
                   : BundleErrorReason::kMalformedPem;
  out.index = error.index;
  out.line = error.line;
  out.message = error.message;
  return out;
}

std::string NotACertificateMessage(absl::string_view label) {
  if (absl::StrContains(label, "PRIVATE KEY")) {
    return "a private key: a truststore holds certificates only. Remove the "
           "key, and replace it if the file was shared";
  }
  return absl::StrCat("the block is '", Printable(label, 64),
                      "', not CERTIFICATE: remove it, or convert it with "
                      "openssl x509");
}

absl::string_view KeyTypeText(const PublicKeyInfo& key) {
  switch (key.type) {
    case KeyType::kRsa:
      return "RSA";
    case KeyType::kEcP256:
      return "ECDSA P-256";
    case KeyType::kEcP384:
      return "ECDSA P-384";
    case KeyType::kEcOther:
      return "an elliptic curve other than P-256 and P-384";
    case KeyType::kEd25519:
      return "Ed25519";
    case KeyType::kOther:
      break;
  }
  return "of a type or form that is not supported";
}

}  // namespace

absl::string_view ChainPolicyName(ChainPolicy policy) {
  return policy == ChainPolicy::kAnyAnchor ? "any-anchor" : "complete-chain";
}

absl::string_view ReasonName(BundleErrorReason reason) {
  switch (reason) {
    case BundleErrorReason::kNone:
      return "NONE";
    case BundleErrorReason::kNoCertificate:
      return "NO_CERTIFICATE";
    case BundleErrorReason::kNotACertificateBlock:
      return "NOT_A_CERTIFICATE_BLOCK";
    case BundleErrorReason::kMalformedPem:
      return "MALFORMED_PEM";
    case BundleErrorReason::kMalformedCertificate:
      return "MALFORMED_CERTIFICATE";
    case BundleErrorReason::kTooLarge:
      return "TOO_LARGE";
    case BundleErrorReason::kTooManyCertificates:
      return "TOO_MANY_CERTIFICATES";
    case BundleErrorReason::kCertificateTooLarge:
      return "CERTIFICATE_TOO_LARGE";
    case BundleErrorReason::kGivesNoTrust:
      return "GIVES_NO_TRUST";
  }
  return "UNKNOWN";
}

absl::string_view ReasonName(WarningReason reason) {
  switch (reason) {
    case WarningReason::kExpired:
      return "EXPIRED";
    case WarningReason::kNotYetValid:
      return "NOT_YET_VALID";
    case WarningReason::kWeakSignatureAlgorithm:
      return "WEAK_SIGNATURE_ALGORITHM";
    case WarningReason::kWeakKey:
      return "WEAK_KEY";
    case WarningReason::kUnsupportedKey:
      return "UNSUPPORTED_KEY";
    case WarningReason::kMalformed:
      return "MALFORMED";
    case WarningReason::kNotACa:
      return "NOT_A_CA";
    case WarningReason::kIncompleteChain:
      return "INCOMPLETE_CHAIN";
    case WarningReason::kDuplicate:
      return "DUPLICATE";
    case WarningReason::kSameSubjectDifferentKey:
      return "SAME_SUBJECT_DIFFERENT_KEY";
    case WarningReason::kExpiresSoon:
      return "EXPIRES_SOON";
    case WarningReason::kWeakRootSignature:
      return "WEAK_ROOT_SIGNATURE";
  }
  return "UNKNOWN";
}

bool RemovesTrust(WarningReason reason) {
  switch (reason) {
    case WarningReason::kDuplicate:
    case WarningReason::kSameSubjectDifferentKey:
    case WarningReason::kExpiresSoon:
    case WarningReason::kWeakRootSignature:
      return false;
    default:
      return true;
  }
}

std::string BundleError::ToString() const {
  if (index == 0 && line == 0) return message;
  return absl::StrCat("block ", index, ", line ", line, ": ", message);
}

Unfitness CheckFitness(const Certificate& certificate, OwnSignature signature) {
  Unfitness out;
  if (!certificate.problem().empty()) {
    out.kind = Unfitness::Kind::kMalformed;
    out.message = certificate.problem();
    return out;
  }
  if (certificate.signature_strength() != SignatureStrength::kStrong &&
      !(signature == OwnSignature::kIgnored &&
        certificate.signature_strength() == SignatureStrength::kSha1)) {
    out.kind = Unfitness::Kind::kWeakSignature;
    out.message =
        absl::StrCat("signed with ", certificate.SignatureAlgorithmName(),
                     "; SHA-256 or stronger with RSA or ECDSA is needed");
    return out;
  }
  const PublicKeyInfo key = certificate.public_key();
  switch (key.type) {
    case KeyType::kEcP256:
    case KeyType::kEcP384:
      break;
    case KeyType::kRsa:
      if (key.bits < 2048) {
        out.kind = Unfitness::Kind::kWeakKey;
        out.message = absl::StrCat("its RSA key has ", key.bits,
                                   " bits; 2048 or more are needed");
      }
      break;
    default:
      out.kind = Unfitness::Kind::kUnsupportedKey;
      out.message = absl::StrCat("its key is ", KeyTypeText(key),
                                 "; RSA, ECDSA P-256 or ECDSA P-384 is needed");
  }
  return out;
}

OwnSignature OwnSignatureOfAnchor(ChainPolicy policy, bool is_ca,
                                  SignatureStrength strength,
                                  absl::FunctionRef<bool()> is_self_signed) {
  return policy == ChainPolicy::kAnyAnchor && is_ca &&
                 strength == SignatureStrength::kSha1 && is_self_signed()
             ? OwnSignature::kIgnored
             : OwnSignature::kCounts;
}

// --- Entry ---------------------------------------------------------------

Truststore::Entry::Entry(Entry&& other) noexcept
    : der_(other.der_),
      key_id_hash_(other.key_id_hash_),
      key_hash_(other.key_hash_),
      subject_hash_(other.subject_hash_),
      issuer_hash_(other.issuer_hash_),
      issuer_key_id_hash_(other.issuer_key_id_hash_),
      not_before_(other.not_before_),
      not_after_(other.not_after_),
      index_(other.index_),
      line_(other.line_),
      strength_(other.strength_),
      unfitness_(other.unfitness_),
      unfitness_as_root_(other.unfitness_as_root_),
      is_ca_(other.is_ca_),
      self_issued_(other.self_issued_),
      self_signed_(other.self_signed_.load()),
      parsed_(other.parsed_.exchange(nullptr)) {}

Truststore::Entry::~Entry() { delete parsed_.load(); }

const CertificatePtr& Truststore::Entry::certificate() const {
  const CertificatePtr* parsed = parsed_.load(std::memory_order_acquire);
  if (parsed != nullptr) return *parsed;
  // It parsed when the bundle was read, so it parses now.
  auto fresh =
      std::make_unique<const CertificatePtr>(*Certificate::Parse(der_));
  if (parsed_.compare_exchange_strong(parsed, fresh.get(),
                                      std::memory_order_acq_rel)) {
    return *fresh.release();
  }
  return *parsed;
}

bool Truststore::Entry::IsSelfSigned() const {
  uint8_t known = self_signed_.load(std::memory_order_relaxed);
  if (known == 0) {
    // Two threads may both compute it; they get the same answer.
    const CertificatePtr* parsed = parsed_.load(std::memory_order_acquire);
    const bool yes = self_issued_ &&
                     (parsed != nullptr ? *parsed : *Certificate::Parse(der_))
                         ->IsSelfSigned();
    known = yes ? 2 : 1;
    self_signed_.store(known, std::memory_order_relaxed);
  }
  return known == 2;
}

// --- Truststore ----------------------------------------------------------

struct Truststore::Index {
  // Positions of the entries with one subject are a run in `by_subject`.
  struct Run {
    uint32_t begin = 0;
    uint32_t end = 0;
  };
  absl::flat_hash_map<Key, Run> runs;
  std::vector<uint32_t> by_subject;
  absl::flat_hash_map<Sha256Digest, uint32_t> by_fingerprint;
};

Truststore::Truststore() : index_(std::make_unique<Index>()) {}
Truststore::~Truststore() = default;

uint64_t Truststore::HashOf(absl::string_view bytes) {
  const uint64_t hash = absl::Hash<absl::string_view>()(bytes);
  return hash == 0 ? 1 : hash;
}

Truststore::ParseResult Truststore::Parse(absl::string_view pem,
                                          const TruststoreLimits& limits) {
  ParseResult result;
  BundleError& error = result.error;
  if (pem.size() > limits.max_bytes) {
    error.reason = BundleErrorReason::kTooLarge;
    error.message = absl::StrCat("the truststore has ", pem.size(),
                                 " bytes; the limit is ", limits.max_bytes);
    return result;
  }
  std::shared_ptr<Truststore> store(new Truststore());
  store->digest_ = Sha256(pem);
  // DER is three quarters of its PEM or less: one allocation.
  store->arena_.reserve(pem.size() / 4 * 3 + 16);
  std::vector<std::pair<Key, uint32_t>> subjects;
  std::vector<std::pair<size_t, size_t>> places;  // offset and size of each DER

  const PemError pem_error =
      ReadPem(pem, limits::kMaxCertificateBytes, [&](const PemBlock& block) {
        error.index = block.index;
        error.line = block.line;
        if (block.label != "CERTIFICATE") {
          error.reason = BundleErrorReason::kNotACertificateBlock;
          error.message = NotACertificateMessage(block.label);
          return false;
        }
        if (store->num_blocks_ >= limits.max_certificates) {
          error.reason = BundleErrorReason::kTooManyCertificates;
          error.message = absl::StrCat(
              "the truststore has more certificates than the "
              "limit of ",
              limits.max_certificates);
          return false;
        }
        absl::StatusOr<CertificatePtr> certificate =
            Certificate::Parse(block.data);
        if (!certificate.ok()) {
          error.reason = absl::IsResourceExhausted(certificate.status())
                             ? BundleErrorReason::kCertificateTooLarge
                             : BundleErrorReason::kMalformedCertificate;
          error.message = std::string(certificate.status().message());
          return false;
        }
        ++store->num_blocks_;
        const Sha256Digest& fingerprint = (*certificate)->fingerprint();
        const auto position = static_cast<uint32_t>(store->entries_.size());
        const auto [found, inserted] =
            store->index_->by_fingerprint.try_emplace(fingerprint, position);
        if (!inserted) {
          store->duplicates_.push_back({static_cast<uint32_t>(block.index),
                                        static_cast<uint32_t>(block.line),
                                        found->second});
          return true;
        }
        places.emplace_back(store->arena_.size(), block.data.size());
        store->arena_.append(block.data.data(), block.data.size());
        Entry entry;
        entry.index_ = static_cast<uint32_t>(block.index);
        entry.line_ = static_cast<uint32_t>(block.line);
        entry.key_hash_ = HashOf((*certificate)->spki_der());
        const Certificate& c = **certificate;
        entry.not_before_ = c.not_before();
        entry.not_after_ = c.not_after();
        entry.strength_ = static_cast<uint8_t>(c.signature_strength());
        entry.unfitness_ =
            static_cast<uint8_t>(CheckFitness(c, OwnSignature::kCounts).kind);
        entry.unfitness_as_root_ =
            static_cast<uint8_t>(CheckFitness(c, OwnSignature::kIgnored).kind);
        entry.is_ca_ = c.is_ca();
        entry.self_issued_ = c.self_issued();
        if (const auto& parsed = c.parsed()) {
          entry.subject_hash_ = HashOf(View(parsed->normalized_subject()));
          entry.issuer_hash_ = HashOf(View(parsed->normalized_issuer()));
          const auto& authority = parsed->authority_key_identifier();
          if (authority.has_value() && authority->key_identifier.has_value()) {
            entry.issuer_key_id_hash_ =
                HashOf(View(*authority->key_identifier));
          }
          if (parsed->subject_key_identifier().has_value()) {
            entry.key_id_hash_ =
                HashOf(View(*parsed->subject_key_identifier()));
          }
          subjects.emplace_back(
              KeyOf(Sha256(View(parsed->normalized_subject()))), position);
        }
        store->entries_.push_back(std::move(entry));
        return true;
      });
  if (!error.ok()) return result;
  if (!pem_error.ok()) {
    error = FromPemError(pem_error);
    return result;
  }
  error = BundleError();
  if (store->entries_.empty()) {
    error.reason = BundleErrorReason::kNoCertificate;
    error.message =
        "no certificate: a truststore is a PEM file with at least one "
        "-----BEGIN CERTIFICATE----- block";
    return result;
  }
  std::stable_sort(
      subjects.begin(), subjects.end(),
      [](const auto& a, const auto& b) { return a.first < b.first; });
  Index& index = *store->index_;
  index.by_subject.reserve(subjects.size());
  for (const auto& [key, position] : subjects) {
    const auto at = static_cast<uint32_t>(index.by_subject.size());
    Index::Run& run =
        index.runs.try_emplace(key, Index::Run{at, at}).first->second;
    run.end = at + 1;
    index.by_subject.push_back(position);
  }
  store->arena_.shrink_to_fit();
  store->entries_.shrink_to_fit();
  for (size_t i = 0; i < places.size(); ++i) {
    store->entries_[i].der_ = absl::string_view(store->arena_)
                                  .substr(places[i].first, places[i].second);
  }
  result.truststore = std::move(store);
  return result;
}

absl::Span<const uint32_t> Truststore::FindBySubject(
    absl::string_view normalized_subject) const {
  const auto found = index_->runs.find(KeyOf(Sha256(normalized_subject)));
  if (found == index_->runs.end()) return {};
  return absl::MakeConstSpan(index_->by_subject)
      .subspan(found->second.begin, found->second.end - found->second.begin);
}

const Truststore::Entry* Truststore::FindExact(
    const Sha256Digest& fingerprint) const {
  const auto found = index_->by_fingerprint.find(fingerprint);
  return found == index_->by_fingerprint.end() ? nullptr
                                               : &entries_[found->second];
}

size_t Truststore::ApproximateBytes() const {
  size_t bytes = sizeof(*this) + arena_.capacity() +
                 entries_.capacity() * sizeof(Entry) +
                 duplicates_.capacity() * sizeof(DuplicateBlock) +
                 index_->by_subject.capacity() * sizeof(uint32_t) +
                 index_->runs.capacity() * (sizeof(Key) + sizeof(Index::Run)) +
                 index_->by_fingerprint.capacity() *
                     (sizeof(Sha256Digest) + sizeof(uint32_t));
  for (const Entry& entry : entries_) {
    // What a parsed certificate takes beside its bytes, measured.
    constexpr size_t kParsedBytes = 3000;
    if (entry.parsed_.load(std::memory_order_relaxed) != nullptr) {
      bytes += kParsedBytes + entry.der_.size();
    }
  }
  return bytes;
}

// --- Warnings ------------------------------------------------------------

// One entry as of one time and policy.
struct Truststore::Summary {
  Unfitness::Kind unfit = Unfitness::Kind::kNone;
  bool self_signed = false;
  bool sha1_root = false;
  bool in_time = false;
  bool expired = false;
};

Truststore::Summary Truststore::Summarize(const Entry& entry,
                                          ChainPolicy policy, absl::Time now,
                                          bool check_signatures) {
  Summary out;
  out.expired = now >= entry.not_after_ + absl::Seconds(1);
  out.in_time = !out.expired && now >= entry.not_before_;
  // Without signature checks a certificate that names another key as its
  // issuer's is not taken for self-signed.
  out.self_signed =
      entry.self_issued_ &&
      (check_signatures
           ? entry.IsSelfSigned()
           : entry.issuer_key_id_hash_ == 0 || entry.key_id_hash_ == 0 ||
                 entry.issuer_key_id_hash_ == entry.key_id_hash_);
  out.sha1_root =
      OwnSignatureOfAnchor(
          policy, entry.is_ca_, static_cast<SignatureStrength>(entry.strength_),
          [&] { return out.self_signed; }) == OwnSignature::kIgnored;
  out.unfit = static_cast<Unfitness::Kind>(
      out.sha1_root ? entry.unfitness_as_root_ : entry.unfitness_);
  return out;
}

namespace {

// SignedBy() without reading more of the certificate than its signature.
bool SignatureIsBy(absl::string_view certificate_der,
                   absl::string_view issuer_spki) {
  bssl::der::Input tbs;
  bssl::der::Input algorithm_tlv;
  bssl::der::BitString signature;
  if (!bssl::ParseCertificate(Input(certificate_der), &tbs, &algorithm_tlv,
                              &signature, /*errors=*/nullptr)) {
    return false;
  }
  const auto algorithm = bssl::ParseSignatureAlgorithm(algorithm_tlv);
  return algorithm.has_value() &&
         bssl::VerifySignedData(*algorithm, tbs, signature, Input(issuer_spki),
                                /*cache=*/nullptr);
}

WarningReason ReasonOf(Unfitness::Kind kind) {
  switch (kind) {
    case Unfitness::Kind::kWeakSignature:
      return WarningReason::kWeakSignatureAlgorithm;
    case Unfitness::Kind::kWeakKey:
      return WarningReason::kWeakKey;
    case Unfitness::Kind::kUnsupportedKey:
      return WarningReason::kUnsupportedKey;
    default:
      return WarningReason::kMalformed;
  }
}

}  // namespace

bool SignedBy(const Certificate& certificate, const Certificate& issuer) {
  const auto& parsed = certificate.parsed();
  if (parsed == nullptr || !parsed->signature_algorithm().has_value()) {
    return false;
  }
  return bssl::VerifySignedData(
      *parsed->signature_algorithm(), parsed->tbs_certificate_tlv(),
      parsed->signature_value(),
      bssl::der::Input(
          reinterpret_cast<const uint8_t*>(issuer.spki_der().data()),
          issuer.spki_der().size()),
      /*cache=*/nullptr);
}

std::vector<Warning> Truststore::Warnings(ChainPolicy policy, absl::Time now,
                                          const WarningOptions& options) const {
  // Parsed anew rather than through Entry::certificate(), which would keep
  // every one of them in memory; the last one is kept, since a certificate with
  // one warning often has another.
  CertificatePtr last;
  size_t last_position = entries_.size();
  const auto parse = [&](size_t i) -> const Certificate& {
    if (last_position != i) {
      last = *Certificate::Parse(entries_[i].der_);
      last_position = i;
    }
    return *last;
  };
  std::vector<Summary> summaries;
  summaries.reserve(entries_.size());
  for (const Entry& entry : entries_) {
    summaries.push_back(
        Summarize(entry, policy, now, options.check_signatures));
  }

  // COMPLETE_CHAIN: which CAs hang under a root of the bundle. From the roots
  // down, one look at each (CA, certificate with its name as issuer).
  std::vector<bool> complete(entries_.size(),
                             policy == ChainPolicy::kAnyAnchor);
  if (policy == ChainPolicy::kCompleteChain) {
    absl::flat_hash_map<uint64_t, std::vector<uint32_t>> by_issuer;
    std::deque<uint32_t> queue;
    for (uint32_t i = 0; i < summaries.size(); ++i) {
      const Summary& s = summaries[i];
      if (s.unfit != Unfitness::Kind::kNone || !s.in_time) continue;
      if (s.self_signed) {
        complete[i] = true;
        if (entries_[i].is_ca_) queue.push_back(i);
      } else if (entries_[i].is_ca_ || options.pin_leaf) {
        by_issuer[entries_[i].issuer_hash_].push_back(i);
      }
    }
    size_t checks_left =
        options.check_signatures ? limits::kMaxWarningSignatureChecks : 0;
    while (!queue.empty()) {
      const Entry& issuer = entries_[queue.front()];
      queue.pop_front();
      const auto children = by_issuer.find(issuer.subject_hash_);
      if (children == by_issuer.end()) continue;
      CertificatePtr issuer_certificate;
      std::vector<uint32_t> left;
      for (const uint32_t child : children->second) {
        const Entry& entry = entries_[child];
        bool match = true;
        if (checks_left > 0) {
          --checks_left;
          if (issuer_certificate == nullptr) {
            issuer_certificate = *Certificate::Parse(issuer.der_);
          }
          match = SignatureIsBy(entry.der_, issuer_certificate->spki_der());
        } else if (entry.issuer_key_id_hash_ != 0 && issuer.key_id_hash_ != 0) {
          match = entry.issuer_key_id_hash_ == issuer.key_id_hash_;
        }
        if (!match) {
          left.push_back(child);
          continue;
        }
        complete[child] = true;
        if (entry.is_ca_) queue.push_back(child);
      }
      children->second = std::move(left);
    }
  }

  std::vector<Warning> out;
  const auto warn = [&](size_t i, WarningReason reason, std::string message) {
    Warning warning;
    warning.index = entries_[i].index_;
    warning.line = entries_[i].line_;
    warning.subject = parse(i).Subject();
    warning.reason = reason;
    warning.message = std::move(message);
    out.push_back(std::move(warning));
  };

  // The first key of each subject among the certificates that give trust.
  absl::flat_hash_map<uint64_t, uint32_t> first_key;
  for (size_t i = 0; i < summaries.size(); ++i) {
    const Summary& s = summaries[i];
    const Entry& entry = entries_[i];
    bool trust = true;
    if (s.unfit != Unfitness::Kind::kNone) {
      trust = false;
      warn(i, ReasonOf(s.unfit),
           absl::StrCat(
               "gives no trust: ",
               CheckFitness(parse(i), s.sha1_root ? OwnSignature::kIgnored
                                                  : OwnSignature::kCounts)
                   .message));
    }
    if (!s.in_time) {
      trust = false;
      if (s.expired) {
        warn(i, WarningReason::kExpired,
             entry.not_after_ == absl::InfinitePast()
                 ? "gives no trust: its validity cannot be read"
                 : absl::StrCat("gives no trust: it expired at ",
                                TimeText(entry.not_after_)));
      } else {
        warn(i, WarningReason::kNotYetValid,
             absl::StrCat("gives no trust before ",
                          TimeText(entry.not_before_)));
      }
    }
    if (trust && !entry.is_ca_ && !s.self_signed && !options.pin_leaf) {
      trust = false;
      warn(i, WarningReason::kNotACa,
           "gives no trust: it is neither a CA nor self-signed. Add the CA "
           "that issued it");
    }
    if (trust && !complete[i] && entry.is_ca_) {
      trust = false;
      warn(i, WarningReason::kIncompleteChain,
           "gives no trust: the truststore holds no chain of valid CAs from "
           "it to a self-signed root. Add its issuer");
    }
    if (!trust) continue;
    if (s.sha1_root) {
      warn(i, WarningReason::kWeakRootSignature,
           "its own signature uses SHA-1, which nobody relies on in a root");
    }
    if (entry.not_after_ - now <= limits::kExpiresSoon) {
      warn(i, WarningReason::kExpiresSoon,
           absl::StrCat("expires at ", TimeText(entry.not_after_)));
    }
    const auto [first, inserted] =
        first_key.try_emplace(entry.subject_hash_, static_cast<uint32_t>(i));
    if (!inserted && entries_[first->second].key_hash_ != entry.key_hash_) {
      warn(i, WarningReason::kSameSubjectDifferentKey,
           absl::StrCat("has the subject of block ",
                        entries_[first->second].index_,
                        " and another key; both give trust"));
    }
  }
  for (const DuplicateBlock& duplicate : duplicates_) {
    Warning warning;
    warning.index = duplicate.index;
    warning.line = duplicate.line;
    warning.subject = parse(duplicate.first_entry).Subject();
    warning.reason = WarningReason::kDuplicate;
    warning.message =
        absl::StrCat("the same certificate as block ",
                     entries_[duplicate.first_entry].index_, "; kept once");
    out.push_back(std::move(warning));
  }
  std::stable_sort(
      out.begin(), out.end(), [](const Warning& a, const Warning& b) {
        return std::tie(a.index, a.reason) < std::tie(b.index, b.reason);
      });
  return out;
}

bool Truststore::GivesTrust(ChainPolicy policy, absl::Time now,
                            const WarningOptions& options) const {
  for (const Entry& entry : entries_) {
    const Summary s = Summarize(entry, policy, now, options.check_signatures);
    if (s.unfit != Unfitness::Kind::kNone || !s.in_time) continue;
    // Under COMPLETE_CHAIN every chain ends in a self-signed certificate, so
    // one of those is needed and enough.
    if (s.self_signed || (options.pin_leaf && !entry.is_ca_)) return true;
    if (policy == ChainPolicy::kAnyAnchor && entry.is_ca_) return true;
  }
  return false;
}

}  // namespace sallyport::pki
