// Limits of the AWS-compatible API.

#ifndef SALLYPORT_CONFIG_SERVICE_AWS_LIMITS_H_
#define SALLYPORT_CONFIG_SERVICE_AWS_LIMITS_H_

#include <cstddef>

#include "absl/time/time.h"

namespace sallyport::aws {

// Bytes of a body.
constexpr size_t kMaxBodyBytes = size_t{1} << 20;
// Bytes of a path and query.
constexpr size_t kMaxTargetBytes = 8000;

// Calls of one principal that are answered at one time.
constexpr int kMaxCallsOfPrincipal = 16;

// Headers of a request, and those of them that are signed.
constexpr size_t kMaxHeaders = 200;
constexpr size_t kMaxSignedHeaders = 100;

// How far the time of a request may be from ours, before and after: what
// Amazon's services allow.
constexpr absl::Duration kMaxClockSkew = absl::Minutes(5);

// Operations that one PATCH may have.
constexpr size_t kMaxPatchOperations = 100;

// Pages of lists, as Amazon documents them: API Gateway's "limit", ACM's
// "MaxItems".
constexpr int kDefaultLimit = 25;
constexpr int kMaxLimit = 500;
constexpr int kMaxItems = 1000;

// Versions that are kept of a truststore which the facade made for a domain.
constexpr int kKeptTruststoreVersions = 100;

}  // namespace sallyport::aws

#endif  // SALLYPORT_CONFIG_SERVICE_AWS_LIMITS_H_
