// Connection, Statement: SQLite's C interface as far as the engine uses it,
// with errors that say what an operator can do.

#ifndef SALLYPORT_CONFIG_SERVICE_STORE_SQLITE_CONNECTION_H_
#define SALLYPORT_CONFIG_SERVICE_STORE_SQLITE_CONNECTION_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

struct sqlite3;
struct sqlite3_stmt;

namespace sallyport::store::sqlite {

// How long a statement waits for a lock that another program holds.
constexpr int kBusyTimeoutMillis = 5000;

class Connection;

// Statement: one use of a prepared statement. Thread-compatible, together with
// its connection. Binding and stepping keep the first error; it is in status()
// and returned by Finish().
//
//   Statement get = connection.Use("SELECT value FROM entries WHERE key = ?");
//   get.BindBlob(1, key);
//   while (get.Step()) { ... get.Blob(0) ... }
//   RETURN_IF_ERROR(get.Finish());
class Statement {
 public:
  ~Statement();
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;
  Statement(Statement&& other) noexcept;

  // Parameters count from 1. The bytes must live until Finish().
  Statement& BindInt(int index, int64_t value);
  Statement& BindBlob(int index, absl::string_view bytes);
  Statement& BindText(int index, absl::string_view text);
  Statement& BindNull(int index);

  // Whether there is a row.
  bool Step();

  // Columns of the row, from 0. Views live until the next Step() or Finish().
  int64_t Int(int column) const;
  absl::string_view Blob(int column) const;
  bool IsNull(int column) const;

  // For a statement that returns no rows: steps and finishes.
  absl::Status Run();
  // Makes the prepared statement free for its next use. OK when every row that
  // was asked for came.
  absl::Status Finish();
  const absl::Status& status() const { return status_; }

 private:
  friend class Connection;
  Statement(Connection* connection, sqlite3_stmt* statement,
            absl::Status status);

  Connection* connection_;
  sqlite3_stmt* statement_;
  absl::Status status_;
};

// Connection: one open database. Thread-compatible.
class Connection {
 public:
  enum class Mode { kReadWrite, kReadOnly };

  // Opens the file at `path`, which is there. `vfs` names another layer to the
  // operating system (tests); null: SQLite's own.
  static absl::StatusOr<std::unique_ptr<Connection>> Open(
      const std::string& path, Mode mode, const char* vfs);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Runs statements that return nothing that matters.
  absl::Status Exec(const std::string& sql);
  // Prepares `sql`, a string literal, or takes what was prepared for it before.
  Statement Use(const char* sql);

  // Rows that the last statement changed.
  int64_t changes() const;
  int64_t last_insert_rowid() const;

  // The error for the result code `code` of a call on this connection.
  absl::Status ToStatus(int code) const;

  sqlite3* handle() const { return database_; }

 private:
  friend class Statement;
  Connection(std::string path, sqlite3* database)
      : path_(std::move(path)), database_(database) {}

  const std::string path_;
  sqlite3* const database_;
  // By the address of the literal.
  absl::flat_hash_map<const char*, sqlite3_stmt*> statements_;
};

// Whether `status` says that the database's structure is damaged.
bool IsDamage(const absl::Status& status);

}  // namespace sallyport::store::sqlite

#endif  // SALLYPORT_CONFIG_SERVICE_STORE_SQLITE_CONNECTION_H_
