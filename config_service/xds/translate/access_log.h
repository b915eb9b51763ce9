// The access log of a node: a line for each connection, and one for each
// request. The same on every fleet, and it stays as it is: a change would close
// connections. Whether a line is written is in the fleet's runtime layer
// (TranslateRuntime), which Envoy looks at for each line.

#ifndef SALLYPORT_CONFIG_SERVICE_XDS_TRANSLATE_ACCESS_LOG_H_
#define SALLYPORT_CONFIG_SERVICE_XDS_TRANSLATE_ACCESS_LOG_H_

#include "envoy/config/accesslog/v3/accesslog.pb.h"

namespace sallyport::xds {

// Metadata of a route that lines have.
inline constexpr char kLogMetadata[] = "sallyport";
inline constexpr char kLogStage[] = "stage";

// For the port: of a client whose handshake failed it is the only trace.
envoy::config::accesslog::v3::AccessLog ConnectionLog();
// For a connection manager.
envoy::config::accesslog::v3::AccessLog RequestLog();

}  // namespace sallyport::xds

#endif  // SALLYPORT_CONFIG_SERVICE_XDS_TRANSLATE_ACCESS_LOG_H_
