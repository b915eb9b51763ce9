// What gRPC has to say, in the service's own log.

#ifndef SALLYPORT_CONFIG_SERVICE_SERVER_GRPC_LOG_H_
#define SALLYPORT_CONFIG_SERVICE_SERVER_GRPC_LOG_H_

namespace sallyport::server {

// From now on each line of gRPC's log is one of log.h, with the message "grpc"
// and its severity: a handshake that a stranger fails is an error to gRPC. Call
// it before anything of gRPC. GRPC_VERBOSITY says from which severity on there
// are lines, as ever.
void LogForGrpc();

}  // namespace sallyport::server

#endif  // SALLYPORT_CONFIG_SERVICE_SERVER_GRPC_LOG_H_
