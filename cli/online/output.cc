#include "cli/online/output.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "base/text.h"
#include "google/protobuf/util/json_util.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"

namespace sallyport::cli::online {
namespace {

constexpr size_t kGap = 2;

}  // namespace

std::string Table(const std::vector<std::string>& header,
                  const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::vector<std::string>> lines = {header};
  lines.insert(lines.end(), rows.begin(), rows.end());
  std::vector<size_t> widths(header.size());
  for (std::vector<std::string>& line : lines) {
    for (size_t i = 0; i < line.size() && i < widths.size(); ++i) {
      line[i] = Printable(line[i]);
      if (line[i].empty()) line[i] = "-";
      widths[i] = std::max(widths[i], line[i].size());
    }
  }
  std::string out;
  for (const std::vector<std::string>& line : lines) {
    for (size_t i = 0; i < line.size() && i < widths.size(); ++i) {
      out += line[i];
      if (i + 1 < line.size()) {
        out.append(widths[i] - line[i].size() + kGap, ' ');
      }
    }
    out += '\n';
  }
  return out;
}

std::string JsonOf(const google::protobuf::Message& message) {
  google::protobuf::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  std::string out;
  if (!google::protobuf::util::MessageToJsonString(message, &out, options)
           .ok()) {
    return "{}\n";
  }
  return out + "\n";
}

std::string TimeOf(bool is_set, const google::protobuf::Timestamp& time) {
  if (!is_set) return "-";
  return TimeText(absl::FromUnixSeconds(time.seconds()));
}

std::string IdOf(const std::string& name) {
  return name.substr(name.rfind('/') + 1);
}

ExitCode Fail(const grpc::Status& status, Context& context) {
  google::rpc::Status details;
  std::string reason;
  std::string fields;
  std::string message = status.error_message();
  if (details.ParseFromString(status.error_details())) {
    for (const auto& any : details.details()) {
      google::rpc::ErrorInfo info;
      google::rpc::BadRequest bad_request;
      if (any.UnpackTo(&info)) {
        reason = info.reason();
      } else if (any.UnpackTo(&bad_request)) {
        // Mostly the message is about the first of them.
        const int count = bad_request.field_violations_size();
        if (count > 0 &&
            absl::StartsWith(
                message,
                absl::StrCat(bad_request.field_violations(0).field(), ": "))) {
          if (count == 1) continue;
          message = "several fields are wrong";
        }
        for (const auto& violation : bad_request.field_violations()) {
          absl::StrAppend(&fields, "  ", Printable(violation.field()), ": ",
                          Printable(violation.description()), " (",
                          Printable(violation.reason()), ")\n");
        }
      }
    }
  }
  context.err << "sallyportctl: "
              << (status.error_code() == grpc::StatusCode::UNIMPLEMENTED &&
                          status.error_message().empty()
                      ? "the service has no such method; it may be older than "
                        "this program"
                      : Printable(message, 2048));
  if (!reason.empty()) context.err << " (" << Printable(reason) << ")";
  context.err << "\n" << fields;
  // Without our details it is gRPC that could not ask.
  return reason.empty() ? ExitCode::kError : ExitCode::kRefused;
}

}  // namespace sallyport::cli::online
