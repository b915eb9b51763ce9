// What ServerCertificates does about certificates that issuers make.

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "config_service/service/errors.h"
#include "config_service/service/limits.h"
#include "config_service/service/resources.h"
#include "config_service/service/server_certificates.h"

namespace sallyport::service {

using domain::Reason;
using domain::ServerCertificate;
using domain::ServerCertificateName;
using domain::ServerCertificateVersion;
using domain::Violations;

CertificateIssuer* ServerCertificates::FindIssuer(absl::string_view id) const {
  for (CertificateIssuer* issuer : issuing_.issuers) {
    if (id.empty() || issuer->info().id == id) return issuer;
  }
  return nullptr;
}

absl::StatusOr<ServerCertificates::NewMaterial> ServerCertificates::Issue(
    CertificateIssuer& issuer, const domain::Issuance& issuance, Hurry hurry) {
  const absl::Cleanup done = [&] { --num_issuing_; };
  if (++num_issuing_ > kMaxIssuancesAtOnce && hurry == Hurry::kAsked) {
    return domain::MakeError(
        Reason::kRateLimited,
        "too many certificates are being made at one time; wait 1 s",
        {{"retry_after_seconds", "1"}});
  }
  SALLYPORT_ASSIGN_OR_RETURN(CertificateIssuer::Issued issued,
                             issuer.Issue(issuance, context_.clock->Now()));
  return NewMaterial{std::move(issued.leaf), std::move(issued.chain_pem),
                     std::move(issued.private_key_pem)};
}

absl::StatusOr<ServerCertificate> ServerCertificates::RenewWithin(
    const Caller& caller, const Write& write, const ServerCertificateName& name,
    const domain::Etag& etag, Hurry hurry) {
  std::optional<NewMaterial> material;
  return Mutate<ServerCertificate>(
      context_, caller, write,
      [&](Transaction& transaction) -> absl::StatusOr<ServerCertificate> {
        SALLYPORT_ASSIGN_OR_RETURN(const ServerCertificate before,
                                   transaction.Load(name));
        SALLYPORT_RETURN_IF_ERROR(
            domain::CheckEtag(etag, before.metadata.etag, name.ToString()));
        if (!before.issuance.has_value()) {
          return domain::MakeError(
              Reason::kCertificateIsImported,
              absl::StrCat("\"", name.ToString(),
                           "\" was imported, so no issuer can renew it; import "
                           "a newer one"),
              {{"resource", name.ToString()}});
        }
        CertificateIssuer* const issuer = FindIssuer(before.issued_by);
        if (issuer == nullptr || before.issued_by.empty()) {
          return domain::MakeError(
              Reason::kIssuerNotConfigured,
              absl::StrCat("the installation no longer has the issuer \"",
                           before.issued_by, "\" (--issuer)"),
              {{"issuer", before.issued_by}});
        }
        Violations refused;
        issuer->Check(*before.issuance, refused);
        Violations fields;
        fields.AddAll("issuance", refused);
        SALLYPORT_RETURN_IF_ERROR(fields.ToStatus());
        if (write.validate_only) return before;
        if (!material.has_value()) {
          SALLYPORT_ASSIGN_OR_RETURN(material,
                                     Issue(*issuer, *before.issuance, hurry));
        }
        // The names are those that were admitted. When the installation has
        // changed its CA, certificates of both may be shown for a while.
        ServerCertificateVersion version;
        return AddVersion(transaction, before, *material,
                          IssuerConflict::kOverride, version);
      },
      [&](int64_t revision) {
        return ReadResource(*context_.store, name, revision);
      });
}

absl::StatusOr<ServerCertificateView> ServerCertificates::Renew(
    const Caller& caller, const Write& write, const ServerCertificateName& name,
    const domain::Etag& etag) {
  SALLYPORT_ASSIGN_OR_RETURN(
      ServerCertificate renewed,
      RenewWithin(caller, write, name, etag, Hurry::kAsked));
  return View(std::move(renewed));
}

absl::Status ServerCertificates::RenewDue(const Caller& caller,
                                          const Write& write,
                                          const ServerCertificateName& name,
                                          const domain::Etag& etag) {
  return RenewWithin(caller, write, name, etag, Hurry::kDue).status();
}

}  // namespace sallyport::service
