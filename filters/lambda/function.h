// Function: what is called, and what it says.
//
// Sources: AWS Lambda API Reference, "Invoke"; AWS Lambda Developer Guide,
// "Understanding retry behavior" and "Lambda function errors".

#ifndef SALLYPORT_FILTERS_LAMBDA_FUNCTION_H_
#define SALLYPORT_FILTERS_LAMBDA_FUNCTION_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "filters/abi/abi.h"
#include "filters/lambda/credentials.h"
#include "filters/lambda/request.h"
#include "filters/shim/http_filter.h"
#include "proto/sallyport/filter/v1/authorizer.pb.h"

namespace sallyport::lambda {

inline constexpr absl::Duration kMinTimeout = absl::Milliseconds(50);
inline constexpr absl::Duration kMaxTimeout = absl::Seconds(29);
inline constexpr absl::Duration kDefaultAuthorizerTimeout = absl::Seconds(10);
inline constexpr absl::Duration kDefaultProxyTimeout = absl::Seconds(29);
// Of STS's answer.
inline constexpr size_t kMaxStsAnswerBytes = size_t{64} << 10;

// A request to make.
struct Callout {
  std::string cluster;
  NameValues headers;
  std::string body;
  absl::Duration timeout;
};

// What came of a call, for the operator: a token in the details and a label of
// the metrics.
enum class CallResult {
  kAnswer,
  // The function raised an error; its text is `body`.
  kFunctionError,
  // Of Https: 401.
  kUnauthorized,
  kTimeout,        // TIMEOUT
  kUnreachable,    // UNREACHABLE
  kThrottled,      // THROTTLED: 429
  kRefused,        // CALL_REFUSED: 403, 404 and the like of the Invoke API
  kServiceFailed,  // SERVICE_FAILED: 5xx
  kTooLarge,       // ANSWER_TOO_LARGE
};

absl::string_view CallResultName(CallResult result);

struct FunctionAnswer {
  CallResult result = CallResult::kUnreachable;
  std::string body;
};

// Thread-safe.
class Function {
 public:
  // InvalidArgument: the message begins with `field`.
  static absl::StatusOr<std::shared_ptr<const Function>> Create(
      const filter::v1::Function& config, absl::string_view field,
      absl::Duration default_timeout);

  // Whether credentials have to be asked for before a call.
  bool NeedsCredentials(absl::Time now) const;
  // That request, and what came of it.
  absl::StatusOr<Callout> AskForCredentials(absl::Time now) const;
  absl::Status TakeCredentials(const shim::CalloutEnd& end,
                               absl::Time now) const;

  // The call. Unavailable: there are no credentials.
  absl::StatusOr<Callout> Call(std::string event, absl::Time now) const;
  FunctionAnswer Read(const shim::CalloutEnd& end, size_t max_bytes) const;

 private:
  Function() = default;

  bool is_lambda_ = false;
  std::string cluster_;
  std::string authority_;
  std::string path_;
  std::string region_;
  absl::Duration timeout_;
  std::shared_ptr<CredentialsSource> credentials_;  // of Lambda
};

// StartCallout: makes the request; `id` gets its number, before
// http_callout_done can be called with it only if the callback writes it first,
// which Envoy does.
abi::CalloutStart StartCallout(abi::HttpFilter* stream, const Callout& callout,
                               uint64_t* id);

}  // namespace sallyport::lambda

#endif  // SALLYPORT_FILTERS_LAMBDA_FUNCTION_H_
