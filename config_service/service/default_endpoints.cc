#include "config_service/service/default_endpoints.h"

#include <optional>
#include <set>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "config_service/domain/domain_name.h"
#include "config_service/domain/fleet.h"
#include "config_service/service/errors.h"
#include "config_service/service/resources.h"
#include "config_service/store/domain_records.h"
#include "config_service/store/fleet_records.h"
#include "config_service/store/keys.h"

namespace sallyport::service {
namespace {

struct Suffix {
  domain::FleetName fleet;
  std::string text;
};

// Of the fleets that have default endpoints: the default one first.
absl::StatusOr<std::vector<Suffix>> SuffixesOf(store::Store& store) {
  SALLYPORT_ASSIGN_OR_RETURN(const std::vector<domain::Fleet> fleets,
                             ReadAll<domain::FleetName>(store));
  std::vector<Suffix> all;
  for (const domain::Fleet& fleet : fleets) {
    const std::string& suffix = fleet.default_endpoint_suffix;
    if (suffix.empty()) continue;
    all.insert(fleet.name == domain::DefaultFleet() ? all.begin() : all.end(),
               Suffix{fleet.name, suffix});
  }
  return all;
}

// Calls `f` with each mapping of `api` and its domain, until it returns false.
absl::Status ForEachDomainOf(
    store::Store& store, const domain::ApiName& api,
    absl::FunctionRef<bool(const domain::ApiMappingName&,
                           const domain::DomainName&)>
        f) {
  store::ListRequest request;
  // Of all below it: mappings name stages.
  request.prefix = store::ReferencesPrefix(api.ToString());
  request.what = store::ListRequest::What::kKeysOnly;
  while (true) {
    const absl::StatusOr<store::ListPage> page = store.List(request);
    if (!page.ok()) return FromStore(page.status());
    for (const store::Record& record : page->records) {
      const auto mapping =
          domain::ApiMappingName::Parse(store::ReferrerOfKey(record.key));
      if (!mapping.ok()) continue;
      const absl::StatusOr<store::GetResult> got =
          store.Get(store::KeyOf(mapping->parent()));
      if (!got.ok()) return FromStore(got.status());
      // It may be gone by now.
      if (!got->record.has_value()) continue;
      SALLYPORT_ASSIGN_OR_RETURN(
          const domain::DomainName domain_name,
          store::Decode(mapping->parent(), *got->record));
      if (!f(*mapping, domain_name)) return absl::OkStatus();
    }
    if (!page->more) return absl::OkStatus();
    request.Continue(*page);
  }
}

}  // namespace

absl::StatusOr<std::string> DefaultEndpointSuffix(store::Store& store,
                                                  const domain::ApiName& api) {
  SALLYPORT_ASSIGN_OR_RETURN(const std::vector<Suffix> suffixes,
                             SuffixesOf(store));
  if (suffixes.empty()) return std::string();
  std::set<domain::FleetName> mapped_on;
  SALLYPORT_RETURN_IF_ERROR(ForEachDomainOf(
      store, api,
      [&](const domain::ApiMappingName&, const domain::DomainName& domain) {
        for (const domain::FleetName& fleet : domain.Fleets()) {
          mapped_on.insert(fleet);
        }
        // There is none before it.
        return mapped_on.count(suffixes.front().fleet) == 0;
      }));
  for (const Suffix& suffix : suffixes) {
    if (mapped_on.empty() || mapped_on.count(suffix.fleet) != 0) {
      return suffix.text;
    }
  }
  return std::string();
}

absl::StatusOr<bool> HasDefaultEndpoint(store::Store& store,
                                        const domain::ApiName& api,
                                        const domain::DomainName& on) {
  SALLYPORT_ASSIGN_OR_RETURN(const std::vector<Suffix> suffixes,
                             SuffixesOf(store));
  for (const domain::FleetName& fleet : on.Fleets()) {
    for (const Suffix& suffix : suffixes) {
      if (suffix.fleet == fleet) return true;
    }
  }
  SALLYPORT_ASSIGN_OR_RETURN(const std::string suffix,
                             DefaultEndpointSuffix(store, api));
  return !suffix.empty();
}

bool IsDefaultEndpoint(absl::string_view domain, absl::string_view suffix) {
  const size_t dot = domain.find('.');
  return dot != absl::string_view::npos && !suffix.empty() &&
         domain.substr(dot + 1) == suffix;
}

absl::StatusOr<std::vector<domain::FleetName>> FleetsOfDomainsOf(
    store::Store& store, const domain::ApiName& api) {
  std::set<domain::FleetName> fleets;
  SALLYPORT_RETURN_IF_ERROR(ForEachDomainOf(
      store, api,
      [&](const domain::ApiMappingName&, const domain::DomainName& domain) {
        for (const domain::FleetName& fleet : domain.Fleets()) {
          fleets.insert(fleet);
        }
        return true;
      }));
  return std::vector<domain::FleetName>(fleets.begin(), fleets.end());
}

absl::StatusOr<std::string> MutualTlsMappingOf(store::Store& store,
                                               const domain::ApiName& api) {
  std::string found;
  SALLYPORT_RETURN_IF_ERROR(
      ForEachDomainOf(store, api,
                      [&](const domain::ApiMappingName& mapping,
                          const domain::DomainName& domain) {
                        if (domain.mutual_tls.has_value())
                          found = mapping.ToString();
                        return found.empty();
                      }));
  return found;
}

domain::Warning OpenDefaultEndpointWarning(absl::string_view mapping) {
  domain::Warning warning;
  warning.reason = "DEFAULT_ENDPOINT_OPEN";
  warning.field = "disable_default_endpoint";
  warning.message = absl::StrCat(
      "\"", mapping,
      "\" is on a domain with mutual TLS, and the API can be reached without a "
      "certificate at its default endpoint; set disable_default_endpoint");
  return warning;
}

absl::Status CheckNoMutualTlsMapping(Transaction& transaction,
                                     const domain::ApiName& api,
                                     domain::Violations& violations) {
  SALLYPORT_ASSIGN_OR_RETURN(
      const std::vector<store::Record> references,
      transaction.List(store::ReferencesPrefix(api.ToString()),
                       store::ListRequest::What::kKeysOnly));
  for (const store::Record& record : references) {
    const auto mapping =
        domain::ApiMappingName::Parse(store::ReferrerOfKey(record.key));
    if (!mapping.ok()) continue;
    SALLYPORT_ASSIGN_OR_RETURN(const domain::DomainName domain_name,
                               transaction.Load(mapping->parent()));
    if (!domain_name.mutual_tls.has_value()) continue;
    violations.Add("endpoint_type", domain::Reason::kMutualTlsOnPrivateApi,
                   absl::StrCat("cannot be PRIVATE: \"", mapping->ToString(),
                                "\" maps the API to a domain with mutual TLS"));
    return absl::OkStatus();
  }
  return absl::OkStatus();
}

}  // namespace sallyport::service
