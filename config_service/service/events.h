// Events: what happens, as it happens.

#ifndef SALLYPORT_CONFIG_SERVICE_SERVICE_EVENTS_H_
#define SALLYPORT_CONFIG_SERVICE_SERVICE_EVENTS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/variant.h"
#include "config_service/domain/common.h"
#include "config_service/service/expiries.h"
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

// A warning that was not there before: time has passed.
struct WarningAdded {
  std::string resource;
  domain::Warning warning;
};

struct Event {
  absl::Time time;
  // The store's revision when it happened; several events can have one.
  int64_t revision = 0;
  absl::variant<ResourceChanged, ConditionChanged, NodeEvent, WarningAdded>
      what;
};

// Thread-safe.
class Events {
 public:
  struct Request {
    // Changes of resources and conditions after this; 0: from now on. Events of
    // nodes, and warnings, are those from now on.
    int64_t after_revision = 0;
    // Names of resources, for them and what is below them, or beginnings that
    // end with '/'. Empty: all.
    std::vector<std::string> resources;
  };

  // What `context` points to outlives this, and so does `expiries`; null: there
  // are no warnings.
  explicit Events(const Context& context, const Expiries* expiries = nullptr)
      : context_(context), expiries_(expiries) {}

  // Calls `take` with each event, in order, until it returns false, or
  // `cancelled`; then OK. Works in the calling thread. REVISION_COMPACTED:
  // events are gone that the caller has not had, since it is too slow or asks
  // for what is too old.
  absl::Status Watch(const Request& request, const Cancelled& cancelled,
                     absl::FunctionRef<bool(const Event&)> take);

 private:
  // Gives what is new of each; `last` is the number of what was given before.
  // False: no more is wanted.
  absl::StatusOr<bool> GiveNodeEvents(
      const Request& request, int64_t revision, const Cancelled& cancelled,
      absl::FunctionRef<bool(const Event&)> take, uint64_t& last);
  absl::StatusOr<bool> GiveWarnings(const Request& request, int64_t revision,
                                    absl::FunctionRef<bool(const Event&)> take,
                                    uint64_t& last);

  const Context context_;
  const Expiries* const expiries_;
};

}  // namespace sallyport::service

#endif  // SALLYPORT_CONFIG_SERVICE_SERVICE_EVENTS_H_
