// LambdaProxy: the HTTP filter `sallyport.lambda`, an AWS_PROXY integration.
//
// The request, with its body, becomes an event; the function's answer the
// response. The body is buffered, at most kMaxProxyBodyBytes (413); so is the
// answer. A function that takes too long is a 504, an answer that is malformed
// or an error a 502, a function that cannot be called a 500.

#ifndef SALLYPORT_FILTERS_LAMBDA_PROXY_H_
#define SALLYPORT_FILTERS_LAMBDA_PROXY_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/optional.h"
#include "filters/abi/abi.h"
#include "filters/cert_validator/request_record.h"
#include "filters/lambda/function.h"
#include "filters/lambda/proxy_answer.h"
#include "filters/lambda/request.h"
#include "filters/shim/http_filter.h"
#include "filters/shim/local_reply.h"
#include "proto/sallyport/filter/v1/authorizer.pb.h"

namespace sallyport::lambda {

inline constexpr char kLambdaName[] = "sallyport.lambda";
inline constexpr int kMaxBinaryMediaTypes = 100;

// Counter, with its labels.
//   lambda_requests{domain,integration,result}: requests; "ANSWERED", or why
//     not.
inline constexpr absl::string_view kLambdaRequests = "lambda_requests";

// %DYNAMIC_METADATA(sallyport.lambda:reason)% and `detail`, for the operator.
// The reason is also in the response-code details of what the filter answers
// itself, "sallyport_lambda{TIMEOUT}".
inline constexpr absl::string_view kLambdaMetadata = "sallyport.lambda";

// Immutable; thread-safe.
class LambdaProxy {
 public:
  // InvalidArgument: the message begins with the field.
  static absl::StatusOr<std::shared_ptr<const LambdaProxy>> Create(
      const filter::v1::LambdaProxy& config,
      abi::HttpFilterConfig* envoy_config);

 private:
  friend class LambdaStream;
  LambdaProxy() = default;

  // Whether a body of that media type is binary.
  bool IsBinary(absl::string_view content_type) const;

  std::string domain_;
  std::string name_;
  PayloadFormat format_ = PayloadFormat::k10;
  std::shared_ptr<const Function> function_;
  ApiStage api_;
  std::vector<std::string> binary_media_types_;
  size_t requests_id_ = 0;
  mutable std::atomic<uint64_t> failures_{0};
  const cert_validator::RequestRecordReader reader_;
};

// A route's. Immutable.
class LambdaRoute : public shim::HttpRouteConfig {
 public:
  static absl::StatusOr<std::unique_ptr<LambdaRoute>> Create(
      const filter::v1::LambdaProxyRoute& config);
  const char* filter_name() const override { return kLambdaName; }

 private:
  friend class LambdaStream;
  LambdaRoute() = default;

  bool disabled_ = false;
  std::shared_ptr<const Function> function_;  // null: the filter's
  absl::optional<ApiStage> api_;
};

class LambdaStream : public shim::HttpStream {
 public:
  explicit LambdaStream(std::shared_ptr<const LambdaProxy> proxy)
      : proxy_(std::move(proxy)) {}
  LambdaStream(const LambdaStream&) = delete;

  abi::HeadersStatus OnRequestHeaders(abi::HttpFilter* stream,
                                      shim::EndOfStream end) override;
  abi::BodyStatus OnRequestBody(abi::HttpFilter* stream,
                                shim::EndOfStream end) override;
  abi::TrailersStatus OnRequestTrailers(abi::HttpFilter* stream) override;
  void OnCalloutDone(abi::HttpFilter* stream,
                     const shim::CalloutEnd& end) override;
  void Refuse(abi::HttpFilter* stream) const override;
  absl::string_view ResetDetails() const override {
    return "sallyport_lambda{INTERNAL_ERROR}";
  }

 private:
  enum class Stage { kPassing, kReading, kCredentials, kFunction, kDone };

  // After each of these the stream, and this object, may be gone.
  void Call(abi::HttpFilter* stream);
  void Start(abi::HttpFilter* stream, const Callout& callout);
  void Finish(abi::HttpFilter* stream);
  void Answer(abi::HttpFilter* stream, const ProxyAnswer& answer);
  void Fail(abi::HttpFilter* stream, const shim::LocalReply& reply,
            absl::string_view reason, absl::string_view detail);

  const std::shared_ptr<const LambdaProxy> proxy_;
  std::shared_ptr<const Function> function_;
  ApiStage api_;
  Stage stage_ = Stage::kPassing;
  bool starting_ = false;
  bool ended_early_ = false;
  bool asked_for_credentials_ = false;
  uint64_t callout_id_ = 0;
  absl::Status credentials_status_;
  FunctionAnswer function_answer_;
  RequestParts request_;
  std::string body_;
  std::string event_;
};

}  // namespace sallyport::lambda

#endif  // SALLYPORT_FILTERS_LAMBDA_PROXY_H_
