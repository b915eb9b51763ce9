// Truststore: the certificates that an operator trusts, read once from a PEM
// bundle, immutable and shared by every domain and thread that uses it.
//
// Parsing decides whether a bundle is accepted. Warnings() and GivesTrust()
// are functions of (bundle, policy, time): ask again as time passes.

#ifndef SALLYPORT_PKI_TRUSTSTORE_TRUSTSTORE_H_
#define SALLYPORT_PKI_TRUSTSTORE_TRUSTSTORE_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "base/limits.h"
#include "pki/x509/certificate.h"

namespace sallyport::pki {

// Which certificates of a truststore can end a chain.
enum class ChainPolicy {
  // Every CA of the chain up to a self-signed root is in the truststore;
  // certificates sent by the client add no trust. The rule of API Gateway.
  kCompleteChain,
  // Any CA of the truststore, root or not, is an anchor; intermediates sent
  // by the client may complete the chain. What proxies do.
  kAnyAnchor,
};

// "complete-chain", "any-anchor".
absl::string_view ChainPolicyName(ChainPolicy policy);

struct TruststoreLimits {
  size_t max_bytes = limits::kMaxTruststoreBytes;
  size_t max_certificates = limits::kMaxTruststoreCertificates;
};

// Why a bundle is refused as a whole. ReasonName() gives the machine-readable
// form ("NO_CERTIFICATE").
enum class BundleErrorReason {
  kNone,
  kNoCertificate,
  kNotACertificateBlock,  // another label: a private key above all
  kMalformedPem,          // truncated, unmatched, undecodable
  kMalformedCertificate,  // DER that is not an X.509 certificate
  kTooLarge,
  kTooManyCertificates,
  kCertificateTooLarge,
  kGivesNoTrust,  // set by callers that refuse such bundles, never by Parse()
};
absl::string_view ReasonName(BundleErrorReason reason);

struct BundleError {
  BundleErrorReason reason = BundleErrorReason::kNone;
  size_t index = 0;     // block, from 1; 0 when no block is meant
  size_t line = 0;      // from 1; 0 when no line is meant
  std::string message;  // for people: what, where, how to mend; no contents

  bool ok() const { return reason == BundleErrorReason::kNone; }
  // "block 3, line 41: ...".
  std::string ToString() const;
};

enum class WarningReason {
  // With these the certificate gives no trust.
  kExpired,
  kNotYetValid,
  kWeakSignatureAlgorithm,  // SHA-1, MD5, or one that is not supported
  kWeakKey,                 // RSA under 2048 bits
  kUnsupportedKey,          // another curve or key type
  kMalformed,               // against the rules of X.509
  kNotACa,                  // neither a CA nor self-signed
  kIncompleteChain,         // COMPLETE_CHAIN: no chain to a root in the bundle
  // With these it does.
  kDuplicate,
  kSameSubjectDifferentKey,
  kExpiresSoon,
  kWeakRootSignature,  // ANY_ANCHOR: a root's own SHA-1 signature
};
absl::string_view ReasonName(WarningReason reason);  // "EXPIRED"
// Whether a certificate with this warning gives no trust.
bool RemovesTrust(WarningReason reason);

struct Warning {
  size_t index = 0;     // block, from 1
  size_t line = 0;      // of its BEGIN line, from 1
  std::string subject;  // RFC 4514, printable ASCII
  WarningReason reason = WarningReason::kExpired;
  std::string message;
};

struct WarningOptions {
  // VerifyPolicy::pin_leaf: a certificate that is neither a CA nor
  // self-signed does give trust, to itself.
  bool pin_leaf = false;
  // Whether to check who signed whom. One check for each self-issued
  // certificate and, under kCompleteChain, one for each link, the links
  // bounded by limits::kMaxWarningSignatureChecks. Without checks, and past
  // the bound, names and key identifiers decide; VerifyChain() always checks.
  bool check_signatures = true;
};

class Truststore {
 public:
  // One distinct certificate of the bundle. `certificate()` parses at the
  // first call and keeps the result; thread-safe, lock-free.
  class Entry {
   public:
    const std::shared_ptr<const Certificate>& certificate() const;
    // Certificate::IsSelfSigned() of it, remembered; the certificate is not
    // kept. Thread-safe.
    bool IsSelfSigned() const;
    size_t index() const { return index_; }
    size_t line() const { return line_; }
    // A hash of the subject key identifier; 0 when there is none.
    uint64_t key_id_hash() const { return key_id_hash_; }
    // A hash of the SubjectPublicKeyInfo.
    uint64_t key_hash() const { return key_hash_; }

    ~Entry();
    Entry(Entry&& other) noexcept;
    Entry(const Entry&) = delete;

