#include "filters/cert_validator/trust_watch.h"

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_set.h"
#include "absl/synchronization/mutex.h"
#include "filters/shim/background_thread.h"
#include "filters/shim/clock.h"

namespace sallyport::cert_validator {

struct TrustWatch::Entry {
  std::shared_ptr<const DomainTrust> domain;
  uint64_t seen;
  absl::Time at;
  std::function<void()> wake;

  bool IsDue(absl::Time now) const {
    return now >= at || domain->changes() != seen;
  }
};

struct TrustWatch::Shard {
  absl::Mutex mu;
  // Those that were not woken yet.
  absl::flat_hash_set<Entry*> waiting ABSL_GUARDED_BY(mu);
};

// The background thread.
class TrustWatch::Watcher {
 public:
  static Watcher& Global() {
    static auto& watcher = *new Watcher;  // never destroyed
    return watcher;
  }

  void AddShard(const std::shared_ptr<Shard>& shard) {
    absl::MutexLock lock(&mu_);
    // Those of threads that have ended.
    shards_.erase(
        std::remove_if(shards_.begin(), shards_.end(),
                       [](const auto& weak) { return weak.expired(); }),
        shards_.end());
    shards_.push_back(shard);
    if (!started_) Start();
  }

  // Makes the thread look no later than `at`. A lock only when that is earlier
  // than what it waits for.
  void Expect(absl::Time at) {
    if (at >= absl::FromUnixNanos(next_.load())) return;
    absl::MutexLock lock(&mu_);
    if (at < absl::FromUnixNanos(next_.load())) {
      SetNext(at);
      look_ = true;
    }
  }

 private:
  Watcher() = default;

  void Start() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    started_ = true;
    DomainTrust::SetChangeHook([] {
      Watcher& watcher = Global();
      absl::MutexLock lock(&watcher.mu_);
      watcher.look_ = true;
    });
    shim::StartBackgroundThread("sallyport:trust", [this] { Run(); });
  }

  void SetNext(absl::Time at) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    next_.store(absl::ToUnixNanos(std::clamp(at, absl::UnixEpoch(), kLatest)));
  }

  void Run() {
    absl::Time last = absl::InfinitePast();
    while (true) {
      std::vector<std::shared_ptr<Shard>> shards;
      {
        absl::MutexLock lock(&mu_);
        absl::Time now = shim::ModuleClock().Now();
        const absl::Time next = absl::FromUnixNanos(next_.load());
        mu_.AwaitWithTimeout(
            absl::Condition(&look_),
            std::clamp(next - now, absl::ZeroDuration(), kTick));
        now = shim::ModuleClock().Now();
        // The clock may have been set, either way.
        const bool time_moved = now >= next || now < last;
        last = now;
        if (!look_ && !time_moved) continue;
        look_ = false;
        SetNext(kLatest);
        for (const auto& weak : shards_) {
          if (auto shard = weak.lock()) shards.push_back(std::move(shard));
        }
      }
      absl::Time next = kLatest;
      for (const auto& shard : shards) next = std::min(next, Look(*shard));
      absl::MutexLock lock(&mu_);
      if (next < absl::FromUnixNanos(next_.load())) SetNext(next);
    }
  }

  // Wakes what is due; the earliest time among the others.
  static absl::Time Look(Shard& shard) {
    const absl::Time now = shim::ModuleClock().Now();
    absl::Time next = absl::InfiniteFuture();
    absl::MutexLock lock(&shard.mu);
    for (auto it = shard.waiting.begin(); it != shard.waiting.end();) {
      Entry* const entry = *it;
      if (entry->IsDue(now)) {
        shard.waiting.erase(it++);
        entry->wake();  // under the lock: ~TrustWatch() waits for it
      } else {
        next = std::min(next, entry->at);
        ++it;
      }
    }
    return next;
  }

  static constexpr absl::Duration kTick = absl::Seconds(1);
  // About the last one that nanoseconds can tell.
  static inline const absl::Time kLatest = absl::FromUnixSeconds(9000000000);

  absl::Mutex mu_;
  bool started_ ABSL_GUARDED_BY(mu_) = false;
  bool look_ ABSL_GUARDED_BY(mu_) = false;
  // Nanoseconds since 1970: when the thread will look by itself. Written under
  // mu_.
  std::atomic<int64_t> next_{absl::ToUnixNanos(kLatest)};
  std::vector<std::weak_ptr<Shard>> shards_ ABSL_GUARDED_BY(mu_);
};

const std::shared_ptr<TrustWatch::Shard>& TrustWatch::ThreadShard() {
  static thread_local const std::shared_ptr<Shard> shard = [] {
    auto made = std::make_shared<Shard>();
    Watcher::Global().AddShard(made);
    return made;
  }();
  return shard;
}

TrustWatch::TrustWatch(std::shared_ptr<const DomainTrust> domain, uint64_t seen,
                       absl::Time at, std::function<void()> wake)
    : shard_(ThreadShard()),
      entry_(std::make_unique<Entry>(
          Entry{std::move(domain), seen, at, std::move(wake)})) {
  {
    absl::MutexLock lock(&shard_->mu);
    shard_->waiting.insert(entry_.get());
  }
  // The change may have come before the registration: the hook has rung then.
  const bool changed = entry_->domain->changes() != seen;
  Watcher::Global().Expect(changed ? absl::UnixEpoch() : at);
}

TrustWatch::~TrustWatch() {
  absl::MutexLock lock(&shard_->mu);
  shard_->waiting.erase(entry_.get());
}

}  // namespace sallyport::cert_validator
