// Kills a process that writes to the store, again and again, and looks at what
// it left.

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "config_service/store/sqlite/crash_layout.h"
#include "config_service/store/sqlite/sqlite_store.h"
#include "gtest/gtest.h"

namespace sallyport::store {
namespace {

constexpr int kKills = 200;
constexpr absl::Duration kOpensWithin = absl::Seconds(2);

std::string WriterProgram() {
  const char* given = std::getenv("CRASH_WRITER");
  return given != nullptr ? given : "config_service/store/sqlite/crash_writer";
}

// A crash_writer that runs. Killed with this object.
class Writer {
 public:
  explicit Writer(const std::string& folder) {
    int ends[2];
    EXPECT_EQ(pipe2(ends, O_CLOEXEC), 0);
    const std::string program = WriterProgram();
    pid_ = fork();
    if (pid_ == 0) {
      dup2(ends[1], STDOUT_FILENO);
      execl(program.c_str(), program.c_str(), folder.c_str(), nullptr);
      _exit(127);
    }
    close(ends[1]);
    output_ = ends[0];
  }
  ~Writer() {
    Kill();
    close(output_);
  }

  // Reads acknowledgements until there were `lines`, then until `after` has
  // passed. False when the writer ended by itself.
  bool ReadFor(int lines, absl::Duration after) {
    absl::Time until = absl::InfiniteFuture();
    while (true) {
      if (until == absl::InfiniteFuture() && lines_ >= lines) {
        until = absl::Now() + after;
      }
      const absl::Duration left = until - absl::Now();
      if (left <= absl::ZeroDuration()) return true;
      pollfd readable = {output_, POLLIN, 0};
      const int timeout =
          left > absl::Seconds(60)
              ? 60000
              : static_cast<int>(absl::ToInt64Milliseconds(left));
      const int ready = poll(&readable, 1, timeout);
      if (ready > 0 && !ReadSome()) return false;
      if (ready == 0 && timeout == 60000) return false;
    }
  }

  // Kills it, and reads what it had still said.
  void Kill() {
    if (pid_ == 0) return;
    kill(pid_, SIGKILL);
    waitpid(pid_, &end_, 0);
    pid_ = 0;
    while (ReadSome()) {
    }
  }

  bool was_killed() const {
    return WIFSIGNALED(end_) && WTERMSIG(end_) == SIGKILL;
  }
  // By writer ("0", "blob"): the last number that was acknowledged.
  const std::map<std::string, int64_t>& acknowledged() const {
    return acknowledged_;
  }
  Revision revision() const { return revision_; }
  int lines() const { return lines_; }

 private:
  bool ReadSome() {
    char bytes[4096];
    const ssize_t got = read(output_, bytes, sizeof(bytes));
    if (got <= 0) return false;
    text_.append(bytes, static_cast<size_t>(got));
    size_t end = 0;
    while ((end = text_.find('\n')) != std::string::npos) {
      const std::vector<std::string> words =
          absl::StrSplit(text_.substr(0, end), ' ');
      text_.erase(0, end + 1);
      int64_t number = 0;
      int64_t revision = 0;
      EXPECT_TRUE(words.size() == 3 && absl::SimpleAtoi(words[1], &number) &&
                  absl::SimpleAtoi(words[2], &revision));
      acknowledged_[words[0]] = number;
      revision_ = std::max(revision_, Revision(revision));
      ++lines_;
    }
    return true;
  }

