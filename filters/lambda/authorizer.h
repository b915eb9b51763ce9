// Authorizer: the HTTP filter `sallyport.authorizer`.
//
// For each request: what the client sent under the names of context headers is
// removed; the identity sources are read (401 without one, without a call); an
// answer about them is taken from memory or asked for; the policy decides about
// the request's method ARN; what goes on gets the context headers. A request
// that cannot be decided about is refused: nothing that fails lets it go on.
//
// Source: API Gateway Developer Guide, "Use API Gateway Lambda authorizers",
// "Control access to HTTP APIs with AWS Lambda authorizers" and "Gateway
// response types".

#ifndef SALLYPORT_FILTERS_LAMBDA_AUTHORIZER_H_
#define SALLYPORT_FILTERS_LAMBDA_AUTHORIZER_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "filters/abi/abi.h"
#include "filters/cert_validator/request_record.h"
#include "filters/lambda/answer.h"
#include "filters/lambda/cache.h"
#include "filters/lambda/context_headers.h"
#include "filters/lambda/function.h"
#include "filters/lambda/identity_source.h"
#include "filters/lambda/request.h"
#include "filters/lambda/token_pattern.h"
#include "filters/shim/http_filter.h"
#include "proto/sallyport/filter/v1/authorizer.pb.h"

namespace sallyport::lambda {

inline constexpr char kAuthorizerName[] = "sallyport.authorizer";

inline constexpr absl::Duration kDefaultResultTtl = absl::Seconds(300);
inline constexpr absl::Duration kMaxResultTtl = absl::Seconds(3600);
inline constexpr int kMaxIdentitySources = 10;

// Counters, with the labels they have.
//   authorizer_decisions{domain,authorizer,decision,reason}: requests; decision
//     is "allowed", "denied" or "failed".
//   authorizer_cache{domain,authorizer,result}: "hit" or "miss".
inline constexpr absl::string_view kAuthorizerDecisions =
    "authorizer_decisions";
inline constexpr absl::string_view kAuthorizerCache = "authorizer_cache";

// %DYNAMIC_METADATA(sallyport.authorizer:reason)%: why; `detail` a sentence,
// for the operator; of a request that goes on `principalId` and the context's
// values as `context.KEY`, printable. The reason is also in the response-code
// details, "sallyport_authorizer{EXPLICIT_DENY}".
inline constexpr absl::string_view kAuthorizerMetadata = "sallyport.authorizer";

// Immutable but for its memory; thread-safe.
class Authorizer {
 public:
  // InvalidArgument: the message begins with the field.
  static absl::StatusOr<std::shared_ptr<const Authorizer>> Create(
      const filter::v1::Authorizer& config,
      abi::HttpFilterConfig* envoy_config);

 private:
  friend class AuthorizerStream;

  explicit Authorizer(absl::Duration ttl) : cache_(ttl) {}
  absl::Status ReadIdentity(const filter::v1::Authorizer& config,
                            absl::Duration ttl);

  AnswerForm form() const;

  std::string domain_;
  std::string name_;
  filter::v1::Authorizer::Type type_ = filter::v1::Authorizer::TYPE_UNSPECIFIED;
  std::vector<IdentitySource> identity_sources_;
  absl::optional<TokenPattern> token_pattern_;
  bool remembers_ = false;
  std::shared_ptr<const Function> function_;
  ApiStage api_;
  ContextHeaders context_headers_;
  size_t decisions_id_ = 0;
  size_t cache_id_ = 0;
  mutable AnswerCache cache_;
  mutable std::atomic<uint64_t> failures_{0};
  const cert_validator::RequestRecordReader reader_;
};

// A route's. Immutable.
class AuthorizerRoute : public shim::HttpRouteConfig {
 public:
  static absl::StatusOr<std::unique_ptr<AuthorizerRoute>> Create(
      const filter::v1::AuthorizerRoute& config);
  const char* filter_name() const override { return kAuthorizerName; }

 private:
  friend class AuthorizerStream;
  AuthorizerRoute() = default;

  bool disabled_ = false;
  absl::optional<ApiStage> api_;
};

class AuthorizerStream : public shim::HttpStream {
 public:
  explicit AuthorizerStream(std::shared_ptr<const Authorizer> authorizer)
      : authorizer_(std::move(authorizer)) {}
  AuthorizerStream(const AuthorizerStream&) = delete;

  abi::HeadersStatus OnRequestHeaders(abi::HttpFilter* stream,
                                      shim::EndOfStream end) override;
  abi::TrailersStatus OnRequestTrailers(abi::HttpFilter* stream) override;
  void OnCalloutDone(abi::HttpFilter* stream,
                     const shim::CalloutEnd& end) override;
  void Refuse(abi::HttpFilter* stream) const override;
  absl::string_view ResetDetails() const override {
    return "sallyport_authorizer{INTERNAL_ERROR}";
  }

 private:
  // After kAnswered this object may be gone.
  enum class Progress { kWaits, kGoesOn, kAnswered };
  enum class Stage { kNone, kCredentials, kFunction };
  enum class Refusal {
    kBadRequest,
    kUnauthorized,
    kForbidden,
    kExplicitDeny,
    kFailure
  };

  Progress Begin(abi::HttpFilter* stream, absl::Time now);
  Progress Call(abi::HttpFilter* stream);
  Progress Start(abi::HttpFilter* stream, const Callout& callout);
  // Goes on when a callout has ended.
  Progress Finish(abi::HttpFilter* stream);
  Progress Decide(abi::HttpFilter* stream, const AuthorizerAnswer& answer);
  Progress Allow(abi::HttpFilter* stream, const AuthorizerAnswer& answer);
  Progress Deny(abi::HttpFilter* stream, Refusal refusal,
                absl::string_view reason, absl::string_view detail) const;
  void SendRefusal(abi::HttpFilter* stream, Refusal refusal,
                   absl::string_view reason) const;

  const std::shared_ptr<const Authorizer> authorizer_;
  Stage stage_ = Stage::kNone;
  // A callout is being started, and may end before that returns.
  bool starting_ = false;
  bool ended_early_ = false;
  bool asked_for_credentials_ = false;
  uint64_t callout_id_ = 0;
  absl::Status credentials_status_;
  FunctionAnswer function_answer_;

  std::string event_;
  std::string client_key_;
  CacheKey cache_key_;
  // By which the policy is asked: with and without a '/' at the end, where the
  // path has one.
  std::vector<std::string> arns_;
};

}  // namespace sallyport::lambda

#endif  // SALLYPORT_FILTERS_LAMBDA_AUTHORIZER_H_
