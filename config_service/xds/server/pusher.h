// Pusher: one thread that does what nobody else has occasion to do: sends what
// was published to the streams of a fleet, and what is due at a time.

#ifndef SALLYPORT_CONFIG_SERVICE_XDS_SERVER_PUSHER_H_
#define SALLYPORT_CONFIG_SERVICE_XDS_SERVER_PUSHER_H_

#include <functional>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_set.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace sallyport::xds {

// Thread-safety: may be used by any number of threads at once.
class Pusher {
 public:
  // `push_fleet` is called with the name of each fleet that was asked for,
  // `tick` about every `tick_every`; both by the thread, without locks held.
  Pusher(std::function<void(const std::string&)> push_fleet,
         std::function<void()> tick, absl::Duration tick_every);
  ~Pusher() { Stop(); }
  Pusher(const Pusher&) = delete;
  Pusher& operator=(const Pusher&) = delete;

  // Asked for again before it was begun, a fleet is pushed once.
  void PushFleet(const std::string& fleet);
  // Runs `task` at `time` (of the machine's clock) or soon after.
  void RunAt(absl::Time time, std::function<void()> task);

  // Ends the thread; what is still waiting is dropped. Idempotent.
  void Stop();

 private:
  void Run();

  const std::function<void(const std::string&)> push_fleet_;
  const std::function<void()> tick_;
  const absl::Duration tick_every_;

  absl::Mutex mu_;
  absl::CondVar wake_;
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  absl::flat_hash_set<std::string> fleets_ ABSL_GUARDED_BY(mu_);
  std::multimap<absl::Time, std::function<void()>> tasks_ ABSL_GUARDED_BY(mu_);
  std::thread thread_;  // last: it uses the others
};

}  // namespace sallyport::xds

#endif  // SALLYPORT_CONFIG_SERVICE_XDS_SERVER_PUSHER_H_
