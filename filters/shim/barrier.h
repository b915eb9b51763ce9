// The barrier around every hook: no exception crosses into Envoy, and whatever
// goes wrong ends in the answer that lets nobody in.

#ifndef SALLYPORT_FILTERS_SHIM_BARRIER_H_
#define SALLYPORT_FILTERS_SHIM_BARRIER_H_

#include <atomic>
#include <cstdint>
#include <exception>
#include <utility>

namespace sallyport::shim {

// HookSite: one hook's name and how often it failed. One constant-initialised
// object for each hook. Thread-safe.
class HookSite {
 public:
  constexpr explicit HookSite(const char* name) : name_(name) {}

  const char* name() const { return name_; }
  uint64_t failures() const {
    return failures_.load(std::memory_order_relaxed);
  }

  // Counts a failure. Logs the first one at error level, then each time the
  // count reaches a power of ten, so that a hook that fails on every request
  // does not fill the log. Never throws. `what` is made printable.
  void Report(const char* what) noexcept;

 private:
  const char* name_;
  std::atomic<uint64_t> failures_{0};
};

// Guarded: runs `body` and returns its result; when it throws anything at all,
// reports to `site` and returns `refusal` instead. `refusal` is the answer that
// rejects: it is written out at each hook, never a default.
template <typename Result, typename Body>
Result Guarded(HookSite& site, Result refusal, Body&& body) noexcept {
  try {
    return std::forward<Body>(body)();
  } catch (const std::exception& e) {
    site.Report(e.what());
  } catch (...) {
    site.Report("an exception that is no std::exception");
  }
  return refusal;
}

// The same for hooks without an answer.
template <typename Body>
void GuardedVoid(HookSite& site, Body&& body) noexcept {
  Guarded(site, 0, [&body] {
    std::forward<Body>(body)();
    return 0;
  });
}

}  // namespace sallyport::shim

#endif  // SALLYPORT_FILTERS_SHIM_BARRIER_H_
