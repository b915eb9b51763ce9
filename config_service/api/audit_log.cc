#include "config_service/api/audit_log.h"

#include <cstdint>

#include "absl/strings/numbers.h"
#include "absl/strings/strip.h"
#include "config_service/api/convert_audit.h"
#include "config_service/api/handlers.h"
#include "config_service/domain/violations.h"
#include "proto/sallyport/config/v1/audit.grpc.pb.h"

namespace sallyport::api {

namespace proto = sallyport::config::v1;
using grpc::ServerContext;
using service::Caller;

namespace {

class AuditLogService final : public proto::AuditLog::Service,
                              private Handlers {
 public:
  AuditLogService(service::AuditLog* audit_log, Gate* gate)
      : Handlers("AuditLog", gate), audit_log_(audit_log) {}

  grpc::Status GetAuditEntry(ServerContext* context,
                             const proto::GetAuditEntryRequest* request,
                             proto::AuditEntry* response) override {
    return Run(context, __func__,
               [&](const Caller&, absl::string_view) -> absl::Status {
                 absl::string_view rest = request->name();
                 int64_t revision = 0;
                 if (!absl::ConsumePrefix(&rest, "auditEntries/") ||
                     !absl::SimpleAtoi(rest, &revision) || revision <= 0) {
                   domain::Violations violations;
                   violations.Add("name", domain::Reason::kNameMalformed,
                                  "is not of the form auditEntries/REVISION");
                   return violations.ToStatus();
                 }
                 return Answer(audit_log_->Get(revision), *response);
               });
  }

  grpc::Status ListAuditEntries(
      ServerContext* context, const proto::ListAuditEntriesRequest* request,
      proto::ListAuditEntriesResponse* response) override {
    return List(context, __func__, *request, *response,
                &proto::ListAuditEntriesResponse::add_audit_entries,
                [&](const service::PageRequest& page) {
                  return audit_log_->List(page);
                });
  }

 private:
  service::AuditLog* const audit_log_;
};

}  // namespace

std::unique_ptr<grpc::Service> NewAuditLogService(service::AuditLog* audit_log,
                                                  Gate* gate) {
  return std::make_unique<AuditLogService>(audit_log, gate);
}

}  // namespace sallyport::api
