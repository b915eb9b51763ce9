#include "config_service/service/default_endpoints.h"

#include <optional>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "config_service/domain/domain_name.h"
#include "config_service/domain/fleet.h"
#include "config_service/service/errors.h"
#include "config_service/store/domain_records.h"
#include "config_service/store/fleet_records.h"
#include "config_service/store/keys.h"

namespace sallyport::service {
namespace {

absl::StatusOr<domain::Fleet> FleetOf(const store::Record& record) {
  return store::Decode(domain::FleetName(store::IdOfKey(record.key)), record);
}

}  // namespace

absl::StatusOr<std::string> DefaultEndpointSuffix(store::Store& store) {
  const absl::StatusOr<store::GetResult> got =
      store.Get(store::KeyOf(domain::DefaultFleet()));
  if (!got.ok()) return FromStore(got.status());
  if (got->record.has_value()) {
    SALLYPORT_ASSIGN_OR_RETURN(const domain::Fleet fleet,
                               FleetOf(*got->record));
    if (!fleet.default_endpoint_suffix.empty()) {
      return fleet.default_endpoint_suffix;
    }
  }
  store::ListRequest request;
  request.prefix = store::CollectionPrefix<domain::FleetName>();
  while (true) {
    const absl::StatusOr<store::ListPage> page = store.List(request);
    if (!page.ok()) return FromStore(page.status());
    for (const store::Record& record : page->records) {
      SALLYPORT_ASSIGN_OR_RETURN(const domain::Fleet fleet, FleetOf(record));
      if (!fleet.default_endpoint_suffix.empty()) {
        return fleet.default_endpoint_suffix;
      }
    }
    if (!page->more) return std::string();
    request.Continue(*page);
  }
}

bool IsDefaultEndpoint(absl::string_view domain, absl::string_view suffix) {
  const size_t dot = domain.find('.');
  return dot != absl::string_view::npos && domain.substr(dot + 1) == suffix;
}

absl::StatusOr<std::string> MutualTlsMappingOf(store::Store& store,
                                               const domain::ApiName& api) {
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
      if (domain_name.mutual_tls.has_value()) return mapping->ToString();
    }
    if (!page->more) return std::string();
    request.Continue(*page);
  }
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
