// IdentitySource: where an authorizer takes the caller's identity from, in the
// notations of API Gateway.
//
//   method.request.header.NAME       $request.header.NAME
//   method.request.querystring.NAME  $request.querystring.NAME
//   stageVariables.NAME              $stageVariables.NAME
//   context.NAME                     $context.NAME
//
// NAME of the context: accountId, apiId, domainName, httpMethod,
// identity.clientCert.{clientCertPem,subjectDN,issuerDN,serialNumber},
// identity.sourceIp, identity.userAgent, path, resourcePath, routeKey, stage.
//
// Source: API Gateway Developer Guide, "Use API Gateway Lambda authorizers" and
// "Control access to HTTP APIs with AWS Lambda authorizers".

#ifndef SALLYPORT_FILTERS_LAMBDA_IDENTITY_SOURCE_H_
#define SALLYPORT_FILTERS_LAMBDA_IDENTITY_SOURCE_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "filters/lambda/request.h"

namespace sallyport::lambda {

// Immutable; thread-safe.
class IdentitySource {
 public:
  // InvalidArgument: none of the above.
  static absl::StatusOr<IdentitySource> Read(absl::string_view text);

  // What the request says there; empty: nothing. Several values of a header or
  // a parameter are joined by commas.
  std::string ValueOf(const RequestParts& request, const ApiStage& api) const;

  // The header's name in lower case; empty: it is no header.
  absl::string_view header() const {
    return kind_ == Kind::kHeader ? absl::string_view(name_)
                                  : absl::string_view();
  }

 private:
  enum class Kind { kHeader, kQuery, kStageVariable, kContext };

  Kind kind_ = Kind::kHeader;
  std::string name_;
};

}  // namespace sallyport::lambda

#endif  // SALLYPORT_FILTERS_LAMBDA_IDENTITY_SOURCE_H_
