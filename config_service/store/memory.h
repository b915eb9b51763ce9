// The engine that keeps everything in memory: for tests. It keeps every promise
// of store.h but to be there after the process.

#ifndef SALLYPORT_CONFIG_SERVICE_STORE_MEMORY_H_
#define SALLYPORT_CONFIG_SERVICE_STORE_MEMORY_H_

#include <memory>

#include "absl/time/time.h"
#include "base/clock.h"
#include "config_service/store/store.h"

namespace sallyport::store {

struct MemoryOptions {
  HistoryOptions history;
  // How long a blob that nothing names is kept, by `clock`, which must outlive
  // the store.
  absl::Duration blob_grace = kDefaultBlobGrace;
  const Clock* clock = &Clock::System();
};

// NewMemoryStore: an empty store of a new lineage.
std::unique_ptr<Store> NewMemoryStore(const MemoryOptions& options = {});

}  // namespace sallyport::store

#endif  // SALLYPORT_CONFIG_SERVICE_STORE_MEMORY_H_
