// The reader of s3:// and file:// objects, and its options.

#ifndef SALLYPORT_CONFIG_SERVICE_OBJECTS_OBJECTS_H_
#define SALLYPORT_CONFIG_SERVICE_OBJECTS_OBJECTS_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/secret.h"
#include "config_service/objects/object_reader.h"

namespace sallyport::objects {

struct S3Options {
  // Empty: s3:// is refused (FailedPrecondition).
  std::string region;
  // "https://minio.example.com:9000"; empty: Amazon's for the region. http://
  // is for tests and for a network that is trusted as the bucket itself is.
  std::string endpoint;
  // BUCKET in the path and not in the host. Always so with an endpoint that is
  // an address, and for buckets with a dot, which no certificate covers.
  bool path_style = false;
  // Both empty: requests are not signed (public buckets).
  std::string access_key_id;
  Secret secret_access_key;
  Secret session_token;
  // Attempts at one read, and how long the first wait between them is, about;
  // it doubles.
  int attempts = 3;
  absl::Duration backoff = absl::Milliseconds(200);
  absl::Duration connect_timeout = absl::Seconds(5);
  // An attempt ends when less than this came, in the mean over a time so long.
  int slowest_bytes_per_second = 1024;
  absl::Duration slow_for = absl::Seconds(10);
  // For a read as a whole, all attempts and the waits between them.
  absl::Duration timeout = absl::Seconds(60);
};

// S3OptionsFromEnvironment: region, endpoint and credentials as the AWS CLI
// takes them: AWS_REGION, AWS_DEFAULT_REGION, AWS_ENDPOINT_URL_S3,
// AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY,
// AWS_SESSION_TOKEN.
S3Options S3OptionsFromEnvironment();

struct FileOptions {
  // Absolute. Empty: file:// is refused. What is read must be below one of
  // them, symbolic links followed.
  std::vector<std::string> folders;
};

struct Options {
  S3Options s3;
  FileOptions files;
};

// InvalidArgument: an option is wrong; says which. `clock` outlives it.
absl::StatusOr<std::unique_ptr<ObjectReader>> NewObjectReader(
    Options options, const Clock* clock);

}  // namespace sallyport::objects

#endif  // SALLYPORT_CONFIG_SERVICE_OBJECTS_OBJECTS_H_
