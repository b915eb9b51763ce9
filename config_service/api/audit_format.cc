#include "config_service/api/audit_format.h"

#include "config_service/api/convert_api.h"
#include "config_service/api/convert_certificate.h"
#include "config_service/api/convert_domain_name.h"
#include "config_service/api/convert_fleet.h"
#include "config_service/api/convert_list.h"
#include "config_service/api/convert_truststore.h"
#include "google/protobuf/util/json_util.h"

namespace sallyport::api {
namespace {

template <typename Message, typename T>
std::string ToJson(const T& resource) {
  Message message;
  Convert(resource, message);
  google::protobuf::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  std::string out;
  // Fails for messages with bad UTF-8 only, which the domain's checks refuse.
  if (!google::protobuf::util::MessageToJsonString(message, &out, options)
           .ok()) {
    return "{}";
  }
  return out;
}

}  // namespace

namespace proto = sallyport::config::v1;

std::string JsonAuditFormat::Json(const domain::Truststore& truststore) const {
  return ToJson<proto::Truststore>(truststore);
}

std::string JsonAuditFormat::Json(
    const domain::TruststoreVersion& version) const {
  return ToJson<proto::TruststoreVersion>(version);
}

std::string JsonAuditFormat::Json(
    const domain::ServerCertificate& certificate) const {
  return ToJson<proto::ServerCertificate>(certificate);
}

std::string JsonAuditFormat::Json(
    const domain::ServerCertificateVersion& version) const {
  return ToJson<proto::ServerCertificateVersion>(version);
}

std::string JsonAuditFormat::Json(
    const domain::ClientCertificate& certificate) const {
  return ToJson<proto::ClientCertificate>(certificate);
}

std::string JsonAuditFormat::Json(const domain::RevocationList& list) const {
  return ToJson<proto::RevocationList>(list);
}

std::string JsonAuditFormat::Json(const domain::CertificateList& list) const {
  return ToJson<proto::CertificateList>(list);
}

std::string JsonAuditFormat::Json(
    const domain::CertificateListEntry& entry) const {
  return ToJson<proto::CertificateListEntry>(entry);
}

std::string JsonAuditFormat::Json(const domain::Fleet& fleet) const {
  return ToJson<proto::Fleet>(fleet);
}

std::string JsonAuditFormat::Json(const domain::DomainName& domain_name) const {
  return ToJson<proto::DomainName>(domain_name);
}

std::string JsonAuditFormat::Json(const domain::ApiMapping& mapping) const {
  return ToJson<proto::ApiMapping>(mapping);
}

std::string JsonAuditFormat::Json(const domain::Api& api) const {
  return ToJson<proto::Api>(api);
}

std::string JsonAuditFormat::Json(const domain::Route& route) const {
  return ToJson<proto::Route>(route);
}

std::string JsonAuditFormat::Json(const domain::Stage& stage) const {
  return ToJson<proto::Stage>(stage);
}

std::string JsonAuditFormat::Json(const domain::Deployment& deployment) const {
  return ToJson<proto::Deployment>(deployment);
}

}  // namespace sallyport::api
