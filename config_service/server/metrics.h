// Metrics in the text format of Prometheus.

#ifndef SALLYPORT_CONFIG_SERVICE_SERVER_METRICS_H_
#define SALLYPORT_CONFIG_SERVICE_SERVER_METRICS_H_

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "config_service/api/gate.h"
#include "config_service/store/store.h"

namespace sallyport::server {

// Upper ends of the latency's buckets, in seconds.
constexpr std::array<double, 9> kLatencyBuckets = {
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 2, 10};

// Counts calls of the API. Thread-safe. Labels are methods and codes alone,
// which are few: no callers, no names.
class Metrics {
 public:
  void Count(const api::CallRecord& record);

  // Everything, with what `store` says of itself.
  std::string Text(store::Store& store) const;

 private:
  struct Latency {
    std::array<int64_t, kLatencyBuckets.size()> buckets = {};
    int64_t count = 0;
    double sum = 0;
  };
  mutable absl::Mutex mu_;
  std::map<std::pair<std::string, std::string>, int64_t> calls_
      ABSL_GUARDED_BY(mu_);
  std::map<std::string, Latency> latency_ ABSL_GUARDED_BY(mu_);
};

// "NOT_FOUND".
std::string CodeName(grpc::StatusCode code);

}  // namespace sallyport::server

#endif  // SALLYPORT_CONFIG_SERVICE_SERVER_METRICS_H_
