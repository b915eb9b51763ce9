// ExpiryWatch: looks at what expires when it is due.

#ifndef SALLYPORT_CONFIG_SERVICE_SERVER_EXPIRY_WATCH_H_
#define SALLYPORT_CONFIG_SERVICE_SERVER_EXPIRY_WATCH_H_

#include <string>
#include <thread>

#include "absl/synchronization/notification.h"
#include "base/clock.h"
#include "config_service/service/expiries.h"

namespace sallyport::server {

class ExpiryWatch {
 public:
  // Both outlive it.
  ExpiryWatch(service::Expiries* expiries, const Clock* clock);
  // Ends the thread.
  ~ExpiryWatch();
  ExpiryWatch(const ExpiryWatch&) = delete;
  ExpiryWatch& operator=(const ExpiryWatch&) = delete;

 private:
  void Run();

  service::Expiries* const expiries_;
  const Clock* const clock_;
  absl::Notification stop_;
  std::thread thread_;
};

// Resources that the metric has; beyond it those that expire last are left out.
constexpr size_t kMaxListedExpiries = 10000;

// sallyport_expiry_seconds, one sample for each resource, in the text format of
// Prometheus.
std::string ExpiryMetrics(const service::Expiries& expiries, absl::Time now);

}  // namespace sallyport::server

#endif  // SALLYPORT_CONFIG_SERVICE_SERVER_EXPIRY_WATCH_H_
