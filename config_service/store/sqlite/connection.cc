#include "config_service/store/sqlite/connection.h"

#include <sqlite3.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "base/text.h"

namespace sallyport::store::sqlite {
namespace {

constexpr char kDamageUrl[] = "sallyport.store/damage";

int LastErrno(sqlite3_file* file) {
  int error = 0;
  if (file == nullptr || file->pMethods == nullptr ||
      file->pMethods->xFileControl(file, SQLITE_FCNTL_LAST_ERRNO, &error) !=
          SQLITE_OK) {
    return 0;
  }
  return error;
}

// The system's error behind a failed input or output. SQLite keeps it for the
// connection only when a statement fails in its middle; a COMMIT leaves it with
// the file: the log, or the database.
int SystemErrno(sqlite3* database) {
  for (int operation :
       {SQLITE_FCNTL_JOURNAL_POINTER, SQLITE_FCNTL_FILE_POINTER}) {
    sqlite3_file* file = nullptr;
    if (sqlite3_file_control(database, "main", operation, &file) == SQLITE_OK) {
      const int error = LastErrno(file);
      if (error != 0) return error;
    }
  }
  return sqlite3_system_errno(database);
}

}  // namespace

bool IsDamage(const absl::Status& status) {
  return status.GetPayload(kDamageUrl).has_value();
}

// ---------------------------------------------------------------- Statement

Statement::Statement(Connection* connection, sqlite3_stmt* statement,
                     absl::Status status)
    : connection_(connection),
      statement_(statement),
      status_(std::move(status)) {}

Statement::Statement(Statement&& other) noexcept
    : connection_(other.connection_),
      statement_(std::exchange(other.statement_, nullptr)),
      status_(std::move(other.status_)) {}

Statement::~Statement() { Finish().IgnoreError(); }

Statement& Statement::BindInt(int index, int64_t value) {
  if (status_.ok()) {
    const int code = sqlite3_bind_int64(statement_, index, value);
    if (code != SQLITE_OK) status_ = connection_->ToStatus(code);
  }
  return *this;
}

Statement& Statement::BindBlob(int index, absl::string_view bytes) {
  if (status_.ok()) {
    // A null pointer would bind NULL.
    const int code = sqlite3_bind_blob64(statement_, index,
                                         bytes.empty() ? "" : bytes.data(),
                                         bytes.size(), SQLITE_STATIC);
    if (code != SQLITE_OK) status_ = connection_->ToStatus(code);
  }
  return *this;
}

Statement& Statement::BindText(int index, absl::string_view text) {
  if (status_.ok()) {
    const int code =
        sqlite3_bind_text64(statement_, index, text.empty() ? "" : text.data(),
                            text.size(), SQLITE_STATIC, SQLITE_UTF8);
    if (code != SQLITE_OK) status_ = connection_->ToStatus(code);
  }
  return *this;
}

Statement& Statement::BindNull(int index) {
  if (status_.ok()) {
    const int code = sqlite3_bind_null(statement_, index);
    if (code != SQLITE_OK) status_ = connection_->ToStatus(code);
  }
  return *this;
}

bool Statement::Step() {
  if (!status_.ok()) return false;
  const int code = sqlite3_step(statement_);
  if (code == SQLITE_ROW) return true;
  if (code != SQLITE_DONE) status_ = connection_->ToStatus(code);
  return false;
}

int64_t Statement::Int(int column) const {
  return sqlite3_column_int64(statement_, column);
}

absl::string_view Statement::Blob(int column) const {
  const void* bytes = sqlite3_column_blob(statement_, column);
  const int len = sqlite3_column_bytes(statement_, column);
  if (bytes == nullptr || len <= 0) return {};
  return {static_cast<const char*>(bytes), static_cast<size_t>(len)};
}

bool Statement::IsNull(int column) const {
  return sqlite3_column_type(statement_, column) == SQLITE_NULL;
}

absl::Status Statement::Run() {
  Step();
  return Finish();
}

absl::Status Statement::Finish() {
  if (statement_ != nullptr) {
    sqlite3_reset(statement_);
    sqlite3_clear_bindings(statement_);
    statement_ = nullptr;
  }
  return status_;
}

// --------------------------------------------------------------- Connection

absl::StatusOr<std::unique_ptr<Connection>> Connection::Open(
    const std::string& path, Mode mode, const char* vfs) {
  sqlite3* database = nullptr;
  const int access =
      mode == Mode::kReadWrite ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY;
  const int code = sqlite3_open_v2(
      path.c_str(), &database,
      access | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, vfs);
  if (database == nullptr) {
    return absl::ResourceExhaustedError("no memory for a database connection");
  }
  // Closes the connection if this function fails.
  std::unique_ptr<Connection> connection(new Connection(path, database));
  if (code != SQLITE_OK) return connection->ToStatus(code);
  sqlite3_busy_timeout(database, kBusyTimeoutMillis);
  // Whoever writes to the file from elsewhere does not make this process run
  // what the schema says, and a broken cell is noticed when it is read.
  sqlite3_db_config(database, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  sqlite3_db_config(database, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  const absl::Status set = connection->Exec(
      "PRAGMA cell_size_check = ON; PRAGMA temp_store = MEMORY;");
  if (!set.ok()) return set;
  return connection;
}

Connection::~Connection() {
  for (const auto& entry : statements_) sqlite3_finalize(entry.second);
  sqlite3_close(database_);
}

absl::Status Connection::Exec(const std::string& sql) {
  return ToStatus(
      sqlite3_exec(database_, sql.c_str(), nullptr, nullptr, nullptr));
}

Statement Connection::Use(const char* sql) {
  sqlite3_stmt*& statement = statements_[sql];
  if (statement == nullptr) {
    const int code = sqlite3_prepare_v3(
        database_, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
    if (code != SQLITE_OK) return Statement(this, nullptr, ToStatus(code));
  }
  return Statement(this, statement, absl::OkStatus());
}

int64_t Connection::changes() const { return sqlite3_changes64(database_); }

int64_t Connection::last_insert_rowid() const {
  return sqlite3_last_insert_rowid(database_);
}

absl::Status Connection::ToStatus(int code) const {
  const int primary = code & 0xff;
  if (primary == SQLITE_OK || primary == SQLITE_ROW || primary == SQLITE_DONE) {
    return absl::OkStatus();
  }
  const std::string path = Printable(path_);
  const bool outside = primary == SQLITE_IOERR || primary == SQLITE_CANTOPEN;
  const int system = outside ? SystemErrno(database_) : 0;
  const std::string detail = absl::StrCat(
      " (SQLite ", code, ": ", Printable(sqlite3_errstr(code)),
      system != 0 ? absl::StrCat(", ", std::strerror(system)) : "", ")");
  if (primary == SQLITE_FULL ||
      (outside && (system == ENOSPC || system == EDQUOT || system == EFBIG))) {
    return absl::ResourceExhaustedError(
        absl::StrCat("no space is left for ", path,
                     "; reads go on. Make space on its disk (or raise the "
                     "quota or the file size limit), and try again",
                     detail));
  }
  if (primary == SQLITE_READONLY || primary == SQLITE_PERM ||
      (outside && (system == EROFS || system == EACCES || system == EPERM))) {
    return absl::UnavailableError(absl::StrCat(
        path,
        " cannot be written to; reads go on. Mount its file system for "
        "writing, see the kernel's log for why it is read-only, or give the "
        "folder to the user that sallyportd runs as",
        detail));
  }
  switch (primary) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB: {
      absl::Status damage = absl::DataLossError(absl::StrCat(
          path,
          " is damaged. No more writes are taken, what can be read is read. "
          "Keep a copy of the data folder, check the disk, and restore a "
          "backup",
          detail));
      damage.SetPayload(kDamageUrl, absl::Cord("1"));
      return damage;
    }
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return absl::UnavailableError(
          absl::StrCat("another program has locked ", path,
                       " (a sqlite3 shell, a backup?); try again", detail));
    case SQLITE_NOMEM:
      return absl::ResourceExhaustedError(
          absl::StrCat("no memory is left", detail));
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
      return absl::UnavailableError(
          absl::StrCat("input/output error on ", path,
                       ". See the kernel's log, and check the disk", detail));
    case SQLITE_INTERRUPT:
      return absl::CancelledError(absl::StrCat("interrupted", detail));
    default:
      // The text names tables and columns, and no values.
      return absl::InternalError(absl::StrCat(
          path, ": ", Printable(sqlite3_errmsg(database_)), detail));
  }
}

}  // namespace sallyport::store::sqlite
