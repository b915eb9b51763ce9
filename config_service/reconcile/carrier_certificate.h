// The certificate of carriers that no domain has one for (docs/xds-layout.md).
// Nobody ever sees it; it is kept so that a restart changes nothing.

#ifndef SALLYPORT_CONFIG_SERVICE_RECONCILE_CARRIER_CERTIFICATE_H_
#define SALLYPORT_CONFIG_SERVICE_RECONCILE_CARRIER_CERTIFICATE_H_

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "config_service/store/sealer.h"
#include "config_service/store/store.h"
#include "config_service/xds/translate/translate.h"

namespace sallyport::reconcile {

// The secret "carrier". The certificate is made, and stored sealed under
// store::kCarrierCertificateKey, when there is none, or none that can be
// opened. Errors are the store's and the sealer's.
absl::StatusOr<xds::Translated> CarrierCertificate(store::Store& store,
                                                   const store::Sealer& sealer,
                                                   const Clock& clock);

}  // namespace sallyport::reconcile

#endif  // SALLYPORT_CONFIG_SERVICE_RECONCILE_CARRIER_CERTIFICATE_H_
