// RequestParts: what events and identity sources say of a request.

#ifndef SALLYPORT_FILTERS_LAMBDA_REQUEST_H_
#define SALLYPORT_FILTERS_LAMBDA_REQUEST_H_

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "nlohmann/json.hpp"

namespace sallyport::lambda {

using NameValues = std::vector<std::pair<std::string, std::string>>;

// The API and stage that a request is for, as the configuration says.
struct ApiStage {
  std::string account_id = "000000000000";
  std::string region = "us-east-1";
  std::string api_id;
  std::string stage = "$default";
  // The path template of the method: "/pets/{id}", "/{proxy+}".
  std::string resource = "/{proxy+}";
  // What is in front of it in the request's path: "/orders"; empty: nothing.
  std::string base_path;
  // Of HTTP APIs: "GET /pets/{id}", "$default".
  std::string route_key = "$default";
  std::map<std::string, std::string> stage_variables;
};

struct RequestParts {
  std::string method;
  // As the client wrote it, without the query; and the query, without '?'.
  std::string path;
  std::string query;
  // Without pseudo-headers; `host` is among them. In the order in which they
  // came, names in lower case.
  NameValues headers;
  std::string host;
  std::string source_ip;
  std::string protocol;
  std::string request_id;
  absl::Time time;
  // forwarding::ClientCertJson() of a trusted client; null: it sent no
  // certificate, or is not trusted.
  nlohmann::ordered_json client_cert;
  // Why the client is not trusted; empty: it is, or needs not be.
  std::string verdict;

  // All values of a header, in their order; `name` in any case.
  std::vector<std::string> Header(absl::string_view name) const;
  // Decoded, in the order in which they came: %XX, and '+' for a blank.
  NameValues QueryParameters() const;
};

// SplitTarget: the path and the query of a :path.
void SplitTarget(absl::string_view target, std::string* path,
                 std::string* query);

// The path as the policy of an authorizer is asked about it: percent-encoded
// letters, digits and "-._~" decoded, other escapes in upper case.
// InvalidArgument for a path that a backend may read in another way than a
// policy does: no '/' at its front; empty or dot segments, or one that ends in
// a dot; an encoded '/', '\', '%', '?', '#', ';' or control character; '\',
// ';', '*', control characters and bytes beyond ASCII as they are; '%' without
// two digits. The message names none of the path.
absl::StatusOr<std::string> PlainPath(absl::string_view path);

// IsPlainMethod: capital letters and '-' only. Some backends read others in
// other ways.
bool IsPlainMethod(absl::string_view method);

// WithoutBasePath: what is left of `path`, "/" at least. Absent when it does
// not begin with `base_path` as a whole segment.
absl::optional<std::string> WithoutBasePath(absl::string_view path,
                                            absl::string_view base_path);

// MatchResource: the path parameters of `path` by the template `resource`, in
// which "{name}" is a segment and "{name+}", at the end, all that are left.
// Absent: it does not fit.
absl::optional<NameValues> MatchResource(absl::string_view resource,
                                         absl::string_view path);

// CheckResource: InvalidArgument when it is no such template.
absl::Status CheckResource(absl::string_view resource);

// MethodArn: arn:aws:execute-api:REGION:ACCOUNT:API/STAGE/METHOD/PATH; `path`
// is a PlainPath without the base path.
std::string MethodArn(const ApiStage& api, absl::string_view method,
                      absl::string_view path);

}  // namespace sallyport::lambda

#endif  // SALLYPORT_FILTERS_LAMBDA_REQUEST_H_
