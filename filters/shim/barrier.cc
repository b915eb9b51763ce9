#include "filters/shim/barrier.h"

#include <exception>

#include "absl/strings/str_cat.h"
#include "base/text.h"
#include "filters/shim/log.h"

namespace sallyport::shim {
namespace {

bool IsPowerOfTen(uint64_t n) {
  while (n >= 10 && n % 10 == 0) n /= 10;
  return n == 1;
}

}  // namespace

void HookSite::Report(const char* what) noexcept {
  const uint64_t count = failures_.fetch_add(1, std::memory_order_relaxed) + 1;
  if (!IsPowerOfTen(count)) return;
  try {
    Log(LogLevel::kError,
        absl::StrCat("internal error in ", name_, ", answered by refusing (",
                     count, count == 1 ? " time" : " times",
                     " so far): ", Printable(what == nullptr ? "" : what)));
  } catch (...) {
    // Out of memory while reporting: the refusal stands, the line is lost.
  }
}

}  // namespace sallyport::shim
