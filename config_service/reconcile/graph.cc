#include "config_service/reconcile/graph.h"

#include <algorithm>
#include <memory>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "base/secret.h"
#include "base/status_macros.h"
#include "config_service/store/keys.h"
#include "config_service/xds/translate/names.h"

namespace sallyport::reconcile {
namespace {

using ::sallyport::xds::ResourceKey;
using ::sallyport::xds::ResourcePtr;
using ::sallyport::xds::ResourceType;
using ::sallyport::xds::Translated;

// Among the inputs: whether a resource is there, and as the store has it. No
// key of the store begins so.
std::string ResourceWord(const ResourceKey& key) {
  return absl::StrCat("=", xds::TypeName(key.type), " ", key.name);
}
// And what is wrong with a unit.
std::string UnitWord(absl::string_view name) {
  return absl::StrCat("=unit ", name);
}

// The errors after which the same may work a moment later.
bool IsPassing(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kResourceExhausted:
    case absl::StatusCode::kAborted:
    case absl::StatusCode::kCancelled:
    case absl::StatusCode::kDeadlineExceeded:
    case absl::StatusCode::kOutOfRange:
      return true;
    default:
      return false;
  }
}

// Default endpoints have the same names in every fleet.
ResourceKey Scoped(const ResourceKey& key, const std::string& fleet) {
  return {key.type, absl::StrCat(key.name, "/", fleet)};
}
bool IsDefaultEndpoints(const ResourceKey& key) {
  return key.type != ResourceType::kCluster &&
         key.name == xds::kDefaultEndpoints;
}

// Secrets that nothing but a carrier makes Envoy ask for.
bool IsCarriedAlone(const ResourceKey& key) {
  return key.type == ResourceType::kSecret &&
         (absl::StartsWith(key.name, "truststores/") ||
          absl::StartsWith(key.name, "revocation-lists/") ||
          absl::StartsWith(key.name, "certificate-lists/"));
}

const ResourceKey& CarrierKey() {
  static const auto* const key =
      new ResourceKey{ResourceType::kSecret, xds::kCarrierSecret};
  return *key;
}

std::string FleetKey(const std::string& id) {
  return store::KeyOf(domain::FleetName(id));
}

}  // namespace

// Units.

std::string Graph::NameOf(const UnitId& id) {
  switch (id.kind) {
    case Kind::kDenyLists:
      return "certificateLists";
    case Kind::kCarrier:
      return "the carriers' certificate";
    case Kind::kRevocationList:
      return domain::RevocationListName(id.id).ToString();
    case Kind::kCertificateList:
      return domain::CertificateListName(id.id).ToString();
    case Kind::kServerCertificate:
    case Kind::kServerCertificateVersion:
      return absl::StrCat("serverCertificates/", id.id);
    case Kind::kClientCertificate:
      return domain::ClientCertificateName(id.id).ToString();
    case Kind::kTruststore:
    case Kind::kBackendTrust:
      return domain::TruststoreName(id.id).ToString();
    case Kind::kDomain:
      return domain::DomainNameName(id.id).ToString();
    case Kind::kDefaultEndpoints:
      return absl::StrCat(domain::FleetName(id.id).ToString(),
                          " (default endpoints)");
    case Kind::kFleet:
      return domain::FleetName(id.id).ToString();
  }
  return "";
}

std::optional<Graph::UnitId> Graph::ProviderOf(const ResourceKey& key) {
  if (key.type != ResourceType::kSecret) return std::nullopt;
  absl::string_view name = key.name;
  const auto is = [&name](absl::string_view prefix) {
    return absl::ConsumePrefix(&name, prefix);
  };
  if (name == xds::kCarrierSecret) return UnitId{Kind::kCarrier, ""};
  const size_t versions = name.find("/versions/");
  if (is("truststores/")) {
    return UnitId{Kind::kTruststore,
                  std::string(name.substr(0, name.find('/')))};
  }
  if (is("server-certificates/")) {
    return UnitId{versions == absl::string_view::npos
                      ? Kind::kServerCertificate
                      : Kind::kServerCertificateVersion,
                  std::string(name)};
  }
  if (is("revocation-lists/")) {
    return UnitId{Kind::kRevocationList, std::string(name)};
  }
  if (is("certificate-lists/")) {
    return UnitId{Kind::kCertificateList, std::string(name)};
  }
  if (is("client-certificates/")) {
    return UnitId{Kind::kClientCertificate, std::string(name)};
  }
  if (is("backend-trust/")) {
    return UnitId{Kind::kBackendTrust, std::string(name)};
  }
  return std::nullopt;
}

