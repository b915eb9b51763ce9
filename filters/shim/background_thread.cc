#include "filters/shim/background_thread.h"

#include <pthread.h>
#include <signal.h>

#include <thread>
#include <utility>

namespace sallyport::shim {

void StartBackgroundThread(const char* name, std::function<void()> run) {
  // A thread inherits its mask.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  std::thread([name, run = std::move(run)] {
    pthread_setname_np(pthread_self(), name);
    run();
  }).detach();
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

}  // namespace sallyport::shim
