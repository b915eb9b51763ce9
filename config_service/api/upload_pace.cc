#include "config_service/api/upload_pace.h"

#include "absl/strings/str_cat.h"
#include "config_service/domain/violations.h"

namespace sallyport::api {

bool UploadPace::Took(absl::Duration waited, size_t bytes) {
  waited_ += waited;
  received_ += bytes;
  return status().ok();
}

absl::Status UploadPace::status() const {
  const absl::Duration allowed =
      allowance_ +
      absl::Seconds(static_cast<double>(received_) / kMinUploadBytesPerSecond);
  if (waited_ <= allowed) return absl::OkStatus();
  return domain::MakeError(
      domain::Reason::kUploadInvalid,
      absl::StrCat(
          "the upload comes too slowly: ", received_, " bytes in ",
          absl::FormatDuration(absl::Trunc(waited_, absl::Milliseconds(1))),
          "; all of it has ",
          absl::FormatDuration(absl::Trunc(allowance_, absl::Milliseconds(1))),
          " (--client-timeout) and 1 s for each ",
          static_cast<int>(kMinUploadBytesPerSecond), " bytes"));
}

}  // namespace sallyport::api