Graph::Unit& Graph::Ensure(const UnitId& id) { return units_[id]; }

void Graph::Fire(const std::string& input) {
  const auto found = readers_.find(input);
  if (found == readers_.end()) return;
  dirty_.insert(found->second.begin(), found->second.end());
}

void Graph::Touch(absl::string_view key) {
  Fire(std::string(key));
  for (size_t slash = key.find('/'); slash != absl::string_view::npos;
       slash = key.find('/', slash + 1)) {
    Fire(std::string(key.substr(0, slash + 1)));
  }
  if (absl::ConsumePrefix(&key, "domainNames/")) {
    const UnitId id = {Kind::kDomain, std::string(key)};
    Ensure(id);
    dirty_.insert(id);
  } else if (absl::ConsumePrefix(&key, "fleets/")) {
    for (const Kind kind : {Kind::kFleet, Kind::kDefaultEndpoints}) {
      const UnitId id = {kind, std::string(key)};
      Ensure(id);
      dirty_.insert(id);
    }
  }
}

absl::Status Graph::TouchAll(Reader& reader) {
  reader.Note(nullptr);
  for (const char* prefix : {"domainNames/", "fleets/"}) {
    SALLYPORT_ASSIGN_OR_RETURN(const std::vector<std::string> keys,
                               reader.Keys(prefix));
    for (const std::string& key : keys) Touch(key);
  }
  Touch(FleetKey(domain::DefaultFleet().id()));
  Ensure({Kind::kDenyLists, ""});
  Ensure({Kind::kCarrier, ""});
  for (const auto& [id, unit] : units_) dirty_.insert(id);
  return absl::OkStatus();
}

absl::Status Graph::Update(Reader& reader) {
  while (!dirty_.empty()) {
    const UnitId id = *dirty_.begin();
    dirty_.erase(dirty_.begin());
    if (units_.count(id) == 0) continue;
    SALLYPORT_RETURN_IF_ERROR(Rebuild(id, reader));
  }
  while (!unneeded_.empty()) {
    const UnitId id = *unneeded_.begin();
    unneeded_.erase(unneeded_.begin());
    const auto unit = units_.find(id);
    if (unit != units_.end() && unit->second.users == 0) Drop(id);
  }
  return absl::OkStatus();
}

void Graph::SetInputs(const UnitId& id, Unit& unit, Inputs inputs) {
  for (const std::string& input : unit.inputs) {
    if (inputs.count(input) != 0) continue;
    const auto found = readers_.find(input);
    found->second.erase(id);
    if (found->second.empty()) readers_.erase(found);
  }
  for (const std::string& input : inputs) readers_[input].insert(id);
  unit.inputs = std::move(inputs);
}

void Graph::Release(const std::set<UnitId>& ids) {
  for (const UnitId& id : ids) {
    if (--Ensure(id).users == 0) unneeded_.insert(id);
  }
}

void Graph::Drop(const UnitId& id) {
  Unit& unit = units_[id];
  Hide(id, unit);
  if (id.kind == Kind::kFleet) SetFleet(id.id, std::nullopt);
  SetMapped(unit, {}, {});
  for (const ResourceKey& key : std::exchange(unit.provided, {})) Withdraw(key);
  SetInputs(id, unit, {});
  for (const auto& [truststore, version] : unit.pins) {
    auto& versions = pins_[truststore];
    if (--versions[version] == 0) versions.erase(version);
    const UnitId target = {Kind::kTruststore, truststore};
    if (units_.count(target) != 0) dirty_.insert(target);
  }
  Release(unit.needs);
  Release(unit.tried);
  if (id.kind == Kind::kDomain && !unit.problem.empty()) {
    domain_problems_[id.id].clear();
  }
  if (id.kind == Kind::kDomain && unit.state.served) --num_domains_;
  units_.erase(id);
}

