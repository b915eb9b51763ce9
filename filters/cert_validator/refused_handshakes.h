// RefusedHandshakes: handshakes that a domain's validator refused, by reason,
// until somebody counts them. Envoy gives validators no metrics, and no request
// comes of a refused handshake: the HTTP filter of the same domain counts.

#ifndef SALLYPORT_FILTERS_CERT_VALIDATOR_REFUSED_HANDSHAKES_H_
#define SALLYPORT_FILTERS_CERT_VALIDATOR_REFUSED_HANDSHAKES_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "pki/chain/verify.h"

namespace sallyport::cert_validator {

// For warnings about a validator and a filter whose `rejection` differs.
inline constexpr absl::string_view kBothStyles =
    "The filter's style decides; the validator needs it for HANDSHAKE only, "
    "and then both must have it";

// One for each domain in the process; For() gives everybody the same one.
// Thread-safe.
class RefusedHandshakes {
 public:
  static std::shared_ptr<RefusedHandshakes> For(absl::string_view domain);

  RefusedHandshakes(const RefusedHandshakes&) = delete;
  RefusedHandshakes& operator=(const RefusedHandshakes&) = delete;

  // One more. Wakes the counter unless it has been woken and has not taken
  // anything since. Without a lock but for that.
  void Add(pki::Reason reason) ABSL_LOCKS_EXCLUDED(mu_);

  // What was added since the last call, without zeros.
  std::vector<std::pair<pki::Reason, uint64_t>> Take();

  // Counter: somebody who takes. `wake` is called on any thread, under a lock,
  // when there is something to take: it must only post. Of several the one that
  // came last is woken. After the destructor `wake` is not called any more.
  class Counter {
   public:
    Counter(std::shared_ptr<RefusedHandshakes> of, std::function<void()> wake);
    ~Counter();
    Counter(const Counter&) = delete;
    Counter& operator=(const Counter&) = delete;

    RefusedHandshakes& refused() const { return *of_; }

   private:
    friend class RefusedHandshakes;
    const std::shared_ptr<RefusedHandshakes> of_;
    const std::function<void()> wake_;
  };

  // OtherStyle: an HTTP filter of the domain that counts no handshakes, since
  // its style is another one than HANDSHAKE.
  class OtherStyle {
   public:
    explicit OtherStyle(std::shared_ptr<RefusedHandshakes> of)
        : of_(std::move(of)) {
      of_->num_others_.fetch_add(1);
    }
    ~OtherStyle() { of_->num_others_.fetch_sub(1); }
    OtherStyle(const OtherStyle&) = delete;
    OtherStyle& operator=(const OtherStyle&) = delete;

   private:
    const std::shared_ptr<RefusedHandshakes> of_;
  };

  // All HTTP filters of the domain that are here have another style. Lock-free.
  bool HasOtherStylesOnly() const {
    return num_counters_.load() == 0 && num_others_.load() > 0;
  }

 private:
  RefusedHandshakes() = default;
  void Wake() ABSL_LOCKS_EXCLUDED(mu_);

  std::array<std::atomic<uint64_t>, pki::kNumReasons> counts_{};
  std::atomic<bool> woken_{false};
  std::atomic<int> num_counters_{0};
  std::atomic<int> num_others_{0};
  absl::Mutex mu_;
  std::vector<const Counter*> counters_ ABSL_GUARDED_BY(mu_);
};

}  // namespace sallyport::cert_validator

#endif  // SALLYPORT_FILTERS_CERT_VALIDATOR_REFUSED_HANDSHAKES_H_
