// Who calls, and how a change is to be made.

#ifndef SALLYPORT_CONFIG_SERVICE_SERVICE_CALLER_H_
#define SALLYPORT_CONFIG_SERVICE_SERVICE_CALLER_H_

#include <string>

#include "config_service/service/roles.h"
#include "config_service/store/store.h"

namespace sallyport::service {

// Authenticated by whoever passes it in.
struct Caller {
  // "token:NAME", "certificate:URI", "loopback", "system:PART".
  std::string principal;
  // The address it calls from.
  std::string peer;
  Role role = Role::kNone;
};

// What all changes have.
struct Write {
  // "sallyport.config.v1.Truststores/UpdateTruststore".
  std::string method;
  // Check everything, change nothing.
  bool validate_only = false;
  // Empty, or a UUID; the digest is that of the request without it.
  std::string request_id;
  store::BlobDigest request;
};

}  // namespace sallyport::service

#endif  // SALLYPORT_CONFIG_SERVICE_SERVICE_CALLER_H_
