// The two kinds of objects. Internal to this room.

#ifndef SALLYPORT_CONFIG_SERVICE_OBJECTS_READERS_H_
#define SALLYPORT_CONFIG_SERVICE_OBJECTS_READERS_H_

#include <atomic>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/clock.h"
#include "config_service/domain/truststore.h"
#include "config_service/objects/objects.h"

namespace sallyport::objects {

absl::Status CheckFileOptions(const FileOptions& options);
absl::StatusOr<Object> ReadFileObject(const FileOptions& options,
                                      const domain::SourceUri& uri,
                                      const ReadRequest& request);

absl::Status CheckS3Options(const S3Options& options);
// `cancelled` ends it with Cancelled.
absl::StatusOr<Object> ReadS3Object(const S3Options& options,
                                    const Clock& clock,
                                    const domain::SourceUri& uri,
                                    const ReadRequest& request,
                                    const std::atomic<bool>& cancelled);

// What S3 says in the body of an error: the text of <Code>, or "".
std::string S3ErrorCode(absl::string_view body);

}  // namespace sallyport::objects

#endif  // SALLYPORT_CONFIG_SERVICE_OBJECTS_READERS_H_
