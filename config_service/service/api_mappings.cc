#include "config_service/service/api_mappings.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "config_service/service/default_endpoints.h"
#include "config_service/service/errors.h"
#include "config_service/service/limits.h"
#include "config_service/service/mask.h"
#include "config_service/service/programmed.h"
#include "config_service/service/references.h"
#include "config_service/service/resources.h"
#include "pki/crypto/crypto.h"

namespace sallyport::service {

using domain::ApiMapping;
using domain::ApiMappingName;
using domain::DomainNameName;
using domain::Reason;
using domain::Violations;

namespace {

constexpr size_t kGeneratedIdLength = 10;

constexpr MaskField<ApiMapping> kFields[] = {
    {"base_path", [](const ApiMapping& from,
                     ApiMapping& to) { to.base_path = from.base_path; }},
    {"stage",
     [](const ApiMapping& from, ApiMapping& to) { to.stage = from.stage; }},
    {"allow",
     [](const ApiMapping& from, ApiMapping& to) { to.allow = from.allow; }},
    {"allow_lists", [](const ApiMapping& from,
                       ApiMapping& to) { to.allow_lists = from.allow_lists; }},
    {"client_certificate",
     [](const ApiMapping& from, ApiMapping& to) {
       to.client_certificate = from.client_certificate;
     }},
    {"forwarding", [](const ApiMapping& from,
                      ApiMapping& to) { to.forwarding = from.forwarding; }},
};
constexpr absl::string_view kOutputOnly[] = {
    "name",        "etag",     "revision",   "create_time",
    "update_time", "warnings", "conditions",
};
constexpr FilterField kFilter[] = {{"name"}, {"base_path"}, {"stage"}};

ApiMappingName NameOfKey(absl::string_view key) {
  return ApiMappingName(DomainNameName(store::ParentIdOfKey(key)),
                        store::IdOfKey(key));
}

std::string QuotePath(absl::string_view base_path) {
  return base_path.empty() ? "the root" : absl::StrCat("\"", base_path, "\"");
}

}  // namespace

absl::Status CheckCertificateLists(
    Transaction& transaction, store::Store& store, absl::string_view field,
    const std::vector<domain::CertificateListName>& lists,
    domain::CertificateList::Kind kind, Violations& violations) {
  for (size_t i = 0; i < lists.size(); ++i) {
    const std::string element = domain::Element(field, i);
    const size_t before = violations.size();
    SALLYPORT_RETURN_IF_ERROR(
        transaction.CheckReference(element, lists[i], violations));
    if (violations.size() != before) continue;
    // A list's kind never changes, its entries do often.
    const auto list = ReadResource(store, lists[i]);
    if (!list.ok() && !absl::IsNotFound(list.status())) return list.status();
    if (list.ok() && list->kind != kind) {
      violations.Add(element, Reason::kCertificateListKind,
                     kind == domain::CertificateList::Kind::kAllow
                         ? "is a deny list; name one of the kind ALLOW"
                         : "is an allow list; name one of the kind DENY");
    }
  }
  return absl::OkStatus();
}

absl::Status ApiMappings::Check(Transaction& transaction,
                                const ApiMapping& mapping, bool is_new) {
  const DomainNameName& parent = mapping.name.parent();
  // Its mutual TLS is relied on.
  SALLYPORT_ASSIGN_OR_RETURN(const domain::DomainName domain_name,
                             transaction.Load(parent));
  Violations fields;
  const absl::StatusOr<domain::Api> api =
      transaction.Load(mapping.stage.parent());
  if (api.ok()) {
    domain::ValidateOn(mapping, domain_name, *api, fields);
  } else if (!absl::IsNotFound(api.status())) {
    return api.status();
  }
  SALLYPORT_RETURN_IF_ERROR(
      transaction.CheckReference("stage", mapping.stage, fields));
  SALLYPORT_RETURN_IF_ERROR(CheckCertificateLists(
      transaction, *context_.store, "allow_lists", mapping.allow_lists,
      domain::CertificateList::Kind::kAllow, fields));
  Violations violations;
  violations.AddAll("api_mapping", fields);
  SALLYPORT_RETURN_IF_ERROR(violations.ToStatus());

  SALLYPORT_ASSIGN_OR_RETURN(
      const std::vector<store::Record> records,
      transaction.List(store::ChildrenPrefix<ApiMappingName>(parent)));
  if (is_new && records.size() >= kMaxMappingsOfDomain) {
    return domain::MakeError(
        Reason::kQuotaExceeded,
        absl::StrCat("the domain has ", kMaxMappingsOfDomain,
                     " API mappings; delete some that are not in use"),
        {{"limit", absl::StrCat(kMaxMappingsOfDomain)}});
  }
  for (const store::Record& record : records) {
    const ApiMappingName name = NameOfKey(record.key);
    if (name == mapping.name) continue;
    SALLYPORT_ASSIGN_OR_RETURN(const ApiMapping other,
                               store::Decode(name, record));
    if (other.base_path != mapping.base_path) continue;
    return domain::MakeError(
        Reason::kBasePathTaken,
        absl::StrCat("\"", name.ToString(), "\" has the base path ",
                     QuotePath(mapping.base_path),
                     " already; update or delete that one"),
        {{"resource", name.ToString()}});
  }
  return absl::OkStatus();
}

absl::StatusOr<ApiMappingView> ApiMappings::View(ApiMapping mapping) {
  ApiMappingView view;
  SALLYPORT_RETURN_IF_ERROR(
      AddStatus(*context_.store, mapping.name.ToString(), mapping.conditions));
  domain::Condition ready;
  ready.type = "Ready";
  ready.observed_revision = mapping.metadata.revision;
  ready.status = domain::Condition::Status::kFalse;
  ready.reason = "NOTHING_DEPLOYED";
  ready.message = "the stage serves no deployment; every request gets 403";
  const absl::StatusOr<domain::Stage> stage =
      ReadResource(*context_.store, mapping.stage);
  if (!stage.ok() && !absl::IsNotFound(stage.status())) return stage.status();
  if (stage.ok() && !stage->deployment.empty()) {
    ready.status = domain::Condition::Status::kTrue;
    ready.reason = "DEPLOYED";
    ready.message.clear();
  }
  domain::SetCondition(std::move(ready), absl::InfinitePast(),
                       mapping.conditions);

  const absl::StatusOr<domain::DomainName> domain_name =
      ReadResource(*context_.store, mapping.name.parent());
  const absl::StatusOr<domain::Api> api =
      ReadResource(*context_.store, mapping.stage.parent());
  for (const absl::Status& status : {domain_name.status(), api.status()}) {
    if (!status.ok() && !absl::IsNotFound(status)) return status;
  }
  if (domain_name.ok()) {
    // A change of its stage is one of what it serves.
    const int64_t revision =
        std::max(mapping.metadata.revision,
                 stage.ok() ? stage->metadata.revision : int64_t{0});
    domain::SetCondition(
        ProgrammedCondition(
            context_.rollouts, revision, domain_name->Fleets(),
            {mapping.name.ToString(), mapping.name.parent().ToString()}),
        absl::InfinitePast(), mapping.conditions);
  }
  if (domain_name.ok() && api.ok()) {
    SALLYPORT_ASSIGN_OR_RETURN(
        const bool has_default_endpoint,
        HasDefaultEndpoint(*context_.store, api->name, *domain_name));
    domain::Condition closed;
    closed.type = "DefaultEndpointClosed";
    closed.observed_revision = mapping.metadata.revision;
    closed.status = domain::Condition::Status::kTrue;
    closed.reason = "NO_WAY_AROUND";
    if (domain::LeavesDefaultEndpointOpen(*domain_name, *api,
                                          has_default_endpoint)) {
      view.warnings.push_back(
          OpenDefaultEndpointWarning(mapping.name.ToString()));
      view.warnings.back().field = "stage";
      closed.status = domain::Condition::Status::kFalse;
      closed.reason = "DEFAULT_ENDPOINT_OPEN";
      closed.message = view.warnings.back().message;
    }
    domain::SetCondition(std::move(closed), absl::InfinitePast(),
                         mapping.conditions);
  }
  view.mapping = std::move(mapping);
  return view;
}

absl::StatusOr<ApiMappingView> ApiMappings::Create(const Caller& caller,
                                                   const Write& write,
                                                   const DomainNameName& parent,
                                                   const std::string& id,
                                                   const ApiMapping& mapping) {
  Violations violations;
  ApiMapping wanted = mapping;
  std::string new_id = id;
  if (id.empty()) {
    new_id = domain::GenerateId(pki::RandomBytes(kGeneratedIdLength),
                                kGeneratedIdLength);
  } else {
    CheckNewId<ApiMappingName>("api_mapping_id", id, violations);
  }
  wanted.name = ApiMappingName(parent, new_id);
  Violations fields;
  domain::Validate(wanted, fields);
  violations.AddAll("api_mapping", fields);
  SALLYPORT_RETURN_IF_ERROR(violations.ToStatus());
  absl::StatusOr<ApiMapping> created = Mutate<ApiMapping>(
      context_, caller, write,
      [&](Transaction& transaction) -> absl::StatusOr<ApiMapping> {
        ApiMapping after = wanted;
        after.metadata.create_time = transaction.now();
        after.metadata.update_time = transaction.now();
        SALLYPORT_RETURN_IF_ERROR(transaction.CheckAbsent(after.name));
        SALLYPORT_RETURN_IF_ERROR(Check(transaction, after, /*is_new=*/true));
        transaction.Create(after);
        transaction.SetReferences(after.name.ToString(), {},
                                  ReferencesOf(after));
        return after;
      },
      [&](const Replay& replay) -> absl::StatusOr<ApiMapping> {
        SALLYPORT_ASSIGN_OR_RETURN(const ApiMappingName name,
                                   ApiMappingName::Parse(replay.resource));
        return ReadResource(*context_.store, name, replay.revision);
      });
  if (!created.ok()) return created.status();
  return View(*std::move(created));
}

absl::StatusOr<ApiMappingView> ApiMappings::Get(const ApiMappingName& name) {
  SALLYPORT_ASSIGN_OR_RETURN(ApiMapping mapping,
                             ReadResource(*context_.store, name));
  return View(std::move(mapping));
}

absl::StatusOr<Page<ApiMappingView>> ApiMappings::List(
    const DomainNameName& parent, const PageRequest& request) {
  if (!parent.empty()) {
    SALLYPORT_RETURN_IF_ERROR(ReadRecord(*context_.store, parent).status());
  }
  return ListResources<ApiMappingView>(
      *context_.store, request,
      parent.empty() ? "domainNames/-/apiMappings"
                     : absl::StrCat(parent.ToString(), "/apiMappings"),
      parent.empty() ? store::ChildCollectionPrefix<ApiMappingName>()
                     : store::ChildrenPrefix<ApiMappingName>(parent),
      kFilter,
      [&](const store::Record& record) -> absl::StatusOr<ApiMappingView> {
        SALLYPORT_ASSIGN_OR_RETURN(
            ApiMapping mapping, store::Decode(NameOfKey(record.key), record));
        return View(std::move(mapping));
      },
      [](const ApiMappingView& view, absl::string_view field) -> FilterValue {
        if (field == "base_path") return view.mapping.base_path;
        if (field == "stage") return view.mapping.stage.ToString();
        return view.mapping.name.ToString();
      });
}

absl::StatusOr<ApiMappingView> ApiMappings::Update(
    const Caller& caller, const Write& write, const ApiMapping& mapping,
    const std::vector<std::string>& mask) {
  absl::StatusOr<ApiMapping> updated = UpdateResource<ApiMapping>(
      context_, caller, write, {"api_mapping", kFields, kOutputOnly}, mapping,
      mask, NothingElse(),
      [&](Transaction& transaction, const ApiMapping& before,
          ApiMapping& after) -> absl::Status {
        SALLYPORT_RETURN_IF_ERROR(Check(transaction, after, /*is_new=*/false));
        transaction.SetReferences(after.name.ToString(), ReferencesOf(before),
                                  ReferencesOf(after));
        return absl::OkStatus();
      });
  if (!updated.ok()) return updated.status();
  return View(*std::move(updated));
}

absl::Status ApiMappings::Delete(const Caller& caller, const Write& write,
                                 const ApiMappingName& name,
                                 const domain::Etag& etag) {
  return DeleteResource(
      context_, caller, write, name, etag,
      [&](Transaction& transaction, const ApiMapping& mapping) {
        transaction.SetReferences(name.ToString(), ReferencesOf(mapping), {});
        return absl::OkStatus();
      });
}

}  // namespace sallyport::service
