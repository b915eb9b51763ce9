// What the filters of this folder read from a stream in Envoy.

#ifndef SALLYPORT_FILTERS_LAMBDA_STREAM_REQUEST_H_
#define SALLYPORT_FILTERS_LAMBDA_STREAM_REQUEST_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "filters/abi/abi.h"
#include "filters/lambda/request.h"
#include "proto/sallyport/filter/v1/authorizer.pb.h"

namespace sallyport::lambda {

// The filter state in which an authorizer leaves what it was told, JSON:
// {"principalId", "usageIdentifierKey", "context"}.
inline constexpr absl::string_view kAuthorizedKey = "sallyport.authorizer";

struct StreamRequest {
  RequestParts parts;
  // SHA-256 of the client's certificate and why it is (not) trusted: what
  // answers about one client are remembered by.
  std::string client_key;
};

// ReadRequest: what the request of `stream` says. FailedPrecondition: no
// `sallyport.mtls` of `domain` was there. Internal: Envoy does not tell.
absl::StatusOr<StreamRequest> ReadRequest(abi::HttpFilter* stream,
                                          absl::string_view domain,
                                          absl::Time now);

// A string of the stream's filter state; empty: none.
std::string FilterState(abi::HttpFilter* stream, absl::string_view key);

// ReadApi: InvalidArgument; the message begins with `field`.
absl::StatusOr<ApiStage> ReadApi(const filter::v1::ApiStage& config,
                                 absl::string_view field);

// CheckName: of authorizers and integrations.
absl::Status CheckName(absl::string_view name);

void Count(abi::HttpFilter* stream, size_t id,
           absl::Span<const absl::string_view> labels);

void SetMetadata(abi::HttpFilter* stream, absl::string_view ns,
                 absl::string_view key, absl::string_view value);

// How often something failed; true for the first, the tenth, the hundredth...:
// those are worth a line in the log.
bool IsWorthALine(uint64_t count);

}  // namespace sallyport::lambda

#endif  // SALLYPORT_FILTERS_LAMBDA_STREAM_REQUEST_H_
