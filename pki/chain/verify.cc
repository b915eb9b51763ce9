#include "pki/chain/verify.h"

#include <openssl/bytestring.h>

#include <algorithm>
#include <array>
#include <limits>
#include <set>
#include <utility>

#include "absl/container/inlined_vector.h"
#include "absl/strings/str_cat.h"
#include "base/text.h"
#include "pki/chain/name_work.h"
#include "pki/chain/signature_key.h"
#include "pki/x509/der.h"
#include "third_party_boringssl/pki/cert_errors.h"
#include "third_party_boringssl/pki/certificate_policies.h"
#include "third_party_boringssl/pki/common_cert_errors.h"
#include "third_party_boringssl/pki/encode_values.h"
#include "third_party_boringssl/pki/general_names.h"
#include "third_party_boringssl/pki/name_constraints.h"
#include "third_party_boringssl/pki/parse_certificate.h"
#include "third_party_boringssl/pki/parsed_certificate.h"
#include "third_party_boringssl/pki/path_builder.h"
#include "third_party_boringssl/pki/simple_path_builder_delegate.h"
#include "third_party_boringssl/pki/trust_store.h"
#include "third_party_boringssl/pki/verify_signed_data.h"

namespace sallyport::pki {

namespace {

// Our own path errors, beside BoringSSL's. An error is known by its address,
// so each is an array of its own.
namespace our {
constexpr char kMalformed[] = "against the rules of X.509";
constexpr char kWeakSignature[] = "weak signature algorithm";
constexpr char kWeakKey[] = "weak key";
constexpr char kUnsupportedKey[] = "unsupported key";
constexpr char kNotACa[] = "not a CA";
constexpr char kTooLong[] = "chain too long";
constexpr char kDenied[] = "on the deny list";
constexpr char kRevoked[] = "revoked";
constexpr char kNotCovered[] = "no usable revocation list";
constexpr char kUnchecked[] = "too many revocation lists to check";
}  // namespace our
namespace theirs = bssl::cert_errors;

using CertificatePtr = std::shared_ptr<const Certificate>;

// A rule that a path can break: what it is called to the outside and to
// people. In the order in which one is chosen when several are broken.
struct Rule {
  bssl::CertErrorId id;
  Reason reason;
  const char* sentence;
};

const std::vector<Rule>& Rules() {
  static const auto* const kRules = new std::vector<Rule>{
      {our::kDenied, Reason::kRevoked, "is on the deny list"},
      {our::kMalformed, Reason::kMalformed, "is against the rules of X.509"},
      {theirs::kSignatureAlgorithmMismatch, Reason::kMalformed,
       "names two different signature algorithms"},
      {theirs::kVerifySignedDataFailed, Reason::kBadSignature,
       "carries a signature that its issuer's key did not make"},
      {theirs::kValidityFailedNotAfter, Reason::kExpired, "has expired"},
      {theirs::kValidityFailedNotBefore, Reason::kNotYetValid,
       "is not valid yet"},
      {our::kWeakSignature, Reason::kUnsupportedAlgorithm,
       "is signed with a weak or unsupported algorithm"},
      {theirs::kUnacceptableSignatureAlgorithm, Reason::kUnsupportedAlgorithm,
       "is signed with a weak or unsupported algorithm"},
      {our::kWeakKey, Reason::kWeakKey, "has a weak key"},
      {our::kUnsupportedKey, Reason::kUnsupportedAlgorithm,
       "has a key of an unsupported type"},
      {theirs::kFailedParsingSpki, Reason::kUnsupportedAlgorithm,
       "has a key that cannot be read"},
      {theirs::kUnacceptablePublicKey, Reason::kUnsupportedAlgorithm,
       "has a key that is not accepted"},
      {our::kTooLong, Reason::kChainTooLong,
       "is further from the client's certificate than the chain may be long"},
      {theirs::kEkuLacksClientAuth, Reason::kNotForClientAuth,
       "has an extended key usage without client authentication"},
      {theirs::kEkuLacksClientAuthButHasAnyEKU, Reason::kNotForClientAuth,
       "has an extended key usage without client authentication"},
      {theirs::kEkuNotPresent, Reason::kNotForClientAuth,
       "has no extended key usage"},
      {our::kNotACa, Reason::kConstraintViolation,
       "is not a CA, or may not sign certificates"},
      {theirs::kMissingBasicConstraints, Reason::kConstraintViolation,
       "is not a CA (no basic constraints)"},
      {theirs::kBasicConstraintsIndicatesNotCa, Reason::kConstraintViolation,
       "is not a CA"},
      {theirs::kKeyCertSignBitNotSet, Reason::kConstraintViolation,
       "may not sign certificates (key usage)"},
      {theirs::kMaxPathLengthViolated, Reason::kConstraintViolation,
       "has more certificates below it than a path length constraint allows"},
      {theirs::kNotPermittedByNameConstraints, Reason::kConstraintViolation,
       "has a name that a name constraint forbids"},
      {theirs::kTooManyNameConstraintChecks, Reason::kLimitExceeded,
       "has too many names for its name constraints to be checked"},
      {theirs::kUnconsumedCriticalExtension, Reason::kConstraintViolation,
       "has an unknown critical extension"},
      {theirs::kNoValidPolicy, Reason::kConstraintViolation,
       "is outside the certificate policies that its CAs demand"},
      {theirs::kPolicyMappingAnyPolicy, Reason::kConstraintViolation,
       "has a forbidden policy mapping"},
      {theirs::kSubjectDoesNotMatchIssuer, Reason::kUntrustedIssuer,
       "was issued under another name than its issuer's"},
      {theirs::kCertificateRevoked, Reason::kRevoked, "has a blocked key"},
      {our::kRevoked, Reason::kRevoked, "is revoked"},
      {our::kUnchecked, Reason::kLimitExceeded,
       "has too many revocation lists to check"},
      {our::kNotCovered, Reason::kRevoked,
       "counts as revoked, since no usable revocation list covers it"},
      {theirs::kNoIssuersFound, Reason::kUntrustedIssuer,
       "has no trusted issuer"},
      {theirs::kCertIsNotTrustAnchor, Reason::kUntrustedIssuer,
       "is not trusted"},
      {theirs::kDistrustedByTrustStore, Reason::kUntrustedIssuer,
       "is not trusted"},
      {theirs::kIterationLimitExceeded, Reason::kLimitExceeded,
       "took too many steps to check"},
      {theirs::kDeadlineExceeded, Reason::kLimitExceeded,
       "took too much work to check"},
  };
  return *kRules;
}

// Whether Search::RevocationNote() is about this rule.
bool IsOfRevocation(const Rule& rule) {
  return rule.id == our::kDenied || rule.id == our::kRevoked ||
         rule.id == our::kNotCovered || rule.id == our::kUnchecked;
}

// The rule that a path broke, by the order of Rules(), then from the client's
// certificate on; null when none of them.
const Rule* FirstBrokenRule(const bssl::CertPathBuilderResultPath& path,
                            size_t* at) {
  for (const Rule& rule : Rules()) {
    for (size_t i = 0; i < path.certs.size(); ++i) {
      const bssl::CertErrors* errors =
          std::as_const(path.errors).GetErrorsForCert(i);
      if (errors != nullptr && errors->ContainsError(rule.id)) {
        *at = i;
        return &rule;
      }
    }
  }
  return nullptr;
}

// How many levels deeper than allowed a second search looks, only to tell
// "chain too long" from "no chain".
constexpr size_t kExtraDepth = 6;
constexpr size_t kMaxPassedOver = 20;

// Where a certificate that takes part in a search comes from.
struct Member {
  CertificatePtr certificate;
  const Truststore::Entry* entry = nullptr;  // null: sent by the client
};

// Signature results of one search. Counts real checks.
class SignatureResults final : public bssl::SignatureVerifyCache {
 public:
  // `memory` may be null.
  explicit SignatureResults(VerifyMemory* memory) : memory_(memory) {}

