// Gate: what every call of the API passes before it reaches its handler, and
// after. In this order: who asks, whether they have a place for one more call,
// whether the role allows the method, whether they ask too often; then the
// handler; then the log line and the metrics.
// Nothing of the request is looked at before, so that a refusal tells nothing
// about what there is.

#ifndef SALLYPORT_CONFIG_SERVICE_API_GATE_H_
#define SALLYPORT_CONFIG_SERVICE_API_GATE_H_

#include <string>
#include <utility>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "config_service/api/credentials.h"
#include "config_service/api/open_calls.h"
#include "config_service/service/call_limiter.h"
#include "config_service/service/caller.h"
#include "grpcpp/server_context.h"
#include "grpcpp/support/status.h"

namespace sallyport::api {

// One call, for the log and for metrics. Text is printable.
struct CallRecord {
  absl::Time time;
  absl::Duration duration;
  std::string method;
  std::string principal;  // empty: not known
  std::string peer;
  std::string request;  // its id
  grpc::StatusCode code = grpc::StatusCode::OK;
  std::string reason;   // of the error
  std::string details;  // for the log only; of faults of the service
};

// Is told of each call, from any thread.
class Observer {
 public:
  virtual ~Observer() = default;
  virtual void OnCall(const CallRecord& record) = 0;
  // A call was ended since its client neither took nor sent what it should;
  // OnCall comes too, before or after.
  virtual void OnEnded(const OpenCalls::Label&) {}
};

struct GateOptions {
  Credentials credentials;
  // A caller from the loopback interface that has no credentials is an admin.
  bool trust_loopback = false;
  // Calls of one principal, or from one address of those that are unknown; see
  // limits.h. 0: any number.
  double call_burst = 0;
  double calls_per_second = 0;
  OpenCallLimits open_calls;
  // What a call of the console has (kConsoleKeyHeader); empty: there is no
  // console. A secret of this process.
  std::string console_key;
};

// Metadata of the console's calls, which come by a channel inside the process:
// the key, and the address of the browser ("127.0.0.1:5000"), which stands for
// the caller's wherever one is looked at. Without the key they mean nothing.
constexpr char kConsoleKeyHeader[] = "x-sallyport-console-key";
constexpr char kConsolePeerHeader[] = "x-sallyport-console-peer";

// Thread-safe.
class Gate {
 public:
  // `observer` and `clock` outlive it.
  Gate(GateOptions options, Observer* observer, const Clock* clock);

  // Runs `handler` if the caller may call `method`
  // ("sallyport.config.v1.Truststores/GetTruststore"), and makes the answer of
  // what it returns. The answer's trailing metadata have the request's id
  // ("x-request-id"): the caller's own, or a new one.
  grpc::Status Run(
      grpc::ServerContext& context, absl::string_view method,
      absl::FunctionRef<absl::Status(const service::Caller&)> handler);

  // Of calls under way that have a place, for tests.
  int count(CallKind kind) const { return open_calls_.count(kind); }

  // Who asks; CREDENTIALS_MISSING. `authorization` is the value of that header,
  // null when there is none; `peer` as grpc::ServerContext has it.
  absl::StatusOr<service::Caller> Authenticate(
      const std::string* authorization,
      const std::vector<std::string>& certificate_uris,
      absl::string_view peer) const;

 private:
  // The same, and who it is in the credentials.
  absl::StatusOr<Credentials::Known> Find(
      const std::string* authorization,
      const std::vector<std::string>& certificate_uris,
      absl::string_view peer) const;
  absl::StatusOr<Credentials::Known> Identify(
      const grpc::ServerContext& context, const std::string& peer) const;
  // Where the call comes from, as grpc::ServerContext has it.
  std::string PeerOf(const grpc::ServerContext& context) const;

  const GateOptions options_;
  Observer* const observer_;
  const Clock* const clock_;
  // A principal and an address never share a count.
  service::CallLimiter known_;
  service::CallLimiter unknown_;
  OpenCalls open_calls_;
};

// Whether `peer`, as grpc::ServerContext::peer() has it, is on this machine:
// "ipv4:127.0.0.1:5000", "ipv6:[::1]:5000", "ipv6:%5B::1%5D:5000".
bool IsLoopback(absl::string_view peer);

}  // namespace sallyport::api

#endif  // SALLYPORT_CONFIG_SERVICE_API_GATE_H_
