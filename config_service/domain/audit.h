// Who changed what, and when.

#ifndef SALLYPORT_CONFIG_SERVICE_DOMAIN_AUDIT_H_
#define SALLYPORT_CONFIG_SERVICE_DOMAIN_AUDIT_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/time/time.h"

namespace sallyport::domain {

// One commit. Holds no secrets: whoever makes one redacts.
struct AuditEntry {
  struct Change {
    std::string resource;     // its name
    std::string before_json;  // empty: there was none
    std::string after_json;   // empty: it was deleted
    std::vector<std::string> changed_fields;
  };

  int64_t revision = 0;
  absl::Time time = absl::InfinitePast();
  std::string principal;
  std::string peer;
  std::string method;
  std::string request_id;
  std::vector<Change> changes;
  std::vector<std::string> overrides;
  // Of an entry that came with an import: the lineage of the store in which it
  // was written, as `revision`. Empty: its own store's.
  std::string imported_from;
};

}  // namespace sallyport::domain

#endif  // SALLYPORT_CONFIG_SERVICE_DOMAIN_AUDIT_H_