  // Whether the key `issuer_spki` made `child`'s signature. `of_leaf`: `child`
  // is the client's certificate. BoringSSL asks for the result again when it
  // goes over the path, and finds it by its own name.
  bool Verify(const bssl::ParsedCertificate& child,
              absl::string_view issuer_spki, bool of_leaf) {
    of_leaf_ = of_leaf;
    const std::string key = SignatureKey(child, issuer_spki);
    const Value known = key.empty() ? Value::kUnknown : Check(key);
    if (known != Value::kUnknown) return known == Value::kValid;
    const bool valid = bssl::VerifySignedData(
        *child.signature_algorithm(), child.tbs_certificate_tlv(),
        child.signature_value(), Input(issuer_spki), /*cache=*/nullptr);
    if (!key.empty()) Store(key, valid ? Value::kValid : Value::kInvalid);
    return valid;
  }

  void Store(const std::string& key, Value value) override {
    ++num_checks_;
    results_.emplace_back(key, value);
    if (memory_ == nullptr) return;
    memory_->AddResult(key, value == Value::kValid);
    if (!of_leaf_ && value == Value::kValid) memory_->AddSignature(key);
  }
  Value Check(const std::string& key) override {
    for (const auto& [known, value] : results_) {
      if (known == key) return value;
    }
    if (memory_ == nullptr) return Value::kUnknown;
    if (memory_->KnowsSignature(key)) return Value::kValid;
    const std::optional<bool> recent = memory_->FindResult(key);
    if (!recent.has_value()) return Value::kUnknown;
    return *recent ? Value::kValid : Value::kInvalid;
  }
  size_t num_checks() const { return num_checks_; }

