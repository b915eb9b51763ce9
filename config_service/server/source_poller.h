// SourcePoller: looks at truststores' watched sources when they are due, some
// at a time.
//
// A source that does not answer holds a thread for as long as one reading may
// take. So that it does not hold up the others, those of one bucket (and of the
// file system) have at most half of the threads, and so have those that could
// not be read the last time.

#ifndef SALLYPORT_CONFIG_SERVICE_SERVER_SOURCE_POLLER_H_
#define SALLYPORT_CONFIG_SERVICE_SERVER_SOURCE_POLLER_H_

#include <deque>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/synchronization/mutex.h"
#include "base/clock.h"
#include "config_service/service/truststores.h"

namespace sallyport::server {

class SourcePoller {
 public:
  // Both outlive it.
  SourcePoller(service::Truststores* truststores, const Clock* clock);
  // Ends the threads, which may be in the middle of readings: waits for these.
  ~SourcePoller();
  SourcePoller(const SourcePoller&) = delete;
  SourcePoller& operator=(const SourcePoller&) = delete;

 private:
  struct Look {
    domain::TruststoreName name;
    std::string group;
  };

  void Schedule();
  void Work();
  // Begins what is due and has a place; whether all has.
  bool Begin(const std::vector<service::Truststores::DueSource>& due)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  service::Truststores* const truststores_;
  const Clock* const clock_;
  absl::Mutex mu_;
  bool stop_ ABSL_GUARDED_BY(mu_) = false;
  bool finished_one_ ABSL_GUARDED_BY(mu_) = false;
  std::deque<Look> begun_ ABSL_GUARDED_BY(mu_);  // not taken by a thread yet
  // Of those that are begun and not finished: names, and how many of a group.
  absl::flat_hash_set<std::string> under_way_ ABSL_GUARDED_BY(mu_);
  absl::flat_hash_map<std::string, size_t> of_group_ ABSL_GUARDED_BY(mu_);
  std::vector<std::thread> threads_;  // last: they use the others
};

}  // namespace sallyport::server

#endif  // SALLYPORT_CONFIG_SERVICE_SERVER_SOURCE_POLLER_H_
