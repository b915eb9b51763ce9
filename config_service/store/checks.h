// Checks and words that all engines share, so that they refuse the same calls
// with the same errors.

#ifndef SALLYPORT_CONFIG_SERVICE_STORE_CHECKS_H_
#define SALLYPORT_CONFIG_SERVICE_STORE_CHECKS_H_

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "config_service/store/store.h"

namespace sallyport::store {

// InvalidArgument when `key` is empty or too long.
absl::Status CheckKey(absl::string_view key);

// InvalidArgument when `prefix` is too long.
absl::Status CheckPrefix(absl::string_view prefix);

// InvalidArgument with everything that is wrong with `commit` by itself.
absl::Status CheckCommit(const Commit& commit);

// The same for `replacement`.
absl::Status CheckReplacement(const Replacement& replacement);

// The Aborted error for a replacement that came too late.
absl::Status ReplacementOvertaken(Revision expected, Revision current);

// InvalidArgument with everything that is wrong with `request` by itself.
absl::Status CheckListRequest(const ListRequest& request);

// Whether `at` can be read in a store with history from `compacted` to
// `current`. InvalidArgument: negative.
absl::Status CheckRevision(Revision at, Revision compacted, Revision current);

// The Aborted error for a precondition that does not hold. `found` is the mod
// revision that the key has (kModRevision), otherwise it is not used; `key` is
// a key that is in the way (kPrefixEmpty, kPrefixNotPutAfter).
absl::Status PreconditionFailed(const Precondition& precondition,
                                Revision found, absl::string_view key);

// The FailedPrecondition error for a put that names a blob that is not there.
absl::Status BlobMissing(absl::string_view key, const BlobDigest& digest);

// The OutOfRange error for a watch that was overtaken.
absl::Status WatchCompacted(Revision after, Revision compacted);

// The first key that is greater than all keys with `prefix`; empty when there
// is none (no upper bound).
std::string PrefixEnd(absl::string_view prefix);

// The revision up to which history is compacted when `current` is the newest
// and `revisions` of them are to stay readable.
Revision CompactionTarget(Revision current, int64_t revisions);

}  // namespace sallyport::store

#endif  // SALLYPORT_CONFIG_SERVICE_STORE_CHECKS_H_
