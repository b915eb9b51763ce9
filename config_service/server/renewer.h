// Renewer: renews certificates that issuers made, when they are due.

#ifndef SALLYPORT_CONFIG_SERVICE_SERVER_RENEWER_H_
#define SALLYPORT_CONFIG_SERVICE_SERVER_RENEWER_H_

#include <string>
#include <thread>

#include "absl/synchronization/notification.h"
#include "config_service/service/renewals.h"

namespace sallyport::server {

class Renewer {
 public:
  // What both are made with outlives it.
  Renewer(const service::Context& context,
          service::ServerCertificates* certificates);
  // Ends the thread, which may be in the middle of a renewal: waits for it.
  ~Renewer();
  Renewer(const Renewer&) = delete;
  Renewer& operator=(const Renewer&) = delete;

  // In the text format of Prometheus. Thread-safe.
  std::string MetricsText() const;

 private:
  void Run();

  const Clock* const clock_;
  service::Renewals renewals_;
  absl::Notification stop_;
  std::thread thread_;
};

}  // namespace sallyport::server

#endif  // SALLYPORT_CONFIG_SERVICE_SERVER_RENEWER_H_
