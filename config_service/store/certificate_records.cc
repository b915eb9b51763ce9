#include "config_service/store/certificate_records.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "base/text.h"
#include "config_service/domain/violations.h"
#include "config_service/store/keys.h"
#include "config_service/store/record_io.h"
#include "pki/x509/certificate.h"
#include "proto/sallyport/store/v1/records.pb.h"

namespace sallyport::store {
namespace {

namespace proto = sallyport::store::v1;
using internal::Damaged;
using internal::FromNanos;
using internal::ParseRecord;
using internal::ToNanos;

template <typename Name>
absl::StatusOr<std::string> SealKey(const Name& name, const Secret& key,
                                    const Sealer& sealer) {
  return sealer.Seal(key, KeyOf(name));
}

template <typename Message, typename Name>
absl::StatusOr<Secret> OpenKey(const Name& name, const Record& record,
                               const Sealer& sealer) {
  SALLYPORT_ASSIGN_OR_RETURN(
      Message in, ParseRecord<Message>(name.ToString(), record.value));
  if (in.sealed_private_key().empty()) {
    return domain::MakeError(
        domain::Reason::kPrivateKeyMissing,
        absl::StrCat(name.ToString(),
                     " has no private key: it came with an import that had "
                     "none; import it again with its key, renew it if it was "
                     "issued, or generate another client certificate"),
        {{"resource", name.ToString()}});
  }
  return sealer.Open(in.sealed_private_key(), KeyOf(name));
}

proto::Issuance::KeyType KeyTypeOf(pki::PrivateKey::Kind kind) {
  switch (kind) {
    case pki::PrivateKey::Kind::kRsa2048:
      return proto::Issuance::RSA_2048;
    case pki::PrivateKey::Kind::kRsa3072:
      return proto::Issuance::RSA_3072;
    case pki::PrivateKey::Kind::kEcP256:
      return proto::Issuance::ECDSA_P256;
    case pki::PrivateKey::Kind::kEcP384:
      break;
  }
  return proto::Issuance::ECDSA_P384;
}

absl::StatusOr<domain::Issuance> ReadIssuance(absl::string_view resource,
                                              const proto::Issuance& in) {
  domain::Issuance out;
  out.issuer = domain::IssuerName(in.issuer());
  out.dns_names.assign(in.dns_names().begin(), in.dns_names().end());
  out.validity = absl::Nanoseconds(in.validity());
  switch (in.key_type()) {
    case proto::Issuance::RSA_2048:
      out.key_kind = pki::PrivateKey::Kind::kRsa2048;
      break;
    case proto::Issuance::RSA_3072:
      out.key_kind = pki::PrivateKey::Kind::kRsa3072;
      break;
    case proto::Issuance::ECDSA_P256:
      out.key_kind = pki::PrivateKey::Kind::kEcP256;
      break;
    case proto::Issuance::ECDSA_P384:
      out.key_kind = pki::PrivateKey::Kind::kEcP384;
      break;
    default:
      return Damaged(resource, "has no known type of key");
  }
  return out;
}

}  // namespace

std::string Encode(const domain::ServerCertificate& certificate) {
  proto::ServerCertificate out;
  internal::WriteMetadata(certificate.metadata, *out.mutable_metadata());
  out.set_origin(certificate.origin ==
                         domain::ServerCertificate::Origin::kIssued
                     ? proto::ServerCertificate::ISSUED
                     : proto::ServerCertificate::IMPORTED);
  out.set_issued_by(certificate.issued_by);
  out.set_active_version(certificate.active_version);
  out.set_next_version(certificate.next_version);
  if (certificate.issuance.has_value()) {
    const domain::Issuance& issuance = *certificate.issuance;
    proto::Issuance& to = *out.mutable_issuance();
    to.set_issuer(issuance.issuer.id());
    for (const std::string& name : issuance.dns_names) to.add_dns_names(name);
    to.set_key_type(KeyTypeOf(issuance.key_kind));
    to.set_validity(absl::ToInt64Nanoseconds(issuance.validity));
  }
  return internal::Bytes(out);
}

absl::StatusOr<domain::ServerCertificate> Decode(
    const domain::ServerCertificateName& name, const Record& record) {
  const std::string resource = name.ToString();
  SALLYPORT_ASSIGN_OR_RETURN(
      proto::ServerCertificate in,
      ParseRecord<proto::ServerCertificate>(resource, record.value));
  domain::ServerCertificate out;
  out.name = name;
  out.metadata = internal::ReadMetadata(in.metadata(), record);
  switch (in.origin()) {
    case proto::ServerCertificate::IMPORTED:
      out.origin = domain::ServerCertificate::Origin::kImported;
      break;
    case proto::ServerCertificate::ISSUED:
      out.origin = domain::ServerCertificate::Origin::kIssued;
      break;
    default:
      return Damaged(resource, "has no known origin");
  }
  out.issued_by = in.issued_by();
  out.active_version = in.active_version();
  out.next_version = in.next_version();
  if (in.has_issuance()) {
    SALLYPORT_ASSIGN_OR_RETURN(out.issuance,
                               ReadIssuance(resource, in.issuance()));
  }
  return out;
}

absl::StatusOr<std::string> Encode(
    const domain::ServerCertificateVersion& version,
    const Secret& private_key_pem, const Sealer& sealer) {
  proto::ServerCertificateVersion out;
  out.set_create_time(ToNanos(version.create_time));
  out.set_certificate_chain_pem(version.certificate_chain_pem);
  SALLYPORT_ASSIGN_OR_RETURN(*out.mutable_sealed_private_key(),
                             SealKey(version.name, private_key_pem, sealer));
  return internal::Bytes(out);
}

absl::StatusOr<domain::ServerCertificateVersion> Decode(
    const domain::ServerCertificateVersionName& name, const Record& record) {
  const std::string resource = name.ToString();
  SALLYPORT_ASSIGN_OR_RETURN(
      proto::ServerCertificateVersion in,
      ParseRecord<proto::ServerCertificateVersion>(resource, record.value));
  domain::ServerCertificateVersion out;
  out.name = name;
  out.create_time = FromNanos(in.create_time());
  out.revision = record.mod_revision.value();
  out.certificate_chain_pem = in.certificate_chain_pem();
  const auto chain = domain::ReadStoredChain(out.certificate_chain_pem);
  if (!chain.ok() || chain->empty()) {
    return Damaged(resource, "has a chain that cannot be read");
  }
  out.spki_sha256_hex =
      HexLower(pki::AsBytes(pki::Sha256(chain->front()->spki_der())));
  return out;
}

absl::StatusOr<std::string> Encode(const domain::ClientCertificate& certificate,
                                   const Secret& private_key_pem,
                                   const Sealer& sealer) {
  proto::ClientCertificate out;
  internal::WriteMetadata(certificate.metadata, *out.mutable_metadata());
  out.set_origin(certificate.origin ==
                         domain::ClientCertificate::Origin::kImported
                     ? proto::ClientCertificate::IMPORTED
                     : proto::ClientCertificate::GENERATED);
  out.set_certificate_chain_pem(certificate.certificate_chain_pem);
  SALLYPORT_ASSIGN_OR_RETURN(
      *out.mutable_sealed_private_key(),
      SealKey(certificate.name, private_key_pem, sealer));
  return internal::Bytes(out);
}

absl::StatusOr<domain::ClientCertificate> Decode(
    const domain::ClientCertificateName& name, const Record& record) {
  const std::string resource = name.ToString();
  SALLYPORT_ASSIGN_OR_RETURN(
      proto::ClientCertificate in,
      ParseRecord<proto::ClientCertificate>(resource, record.value));
  domain::ClientCertificate out;
  out.name = name;
  out.metadata = internal::ReadMetadata(in.metadata(), record);
  switch (in.origin()) {
    case proto::ClientCertificate::GENERATED:
      out.origin = domain::ClientCertificate::Origin::kGenerated;
      break;
    case proto::ClientCertificate::IMPORTED:
      out.origin = domain::ClientCertificate::Origin::kImported;
      break;
    default:
      return Damaged(resource, "has no known origin");
  }
  out.certificate_chain_pem = in.certificate_chain_pem();
  return out;
}

absl::StatusOr<Secret> OpenPrivateKey(
    const domain::ServerCertificateVersionName& name, const Record& record,
    const Sealer& sealer) {
  return OpenKey<proto::ServerCertificateVersion>(name, record, sealer);
}

absl::StatusOr<Secret> OpenPrivateKey(const domain::ClientCertificateName& name,
                                      const Record& record,
                                      const Sealer& sealer) {
  return OpenKey<proto::ClientCertificate>(name, record, sealer);
}

}  // namespace sallyport::store