 private:
  VerifyMemory* const memory_;
  bool of_leaf_ = true;
  // A handful in practice, and bounded by max_signature_checks.
  std::vector<std::pair<std::string, Value>> results_;
  size_t num_checks_ = 0;
};

// One check of one chain.
class Search final : public bssl::TrustStore,
                     public bssl::SimplePathBuilderDelegate {
 public:
  Search(const Truststore& truststore, const VerifyPolicy& policy,
         absl::Time now, VerifyMemory* memory,
         const RevocationInputs* revocation, Explanation* explanation)
      : bssl::SimplePathBuilderDelegate(
            2048, bssl::SimplePathBuilderDelegate::DigestPolicy::kStrong),
        truststore_(truststore),
        policy_(policy),
        now_(now),
        explanation_(explanation),
        memory_(memory),
        revocation_(revocation),
        signatures_(memory) {}

  // Reads one certificate that the client sent.
  absl::StatusOr<CertificatePtr> Read(absl::string_view der);
  // Reads what the client sent, then decides.
  Verdict Run(absl::Span<const absl::string_view> chain);
  // Decides about a leaf and what came with it, both read.
  Verdict Decide(CertificatePtr leaf, std::vector<CertificatePtr> sent);

  // bssl::CertIssuerSource
  void SyncGetIssuersOf(const bssl::ParsedCertificate* certificate,
                        bssl::ParsedCertificateList* issuers) override;
  // bssl::TrustStore
  bssl::CertificateTrust GetTrust(
      const bssl::ParsedCertificate* certificate) override;

  // bssl::CertPathBuilderDelegate
  bool IsSignatureAlgorithmAcceptable(bssl::SignatureAlgorithm algorithm,
                                      bssl::CertErrors* errors) override;
  bool IsPublicKeyAcceptable(const EVP_PKEY* key,
                             bssl::CertErrors* errors) override;
  void CheckPathAfterVerification(
      const bssl::CertPathBuilder& builder,
      bssl::CertPathBuilderResultPath* path) override;
  bool IsDeadlineExpired() override { return out_of_budget_; }
  bssl::SignatureVerifyCache* GetVerifyCache() override { return &signatures_; }

 private:
  bool any_anchor() const {
    return policy_.chain_policy == ChainPolicy::kAnyAnchor;
  }
  bssl::CertPathBuilder::Result Build(const CertificatePtr& leaf,
                                      const bssl::der::GeneralizedTime& time,
                                      size_t depth);
  const Member* FindMember(const bssl::ParsedCertificate* certificate) const;
  void AddMember(CertificatePtr certificate, const Truststore::Entry* entry);
  // The entry of the truststore that is this certificate, or null.
  const Truststore::Entry* EntryOf(const Member& member) const;
  bool ConsiderIssuer(const Certificate& child, const CertificatePtr& issuer,
                      const Truststore::Entry* entry);
  // False: comparing the names of all members so far with the constraints of
  // `issuer` would cost more than is left of kMaxNameWork.
  bool CanCompareNames(const bssl::ParsedCertificate& issuer);
  void FindUsefulSent(std::vector<CertificatePtr> sent);
  void LookAtDates(const Certificate& certificate);
  void PassOver(const Certificate& issuer, const Truststore::Entry* entry,
                absl::string_view why);
  std::string Name(const Member* member, size_t depth) const;
  void FillPath(const bssl::CertPathBuilderResultPath& path,
                Verdict* verdict) const;
  void CheckDenied(bssl::CertPathBuilderResultPath* path);
  void CheckRevoked(bssl::CertPathBuilderResultPath* path);
  void NoteRevocation(const Certificate& certificate, std::string note);
  const std::string* RevocationNote(const Certificate& certificate) const;
  void Trust(const bssl::CertPathBuilderResultPath& path, Verdict* verdict);
  void Refuse(const bssl::CertPathBuilder::Result& result, Verdict* verdict);
  void RefuseWithoutAnchor(bool from_truststore, Verdict* verdict);
  bool ClientSentAWayIn();
  void Describe(const bssl::CertPathBuilderResultPath& path);
  Verdict Finish(Verdict verdict);

  const Truststore& truststore_;
  const VerifyPolicy& policy_;
  const absl::Time now_;
  Explanation* const explanation_;            // may be null
  VerifyMemory* const memory_;                // may be null
  const RevocationInputs* const revocation_;  // may be null

  CertificatePtr leaf_;
  // What the client sent beside the leaf. Of these, useful_ lead to the
  // truststore by name.
  std::vector<CertificatePtr> sent_;
  std::vector<CertificatePtr> useful_;
  std::vector<CertificatePtr> sent_no_ca_;
  std::vector<CertificatePtr> sent_unsupported_;
  std::vector<Member> members_;
  SignatureResults signatures_;
  size_t max_length_ = 0;
  size_t candidates_ = 0;
  size_t sent_key_checks_ = 0;  // weighed
  size_t iterations_ = 0;
  size_t extra_checks_ = 0;
  size_t verified_paths_ = 0;
  bool out_of_budget_ = false;
  bool too_many_names_ = false;
  size_t name_work_ = 0;       // NameWork() of issuers so far
  size_t path_name_work_ = 0;  // of the paths that were verified
  // Certificates for which a namesake of the issuer was found whose key did
  // not sign them, with what their key identifiers say about that key.
  struct FailedCheck {
    const bssl::ParsedCertificate* child;
    bool other_key;
  };
  std::vector<FailedCheck> failed_checks_;
  // Why certificates are REVOKED, for people.
  std::vector<std::pair<const Certificate*, std::string>> revocation_notes_;
  size_t revocation_checks_ = 0;
  absl::Time recheck_at_ = absl::InfiniteFuture();
};

std::string DescribeCertificate(const Certificate& certificate) {
  return Printable(absl::StrCat("'", certificate.Subject(), "'"), 300);
}

// Of RSA keys that clients send: each bit of the public exponent costs a
// multiplication, and CAs use 65537 (or 3).
constexpr unsigned kMaxSentRsaExponentBits = 17;

// Of an RSA key (RFC 8017, A.1.1); more than any when it cannot be read.
unsigned RsaExponentBits(const Certificate& certificate) {
  constexpr unsigned kUnknown = std::numeric_limits<unsigned>::max();
  const absl::optional<SpkiParts> spki = ReadSpki(certificate.spki_der());
  if (!spki.has_value()) return kUnknown;
  CBS bits;
  CBS_init(&bits, reinterpret_cast<const uint8_t*>(spki->key.data()),
           spki->key.size());
  CBS key;
  CBS modulus;
  CBS exponent;
  if (!CBS_get_asn1(&bits, &key, CBS_ASN1_SEQUENCE) ||
      !CBS_get_asn1(&key, &modulus, CBS_ASN1_INTEGER) ||
      !CBS_get_asn1(&key, &exponent, CBS_ASN1_INTEGER) ||
      CBS_len(&exponent) == 0 || CBS_len(&exponent) > 8) {
    return kUnknown;
  }
  uint64_t value = 0;
  for (uint8_t byte = 0; CBS_get_u8(&exponent, &byte) == 1;) {
    value = value << 8 | byte;
  }
  unsigned length = 0;
  for (; value != 0; value >>= 1) ++length;
  return length;
}

// Whether a path may have a certificate with such a key.
bool IsSupported(KeyType type) {
  return type == KeyType::kRsa || type == KeyType::kEcP256 ||
         type == KeyType::kEcP384;
}

// Whether checks with this certificate's key have a bounded cost, though nobody
// vouched for it, and can be of use.
bool HasCheapKey(const Certificate& certificate) {
  const PublicKeyInfo& key = certificate.public_key();
  return key.type == KeyType::kRsa
             ? key.bits <= limits::kMaxSentRsaBits &&
                   RsaExponentBits(certificate) <= kMaxSentRsaExponentBits
             : IsSupported(key.type);
}

// Kinds of names that BoringSSL compares with constraints.
constexpr int kComparedNames =
    bssl::GENERAL_NAME_RFC822_NAME | bssl::GENERAL_NAME_DNS_NAME |
    bssl::GENERAL_NAME_DIRECTORY_NAME | bssl::GENERAL_NAME_IP_ADDRESS;

// Name constraints hold whether or not they are marked critical. BoringSSL
// ignores kinds of names that it does not process (URI, otherName, ...) in
// constraints that are not; here they forbid every such name, as critical ones
// do there.
int ForbiddenNames(const bssl::ParsedCertificate& certificate) {
  if (!certificate.has_name_constraints()) return 0;
  const bssl::NameConstraints& constraints = certificate.name_constraints();
  return (constraints.permitted_subtrees().present_name_types |
          constraints.excluded_subtrees().present_name_types) &
         ~kComparedNames;
}

// Extended key usage allows client authentication, or is absent. RFC 5280
// 4.2.1.12.
bool AllowsClientAuthentication(const bssl::ParsedCertificate& certificate) {
  static const uint8_t kClientAuth[] = {0x2b, 0x06, 0x01, 0x05,
                                        0x05, 0x07, 0x03, 0x02};
  static const uint8_t kAny[] = {0x55, 0x1d, 0x25, 0x00};
  if (!certificate.has_extended_key_usage()) return true;
  for (const bssl::der::Input& usage : certificate.extended_key_usage()) {
    if (usage == bssl::der::Input(kClientAuth) ||
        usage == bssl::der::Input(kAny)) {
      return true;
    }
  }
  return false;
}

const Member* Search::FindMember(
    const bssl::ParsedCertificate* certificate) const {
  for (const Member& member : members_) {
    if (member.certificate->parsed().get() == certificate) return &member;
  }
  return nullptr;
}

void Search::AddMember(CertificatePtr certificate,
                       const Truststore::Entry* entry) {
  if (FindMember(certificate->parsed().get()) == nullptr) {
    members_.push_back({std::move(certificate), entry});
  }
}

const Truststore::Entry* Search::EntryOf(const Member& member) const {
  return member.entry != nullptr
             ? member.entry
             : truststore_.FindExact(member.certificate->fingerprint());
}

void Search::LookAtDates(const Certificate& certificate) {
  // Valid from not_before to not_after, both seconds included.
  const absl::Time end = certificate.not_after() + absl::Seconds(1);
  if (now_ < certificate.not_before()) {
    recheck_at_ = std::min(recheck_at_, certificate.not_before());
  } else if (now_ < end) {
    recheck_at_ = std::min(recheck_at_, end);
  }
}

void Search::PassOver(const Certificate& issuer, const Truststore::Entry* entry,
                      absl::string_view why) {
  if (explanation_ == nullptr ||
      explanation_->passed_over.size() >= kMaxPassedOver) {
    return;
  }
  std::string note = absl::StrCat(
      DescribeCertificate(issuer),
      entry != nullptr
          ? absl::StrCat(" (block ", entry->index(), " of the truststore) ")
          : std::string(" (sent by the client) "),
      why);
  if (std::find(explanation_->passed_over.begin(),
                explanation_->passed_over.end(),
                note) == explanation_->passed_over.end()) {
    explanation_->passed_over.push_back(std::move(note));
  }
}

// Whether `issuer`, whose subject is `child`'s issuer, made its signature.
// Every call costs budget, so that no pile of same-named CAs makes a check
// slow.
bool Search::ConsiderIssuer(const Certificate& child,
                            const CertificatePtr& issuer,
                            const Truststore::Entry* entry) {
  if (candidates_ >= policy_.max_signature_checks) {
    out_of_budget_ = true;
    return false;
  }
  if (entry == nullptr && sent_key_checks_ >= kMaxSentKeyChecks) {
    out_of_budget_ = true;
    return false;
  }
  ++candidates_;
  const bssl::ParsedCertificate& parsed = *child.parsed();
  // Without an algorithm that we know there is nothing to check; the path that
  // comes of it is refused for the algorithm.
  const bool matches =
      child.signature_strength() == SignatureStrength::kUnsupported ||
      signatures_.Verify(parsed, View(issuer->parsed()->tbs().spki_tlv),
                         &child == leaf_.get());
  // Also where the result was known: what is remembered of other checks must
  // not change the verdict.
  if (entry == nullptr) {
    sent_key_checks_ +=
        issuer->public_key().type == KeyType::kEcP384 ? kSentP384Weight : 1;
  }
  if (!matches) {
    const auto& authority = parsed.authority_key_identifier();
    const auto& subject = issuer->parsed()->subject_key_identifier();
    failed_checks_.push_back(
        {&parsed,
         authority.has_value() && authority->key_identifier.has_value() &&
             subject.has_value() && *authority->key_identifier != *subject});
    PassOver(*issuer, entry,
             absl::StrCat("has the issuer's name, but its key did not sign ",
                          DescribeCertificate(child)));
    return false;
  }
  return true;
}

bool Search::CanCompareNames(const bssl::ParsedCertificate& issuer) {
  if (!issuer.has_name_constraints() || FindMember(&issuer) != nullptr) {
    return true;
  }
  for (const Member& member : members_) {
    name_work_ += NameWork(issuer, *member.certificate->parsed());
  }
  if (name_work_ <= kMaxNameWork) return true;
  out_of_budget_ = true;
  return false;
}

// The certificates that the client sent from which names lead to the
// truststore. The others cost no signature check.
void Search::FindUsefulSent(std::vector<CertificatePtr> sent) {
  bool found = true;
  while (found) {
    found = false;
    for (CertificatePtr& certificate : sent) {
      if (certificate == nullptr) continue;
      const bssl::der::Input name = certificate->parsed()->normalized_issuer();
      if (!certificate->is_ca()) {
        // It can issue nothing, so nothing about it needs checking.
        PassOver(*certificate, nullptr, "is not a CA");
        sent_no_ca_.push_back(certificate);
        certificate = nullptr;
        continue;
      }
      const bool useful =
          !truststore_.FindBySubject(View(name)).empty() ||
          std::any_of(useful_.begin(), useful_.end(),
                      [&](const CertificatePtr& other) {
                        return other->parsed()->normalized_subject() == name;
                      });
      if (!useful) continue;
      useful_.push_back(std::move(certificate));
      certificate = nullptr;
      found = true;
    }
  }
  for (const CertificatePtr& certificate : sent) {
    if (certificate != nullptr) {
      PassOver(*certificate, nullptr, "leads to no CA of the truststore");
    }
  }
  size_t names = NumNames(*leaf_->parsed());
  size_t constraints = 0;
  for (const CertificatePtr& certificate : useful_) {
    names += NumNames(*certificate->parsed());
    constraints += NumConstraints(*certificate->parsed());
  }
  too_many_names_ =
      constraints > 0 && names > policy_.max_sent_name_checks / constraints;
}

void Search::SyncGetIssuersOf(const bssl::ParsedCertificate* certificate,
                              bssl::ParsedCertificateList* issuers) {
  const Member* member = FindMember(certificate);
  if (member == nullptr) return;
  // members_ may grow below.
  const CertificatePtr child = member->certificate;
  const bssl::der::Input name = certificate->normalized_issuer();

  // Candidates whose key identifier is the one that the certificate names
  // come first, those that say nothing next, the others last: RFC 5280 makes
  // the identifier a hint, not a rule (4.2.1.1).
  uint64_t wanted = 0;
  if (certificate->authority_key_identifier().has_value() &&
      certificate->authority_key_identifier()->key_identifier.has_value()) {
    wanted = Truststore::HashOf(
        View(*certificate->authority_key_identifier()->key_identifier));
  }
  const auto rank = [wanted](uint64_t key_id) {
    if (wanted == 0 || key_id == 0) return 1;
    return key_id == wanted ? 0 : 2;
  };
  // One key made the signature. Once it is known, certificates with another
  // key are passed by without a check, and those with the same key need none.
  CertificatePtr signer;
  uint64_t signer_key = 0;
  const auto accept = [&](const CertificatePtr& issuer,
                          const Truststore::Entry* entry) {
    if (signer == nullptr) {
      if (!ConsiderIssuer(*child, issuer, entry)) return;
      signer = issuer;
      signer_key = Truststore::HashOf(issuer->spki_der());
    } else if (issuer->spki_der() != signer->spki_der()) {
      return;
    }
    if (!CanCompareNames(*issuer->parsed())) return;
    LookAtDates(*issuer);
    AddMember(issuer, entry);
    issuers->push_back(issuer->parsed());
  };

  const auto entries = truststore_.FindBySubject(View(name));
  for (int turn = 0; turn < 3; ++turn) {
    for (const uint32_t position : entries) {
      if (out_of_budget_) return;
      const Truststore::Entry& entry = truststore_.entries()[position];
      if (rank(entry.key_id_hash()) != turn) continue;
      if (signer != nullptr && entry.key_hash() != signer_key) continue;
      const CertificatePtr& issuer = entry.certificate();
      if (issuer->parsed() == nullptr ||
          issuer->parsed()->normalized_subject() != name) {
        continue;
      }
      // A certificate is on a path once.
      if (child != leaf_ && issuer->fingerprint() == leaf_->fingerprint()) {
        continue;
      }
      accept(issuer, &entry);
    }
    if (!any_anchor()) continue;
    for (const CertificatePtr& issuer : useful_) {
      if (out_of_budget_) return;
      const auto& parsed = issuer->parsed();
      if (parsed->normalized_subject() != name) continue;
      const uint64_t key_id =
          parsed->subject_key_identifier().has_value()
              ? Truststore::HashOf(View(*parsed->subject_key_identifier()))
              : 0;
      if (rank(key_id) != turn) continue;
      if (truststore_.FindExact(issuer->fingerprint()) != nullptr) continue;
      accept(issuer, nullptr);
    }
  }
}

bssl::CertificateTrust Search::GetTrust(
    const bssl::ParsedCertificate* certificate) {
  const Member* member = FindMember(certificate);
  const Truststore::Entry* entry =
      member == nullptr ? nullptr : EntryOf(*member);
  if (entry == nullptr) return bssl::CertificateTrust::ForUnspecified();
  const Certificate& c = *member->certificate;
  const bool is_leaf = member->certificate == leaf_;
  // Self-issued, with an algorithm that nobody here can check. It ends a path
  // all the same, which is then refused for the algorithm (CheckFitness).
  const bool unreadable_root =
      c.self_issued() &&
      c.signature_strength() == SignatureStrength::kUnsupported;
  if (is_leaf) {
    // A client's own certificate in the truststore vouches for itself when it
    // is self-signed. Its chain, if it has one, is another way in.
    if (c.IsSelfSigned()) {
      return bssl::CertificateTrust::ForTrustedLeaf()
          .WithRequireLeafSelfSigned();
    }
    if ((policy_.pin_leaf && !c.is_ca()) || unreadable_root) {
      return bssl::CertificateTrust::ForTrustedLeaf();
    }
    return bssl::CertificateTrust::ForUnspecified();
  }
  // Certificates that are no CA end a path too, so that the path says why it
  // fails (CheckPathAfterVerification).
  if (any_anchor() || unreadable_root || c.IsSelfSigned()) {
    return bssl::CertificateTrust::ForTrustAnchor()
        .WithEnforceAnchorExpiry()
        .WithEnforceAnchorConstraints()
        .WithRequireAnchorBasicConstraints();
  }
  return bssl::CertificateTrust::ForUnspecified();
}

bool Search::IsSignatureAlgorithmAcceptable(bssl::SignatureAlgorithm algorithm,
                                            bssl::CertErrors* /*errors*/) {
  return StrengthOf(algorithm) == SignatureStrength::kStrong;
}

bool Search::IsPublicKeyAcceptable(const EVP_PKEY* /*key*/,
                                   bssl::CertErrors* /*errors*/) {
  // Keys are judged by CheckFitness() for every certificate of a path, in
  // CheckPathAfterVerification().
  return true;
}

void Search::CheckPathAfterVerification(
    const bssl::CertPathBuilder& /*builder*/,
    bssl::CertPathBuilderResultPath* path) {
  if (path->GetTrustedCert() != nullptr &&
      ++verified_paths_ >= policy_.max_verified_paths) {
    out_of_budget_ = true;
  }
  const bool broken = path->errors.ContainsHighSeverityErrors();
  // Makes room for all, so that the pointers below stay good.
  path->errors.GetErrorsForCert(path->certs.size() - 1);
  for (size_t i = 0; i < path->certs.size(); ++i) {
    const Member* member = FindMember(path->certs[i].get());
    bssl::CertErrors* errors = path->errors.GetErrorsForCert(i);
    if (member == nullptr) {
      errors->AddError(our::kMalformed);
      continue;
    }
    const Certificate& c = *member->certificate;
    const bool is_anchor = i + 1 == path->certs.size() && i > 0;
    const Unfitness unfit = CheckFitness(
        c, is_anchor ? OwnSignatureOfAnchor(policy_.chain_policy, c.is_ca(),
                                            c.signature_strength(),
                                            [&c] { return c.IsSelfSigned(); })
                     : OwnSignature::kCounts);
    switch (unfit.kind) {
      case Unfitness::Kind::kNone:
        break;
      case Unfitness::Kind::kMalformed:
        // An unknown critical extension is well-formed; it is a constraint
        // that nobody here can honour.
        errors->AddError(c.problem_kind() ==
                                 Certificate::Problem::kUnknownCriticalExtension
                             ? theirs::kUnconsumedCriticalExtension
                             : our::kMalformed);
        break;
      case Unfitness::Kind::kWeakSignature:
        errors->AddError(our::kWeakSignature);
        break;
      case Unfitness::Kind::kWeakKey:
        errors->AddError(our::kWeakKey);
        break;
      case Unfitness::Kind::kUnsupportedKey:
        errors->AddError(our::kUnsupportedKey);
        break;
    }
    if (i > 0 && !c.is_ca()) errors->AddError(our::kNotACa);
    if (i >= max_length_) errors->AddError(our::kTooLong);
    if (i == 0 || broken) continue;
    for (size_t j = 0; j < i; ++j) {
      path_name_work_ += NameWork(*path->certs[i], *path->certs[j]);
    }
    // Several paths can go by one CA.
    if (path_name_work_ > kMaxNameWork) out_of_budget_ = true;
    const int forbidden = ForbiddenNames(*path->certs[i]);
    for (size_t j = 0; forbidden != 0 && j < i; ++j) {
      const bssl::ParsedCertificate& below = *path->certs[j];
      // RFC 5280, 6.1.3 (b) and (c): not for self-issued CAs.
      if (j > 0 && below.normalized_subject() == below.normalized_issuer()) {
        continue;
      }
      if (below.has_subject_alt_names() &&
          (below.subject_alt_names()->present_name_types & forbidden) != 0) {
        path->errors.GetErrorsForCert(j)->AddError(
            theirs::kNotPermittedByNameConstraints);
      }
    }
  }
  if (revocation_ == nullptr) return;
  CheckDenied(path);
  // Lists are for a path that would be good without them: their signatures
  // count only when made with a key that is trusted.
  if (path->IsValid()) CheckRevoked(path);
}

void Search::NoteRevocation(const Certificate& certificate, std::string note) {
  if (RevocationNote(certificate) == nullptr) {
    revocation_notes_.emplace_back(&certificate, std::move(note));
  }
}

const std::string* Search::RevocationNote(
    const Certificate& certificate) const {
  for (const auto& [noted, note] : revocation_notes_) {
    if (noted == &certificate) return &note;
  }
  return nullptr;
}

std::string DenyNote(DenyList::Match match) {
  return absl::StrCat("by ", DenyMatchText(match));
}

void Search::CheckDenied(bssl::CertPathBuilderResultPath* path) {
  if (revocation_->deny == nullptr) return;
  for (size_t i = 0; i < path->certs.size(); ++i) {
    const Member* member = FindMember(path->certs[i].get());
    if (member == nullptr) continue;
    const DenyList::Match match = revocation_->deny->Find(*member->certificate);
    if (match == DenyList::Match::kNone) continue;
    NoteRevocation(*member->certificate, DenyNote(match));
    path->errors.GetErrorsForCert(i)->AddError(our::kDenied);
  }
}

// What a list said, for people.
std::string AnswerNote(const RevocationLists::Answer& answer,
                       const Certificate& certificate) {
  using Kind = RevocationLists::Answer::Kind;
  if (answer.list == nullptr) {
    return absl::StrCat("there is none of the issuer '",
                        Printable(certificate.Issuer(), 300), "' for it");
  }
  const RevocationLists::List& list = *answer.list;
  const std::string name = absl::StrCat(
      "the list of '", Printable(list.Issuer(), 300), "' of ",
      TimeText(list.this_update()), " (source ", list.source(),
      list.block() == 0 ? "" : absl::StrCat(", block ", list.block()), ")");
  switch (answer.kind) {
    case Kind::kGood:
      return "";
    case Kind::kRevoked: {
      const absl::string_view reason = RevocationReasonText(answer.reason_code);
      return absl::StrCat("by ", name, ", since ", TimeText(answer.revoked_at),
                          reason.empty() ? "" : ", ", reason);
    }
    case Kind::kMissing:
      break;
    case Kind::kNotYet:
      return absl::StrCat(name, " does not count before its thisUpdate");
    case Kind::kOutOfDate:
      return absl::StrCat(name, " is past its nextUpdate, ",
                          TimeText(list.next_update()));
    case Kind::kNotSigned:
      return absl::StrCat(name,
                          " is signed by another key than the issuer's, or "
                          "the issuer may not sign lists");
    case Kind::kWeak:
      return absl::StrCat(name, " is signed with ",
                          list.SignatureAlgorithmName());
    case Kind::kLimit:
      return absl::StrCat("the check ended at ", name);
  }
  return "";
}

void Search::CheckRevoked(bssl::CertPathBuilderResultPath* path) {
  using Kind = RevocationLists::Answer::Kind;
  if (revocation_->lists == nullptr) return;
  // An anchor can be revoked too, though it is trusted by itself: one that
  // another CA of the truststore issued, a pinned certificate included. That no
  // list covers it is no reason, not even under kHardFail.
  const bool alone = path->certs.size() == 1;
  const size_t end = alone || revocation_->scope == RevocationScope::kLeaf
                         ? 1
                         : path->certs.size();
  for (size_t i = 0; i < end; ++i) {
    const Member* member = FindMember(path->certs[i].get());
    if (member == nullptr) continue;
    const Certificate& c = *member->certificate;
    const bssl::der::Input name = c.parsed()->normalized_issuer();
    absl::InlinedVector<const Certificate*, 8> issuers;
    const bool is_anchor = i + 1 == path->certs.size();
    if (is_anchor) {
      if (!revocation_->lists->HasListFor(c) || c.IsSelfSigned()) return;
      for (const uint32_t position : truststore_.FindBySubject(View(name))) {
        const CertificatePtr& issuer =
            truststore_.entries()[position].certificate();
        if (revocation_checks_ >= policy_.max_signature_checks) break;
        if (issuer->parsed() == nullptr || !issuer->is_ca() ||
            issuer->parsed()->normalized_subject() != name ||
            !CheckFitness(*issuer, OwnSignature::kIgnored).ok()) {
          continue;
        }
        ++revocation_checks_;
        ++extra_checks_;
        if (SignedBy(c, *issuer)) issuers.push_back(issuer.get());
      }
    }
    for (size_t j = i + 1; j < path->certs.size(); ++j) {
      const Member* above = FindMember(path->certs[j].get());
      if (above != nullptr &&
          above->certificate->parsed()->normalized_subject() == name) {
        issuers.push_back(above->certificate.get());
      }
    }
    size_t left = policy_.max_signature_checks -
                  std::min(policy_.max_signature_checks, revocation_checks_);
    const size_t before = left;
    const RevocationLists::Answer answer =
        revocation_->lists->Check(c, issuers, now_, &left);
    revocation_checks_ += before - left;
    extra_checks_ += before - left;
    recheck_at_ = std::min(recheck_at_, answer.next_list_at);
    const bool hard =
        revocation_->rule == RevocationRule::kHardFail && !is_anchor;
    bssl::CertErrorId error = nullptr;
    switch (answer.kind) {
      case Kind::kGood:
        if (hard) recheck_at_ = std::min(recheck_at_, answer.good_until);
        break;
      case Kind::kRevoked:
        error = our::kRevoked;
        break;
      case Kind::kLimit:
        // What was checked is remembered, so the next try gets further.
        error = our::kUnchecked;
        recheck_at_ = std::min(recheck_at_, now_ + absl::Seconds(1));
        break;
      default:
        if (hard) error = our::kNotCovered;
    }
    if (error == nullptr) continue;
    NoteRevocation(c, AnswerNote(answer, c));
    path->errors.GetErrorsForCert(i)->AddError(error);
  }
}

bssl::CertPathBuilder::Result Search::Build(
    const CertificatePtr& leaf, const bssl::der::GeneralizedTime& time,
    size_t depth) {
  static const uint8_t kAnyPolicy[] = {0x55, 0x1d, 0x20, 0x00};
  const bssl::KeyPurpose purpose =
      policy_.extended_key_usage == ExtendedKeyUsageRule::kRequire
          ? bssl::KeyPurpose::CLIENT_AUTH
          : bssl::KeyPurpose::ANY_EKU;
  bssl::CertPathBuilder builder(leaf->parsed(), this, this, time, purpose,
                                bssl::InitialExplicitPolicy::kFalse,
                                {bssl::der::Input(kAnyPolicy)},
                                bssl::InitialPolicyMappingInhibit::kFalse,
                                bssl::InitialAnyPolicyInhibit::kFalse);
  // 0 would mean no limit.
  builder.SetIterationLimit(static_cast<uint32_t>(
      std::max<size_t>(1, policy_.max_path_iterations - iterations_)));
  builder.SetDepthLimit(static_cast<uint32_t>(depth));
  bssl::CertPathBuilder::Result result = builder.Run();
  iterations_ += result.iteration_count;
  return result;
}

std::string Search::Name(const Member* member, size_t depth) const {
  if (member == nullptr) return absl::StrCat("certificate ", depth);
  const std::string name = DescribeCertificate(*member->certificate);
  if (depth == 0) return absl::StrCat("the client's certificate ", name);
  const Truststore::Entry* entry = EntryOf(*member);
  if (entry == nullptr) return absl::StrCat(name, " (sent by the client)");
  return absl::StrCat(name, " (block ", entry->index(), " of the truststore)");
}

void Search::FillPath(const bssl::CertPathBuilderResultPath& path,
                      Verdict* verdict) const {
  for (const auto& parsed : path.certs) {
    if (const Member* member = FindMember(parsed.get())) {
      verdict->path.push_back(member->certificate);
    }
  }
}

void Search::Trust(const bssl::CertPathBuilderResultPath& path,
                   Verdict* verdict) {
  verdict->reason = Reason::kTrusted;
  FillPath(path, verdict);
  if (memory_ != nullptr) {
    for (const CertificatePtr& certificate : useful_) {
      if (std::find(verdict->path.begin(), verdict->path.end(), certificate) !=
          verdict->path.end()) {
        memory_->AddTrusted(certificate);
      }
    }
  }
  if (policy_.extended_key_usage == ExtendedKeyUsageRule::kWarn) {
    for (const auto& parsed : path.certs) {
      if (!AllowsClientAuthentication(*parsed)) {
        verdict->extended_key_usage_warning = true;
      }
    }
  }
}

// Whether the chain would reach the truststore if the intermediates that the
// client sent counted. Only to say why COMPLETE_CHAIN refused; costs nothing
// when no names lead there.
bool Search::ClientSentAWayIn() {
  FindUsefulSent(sent_);
  if (useful_.empty() || candidates_ >= policy_.max_signature_checks) {
    return false;
  }
  VerifyPolicy policy = policy_;
  policy.chain_policy = ChainPolicy::kAnyAnchor;
  policy.max_signature_checks -= candidates_;
  const Verdict verdict =
      Search(truststore_, policy, now_, memory_, revocation_, nullptr)
          .Decide(leaf_, sent_);
  extra_checks_ += verdict.signature_checks;
  return verdict.path.size() > 1 &&
         truststore_.FindExact(verdict.path.back()->fingerprint()) != nullptr;
}

// For a path that leads to no anchor: it ends at the last certificate of
// verdict->path, for which no issuer was found.
void Search::RefuseWithoutAnchor(bool from_truststore, Verdict* verdict) {
  const size_t last = verdict->path.size() - 1;
  const CertificatePtr& end = verdict->path[last];
  const bool is_leaf = last == 0;
  const std::string name = Name(FindMember(end->parsed().get()), last);
  const std::string issuer = Printable(end->Issuer(), 300);
  verdict->depth = static_cast<int>(last);

  bool wrong_key = false;
  bool wrong_signature = false;
  for (const FailedCheck& check : failed_checks_) {
    if (check.child != end->parsed().get()) continue;
    (check.other_key ? wrong_key : wrong_signature) = true;
  }
  const bool self_signed = HasCheapKey(*end) && end->IsSelfSigned();
  if (wrong_signature && !self_signed) {
    verdict->reason = Reason::kBadSignature;
    verdict->detail = absl::StrCat(
        name, " names the issuer '", issuer,
        "', but no certificate of that name in the truststore has the key "
        "that signed it");
    return;
  }
  const bool issuer_is_no_ca = std::any_of(
      sent_no_ca_.begin(), sent_no_ca_.end(), [&](const CertificatePtr& c) {
        return c->parsed()->normalized_subject() ==
               end->parsed()->normalized_issuer();
      });
  if (issuer_is_no_ca && !self_signed) {
    verdict->reason = Reason::kConstraintViolation;
    verdict->depth = static_cast<int>(last + 1);
    verdict->detail =
        absl::StrCat(name, " was issued by '", issuer,
                     "', which the client sent and which is not a CA, or may "
                     "not sign certificates");
    return;
  }
  const bool issuer_is_unsupported =
      std::any_of(sent_unsupported_.begin(), sent_unsupported_.end(),
                  [&](const CertificatePtr& c) {
                    return c->parsed()->normalized_subject() ==
                           end->parsed()->normalized_issuer();
                  });
  if (issuer_is_unsupported && !self_signed) {
    verdict->reason = Reason::kUnsupportedAlgorithm;
    verdict->depth = static_cast<int>(last + 1);
    verdict->detail =
        absl::StrCat(name, " was issued by '", issuer,
                     "', which the client sent and whose key is of an "
                     "unsupported type");
    return;
  }
  if (!any_anchor() && ClientSentAWayIn()) {
    verdict->reason = Reason::kIncompleteChain;
    verdict->detail =
        absl::StrCat(name, " was issued by '", issuer,
                     "', which the client sent and the truststore lacks: under "
                     "complete-chain every CA must be in the truststore");
    return;
  }
  verdict->reason =
      from_truststore ? Reason::kIncompleteChain : Reason::kUntrustedIssuer;
  if (is_leaf && self_signed) {
    verdict->detail =
        absl::StrCat(name, " is self-signed and not in the truststore");
  } else if (is_leaf && truststore_.FindExact(end->fingerprint()) != nullptr) {
    verdict->detail = absl::StrCat(
        name, " is in the truststore but not self-signed, and its issuer '",
        issuer, "' is not: add the issuer, or pin the leaf");
  } else if (wrong_key) {
    verdict->detail = absl::StrCat(
        name, " was issued by '", issuer,
        "' with a key that no certificate of that name in the truststore has");
  } else {
    verdict->detail =
        absl::StrCat(name, " was issued by '", issuer,
                     "', of which the truststore has no usable certificate");
  }
}

// Ranks refused paths by how much they tell: one that ends in an anchor, then
// one with certificates of the truststore, then fewer broken certificates.
struct PathRank {
  bool anchored = false;
  size_t from_truststore = 0;
  size_t broken = 0;
  bool operator<(const PathRank& other) const {
    if (anchored != other.anchored) return !anchored;
    if (from_truststore != other.from_truststore && !anchored) {
      return from_truststore < other.from_truststore;
    }
    return broken > other.broken;
  }
};

void Search::Refuse(const bssl::CertPathBuilder::Result& result,
                    Verdict* verdict) {
  const bssl::CertPathBuilderResultPath* best = nullptr;
  PathRank best_rank;
  for (const auto& path : result.paths) {
    PathRank rank;
    rank.anchored = path->GetTrustedCert() != nullptr;
    for (size_t i = 0; i < path->certs.size(); ++i) {
      const Member* member = FindMember(path->certs[i].get());
      if (i > 0 && member != nullptr && EntryOf(*member) != nullptr) {
        ++rank.from_truststore;
      }
      const bssl::CertErrors* errors =
          std::as_const(path->errors).GetErrorsForCert(i);
      if (errors != nullptr && errors->ContainsAnyErrorWithSeverity(
                                   bssl::CertError::SEVERITY_HIGH)) {
        ++rank.broken;
      }
    }
    if (best == nullptr || best_rank < rank) {
      best = path.get();
      best_rank = rank;
    }
  }
  if (best != nullptr) FillPath(*best, verdict);
  if (verdict->path.empty()) verdict->path.push_back(leaf_);

  const bool limited = out_of_budget_ || result.exceeded_iteration_limit ||
                       result.exceeded_deadline;
  if (limited && !best_rank.anchored) {
    verdict->reason = Reason::kLimitExceeded;
    verdict->detail = absl::StrCat(
        "the check of the client's certificate ", DescribeCertificate(*leaf_),
        " ended at its limit (", candidates_, " of ",
        policy_.max_signature_checks, " issuers tried, ", iterations_, " of ",
        policy_.max_path_iterations, " steps): ",
        name_work_ > kMaxNameWork
            ? absl::StrCat("comparing its names with the name constraints of "
                           "the CAs would take over ",
                           kMaxNameWork, " comparisons")
            : "too many certificates of the truststore share a name");
    return;
  }
  if (!best_rank.anchored) {
    RefuseWithoutAnchor(best_rank.from_truststore > 0, verdict);
    return;
  }
  size_t at = 0;
  if (const Rule* rule = FirstBrokenRule(*best, &at)) {
    const Member* member = FindMember(best->certs[at].get());
    verdict->reason = rule->reason;
    verdict->depth = static_cast<int>(at);
    verdict->detail = absl::StrCat(Name(member, at), " ", rule->sentence);
    if (member == nullptr) return;
    const Certificate& c = *member->certificate;
    if (const std::string* note = RevocationNote(c);
        note != nullptr && IsOfRevocation(*rule)) {
      absl::StrAppend(&verdict->detail, ": ", *note);
    } else if (rule->reason == Reason::kExpired) {
      absl::StrAppend(&verdict->detail, ": not after ",
                      TimeText(c.not_after()));
    } else if (rule->reason == Reason::kNotYetValid) {
      absl::StrAppend(&verdict->detail, ": not before ",
                      TimeText(c.not_before()));
    } else if (const Unfitness unfit = CheckFitness(c, OwnSignature::kCounts);
               !unfit.ok()) {
      absl::StrAppend(&verdict->detail, ": ", unfit.message);
    }
    return;
  }
  // An error that Rules() does not know: still a refusal.
  verdict->reason = Reason::kConstraintViolation;
  verdict->detail = absl::StrCat("the chain of the client's certificate ",
                                 DescribeCertificate(*leaf_),
                                 " is against the rules of RFC 5280");
}

// The failures of a path in people's words.
void Search::Describe(const bssl::CertPathBuilderResultPath& path) {
  TriedPath tried;
  for (size_t i = 0; i < path.certs.size(); ++i) {
    const Member* member = FindMember(path.certs[i].get());
    if (member == nullptr) continue;
    TriedPath::Certificate step;
    step.certificate = member->certificate;
    const Truststore::Entry* entry = EntryOf(*member);
    if (i > 0 && entry != nullptr) {
      step.source = TriedPath::Certificate::Source::kTruststore;
      step.truststore_index = entry->index();
    }
    const bssl::CertErrors* errors =
        std::as_const(path.errors).GetErrorsForCert(i);
    for (const Rule& rule : Rules()) {
      if (errors == nullptr || !errors->ContainsError(rule.id)) continue;
      std::string failure = rule.sentence;
      if (const std::string* note = RevocationNote(*member->certificate);
          note != nullptr && IsOfRevocation(rule)) {
        absl::StrAppend(&failure, ": ", *note);
      }
      if (std::find(step.failures.begin(), step.failures.end(), failure) ==
          step.failures.end()) {
        step.failures.push_back(std::move(failure));
      }
    }
    tried.certificates.push_back(std::move(step));
  }
  const bssl::CertErrors* other = std::as_const(path.errors).GetOtherErrors();
  size_t at = 0;
  if (const Rule* rule = FirstBrokenRule(path, &at)) {
    tried.reason = rule->reason;
  } else if (!path.IsValid()) {
    tried.reason = Reason::kConstraintViolation;
  }
  if (other->ContainsError(theirs::kDepthLimitExceeded)) {
    tried.reason = Reason::kChainTooLong;
    tried.failures.push_back(absl::StrCat("the chain is longer than ",
                                          max_length_, " certificates"));
  }
  if (other->ContainsError(theirs::kIterationLimitExceeded) ||
      other->ContainsError(theirs::kDeadlineExceeded)) {
    tried.reason = Reason::kLimitExceeded;
    tried.failures.push_back("the check ended at its limit of work");
  }
  explanation_->paths.push_back(std::move(tried));
}

Verdict Search::Finish(Verdict verdict) {
  verdict.recheck_at = recheck_at_;
  verdict.signature_checks = signatures_.num_checks() + extra_checks_;
  verdict.path_iterations = iterations_;
  return verdict;
}

absl::StatusOr<CertificatePtr> Search::Read(absl::string_view der) {
  absl::StatusOr<CertificatePtr> certificate = Certificate::Parse(der);
  if (certificate.ok() && memory_ != nullptr) memory_->AddRecent(*certificate);
  return certificate;
}

Verdict Search::Run(absl::Span<const absl::string_view> chain) {
  Verdict verdict;
  if (chain.empty()) {
    verdict.reason = Reason::kNoCertificate;
    verdict.detail = "the client sent no certificate";
    return Finish(std::move(verdict));
  }
  size_t bytes = 0;
  for (const absl::string_view der : chain) bytes += der.size();
  if (chain.size() > policy_.max_client_certificates ||
      bytes > policy_.max_client_chain_bytes) {
    verdict.reason = Reason::kLimitExceeded;
    verdict.detail = absl::StrCat(
        "the client sent ", chain.size(), " certificates with ", bytes,
        " bytes; the limits are ", policy_.max_client_certificates, " and ",
        policy_.max_client_chain_bytes);
    return Finish(std::move(verdict));
  }
  // Client certificates differ: only the last ones are looked for, which are
  // this client's when another truststore was asked about it before.
  CertificatePtr known =
      memory_ == nullptr ? nullptr : memory_->FindRecent(chain[0]);
  absl::StatusOr<CertificatePtr> leaf =
      known != nullptr ? std::move(known) : Read(chain[0]);
  if (!leaf.ok()) {
    verdict.reason = Reason::kMalformed;
    verdict.depth = 0;
    verdict.detail =
        absl::StrCat("the client's certificate is ", leaf.status().message());
    return Finish(std::move(verdict));
  }
  LookAtDates(**leaf);
  if ((*leaf)->parsed() == nullptr) {
    verdict.reason = Reason::kMalformed;
    verdict.depth = 0;
    verdict.path.push_back(*leaf);
    verdict.detail =
        absl::StrCat("the client's certificate ", DescribeCertificate(**leaf),
                     " is ", (*leaf)->problem());
    return Finish(std::move(verdict));
  }
  if (revocation_ != nullptr && revocation_->deny != nullptr) {
    const DenyList::Match match = revocation_->deny->Find(**leaf);
    if (match != DenyList::Match::kNone) {
      verdict.reason = Reason::kRevoked;
      verdict.depth = 0;
      verdict.path.push_back(*leaf);
      verdict.detail =
          absl::StrCat("the client's certificate ", DescribeCertificate(**leaf),
                       " is on the deny list: ", DenyNote(match));
      return Finish(std::move(verdict));
    }
  }
  std::vector<CertificatePtr> all_sent;
  for (const absl::string_view der : chain.subspan(1)) {
    // One that cannot be read cannot help; the others may.
    CertificatePtr sent = memory_ == nullptr ? nullptr : memory_->Find(der);
    if (sent == nullptr) {
      absl::StatusOr<CertificatePtr> parsed = Read(der);
      if (!parsed.ok()) continue;
      sent = *std::move(parsed);
    }
    if (sent->parsed() == nullptr) continue;
    if (sent->fingerprint() == (*leaf)->fingerprint()) continue;
    if (!IsSupported(sent->public_key().type)) {
      PassOver(*sent, nullptr, "has a key of an unsupported type");
      sent_unsupported_.push_back(std::move(sent));
      continue;
    }
    if (!HasCheapKey(*sent)) {
      PassOver(*sent, nullptr, "has an RSA key over the limit in size");
      continue;
    }
    all_sent.push_back(std::move(sent));
  }
  return Decide(*std::move(leaf), std::move(all_sent));
}

Verdict Search::Decide(CertificatePtr leaf, std::vector<CertificatePtr> sent) {
  Verdict verdict;
  leaf_ = std::move(leaf);
  sent_ = std::move(sent);
  AddMember(leaf_, nullptr);
  if (any_anchor()) FindUsefulSent(sent_);
  if (too_many_names_) {
    verdict.reason = Reason::kLimitExceeded;
    verdict.path.push_back(leaf_);
    verdict.detail = absl::StrCat(
        "the client sent too many names and name constraints to compare: their "
        "product is over ",
        policy_.max_sent_name_checks);
    return Finish(std::move(verdict));
  }

  bssl::der::GeneralizedTime time;
  if (!bssl::der::EncodePosixTimeAsGeneralizedTime(absl::ToUnixSeconds(now_),
                                                   &time)) {
    verdict.reason = Reason::kLimitExceeded;
    verdict.detail = "the time of the check is outside the years 0 to 9999";
    return Finish(std::move(verdict));
  }
  max_length_ = std::max<size_t>(
      1,
      std::min(policy_.max_chain_length, limits::kMaxConfigurableChainLength));
  bssl::CertPathBuilder::Result result = Build(leaf_, time, max_length_);
  const auto describe_all = [&] {
    if (explanation_ == nullptr) return;
    for (const auto& path : result.paths) Describe(*path);
  };
  if (const auto* path = result.GetBestValidPath()) {
    describe_all();
    Trust(*path, &verdict);
    return Finish(std::move(verdict));
  }
  if (result.AnyPathContainsError(theirs::kDepthLimitExceeded) &&
      !out_of_budget_ && iterations_ < policy_.max_path_iterations) {
    // Look further only to say whether it is the length that is wrong. Paths
    // over the limit carry an error (CheckPathAfterVerification), so nothing
    // becomes trusted here.
    result = Build(leaf_, time, max_length_ + kExtraDepth);
  }
  describe_all();
  Refuse(result, &verdict);
  if (verdict.trusted()) {
    verdict.reason = Reason::kConstraintViolation;  // cannot happen
  }
  return Finish(std::move(verdict));
}

std::string AdviceFor(const Verdict& verdict) {
  switch (verdict.reason) {
    case Reason::kTrusted:
      return "";
    case Reason::kNoCertificate:
      return "The client must present a certificate: with curl, --cert and "
             "--key.";
    case Reason::kMalformed:
      return "Have the certificate issued again by software that follows RFC "
             "5280; openssl x509 -text -noout shows what is in it.";
    case Reason::kExpired:
      return "Renew the certificate that is named above. If it is a CA of the "
             "truststore, put its successor into the truststore.";
    case Reason::kNotYetValid:
      return "Wait, or check the clocks of the issuer and of this machine.";
    case Reason::kUntrustedIssuer:
      return "If this client should get in, add the CA that issued its "
             "certificate (or the certificate itself, if it is self-signed) "
             "to the truststore, or, under the policy any-anchor, have the "
             "client send its intermediates.";
    case Reason::kIncompleteChain:
      return "Add the missing CAs, up to the self-signed root, to the "
             "truststore, or use the policy any-anchor.";
    case Reason::kBadSignature:
      return "The certificate was changed after it was signed, or another CA "
             "with the same name issued it: add that CA to the truststore.";
    case Reason::kUnsupportedAlgorithm:
      return "Have it issued again with SHA-256 or stronger and a key of RSA "
             "2048 bits or more, ECDSA P-256 or ECDSA P-384.";
    case Reason::kWeakKey:
      return "Have it issued again with an RSA key of 2048 bits or more, or "
             "ECDSA P-256 or P-384.";
    case Reason::kChainTooLong:
      return "Have the client's certificate issued by a CA nearer to the "
             "root, trust an intermediate (any-anchor), or raise the chain "
             "length limit.";
    case Reason::kNotForClientAuth:
      return "Have the certificate issued with the extended key usage "
             "clientAuth, or set the extended key usage rule to warn or "
             "ignore.";
    case Reason::kConstraintViolation:
      return "The CA named above may not issue this certificate: have it "
             "issued by one that may.";
    case Reason::kRevoked:
      return "If it is revoked or denied, have a new certificate issued with a "
             "new key. If a revocation list is missing or out of date, get the "
             "issuer's current one, or use the rule soft-fail.";
    case Reason::kNotAllowed:
      return "The client is trusted, but no rule lets it in here.";
    case Reason::kLimitExceeded:
      return "Send only the certificates of the chain; if CAs of the "
             "truststore share a name, have certificates issued with an "
             "authority key identifier, or raise the limits.";
    case Reason::kConfigurationMissing:
      return "The truststore of this domain is not loaded: see the proxy's "
             "log.";
  }
  return "";
}

}  // namespace

absl::string_view ReasonName(Reason reason) {
  switch (reason) {
    case Reason::kTrusted:
      return "TRUSTED";
    case Reason::kNoCertificate:
      return "NO_CERTIFICATE";
    case Reason::kMalformed:
      return "MALFORMED";
    case Reason::kExpired:
      return "EXPIRED";
    case Reason::kNotYetValid:
      return "NOT_YET_VALID";
    case Reason::kUntrustedIssuer:
      return "UNTRUSTED_ISSUER";
    case Reason::kIncompleteChain:
      return "INCOMPLETE_CHAIN";
    case Reason::kBadSignature:
      return "BAD_SIGNATURE";
    case Reason::kUnsupportedAlgorithm:
      return "UNSUPPORTED_ALGORITHM";
    case Reason::kWeakKey:
      return "WEAK_KEY";
    case Reason::kChainTooLong:
      return "CHAIN_TOO_LONG";
    case Reason::kNotForClientAuth:
      return "NOT_FOR_CLIENT_AUTH";
    case Reason::kConstraintViolation:
      return "CONSTRAINT_VIOLATION";
    case Reason::kRevoked:
      return "REVOKED";
    case Reason::kNotAllowed:
      return "NOT_ALLOWED";
    case Reason::kLimitExceeded:
      return "LIMIT_EXCEEDED";
    case Reason::kConfigurationMissing:
      return "CONFIGURATION_MISSING";
  }
  return "CONFIGURATION_MISSING";
}

void VerifyMemory::AddSignature(const std::string& key) {
  if (!signatures_.insert(key).second) return;
  signature_order_.push_back(key);
  if (signature_order_.size() > kMaxEntries) {
    signatures_.erase(signature_order_.front());
    signature_order_.pop_front();
  }
}

std::shared_ptr<const Certificate> VerifyMemory::FindRecent(
    absl::string_view der) const {
  for (const auto& certificate : recent_) {
    if (certificate->der() == der) return certificate;
  }
  return nullptr;
}

std::shared_ptr<const Certificate> VerifyMemory::Find(
    absl::string_view der) const {
  if (auto recent = FindRecent(der)) return recent;
  if (trusted_.empty()) return nullptr;
  const auto found = trusted_.find(Sha256(der));
  return found == trusted_.end() ? nullptr : found->second;
}

void VerifyMemory::AddRecent(
    const std::shared_ptr<const Certificate>& certificate) {
  if (certificate == nullptr) return;
  if (recent_.size() < kMaxRecent) {
    recent_.push_back(certificate);
    return;
  }
  recent_[oldest_recent_] = certificate;
  oldest_recent_ = (oldest_recent_ + 1) % kMaxRecent;
}

std::optional<bool> VerifyMemory::FindResult(absl::string_view key) const {
  for (const auto& [known, valid] : results_) {
    if (known == key) return valid;
  }
  return std::nullopt;
}

void VerifyMemory::AddResult(const std::string& key, bool valid) {
  if (results_.size() < kMaxResults) {
    results_.emplace_back(key, valid);
    return;
  }
  results_[oldest_result_] = {key, valid};
  oldest_result_ = (oldest_result_ + 1) % kMaxResults;
}

void VerifyMemory::AddTrusted(
    const std::shared_ptr<const Certificate>& certificate) {
  const Sha256Digest digest = certificate->fingerprint();
  if (!trusted_.emplace(digest, certificate).second) return;
  trusted_order_.push_back(digest);
  if (trusted_order_.size() > kMaxEntries) {
    trusted_.erase(trusted_order_.front());
    trusted_order_.pop_front();
  }
}

Verdict VerifyChain(const Truststore& truststore,
                    absl::Span<const absl::string_view> chain,
                    const VerifyPolicy& policy, absl::Time now,
                    VerifyMemory* memory, const RevocationInputs* revocation) {
  return Search(truststore, policy, now, memory, revocation, nullptr)
      .Run(chain);
}

Explanation ExplainChain(const Truststore& truststore,
                         absl::Span<const absl::string_view> chain,
                         const VerifyPolicy& policy, absl::Time now,
                         const RevocationInputs* revocation) {
  Explanation explanation;
  explanation.verdict =
      Search(truststore, policy, now, nullptr, revocation, &explanation)
          .Run(chain);
  explanation.advice = AdviceFor(explanation.verdict);
  return explanation;
}

}  // namespace sallyport::pki
