// StateCheck: whether the records of an export make a state that this service
// could have made itself.

#ifndef SALLYPORT_CONFIG_SERVICE_SERVICE_STATE_CHECK_H_
#define SALLYPORT_CONFIG_SERVICE_SERVICE_STATE_CHECK_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "config_service/domain/violations.h"
#include "config_service/store/export.h"
#include "config_service/store/store.h"

namespace sallyport::service {

struct CheckedState {
  // References of all resources, for the store; no values.
  std::vector<store::Put> references;
  int64_t num_resources = 0;
  int64_t num_audit_entries = 0;
  // Names of resources that have no private key, in order.
  std::vector<std::string> without_private_key;
  // The certificates of CAs, PEM, by their keys.
  std::map<std::string, std::string> cas;
};

// CheckState: reads every record whole, checks each resource as one that a
// caller sent (its dates apart: what has expired is still what was exported),
// contents and private keys included, and that all fits together: parents,
// references, versions, kinds of lists, counts, base paths and routes.
//
// Adds what is wrong to `violations`, the resource's name as the field, all
// with the reason EXPORT_INVALID; `checked` counts only if nothing was added.
// Contents are read from `store`. Errors are the store's.
absl::StatusOr<CheckedState> CheckState(
    const std::vector<store::ExportedRecord>& records, store::Store& store,
    domain::Violations& violations);

}  // namespace sallyport::service

#endif  // SALLYPORT_CONFIG_SERVICE_SERVICE_STATE_CHECK_H_
