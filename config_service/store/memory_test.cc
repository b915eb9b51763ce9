#include "config_service/store/memory.h"

#include <memory>

#include "config_service/store/testing/conformance.h"
#include "gtest/gtest.h"

namespace sallyport::store {
namespace {

class MemoryEngine : public Engine {
 public:
  explicit MemoryEngine(const EngineOptions& options) {
    MemoryOptions made;
    made.history.revisions = options.history_revisions;
    made.blob_grace = options.blob_grace;
    made.clock = options.clock;
    store_ = NewMemoryStore(made);
  }

  Store& store() override { return *store_; }
  bool Reopen() override { return false; }

 private:
  std::unique_ptr<Store> store_;
};

std::unique_ptr<Engine> MakeMemoryEngine(const EngineOptions& options) {
  return std::make_unique<MemoryEngine>(options);
}

INSTANTIATE_TEST_SUITE_P(Memory, StoreConformance,
                         testing::Values(&MakeMemoryEngine));

}  // namespace
}  // namespace sallyport::store
