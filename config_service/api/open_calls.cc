#include "config_service/api/open_calls.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/base/call_once.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/time/clock.h"
#include "config_service/domain/violations.h"
#include "google/protobuf/descriptor.h"
#include "grpcpp/server.h"

namespace sallyport::api {
namespace {

// How often the deadlines are looked at: a part of the time that they give.
constexpr int kLooksPerTimeout = 4;
constexpr absl::Duration kShortestLook = absl::Milliseconds(20);
constexpr absl::Duration kLongestLook = absl::Seconds(1);

// Answers once, but only when something happens.
constexpr absl::string_view kWaits =
    "sallyport.config.v1.Fleets/WaitForRollout";

struct KindText {
  absl::string_view what;
  absl::string_view option;
  int of_all;
};
constexpr KindText kKinds[kNumCallKinds] = {
    {"calls", "principal-calls", kMaxCalls},
    {"streams and waits", "principal-streams", kMaxStreams},
    {"uploads", "principal-uploads", kMaxUploads},
};

absl::Status NoPlace(absl::string_view limit, const std::string& why) {
  return domain::MakeError(
      domain::Reason::kRateLimited, why,
      {{"retry_after_seconds", "1"}, {"limit", std::string(limit)}});
}

}  // namespace

// What this thread does. gRPC's synchronous server runs the hooks, the handler
// and the sending of the answer in one thread.
struct ThreadsCall {
  bool hooked = false;
  std::unique_ptr<OpenCalls::Call> call;

