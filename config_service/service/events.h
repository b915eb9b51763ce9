// Events: what happens, as it happens.

#ifndef SALLYPORT_CONFIG_SERVICE_SERVICE_EVENTS_H_
#define SALLYPORT_CONFIG_SERVICE_SERVICE_EVENTS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "absl/types/variant.h"
#include "config_service/domain/common.h"
#include "config_service/service/rollouts.h"
#include "config_service/service/transaction.h"

namespace sallyport::service {

struct ResourceChanged {
  enum class Kind { kCreated, kUpdated, kDeleted };
  std::string resource;  // its name
  Kind kind = Kind::kCreated;
  std::string principal;
};
struct ConditionChanged {
  std::string resource;
  domain::Condition condition;
};

struct Event {
  absl::Time time;
  // The store's revision when it happened; several events can have one.
  int64_t revision = 0;
  absl::variant<ResourceChanged, ConditionChanged, NodeEvent> what;
};

// Thread-safe.
class Events {
 public:
  struct Request {
    // Changes of resources and conditions after this; 0: from now on. Events of
    // nodes are those from now on.
    int64_t after_revision = 0;
    // Names of resources, for them and what is below them, or beginnings that
    // end with '/'. Empty: all.
    std::vector<std::string> resources;
  };

  // What `context` points to outlives this.
  explicit Events(const Context& context) : context_(context) {}

  // Calls `take` with each event, in order, until it returns false, or
  // `cancelled`; then OK. Works in the calling thread. REVISION_COMPACTED:
  // events are gone that the caller has not had, since it is too slow or asks
  // for what is too old.
  absl::Status Watch(const Request& request, const Cancelled& cancelled,
                     absl::FunctionRef<bool(const Event&)> take);

 private:
  const Context context_;
};

}  // namespace sallyport::service

#endif  // SALLYPORT_CONFIG_SERVICE_SERVICE_EVENTS_H_
