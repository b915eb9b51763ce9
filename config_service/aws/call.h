// Call: what the handler of an operation gets, and what handlers have in
// common.

#ifndef SALLYPORT_CONFIG_SERVICE_AWS_CALL_H_
#define SALLYPORT_CONFIG_SERVICE_AWS_CALL_H_

#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "config_service/aws/fields.h"
#include "config_service/aws/installation.h"
#include "config_service/aws/operations.h"
#include "config_service/domain/common.h"
#include "config_service/domain/violations.h"
#include "config_service/service/caller.h"
#include "config_service/service/paging.h"

namespace sallyport::aws {

struct Call {
  const Operation* operation = nullptr;
  service::Caller caller;
  service::Write write;
  // Of the URI, by the names that the operation has for them.
  std::map<std::string, std::string> path;
  std::vector<std::pair<std::string, std::string>> query;
  Json body;           // an object
  std::string accept;  // the header Accept; empty: none
};

// Carries a call out; the body of the answer, null for none.
using Handler = std::function<absl::StatusOr<Json>(const Call&)>;
// By service and name of the operation.
using Handlers = std::map<std::pair<Service, absl::string_view>, Handler>;

// Seconds since 1970, with a fraction: how both protocols write times.
Json TimeJson(absl::Time time);

// PageOf: "limit" and "position" of the query; others are violations, but for
// those in `known`.
service::PageRequest PageOf(const Call& call,
                            const std::vector<absl::string_view>& known,
                            domain::Violations& violations);
// The answer of a list: {"item": [...], "position": "..."}.
Json ListJson(Json items, const std::string& next_page_token);

// Tags are labels.
Json TagsJson(const domain::Labels& labels);

}  // namespace sallyport::aws

#endif  // SALLYPORT_CONFIG_SERVICE_AWS_CALL_H_
