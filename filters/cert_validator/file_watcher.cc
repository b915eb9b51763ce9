#include "filters/cert_validator/file_watcher.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/text.h"
#include "filters/shim/log.h"

namespace sallyport::cert_validator {
namespace {

constexpr int kTickMillis = 1000;
// A watch sees moves into the directory, and its own end.
constexpr uint32_t kMask =
    IN_MOVED_TO | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR;

std::string DirectoryOf(absl::string_view path) {
  const size_t slash = path.rfind('/');
  if (slash == absl::string_view::npos) return ".";
  if (slash == 0) return "/";
  return std::string(path.substr(0, slash));
}

std::string NameOf(absl::string_view path) {
  const size_t slash = path.rfind('/');
  return std::string(slash == absl::string_view::npos ? path
                                                      : path.substr(slash + 1));
}

}  // namespace

FileWatcher& FileWatcher::Global() {
  static auto& watcher = *new FileWatcher;
  return watcher;
}

void FileWatcher::Add(absl::string_view path,
                      std::weak_ptr<Listener> listener) {
  absl::MutexLock lock(&mu_);
  if (!started_) StartThread();
  const std::string name = DirectoryOf(path);
  Directory& directory = directories_[name];
  if (directory.wd < 0) Watch(name, directory);
  directory.listeners.emplace(NameOf(path), std::move(listener));
  FollowLinks(name, directory, nullptr);
}

void FileWatcher::StartThread() {
  inotify_ = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
  if (inotify_ < 0) {
    shim::Log(shim::LogLevel::kWarning,
              absl::StrCat("no inotify (", std::strerror(errno),
                           "): truststore files are compared every second "
                           "instead"));
  }
  // Signals are Envoy's business.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  std::thread thread([this] { Run(); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  pthread_setname_np(thread.native_handle(), "sallyport-files");
  thread.detach();
  started_ = true;
}

void FileWatcher::Run() {
  int fd;
  {
    absl::MutexLock lock(&mu_);
    fd = inotify_;
  }
  int64_t next_tick = 0;
  while (true) {
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC, &now);
    const int64_t millis = int64_t{now.tv_sec} * 1000 + now.tv_nsec / 1000000;
    if (millis < next_tick) {
      pollfd waiting{fd, POLLIN, 0};
      poll(&waiting, fd >= 0 ? 1 : 0, static_cast<int>(next_tick - millis));
    }
    std::vector<Call> calls;
    {
      absl::MutexLock lock(&mu_);
      HandleEvents(calls);
      clock_gettime(CLOCK_MONOTONIC, &now);
      const int64_t after = int64_t{now.tv_sec} * 1000 + now.tv_nsec / 1000000;
      if (after >= next_tick) {
        Tick(calls);
        next_tick = after + kTickMillis;
      }
    }
    for (Call& call : calls) {
      call.listener->OnFileEvent(call.hint);
      // The last reference may go here, on this thread.
      call.listener.reset();
    }
  }
}

bool FileWatcher::Watch(const std::string& path, Directory& directory) {
  const FileStamp stamp = StampOf(path);
  const bool exists = stamp.is_directory;
  const FileIdentity identity = exists ? stamp.identity : FileIdentity{};
  if (directory.wd >= 0 && identity == directory.identity) return false;
  Unwatch(directory);
  const bool changed = exists && !(identity == directory.identity);
  directory.identity = identity;
  if (exists && inotify_ >= 0) {
    directory.wd = inotify_add_watch(inotify_, path.c_str(), kMask);
    if (directory.wd < 0 && changed) {
      shim::Log(shim::LogLevel::kWarning,
                absl::StrCat("cannot watch the directory ", Printable(path),
                             " (", std::strerror(errno),
                             "): its truststore files are compared every "
                             "second instead"));
    }
  }
  return changed;
}

