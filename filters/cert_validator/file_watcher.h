// FileWatcher: tells when a file may have been replaced.
//
// What counts is the atomic move: rename(2) of the file into its directory, or
// of what a symbolic link on the way to it points to (Kubernetes swaps a link
// `..data` beside the files). Writing into the file in place does not count,
// not even when something else is moved into its directory: a half-written
// bundle must not be read. Listeners are asked to look once a second, so that
// they can say so.
//
// How. One background thread in the process waits on inotify(7) for moves into
// the directories of all files. Once a second it compares each directory's
// identity with the one that is watched, so that a directory that was replaced,
// removed and made again, or reached through a symbolic link that was moved, is
// found again; and, where a file is itself a symbolic link, the identity of
// what it points to; so it does at once when anything else is moved into the
// directory. Where inotify is not to be had (its limits are reached), or has
// lost events, every listener is asked to compare the identity of its file. The
// thread starts with the first file, blocks all signals, and is never joined:
// the module stays loaded until the process ends (do_not_close).

#ifndef SALLYPORT_FILTERS_CERT_VALIDATOR_FILE_WATCHER_H_
#define SALLYPORT_FILTERS_CERT_VALIDATOR_FILE_WATCHER_H_

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "filters/cert_validator/file_stamp.h"

namespace sallyport::cert_validator {

class FileWatcher {
 public:
  // How sure the watcher is that there is something new.
  enum class Hint {
    kReplaced,  // the file itself was moved there, or its directory changed
    kCompare,   // moves are not told of: read it if it is another file
    kNothing,   // a second has passed; there is no reason to read the file
  };

  class Listener {
   public:
    virtual ~Listener() = default;
    // On the watcher's thread, without locks held. Must not throw.
    virtual void OnFileEvent(Hint hint) = 0;
  };

  // The process's watcher. Never destroyed.
  static FileWatcher& Global();

  // Starts telling `listener` about `path`, until it is gone. Events of moves
  // that happen after Add() returned are not missed. Thread-safe.
  void Add(absl::string_view path, std::weak_ptr<Listener> listener)
      ABSL_LOCKS_EXCLUDED(mu_);

 private:
  struct Directory {
    int wd = -1;
    FileIdentity identity;
    // What symbolic links among the files point to, by file name. A link's
    // target may be replaced in a directory that is not watched.
    std::map<std::string, FileIdentity> link_targets;
    // By file name.
    std::multimap<std::string, std::weak_ptr<Listener>> listeners;
  };
  struct Call {
    std::shared_ptr<Listener> listener;
    Hint hint;
  };

  FileWatcher() = default;

  void StartThread() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Run();
  // (Re)installs the watch of `directory`; whether it now is another directory
  // than before.
  bool Watch(const std::string& path, Directory& directory)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Unwatch(Directory& directory) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void HandleEvents(std::vector<Call>& calls)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Tick(std::vector<Call>& calls) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Looks where the symbolic links among the directory's files point now.
  // Without `calls`, only at those whose targets are not known yet.
  static void FollowLinks(const std::string& path, Directory& directory,
                          std::vector<Call>* calls);
  static void CallAll(const Directory& directory, Hint hint,
                      std::vector<Call>& calls);

  absl::Mutex mu_;
  bool started_ ABSL_GUARDED_BY(mu_) = false;
  int inotify_ ABSL_GUARDED_BY(mu_) = -1;
  // By path, as the configuration spells it.
  std::map<std::string, Directory> directories_ ABSL_GUARDED_BY(mu_);
};

}  // namespace sallyport::cert_validator

#endif  // SALLYPORT_FILTERS_CERT_VALIDATOR_FILE_WATCHER_H_
