// StoredCa: a CA that the service makes when there is none, and keeps in the
// store, its key sealed. It signs leaves only.

#ifndef SALLYPORT_CONFIG_SERVICE_SERVICE_STORED_CA_H_
#define SALLYPORT_CONFIG_SERVICE_SERVICE_STORED_CA_H_

#include <memory>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "config_service/store/sealer.h"
#include "config_service/store/store.h"
#include "pki/keys/private_key.h"
#include "pki/x509/certificate.h"

namespace sallyport::service {

// What the service issues begins so long ago: clocks differ.
constexpr absl::Duration kCertificateBackdate = absl::Minutes(5);

struct StoredCa {
  // What a new one says of itself.
  struct Settings {
    absl::string_view common_name;
    absl::Duration validity;
  };

  std::shared_ptr<const pki::Certificate> certificate;
  std::unique_ptr<const pki::PrivateKey> key;

  // The CA under `record_key` (store/ca_record.h) in `store`; when there is
  // none, a new one is put there first. Errors say what is wrong with the
  // record or the store.
  static absl::StatusOr<StoredCa> Open(store::Store& store,
                                       const store::Sealer& sealer,
                                       const Clock& clock,
                                       absl::string_view record_key,
                                       const Settings& settings);
};

}  // namespace sallyport::service

#endif  // SALLYPORT_CONFIG_SERVICE_SERVICE_STORED_CA_H_
