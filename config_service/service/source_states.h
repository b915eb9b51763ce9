// SourceStates: what is known of the sources that are watched.

#ifndef SALLYPORT_CONFIG_SERVICE_SERVICE_SOURCE_STATES_H_
#define SALLYPORT_CONFIG_SERVICE_SERVICE_SOURCE_STATES_H_

#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "config_service/domain/common.h"

namespace sallyport::service {

// Thread-safe. In memory: after a start every source is looked at again.
class SourceStates {
 public:
  struct State {
    std::string uri;
    // Of what was looked at last, also when it was refused; empty: nothing.
    std::string etag;
    absl::Time next_look = absl::InfinitePast();
    // "SourceReachable".
    std::optional<domain::Condition> condition;
  };

  // By the truststore's name; nothing is known: a new State.
  State Get(const std::string& truststore) const {
    absl::MutexLock lock(&mu_);
    const auto found = states_.find(truststore);
    return found == states_.end() ? State() : found->second;
  }
  void Set(const std::string& truststore, State state) {
    absl::MutexLock lock(&mu_);
    states_[truststore] = std::move(state);
  }
  // Forgets all that `keep` does not have.
  template <typename Set>
  void Keep(const Set& keep) {
    absl::MutexLock lock(&mu_);
    absl::erase_if(states_, [&](const auto& state) {
      return !keep.contains(state.first);
    });
  }

 private:
  mutable absl::Mutex mu_;
  absl::flat_hash_map<std::string, State> states_ ABSL_GUARDED_BY(mu_);
};

}  // namespace sallyport::service

#endif  // SALLYPORT_CONFIG_SERVICE_SERVICE_SOURCE_STATES_H_
