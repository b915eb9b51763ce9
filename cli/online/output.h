// Answers as tables for people and as JSON for programs; errors.

#ifndef SALLYPORT_CLI_ONLINE_OUTPUT_H_
#define SALLYPORT_CLI_ONLINE_OUTPUT_H_

#include <string>
#include <vector>

#include "cli/context.h"
#include "google/protobuf/message.h"
#include "google/protobuf/timestamp.pb.h"
#include "grpcpp/support/status.h"

namespace sallyport::cli::online {

// Columns as wide as their widest cell, two blanks between them, no blanks at
// the end of a line. Cells are made printable.
std::string Table(const std::vector<std::string>& header,
                  const std::vector<std::vector<std::string>>& rows);

// One line, with its LF; names as in the .proto files.
std::string JsonOf(const google::protobuf::Message& message);

// "2026-01-31T12:00:00Z", or "-" when it is not set.
std::string TimeOf(bool is_set, const google::protobuf::Timestamp& time);

// The last part of a name.
std::string IdOf(const std::string& name);

// Why there is no answer: the message, the reason, and all that is wrong with
// the request. Returns kRefused when the service said no, kError when nobody
// answered.
ExitCode Fail(const grpc::Status& status, Context& context);

}  // namespace sallyport::cli::online

#endif  // SALLYPORT_CLI_ONLINE_OUTPUT_H_
