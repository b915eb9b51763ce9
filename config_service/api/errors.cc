#include "config_service/api/errors.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "config_service/domain/violations.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"

namespace sallyport::api {

using domain::Reason;

grpc::Status ToGrpc(const absl::Status& status, absl::string_view request) {
  std::optional<domain::Error> error = domain::ErrorOf(status);
  absl::StatusCode code = status.code();
  if (!error.has_value() || error->reason == Reason::kInternal) {
    error.emplace();
    error->reason = Reason::kInternal;
    error->message = absl::StrCat(
        "a fault of the service; its log has the details of request ", request);
    error->metadata = {{"request", std::string(request)}};
    code = absl::StatusCode::kInternal;
  }
  google::rpc::Status out;
  out.set_code(static_cast<int>(code));
  out.set_message(error->message);
  google::rpc::ErrorInfo info;
  info.set_reason(std::string(domain::ReasonName(error->reason)));
  info.set_domain(std::string(kErrorDomain));
  for (const auto& [key, value] : error->metadata) {
    (*info.mutable_metadata())[key] = value;
  }
  if (error->num_violations > 0) {
    (*info.mutable_metadata())["field_violations"] =
        absl::StrCat(error->num_violations);
  }
  out.add_details()->PackFrom(info);
  if (!error->violations.empty()) {
    google::rpc::BadRequest bad_request;
    for (const domain::FieldViolation& from : error->violations) {
      auto& violation = *bad_request.add_field_violations();
      violation.set_field(from.field);
      violation.set_reason(std::string(domain::ReasonName(from.reason)));
      violation.set_description(from.description);
    }
    out.add_details()->PackFrom(bad_request);
  }
  return grpc::Status(static_cast<grpc::StatusCode>(code), error->message,
                      out.SerializeAsString());
}

}  // namespace sallyport::api
