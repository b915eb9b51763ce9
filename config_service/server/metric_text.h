// AddMetric: one metric in the text format of Prometheus
// (https://prometheus.io/docs/instrumenting/exposition_formats/).

#ifndef SALLYPORT_CONFIG_SERVICE_SERVER_METRIC_TEXT_H_
#define SALLYPORT_CONFIG_SERVICE_SERVER_METRIC_TEXT_H_

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace sallyport::server {

// Appends a metric without labels. `type` is "gauge" or "counter".
inline void AddMetric(absl::string_view name, absl::string_view type,
                      absl::string_view help, const absl::AlphaNum& value,
                      std::string& out) {
  absl::StrAppend(&out, "# HELP ", name, " ", help, "\n");
  absl::StrAppend(&out, "# TYPE ", name, " ", type, "\n");
  absl::StrAppend(&out, name, " ", value, "\n");
}

}  // namespace sallyport::server

#endif  // SALLYPORT_CONFIG_SERVICE_SERVER_METRIC_TEXT_H_
