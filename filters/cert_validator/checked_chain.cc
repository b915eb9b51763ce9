#include "filters/cert_validator/checked_chain.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/text.h"
#include "filters/cert_validator/recent_map.h"
#include "filters/shim/log.h"

namespace sallyport::cert_validator {
namespace {

struct Key {
  uint64_t state_id;
  pki::Sha256Digest digest;

  bool operator==(const Key& other) const {
    return state_id == other.state_id && digest == other.digest;
  }
  template <typename H>
  friend H AbslHashValue(H h, const Key& key) {
    // The digest is evenly spread; eight bytes of it are enough.
    uint64_t head;
    std::memcpy(&head, key.digest.data(), sizeof(head));
    return H::combine(std::move(h), key.state_id, head);
  }
};

// What a result holds: parsed certificates take about four times their DER.
size_t BytesOf(const CheckedChain& checked) {
  size_t der = 0;
  for (const auto& certificate : checked.sent) der += certificate->der().size();
  for (const auto& certificate : checked.verdict.path) {
    der += certificate->der().size();
  }
  return 1024 + checked.verdict.detail.size() + checked.subject.size() +
         checked.issuer.size() + checked.serial.size() + 4 * der;
}

// One for each thread, so no lock. Refusals have a memory of their own: a
// client that sends ever new chains must not push out those that are trusted.
struct Memory {
  std::shared_ptr<const CheckedChain> Find(const Key& key, absl::Time now) {
    for (auto* map : {&trusted, &refused}) {
      auto found = map->Find(key);
      if (found != nullptr && found->HoldsAt(now)) return found;
    }
    return nullptr;
  }

  // Keeps what a refusal says, without the certificates: a few hundred bytes,
  // so that clients with many connections, each refused for another chain,
  // cannot have all of them checked again and again.
  void PutRefusal(const Key& key, const CheckedChain& checked) {
    auto refusal = std::make_shared<CheckedChain>(checked);
    refusal->verdict.path.clear();
    refusal->sent.clear();
    refusal->lists = nullptr;
    refusal->has_client_certificate = false;
    size_t bytes = sizeof(CheckedChain);
    for (const std::string* text :
         {&refusal->verdict.detail, &refusal->truststore,
          &refusal->truststore_name, &refusal->subject, &refusal->issuer,
          &refusal->serial, &refusal->fingerprint}) {
      bytes += text->size();
    }
    refusals.Put(key, std::move(refusal), bytes);
  }
  // Null when that is not known or does not hold at `now`.
  std::shared_ptr<const CheckedChain> FindRefusal(const Key& key,
                                                  absl::Time now) {
    auto found = refusals.Find(key);
    return found != nullptr && found->HoldsAt(now) ? found : nullptr;
  }

