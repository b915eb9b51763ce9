// The record of the proxy CA.

#ifndef SALLYPORT_CONFIG_SERVICE_STORE_PROXY_CA_RECORD_H_
#define SALLYPORT_CONFIG_SERVICE_STORE_PROXY_CA_RECORD_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/secret.h"
#include "config_service/store/sealer.h"
#include "config_service/store/store.h"

namespace sallyport::store {

constexpr absl::string_view kProxyCaKey = "system/proxyCa";

struct ProxyCaRecord {
  std::string certificate_pem;
  Secret private_key_pem;
};

absl::StatusOr<std::string> Encode(const ProxyCaRecord& ca,
                                   const Sealer& sealer);
// RECORD_DAMAGED, and the errors of Sealer::Open().
absl::StatusOr<ProxyCaRecord> DecodeProxyCa(const Record& record,
                                            const Sealer& sealer);

}  // namespace sallyport::store

#endif  // SALLYPORT_CONFIG_SERVICE_STORE_PROXY_CA_RECORD_H_