absl::Status Graph::SetPins(const UnitId& id, Unit& unit,
                            std::set<std::pair<std::string, int64_t>> pins,
                            Reader& reader) {
  std::set<UnitId> changed;
  for (const auto& [truststore, version] : pins) {
    if (unit.pins.count({truststore, version}) != 0) continue;
    if (++pins_[truststore][version] == 1) {
      changed.insert({Kind::kTruststore, truststore});
    }
  }
  for (const auto& [truststore, version] : unit.pins) {
    if (pins.count({truststore, version}) != 0) continue;
    auto& versions = pins_[truststore];
    if (--versions[version] != 0) continue;
    versions.erase(version);
    // Not now: `id` still has what it gave with it.
    const UnitId target = {Kind::kTruststore, truststore};
    if (units_.count(target) != 0) dirty_.insert(target);
  }
  unit.pins = std::move(pins);
  for (const UnitId& target : changed) {
    if (units_.count(target) == 0 || target.id == id.id) continue;
    SALLYPORT_RETURN_IF_ERROR(Rebuild(target, reader));
  }
  return absl::OkStatus();
}

void Graph::SetMapped(Unit& unit, std::set<std::string> apis,
                      std::set<std::string> fleets) {
  std::set<std::string> changed;
  for (const std::string& api : apis) {
    Mapped& mapped = mapped_[api];
    if (mapped.num_domains++ == 0) changed.insert(api);
    for (const std::string& fleet : fleets) {
      if (mapped.by_fleet[fleet]++ == 0) changed.insert(api);
    }
  }
  for (const std::string& api : unit.apis) {
    Mapped& mapped = mapped_[api];
    for (const std::string& fleet : unit.apis_in) {
      if (--mapped.by_fleet[fleet] != 0) continue;
      mapped.by_fleet.erase(fleet);
      changed.insert(api);
    }
    if (--mapped.num_domains != 0) continue;
    mapped_.erase(api);
    changed.insert(api);
  }
  unit.apis = std::move(apis);
  unit.apis_in = std::move(fleets);
  for (const std::string& api : changed) Fire(MappedInput(api));
}

absl::Status Graph::Rebuild(const UnitId& id, Reader& reader) {
  Unit& unit = Ensure(id);
  dirty_.erase(id);
  Inputs* const outer = reader.noted();
  Inputs inputs;
  reader.Note(&inputs);
  Built built;
  absl::Status status = Build(id, unit, reader, built);
  ++num_translated_;
  if (status.ok() && built.exists) {
    std::set<std::pair<std::string, int64_t>> pins = built.pins;
    // What it gave before may stay.
    pins.insert(unit.pins.begin(), unit.pins.end());
    reader.Note(nullptr);
    status = SetPins(id, unit, std::move(pins), reader);
    reader.Note(&inputs);
  }
  std::set<UnitId> needs;
  if (status.ok() && built.exists) {
    status = CheckReferences(built, reader, needs);
    if (status.ok() && id.kind == Kind::kDefaultEndpoints &&
        !built.missing.empty()) {
      const std::set<ResourceKey> missing = std::move(built.missing);
      built = Built();
      status = BuildDefaultEndpoints(id, reader, missing, built);
      if (status.ok()) status = CheckReferences(built, reader, needs);
    }
  }
  reader.Note(outer);
  if (!status.ok() && IsPassing(status)) {
    for (const UnitId& need : needs) {
      if (--Ensure(need).users == 0) unneeded_.insert(need);
    }
    dirty_.insert(id);
    return status;
  }
  if (id.kind == Kind::kDomain) {
    // What cannot be read is as it was.
    std::set<std::string> apis = built.apis;
    if (!status.ok()) apis.insert(unit.apis.begin(), unit.apis.end());
    SetMapped(unit, std::move(apis), status.ok() ? built.fleets : unit.apis_in);
  }
  if (status.ok() && !built.exists && IsRoot(id.kind)) {
    Drop(id);
    return absl::OkStatus();
  }
  if (!status.ok()) built.problems.emplace_back(status.message());
  if (!built.exists) built.problems.push_back("is not there");

  std::vector<ResourcePtr> made;
  ResourcePtr meanwhile;
  const auto make = [&built](Translated& translated) -> ResourcePtr {
    absl::StatusOr<ResourcePtr> resource = xds::Resource::Make(
        translated.key.type, translated.key.name, translated.message);
    // It may have a private key.
    if (translated.key.type == ResourceType::kSecret) {
      WipeString(translated.message);
    }
    if (resource.ok()) return *std::move(resource);
    built.problems.emplace_back(resource.status().message());
    return nullptr;
  };
  for (Translated& translated : built.resources) {
    made.push_back(id.kind == Kind::kCarrier ? carrier_ : make(translated));
  }
  if (built.meanwhile.has_value()) meanwhile = make(*built.meanwhile);

  SetInputs(id, unit, std::move(inputs));
  const std::string problem_before = unit.problem;
  const std::set<UnitId> before = std::exchange(unit.tried, {});
  if (built.problems.empty()) {
    unit.problem = absl::StrJoin(built.warnings, "; ");
    std::set<std::pair<std::string, int64_t>> pins = built.pins;
    Accept(id, unit, std::move(built), std::move(made), std::move(meanwhile),
           static_cast<uint64_t>(reader.at().value()));
    const std::set<UnitId> old = std::exchange(unit.needs, std::move(needs));
    Release(old);
    SALLYPORT_RETURN_IF_ERROR(SetPins(id, unit, std::move(pins), reader));
  } else {
    unit.problem = absl::StrJoin(built.problems, "; ");
    unit.tried = std::move(needs);
  }
  unit.state.problem = unit.problem;
  Release(before);
  if (unit.problem != problem_before) {
    Fire(UnitWord(NameOf(id)));
    for (const ResourceKey& key : unit.provided) Fire(ResourceWord(key));
    if (id.kind == Kind::kDomain) domain_problems_[id.id] = unit.problem;
  }
  return absl::OkStatus();
}

