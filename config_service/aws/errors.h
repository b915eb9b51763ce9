// Errors as Amazon's services answer them. Those of the use cases are mapped
// from their reason; a few are made here.

#ifndef SALLYPORT_CONFIG_SERVICE_AWS_ERRORS_H_
#define SALLYPORT_CONFIG_SERVICE_AWS_ERRORS_H_

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "config_service/aws/message.h"
#include "config_service/aws/operations.h"

namespace sallyport::aws {

struct Error {
  int status = 500;
  std::string code;  // "BadRequestException"
  std::string message;
  int retry_after_seconds = 0;  // 0: nothing is said
};

// MakeError: a status that ToError() turns into that answer. `message` is for
// whoever sent the request.
absl::Status MakeError(int http_status, absl::string_view code,
                       absl::string_view message);

// ToError: the answer for `status`, which is not OK. Fields of our resources
// are named as the request had them. Faults of the service have one message,
// without details.
Error ToError(const absl::Status& status, Service service);

// The answer as the service's protocol has it: rest-json's header
// x-amzn-errortype, or the "__type" of JSON 1.1.
HttpResponse Render(const Error& error, Service service);

}  // namespace sallyport::aws

#endif  // SALLYPORT_CONFIG_SERVICE_AWS_ERRORS_H_
