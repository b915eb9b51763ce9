#include "config_service/api/convert_certificate.h"

#include <string>

#include "config_service/api/convert.h"

namespace sallyport::api {

namespace proto = sallyport::config::v1;

namespace {

using Kind = pki::PrivateKey::Kind;
using ProtoIssuance = proto::ServerCertificate::Issuance;

constexpr struct {
  Kind kind;
  ProtoIssuance::KeyType type;
} kKeyTypes[] = {
    {Kind::kEcP256, ProtoIssuance::ECDSA_P256},
    {Kind::kEcP256, ProtoIssuance::KEY_TYPE_UNSPECIFIED},
    {Kind::kEcP384, ProtoIssuance::ECDSA_P384},
    {Kind::kRsa2048, ProtoIssuance::RSA_2048},
    {Kind::kRsa3072, ProtoIssuance::RSA_3072},
};

domain::Issuance ReadIssuance(const ProtoIssuance& from,
                              domain::Violations& violations) {
  domain::Issuance to;
  to.issuer =
      ParseNameIfAny<domain::IssuerName>("issuer", from.issuer(), violations);
  to.dns_names.assign(from.dns_names().begin(), from.dns_names().end());
  if (from.has_validity()) {
    to.validity = Convert(from.validity());
    // Zero would stand for the issuer's own.
    if (to.validity <= absl::ZeroDuration()) {
      violations.Add("validity", domain::Reason::kFieldOutOfRange,
                     "is not between 1 minute and 825 days");
      to.validity = absl::ZeroDuration();
    }
  }
  bool known = false;
  for (const auto& row : kKeyTypes) {
    if (row.type != from.key_type()) continue;
    to.key_kind = row.kind;
    known = true;
  }
  if (!known) {
    violations.Add("key_type", domain::Reason::kFieldMalformed,
                   "is none of its values");
  }
  return to;
}

void WriteIssuance(const domain::Issuance& from, ProtoIssuance& to) {
  to.set_issuer(from.issuer.ToString());
  for (const std::string& name : from.dns_names) to.add_dns_names(name);
  if (from.validity != absl::ZeroDuration()) {
    Convert(from.validity, *to.mutable_validity());
  }
  for (const auto& row : kKeyTypes) {
    if (row.kind != from.key_kind) continue;
    to.set_key_type(row.type);
    break;
  }
}

}  // namespace

domain::ServerCertificate Convert(const proto::ServerCertificate& from,
                                  domain::Violations& violations) {
  domain::ServerCertificate to;
  ConvertMetadata(from, to, violations);
  if (from.has_issuance()) {
    domain::Violations fields;
    to.issuance = ReadIssuance(from.issuance(), fields);
    violations.AddAll("issuance", fields);
  }
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
  to.set_issued_by(domain::IssuerName(from.issued_by).ToString());
  if (from.issuance.has_value()) {
    WriteIssuance(*from.issuance, *to.mutable_issuance());
  }
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
  SetTime(from.renew_time, [&] { return to.mutable_renew_time(); });
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

void Convert(const service::CertificateIssuer::Info& from, proto::Issuer& to) {
  to.set_name(domain::IssuerName(from.id).ToString());
  std::string pem;
  for (const domain::CertificatePtr& certificate : from.chain) {
    Convert(*certificate, *to.add_certificates());
    pem += certificate->Pem();
  }
  to.set_certificate_chain_pem(pem);
  SetTime(domain::FirstExpiry(from.chain),
          [&] { return to.mutable_not_after(); });
  for (const std::string& domain : from.domains) to.add_domains(domain);
  Convert(from.validity, *to.mutable_validity());
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
