// Writes to the store in a folder until it is killed, and says what was
// acknowledged, one line for each commit: "WRITER N REVISION", "blob N
// REVISION".

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "config_service/store/sqlite/crash_layout.h"
#include "config_service/store/sqlite/sqlite_store.h"

namespace sallyport::store {
namespace {

// One write(2) of less than a page to a pipe is whole or not at all.
void Say(const std::string& line) {
  if (write(STDOUT_FILENO, line.data(), line.size()) !=
      static_cast<ssize_t>(line.size())) {
    _exit(3);
  }
}

[[noreturn]] void Fail(const absl::Status& status) {
  std::fprintf(stderr, "crash_writer: %s\n", status.ToString().c_str());
  _exit(2);
}

int64_t NumberOf(Store& store, const std::string& key, Revision* revision) {
  const auto got = store.Get(key);
  if (!got.ok()) Fail(got.status());
  *revision = got->record ? got->record->mod_revision : Revision();
  return got->record ? std::stoll(got->record->value) : 0;
}

void WriteRecords(Store& store, int writer) {
  const std::string a = absl::StrCat(writer, "/a");
  Revision last;
  int64_t n = NumberOf(store, a, &last);
  while (true) {
    ++n;
    Commit commit;
    commit.preconditions.push_back(Precondition::ModRevision(a, last));
    commit.puts.push_back({a, absl::StrCat(n), {}});
    commit.puts.push_back({SlotKey(writer, n), SlotValue(writer, n), {}});
    commit.puts.push_back({absl::StrCat(writer, "/b"), absl::StrCat(n), {}});
    if (n > kLiveSlots) {
      commit.deletes.push_back(SlotKey(writer, n - kLiveSlots));
    }
    const auto applied = store.Apply(commit);
    if (!applied.ok()) Fail(applied.status());
    last = *applied;
    Say(absl::StrCat(writer, " ", n, " ", last.value(), "\n"));
  }
}

void WriteBlobs(Store& store) {
  int64_t n = 0;
  for (int64_t slot = 0; slot < kBlobSlots; ++slot) {
    Revision revision;
    n = std::max(n, NumberOf(store, absl::StrCat("blobs/", slot), &revision));
  }
  while (true) {
    ++n;
    auto blob = store.NewBlob();
    if (!blob.ok()) Fail(blob.status());
    const std::string content = BlobContent(n);
    for (size_t at = 0; at < content.size(); at += 100000) {
      const absl::Status appended =
          (*blob)->Append(absl::string_view(content).substr(at, 100000));
      if (!appended.ok()) Fail(appended);
    }
    const auto digest = (*blob)->Finish();
    if (!digest.ok()) Fail(digest.status());
    Commit commit;
    commit.puts.push_back(
        {absl::StrCat("blobs/", n % kBlobSlots), absl::StrCat(n), {*digest}});
    const auto applied = store.Apply(commit);
    if (!applied.ok()) Fail(applied.status());
    Say(absl::StrCat("blob ", n, " ", applied->value(), "\n"));
    const auto collected = store.CollectGarbage();
    if (!collected.ok()) Fail(collected.status());
  }
}

int Main(const std::string& folder) {
  auto store = SqliteStore::Open(folder, CrashOptions());
  if (!store.ok()) Fail(store.status());
  std::vector<std::thread> threads;
  threads.reserve(kCrashWriters + 1);
  for (int writer = 0; writer < kCrashWriters; ++writer) {
    threads.emplace_back([&store, writer] { WriteRecords(**store, writer); });
  }
  threads.emplace_back([&store] { WriteBlobs(**store); });
  for (std::thread& thread : threads) thread.join();
  return 0;
}

}  // namespace
}  // namespace sallyport::store

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: crash_writer FOLDER\n");
    return 1;
  }
  return sallyport::store::Main(argv[1]);
}
