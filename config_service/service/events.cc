#include "config_service/service/events.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/status_macros.h"
#include "config_service/domain/violations.h"
#include "config_service/service/errors.h"
#include "config_service/service/limits.h"
#include "config_service/store/fleet_records.h"
#include "config_service/store/keys.h"
#include "config_service/store/records.h"

namespace sallyport::service {

using domain::Reason;

namespace {

// Events of nodes, and warnings, that are taken at once.
constexpr size_t kEventsAtOnce = 1000;

bool Wants(const std::vector<std::string>& resources,
           absl::string_view resource) {
  return resources.empty() ||
         std::any_of(resources.begin(), resources.end(),
                     [&](absl::string_view wanted) {
                       if (!absl::StartsWith(resource, wanted)) return false;
                       return resource.size() == wanted.size() ||
                              absl::EndsWith(wanted, "/") ||
                              resource[wanted.size()] == '/';
                     });
}

// "NAME" of "status/NAME".
absl::string_view ResourceOfStatus(absl::string_view key) {
  return absl::StripPrefix(key, store::StatusKey(""));
}

absl::Status CheckResources(const std::vector<std::string>& resources) {
  domain::Violations violations;
  if (resources.size() > kMaxWatchedResources) {
    violations.Add("resources", Reason::kTooManyEntries,
                   absl::StrCat("has ", resources.size(), " entries; at most ",
                                kMaxWatchedResources));
  }
  for (size_t i = 0; i < resources.size(); ++i) {
    if (!resources[i].empty()) continue;
    violations.Add(domain::Element("resources", i), Reason::kFieldRequired,
                   "is empty; leave the list out for all resources");
  }
  return violations.ToStatus();
}

}  // namespace

absl::StatusOr<bool> Events::GiveNodeEvents(
    const Request& request, int64_t revision, const Cancelled& cancelled,
    absl::FunctionRef<bool(const Event&)> take, uint64_t& last) {
  if (context_.rollouts == nullptr) return true;
  NodeEvents events = context_.rollouts->Events(
      last, kEventsAtOnce, absl::InfinitePast(), cancelled);
  if (events.lost) {
    return domain::MakeError(
        Reason::kRevisionCompacted,
        "events of nodes were dropped before they could be sent; list the "
        "nodes, then watch again");
  }
  for (NodeEvent& node : events.events) {
    last = node.number;
    if (!Wants(request.resources, node.node.ToString())) continue;
    Event event;
    event.time = node.time;
    event.revision = revision;
    event.what = std::move(node);
    if (!take(event)) return false;
  }
  return true;
}

absl::StatusOr<bool> Events::GiveWarnings(
    const Request& request, int64_t revision,
    absl::FunctionRef<bool(const Event&)> take, uint64_t& last) {
  if (expiries_ == nullptr) return true;
  WarningEvents warnings = expiries_->Events(last, kEventsAtOnce);
  if (warnings.lost) {
    return domain::MakeError(
        Reason::kRevisionCompacted,
        "warnings were dropped before they could be sent; list the resources, "
        "then watch again");
  }
  for (WarningEvent& warning : warnings.events) {
    last = warning.number;
    if (!Wants(request.resources, warning.resource)) continue;
    Event event;
    event.time = warning.time;
    event.revision = revision;
    event.what =
        WarningAdded{std::move(warning.resource), std::move(warning.warning)};
    if (!take(event)) return false;
  }
  return true;
}

absl::Status Events::Watch(const Request& request, const Cancelled& cancelled,
                           absl::FunctionRef<bool(const Event&)> take) {
  SALLYPORT_RETURN_IF_ERROR(CheckResources(request.resources));
  uint64_t last_node_event =
      context_.rollouts == nullptr ? 0 : context_.rollouts->LastEvent();
  uint64_t last_warning = expiries_ == nullptr ? 0 : expiries_->LastEvent();
  store::Revision revision(request.after_revision);
  if (request.after_revision == 0) {
    absl::StatusOr<store::StoreStats> stats = context_.store->Stats();
    if (!stats.ok()) return FromStore(stats.status());
    revision = stats->revision;
  }
  absl::StatusOr<std::unique_ptr<store::Watcher>> watcher =
      context_.store->Watch("", revision);
  if (!watcher.ok()) return FromStore(watcher.status());
  while (!cancelled()) {
    absl::StatusOr<store::WatchBatch> batch = (*watcher)->Next(kEventInterval);
    if (!batch.ok()) return FromStore(batch.status());
    for (const store::Change& change : batch->changes) {
      if (change.kind != store::Change::Kind::kPut) continue;
      const store::Record& record = change.record;
      Event event;
      event.time = context_.clock->Now();
      event.revision = record.mod_revision.value();
      if (absl::StartsWith(record.key, store::kAuditPrefix)) {
        SALLYPORT_ASSIGN_OR_RETURN(const domain::AuditEntry entry,
                                   store::DecodeAuditEntry(record));
        // What happened elsewhere, and long ago.
        if (!entry.imported_from.empty()) continue;
        event.time = entry.time;
        for (const domain::AuditEntry::Change& of : entry.changes) {
          // Parts of a resource are not resources; it is changed with them.
          // Nor is what was only read.
          if (absl::StrContains(of.resource, "/entries/") ||
              of.before_json == of.after_json ||
              !Wants(request.resources, of.resource)) {
            continue;
          }
          ResourceChanged what;
          what.resource = of.resource;
          what.principal = entry.principal;
          what.kind = of.before_json.empty()  ? ResourceChanged::Kind::kCreated
                      : of.after_json.empty() ? ResourceChanged::Kind::kDeleted
                                              : ResourceChanged::Kind::kUpdated;
          event.what = std::move(what);
          if (!take(event)) return absl::OkStatus();
        }
      } else if (absl::StartsWith(record.key, store::StatusKey(""))) {
        const std::string resource(ResourceOfStatus(record.key));
        if (!Wants(request.resources, resource)) continue;
        SALLYPORT_ASSIGN_OR_RETURN(store::ResourceStatus status,
                                   store::DecodeStatus(resource, record));
        store::ResourceStatus before;
        absl::StatusOr<store::GetResult> got = context_.store->Get(
            record.key, store::Revision(event.revision - 1));
        if (got.ok() && got->record.has_value()) {
          SALLYPORT_ASSIGN_OR_RETURN(
              before, store::DecodeStatus(resource, *got->record));
        }
        for (domain::Condition& condition : status.conditions) {
          const domain::Condition* old =
              domain::FindCondition(before.conditions, condition.type);
          if (old != nullptr && old->status == condition.status &&
              old->reason == condition.reason) {
            continue;
          }
          event.what = ConditionChanged{resource, std::move(condition)};
          if (!take(event)) return absl::OkStatus();
        }
      }
    }
    revision = batch->revision;
    SALLYPORT_ASSIGN_OR_RETURN(
        bool wanted, GiveNodeEvents(request, revision.value(), cancelled, take,
                                    last_node_event));
    if (wanted) {
      SALLYPORT_ASSIGN_OR_RETURN(
          wanted, GiveWarnings(request, revision.value(), take, last_warning));
    }
    if (!wanted) return absl::OkStatus();
  }
  return absl::OkStatus();
}

}  // namespace sallyport::service
