// FollowedFile: something that is read from a file and follows it.

#ifndef SALLYPORT_FILTERS_CERT_VALIDATOR_FOLLOWED_FILE_H_
#define SALLYPORT_FILTERS_CERT_VALIDATOR_FOLLOWED_FILE_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "filters/cert_validator/file_stamp.h"
#include "filters/cert_validator/file_watcher.h"

namespace sallyport::cert_validator {

// One object for each (path, format) in the process, so that a file that many
// domains use is read once. Thread-safe.
class FollowedFile : public FileWatcher::Listener {
 public:
  // What a content is: an immutable object behind a pointer whose type the
  // format's owner knows.
  using Content = std::shared_ptr<const void>;
  struct Format {
    std::string noun;  // "truststore", for messages
    // Equal for formats that read the same file to the same content.
    std::string key;
    size_t max_bytes = 0;
    // Equal bytes should give the same object: it is how a change is told.
    std::function<absl::StatusOr<Content>(absl::string_view bytes)> parse;
    // A few words for the log: what and how much.
    std::function<std::string(const Content&)> describe;
  };

  // Told when there is a new content.
  class Listener {
   public:
    virtual ~Listener() = default;
    // current() is another one than before. On the watcher's thread, or on a
    // thread in Open(). Without an argument on purpose: who takes current()
    // under a lock of its own cannot put an older content over a newer one.
    virtual void OnFileChanged() = 0;
  };

  // The file at `path`, whose content is acceptable; one that is in use is read
  // again if another file has its place. Errors (unreadable, refused) name
  // the path and the reason; files that are in use keep their last good
  // content.
  static absl::StatusOr<std::shared_ptr<FollowedFile>> Open(
      absl::string_view path, const Format& format);

  FollowedFile(const FollowedFile&) = delete;
  ~FollowedFile() override;

  // The last good content; never null.
  Content current() const ABSL_LOCKS_EXCLUDED(mu_);

  // Tells `listener` about contents that come from now on, until it is gone.
  void Subscribe(std::weak_ptr<Listener> listener) ABSL_LOCKS_EXCLUDED(mu_);

  void OnFileEvent(FileWatcher::Hint hint) override;

 private:
  // Warns, once for each change, when the file is not what was read last, and
  // nothing said that it was replaced: it was written to in place, or removed.
  // A move that is not told of yet looks the same, so it takes two calls.
  void NoticeChangeInPlace() ABSL_LOCKS_EXCLUDED(reading_);

  FollowedFile(absl::string_view path, const Format& format);
  // Reads the file, or only if it is another one than was read last: what is
  // written into the same one may be half of what is to come. Otherwise the
  // result of the last reading.
  enum class Read { kAlways, kIfAnother };
  absl::Status Refresh(Read read) ABSL_LOCKS_EXCLUDED(reading_, mu_);

  const std::string path_;
  const Format format_;
  // One reading at a time. Taken before mu_.
  absl::Mutex reading_;
  FileStamp stamp_ ABSL_GUARDED_BY(reading_);
  // The last one of NoticeChangeInPlace() that differs from stamp_, and whether
  // that was logged.
  FileStamp noticed_ ABSL_GUARDED_BY(reading_);
  bool warned_ ABSL_GUARDED_BY(reading_) = false;
  absl::Status last_status_ ABSL_GUARDED_BY(reading_);
  mutable absl::Mutex mu_;
  Content current_ ABSL_GUARDED_BY(mu_);
  std::vector<std::weak_ptr<Listener>> listeners_ ABSL_GUARDED_BY(mu_);
};

}  // namespace sallyport::cert_validator

#endif  // SALLYPORT_FILTERS_CERT_VALIDATOR_FOLLOWED_FILE_H_
