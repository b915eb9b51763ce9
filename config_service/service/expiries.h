// Expiries: when what the service keeps expires, and the warnings that come
// with time alone: nobody writes anything, and a certificate is about to
// expire.

#ifndef SALLYPORT_CONFIG_SERVICE_SERVICE_EXPIRIES_H_
#define SALLYPORT_CONFIG_SERVICE_SERVICE_EXPIRIES_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "config_service/domain/common.h"
#include "config_service/domain/server_certificate.h"
#include "config_service/service/bundles.h"
#include "config_service/service/revocation_lists.h"
#include "config_service/service/transaction.h"
#include "config_service/store/store.h"

namespace sallyport::service {

// Events that are kept for those who come back for them, and that one look
// makes of one resource.
constexpr size_t kMaxKeptWarningEvents = 1000;
constexpr size_t kMaxNewWarningsOfResource = 100;

// A warning that was not there before, though nobody changed the resource.
struct WarningEvent {
  // 1, 2, 3... without gaps, in one process.
  uint64_t number = 0;
  absl::Time time;
  std::string resource;  // its name
  domain::Warning warning;
};
struct WarningEvents {
  std::vector<WarningEvent> events;  // the oldest first
  // Events that were asked for are no longer kept: look at the resources.
  bool lost = false;
};

struct Expiry {
  std::string resource;
  // The first of all that the resource has in use: of a truststore the
  // certificates of the active version that give trust; of a server certificate
  // the chains of the active version and of those that a domain still shows; of
  // a revocation list the next updates of its lists.
  absl::Time time;
};

// Follows truststores, server certificates (one that is issued has
// EXPIRES_SOON only when it could not be renewed), client certificates,
// revocation lists and the CAs of the service. Thread-safe, but for Look().
class Expiries {
 public:
  // What `context` points to, and `bundles`, outlive this.
  Expiries(const Context& context, Bundles* bundles)
      : context_(context), bundles_(bundles), revocation_(context) {}

  // Looks at what was changed since the last time, and at what time has
  // changed; what there is at the first look is not new. Costs as much as has
  // changed. Returns when to look again even if nothing is written. For one
  // thread. Errors are the store's; the next look makes up for it.
  absl::StatusOr<absl::Time> Look();

  // The soonest first.
  std::vector<Expiry> All() const;

  // Events with a number above `after`, at most `limit`.
  WarningEvents Events(uint64_t after, size_t limit) const;
  // The number of the newest event; 0: none yet.
  uint64_t LastEvent() const;

 private:
  // What is known of a resource.
  struct Known {
    store::Revision written;
    absl::Time expiry = absl::InfiniteFuture();
    // When its warnings may be others.
    absl::Time next = absl::InfiniteFuture();
    std::set<std::string> warnings;
  };
  // One look at a resource.
  struct Finding {
    Known known;
    std::vector<domain::Warning> warnings;
    // Its warnings may be so old.
    absl::Duration age = absl::ZeroDuration();
    void AddChain(absl::Span<const domain::CertificatePtr> chain,
                  absl::Time now);
    void AddInstant(absl::Time time, absl::Time now);
  };

  // Notes what is to be looked at.
  absl::Status Follow();
  absl::Status TouchAll(store::Revision at);
  void Touch(absl::string_view key);
  absl::Status Examine(const std::string& resource, absl::Time now);
  absl::Status Find(const std::string& resource, const store::Record& record,
                    absl::Time now, Finding& finding);

  const Context context_;
  Bundles* const bundles_;
  RevocationLists revocation_;

  // The looking thread's own.
  std::unique_ptr<store::Watcher> watcher_;
  std::set<std::string> touched_;

  mutable absl::Mutex mu_;
  std::map<std::string, Known> known_ ABSL_GUARDED_BY(mu_);
  std::deque<WarningEvent> events_ ABSL_GUARDED_BY(mu_);
  uint64_t last_event_ ABSL_GUARDED_BY(mu_) = 0;
};

}  // namespace sallyport::service

#endif  // SALLYPORT_CONFIG_SERVICE_SERVICE_EXPIRIES_H_
