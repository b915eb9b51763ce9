#include "filters/cert_validator/refused_updates.h"

#include <algorithm>
#include <map>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace sallyport::cert_validator {
namespace {

struct State {
  absl::Mutex mu;
  std::map<RefusedUpdates::Update, uint64_t> counts ABSL_GUARDED_BY(mu);
  std::vector<const RefusedUpdates::Counter*> counters ABSL_GUARDED_BY(mu);
};

State& Global() {
  static auto& state = *new State;  // never destroyed
  return state;
}

}  // namespace

void RefusedUpdates::Add(absl::string_view file, absl::string_view why) {
  State& state = Global();
  absl::MutexLock lock(&state.mu);
  ++state.counts[{std::string(file), std::string(why)}];
  if (!state.counters.empty()) state.counters.back()->wake_();
}

RefusedUpdates::Counter::Counter(std::function<void()> wake)
    : wake_(std::move(wake)) {
  State& state = Global();
  absl::MutexLock lock(&state.mu);
  state.counters.push_back(this);
  // What came while nobody counted.
  if (!state.counts.empty()) wake_();
}

RefusedUpdates::Counter::~Counter() {
  State& state = Global();
  absl::MutexLock lock(&state.mu);
  auto& all = state.counters;
  all.erase(std::find(all.begin(), all.end(), this));
  // It may have been woken, and not have come to take.
  if (!state.counts.empty() && !all.empty()) all.back()->wake_();
}

std::vector<std::pair<RefusedUpdates::Update, uint64_t>>
RefusedUpdates::Counter::Take() {
  State& state = Global();
  absl::MutexLock lock(&state.mu);
  std::vector<std::pair<Update, uint64_t>> taken(state.counts.begin(),
                                                 state.counts.end());
  state.counts.clear();
  return taken;
}

}  // namespace sallyport::cert_validator
