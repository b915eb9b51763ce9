#include "config_service/server/source_poller.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace sallyport::server {
namespace {

// How soon a source that was just given a watch is noticed, and the least time
// between two rounds.
constexpr absl::Duration kLongestWait = absl::Seconds(5);
constexpr absl::Duration kShortestWait = absl::Milliseconds(200);

// Sources that are looked at at one time, and those of one group.
constexpr size_t kAtOnce = 8;
constexpr size_t kAtOnceOfGroup = 4;

// No URI is like it.
constexpr absl::string_view kFailing = "failing";

// "s3://BUCKET/", "file://".
absl::string_view GroupOf(absl::string_view uri) {
  const size_t begin = uri.find("://");
  if (begin == absl::string_view::npos) return uri;
  if (!absl::StartsWith(uri, "s3://")) return uri.substr(0, begin);
  return uri.substr(0, uri.find('/', begin + 3));
}

}  // namespace

SourcePoller::SourcePoller(service::Truststores* truststores,
                           const Clock* clock)
    : truststores_(truststores), clock_(clock) {
  threads_.emplace_back([this] { Schedule(); });
  for (size_t i = 0; i < kAtOnce; ++i) {
    threads_.emplace_back([this] { Work(); });
  }
}

SourcePoller::~SourcePoller() {
  {
    absl::MutexLock lock(&mu_);
    stop_ = true;
  }
  for (std::thread& thread : threads_) thread.join();
}

void SourcePoller::Schedule() {
  while (true) {
    const service::Truststores::WatchedSources sources =
        truststores_->FindDueSources();
    const absl::Duration wait =
        std::clamp(sources.next - clock_->Now(), kShortestWait, kLongestWait);
    absl::MutexLock lock(&mu_);
    const bool all_begun = Begin(sources.due);
    finished_one_ = false;
    const auto stop = [this]() { return stop_; };
    if (mu_.AwaitWithTimeout(absl::Condition(&stop), kShortestWait)) return;
    // Those that are due already wait for a place.
    const auto look = [this, all_begun]() {
      return stop_ || (finished_one_ && !all_begun);
    };
    mu_.AwaitWithTimeout(absl::Condition(&look), wait - kShortestWait);
    if (stop_) return;
  }
}

bool SourcePoller::Begin(
    const std::vector<service::Truststores::DueSource>& due) {
  bool all_begun = true;
  for (const service::Truststores::DueSource& source : due) {
    std::string name = source.name.ToString();
    if (under_way_.contains(name)) continue;
    if (under_way_.size() >= kAtOnce) return false;
    std::string group(source.failing ? kFailing : GroupOf(source.uri));
    size_t& of_group = of_group_[group];
    if (of_group >= kAtOnceOfGroup) {
      all_begun = false;
      continue;
    }
    ++of_group;
    under_way_.insert(std::move(name));
    begun_.push_back({source.name, std::move(group)});
  }
  return all_begun;
}

void SourcePoller::Work() {
  while (true) {
    Look look;
    {
      absl::MutexLock lock(&mu_);
      const auto ready = [this]() { return stop_ || !begun_.empty(); };
      mu_.Await(absl::Condition(&ready));
      if (stop_) return;
      look = std::move(begun_.front());
      begun_.pop_front();
    }
    truststores_->LookAtSource(look.name);
    absl::MutexLock lock(&mu_);
    under_way_.erase(look.name.ToString());
    if (--of_group_[look.group] == 0) of_group_.erase(look.group);
    finished_one_ = true;
  }
}

}  // namespace sallyport::server
