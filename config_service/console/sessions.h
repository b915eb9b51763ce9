// Sessions: who has signed in. A session has two secrets, and needs both: the
// cookie, which no script can read, and the proof, which the page sends in a
// header. Cookies do not keep ports apart: another server on the same host sees
// the cookie, but never the proof; and no other page can send the header.

#ifndef SALLYPORT_CONFIG_SERVICE_CONSOLE_SESSIONS_H_
#define SALLYPORT_CONFIG_SERVICE_CONSOLE_SESSIONS_H_

#include <cstddef>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "base/clock.h"

namespace sallyport::console {

// Thread-safe.
class Sessions {
 public:
  // `clock` outlives it.
  explicit Sessions(const Clock* clock) : clock_(clock) {}

  struct Identity {
    std::string principal;
    std::string role;
    // "Bearer TOKEN"; empty: signed in without one, from this machine. In
    // memory alone, and sent with each call, so that the API judges it anew.
    std::string authorization;
  };
  struct Secrets {
    std::string cookie;
    std::string proof;
  };

  // Ends the oldest session of the principal when it has
  // kMaxSessionsOfPrincipal. ResourceExhausted: there are kMaxSessions.
  absl::StatusOr<Secrets> Begin(Identity identity);

  enum class Use {
    kAsk,   // keeps the session from being idle
    kLook,  // does not
  };
  // Unauthenticated: there is no such session (any more), or the proof is not
  // its own.
  absl::StatusOr<Identity> Find(absl::string_view cookie,
                                absl::string_view proof, Use use);

  // Does nothing when there is none.
  void End(absl::string_view cookie);

  // For tests.
  size_t size() const;

 private:
  struct Session {
    Identity identity;
    std::string proof_digest;
    absl::Time begin;
    absl::Time last_use;
  };

  bool IsOver(const Session& session, absl::Time now) const;

  const Clock* const clock_;
  mutable absl::Mutex mu_;
  // By the cookie's SHA-256: neither a comparison's time nor a dump of this
  // tells a cookie.
  absl::flat_hash_map<std::string, Session> sessions_ ABSL_GUARDED_BY(mu_);
};

}  // namespace sallyport::console

#endif  // SALLYPORT_CONFIG_SERVICE_CONSOLE_SESSIONS_H_
