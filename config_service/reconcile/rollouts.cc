#include "config_service/reconcile/rollouts.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"

namespace sallyport::reconcile {
namespace {

using ::sallyport::service::kMaxListedNodes;
using ::sallyport::service::NodeView;
using ::sallyport::service::RolloutView;

// How often a wait asks whether it is cancelled.
constexpr absl::Duration kLookAgain = absl::Milliseconds(200);
constexpr absl::Duration kPause = absl::Milliseconds(10);

domain::NodeName NameOf(absl::string_view fleet, absl::string_view node) {
  return domain::NodeName(domain::FleetName(fleet), node);
}

domain::Refusal ToDomain(const xds::Refusal& refusal) {
  domain::Refusal out;
  out.type = std::string(xds::TypeName(refusal.resource.type));
  out.resource = refusal.resource.name;
  out.version = refusal.version;
  out.revision = static_cast<int64_t>(refusal.store_revision);
  out.time = refusal.time;
  out.reason = refusal.reason;
  out.cause = CauseOf(refusal.resource);
  return out;
}

absl::Time LastSeen(const xds::NodeStatus& status, absl::Time now) {
  return status.connected ? now : status.disconnected_at;
}

NodeView ToView(const xds::NodeStatus& status, absl::Time now) {
  NodeView view;
  domain::Node& node = view.node;
  node.name = NameOf(status.info.fleet, status.info.name);
  node.connected = status.connected;
  node.connect_time = status.connected_at;
  node.last_seen_time = LastSeen(status, now);
  node.address = status.info.address;
  node.software_version = status.info.user_agent;
  node.acknowledged_revision = static_cast<int64_t>(status.store_revision);
  node.behind_since = status.unanswered_since;
  for (const xds::Refusal& refusal : status.refusals) {
    if (node.refusals.size() == kMaxListedNodes) break;
    node.refusals.push_back(ToDomain(refusal));
  }
  view.num_refusals = status.num_refusals;
  for (size_t i = 0; i < xds::kNumResourceTypes; ++i) {
    const xds::TypeStatus& type = status.types[i];
    if (!type.requested) continue;
    NodeView::Type out;
    out.type = std::string(xds::TypeName(static_cast<xds::ResourceType>(i)));
    out.num_subscribed = type.num_subscribed;
    out.num_acknowledged = type.num_acknowledged;
    out.num_refused = type.num_refused;
    out.last_acknowledged = type.last_acknowledged;
    view.types.push_back(std::move(out));
  }
  return view;
}

// Whether it is still what is published.
bool IsCurrent(const xds::Fleet& published, const xds::Refusal& refusal) {
  const xds::ResourcePtr now =
      published.Find(refusal.resource.type, refusal.resource.name);
  return now != nullptr && now->version() == refusal.version;
}

}  // namespace

std::string CauseOf(const xds::ResourceKey& key) {
  struct Prefix {
    absl::string_view xds;
    absl::string_view ours;
  };
  static constexpr Prefix kPrefixes[] = {
      {"domains/", "domainNames/"},
      {"bindings/", "domainNames/"},
      {"truststores/", "truststores/"},
      {"backend-trust/", "truststores/"},
      {"server-certificates/", "serverCertificates/"},
      {"client-certificates/", "clientCertificates/"},
      {"revocation-lists/", "revocationLists/"},
      {"certificate-lists/", "certificateLists/"},
  };
  for (const Prefix& prefix : kPrefixes) {
    absl::string_view rest = key.name;
    if (absl::ConsumePrefix(&rest, prefix.xds)) {
      return absl::StrCat(prefix.ours, rest);
    }
  }
  return "";
}

std::vector<std::string> LedgerRollouts::FleetsOf(
    const domain::FleetName& fleet) const {
  if (!fleet.empty()) return {fleet.id()};
  return cache_->FleetNames();
}

std::vector<NodeView> LedgerRollouts::Nodes(const domain::FleetName& fleet) {
  std::vector<NodeView> views;
  for (const xds::NodeStatus& status :
       ledger_->Nodes(fleet.id(), xds::Ledger::Departed::kInclude)) {
    // Two connections of one node, while it reconnects: the later counts.
    NodeView view = ToView(status, clock_->Now());
    if (!views.empty() && views.back().node.name == view.node.name) {
      views.back() = std::move(view);
    } else {
      views.push_back(std::move(view));
    }
  }
  std::sort(views.begin(), views.end(),
            [](const NodeView& a, const NodeView& b) {
              return a.node.name < b.node.name;
            });
  return views;
}

std::optional<NodeView> LedgerRollouts::Node(const domain::NodeName& name) {
  const std::optional<xds::NodeStatus> status =
      ledger_->Node(name.parent().id(), name.id());
  if (!status.has_value()) return std::nullopt;
  return ToView(*status, clock_->Now());
}

service::Rollouts::NodeCount LedgerRollouts::Count(
    const domain::FleetName& fleet) {
  const xds::Ledger::NodeCount count = ledger_->Count(fleet.id());
  return {count.known, count.connected};
}

service::Rollouts::Forgotten LedgerRollouts::Forget(
    const domain::NodeName& name) {
  const std::string& fleet = name.parent().id();
  const std::optional<xds::NodeStatus> status = ledger_->Node(fleet, name.id());
  if (status.has_value() && status->connected) return Forgotten::kConnected;
  return ledger_->Forget(fleet, name.id()) ? Forgotten::kYes
                                           : Forgotten::kUnknown;
}

RolloutView LedgerRollouts::Get(int64_t revision,
                                const domain::FleetName& fleet) {
  RolloutView view;
  view.revision = revision;
  view.complete = true;
  for (const std::string& name : FleetsOf(fleet)) {
    const std::shared_ptr<xds::Fleet> published = Shown(name);
    if (published == nullptr) continue;
    const std::optional<xds::Sequence> sequence =
        published->SequenceOf(static_cast<uint64_t>(revision));
    if (!sequence.has_value()) view.complete = false;
    const std::vector<HeldRefusal> all_held = held_(name);
    for (const xds::NodeStatus& node :
         ledger_->Nodes(name, xds::Ledger::Departed::kLeaveOut)) {
      ++view.num_connected;
      const domain::NodeName node_name = NameOf(name, node.info.name);
      // What all nodes refuse is held back: none has it.
      bool refuses = !all_held.empty();
      for (const xds::Refusal& refusal : node.refusals) {
        if (!IsCurrent(*published, refusal)) continue;
        refuses = true;
        if (view.refusals.size() == kMaxListedNodes) break;
        view.refusals.push_back({node_name, ToDomain(refusal)});
      }
      const bool has_it = sequence.has_value() && node.sequence >= *sequence;
      if (!has_it && view.pending.size() < kMaxListedNodes) {
        view.pending.push_back(node_name);
      }
      view.complete = view.complete && has_it && !refuses;
      view.num_refusing += refuses ? 1 : 0;
      view.num_acknowledged += has_it && !refuses ? 1 : 0;
    }
    for (const HeldRefusal& held : all_held) {
      view.complete = false;
      if (view.refusals.size() == kMaxListedNodes) break;
      view.refusals.push_back(
          {NameOf(name, held.node), ToDomain(held.refusal)});
    }
  }
  return view;
}

std::shared_ptr<xds::Fleet> LedgerRollouts::Shown(
    const std::string& name) const {
  std::shared_ptr<xds::Fleet> fleet = cache_->FindFleet(name);
  if (fleet == nullptr) return nullptr;
  for (size_t type = 0; type < xds::kNumResourceTypes; ++type) {
    if (fleet->num_resources(static_cast<xds::ResourceType>(type)) > 0) {
      return fleet;
    }
  }
  return nullptr;
}

bool LedgerRollouts::IsRefused(const std::string& fleet) const {
  const std::shared_ptr<xds::Fleet> published = cache_->FindFleet(fleet);
  if (published == nullptr) return false;
  if (!held_(fleet).empty()) return true;
  for (const xds::NodeStatus& node :
       ledger_->Nodes(fleet, xds::Ledger::Departed::kLeaveOut)) {
    for (const xds::Refusal& refusal : node.refusals) {
      if (IsCurrent(*published, refusal)) return true;
    }
  }
  return false;
}

RolloutView LedgerRollouts::Wait(int64_t revision,
                                 const domain::FleetName& fleet,
                                 size_t min_nodes, absl::Time deadline,
                                 const service::Cancelled& cancelled) {
  while (true) {
    RolloutView view = WaitForNodes(revision, fleet, deadline, cancelled);
    if (!view.complete || view.num_acknowledged >= min_nodes) return view;
    view.complete = false;
    const absl::Time now = clock_->Now();
    if (now >= deadline || cancelled()) return view;
    absl::SleepFor(std::min(deadline - now, kLookAgain));
  }
}

RolloutView LedgerRollouts::WaitForNodes(int64_t revision,
                                         const domain::FleetName& fleet,
                                         absl::Time deadline,
                                         const service::Cancelled& cancelled) {
  for (const std::string& name : FleetsOf(fleet)) {
    const std::shared_ptr<xds::Fleet> published = Shown(name);
    if (published == nullptr) continue;
    while (true) {
      const absl::Time now = clock_->Now();
      const xds::WaitResult result = ledger_->WaitForRevision(
          name, static_cast<uint64_t>(revision),
          std::min(deadline, now + kLookAgain), xds::Ledger::AtRefusal::kStop);
      if (result.done) break;
      const bool is_published =
          published->SequenceOf(static_cast<uint64_t>(revision)).has_value();
      if ((is_published && IsRefused(name)) || clock_->Now() >= deadline ||
          cancelled()) {
        return Get(revision, fleet);
      }
      // What is refused was replaced; the answer to that is on its way.
      if (result.num_refusing > 0) absl::SleepFor(kPause);
    }
  }
  return Get(revision, fleet);
}

std::vector<domain::NodeName> LedgerRollouts::NodesWith(
    const domain::ClientCertificateName& certificate) {
  const std::string secret =
      absl::StrCat("client-certificates/", certificate.id());
  std::vector<domain::NodeName> names;
  for (const std::string& fleet : cache_->FleetNames()) {
    const std::shared_ptr<xds::Fleet> published = cache_->FindFleet(fleet);
    if (published == nullptr) continue;
    const bool is_there =
        published->Find(xds::ResourceType::kSecret, secret) != nullptr;
    const xds::Sequence newest = published->sequence();
    for (const xds::NodeStatus& node :
         ledger_->Nodes(fleet, xds::Ledger::Departed::kLeaveOut)) {
      if (!is_there && node.sequence >= newest) continue;
      if (names.size() == kMaxListedNodes) return names;
      names.push_back(NameOf(fleet, node.info.name));
    }
  }
  return names;
}

service::NodeEvents LedgerRollouts::Events(
    uint64_t after, size_t limit, absl::Time deadline,
    const service::Cancelled& cancelled) {
  using Kind = xds::NodeEvent::Kind;
  while (true) {
    const xds::EventBatch batch = ledger_->Events(
        after, limit, std::min(deadline, clock_->Now() + kLookAgain));
    service::NodeEvents out;
    out.lost = batch.lost;
    for (const xds::NodeEvent& event : batch.events) {
      service::NodeEvent one;
      one.number = event.number;
      one.time = event.time;
      one.node = NameOf(event.fleet, event.node);
      one.revision = static_cast<int64_t>(event.store_revision);
      switch (event.kind) {
        case Kind::kConnected:
          one.kind = service::NodeEvent::Kind::kConnected;
          break;
        case Kind::kDisconnected:
          one.kind = service::NodeEvent::Kind::kDisconnected;
          one.reason = event.reason;
          break;
        case Kind::kRefused: {
          one.kind = service::NodeEvent::Kind::kRefused;
          xds::Refusal refusal;
          refusal.resource = event.resource;
          refusal.version = event.version;
          refusal.reason = event.reason;
          refusal.time = event.time;
          refusal.store_revision = event.store_revision;
          one.refusal = ToDomain(refusal);
          break;
        }
        case Kind::kRecovered:
        case Kind::kUpToDate: {
          one.kind = service::NodeEvent::Kind::kAcknowledged;
          if (one.revision != 0) break;
          const auto node = ledger_->Node(event.fleet, event.node);
          if (node.has_value()) {
            one.revision = static_cast<int64_t>(node->store_revision);
          }
          break;
        }
      }
      out.events.push_back(std::move(one));
    }
    if (!out.events.empty() || out.lost || clock_->Now() >= deadline ||
        cancelled()) {
      return out;
    }
  }
}

uint64_t LedgerRollouts::LastEvent() { return ledger_->last_event(); }

}  // namespace sallyport::reconcile
