#include "config_service/service/references.h"

#include <set>
#include <utility>
#include <variant>

#include "config_service/domain/name.h"

namespace sallyport::service {
namespace {

// Names, each once, those that are empty left out.
class References {
 public:
  template <typename Name>
  void Add(const Name& name) {
    if (!name.empty()) names_.insert(name.ToString());
  }
  template <typename Name>
  void AddAll(const std::vector<Name>& names) {
    for (const Name& name : names) Add(name);
  }
  std::vector<std::string> Take() && { return {names_.begin(), names_.end()}; }

 private:
  std::set<std::string> names_;
};

}  // namespace

const domain::TruststoreName* BackendTruststore(const domain::Route& route) {
  const domain::BackendTls* tls = nullptr;
  if (const auto* proxy =
          std::get_if<domain::HttpProxyIntegration>(&route.integration)) {
    tls = &proxy->tls;
  } else if (const auto* http =
                 std::get_if<domain::HttpIntegration>(&route.integration)) {
    tls = &http->tls;
  }
  return tls == nullptr || tls->truststore.empty() ? nullptr : &tls->truststore;
}

std::vector<std::string> ReferencesOf(const domain::Truststore& truststore) {
  References out;
  out.AddAll(truststore.revocation_lists);
  return std::move(out).Take();
}

std::vector<std::string> ReferencesOf(const domain::Fleet& fleet) {
  References out;
  out.Add(fleet.default_endpoint_certificate);
  return std::move(out).Take();
}

std::vector<std::string> ReferencesOf(const domain::DomainName& domain_name) {
  References out;
  out.AddAll(domain_name.fleets);
  out.Add(domain_name.server_certificate);
  if (domain_name.held_certificate_version != 0) {
    out.Add(domain::ServerCertificateVersionName(
        domain_name.server_certificate, domain_name.held_certificate_version));
  }
  out.Add(domain_name.ownership_verification_certificate);
  if (domain_name.mutual_tls.has_value()) {
    for (const auto& binding : domain_name.mutual_tls->truststores) {
      out.Add(binding.truststore);
      out.Add(binding.version);
    }
    out.AddAll(domain_name.mutual_tls->deny_lists);
    out.AddAll(domain_name.mutual_tls->allow_lists);
  }
  return std::move(out).Take();
}

std::vector<std::string> ReferencesOf(const domain::ApiMapping& mapping) {
  References out;
  out.Add(mapping.stage);
  out.AddAll(mapping.allow_lists);
  return std::move(out).Take();
}

std::vector<std::string> ReferencesOf(const domain::Route& route) {
  References out;
  if (const auto* truststore = BackendTruststore(route)) out.Add(*truststore);
  return std::move(out).Take();
}

std::vector<std::string> ReferencesOf(const domain::Stage& stage) {
  References out;
  out.Add(stage.client_certificate);
  return std::move(out).Take();
}

std::vector<std::string> ReferencesOf(const domain::Deployment& deployment) {
  References out;
  for (const domain::Route& route : deployment.routes) {
    if (const auto* truststore = BackendTruststore(route)) out.Add(*truststore);
  }
  return std::move(out).Take();
}

}  // namespace sallyport::service
