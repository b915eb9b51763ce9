// Graph: what the state means for each fleet, kept up to date.
//
// A unit is a part of the state that is translated by itself: a domain, a
// truststore, a certificate. It notes what it looked at (Inputs), so that a
// change in the store finds the units it touches without looking at others. A
// unit that is needed by nobody is not translated: no key is unsealed that no
// domain uses.
//
// A fleet gets what its domains are made of, what that names, and so on, and
// nothing else.
//
// A unit that cannot be translated keeps what it gave before, and what needs it
// says so. What names something that is not there cannot be translated.

#ifndef SALLYPORT_CONFIG_SERVICE_RECONCILE_GRAPH_H_
#define SALLYPORT_CONFIG_SERVICE_RECONCILE_GRAPH_H_

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/node_hash_map.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "config_service/domain/backend_policy.h"
#include "config_service/domain/fleet.h"
#include "config_service/reconcile/fleet_publisher.h"
#include "config_service/reconcile/reader.h"
#include "config_service/store/sealer.h"
#include "config_service/xds/cache/cache.h"
#include "config_service/xds/translate/translate.h"

namespace sallyport::reconcile {

// What became of a domain.
struct DomainState {
  // Empty: it, and what it needs, is translated as it is in the store.
  std::string problem;
  // It is shown, if need be as it was before.
  bool served = false;
  // Where.
  std::set<std::string> fleets;
  // The store's revisions of the last change of what is shown, and of the first
  // since it is shown.
  uint64_t changed_revision = 0;
  uint64_t first_revision = 0;
};

// Thread-compatible.
class Graph {
 public:
  // The revision that is wholly published in a fleet.
  using Published = std::function<uint64_t(const std::string& fleet)>;

  // `sealer` outlives it. `carrier`: CarrierCertificate(), made. `backends`:
  // which addresses backends may have.
  Graph(const store::Sealer* sealer, xds::ResourcePtr carrier,
        const domain::BackendPolicy& backends, Published published)
      : sealer_(sealer),
        carrier_(std::move(carrier)),
        backends_(backends),
        published_(std::move(published)) {}
  Graph(const Graph&) = delete;
  Graph& operator=(const Graph&) = delete;

  // Something happened under this key of the store.
  void Touch(absl::string_view key);
  // Anything may have happened.
  absl::Status TouchAll(Reader& reader);
  // Translates what was touched, as of the reader's revision. After an error
  // (the store's) call it again, with a reader of this or a later revision.
  absl::Status Update(Reader& reader);

  // What is different for each fleet since the last call. A fleet's first
  // change is the whole.
  std::map<std::string, FleetChange> TakeChanges(uint64_t revision);
  // Fleets that there are.
  std::set<std::string> Fleets() const;

  // Nothing: there is no such domain, as far as was read.
  std::optional<DomainState> Domain(const std::string& domain) const;
  // Whether `key` is a resource of the domain, or what that needs.
  bool Needs(const std::string& domain, const xds::ResourceKey& key) const;
  // Problems of all units, "truststores/x: ..." and so on; at most `limit`.
  std::vector<std::string> Problems(size_t limit) const;
  // Domains whose problem is another than at the last call, with it; empty:
  // there is none any more.
  std::map<std::string, std::string> TakeDomainProblems();
  size_t num_domains() const { return num_domains_; }
  size_t num_problems() const;
  // Units translated so far.
  uint64_t num_translated() const { return num_translated_; }

 private:
  // Among the inputs of who asks for the deny lists of every domain.
  static constexpr char kDenyListsInput[] = "=deny lists";
  // And of who asks in which fleets domains have an API.
  static std::string MappedInput(const std::string& api) {
    return "=mapped " + api;
  }

  // In the order in which they are translated.
  enum class Kind {
    kDenyLists,  // those of every domain
    kCarrier,
    kRevocationList,
    kCertificateList,
    kServerCertificate,
    kServerCertificateVersion,
    kClientCertificate,
    kTruststore,
    kBackendTrust,
    kDomain,
    kDefaultEndpoints,
    kFleet,
  };
  struct UnitId {
    Kind kind = Kind::kFleet;
    std::string id;
    friend bool operator<(const UnitId& a, const UnitId& b) {
      return std::tie(a.kind, a.id) < std::tie(b.kind, b.id);
    }
  };
  struct Unit {
    Inputs inputs;
    // What it gave when it was last translated well.
    std::set<xds::ResourceKey> provided;
    // Units that this needs, for that and for what was tried last.
    std::set<UnitId> needs;
    std::set<UnitId> tried;
    // Units that need this.
    size_t users = 0;
    std::string problem;
    bool built = false;

