#include "filters/cert_validator/decision.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/text.h"
#include "filters/cert_validator/connection_record.h"

namespace sallyport::cert_validator {
namespace {

Decision Refused(absl::string_view detail) {
  Decision decision;
  decision.detail = std::string(detail);
  return decision;
}

void Apply(std::shared_ptr<const CheckedChain> checked, Decision& decision) {
  decision.reason = checked->verdict.reason;
  decision.detail = checked->verdict.detail;
  decision.depth = checked->verdict.depth;
  decision.recheck_at = checked->verdict.recheck_at;
  decision.shadow = checked->shadow;
  decision.checked = std::move(checked);
}

// `decision` is trusted; `own` has to agree.
void AlsoNeeds(const TrustState& own, absl::Span<const absl::string_view> chain,
               const pki::Sha256Digest& digest, absl::Time now,
               Decision& decision) {
  const auto checked = CheckChain(own, chain, digest, now);
  decision.recheck_at =
      std::min(decision.recheck_at, checked->verdict.recheck_at);
  decision.reason = checked->verdict.reason;
  if (!decision.trusted()) {
    decision.detail = checked->verdict.detail;
    decision.depth = checked->verdict.depth;
  }
}

// The handshake's verdict.
void Repeat(const RecordHead& head, Decision& decision) {
  decision.reason = head.reason;
  if (!head.detail.empty()) decision.detail = Printable(head.detail);
  decision.depth = head.depth;
  decision.shadow = head.shadow;
  decision.recheck_at = head.recheck_at;
  decision.as_in_handshake = true;
}

bool Suffices(const RecordHead& head, Need need) {
  switch (need) {
    case Need::kVerdict:
      return true;
    case Need::kTrustedChain:
      return head.reason != pki::Reason::kTrusted;
    default:
      return false;
  }
}

}  // namespace

Decision Decide(const DomainTrust& domain, absl::string_view bytes,
                absl::Time now, Need need) {
  RecordHead head;
  if (!DecodeHead(bytes, head)) {
    return Refused("the connection's record cannot be read");
  }
  if (head.domain != domain.domain()) {
    return Refused(absl::StrCat(
        "the connection was authenticated for the "
        "domain ",
        Printable(head.domain, 260), ", not for ", domain.domain()));
  }
  const uint64_t current_id = domain.current_id();
  if (current_id == 0) return Refused(kNoTrust);

  Decision decision;
  if (head.state_id == current_id && now >= head.verified_at &&
      now < head.recheck_at && Suffices(head, need)) {
    Repeat(head, decision);
    return decision;
  }
  decision.trust_changed = head.state_id != current_id;
  // The trust or the time moved on, or the certificates are needed. What this
  // thread has checked before costs nothing again.
  auto checked = FindChecked(current_id, head.chain_digest, now);
  if (checked != nullptr && checked->lineage == head.lineage) {
    Apply(std::move(checked), decision);
    return decision;
  }
  ConnectionRecord record;
  if (!DecodeRecord(bytes, record)) {
    return Refused("the connection's record cannot be read");
  }
  if (record.cut_short) {
    if (head.reason == pki::Reason::kTrusted) {
      return Refused("the connection's record cannot be read");
    }
    if (need == Need::kChain) {
      pki::Verdict verdict;
      verdict.reason = head.reason;
      verdict.detail = Printable(head.detail);
      verdict.depth = head.depth;
      Apply(RefusedUnread(current_id, record.chain, head.chain_digest,
                          head.lineage, std::move(verdict), now),
            decision);
      decision.shadow = head.shadow;
      return decision;
    }
    Repeat(head, decision);
    decision.recheck_at = absl::InfiniteFuture();
    return decision;
  }
  const std::shared_ptr<const TrustState> state = domain.current();
  if (state == nullptr) return Refused(kNoTrust);
  Apply(CheckChain(*state, record.chain, record.chain_digest, now), decision);
  if (decision.trusted() && state->lineage() != record.lineage) {
    // The domain's trust now comes from another configuration. That may be an
    // update, or another filter chain's: both must agree (trust_state.h).
    const std::shared_ptr<const TrustState> own =
        domain.CurrentOf(record.lineage);
    if (own == nullptr) {
      return Refused(
          "the configuration that authenticated the connection is gone");
    }
    AlsoNeeds(*own, record.chain, record.chain_digest, now, decision);
  }
  return decision;
}

Decision DecideChain(const DomainTrust& domain,
                     absl::Span<const absl::string_view> chain,
                     const pki::Sha256Digest& digest, absl::Time now,
                     Need need) {
  const auto states = domain.CurrentOfAll();
  if (states.empty()) return Refused(kNoTrust);
  Decision decision;
  Apply(CheckChain(*states.front(), chain, digest, now,
                   need == Need::kChain ? ReadCertificates::kAlways
                                        : ReadCertificates::kIfTrusted),
        decision);
  for (size_t i = 1; i < states.size() && decision.trusted(); ++i) {
    AlsoNeeds(*states[i], chain, digest, now, decision);
  }
  return decision;
}

}  // namespace sallyport::cert_validator
