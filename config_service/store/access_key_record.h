// Records of access keys. As certificate_records.h: the secret is sealed under
// the key of its record, and leaves it by OpenSecret() alone.

#ifndef SALLYPORT_CONFIG_SERVICE_STORE_ACCESS_KEY_RECORD_H_
#define SALLYPORT_CONFIG_SERVICE_STORE_ACCESS_KEY_RECORD_H_

#include <string>

#include "absl/status/statusor.h"
#include "base/secret.h"
#include "config_service/domain/access_key.h"
#include "config_service/store/sealer.h"
#include "config_service/store/store.h"

namespace sallyport::store {

absl::StatusOr<std::string> Encode(const domain::AccessKey& key,
                                   const Secret& secret, const Sealer& sealer);
absl::StatusOr<domain::AccessKey> Decode(const domain::AccessKeyName& name,
                                         const Record& record);

// Errors as Sealer::Open(), and RECORD_DAMAGED.
absl::StatusOr<Secret> OpenSecret(const domain::AccessKeyName& name,
                                  const Record& record, const Sealer& sealer);

}  // namespace sallyport::store

#endif  // SALLYPORT_CONFIG_SERVICE_STORE_ACCESS_KEY_RECORD_H_
