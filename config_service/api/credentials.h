// Credentials: who may call the API, as the operator's file has it.
//
//   # comment
//   token NAME ROLE SHA256 [EXPIRES]
//   certificate URI ROLE
//
// SHA256 is that of the token, 64 hexadecimal digits (`printf %s "$TOKEN" |
// sha256sum`): the tokens themselves are nowhere. They must be random; 32 bytes
// from /dev/urandom are. EXPIRES (RFC 3339, "2027-01-31T12:00:00Z") is when the
// token counts no longer; without it, it always does. URI is a URI subject
// alternative name of a client certificate that the admin CA signed. ROLE is
// viewer, operator or admin.

#ifndef SALLYPORT_CONFIG_SERVICE_API_CREDENTIALS_H_
#define SALLYPORT_CONFIG_SERVICE_API_CREDENTIALS_H_

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "config_service/service/roles.h"

namespace sallyport::api {

// Immutable, thread-safe.
class Credentials {
 public:
  // Of nobody.
  Credentials() = default;
  // InvalidArgument with the line and what is wrong with it, never a digest.
  static absl::StatusOr<Credentials> Parse(absl::string_view text);

  bool empty() const { return tokens_.empty() && certificates_.empty(); }

  struct Known {
    std::string principal;  // "token:NAME", "certificate:URI"
    service::Role role = service::Role::kNone;
    absl::Time expire_time = absl::InfiniteFuture();
  };
  // Nothing: nobody has it. Whether it has expired is for the caller to see.
  std::optional<Known> FindToken(absl::string_view token) const;
  // By the URIs of a certificate that was verified.
  std::optional<Known> FindCertificate(
      const std::vector<std::string>& uris) const;

 private:
  // By the token's SHA-256, and by URI.
  absl::flat_hash_map<std::string, Known> tokens_;
  absl::flat_hash_map<std::string, Known> certificates_;
};

}  // namespace sallyport::api

#endif  // SALLYPORT_CONFIG_SERVICE_API_CREDENTIALS_H_
