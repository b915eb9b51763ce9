// Limits of the config service's store. They hold for every engine, so that
// state can move between engines; the conformance suite tests each at its
// edge.

#ifndef SALLYPORT_CONFIG_SERVICE_STORE_LIMITS_H_
#define SALLYPORT_CONFIG_SERVICE_STORE_LIMITS_H_

#include <cstddef>
#include <cstdint>

#include "absl/time/time.h"

namespace sallyport::store {

// A key: 1 to this many bytes.
constexpr size_t kMaxKeyBytes = 1024;

// A value. What is larger goes into a blob. (etcd refuses requests over
// 1.5 MiB unless told otherwise.)
constexpr size_t kMaxValueBytes = size_t{1} << 20;

// Blobs that one record may name.
constexpr size_t kMaxBlobsOfRecord = 256;

// One commit: preconditions, puts and deletes together, and the bytes of all
// their keys and values. An API goes with all its routes in one.
constexpr size_t kMaxCommitOperations = 4096;
constexpr size_t kMaxCommitBytes = size_t{8} << 20;

// One page of a list: records asked for at most (more is cut, not refused),
// and bytes of keys and values after which a page ends early. A page always
// has at least one record when there is one.
constexpr size_t kMaxPageRecords = 10000;
constexpr size_t kMaxPageBytes = size_t{4} << 20;

// One batch of a watch ends after the commit with which it passes this many
// changes or bytes.
constexpr size_t kMaxBatchChanges = 1024;
constexpr size_t kMaxBatchBytes = size_t{4} << 20;

// A blob, and the pieces in which it is stored and read. The largest truststore
// (limits::kMaxTruststoreBytes) fits.
constexpr uint64_t kMaxBlobBytes = uint64_t{128} << 20;
constexpr size_t kBlobPieceBytes = size_t{1} << 20;

// Uploads that are not finished and not given up, at one time.
constexpr size_t kMaxOpenUploads = 64;

// How many of the latest revisions keep the values that they replaced:
// reading at a revision and watching from one work that far back.
// Configurable for each engine, at least kMinHistoryRevisions.
constexpr int64_t kDefaultHistoryRevisions = 100000;
constexpr int64_t kMinHistoryRevisions = 1;

// How long a blob that no record names is kept: the time between an upload
// and the commit that names it.
constexpr absl::Duration kDefaultBlobGrace = absl::Hours(1);

}  // namespace sallyport::store

#endif  // SALLYPORT_CONFIG_SERVICE_STORE_LIMITS_H_
