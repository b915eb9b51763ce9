// Registry: what `from_registry` validators judge clients by, one for the
// process: truststores, revocation lists and lists of certificates by name, and
// for each domain a binding that names some of them.
//
// It is filled by configurations of the validator `sallyport.registry` (see
// RegistryEntry in config.proto), which Envoy loads one by one, in any order,
// and lets go of whenever it likes. What it comes to for a domain, the registry
// binds in DomainTrust, where the handshake, both filters and TrustWatch find
// it as they find the trust of any other validator.
//
// Rules.
//  * Of the entries for one name, or one domain, that are here, the one that
//    was loaded last counts. So when an old one goes late it takes nothing away
//    from a newer one; and when Envoy loads one and then drops it again,
//    because something else in the same update was refused, the one before it
//    counts as before.
//  * A binding takes effect when everything that it names is here. Until then
//    the one that took effect before stays in force, though its own entry may
//    be gone, and still follows the truststores that it names. A domain has no
//    trust (CONFIGURATION_MISSING) before its first binding takes effect, and
//    after its last entry has gone.
//  * What a binding in force names may go away: it keeps what it had.
//
// Cost. Bindings that differ in nothing but the domain share one TrustRules. A
// truststore is parsed when its entry is loaded; the rules that name it are
// made anew once for each different binding, and each domain then gets a
// TrustState that points to them.
//
// Thread-safe. Readers (DomainTrust) never wait for it.

#ifndef SALLYPORT_FILTERS_CERT_VALIDATOR_REGISTRY_H_
#define SALLYPORT_FILTERS_CERT_VALIDATOR_REGISTRY_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/types/optional.h"
#include "filters/cert_validator/registry_value.h"
#include "filters/cert_validator/trust_state.h"
#include "proto/sallyport/filter/v1/config.pb.h"

namespace sallyport::cert_validator {

class Registry {
 public:
  // The one of the process (of this copy of the module); never destroyed.
  static Registry& Global();

  Registry() = default;
  Registry(const Registry&) = delete;
  Registry& operator=(const Registry&) = delete;

  // An entry that is here for as long as this object lives. It may die on any
  // thread, before or after others of the same name, and not after the
  // registry.
  class Entry {
   public:
    ~Entry();
    Entry(const Entry&) = delete;
    Entry& operator=(const Entry&) = delete;

   private:
    friend class Registry;
    enum class Kind {
      kTruststore,
      kRevocationLists,
      kCertificateList,
      kBinding
    };
    Entry(Registry& registry, Kind kind, std::string name, uint64_t generation)
        : registry_(registry),
          kind_(kind),
          name_(std::move(name)),
          generation_(generation) {}

    Registry& registry_;
    const Kind kind_;
    const std::string name_;  // a binding's: the domain
    const uint64_t generation_;
  };

  // Checks `config`, parses what it holds and adds it. When this returns, every
  // domain that it concerns has its new trust. InvalidArgument: see
  // registry_value.h; nothing has changed.
  absl::StatusOr<std::unique_ptr<Entry>> Load(
      const filter::v1::RegistryEntry& config) ABSL_LOCKS_EXCLUDED(mu_);

  // How many domains have a binding, how many of those wait for something, and
  // how many different bindings there are.
  struct Counts {
    size_t domains = 0;
    size_t waiting = 0;
    size_t profiles = 0;
  };
  Counts counts() const ABSL_LOCKS_EXCLUDED(mu_);

 private:
  // By generation; the last one counts.
  template <typename T>
  using Generations = std::map<uint64_t, std::shared_ptr<const T>>;
  template <typename T>
  using ByName = absl::flat_hash_map<std::string, Generations<T>>;
  // What must not be freed under the lock: it may be large.
  using Garbage = std::vector<std::shared_ptr<const void>>;
  struct Domain;

  // One binding, however many domains have it.
  struct Profile {
    BindingSpec spec;
    // What it came to when everything was here; null before that.
    std::shared_ptr<const TrustRules> rules;
    pki::Sha256Digest rules_digest{};  // of `rules`
    // Whether everything is here now; what is not, for people.
    bool complete = false;
    std::string missing;
    // Keys of users_ that it is in.
    std::vector<std::string> names;
    // Whose bindings it is, and how many times.
    absl::flat_hash_map<Domain*, int> domains;
  };

