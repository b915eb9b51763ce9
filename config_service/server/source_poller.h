// SourcePoller: looks at truststores' watched sources when they are due.

#ifndef SALLYPORT_CONFIG_SERVICE_SERVER_SOURCE_POLLER_H_
#define SALLYPORT_CONFIG_SERVICE_SERVER_SOURCE_POLLER_H_

#include <thread>

#include "absl/synchronization/notification.h"
#include "base/clock.h"
#include "config_service/service/truststores.h"

namespace sallyport::server {

class SourcePoller {
 public:
  // Both outlive it.
  SourcePoller(service::Truststores* truststores, const Clock* clock);
  // Ends the thread, which may be in the middle of a reading: waits for it.
  ~SourcePoller();
  SourcePoller(const SourcePoller&) = delete;
  SourcePoller& operator=(const SourcePoller&) = delete;

 private:
  void Run();

  service::Truststores* const truststores_;
  const Clock* const clock_;
  absl::Notification stop_;
  std::thread thread_;
};

}  // namespace sallyport::server

#endif  // SALLYPORT_CONFIG_SERVICE_SERVER_SOURCE_POLLER_H_
