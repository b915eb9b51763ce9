// Objects: contents that a URI names, read when asked for.

#ifndef SALLYPORT_CONFIG_SERVICE_OBJECTS_OBJECT_READER_H_
#define SALLYPORT_CONFIG_SERVICE_OBJECTS_OBJECT_READER_H_

#include <cstddef>
#include <string>

#include "absl/status/statusor.h"

namespace sallyport::objects {

struct ReadRequest {
  std::string uri;
  // S3: the version of the object; empty: the current one.
  std::string version;
  // An Object::etag that the caller has: the same content is not read again.
  std::string known_etag;
  size_t max_bytes = 0;
};

struct Object {
  // It is still `known_etag`; there is no content then.
  bool unchanged = false;
  std::string content;
  // Another one when the content is another one. Opaque; printable ASCII.
  std::string etag;
  // S3, in a bucket with versions: the version that was read.
  std::string version;
};

// Thread-safe. A reading ends within a time that the reader's options say.
class ObjectReader {
 public:
  virtual ~ObjectReader() = default;

  // The message of an error is for whoever named the URI: what is wrong and how
  // to mend it, without contents, credentials or other paths.
  //   InvalidArgument    the URI or the version
  //   NotFound           no such bucket, key, version or file
  //   PermissionDenied   the credentials do not allow it; the folder is not
  //                      one that may be read
  //   ResourceExhausted  larger than max_bytes
  //   FailedPrecondition something to configure: another region, no
  //                      credentials
  //   Unavailable        the server could not be reached, or did not answer in
  //                      time
  //   Cancelled          after Cancel()
  virtual absl::StatusOr<Object> Read(const ReadRequest& request) = 0;

  // Ends readings soon, those under way and those to come: the service stops.
  virtual void Cancel() {}
};

}  // namespace sallyport::objects

#endif  // SALLYPORT_CONFIG_SERVICE_OBJECTS_OBJECT_READER_H_
