// One line of `verify --batch`.

#ifndef SALLYPORT_CLI_BATCH_CASE_H_
#define SALLYPORT_CLI_BATCH_CASE_H_

#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "cli/report.h"
#include "pki/truststore/truststore.h"

namespace sallyport::cli {

struct BatchCase {
  Json id;  // a string, a number, true, false or null, as it came
  std::string truststore_pem;
  std::string chain_pem;  // "" when there is none
  absl::optional<absl::Time> time;
  absl::optional<pki::ChainPolicy> policy;
};

struct BatchCaseResult {
  BatchCase value;
  // For people, without contents of the line; "" when it could be read. The
  // id is set when the line is JSON, and null otherwise.
  std::string error;
};

// ParseBatchCase: reads a line. Members that are not in BatchCase are checked
// to be JSON and dropped as they are read, so that memory stays within a small
// multiple of the line's size whatever it holds.
BatchCaseResult ParseBatchCase(absl::string_view line);

}  // namespace sallyport::cli

#endif  // SALLYPORT_CLI_BATCH_CASE_H_
