#include "config_service/xds/server/pusher.h"

#include <algorithm>
#include <utility>

#include "absl/time/clock.h"

namespace sallyport::xds {

Pusher::Pusher(std::function<void(const std::string&)> push_fleet,
               std::function<void()> tick, absl::Duration tick_every)
    : push_fleet_(std::move(push_fleet)),
      tick_(std::move(tick)),
      tick_every_(tick_every),
      thread_([this] { Run(); }) {}

void Pusher::PushFleet(const std::string& fleet) {
  absl::MutexLock lock(&mu_);
  if (fleets_.insert(fleet).second) wake_.Signal();
}

void Pusher::RunAt(absl::Time time, std::function<void()> task) {
  absl::MutexLock lock(&mu_);
  const auto placed = tasks_.emplace(time, std::move(task));
  // A later one than those before it is not what the thread waits for.
  if (placed == tasks_.begin()) wake_.Signal();
}

void Pusher::Stop() {
  {
    absl::MutexLock lock(&mu_);
    stopping_ = true;
    wake_.Signal();
  }
  if (thread_.joinable()) thread_.join();
  absl::MutexLock lock(&mu_);
  tasks_.clear();
}

void Pusher::Run() {
  absl::Time next_tick = absl::Now() + tick_every_;
  while (true) {
    absl::flat_hash_set<std::string> fleets;
    std::vector<std::function<void()>> tasks;
    bool tick = false;
    {
      absl::MutexLock lock(&mu_);
      while (true) {
        if (stopping_) return;
        const absl::Time now = absl::Now();
        while (!tasks_.empty() && tasks_.begin()->first <= now) {
          tasks.push_back(std::move(tasks_.begin()->second));
          tasks_.erase(tasks_.begin());
        }
        fleets.swap(fleets_);
        tick = now >= next_tick;
        if (tick || !tasks.empty() || !fleets.empty()) break;
        absl::Time until = next_tick;
        if (!tasks_.empty()) until = std::min(until, tasks_.begin()->first);
        wake_.WaitWithDeadline(&mu_, until);
      }
    }
    for (const std::string& fleet : fleets) push_fleet_(fleet);
    for (const auto& task : tasks) task();
    if (tick) {
      tick_();
      next_tick = absl::Now() + tick_every_;
    }
  }
}

}  // namespace sallyport::xds
