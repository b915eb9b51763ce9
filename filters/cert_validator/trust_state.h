// TrustState: everything that decides about the clients of one domain, as one
// immutable value; DomainTrust: which TrustState is in force for a domain.
//
// A validator binds the state that its own configuration gives; for a domain
// whose validators are `from_registry`, the registry does (registry.h).
//
// Threads. States are made and bound on Envoy's main thread (a configuration)
// or on the watcher's thread (a file); bindings end on any thread. Workers
// compare DomainTrust::current_id() with the id in a connection's record, which
// is one atomic load, and take a reference to the state itself only when the
// two differ or time has run out.

#ifndef SALLYPORT_FILTERS_CERT_VALIDATOR_TRUST_STATE_H_
#define SALLYPORT_FILTERS_CERT_VALIDATOR_TRUST_STATE_H_

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/types/optional.h"
#include "filters/cert_validator/shared_truststore.h"
#include "pki/chain/verify.h"
#include "pki/truststore/deny_list.h"
#include "pki/truststore/revocation.h"
#include "pki/x509/certificate.h"

namespace sallyport::cert_validator {

// One truststore as a domain uses it.
struct TrustSource {
  std::string name;
  std::string version;  // may be empty
  // Where it comes from: "inline", "registry", or "file:" and the path.
  std::string source;
  std::shared_ptr<const SharedTruststore> truststore;
  pki::TruststoreLimits limits;  // what it was read with
  pki::VerifyPolicy policy;
  // Null: nothing is checked for revocation.
  std::shared_ptr<const pki::RevocationLists> revocation_lists;
  // Which lists those are, whatever they hold (RevocationSource::origin()).
  std::string revocation_origin;
  pki::RevocationRule revocation_rule = pki::RevocationRule::kSoftFail;
  pki::RevocationScope revocation_scope = pki::RevocationScope::kChain;

  // "name@version", or "name" without a version.
  std::string Label() const;
};

// What a client is judged by: the first source that trusts it vouches.
struct Trust {
  std::vector<TrustSource> sources;
  std::shared_ptr<const pki::DenyList> deny;  // null: none
  std::string deny_origin;                    // DenySource::origin()
};

// One domain's trust by its configuration, in a sentence for an operator: "name
// (N certificates, policy[, revocation lists with N entries])", joined by
// commas, and the deny list's number of entries.
std::string DescribeTrust(const Trust& trust);

// All that decides but the domain, so that domains can share one.
struct TrustRules {
  Trust active;
  // Decides nothing: Shadow in config.proto.
  absl::optional<Trust> shadow;
  // What client rules of the domain may name (certificate_list). Null: nothing.
  std::shared_ptr<const pki::NamedDenyLists> lists;

  // SHA-256 over everything in it, the truststores by their content.
  pki::Sha256Digest Digest() const;
};

class TrustState {
 public:
  struct Spec {
    std::string domain;
    Trust active;
    absl::optional<Trust> shadow;
  };

  // The state for `spec`. Equal specs give the same object while one of its
  // users lives, so a configuration that is loaded again without a change
  // keeps its id. Thread-safe.
  static std::shared_ptr<const TrustState> Intern(Spec spec);

  // The state of `domain` that the registry made of `rules`: a new one each
  // time. `lineage` is RegistryLineage(domain). Costs two allocations.
  static std::shared_ptr<const TrustState> ForRegistry(
      absl::string_view domain, uint64_t lineage,
      std::shared_ptr<const TrustRules> rules);
  // lineage() of all states that the registry makes for `domain`: it has one
  // trust for a domain, so whatever changes in it is an update.
  static uint64_t RegistryLineage(absl::string_view domain);

  TrustState(const TrustState&) = delete;
  ~TrustState();

  // Unique in the process for ever; never 0.
  uint64_t id() const { return id_; }
  // SHA-256 over everything in the spec, the truststores by their content.
  // Zeros for a state of the registry.
  const pki::Sha256Digest& digest() const { return digest_; }
  // What stays the same when a configuration is updated: a hash of the domain
  // and of the truststores' names, sources and policies, and of which lists can
  // revoke. Two states of one
  // domain with different lineages come from configurations that differ in
  // more than the content of truststores and lists.
  uint64_t lineage() const { return lineage_; }
  const std::string& domain() const { return domain_; }
  const Trust& active() const { return rules_->active; }
  const absl::optional<Trust>& shadow() const { return rules_->shadow; }
  const std::shared_ptr<const pki::NamedDenyLists>& lists() const {
    return rules_->lists;
  }
  // The labels of active().sources, for logs: "a@1, b".
  std::string LabelText() const;

 private:
  enum class Kind { kInterned, kOfRegistry };
  TrustState(Kind kind, absl::string_view domain,
             std::shared_ptr<const TrustRules> rules, pki::Sha256Digest digest,
             uint64_t lineage);

