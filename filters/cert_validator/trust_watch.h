// TrustWatch: tells the owner of something that stays open (a stream, a TCP
// connection) when the verdict about its client may have changed.

#ifndef SALLYPORT_FILTERS_CERT_VALIDATOR_TRUST_WATCH_H_
#define SALLYPORT_FILTERS_CERT_VALIDATOR_TRUST_WATCH_H_

#include <cstdint>
#include <functional>
#include <memory>

#include "absl/time/time.h"
#include "filters/cert_validator/trust_state.h"
#include "settings/limits.h"

namespace sallyport::cert_validator {

// The longest time that something may be left open after its client has lost
// its trust.
using settings::kMaxEndAfter;

// One registration. Costs what it costs only where it is used: a short lock
// that one thread shares with the watching one.
//
// How. Each thread has a list of its own of what it registered. One background
// thread in the process sleeps until the trust of some domain changes, the
// earliest time comes, or a second has passed (the clock may be set), and then
// looks through the lists. It starts with the first registration, blocks all
// signals, and is never joined: the module stays loaded until the process ends.
class TrustWatch {
 public:
  // Calls `wake` once: as soon as the changes() of `domain` are not `seen`
  // (what they were before the decision), or at `at`, whichever comes first (at
  // once, if that is now). On the background thread, so `wake` must not block
  // nor throw, and must not make or destroy a TrustWatch: it posts an event to
  // the owner's worker.
  TrustWatch(std::shared_ptr<const DomainTrust> domain, uint64_t seen,
             absl::Time at, std::function<void()> wake);
  // Afterwards `wake` is not running and will not run. Any thread; in practice
  // the one that made it.
  ~TrustWatch();
  TrustWatch(const TrustWatch&) = delete;
  TrustWatch& operator=(const TrustWatch&) = delete;

 private:
  struct Shard;
  struct Entry;
  class Watcher;

  static const std::shared_ptr<Shard>& ThreadShard();

  std::shared_ptr<Shard> shard_;
  std::unique_ptr<Entry> entry_;
};

}  // namespace sallyport::cert_validator

#endif  // SALLYPORT_FILTERS_CERT_VALIDATOR_TRUST_WATCH_H_
