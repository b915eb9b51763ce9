#include "filters/cert_validator/trust_state.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace sallyport::cert_validator {
namespace {

// Changes when the meaning of a spec changes.
constexpr absl::string_view kSchema = "sallyport trust state 3";

void Add(std::string& out, absl::string_view bytes) {
  absl::StrAppend(&out, bytes.size(), ":", bytes, ";");
}
void Add(std::string& out, uint64_t number) {
  absl::StrAppend(&out, number, ";");
}

// What makes a lineage, and the rest.
enum class Part { kLineage, kContent };

void AddTrust(std::string& all, const Trust& trust, Part part) {
  Add(all, trust.sources.size());
  for (const TrustSource& source : trust.sources) {
    if (part == Part::kContent) {
      Add(all, source.version);
      Add(all, pki::AsBytes(source.truststore->truststore().digest()));
      Add(all, source.limits.max_bytes);
      Add(all, source.limits.max_certificates);
      if (source.revocation_lists != nullptr) {
        Add(all, pki::AsBytes(source.revocation_lists->digest()));
      }
      continue;
    }
    Add(all, source.name);
    Add(all, source.source);
    const pki::VerifyPolicy& policy = source.policy;
    Add(all, static_cast<uint64_t>(policy.chain_policy));
    Add(all, static_cast<uint64_t>(policy.extended_key_usage));
    Add(all, policy.max_chain_length);
    Add(all, uint64_t{policy.pin_leaf});
    Add(all, policy.max_client_certificates);
    Add(all, policy.max_client_chain_bytes);
    Add(all, policy.max_signature_checks);
    Add(all, policy.max_path_iterations);
    Add(all, policy.max_verified_paths);
    Add(all, policy.max_sent_name_checks);
    Add(all, source.revocation_origin);
    Add(all, static_cast<uint64_t>(source.revocation_rule));
    Add(all, static_cast<uint64_t>(source.revocation_scope));
  }
  if (part == Part::kLineage) {
    Add(all, trust.deny_origin);
  } else if (trust.deny != nullptr) {
    Add(all, pki::AsBytes(trust.deny->digest()));
  }
}

std::string LineageText(absl::string_view domain, const Trust& active) {
  std::string all;
  Add(all, kSchema);
  Add(all, domain);
  AddTrust(all, active, Part::kLineage);
  return all;
}

// The first eight bytes of its SHA-256.
uint64_t ShortHash(absl::string_view text) {
  const pki::Sha256Digest digest = pki::Sha256(text);
  uint64_t hash;
  std::memcpy(&hash, digest.data(), sizeof(hash));
  return hash;
}

// `all`: a LineageText() of the rules.
pki::Sha256Digest DigestOf(std::string all, const TrustRules& rules) {
  AddTrust(all, rules.active, Part::kContent);
  if (rules.shadow.has_value()) {
    Add(all, "shadow");
    AddTrust(all, *rules.shadow, Part::kLineage);
    AddTrust(all, *rules.shadow, Part::kContent);
  }
  if (rules.lists != nullptr) {
    std::map<absl::string_view, const pki::DenyList*> sorted;
    for (const auto& [name, list] : *rules.lists) sorted[name] = list.get();
    Add(all, "lists");
    for (const auto& [name, list] : sorted) {
      Add(all, name);
      Add(all, pki::AsBytes(list->digest()));
    }
  }
  return pki::Sha256(all);
}

std::string Number(size_t n, absl::string_view one, absl::string_view many) {
  return absl::StrCat(n, " ", n == 1 ? one : many);
}

std::atomic<uint64_t> next_id{1};

// Weak references to everything that is shared; never destroyed, because
// workers may still let go of configurations while the process ends.
struct States {
  absl::Mutex mu;
  absl::flat_hash_map<std::string, std::weak_ptr<const TrustState>> by_digest
      ABSL_GUARDED_BY(mu);
};
States& AllStates() {
  static auto& states = *new States;
  return states;
}

struct Domains {
  struct Slot {
    std::weak_ptr<DomainTrust> trust;
    // How many results of For() live. Each holds the object, so there are none
    // when the object is gone.
    size_t serving = 0;
  };
  absl::Mutex mu;
  absl::flat_hash_map<std::string, Slot> by_name ABSL_GUARDED_BY(mu);
};
Domains& AllDomains() {
  static auto& domains = *new Domains;
  return domains;
}

std::atomic<void (*)()> change_hook{nullptr};

}  // namespace

std::string TrustSource::Label() const {
  return version.empty() ? name : absl::StrCat(name, "@", version);
}

