#include "config_service/service/errors.h"

#include "absl/strings/str_cat.h"
#include "config_service/domain/violations.h"

namespace sallyport::service {

using domain::Reason;

absl::Status FromStore(const absl::Status& status) {
  if (status.ok() || domain::ErrorOf(status).has_value()) return status;
  switch (status.code()) {
    case absl::StatusCode::kAborted:
      return domain::MakeError(
          Reason::kConcurrentChange,
          "what the request relies on changed while it was carried out; send "
          "it again");
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kResourceExhausted:
      return domain::MakeError(
          Reason::kStoreReadOnly,
          "the store cannot write; reading goes on, and the service's log has "
          "the cause");
    case absl::StatusCode::kDataLoss:
      return domain::MakeError(Reason::kRecordDamaged,
                               "what is stored is damaged; the service's log "
                               "has the details");
    case absl::StatusCode::kOutOfRange:
      return domain::MakeError(Reason::kRevisionCompacted,
                               "the revision is no longer kept; list again");
    default:
      return domain::MakeError(Reason::kInternal, status.ToString());
  }
}

absl::Status NotFound(absl::string_view type, absl::string_view resource) {
  return domain::MakeError(
      Reason::kResourceNotFound,
      absl::StrCat("there is no ", type, " \"", resource, "\""),
      {{"resource", std::string(resource)}});
}

absl::Status AlreadyExists(absl::string_view type, absl::string_view resource) {
  return domain::MakeError(
      Reason::kResourceAlreadyExists,
      absl::StrCat("there is a ", type, " \"", resource, "\" already"),
      {{"resource", std::string(resource)}});
}

}  // namespace sallyport::service
