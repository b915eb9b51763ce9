// AuditLog: who changed what, and when.

#ifndef SALLYPORT_CONFIG_SERVICE_SERVICE_AUDIT_LOG_H_
#define SALLYPORT_CONFIG_SERVICE_SERVICE_AUDIT_LOG_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "config_service/domain/audit.h"
#include "config_service/service/paging.h"
#include "config_service/store/store.h"

namespace sallyport::service {

// Thread-safe.
class AuditLog {
 public:
  // `store` outlives it.
  explicit AuditLog(store::Store* store) : store_(store) {}

  // The entry of the commit with that revision; RESOURCE_NOT_FOUND.
  // `imported_from`: of the store with that lineage, from which it was
  // imported; empty: of this one.
  absl::StatusOr<domain::AuditEntry> Get(int64_t revision,
                                         absl::string_view imported_from = "");
  // The newest first, by the clock of the one who wrote it.
  absl::StatusOr<Page<domain::AuditEntry>> List(const PageRequest& request);

 private:
  store::Store* const store_;
};

// Of an entry: "auditEntries/REVISION", or "auditEntries/LINEAGE-REVISION" of
// one that was imported from the store with that lineage.
std::string AuditEntryName(absl::string_view imported_from, int64_t revision);

// Removes what is remembered of requests that are older than kRequestMemory.
// Returns how many. To be called from time to time.
absl::StatusOr<int64_t> ForgetRequests(store::Store& store, absl::Time now);

}  // namespace sallyport::service

#endif  // SALLYPORT_CONFIG_SERVICE_SERVICE_AUDIT_LOG_H_
