#include "filters/lambda/function.h"

#include <array>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "base/text.h"
#include "filters/shim/buffers.h"
#include "pki/crypto/crypto.h"

namespace sallyport::lambda {
namespace {

using filter::v1::Function_Lambda;

constexpr absl::string_view kService = "lambda";
constexpr int kOk = 200;
constexpr int kUnauthorizedStatus = 401;
constexpr int kTooManyRequests = 429;
constexpr int kGatewayTimeout = 504;
constexpr size_t kMaxWord = 512;

absl::Status Wrong(absl::string_view field, absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat(field, ": ", what));
}

absl::Status CheckWord(absl::string_view text, const std::string& field) {
  if (text.empty()) return Wrong(field, "is missing");
  if (text.size() > kMaxWord) {
    return Wrong(field,
                 absl::StrCat("has more than ", kMaxWord, " characters"));
  }
  for (const char c : text) {
    if (!absl::ascii_isgraph(static_cast<unsigned char>(c))) {
      return Wrong(field, "has something but visible ASCII characters");
    }
  }
  return absl::OkStatus();
}

absl::string_view HeaderOf(const shim::CalloutEnd& end,
                           absl::string_view name) {
  for (const abi::EnvoyHeader& header : end.headers) {
    if (absl::EqualsIgnoreCase(
            absl::string_view(header.key_ptr, header.key_length), name)) {
      return absl::string_view(header.value_ptr, header.value_length);
    }
  }
  return absl::string_view();
}

// False: it is longer than `max_bytes`.
bool BodyOf(const shim::CalloutEnd& end, size_t max_bytes, std::string* out) {
  size_t size = 0;
  for (const abi::EnvoyBuffer& chunk : end.body) size += chunk.length;
  if (size > max_bytes) return false;
  out->reserve(size);
  for (const abi::EnvoyBuffer& chunk : end.body) {
    const absl::string_view text = shim::View(chunk);
    out->append(text.data(), text.size());
  }
  return true;
}

int StatusOf(const shim::CalloutEnd& end) {
  int status = 0;
  return absl::SimpleAtoi(HeaderOf(end, ":status"), &status) ? status : 0;
}

}  // namespace

absl::string_view CallResultName(CallResult result) {
  switch (result) {
    case CallResult::kAnswer:
      return "ANSWER";
    case CallResult::kFunctionError:
      return "FUNCTION_ERROR";
    case CallResult::kUnauthorized:
      return "UNAUTHORIZED_BY_FUNCTION";
    case CallResult::kTimeout:
      return "TIMEOUT";
    case CallResult::kUnreachable:
      return "UNREACHABLE";
    case CallResult::kThrottled:
      return "THROTTLED";
    case CallResult::kRefused:
      return "CALL_REFUSED";
    case CallResult::kServiceFailed:
      return "SERVICE_FAILED";
    case CallResult::kTooLarge:
      return "ANSWER_TOO_LARGE";
  }
  return "INTERNAL_ERROR";
}

absl::StatusOr<std::shared_ptr<const Function>> Function::Create(
    const filter::v1::Function& config, absl::string_view field,
    absl::Duration default_timeout) {
  std::shared_ptr<Function> function(new Function);
  function->timeout_ = default_timeout;
  if (config.has_timeout()) {
    function->timeout_ = absl::Seconds(config.timeout().seconds()) +
                         absl::Nanoseconds(config.timeout().nanos());
    if (function->timeout_ < kMinTimeout || function->timeout_ > kMaxTimeout) {
      return Wrong(absl::StrCat(field, ".timeout"),
                   absl::StrCat("is ", absl::FormatDuration(function->timeout_),
                                "; from ", absl::FormatDuration(kMinTimeout),
                                " to ", absl::FormatDuration(kMaxTimeout)));
    }
  }
  if (config.has_lambda()) {
    const Function_Lambda& lambda = config.lambda();
    const std::string at = absl::StrCat(field, ".lambda");
    function->is_lambda_ = true;
    SALLYPORT_RETURN_IF_ERROR(
        CheckWord(lambda.cluster(), absl::StrCat(at, ".cluster")));
    SALLYPORT_RETURN_IF_ERROR(
        CheckWord(lambda.authority(), absl::StrCat(at, ".authority")));
    SALLYPORT_RETURN_IF_ERROR(
        CheckWord(lambda.function(), absl::StrCat(at, ".function")));
    SALLYPORT_RETURN_IF_ERROR(
        CheckWord(lambda.region(), absl::StrCat(at, ".region")));
    function->cluster_ = lambda.cluster();
    function->authority_ = lambda.authority();
    function->region_ = lambda.region();
    function->path_ =
        absl::StrCat("/2015-03-31/functions/",
                     sigv4::UriEncode(lambda.function(), /*keep_slash=*/false),
                     "/invocations");
    SALLYPORT_ASSIGN_OR_RETURN(
        function->credentials_,
        CredentialsSource::Create(lambda.credentials(),
                                  absl::StrCat(at, ".credentials")));
    return std::shared_ptr<const Function>(std::move(function));
  }
  if (config.has_https()) {
    const std::string at = absl::StrCat(field, ".https");
    SALLYPORT_RETURN_IF_ERROR(
        CheckWord(config.https().cluster(), absl::StrCat(at, ".cluster")));
    SALLYPORT_RETURN_IF_ERROR(
        CheckWord(config.https().authority(), absl::StrCat(at, ".authority")));
    function->cluster_ = config.https().cluster();
    function->authority_ = config.https().authority();
    function->path_ =
        config.https().path().empty() ? "/" : config.https().path();
    SALLYPORT_RETURN_IF_ERROR(
        CheckWord(function->path_, absl::StrCat(at, ".path")));
    if (function->path_.front() != '/') {
      return Wrong(absl::StrCat(at, ".path"), "does not begin with '/'");
    }
    return std::shared_ptr<const Function>(std::move(function));
  }
  return Wrong(field, "is missing; give lambda or https");
}

