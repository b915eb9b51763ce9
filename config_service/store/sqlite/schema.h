// The tables of the SQLite engine, and how an older database becomes a current
// one. SCHEMA.md explains them.

#ifndef SALLYPORT_CONFIG_SERVICE_STORE_SQLITE_SCHEMA_H_
#define SALLYPORT_CONFIG_SERVICE_STORE_SQLITE_SCHEMA_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "config_service/store/sqlite/connection.h"

namespace sallyport::store::sqlite {

// Of the database's header: "Sall". Do not change.
constexpr int32_t kApplicationId = 0x53616c6c;

// `superseded` of an entry that is its key's newest. Do not change.
constexpr int64_t kNewest = INT64_MAX;

// The schema version that this code reads and writes.
int SchemaVersion();

// Brings the database to SchemaVersion(), one migration at a time, each in a
// transaction of its own that also writes the ledger (table migrations).
// Returns how many were applied. `now` is for the ledger.
//
// FailedPrecondition: the database belongs to another program, or was made by
// a newer version of this one; nothing is changed.
absl::StatusOr<int> Migrate(Connection& connection, absl::Time now);

}  // namespace sallyport::store::sqlite

#endif  // SALLYPORT_CONFIG_SERVICE_STORE_SQLITE_SCHEMA_H_
