// RevocationLists: the use cases of certificate revocation lists.

#ifndef SALLYPORT_CONFIG_SERVICE_SERVICE_REVOCATION_LISTS_H_
#define SALLYPORT_CONFIG_SERVICE_SERVICE_REVOCATION_LISTS_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "config_service/domain/common.h"
#include "config_service/domain/revocation.h"
#include "config_service/service/caller.h"
#include "config_service/service/paging.h"
#include "config_service/service/transaction.h"

namespace sallyport::service {

struct RevocationListView {
  domain::RevocationList list;            // `conditions` are filled
  std::vector<domain::Warning> warnings;  // of the lists that are summarised
};

// Thread-safe. Callers are authorised before (roles.h). Errors carry a
// domain::Error.
class RevocationLists {
 public:
  struct CreateRequest {
    std::string id;
    domain::RevocationList list;  // description and labels
    std::string content;          // PEM or DER
  };
  struct UpdateRequest {
    domain::RevocationList list;    // its etag, if any, is checked
    std::vector<std::string> mask;  // as ApplyMask(); "content" among them
    std::string content;
  };

  // What `context` points to outlives this.
  explicit RevocationLists(const Context& context) : context_(context) {}

  absl::StatusOr<RevocationListView> Create(const Caller& caller,
                                            const Write& write,
                                            const CreateRequest& request);
  absl::StatusOr<RevocationListView> Get(
      const domain::RevocationListName& name);
  absl::StatusOr<Page<RevocationListView>> List(const PageRequest& request);
  absl::StatusOr<RevocationListView> Update(const Caller& caller,
                                            const Write& write,
                                            const UpdateRequest& request);
  absl::Status Delete(const Caller& caller, const Write& write,
                      const domain::RevocationListName& name,
                      const domain::Etag& etag);

 private:
  absl::StatusOr<RevocationListView> View(domain::RevocationList list);

  const Context context_;
};

}  // namespace sallyport::service

#endif  // SALLYPORT_CONFIG_SERVICE_SERVICE_REVOCATION_LISTS_H_
