// ApiMappings: the use cases of API mappings.

#ifndef SALLYPORT_CONFIG_SERVICE_SERVICE_API_MAPPINGS_H_
#define SALLYPORT_CONFIG_SERVICE_SERVICE_API_MAPPINGS_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "config_service/domain/api_mapping.h"
#include "config_service/domain/common.h"
#include "config_service/domain/name.h"
#include "config_service/domain/revocation.h"
#include "config_service/service/caller.h"
#include "config_service/service/paging.h"
#include "config_service/service/transaction.h"

namespace sallyport::service {

struct ApiMappingView {
  domain::ApiMapping mapping;  // `conditions` are filled
  std::vector<domain::Warning> warnings;
};

// That each of `lists` is there and has the kind; REFERENCE_NOT_FOUND,
// CERTIFICATE_LIST_KIND at the elements of `field`.
absl::Status CheckCertificateLists(
    Transaction& transaction, store::Store& store, absl::string_view field,
    const std::vector<domain::CertificateListName>& lists,
    domain::CertificateList::Kind kind, domain::Violations& violations);

// Thread-safe. As Apis.
class ApiMappings {
 public:
  // What `context` points to outlives this.
  explicit ApiMappings(const Context& context) : context_(context) {}

  // An empty id: one is made. BASE_PATH_TAKEN.
  absl::StatusOr<ApiMappingView> Create(const Caller& caller,
                                        const Write& write,
                                        const domain::DomainNameName& parent,
                                        const std::string& id,
                                        const domain::ApiMapping& mapping);
  absl::StatusOr<ApiMappingView> Get(const domain::ApiMappingName& name);
  // An empty parent: those of all domains.
  absl::StatusOr<Page<ApiMappingView>> List(
      const domain::DomainNameName& parent, const PageRequest& request);
  absl::StatusOr<ApiMappingView> Update(const Caller& caller,
                                        const Write& write,
                                        const domain::ApiMapping& mapping,
                                        const std::vector<std::string>& mask);
  absl::Status Delete(const Caller& caller, const Write& write,
                      const domain::ApiMappingName& name,
                      const domain::Etag& etag);

 private:
  absl::StatusOr<ApiMappingView> View(domain::ApiMapping mapping);
  // That the mapping fits its domain, its stage and the others of the domain.
  absl::Status Check(Transaction& transaction,
                     const domain::ApiMapping& mapping, bool is_new);

  const Context context_;
};

}  // namespace sallyport::service

#endif  // SALLYPORT_CONFIG_SERVICE_SERVICE_API_MAPPINGS_H_
