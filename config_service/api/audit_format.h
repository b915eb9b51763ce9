// How resources look in the audit log.

#ifndef SALLYPORT_CONFIG_SERVICE_API_AUDIT_FORMAT_H_
#define SALLYPORT_CONFIG_SERVICE_API_AUDIT_FORMAT_H_

#include <string>

#include "config_service/service/transaction.h"

namespace sallyport::api {

// The messages of the API as JSON, with the names of their fields: what Get
// answers, without what it finds out at the moment. Thread-safe.
class JsonAuditFormat : public service::AuditFormat {
 public:
  std::string Json(const domain::Truststore& truststore) const override;
  std::string Json(const domain::TruststoreVersion& version) const override;
  std::string Json(const domain::ServerCertificate& certificate) const override;
  std::string Json(
      const domain::ServerCertificateVersion& version) const override;
  std::string Json(const domain::ClientCertificate& certificate) const override;
  std::string Json(const domain::RevocationList& list) const override;
  std::string Json(const domain::CertificateList& list) const override;
  std::string Json(const domain::CertificateListEntry& entry) const override;
  std::string Json(const domain::Fleet& fleet) const override;
  std::string Json(const domain::DomainName& domain_name) const override;
  std::string Json(const domain::ApiMapping& mapping) const override;
  std::string Json(const domain::Api& api) const override;
  std::string Json(const domain::Route& route) const override;
  std::string Json(const domain::Stage& stage) const override;
  std::string Json(const domain::Deployment& deployment) const override;
};

}  // namespace sallyport::api

#endif  // SALLYPORT_CONFIG_SERVICE_API_AUDIT_FORMAT_H_