  pid_t pid_ = 0;
  int end_ = 0;
  int output_ = -1;
  std::string text_;
  std::map<std::string, int64_t> acknowledged_;
  Revision revision_;
  int lines_ = 0;
};

std::string ValueOf(Store& store, const std::string& key, Revision at) {
  const auto got = store.Get(key, at);
  if (!got.ok()) return got.status().ToString();
  return got->record ? got->record->value : "0";
}

// What is under t/ is what the commits 1 to n of writer t leave, for one n.
void ExpectWholeCommits(Store& store, int writer, int64_t acknowledged) {
  const Revision now = store.Stats()->revision;
  int64_t n = 0;
  ASSERT_TRUE(
      absl::SimpleAtoi(ValueOf(store, absl::StrCat(writer, "/a"), now), &n));
  EXPECT_EQ(ValueOf(store, absl::StrCat(writer, "/b"), now), absl::StrCat(n));
  // At most the one commit that was under way is there beside.
  EXPECT_GE(n, acknowledged);
  EXPECT_LE(n, acknowledged + 1);

  std::map<std::string, std::string> expected;
  for (int64_t i = std::max<int64_t>(1, n - kLiveSlots + 1); i <= n; ++i) {
    expected[SlotKey(writer, i)] = SlotValue(writer, i);
  }
  std::map<std::string, std::string> found;
  ListRequest request;
  request.prefix = absl::StrCat(writer, "/slots/");
  const auto page = store.List(request);
  ASSERT_TRUE(page.ok()) << page.status();
  ASSERT_FALSE(page->more);
  for (const Record& record : page->records) {
    found[record.key] = record.value;
  }
  EXPECT_EQ(found, expected);
}

void ExpectBlobs(Store& store, int64_t acknowledged) {
  ListRequest request;
  request.prefix = "blobs/";
  const auto page = store.List(request);
  ASSERT_TRUE(page.ok()) << page.status();
  int64_t newest = 0;
  for (const Record& record : page->records) {
    int64_t n = 0;
    ASSERT_TRUE(absl::SimpleAtoi(record.value, &n));
    newest = std::max(newest, n);
    ASSERT_EQ(record.blobs.size(), 1u);
    auto reader = store.OpenBlob(record.blobs[0]);
    ASSERT_TRUE(reader.ok()) << reader.status();
    std::string content;
    while (true) {
      const auto piece = (*reader)->Read();
      ASSERT_TRUE(piece.ok()) << piece.status();
      if (piece->empty()) break;
      content += *piece;
    }
    EXPECT_TRUE(content == BlobContent(n)) << record.key;
  }
  EXPECT_GE(newest, acknowledged);
}

// Every revision of the history is there, and each is a whole commit.
void ExpectHistory(Store& store, std::mt19937& random) {
  const auto stats = store.Stats();
  ASSERT_TRUE(stats.ok()) << stats.status();
  auto watcher = store.Watch("", stats->compacted);
  ASSERT_TRUE(watcher.ok()) << watcher.status();
  Revision last = stats->compacted;
  while (last < stats->revision) {
    const auto batch = (*watcher)->Next(absl::ZeroDuration());
    ASSERT_TRUE(batch.ok()) << batch.status();
    for (const Change& change : batch->changes) {
      ASSERT_LE(change.record.mod_revision.value(), last.value() + 1);
      last = change.record.mod_revision;
    }
    ASSERT_EQ(last, batch->revision);
  }
  for (int i = 0; i < 5; ++i) {
    const int64_t span = stats->revision.value() - stats->compacted.value();
    const Revision at(stats->compacted.value() +
                      static_cast<int64_t>(random()) % (span + 1));
    for (int writer = 0; writer < kCrashWriters; ++writer) {
      EXPECT_EQ(ValueOf(store, absl::StrCat(writer, "/a"), at),
                ValueOf(store, absl::StrCat(writer, "/b"), at));
    }
  }
}

TEST(Crash, LosesNothingAcknowledgedAndTearsNoCommitInTwoHundredKills) {
  const char* dir = std::getenv("TEST_TMPDIR");
  std::string folder =
      absl::StrCat(dir != nullptr ? dir : "/tmp", "/crash.XXXXXX");
  ASSERT_NE(mkdtemp(&folder[0]), nullptr);
  folder += "/data";
  std::mt19937 random(20260131);
  std::map<std::string, int64_t> acknowledged;
  Lineage lineage;
  absl::Duration slowest;
  int64_t commits = 0;
  for (int killed = 0; killed < kKills; ++killed) {
    SCOPED_TRACE(absl::StrCat("kill ", killed));
    {
      Writer writer(folder);
      // Some right after the first acknowledgement, most a little later.
      const int lines = 1 + static_cast<int>(random() % 12);
      ASSERT_TRUE(writer.ReadFor(lines, absl::Microseconds(random() % 20000)));
      writer.Kill();
      ASSERT_TRUE(writer.was_killed());
      ASSERT_GE(writer.lines(), 1);
      for (const auto& entry : writer.acknowledged()) {
        ASSERT_GT(entry.second, acknowledged[entry.first]);
        acknowledged[entry.first] = entry.second;
      }
      commits += writer.lines();

      const absl::Time start = absl::Now();
      const auto store = SqliteStore::Open(folder, CrashOptions());
      const absl::Duration took = absl::Now() - start;
      slowest = std::max(slowest, took);
      ASSERT_TRUE(store.ok()) << store.status();
      EXPECT_LT(took, kOpensWithin);
      EXPECT_EQ((*store)->open_report().new_lineage_because, "");
      if (killed == 0) lineage = (*store)->lineage();
      EXPECT_EQ((*store)->lineage(), lineage);
      EXPECT_GE((*store)->Stats()->revision, writer.revision());
      for (int w = 0; w < kCrashWriters; ++w) {
        ExpectWholeCommits(**store, w, acknowledged[absl::StrCat(w)]);
      }
      ExpectBlobs(**store, acknowledged["blob"]);
      ExpectHistory(**store, random);
      // The next writer goes on from what is there.
      for (int w = 0; w < kCrashWriters; ++w) {
        ASSERT_TRUE(absl::SimpleAtoi(ValueOf(**store, absl::StrCat(w, "/a"),
                                             (*store)->Stats()->revision),
                                     &acknowledged[absl::StrCat(w)]));
      }
      if (HasFailure()) return;
    }
  }
  // Every thread of the writer had its part.
  EXPECT_EQ(acknowledged.size(), static_cast<size_t>(kCrashWriters) + 1);
  std::printf("%d kills, %lld acknowledged commits, slowest start %lld ms\n",
              kKills, static_cast<long long>(commits),
              static_cast<long long>(absl::ToInt64Milliseconds(slowest)));
}

}  // namespace
}  // namespace sallyport::store
