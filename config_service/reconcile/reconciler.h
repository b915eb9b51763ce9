// Reconciler: follows the store and brings what it says into force in every
// fleet.
//
// Of a domain that cannot be shown as it is, it puts a record that says why
// beside it (store::StatusKey()), for whoever reads the domain.
//
// Level-based: what is published follows from the store alone, so nothing is
// lost by a restart, and a restart with the same state publishes the same
// versions. Changes that come while others are translated are taken together.

#ifndef SALLYPORT_CONFIG_SERVICE_RECONCILE_RECONCILER_H_
#define SALLYPORT_CONFIG_SERVICE_RECONCILE_RECONCILER_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "config_service/reconcile/fleet_publisher.h"
#include "config_service/reconcile/graph.h"
#include "config_service/store/sealer.h"
#include "config_service/store/store.h"
#include "config_service/xds/cache/cache.h"
#include "config_service/xds/server/ledger.h"

namespace sallyport::reconcile {

// How long after an error of the store it is asked again.
constexpr absl::Duration kRetryAfter = absl::Milliseconds(250);
// Problems that stats list.
constexpr size_t kMaxListedProblems = 100;

struct ReconcilerStats {
  // The store's revision that was read and translated.
  uint64_t read_revision = 0;
  // The lowest that a fleet has wholly published.
  uint64_t published_revision = 0;
  size_t num_fleets = 0;
  size_t num_domains = 0;
  uint64_t num_translated = 0;
  // Waits for nodes that ended because their time was over.
  uint64_t num_timeouts = 0;
  // Domains that stay as they were, since all nodes refuse what they need.
  size_t num_held = 0;
  size_t num_problems = 0;
  // Of these kMaxListedProblems: "serverCertificates/web: ...".
  std::vector<std::string> problems;
  // Empty, or why the store cannot be read now.
  std::string store_problem;
};

// Thread-safe.
class Reconciler {
 public:
  struct Options {
    absl::Duration max_step_wait = kMaxStepWait;
    absl::Duration withdrawn_for = kWithdrawnFor;
    // Which addresses backends may have. A domain with another is not shown.
    domain::BackendPolicy backends;
  };
  // One line for the operator's log. Called from any thread; must not call
  // back.
  using Log = std::function<void(absl::string_view)>;

  // Reads everything and publishes it for every fleet, then follows the store.
  // All outlive it. Errors are the store's and the sealer's.
  static absl::StatusOr<std::unique_ptr<Reconciler>> Start(
      store::Store* store, const store::Sealer* sealer, xds::Cache* cache,
      const xds::Ledger* ledger, const Clock* clock, Options options, Log log);
  // Stops, wherever it is. What is published stays.
  ~Reconciler();
  Reconciler(const Reconciler&) = delete;
  Reconciler& operator=(const Reconciler&) = delete;

  // Nothing: the store has no such domain, as far as it was read.
  std::optional<DomainState> Domain(const std::string& domain) const;
  // Whether `key` is made from the domain, or is needed by what is.
  bool Needs(const std::string& domain, const xds::ResourceKey& key) const;
  ReconcilerStats Stats() const;
  // Publishes in one fleet what the store does not say, for a while: whoever
  // adds something takes it away again. What the store's resources are named
  // must not be in it. False: there is no such fleet (any more), or not yet.
  // Returns at once.
  bool PublishAside(const std::string& fleet, FleetChange change);
  // What keeps domains of the fleet as they were.
  std::vector<FleetPublisher::NodeRefusal> HeldRefusals(
      const std::string& fleet) const;

 private:
  Reconciler(store::Store* store, const store::Sealer* sealer,
             xds::Cache* cache, const xds::Ledger* ledger, const Clock* clock,
             Options options, Log log);
  absl::Status Begin(const store::Sealer& sealer);
  void Run();
  // Reads everything again.
  absl::Status Resync();
  // Waits for changes and marks what they touch.
  absl::Status Follow();
  absl::Status Update(store::Revision at);
  // Returns the fleets that are gone.
  std::vector<std::string> Deliver(std::map<std::string, FleetChange> changes)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // A domain of a fleet stays as it is, and why; or not any more.
  void Held(const std::string& domain, const std::string& message);
  void EndPublishers(const std::vector<std::string>& fleets);
  uint64_t PublishedIn(const std::string& fleet) const;
  void LogProblems();
  // Writes what became of domains beside them into the store.
  absl::Status WriteStatus();
  // What is to be written of one domain; no problem: nothing is.
  void AddStatus(const std::string& domain, const std::string& problem,
                 store::Commit& commit) const;
  absl::Status ForgetOldStatus();

  store::Store* const store_;
  const store::Sealer* const sealer_;
  xds::Cache* const cache_;
  const xds::Ledger* const ledger_;
  const Clock* const clock_;
  const Options options_;
  const Log log_;

  mutable absl::Mutex mu_;
  std::unique_ptr<Graph> graph_ ABSL_GUARDED_BY(mu_);
  uint64_t read_revision_ ABSL_GUARDED_BY(mu_) = 0;
  std::string store_problem_ ABSL_GUARDED_BY(mu_);

  mutable absl::Mutex publishers_mu_ ABSL_ACQUIRED_AFTER(mu_);
  std::map<std::string, std::unique_ptr<FleetPublisher>> publishers_
      ABSL_GUARDED_BY(publishers_mu_);

  absl::Mutex watch_mu_;
  absl::CondVar wake_;
  bool stopping_ ABSL_GUARDED_BY(watch_mu_) = false;
  std::unique_ptr<store::Watcher> watcher_;

  // The thread's own.
  store::Revision seen_;
  bool resync_ = false;
  bool behind_ = false;
  std::vector<std::string> logged_problems_;
  // What is still to be written.
  std::map<std::string, std::string> domain_problems_;
  std::thread thread_;
};

}  // namespace sallyport::reconcile

#endif  // SALLYPORT_CONFIG_SERVICE_RECONCILE_RECONCILER_H_
