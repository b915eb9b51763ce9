// Patch operations: how API Gateway's resources are updated
// ({"patchOperations": [{"op": "replace", "path": "/x", "value": "y"}]}).

#ifndef SALLYPORT_CONFIG_SERVICE_AWS_PATCH_H_
#define SALLYPORT_CONFIG_SERVICE_AWS_PATCH_H_

#include <cstddef>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "config_service/aws/fields.h"
#include "config_service/domain/violations.h"

namespace sallyport::aws {

struct PatchOperation {
  enum class Kind { kAdd, kReplace, kRemove };
  Kind kind = Kind::kReplace;
  std::string path;   // "/securityPolicy"
  std::string value;  // empty for kRemove
  // Its place in the request, for violations: "patchOperations[2]".
  std::string field;
};

// ReadPatch: the operations of a body, in order; at most kMaxPatchOperations.
// Others than add, replace and remove are violations, as is a value beside a
// remove.
std::vector<PatchOperation> ReadPatch(const Json& body,
                                      domain::Violations& violations);

// PathParts: the segments of a path (RFC 6901): "~1" is '/', "~0" is '~'.
std::vector<std::string> PathParts(absl::string_view path);

// That the resource has no such path, or not for this kind of operation.
void RefusePath(const PatchOperation& operation,
                domain::Violations& violations);

}  // namespace sallyport::aws

#endif  // SALLYPORT_CONFIG_SERVICE_AWS_PATCH_H_
