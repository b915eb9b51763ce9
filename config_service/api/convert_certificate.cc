#include "config_service/api/convert_certificate.h"

#include <string>

#include "config_service/api/convert.h"

namespace sallyport::api {

namespace proto = sallyport::config::v1;

domain::ServerCertificate Convert(const proto::ServerCertificate& from,
                                  domain::Violations& violations) {
  domain::ServerCertificate to;
  ConvertMetadata(from, to, violations);
  return to;
}

domain::ClientCertificate Convert(const proto::ClientCertificate& from,
                                  domain::Violations& violations) {
  domain::ClientCertificate to;
  ConvertMetadata(from, to, violations);
  return to;
}

void Convert(const domain::ServerCertificate& from,
             proto::ServerCertificate& to) {
  ConvertMetadata(from, to);
  to.set_origin(from.origin == domain::ServerCertificate::Origin::kIssued
                    ? proto::ServerCertificate::ISSUED
                    : proto::ServerCertificate::IMPORTED);
  to.set_issued_by(from.issued_by);
  to.set_active_version(
      domain::ServerCertificateVersionName(from.name, from.active_version)
          .ToString());
  for (const domain::Condition& condition : from.conditions) {
    Convert(condition, *to.add_conditions());
  }
}

void Convert(const domain::ServerCertificateVersion& from,
             proto::ServerCertificateVersion& to) {
  to.set_name(from.name.ToString());
  to.set_revision(from.revision);
  SetTime(from.create_time, [&] { return to.mutable_create_time(); });
  to.set_certificate_chain_pem(from.certificate_chain_pem);
}

void Convert(const domain::ClientCertificate& from,
             proto::ClientCertificate& to) {
  ConvertMetadata(from, to);
  to.set_origin(from.origin == domain::ClientCertificate::Origin::kImported
                    ? proto::ClientCertificate::IMPORTED
                    : proto::ClientCertificate::GENERATED);
  to.set_certificate_chain_pem(from.certificate_chain_pem);
  for (const domain::Condition& condition : from.conditions) {
    Convert(condition, *to.add_conditions());
  }
}

void Convert(const service::ServerCertificateView& from,
             proto::ServerCertificate& to) {
  Convert(from.certificate, to);
  for (const domain::CertificatePtr& certificate : from.chain) {
    Convert(*certificate, *to.add_certificates());
  }
  to.set_certificate_chain_pem(from.active.certificate_chain_pem);
  SetTime(domain::FirstExpiry(from.chain),
          [&] { return to.mutable_not_after(); });
  for (const domain::Warning& warning : from.warnings) {
    Convert(warning, *to.add_warnings());
  }
}

void Convert(const service::ServerCertificateVersionView& from,
             proto::ServerCertificateVersion& to) {
  Convert(from.version, to);
  for (const domain::CertificatePtr& certificate : from.chain) {
    Convert(*certificate, *to.add_certificates());
  }
  to.set_active(from.active);
}

void Convert(const service::ClientCertificateView& from,
             proto::ClientCertificate& to) {
  Convert(from.certificate, to);
  for (const domain::CertificatePtr& certificate : from.chain) {
    Convert(*certificate, *to.add_certificates());
  }
  SetTime(domain::FirstExpiry(from.chain),
          [&] { return to.mutable_not_after(); });
  for (const std::string& stage : from.stages) to.add_stages(stage);
  for (const domain::Warning& warning : from.warnings) {
    Convert(warning, *to.add_warnings());
  }
}

}  // namespace sallyport::api
