// Options and limits of the xDS server.

#ifndef SALLYPORT_CONFIG_SERVICE_XDS_SERVER_OPTIONS_H_
#define SALLYPORT_CONFIG_SERVICE_XDS_SERVER_OPTIONS_H_

#include <cstddef>

#include "absl/time/time.h"

namespace sallyport::xds {

// Bytes of the names without a resource that one stream may be subscribed to;
// cache/limits.h says how many names.
constexpr size_t kMaxAbsentNameBytesPerStream = size_t{16} << 20;

struct StreamOptions {
  // Of the types of which one bad resource should be named by its refusal
  // (secrets, extension configurations, filter chains, route configurations):
  // up to so many that are due go one in a response. More of them, as when a
  // proxy starts, share responses; a response that is refused is then taken
  // apart until the bad one is found.
  size_t singly_up_to = 16;

  // A response holds no more than this, unless one resource alone is larger.
  // gRPC clients take 4 MiB unless told otherwise.
  size_t max_response_bytes = size_t{1} << 20;
  // gRPC keeps for each stream, as long as that is open, some hundred bytes for
  // each resource of its largest response.
  size_t max_response_resources = 64;

  // Sent and not answered yet, for one stream. One response is always allowed.
  size_t max_unanswered_bytes = size_t{8} << 20;
  size_t max_unanswered_responses = 64;

  // A proxy asks for listeners once it has its clusters. Until then it counts
  // as having nothing, but for no longer than this after its first request.
  absl::Duration startup = absl::Seconds(15);
};

struct ServerOptions {
  StreamOptions stream;

  // Connected nodes. One more is answered RESOURCE_EXHAUSTED.
  size_t max_streams = 20000;
  // Streams of one node: it has one, and another for a moment when it comes
  // back before the first is known to be gone. One more is answered
  // RESOURCE_EXHAUSTED.
  size_t max_streams_of_node = 8;

  // One request. A proxy that comes back names all it has: about 60 bytes for
  // each resource.
  size_t max_request_bytes = size_t{64} << 20;

  // Requests of one stream: this many at once, then this many in a second. A
  // stream over it is read more slowly. A proxy that starts sends about two for
  // each domain, and one for each response.
  size_t request_burst = 50000;
  size_t requests_per_second = 2000;

  // A node has to identify itself by its first request within this time.
  absl::Duration first_request_timeout = absl::Seconds(10);

  // Sent and not answered, over all streams that do answer. Past it, a stream
  // waits until another one answers.
  size_t max_unanswered_bytes = size_t{512} << 20;
  // A stream that has not answered for so long does not count for
  // max_unanswered_bytes any more...
  absl::Duration slow_after = absl::Seconds(5);
  // ...and one that has left a write unfinished for so long is closed.
  absl::Duration stalled_after = absl::Minutes(5);

  // Single-name requests that follow each other closely are gathered this long
  // before they are answered together.
  absl::Duration gather = absl::Milliseconds(2);

  // Peers that do not answer pings are dropped.
  absl::Duration keepalive_time = absl::Seconds(60);
  absl::Duration keepalive_timeout = absl::Seconds(20);
};

}  // namespace sallyport::xds

#endif  // SALLYPORT_CONFIG_SERVICE_XDS_SERVER_OPTIONS_H_
