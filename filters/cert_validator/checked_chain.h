// CheckedChain: a verdict about one client's chain under one TrustState, and
// the memory of recent ones.

#ifndef SALLYPORT_FILTERS_CERT_VALIDATOR_CHECKED_CHAIN_H_
#define SALLYPORT_FILTERS_CERT_VALIDATOR_CHECKED_CHAIN_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "absl/types/span.h"
#include "filters/cert_validator/trust_state.h"
#include "pki/chain/verify.h"
#include "pki/truststore/deny_list.h"
#include "pki/x509/certificate.h"

namespace sallyport::cert_validator {

// The detail of CONFIGURATION_MISSING.
inline constexpr absl::string_view kNoTrust =
    "no truststore is bound to the domain";

// Longest text about a certificate in logs and filter state; subjects can be
// longer.
inline constexpr size_t kMaxLeafText = 1024;

struct CheckedChain {
  // Of the truststore that vouched, or, when none did, the most telling one.
  // Of a trusted chain `detail` is a warning, and empty without one.
  pki::Verdict verdict;
  // The label and name of that truststore.
  std::string truststore;
  std::string truststore_name;
  // What the shadow would have said; absent without one.
  absl::optional<pki::Reason> shadow;
  // TrustState::lists() of the state that gave it.
  std::shared_ptr<const pki::NamedDenyLists> lists;
  // TrustState::lineage() of the state that gave it.
  uint64_t lineage = 0;
  // The verdict holds from here until verdict.recheck_at (excluded), which is
  // the earliest of all truststores that were asked. The clock may be set back,
  // hence both ends.
  absl::Time verified_at;
  // What the client sent, its own certificate first, without any that could
  // not be read; nothing but its own when it sent more than may be looked at.
  std::vector<std::shared_ptr<const pki::Certificate>> sent;
  // Whether sent.front() is the client's own certificate; false when that one
  // could not be read.
  bool has_client_certificate = false;
  // What logs say of the client's own certificate, made once: RFC 4514 names,
  // hexadecimal. Printable ASCII, cut to kMaxLeafText; empty without one.
  std::string subject;
  std::string issuer;
  std::string serial;
  std::string fingerprint;

  // The client's own certificate, or null.
  const pki::Certificate* leaf() const {
    return has_client_certificate ? sent.front().get() : nullptr;
  }

  bool HoldsAt(absl::Time now) const {
    return now >= verified_at && now < verdict.recheck_at;
  }
};

// Whether the certificates that a client sent are wanted beside the verdict.
enum class ReadCertificates {
  kAlways,
  // A refusal may come without them; the texts are there.
  kIfTrusted,
};

// CheckChain: the verdict of `state` about `chain` (DER, the client's own
// first; `digest` is its ChainDigest()) at `now`. The calling thread remembers
// its last results by (state id, digest), within the limits below, so that a
// chain it has seen under the same state costs no signature check until the
// verdict's time runs out. Of refusals it remembers many more than it has room
// for their certificates, which are read again then, but never checked. Never
// null. Truststores are asked in their order, within one budget of signature
// checks; the shadow has a budget of its own, and where it differs the log says
// so.
std::shared_ptr<const CheckedChain> CheckChain(
    const TrustState& state, absl::Span<const absl::string_view> chain,
    const pki::Sha256Digest& digest, absl::Time now,
    ReadCertificates read = ReadCertificates::kAlways);

// FindChecked: what the calling thread remembers about the chain under the
// state with that id, if it holds at `now`; null otherwise. No lock, no check.
std::shared_ptr<const CheckedChain> FindChecked(uint64_t state_id,
                                                const pki::Sha256Digest& digest,
                                                absl::Time now);

// RefusedUnread: `verdict`, a refusal that was given without reading the chain
// and stays whatever the trust is; `chain` begins with the client's own
// certificate, which is read. Remembered like the others.
std::shared_ptr<const CheckedChain> RefusedUnread(
    uint64_t state_id, absl::Span<const absl::string_view> chain,
    const pki::Sha256Digest& digest, uint64_t lineage, pki::Verdict verdict,
    absl::Time now);

// UncheckedChain: CONFIGURATION_MISSING, for a domain without a trust. Only the
// client's own certificate is read, for its names.
std::shared_ptr<const CheckedChain> UncheckedChain(
    absl::Span<const absl::string_view> chain, uint64_t lineage,
    absl::Time now);

// Of each thread. Bytes are estimates that include what parsing adds.
inline constexpr size_t kMaxRememberedTrusted = 1024;
inline constexpr size_t kMaxRememberedTrustedBytes = size_t{24} << 20;
inline constexpr size_t kMaxRememberedRefused = 256;
inline constexpr size_t kMaxRememberedRefusedBytes = size_t{4} << 20;
// Refusals without their certificates.
inline constexpr size_t kMaxRememberedRefusals = 16384;
inline constexpr size_t kMaxRememberedRefusalsBytes = size_t{8} << 20;

// How many checks this thread did not find in its memory. For tests.
size_t NumChecksForTest();

}  // namespace sallyport::cert_validator

#endif  // SALLYPORT_FILTERS_CERT_VALIDATOR_CHECKED_CHAIN_H_
