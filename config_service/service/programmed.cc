#include "config_service/service/programmed.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "config_service/domain/domain_name.h"
#include "config_service/domain/fleet.h"
#include "config_service/service/limits.h"
#include "config_service/service/resources.h"
#include "config_service/store/api_records.h"
#include "config_service/store/domain_records.h"
#include "config_service/store/fleet_records.h"
#include "config_service/store/keys.h"

namespace sallyport::service {
namespace {

using domain::Condition;
using domain::FleetName;

enum class Which { kAll, kWithDefaultEndpoints };

absl::Status AddFleets(store::Store& store, Which which,
                       std::set<FleetName>& out) {
  SALLYPORT_ASSIGN_OR_RETURN(const std::vector<domain::Fleet> fleets,
                             ReadAll<FleetName>(store));
  for (const domain::Fleet& fleet : fleets) {
    if (which == Which::kAll || !fleet.default_endpoint_suffix.empty()) {
      out.insert(fleet.name);
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<FleetName>> FleetsOfStage(
    store::Store& store, const domain::Stage& stage) {
  std::set<FleetName> out;
  SALLYPORT_ASSIGN_OR_RETURN(
      const std::vector<std::string> mappings,
      ReferrersOf(store, stage.name.ToString(), kMaxListedStages + 1));
  if (mappings.size() > kMaxListedStages) {
    SALLYPORT_RETURN_IF_ERROR(AddFleets(store, Which::kAll, out));
    return std::vector<FleetName>(out.begin(), out.end());
  }
  std::set<domain::DomainNameName> domains;
  for (const std::string& text : mappings) {
    const auto mapping = domain::ApiMappingName::Parse(text);
    if (!mapping.ok() || !domains.insert(mapping->parent()).second) continue;
    const absl::StatusOr<domain::DomainName> domain_name =
        ReadResource(store, mapping->parent());
    if (absl::IsNotFound(domain_name.status())) continue;
    if (!domain_name.ok()) return domain_name.status();
    for (const FleetName& fleet : domain_name->Fleets()) out.insert(fleet);
  }
  const absl::StatusOr<domain::Api> api =
      ReadResource(store, stage.name.parent());
  if (!api.ok() && !absl::IsNotFound(api.status())) return api.status();
  if (api.ok() && !api->disable_default_endpoint) {
    SALLYPORT_RETURN_IF_ERROR(
        AddFleets(store, Which::kWithDefaultEndpoints, out));
  }
  return std::vector<FleetName>(out.begin(), out.end());
}

Condition ProgrammedCondition(Rollouts* rollouts, int64_t revision,
                              absl::Span<const FleetName> fleets,
                              const std::vector<std::string>& causes) {
  Condition out;
  out.type = "Programmed";
  out.observed_revision = revision;
  if (fleets.empty()) {
    out.status = Condition::Status::kFalse;
    out.reason = "NOT_SERVED";
    out.message = "no mapping puts it on a domain, and no default endpoint";
    return out;
  }
  bool complete = true;
  size_t num_connected = 0;
  std::string refused;
  for (const FleetName& fleet : fleets) {
    if (rollouts == nullptr) break;
    const RolloutView rollout = rollouts->Get(revision, fleet);
    num_connected += rollout.num_connected;
    complete = complete && rollout.complete;
    for (const RolloutView::NodeRefusal& one : rollout.refusals) {
      if (refused.empty() && std::find(causes.begin(), causes.end(),
                                       one.refusal.cause) != causes.end()) {
        refused = absl::StrCat(one.node.ToString(),
                               " refused it: ", one.refusal.reason);
      }
    }
  }
  out.status = Condition::Status::kUnknown;
  if (!refused.empty()) {
    out.status = Condition::Status::kFalse;
    out.reason = "REFUSED";
    out.message = refused;
  } else if (num_connected == 0) {
    out.reason = "NO_NODES";
    out.message = "no node of its fleets is connected";
  } else if (!complete) {
    out.reason = "ON_THE_WAY";
    out.message = "on its way to the nodes";
  } else {
    out.status = Condition::Status::kTrue;
    out.reason = "ACKNOWLEDGED";
  }
  return out;
}

Condition ClientCertificateCondition(const domain::Stage& stage,
                                     const Condition& programmed) {
  Condition out = programmed;
  out.type = "ClientCertificateInForce";
  if (programmed.status != Condition::Status::kTrue) {
    if (programmed.reason == "ON_THE_WAY") {
      out.message = absl::StrCat(
          out.message, "; some may still present what was named before");
    }
    return out;
  }
  if (stage.client_certificate.empty()) {
    out.status = Condition::Status::kFalse;
    out.reason = "NONE_NAMED";
    out.message = "backends see no certificate";
    return out;
  }
  out.reason = "IN_FORCE";
  out.message = stage.client_certificate.ToString();
  return out;
}

}  // namespace sallyport::service
