// OpenStreams: how many calls of one service there are at a time. Of services
// that answer without credentials and hold a thread for each call.

#ifndef SALLYPORT_CONFIG_SERVICE_SERVER_OPEN_STREAMS_H_
#define SALLYPORT_CONFIG_SERVICE_SERVER_OPEN_STREAMS_H_

#include <grpcpp/support/server_interceptor.h>

#include <cstddef>
#include <memory>
#include <string>

#include "absl/strings/string_view.h"

namespace sallyport::server {

// For ServerBuilder::experimental().SetInterceptorCreators(). Of calls whose
// method begins with `prefix` ("/grpc.reflection.") at most `limit` are open;
// one more cancels the one that is open the longest, so that nobody keeps
// others out.
std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface>
NewOpenStreamsLimit(absl::string_view prefix, size_t limit);

}  // namespace sallyport::server

#endif  // SALLYPORT_CONFIG_SERVICE_SERVER_OPEN_STREAMS_H_
