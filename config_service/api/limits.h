// Limits of the gRPC API.

#ifndef SALLYPORT_CONFIG_SERVICE_API_LIMITS_H_
#define SALLYPORT_CONFIG_SERVICE_API_LIMITS_H_

#include <cstddef>

namespace sallyport::api {

// One message. gRPC refuses a larger one with RESOURCE_EXHAUSTED.
constexpr int kMaxRequestBytes = 4 << 20;
// One piece of an upload.
constexpr size_t kMaxChunkBytes = size_t{1} << 20;
// Uploads at one time: each may hold a truststore of the largest size.
constexpr int kMaxUploads = 4;

// Calls that wait for something to happen, at one time: each takes a thread of
// those that the API has.
constexpr int kMaxWaitingCalls = 32;

// Calls of one principal: so many at once, and then so many each second.
constexpr double kCallBurst = 400;
constexpr double kCallsPerSecond = 200;
// Principals whose calls are counted; beyond it the oldest start anew.
constexpr size_t kMaxCountedPrincipals = 10000;

// Of a request's own id ("x-request-id").
constexpr size_t kMaxRequestIdLength = 64;

// The file of credentials, and entries in it.
constexpr size_t kMaxCredentialsBytes = size_t{1} << 20;
constexpr size_t kMaxCredentials = 10000;

}  // namespace sallyport::api

#endif  // SALLYPORT_CONFIG_SERVICE_API_LIMITS_H_
