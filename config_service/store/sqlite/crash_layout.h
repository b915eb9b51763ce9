// What crash_writer writes, and crash_test expects.

#ifndef SALLYPORT_CONFIG_SERVICE_STORE_SQLITE_CRASH_LAYOUT_H_
#define SALLYPORT_CONFIG_SERVICE_STORE_SQLITE_CRASH_LAYOUT_H_

#include <cstdint>
#include <string>

#include "absl/strings/str_cat.h"
#include "config_service/store/sqlite/sqlite_store.h"

namespace sallyport::store {

// Threads that write records. The commit n (from 1) of thread t puts n under
// t/a and t/b and a text under t/slots/(n % kSlots), and deletes the slot of
// n - kLiveSlots.
constexpr int kCrashWriters = 3;
constexpr int64_t kSlots = 50;
constexpr int64_t kLiveSlots = 30;
// One more thread uploads blobs: the commit n puts blobs/(n % kBlobSlots),
// which names the blob and has n as its value.
constexpr int64_t kBlobSlots = 4;

inline SqliteOptions CrashOptions() {
  SqliteOptions options;
  // Few, so that compaction runs all the time.
  options.history.revisions = 200;
  options.blob_grace = absl::Seconds(1);
  return options;
}

inline std::string SlotKey(int writer, int64_t n) {
  return absl::StrCat(writer, "/slots/", n % kSlots);
}

// A text that tells n, of some other length each time.
inline std::string SlotValue(int writer, int64_t n) {
  std::string value = absl::StrCat(n, " ");
  value.append(static_cast<size_t>((n * 7919 + writer) % 6000), 's');
  return value;
}

inline std::string BlobContent(int64_t n) {
  std::string content = absl::StrCat("blob ", n, " ");
  // Some have two pieces. Most are small: the whole database is read each time
  // that it is opened.
  content.append(n % 8 == 0 ? kBlobPieceBytes + 100000
                            : static_cast<size_t>(n * 131071 % 60000),
                 'b');
  return content;
}

}  // namespace sallyport::store

#endif  // SALLYPORT_CONFIG_SERVICE_STORE_SQLITE_CRASH_LAYOUT_H_
