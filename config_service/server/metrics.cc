#include "config_service/server/metrics.h"

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "config_service/server/metric_text.h"

namespace sallyport::server {

std::string CodeName(grpc::StatusCode code) {
  return absl::StatusCodeToString(static_cast<absl::StatusCode>(code));
}

void Metrics::Count(const api::CallRecord& record) {
  const double seconds = absl::ToDoubleSeconds(record.duration);
  absl::MutexLock lock(&mu_);
  ++calls_[{record.method, CodeName(record.code)}];
  Latency& latency = latency_[record.method];
  ++latency.count;
  latency.sum += seconds;
  for (size_t i = 0; i < kLatencyBuckets.size(); ++i) {
    if (seconds <= kLatencyBuckets[i]) ++latency.buckets[i];
  }
}

std::string Metrics::Text(store::Store& store) const {
  std::string out;
  const auto gauge = [&out](absl::string_view name, absl::string_view help,
                            int64_t value) {
    AddMetric(name, "gauge", help, value, out);
  };
  const absl::StatusOr<store::StoreStats> stats = store.Stats();
  gauge("sallyport_store_up", "Whether the store takes changes.",
        store.Health().ok() ? 1 : 0);
  if (stats.ok()) {
    gauge("sallyport_store_revision", "The newest revision.",
          stats->revision.value());
    gauge("sallyport_store_compacted_revision",
          "The oldest revision that can be read.", stats->compacted.value());
    gauge("sallyport_store_records", "Live records.", stats->records);
    gauge("sallyport_store_blobs", "Contents kept apart from records.",
          stats->blobs);
    gauge("sallyport_store_blob_bytes", "Their bytes.", stats->blob_bytes);
    gauge("sallyport_store_disk_bytes", "What the store takes on disk.",
          stats->disk_bytes);
  }
  absl::MutexLock lock(&mu_);
  absl::StrAppend(&out,
                  "# HELP sallyport_api_calls_total Calls of the API.\n"
                  "# TYPE sallyport_api_calls_total counter\n");
  for (const auto& [key, count] : calls_) {
    absl::StrAppend(&out, "sallyport_api_calls_total{method=\"", key.first,
                    "\",code=\"", key.second, "\"} ", count, "\n");
  }
  absl::StrAppend(&out,
                  "# HELP sallyport_api_call_seconds How long calls took.\n"
                  "# TYPE sallyport_api_call_seconds histogram\n");
  for (const auto& [method, latency] : latency_) {
    for (size_t i = 0; i < kLatencyBuckets.size(); ++i) {
      absl::StrAppend(&out, "sallyport_api_call_seconds_bucket{method=\"",
                      method, "\",le=\"", kLatencyBuckets[i], "\"} ",
                      latency.buckets[i], "\n");
    }
    absl::StrAppend(&out, "sallyport_api_call_seconds_bucket{method=\"", method,
                    "\",le=\"+Inf\"} ", latency.count, "\n",
                    "sallyport_api_call_seconds_sum{method=\"", method, "\"} ",
                    latency.sum, "\n",
                    "sallyport_api_call_seconds_count{method=\"", method,
                    "\"} ", latency.count, "\n");
  }
  return out;
}

}  // namespace sallyport::server