  struct Domain {
    std::string name;
    uint64_t lineage = 0;
    std::shared_ptr<DomainTrust> trust;
    // The bindings that are here, by generation.
    std::map<uint64_t, Profile*> bindings;
    // The one in force; its own entry may have gone. Null: none.
    Profile* in_force = nullptr;
    uint64_t in_force_generation = 0;
    // What is bound in `trust`.
    std::shared_ptr<const TrustRules> bound_rules;
    std::unique_ptr<DomainTrust::Binding> binding;
  };

  // The lists of one truststore, together.
  struct Combined {
    std::vector<std::shared_ptr<const RegistryRevocationLists>> parts;
    absl::StatusOr<std::shared_ptr<const pki::RevocationLists>> lists;
  };

  std::unique_ptr<Entry> NewEntry(Entry::Kind kind, std::string name);
  template <typename T>
  void AddValue(const Entry& entry, std::shared_ptr<const T> value,
                ByName<T>& values, Garbage& garbage)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void AddBinding(const Entry& entry, BindingSpec spec, Garbage& garbage)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  template <typename T>
  void RemoveValue(const Entry& entry, ByName<T>& values, Garbage& garbage)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void RemoveBinding(const Entry& entry, Garbage& garbage)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Remove(const Entry& entry) ABSL_LOCKS_EXCLUDED(mu_);

  // What is named `key` changed: all that follow it, follow.
  void Changed(const std::string& key, Garbage& garbage)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Looks again at everything that the profile names. True when that made a
  // difference to its domains.
  bool Resolve(Profile& profile, Garbage& garbage)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // The entry of the truststore `name` with that content, or the active one;
  // null, with a word added to `profile.missing`, when it is not here.
  std::shared_ptr<const RegistryTruststore> Find(
      const std::string& name, const absl::optional<PinnedVersion>& pinned,
      Profile& profile) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Everything that the profile names. What is not here is left out and noted
  // in `profile.missing`.
  TrustRules ResolveRules(Profile& profile, Garbage& garbage)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // The revocation lists that `truststore` names; null when it names none, or
  // when something is not here or does not fit together.
  std::shared_ptr<const pki::RevocationLists> CombinedLists(
      const RegistryTruststore& truststore, Profile& profile, Garbage& garbage)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Null when it is not here.
  std::shared_ptr<const pki::DenyList> CertificateList(const std::string& name,
                                                       Profile& profile)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  static void Miss(Profile& profile, absl::string_view what);
  void Follow(Profile& profile, std::string key)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  // Decides which binding of the domain is in force and binds what it came to.
  void Update(Domain& domain, Garbage& garbage)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  static void Use(Profile& profile, Domain& domain);
  // The profile may be gone afterwards.
  void Release(Profile& profile, Domain& domain, Garbage& garbage)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Takes the profile out of users_.
  void Forget(Profile& profile) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  std::atomic<uint64_t> last_generation_{0};
  mutable absl::Mutex mu_;
  ByName<RegistryTruststore> truststores_ ABSL_GUARDED_BY(mu_);
  ByName<RegistryRevocationLists> revocation_lists_ ABSL_GUARDED_BY(mu_);
  ByName<RegistryCertificateList> certificate_lists_ ABSL_GUARDED_BY(mu_);
  // While the truststore is here.
  absl::flat_hash_map<const RegistryTruststore*, Combined> combined_
      ABSL_GUARDED_BY(mu_);
  absl::flat_hash_map<std::string, std::unique_ptr<Profile>> profiles_
      ABSL_GUARDED_BY(mu_);  // by spec.key
  absl::flat_hash_map<std::string, std::unique_ptr<Domain>> domains_
      ABSL_GUARDED_BY(mu_);
  // Which profiles name a key, here or not: "truststore/" and the name, ...
  absl::flat_hash_map<std::string, absl::flat_hash_set<Profile*>> users_
      ABSL_GUARDED_BY(mu_);
};

}  // namespace sallyport::cert_validator

#endif  // SALLYPORT_FILTERS_CERT_VALIDATOR_REGISTRY_H_