void FileWatcher::Unwatch(Directory& directory) {
  const int wd = std::exchange(directory.wd, -1);
  if (wd < 0) return;
  // Two spellings of one directory have one watch descriptor.
  for (const auto& [path, other] : directories_) {
    if (other.wd == wd) return;
  }
  inotify_rm_watch(inotify_, wd);
}

void FileWatcher::HandleEvents(std::vector<Call>& calls) {
  if (inotify_ < 0) return;
  alignas(inotify_event) char buffer[16384];
  while (true) {
    const ssize_t n = read(inotify_, buffer, sizeof(buffer));
    if (n <= 0) return;  // EAGAIN: no more; anything else: the tick remains
    for (ssize_t at = 0; at < n;) {
      inotify_event event;
      std::memcpy(&event, buffer + at, sizeof(event));
      const absl::string_view name =
          event.len == 0
              ? absl::string_view()
              : absl::string_view(buffer + at + sizeof(inotify_event));
      at += static_cast<ssize_t>(sizeof(inotify_event) + event.len);
      for (auto& [path, directory] : directories_) {
        if ((event.mask & IN_Q_OVERFLOW) != 0) {
          CallAll(directory, Hint::kCompare, calls);
          FollowLinks(path, directory, &calls);
          continue;
        }
        if (directory.wd != event.wd) continue;
        if ((event.mask & (IN_IGNORED | IN_DELETE_SELF | IN_MOVE_SELF)) != 0) {
          // The directory is gone from its place: the tick looks for its
          // successor. The old watch of a moved one must not stay.
          if ((event.mask & IN_IGNORED) != 0) directory.wd = -1;
          directory.identity = FileIdentity{};
          continue;
        }
        const auto range = directory.listeners.equal_range(std::string(name));
        if (range.first == range.second) {
          FollowLinks(path, directory, &calls);
          continue;
        }
        for (auto it = range.first; it != range.second; ++it) {
          if (auto listener = it->second.lock()) {
            calls.push_back({std::move(listener), Hint::kReplaced});
          }
        }
      }
    }
  }
}

void FileWatcher::Tick(std::vector<Call>& calls) {
  for (auto it = directories_.begin(); it != directories_.end();) {
    Directory& directory = it->second;
    for (auto file = directory.listeners.begin();
         file != directory.listeners.end();) {
      file = file->second.expired() ? directory.listeners.erase(file)
                                    : std::next(file);
    }
    if (directory.listeners.empty()) {
      Unwatch(directory);
      it = directories_.erase(it);
      continue;
    }
    if (Watch(it->first, directory)) {
      CallAll(directory, Hint::kReplaced, calls);
    } else {
      if (directory.wd < 0) CallAll(directory, Hint::kCompare, calls);
      FollowLinks(it->first, directory, &calls);
      // After what may read the file.
      CallAll(directory, Hint::kNothing, calls);
    }
    ++it;
  }
}

void FileWatcher::FollowLinks(const std::string& path, Directory& directory,
                              std::vector<Call>* calls) {
  for (const auto& [name, weak] : directory.listeners) {
    const std::string file = absl::StrCat(path, "/", name);
    struct stat link {};
    if (lstat(file.c_str(), &link) != 0 || !S_ISLNK(link.st_mode)) continue;
    const FileIdentity identity = StampOf(file).identity;
    if (!identity.exists) continue;
    const auto [known, fresh] = directory.link_targets.emplace(name, identity);
    // What changed is noted only where it is also told.
    if (fresh || calls == nullptr || known->second == identity) continue;
    known->second = identity;
    const auto range = directory.listeners.equal_range(name);
    for (auto it = range.first; it != range.second; ++it) {
      if (auto listener = it->second.lock()) {
        calls->push_back({std::move(listener), Hint::kReplaced});
      }
    }
  }
}

void FileWatcher::CallAll(const Directory& directory, Hint hint,
                          std::vector<Call>& calls) {
  for (const auto& [name, weak] : directory.listeners) {
    if (auto listener = weak.lock()) {
      calls.push_back({std::move(listener), hint});
    }
  }
}

}  // namespace sallyport::cert_validator
