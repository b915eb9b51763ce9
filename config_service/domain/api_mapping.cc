#include "config_service/domain/api_mapping.h"

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "config_service/domain/limits.h"

namespace sallyport::domain {
namespace {

bool MayStandInPath(char c) {
  return absl::ascii_isalnum(static_cast<unsigned char>(c)) ||
         absl::StrContains("._~!$&'()*+,=:@-", c);
}

}  // namespace

absl::Status CheckBasePath(absl::string_view base_path) {
  if (base_path.empty()) return absl::OkStatus();
  if (base_path.size() > kMaxBasePathLength) {
    return absl::InvalidArgumentError(absl::StrCat(
        "has ", base_path.size(), " bytes; at most ", kMaxBasePathLength));
  }
  if (base_path.front() == '/' || base_path.back() == '/') {
    return absl::InvalidArgumentError(
        "begins or ends with '/'; write it as c360 or partners/v2, and leave "
        "it "
        "out for the domain's root");
  }
  for (const absl::string_view segment : absl::StrSplit(base_path, '/')) {
    if (segment.empty()) {
      return absl::InvalidArgumentError(
          "has an empty segment; write one '/' in its place");
    }
    for (const char c : segment) {
      if (!MayStandInPath(c)) {
        return absl::InvalidArgumentError(
            "has a character that is none of [A-Za-z0-9._~!$&'()*+,=:@-]");
      }
    }
    // So that no reader takes another path for it.
    if (segment.back() == '.') {
      return absl::InvalidArgumentError(
          "has a segment that ends in a dot; write it without");
    }
  }
  return absl::OkStatus();
}

void Validate(const ApiMapping& mapping, Violations& violations) {
  Validate(mapping.metadata, violations);
  const absl::Status base_path = CheckBasePath(mapping.base_path);
  if (!base_path.ok()) {
    violations.Add("base_path", Reason::kBasePathInvalid, base_path.message());
  }
  if (mapping.stage.empty()) {
    violations.Add("stage", Reason::kFieldRequired,
                   "is empty; name the stage that answers");
  }
  if (mapping.allow.has_value()) {
    CheckClientRule("allow", *mapping.allow, violations);
  }
  CheckReferences("allow_lists", mapping.allow_lists,
                  kMaxCertificateListsOfDomain, violations);
  if (mapping.forwarding.has_value()) {
    CheckForwarding("forwarding", *mapping.forwarding, violations);
  }
}

void ValidateOn(const ApiMapping& mapping, const DomainName& domain_name,
                const Api& api, Violations& violations) {
  if (domain_name.mutual_tls.has_value()) {
    if (api.endpoint_type == EndpointType::kPrivate) {
      violations.Add("stage", Reason::kMutualTlsOnPrivateApi,
                     absl::StrCat("is one of a private API, and ",
                                  domain_name.name.ToString(),
                                  " has mutual TLS, which private APIs cannot "
                                  "have"));
    }
    return;
  }
  const auto without = [&](absl::string_view field) {
    violations.Add(field, Reason::kClientRuleWithoutMutualTls,
                   absl::StrCat(domain_name.name.ToString(),
                                " has no mutual TLS, so no client has a "
                                "certificate; leave it out"));
  };
  if (mapping.allow.has_value()) without("allow");
  if (!mapping.allow_lists.empty()) without("allow_lists");
  if (mapping.client_certificate.has_value()) without("client_certificate");
}

bool LeavesDefaultEndpointOpen(const DomainName& domain_name, const Api& api,
                               bool has_default_endpoints) {
  return domain_name.mutual_tls.has_value() && has_default_endpoints &&
         !api.disable_default_endpoint;
}

}  // namespace sallyport::domain