absl::Status Graph::CheckReferences(Built& built, Reader& reader,
                                    std::set<UnitId>& needs) {
  std::set<ResourceKey> own;
  for (const Translated& translated : built.resources) {
    own.insert(translated.key);
  }
  std::set<ResourceKey> named;
  for (const Translated& translated : built.resources) {
    named.insert(translated.references.begin(), translated.references.end());
  }
  Inputs* const inputs = reader.noted();
  for (const ResourceKey& key : named) {
    if (own.count(key) != 0) continue;
    const std::optional<UnitId> provider = ProviderOf(key);
    if (!provider.has_value()) {
      built.problems.push_back(
          absl::StrCat(xds::TypeName(key.type), " ", key.name, " is missing"));
      continue;
    }
    if (needs.insert(*provider).second) Acquire(*provider);
    inputs->insert(ResourceWord(key));
    const Unit& unit = Ensure(*provider);
    if (!unit.built || dirty_.count(*provider) != 0) {
      SALLYPORT_RETURN_IF_ERROR(Rebuild(*provider, reader));
    }
    if (IsThere(key)) {
      // It may be what it was before.
      if (!unit.problem.empty()) built.warnings.push_back(WhyMissing(key));
      continue;
    }
    inputs->insert(UnitWord(NameOf(*provider)));
    built.problems.push_back(WhyMissing(key));
    built.missing.insert(key);
  }
  return absl::OkStatus();
}

std::string Graph::WhyMissing(const ResourceKey& key) const {
  const std::optional<UnitId> id = ProviderOf(key);
  const auto unit = units_.find(*id);
  if (unit != units_.end() && !unit->second.problem.empty()) {
    return absl::StrCat(NameOf(*id), ": ", unit->second.problem);
  }
  return id->kind == Kind::kTruststore &&
                 !absl::StrContains(key.name, "/versions/")
             ? absl::StrCat(NameOf(*id), " has no active version")
             : absl::StrCat(key.name, " is not there");
}

