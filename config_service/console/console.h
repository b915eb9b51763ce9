// Console: answers browsers. Below /console/:
//
//   GET    /console/, /console/FILE   the pages (web/)
//   GET    /console/session           {"principal", "role"} of the session; 401
//                                     with {"signInWithoutToken"}
//   POST   /console/session           {"token"} -> {"principal", "role",
//                                     "proof"} and the cookie
//   DELETE /console/session           ends it
//   POST   /console/api/SERVICE/METHOD  a call of the gRPC API (bridge.h)
//   POST   /console/events            {"afterRevision"} -> events; after a
//                                     while, none
//
// Every request must name one of our hosts. All but the pages must come from a
// page of ours (Origin, Sec-Fetch-Site, a header of its own that no form and no
// other page can send), and but for signing in have the session's cookie and
// proof ("x-sallyport-proof").

#ifndef SALLYPORT_CONFIG_SERVICE_CONSOLE_CONSOLE_H_
#define SALLYPORT_CONFIG_SERVICE_CONSOLE_CONSOLE_H_

#include <functional>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "base/clock.h"
#include "config_service/console/bridge.h"
#include "config_service/console/message.h"
#include "config_service/console/origins.h"
#include "config_service/console/sessions.h"
#include "grpcpp/channel.h"

namespace sallyport::console {

struct Identity {
  std::string principal;
  std::string role;
};

struct ConsoleOptions {
  Origins origins;
  std::shared_ptr<grpc::Channel> channel;
  Introduce introduce;
  // Who it is that has this Authorization header (null: none) and comes from
  // this address; an error: nobody that the API knows.
  std::function<absl::StatusOr<Identity>(const std::string* authorization,
                                         const std::string& peer)>
      identify;
};

// Thread-safe.
class Console {
 public:
  // `clock` outlives it.
  Console(ConsoleOptions options, const Clock* clock);

  // Whether a request is the console's, by method and target: what is below
  // /console, and whoever asks for "/" in a browser.
  static bool IsFor(absl::string_view method, absl::string_view target);

  Response Handle(const Request& request);

 private:
  struct Call;

  Response Answer(const Call& call);
  Response AnswerPage(const Call& call) const;
  Response AnswerSession(const Call& call);
  Response SignIn(const Call& call);
  Response AnswerApi(const Call& call);
  Response AnswerEvents(const Call& call);
  absl::StatusOr<Sessions::Identity> Find(const Call& call, Sessions::Use use);
  // The answer of a call; ends the session whose token counts no longer.
  Response FromApi(const Call& call, CallAnswer answer);

  const ConsoleOptions options_;
  Sessions sessions_;
  const Bridge bridge_;
  absl::Mutex mu_;
  // Requests that wait for events, by principal.
  absl::flat_hash_map<std::string, int> waits_ ABSL_GUARDED_BY(mu_);
  int num_waits_ ABSL_GUARDED_BY(mu_) = 0;
};

}  // namespace sallyport::console

#endif  // SALLYPORT_CONFIG_SERVICE_CONSOLE_CONSOLE_H_
