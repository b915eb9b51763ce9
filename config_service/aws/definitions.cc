#include "config_service/aws/definitions.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/status_macros.h"
#include "base/text.h"
#include "config_service/aws/errors.h"
#include "config_service/aws/resources.h"
#include "config_service/aws/rest_apis.h"
#include "config_service/domain/violations.h"

namespace sallyport::aws {
namespace {

using domain::ApiName;
using domain::Reason;
using domain::Violations;
using service::ApiDraftView;

constexpr int kBadRequest = 400;

struct Options {
  bool fail_on_warnings = false;
  bool overwrite = false;
  domain::EndpointType endpoint_type = domain::EndpointType::kEdge;
};

// Of the query: "mode" is import, or of Put merge or overwrite.
Options ReadOptions(const Call& call, bool imports, Violations& violations) {
  Options out;
  std::vector<absl::string_view> known = {"mode", "failonwarnings", "basepath",
                                          "ignore"};
  if (imports) known.emplace_back("endpointConfigurationTypes");
  RefuseQuery(call.query, known, violations);
  for (const auto& [name, value] : call.query) {
    const auto refuse = [&, &name = name](absl::string_view wanted) {
      violations.Add(
          name, Reason::kNotSupported,
          absl::StrCat("is not supported with other values than ", wanted));
    };
    if (name == "failonwarnings") {
      const auto read = ReadBool(value);
      if (!read.has_value()) refuse("true and false");
      out.fail_on_warnings = read.value_or(false);
    } else if (name == "basepath" && value != "ignore") {
      refuse("ignore");
    } else if (name == "ignore" && value != "documentation") {
      refuse("documentation");
    } else if (name == "mode" && !imports) {
      out.overwrite = value == "overwrite";
      if (!out.overwrite && value != "merge") refuse("merge and overwrite");
    } else if (name == "endpointConfigurationTypes") {
      if (value == "REGIONAL") {
        out.endpoint_type = domain::EndpointType::kRegional;
      } else if (value == "PRIVATE") {
        out.endpoint_type = domain::EndpointType::kPrivate;
      } else if (value != "EDGE") {
        refuse("REGIONAL, EDGE and PRIVATE");
      }
    }
  }
  return out;
}

absl::StatusOr<ApiDefinition> ReadDefinition(const Call& call,
                                             const Options& options,
                                             Violations& violations) {
  ApiDefinition out = ReadOpenApi(call.body, violations);
  SALLYPORT_RETURN_IF_ERROR(violations.ToStatus());
  if (options.fail_on_warnings && !out.warnings.empty()) {
    return MakeError(kBadRequest, "BadRequestException",
                     absl::StrCat("Warnings found during import: ",
                                  absl::StrJoin(out.warnings, "; ")));
  }
  return out;
}

// Puts the definition's methods in the place of those that are there; with
// `overwrite` nothing else stays.
absl::Status Write(const ApiDefinition& definition, bool overwrite,
                   ApiDraftView& view) {
  if (overwrite) {
    // Routes keep what the definition has no words for, where it has them.
    const auto gone = std::remove_if(
        view.routes.begin(), view.routes.end(),
        [&](const domain::Route& route) {
          return definition.methods.count({route.path, route.method}) == 0;
        });
    view.routes.erase(gone, view.routes.end());
    view.draft = domain::ApiDraft();
    view.draft.version = definition.version;
    view.draft.binary_media_types = definition.binary_media_types;
  }
  view.draft.paths.insert(view.draft.paths.end(), definition.paths.begin(),
                          definition.paths.end());
  std::sort(view.draft.paths.begin(), view.draft.paths.end());
  view.draft.paths.erase(
      std::unique(view.draft.paths.begin(), view.draft.paths.end()),
      view.draft.paths.end());
  for (const std::string& type : definition.binary_media_types) {
    std::vector<std::string>& types = view.draft.binary_media_types;
    if (std::find(types.begin(), types.end(), type) == types.end()) {
      types.push_back(type);
    }
  }
  for (const auto& [method, made] : definition.methods) {
    view.draft.methods[method] = made.kept.dump(-1, ' ', /*ensure_ascii=*/false,
                                                Json::error_handler_t::replace);
    if (made.integration.has_value()) {
      SALLYPORT_RETURN_IF_ERROR(
          SetIntegration(view, method, *made.integration));
      continue;
    }
    const auto gone = std::remove_if(
        view.routes.begin(), view.routes.end(),
        [&, &method = method](const domain::Route& route) {
          return route.path == method.first && route.method == method.second;
        });
    view.routes.erase(gone, view.routes.end());
  }
  return absl::OkStatus();
}

Json AnswerOf(const service::ApiView& view, const domain::ApiDraft& draft,
              const std::vector<std::string>& warnings) {
  Json out = ToJson(view, draft);
  for (const std::string& warning : warnings) {
    out["warnings"].push_back(warning);
  }
  return out;
}

}  // namespace

void Definitions::AddTo(Handlers& handlers) {
  const auto add = [&](absl::string_view name,
                       absl::StatusOr<Json> (Definitions::*run)(const Call&)) {
    handlers[{Service::kApiGateway, name}] = [this, run](const Call& call) {
      return (this->*run)(call);
    };
  };
  add("ImportRestApi", &Definitions::Import);
  add("PutRestApi", &Definitions::Put);
  add("GetExport", &Definitions::Export);
}

absl::StatusOr<Json> Definitions::Import(const Call& call) {
  Violations violations;
  const Options options = ReadOptions(call, /*imports=*/true, violations);
  SALLYPORT_ASSIGN_OR_RETURN(const ApiDefinition definition,
                             ReadDefinition(call, options, violations));
  domain::Api api;
  api.display_name = definition.name;
  api.metadata.description = definition.description;
  api.endpoint_type = options.endpoint_type;
  api.disable_default_endpoint =
      definition.disable_default_endpoint.value_or(false);
  SALLYPORT_ASSIGN_OR_RETURN(const service::ApiView view,
                             apis_.CreateApi(call.caller, call.write, "", api));
  const auto written = drafts_.Change(
      call.caller, call.write, view.api.name, [&](ApiDraftView& to) {
        return Write(definition, /*overwrite=*/true, to);
      });
  if (!written.ok()) {
    apis_.DeleteApi(call.caller, call.write, view.api.name, domain::Etag())
        .IgnoreError();
    return written.status();
  }
  return AnswerOf(view, written->draft, definition.warnings);
}

absl::StatusOr<Json> Definitions::Put(const Call& call) {
  Violations violations;
  const Options options = ReadOptions(call, /*imports=*/false, violations);
  SALLYPORT_ASSIGN_OR_RETURN(const ApiName name, ApiIn(call));
  SALLYPORT_ASSIGN_OR_RETURN(const ApiDefinition definition,
                             ReadDefinition(call, options, violations));
  domain::Api after;
  after.name = name;
  std::vector<std::string> mask;
  if (options.overwrite) {
    after.display_name = definition.name;
    after.metadata.description = definition.description;
    mask = {"description", "display_name"};
  }
  if (definition.disable_default_endpoint.has_value()) {
    after.disable_default_endpoint = *definition.disable_default_endpoint;
    mask.emplace_back("disable_default_endpoint");
  }
  if (!mask.empty()) {
    // Two commits: the second is not refused then for what it is.
    service::Write only_checked = call.write;
    only_checked.validate_only = true;
    SALLYPORT_RETURN_IF_ERROR(
        apis_.UpdateApi(call.caller, only_checked, after, mask).status());
  }
  SALLYPORT_ASSIGN_OR_RETURN(
      const ApiDraftView written,
      drafts_.Change(call.caller, call.write, name, [&](ApiDraftView& to) {
        return Write(definition, options.overwrite, to);
      }));
  absl::StatusOr<service::ApiView> view =
      mask.empty() ? apis_.GetApi(name)
                   : apis_.UpdateApi(call.caller, call.write, after, mask);
  if (!view.ok()) return view.status();
  return AnswerOf(*view, written.draft, definition.warnings);
}

absl::StatusOr<Json> Definitions::Export(const Call& call) {
  Violations violations;
  RefuseQuery(call.query, {"extensions"}, violations);
  bool with_integrations = false;
  for (const auto& [name, value] : call.query) {
    if (name != "extensions") continue;
    if (value == "integrations" || value == "apigateway") {
      with_integrations = true;
    } else {
      violations.Add("extensions", Reason::kNotSupported,
                     "is not supported with other values than integrations "
                     "and apigateway");
    }
  }
  const std::string& type = call.path.at("export_type");
  if (type != "oas30") {
    violations.Add("exportType", Reason::kNotSupported,
                   "is not supported with other values than oas30");
  }
  if (!call.accept.empty() && call.accept != "*/*" &&
      call.accept != "application/json") {
    violations.Add("accepts", Reason::kNotSupported,
                   "is not supported with other values than application/json");
  }
  SALLYPORT_RETURN_IF_ERROR(violations.ToStatus());
  SALLYPORT_ASSIGN_OR_RETURN(const domain::StageName name, StageIn(call));
  SALLYPORT_ASSIGN_OR_RETURN(const service::StageView stage,
                             apis_.GetStage(name));
  SALLYPORT_ASSIGN_OR_RETURN(const service::ApiView api,
                             apis_.GetApi(name.parent()));
  SALLYPORT_ASSIGN_OR_RETURN(const domain::ApiDraft draft,
                             drafts_.GetWithoutRoutes(name.parent()));
  domain::Deployment deployment;
  if (!stage.stage.deployment.empty()) {
    SALLYPORT_ASSIGN_OR_RETURN(service::DeploymentView view,
                               apis_.GetDeployment(stage.stage.deployment));
    deployment = std::move(view.deployment);
  }
  return WriteOpenApi(api.api, draft.version, deployment, with_integrations);
}

}  // namespace sallyport::aws