   private:
    friend class Truststore;
    Entry() = default;
    absl::string_view der_;  // into Truststore::arena_
    uint64_t key_id_hash_ = 0;
    uint64_t key_hash_ = 0;
    // What the warnings need, so that they need not parse it again. Hashes of
    // the normalised names; 0 when it does not parse.
    uint64_t subject_hash_ = 0;
    uint64_t issuer_hash_ = 0;
    uint64_t issuer_key_id_hash_ = 0;  // 0: it names no key
    absl::Time not_before_;
    absl::Time not_after_;
    uint32_t index_ = 0;
    uint32_t line_ = 0;
    uint8_t strength_ = 0;           // SignatureStrength
    uint8_t unfitness_ = 0;          // Unfitness::Kind
    uint8_t unfitness_as_root_ = 0;  // the same with OwnSignature::kIgnored
    bool is_ca_ = false;
    bool self_issued_ = false;
    mutable std::atomic<uint8_t> self_signed_{0};  // not known, no, yes
    mutable std::atomic<const std::shared_ptr<const Certificate>*> parsed_{
        nullptr};
  };

  // Reads a bundle. Exactly one of the two is set: a truststore, or an error.
  struct ParseResult {
    std::shared_ptr<const Truststore> truststore;
    BundleError error;
  };
  static ParseResult Parse(absl::string_view pem,
                           const TruststoreLimits& limits = {});

  Truststore(const Truststore&) = delete;
  Truststore& operator=(const Truststore&) = delete;
  ~Truststore();

  // SHA-256 of the PEM text as given: the identity under which a process
  // shares it.
  const Sha256Digest& digest() const { return digest_; }

  // Blocks in the bundle, duplicates counted.
  size_t num_certificates() const { return num_blocks_; }
  // Distinct certificates, in bundle order.
  absl::Span<const Entry> entries() const { return entries_; }

  // Positions in entries() of the certificates whose normalised subject
  // (RFC 5280, 7.1) is `normalized_subject`, in bundle order; and the entry
  // with exactly this fingerprint, or null. Certificates that are against the
  // rules of X.509 are not found by subject. For pki/chain.
  absl::Span<const uint32_t> FindBySubject(
      absl::string_view normalized_subject) const;
  const Entry* FindExact(const Sha256Digest& fingerprint) const;

  // All warnings at `now`, by block, then by reason.
  std::vector<Warning> Warnings(ChainPolicy policy, absl::Time now,
                                const WarningOptions& options = {}) const;

  // Whether any certificate gives trust at `now`. False means that every
  // client would be refused.
  bool GivesTrust(ChainPolicy policy, absl::Time now,
                  const WarningOptions& options = {}) const;

  // The hash behind Entry::key_id_hash() and key_hash(); never 0. It differs
  // between processes, and equal hashes are no proof.
  static uint64_t HashOf(absl::string_view bytes);

  // Bytes held, roughly, for memory reports.
  size_t ApproximateBytes() const;

 private:
  struct Index;
  struct Summary;
  Truststore();
  static Summary Summarize(const Entry& entry, ChainPolicy policy,
                           absl::Time now, bool check_signatures);

  Sha256Digest digest_;
  size_t num_blocks_ = 0;
  std::string arena_;
  std::vector<Entry> entries_;
  struct DuplicateBlock {
    uint32_t index;
    uint32_t line;
    uint32_t first_entry;
  };
  std::vector<DuplicateBlock> duplicates_;
  std::unique_ptr<Index> index_;
};

// The reasons that do not depend on time or on other certificates: why
// `certificate` gives no trust and is never part of a trusted chain. kNone
// when there is none. Used by Warnings() and by VerifyChain(), so that both
// agree.
struct Unfitness {
  enum class Kind {
    kNone,
    kMalformed,
    kWeakSignature,
    kWeakKey,
    kUnsupportedKey
  };
  Kind kind = Kind::kNone;
  std::string message;  // for people
  bool ok() const { return kind == Kind::kNone; }
};
// `ignore_signature`: for an anchor under kAnyAnchor, whose own signature
// nobody needs.
enum class OwnSignature { kCounts, kIgnored };
Unfitness CheckFitness(const Certificate& certificate, OwnSignature signature);

// Whether the own signature of an anchor counts: under kAnyAnchor nobody relies
// on a root's, so one with SHA-1 is forgiven. The facts are those of the
// certificate; `is_self_signed` may cost a signature check and is asked last.
OwnSignature OwnSignatureOfAnchor(ChainPolicy policy, bool is_ca,
                                  SignatureStrength strength,
                                  absl::FunctionRef<bool()> is_self_signed);

// Whether `issuer`'s key made the signature of `certificate`; one signature
// check. Names and constraints are not looked at.
bool SignedBy(const Certificate& certificate, const Certificate& issuer);

}  // namespace sallyport::pki

#endif  // SALLYPORT_PKI_TRUSTSTORE_TRUSTSTORE_H_
