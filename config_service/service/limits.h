// Limits of the use cases. domain/limits.h has those of the resources.

#ifndef SALLYPORT_CONFIG_SERVICE_SERVICE_LIMITS_H_
#define SALLYPORT_CONFIG_SERVICE_SERVICE_LIMITS_H_

#include <cstddef>

#include "absl/time/time.h"

namespace sallyport::service {

// Pages of lists.
constexpr int kDefaultPageSize = 50;
constexpr int kMaxPageSize = 1000;
constexpr size_t kMaxPageTokenBytes = 4096;
// Records that one page of a filtered list looks at. A page that has looked at
// so many ends, with a token, however few it found.
constexpr size_t kMaxScannedRecords = 20000;

// Filters.
constexpr size_t kMaxFilterBytes = 4096;
constexpr size_t kMaxFilterTerms = 32;

// How long a request_id is remembered.
constexpr absl::Duration kRequestMemory = absl::Hours(1);

// How often a use case is tried again when others change what it relies on.
constexpr int kMaxAttempts = 8;

// Versions of one truststore. Deleting it deletes all of them in one commit.
constexpr size_t kMaxVersionsOfTruststore = 500;

// Versions of one server certificate; then the oldest that nobody shows goes.
constexpr size_t kMaxVersionsOfServerCertificate = 100;

// Domains that one import of a server certificate changes, because they are to
// go on with the version before, or no longer.
// Three operations of a commit each.
constexpr size_t kMaxHeldDomainsOfImport = 300;

// Certificates that are made at one time because somebody asks for them: making
// a key takes a processor.
constexpr int kMaxIssuancesAtOnce = 4;

// When a renewal that failed is tried again: after this, then after twice as
// long each time, up to the most; a fifth more or less, at random.
constexpr absl::Duration kFirstRenewalRetry = absl::Seconds(10);
constexpr absl::Duration kMaxRenewalRetry = absl::Hours(1);

// Stages that a client certificate lists.
constexpr size_t kMaxListedStages = 100;

// Entries of a certificate list that one commit changes, and bytes of what it
// has of them, roughly: records and audit log.
constexpr size_t kMaxEntriesOfStep = 400;
constexpr size_t kMaxStepBytes = size_t{768} << 10;

// Stages and deployments of one API, and API mappings of one domain. Deleting
// it deletes all of them in one commit.
constexpr size_t kMaxStagesOfApi = 100;
constexpr size_t kMaxDeploymentsOfApi = 300;
constexpr size_t kMaxMappingsOfDomain = 500;

// How long a call may wait for a rollout, and does unless it says.
constexpr absl::Duration kMaxRolloutWait = absl::Minutes(10);
constexpr absl::Duration kDefaultRolloutWait = absl::Seconds(60);
// Nodes that it may ask for.
constexpr int kMaxAwaitedNodes = 100000;

// Names that a watch of events may have, and how long events of nodes may be
// kept back.
constexpr size_t kMaxWatchedResources = 100;
constexpr absl::Duration kEventInterval = absl::Milliseconds(100);

// Warnings that one resource lists; the rest is counted.
constexpr size_t kMaxListedWarnings = 100;

// Parsed bundles that are kept for the next call: bytes, roughly, and how long
// what depends on the time of day is kept.
constexpr size_t kMaxCachedBundleBytes = size_t{256} << 20;
constexpr absl::Duration kMaxWarningAge = absl::Seconds(10);

}  // namespace sallyport::service

#endif  // SALLYPORT_CONFIG_SERVICE_SERVICE_LIMITS_H_
