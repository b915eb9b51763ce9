// Secrets of Envoy's own kinds, under any name.

#ifndef SALLYPORT_CONFIG_SERVICE_XDS_TRANSLATE_SECRETS_H_
#define SALLYPORT_CONFIG_SERVICE_XDS_TRANSLATE_SECRETS_H_

#include "absl/strings/string_view.h"
#include "base/secret.h"
#include "config_service/xds/translate/translate.h"

namespace sallyport::xds {

// A certificate with its key.
Translated TranslateCertificate(absl::string_view name,
                                absl::string_view chain_pem,
                                const Secret& private_key_pem);

// CAs that a backend's certificate is verified by.
Translated TranslateTrustedCas(absl::string_view name, const Pieces& pem);

}  // namespace sallyport::xds

#endif  // SALLYPORT_CONFIG_SERVICE_XDS_TRANSLATE_SECRETS_H_
