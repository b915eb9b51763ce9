#include "filters/cert_validator/followed_file.h"

#include <algorithm>
#include <exception>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/text.h"
#include "filters/cert_validator/refused_updates.h"
#include "filters/shim/log.h"

namespace sallyport::cert_validator {
namespace {

struct Files {
  absl::Mutex mu;
  absl::flat_hash_map<std::string, std::weak_ptr<FollowedFile>> by_key
      ABSL_GUARDED_BY(mu);
};
Files& AllFiles() {
  static auto& files = *new Files;  // never destroyed
  return files;
}

std::string KeyOf(absl::string_view path, const FollowedFile::Format& format) {
  return absl::StrCat(format.noun, ";", format.max_bytes, ";", format.key, ";",
                      path);
}

}  // namespace

FollowedFile::FollowedFile(absl::string_view path, const Format& format)
    : path_(path), format_(format) {}

absl::StatusOr<std::shared_ptr<FollowedFile>> FollowedFile::Open(
    absl::string_view path, const Format& format) {
  Files& all = AllFiles();
  const std::string key = KeyOf(path, format);
  std::shared_ptr<FollowedFile> file;
  {
    absl::MutexLock lock(&all.mu);
    const auto it = all.by_key.find(key);
    if (it != all.by_key.end()) file = it->second.lock();
  }
  if (file != nullptr) {
    const absl::Status status = file->Refresh(Read::kIfAnother);
    if (!status.ok()) return status;
    return file;
  }
  file.reset(new FollowedFile(path, format));
  // Before reading, so that no move is missed.
  FileWatcher::Global().Add(path, file);
  const absl::Status status = file->Refresh(Read::kAlways);
  if (!status.ok()) return status;
  absl::MutexLock lock(&all.mu);
  auto& slot = all.by_key[key];
  if (auto found = slot.lock()) return found;
  slot = file;
  return file;
}

FollowedFile::~FollowedFile() {
  Files& all = AllFiles();
  absl::MutexLock lock(&all.mu);
  const auto it = all.by_key.find(KeyOf(path_, format_));
  if (it != all.by_key.end() && it->second.expired()) all.by_key.erase(it);
}

FollowedFile::Content FollowedFile::current() const {
  absl::MutexLock lock(&mu_);
  return current_;
}

void FollowedFile::Subscribe(std::weak_ptr<Listener> listener) {
  absl::MutexLock lock(&mu_);
  listeners_.erase(
      std::remove_if(listeners_.begin(), listeners_.end(),
                     [](const auto& weak) { return weak.expired(); }),
      listeners_.end());
  listeners_.push_back(std::move(listener));
}

void FollowedFile::NoticeChangeInPlace() {
  const FileStamp now = StampOf(path_);
  absl::MutexLock lock(&reading_);
  if (now == stamp_) {
    noticed_ = stamp_;
    return;
  }
  if (!(now == noticed_)) {
    noticed_ = now;
    warned_ = false;
    return;
  }
  if (std::exchange(warned_, true)) return;
  RefusedUpdates::Add(format_.noun, now.identity.exists
                                        ? RefusedUpdates::kInPlace
                                        : RefusedUpdates::kGone);
  shim::Log(
      shim::LogLevel::kWarning,
      absl::StrCat("the ", format_.noun, " ", Printable(path_),
                   now.identity.exists
                       ? " was written to in place, which does not count: what "
                         "was read before stays in force. Write the new "
                         "content to another file and move that here (mv, "
                         "rename(2))"
                       : " is gone: what was read before stays in force, but "
                         "no configuration that names it can be loaded"));
}

void FollowedFile::OnFileEvent(FileWatcher::Hint hint) {
  try {
    if (hint == FileWatcher::Hint::kNothing) {
      NoticeChangeInPlace();
      return;
    }
    const absl::Status status =
        Refresh(hint == FileWatcher::Hint::kReplaced ? Read::kAlways
                                                     : Read::kIfAnother);
    (void)status;  // Refresh() logged it
  } catch (const std::exception& e) {
    shim::Log(shim::LogLevel::kError,
              absl::StrCat("reading the ", format_.noun, " ", Printable(path_),
                           " again failed, the last good content stays in "
                           "force: ",
                           Printable(e.what())));
  }
}

absl::Status FollowedFile::Refresh(Read read) {
  Content fresh;
  Content old;
  std::vector<std::weak_ptr<Listener>> listeners;
  absl::MutexLock reading(&reading_);
  // Before the reading: a move in between changes it, and comes as an event.
  const FileStamp stamp = StampOf(path_);
  if (read == Read::kIfAnother && stamp.identity == stamp_.identity) {
    return last_status_;
  }
  stamp_ = stamp;
  const absl::StatusOr<std::string> bytes =
      ReadRegularFile(path_, format_.max_bytes);
  const absl::StatusOr<Content> parsed =
      bytes.ok() ? format_.parse(*bytes) : bytes.status();
  bool in_use;
  {
    absl::MutexLock lock(&mu_);
    in_use = current_ != nullptr;
    if (parsed.ok() && *parsed != current_) {
      old = std::move(current_);
      current_ = fresh = *parsed;
      listeners = listeners_;
    }
  }
  if (!parsed.ok()) {
    last_status_ = parsed.status();
    if (in_use) {
      RefusedUpdates::Add(format_.noun, RefusedUpdates::kContent);
      shim::Log(shim::LogLevel::kError,
                absl::StrCat("the new content of the ", format_.noun, " ",
                             Printable(path_),
                             " is refused, the last good one stays in force: ",
                             Printable(last_status_.message(), 1024)));
    }
    return last_status_;
  }
  last_status_ = absl::OkStatus();
  if (fresh == nullptr) return absl::OkStatus();
  if (in_use) {
    shim::Log(shim::LogLevel::kInfo,
              absl::StrCat("the ", format_.noun, " ", Printable(path_),
                           " was replaced: ", format_.describe(fresh)));
  }
  for (const auto& weak : listeners) {
    if (auto listener = weak.lock()) listener->OnFileChanged();
  }
  return absl::OkStatus();
}

}  // namespace sallyport::cert_validator
