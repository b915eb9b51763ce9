// Names of the resources that translate.h makes.

#ifndef SALLYPORT_CONFIG_SERVICE_XDS_TRANSLATE_NAMES_H_
#define SALLYPORT_CONFIG_SERVICE_XDS_TRANSLATE_NAMES_H_

#include <string>

#include "absl/strings/string_view.h"
#include "config_service/domain/name.h"

namespace sallyport::xds {

// Secrets.
std::string ServerCertificateSecret(const domain::ServerCertificateName& name);
std::string ServerCertificateSecret(
    const domain::ServerCertificateVersionName& name);
std::string ClientCertificateSecret(const domain::ClientCertificateName& name);
std::string BackendTrustSecret(const domain::TruststoreName& name);
std::string TruststoreSecret(const domain::TruststoreName& name);
std::string TruststoreSecret(const domain::TruststoreVersionName& name);
std::string RevocationListSecret(const domain::RevocationListName& name);
std::string CertificateListSecret(const domain::CertificateListName& name);
std::string BindingSecret(absl::string_view domain);
// Filter chain and routes.
std::string DomainResource(absl::string_view domain);
inline constexpr char kDefaultEndpoints[] = "default-endpoints";
inline constexpr char kCarrierSecret[] = "carrier";

}  // namespace sallyport::xds

#endif  // SALLYPORT_CONFIG_SERVICE_XDS_TRANSLATE_NAMES_H_
