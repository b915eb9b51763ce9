// Bridge: calls of the gRPC API with JSON in place of Protocol Buffers, over a
// channel inside the process. Nothing of the API is named here but where events
// come from: methods and messages are looked up by their names.

#ifndef SALLYPORT_CONFIG_SERVICE_CONSOLE_BRIDGE_H_
#define SALLYPORT_CONFIG_SERVICE_CONSOLE_BRIDGE_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "grpcpp/channel.h"
#include "grpcpp/client_context.h"

namespace sallyport::console {

// On whose behalf a call is made.
struct CallOrigin {
  std::string authorization;  // "Bearer TOKEN"; empty: none
  std::string peer;           // of the browser: "127.0.0.1:5000"
};

struct CallAnswer {
  // Of HTTP: what google.rpc.Code says it is.
  int status = 200;
  // The response in JSON (every field, also those that are zero), or the error:
  //   {"code": "NOT_FOUND", "message": "...", "reason": "...",
  //    "metadata": {...}, "violations": [{"field", "reason", "description"}]}
  std::string json;
};

// Tells the API's gate that a call is the console's, and whose: what it then
// takes for the caller's address.
using Introduce =
    std::function<void(grpc::ClientContext& context, const std::string& peer)>;

// Thread-safe.
class Bridge {
 public:
  // `channel` leads to the gRPC server of this process.
  Bridge(std::shared_ptr<grpc::Channel> channel, Introduce introduce);

  // Calls a method that has one request and one answer: "Truststores",
  // "GetTruststore". 404: there is no such method.
  CallAnswer Call(const CallOrigin& origin, absl::string_view service,
                  absl::string_view method, const std::string& json) const;

  // Waits for events (Fleets.WatchEvents): {"events": [...]}, none when there
  // were none for kWaitTime.
  CallAnswer WaitForEvents(const CallOrigin& origin,
                           int64_t after_revision) const;

 private:
  void Prepare(grpc::ClientContext& context, const CallOrigin& origin,
               absl::Time deadline) const;

  const std::shared_ptr<grpc::Channel> channel_;
  const Introduce introduce_;
};

// An error that comes from no call.
CallAnswer ErrorAnswer(int status, absl::string_view code,
                       absl::string_view message);

}  // namespace sallyport::console

#endif  // SALLYPORT_CONFIG_SERVICE_CONSOLE_BRIDGE_H_
