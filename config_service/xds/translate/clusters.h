// The cluster of a backend.

#ifndef SALLYPORT_CONFIG_SERVICE_XDS_TRANSLATE_CLUSTERS_H_
#define SALLYPORT_CONFIG_SERVICE_XDS_TRANSLATE_CLUSTERS_H_

#include "absl/strings/string_view.h"
#include "config_service/domain/api.h"
#include "config_service/domain/name.h"
#include "config_service/xds/translate/translate.h"

namespace sallyport::xds {

// `uri` is resolved: it has no variables. `client_certificate` may be empty.
// Equal arguments (the URI's path aside) give the same cluster. `scope` is
// StageInput's.
Translated TranslateCluster(
    const domain::IntegrationUri& uri, const domain::BackendTls& tls,
    const domain::ClientCertificateName& client_certificate,
    absl::string_view scope);

}  // namespace sallyport::xds

#endif  // SALLYPORT_CONFIG_SERVICE_XDS_TRANSLATE_CLUSTERS_H_
