#include "config_service/service/route_checks.h"

#include <optional>
#include <variant>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "config_service/service/references.h"

namespace sallyport::service {

using domain::Reason;
using domain::Route;

namespace {

absl::string_view IntegrationField(const Route& route) {
  return std::holds_alternative<domain::HttpProxyIntegration>(route.integration)
             ? "route.http_proxy"
             : "route.http";
}

}  // namespace

std::string MatchOf(const Route& route) {
  const auto path = domain::PathTemplate::Parse(route.path);
  return absl::StrCat(route.method, " ",
                      path.ok() ? path->Shape() : route.path);
}

absl::Status RouteTaken(const Route& other) {
  const std::string name = other.name.ToString();
  return domain::MakeError(
      Reason::kRouteTaken,
      absl::StrCat("\"", name, "\" (", other.method, " ", other.path,
                   ") matches the same requests; update or delete that one"),
      {{"resource", name}});
}

absl::Status CheckBackend(Transaction& transaction,
                          const domain::BackendPolicy* policy,
                          const Route& route, domain::Violations& violations) {
  const std::optional<std::string> text = domain::UriOf(route.integration);
  if (policy != nullptr && text.has_value()) {
    const auto uri = domain::ParseIntegrationUri(*text);
    // With a variable in it, it is looked at when a stage is to serve it.
    if (uri.ok() && !absl::StrContains(uri->authority, "$")) {
      const std::string refused = domain::RefusedBackend(uri->Host(), *policy);
      if (!refused.empty()) {
        violations.Add(domain::Field(IntegrationField(route), "uri"),
                       Reason::kIntegrationUriInvalid, refused);
      }
    }
  }
  const domain::TruststoreName* truststore = BackendTruststore(route);
  if (truststore == nullptr) return absl::OkStatus();
  return transaction.CheckReference(
      domain::Field(IntegrationField(route), "tls.truststore"), *truststore,
      violations);
}

absl::Status TooManyOfApi(absl::string_view what, size_t limit) {
  return domain::MakeError(Reason::kQuotaExceeded,
                           absl::StrCat("the API has ", limit, " ", what,
                                        "; delete some that are not in use"),
                           {{"limit", absl::StrCat(limit)}});
}

}  // namespace sallyport::service