bool Function::NeedsCredentials(absl::Time now) const {
  return credentials_ != nullptr && credentials_->NeedsAsking(now);
}

absl::StatusOr<Callout> Function::AskForCredentials(absl::Time now) const {
  SALLYPORT_ASSIGN_OR_RETURN(StsRequest request, credentials_->Ask(now));
  Callout callout;
  callout.cluster = std::move(request.cluster);
  callout.headers = {{":method", "POST"},
                     {":path", "/"},
                     {":authority", request.authority},
                     {"content-type", "application/x-www-form-urlencoded"}};
  callout.body = std::move(request.body);
  callout.timeout = timeout_;
  return callout;
}

absl::Status Function::TakeCredentials(const shim::CalloutEnd& end,
                                       absl::Time now) const {
  if (end.result != abi::CalloutResult::kSuccess) {
    return absl::UnavailableError("STS cannot be reached");
  }
  const int status = StatusOf(end);
  if (status != kOk) {
    return absl::UnavailableError(
        absl::StrCat("STS answered with status ", status));
  }
  std::string body;
  if (!BodyOf(end, kMaxStsAnswerBytes, &body)) {
    return absl::ResourceExhaustedError("STS's answer is too long");
  }
  absl::Status taken = credentials_->Take(body, now);
  WipeString(body);
  return taken;
}

absl::StatusOr<Callout> Function::Call(std::string event,
                                       absl::Time now) const {
  Callout callout;
  callout.cluster = cluster_;
  callout.timeout = timeout_;
  callout.headers = {{":method", "POST"},
                     {":path", path_},
                     {":authority", authority_},
                     {"content-type", "application/json"}};
  if (is_lambda_) {
    const SharedCredentials credentials = credentials_->Current(now);
    if (credentials == nullptr) {
      return absl::UnavailableError("there are no credentials");
    }
    sigv4::Request request;
    request.method = "POST";
    request.path = path_;
    request.headers = {{"host", authority_},
                       {"content-type", "application/json"},
                       {"x-amz-invocation-type", "RequestResponse"}};
    request.payload_sha256 = sigv4::PayloadSha256(event);
    std::string authorization =
        sigv4::Authorize(*credentials, region_, kService, now, request);
    callout.headers.resize(3);
    for (auto& [name, value] : request.headers) {
      if (name != "host") callout.headers.emplace_back(name, std::move(value));
    }
    callout.headers.emplace_back("authorization", std::move(authorization));
  }
  callout.body = std::move(event);
  return callout;
}

FunctionAnswer Function::Read(const shim::CalloutEnd& end,
                              size_t max_bytes) const {
  FunctionAnswer answer;
  switch (end.result) {
    case abi::CalloutResult::kSuccess:
      break;
    case abi::CalloutResult::kExceedResponseBufferLimit:
      answer.result = CallResult::kTooLarge;
      return answer;
    default:
      answer.result = CallResult::kUnreachable;
      return answer;
  }
  const int status = StatusOf(end);
  if (status == kOk) {
    const bool is_error =
        is_lambda_ && !HeaderOf(end, "x-amz-function-error").empty();
    answer.result = is_error ? CallResult::kFunctionError : CallResult::kAnswer;
    if (!BodyOf(end, max_bytes, &answer.body)) {
      answer.result =
          is_error ? CallResult::kFunctionError : CallResult::kTooLarge;
      answer.body.clear();
    }
    return answer;
  }
  if (status == kUnauthorizedStatus && !is_lambda_) {
    answer.result = CallResult::kUnauthorized;
  } else if (status == kGatewayTimeout) {
    answer.result = CallResult::kTimeout;
  } else if (status == kTooManyRequests) {
    answer.result = CallResult::kThrottled;
  } else if (status >= 500) {
    answer.result = CallResult::kServiceFailed;
  } else {
    answer.result = CallResult::kRefused;
  }
  return answer;
}

abi::CalloutStart StartCallout(abi::HttpFilter* stream, const Callout& callout,
                               uint64_t* id) {
  std::vector<abi::ModuleHeader> headers;
  headers.reserve(callout.headers.size());
  for (const auto& [name, value] : callout.headers) {
    headers.push_back({name.data(), name.size(), value.data(), value.size()});
  }
  return envoy_dynamic_module_callback_http_filter_http_callout(
      stream, id, shim::Buffer(callout.cluster), headers.data(), headers.size(),
      shim::Buffer(callout.body),
      static_cast<uint64_t>(absl::ToInt64Milliseconds(callout.timeout)));
}

}  // namespace sallyport::lambda