void Graph::Accept(const UnitId& id, Unit& unit, Built built,
                   std::vector<ResourcePtr> made, ResourcePtr meanwhile,
                   uint64_t revision) {
  if (id.kind == Kind::kDenyLists || id.kind == Kind::kFleet) {
    unit.built = true;
    return;
  }
  const bool is_shown =
      id.kind == Kind::kDomain || id.kind == Kind::kDefaultEndpoints;
  const auto scoped = [&id](const ResourceKey& key) {
    return id.kind == Kind::kDefaultEndpoints && IsDefaultEndpoints(key)
               ? Scoped(key, id.id)
               : key;
  };
  if (is_shown) Hide(id, unit);
  bool changed = !unit.built || unit.state.fleets != built.fleets;
  std::set<ResourceKey> provided;
  for (size_t i = 0; i < made.size(); ++i) {
    const ResourceKey key = scoped(built.resources[i].key);
    std::vector<ResourceKey> references;
    for (const ResourceKey& reference : built.resources[i].references) {
      references.push_back(scoped(reference));
    }
    if (!provided.insert(key).second) continue;
    Entry& entry = entries_[key];
    changed = changed || entry.resource == nullptr ||
              entry.resource->version() != made[i]->version();
    const bool is_new = entry.providers == 0;
    if (unit.provided.count(key) == 0) ++entry.providers;
    SetContent(key, made[i], references);
    if (is_new) Fire(ResourceWord(key));
  }
  std::set<ResourceKey> before = std::exchange(unit.provided, provided);
  for (const ResourceKey& key : before) {
    if (provided.count(key) != 0) continue;
    changed = true;
    Withdraw(key);
  }
  if (meanwhile != nullptr) {
    const ResourceKey key = {meanwhile->type(), meanwhile->name()};
    entries_[key].meanwhile = std::move(meanwhile);
    meanwhile_.insert(key);
  }
  unit.built = true;
  if (!is_shown) return;
  unit.carried = std::move(built.carried);
  unit.state.fleets = std::move(built.fleets);
  unit.lists = std::move(built.lists);
  unit.kept_lists = std::move(built.kept_lists);
  if (changed) unit.state.changed_revision = revision;
  const bool served = !unit.provided.empty();
  if (served && !unit.state.served) unit.state.first_revision = revision;
  if (id.kind == Kind::kDomain) {
    num_domains_ += served ? 1 : 0;
    num_domains_ -= unit.state.served ? 1 : 0;
  }
  unit.state.served = served;
  Show(id, unit);
}

// Resources.

bool Graph::IsThere(const ResourceKey& key) const {
  const auto found = entries_.find(key);
  return found != entries_.end() && found->second.providers > 0 &&
         found->second.resource != nullptr;
}

void Graph::SetContent(const ResourceKey& key, ResourcePtr resource,
                       const std::vector<ResourceKey>& references) {
  Entry& entry = entries_[key];
  entry.meanwhile = nullptr;
  entry.resource = std::move(resource);
  const std::vector<ResourceKey> before =
      std::exchange(entry.references, references);
  for (const auto& [fleet, count] : entry.wanted) {
    fleets_[fleet].touched_resources.insert(key);
    if (before == references) continue;
    for (const ResourceKey& reference : references) Want(fleet, reference);
    for (const ResourceKey& reference : before) Unwant(fleet, reference);
  }
}

void Graph::Withdraw(const ResourceKey& key) {
  Entry& entry = entries_[key];
  if (--entry.providers == 0) Fire(ResourceWord(key));
  ForgetIfUnused(key);
}

void Graph::Want(const std::string& fleet, const ResourceKey& key) {
  Entry& entry = entries_[key];
  if (entry.wanted[fleet]++ != 0) return;
  FleetState& state = fleets_[fleet];
  state.touched_resources.insert(key);
  if (IsCarriedAlone(key)) {
    state.carried[key.name] = {key.name, xds::kCarrierSecret, key.name};
    state.touched_carried.insert(key.name);
    Want(fleet, CarrierKey());
  }
  const std::vector<ResourceKey> references = entry.references;
  for (const ResourceKey& reference : references) Want(fleet, reference);
}

void Graph::Unwant(const std::string& fleet, const ResourceKey& key) {
  Entry& entry = entries_[key];
  const auto wanted = entry.wanted.find(fleet);
  if (--wanted->second != 0) return;
  entry.wanted.erase(wanted);
  FleetState& state = fleets_[fleet];
  state.touched_resources.insert(key);
  if (IsCarriedAlone(key)) {
    state.carried.erase(key.name);
    state.touched_carried.insert(key.name);
    Unwant(fleet, CarrierKey());
  }
  const std::vector<ResourceKey> references = entry.references;
  for (const ResourceKey& reference : references) Unwant(fleet, reference);
  ForgetIfUnused(key);
}

