// Audit entries: domain values and messages of the public API.

#ifndef SALLYPORT_CONFIG_SERVICE_API_CONVERT_AUDIT_H_
#define SALLYPORT_CONFIG_SERVICE_API_CONVERT_AUDIT_H_

#include "config_service/domain/audit.h"
#include "proto/sallyport/config/v1/audit.pb.h"

namespace sallyport::api {

void Convert(const domain::AuditEntry& from,
             sallyport::config::v1::AuditEntry& to);

}  // namespace sallyport::api

#endif  // SALLYPORT_CONFIG_SERVICE_API_CONVERT_AUDIT_H_