std::string DescribeTrust(const Trust& trust) {
  std::vector<std::string> parts;
  for (const TrustSource& source : trust.sources) {
    std::string part =
        absl::StrCat(source.Label(), " (",
                     Number(source.truststore->truststore().num_certificates(),
                            "certificate", "certificates"),
                     ", ", pki::ChainPolicyName(source.policy.chain_policy));
    if (source.revocation_lists != nullptr) {
      absl::StrAppend(
          &part, ", revocation lists with ",
          Number(source.revocation_lists->num_entries(), "entry", "entries"));
    }
    parts.push_back(absl::StrCat(part, ")"));
  }
  std::string text = absl::StrJoin(parts, ", ");
  if (trust.deny != nullptr) {
    absl::StrAppend(&text, "; denies ",
                    Number(trust.deny->num_entries(), "entry", "entries"));
  }
  return text;
}

std::string LineageDifference(const Trust& before, const Trust& after) {
  std::vector<std::string> parts;
  if (before.deny_origin != after.deny_origin) {
    parts.emplace_back("the deny list");
  }
  const auto names = [](const Trust& trust) {
    std::vector<std::string> all;
    for (const TrustSource& source : trust.sources) all.push_back(source.name);
    return all;
  };
  if (names(before) != names(after)) {
    parts.emplace_back("which truststores, or their order");
  }
  for (const TrustSource& a : after.sources) {
    for (const TrustSource& b : before.sources) {
      if (a.name != b.name) continue;
      const auto differs = [&](bool yes, absl::string_view what) {
        if (yes) {
          parts.push_back(absl::StrCat(what, " of truststore ", a.name));
        }
      };
      const pki::VerifyPolicy& p = a.policy;
      const pki::VerifyPolicy& q = b.policy;
      differs(a.source != b.source, "the source");
      differs(p.chain_policy != q.chain_policy, "the chain policy");
      differs(p.extended_key_usage != q.extended_key_usage,
              "extended_key_usage");
      differs(p.pin_leaf != q.pin_leaf, "pin_leaf");
      differs(p.max_chain_length != q.max_chain_length ||
                  p.max_client_certificates != q.max_client_certificates ||
                  p.max_client_chain_bytes != q.max_client_chain_bytes ||
                  p.max_signature_checks != q.max_signature_checks ||
                  p.max_path_iterations != q.max_path_iterations ||
                  p.max_verified_paths != q.max_verified_paths ||
                  p.max_sent_name_checks != q.max_sent_name_checks,
              "the limits");
      differs(a.revocation_origin != b.revocation_origin ||
                  a.revocation_rule != b.revocation_rule ||
                  a.revocation_scope != b.revocation_scope,
              "the revocation lists or their rule");
    }
  }
  return parts.empty() ? "nothing that is known" : absl::StrJoin(parts, ", ");
}

pki::Sha256Digest TrustRules::Digest() const {
  return DigestOf(LineageText("", active), *this);
}

TrustState::TrustState(Kind kind, absl::string_view domain,
                       std::shared_ptr<const TrustRules> rules,
                       pki::Sha256Digest digest, uint64_t lineage)
    : kind_(kind),
      domain_(domain),
      rules_(std::move(rules)),
      digest_(digest),
      id_(next_id.fetch_add(1)),
      lineage_(lineage) {}

std::string TrustState::LabelText() const {
  return absl::StrJoin(active().sources, ", ",
                       [](std::string* out, const TrustSource& source) {
                         absl::StrAppend(out, source.Label());
                       });
}

std::shared_ptr<const TrustState> TrustState::Intern(Spec spec) {
  auto rules = std::make_shared<const TrustRules>(
      TrustRules{std::move(spec.active), std::move(spec.shadow), nullptr});
  const std::string lineage = LineageText(spec.domain, rules->active);
  const pki::Sha256Digest digest = DigestOf(lineage, *rules);
  States& all = AllStates();
  absl::MutexLock lock(&all.mu);
  auto& slot = all.by_digest[std::string(pki::AsBytes(digest))];
  if (auto state = slot.lock()) return state;
  std::shared_ptr<const TrustState> state(
      new TrustState(Kind::kInterned, spec.domain, std::move(rules), digest,
                     ShortHash(lineage)));
  slot = state;
  return state;
}

std::shared_ptr<const TrustState> TrustState::ForRegistry(
    absl::string_view domain, uint64_t lineage,
    std::shared_ptr<const TrustRules> rules) {
  return std::shared_ptr<const TrustState>(
      new TrustState(Kind::kOfRegistry, domain, std::move(rules),
                     pki::Sha256Digest{}, lineage));
}

uint64_t TrustState::RegistryLineage(absl::string_view domain) {
  std::string all;
  Add(all, kSchema);
  Add(all, "registry");
  Add(all, domain);
  return ShortHash(all);
}

TrustState::~TrustState() {
  if (kind_ == Kind::kOfRegistry) return;
  States& all = AllStates();
  absl::MutexLock lock(&all.mu);
  // An equal state may have been made since the last reference went.
  const auto it = all.by_digest.find(pki::AsBytes(digest_));
  if (it != all.by_digest.end() && it->second.expired()) {
    all.by_digest.erase(it);
  }
}

