#include "config_service/aws/base_path_mappings.h"

#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "base/text.h"
#include "config_service/aws/errors.h"
#include "config_service/aws/patch.h"
#include "config_service/domain/api_mapping.h"
#include "config_service/domain/violations.h"
#include "config_service/service/limits.h"

namespace sallyport::aws {
namespace {

using domain::ApiMapping;
using domain::ApiName;
using domain::DomainNameName;
using domain::Reason;
using domain::StageName;
using domain::Violations;

constexpr absl::string_view kRoot = "(none)";
constexpr int kNotFound = 404;

std::string ReadBasePath(absl::string_view text) {
  return text == kRoot ? std::string() : std::string(text);
}

DomainNameName ParentOf(const Call& call, Violations& violations) {
  const std::string text = absl::AsciiStrToLower(call.path.at("domain_name"));
  const absl::Status status = domain::CheckId(DomainNameName::kIdRule, text);
  if (status.ok()) return DomainNameName(text);
  violations.Add("domainName", Reason::kDomainNameInvalid, status.message());
  return DomainNameName();
}

// An id in a field, or a violation there.
template <typename Name>
bool IsId(absl::string_view field, const std::string& id,
          Violations& violations) {
  const absl::Status status = domain::CheckId(Name::kIdRule, id);
  if (status.ok()) return true;
  violations.Add(field, Reason::kFieldMalformed, status.message());
  return false;
}

Json ToJson(const ApiMapping& mapping) {
  return {{"basePath",
           mapping.base_path.empty() ? std::string(kRoot) : mapping.base_path},
          {"restApiId", mapping.stage.parent().id()},
          {"stage", mapping.stage.id()}};
}

}  // namespace

void BasePathMappings::AddTo(Handlers& handlers) {
  const auto add =
      [&](absl::string_view name,
          absl::StatusOr<Json> (BasePathMappings::*run)(const Call&)) {
        handlers[{Service::kApiGateway, name}] = [this, run](const Call& call) {
          return (this->*run)(call);
        };
      };
  add("CreateBasePathMapping", &BasePathMappings::Create);
  add("DeleteBasePathMapping", &BasePathMappings::Delete);
  add("GetBasePathMapping", &BasePathMappings::Get);
  add("GetBasePathMappings", &BasePathMappings::List);
  add("UpdateBasePathMapping", &BasePathMappings::Update);
}

absl::StatusOr<ApiMapping> BasePathMappings::Find(const Call& call) {
  Violations violations;
  RefuseQuery(call.query, {}, violations);
  const DomainNameName parent = ParentOf(call, violations);
  SALLYPORT_RETURN_IF_ERROR(violations.ToStatus());
  const std::string base_path = ReadBasePath(call.path.at("base_path"));
  service::PageRequest request;
  // All of a domain's fit.
  static_assert(service::kMaxMappingsOfDomain <= service::kMaxPageSize,
                "one page has all");
  request.page_size = service::kMaxPageSize;
  SALLYPORT_ASSIGN_OR_RETURN(const service::Page<service::ApiMappingView> page,
                             mappings_.List(parent, request));
  for (const service::ApiMappingView& view : page.items) {
    if (view.mapping.base_path == base_path) return view.mapping;
  }
  return MakeError(kNotFound, "NotFoundException",
                   absl::StrCat("Invalid base path mapping identifier "
                                "specified: the domain has none for ",
                                Printable(call.path.at("base_path"), 300)));
}

absl::StatusOr<Json> BasePathMappings::Create(const Call& call) {
  Violations violations;
  RefuseQuery(call.query, {}, violations);
  const DomainNameName parent = ParentOf(call, violations);
  Fields fields(call.body, "", violations);
  ApiMapping mapping;
  mapping.base_path = ReadBasePath(fields.String("basePath").value_or(""));
  const std::string api = fields.Required("restApiId");
  const std::string stage = fields.String("stage").value_or("");
  if (stage.empty()) {
    violations.Add("stage", Reason::kNotSupported,
                   "is missing, which would leave the stage to the caller's "
                   "path; that is not supported");
  }
  fields.Finish();
  SALLYPORT_RETURN_IF_ERROR(violations.ToStatus());
  if (IsId<ApiName>("restApiId", api, violations) &&
      IsId<StageName>("stage", stage, violations)) {
    mapping.stage = StageName(ApiName(api), stage);
  }
  SALLYPORT_RETURN_IF_ERROR(violations.ToStatus());
  SALLYPORT_ASSIGN_OR_RETURN(
      const service::ApiMappingView view,
      mappings_.Create(call.caller, call.write, parent, "", mapping));
  return ToJson(view.mapping);
}

absl::StatusOr<Json> BasePathMappings::Get(const Call& call) {
  SALLYPORT_ASSIGN_OR_RETURN(const ApiMapping mapping, Find(call));
  return ToJson(mapping);
}

absl::StatusOr<Json> BasePathMappings::List(const Call& call) {
  Violations violations;
  const service::PageRequest request = PageOf(call, {}, violations);
  const DomainNameName parent = ParentOf(call, violations);
  SALLYPORT_RETURN_IF_ERROR(violations.ToStatus());
  SALLYPORT_ASSIGN_OR_RETURN(const service::Page<service::ApiMappingView> page,
                             mappings_.List(parent, request));
  Json items = Json::array();
  for (const service::ApiMappingView& view : page.items) {
    items.push_back(ToJson(view.mapping));
  }
  return ListJson(std::move(items), page.next_page_token);
}

absl::StatusOr<Json> BasePathMappings::Update(const Call& call) {
  using Kind = PatchOperation::Kind;
  Violations violations;
  const std::vector<PatchOperation> operations =
      ReadPatch(call.body, violations);
  SALLYPORT_RETURN_IF_ERROR(violations.ToStatus());
  SALLYPORT_ASSIGN_OR_RETURN(ApiMapping mapping, Find(call));
  std::string api = mapping.stage.parent().id();
  std::string stage = mapping.stage.id();
  for (const PatchOperation& operation : operations) {
    const std::string field = domain::Field(operation.field, "value");
    const bool removes = operation.kind == Kind::kRemove;
    if (!removes &&
        (operation.path == "/basePath" || operation.path == "/basepath")) {
      mapping.base_path = ReadBasePath(operation.value);
    } else if (!removes && (operation.path == "/restapiId" ||
                            operation.path == "/restApiId")) {
      if (IsId<ApiName>(field, operation.value, violations)) {
        api = operation.value;
      }
    } else if (!removes && operation.path == "/stage") {
      if (IsId<StageName>(field, operation.value, violations)) {
        stage = operation.value;
      }
    } else {
      RefusePath(operation, violations);
    }
  }
  SALLYPORT_RETURN_IF_ERROR(violations.ToStatus());
  mapping.stage = StageName(ApiName(api), stage);
  SALLYPORT_ASSIGN_OR_RETURN(const service::ApiMappingView view,
                             mappings_.Update(call.caller, call.write, mapping,
                                              {"base_path", "stage"}));
  return ToJson(view.mapping);
}

absl::StatusOr<Json> BasePathMappings::Delete(const Call& call) {
  SALLYPORT_ASSIGN_OR_RETURN(const ApiMapping mapping, Find(call));
  SALLYPORT_RETURN_IF_ERROR(mappings_.Delete(
      call.caller, call.write, mapping.name, mapping.metadata.etag));
  return Json();
}

}  // namespace sallyport::aws
