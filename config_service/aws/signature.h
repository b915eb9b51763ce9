// Signatures of requests, verified (Signature Version 4 in the Authorization
// header; AWS IAM User Guide, "AWS Signature Version 4 for API requests").
//
// Refused, each with what to do instead: requests that are signed in their URL
// (presigned), payloads that are not signed, session tokens, and the asymmetric
// Version 4A.

#ifndef SALLYPORT_CONFIG_SERVICE_AWS_SIGNATURE_H_
#define SALLYPORT_CONFIG_SERVICE_AWS_SIGNATURE_H_

#include <functional>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "config_service/aws/message.h"
#include "config_service/aws/target.h"
#include "config_service/service/access_keys.h"

namespace sallyport::aws {

// The key with that id; nothing: there is none. The id may be any text.
using FindKey =
    std::function<absl::StatusOr<std::optional<service::AccessKeys::Known>>(
        absl::string_view id)>;

struct Signer {
  std::string principal;
  service::Role role = service::Role::kNone;
  std::string access_key_id;
};

// Whether a request says that it is signed, however badly.
bool IsSigned(const HttpRequest& request, const Target& target);

// VerifySignature: who signed `request`, whose target is `target`, for the
// service that signs as `signing_name`. All headers x-amz-*, Host and the
// whole body must be signed; any region will do. Errors are MakeError()'s:
// MissingAuthenticationTokenException, IncompleteSignatureException,
// UnrecognizedClientException, InvalidSignatureException; what `find` returns
// is passed on. The signature is compared in constant time, before anything
// that depends on what the key may do.
absl::StatusOr<Signer> VerifySignature(const HttpRequest& request,
                                       const Target& target,
                                       absl::string_view signing_name,
                                       absl::Time now, const FindKey& find);

}  // namespace sallyport::aws

#endif  // SALLYPORT_CONFIG_SERVICE_AWS_SIGNATURE_H_
