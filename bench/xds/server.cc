// A server of this benchmark: the config service's own cache and xDS port, or
// the floor: a gRPC server that keeps streams and sends each of them references
// to the same buffers, and does nothing else.
//
//   server sallyport|floor ADDRESS
//
// Lines of JSON on standard input, each answered by a line on standard output;
// the first line there says the port.
//
//   {"publish": PATH}   a file of records -> {"at": unix nanoseconds, before}
//   {"whole": PATH}     the same, as all there is
//   {"live": {}}        -> {"bytes"}: that are allocated, after the rest went
//                       back to the system
//
// It ends with its input.

#include "config_service/xds/server/server.h"

#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/grpcpp.h>
#include <malloc.h>

#include <cstdint>
#include <deque>
#include <iostream>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "base/clock.h"
#include "bench/xds/records.h"
#include "config_service/xds/cache/cache.h"
#include "config_service/xds/cache/wire.h"
#include "config_service/xds/server/authenticator.h"
#include "config_service/xds/server/ledger.h"
#include "nlohmann/json.hpp"

namespace sallyport::bench {
namespace {

using nlohmann::json;
using xds::ResourcePtr;

constexpr char kFleet[] = "fleet";

class Published {
 public:
  virtual ~Published() = default;
  virtual int port() const = 0;
  virtual void Publish(const std::vector<Record>& records, bool whole) = 0;
};

ResourcePtr ResourceOf(const Record& record) {
  auto resource = xds::Resource::Make(record.type, record.name, record.content);
  if (!resource.ok()) {
    std::cerr << resource.status() << "\n";
    std::exit(1);
  }
  return *resource;
}

class Sallyport final : public Published {
 public:
  explicit Sallyport(const std::string& address)
      : ledger_(Clock::System(), cache_) {
    xds::Server::Config config;
    config.address = address;
    auto server = xds::Server::Start(std::move(config), cache_, ledger_,
                                     authenticator_, Clock::System());
    if (!server.ok()) {
      std::cerr << server.status() << "\n";
      std::exit(1);
    }
    server_ = *std::move(server);
  }
  ~Sallyport() override { server_->Stop(absl::ZeroDuration()); }

  int port() const override { return server_->port(); }
  void Publish(const std::vector<Record>& records, bool whole) override {
    xds::Publication publication;
    publication.kind = whole ? xds::Publication::Kind::kWhole
                             : xds::Publication::Kind::kChanges;
    publication.store_revision = ++revision_;
    for (const Record& record : records) {
      if (record.remove) {
        publication.remove.push_back({record.type, record.name});
      } else {
        publication.put.push_back(ResourceOf(record));
      }
    }
    const auto published = cache_.Publish(kFleet, publication);
    if (!published.ok()) {
      std::cerr << published.status() << "\n";
      std::exit(1);
    }
  }

 private:
  xds::Cache cache_;
  xds::Ledger ledger_;
  xds::LoopbackAuthenticator authenticator_;
  std::unique_ptr<xds::Server> server_;
  uint64_t revision_ = 0;
};

// The floor.

// No larger response than the config service's.
constexpr size_t kResponseBytes = size_t{1} << 20;
// Field numbers of envoy.service.discovery.v3.DeltaDiscoveryResponse.
constexpr int kTypeUrl = 4;
constexpr int kNonce = 5;

using Message = std::vector<grpc::Slice>;

class FloorCall;

class FloorService final : public grpc::CallbackGenericService {
 public:
  grpc::ServerGenericBidiReactor* CreateReactor(
      grpc::GenericCallbackServerContext*) override;

  void Add(FloorCall* call) {
    absl::MutexLock lock(&mu_);
    calls_.insert(call);
  }
  void Remove(FloorCall* call) {
    absl::MutexLock lock(&mu_);
    calls_.erase(call);
  }
  void Send(const std::vector<Message>& messages);

 private:
  absl::Mutex mu_;
  std::set<FloorCall*> calls_ ABSL_GUARDED_BY(mu_);
};

class FloorCall final : public grpc::ServerGenericBidiReactor {
 public:
  explicit FloorCall(FloorService* service) : service_(service) {
    service_->Add(this);
    StartRead(&request_);
  }

  void Send(const Message& message) {
    absl::MutexLock lock(&mu_);
    waiting_.push_back(message);
    Write();
  }

  void OnReadDone(bool ok) override {
    absl::MutexLock lock(&mu_);
    if (!ok) {
      End();
      return;
    }
    request_.Clear();
    StartRead(&request_);
  }
  void OnWriteDone(bool ok) override {
    absl::MutexLock lock(&mu_);
    writing_ = false;
    if (ok) {
      Write();
    } else {
      End();
    }
  }
  void OnDone() override {
    service_->Remove(this);
    delete this;
  }

