#include "config_service/domain/forwarding.h"

#include "absl/strings/str_cat.h"
#include "settings/header_name.h"

namespace sallyport::domain {

void CheckForwarding(absl::string_view field, const Forwarding& forwarding,
                     Violations& violations) {
  const std::string names = Field(field, "remove_headers");
  for (size_t i = 0; i < forwarding.remove_headers.size(); ++i) {
    const absl::string_view problem =
        settings::RemovableHeaderProblem(forwarding.remove_headers[i]);
    if (!problem.empty()) {
      violations.Add(Element(names, i), Reason::kForwardingInvalid, problem);
    }
  }
  if (forwarding.traefik.has_value() && !forwarding.traefik->pem &&
      !forwarding.traefik->info) {
    violations.Add(Field(field, "traefik"), Reason::kForwardingInvalid,
                   "has neither pem nor info; set one or both");
  }
  if (forwarding.max_header_bytes != 0 &&
      forwarding.max_header_bytes < settings::kMinMaxHeaderBytes) {
    violations.Add(
        Field(field, "max_header_bytes"), Reason::kForwardingInvalid,
        absl::StrCat("is ", forwarding.max_header_bytes, "; at least ",
                     settings::kMinMaxHeaderBytes, " (0 means the default, ",
                     settings::kDefaultMaxHeaderBytes, ")"));
  }
  if (forwarding.trusted_proxy.has_value()) {
    const std::string proxy = Field(field, "trusted_proxy");
    if (!forwarding.xfcc.has_value()) {
      violations.Add(proxy, Reason::kForwardingInvalid,
                     "needs xfcc, to which the proxy's own header is joined; "
                     "set it, or leave trusted_proxy out");
    }
    CheckClientRule(proxy, *forwarding.trusted_proxy, violations);
  }
}

}  // namespace sallyport::domain
