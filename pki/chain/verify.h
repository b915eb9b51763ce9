// VerifyChain: is this client certificate trusted now, and if not, why?
//
// The one implementation of the trust rules. The Envoy module, the config
// service and sallyportctl all call it. RFC 5280 section 6 as BoringSSL's path
// builder implements it, with the rules of Sallyport on top:
//
//  * trusted is a self-signed certificate that is itself in the truststore
//    (it vouches for itself only, unless it is a CA), or a certificate from
//    which a chain leads to the truststore by the chain policy;
//  * at most `max_chain_length` certificates from the client's to the anchor;
//  * only SHA-256 or stronger, RSA of 2048 bits or more, ECDSA P-256 and P-384,
//    for every certificate of the chain;
//  * an anchor's own validity, CA bit, path length, key usage, extended key
//    usage and name constraints count;
//  * revoked or denied is refused, by the lists and the deny list that the
//    caller hands over; without any, nothing is looked up.
//
// What the caller must still do: prove that the client holds the leaf's key
// (the TLS handshake does), and check again at Verdict::recheck_at.

#ifndef SALLYPORT_PKI_CHAIN_VERIFY_H_
#define SALLYPORT_PKI_CHAIN_VERIFY_H_

#include <cstddef>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "base/limits.h"
#include "pki/truststore/deny_list.h"
#include "pki/truststore/revocation.h"
#include "pki/truststore/truststore.h"
#include "pki/x509/certificate.h"

namespace sallyport::pki {

// The reason of a verdict; one vocabulary for logs, metrics, APIs and
// docs/errors.md. Values are stable: they cross the filter state and caches.
enum class Reason {
  kTrusted = 0,
  kNoCertificate = 1,
  kMalformed = 2,
  kExpired = 3,
  kNotYetValid = 4,
  kUntrustedIssuer = 5,
  kIncompleteChain = 6,
  kBadSignature = 7,
  kUnsupportedAlgorithm = 8,
  kWeakKey = 9,
  kChainTooLong = 10,
  kNotForClientAuth = 11,
  kConstraintViolation = 12,
  kRevoked = 13,
  kNotAllowed = 14,
  kLimitExceeded = 15,
  kConfigurationMissing = 16,
};
constexpr int kNumReasons = 17;

// "TRUSTED", "NO_CERTIFICATE", ...
absl::string_view ReasonName(Reason reason);

// What an extended key usage on the client's certificate (or a CA above it)
// that does not allow client authentication means.
enum class ExtendedKeyUsageRule {
  kRequire,  // NOT_FOR_CLIENT_AUTH
  kWarn,     // trusted, with Verdict::extended_key_usage_warning
  kIgnore,   // not looked at
};

struct VerifyPolicy {
  ChainPolicy chain_policy = ChainPolicy::kCompleteChain;
  ExtendedKeyUsageRule extended_key_usage = ExtendedKeyUsageRule::kRequire;
  // 1 to limits::kMaxConfigurableChainLength.
  size_t max_chain_length = limits::kMaxChainLength;
  // Trust also a CA-signed leaf that is itself in the truststore.
  bool pin_leaf = false;
  size_t max_client_certificates = limits::kMaxClientCertificates;
  size_t max_client_chain_bytes = limits::kMaxClientChainBytes;
  size_t max_signature_checks = limits::kMaxSignatureChecks;
  size_t max_path_iterations = limits::kMaxPathIterations;
  size_t max_verified_paths = limits::kMaxVerifiedPaths;  // at least 1
  size_t max_sent_name_checks = limits::kMaxSentNameChecks;
};

// What it means that no list covers a certificate (RevocationLists::Answer:
// anything but kGood and kRevoked).
enum class RevocationRule {
  kSoftFail,  // it counts as not revoked
  kHardFail,  // REVOKED
};

// Which certificates of a path the revocation lists are asked about. One that
// vouches for itself is its own anchor.
enum class RevocationScope {
  kChain,  // every one; an anchor if the truststore has its issuer
  kLeaf,   // the client's
};

// What can take trust away. Views: the objects must outlive the call.
struct RevocationInputs {
  // Null: no list is looked at, whatever `rule` says.
  const RevocationLists* lists = nullptr;
  RevocationRule rule = RevocationRule::kSoftFail;
  RevocationScope scope = RevocationScope::kChain;
  // Looked at before the lists, for the client's certificate before anything
  // else is checked, and for every certificate of a path, the anchor included.
  // May be null.
  const DenyList* deny = nullptr;
};

struct Verdict {
  Reason reason = Reason::kConfigurationMissing;
  // A sentence for the operator: which rule failed on which certificate.
  // Printable ASCII. Not stable: branch on `reason`.
  std::string detail;
  // Depth of the certificate that `detail` is about: 0 is the client's, 1 its
  // issuer; -1 when it is about none.
  int depth = -1;
  // Trusted: the client's certificate first, the anchor last. Refused: the
  // best path that was tried, possibly only the client's certificate; empty
  // when that could not be read.
  std::vector<std::shared_ptr<const Certificate>> path;
  // The next instant at which a date that was looked at, of a certificate or
  // of a revocation list, could change the answer; InfiniteFuture when none
  // can. Never in the past of `now`. A second later when there were too many
  // revocation lists to check at once: what was checked is remembered.
  absl::Time recheck_at = absl::InfiniteFuture();
  bool extended_key_usage_warning = false;
  // Work done. The first check includes those of revocation lists that nobody
  // had checked yet.
  size_t signature_checks = 0;
  size_t path_iterations = 0;

