#include "config_service/server/expiry_watch.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "config_service/server/log.h"

namespace sallyport::server {
namespace {

// How soon a change is noticed, and the least time between two looks.
constexpr absl::Duration kLongestWait = absl::Seconds(1);
constexpr absl::Duration kShortestWait = absl::Milliseconds(50);

}  // namespace

ExpiryWatch::ExpiryWatch(service::Expiries* expiries, const Clock* clock)
    : expiries_(expiries), clock_(clock), thread_([this] { Run(); }) {}

ExpiryWatch::~ExpiryWatch() {
  stop_.Notify();
  thread_.join();
}

void ExpiryWatch::Run() {
  bool failing = false;
  while (!stop_.HasBeenNotified()) {
    const absl::StatusOr<absl::Time> next = expiries_->Look();
    if (!next.ok() && !failing) {
      LogError("expiries cannot be looked at",
               {{"details", next.status().ToString()}});
    }
    failing = !next.ok();
    const absl::Duration wait =
        next.ok()
            ? std::clamp(*next - clock_->Now(), kShortestWait, kLongestWait)
            : kLongestWait;
    stop_.WaitForNotificationWithTimeout(wait);
  }
}

std::string ExpiryMetrics(const service::Expiries& expiries, absl::Time now) {
  std::string out =
      "# HELP sallyport_expiry_seconds Until the first certificate of a "
      "resource that is in use expires, or its revocation list is due; "
      "negative: since.\n# TYPE sallyport_expiry_seconds gauge\n";
  size_t listed = 0;
  // Names of resources need no escaping.
  for (const service::Expiry& expiry : expiries.All()) {
    if (++listed > kMaxListedExpiries) break;
    absl::StrAppend(&out, "sallyport_expiry_seconds{resource=\"",
                    expiry.resource, "\"} ",
                    absl::ToInt64Seconds(expiry.time - now), "\n");
  }
  return out;
}

}  // namespace sallyport::server
