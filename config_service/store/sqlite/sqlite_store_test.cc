#include "config_service/store/sqlite/sqlite_store.h"

#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <memory>
#include <random>
#include <sstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/text.h"
#include "config_service/store/sealer.h"
#include "config_service/store/sqlite/schema.h"
#include "config_service/store/testing/conformance.h"
#include "config_service/store/testing/faulty_vfs.h"
#include "gtest/gtest.h"
#include "pki/crypto/crypto.h"

namespace sallyport::store {
namespace {

std::string NewFolder() {
  const char* dir = std::getenv("TEST_TMPDIR");
  std::string name =
      absl::StrCat(dir != nullptr ? dir : "/tmp", "/sqlite.XXXXXX");
  EXPECT_NE(mkdtemp(&name[0]), nullptr);
  return name + "/data";
}

std::string ReadWhole(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

void WriteWhole(const std::string& path, const std::string& bytes) {
  // In place: the file keeps its identity.
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}

std::unique_ptr<SqliteStore> MustOpen(const std::string& folder,
                                      const SqliteOptions& options = {}) {
  auto store = SqliteStore::Open(folder, options);
  EXPECT_TRUE(store.ok()) << store.status();
  return store.ok() ? *std::move(store) : nullptr;
}

absl::StatusOr<Revision> TryPut(Store& store, const std::string& key,
                                const std::string& value) {
  Commit commit;
  commit.puts.push_back({key, value, {}});
  return store.Apply(commit);
}

Revision MustPut(Store& store, const std::string& key,
                 const std::string& value) {
  const auto put = TryPut(store, key, value);
  EXPECT_TRUE(put.ok()) << put.status();
  return put.value_or(Revision());
}

std::string ValueOf(Store& store, const std::string& key) {
  const auto got = store.Get(key);
  if (!got.ok()) return got.status().ToString();
  return got->record ? got->record->value : "(none)";
}

void ExpectSays(const absl::Status& status, absl::StatusCode code,
                absl::string_view words) {
  EXPECT_EQ(status.code(), code) << status;
  EXPECT_TRUE(absl::StrContains(status.message(), words)) << status;
}

std::string RandomText(size_t len, uint32_t seed) {
  std::mt19937 random(seed);
  std::string text(len, '\0');
  for (char& c : text) c = static_cast<char>('a' + random() % 26);
  return text;
}

// -------------------------------------------------------------- conformance

class SqliteEngine : public Engine {
 public:
  explicit SqliteEngine(const EngineOptions& options) : folder_(NewFolder()) {
    options_.history.revisions = options.history_revisions;
    options_.blob_grace = options.blob_grace;
    options_.clock = options.clock;
    options_.vfs = vfs_.name();
    store_ = MustOpen(folder_, options_);
  }

  Store& store() override { return *store_; }
  bool Reopen() override {
    store_.reset();
    store_ = MustOpen(folder_, options_);
    EXPECT_EQ(store_->open_report().new_lineage_because, "");
    return true;
  }

 private:
  const std::string folder_;
  // Without real syncs, for the time they take; the other tests have them.
  FaultyVfs vfs_{FaultyVfs::Writes::kForget};
  SqliteOptions options_;
  std::unique_ptr<SqliteStore> store_;
};

std::unique_ptr<Engine> MakeSqliteEngine(const EngineOptions& options) {
  return std::make_unique<SqliteEngine>(options);
}

INSTANTIATE_TEST_SUITE_P(Sqlite, StoreConformance,
                         testing::Values(&MakeSqliteEngine));

// ---------------------------------------------------------------- the folder

TEST(SqliteStore, MakesItsFolderForItsOwnerAlone) {
  const std::string folder = NewFolder();
  const auto store = MustOpen(folder);
  EXPECT_TRUE(store->open_report().created);
  EXPECT_EQ(store->open_report().migrations, sqlite::SchemaVersion());
  MustPut(*store, "a", "1");
  struct stat info;
  ASSERT_EQ(stat(folder.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0700u);
  for (const char* file : {"/sallyport.db", "/sallyport.db-wal",
                           "/sallyport.db-shm", "/sallyport.lock"}) {
    ASSERT_EQ(stat((folder + file).c_str(), &info), 0) << file;
    EXPECT_EQ(info.st_mode & 0777, 0600u) << file;
  }
}

TEST(SqliteStore, IsForOneProcessAtATime) {
  const std::string folder = NewFolder();
  auto store = MustOpen(folder);
  const auto second = SqliteStore::Open(folder);
  ExpectSays(second.status(), absl::StatusCode::kFailedPrecondition,
             absl::StrCat("in use by process ", getpid()));
  MustPut(*store, "a", "1");
  store.reset();
  EXPECT_EQ(ValueOf(*MustOpen(folder), "a"), "1");
}

TEST(SqliteStore, SaysWhyAFolderCannotBeUsed) {
  const std::string folder = NewFolder();
  std::ofstream(folder) << "a file";
  ExpectSays(SqliteStore::Open(folder).status(), absl::StatusCode::kUnavailable,
             folder);
  ExpectSays(SqliteStore::Open(NewFolder() + "/deeper").status(),
             absl::StatusCode::kUnavailable, "No such file");
}

TEST(SqliteStore, RefusesAFolderThatOthersCanWriteTo) {
  const std::string folder = NewFolder();
  MustPut(*MustOpen(folder), "a", "1");
  for (const mode_t mode : {0777, 0720, 0702, 01777}) {
    ASSERT_EQ(chmod(folder.c_str(), mode), 0);
    ExpectSays(SqliteStore::Open(folder).status(),
               absl::StatusCode::kFailedPrecondition,
               absl::StrCat("chmod 700 ", folder));
  }
  // That others can read is theirs to say.
  ASSERT_EQ(chmod(folder.c_str(), 0755), 0);
  EXPECT_EQ(ValueOf(*MustOpen(folder), "a"), "1");
}

TEST(SqliteStore, RefusesTheDatabaseOfAnotherProgram) {
  const std::string folder = NewFolder();
  ASSERT_EQ(mkdir(folder.c_str(), 0700), 0);
  sqlite3* other = nullptr;
  ASSERT_EQ(sqlite3_open((folder + "/sallyport.db").c_str(), &other),
            SQLITE_OK);
  ASSERT_EQ(
      sqlite3_exec(other, "CREATE TABLE mine (a)", nullptr, nullptr, nullptr),
      SQLITE_OK);
  sqlite3_close(other);
  ExpectSays(SqliteStore::Open(folder).status(),
             absl::StatusCode::kFailedPrecondition, "not made by sallyportd");
}

// Runs SQL on the database of a store that is closed.
void Edit(const std::string& folder, const std::string& sql) {
  sqlite3* database = nullptr;
  ASSERT_EQ(sqlite3_open((folder + "/sallyport.db").c_str(), &database),
            SQLITE_OK);
  char* error = nullptr;
  EXPECT_EQ(sqlite3_exec(database, sql.c_str(), nullptr, nullptr, &error),
            SQLITE_OK)
      << error;
  sqlite3_close(database);
}

std::string Query(const std::string& folder, const std::string& sql) {
  sqlite3* database = nullptr;
  EXPECT_EQ(sqlite3_open_v2((folder + "/sallyport.db").c_str(), &database,
                            SQLITE_OPEN_READONLY, nullptr),
            SQLITE_OK);
  std::string text;
  EXPECT_EQ(sqlite3_exec(
                database, sql.c_str(),
                [](void* to, int columns, char** values, char**) {
                  for (int i = 0; i < columns; ++i) {
                    absl::StrAppend(static_cast<std::string*>(to),
                                    values[i] != nullptr ? values[i] : "NULL",
                                    i + 1 < columns ? "|" : "\n");
                  }
                  return 0;
                },
                &text, nullptr),
            SQLITE_OK)
      << sqlite3_errmsg(database);
  sqlite3_close(database);
  return text;
}

TEST(SqliteStore, RefusesTheDatabaseOfANewerVersion) {
  const std::string folder = NewFolder();
  MustPut(*MustOpen(folder), "a", "1");
  Edit(folder,
       absl::StrCat("PRAGMA user_version = ", sqlite::SchemaVersion() + 1));
  ExpectSays(SqliteStore::Open(folder).status(),
             absl::StatusCode::kFailedPrecondition, "made by a newer one");
  Edit(folder, absl::StrCat("PRAGMA user_version = ", sqlite::SchemaVersion()));
  EXPECT_EQ(ValueOf(*MustOpen(folder), "a"), "1");
}

TEST(SqliteStore, KeepsALedgerOfMigrations) {
  const std::string folder = NewFolder();
  FakeClock clock(absl::FromUnixSeconds(1700000000));
  SqliteOptions options;
  options.clock = &clock;
  MustOpen(folder, options).reset();
  clock.Advance(absl::Hours(1));
  EXPECT_EQ(MustOpen(folder, options)->open_report().migrations, 0);
  EXPECT_EQ(Query(folder, "SELECT * FROM migrations"),
            "1|records, history and blobs|1700000000\n");
}

TEST(SqliteStore, SyncsEachCommit) {
  const std::string folder = NewFolder();
  FaultyVfs vfs;
  SqliteOptions options;
  options.vfs = vfs.name();
  const auto store = MustOpen(folder, options);
  for (int i = 0; i < 10; ++i) {
    const int64_t before = vfs.syncs();
    MustPut(*store, "a", "1");
    EXPECT_GT(vfs.syncs(), before);
  }
}

TEST(SqliteStore, LetsCommitsThatWaitShareASync) {
  const std::string folder = NewFolder();
  FaultyVfs vfs;
  SqliteOptions options;
  options.vfs = vfs.name();
  const auto store = MustOpen(folder, options);
  vfs.SlowSyncs(absl::Milliseconds(5));
  const int64_t before = vfs.syncs();
  std::vector<std::thread> threads;
  for (int t = 0; t < 16; ++t) {
    threads.emplace_back([&store, t] {
      for (int i = 0; i < 10; ++i) {
        MustPut(*store, absl::StrCat("t", t), absl::StrCat(i));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(store->Stats()->revision, Revision(160));
  EXPECT_LT(vfs.syncs() - before, 80);
}

// A commit of a group that fails does not take the others with it.
TEST(SqliteStore, AnswersEachCommitOfAGroupForItself) {
  const std::string folder = NewFolder();
  FaultyVfs vfs;
  SqliteOptions options;
  options.vfs = vfs.name();
  options.max_database_bytes = 1 << 20;
  const auto store = MustOpen(folder, options);
  vfs.SlowSyncs(absl::Milliseconds(5));
  const std::string too_large(900 << 10, 'x');
  std::vector<std::thread> threads;
  std::atomic<int> refused{0};
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 5; ++i) {
        if (t < 2) {
          Commit commit;
          commit.puts.push_back({absl::StrCat("l", t), too_large, {}});
          commit.puts.push_back({absl::StrCat("m", t), too_large, {}});
          const auto applied = store->Apply(commit);
          EXPECT_EQ(CodeOf(applied), absl::StatusCode::kResourceExhausted);
          ++refused;
        } else {
          MustPut(*store, absl::StrCat("t", t), absl::StrCat(i));
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(refused, 10);
  EXPECT_EQ(store->Stats()->revision, Revision(30));
  EXPECT_EQ(store->Stats()->records, 6);
}

TEST(SqliteStore, AcknowledgesWhileSomebodyReadsForLong) {
  const std::string folder = NewFolder();
  SqliteOptions options;
  options.history.revisions = 1;
  const auto store = MustOpen(folder, options);
  MustPut(*store, "a", "before");
  sqlite3* reader = nullptr;
  ASSERT_EQ(sqlite3_open_v2((folder + "/sallyport.db").c_str(), &reader,
                            SQLITE_OPEN_READONLY, nullptr),
            SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(reader, "BEGIN; SELECT COUNT(*) FROM entries;",
                         nullptr, nullptr, nullptr),
            SQLITE_OK);
  // More than the log may hold before commits wait for readers (64 MiB).
  const std::string value(kMaxValueBytes, 'v');
  absl::Duration longest;
  for (int i = 0; i < 80; ++i) {
    const absl::Time start = absl::Now();
    MustPut(*store, absl::StrCat("k", i % 4), value);
    longest = std::max(longest, absl::Now() - start);
  }
  EXPECT_LT(longest, absl::Seconds(3));
  struct stat info;
  ASSERT_EQ(stat((folder + "/sallyport.db-wal").c_str(), &info), 0);
  EXPECT_GT(info.st_size, 64 << 20);
  sqlite3_close(reader);
  // Without the reader the log begins anew.
  for (int i = 0; i < 12; ++i) MustPut(*store, "k", value);
  ASSERT_EQ(stat((folder + "/sallyport.db-wal").c_str(), &info), 0);
  EXPECT_LE(info.st_size, 65 << 20);
}

// ------------------------------------------------------------------ lineage

TEST(SqliteStore, HasANewLineageAsACopy) {
  const std::string folder = NewFolder();
  Lineage lineage;
  {
    const auto store = MustOpen(folder);
    lineage = store->lineage();
    MustPut(*store, "a", "1");
  }
  EXPECT_EQ(MustOpen(folder)->lineage(), lineage);

  const std::string copy = NewFolder();
  ASSERT_EQ(mkdir(copy.c_str(), 0700), 0);
  WriteWhole(copy + "/sallyport.db", ReadWhole(folder + "/sallyport.db"));
  WriteWhole(copy + "/sallyport.lock", ReadWhole(folder + "/sallyport.lock"));
  Lineage copied;
  {
    const auto store = MustOpen(copy);
    EXPECT_NE(store->lineage(), lineage);
    EXPECT_EQ(store->open_report().new_lineage_because,
              "the database is a copy");
    EXPECT_EQ(ValueOf(*store, "a"), "1");
    copied = store->lineage();
  }
  EXPECT_EQ(MustOpen(copy)->lineage(), copied);
}

TEST(SqliteStore, HasANewLineageWhenItIsOlderThanWhatItAcknowledged) {
  const std::string folder = NewFolder();
  Lineage lineage;
  MustPut(*MustOpen(folder), "a", "1");
  const std::string backup = ReadWhole(folder + "/sallyport.db");
  {
    const auto store = MustOpen(folder);
    lineage = store->lineage();
    MustPut(*store, "a", "2");
  }
  WriteWhole(folder + "/sallyport.db", backup);
  {
    const auto store = MustOpen(folder);
    EXPECT_NE(store->lineage(), lineage);
    EXPECT_TRUE(absl::StrContains(store->open_report().new_lineage_because,
                                  "at revision 1, but 2 was acknowledged"))
        << store->open_report().new_lineage_because;
    EXPECT_EQ(ValueOf(*store, "a"), "1");
    lineage = store->lineage();
  }
  EXPECT_EQ(MustOpen(folder)->lineage(), lineage);
}

TEST(SqliteStore, HasANewLineageWhenItIsToldOfARestore) {
  const std::string folder = NewFolder();
  const Lineage lineage = MustOpen(folder)->lineage();
  SqliteOptions options;
  options.lineage = SqliteOptions::LineageChoice::kNew;
  const auto store = MustOpen(folder, options);
  EXPECT_NE(store->lineage(), lineage);
}

TEST(SqliteStore, DoesNotBeginAnewWhenItsDatabaseIsGone) {
  const std::string folder = NewFolder();
  MustPut(*MustOpen(folder), "a", "1");
  ASSERT_EQ(unlink((folder + "/sallyport.db").c_str()), 0);
  for (int i = 0; i < 2; ++i) {
    ExpectSays(SqliteStore::Open(folder).status(), absl::StatusCode::kDataLoss,
               "missing or empty, but revision 1");
  }
  ASSERT_EQ(unlink((folder + "/sallyport.lock").c_str()), 0);
  EXPECT_EQ(ValueOf(*MustOpen(folder), "a"), "(none)");
}

// ---------------------------------------------------------------- disk full

TEST(SqliteStoreDisk, IsFullWithAClearErrorAndReadsGoOn) {
  const std::string folder = NewFolder();
  SqliteOptions options;
  options.max_database_bytes = 1 << 20;
  Revision revision;
  absl::Status full;
  int64_t records = 0;
  {
    const auto store = MustOpen(folder, options);
    while (full.ok()) {
      const auto put = TryPut(*store, absl::StrFormat("k%03d", records),
                              std::string(10000, 'v'));
      full = put.status();
      if (put.ok()) {
        revision = *put;
        ++records;
      }
    }
    ExpectSays(full, absl::StatusCode::kResourceExhausted, "no space is left");
    EXPECT_GT(records, 50);
    EXPECT_EQ(CodeOf(store->Health()), absl::StatusCode::kResourceExhausted);
    EXPECT_EQ(store->Stats()->revision, revision);
    EXPECT_EQ(store->Stats()->records, records);
    EXPECT_EQ(ValueOf(*store, "k000").size(), 10000u);
    ListRequest request;
    const auto page = store->List(request);
    ASSERT_TRUE(page.ok()) << page.status();
    EXPECT_EQ(static_cast<int64_t>(page->records.size()), records);
    // A blob does not fit either, and leaves nothing behind.
    {
      auto blob = store->NewBlob();
      ASSERT_TRUE(blob.ok());
      absl::Status appended = (*blob)->Append(std::string(3 << 20, 'b'));
      if (appended.ok()) appended = (*blob)->Finish().status();
      EXPECT_EQ(appended.code(), absl::StatusCode::kResourceExhausted);
      EXPECT_FALSE((*blob)->Finish().ok());
    }
    EXPECT_EQ(store->Stats()->blobs, 0);
  }
  options.max_database_bytes = 0;
  const auto store = MustOpen(folder, options);
  EXPECT_EQ(store->Stats()->revision, revision);
  MustPut(*store, "more", "v");
  EXPECT_TRUE(store->Health().ok());
}

// The system's own limit, in a process of its own.
int FillUpToTheFileSizeLimit(const std::string& folder) {
  signal(SIGXFSZ, SIG_IGN);
  const rlimit limit = {2 << 20, 2 << 20};
  if (setrlimit(RLIMIT_FSIZE, &limit) != 0) return 2;
  auto store = SqliteStore::Open(folder);
  if (!store.ok()) return 3;
  absl::StatusOr<Revision> put = Revision();
  Revision last;
  for (int i = 0; put.ok() && i < 1000; ++i) {
    put = TryPut(**store, absl::StrCat("k", i), std::string(20000, 'v'));
    if (put.ok()) last = *put;
  }
  if (CodeOf(put) != absl::StatusCode::kResourceExhausted) return 4;
  if (!absl::StrContains(put.status().message(), "file size limit")) return 5;
  if ((*store)->Stats()->revision != last) return 6;
  if (ValueOf(**store, "k0").size() != 20000) return 7;
  // As a killed process would end.
  std::ofstream(folder + "/last") << last.value();
  _exit(0);
}

TEST(SqliteStoreDisk, StopsAtAFileSizeLimitWithoutDamage) {
  const std::string folder = NewFolder();
  EXPECT_EXIT(_exit(FillUpToTheFileSizeLimit(folder)),
              testing::ExitedWithCode(0), "");
  const auto store = MustOpen(folder);
  EXPECT_EQ(absl::StrCat(store->Stats()->revision.value()),
            ReadWhole(folder + "/last"));
  EXPECT_TRUE(store->open_report().check_finished);
  MustPut(*store, "more", "v");
}

// Each write that a commit makes fails once.
TEST(SqliteStoreDisk, SurvivesAFailureOfAnyWrite) {
  const struct {
    int code;
    int system_error;
    absl::StatusCode expected;
    const char* words;
  } kFailures[] = {
      {SQLITE_FULL, ENOSPC, absl::StatusCode::kResourceExhausted, "no space"},
      {SQLITE_IOERR_WRITE, ENOSPC, absl::StatusCode::kResourceExhausted,
       "no space"},
      {SQLITE_IOERR_WRITE, EROFS, absl::StatusCode::kUnavailable,
       "cannot be written to"},
      {SQLITE_READONLY, EROFS, absl::StatusCode::kUnavailable,
       "cannot be written to"},
      {SQLITE_IOERR_WRITE, EIO, absl::StatusCode::kUnavailable,
       "input/output error"},
  };
  for (const auto& failure : kFailures) {
    const std::string folder = NewFolder();
    FaultyVfs vfs;
    SqliteOptions options;
    options.vfs = vfs.name();
    std::string kept = "0";
    Revision revision;
    {
      const auto store = MustOpen(folder, options);
      revision = MustPut(*store, "a", kept);
      bool failed = true;
      for (int writes = 0; failed; ++writes) {
        vfs.FailWrites(failure.code, failure.system_error, writes);
        Commit commit;
        const std::string value = absl::StrCat(writes + 1);
        commit.puts.push_back({"a", value, {}});
        commit.puts.push_back({"b", RandomText(20000, 1), {}});
        const auto applied = store->Apply(commit);
        failed = !applied.ok();
        if (failed) {
          ExpectSays(applied.status(), failure.expected, failure.words);
          EXPECT_FALSE(store->Health().ok());
        } else {
          EXPECT_GT(writes, 3);
          kept = value;
          revision = *applied;
        }
        // Reads go on, and show what was acknowledged.
        ASSERT_EQ(ValueOf(*store, "a"), kept);
        ASSERT_EQ(store->Stats()->revision, revision);
        vfs.Heal();
      }
      revision = MustPut(*store, "c", "healed");
      EXPECT_TRUE(store->Health().ok());
    }
    const auto store = MustOpen(folder);
    EXPECT_TRUE(store->open_report().check_finished);
    EXPECT_EQ(store->Stats()->revision, revision);
    EXPECT_EQ(ValueOf(*store, "a"), kept);
    EXPECT_EQ(ValueOf(*store, "c"), "healed");
  }
}

TEST(SqliteStoreDisk, AcknowledgesNothingThatCouldNotBeSynced) {
  const std::string folder = NewFolder();
  FaultyVfs vfs;
  SqliteOptions options;
  options.vfs = vfs.name();
  const auto store = MustOpen(folder, options);
  MustPut(*store, "a", "1");
  vfs.FailSyncs(SQLITE_IOERR_FSYNC, EIO);
  const auto put = TryPut(*store, "a", "2");
  ExpectSays(put.status(), absl::StatusCode::kUnavailable,
             "input/output error");
  EXPECT_EQ(ValueOf(*store, "a"), "1");
  vfs.Heal();
  EXPECT_EQ(MustPut(*store, "a", "3"), Revision(2));
  EXPECT_EQ(ValueOf(*store, "a"), "3");
}

// Power goes while writers write. What was acknowledged is there; the rest is
// there as a whole or not at all.
TEST(SqliteStoreDisk, LosesNothingAcknowledgedWhenThePowerGoes) {
  constexpr int kRounds = 30;
  constexpr int kWriters = 3;
  const std::string folder = NewFolder();
  std::mt19937 random(7);
  std::vector<int> acknowledged(kWriters, 0);
  std::vector<int> tried(kWriters, 0);
  for (int round = 0; round < kRounds; ++round) {
    FaultyVfs vfs;
    {
      SqliteOptions options;
      options.vfs = vfs.name();
      options.history.revisions = 100;
      const auto store = MustOpen(folder, options);
      ASSERT_NE(store, nullptr) << "round " << round;
      std::vector<std::thread> threads;
      std::atomic<int> done{0};
      for (int w = 0; w < kWriters; ++w) {
        threads.emplace_back([&, w] {
          while (true) {
            const int next = tried[w] + 1;
            tried[w] = next;
            Commit commit;
            for (const char* key : {"a", "b"}) {
              commit.puts.push_back(
                  {absl::StrCat(w, "/", key), absl::StrCat(next), {}});
            }
            commit.puts.push_back({absl::StrCat(w, "/pad", next % 20),
                                   RandomText(1 + next * 37 % 9000, next),
                                   {}});
            if (!store->Apply(commit).ok()) return;
            acknowledged[w] = next;
            ++done;
          }
        });
      }
      const int until = static_cast<int>(random() % 200);
      while (done < until) std::this_thread::yield();
      vfs.StopAll();
      for (std::thread& thread : threads) thread.join();
    }
    vfs.LoseUnsynced(random());

    SqliteOptions options;
    options.check_time = absl::InfiniteDuration();
    const auto store = MustOpen(folder, options);
    ASSERT_NE(store, nullptr) << "round " << round;
    ASSERT_EQ(store->open_report().new_lineage_because, "");
    for (int w = 0; w < kWriters; ++w) {
      const std::string a = ValueOf(*store, absl::StrCat(w, "/a"));
      ASSERT_EQ(a, ValueOf(*store, absl::StrCat(w, "/b"))) << "round " << round;
      const int found = a == "(none)" ? 0 : std::stoi(a);
      ASSERT_GE(found, acknowledged[w]) << "round " << round;
      ASSERT_LE(found, tried[w]) << "round " << round;
      acknowledged[w] = found;
    }
  }
  EXPECT_GT(acknowledged[0], kRounds);
}

// ------------------------------------------------------------------- damage

// A store with enough records that most pages hold some of them.
std::string StoreOfManyPages() {
  const std::string folder = NewFolder();
  const auto store = MustOpen(folder);
  for (int i = 0; i < 20; ++i) {
    Commit commit;
    for (int j = 0; j < 50; ++j) {
      commit.puts.push_back({absl::StrFormat("k%04d", i * 50 + j),
                             RandomText(1000, i * 50 + j),
                             {}});
    }
    EXPECT_TRUE(store->Apply(commit).ok());
  }
  return folder;
}

// Destroys the page that holds `text`.
void DestroyPageOf(const std::string& folder, const std::string& text) {
  const std::string path = folder + "/sallyport.db";
  std::string bytes = ReadWhole(path);
  const size_t at = bytes.find(text);
  ASSERT_NE(at, std::string::npos);
  const size_t page = at / 4096 * 4096;
  ASSERT_GT(page, 0u);
  for (size_t i = page; i < page + 4096; ++i) bytes[i] = '\x5a';
  WriteWhole(path, bytes);
}

TEST(SqliteStoreDamage, OfAPageIsFoundWhenItIsOpened) {
  const std::string folder = StoreOfManyPages();
  DestroyPageOf(folder, RandomText(1000, 500));
  ExpectSays(SqliteStore::Open(folder).status(), absl::StatusCode::kDataLoss,
             "is damaged");
  ExpectSays(SqliteStore::Open(folder).status(), absl::StatusCode::kDataLoss,
             "restore a backup");
  const std::string before = ReadWhole(folder + "/sallyport.db");

  SqliteOptions options;
  options.if_damaged = SqliteOptions::IfDamaged::kReadOnly;
  {
    const auto store = MustOpen(folder, options);
    ASSERT_NE(store, nullptr);
    EXPECT_EQ(store->open_report().damage.code(), absl::StatusCode::kDataLoss);
    EXPECT_EQ(store->Health().code(), absl::StatusCode::kDataLoss);
    EXPECT_EQ(CodeOf(TryPut(*store, "new", "v")), absl::StatusCode::kDataLoss);
    EXPECT_EQ(CodeOf(store->CollectGarbage()), absl::StatusCode::kDataLoss);
    // What does not lie there is read.
    EXPECT_EQ(ValueOf(*store, "k0001"), RandomText(1000, 1));
    EXPECT_EQ(ValueOf(*store, "k0999"), RandomText(1000, 999));
    EXPECT_EQ(CodeOf(store->Get("k0500")), absl::StatusCode::kDataLoss);
  }
  // No damage is added.
  EXPECT_EQ(ReadWhole(folder + "/sallyport.db"), before);
}

TEST(SqliteStoreDamage, OfAPageThatIsMetLaterEndsWritesAndNotReads) {
  const std::string folder = StoreOfManyPages();
  DestroyPageOf(folder, RandomText(1000, 500));
  SqliteOptions options;
  options.check_time = absl::ZeroDuration();
  const auto store = MustOpen(folder, options);
  ASSERT_NE(store, nullptr);
  EXPECT_TRUE(store->Health().ok());
  MustPut(*store, "new", "v");
  ExpectSays(store->Get("k0500").status(), absl::StatusCode::kDataLoss,
             "is damaged");
  EXPECT_EQ(store->Health().code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(CodeOf(TryPut(*store, "more", "v")), absl::StatusCode::kDataLoss);
  EXPECT_EQ(ValueOf(*store, "new"), "v");
  EXPECT_EQ(ValueOf(*store, "k0001"), RandomText(1000, 1));
  ListRequest request;
  request.limit = 100;
  EXPECT_TRUE(store->List(request).ok());
}

TEST(SqliteStoreDamage, OfAValueIsFoundWhenItIsReadAndNamesTheRecord) {
  const std::string folder = StoreOfManyPages();
  const std::string path = folder + "/sallyport.db";
  std::string bytes = ReadWhole(path);
  const size_t at = bytes.find(RandomText(1000, 500));
  ASSERT_NE(at, std::string::npos);
  bytes[at + 500] ^= 1;
  WriteWhole(path, bytes);

  const auto store = MustOpen(folder);
  ASSERT_NE(store, nullptr);
  ExpectSays(store->Get("k0500").status(), absl::StatusCode::kDataLoss,
             "\"k0500\"");
  EXPECT_FALSE(absl::StrContains(store->Get("k0500").status().message(),
                                 RandomText(1000, 500).substr(0, 20)));
  ListRequest request;
  request.start_after = "k0490";
  EXPECT_EQ(CodeOf(store->List(request)), absl::StatusCode::kDataLoss);
  request.start_after = "k0500";
  EXPECT_TRUE(store->List(request).ok());
  // The rest goes on, and putting the record again mends it.
  EXPECT_EQ(ValueOf(*store, "k0501"), RandomText(1000, 501));
  MustPut(*store, "k0500", "mended");
  EXPECT_EQ(ValueOf(*store, "k0500"), "mended");
  EXPECT_TRUE(store->Health().ok());
}

TEST(SqliteStoreDamage, OfABlobIsFoundWhenItIsRead) {
  const std::string folder = NewFolder();
  const std::string content = RandomText(3 << 20, 1);
  {
    const auto store = MustOpen(folder);
    auto blob = store->NewBlob();
    ASSERT_TRUE((*blob)->Append(content).ok());
    ASSERT_TRUE((*blob)->Finish().ok());
  }
  const std::string path = folder + "/sallyport.db";
  std::string bytes = ReadWhole(path);
  const size_t at = bytes.find(content.substr((2 << 20) + 50000, 100));
  ASSERT_NE(at, std::string::npos);
  bytes[at] ^= 1;
  WriteWhole(path, bytes);

  const auto store = MustOpen(folder);
  auto reader = store->OpenBlob(BlobDigest::Of(content));
  ASSERT_TRUE(reader.ok()) << reader.status();
  EXPECT_TRUE((*reader)->Read().ok());
  EXPECT_TRUE((*reader)->Read().ok());
  ExpectSays((*reader)->Read().status(), absl::StatusCode::kDataLoss,
             BlobDigest::Of(content).ToHex());
  MustPut(*store, "a", "1");
}

TEST(SqliteStoreDamage, OfTheHeaderIsFoundWhenItIsOpened) {
  const std::string folder = StoreOfManyPages();
  std::string bytes = ReadWhole(folder + "/sallyport.db");
  bytes.replace(0, 16, "not a database..");
  WriteWhole(folder + "/sallyport.db", bytes);
  for (auto choice :
       {SqliteOptions::IfDamaged::kFail, SqliteOptions::IfDamaged::kReadOnly}) {
    SqliteOptions options;
    options.if_damaged = choice;
    ExpectSays(SqliteStore::Open(folder, options).status(),
               absl::StatusCode::kDataLoss, "is damaged");
  }
  EXPECT_EQ(ReadWhole(folder + "/sallyport.db"), bytes);
}

TEST(SqliteStoreDamage, OfTheLogIsNoticedAsMissingRevisions) {
  const std::string folder = NewFolder();
  const std::string copy = NewFolder();
  ASSERT_EQ(mkdir(copy.c_str(), 0700), 0);
  {
    const auto store = MustOpen(folder);
    MustPut(*store, "a", "1");
  }
  {
    const auto store = MustOpen(folder);
    MustPut(*store, "a", "2");
    MustPut(*store, "a", "3");
    // As after kill -9.
    for (const char* file : {"/sallyport.db", "/sallyport.lock"}) {
      WriteWhole(copy + file, ReadWhole(folder + file));
    }
    std::string log = ReadWhole(folder + "/sallyport.db-wal");
    ASSERT_GT(log.size(), 4096u);
    log.resize(log.size() / 2);
    WriteWhole(copy + "/sallyport.db-wal", log);
  }
  const auto store = MustOpen(copy);
  ASSERT_NE(store, nullptr);
  EXPECT_NE(store->open_report().new_lineage_because, "");
  EXPECT_LT(store->Stats()->revision, Revision(3));
}

TEST(SqliteStoreDamage, IsLookedForNoLongerThanAllowed) {
  const std::string folder = StoreOfManyPages();
  SqliteOptions options;
  options.check_time = absl::Nanoseconds(1);
  {
    const auto store = MustOpen(folder, options);
    ASSERT_NE(store, nullptr);
    EXPECT_FALSE(store->open_report().check_finished);
    EXPECT_EQ(ValueOf(*store, "k0001"), RandomText(1000, 1));
    MustPut(*store, "a", "1");
  }
  options.check_time = absl::InfiniteDuration();
  EXPECT_TRUE(MustOpen(folder, options)->open_report().check_finished);
}

// ------------------------------------------------------------------ secrets

TEST(SqliteStoreSecrets, AreNowhereInTheFiles) {
  const std::string folder = NewFolder();
  const std::string kek_path = folder + ".kek";
  const auto sealer =
      Sealer::FromFile(kek_path, Sealer::IfMissing::kCreate).value();
  // The key as it may appear: as bytes, in PEM's base64 (at each of the three
  // alignments), in hex.
  const std::string key = pki::RandomBytes(121);
  std::vector<std::string> needles = {key.substr(0, 16), key.substr(60, 16),
                                      HexLower(key).substr(0, 24),
                                      HexUpper(key).substr(0, 24)};
  for (size_t shift = 0; shift < 3; ++shift) {
    needles.push_back(absl::Base64Escape(key.substr(shift)).substr(0, 24));
  }
  std::string kek = ReadWhole(kek_path);
  kek = kek.substr(kek.rfind('\n', kek.size() - 2) + 1);
  kek.pop_back();
  needles.push_back(kek);
  std::string kek_bytes;
  ASSERT_TRUE(absl::Base64Unescape(kek, &kek_bytes));
  needles.push_back(kek_bytes);

  const std::string pem =
      absl::StrCat("-----BEGIN PRIVATE KEY-----\n", absl::Base64Escape(key),
                   "\n-----END PRIVATE KEY-----\n");
  const auto look = [&](const std::string& when) {
    int found_files = 0;
    bool found_marker = false;
    for (const char* file : {"/sallyport.db", "/sallyport.db-wal",
                             "/sallyport.db-shm", "/sallyport.lock"}) {
      const std::string bytes = ReadWhole(folder + file);
      found_files += bytes.empty() ? 0 : 1;
      found_marker |= absl::StrContains(bytes, "in plain sight");
      for (size_t i = 0; i < needles.size(); ++i) {
        EXPECT_FALSE(absl::StrContains(bytes, needles[i]))
            << file << " has needle " << i << " " << when;
      }
      EXPECT_FALSE(absl::StrContains(bytes, "PRIVATE KEY")) << file << when;
    }
    EXPECT_GE(found_files, 2) << when;
    // What is not sealed is found, so looking works.
    EXPECT_TRUE(found_marker) << when;
  };
  {
    const auto store = MustOpen(folder);
    for (int i = 0; i < 20; ++i) {
      const std::string name = absl::StrCat("keys/", i % 3);
      Commit commit;
      commit.puts.push_back(
          {name, sealer->Seal(Secret::CopyOf(pem), name).value(), {}});
      commit.puts.push_back(
          {"raw", sealer->Seal(Secret::CopyOf(key), "raw").value(), {}});
      commit.puts.push_back({"marker", "in plain sight", {}});
      ASSERT_TRUE(store->Apply(commit).ok());
    }
    Commit deletion;
    deletion.deletes = {"keys/0"};
    ASSERT_TRUE(store->Apply(deletion).ok());
    look("while it is open");
    EXPECT_EQ(sealer->Open(ValueOf(*store, "keys/1"), "keys/1")->Reveal(), pem);
    // Swapping the sealed values of two records opens neither.
    MustPut(*store, "keys/2", ValueOf(*store, "keys/1"));
    EXPECT_FALSE(sealer->Open(ValueOf(*store, "keys/2"), "keys/2").ok());
  }
  look("after it was closed");
}

}  // namespace
}  // namespace sallyport::store
