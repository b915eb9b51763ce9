#include "config_service/domain/fleet.h"

#include <arpa/inet.h>

#include "absl/strings/str_cat.h"
#include "config_service/domain/domain_name.h"

namespace sallyport::domain {
namespace {

constexpr int64_t kMaxPort = 65535;
constexpr int64_t kMinStatus = 100;
constexpr int64_t kMaxStatus = 599;

bool IsAddress(const std::string& text) {
  in6_addr address;
  return inet_pton(AF_INET, text.c_str(), &address) == 1 ||
         inet_pton(AF_INET6, text.c_str(), &address) == 1;
}

}  // namespace

void CheckPort(absl::string_view field, int64_t port, Violations& violations) {
  if (port >= 0 && port <= kMaxPort) return;
  violations.Add(
      field, Reason::kFieldOutOfRange,
      absl::StrCat("is ", port, "; 1 to ", kMaxPort, " (0 means the default, ",
                   kDefaultListenPort, ")"));
}

void CheckMinStatus(absl::string_view field, int64_t status,
                    Violations& violations) {
  if (status == 0 || (status >= kMinStatus && status <= kMaxStatus)) return;
  violations.Add(field, Reason::kFieldOutOfRange,
                 absl::StrCat("is ", status, "; ", kMinStatus, " to ",
                              kMaxStatus, ", or 0 for every request"));
}

void Validate(const Fleet& fleet, Violations& violations) {
  Validate(fleet.metadata, violations);
  if (!fleet.listen_address.empty() && !IsAddress(fleet.listen_address)) {
    violations.Add(
        "listen_address", Reason::kFieldMalformed,
        "is no IPv4 or IPv6 address; give one such as 0.0.0.0 or ::");
  }
  if (fleet.listen_port == 0) {
    violations.Add("listen_port", Reason::kFieldOutOfRange,
                   "is 0, which no port is");
  }
  CheckMinStatus("access_log.min_status", fleet.access_log.min_status,
                 violations);
  const bool has_suffix = !fleet.default_endpoint_suffix.empty();
  const bool has_certificate = !fleet.default_endpoint_certificate.empty();
  if (has_suffix) {
    // As the part after the '*' of a domain, with an id of an API before it.
    const absl::Status status = CheckDomain(DefaultEndpointWildcard(fleet));
    if (!status.ok()) {
      violations.Add("default_endpoint_suffix", Reason::kDomainNameInvalid,
                     status.message());
    } else if (fleet.default_endpoint_suffix.size() + 1 + kMaxIdLength >
               kMaxDomainLength) {
      violations.Add("default_endpoint_suffix", Reason::kFieldOutOfRange,
                     absl::StrCat("has ", fleet.default_endpoint_suffix.size(),
                                  " characters; at most ",
                                  kMaxDomainLength - kMaxIdLength - 1));
    }
    if (!has_certificate) {
      violations.Add("default_endpoint_certificate", Reason::kFieldRequired,
                     absl::StrCat("is empty, and default endpoints need a "
                                  "certificate for ",
                                  DefaultEndpointWildcard(fleet)));
    }
  } else if (has_certificate) {
    violations.Add("default_endpoint_certificate", Reason::kFieldsConflict,
                   "counts only with default_endpoint_suffix");
  }
}

std::string DefaultEndpointWildcard(const Fleet& fleet) {
  return absl::StrCat("*.", fleet.default_endpoint_suffix);
}

std::string DefaultEndpointHost(const Fleet& fleet, const ApiName& api) {
  return absl::StrCat(api.id(), ".", fleet.default_endpoint_suffix);
}

}  // namespace sallyport::domain
