// Limits of the gRPC API.

#ifndef SALLYPORT_CONFIG_SERVICE_API_LIMITS_H_
#define SALLYPORT_CONFIG_SERVICE_API_LIMITS_H_

#include <cstddef>

#include "absl/time/time.h"

namespace sallyport::api {

// One message. gRPC refuses a larger one with RESOURCE_EXHAUSTED.
constexpr int kMaxRequestBytes = 4 << 20;
// One piece of an upload.
constexpr size_t kMaxChunkBytes = size_t{1} << 20;

// Calls that are under way, each with a thread of its own (open_calls.h): of
// one principal, which the operator can change, and of all together. Streams
// are also calls that wait; each upload may hold a truststore of the largest
// size.
constexpr int kPrincipalCalls = 32;
constexpr int kPrincipalStreams = 16;
constexpr int kPrincipalUploads = 2;
constexpr int kMaxCalls = 256;
constexpr int kMaxStreams = 128;
constexpr int kMaxUploads = 8;
// Calls that were refused and whose clients have not taken the answer yet; more
// are ended without one.
constexpr int kMaxRefusedCalls = 16;
constexpr int kMaxRefusedCallsOfAll = 64;
// Threads for all of these, and some.
constexpr int kMaxThreads = 512;
// What a client has for taking a message, or sending the next one of an upload.
constexpr absl::Duration kClientTimeout = absl::Seconds(60);
constexpr absl::Duration kMinClientTimeout = absl::Seconds(1);
constexpr absl::Duration kMaxClientTimeout = absl::Hours(1);

// How often one principal may call, each second; it can save up twice as many.
// Of those that are unknown, each address.
constexpr int kCallsPerSecond = 200;
constexpr int kMaxCallsPerSecond = 100000;
constexpr int kBurstSeconds = 2;
// Principals whose calls are counted; beyond it the oldest start anew.
constexpr size_t kMaxCountedPrincipals = 10000;

// Of a request's own id ("x-request-id").
constexpr size_t kMaxRequestIdLength = 64;

// The file of credentials, and entries in it.
constexpr size_t kMaxCredentialsBytes = size_t{1} << 20;
constexpr size_t kMaxCredentials = 10000;

}  // namespace sallyport::api

#endif  // SALLYPORT_CONFIG_SERVICE_API_LIMITS_H_
