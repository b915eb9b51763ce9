#include "config_service/service/fleets.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "config_service/domain/server_certificate.h"
#include "config_service/service/default_endpoints.h"
#include "config_service/service/errors.h"
#include "config_service/service/expiry.h"
#include "config_service/service/filter.h"
#include "config_service/service/limits.h"
#include "config_service/service/mask.h"
#include "config_service/service/references.h"
#include "config_service/service/resources.h"

namespace sallyport::service {

using domain::Fleet;
using domain::FleetName;
using domain::NodeName;
using domain::Reason;
using domain::ServerCertificate;
using domain::ServerCertificateVersion;
using domain::ServerCertificateVersionName;
using domain::Violations;

namespace {

constexpr MaskField<Fleet> kFields[] = {
    kDescriptionField<Fleet>,
    kLabelsField<Fleet>,
    {"listen_address",
     [](const Fleet& from, Fleet& to) {
       to.listen_address = from.listen_address;
     }},
    {"listen_port",
     [](const Fleet& from, Fleet& to) { to.listen_port = from.listen_port; }},
    {"default_endpoint_suffix",
     [](const Fleet& from, Fleet& to) {
       to.default_endpoint_suffix = from.default_endpoint_suffix;
     }},
    {"default_endpoint_certificate",
     [](const Fleet& from, Fleet& to) {
       to.default_endpoint_certificate = from.default_endpoint_certificate;
     }},
    {"access_log.output",
     [](const Fleet& from, Fleet& to) {
       to.access_log.output = from.access_log.output;
     }},
    {"access_log.min_status",
     [](const Fleet& from, Fleet& to) {
       to.access_log.min_status = from.access_log.min_status;
     }},
};

constexpr absl::string_view kOutputOnly[] = {
    "name",        "etag",       "revision",   "create_time",
    "update_time", "node_count", "conditions", "connected_node_count",
};

constexpr FilterField kFilter[] = {{"name"}, {"description"}, {"labels.*"}};

constexpr FilterField kNodeFilter[] = {
    {"name"},
    {"connected"},
    {"acknowledged_revision", FilterField::Type::kNumber},
};

// Why a certificate cannot be that of the fleet's default endpoints; empty: it
// can.
std::string NotCovered(const Fleet& fleet, const pki::Certificate& leaf) {
  const std::string wildcard = domain::DefaultEndpointWildcard(fleet);
  if (domain::CoversDomain(leaf, wildcard)) return "";
  return absl::StrCat("does not cover ", wildcard);
}

// That no domain of the fleet is the name of its default endpoints, now and
// when this is committed.
absl::Status CheckSuffix(Transaction& transaction, const Fleet& fleet) {
  const std::string& suffix = fleet.default_endpoint_suffix;
  if (suffix.empty()) return absl::OkStatus();
  SALLYPORT_ASSIGN_OR_RETURN(
      const std::vector<store::Record> keys,
      transaction.List(store::CollectionPrefix<domain::DomainNameName>(),
                       store::ListRequest::What::kKeysOnly));
  Violations violations;
  for (const store::Record& key : keys) {
    const domain::DomainNameName name(store::IdOfKey(key.key));
    if (!IsDefaultEndpoint(name.id(), suffix)) continue;
    SALLYPORT_ASSIGN_OR_RETURN(const std::optional<store::Record> record,
                               transaction.Read(key.key));
    if (!record.has_value()) continue;
    SALLYPORT_ASSIGN_OR_RETURN(const domain::DomainName domain_name,
                               store::Decode(name, *record));
    const std::vector<FleetName> fleets = domain_name.Fleets();
    if (std::find(fleets.begin(), fleets.end(), fleet.name) == fleets.end()) {
      continue;
    }
    violations.Add("fleet.default_endpoint_suffix", Reason::kFieldsConflict,
                   absl::StrCat("the fleet has \"", name.ToString(),
                                "\", which would be among the default "
                                "endpoints at *.",
                                suffix,
                                "; take another suffix, or delete the domain "
                                "or take it from the fleet first"));
  }
  return violations.ToStatus();
}

}  // namespace

absl::Status Fleets::EnsureDefault() {
  const Caller caller{"system:start", "", Role::kAdmin};
  Write write;
  write.method = "sallyport.config.v1.Fleets/CreateFleet";
  CreateRequest request;
  request.id = domain::DefaultFleet().id();
  const absl::Status status = Create(caller, write, request).status();
  return absl::IsAlreadyExists(status) ? absl::OkStatus() : status;
}

absl::Status Fleets::CheckCertificate(Transaction& transaction,
                                      const Fleet& fleet) {
  if (fleet.default_endpoint_certificate.empty()) return absl::OkStatus();
  Violations violations;
  constexpr absl::string_view kField = "fleet.default_endpoint_certificate";
  SALLYPORT_RETURN_IF_ERROR(transaction.CheckReference(
      kField, fleet.default_endpoint_certificate, violations));
  SALLYPORT_RETURN_IF_ERROR(violations.ToStatus());
  SALLYPORT_ASSIGN_OR_RETURN(
      const ServerCertificate certificate,
      ReadResource(*context_.store, fleet.default_endpoint_certificate));
  SALLYPORT_ASSIGN_OR_RETURN(
      const ServerCertificateVersion version,
      transaction.Load(ServerCertificateVersionName(
          certificate.name, certificate.active_version)));
  SALLYPORT_ASSIGN_OR_RETURN(
      const auto chain, domain::ReadStoredChain(version.certificate_chain_pem));
  const std::string problem = NotCovered(fleet, *chain.front());
  if (!problem.empty()) {
    violations.Add(kField, Reason::kCertificateDoesNotCoverDomain,
                   absl::StrCat(problem, "; name one that does"));
  }
  return violations.ToStatus();
}

absl::StatusOr<FleetView> Fleets::Create(const Caller& caller,
                                         const Write& write,
                                         const CreateRequest& request) {
  Violations violations;
  CheckNewId<FleetName>("fleet_id", request.id, violations);
  Fleet wanted = request.fleet;
  wanted.name = FleetName(request.id);
  Violations fields;
  domain::Validate(wanted, fields);
  violations.AddAll("fleet", fields);
  SALLYPORT_RETURN_IF_ERROR(violations.ToStatus());
  absl::StatusOr<Fleet> created = Mutate<Fleet>(
      context_, caller, write,
      [&](Transaction& transaction) -> absl::StatusOr<Fleet> {
        Fleet fleet = wanted;
        fleet.metadata.create_time = transaction.now();
        fleet.metadata.update_time = transaction.now();
        SALLYPORT_RETURN_IF_ERROR(transaction.CheckAbsent(fleet.name));
        SALLYPORT_RETURN_IF_ERROR(CheckCertificate(transaction, fleet));
        SALLYPORT_RETURN_IF_ERROR(CheckSuffix(transaction, fleet));
        transaction.Create(fleet);
        transaction.SetReferences(fleet.name.ToString(), {},
                                  ReferencesOf(fleet));
        return fleet;
      },
      [&](int64_t revision) {
        return ReadResource(*context_.store, wanted.name, revision);
      });
  if (!created.ok()) return created.status();
  return View(*std::move(created));
}

absl::StatusOr<FleetView> Fleets::View(Fleet fleet) {
  FleetView view;
  if (context_.rollouts != nullptr) {
    const Rollouts::NodeCount count = context_.rollouts->Count(fleet.name);
    view.num_nodes = count.known;
    view.num_connected_nodes = count.connected;
  }
  SALLYPORT_RETURN_IF_ERROR(
      AddStatus(*context_.store, fleet.name.ToString(), fleet.conditions));
  if (!fleet.default_endpoint_certificate.empty()) {
    domain::Condition served;
    served.type = "DefaultEndpointCertificate";
    served.observed_revision = fleet.metadata.revision;
    served.status = domain::Condition::Status::kTrue;
    served.reason = "COVERS_DEFAULT_ENDPOINTS";
    const auto certificate =
        ReadResource(*context_.store, fleet.default_endpoint_certificate);
    if (!certificate.ok()) return certificate.status();
    SALLYPORT_ASSIGN_OR_RETURN(
        const ServerCertificateVersion version,
        ReadResource(*context_.store,
                     ServerCertificateVersionName(
                         certificate->name, certificate->active_version)));
    SALLYPORT_ASSIGN_OR_RETURN(
        const auto chain,
        domain::ReadStoredChain(version.certificate_chain_pem));
    const std::string problem = NotCovered(fleet, *chain.front());
    if (!problem.empty()) {
      served.status = domain::Condition::Status::kFalse;
      served.reason = "CERTIFICATE_DOES_NOT_COVER_DOMAIN";
      served.message = absl::StrCat(certificate->name.ToString(), " ", problem);
    }
    for (const domain::Warning& warning :
         ExpiryWarnings(chain, context_.clock->Now())) {
      if (warning.reason == "EXPIRES_SOON") continue;
      served.status = domain::Condition::Status::kFalse;
      served.reason = warning.reason;
      served.message =
          absl::StrCat(certificate->name.ToString(), " ", warning.message);
    }
    domain::SetCondition(std::move(served), absl::InfinitePast(),
                         fleet.conditions);
  }
  view.fleet = std::move(fleet);
  return view;
}

absl::StatusOr<FleetView> Fleets::Get(const FleetName& name) {
  SALLYPORT_ASSIGN_OR_RETURN(Fleet fleet, ReadResource(*context_.store, name));
  return View(std::move(fleet));
}

absl::StatusOr<Page<FleetView>> Fleets::List(const PageRequest& request) {
  return ListResources<FleetView>(
      *context_.store, request, "fleets", store::CollectionPrefix<FleetName>(),
      kFilter,
      [&](const store::Record& record) -> absl::StatusOr<FleetView> {
        SALLYPORT_ASSIGN_OR_RETURN(
            Fleet fleet,
            store::Decode(FleetName(store::IdOfKey(record.key)), record));
        return View(std::move(fleet));
      },
      [](const FleetView& view, absl::string_view field) {
        return MetadataValue(view.fleet, field);
      });
}

absl::StatusOr<FleetView> Fleets::Update(const Caller& caller,
                                         const Write& write,
                                         const UpdateRequest& request) {
  absl::StatusOr<Fleet> updated = UpdateResource<Fleet>(
      context_, caller, write, {"fleet", kFields, kOutputOnly}, request.fleet,
      request.mask, NothingElse(),
      [&](Transaction& transaction, const Fleet& before,
          Fleet& after) -> absl::Status {
        SALLYPORT_RETURN_IF_ERROR(CheckCertificate(transaction, after));
        if (after.default_endpoint_suffix != before.default_endpoint_suffix) {
          SALLYPORT_RETURN_IF_ERROR(CheckSuffix(transaction, after));
        }
        transaction.SetReferences(after.name.ToString(), ReferencesOf(before),
                                  ReferencesOf(after));
        return absl::OkStatus();
      });
  if (!updated.ok()) return updated.status();
  return View(*std::move(updated));
}

absl::Status Fleets::Delete(const Caller& caller, const Write& write,
                            const FleetName& name, const domain::Etag& etag) {
  if (name == domain::DefaultFleet()) {
    return domain::MakeError(Reason::kFleetIsDefault,
                             "the fleet \"default\" is always there");
  }
  return DeleteResource(
      context_, caller, write, name, etag,
      [&](Transaction& transaction, const Fleet& fleet) -> absl::Status {
        SALLYPORT_RETURN_IF_ERROR(transaction.CheckUnused(name.ToString()));
        const size_t connected = context_.rollouts == nullptr
                                     ? 0
                                     : context_.rollouts->Count(name).connected;
        if (connected > 0) {
          return domain::MakeError(
              Reason::kNodeConnected,
              absl::StrCat(connected, " nodes of \"", name.ToString(),
                           "\" are connected; stop them first"),
              {{"resource", name.ToString()}});
        }
        transaction.SetReferences(name.ToString(), ReferencesOf(fleet), {});
        return absl::OkStatus();
      });
}

absl::StatusOr<NodeView> Fleets::GetNode(const NodeName& name) {
  if (context_.rollouts != nullptr) {
    std::optional<NodeView> node = context_.rollouts->Node(name);
    if (node.has_value()) return *std::move(node);
  }
  return NotFound(NodeName::kType, name.ToString());
}

absl::StatusOr<Page<NodeView>> Fleets::ListNodes(const FleetName& fleet,
                                                 const PageRequest& request) {
  SALLYPORT_ASSIGN_OR_RETURN(const Filter filter,
                             Filter::Parse(request.filter, kNodeFilter));
  SALLYPORT_ASSIGN_OR_RETURN(const size_t size, PageSize(request.page_size));
  if (!fleet.empty()) {
    SALLYPORT_RETURN_IF_ERROR(ReadRecord(*context_.store, fleet).status());
  }
  const std::string scope = absl::StrCat(fleet.ToString(), "/nodes");
  PageToken token;
  if (!request.page_token.empty()) {
    SALLYPORT_ASSIGN_OR_RETURN(
        token, ParsePageToken(request.page_token, context_.store->lineage(),
                              scope, request.filter));
  }
  Page<NodeView> out;
  if (context_.rollouts == nullptr) return out;
  std::vector<NodeView> nodes = context_.rollouts->Nodes(fleet);
  // By text, so that a token is the last name, whoever comes and goes.
  std::sort(nodes.begin(), nodes.end(), [](const auto& a, const auto& b) {
    return a.node.name.ToString() < b.node.name.ToString();
  });
  for (NodeView& view : nodes) {
    const std::string name = view.node.name.ToString();
    if (name <= token.position) continue;
    const auto value = [&](absl::string_view field) -> FilterValue {
      if (field == "connected") {
        return std::string(view.node.connected ? "true" : "false");
      }
      if (field == "acknowledged_revision") {
        return view.node.acknowledged_revision;
      }
      return name;
    };
    if (!filter.Matches(value)) continue;
    if (out.items.size() == size) {
      out.next_page_token =
          FormatPageToken({0, out.items.back().node.name.ToString()},
                          context_.store->lineage(), scope, request.filter);
      break;
    }
    out.items.push_back(std::move(view));
  }
  return out;
}

absl::Status Fleets::DeleteNode(const Write& write, const NodeName& name) {
  SALLYPORT_ASSIGN_OR_RETURN(const NodeView view, GetNode(name));
  const auto connected = [&] {
    return domain::MakeError(
        Reason::kNodeConnected,
        absl::StrCat("\"", name.ToString(), "\" is connected; stop it first"),
        {{"resource", name.ToString()}});
  };
  if (view.node.connected) return connected();
  if (write.validate_only) return absl::OkStatus();
  switch (context_.rollouts->Forget(name)) {
    case Rollouts::Forgotten::kYes:
      return absl::OkStatus();
    case Rollouts::Forgotten::kUnknown:
      return NotFound(NodeName::kType, name.ToString());
    case Rollouts::Forgotten::kConnected:
      break;
  }
  return connected();
}

absl::StatusOr<int64_t> Fleets::CheckRollout(int64_t revision,
                                             const FleetName& fleet) {
  if (!fleet.empty()) {
    SALLYPORT_RETURN_IF_ERROR(ReadRecord(*context_.store, fleet).status());
  }
  absl::StatusOr<store::StoreStats> stats = context_.store->Stats();
  if (!stats.ok()) return FromStore(stats.status());
  const int64_t newest = stats->revision.value();
  if (revision < 0 || revision > newest) {
    Violations violations;
    violations.Add("revision", Reason::kFieldOutOfRange,
                   absl::StrCat("is ", revision, "; the store's is ", newest,
                                " (0 means that one)"));
    return violations.ToStatus();
  }
  return revision == 0 ? newest : revision;
}

absl::StatusOr<RolloutView> Fleets::GetRollout(int64_t revision,
                                               const FleetName& fleet) {
  SALLYPORT_ASSIGN_OR_RETURN(const int64_t wanted,
                             CheckRollout(revision, fleet));
  if (context_.rollouts != nullptr) {
    return context_.rollouts->Get(wanted, fleet);
  }
  RolloutView out;
  out.revision = wanted;
  out.complete = true;
  return out;
}

absl::StatusOr<RolloutView> Fleets::WaitForRollout(int64_t revision,
                                                   const FleetName& fleet,
                                                   int64_t min_nodes,
                                                   absl::Duration timeout,
                                                   const Cancelled& cancelled) {
  Violations violations;
  if (timeout < absl::ZeroDuration() || timeout > kMaxRolloutWait) {
    violations.Add("timeout", Reason::kFieldOutOfRange,
                   absl::StrCat("is ", absl::FormatDuration(timeout), "; 0 to ",
                                absl::FormatDuration(kMaxRolloutWait)));
  }
  if (min_nodes < 0 || min_nodes > kMaxAwaitedNodes) {
    violations.Add("min_node_count", Reason::kFieldOutOfRange,
                   absl::StrCat("is ", min_nodes, "; 0 to ", kMaxAwaitedNodes));
  }
  SALLYPORT_RETURN_IF_ERROR(violations.ToStatus());
  SALLYPORT_ASSIGN_OR_RETURN(const int64_t wanted,
                             CheckRollout(revision, fleet));
  if (context_.rollouts == nullptr) return GetRollout(wanted, fleet);
  return context_.rollouts->Wait(wanted, fleet, static_cast<size_t>(min_nodes),
                                 context_.clock->Now() + timeout, cancelled);
}

}  // namespace sallyport::service
