#include "filters/lambda/proxy.h"

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/status_macros.h"
#include "base/text.h"
#include "filters/abi/drain_body.h"
#include "filters/lambda/answer.h"
#include "filters/lambda/event.h"
#include "filters/lambda/json.h"
#include "filters/lambda/policy.h"
#include "filters/lambda/stream_request.h"
#include "filters/shim/buffers.h"
#include "filters/shim/clock.h"
#include "filters/shim/domain.h"
#include "filters/shim/log.h"

namespace sallyport::lambda {
namespace {

namespace v1 = ::sallyport::filter::v1;
using nlohmann::json;
using shim::Buffer;
using shim::LocalReply;

constexpr absl::string_view kAnswered = "ANSWERED";

constexpr LocalReply kTooLong = {413, "RequestTooLargeException",
                                 R"({"message":"Request Too Long"})", "8",
                                 "Request Too Long"};
constexpr LocalReply kNotFound = {
    404, "NotFoundException", R"({"message":"Not Found"})", "5", "Not Found"};
constexpr LocalReply kServerError = {500, "InternalServerErrorException",
                                     R"({"message":"Internal server error"})",
                                     "13", "Internal server error"};
constexpr LocalReply kBadGateway = {502, "InternalServerErrorException",
                                    R"({"message":"Internal server error"})",
                                    "13", "Internal server error"};
constexpr LocalReply kTimedOut = {504, "InternalServerErrorException",
                                  R"({"message":"Endpoint request timed out"})",
                                  "4", "Endpoint request timed out"};

absl::Status Wrong(absl::string_view what) {
  return absl::InvalidArgumentError(what);
}

// requestContext.authorizer, of what an authorizer left; null: there was none.
json AuthorizerOf(abi::HttpFilter* stream, PayloadFormat format) {
  const std::string bytes = FilterState(stream, kAuthorizedKey);
  if (bytes.empty()) return nullptr;
  const json left = json::parse(bytes);
  const json& context = left.at("context");
  if (format == PayloadFormat::k20) return {{"lambda", context}};
  json out = {{"principalId", left.at("principalId")}};
  for (const auto& [key, value] : context.items()) {
    // Of REST APIs they are strings.
    out[key] = ContextText(value);
  }
  return out;
}

}  // namespace

absl::StatusOr<std::shared_ptr<const LambdaProxy>> LambdaProxy::Create(
    const v1::LambdaProxy& config, abi::HttpFilterConfig* envoy_config) {
  const absl::StatusOr<std::string> domain = shim::ReadDomain(config.domain());
  if (!domain.ok()) {
    return Wrong(absl::StrCat("domain: ", domain.status().message()));
  }
  SALLYPORT_RETURN_IF_ERROR(CheckName(config.name()));
  std::shared_ptr<LambdaProxy> proxy(new LambdaProxy);
  proxy->domain_ = *domain;
  proxy->name_ = config.name();
  switch (config.payload_format()) {
    case v1::LambdaProxy::PAYLOAD_FORMAT_UNSPECIFIED:
    case v1::LambdaProxy::PAYLOAD_1_0:
      proxy->format_ = PayloadFormat::k10;
      break;
    case v1::LambdaProxy::PAYLOAD_2_0:
      proxy->format_ = PayloadFormat::k20;
      break;
    default:
      return Wrong(
          "payload_format: is nothing that this version knows; PAYLOAD_1_0 or "
          "PAYLOAD_2_0");
  }
  SALLYPORT_ASSIGN_OR_RETURN(
      proxy->function_,
      Function::Create(config.function(), "function", kDefaultProxyTimeout));
  SALLYPORT_ASSIGN_OR_RETURN(proxy->api_, ReadApi(config.api(), "api"));
  if (config.binary_media_types_size() > kMaxBinaryMediaTypes) {
    return Wrong(absl::StrCat("binary_media_types: are more than ",
                              kMaxBinaryMediaTypes));
  }
  for (int i = 0; i < config.binary_media_types_size(); ++i) {
    const std::string& type = config.binary_media_types(i);
    if (!absl::StrContains(type, '/') || type.size() > kMaxPatternBytes) {
      return Wrong(
          absl::StrCat("binary_media_types[", i,
                       "]: is none, such as image/png, image/* or */*"));
    }
    proxy->binary_media_types_.push_back(absl::AsciiStrToLower(type));
  }
  SALLYPORT_RETURN_IF_ERROR(shim::DefineCounter(
      envoy_config, kLambdaRequests, {"domain", "integration", "result"},
      proxy->requests_id_));
  return std::shared_ptr<const LambdaProxy>(std::move(proxy));
}

bool LambdaProxy::IsBinary(absl::string_view content_type) const {
  const std::string type = absl::AsciiStrToLower(absl::StripAsciiWhitespace(
      content_type.substr(0, content_type.find(';'))));
  for (const std::string& pattern : binary_media_types_) {
    if (MatchesPattern(pattern,
                       type.empty() ? "application/octet-stream" : type)) {
      return true;
    }
  }
  return false;
}

absl::StatusOr<std::unique_ptr<LambdaRoute>> LambdaRoute::Create(
    const v1::LambdaProxyRoute& config) {
  std::unique_ptr<LambdaRoute> route(new LambdaRoute);
  route->disabled_ = config.disabled();
  if (config.has_function()) {
    SALLYPORT_ASSIGN_OR_RETURN(
        route->function_,
        Function::Create(config.function(), "function", kDefaultProxyTimeout));
  }
  if (config.has_api()) {
    SALLYPORT_ASSIGN_OR_RETURN(route->api_, ReadApi(config.api(), "api"));
  }
  return route;
}

abi::HeadersStatus LambdaStream::OnRequestHeaders(abi::HttpFilter* stream,
                                                  shim::EndOfStream end) {
  const auto* const route =
      static_cast<const LambdaRoute*>(shim::RouteConfigOf(stream, kLambdaName));
  if (route != nullptr && route->disabled_) {
    return abi::HeadersStatus::kContinue;
  }
  stage_ = Stage::kReading;
  function_ = route != nullptr && route->function_ != nullptr
                  ? route->function_
                  : proxy_->function_;
  api_ =
      route != nullptr && route->api_.has_value() ? *route->api_ : proxy_->api_;
  absl::StatusOr<StreamRequest> read =
      ReadRequest(stream, proxy_->domain_, shim::ModuleClock().Now());
  if (!read.ok()) {
    Fail(stream, kServerError, "NOT_AFTER_MTLS", read.status().message());
    return abi::HeadersStatus::kStopIteration;
  }
  request_ = std::move(read->parts);
  if (!WithoutBasePath(request_.path, api_.base_path).has_value()) {
    Fail(stream, kNotFound, "NO_SUCH_PATH",
         "the path does not begin with api.base_path");
    return abi::HeadersStatus::kStopIteration;
  }
  const std::vector<std::string> lengths = request_.Header("content-length");
  uint64_t length = 0;
  if (!lengths.empty() && absl::SimpleAtoi(lengths.front(), &length) &&
      length > kMaxProxyBodyBytes) {
    Fail(stream, kTooLong, "REQUEST_TOO_LARGE", "");
    return abi::HeadersStatus::kStopIteration;
  }
  if (end == shim::EndOfStream::kYes) Call(stream);
  return abi::HeadersStatus::kStopIteration;
}

abi::BodyStatus LambdaStream::OnRequestBody(abi::HttpFilter* stream,
                                            shim::EndOfStream end) {
  if (stage_ == Stage::kPassing) return abi::BodyStatus::kContinue;
  if (stage_ != Stage::kReading) return abi::BodyStatus::kStopIterationNoBuffer;
  const size_t size = envoy_dynamic_module_callback_http_get_body_size(
      stream, abi::BodyType::kReceivedRequest);
  if (size > kMaxProxyBodyBytes - body_.size()) {
    Fail(stream, kTooLong, "REQUEST_TOO_LARGE", "");
    return abi::BodyStatus::kStopIterationNoBuffer;
  }
  const size_t num_chunks =
      envoy_dynamic_module_callback_http_get_body_chunks_size(
          stream, abi::BodyType::kReceivedRequest);
  std::vector<abi::EnvoyBuffer> chunks(num_chunks);
  if (num_chunks > 0 &&
      !envoy_dynamic_module_callback_http_get_body_chunks(
          stream, abi::BodyType::kReceivedRequest, chunks.data())) {
    Fail(stream, kServerError, "INTERNAL_ERROR", "the body cannot be read");
    return abi::BodyStatus::kStopIterationNoBuffer;
  }
  for (const abi::EnvoyBuffer& chunk : chunks) {
    const absl::string_view text = shim::View(chunk);
    body_.append(text.data(), text.size());
  }
  // What another filter had Envoy keep would stay in its buffer, and Envoy
  // would not read on.
  if (size > 0) {
    envoy_dynamic_module_callback_http_drain_body(
        stream, abi::BodyType::kReceivedRequest, size);
  }
  if (end == shim::EndOfStream::kYes) Call(stream);
  return abi::BodyStatus::kStopIterationNoBuffer;
}

abi::TrailersStatus LambdaStream::OnRequestTrailers(abi::HttpFilter* stream) {
  if (stage_ == Stage::kPassing) return abi::TrailersStatus::kContinue;
  if (stage_ == Stage::kReading) Call(stream);
  return abi::TrailersStatus::kStopIteration;
}

void LambdaStream::Call(abi::HttpFilter* stream) {
  const absl::Time now = shim::ModuleClock().Now();
  if (event_.empty()) {
    EventBody body;
    body.present = !body_.empty();
    const std::vector<std::string> types = request_.Header("content-type");
    body.is_base64 =
        body.present && (proxy_->IsBinary(types.empty() ? "" : types.front()) ||
                         !IsUtf8(body_));
    body.text = body.is_base64 ? absl::Base64Escape(body_) : std::move(body_);
    body_.clear();
    const json authorizer = AuthorizerOf(stream, proxy_->format_);
    event_ = proxy_->format_ == PayloadFormat::k10
                 ? ProxyEvent10(request_, api_, authorizer, body)
                 : ProxyEvent20(request_, api_, authorizer, body);
  }
  if (!asked_for_credentials_ && function_->NeedsCredentials(now)) {
    asked_for_credentials_ = true;
    const absl::StatusOr<Callout> ask = function_->AskForCredentials(now);
    if (ask.ok()) {
      stage_ = Stage::kCredentials;
      Start(stream, *ask);
      return;
    }
  }
  const absl::StatusOr<Callout> call = function_->Call(std::move(event_), now);
  if (!call.ok()) {
    Fail(stream, kServerError, "NO_CREDENTIALS", call.status().message());
    return;
  }
  stage_ = Stage::kFunction;
  Start(stream, *call);
}

void LambdaStream::Start(abi::HttpFilter* stream, const Callout& callout) {
  ended_early_ = false;
  starting_ = true;
  const abi::CalloutStart start = StartCallout(stream, callout, &callout_id_);
  starting_ = false;
  if (start == abi::CalloutStart::kSuccess) {
    if (ended_early_) Finish(stream);
    return;
  }
  if (stage_ == Stage::kCredentials) {
    credentials_status_ = absl::UnavailableError("STS cannot be reached");
    Finish(stream);
    return;
  }
  Fail(stream, kServerError,
       start == abi::CalloutStart::kClusterNotFound ? "CLUSTER_MISSING"
                                                    : "UNREACHABLE",
       "the call of the function could not be made");
}

void LambdaStream::OnCalloutDone(abi::HttpFilter* stream,
                                 const shim::CalloutEnd& end) {
  if (!starting_ && end.id != callout_id_) return;
  if (stage_ == Stage::kCredentials) {
    credentials_status_ =
        function_->TakeCredentials(end, shim::ModuleClock().Now());
  } else if (stage_ == Stage::kFunction) {
    function_answer_ = function_->Read(end, kMaxProxyAnswerBytes);
  } else {
    return;
  }
  if (starting_) {
    ended_early_ = true;
    return;
  }
  Finish(stream);
}

void LambdaStream::Finish(abi::HttpFilter* stream) {
  if (stage_ == Stage::kCredentials) {
    if (!credentials_status_.ok() &&
        IsWorthALine(proxy_->failures_.fetch_add(1) + 1)) {
      shim::Log(shim::LogLevel::kWarning,
                absl::StrCat("integration ", proxy_->name_, " of ",
                             proxy_->domain_, ": no new credentials: ",
                             Printable(credentials_status_.message())));
    }
    Call(stream);
    return;
  }
  const absl::string_view name = CallResultName(function_answer_.result);
  switch (function_answer_.result) {
    case CallResult::kAnswer:
      break;
    case CallResult::kTimeout:
      Fail(stream, kTimedOut, name, "");
      return;
    case CallResult::kFunctionError:
    case CallResult::kTooLarge:
    case CallResult::kUnauthorized:
      Fail(stream, kBadGateway, name, "the function failed");
      return;
    default:
      Fail(stream, kServerError, name, "the function could not be called");
      return;
  }
  const absl::StatusOr<ProxyAnswer> answer =
      ReadProxyAnswer(proxy_->format_, function_answer_.body);
  if (!answer.ok()) {
    Fail(stream, kBadGateway, "ANSWER_MALFORMED", answer.status().message());
    return;
  }
  Answer(stream, *answer);
}

void LambdaStream::Answer(abi::HttpFilter* stream, const ProxyAnswer& answer) {
  stage_ = Stage::kDone;
  SetMetadata(stream, kLambdaMetadata, "reason", kAnswered);
  Count(stream, proxy_->requests_id_,
        {proxy_->domain_, proxy_->name_, kAnswered});
  const std::string status = absl::StrCat(answer.status);
  // RFC 9110, 8.6: no length where there is no content.
  const bool has_content = answer.status != 204 && answer.status != 304;
  const std::string length = absl::StrCat(answer.body.size());
  std::vector<abi::ModuleHeader> headers;
  const auto add = [&headers](absl::string_view name, absl::string_view value) {
    headers.push_back({name.data(), name.size(), value.data(), value.size()});
  };
  add(":status", status);
  for (const auto& [name, value] : answer.headers) add(name, value);
  if (has_content) add("content-length", length);
  const bool no_body =
      !has_content || answer.body.empty() || request_.method == "HEAD";
  const std::string body = no_body ? "" : answer.body;
  envoy_dynamic_module_callback_http_send_response_headers(
      stream, headers.data(), headers.size(), no_body);
  if (no_body) return;
  envoy_dynamic_module_callback_http_send_response_data(stream, Buffer(body),
                                                        true);
}

void LambdaStream::Fail(abi::HttpFilter* stream, const LocalReply& reply,
                        absl::string_view reason, absl::string_view detail) {
  stage_ = Stage::kDone;
  const std::string text = Printable(detail);
  const bool failed = reply.status >= 500;
  const uint64_t failures = failed ? proxy_->failures_.fetch_add(1) + 1 : 0;
  const shim::LogLevel level = failed && IsWorthALine(failures)
                                   ? shim::LogLevel::kWarning
                                   : shim::LogLevel::kDebug;
  if (shim::LogEnabled(level)) {
    shim::Log(
        level,
        absl::StrCat(
            "integration ", proxy_->name_, " of ", proxy_->domain_, ": ",
            reason, text.empty() ? "" : ", ", text,
            failed ? absl::StrCat(" (", failures, " failures so far)") : ""));
  }
  SetMetadata(stream, kLambdaMetadata, "reason", reason);
  if (!text.empty()) SetMetadata(stream, kLambdaMetadata, "detail", text);
  Count(stream, proxy_->requests_id_, {proxy_->domain_, proxy_->name_, reason});
  shim::Send(stream, reply, absl::StrCat("sallyport_lambda{", reason, "}"));
}

void LambdaStream::Refuse(abi::HttpFilter* stream) const {
  shim::Send(stream, kServerError, "sallyport_lambda{INTERNAL_ERROR}");
}

}  // namespace sallyport::lambda