  bool trusted() const { return reason == Reason::kTrusted; }
};

// One step of an explanation: a path that was tried.
struct TriedPath {
  struct Certificate {
    std::shared_ptr<const pki::Certificate> certificate;
    // Where it was found.
    enum class Source { kClient, kTruststore } source = Source::kClient;
    size_t truststore_index = 0;  // block number when from the truststore
    // The rules that failed on it, for people; empty when none.
    std::vector<std::string> failures;
  };
  std::vector<Certificate> certificates;  // client's first
  std::vector<std::string> failures;      // of the path as a whole
  // kTrusted when no rule failed; else the reason of the rule that decides.
  Reason reason = Reason::kTrusted;
};

struct Explanation {
  Verdict verdict;
  std::vector<TriedPath> paths;
  // Certificates with the issuer's name that were passed over, and why
  // (signature does not verify, not a CA, weak, ...): one sentence each, at
  // most 20.
  std::vector<std::string> passed_over;
  // How to mend it; empty when trusted.
  std::string advice;
};

// VerifyMemory: what one check can leave for the next. It changes what a check
// costs, never its verdict: all of it is a function of bytes alone and never
// goes out of date.
//   * Signatures of CAs over other CAs that were found good, by a SHA-256 over
//     algorithm, key, signature and signed bytes.
//   * The last few results of checks, failures and leaves' too, which serve
//     the other truststores that are asked about the same client.
//   * The intermediates that clients sent on trusted paths, parsed.
//   * The last few certificates that clients sent, whatever came of them: the
//     next truststore that is asked, and who tells the backend what was sent,
//     need not parse them again. Strangers push out only each other's.
// At most kMaxEntries of the first and third, kMaxResults of the second and
// kMaxRecent of the last; the oldest gives way. Not thread-safe: one for each
// thread.
class VerifyMemory {
 public:
  static constexpr size_t kMaxEntries = 512;
  static constexpr size_t kMaxRecent = 16;
  static constexpr size_t kMaxResults = 64;

  bool KnowsSignature(const std::string& key) const {
    return signatures_.contains(key);
  }
  void AddSignature(const std::string& key);

  // The certificate with these bytes, null when it is not known: among the last
  // ones, and among all.
  std::shared_ptr<const Certificate> FindRecent(absl::string_view der) const;
  std::shared_ptr<const Certificate> Find(absl::string_view der) const;
  // One that clients sent; null is ignored.
  void AddRecent(const std::shared_ptr<const Certificate>& certificate);
  // One that was on a trusted path.
  void AddTrusted(const std::shared_ptr<const Certificate>& certificate);

  // The last signature checks, of whatever certificate and however they ended:
  // the next truststore that is asked about the same client, or a shadow, does
  // not do them again.
  std::optional<bool> FindResult(absl::string_view key) const;
  void AddResult(const std::string& key, bool valid);

 private:
  absl::flat_hash_map<Sha256Digest, std::shared_ptr<const Certificate>>
      trusted_;
  std::deque<Sha256Digest> trusted_order_;
  std::vector<std::shared_ptr<const Certificate>> recent_;
  size_t oldest_recent_ = 0;
  std::vector<std::pair<std::string, bool>> results_;
  size_t oldest_result_ = 0;
  absl::flat_hash_set<std::string> signatures_;
  std::deque<std::string> signature_order_;
};

// Signature checks of one VerifyChain() with keys that the client sent: no
// client needs more. One with a P-384 key, which takes as long as ten others,
// counts as kSentP384Weight. LIMIT_EXCEEDED beyond. Keys
// of kinds that are never trusted are not tried at all.
inline constexpr size_t kMaxSentKeyChecks = 8;
inline constexpr size_t kSentP384Weight = 3;

// `chain`: DER, the client's certificate first, then whatever it sent.
// `memory` may be null; it changes what the check costs, never the verdict.
// `revocation` null: nobody is revoked.
// Thread-safe but for `memory`; no I/O; no global state; never throws.
Verdict VerifyChain(const Truststore& truststore,
                    absl::Span<const absl::string_view> chain,
                    const VerifyPolicy& policy, absl::Time now,
                    VerifyMemory* memory = nullptr,
                    const RevocationInputs* revocation = nullptr);

// The same decision with everything that led to it. Slower; for people.
Explanation ExplainChain(const Truststore& truststore,
                         absl::Span<const absl::string_view> chain,
                         const VerifyPolicy& policy, absl::Time now,
                         const RevocationInputs* revocation = nullptr);

}  // namespace sallyport::pki

#endif  // SALLYPORT_PKI_CHAIN_VERIFY_H_
