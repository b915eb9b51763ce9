#include "filters/cert_validator/registry.h"

#include <type_traits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "base/text.h"
#include "filters/cert_validator/revocation_source.h"
#include "filters/shim/log.h"

namespace sallyport::cert_validator {

namespace v1 = ::sallyport::filter::v1;

namespace {

constexpr char kSource[] = "registry";
// The longest text about what a binding waits for.
constexpr size_t kMaxMissingText = 512;

std::string TruststoreKey(absl::string_view name) {
  return absl::StrCat("truststore/", name);
}
std::string ListsKey(absl::string_view name) {
  return absl::StrCat("revocation_lists/", name);
}
std::string CertificatesKey(absl::string_view name) {
  return absl::StrCat("certificate_list/", name);
}

std::string KeyOf(const RegistryTruststore& value) {
  return TruststoreKey(value.name);
}
std::string KeyOf(const RegistryRevocationLists& value) {
  return ListsKey(value.name);
}
std::string KeyOf(const RegistryCertificateList& value) {
  return CertificatesKey(value.name);
}

absl::StatusOr<std::shared_ptr<const pki::RevocationLists>> Combine(
    const std::vector<std::shared_ptr<const RegistryRevocationLists>>& parts,
    const pki::RevocationLimits& limits) {
  // What was read when the entry was loaded, where that will do.
  if (parts.size() == 1 && parts[0]->bytes.size() <= limits.max_bytes &&
      parts[0]->lists->num_entries() <= limits.max_entries) {
    return parts[0]->lists;
  }
  std::vector<absl::string_view> sources;
  sources.reserve(parts.size());
  for (const auto& part : parts) sources.push_back(part->bytes);
  return ParseRevocationLists(sources, limits);
}

}  // namespace

Registry& Registry::Global() {
  static auto& registry = *new Registry;
  return registry;
}

Registry::Entry::~Entry() { registry_.Remove(*this); }

absl::StatusOr<std::unique_ptr<Registry::Entry>> Registry::Load(
    const v1::RegistryEntry& config) {
  // Declared before any lock is taken, so that both go after its release.
  Garbage garbage;
  std::unique_ptr<Entry> entry;
  std::string text;
  switch (config.entry_case()) {
    case v1::RegistryEntry::kTruststore: {
      SALLYPORT_ASSIGN_OR_RETURN(auto value,
                                 ReadRegistryTruststore(config.truststore()));
      text = absl::StrCat(
          "truststore ", value->name, value->version.empty() ? "" : "@",
          value->version, value->active ? "" : " (for those that pin it)", ", ",
          value->truststore->truststore().num_certificates(), " certificates");
      entry = NewEntry(Entry::Kind::kTruststore, value->name);
      absl::MutexLock lock(&mu_);
      AddValue(*entry, std::move(value), truststores_, garbage);
      break;
    }
    case v1::RegistryEntry::kRevocationLists: {
      SALLYPORT_ASSIGN_OR_RETURN(
          auto value, ReadRegistryRevocationLists(config.revocation_lists()));
      text = absl::StrCat("revocation lists ", value->name, ", ",
                          value->lists->lists().size(), " with ",
                          value->lists->num_entries(), " entries");
      entry = NewEntry(Entry::Kind::kRevocationLists, value->name);
      absl::MutexLock lock(&mu_);
      AddValue(*entry, std::move(value), revocation_lists_, garbage);
      break;
    }
    case v1::RegistryEntry::kCertificateList: {
      SALLYPORT_ASSIGN_OR_RETURN(
          auto value, ReadRegistryCertificateList(config.certificate_list()));
      text = absl::StrCat("certificate list ", value->name, ", ",
                          value->list->num_entries(), " entries");
      entry = NewEntry(Entry::Kind::kCertificateList, value->name);
      absl::MutexLock lock(&mu_);
      AddValue(*entry, std::move(value), certificate_lists_, garbage);
      break;
    }
    case v1::RegistryEntry::kBinding: {
      SALLYPORT_ASSIGN_OR_RETURN(Binding binding,
                                 ReadBinding(config.binding()));
      entry = NewEntry(Entry::Kind::kBinding, std::move(binding.domain));
      absl::MutexLock lock(&mu_);
      AddBinding(*entry, std::move(binding.spec), garbage);
      break;
    }
    default:
      return absl::InvalidArgumentError(
          "entry: is empty; set truststore, revocation_lists, "
          "certificate_list or binding");
  }
  if (!text.empty()) {
    shim::Log(shim::LogLevel::kInfo, absl::StrCat("registry: loaded ", text));
  }
  return entry;
}

Registry::Counts Registry::counts() const {
  absl::MutexLock lock(&mu_);
  Counts counts;
  counts.profiles = profiles_.size();
  for (const auto& [name, domain] : domains_) {
    ++counts.domains;
    const auto newest = domain->bindings.rbegin();
    if (newest != domain->bindings.rend() && !newest->second->complete) {
      ++counts.waiting;
    }
  }
  return counts;
}

std::unique_ptr<Registry::Entry> Registry::NewEntry(Entry::Kind kind,
                                                    std::string name) {
  return std::unique_ptr<Entry>(
      new Entry(*this, kind, std::move(name), ++last_generation_));
}

template <typename T>
void Registry::AddValue(const Entry& entry, std::shared_ptr<const T> value,
                        ByName<T>& values, Garbage& garbage) {
  const std::string key = KeyOf(*value);
  values[entry.name_].emplace(entry.generation_, std::move(value));
  Changed(key, garbage);
}

void Registry::AddBinding(const Entry& entry, BindingSpec spec,
                          Garbage& garbage) {
  auto& domain = domains_[entry.name_];
  if (domain == nullptr) {
    domain = std::make_unique<Domain>();
    domain->name = entry.name_;
    domain->lineage = TrustState::RegistryLineage(entry.name_);
    domain->trust = DomainTrust::Unserved(entry.name_);
  }
  auto& profile = profiles_[spec.key];
  if (profile == nullptr) {
    profile = std::make_unique<Profile>();
    profile->spec = std::move(spec);
    Resolve(*profile, garbage);
  }
  domain->bindings.emplace(entry.generation_, profile.get());
  Use(*profile, *domain);
  if (!profile->complete) {
    shim::Log(shim::LogLevel::kInfo,
              absl::StrCat("registry: the binding of ", domain->name,
                           " waits for ", profile->missing,
                           domain->in_force == nullptr
                               ? "; the domain has no trust yet"
                               : "; the one before it stays in force"));
  }
  Update(*domain, garbage);
}

void Registry::Remove(const Entry& entry) {
  Garbage garbage;
  absl::MutexLock lock(&mu_);
  switch (entry.kind_) {
    case Entry::Kind::kTruststore:
      RemoveValue(entry, truststores_, garbage);
      break;
    case Entry::Kind::kRevocationLists:
      RemoveValue(entry, revocation_lists_, garbage);
      break;
    case Entry::Kind::kCertificateList:
      RemoveValue(entry, certificate_lists_, garbage);
      break;
    case Entry::Kind::kBinding:
      RemoveBinding(entry, garbage);
      break;
  }
}

template <typename T>
void Registry::RemoveValue(const Entry& entry, ByName<T>& values,
                           Garbage& garbage) {
  const auto found = values.find(entry.name_);
  if (found == values.end()) return;
  const auto it = found->second.find(entry.generation_);
  if (it == found->second.end()) return;
  const std::shared_ptr<const T> value = std::move(it->second);
  garbage.push_back(value);
  found->second.erase(it);
  if (found->second.empty()) values.erase(found);
  if constexpr (std::is_same_v<T, RegistryTruststore>) {
    const auto combined = combined_.find(value.get());
    if (combined != combined_.end()) {
      if (combined->second.lists.ok()) {
        garbage.push_back(*combined->second.lists);
      }
      combined_.erase(combined);
    }
  }
  Changed(KeyOf(*value), garbage);
}

void Registry::RemoveBinding(const Entry& entry, Garbage& garbage) {
  const auto found = domains_.find(entry.name_);
  if (found == domains_.end()) return;
  Domain& domain = *found->second;
  const auto it = domain.bindings.find(entry.generation_);
  if (it == domain.bindings.end()) return;
  Profile& profile = *it->second;
  domain.bindings.erase(it);
  Update(domain, garbage);
  Release(profile, domain, garbage);
  if (domain.bindings.empty()) domains_.erase(entry.name_);
}

void Registry::Changed(const std::string& key, Garbage& garbage) {
  const auto it = users_.find(key);
  if (it == users_.end()) return;
  // Resolve() edits users_, and Update() may end a profile, though none that
  // has not been looked at: those of one domain end when another takes over.
  std::vector<std::string> profiles;
  for (const Profile* profile : it->second) {
    profiles.push_back(profile->spec.key);
  }
  for (const std::string& name : profiles) {
    const auto found = profiles_.find(name);
    if (found == profiles_.end()) continue;
    Profile& profile = *found->second;
    if (!Resolve(profile, garbage)) continue;
    std::vector<Domain*> domains;
    domains.reserve(profile.domains.size());
    for (const auto& [domain, uses] : profile.domains) {
      domains.push_back(domain);
    }
    for (Domain* domain : domains) Update(*domain, garbage);
  }
}

void Registry::Miss(Profile& profile, absl::string_view what) {
  if (profile.missing.size() > kMaxMissingText) return;
  absl::StrAppend(&profile.missing, profile.missing.empty() ? "" : ", ", what);
}

void Registry::Follow(Profile& profile, std::string key) {
  if (users_[key].insert(&profile).second) {
    profile.names.push_back(std::move(key));
  }
}

std::shared_ptr<const RegistryTruststore> Registry::Find(
    const std::string& name, const absl::optional<PinnedVersion>& pinned,
    Profile& profile) {
  Follow(profile, TruststoreKey(name));
  const auto found = truststores_.find(name);
  if (found != truststores_.end()) {
    for (auto it = found->second.rbegin(); it != found->second.rend(); ++it) {
      const RegistryTruststore& value = *it->second;
      if (pinned.has_value() ? value.digest == pinned->digest : value.active) {
        return it->second;
      }
    }
  }
  Miss(profile,
       absl::StrCat(
           "truststore ", name,
           pinned.has_value()
               ? absl::StrCat(
                     "@", pinned->version, " (SHA-256 ",
                     HexLower(pki::AsBytes(pinned->digest)).substr(0, 16),
                     "...)")
               : " (the active version)"));
  return nullptr;
}

std::shared_ptr<const pki::RevocationLists> Registry::CombinedLists(
    const RegistryTruststore& truststore, Profile& profile, Garbage& garbage) {
  if (truststore.revocation_lists.empty()) return nullptr;
  std::vector<std::shared_ptr<const RegistryRevocationLists>> parts;
  for (const std::string& name : truststore.revocation_lists) {
    Follow(profile, ListsKey(name));
    const auto found = revocation_lists_.find(name);
    if (found == revocation_lists_.end()) {
      Miss(profile, absl::StrCat("revocation lists ", name));
    } else {
      parts.push_back(found->second.rbegin()->second);
    }
  }
  if (parts.size() != truststore.revocation_lists.size()) return nullptr;
  Combined& combined = combined_[&truststore];
  if (combined.parts != parts) {
    if (combined.lists.ok()) garbage.push_back(*combined.lists);
    garbage.insert(garbage.end(), combined.parts.begin(), combined.parts.end());
    combined.lists = Combine(parts, truststore.revocation_limits);
    combined.parts = std::move(parts);
    if (!combined.lists.ok()) {
      shim::Log(
          shim::LogLevel::kError,
          absl::StrCat("registry: the revocation lists of truststore ",
                       truststore.name,
                       " are refused together, what was in force stays: ",
                       Printable(combined.lists.status().message(), 1024)));
    }
  }
  if (combined.lists.ok()) return *combined.lists;
  Miss(profile, absl::StrCat("revocation lists of truststore ", truststore.name,
                             " that fit together"));
  return nullptr;
}

std::shared_ptr<const pki::DenyList> Registry::CertificateList(
    const std::string& name, Profile& profile) {
  Follow(profile, CertificatesKey(name));
  const auto found = certificate_lists_.find(name);
  if (found != certificate_lists_.end()) {
    return found->second.rbegin()->second->list;
  }
  Miss(profile, absl::StrCat("certificate list ", name));
  return nullptr;
}

TrustRules Registry::ResolveRules(Profile& profile, Garbage& garbage) {
  const BindingSpec& spec = profile.spec;
  TrustRules rules;
  Trust shadow;
  bool has_shadow = false;
  for (const TruststoreReference& reference : spec.truststores) {
    const auto value = Find(reference.name, reference.pinned, profile);
    if (value == nullptr) continue;
    TrustSource source;
    source.name = value->name;
    source.version = reference.pinned.has_value() ? reference.pinned->version
                                                  : value->version;
    source.source = kSource;
    source.truststore = value->truststore;
    source.limits = value->limits;
    source.policy = spec.policy;
    source.policy.chain_policy = value->policy.chain_policy;
    source.policy.extended_key_usage =
        reference.extended_key_usage.value_or(value->policy.extended_key_usage);
    source.policy.pin_leaf = value->policy.pin_leaf;
    source.policy.max_chain_length =
        value->max_chain_length.value_or(spec.policy.max_chain_length);
    source.revocation_lists = CombinedLists(*value, profile, garbage);
    if (!value->revocation_lists.empty()) source.revocation_origin = kSource;
    source.revocation_rule = value->revocation_rule;
    source.revocation_scope = value->revocation_scope;
    TrustSource other = source;
    if (!reference.pinned.has_value() && value->shadow.has_value()) {
      const auto candidate = Find(reference.name, value->shadow, profile);
      if (candidate != nullptr) {
        has_shadow = true;
        other.version = value->shadow->version;
        other.truststore = candidate->truststore;
        other.limits = candidate->limits;
      }
    }
    shadow.sources.push_back(std::move(other));
    rules.active.sources.push_back(std::move(source));
  }
  std::vector<std::shared_ptr<const pki::DenyList>> denied;
  for (const std::string& name : spec.deny_lists) {
    denied.push_back(CertificateList(name, profile));
  }
  auto lists = std::make_shared<pki::NamedDenyLists>();
  for (const std::string& name : spec.certificate_lists) {
    (*lists)[name] = CertificateList(name, profile);
  }
  if (!profile.missing.empty()) return rules;
  if (!denied.empty()) {
    rules.active.deny = denied.size() == 1
                            ? std::move(denied.front())
                            : pki::DenyList::Join(std::move(denied));
    rules.active.deny_origin = kSource;
  }
  if (!lists->empty()) rules.lists = std::move(lists);
  if (has_shadow) {
    shadow.deny = rules.active.deny;
    shadow.deny_origin = rules.active.deny_origin;
    rules.shadow = std::move(shadow);
  }
  return rules;
}

bool Registry::Resolve(Profile& profile, Garbage& garbage) {
  const bool was_complete = profile.complete;
  Forget(profile);
  profile.missing.clear();
  auto rules =
      std::make_shared<const TrustRules>(ResolveRules(profile, garbage));
  profile.complete = profile.missing.empty();
  if (!profile.complete) {
    garbage.push_back(std::move(rules));
    return was_complete;
  }
  const pki::Sha256Digest digest = rules->Digest();
  if (profile.rules != nullptr && digest == profile.rules_digest) {
    garbage.push_back(std::move(rules));
    return !was_complete;
  }
  garbage.push_back(std::move(profile.rules));
  profile.rules = std::move(rules);
  profile.rules_digest = digest;
  return true;
}

void Registry::Update(Domain& domain, Garbage& garbage) {
  const uint64_t newest =
      domain.bindings.empty() ? 0 : domain.bindings.rbegin()->first;
  const bool is_here = domain.in_force != nullptr &&
                       domain.bindings.count(domain.in_force_generation) != 0;
  // Superseded by one that may still wait, or withdrawn.
  const bool withdrawn = domain.in_force != nullptr && !is_here &&
                         domain.in_force_generation > newest;
  Profile* next = withdrawn ? nullptr : domain.in_force;
  uint64_t next_generation = withdrawn ? 0 : domain.in_force_generation;
  for (auto it = domain.bindings.rbegin(); it != domain.bindings.rend(); ++it) {
    if (next != nullptr && it->first <= next_generation) break;
    if (!it->second->complete) continue;
    next = it->second;
    next_generation = it->first;
    break;
  }
  if (next == nullptr) next_generation = 0;
  if (next != domain.in_force) {
    Profile* const old = domain.in_force;
    if (next != nullptr) Use(*next, domain);
    domain.in_force = next;
    if (old != nullptr) Release(*old, domain, garbage);
  }
  domain.in_force_generation = next_generation;

  const std::shared_ptr<const TrustRules> rules =
      next == nullptr ? nullptr : next->rules;
  if (rules == domain.bound_rules) return;
  garbage.push_back(domain.bound_rules);
  domain.bound_rules = rules;
  if (rules == nullptr) {
    domain.binding.reset();
    shim::Log(shim::LogLevel::kInfo, absl::StrCat("registry: ", domain.name,
                                                  " has no trust any more"));
    return;
  }
  auto state = TrustState::ForRegistry(domain.name, domain.lineage, rules);
  if (shim::LogEnabled(shim::LogLevel::kDebug)) {
    shim::Log(shim::LogLevel::kDebug,
              absl::StrCat("registry: ", domain.name, " now trusts ",
                           state->LabelText()));
  }
  if (domain.binding == nullptr) {
    domain.binding =
        std::make_unique<DomainTrust::Binding>(domain.trust, std::move(state));
  } else {
    domain.binding->Set(std::move(state));
  }
}

void Registry::Use(Profile& profile, Domain& domain) {
  ++profile.domains[&domain];
}

void Registry::Release(Profile& profile, Domain& domain, Garbage& garbage) {
  const auto it = profile.domains.find(&domain);
  if (--it->second > 0) return;
  profile.domains.erase(it);
  if (!profile.domains.empty()) return;
  Forget(profile);
  garbage.push_back(std::move(profile.rules));
  const std::string key = profile.spec.key;
  profiles_.erase(key);
}

void Registry::Forget(Profile& profile) {
  for (const std::string& key : profile.names) {
    const auto users = users_.find(key);
    if (users == users_.end()) continue;
    users->second.erase(&profile);
    if (users->second.empty()) users_.erase(users);
  }
  profile.names.clear();
}

}  // namespace sallyport::cert_validator
