#include "config_service/store/sqlite/schema.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"

namespace sallyport::store::sqlite {
namespace {

struct Migration {
  int version;
  const char* name;
  const char* sql;
};

// A ledger: add at the end, and never change what is there. SCHEMA.md has the
// meaning of each column.
constexpr Migration kMigrations[] = {
    {1, "records, history and blobs",
     R"sql(
CREATE TABLE migrations (
  version INTEGER PRIMARY KEY,
  name TEXT NOT NULL,
  applied_at INTEGER NOT NULL
) STRICT;

CREATE TABLE state (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  lineage TEXT NOT NULL,
  file_id TEXT NOT NULL,
  revision INTEGER NOT NULL,
  compacted INTEGER NOT NULL,
  records INTEGER NOT NULL,
  entries INTEGER NOT NULL
) STRICT;

CREATE TABLE entries (
  id INTEGER PRIMARY KEY,
  key BLOB NOT NULL,
  revision INTEGER NOT NULL,
  superseded INTEGER NOT NULL,
  create_revision INTEGER NOT NULL,
  version INTEGER NOT NULL,
  checksum INTEGER NOT NULL,
  blobs BLOB,
  value BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX entries_by_key ON entries (key, superseded, revision);
CREATE INDEX entries_by_revision ON entries (revision, key);

CREATE TABLE blobs (
  id INTEGER PRIMARY KEY,
  digest BLOB UNIQUE,
  size INTEGER NOT NULL,
  last_used INTEGER NOT NULL
) STRICT;
CREATE TABLE blob_pieces (
  id INTEGER PRIMARY KEY,
  blob INTEGER NOT NULL,
  number INTEGER NOT NULL,
  checksum INTEGER NOT NULL,
  bytes BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX blob_pieces_by_blob ON blob_pieces (blob, number);
CREATE TABLE blob_references (
  blob INTEGER NOT NULL,
  entry INTEGER NOT NULL,
  PRIMARY KEY (blob, entry)
) STRICT, WITHOUT ROWID;
CREATE INDEX blob_references_by_entry ON blob_references (entry);
)sql"},
};

absl::StatusOr<int64_t> Number(Connection& connection, const char* sql) {
  Statement statement = connection.Use(sql);
  const int64_t number = statement.Step() ? statement.Int(0) : 0;
  SALLYPORT_RETURN_IF_ERROR(statement.Finish());
  return number;
}

absl::Status Apply(Connection& connection, const Migration& migration,
                   absl::Time now) {
  SALLYPORT_RETURN_IF_ERROR(connection.Exec(migration.sql));
  Statement note = connection.Use(
      "INSERT INTO migrations (version, name, applied_at) VALUES (?, ?, ?)");
  note.BindInt(1, migration.version)
      .BindText(2, migration.name)
      .BindInt(3, absl::ToUnixSeconds(now));
  SALLYPORT_RETURN_IF_ERROR(note.Run());
  return connection.Exec(
      absl::StrCat("PRAGMA user_version = ", migration.version,
                   "; PRAGMA "
                   "application_id = ",
                   kApplicationId));
}

}  // namespace

int SchemaVersion() {
  return kMigrations[sizeof(kMigrations) / sizeof(kMigrations[0]) - 1].version;
}

absl::StatusOr<int> Migrate(Connection& connection, absl::Time now) {
  SALLYPORT_ASSIGN_OR_RETURN(const int64_t version,
                             Number(connection, "PRAGMA user_version"));
  SALLYPORT_ASSIGN_OR_RETURN(const int64_t application,
                             Number(connection, "PRAGMA application_id"));
  SALLYPORT_ASSIGN_OR_RETURN(
      const int64_t objects,
      Number(connection, "SELECT COUNT(*) FROM sqlite_schema"));
  const bool empty = version == 0 && application == 0 && objects == 0;
  if (!empty && application != kApplicationId) {
    return absl::FailedPreconditionError(
        "the database was not made by sallyportd; use another --data-dir");
  }
  if (version > SchemaVersion()) {
    return absl::FailedPreconditionError(absl::StrCat(
        "the database has schema version ", version,
        ", and this sallyportd knows up to ", SchemaVersion(),
        ": it was made by a newer one. Use that, or restore a backup from "
        "before the upgrade"));
  }
  int applied = 0;
  for (const Migration& migration : kMigrations) {
    if (migration.version <= version) continue;
    SALLYPORT_RETURN_IF_ERROR(connection.Exec("BEGIN IMMEDIATE"));
    absl::Status status = Apply(connection, migration, now);
    if (status.ok()) status = connection.Exec("COMMIT");
    if (!status.ok()) {
      connection.Exec("ROLLBACK").IgnoreError();
      return absl::Status(
          status.code(),
          absl::StrCat("migration ", migration.version, " (", migration.name,
                       ") failed, nothing was changed: ", status.message()));
    }
    ++applied;
  }
  return applied;
}

}  // namespace sallyport::store::sqlite
