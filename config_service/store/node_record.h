// The record of a node whose certificates were revoked.

#ifndef SALLYPORT_CONFIG_SERVICE_STORE_NODE_RECORD_H_
#define SALLYPORT_CONFIG_SERVICE_STORE_NODE_RECORD_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace sallyport::store {

// What is under KeyOf() of a node, from when its certificates were revoked.
struct RevokedNode {
  absl::Time revoke_time;
  // SHA-256 (32 bytes) of those that were issued since and count, the newest
  // last.
  std::vector<std::string> issued_since;
};
std::string Encode(const RevokedNode& node);
// `value` of the record of `resource`.
absl::StatusOr<RevokedNode> DecodeRevokedNode(absl::string_view resource,
                                              const std::string& value);

}  // namespace sallyport::store

#endif  // SALLYPORT_CONFIG_SERVICE_STORE_NODE_RECORD_H_
