#include "config_service/objects/objects.h"

#include <atomic>
#include <cstdlib>
#include <utility>

#include "absl/strings/string_view.h"
#include "base/status_macros.h"
#include "config_service/domain/truststore.h"
#include "config_service/objects/readers.h"

namespace sallyport::objects {
namespace {

class Reader : public ObjectReader {
 public:
  Reader(Options options, const Clock* clock)
      : options_(std::move(options)), clock_(clock) {}

  absl::StatusOr<Object> Read(const ReadRequest& request) override {
    SALLYPORT_ASSIGN_OR_RETURN(const domain::SourceUri uri,
                               domain::ParseSourceUri(request.uri));
    switch (uri.kind) {
      case domain::SourceUri::Kind::kFile:
        return ReadFileObject(options_.files, uri, request);
      case domain::SourceUri::Kind::kS3:
        return ReadS3Object(options_.s3, *clock_, uri, request, cancelled_);
    }
    return absl::InvalidArgumentError("unknown kind of source");
  }

  void Cancel() override { cancelled_ = true; }

 private:
  const Options options_;
  const Clock* const clock_;
  std::atomic<bool> cancelled_{false};
};

std::string FromEnvironment(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? "" : value;
}

std::string FirstOf(const char* one, const char* other) {
  std::string value = FromEnvironment(one);
  return value.empty() ? FromEnvironment(other) : value;
}

}  // namespace

S3Options S3OptionsFromEnvironment() {
  S3Options options;
  options.region = FirstOf("AWS_REGION", "AWS_DEFAULT_REGION");
  options.endpoint = FirstOf("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL");
  options.access_key_id = FromEnvironment("AWS_ACCESS_KEY_ID");
  options.secret_access_key = Secret(FromEnvironment("AWS_SECRET_ACCESS_KEY"));
  options.session_token = Secret(FromEnvironment("AWS_SESSION_TOKEN"));
  return options;
}

absl::StatusOr<std::unique_ptr<ObjectReader>> NewObjectReader(
    Options options, const Clock* clock) {
  SALLYPORT_RETURN_IF_ERROR(CheckFileOptions(options.files));
  SALLYPORT_RETURN_IF_ERROR(CheckS3Options(options.s3));
  return std::make_unique<Reader>(std::move(options), clock);
}

}  // namespace sallyport::objects
