#include "config_service/server/source_poller.h"

#include <algorithm>

#include "absl/time/time.h"

namespace sallyport::server {
namespace {

// How soon a source that was just given a watch is noticed, and the least time
// between two rounds.
constexpr absl::Duration kLongestWait = absl::Seconds(5);
constexpr absl::Duration kShortestWait = absl::Milliseconds(200);

}  // namespace

SourcePoller::SourcePoller(service::Truststores* truststores,
                           const Clock* clock)
    : truststores_(truststores), clock_(clock), thread_([this] { Run(); }) {}

SourcePoller::~SourcePoller() {
  stop_.Notify();
  thread_.join();
}

void SourcePoller::Run() {
  while (!stop_.HasBeenNotified()) {
    const absl::Time next = truststores_->PollSources();
    stop_.WaitForNotificationWithTimeout(
        std::clamp(next - clock_->Now(), kShortestWait, kLongestWait));
  }
}

}  // namespace sallyport::server