void Graph::ForgetIfUnused(const ResourceKey& key) {
  const auto found = entries_.find(key);
  if (found == entries_.end()) return;
  const Entry& entry = found->second;
  if (entry.providers == 0 && entry.wanted.empty() && entry.delivered.empty()) {
    entries_.erase(found);
  }
}

// Fleets.

void Graph::Show(const UnitId& id, const Unit& unit) {
  if (!unit.state.served) return;
  for (const std::string& name : unit.state.fleets) {
    for (const ResourceKey& key : unit.provided) Want(name, key);
    FleetState& fleet = fleets_[name];
    if (unit.carried.has_value()) {
      fleet.carried[unit.carried->name] = *unit.carried;
      fleet.touched_carried.insert(unit.carried->name);
    }
    if (id.kind == Kind::kDomain) {
      fleet.domains.insert(id.id);
      fleet.touched_domains.insert(id.id);
    } else {
      fleet.default_endpoints = true;
    }
  }
}

void Graph::Hide(const UnitId& id, const Unit& unit) {
  if (!unit.state.served) return;
  for (const std::string& name : unit.state.fleets) {
    for (const ResourceKey& key : unit.provided) Unwant(name, key);
    FleetState& fleet = fleets_[name];
    if (unit.carried.has_value()) {
      fleet.carried.erase(unit.carried->name);
      fleet.touched_carried.insert(unit.carried->name);
    }
    if (id.kind == Kind::kDomain) {
      fleet.domains.erase(id.id);
      fleet.touched_domains.insert(id.id);
    } else {
      fleet.default_endpoints = false;
    }
  }
}

void Graph::SetFleet(const std::string& name,
                     std::optional<domain::Fleet> fleet) {
  FleetState& state = fleets_[name];
  if (!fleet.has_value()) {
    // When it comes back, it starts with nothing.
    for (auto& [key, entry] : entries_) {
      entry.delivered.erase(name);
      if (entry.wanted.count(name) != 0) state.touched_resources.insert(key);
    }
    state.domains_delivered.clear();
    state.carried_delivered.clear();
    state.default_endpoints_delivered = false;
    state.started = false;
    state.touched_domains = state.domains;
    for (const auto& [carried, value] : state.carried) {
      state.touched_carried.insert(carried);
    }
  }
  state.fleet = std::move(fleet);
  state.fleet_changed = true;
}

std::set<std::string> Graph::Fleets() const {
  std::set<std::string> names;
  for (const auto& [name, fleet] : fleets_) {
    if (fleet.fleet.has_value()) names.insert(name);
  }
  return names;
}

std::map<std::string, FleetChange> Graph::TakeChanges(uint64_t revision) {
  std::map<std::string, FleetChange> changes;
  for (auto& [name, fleet] : fleets_) {
    if (!fleet.fleet.has_value()) continue;
    FleetChange change = TakeChange(name, fleet);
    change.revision = revision;
    changes.emplace(name, std::move(change));
  }
  for (const ResourceKey& key : meanwhile_) {
    const auto found = entries_.find(key);
    if (found != entries_.end()) found->second.meanwhile = nullptr;
  }
  meanwhile_.clear();
  return changes;
}

