// RefusedUpdates: new contents of files that did not come into force, until
// somebody counts them. Files are read on the watcher's thread, and Envoy gives
// that no metrics: an HTTP filter counts, whichever domain it is of.

#ifndef SALLYPORT_FILTERS_CERT_VALIDATOR_REFUSED_UPDATES_H_
#define SALLYPORT_FILTERS_CERT_VALIDATOR_REFUSED_UPDATES_H_

#include <cstdint>
#include <functional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"

namespace sallyport::cert_validator {

// One for the process. Thread-safe.
class RefusedUpdates {
 public:
  // Why: the content is refused; the file was written to in place; it is gone.
  static constexpr absl::string_view kContent = "content";
  static constexpr absl::string_view kInPlace = "in_place";
  static constexpr absl::string_view kGone = "gone";

  struct Update {
    std::string file;  // what it is for: FollowedFile::Format::noun
    std::string why;

    bool operator<(const Update& other) const {
      return std::tie(file, why) < std::tie(other.file, other.why);
    }
  };

  // One more. Wakes a counter.
  static void Add(absl::string_view file, absl::string_view why);

  // Counter: somebody who takes. `wake` is called on any thread, under a lock,
  // when there is something to take: it must only post. Of several the one that
  // came last is woken; after the destructor `wake` is not called any more.
  class Counter {
   public:
    explicit Counter(std::function<void()> wake);
    ~Counter();
    Counter(const Counter&) = delete;
    Counter& operator=(const Counter&) = delete;

    // What was added since anybody's last call.
    static std::vector<std::pair<Update, uint64_t>> Take();

   private:
    friend class RefusedUpdates;
    const std::function<void()> wake_;
  };
};

}  // namespace sallyport::cert_validator

#endif  // SALLYPORT_FILTERS_CERT_VALIDATOR_REFUSED_UPDATES_H_
