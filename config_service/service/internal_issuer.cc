#include "config_service/service/internal_issuer.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "base/text.h"
#include "config_service/domain/limits.h"
#include "config_service/service/stored_ca.h"
#include "config_service/store/ca_record.h"
#include "pki/keys/issue.h"

namespace sallyport::service {
namespace {

constexpr char kCaName[] = "Sallyport issuer CA";

}  // namespace

InternalIssuer::InternalIssuer(std::vector<domain::CertificatePtr> chain,
                               std::unique_ptr<const pki::PrivateKey> key,
                               const Settings& settings)
    : chain_(std::move(chain)), key_(std::move(key)), settings_(settings) {
  for (const domain::CertificatePtr& certificate : chain_) {
    if (certificate->IsSelfSigned()) break;
    intermediates_pem_ += certificate->Pem();
  }
}

absl::StatusOr<std::unique_ptr<InternalIssuer>> InternalIssuer::FromStore(
    store::Store& store, const store::Sealer& sealer, const Clock& clock,
    const Settings& settings) {
  SALLYPORT_ASSIGN_OR_RETURN(
      StoredCa ca, StoredCa::Open(store, sealer, clock, store::kIssuerCaKey,
                                  {kCaName, kIssuerCaValidity}));
  return std::unique_ptr<InternalIssuer>(new InternalIssuer(
      {std::move(ca.certificate)}, std::move(ca.key), settings));
}

absl::StatusOr<std::unique_ptr<InternalIssuer>> InternalIssuer::FromPem(
    absl::string_view chain_pem, const Secret& key_pem, absl::Time now,
    const Settings& settings) {
  domain::Violations violations;
  domain::CheckedMaterial material = domain::CheckMaterial(
      "chain", chain_pem, "key", key_pem, domain::CertificatePurpose::kIssuer,
      now, violations);
  SALLYPORT_RETURN_IF_ERROR(violations.ToStatus());
  pki::PrivateKey::ReadResult key = pki::PrivateKey::FromPem(key_pem);
  return std::unique_ptr<InternalIssuer>(new InternalIssuer(
      std::move(material.chain), std::move(key.key), settings));
}

CertificateIssuer::Info InternalIssuer::info() const {
  Info out;
  out.id = std::string(kInternalIssuerId);
  out.chain = chain_;
  out.domains = settings_.names.domains();
  out.validity = settings_.validity;
  return out;
}

absl::Time InternalIssuer::not_after() const {
  return domain::FirstExpiry(chain_);
}

void InternalIssuer::Check(const domain::Issuance& issuance,
                           domain::Violations& violations) const {
  settings_.names.Check(issuance, violations);
}

absl::StatusOr<CertificateIssuer::Issued> InternalIssuer::Issue(
    const domain::Issuance& issuance, absl::Time now) {
  // Certificates have whole seconds.
  now = absl::FromUnixSeconds(absl::ToUnixSeconds(now));
  if (now >= not_after()) {
    return domain::MakeError(
        domain::Reason::kIssuerExpires,
        absl::StrCat("the issuer's own certificate expired on ",
                     TimeText(not_after()), "; give it a newer one"));
  }
  const absl::Duration validity = issuance.validity == absl::ZeroDuration()
                                      ? settings_.validity
                                      : issuance.validity;
  const std::unique_ptr<const pki::PrivateKey> key =
      pki::PrivateKey::Generate(issuance.key_kind);
  pki::NewCertificate contents;
  // The first name that a common name can hold; clients look at the others.
  const auto common =
      std::find_if(issuance.dns_names.begin(), issuance.dns_names.end(),
                   [](const std::string& name) {
                     return name.size() <= domain::kMaxCommonNameLength;
                   });
  if (common != issuance.dns_names.end()) contents.subject = {{"CN", *common}};
  contents.not_before =
      std::max(now - kCertificateBackdate, chain_.front()->not_before());
  contents.not_after = std::min(now + validity, not_after());
  contents.server_auth = true;
  contents.dns_names = issuance.dns_names;
  SALLYPORT_ASSIGN_OR_RETURN(
      const std::string der,
      pki::Issue(contents, key->spki_der(), *key_, chain_.front().get()));
  Issued out;
  SALLYPORT_ASSIGN_OR_RETURN(out.leaf, pki::Certificate::Parse(der));
  out.chain_pem = absl::StrCat(out.leaf->Pem(), intermediates_pem_);
  out.private_key_pem = key->Pem();
  return out;
}

}  // namespace sallyport::service
