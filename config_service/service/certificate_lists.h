// CertificateLists: the use cases of deny and allow lists and their entries.
//
// Entries are records of their own, and the list's record counts them: whoever
// changes entries changes the list in the same commit. A request may name more
// entries than one commit holds; then it is carried out in steps, the ones that
// let fewer clients in first. A request that ends before its last step (the
// disk is full, the service was killed) has done the steps before: sent again,
// it does the rest.

#ifndef SALLYPORT_CONFIG_SERVICE_SERVICE_CERTIFICATE_LISTS_H_
#define SALLYPORT_CONFIG_SERVICE_SERVICE_CERTIFICATE_LISTS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "config_service/domain/common.h"
#include "config_service/domain/revocation.h"
#include "config_service/service/caller.h"
#include "config_service/service/paging.h"
#include "config_service/service/transaction.h"

namespace sallyport::service {

// Thread-safe. Callers are authorised before (roles.h). Errors carry a
// domain::Error. The conditions of lists that are returned are filled.
class CertificateLists {
 public:
  // Entries are as the caller wrote them.
  struct CreateRequest {
    std::string id;
    domain::CertificateList list;
    std::vector<domain::CertificateListEntry> entries;
  };
  // Whether the caller said of which kind the list is; it cannot be changed.
  enum class Kind { kUnset, kSet };
  struct UpdateRequest {
    domain::CertificateList list;   // its etag, if any, is checked
    std::vector<std::string> mask;  // as ApplyMask()
    Kind kind = Kind::kUnset;
  };
  struct ModifyRequest {
    domain::CertificateListName name;
    domain::Etag etag;
    std::vector<domain::CertificateListEntry> add;
    std::vector<domain::CertificateListEntry> remove;
  };

  // What `context` points to outlives this.
  explicit CertificateLists(const Context& context) : context_(context) {}

  absl::StatusOr<domain::CertificateList> Create(const Caller& caller,
                                                 const Write& write,
                                                 const CreateRequest& request);
  absl::StatusOr<domain::CertificateList> Get(
      const domain::CertificateListName& name);
  absl::StatusOr<Page<domain::CertificateList>> List(
      const PageRequest& request);
  absl::StatusOr<domain::CertificateList> Update(const Caller& caller,
                                                 const Write& write,
                                                 const UpdateRequest& request);
  absl::Status Delete(const Caller& caller, const Write& write,
                      const domain::CertificateListName& name,
                      const domain::Etag& etag);

  // Adding what is there and removing what is not is no error; adding what is
  // there with another comment changes the comment. QUOTA_EXCEEDED over
  // limits::kMaxDenyListEntries.
  absl::StatusOr<domain::CertificateList> Modify(const Caller& caller,
                                                 const Write& write,
                                                 const ModifyRequest& request);
  // In the order of their keys.
  absl::StatusOr<Page<domain::CertificateListEntry>> ListEntries(
      const domain::CertificateListName& parent, const PageRequest& request);

 private:
  // One entry that comes or goes.
  struct Step {
    const domain::CertificateListEntry* entry = nullptr;
    bool add = true;
  };
  // Whether somebody is judged by it.
  absl::StatusOr<bool> IsUsed(const domain::CertificateList& list);
  absl::StatusOr<domain::CertificateList> WithStatus(
      domain::CertificateList list);
  // Carries out steps in as many commits as they need; the last has the id of
  // the request.
  absl::StatusOr<domain::CertificateList> Apply(
      const Caller& caller, const Write& write,
      const domain::CertificateListName& name, const domain::Etag& etag,
      absl::Span<const Step> steps);
  // Puts steps into a transaction, and what becomes of the list's count.
  absl::Status Stage(Transaction& transaction, absl::Span<const Step> steps,
                     domain::CertificateList& list,
                     std::vector<const domain::CertificateListEntry*>* absent);

  const Context context_;
};

// Removes entries of lists that are gone: those of a deletion that was not
// carried out to its end. Returns how many. To be called from time to time.
absl::StatusOr<int64_t> RemoveOrphanedEntries(store::Store& store);

}  // namespace sallyport::service

#endif  // SALLYPORT_CONFIG_SERVICE_SERVICE_CERTIFICATE_LISTS_H_
