#include "config_service/reconcile/fleet_publisher.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"

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
                               Log log)
    : fleet_name_(std::move(fleet)),
      cache_(cache),
      ledger_(ledger),
      clock_(clock),
      max_wait_(max_wait),
      log_(std::move(log)) {
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

absl::Time FleetPublisher::busy_since() const {
  absl::MutexLock lock(&mu_);
  return std::min(pending_since_, round_since_);
}

void FleetPublisher::Run() {
  while (true) {
    Round round;
    {
      absl::MutexLock lock(&mu_);
      round_since_ = absl::InfiniteFuture();
      while (!stopping_ && !pending_.has_value()) {
        if (held_.empty()) {
          wake_.Wait(&mu_);
        } else if (wake_.WaitWithTimeout(&mu_, kTryHeldAgain) &&
                   !pending_.has_value()) {
          pending_.emplace();
          pending_->revision = revision_;
        }
      }
      if (stopping_) return;
      round_since_ = std::min(pending_since_, clock_->Now());
      pending_since_ = absl::InfiniteFuture();
      round.change = *std::move(pending_);
      pending_.reset();
      pending_is_new_ = false;
    }
    if (!held_.empty()) {
      FleetChange all = std::exchange(held_, FleetChange());
      Merge(std::move(round.change), all);
      round.change = std::move(all);
    }
    PublishRound(std::move(round));
  }
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

void FleetPublisher::PublishFirst(FleetChange first) {
  if (first.fleet.has_value()) fleet_ = *std::move(first.fleet);
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
  }
  AddCarriers(touched, publication);
  publication.remove.clear();
  if (ResourcePtr port = Port(); port != nullptr) {
    publication.put.push_back(std::move(port));
  }
  Publish(std::move(publication));
  port_sequence_ = sequence_;
  absl::MutexLock lock(&mu_);
  revision_ = first.revision;
}

void FleetPublisher::PublishRound(Round round) {
  FleetChange& change = round.change;
  const std::shared_ptr<xds::Fleet> shown = cache_->FindFleet(fleet_name_);
  const auto is_shown = [&shown](const ResourcePtr& resource) {
    const ResourcePtr now =
        shown == nullptr ? nullptr
                         : shown->Find(resource->type(), resource->name());
    return now != nullptr && now->version() == resource->version();
  };

  // 1. What others need.
  Publication needed;
  std::vector<ResourceKey> keys;
  for (const auto& [key, put] : change.put) {
    if (!IsNeeded(key.type)) continue;
    const ResourcePtr& now =
        put.meanwhile != nullptr ? put.meanwhile : put.resource;
    if (put.meanwhile != nullptr) round.last[key] = put.resource;
    if (is_shown(now)) continue;
    needed.put.push_back(now);
    keys.push_back(key);
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
    carriers_.Put(now, touched);
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
    std::set<ResourceKey> checked = std::exchange(held_keys_, {});
    const bool was_held = !checked.empty();
    checked.insert(keys.begin(), keys.end());
    if (WaitForNodes(port_sequence_, std::move(keys), round) || was_held) {
      HoldBack(checked, round);
    }
    takes_away = takes_away && held_.empty();
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
    if (change.fleet.has_value()) fleet_ = *change.fleet;
    if (change.default_endpoints.has_value()) {
      default_endpoints_ = *change.default_endpoints;
    }
    if (change.fleet.has_value() || !change.domains.empty() ||
        change.default_endpoints.has_value()) {
      if (ResourcePtr port = Port(); port != nullptr) {
        chains.put.push_back(std::move(port));
      }
    }
    chains.store_revision = takes_away ? before : change.revision;
    // Every matcher waits until the nodes have the one before.
    Publish(std::move(chains));
    port_sequence_ = sequence_;
  }

  // 3. What nothing needs any more.
  if (takes_away) {
    if (shows) WaitForNodes(port_sequence_, {}, round);
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
    rest.remove.insert(rest.remove.end(), change.remove.begin(),
                       change.remove.end());
    rest.store_revision = change.revision;
    Publish(std::move(rest));
  }
  absl::MutexLock lock(&mu_);
  revision_ = std::max(revision_, change.revision);
  if (held_.empty()) held_domains_.clear();
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

ResourcePtr FleetPublisher::Make(const xds::Translated& translated) {
  absl::StatusOr<ResourcePtr> made = xds::Resource::Make(
      translated.key.type, translated.key.name, translated.message);
  if (made.ok()) return *std::move(made);
  log_(absl::StrCat("fleet ", fleet_name_, ": ", translated.key.name, ": ",
                    made.status().ToString()));
  return nullptr;
}

bool FleetPublisher::WaitForNodes(xds::Sequence sequence,
                                  std::vector<ResourceKey> keys,
                                  const Round& round) {
  xds::WaitFor what;
  what.fleet = fleet_name_;
  what.sequence = sequence;
  what.resources = std::move(keys);
  const absl::Time deadline = clock_->Now() + max_wait_;
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
    const xds::WaitResult result = ledger_->Wait(what, deadline, &cancel);
    {
      absl::MutexLock lock(&mu_);
      cancel_ = nullptr;
    }
    if (!result.done && clock_->Now() < deadline) continue;
    if (!result.done) {
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
    if (IsUrgent(put, round)) urgent.put.push_back(put.resource);
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

void FleetPublisher::HoldBack(const std::set<ResourceKey>& keys, Round& round) {
  std::set<ResourceKey> refused;
  for (const xds::NodeStatus& node :
       ledger_->Nodes(fleet_name_, xds::Ledger::Departed::kLeaveOut)) {
    for (const xds::Refusal& refusal : node.refusals) {
      if (keys.count(refusal.resource) != 0) refused.insert(refusal.resource);
    }
  }
  if (refused.empty()) return;
  FleetChange& change = round.change;
  // Everything that `key` names, as far as it came with this change.
  const std::function<void(const ResourceKey&, std::set<ResourceKey>&)> follow =
      [&](const ResourceKey& key, std::set<ResourceKey>& all) {
        if (!all.insert(key).second) return;
        const auto put = change.put.find(key);
        if (put == change.put.end()) return;
        for (const ResourceKey& r : put->second.references) follow(r, all);
      };
  std::set<std::string> domains;
  for (auto& [key, put] : change.put) {
    if (IsNeeded(key.type)) continue;
    std::set<ResourceKey> all;
    follow(key, all);
    all.erase(key);
    // The next round may know only this resource of all that came with it.
    put.references.assign(all.begin(), all.end());
    for (const ResourceKey& one : refused) {
      if (all.count(one) == 0) continue;
      domains.insert(DomainOf(key));
      held_keys_.insert(one);
    }
  }
  if (domains.empty()) return;
  for (auto at = change.put.begin(); at != change.put.end();) {
    const bool is_last = round.last.count(at->first) != 0;
    const bool is_held =
        !IsNeeded(at->first.type) && domains.count(DomainOf(at->first)) != 0;
    if (is_last || is_held) {
      held_.put.insert(change.put.extract(at++));
    } else {
      ++at;
    }
  }
  for (const std::string& domain : domains) {
    if (held_domains_.count(domain) == 0) {
      log_(absl::StrCat("fleet ", fleet_name_, ": ",
                        domain.empty() ? "the default endpoints" : domain,
                        " stays as it is: a node refuses what it needs"));
    }
    const auto at = change.domains.find(domain);
    if (at != change.domains.end()) {
      held_.domains.insert(change.domains.extract(at));
    }
    if (domain.empty() && change.default_endpoints.has_value()) {
      held_.default_endpoints = change.default_endpoints;
      change.default_endpoints.reset();
    }
  }
  held_domains_ = std::move(domains);
  // What stays in force may need what is to be taken away.
  held_.remove = std::exchange(change.remove, {});
  held_.carried = std::exchange(round.last_carried, {});
  round.last.clear();
}

}  // namespace sallyport::reconcile
