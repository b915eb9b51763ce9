// PlainAuditFormat: an audit log's format for tests: JSON with the name and a
// few fields. The API's own is the one in use.

#ifndef SALLYPORT_CONFIG_SERVICE_SERVICE_TESTING_PLAIN_AUDIT_FORMAT_H_
#define SALLYPORT_CONFIG_SERVICE_SERVICE_TESTING_PLAIN_AUDIT_FORMAT_H_

#include <string>

#include "config_service/service/transaction.h"
#include "nlohmann/json.hpp"

namespace sallyport::service {

class PlainAuditFormat : public AuditFormat {
 public:
  std::string Json(const domain::Truststore& truststore) const override {
    nlohmann::json out = Common(truststore);
    out["active_version"] = truststore.active_version;
    out["next_version"] = truststore.next_version;
    return out.dump();
  }
  std::string Json(const domain::TruststoreVersion& version) const override {
    return nlohmann::json{{"name", version.name.ToString()},
                          {"was_active", version.was_active}}
        .dump();
  }
  std::string Json(
      const domain::ServerCertificate& certificate) const override {
    nlohmann::json out = Common(certificate);
    out["active_version"] = certificate.active_version;
    return out.dump();
  }
  std::string Json(
      const domain::ServerCertificateVersion& version) const override {
    return nlohmann::json{{"name", version.name.ToString()},
                          {"certificate", version.certificate_chain_pem}}
        .dump();
  }
  std::string Json(
      const domain::ClientCertificate& certificate) const override {
    nlohmann::json out = Common(certificate);
    out["certificate"] = certificate.certificate_chain_pem;
    return out.dump();
  }
  std::string Json(const domain::RevocationList& list) const override {
    nlohmann::json out = Common(list);
    out["size_bytes"] = list.size_bytes;
    return out.dump();
  }
  std::string Json(const domain::CertificateList& list) const override {
    nlohmann::json out = Common(list);
    out["entry_count"] = list.entry_count;
    return out.dump();
  }
  std::string Json(const domain::CertificateListEntry& entry) const override {
    return nlohmann::json{{"key", entry.Key()}, {"comment", entry.comment}}
        .dump();
  }
  std::string Json(const domain::Fleet& fleet) const override {
    nlohmann::json out = Common(fleet);
    out["listen_port"] = fleet.listen_port;
    return out.dump();
  }

  std::string Json(const domain::DomainName& domain_name) const override {
    nlohmann::json out = Common(domain_name);
    out["server_certificate"] = domain_name.server_certificate.ToString();
    return out.dump();
  }
  std::string Json(const domain::ApiMapping& mapping) const override {
    nlohmann::json out = Common(mapping);
    out["base_path"] = mapping.base_path;
    return out.dump();
  }
  std::string Json(const domain::Api& api) const override {
    nlohmann::json out = Common(api);
    out["disable_default_endpoint"] = api.disable_default_endpoint;
    return out.dump();
  }
  std::string Json(const domain::Route& route) const override {
    nlohmann::json out = Common(route);
    out["path"] = route.path;
    return out.dump();
  }
  std::string Json(const domain::Stage& stage) const override {
    nlohmann::json out = Common(stage);
    out["deployment"] = stage.deployment.ToString();
    return out.dump();
  }
  std::string Json(const domain::Deployment& deployment) const override {
    nlohmann::json out = Common(deployment);
    out["route_count"] = deployment.routes.size();
    return out.dump();
  }

 private:
  template <typename T>
  static nlohmann::json Common(const T& resource) {
    return {{"name", resource.name.ToString()},
            {"description", resource.metadata.description}};
  }
};

}  // namespace sallyport::service

#endif  // SALLYPORT_CONFIG_SERVICE_SERVICE_TESTING_PLAIN_AUDIT_FORMAT_H_
