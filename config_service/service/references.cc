#include "config_service/service/references.h"

#include <set>
#include <variant>

namespace sallyport::service {
namespace {

// Of the route's backend; empty: none.
domain::TruststoreName BackendTruststore(const domain::Route& route) {
  if (const auto* proxy =
          std::get_if<domain::HttpProxyIntegration>(&route.integration)) {
    return proxy->tls.truststore;
  }
  if (const auto* http =
          std::get_if<domain::HttpIntegration>(&route.integration)) {
    return http->tls.truststore;
  }
  return domain::TruststoreName();
}

template <typename Name>
std::vector<std::string> IfAny(const Name& name) {
  if (name.empty()) return {};
  return {name.ToString()};
}

}  // namespace

std::vector<std::string> NamedBy(const domain::Truststore& truststore) {
  std::vector<std::string> out;
  for (const domain::RevocationListName& list : truststore.revocation_lists) {
    out.push_back(list.ToString());
  }
  return out;
}

std::vector<std::string> NamedBy(const domain::Fleet& fleet) {
  return IfAny(fleet.default_endpoint_certificate);
}

std::vector<std::string> NamedBy(const domain::Route& route) {
  return IfAny(BackendTruststore(route));
}

std::vector<std::string> NamedBy(const domain::Stage& stage) {
  return IfAny(stage.client_certificate);
}

std::vector<std::string> NamedBy(const domain::Deployment& deployment) {
  std::set<std::string> out;
  for (const domain::Route& route : deployment.routes) {
    const domain::TruststoreName truststore = BackendTruststore(route);
    if (!truststore.empty()) out.insert(truststore.ToString());
  }
  return {out.begin(), out.end()};
}

}  // namespace sallyport::service
