// Bundles: the content of truststore versions, parsed, and what it is worth as
// of now.

#ifndef SALLYPORT_CONFIG_SERVICE_SERVICE_BUNDLES_H_
#define SALLYPORT_CONFIG_SERVICE_SERVICE_BUNDLES_H_

#include <cstddef>
#include <list>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "config_service/domain/truststore.h"
#include "config_service/store/store.h"
#include "pki/truststore/truststore.h"

namespace sallyport::service {

// What a bundle is worth by a truststore's rules at an instant. Immutable.
struct Appraisal {
  absl::Time time;
  bool gives_trust = false;
  std::vector<pki::Warning> warnings;  // all
  absl::Time first_expiry = absl::InfiniteFuture();
};

// Reads a blob whole. Errors are the store's.
absl::StatusOr<std::string> ReadBlob(store::Store& store,
                                     const store::BlobDigest& digest);

// Keeps what was parsed, up to kMaxCachedBundleBytes, the longest unused goes
// first; and appraisals for kMaxWarningAge. Thread-safe.
class Bundles {
 public:
  // `store` outlives it.
  explicit Bundles(store::Store* store) : store_(store) {}

  // The content of a version. RECORD_DAMAGED: it cannot be parsed, though it
  // could when it was stored.
  absl::StatusOr<std::shared_ptr<const pki::Truststore>> Get(
      const domain::TruststoreVersion& version);

  // What `bundle` is worth by the rules of `truststore` at `now`.
  std::shared_ptr<const Appraisal> Appraise(
      const std::shared_ptr<const pki::Truststore>& bundle,
      const domain::Truststore& truststore, absl::Time now);

 private:
  // Digest and rules.
  using Key = std::pair<store::BlobDigest, int>;
  struct Entry {
    store::BlobDigest digest;
    size_t bytes = 0;
    std::shared_ptr<const pki::Truststore> bundle;
  };

  store::Store* const store_;
  absl::Mutex mu_;
  // The last used first.
  std::list<Entry> entries_ ABSL_GUARDED_BY(mu_);
  absl::flat_hash_map<store::BlobDigest, std::list<Entry>::iterator> index_
      ABSL_GUARDED_BY(mu_);
  size_t bytes_ ABSL_GUARDED_BY(mu_) = 0;
  absl::flat_hash_map<Key, std::shared_ptr<const Appraisal>> appraisals_
      ABSL_GUARDED_BY(mu_);
};

}  // namespace sallyport::service

#endif  // SALLYPORT_CONFIG_SERVICE_SERVICE_BUNDLES_H_
