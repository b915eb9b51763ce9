#include "config_service/reconcile/fleet_publisher.h"

#include <algorithm>
#include <set>
#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "config_service/xds/translate/names.h"
#include "config_service/xds/translate/withdrawn.h"

namespace sallyport::reconcile {
namespace {

using ::sallyport::xds::Publication;
using ::sallyport::xds::ResourceKey;
using ::sallyport::xds::ResourcePtr;
using ::sallyport::xds::ResourceType;

// Nodes that a line of the log names.
constexpr size_t kMaxLoggedNodes = 5;

// Whether others need it before they are shown.
bool IsNeeded(ResourceType type) {
  return type == ResourceType::kCluster || type == ResourceType::kSecret;
}

// The domain of a chain or its routes; empty for default endpoints.
std::string DomainOf(const ResourceKey& key) {
  absl::string_view name = key.name;
  return absl::ConsumePrefix(&name, "domains/") ? std::string(name) : "";
}

}  // namespace

FleetPublisher::FleetPublisher(std::string fleet, FleetChange first,
                               xds::Cache* cache, const xds::Ledger* ledger,
                               const Clock* clock, absl::Duration max_wait,
                               absl::Duration withdrawn_for, Log log, Held held)
    : fleet_name_(std::move(fleet)),
      cache_(cache),
      ledger_(ledger),
      clock_(clock),
      max_wait_(max_wait),
      withdrawn_for_(withdrawn_for),
      log_(std::move(log)),
      on_held_(std::move(held)) {
  PublishFirst(std::move(first));
  worker_ = std::thread([this] { Run(); });
}

FleetPublisher::~FleetPublisher() {
  {
    absl::MutexLock lock(&mu_);
    stopping_ = true;
    if (cancel_ != nullptr) cancel_->Cancel();
    wake_.SignalAll();
  }
  ledger_->Wake();
  worker_.join();
}

void FleetPublisher::Merge(FleetChange newer, FleetChange& into) {
  for (auto& [key, put] : newer.put) {
    into.remove.erase(key);
    into.put[key] = std::move(put);
  }
  for (const ResourceKey& key : newer.remove) {
    into.put.erase(key);
    into.remove.insert(key);
  }
  for (const auto& [domain, served] : newer.domains) {
    into.domains[domain] = served;
  }
  for (auto& [name, carried] : newer.carried) {
    into.carried[name] = std::move(carried);
  }
  if (newer.fleet.has_value()) into.fleet = std::move(newer.fleet);
  if (newer.default_endpoints.has_value()) {
    into.default_endpoints = newer.default_endpoints;
  }
  into.revision = std::max(into.revision, newer.revision);
}

void FleetPublisher::Add(FleetChange change) {
  {
    absl::MutexLock lock(&mu_);
    if (!pending_.has_value()) {
      pending_ = std::move(change);
      pending_since_ = clock_->Now();
    } else {
      Merge(std::move(change), *pending_);
    }
    pending_is_new_ = true;
    wake_.SignalAll();
    if (cancel_ == nullptr) return;
    cancel_->Cancel();
  }
  ledger_->Wake();
}

uint64_t FleetPublisher::revision() const {
  absl::MutexLock lock(&mu_);
  return revision_;
}

uint64_t FleetPublisher::num_timeouts() const {
  absl::MutexLock lock(&mu_);
  return timeouts_;
}

size_t FleetPublisher::num_held() const {
  absl::MutexLock lock(&mu_);
  return num_held_;
}

std::vector<FleetPublisher::NodeRefusal> FleetPublisher::HeldRefusals() const {
  std::vector<NodeRefusal> all;
  absl::MutexLock lock(&mu_);
  for (const auto& [key, refusal] : held_refusals_) all.push_back(refusal);
  return all;
}

absl::Time FleetPublisher::busy_since() const {
  absl::MutexLock lock(&mu_);
  return std::min(pending_since_, round_since_);
}

void FleetPublisher::Run() {
  while (true) {
    ForgetWithdrawn();
    Round round;
    std::set<std::string> released;
    {
      absl::MutexLock lock(&mu_);
      round_since_ = absl::InfiniteFuture();
      while (!stopping_ && !pending_.has_value()) {
        if (held_.empty()) {
          if (withdrawn_.empty()) {
            wake_.Wait(&mu_);
          } else if (wake_.WaitWithTimeout(&mu_, withdrawn_for_)) {
            break;
          }
        } else if (wake_.WaitWithTimeout(&mu_, kTryHeldAgain) &&
                   !pending_.has_value()) {
          pending_.emplace();
          pending_->revision = revision_;
        }
      }
      if (stopping_) return;
      if (!pending_.has_value()) continue;
      round_since_ = std::min(pending_since_, clock_->Now());
      pending_since_ = absl::InfiniteFuture();
      round.change = *std::move(pending_);
      pending_.reset();
      pending_is_new_ = false;
    }
    if (!held_.empty() && Releases(round.change)) {
      FleetChange all = std::exchange(held_, FleetChange());
      released = std::exchange(held_domains_, {});
      held_keys_.clear();
      held_closure_.clear();
      absl::MutexLock lock(&mu_);
      held_refusals_.clear();
      Merge(std::move(round.change), all);
      round.change = std::move(all);
    }
    PublishRound(std::move(round));
    for (const std::string& domain : released) {
      if (held_domains_.count(domain) == 0) on_held_(domain, "");
    }
  }
}

bool FleetPublisher::Releases(const FleetChange& next) const {
  if (clock_->Now() >= held_since_ + kTryHeldAgain) return true;
  const auto is_held = [this](const ResourceKey& key) {
    return held_closure_.count(key) != 0 || held_.remove.count(key) != 0;
  };
  return std::any_of(next.put.begin(), next.put.end(),
                     [&](const auto& put) { return is_held(put.first); }) ||
         std::any_of(next.remove.begin(), next.remove.end(), is_held) ||
         std::any_of(next.domains.begin(), next.domains.end(),
                     [&](const auto& domain) {
                       return held_.domains.count(domain.first) != 0;
                     }) ||
         std::any_of(next.carried.begin(), next.carried.end(),
                     [&](const auto& carried) {
                       return held_.carried.count(carried.first) != 0;
                     }) ||
         next.default_endpoints.has_value();
}

std::set<ResourceKey> FleetPublisher::Closure(const ResourceKey& key) const {
  std::set<ResourceKey> all;
  std::vector<ResourceKey> open = {key};
  while (!open.empty()) {
    const ResourceKey one = std::move(open.back());
    open.pop_back();
    if (!all.insert(one).second) continue;
    const auto found = references_.find(one);
    if (found == references_.end()) continue;
    open.insert(open.end(), found->second.begin(), found->second.end());
  }
  return all;
}

void FleetPublisher::Publish(Publication publication) {
  publication.store_revision =
      std::max(publication.store_revision, shown_revision_);
  const absl::StatusOr<xds::Sequence> published =
      cache_->Publish(fleet_name_, publication);
  if (!published.ok()) {
    // Limits of the cache: what is in force stays.
    log_(absl::StrCat("fleet ", fleet_name_,
                      ": cannot publish: ", published.status().ToString()));
    return;
  }
  sequence_ = *published;
  shown_revision_ = publication.store_revision;
}

void FleetPublisher::SetFleet(domain::Fleet fleet) {
  if (!fleet.default_endpoint_suffix.empty()) {
    default_endpoints_domain_ = domain::DefaultEndpointWildcard(fleet);
  }
  fleet_ = std::move(fleet);
}

ResourcePtr FleetPublisher::Withdrawn(const ResourceKey& key) {
  if (key.type != ResourceType::kRouteConfiguration) return nullptr;
  const std::shared_ptr<xds::Fleet> shown = cache_->FindFleet(fleet_name_);
  if (shown == nullptr || shown->Find(key.type, key.name) == nullptr) {
    return nullptr;
  }
  const std::string domain = key.name == xds::kDefaultEndpoints
                                 ? default_endpoints_domain_
                                 : DomainOf(key);
  if (domain.empty() || absl::EndsWith(domain, xds::TestInvocationDomain(""))) {
    return nullptr;
  }
  return Make(xds::TranslateWithdrawn(key.name, domain));
}

void FleetPublisher::ForgetWithdrawn() {
  const absl::Time now = clock_->Now();
  Publication publication;
  for (auto at = withdrawn_.begin(); at != withdrawn_.end();) {
    if (at->second > now) {
      ++at;
      continue;
    }
    publication.remove.push_back(at->first);
    withdrawn_.erase(at++);
  }
  if (publication.remove.empty()) return;
  publication.store_revision = shown_revision_;
  Publish(std::move(publication));
}

void FleetPublisher::PublishFirst(FleetChange first) {
  if (first.fleet.has_value()) SetFleet(*std::move(first.fleet));
  default_endpoints_ = first.default_endpoints.value_or(false);
  for (const auto& [domain, served] : first.domains) {
    if (served) domains_.insert(domain);
  }
  std::set<size_t> touched;
  for (const auto& [name, carried] : first.carried) {
    if (carried.has_value()) carriers_.Put(*carried, touched);
  }
  Publication publication;
  publication.kind = Publication::Kind::kWhole;
  publication.store_revision = first.revision;
  for (const auto& [key, put] : first.put) {
    publication.put.push_back(put.resource);
    references_[key] = put.references;
  }
  AddCarriers(touched, publication);
  publication.remove.clear();
  if (ResourcePtr port = Port(); port != nullptr) {
    publication.put.push_back(std::move(port));
  }
  if (ResourcePtr runtime = Runtime(); runtime != nullptr) {
    publication.put.push_back(std::move(runtime));
  }
  Publish(std::move(publication));
  port_sequence_ = sequence_;
  absl::MutexLock lock(&mu_);
  revision_ = first.revision;
}

void FleetPublisher::PublishRound(Round round) {
  FleetChange& change = round.change;
  // What comes back is no longer withdrawn.
  for (const auto& [key, put] : change.put) withdrawn_.erase(key);
  const std::shared_ptr<xds::Fleet> shown = cache_->FindFleet(fleet_name_);
  const auto is_shown = [&shown](const ResourcePtr& resource) {
    const ResourcePtr now =
        shown == nullptr ? nullptr
                         : shown->Find(resource->type(), resource->name());
    return now != nullptr && now->version() == resource->version();
  };

  // What a resource named until now and names no longer: it is needed as it is
  // until the nodes have the resource.
  for (const auto& [key, put] : change.put) {
    std::vector<ResourceKey>& references = references_[key];
    for (const ResourceKey& before : references) {
      if (std::find(put.references.begin(), put.references.end(), before) ==
          put.references.end()) {
        round.left.insert(before);
      }
    }
    references = put.references;
  }

  // 1. What others need.
  Publication needed;
  std::vector<ResourceKey> keys;
  for (const auto& [key, put] : change.put) {
    if (!IsNeeded(key.type)) continue;
    if (round.left.count(key) != 0 && shown != nullptr &&
        shown->Find(key.type, key.name) != nullptr) {
      round.last[key] = put.resource;
      continue;
    }
    const ResourcePtr& now =
        put.meanwhile != nullptr ? put.meanwhile : put.resource;
    if (put.meanwhile != nullptr) round.last[key] = put.resource;
    if (is_shown(now)) continue;
    needed.put.push_back(now);
    keys.push_back(key);
  }
  // A node that still drains a domain which comes back has its routes of then,
  // and would take the new chain with them. Nobody else asks for them yet.
  for (const auto& [domain, served] : change.domains) {
    if (!served) continue;
    const auto routes = change.put.find(
        {ResourceType::kRouteConfiguration, xds::DomainResource(domain)});
    if (routes == change.put.end()) continue;
    needed.put.push_back(routes->second.resource);
  }
  std::set<size_t> touched;
  for (const auto& [name, carried] : change.carried) {
    const xds::Carried* before = carriers_.Find(name);
    if (!carried.has_value()) {
      if (before != nullptr) round.last_carried[name] = std::nullopt;
      continue;
    }
    xds::Carried now = *carried;
    if (now.validation_secret.empty() && before != nullptr &&
        !before->validation_secret.empty()) {
      // The chain in force still asks for it.
      now.validation_secret = before->validation_secret;
      round.last_carried[name] = *carried;
    }
    round.carried_before[name] =
        before == nullptr ? std::nullopt : std::make_optional(*before);
    carriers_.Put(now, touched);
    keys.push_back({ResourceType::kSecret, now.certificate_secret});
    if (!now.validation_secret.empty()) {
      keys.push_back({ResourceType::kSecret, now.validation_secret});
    }
  }
  AddCarriers(touched, needed);
  for (const size_t index : touched) {
    keys.push_back({ResourceType::kListener, xds::CarrierName(index)});
  }

  bool shows = change.fleet.has_value() || !change.domains.empty() ||
               change.default_endpoints.has_value();
  for (const auto& [key, put] : change.put) {
    shows = shows || (!IsNeeded(key.type) && !is_shown(put.resource));
  }
  bool takes_away = !change.remove.empty() || !round.last.empty() ||
                    !round.last_carried.empty();
  const uint64_t before = shown_revision_;
  needed.store_revision = shows || takes_away ? before : change.revision;
  if (!needed.put.empty() || !(shows || takes_away)) {
    Publish(std::move(needed));
  }

  // 2. What is shown.
  if (shows) {
    // Once more for those that were held up by what is held back now, and once
    // for carriers that are refused still.
    constexpr int kAttempts = 3;
    for (int attempt = 0; attempt < kAttempts; ++attempt) {
      std::set<ResourceKey> checked;
      for (const ResourceKey& key : keys) {
        if (held_keys_.count(key) == 0) checked.insert(key);
      }
      const bool refused = WaitForNodes(
          port_sequence_,
          std::vector<ResourceKey>(checked.begin(), checked.end()), round);
      if (!refused && held_keys_.empty()) break;
      if (!HoldBack(checked, round)) break;
    }
    takes_away = !change.remove.empty() || !round.last.empty() ||
                 !round.last_carried.empty();
    Publication chains;
    for (const auto& [key, put] : change.put) {
      if (!IsNeeded(key.type)) chains.put.push_back(put.resource);
    }
    for (const auto& [domain, served] : change.domains) {
      if (served) {
        domains_.insert(domain);
      } else {
        domains_.erase(domain);
      }
    }
    if (change.fleet.has_value()) {
      SetFleet(*change.fleet);
      if (ResourcePtr runtime = Runtime(); runtime != nullptr) {
        chains.put.push_back(std::move(runtime));
      }
    }
    if (change.default_endpoints.has_value()) {
      default_endpoints_ = *change.default_endpoints;
    }
    if (change.fleet.has_value() || !change.domains.empty() ||
        change.default_endpoints.has_value()) {
      if (ResourcePtr port = Port(); port != nullptr) {
        chains.put.push_back(std::move(port));
      }
    }
    // A node asks for a new domain's routes when it has the chain: until it has
    // them too, it does not serve the domain.
    std::vector<ResourceKey> comes;
    for (const auto& [domain, served] : change.domains) {
      if (!served) continue;
      const std::string name = xds::DomainResource(domain);
      comes.push_back({ResourceType::kFilterChain, name});
      comes.push_back({ResourceType::kRouteConfiguration, name});
    }
    chains.store_revision =
        takes_away || !comes.empty() ? before : change.revision;
    // Every matcher waits until the nodes have the one before.
    Publish(std::move(chains));
    port_sequence_ = sequence_;
    if (takes_away || !comes.empty()) {
      WaitForNodes(port_sequence_, std::move(comes), round);
    }
    if (!takes_away) {
      Publication done;
      done.store_revision = change.revision;
      Publish(std::move(done));
    }
  }

  // 3. What nothing needs any more.
  if (takes_away) {
    if (!shows && !round.last.empty()) {
      std::sort(keys.begin(), keys.end());
      keys.erase(std::unique(keys.begin(), keys.end()), keys.end());
      WaitForNodes(port_sequence_, std::move(keys), round);
    }
    Publication rest;
    for (auto& [key, resource] : round.last) rest.put.push_back(resource);
    std::set<size_t> emptied;
    for (const auto& [name, carried] : round.last_carried) {
      if (carried.has_value()) {
        carriers_.Put(*carried, emptied);
      } else {
        carriers_.Remove(name, emptied);
      }
    }
    AddCarriers(emptied, rest);
    for (const ResourceKey& key : change.remove) {
      references_.erase(key);
      if (ResourcePtr withdrawn = Withdrawn(key); withdrawn != nullptr) {
        rest.put.push_back(std::move(withdrawn));
        withdrawn_[key] = clock_->Now() + withdrawn_for_;
      } else {
        rest.remove.push_back(key);
      }
    }
    rest.store_revision = change.revision;
    Publish(std::move(rest));
  }
  absl::MutexLock lock(&mu_);
  revision_ = std::max(revision_, change.revision);
  num_held_ = held_domains_.size();
}

void FleetPublisher::AddCarriers(const std::set<size_t>& touched,
                                 Publication& publication) {
  for (const size_t index : touched) {
    const std::vector<xds::Carried> carried = carriers_.Of(index);
    if (carried.empty()) {
      publication.remove.push_back(
          {ResourceType::kListener, xds::CarrierName(index)});
      continue;
    }
    if (ResourcePtr made = Make(xds::TranslateCarrier(index, carried));
        made != nullptr) {
      publication.put.push_back(std::move(made));
    }
  }
}

ResourcePtr FleetPublisher::Port() {
  xds::FleetInput input;
  input.fleet = &fleet_;
  input.domains.assign(domains_.begin(), domains_.end());
  input.default_endpoints = default_endpoints_;
  return Make(xds::TranslatePort(input));
}

ResourcePtr FleetPublisher::Runtime() {
  return Make(xds::TranslateRuntime(fleet_));
}

ResourcePtr FleetPublisher::Make(const xds::Translated& translated) {
  absl::StatusOr<ResourcePtr> made = xds::Resource::Make(
      translated.key.type, translated.key.name, translated.message);
  if (made.ok()) return *std::move(made);
  log_(absl::StrCat("fleet ", fleet_name_, ": ", translated.key.name, ": ",
                    made.status().ToString()));
  return nullptr;
}

std::set<std::string> FleetPublisher::UnansweringNodes() {
  std::set<std::string> names;
  for (auto it = unanswering_nodes_.begin(); it != unanswering_nodes_.end();) {
    const auto status = ledger_->Node(fleet_name_, it->first);
    const bool answers =
        !status.has_value() ||
        (status->sequence >= it->second && status->num_refusals == 0);
    if (answers) {
      it = unanswering_nodes_.erase(it);
    } else {
      names.insert((it++)->first);
    }
  }
  return names;
}

bool FleetPublisher::WaitForNodes(xds::Sequence sequence,
                                  std::vector<ResourceKey> keys,
                                  const Round& round) {
  xds::WaitFor what;
  what.fleet = fleet_name_;
  what.sequence = sequence;
  what.resources = std::move(keys);
  what.skipped = UnansweringNodes();
  const absl::Time begin = clock_->Now();
  const absl::Time deadline = begin + max_wait_;
  // All get this long; who needed more the last time gets no more.
  const absl::Time soon = std::min(deadline, begin + kSlowNodeWait);
  bool is_soon = true;
  while (true) {
    xds::WaitCancel cancel;
    bool urgent = false;
    {
      absl::MutexLock lock(&mu_);
      if (stopping_) return false;
      urgent = std::exchange(pending_is_new_, false);
      if (!urgent) cancel_ = &cancel;
    }
    if (urgent) {
      PublishUrgent(round);
      continue;
    }
    const absl::Time until = is_soon ? soon : deadline;
    const xds::WaitResult result = ledger_->Wait(what, until, &cancel);
    {
      absl::MutexLock lock(&mu_);
      cancel_ = nullptr;
    }
    if (!result.done && clock_->Now() < until) continue;
    if (is_soon) {
      is_soon = false;
      std::set<std::string> slow(result.lagging.begin(), result.lagging.end());
      const bool known = std::includes(slow_nodes_.begin(), slow_nodes_.end(),
                                       slow.begin(), slow.end());
      slow_nodes_ = std::move(slow);
      if (!result.done && !known) continue;
    }
    if (!result.done) {
      if (clock_->Now() >= deadline) {
        for (const std::string& node : result.lagging) {
          unanswering_nodes_[node] = sequence;
        }
      }
      std::vector<std::string> names = result.lagging;
      if (names.size() > kMaxLoggedNodes) names.resize(kMaxLoggedNodes);
      log_(absl::StrCat("fleet ", fleet_name_, ": ", result.num_lagging, " of ",
                        result.num_connected, " nodes did not answer in time (",
                        absl::StrJoin(names, ", "), "); going on"));
      absl::MutexLock lock(&mu_);
      ++timeouts_;
    }
    return !what.resources.empty() && result.num_refusing > 0;
  }
}

bool FleetPublisher::IsUrgent(const FleetChange::Put& put,
                              const Round& round) const {
  const ResourceType type = put.resource->type();
  if (type != ResourceType::kSecret || put.meanwhile != nullptr) return false;
  const ResourceKey key = {type, put.resource->name()};
  if (held_keys_.count(key) != 0 || round.left.count(key) != 0) return false;
  if (round.last.count(key) != 0 || round.change.remove.count(key) != 0) {
    return false;
  }
  const std::shared_ptr<xds::Fleet> shown = cache_->FindFleet(fleet_name_);
  if (shown == nullptr || shown->Find(type, key.name) == nullptr) return false;
  return std::all_of(put.references.begin(), put.references.end(),
                     [&](const ResourceKey& reference) {
                       return round.change.remove.count(reference) == 0 &&
                              shown->Find(reference.type, reference.name) !=
                                  nullptr;
                     });
}

void FleetPublisher::PublishUrgent(const Round& round) {
  std::vector<std::pair<ResourceKey, FleetChange::Put>> secrets;
  {
    absl::MutexLock lock(&mu_);
    if (!pending_.has_value()) return;
    for (const auto& [key, put] : pending_->put) {
      if (key.type == ResourceType::kSecret) secrets.emplace_back(key, put);
    }
  }
  Publication urgent;
  for (const auto& [key, put] : secrets) {
    if (!IsUrgent(put, round)) continue;
    urgent.put.push_back(put.resource);
    references_[key] = put.references;
  }
  if (urgent.put.empty()) return;
  {
    absl::MutexLock lock(&mu_);
    for (const ResourcePtr& resource : urgent.put) {
      // Unless a newer one came meanwhile.
      const auto at = pending_->put.find({resource->type(), resource->name()});
      if (at != pending_->put.end() && at->second.resource == resource) {
        pending_->put.erase(at);
      }
    }
  }
  urgent.store_revision = shown_revision_;
  Publish(std::move(urgent));
}

bool FleetPublisher::HoldBack(const std::set<ResourceKey>& keys, Round& round) {
  std::map<ResourceKey, size_t> refusals;
  std::map<ResourceKey, NodeRefusal> details;
  const std::vector<xds::NodeStatus> nodes =
      ledger_->Nodes(fleet_name_, xds::Ledger::Departed::kLeaveOut);
  for (const xds::NodeStatus& node : nodes) {
    for (const xds::Refusal& refusal : node.refusals) {
      if (keys.count(refusal.resource) == 0) continue;
      ++refusals[refusal.resource];
      details[refusal.resource] = {node.info.name, refusal};
    }
  }
  // What only some refuse is theirs to mend: one broken node must not keep a
  // fleet from changing.
  std::set<ResourceKey> refused;
  bool only_carriers = held_keys_.empty();
  for (const auto& [key, count] : refusals) {
    if (count != nodes.size()) continue;
    refused.insert(key);
    only_carriers = only_carriers && key.type == ResourceType::kListener;
  }
  if (refused.empty() && held_keys_.empty()) return false;
  FleetChange& change = round.change;

  // Envoy refuses a whole carrier because of one secret that it refuses. Unless
  // it is known which, whatever is new in the carrier is suspect.
  std::map<std::string, ResourceKey> domains;  // and because of what
  std::set<std::string> names;
  for (const auto& [name, before] : round.carried_before) {
    const xds::Carried& now = *change.carried.at(name);
    const ResourceKey carrier = {ResourceType::kListener,
                                 xds::CarrierName(carriers_.IndexOf(name))};
    if (only_carriers && refused.count(carrier) != 0) {
      names.insert(name);
      const std::string domain = DomainOf({ResourceType::kFilterChain, name});
      if (!domain.empty()) domains.emplace(domain, carrier);
      if (now.validation_secret == name) {
        refused.insert({ResourceType::kSecret, name});
        details[{ResourceType::kSecret, name}] = details[carrier];
      }
    }
    for (const std::string* secret :
         {&now.certificate_secret, &now.validation_secret}) {
      if (refused.count({ResourceType::kSecret, *secret}) != 0) {
        names.insert(name);
      }
    }
  }

  for (const auto& [key, put] : change.put) {
    if (IsNeeded(key.type)) continue;
    const std::set<ResourceKey> all = Closure(key);
    for (const std::set<ResourceKey>* bad : {&refused, &held_keys_}) {
      for (const ResourceKey& one : *bad) {
        if (all.count(one) != 0) domains.emplace(DomainOf(key), one);
      }
    }
  }
  for (auto at = change.put.begin(); at != change.put.end();) {
    const bool is_last = round.last.count(at->first) != 0;
    const bool is_held =
        !IsNeeded(at->first.type) && domains.count(DomainOf(at->first)) != 0;
    if (!domains.empty() && (is_last || is_held)) {
      held_closure_.merge(Closure(at->first));
      held_.put.insert_or_assign(at->first, at->second);
      change.put.erase(at++);
    } else {
      ++at;
    }
  }
  {
    absl::MutexLock lock(&mu_);
    details.insert(held_refusals_.begin(), held_refusals_.end());
  }
  for (const auto& [domain, key] : domains) {
    const NodeRefusal& detail = details[key];
    const std::string reason =
        absl::StrCat("node ", detail.node, " refuses ",
                     detail.refusal.resource.name, ": ", detail.refusal.reason);
    log_(absl::StrCat("fleet ", fleet_name_, ": ",
                      domain.empty() ? "the default endpoints" : domain,
                      " stays as it is: ", reason));
    if (!domain.empty()) on_held_(domain, reason);
    held_domains_.insert(domain);
    held_keys_.insert(key);
    {
      absl::MutexLock lock(&mu_);
      held_refusals_[key] = detail;
    }
    const auto at = change.domains.find(domain);
    if (at != change.domains.end()) {
      held_.domains[domain] = at->second;
      change.domains.erase(at);
    }
    if (domain.empty() && change.default_endpoints.has_value()) {
      held_.default_endpoints = change.default_endpoints;
      change.default_endpoints.reset();
    }
  }
  held_since_ = clock_->Now();
  if (!domains.empty()) {
    // What stays in force may need what is to be taken away.
    FleetChange later;
    later.remove = std::exchange(change.remove, {});
    Merge(std::move(later), held_);
    for (auto& [name, carried] : std::exchange(round.last_carried, {})) {
      held_.carried[name] = std::move(carried);
    }
    round.last.clear();
  }

  Publication back;
  std::set<size_t> touched;
  for (const std::string& name : names) {
    const std::optional<xds::Carried>& before = round.carried_before.at(name);
    held_.carried[name] = change.carried.at(name);
    if (before.has_value()) {
      carriers_.Put(*before, touched);
    } else {
      carriers_.Remove(name, touched);
    }
    change.carried.erase(name);
    round.carried_before.erase(name);
  }
  if (touched.empty()) return false;
  AddCarriers(touched, back);
  Publish(std::move(back));
  return true;
}

}  // namespace sallyport::reconcile
