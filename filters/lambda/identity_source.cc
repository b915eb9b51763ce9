#include "filters/lambda/identity_source.h"

#include <vector>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"

namespace sallyport::lambda {
namespace {

constexpr absl::string_view kClientCert = "identity.clientCert.";

// What $context.NAME is; false: nothing of that name is known.
bool ContextValue(absl::string_view name, const RequestParts& request,
                  const ApiStage& api, std::string* out) {
  out->clear();
  if (name == "accountId") {
    *out = api.account_id;
  } else if (name == "apiId") {
    *out = api.api_id;
  } else if (name == "domainName") {
    *out = request.host;
  } else if (name == "httpMethod") {
    *out = request.method;
  } else if (name == "path") {
    *out = request.path;
  } else if (name == "resourcePath") {
    *out = api.resource;
  } else if (name == "routeKey") {
    *out = api.route_key;
  } else if (name == "stage") {
    *out = api.stage;
  } else if (name == "identity.sourceIp") {
    *out = request.source_ip;
  } else if (name == "identity.userAgent") {
    *out = absl::StrJoin(request.Header("user-agent"), ",");
  } else if (absl::ConsumePrefix(&name, kClientCert)) {
    if (name != "clientCertPem" && name != "subjectDN" && name != "issuerDN" &&
        name != "serialNumber") {
      return false;
    }
    if (!request.client_cert.is_null()) {
      *out = request.client_cert.at(std::string(name)).get<std::string>();
    }
  } else {
    return false;
  }
  return true;
}

}  // namespace

absl::StatusOr<IdentitySource> IdentitySource::Read(absl::string_view text) {
  constexpr absl::string_view kForms =
      "is none of method.request.header.NAME, "
      "method.request.querystring.NAME, stageVariables.NAME and context.NAME "
      "(of HTTP APIs $request.header.NAME and so on)";
  IdentitySource source;
  absl::string_view name = text;
  if (absl::ConsumePrefix(&name, "method.request.header.") ||
      absl::ConsumePrefix(&name, "$request.header.")) {
    source.kind_ = Kind::kHeader;
    source.name_ = absl::AsciiStrToLower(name);
  } else if (absl::ConsumePrefix(&name, "method.request.querystring.") ||
             absl::ConsumePrefix(&name, "$request.querystring.")) {
    source.kind_ = Kind::kQuery;
    source.name_ = std::string(name);
  } else if (absl::ConsumePrefix(&name, "stageVariables.") ||
             absl::ConsumePrefix(&name, "$stageVariables.")) {
    source.kind_ = Kind::kStageVariable;
    source.name_ = std::string(name);
  } else if (absl::ConsumePrefix(&name, "context.") ||
             absl::ConsumePrefix(&name, "$context.")) {
    source.kind_ = Kind::kContext;
    source.name_ = std::string(name);
    std::string unused;
    if (!ContextValue(name, RequestParts(), ApiStage(), &unused)) {
      return absl::InvalidArgumentError(
          "is of the context, but none of those that are known: "
          "identity_source.h has the list");
    }
  } else {
    return absl::InvalidArgumentError(kForms);
  }
  if (source.name_.empty()) return absl::InvalidArgumentError(kForms);
  return source;
}

std::string IdentitySource::ValueOf(const RequestParts& request,
                                    const ApiStage& api) const {
  std::vector<std::string> values;
  std::string value;
  switch (kind_) {
    case Kind::kHeader:
      values = request.Header(name_);
      break;
    case Kind::kQuery:
      for (const auto& [name, text] : request.QueryParameters()) {
        if (name == name_) values.push_back(text);
      }
      break;
    case Kind::kStageVariable: {
      const auto found = api.stage_variables.find(name_);
      return found == api.stage_variables.end() ? "" : found->second;
    }
    case Kind::kContext:
      ContextValue(name_, request, api, &value);
      return value;
  }
  return absl::StrJoin(values, ",");
}

}  // namespace sallyport::lambda
