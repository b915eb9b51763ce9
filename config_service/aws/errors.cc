#include "config_service/aws/errors.h"

#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/cord.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/text.h"
#include "config_service/domain/violations.h"
#include "nlohmann/json.hpp"

namespace sallyport::aws {
namespace {

using domain::Reason;

constexpr absl::string_view kPayload = "sallyport.dev/aws-error";
constexpr size_t kMaxMessageBytes = 4096;

constexpr int kBadRequest = 400;
constexpr int kForbidden = 403;
constexpr int kNotFound = 404;
constexpr int kConflict = 409;
constexpr int kTooLarge = 413;
constexpr int kTooMany = 429;
constexpr int kInternal = 500;
constexpr int kUnavailable = 503;

// How our fields are called in the services' requests. The first that begins
// the field's path counts.
struct Renamed {
  absl::string_view field;
  absl::string_view api_gateway;
  absl::string_view acm;
};
constexpr Renamed kRenamed[] = {
    {"domain_name_id", "domainName", ""},
    {"domain_name.server_certificate", "regionalCertificateArn", ""},
    {"domain_name.ownership_verification_certificate",
     "ownershipVerificationCertificateArn", ""},
    {"domain_name.security_policy", "securityPolicy", ""},
    {"domain_name.endpoint_type", "endpointConfiguration.types", ""},
    {"domain_name.mutual_tls", "mutualTlsAuthentication", ""},
    {"domain_name.labels", "tags", ""},
    {"truststore.source.object_version",
     "mutualTlsAuthentication.truststoreVersion", ""},
    {"truststore.source", "mutualTlsAuthentication.truststoreUri", ""},
    {"source.object_version", "mutualTlsAuthentication.truststoreVersion", ""},
    {"source", "mutualTlsAuthentication.truststoreUri", ""},
    {"api_mapping.base_path", "basePath", ""},
    {"api_mapping.stage", "stage", ""},
    {"client_certificate.description", "description", ""},
    {"client_certificate.labels", "tags", ""},
    {"api.display_name", "name", ""},
    {"api.description", "description", ""},
    {"api.labels", "tags", ""},
    {"api.endpoint_type", "endpointConfiguration.types", ""},
    {"draft.methods", "the API's methods", ""},
    {"draft.paths", "the API's resources", ""},
    {"route.http_proxy.uri", "uri", ""},
    {"route.http.uri", "uri", ""},
    {"route.http_proxy.timeout", "timeoutInMillis", ""},
    {"route.http.timeout", "timeoutInMillis", ""},
    {"route.http_proxy.tls", "tlsConfig", ""},
    {"route.http.tls", "tlsConfig", ""},
    {"route.http.path_parameters", "requestParameters", ""},
    {"route.http.method", "httpMethod", ""},
    {"route.mock.status", "statusCode", ""},
    {"route.mock.headers", "responseParameters", ""},
    {"route.mock.body", "responseTemplates", ""},
    {"route.method", "httpMethod", ""},
    {"stage_id", "stageName", ""},
    {"stage.client_certificate", "clientCertificateId", ""},
    {"stage.deployment", "deploymentId", ""},
    {"stage.description", "description", ""},
    {"stage.variables", "variables", ""},
    {"stage.labels", "tags", ""},
    {"client_certificate", "clientCertificateId", ""},
    {"stage_variables", "stageVariables", ""},
    {"path", "pathWithQueryString", ""},
    {"material.certificate_chain_pem", "", "Certificate"},
    {"material.private_key_pem", "", "PrivateKey"},
    {"server_certificate.labels", "tags", "Tags"},
    {"server_certificate.issuance.dns_names", "", "SubjectAlternativeNames"},
    {"page_token", "position", "NextToken"},
    {"page_size", "limit", "MaxItems"},
};

std::string NameOf(absl::string_view field, Service service) {
  for (const Renamed& row : kRenamed) {
    const absl::string_view name =
        service == Service::kAcm ? row.acm : row.api_gateway;
    absl::string_view rest = field;
    if (name.empty() || !absl::ConsumePrefix(&rest, row.field)) continue;
    // A part of it, and not another field that begins alike.
    if (rest.empty() || rest.front() == '.' || rest.front() == '[') {
      return std::string(name);
    }
  }
  return std::string(field);
}

// All that is wrong, each at its field.
std::string MessageOf(const domain::Error& error, Service service) {
  if (error.violations.empty()) return error.message;
  std::vector<std::string> parts;
  for (const domain::FieldViolation& violation : error.violations) {
    parts.push_back(absl::StrCat(NameOf(violation.field, service), " ",
                                 violation.description));
  }
  if (error.num_violations > error.violations.size()) {
    parts.push_back(absl::StrCat(
        "and ", error.num_violations - error.violations.size(), " more"));
  }
  return absl::StrJoin(parts, "; ");
}

int RetryAfterOf(const domain::Error& error) {
  for (const auto& [key, value] : error.metadata) {
    int seconds = 0;
    if (key == "retry_after_seconds" && absl::SimpleAtoi(value, &seconds)) {
      return seconds;
    }
  }
  return 0;
}

// {API Gateway's code, its status, ACM's code}.
struct Row {
  const char* api_gateway;
  int status;
  const char* acm;
};

Row RowOf(const domain::Error& error, absl::StatusCode code) {
  switch (error.reason) {
    case Reason::kRateLimited:
      return {"TooManyRequestsException", kTooMany, "ThrottlingException"};
    case Reason::kQuotaExceeded:
      return {"LimitExceededException", kTooMany, "LimitExceededException"};
    case Reason::kRequestTooLarge:
      return {"RequestEntityTooLargeException", kTooLarge,
              "ValidationException"};
    case Reason::kResourceInUse:
    case Reason::kClientCertificateInForce:
      return {"ConflictException", kConflict, "ResourceInUseException"};
    case Reason::kBasePathTaken:
    case Reason::kRouteTaken:
      return {"ConflictException", kConflict, "ConflictException"};
    case Reason::kResourceNotFound:
      return {"NotFoundException", kNotFound, "ResourceNotFoundException"};
    default:
      break;
  }
  switch (code) {
    case absl::StatusCode::kAlreadyExists:
    case absl::StatusCode::kAborted:
      return {"ConflictException", kConflict, "ConflictException"};
    case absl::StatusCode::kPermissionDenied:
      return {"AccessDeniedException", kForbidden, "AccessDeniedException"};
    case absl::StatusCode::kUnauthenticated:
      return {"UnrecognizedClientException", kForbidden,
              "UnrecognizedClientException"};
    case absl::StatusCode::kNotFound:
      return {"NotFoundException", kNotFound, "ResourceNotFoundException"};
    case absl::StatusCode::kFailedPrecondition:
      return {"BadRequestException", kBadRequest, "InvalidStateException"};
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kOutOfRange:
    case absl::StatusCode::kResourceExhausted:
    case absl::StatusCode::kUnimplemented:
      return {"BadRequestException", kBadRequest, "ValidationException"};
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kDeadlineExceeded:
    case absl::StatusCode::kCancelled:
      return {"ServiceUnavailableException", kUnavailable,
              "ServiceUnavailableException"};
    default:
      return {"InternalFailure", kInternal, "InternalFailure"};
  }
}

}  // namespace

absl::Status MakeError(int http_status, absl::string_view code,
                       absl::string_view message) {
  absl::Status status(absl::StatusCode::kUnknown, message);
  status.SetPayload(kPayload, absl::Cord(absl::StrCat(http_status, " ", code)));
  return status;
}

Error ToError(const absl::Status& status, Service service) {
  Error out;
  if (const auto payload = status.GetPayload(kPayload)) {
    const std::string text(*payload);
    const std::pair<absl::string_view, absl::string_view> parts =
        absl::StrSplit(text, absl::MaxSplits(' ', 1));
    if (!absl::SimpleAtoi(parts.first, &out.status)) out.status = kInternal;
    out.code = std::string(parts.second);
    out.message = Printable(status.message(), kMaxMessageBytes);
    return out;
  }
  std::optional<domain::Error> error = domain::ErrorOf(status);
  if (!error.has_value()) {
    error.emplace();
    error->reason = Reason::kInternal;
  }
  const Row row = RowOf(*error, error->reason == Reason::kInternal
                                    ? absl::StatusCode::kInternal
                                    : status.code());
  const bool acm = service == Service::kAcm;
  out.code = acm ? row.acm : row.api_gateway;
  out.status = row.status;
  if (out.status == kInternal) {
    out.message = "the service has a fault; its log says more";
    return out;
  }
  // JSON 1.1 has one status for what the caller did wrong.
  if (acm && out.status < kInternal) out.status = kBadRequest;
  out.message = Printable(MessageOf(*error, service), kMaxMessageBytes);
  out.retry_after_seconds = RetryAfterOf(*error);
  return out;
}

HttpResponse Render(const Error& error, Service service) {
  using Json = nlohmann::json;
  HttpResponse out;
  out.status = error.status;
  Json body = {{"message", error.message}};
  if (service == Service::kAcm) {
    body["__type"] = error.code;
    out.headers.emplace_back("Content-Type", "application/x-amz-json-1.1");
  } else {
    out.headers.emplace_back("Content-Type", "application/json");
  }
  out.headers.emplace_back("x-amzn-ErrorType", error.code);
  if (error.retry_after_seconds > 0) {
    out.headers.emplace_back("Retry-After",
                             absl::StrCat(error.retry_after_seconds));
  }
  out.body =
      body.dump(-1, ' ', /*ensure_ascii=*/true, Json::error_handler_t::replace);
  return out;
}

}  // namespace sallyport::aws
