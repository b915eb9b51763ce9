#include "config_service/aws/facade.h"

#include <exception>
#include <optional>
#include <utility>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/secret.h"
#include "base/status_macros.h"
#include "base/text.h"
#include "config_service/aws/errors.h"
#include "config_service/aws/limits.h"
#include "config_service/aws/operations.h"
#include "config_service/aws/request_id.h"
#include "config_service/aws/signature.h"
#include "config_service/aws/target.h"
#include "config_service/domain/violations.h"
#include "config_service/service/roles.h"

namespace sallyport::aws {
namespace {

constexpr int kBadRequest = 400;
constexpr int kForbidden = 403;
constexpr int kNotFound = 404;
constexpr int kTooLarge = 413;
constexpr int kTooManyRequests = 429;
constexpr int kInternal = 500;
constexpr int kNotImplemented = 501;
constexpr absl::string_view kAmzTarget = "x-amz-target";
// Objects and lists in each other. Definitions of APIs have the most.
constexpr int kMaxDepth = 64;

std::optional<absl::string_view> HeaderOf(const HttpRequest& request,
                                          absl::string_view name) {
  for (const auto& [key, value] : request.headers) {
    if (absl::EqualsIgnoreCase(key, name)) return value;
  }
  return std::nullopt;
}

// ACM's requests are all POST / with a target; the second version of API
// Gateway has its number at the front.
Service ServiceOf(const HttpRequest& request, const Target& target) {
  if (target.segments.empty() || HeaderOf(request, kAmzTarget).has_value()) {
    return Service::kAcm;
  }
  return target.segments.front() == "v2" ? Service::kApiGatewayV2
                                         : Service::kApiGateway;
}

// Whether Host is what a client on this machine calls the loopback interface.
// A web page elsewhere whose name leads here has another.
bool IsLoopbackHost(absl::string_view host) {
  const size_t colon = host.rfind(':');
  if (colon != absl::string_view::npos && !absl::EndsWith(host, "]")) {
    host = host.substr(0, colon);
  }
  return absl::EqualsIgnoreCase(host, "localhost") || host == "127.0.0.1" ||
         host == "[::1]";
}

bool IsLoopbackPeer(absl::string_view peer) {
  return absl::StartsWith(peer, "127.") || absl::StartsWith(peer, "[::1]:") ||
         absl::StartsWith(peer, "[::ffff:127.");
}

absl::StatusOr<Json> ReadBody(const std::string& text) {
  if (text.empty()) return Json::object();
  bool too_deep = false;
  const Json::parser_callback_t limit = [&](int depth, Json::parse_event_t,
                                            Json&) {
    too_deep = too_deep || depth > kMaxDepth;
    return !too_deep;
  };
  Json body = Json::parse(text, limit, /*allow_exceptions=*/false);
  if (body.is_discarded() || too_deep || !body.is_object()) {
    return MakeError(kBadRequest, "SerializationException",
                     "the body is no JSON object");
  }
  return body;
}

}  // namespace

Facade::Facade(const service::Context& context, const UseCases& use_cases,
               FacadeOptions options)
    : context_(context),
      access_keys_(*use_cases.access_keys),
      options_(std::move(options)),
      acm_(context, use_cases.server_certificates, &options_.installation),
      domain_names_(context, use_cases.domain_names, use_cases.truststores,
                    use_cases.server_certificates, &options_.installation),
      base_path_mappings_(use_cases.api_mappings),
      client_certificates_(use_cases.client_certificates),
      rest_apis_(use_cases.apis, use_cases.api_drafts),
      resources_(use_cases.api_drafts, use_cases.test_invocations),
      definitions_(use_cases.apis, use_cases.api_drafts),
      tags_(use_cases.apis, use_cases.client_certificates,
            use_cases.domain_names, &options_.installation),
      gateway_v2_(use_cases.apis, use_cases.api_mappings, &handlers_) {
  acm_.AddTo(handlers_);
  domain_names_.AddTo(handlers_);
  base_path_mappings_.AddTo(handlers_);
  client_certificates_.AddTo(handlers_);
  rest_apis_.AddTo(handlers_);
  resources_.AddTo(handlers_);
  definitions_.AddTo(handlers_);
  tags_.AddTo(handlers_);
  gateway_v2_.AddTo(handlers_);
}

bool Facade::Handles(const Operation& operation) const {
  return handlers_.count({operation.service, operation.name}) > 0;
}

absl::StatusOr<service::Caller> Facade::Authenticate(const HttpRequest& request,
                                                     const Target& target,
                                                     Service service) const {
  service::Caller caller;
  caller.peer = Printable(request.peer, 128);
  // Who signs is who the signature says, or nobody.
  if (options_.unsigned_loopback && !IsSigned(request, target) &&
      IsLoopbackPeer(request.peer)) {
    const auto host = HeaderOf(request, "host");
    // Browsers say where a page is from; tools do not.
    if (!host.has_value() || !IsLoopbackHost(*host) ||
        HeaderOf(request, "origin").has_value() ||
        HeaderOf(request, "sec-fetch-site").has_value()) {
      return MakeError(kForbidden, "AccessDeniedException",
                       "requests that are not signed are only taken from "
                       "tools, and for localhost");
    }
    caller.principal = "loopback";
    caller.role = service::Role::kAdmin;
    return caller;
  }
  SALLYPORT_ASSIGN_OR_RETURN(
      const Signer signer,
      VerifySignature(
          request, target, SigningName(service), context_.clock->Now(),
          [this](absl::string_view id) { return access_keys_.Find(id); }));
  caller.principal = signer.principal;
  caller.role = signer.role;
  return caller;
}

bool Facade::Begin(const std::string& principal) {
  absl::MutexLock lock(&mu_);
  int& count = under_way_[principal];
  if (count >= kMaxCallsOfPrincipal) return false;
  ++count;
  return true;
}

void Facade::End(const std::string& principal) {
  absl::MutexLock lock(&mu_);
  const auto it = under_way_.find(principal);
  if (--it->second == 0) under_way_.erase(it);
}

absl::StatusOr<Facade::Answer> Facade::Run(HttpRequest& request,
                                           const Target& target,
                                           Service service,
                                           CallRecord& record) {
  Call call;
  SALLYPORT_ASSIGN_OR_RETURN(call.caller,
                             Authenticate(request, target, service));
  record.principal = Printable(call.caller.principal, 256);
  if (options_.count != nullptr) {
    SALLYPORT_RETURN_IF_ERROR(options_.count(call.caller.principal));
  }
  if (!Begin(call.caller.principal)) {
    return MakeError(kTooManyRequests, "TooManyRequestsException",
                     absl::StrCat(kMaxCallsOfPrincipal,
                                  " calls of this principal are under way"));
  }
  const absl::Cleanup end = [&] { End(call.caller.principal); };
  const std::optional<Route> route =
      service == Service::kAcm
          ? (request.method == "POST" && target.segments.empty()
                 ? FindByTarget(HeaderOf(request, kAmzTarget).value_or(""))
                 : std::nullopt)
          : FindByPath(service, request.method, target);
  if (!route.has_value()) {
    return MakeError(
        kNotFound, "UnknownOperationException",
        absl::StrCat(
            ServiceName(service), " has no such operation: ",
            service == Service::kAcm
                ? Printable(HeaderOf(request, kAmzTarget).value_or("none"), 200)
                : absl::StrCat(Printable(request.method, 16), " ",
                               Printable(target.path, 300))));
  }
  const Operation& operation = *route->operation;
  record.operation =
      absl::StrCat(ServiceName(operation.service), "/", operation.name);
  if (!operation.supported()) {
    return MakeError(
        kNotImplemented, "NotImplementedException",
        absl::StrCat(operation.name, " is not supported. ", operation.note));
  }
  SALLYPORT_RETURN_IF_ERROR(
      service::Authorize(call.caller.role, operation.method));
  SALLYPORT_ASSIGN_OR_RETURN(call.body, ReadBody(request.body));
  // Nothing below needs it; it may hold a private key.
  WipeString(request.body);
  call.operation = &operation;
  call.write.method = absl::StrCat("aws.", record.operation);
  call.path = route->parameters;
  call.query = target.query;
  call.accept = std::string(HeaderOf(request, "accept").value_or(""));
  Answer answer;
  answer.status = operation.status;
  absl::StatusOr<Json> body =
      handlers_.at({operation.service, operation.name})(call);
  // The same in what was read of it.
  if (call.body.contains("PrivateKey") && call.body["PrivateKey"].is_string()) {
    WipeString(call.body["PrivateKey"].get_ref<std::string&>());
  }
  if (!body.ok()) return body.status();
  answer.body = *std::move(body);
  return answer;
}

HttpResponse Facade::Handle(HttpRequest& request) {
  const absl::Time start = context_.clock->Now();
  CallRecord record;
  record.request = NewUuid();
  record.peer = Printable(request.peer, 128);
  record.operation = "unknown";
  Service service = Service::kApiGateway;
  const auto run = [&]() -> absl::StatusOr<Answer> {
    const std::optional<Target> target = ParseTarget(request.target);
    if (!target.has_value()) {
      return MakeError(kBadRequest, "BadRequestException",
                       "the path or query cannot be read");
    }
    service = ServiceOf(request, *target);
    record.operation = std::string(ServiceName(service));
    if (request.headers.size() > kMaxHeaders) {
      return MakeError(
          kBadRequest, "BadRequestException",
          absl::StrCat("there are more than ", kMaxHeaders, " headers"));
    }
    if (request.body.size() > kMaxBodyBytes) {
      return MakeError(
          kTooLarge, "RequestEntityTooLargeException",
          absl::StrCat("the body has more than ", kMaxBodyBytes, " bytes"));
    }
    return Run(request, *target, service, record);
  };
  absl::StatusOr<Answer> answer;
  try {
    answer = run();
  } catch (const std::exception& error) {
    answer = absl::InternalError(absl::StrCat("exception: ", error.what()));
  }
  HttpResponse response;
  if (answer.ok()) {
    response.status = answer->status;
    response.headers.emplace_back(
        "Content-Type", service == Service::kAcm ? "application/x-amz-json-1.1"
                                                 : "application/json");
    if (!answer->body.is_null()) {
      response.body = answer->body.dump(-1, ' ', /*ensure_ascii=*/false,
                                        Json::error_handler_t::replace);
    }
  } else {
    const Error error = ToError(answer.status(), service);
    record.code = error.code;
    if (error.status == kInternal) {
      record.details = Printable(answer.status().ToString(), 1024);
    }
    response = Render(error, service);
  }
  response.headers.emplace_back("x-amzn-RequestId", record.request);
  // Nothing of it is for caches or browsers.
  response.headers.emplace_back("Cache-Control", "no-store");
  response.headers.emplace_back("X-Content-Type-Options", "nosniff");
  record.status = response.status;
  record.duration = context_.clock->Now() - start;
  if (options_.observe != nullptr) options_.observe(record);
  WipeString(request.body);
  return response;
}

}  // namespace sallyport::aws
