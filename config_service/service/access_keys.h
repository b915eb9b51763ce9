// AccessKeys: the use cases of the keys that sign requests to the
// AWS-compatible API.

#ifndef SALLYPORT_CONFIG_SERVICE_SERVICE_ACCESS_KEYS_H_
#define SALLYPORT_CONFIG_SERVICE_SERVICE_ACCESS_KEYS_H_

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/secret.h"
#include "config_service/domain/access_key.h"
#include "config_service/service/caller.h"
#include "config_service/service/paging.h"
#include "config_service/service/roles.h"
#include "config_service/service/transaction.h"

namespace sallyport::service {

// Thread-safe. Callers are authorised before (roles.h). Errors carry a
// domain::Error. Secrets are made here, given once, and sealed in the store.
class AccessKeys {
 public:
  struct Issued {
    domain::AccessKey key;
    Secret secret;  // 40 characters of base64
  };
  // Who signs with a key.
  struct Known {
    std::string principal;  // "access-key:OWNER"
    Role role = Role::kNone;
    Secret secret;
  };

  // What `context` points to, its sealer too, outlives this.
  explicit AccessKeys(const Context& context) : context_(context) {}

  // A new key for `wanted.owner` with `wanted.role`. QUOTA_EXCEEDED when there
  // are domain::kMaxAccessKeys.
  absl::StatusOr<Issued> Issue(const Caller& caller, const Write& write,
                               const domain::AccessKey& wanted);
  absl::StatusOr<domain::AccessKey> Get(const domain::AccessKeyName& name);
  absl::StatusOr<Page<domain::AccessKey>> List(const PageRequest& request);
  absl::Status Delete(const Caller& caller, const Write& write,
                      const domain::AccessKeyName& name,
                      const domain::Etag& etag);

  // The key with that id, which may be any text; nothing: there is none.
  absl::StatusOr<std::optional<Known>> Find(absl::string_view id);

 private:
  const Context context_;
};

}  // namespace sallyport::service

#endif  // SALLYPORT_CONFIG_SERVICE_SERVICE_ACCESS_KEYS_H_
