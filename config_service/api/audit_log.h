// The gRPC service AuditLog.

#ifndef SALLYPORT_CONFIG_SERVICE_API_AUDIT_LOG_H_
#define SALLYPORT_CONFIG_SERVICE_API_AUDIT_LOG_H_

#include <memory>

#include "config_service/api/gate.h"
#include "config_service/service/audit_log.h"
#include "grpcpp/impl/codegen/service_type.h"

namespace sallyport::api {

// What is passed in outlives the service. Thread-safe.
std::unique_ptr<grpc::Service> NewAuditLogService(service::AuditLog* audit_log,
                                                  Gate* gate);

}  // namespace sallyport::api

#endif  // SALLYPORT_CONFIG_SERVICE_API_AUDIT_LOG_H_
