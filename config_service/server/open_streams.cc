#include "config_service/server/open_streams.h"

#include <grpcpp/server_context.h>

#include <iterator>
#include <list>
#include <optional>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/match.h"
#include "absl/synchronization/mutex.h"

namespace sallyport::server {
namespace {

using grpc::experimental::InterceptionHookPoints;
using grpc::experimental::Interceptor;
using grpc::experimental::InterceptorBatchMethods;
using grpc::experimental::ServerRpcInfo;

// Calls that are open, the oldest first.
class Calls {
 public:
  using Place = std::list<ServerRpcInfo*>::iterator;

  explicit Calls(size_t limit) : limit_(limit) {}

  // Until Remove(), the call's context must be there.
  Place Add(ServerRpcInfo* call) {
    absl::MutexLock lock(&mu_);
    calls_.push_back(call);
    if (calls_.size() > limit_) {
      // It stays in the list until it is over: what is cancelled twice is only
      // cancelled.
      auto oldest = calls_.begin();
      for (size_t over = calls_.size() - limit_; over > 0; --over, ++oldest) {
        (*oldest)->server_context()->TryCancel();
      }
    }
    return std::prev(calls_.end());
  }
  void Remove(Place place) {
    absl::MutexLock lock(&mu_);
    calls_.erase(place);
  }

 private:
  const size_t limit_;
  absl::Mutex mu_;
  std::list<ServerRpcInfo*> calls_ ABSL_GUARDED_BY(mu_);
};

// May live longer than its call's context. Between these two points that is
// there, and the call can be cancelled.
class Call final : public Interceptor {
 public:
  Call(std::shared_ptr<Calls> calls, ServerRpcInfo* info)
      : calls_(std::move(calls)), info_(info) {}
  ~Call() override { End(); }
  void Intercept(InterceptorBatchMethods* methods) override {
    if (methods->QueryInterceptionHookPoint(
            InterceptionHookPoints::POST_RECV_INITIAL_METADATA)) {
      place_ = calls_->Add(info_);
    }
    if (methods->QueryInterceptionHookPoint(
            InterceptionHookPoints::PRE_SEND_STATUS)) {
      End();
    }
    methods->Proceed();
  }

 private:
  void End() {
    if (place_.has_value()) calls_->Remove(*place_);
    place_.reset();
  }

  const std::shared_ptr<Calls> calls_;
  ServerRpcInfo* const info_;
  std::optional<Calls::Place> place_;
};

class Limit final
    : public grpc::experimental::ServerInterceptorFactoryInterface {
 public:
  Limit(absl::string_view prefix, size_t limit)
      : prefix_(prefix), calls_(std::make_shared<Calls>(limit)) {}
  Interceptor* CreateServerInterceptor(ServerRpcInfo* info) override {
    if (!absl::StartsWith(info->method(), prefix_)) return nullptr;
    return new Call(calls_, info);
  }

 private:
  const std::string prefix_;
  const std::shared_ptr<Calls> calls_;
};

}  // namespace

std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface>
NewOpenStreamsLimit(absl::string_view prefix, size_t limit) {
  return std::make_unique<Limit>(prefix, limit);
}

}  // namespace sallyport::server
