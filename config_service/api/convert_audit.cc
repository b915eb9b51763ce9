#include "config_service/api/convert_audit.h"

#include <string>

#include "config_service/api/convert.h"
#include "config_service/service/audit_log.h"

namespace sallyport::api {

namespace proto = sallyport::config::v1;

void Convert(const domain::AuditEntry& from, proto::AuditEntry& to) {
  to.set_name(service::AuditEntryName(from.imported_from, from.revision));
  to.set_imported_from(from.imported_from);
  to.set_revision(from.revision);
  SetTime(from.time, [&] { return to.mutable_time(); });
  to.set_principal(from.principal);
  to.set_peer(from.peer);
  to.set_method(from.method);
  to.set_request_id(from.request_id);
  for (const domain::AuditEntry::Change& change : from.changes) {
    proto::AuditEntry::Change& out = *to.add_changes();
    out.set_resource(change.resource);
    out.set_before_json(change.before_json);
    out.set_after_json(change.after_json);
    for (const std::string& field : change.changed_fields) {
      out.add_changed_fields(field);
    }
  }
  for (const std::string& rule : from.overrides) to.add_overrides(rule);
}

}  // namespace sallyport::api