 private:
  void Write() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    if (writing_ || ended_ || waiting_.empty()) return;
    // A nonce is what differs between streams.
    Message message = std::move(waiting_.front());
    waiting_.pop_front();
    std::string tail;
    xds::AppendBytes(kNonce, absl::StrCat(++nonce_), &tail);
    message.emplace_back(tail);
    response_ = grpc::ByteBuffer(message.data(), message.size());
    writing_ = true;
    StartWrite(&response_);
  }
  void End() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    if (!ended_) Finish(grpc::Status::OK);
    ended_ = true;
  }

  FloorService* const service_;
  grpc::ByteBuffer request_;
  grpc::ByteBuffer response_;
  absl::Mutex mu_;
  std::deque<Message> waiting_ ABSL_GUARDED_BY(mu_);
  bool writing_ ABSL_GUARDED_BY(mu_) = false;
  bool ended_ ABSL_GUARDED_BY(mu_) = false;
  uint64_t nonce_ ABSL_GUARDED_BY(mu_) = 0;
};

grpc::ServerGenericBidiReactor* FloorService::CreateReactor(
    grpc::GenericCallbackServerContext*) {
  return new FloorCall(this);
}

void FloorService::Send(const std::vector<Message>& messages) {
  absl::MutexLock lock(&mu_);
  for (FloorCall* call : calls_) {
    for (const Message& message : messages) call->Send(message);
  }
}

class Floor final : public Published {
 public:
  explicit Floor(const std::string& address) {
    grpc::ServerBuilder builder;
    builder.AddListeningPort(address, grpc::InsecureServerCredentials(),
                             &port_);
    builder.RegisterCallbackGenericService(&service_);
    builder.AddChannelArgument(GRPC_ARG_HTTP2_BDP_PROBE, 0);
    server_ = builder.BuildAndStart();
    if (server_ == nullptr) {
      std::cerr << "cannot listen on " << address << "\n";
      std::exit(1);
    }
  }
  ~Floor() override { server_->Shutdown(absl::ToChronoTime(absl::Now())); }

  int port() const override { return port_; }
  void Publish(const std::vector<Record>& records, bool) override {
    std::vector<Message> messages;
    std::string bytes;
    const auto flush = [&](xds::ResourceType type) {
      if (bytes.empty()) return;
      std::string tail;
      xds::AppendBytes(kTypeUrl, xds::TypeUrl(type), &tail);
      messages.push_back({grpc::Slice(bytes), grpc::Slice(tail)});
      bytes.clear();
    };
    for (size_t type = 0; type < xds::kNumResourceTypes; ++type) {
      for (const Record& record : records) {
        if (record.remove || static_cast<size_t>(record.type) != type) continue;
        const ResourcePtr resource = ResourceOf(record);
        if (bytes.size() + resource->wire()->size() > kResponseBytes) {
          flush(record.type);
        }
        bytes += *resource->wire();
      }
      flush(static_cast<xds::ResourceType>(type));
    }
    service_.Send(messages);
  }

 private:
  FloorService service_;
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

json Run(Published& server, const json& command) {
  if (command.contains("publish") || command.contains("whole")) {
    const bool whole = command.contains("whole");
    const std::vector<Record> records =
        ReadRecords(command.at(whole ? "whole" : "publish"));
    const int64_t at = absl::GetCurrentTimeNanos();
    server.Publish(records, whole);
    return {{"at", at}};
  }
  if (command.contains("live")) {
    malloc_trim(0);
    const struct mallinfo2 info = mallinfo2();
    return {{"bytes", info.uordblks + info.hblkhd}};
  }
  return {{"error", "no such command"}};
}

int Main(int argc, char** argv) {
  const std::string mode = argc == 3 ? argv[1] : "";
  std::unique_ptr<Published> server;
  if (mode == "sallyport") {
    server = std::make_unique<Sallyport>(argv[2]);
  } else if (mode == "floor") {
    server = std::make_unique<Floor>(argv[2]);
  } else {
    std::cerr << "usage: server sallyport|floor ADDRESS\n";
    return 2;
  }
  std::cout << json({{"port", server->port()}}) << std::endl;
  std::string line;
  while (std::getline(std::cin, line)) {
    std::cout << Run(*server, json::parse(line)) << std::endl;
  }
  return 0;
}

}  // namespace
}  // namespace sallyport::bench

int main(int argc, char** argv) {
  // As sallyportd does.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  return sallyport::bench::Main(argc, argv);
}
