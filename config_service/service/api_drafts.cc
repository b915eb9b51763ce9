#include "config_service/service/api_drafts.h"

#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "config_service/domain/limits.h"
#include "config_service/domain/violations.h"
#include "config_service/service/errors.h"
#include "config_service/service/references.h"
#include "config_service/service/resources.h"
#include "config_service/service/route_checks.h"
#include "config_service/store/api_records.h"
#include "config_service/store/draft_record.h"
#include "config_service/store/keys.h"
#include "nlohmann/json.hpp"
#include "pki/crypto/crypto.h"

namespace sallyport::service {

using domain::ApiDraft;
using domain::ApiName;
using domain::Route;
using domain::RouteName;
using domain::Violations;

namespace {

constexpr size_t kGeneratedIdLength = 10;

// As the audit log has it: what is in it. The routes are there as themselves.
std::string Json(const ApiName& api, const ApiDraft& draft) {
  nlohmann::json methods = nlohmann::json::array();
  for (const auto& [method, json] : draft.methods) {
    methods.push_back(absl::StrCat(method.second, " ", method.first));
  }
  return nlohmann::json{{"name", absl::StrCat(api.ToString(), "/draft")},
                        {"version", draft.version},
                        {"binary_media_types", draft.binary_media_types},
                        {"paths", draft.paths},
                        {"methods", std::move(methods)}}
      .dump(-1, ' ', /*ensure_ascii=*/false,
            nlohmann::json::error_handler_t::replace);
}

absl::StatusOr<std::vector<Route>> ReadRoutes(
    const ApiName& api, const std::vector<store::Record>& records) {
  std::vector<Route> out;
  for (const store::Record& record : records) {
    SALLYPORT_ASSIGN_OR_RETURN(
        Route route,
        store::Decode(RouteName(api, store::IdOfKey(record.key)), record));
    out.push_back(std::move(route));
  }
  return out;
}

// That no two match the same requests, and there are not too many.
absl::Status CheckTogether(const std::vector<Route>& routes) {
  if (routes.size() > domain::kMaxRoutesOfApi) {
    return TooManyOfApi("routes", domain::kMaxRoutesOfApi);
  }
  std::map<std::string, const Route*> seen;
  for (const Route& route : routes) {
    const auto [it, is_new] = seen.emplace(MatchOf(route), &route);
    if (!is_new) return RouteTaken(*it->second);
  }
  return absl::OkStatus();
}

// Puts what is new or changed, and removes what is gone.
absl::Status PutRoutes(Transaction& transaction, const Context& context,
                       const ApiName& api, const std::vector<Route>& before,
                       std::vector<Route>& after) {
  std::map<RouteName, const Route*> old;
  for (const Route& route : before) old.emplace(route.name, &route);
  Violations violations;
  for (Route& route : after) {
    const auto it = old.find(route.name);
    const Route* was = it == old.end() ? nullptr : it->second;
    if (was != nullptr) old.erase(it);
    if (was != nullptr && store::Encode(*was) == store::Encode(route)) continue;
    if (was == nullptr) {
      route.name = RouteName(
          api, domain::GenerateId(pki::RandomBytes(kGeneratedIdLength),
                                  kGeneratedIdLength));
      route.metadata.create_time = transaction.now();
    }
    route.metadata.update_time = transaction.now();
    Violations found;
    domain::Validate(route, found);
    violations.AddAll("route", found);
    SALLYPORT_RETURN_IF_ERROR(
        CheckBackend(transaction, context.backends, route, violations));
    transaction.SetReferences(
        route.name.ToString(),
        was == nullptr ? std::vector<std::string>() : ReferencesOf(*was),
        ReferencesOf(route));
    if (was == nullptr) {
      transaction.Create(route);
    } else {
      transaction.Update(*was, route);
    }
  }
  SALLYPORT_RETURN_IF_ERROR(violations.ToStatus());
  for (const auto& [name, gone] : old) {
    transaction.SetReferences(name.ToString(), ReferencesOf(*gone), {});
    transaction.Delete(*gone);
  }
  return CheckTogether(after);
}

}  // namespace

absl::StatusOr<ApiDraft> ApiDrafts::GetWithoutRoutes(const ApiName& api) {
  const auto read = context_.store->Get(store::DraftKey(api));
  if (!read.ok()) return FromStore(read.status());
  if (!read->record.has_value()) return ApiDraft();
  return store::DecodeDraft(api, read->record->value);
}

absl::StatusOr<ApiDraftView> ApiDrafts::Get(const ApiName& api) {
  SALLYPORT_RETURN_IF_ERROR(ReadRecord(*context_.store, api).status());
  ApiDraftView out;
  SALLYPORT_ASSIGN_OR_RETURN(out.draft, GetWithoutRoutes(api));
  store::ListRequest request;
  request.prefix = store::ChildrenPrefix<RouteName>(api);
  request.limit = domain::kMaxRoutesOfApi;
  while (true) {
    const auto page = context_.store->List(request);
    if (!page.ok()) return FromStore(page.status());
    SALLYPORT_ASSIGN_OR_RETURN(std::vector<Route> routes,
                               ReadRoutes(api, page->records));
    for (Route& route : routes) out.routes.push_back(std::move(route));
    if (!page->more) return out;
    request.Continue(*page);
  }
}

absl::StatusOr<ApiDraftView> ApiDrafts::Change(
    const Caller& caller, const Write& write, const ApiName& api,
    absl::FunctionRef<absl::Status(ApiDraftView&)> change) {
  ApiDraftView out;
  const absl::StatusOr<Deleted> done = Mutate<Deleted>(
      context_, caller, write,
      [&](Transaction& transaction) -> absl::StatusOr<Deleted> {
        SALLYPORT_RETURN_IF_ERROR(transaction.CheckParent(api));
        const std::string key = store::DraftKey(api);
        SALLYPORT_ASSIGN_OR_RETURN(const std::optional<store::Record> record,
                                   transaction.Read(key));
        ApiDraftView before;
        if (record.has_value()) {
          SALLYPORT_ASSIGN_OR_RETURN(before.draft,
                                     store::DecodeDraft(api, record->value));
        }
        SALLYPORT_ASSIGN_OR_RETURN(
            const std::vector<store::Record> records,
            transaction.List(store::ChildrenPrefix<RouteName>(api)));
        SALLYPORT_ASSIGN_OR_RETURN(before.routes, ReadRoutes(api, records));
        ApiDraftView after = before;
        SALLYPORT_RETURN_IF_ERROR(change(after));
        Violations fields;
        domain::Validate(after.draft, fields);
        Violations violations;
        violations.AddAll("draft", fields);
        SALLYPORT_RETURN_IF_ERROR(violations.ToStatus());
        std::string value = store::Encode(after.draft);
        if (!record.has_value() || record->value != value) {
          transaction.PutPart(key, std::move(value),
                              absl::StrCat(api.ToString(), "/draft"),
                              record.has_value() ? Json(api, before.draft) : "",
                              Json(api, after.draft));
        }
        SALLYPORT_RETURN_IF_ERROR(
            PutRoutes(transaction, context_, api, before.routes, after.routes));
        out = std::move(after);
        return Deleted();
      },
      [&](const Replay&) -> absl::StatusOr<Deleted> {
        SALLYPORT_ASSIGN_OR_RETURN(out, Get(api));
        return Deleted();
      });
  if (!done.ok()) return done.status();
  return out;
}

}  // namespace sallyport::service