std::shared_ptr<DomainTrust> DomainTrust::Find(absl::string_view domain,
                                               Use use) {
  Domains& all = AllDomains();
  absl::MutexLock lock(&all.mu);
  Domains::Slot& slot = all.by_name[std::string(domain)];
  std::shared_ptr<DomainTrust> found = slot.trust.lock();
  if (found == nullptr) {
    found.reset(new DomainTrust(domain));
    slot.trust = found;
  }
  if (use == Use::kServes) ++slot.serving;
  return found;
}

std::shared_ptr<DomainTrust> DomainTrust::Unserved(absl::string_view domain) {
  return Find(domain, Use::kBrings);
}

std::shared_ptr<DomainTrust> DomainTrust::For(absl::string_view domain) {
  std::shared_ptr<DomainTrust> found = Find(domain, Use::kServes);
  DomainTrust* const trust = found.get();
  // The deleter holds the object and goes with the last copy of the result.
  return std::shared_ptr<DomainTrust>(
      trust, [found = std::move(found)](DomainTrust* served) {
        Domains& all = AllDomains();
        absl::MutexLock lock(&all.mu);
        const auto it = all.by_name.find(served->domain());
        if (it != all.by_name.end()) --it->second.serving;
      });
}

DomainTrust::~DomainTrust() {
  Domains& all = AllDomains();
  absl::MutexLock lock(&all.mu);
  const auto it = all.by_name.find(domain_);
  if (it != all.by_name.end() && it->second.trust.expired()) {
    all.by_name.erase(it);
  }
}

std::shared_ptr<const TrustState> DomainTrust::current() const {
  absl::MutexLock lock(&mu_);
  return states_.empty() ? nullptr : states_.rbegin()->second;
}

std::shared_ptr<const TrustState> DomainTrust::CurrentOf(
    uint64_t lineage) const {
  absl::MutexLock lock(&mu_);
  for (auto it = states_.rbegin(); it != states_.rend(); ++it) {
    if (it->second->lineage() == lineage) return it->second;
  }
  return nullptr;
}

std::vector<std::shared_ptr<const TrustState>> DomainTrust::CurrentOfAll()
    const {
  std::vector<std::shared_ptr<const TrustState>> all;
  absl::MutexLock lock(&mu_);
  for (auto it = states_.rbegin(); it != states_.rend(); ++it) {
    const bool known =
        std::any_of(all.begin(), all.end(), [&](const auto& state) {
          return state->lineage() == it->second->lineage();
        });
    if (!known) all.push_back(it->second);
  }
  return all;
}

void DomainTrust::SetChangeHook(void (*hook)()) { change_hook.store(hook); }

bool DomainTrust::IsServed(absl::string_view domain) {
  Domains& all = AllDomains();
  absl::ReaderMutexLock lock(&all.mu);
  const auto it = all.by_name.find(domain);
  return it != all.by_name.end() && it->second.serving > 0;
}

void DomainTrust::Put(uint64_t generation,
                      std::shared_ptr<const TrustState> state) {
  // The old state is let go of outside the lock: it may free a truststore.
  std::shared_ptr<const TrustState> old;
  {
    absl::MutexLock lock(&mu_);
    if (state == nullptr) {
      const auto it = states_.find(generation);
      if (it != states_.end()) {
        old = std::move(it->second);
        states_.erase(it);
      }
    } else {
      auto& slot = states_[generation];
      old = std::move(slot);
      slot = std::move(state);
    }
    Publish();
  }
  if (const auto hook = change_hook.load()) hook();
}

void DomainTrust::Publish() {
  current_id_.store(states_.empty() ? 0 : states_.rbegin()->second->id(),
                    std::memory_order_release);
  // Last: who sees the new count sees the rest.
  changes_.fetch_add(1, std::memory_order_acq_rel);
}

DomainTrust::Judge::Judge(std::shared_ptr<DomainTrust> domain)
    : domain_(std::move(domain)) {
  domain_->judges_.fetch_add(1, std::memory_order_acq_rel);
}

DomainTrust::Judge::~Judge() {
  domain_->judges_.fetch_sub(1, std::memory_order_acq_rel);
}

DomainTrust::Binding::Binding(std::shared_ptr<DomainTrust> domain,
                              std::shared_ptr<const TrustState> state)
    : domain_(std::move(domain)), generation_(next_id.fetch_add(1)) {
  domain_->Put(generation_, std::move(state));
}

DomainTrust::Binding::~Binding() { domain_->Put(generation_, nullptr); }

void DomainTrust::Binding::Set(std::shared_ptr<const TrustState> state) {
  domain_->Put(generation_, std::move(state));
}

}  // namespace sallyport::cert_validator
