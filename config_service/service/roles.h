// Who may do what: one table.

#ifndef SALLYPORT_CONFIG_SERVICE_SERVICE_ROLES_H_
#define SALLYPORT_CONFIG_SERVICE_SERVICE_ROLES_H_

#include <optional>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace sallyport::service {

// Each may do what those before it may.
enum class Role {
  kNone,
  kViewer,    // reads everything but secrets, which nobody reads
  kOperator,  // changes resources
  kAdmin,     // raises limits, overrides, imports and exports the state
};

// "viewer". Static.
absl::string_view RoleName(Role role);
std::optional<Role> RoleFromName(absl::string_view name);

// The role that a method needs,
// "sallyport.config.v1.Truststores/GetTruststore". Nothing: there is no such
// method; it must be refused.
std::optional<Role> RequiredRole(absl::string_view method);

// OK, or PERMISSION_DENIED with ROLE_MISSING. A method without an entry is
// refused to everybody. It does not look at what the request names, so that
// nothing can be learned from the answer.
absl::Status Authorize(Role role, absl::string_view method);

}  // namespace sallyport::service

#endif  // SALLYPORT_CONFIG_SERVICE_SERVICE_ROLES_H_
