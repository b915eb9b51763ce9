// The tests that every engine of the store passes. An engine's own test says
// how one is made:
//
//   INSTANTIATE_TEST_SUITE_P(Memory, StoreConformance,
//                            testing::Values(&MakeMemoryEngine));

#ifndef SALLYPORT_CONFIG_SERVICE_STORE_TESTING_CONFORMANCE_H_
#define SALLYPORT_CONFIG_SERVICE_STORE_TESTING_CONFORMANCE_H_

#include <memory>
#include <string>

#include "absl/time/time.h"
#include "base/clock.h"
#include "config_service/store/store.h"
#include "gtest/gtest.h"

namespace sallyport::store {

struct EngineOptions {
  int64_t history_revisions = kDefaultHistoryRevisions;
  absl::Duration blob_grace = kDefaultBlobGrace;
  const Clock* clock = &Clock::System();
};

// Engine: one store that is empty at first.
class Engine {
 public:
  virtual ~Engine() = default;
  virtual Store& store() = 0;
  // Closes the store and opens it again, if the engine keeps anything; false
  // if it does not.
  virtual bool Reopen() = 0;
};

using EngineFactory = std::unique_ptr<Engine> (*)(const EngineOptions&);

class StoreConformance : public testing::TestWithParam<EngineFactory> {
 protected:
  // The store of the test; made with `options` on the first call, which has
  // to be before there are other threads.
  Store& store(const EngineOptions& options = {});
  bool Reopen() { return engine_->Reopen(); }

  // Short forms that expect success.
  Revision MustPut(const std::string& key, const std::string& value);
  Revision MustDelete(const std::string& key);
  Revision MustApply(const Commit& commit);
  // The value, or "(none)".
  std::string ValueOf(const std::string& key);
  std::string ValueAt(const std::string& key, Revision at);
  // "key=value" of every record under `prefix`, joined by blanks, read in
  // pages of `limit`.
  std::string Listed(const std::string& prefix, size_t limit = 1000);
  BlobDigest MustUpload(absl::string_view content);
  // The whole blob, or the error's text.
  std::string BlobText(const BlobDigest& digest);

 private:
  std::unique_ptr<Engine> engine_;
};

// An error's code, for EXPECT_EQ.
inline absl::StatusCode CodeOf(const absl::Status& status) {
  return status.code();
}
template <typename T>
absl::StatusCode CodeOf(const absl::StatusOr<T>& result) {
  return result.status().code();
}

}  // namespace sallyport::store

#endif  // SALLYPORT_CONFIG_SERVICE_STORE_TESTING_CONFORMANCE_H_
