#include "config_service/server/renewer.h"

#include <algorithm>

#include "absl/time/time.h"
#include "base/text.h"
#include "config_service/server/log.h"
#include "config_service/server/metric_text.h"

namespace sallyport::server {
namespace {

// How soon a change of certificates is noticed, and the least time between two
// looks.
constexpr absl::Duration kLongestWait = absl::Seconds(1);
constexpr absl::Duration kShortestWait = absl::Milliseconds(100);
// After an error of the store.
constexpr absl::Duration kErrorWait = absl::Seconds(10);

void Log(const service::Renewals::Attempt& attempt) {
  const std::string name = attempt.certificate.ToString();
  if (attempt.status.ok()) {
    LogInfo("certificate renewed", {{"certificate", name}});
    return;
  }
  LogError("certificate not renewed",
           {{"certificate", name},
            {"details", Printable(attempt.status.ToString(), 1024)},
            {"next", TimeText(attempt.next)}});
}

}  // namespace

Renewer::Renewer(const service::Context& context,
                 service::ServerCertificates* certificates)
    : clock_(context.clock),
      renewals_(context, certificates, Log),
      thread_([this] { Run(); }) {}

Renewer::~Renewer() {
  stop_.Notify();
  thread_.join();
}

void Renewer::Run() {
  const service::Cancelled cancelled = [this] {
    return stop_.HasBeenNotified();
  };
  bool failed = false;
  while (!cancelled()) {
    const absl::StatusOr<absl::Time> next = renewals_.Run(cancelled);
    absl::Duration wait = kErrorWait;
    if (next.ok()) {
      wait = std::clamp(*next - clock_->Now(), kShortestWait, kLongestWait);
    } else if (!failed) {
      LogError("renewals cannot go on",
               {{"details", Printable(next.status().ToString(), 1024)}});
    }
    failed = !next.ok();
    stop_.WaitForNotificationWithTimeout(wait);
  }
}

std::string Renewer::MetricsText() const {
  const service::Renewals::Counts counts = renewals_.counts();
  std::string out;
  AddMetric("sallyport_issued_certificates", "gauge",
            "Server certificates that issuers made.", counts.issued, out);
  AddMetric("sallyport_failing_renewals", "gauge",
            "Of these, whose last renewal failed.", counts.failing, out);
  AddMetric("sallyport_renewals_total", "counter", "Renewals since the start.",
            counts.renewed, out);
  AddMetric("sallyport_renewal_failures_total", "counter",
            "Renewals that failed since the start.", counts.failed, out);
  return out;
}

}  // namespace sallyport::server