FleetChange Graph::TakeChange(const std::string& name, FleetState& fleet) {
  FleetChange change;
  for (const ResourceKey& key : std::exchange(fleet.touched_resources, {})) {
    const auto found = entries_.find(key);
    if (found == entries_.end()) continue;
    Entry& entry = found->second;
    const auto delivered = entry.delivered.find(name);
    const ResourcePtr before =
        delivered == entry.delivered.end() ? nullptr : delivered->second;
    if (entry.wanted.count(name) != 0 && entry.resource != nullptr) {
      if (before != nullptr && before->version() == entry.resource->version()) {
        continue;
      }
      FleetChange::Put put;
      put.resource = entry.resource;
      if (before != nullptr) put.meanwhile = entry.meanwhile;
      for (ResourceKey reference : entry.references) {
        const auto named = entries_.find(reference);
        if (named != entries_.end() && named->second.resource != nullptr) {
          reference.name = named->second.resource->name();
        }
        put.references.push_back(std::move(reference));
      }
      change.put[{key.type, entry.resource->name()}] = std::move(put);
      entry.delivered[name] = entry.resource;
    } else if (before != nullptr) {
      change.remove.insert({key.type, before->name()});
      entry.delivered.erase(name);
      ForgetIfUnused(key);
    }
  }
  for (const std::string& domain : std::exchange(fleet.touched_domains, {})) {
    const bool now = fleet.domains.count(domain) != 0;
    if (now == (fleet.domains_delivered.count(domain) != 0)) continue;
    change.domains[domain] = now;
    if (now) {
      fleet.domains_delivered.insert(domain);
    } else {
      fleet.domains_delivered.erase(domain);
    }
  }
  for (const std::string& carried : std::exchange(fleet.touched_carried, {})) {
    const auto now = fleet.carried.find(carried);
    const auto before = fleet.carried_delivered.find(carried);
    if (now == fleet.carried.end()) {
      if (before == fleet.carried_delivered.end()) continue;
      change.carried[carried] = std::nullopt;
      fleet.carried_delivered.erase(before);
      continue;
    }
    if (before != fleet.carried_delivered.end() &&
        before->second.certificate_secret == now->second.certificate_secret &&
        before->second.validation_secret == now->second.validation_secret) {
      continue;
    }
    change.carried[carried] = now->second;
    fleet.carried_delivered[carried] = now->second;
  }
  if (fleet.default_endpoints != fleet.default_endpoints_delivered) {
    change.default_endpoints = fleet.default_endpoints;
    fleet.default_endpoints_delivered = fleet.default_endpoints;
  }
  if (std::exchange(fleet.fleet_changed, false)) change.fleet = fleet.fleet;
  fleet.started = true;
  return change;
}

// Answers.

std::optional<DomainState> Graph::Domain(const std::string& domain) const {
  const auto unit = units_.find({Kind::kDomain, domain});
  if (unit == units_.end()) return std::nullopt;
  return unit->second.state;
}

bool Graph::Needs(const std::string& domain, const ResourceKey& key) const {
  const auto unit = units_.find({Kind::kDomain, domain});
  if (unit == units_.end()) return false;
  std::set<ResourceKey> seen;
  std::vector<ResourceKey> open(unit->second.provided.begin(),
                                unit->second.provided.end());
  while (!open.empty()) {
    const ResourceKey one = std::move(open.back());
    open.pop_back();
    if (one == key) return true;
    if (!seen.insert(one).second) continue;
    const auto entry = entries_.find(one);
    if (entry == entries_.end()) continue;
    open.insert(open.end(), entry->second.references.begin(),
                entry->second.references.end());
  }
  return false;
}

std::vector<std::string> Graph::Problems(size_t limit) const {
  std::vector<std::string> out;
  for (const auto& [id, unit] : units_) {
    if (out.size() == limit) break;
    if (unit.problem.empty()) continue;
    out.push_back(absl::StrCat(NameOf(id), ": ", unit.problem));
  }
  return out;
}

std::map<std::string, std::string> Graph::TakeDomainProblems() {
  return std::exchange(domain_problems_, {});
}

size_t Graph::num_problems() const {
  return static_cast<size_t>(std::count_if(
      units_.begin(), units_.end(),
      [](const auto& unit) { return !unit.second.problem.empty(); }));
}

// Translation.

absl::Status Graph::Build(const UnitId& id, const Unit& unit, Reader& reader,
                          Built& built) {
  switch (id.kind) {
    case Kind::kDenyLists:
      return BuildDenyLists(reader, built);
    case Kind::kCarrier:
      built.resources.push_back({CarrierKey(), "", {}});
      return absl::OkStatus();
    case Kind::kDomain:
      return BuildDomain(id, unit, reader, built);
    case Kind::kDefaultEndpoints:
      return BuildDefaultEndpoints(id, reader, {}, built);
    case Kind::kFleet:
      return BuildFleet(id, reader, built);
    case Kind::kTruststore:
      return BuildTruststore(id, reader, built);
    default:
      return BuildProvider(id, reader, built);
  }
}

}  // namespace sallyport::reconcile
