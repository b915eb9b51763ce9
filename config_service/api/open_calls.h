// OpenCalls: the calls that are under way. Each holds a thread, and often
// memory, so one principal may have so many of each kind, and all together so
// many more; and a call whose client neither takes nor sends what it should is
// ended.
//
// A call counts until gRPC has sent its answer, which may be long after the
// handler returned: a client that grants no window holds the thread that sends.
// gRPC says so to hooks of the whole process (InstallCallHooks); without them a
// call counts until its handler returns.

#ifndef SALLYPORT_CONFIG_SERVICE_API_OPEN_CALLS_H_
#define SALLYPORT_CONFIG_SERVICE_API_OPEN_CALLS_H_

#include <array>
#include <cstddef>
#include <functional>
#include <list>
#include <memory>
#include <string>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "config_service/api/limits.h"
#include "grpcpp/server_context.h"

namespace sallyport::api {

enum class CallKind {
  kCall,    // one request, one answer
  kStream,  // the answer takes time: it is a stream, or waits for something
  kUpload,  // the request is a stream
};
constexpr size_t kNumCallKinds = 3;

// KindOf: of "sallyport.config.v1.Truststores/GetTruststore". What is not known
// is a kCall.
CallKind KindOf(absl::string_view method);

struct OpenCallLimits {
  // Of one principal, at one time, by CallKind.
  std::array<int, kNumCallKinds> of_principal = {
      kPrincipalCalls, kPrincipalStreams, kPrincipalUploads};
  // What a client has for taking one message or the answer, and for sending the
  // next piece of an upload.
  absl::Duration client_timeout = kClientTimeout;
};

// InstallCallHooks: once for the process, before it makes its first gRPC
// server; does nothing when it is called again.
void InstallCallHooks();

// Thread-safe.
class OpenCalls {
 public:
  // A call, as it is told of.
  struct Label {
    std::string method;
    std::string principal;
    std::string peer;
    std::string request;
  };
  // `on_ended` is told of each call that is ended, since its client kept it
  // waiting or its credentials expired; from another thread, without a lock
  // held.
  OpenCalls(const OpenCallLimits& limits,
            std::function<void(const Label&)> on_ended);
  // No call may be under way.
  ~OpenCalls();
  OpenCalls(const OpenCalls&) = delete;
  OpenCalls& operator=(const OpenCalls&) = delete;

  // The call of this thread begins. RATE_LIMITED, with the limit and its
  // option, when there is no place for it; it is to be answered with that, and
  // AnswerBegins() follows all the same.
  // At `expire_time` its caller's credentials expire, and it is ended.
  absl::Status Begin(grpc::ServerContext& context, CallKind kind,
                     const Label& label,
                     absl::Time expire_time = absl::InfiniteFuture());
  // The same for the call of somebody unknown, which will be refused anyway.
  void BeginUnknown(grpc::ServerContext& context, const Label& label);
  // The handler has returned.
  void AnswerBegins();

  // Calls that have a place, for tests.
  int count(CallKind kind) const;

 private:
  friend class ClientWait;
  friend struct ThreadsCall;

  struct Call {
    OpenCalls* owner = nullptr;
    grpc::ServerContext* context = nullptr;
    Label label;
    // kNumCallKinds: it was refused, and has its answer yet to be sent.
    size_t kind = kNumCallKinds;
    absl::Time deadline = absl::InfiniteFuture();
    absl::Time expire_time = absl::InfiniteFuture();
    std::list<Call*>::iterator place;
  };
  struct Counts {
    std::array<int, kNumCallKinds + 1> of = {};
  };

  Call& Add(grpc::ServerContext& context, size_t kind, const Label& label)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Remove(Call& call);
  void SetDeadline(Call& call, absl::Time deadline);
  void EndOverdue();

  const OpenCallLimits limits_;
  const std::function<void(const Label&)> on_ended_;
  mutable absl::Mutex mu_;
  std::list<Call*> calls_ ABSL_GUARDED_BY(mu_);
  // By principal; those that have none are not there.
  absl::flat_hash_map<std::string, Counts> counts_ ABSL_GUARDED_BY(mu_);
  Counts all_ ABSL_GUARDED_BY(mu_);
  absl::Notification stop_;
  std::thread watch_;
};

// ClientWait: while it lives, the call of this thread waits for its client, and
// is ended if that takes too long. Around each read and write of a handler; it
// does nothing in a thread that has no call.
class ClientWait {
 public:
  ClientWait();
  ~ClientWait();
  ClientWait(const ClientWait&) = delete;
  ClientWait& operator=(const ClientWait&) = delete;
};

// False: the stream is over, also since the client took too long.
template <typename Writer, typename Message>
bool WriteInTime(Writer& writer, const Message& message) {
  const ClientWait wait;
  return writer.Write(message);
}
template <typename Reader, typename Message>
bool ReadInTime(Reader& reader, Message* message) {
  const ClientWait wait;
  return reader.Read(message);
}

}  // namespace sallyport::api

#endif  // SALLYPORT_CONFIG_SERVICE_API_OPEN_CALLS_H_
