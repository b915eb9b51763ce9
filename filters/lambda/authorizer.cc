#include "filters/lambda/authorizer.h"

#include <algorithm>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "base/status_macros.h"
#include "base/text.h"
#include "filters/lambda/event.h"
#include "filters/lambda/json.h"
#include "filters/lambda/stream_request.h"
#include "filters/shim/buffers.h"
#include "filters/shim/clock.h"
#include "filters/shim/domain.h"
#include "filters/shim/local_reply.h"
#include "filters/shim/log.h"

namespace sallyport::lambda {
namespace {

namespace v1 = ::sallyport::filter::v1;
using shim::Buffer;
using shim::LocalReply;

constexpr absl::string_view kInvoke = "execute-api:Invoke";
constexpr absl::string_view kDefaultTokenSource =
    "method.request.header.Authorization";
constexpr absl::string_view kAllowed = "allowed";
constexpr absl::string_view kDenied = "denied";
constexpr absl::string_view kFailed = "failed";
constexpr size_t kMaxMetadataValue = 1024;

// REST APIs.
constexpr LocalReply kRestBadRequest = {400, "BadRequestException",
                                        R"({"message":"Bad Request"})", "3",
                                        "Bad Request"};
constexpr LocalReply kRestUnauthorized = {401, "UnauthorizedException",
                                          R"({"message":"Unauthorized"})", "16",
                                          "Unauthorized"};
constexpr LocalReply kRestDeny = {
    403, "AccessDeniedException",
    R"({"Message":"User is not authorized to access this resource"})", "7",
    "Forbidden"};
constexpr LocalReply kRestExplicitDeny = {
    403, "AccessDeniedException",
    R"({"Message":"User is not authorized to access this resource with an explicit deny"})",
    "7", "Forbidden"};
constexpr LocalReply kRestFailure = {500, "AuthorizerConfigurationException",
                                     R"({"message":null})", "13",
                                     "Internal Server Error"};
// HTTP APIs.
constexpr LocalReply kHttpBadRequest = {400, "", R"({"message":"Bad Request"})",
                                        "3", "Bad Request"};
constexpr LocalReply kHttpUnauthorized = {
    401, "", R"({"message":"Unauthorized"})", "16", "Unauthorized"};
constexpr LocalReply kHttpDeny = {403, "", R"({"message":"Forbidden"})", "7",
                                  "Forbidden"};
constexpr LocalReply kHttpFailure = {500, "",
                                     R"({"message":"Internal Server Error"})",
                                     "13", "Internal Server Error"};

absl::Status Wrong(absl::string_view what) {
  return absl::InvalidArgumentError(what);
}

absl::StatusOr<absl::Duration> ReadTtl(const v1::Authorizer& config) {
  if (!config.has_result_ttl()) return kDefaultResultTtl;
  const absl::Duration ttl = absl::Seconds(config.result_ttl().seconds()) +
                             absl::Nanoseconds(config.result_ttl().nanos());
  if (ttl < absl::ZeroDuration() || ttl > kMaxResultTtl ||
      config.result_ttl().nanos() != 0) {
    return Wrong(absl::StrCat("result_ttl: is ", absl::FormatDuration(ttl),
                              "; whole seconds from 0s to ",
                              absl::ToInt64Seconds(kMaxResultTtl), "s"));
  }
  return ttl;
}

absl::string_view StartName(abi::CalloutStart start) {
  return start == abi::CalloutStart::kClusterNotFound ? "CLUSTER_MISSING"
                                                      : "UNREACHABLE";
}

}  // namespace

absl::Status Authorizer::ReadIdentity(const v1::Authorizer& config,
                                      absl::Duration ttl) {
  std::vector<std::string> texts(config.identity_sources().begin(),
                                 config.identity_sources().end());
  const bool is_token = type_ == v1::Authorizer::TOKEN;
  if (is_token && texts.empty()) texts.emplace_back(kDefaultTokenSource);
  if (texts.size() > static_cast<size_t>(kMaxIdentitySources)) {
    return Wrong(
        absl::StrCat("identity_sources: are more than ", kMaxIdentitySources));
  }
  for (size_t i = 0; i < texts.size(); ++i) {
    auto source = IdentitySource::Read(texts[i]);
    if (!source.ok()) {
      return Wrong(absl::StrCat("identity_sources[", i,
                                "]: ", source.status().message()));
    }
    identity_sources_.push_back(*std::move(source));
  }
  if (is_token && (identity_sources_.size() != 1 ||
                   identity_sources_.front().header().empty())) {
    return Wrong("identity_sources: of TOKEN are one, a header");
  }
  remembers_ = ttl > absl::ZeroDuration();
  if (remembers_ && identity_sources_.empty()) {
    return Wrong(
        "identity_sources: are missing, so nothing tells whose answer is "
        "remembered; give some, or result_ttl: 0s");
  }
  if (config.token_pattern().empty()) return absl::OkStatus();
  if (!is_token) return Wrong("token_pattern: counts only with type: TOKEN");
  auto pattern = TokenPattern::Read(config.token_pattern());
  if (!pattern.ok()) {
    return Wrong(absl::StrCat("token_pattern: ", pattern.status().message()));
  }
  token_pattern_ = *std::move(pattern);
  return absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<const Authorizer>> Authorizer::Create(
    const v1::Authorizer& config, abi::HttpFilterConfig* envoy_config) {
  const absl::StatusOr<std::string> domain = shim::ReadDomain(config.domain());
  if (!domain.ok()) {
    return Wrong(absl::StrCat("domain: ", domain.status().message()));
  }
  SALLYPORT_RETURN_IF_ERROR(CheckName(config.name()));
  SALLYPORT_ASSIGN_OR_RETURN(const absl::Duration ttl, ReadTtl(config));
  std::shared_ptr<Authorizer> authorizer(new Authorizer(ttl));
  authorizer->domain_ = *domain;
  authorizer->name_ = config.name();
  authorizer->type_ = config.type();
  switch (config.type()) {
    case v1::Authorizer::TOKEN:
    case v1::Authorizer::REQUEST:
    case v1::Authorizer::HTTP_API_1_0:
    case v1::Authorizer::HTTP_API_2_0:
    case v1::Authorizer::HTTP_API_2_0_SIMPLE:
      break;
    default:
      return Wrong(
          "type: is missing or not known; TOKEN, REQUEST, HTTP_API_1_0, "
          "HTTP_API_2_0 or HTTP_API_2_0_SIMPLE");
  }
  SALLYPORT_RETURN_IF_ERROR(authorizer->ReadIdentity(config, ttl));
  SALLYPORT_ASSIGN_OR_RETURN(authorizer->function_,
                             Function::Create(config.function(), "function",
                                              kDefaultAuthorizerTimeout));
  SALLYPORT_ASSIGN_OR_RETURN(authorizer->api_, ReadApi(config.api(), "api"));
  SALLYPORT_ASSIGN_OR_RETURN(authorizer->context_headers_,
                             ContextHeaders::Create(config.context_headers()));
  SALLYPORT_RETURN_IF_ERROR(
      shim::DefineCounter(envoy_config, kAuthorizerDecisions,
                          {"domain", "authorizer", "decision", "reason"},
                          authorizer->decisions_id_));
  SALLYPORT_RETURN_IF_ERROR(shim::DefineCounter(
      envoy_config, kAuthorizerCache, {"domain", "authorizer", "result"},
      authorizer->cache_id_));
  return std::shared_ptr<const Authorizer>(std::move(authorizer));
}

AnswerForm Authorizer::form() const {
  switch (type_) {
    case v1::Authorizer::HTTP_API_2_0_SIMPLE:
      return AnswerForm::kSimple;
    case v1::Authorizer::HTTP_API_2_0:
      return AnswerForm::kPolicyOfHttpApi;
    default:
      return AnswerForm::kPolicy;
  }
}

absl::StatusOr<std::unique_ptr<AuthorizerRoute>> AuthorizerRoute::Create(
    const v1::AuthorizerRoute& config) {
  std::unique_ptr<AuthorizerRoute> route(new AuthorizerRoute);
  route->disabled_ = config.disabled();
  if (config.has_api()) {
    SALLYPORT_ASSIGN_OR_RETURN(route->api_, ReadApi(config.api(), "api"));
  }
  return route;
}

abi::HeadersStatus AuthorizerStream::OnRequestHeaders(
    abi::HttpFilter* stream, shim::EndOfStream /*end*/) {
  switch (Begin(stream, shim::ModuleClock().Now())) {
    case Progress::kGoesOn:
      return abi::HeadersStatus::kContinue;
    case Progress::kWaits:
      return abi::HeadersStatus::kStopAllIterationAndWatermark;
    default:
      return abi::HeadersStatus::kStopIteration;
  }
}

abi::TrailersStatus AuthorizerStream::OnRequestTrailers(
    abi::HttpFilter* stream) {
  return authorizer_->context_headers_.RemoveFrom(
             stream, abi::HeaderMap::kRequestTrailers)
             ? abi::TrailersStatus::kContinue
             : abi::TrailersStatus::kStopIteration;
}

AuthorizerStream::Progress AuthorizerStream::Begin(abi::HttpFilter* stream,
                                                   absl::Time now) {
  if (!authorizer_->context_headers_.RemoveFrom(stream,
                                                abi::HeaderMap::kRequest)) {
    return Deny(stream, Refusal::kFailure, "INTERNAL_ERROR",
                "the request's headers cannot be read");
  }
  const auto* const route = static_cast<const AuthorizerRoute*>(
      shim::RouteConfigOf(stream, kAuthorizerName));
  if (route != nullptr && route->disabled_) return Progress::kGoesOn;
  const ApiStage& api = route != nullptr && route->api_.has_value()
                            ? *route->api_
                            : authorizer_->api_;
  absl::StatusOr<StreamRequest> read =
      ReadRequest(stream, authorizer_->domain_, now);
  if (!read.ok()) {
    return Deny(stream, Refusal::kFailure, "NOT_AFTER_MTLS",
                read.status().message());
  }
  const RequestParts& request = read->parts;
  client_key_ = std::move(read->client_key);
  if (!IsPlainMethod(request.method)) {
    return Deny(stream, Refusal::kBadRequest, "UNUSUAL_METHOD",
                "the method has something but capital letters");
  }
  const absl::StatusOr<std::string> path = PlainPath(request.path);
  if (!path.ok()) {
    return Deny(stream, Refusal::kBadRequest, "UNUSUAL_PATH",
                path.status().message());
  }
  const absl::optional<std::string> inner =
      WithoutBasePath(*path, api.base_path);
  if (!inner.has_value()) {
    return Deny(stream, Refusal::kForbidden, "NO_SUCH_PATH",
                "the path does not begin with api.base_path");
  }
  arns_.push_back(MethodArn(api, request.method, *inner));
  if (inner->size() > 1 && absl::EndsWith(*inner, "/")) {
    arns_.insert(arns_.begin(), MethodArn(api, request.method,
                                          absl::StripSuffix(*inner, "/")));
  }

  AuthorizerSubject subject;
  subject.arn = arns_.front();
  for (const IdentitySource& source : authorizer_->identity_sources_) {
    subject.identity.push_back(source.ValueOf(request, api));
    if (subject.identity.back().empty()) {
      return Deny(stream, Refusal::kUnauthorized, "NO_IDENTITY_SOURCE",
                  "an identity source is missing or empty");
    }
    // An event could not say what it is.
    if (!IsUtf8(subject.identity.back())) {
      return Deny(stream, Refusal::kUnauthorized, "NO_IDENTITY_SOURCE",
                  "an identity source is not UTF-8");
    }
  }
  const bool is_token = authorizer_->type_ == v1::Authorizer::TOKEN;
  if (is_token) {
    // The backend might take another one than the function.
    if (request.Header(authorizer_->identity_sources_.front().header()).size() >
        1) {
      return Deny(stream, Refusal::kUnauthorized, "TOKEN_TWICE",
                  "the token's header is there more than once");
    }
    if (authorizer_->token_pattern_.has_value() &&
        !authorizer_->token_pattern_->Matches(subject.identity.front())) {
      return Deny(stream, Refusal::kUnauthorized, "TOKEN_PATTERN",
                  "the token does not match token_pattern");
    }
  }
  if (authorizer_->remembers_) {
    std::vector<absl::string_view> parts = {client_key_, api.account_id,
                                            api.region, api.api_id, api.stage};
    for (const std::string& value : subject.identity) parts.push_back(value);
    // What is said once and for all, and not as a policy, is said of this.
    if (authorizer_->form() == AnswerForm::kSimple) {
      parts.push_back(subject.arn);
    }
    cache_key_ = CacheKeyOf(parts);
    const auto answer = authorizer_->cache_.Find(cache_key_, now);
    Count(stream, authorizer_->cache_id_,
          {authorizer_->domain_, authorizer_->name_,
           answer != nullptr ? "hit" : "miss"});
    if (answer != nullptr) return Decide(stream, *answer);
  }
  switch (authorizer_->type_) {
    case v1::Authorizer::TOKEN:
      event_ = TokenEvent(subject.identity.front(), subject.arn);
      break;
    case v1::Authorizer::REQUEST:
      event_ = RequestEvent(request, api, subject);
      break;
    case v1::Authorizer::HTTP_API_1_0:
      event_ = HttpApiEvent10(request, api, subject);
      break;
    default:
      event_ = HttpApiEvent20(request, api, subject);
  }
  if (event_.size() > kMaxAuthorizerEventBytes) {
    return Deny(stream, Refusal::kFailure, "EVENT_TOO_LARGE",
                absl::StrCat("the event has more than ",
                             kMaxAuthorizerEventBytes, " bytes"));
  }
  return Call(stream);
}

AuthorizerStream::Progress AuthorizerStream::Call(abi::HttpFilter* stream) {
  const absl::Time now = shim::ModuleClock().Now();
  const Function& function = *authorizer_->function_;
  if (!asked_for_credentials_ && function.NeedsCredentials(now)) {
    asked_for_credentials_ = true;
    const absl::StatusOr<Callout> ask = function.AskForCredentials(now);
    if (ask.ok()) {
      stage_ = Stage::kCredentials;
      return Start(stream, *ask);
    }
  }
  const absl::StatusOr<Callout> call = function.Call(event_, now);
  if (!call.ok()) {
    return Deny(stream, Refusal::kFailure, "NO_CREDENTIALS",
                call.status().message());
  }
  stage_ = Stage::kFunction;
  return Start(stream, *call);
}

AuthorizerStream::Progress AuthorizerStream::Start(abi::HttpFilter* stream,
                                                   const Callout& callout) {
  ended_early_ = false;
  starting_ = true;
  const abi::CalloutStart start = StartCallout(stream, callout, &callout_id_);
  starting_ = false;
  if (start != abi::CalloutStart::kSuccess) {
    if (stage_ == Stage::kCredentials) {
      credentials_status_ = absl::UnavailableError("STS cannot be reached");
      return Finish(stream);
    }
    return Deny(stream, Refusal::kFailure, StartName(start),
                absl::StrCat("the call of the function could not be made "
                             "(result ",
                             static_cast<uint32_t>(start), ")"));
  }
  return ended_early_ ? Finish(stream) : Progress::kWaits;
}

void AuthorizerStream::OnCalloutDone(abi::HttpFilter* stream,
                                     const shim::CalloutEnd& end) {
  if (stage_ == Stage::kNone || (!starting_ && end.id != callout_id_)) return;
  if (stage_ == Stage::kCredentials) {
    credentials_status_ =
        authorizer_->function_->TakeCredentials(end, shim::ModuleClock().Now());
  } else {
    function_answer_ =
        authorizer_->function_->Read(end, kMaxAuthorizerAnswerBytes);
  }
  if (starting_) {
    ended_early_ = true;
    return;
  }
  if (Finish(stream) == Progress::kGoesOn) {
    envoy_dynamic_module_callback_http_filter_continue_decoding(stream);
  }
}

AuthorizerStream::Progress AuthorizerStream::Finish(abi::HttpFilter* stream) {
  if (std::exchange(stage_, Stage::kNone) == Stage::kCredentials) {
    if (!credentials_status_.ok() &&
        IsWorthALine(authorizer_->failures_.fetch_add(1) + 1)) {
      shim::Log(shim::LogLevel::kWarning,
                absl::StrCat("authorizer ", authorizer_->name_, " of ",
                             authorizer_->domain_, ": no new credentials: ",
                             Printable(credentials_status_.message())));
    }
    // Those that it has may still serve.
    return Call(stream);
  }
  switch (function_answer_.result) {
    case CallResult::kAnswer:
      break;
    case CallResult::kUnauthorized:
      return Deny(stream, Refusal::kUnauthorized,
                  CallResultName(CallResult::kUnauthorized), "");
    case CallResult::kFunctionError:
      if (IsUnauthorized(function_answer_.body)) {
        return Deny(stream, Refusal::kUnauthorized,
                    CallResultName(CallResult::kUnauthorized), "");
      }
      [[fallthrough]];
    default:
      return Deny(stream, Refusal::kFailure,
                  CallResultName(function_answer_.result),
                  "the function could not be asked, or failed");
  }
  absl::StatusOr<AuthorizerAnswer> answer =
      ReadAuthorizerAnswer(authorizer_->form(), function_answer_.body);
  if (!answer.ok()) {
    return Deny(stream, Refusal::kFailure, "ANSWER_MALFORMED",
                answer.status().message());
  }
  const auto shared =
      std::make_shared<const AuthorizerAnswer>(*std::move(answer));
  if (authorizer_->remembers_) {
    authorizer_->cache_.Put(cache_key_, client_key_, shared,
                            shim::ModuleClock().Now());
  }
  return Decide(stream, *shared);
}

AuthorizerStream::Progress AuthorizerStream::Decide(
    abi::HttpFilter* stream, const AuthorizerAnswer& answer) {
  if (!answer.policy.has_value()) {
    if (answer.is_authorized) return Allow(stream, answer);
    return Deny(stream, Refusal::kForbidden, "NOT_AUTHORIZED",
                "isAuthorized is false");
  }
  // The strictest of what is said of the path's spellings.
  PolicyDecision decision = PolicyDecision::kAllow;
  for (const std::string& arn : arns_) {
    const PolicyDecision one = answer.policy->Evaluate(kInvoke, arn);
    if (one == PolicyDecision::kExplicitDeny ||
        decision == PolicyDecision::kAllow) {
      decision = one;
    }
  }
  switch (decision) {
    case PolicyDecision::kAllow:
      return Allow(stream, answer);
    case PolicyDecision::kExplicitDeny:
      return Deny(stream, Refusal::kExplicitDeny, "EXPLICIT_DENY",
                  absl::StrCat("the policy denies ", arns_.front()));
    default:
      return Deny(
          stream, Refusal::kForbidden, "IMPLICIT_DENY",
          absl::StrCat("no statement of the policy allows ", arns_.front()));
  }
}

AuthorizerStream::Progress AuthorizerStream::Allow(
    abi::HttpFilter* stream, const AuthorizerAnswer& answer) {
  const absl::StatusOr<NameValues> headers =
      authorizer_->context_headers_.Of(answer);
  if (!headers.ok()) {
    return Deny(stream, Refusal::kFailure, "CONTEXT_VALUE",
                headers.status().message());
  }
  if (!FilterState(stream, kAuthorizedKey).empty()) {
    return Deny(stream, Refusal::kFailure, "TWO_AUTHORIZERS",
                "another authorizer of the chain has let the request in");
  }
  const std::string told = WriteJson(
      nlohmann::json{{"principalId", answer.principal_id},
                     {"usageIdentifierKey", answer.usage_identifier_key},
                     {"context", answer.context}});
  bool good = envoy_dynamic_module_callback_http_set_filter_state_bytes(
      stream, Buffer(kAuthorizedKey), Buffer(told));
  for (const auto& [name, value] : *headers) {
    good = good &&
           envoy_dynamic_module_callback_http_set_header(
               stream, abi::HeaderMap::kRequest, Buffer(name), Buffer(value));
  }
  if (!good) {
    return Deny(stream, Refusal::kFailure, "INTERNAL_ERROR",
                "the request's headers cannot be written");
  }
  if (!answer.principal_id.empty()) {
    SetMetadata(stream, kAuthorizerMetadata, "principalId",
                Printable(answer.principal_id, kMaxMetadataValue));
  }
  for (const auto& [key, value] : answer.context.items()) {
    SetMetadata(stream, kAuthorizerMetadata,
                absl::StrCat("context.", Printable(key, kMaxMetadataValue)),
                Printable(ContextText(value), kMaxMetadataValue));
  }
  SetMetadata(stream, kAuthorizerMetadata, "reason", "ALLOWED");
  Count(stream, authorizer_->decisions_id_,
        {authorizer_->domain_, authorizer_->name_, kAllowed, "ALLOWED"});
  return Progress::kGoesOn;
}

AuthorizerStream::Progress AuthorizerStream::Deny(
    abi::HttpFilter* stream, Refusal refusal, absl::string_view reason,
    absl::string_view detail) const {
  const std::string text = Printable(detail);
  const bool failed = refusal == Refusal::kFailure;
  const uint64_t failures =
      failed ? authorizer_->failures_.fetch_add(1) + 1 : 0;
  const shim::LogLevel level = failed && IsWorthALine(failures)
                                   ? shim::LogLevel::kWarning
                                   : shim::LogLevel::kDebug;
  if (shim::LogEnabled(level)) {
    shim::Log(
        level,
        absl::StrCat(
            "authorizer ", authorizer_->name_, " of ", authorizer_->domain_,
            ": request refused, ", reason, text.empty() ? "" : ", ", text,
            failed ? absl::StrCat(" (", failures, " failures so far)") : ""));
  }
  SetMetadata(stream, kAuthorizerMetadata, "reason", reason);
  if (!text.empty()) {
    SetMetadata(stream, kAuthorizerMetadata, "detail", text);
  }
  Count(stream, authorizer_->decisions_id_,
        {authorizer_->domain_, authorizer_->name_, failed ? kFailed : kDenied,
         reason});
  SendRefusal(stream, refusal, reason);
  return Progress::kAnswered;
}

void AuthorizerStream::SendRefusal(abi::HttpFilter* stream, Refusal refusal,
                                   absl::string_view reason) const {
  const bool is_rest = authorizer_->type_ == v1::Authorizer::TOKEN ||
                       authorizer_->type_ == v1::Authorizer::REQUEST;
  const LocalReply* reply = nullptr;
  switch (refusal) {
    case Refusal::kBadRequest:
      reply = is_rest ? &kRestBadRequest : &kHttpBadRequest;
      break;
    case Refusal::kUnauthorized:
      reply = is_rest ? &kRestUnauthorized : &kHttpUnauthorized;
      break;
    case Refusal::kForbidden:
      reply = is_rest ? &kRestDeny : &kHttpDeny;
      break;
    case Refusal::kExplicitDeny:
      reply = is_rest ? &kRestExplicitDeny : &kHttpDeny;
      break;
    case Refusal::kFailure:
      reply = is_rest ? &kRestFailure : &kHttpFailure;
      break;
  }
  shim::Send(stream, *reply,
             absl::StrCat("sallyport_authorizer{", reason, "}"));
}

void AuthorizerStream::Refuse(abi::HttpFilter* stream) const {
  SendRefusal(stream, Refusal::kFailure, "INTERNAL_ERROR");
}

}  // namespace sallyport::lambda
