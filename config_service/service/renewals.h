// Renewals: has issuers make certificates anew before they end.
//
// What fails is tried again, each time later (kFirstRenewalRetry,
// kMaxRenewalRetry). The certificate then has the condition "Issued" FALSE with
// the error's reason, and goes on as it is, until it ends.

#ifndef SALLYPORT_CONFIG_SERVICE_SERVICE_RENEWALS_H_
#define SALLYPORT_CONFIG_SERVICE_SERVICE_RENEWALS_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "config_service/domain/name.h"
#include "config_service/service/rollouts.h"
#include "config_service/service/server_certificates.h"
#include "config_service/service/transaction.h"
#include "config_service/store/store.h"

namespace sallyport::service {

class Renewals {
 public:
  // A renewal that was tried.
  struct Attempt {
    domain::ServerCertificateName certificate;
    absl::Status status;
    // After a failure: when it is tried again.
    absl::Time next;
  };
  // For metrics.
  struct Counts {
    int64_t issued = 0;   // certificates that issuers made
    int64_t failing = 0;  // of these, whose renewal failed last
    int64_t renewed = 0;  // since the start
    int64_t failed = 0;   // attempts, since the start
  };

  // What `context` points to and `certificates` outlive it. `report` is called
  // for each attempt, in the thread of Run().
  Renewals(const Context& context, ServerCertificates* certificates,
           std::function<void(const Attempt&)> report)
      : context_(context),
        certificates_(certificates),
        report_(std::move(report)) {}

  // Renews what is due, one after the other, the longest due first, until all
  // is or `cancelled`. Returns when something is due again, as far as is known
  // now: others change certificates. For one thread. Errors are the store's.
  absl::StatusOr<absl::Time> Run(const Cancelled& cancelled);

  // Thread-safe.
  Counts counts() const;

 private:
  // A certificate that an issuer made.
  struct Entry {
    int64_t version = 0;
    absl::Time not_after;
    absl::Time due;  // or when it is tried again
    int failures = 0;
    // Whether its condition says that it failed.
    bool told = false;
  };

  absl::Status Refresh();
  absl::Status Load();
  absl::Status Follow();
  absl::Status Take(const store::Record& record);
  void Drop(const std::string& id);
  void SetDue(const std::string& id, Entry& entry, absl::Time due);
  void Attend(const std::string& id);
  absl::Status Renew(const domain::ServerCertificateName& name,
                     const Entry& entry);
  // When its condition says that it failed: that it no longer does.
  void TellInForce(const std::string& id, Entry& entry);
  // Says that it failed, or no longer does.
  absl::Status Tell(const domain::ServerCertificateName& name, bool failed,
                    const std::string& reason, const std::string& message);

  const Context context_;
  ServerCertificates* const certificates_;
  const std::function<void(const Attempt&)> report_;
  std::unique_ptr<store::Watcher> changes_;
  absl::flat_hash_map<std::string, Entry> entries_;
  std::set<std::pair<absl::Time, std::string>> queue_;

  mutable absl::Mutex mu_;
  Counts counts_ ABSL_GUARDED_BY(mu_);
};

}  // namespace sallyport::service

#endif  // SALLYPORT_CONFIG_SERVICE_SERVICE_RENEWALS_H_
