// Operations: those of Amazon's services that are spoken here, and which of
// them there are. One table, in the order of the names: the routing, the
// documentation and the tests read it.

#ifndef SALLYPORT_CONFIG_SERVICE_AWS_OPERATIONS_H_
#define SALLYPORT_CONFIG_SERVICE_AWS_OPERATIONS_H_

#include <map>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "config_service/aws/target.h"

namespace sallyport::aws {

enum class Service { kAcm, kApiGateway, kApiGatewayV2 };

// As Amazon's tools call it: "apigateway".
absl::string_view ServiceName(Service service);
// By which requests are signed: "apigateway" for both of its versions.
absl::string_view SigningName(Service service);

struct Operation {
  Service service;
  absl::string_view name;         // "CreateDomainName"
  absl::string_view http_method;  // "POST"
  // "/domainnames/{domain_name}", of which {...} is one segment.
  absl::string_view uri;
  // Of an answer that is no error.
  int status;
  // The method of the gRPC API whose role it needs; empty: the operation is not
  // supported.
  absl::string_view method;
  // Of one that is not supported: why, or what to use.
  absl::string_view note;

  bool supported() const { return !method.empty(); }
};

// All of them.
absl::Span<const Operation> Operations();

// An operation, and what its URI says.
struct Route {
  const Operation* operation = nullptr;
  std::map<std::string, std::string> parameters;
};

// Of API Gateway and its second version, by method and path. Nothing: there is
// no such operation.
std::optional<Route> FindByPath(Service service, absl::string_view http_method,
                                const Target& target);
// Of ACM, by the value of x-amz-target: "CertificateManager.ListCertificates".
std::optional<Route> FindByTarget(absl::string_view amz_target);

// The table of docs/aws.md.
std::string OperationsMarkdown();

}  // namespace sallyport::aws

#endif  // SALLYPORT_CONFIG_SERVICE_AWS_OPERATIONS_H_
