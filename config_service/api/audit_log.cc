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
    return Run(
        context, __func__,
        [&](const Caller&, absl::string_view) -> absl::Status {
          absl::string_view rest = request->name();
          absl::string_view imported_from;
          int64_t revision = 0;
          const bool is_name = absl::ConsumePrefix(&rest, "auditEntries/");
          const size_t dash = rest.rfind('-');
          if (dash != absl::string_view::npos) {
            imported_from = rest.substr(0, dash);
            rest.remove_prefix(dash + 1);
          }
          if (!is_name || !absl::SimpleAtoi(rest, &revision) || revision <= 0) {
            domain::Violations violations;
            violations.Add("name", domain::Reason::kNameMalformed,
                           "is not of the form auditEntries/REVISION or "
                           "auditEntries/LINEAGE-REVISION");
            return violations.ToStatus();
          }
          return Answer(audit_log_->Get(revision, imported_from), *response);
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
