// The clock of the module.

#ifndef SALLYPORT_FILTERS_SHIM_CLOCK_H_
#define SALLYPORT_FILTERS_SHIM_CLOCK_H_

#include "base/clock.h"

namespace sallyport::shim {

// ModuleClock: the machine's clock, unless a test set another. Thread-safe.
const Clock& ModuleClock();

// Makes ModuleClock() return `clock` until the next call; null goes back to the
// machine's. `clock` outlives its use.
void SetModuleClockForTest(const Clock* clock);

}  // namespace sallyport::shim

#endif  // SALLYPORT_FILTERS_SHIM_CLOCK_H_
