#include "filters/cert_validator/refused_handshakes.h"

#include <algorithm>

#include "absl/container/flat_hash_map.h"

namespace sallyport::cert_validator {

std::shared_ptr<RefusedHandshakes> RefusedHandshakes::For(
    absl::string_view domain) {
  static absl::Mutex mu(absl::kConstInit);
  static auto& all =
      *new absl::flat_hash_map<std::string, std::weak_ptr<RefusedHandshakes>>;
  absl::MutexLock lock(&mu);
  std::weak_ptr<RefusedHandshakes>& known = all[std::string(domain)];
  std::shared_ptr<RefusedHandshakes> shared = known.lock();
  if (shared != nullptr) return shared;
  // As many entries as there are domains, not as there were.
  const std::string name(domain);
  for (auto it = all.begin(); it != all.end();) {
    if (it->second.expired() && it->first != name) {
      all.erase(it++);
    } else {
      ++it;
    }
  }
  shared.reset(new RefusedHandshakes);
  all[name] = shared;
  return shared;
}

void RefusedHandshakes::Add(pki::Reason reason) {
  const auto i = static_cast<size_t>(reason);
  if (i >= counts_.size()) return;
  counts_[i].fetch_add(1);
  if (!woken_.exchange(true)) Wake();
}

std::vector<std::pair<pki::Reason, uint64_t>> RefusedHandshakes::Take() {
  // First: what is added from here on wakes again.
  woken_.store(false);
  std::vector<std::pair<pki::Reason, uint64_t>> taken;
  for (size_t i = 0; i < counts_.size(); ++i) {
    const uint64_t count = counts_[i].exchange(0);
    if (count > 0) taken.emplace_back(static_cast<pki::Reason>(i), count);
  }
  return taken;
}

void RefusedHandshakes::Wake() {
  absl::MutexLock lock(&mu_);
  if (!counters_.empty()) counters_.back()->wake_();
}

RefusedHandshakes::Counter::Counter(std::shared_ptr<RefusedHandshakes> of,
                                    std::function<void()> wake)
    : of_(std::move(of)), wake_(std::move(wake)) {
  absl::MutexLock lock(&of_->mu_);
  of_->counters_.push_back(this);
  of_->num_counters_.fetch_add(1);
  // What came while nobody counted, or what an earlier one did not take.
  if (of_->woken_.load()) wake_();
}

RefusedHandshakes::Counter::~Counter() {
  absl::MutexLock lock(&of_->mu_);
  const bool was_last = of_->counters_.back() == this;
  of_->num_counters_.fetch_sub(1);
  of_->counters_.erase(
      std::find(of_->counters_.begin(), of_->counters_.end(), this));
  // It may have been woken, and not have come to take.
  if (was_last && !of_->counters_.empty() && of_->woken_.load()) {
    of_->counters_.back()->wake_();
  }
}

}  // namespace sallyport::cert_validator
