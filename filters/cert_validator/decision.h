// Decision: whether the client of a connection is trusted now. The one place
// where the HTTP filter and the network filter ask.

#ifndef SALLYPORT_FILTERS_CERT_VALIDATOR_DECISION_H_
#define SALLYPORT_FILTERS_CERT_VALIDATOR_DECISION_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "absl/types/span.h"
#include "filters/cert_validator/checked_chain.h"
#include "filters/cert_validator/trust_state.h"
#include "pki/chain/verify.h"
#include "pki/x509/certificate.h"

namespace sallyport::cert_validator {

struct Decision {
  pki::Reason reason = pki::Reason::kConfigurationMissing;
  // For the operator; printable. Of a client that is trusted it is a warning,
  // and empty without one.
  std::string detail;
  // The chain and its verdict. Null when the handshake's verdict sufficed, and
  // when nothing could be looked at.
  std::shared_ptr<const CheckedChain> checked;
  // This is the handshake's verdict, and `checked` is null: what the validator
  // left in the filter state (connection_record.h) is about this verdict.
  bool as_in_handshake = false;
  // Verdict::depth.
  int depth = -1;
  // What the shadow would have said; absent without one.
  absl::optional<pki::Reason> shadow;
  // The decision is as good as new while the domain's changes() are what they
  // were before it, and it is before this.
  absl::Time recheck_at = absl::InfiniteFuture();
  // The domain's trust is another than at the handshake.
  bool trust_changed = false;

  bool trusted() const { return reason == pki::Reason::kTrusted; }
  // Trusted, and `detail` says what the operator should know nevertheless.
  bool warns() const { return trusted() && !detail.empty(); }
};

enum class Need {
  kVerdict,
  // Decision::checked too for a client that is trusted. For one that is not, a
  // verdict that still holds costs nothing, however often it asks.
  kTrustedChain,
  // Decision::checked too, if the client's chain can be read.
  kChain,
};

// Decide: the verdict that a full handshake would get at `now`. `record` is
// what the validator left in the connection's filter state under
// kConnectionKey. Refuses (CONFIGURATION_MISSING) what it cannot read, a record
// of another domain, and a domain without a trust. Without a change since the
// last check it compares two numbers and two times, and allocates nothing but
// the detail of a refusal.
//
// A client that sent more than may be looked at stays refused for as long as
// its connection lasts.
Decision Decide(const DomainTrust& domain, absl::string_view record,
                absl::Time now, Need need);

// DecideChain: the same for a connection without a record, whose chain is known
// from elsewhere (a resumed session). `chain` is not empty; `digest` is its
// ChainDigest(). Decision::checked is set but for CONFIGURATION_MISSING; of a
// refusal it has the certificates only when they are needed (Need::kChain).
//
// Which of a domain's filter chains the session comes from is not known, so
// where states of several lineages are bound, all must trust it.
Decision DecideChain(const DomainTrust& domain,
                     absl::Span<const absl::string_view> chain,
                     const pki::Sha256Digest& digest, absl::Time now,
                     Need need = Need::kChain);

}  // namespace sallyport::cert_validator

#endif  // SALLYPORT_FILTERS_CERT_VALIDATOR_DECISION_H_