  const Kind kind_;
  const std::string domain_;
  const std::shared_ptr<const TrustRules> rules_;
  const pki::Sha256Digest digest_;
  const uint64_t id_;
  const uint64_t lineage_;
};

// What makes the lineages of two states of one domain differ, given what is
// active in them, for an operator: "the deny list, the chain policy of
// truststore partners".
std::string LineageDifference(const Trust& before, const Trust& after);

// The trust in force for one domain, shared by the validators and HTTP filters
// of that domain. Several validators may be bound at once (the old and the new
// TLS context while connections of the old one live; several listeners): the
// one that was bound last decides, and when it ends, the one before it does.
//
// A domain has one trust. When states of different lineages are bound at once,
// an update cannot be told from two filter chains that trust different
// clients, so a connection needs the trust of its own lineage and of the one
// that was bound last.
class DomainTrust {
 public:
  // The object for `domain` (as ReadDomain() returns it), made at the first
  // call and gone with its last user. For those that serve the domain
  // (IsServed()). Thread-safe.
  static std::shared_ptr<DomainTrust> For(absl::string_view domain);
  // The same object, for who only brings its trust.
  static std::shared_ptr<DomainTrust> Unserved(absl::string_view domain);

  DomainTrust(const DomainTrust&) = delete;
  ~DomainTrust();

  const std::string& domain() const { return domain_; }

  // id() of the state in force; 0 when there is none. Lock-free.
  uint64_t current_id() const {
    return current_id_.load(std::memory_order_acquire);
  }
  // Goes up with every change of what is bound, of older lineages too: what
  // was decided while it stayed the same is not out of date. Lock-free.
  uint64_t changes() const { return changes_.load(std::memory_order_acquire); }
  // The state in force, or null. A short lock: not for every request.
  std::shared_ptr<const TrustState> current() const ABSL_LOCKS_EXCLUDED(mu_);
  // The state of `lineage` that was bound last, or null. A short lock.
  std::shared_ptr<const TrustState> CurrentOf(uint64_t lineage) const
      ABSL_LOCKS_EXCLUDED(mu_);
  // The state that was bound last of each lineage, the one in force first. A
  // short lock.
  std::vector<std::shared_ptr<const TrustState>> CurrentOfAll() const
      ABSL_LOCKS_EXCLUDED(mu_);
  // Calls `hook` after each change of any domain's changes(), on the thread
  // that made it, without locks held. One hook in the process, set once.
  static void SetChangeHook(void (*hook)());

  // Whether `domain` (no wildcard) is one that some validator or filter of
  // this process serves: somebody holds what For() returned. A short lock.
  static bool IsServed(absl::string_view domain);

  // Whether a filter that judges the domain's clients is here (Judge): only
  // then may a handshake of a client go on that is not trusted. Lock-free.
  bool has_judge() const { return judges_.load(std::memory_order_acquire) > 0; }

  // The share of a filter configuration by which the domain's clients are
  // judged, for as long as it is loaded. A filter that asks for no certificate
  // (NOT_ASKED) has none.
  class Judge {
   public:
    explicit Judge(std::shared_ptr<DomainTrust> domain);
    ~Judge();
    Judge(const Judge&) = delete;

   private:
    const std::shared_ptr<DomainTrust> domain_;
  };

  // One validator's share, for as long as it lives.
  class Binding {
   public:
    Binding(std::shared_ptr<DomainTrust> domain,
            std::shared_ptr<const TrustState> state);
    ~Binding();
    Binding(const Binding&) = delete;

    // Replaces this binding's state; its place in the order stays.
    void Set(std::shared_ptr<const TrustState> state);

   private:
    const std::shared_ptr<DomainTrust> domain_;
    const uint64_t generation_;
  };

 private:
  explicit DomainTrust(absl::string_view domain) : domain_(domain) {}

  enum class Use { kServes, kBrings };
  static std::shared_ptr<DomainTrust> Find(absl::string_view domain, Use use);

  void Put(uint64_t generation, std::shared_ptr<const TrustState> state)
      ABSL_LOCKS_EXCLUDED(mu_);
  void Publish() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const std::string domain_;
  mutable absl::Mutex mu_;
  // By generation; the last one is in force.
  std::map<uint64_t, std::shared_ptr<const TrustState>> states_
      ABSL_GUARDED_BY(mu_);
  std::atomic<uint64_t> current_id_{0};
  std::atomic<uint64_t> changes_{0};
  std::atomic<int> judges_{0};
};

}  // namespace sallyport::cert_validator

#endif  // SALLYPORT_FILTERS_CERT_VALIDATOR_TRUST_STATE_H_
