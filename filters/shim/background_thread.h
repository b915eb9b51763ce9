// The module's own threads.

#ifndef SALLYPORT_FILTERS_SHIM_BACKGROUND_THREAD_H_
#define SALLYPORT_FILTERS_SHIM_BACKGROUND_THREAD_H_

#include <functional>

namespace sallyport::shim {

// Runs `run` on a thread of its own that gets no signals (Envoy's are not for
// it) and is never joined. `name`: at most 15 characters, what `top -H` shows.
void StartBackgroundThread(const char* name, std::function<void()> run);

}  // namespace sallyport::shim

#endif  // SALLYPORT_FILTERS_SHIM_BACKGROUND_THREAD_H_