    // Domains and default endpoints.
    DomainState state;
    std::optional<xds::Carried> carried;
    // Versions of truststores that it pins.
    std::set<std::pair<std::string, int64_t>> pins;
    // Certificate lists that routes ask for, and those that routes which may
    // still be in force ask for.
    std::set<std::string> lists;
    std::set<std::string> kept_lists;
    // APIs that the domain maps, and where, as the store has it.
    std::set<std::string> apis;
    std::set<std::string> apis_in;
  };
  // Where the domains are that map an API.
  struct Mapped {
    size_t num_domains = 0;
    std::map<std::string, size_t> by_fleet;  // how many; never 0
  };
  // What a translation gives.
  struct Built {
    std::vector<xds::Translated> resources;
    std::vector<std::string> problems;
    // What is left out, or as it was before, while the rest is shown.
    std::vector<std::string> warnings;
    bool exists = true;
    // Domains and default endpoints.
    std::set<std::string> fleets;
    std::optional<xds::Carried> carried;
    std::set<std::pair<std::string, int64_t>> pins;
    std::set<std::string> lists;
    std::set<std::string> kept_lists;
    std::set<std::string> apis;
    std::optional<xds::Translated> meanwhile;
    // What resources of `resources` name and is not there.
    std::set<xds::ResourceKey> missing;
  };
  // A resource that a unit gives, or a fleet has.
  struct Entry {
    xds::ResourcePtr resource;
    std::vector<xds::ResourceKey> references;
    // Until the rest of its change is in force.
    xds::ResourcePtr meanwhile;
    size_t providers = 0;
    std::map<std::string, size_t> wanted;  // by fleets, how often
    std::map<std::string, xds::ResourcePtr> delivered;
  };
  struct FleetState {
    std::optional<domain::Fleet> fleet;
    bool fleet_changed = false;
    // Whether a first change was taken.
    bool started = false;
    std::set<std::string> domains;
    std::map<std::string, xds::Carried> carried;
    std::set<std::string> domains_delivered;
    std::map<std::string, xds::Carried> carried_delivered;
    bool default_endpoints = false;
    bool default_endpoints_delivered = false;
    std::set<xds::ResourceKey> touched_resources;
    std::set<std::string> touched_domains;
    std::set<std::string> touched_carried;
  };

  Unit& Ensure(const UnitId& id);
  void Fire(const std::string& input);
  void SetInputs(const UnitId& id, Unit& unit, Inputs inputs);
  absl::Status Rebuild(const UnitId& id, Reader& reader);
  void Drop(const UnitId& id);
  static bool IsRoot(Kind kind) {
    return kind <= Kind::kCarrier || kind >= Kind::kDomain;
  }
  static std::string NameOf(const UnitId& id);
  // The unit that gives a resource.
  static std::optional<UnitId> ProviderOf(const xds::ResourceKey& key);
  void Acquire(const UnitId& id) { ++Ensure(id).users; }
  void Release(const std::set<UnitId>& ids);
  absl::Status SetPins(const UnitId& id, Unit& unit,
                       std::set<std::pair<std::string, int64_t>> pins,
                       Reader& reader);

  void SetMapped(Unit& unit, std::set<std::string> apis,
                 std::set<std::string> fleets);

  absl::Status Build(const UnitId& id, const Unit& unit, Reader& reader,
                     Built& built);
  // Lists that routes which are in force may ask for.
  std::set<std::string> KeptLists(const Unit& unit) const;
  absl::Status BuildDenyLists(Reader& reader, Built& built);
  absl::Status BuildProvider(const UnitId& id, Reader& reader, Built& built);
  absl::Status BuildServerCertificate(
      const domain::ServerCertificateVersionName& name, bool is_active,
      Reader& reader, Built& built);
  absl::Status BuildTruststore(const UnitId& id, Reader& reader, Built& built);
  absl::Status BuildDomain(const UnitId& id, const Unit& unit, Reader& reader,
                           Built& built);
  // APIs that need one of `missing` are left out: one API must not keep the
  // others from changing. They answer 403.
  absl::Status BuildDefaultEndpoints(const UnitId& id, Reader& reader,
                                     const std::set<xds::ResourceKey>& missing,
                                     Built& built);
  absl::Status BuildFleet(const UnitId& id, Reader& reader, Built& built);
  void SetFleet(const std::string& name, std::optional<domain::Fleet> fleet);
  // Whether everything is there that `built` names; else adds problems. Units
  // that are asked are translated, and added to `needs`.
  absl::Status CheckReferences(Built& built, Reader& reader,
                               std::set<UnitId>& needs);
  // Why there is no `key`, or not as the store has it.
  std::string WhyMissing(const xds::ResourceKey& key) const;
  void Accept(const UnitId& id, Unit& unit, Built built,
              std::vector<xds::ResourcePtr> made, xds::ResourcePtr meanwhile,
              uint64_t revision);
  bool IsThere(const xds::ResourceKey& key) const;
  void SetContent(const xds::ResourceKey& key, xds::ResourcePtr resource,
                  const std::vector<xds::ResourceKey>& references);
  void Withdraw(const xds::ResourceKey& key);
  void Want(const std::string& fleet, const xds::ResourceKey& key);
  void Unwant(const std::string& fleet, const xds::ResourceKey& key);
  void ForgetIfUnused(const xds::ResourceKey& key);
  // The unit's resources are wanted, or no longer, in its fleets.
  void Show(const UnitId& id, const Unit& unit);
  void Hide(const UnitId& id, const Unit& unit);
  FleetChange TakeChange(const std::string& name, FleetState& fleet);

  const store::Sealer* const sealer_;
  const xds::ResourcePtr carrier_;
  const domain::BackendPolicy backends_;
  const Published published_;

  std::map<UnitId, Unit> units_;
  std::set<UnitId> dirty_;
  absl::flat_hash_map<std::string, std::set<UnitId>> readers_;
  absl::node_hash_map<xds::ResourceKey, Entry> entries_;
  std::map<std::string, FleetState> fleets_;
  std::vector<domain::CertificateListName> deny_everywhere_;
  // By truststore: versions, and how many units pin each.
  std::map<std::string, std::map<int64_t, size_t>> pins_;
  // By API; none that no domain maps.
  std::map<std::string, Mapped> mapped_;
  std::map<std::string, std::string> domain_problems_;
  size_t num_domains_ = 0;
  uint64_t num_translated_ = 0;
  // Units that lost their last user, to be looked at after an update.
  std::set<UnitId> unneeded_;
  // Entries with a `meanwhile` that was not taken yet.
  std::set<xds::ResourceKey> meanwhile_;
};

}  // namespace sallyport::reconcile

#endif  // SALLYPORT_CONFIG_SERVICE_RECONCILE_GRAPH_H_