  void End() {
    if (call != nullptr) call->owner->Remove(*call);
    call.reset();
  }
  absl::Duration ClientTimeout() const {
    return call == nullptr ? kClientTimeout
                           : call->owner->limits_.client_timeout;
  }
  static ThreadsCall& Get() {
    thread_local ThreadsCall state;
    return state;
  }
};

namespace {

class Hooks final : public grpc::Server::GlobalCallbacks {
 public:
  void PreSynchronousRequest(grpc::ServerContext*) override {
    ThreadsCall::Get().hooked = true;
  }
  void PostSynchronousRequest(grpc::ServerContext*) override {
    ThreadsCall::Get().End();
    ThreadsCall::Get().hooked = false;
  }
};

}  // namespace

void InstallCallHooks() {
  static absl::once_flag once;
  // gRPC keeps it for as long as there are servers.
  absl::call_once(once, [] { grpc::Server::SetGlobalCallbacks(new Hooks()); });
}

CallKind KindOf(absl::string_view method) {
  if (method == kWaits) return CallKind::kStream;
  const google::protobuf::MethodDescriptor* const descriptor =
      google::protobuf::DescriptorPool::generated_pool()->FindMethodByName(
          absl::StrReplaceAll(method, {{"/", "."}}));
  if (descriptor == nullptr) return CallKind::kCall;
  if (descriptor->server_streaming()) return CallKind::kStream;
  return descriptor->client_streaming() ? CallKind::kUpload : CallKind::kCall;
}

OpenCalls::OpenCalls(const OpenCallLimits& limits,
                     std::function<void(const Label&)> on_ended)
    : limits_(limits), on_ended_(std::move(on_ended)), watch_([this] {
        const absl::Duration look =
            std::clamp(limits_.client_timeout / kLooksPerTimeout, kShortestLook,
                       kLongestLook);
        while (!stop_.WaitForNotificationWithTimeout(look)) EndOverdue();
      }) {}

OpenCalls::~OpenCalls() {
  stop_.Notify();
  watch_.join();
}

OpenCalls::Call& OpenCalls::Add(grpc::ServerContext& context, size_t kind,
                                const Label& label) {
  auto call = std::make_unique<Call>();
  call->owner = this;
  call->context = &context;
  call->label = label;
  call->kind = kind;
  call->place = calls_.insert(calls_.end(), call.get());
  ++counts_[label.principal].of[kind];
  ++all_.of[kind];
  auto& place = ThreadsCall::Get().call;
  place = std::move(call);
  return *place;
}

absl::Status OpenCalls::Begin(grpc::ServerContext& context, CallKind kind,
                              const Label& label, absl::Time expire_time) {
  const auto number = static_cast<size_t>(kind);
  const KindText& text = kKinds[number];
  const int limit = limits_.of_principal[number];
  absl::MutexLock lock(&mu_);
  const auto found = counts_.find(label.principal);
  const int own = found == counts_.end() ? 0 : found->second.of[number];
  if (own < limit && all_.of[number] < text.of_all) {
    Add(context, number, label).expire_time = expire_time;
    return absl::OkStatus();
  }
  Add(context, kNumCallKinds, label);
  if (counts_[label.principal].of[kNumCallKinds] > kMaxRefusedCalls ||
      all_.of[kNumCallKinds] > kMaxRefusedCallsOfAll) {
    // Its client does not take the answers either.
    context.TryCancel();
  }
  if (own < limit) {
    return NoPlace(text.option,
                   absl::StrCat("all principals together have ", text.of_all,
                                " ", text.what,
                                " under way, as many as there may be; try "
                                "again"));
  }
  return NoPlace(
      text.option,
      absl::StrCat("the principal has ", limit, " ", text.what,
                   " under way, as many as one may have (--", text.option,
                   " of sallyportd); end one, then try again"));
}

void OpenCalls::BeginUnknown(grpc::ServerContext& context, const Label& label) {
  absl::MutexLock lock(&mu_);
  Add(context, kNumCallKinds, label);
  if (counts_[label.principal].of[kNumCallKinds] > kMaxRefusedCalls ||
      all_.of[kNumCallKinds] > kMaxRefusedCallsOfAll) {
    context.TryCancel();
  }
}

void OpenCalls::AnswerBegins() {
  ThreadsCall& state = ThreadsCall::Get();
  if (state.call == nullptr) return;
  if (state.hooked) {
    SetDeadline(*state.call, absl::Now() + limits_.client_timeout);
  } else {
    state.End();
  }
}

void OpenCalls::Remove(Call& call) {
  absl::MutexLock lock(&mu_);
  calls_.erase(call.place);
  --all_.of[call.kind];
  const auto found = counts_.find(call.label.principal);
  --found->second.of[call.kind];
  const auto& of = found->second.of;
  if (std::all_of(of.begin(), of.end(), [](int n) { return n == 0; })) {
    counts_.erase(found);
  }
}

void OpenCalls::SetDeadline(Call& call, absl::Time deadline) {
  absl::MutexLock lock(&mu_);
  call.deadline = deadline;
}

void OpenCalls::EndOverdue() {
  const absl::Time now = absl::Now();
  std::vector<Label> ended;
  {
    absl::MutexLock lock(&mu_);
    for (Call* call : calls_) {
      if (call->deadline > now && call->expire_time > now) continue;
      // Its context is there until it is removed. What waits in its thread
      // fails now, and that goes on.
      call->context->TryCancel();
      call->deadline = call->expire_time = absl::InfiniteFuture();
      ended.push_back(call->label);
    }
  }
  if (!on_ended_) return;
  for (const Label& label : ended) on_ended_(label);
}

int OpenCalls::count(CallKind kind) const {
  absl::MutexLock lock(&mu_);
  return all_.of[static_cast<size_t>(kind)];
}

ClientWait::ClientWait() {
  const auto& call = ThreadsCall::Get().call;
  if (call == nullptr) return;
  call->owner->SetDeadline(*call,
                           absl::Now() + call->owner->limits_.client_timeout);
}

ClientWait::~ClientWait() {
  const auto& call = ThreadsCall::Get().call;
  if (call == nullptr) return;
  call->owner->SetDeadline(*call, absl::InfiniteFuture());
}

// Of upload_pace.h.
absl::Duration ClientTimeoutOfCall();
absl::Duration ClientTimeoutOfCall() {
  return ThreadsCall::Get().ClientTimeout();
}

}  // namespace sallyport::api