  RecentMap<Key, CheckedChain> refusals{kMaxRememberedRefusals,
                                        kMaxRememberedRefusalsBytes};
  RecentMap<Key, CheckedChain> trusted{kMaxRememberedTrusted,
                                       kMaxRememberedTrustedBytes};
  RecentMap<Key, CheckedChain> refused{kMaxRememberedRefused,
                                       kMaxRememberedRefusedBytes};
  pki::VerifyMemory verify;
  size_t num_checks = 0;
};

Memory& ThreadMemory() {
  static thread_local Memory memory;
  return memory;
}

constexpr absl::string_view kUsageWarning =
    "a certificate of the chain has an extended key usage without client "
    "authentication (EKU_WARN)";

// The certificates of `chain`, taken from `path` where they are on it, or from
// what the check that just ended has read.
void ReadSent(absl::Span<const absl::string_view> chain,
              const pki::VerifyMemory& memory, CheckedChain& out) {
  for (size_t i = 0; i < chain.size(); ++i) {
    std::shared_ptr<const pki::Certificate> found;
    for (const auto& certificate : out.verdict.path) {
      if (certificate->der() == chain[i]) {
        found = certificate;
        break;
      }
    }
    if (found == nullptr) found = memory.Find(chain[i]);
    if (found == nullptr) {
      auto parsed = pki::Certificate::Parse(chain[i]);
      if (parsed.ok()) found = *std::move(parsed);
    }
    if (found == nullptr) continue;
    if (i == 0) out.has_client_certificate = true;
    out.sent.push_back(std::move(found));
  }
}

void NameLeaf(CheckedChain& checked) {
  const pki::Certificate* const leaf = checked.leaf();
  if (leaf == nullptr) return;
  checked.subject = Printable(leaf->Subject(), kMaxLeafText);
  checked.issuer = Printable(leaf->Issuer(), kMaxLeafText);
  checked.serial = Printable(leaf->SerialHex(), kMaxLeafText);
  checked.fingerprint = HexLower(pki::AsBytes(leaf->fingerprint()));
}

// A refusal without a look at the chain: of it only the client's own
// certificate is read, for its names.
std::shared_ptr<CheckedChain> RefusalOf(
    pki::Verdict verdict, absl::Span<const absl::string_view> chain,
    uint64_t lineage, absl::Time now) {
  auto refused = std::make_shared<CheckedChain>();
  refused->verdict = std::move(verdict);
  refused->lineage = lineage;
  refused->verified_at = now;
  ReadSent(chain.subspan(0, 1), ThreadMemory().verify, *refused);
  NameLeaf(*refused);
  return refused;
}

// How much a refusal tells: a chain that reached this truststore and broke a
// rule tells more than one that never did.
int Weight(pki::Reason reason) {
  switch (reason) {
    case pki::Reason::kUntrustedIssuer:
      return 0;
    case pki::Reason::kIncompleteChain:
      return 1;
    default:
      return 2;
  }
}

// Asks the truststores of `trust` in turn. The verdict's recheck_at is the
// earliest of those that were asked: an earlier one may change its mind.
struct Answer {
  pki::Verdict verdict;
  const TrustSource* source = nullptr;
};
Answer Ask(const Trust& trust, absl::Span<const absl::string_view> chain,
           absl::Time now, pki::VerifyMemory& memory) {
  Answer answer;
  absl::Time recheck_at = absl::InfiniteFuture();
  size_t checks = 0;
  size_t iterations = 0;
  for (const TrustSource& source : trust.sources) {
    pki::VerifyPolicy policy = source.policy;
    policy.max_signature_checks -=
        std::min(policy.max_signature_checks - 1, checks);
    policy.max_path_iterations -=
        std::min(policy.max_path_iterations - 1, iterations);
    pki::RevocationInputs revocation;
    revocation.lists = source.revocation_lists.get();
    revocation.rule = source.revocation_rule;
    revocation.scope = source.revocation_scope;
    revocation.deny = trust.deny.get();
    pki::Verdict verdict =
        pki::VerifyChain(source.truststore->truststore(), chain, policy, now,
                         &memory, &revocation);
    checks += verdict.signature_checks;
    iterations += verdict.path_iterations;
    recheck_at = std::min(recheck_at, verdict.recheck_at);
    if (answer.source == nullptr || verdict.trusted() ||
        Weight(verdict.reason) > Weight(answer.verdict.reason)) {
      answer.verdict = std::move(verdict);
      answer.source = &source;
    }
    if (answer.verdict.trusted()) break;
  }
  answer.verdict.recheck_at = recheck_at;
  return answer;
}

void AskShadow(const TrustState& state,
               absl::Span<const absl::string_view> chain, absl::Time now,
               pki::VerifyMemory& memory, CheckedChain& checked) {
  const Answer shadow = Ask(*state.shadow(), chain, now, memory);
  checked.shadow = shadow.verdict.reason;
  checked.verdict.recheck_at =
      std::min(checked.verdict.recheck_at, shadow.verdict.recheck_at);
  if (shadow.verdict.trusted() == checked.verdict.trusted() ||
      !shim::LogEnabled(shim::LogLevel::kWarning)) {
    return;
  }
  shim::Log(shim::LogLevel::kWarning,
            absl::StrCat("shadow of ", state.domain(), ": client \"",
                         checked.subject, "\", issuer \"", checked.issuer,
                         "\", fingerprint ", checked.fingerprint, ": now ",
                         pki::ReasonName(checked.verdict.reason), ", shadow ",
                         pki::ReasonName(shadow.verdict.reason),
                         shadow.verdict.detail.empty() ? "" : ": ",
                         Printable(shadow.verdict.detail)));
}

}  // namespace

std::shared_ptr<const CheckedChain> CheckChain(
    const TrustState& state, absl::Span<const absl::string_view> chain,
    const pki::Sha256Digest& digest, absl::Time now, ReadCertificates read) {
  const Key key{state.id(), digest};
  Memory& memory = ThreadMemory();
  if (auto found = memory.Find(key, now)) return found;
  std::shared_ptr<const CheckedChain> known = memory.FindRefusal(key, now);
  if (known != nullptr && read == ReadCertificates::kIfTrusted) {
    return known;
  }
  auto checked = known != nullptr ? std::make_shared<CheckedChain>(*known)
                                  : std::make_shared<CheckedChain>();
  checked->lineage = state.lineage();
  checked->lists = state.lists();
  if (known == nullptr) {
    ++memory.num_checks;
    Answer answer = Ask(state.active(), chain, now, memory.verify);
    checked->verdict = std::move(answer.verdict);
    if (checked->verdict.trusted() &&
        checked->verdict.extended_key_usage_warning) {
      checked->verdict.detail = std::string(kUsageWarning);
    }
    if (answer.source != nullptr) {
      checked->truststore = answer.source->Label();
      checked->truststore_name = answer.source->name;
    }
    checked->verified_at = now;
  }
  const bool texts_do =
      read == ReadCertificates::kIfTrusted && !checked->verdict.trusted();
  // A chain over the limits was refused unread, and is not read here either.
  ReadSent(texts_do || checked->verdict.reason == pki::Reason::kLimitExceeded
               ? chain.subspan(0, 1)
               : chain,
           memory.verify, *checked);
  NameLeaf(*checked);
  if (known == nullptr && state.shadow().has_value()) {
    AskShadow(state, chain, now, memory.verify, *checked);
  }
  if (checked->verdict.trusted()) {
    memory.trusted.Put(key, checked, BytesOf(*checked));
  } else {
    if (known == nullptr) memory.PutRefusal(key, *checked);
    if (!texts_do) memory.refused.Put(key, checked, BytesOf(*checked));
  }
  return checked;
}

std::shared_ptr<const CheckedChain> FindChecked(uint64_t state_id,
                                                const pki::Sha256Digest& digest,
                                                absl::Time now) {
  return ThreadMemory().Find(Key{state_id, digest}, now);
}

std::shared_ptr<const CheckedChain> RefusedUnread(
    uint64_t state_id, absl::Span<const absl::string_view> chain,
    const pki::Sha256Digest& digest, uint64_t lineage, pki::Verdict verdict,
    absl::Time now) {
  auto refused = RefusalOf(std::move(verdict), chain, lineage, now);
  ThreadMemory().refused.Put(Key{state_id, digest}, refused, BytesOf(*refused));
  return refused;
}

std::shared_ptr<const CheckedChain> UncheckedChain(
    absl::Span<const absl::string_view> chain, uint64_t lineage,
    absl::Time now) {
  pki::Verdict verdict;
  verdict.reason = pki::Reason::kConfigurationMissing;
  verdict.detail = std::string(kNoTrust);
  return RefusalOf(std::move(verdict), chain, lineage, now);
}

size_t NumChecksForTest() { return ThreadMemory().num_checks; }

}  // namespace sallyport::cert_validator
