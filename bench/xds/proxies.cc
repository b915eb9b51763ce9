// Plays many proxies: each has a connection of its own and one delta ADS
// stream, asks for what Envoy asks for, and answers every response.
//
// Lines of JSON on standard input, each answered by a line on standard output:
//
//   {"connect": {"address", "count", "subscribe", "expect", "fleet", "prefix",
//                "node_bytes", "window_bytes", "warm"}}
//                                      -> {"at": unix nanoseconds, before}
//     subscribe: "envoy": clusters, then listeners; the chains of a listener's
//       matcher by one request; then one request for each secret and each route
//       configuration of a chain. "batch": the same, but for all chains of a
//       response one request each. "all": everything of every type. "nothing":
//       clusters only (for a server that sends by itself).
//     warm: as a proxy that comes back: one request for each type, with the
//       names and versions that the first proxy of the connection before had.
//     expect: resources after which a proxy counts as complete.
//   {"complete": {"seconds"}} -> {"done", "count", "p50", "p99", "max"}: that
//     have what was expected; milliseconds after the connection began
//   {"watch": {"type", "name", "removed": true|false}} -> {}
//   {"arrived": {"at", "seconds"}} -> as complete: who got what is watched,
//     milliseconds after `at`
//   {"pause": {"count"}} -> {}: so many no longer read
//   {"resume": {}} -> {}
//   {"stats": {}} -> {"open", "ended": {CODE: COUNT}, "requests", "responses",
//     "resources", "removed", "bytes", "request_bytes"}: sums since the
//     connection
//   {"disconnect": {}} -> {}: when all are gone
//
// It ends with its input. Names: a chain "domains/X" has the secret
// "bindings/X", routes "domains/X"; there is a secret "truststores/shared".

#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/support/client_callback.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <deque>
#include <iostream>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "absl/types/optional.h"
#include "config_service/xds/cache/resource.h"
#include "config_service/xds/cache/wire.h"
#include "envoy/config/listener/v3/listener.pb.h"
#include "google/protobuf/io/coded_stream.h"
#include "google/protobuf/wire_format_lite.h"
#include "google/protobuf/wrappers.pb.h"
#include "nlohmann/json.hpp"

namespace sallyport::bench {
namespace {

using nlohmann::json;
using xds::AppendBytes;
using xds::kNumResourceTypes;
using xds::ResourceType;

constexpr char kMethod[] =
    "/envoy.service.discovery.v3.AggregatedDiscoveryService/"
    "DeltaAggregatedResources";
// Envoy's.
constexpr int kWindowBytes = 16 << 20;

// Field numbers of envoy.service.discovery.v3: DeltaDiscoveryRequest...
constexpr int kNode = 1;
constexpr int kRequestTypeUrl = 2;
constexpr int kSubscribe = 3;
constexpr int kUnsubscribe = 4;
constexpr int kInitialVersions = 5;
constexpr int kResponseNonce = 6;
// ...DeltaDiscoveryResponse...
constexpr int kResources = 2;
constexpr int kTypeUrl = 4;
constexpr int kNonce = 5;
constexpr int kRemoved = 6;
// ...and Resource.
constexpr int kVersion = 1;
constexpr int kResource = 2;
constexpr int kName = 3;

enum class Subscribe { kEnvoy, kBatch, kAll, kNothing };

// The length-delimited fields of a message, in place; others are passed over.
template <typename Visit>
bool ForEachField(absl::string_view bytes, Visit visit) {
  using google::protobuf::internal::WireFormatLite;
  google::protobuf::io::CodedInputStream in(
      reinterpret_cast<const uint8_t*>(bytes.data()),
      static_cast<int>(bytes.size()));
  while (const uint32_t tag = in.ReadTag()) {
    if (WireFormatLite::GetTagWireType(tag) !=
        WireFormatLite::WIRETYPE_LENGTH_DELIMITED) {
      if (!WireFormatLite::SkipField(&in, tag)) return false;
      continue;
    }
    uint32_t size;
    if (!in.ReadVarint32(&size)) return false;
    const auto at = static_cast<size_t>(in.CurrentPosition());
    if (size > bytes.size() - at) return false;
    visit(WireFormatLite::GetTagFieldNumber(tag), bytes.substr(at, size));
    if (!in.Skip(static_cast<int>(size))) return false;
  }
  return in.CurrentPosition() == static_cast<int>(bytes.size());
}

// The chains that a listener's matcher names.
using Chains = std::vector<std::string>;

Chains ChainsOf(absl::string_view any) {
  envoy::config::listener::v3::Listener listener;
  ForEachField(any, [&](int field, absl::string_view value) {
    if (field == 2) {
      listener.ParseFromArray(value.data(), static_cast<int>(value.size()));
    }
  });
  Chains chains;
  for (const auto& [sni, match] :
       listener.filter_chain_matcher().matcher_tree().exact_match_map().map()) {
    google::protobuf::StringValue name;
    match.action().typed_config().UnpackTo(&name);
    chains.push_back(name.value());
  }
  std::sort(chains.begin(), chains.end());
  return chains;
}

// A node as large as Envoy's, which names all its extensions.
std::string NodeOf(const std::string& id, const std::string& fleet,
                   size_t bytes) {
  std::string node;
  AppendBytes(1, id, &node);
  AppendBytes(2, fleet, &node);
  AppendBytes(6, "envoy", &node);
  for (int i = 0; node.size() < bytes; ++i) {
    std::string extension;
    AppendBytes(1, absl::StrCat("envoy.filters.http.extension_", i),
                &extension);
    AppendBytes(2, "envoy.filters.http", &extension);
    AppendBytes(6,
                absl::StrCat("envoy.extensions.filters.http.v3.Extension", i),
                &extension);
    AppendBytes(9, extension, &node);
  }
  return node;
}

struct Times {
  explicit Times(size_t num_proxies) : at(num_proxies, 0) {}
  std::vector<int64_t> at;  // 0: not yet
  size_t count = 0;
};

// What is the same for all proxies of a connection, and what they count.
class Fleet {
 public:
  Subscribe subscribe = Subscribe::kEnvoy;
  uint64_t expect = 0;
  int64_t began = 0;

  std::atomic<uint64_t> requests{0};
  std::atomic<uint64_t> responses{0};
  std::atomic<uint64_t> resources{0};
  std::atomic<uint64_t> removed{0};
  std::atomic<uint64_t> bytes{0};
  std::atomic<uint64_t> request_bytes{0};

  explicit Fleet(size_t num_proxies)
      : num_proxies_(num_proxies), complete_(num_proxies) {}

  size_t num_proxies() const { return num_proxies_; }

  // The chains of a listener, read once for all.
  std::shared_ptr<const Chains> ChainsOfListener(absl::string_view version,
                                                 absl::string_view any) {
    absl::MutexLock lock(&mu_);
    auto& chains = chains_[std::string(version)];
    if (chains == nullptr) {
      chains = std::make_shared<const Chains>(ChainsOf(any));
    }
    return chains;
  }
  // The difference between two lists of chains, found once for all.
  struct Difference {
    std::vector<std::string> added;
    std::vector<std::string> gone;
  };
  std::shared_ptr<const Difference> Compare(
      const std::shared_ptr<const Chains>& before,
      const std::shared_ptr<const Chains>& after) {
    absl::MutexLock lock(&mu_);
    auto& found = differences_[{before, after}];
    if (found != nullptr) return found;
    auto made = std::make_shared<Difference>();
    static const Chains kNone;
    const Chains& b = before == nullptr ? kNone : *before;
    std::set_difference(after->begin(), after->end(), b.begin(), b.end(),
                        std::back_inserter(made->added));
    std::set_difference(b.begin(), b.end(), after->begin(), after->end(),
                        std::back_inserter(made->gone));
    return found = made;
  }
  // A number for each name.
  uint32_t IndexOf(absl::string_view name) {
    absl::MutexLock lock(&mu_);
    const auto found = index_.find(name);
    if (found != index_.end()) return found->second;
    const auto index = static_cast<uint32_t>(index_.size());
    index_.emplace(name, index);
    return index;
  }

  void Complete(size_t proxy) {
    absl::MutexLock lock(&mu_);
    Mark(complete_, proxy);
  }
  void Watch(ResourceType type, const std::string& name, bool removal) {
    absl::MutexLock lock(&mu_);
    watched_type_ = type;
    watched_name_ = name;
    watched_removal_ = removal;
    arrived_ = Times(num_proxies_);
    watching_.store(true, std::memory_order_release);
  }
  // `proxy` got, or was told of the end of, that resource.
  void Got(size_t proxy, ResourceType type, absl::string_view name,
           bool removal) {
    if (!watching_.load(std::memory_order_acquire)) return;
    absl::MutexLock lock(&mu_);
    if (type == watched_type_ && name == watched_name_ &&
        removal == watched_removal_) {
      Mark(*arrived_, proxy);
    }
  }
  json AwaitComplete(absl::Duration timeout) {
    absl::MutexLock lock(&mu_);
    return Await(complete_, began, timeout);
  }
  json AwaitArrived(int64_t at, absl::Duration timeout) {
    absl::MutexLock lock(&mu_);
    json result = Await(*arrived_, at, timeout);
    watching_.store(false, std::memory_order_release);
    return result;
  }

  // What the first proxy has, for those that come back.
  struct Held {
    std::array<std::map<std::string, std::string>, kNumResourceTypes> versions;
    std::shared_ptr<const Chains> chains;
  };
  Held held;  // the first proxy's alone

 private:
  void Mark(Times& times, size_t proxy) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    if (times.at[proxy] != 0) return;
    times.at[proxy] = absl::GetCurrentTimeNanos();
    ++times.count;
  }
  json Await(Times& times, int64_t since, absl::Duration timeout)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    const auto all = [&] { return times.count == num_proxies_; };
    const bool done = mu_.AwaitWithTimeout(absl::Condition(&all), timeout);
    std::vector<double> ms;
    for (const int64_t at : times.at) {
      if (at != 0) ms.push_back(static_cast<double>(at - since) / 1e6);
    }
    std::sort(ms.begin(), ms.end());
    json result = {{"done", done}, {"count", ms.size()}};
    if (!ms.empty()) {
      result["p50"] = ms[(ms.size() - 1) / 2];
      result["p99"] = ms[(ms.size() - 1) * 99 / 100];
      result["max"] = ms.back();
    }
    return result;
  }

  const size_t num_proxies_;
  absl::Mutex mu_;
  std::map<std::string, std::shared_ptr<const Chains>> chains_
      ABSL_GUARDED_BY(mu_);
  std::map<
      std::pair<std::shared_ptr<const Chains>, std::shared_ptr<const Chains>>,
      std::shared_ptr<const Difference>>
      differences_ ABSL_GUARDED_BY(mu_);
  absl::flat_hash_map<std::string, uint32_t> index_ ABSL_GUARDED_BY(mu_);
  Times complete_ ABSL_GUARDED_BY(mu_);
  std::atomic<bool> watching_{false};
  ResourceType watched_type_ ABSL_GUARDED_BY(mu_) = ResourceType::kCluster;
  std::string watched_name_ ABSL_GUARDED_BY(mu_);
  bool watched_removal_ ABSL_GUARDED_BY(mu_) = false;
  absl::optional<Times> arrived_ ABSL_GUARDED_BY(mu_);
};

// One proxy.
class Proxy final
    : public grpc::ClientBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer> {
 public:
  Proxy(size_t number, const std::string& address, Fleet& fleet,
        const std::string& node, int window_bytes)
      : number_(number), fleet_(fleet), node_(node) {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    arguments.SetInt(GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES, window_bytes);
    arguments.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);
    arguments.SetMaxReceiveMessageSize(-1);
    channel_ = grpc::CreateCustomChannel(
        address, grpc::InsecureChannelCredentials(), arguments);
    stub_ = std::make_unique<grpc::GenericStub>(channel_);
    stub_->PrepareBidiStreamingCall(&context_, kMethod, grpc::StubOptions(),
                                    this);
  }

  // `warm`: a request of each type that was held, without the node.
  void Start(const std::vector<std::string>& warm,
             std::shared_ptr<const Chains> chains) {
    {
      absl::MutexLock lock(&mu_);
      chains_ = std::move(chains);
      if (chains_ != nullptr) {
        for (const std::string& name : *chains_) SeenBefore(name);
      }
      if (!warm.empty()) {
        for (const std::string& request : warm) waiting_.push_back({request});
        asked_listeners_ = true;
      } else if (fleet_.subscribe == Subscribe::kAll) {
        for (size_t i = 0; i < kNumResourceTypes; ++i) {
          Ask(static_cast<ResourceType>(i), {"*"}, {});
        }
        asked_listeners_ = true;
      } else {
        Ask(ResourceType::kCluster, {}, {});
      }
      Write();
      StartRead(&response_);
    }
    StartCall();
  }

  void Cancel() { context_.TryCancel(); }

  void Pause() {
    absl::MutexLock lock(&mu_);
    paused_ = true;
  }
  void Resume() {
    absl::MutexLock lock(&mu_);
    paused_ = false;
    if (!held_back_) return;
    held_back_ = false;
    StartRead(&response_);
  }

  // Null while it runs.
  absl::optional<grpc::StatusCode> ended() const {
    absl::MutexLock lock(&mu_);
    return ended_;
  }
  void AwaitEnd() const {
    absl::MutexLock lock(&mu_);
    const auto ended = [this] { return ended_.has_value(); };
    mu_.Await(absl::Condition(&ended));
  }

  void OnReadDone(bool ok) override {
    if (!ok) return;
    grpc::Slice slice;
    if (!response_.TrySingleSlice(&slice).ok()) {
      (void)response_.DumpToSingleSlice(&slice);
    }
    response_.Clear();
    absl::MutexLock lock(&mu_);
    OnResponse(absl::string_view(reinterpret_cast<const char*>(slice.begin()),
                                 slice.size()));
    Write();
    if (paused_) {
      held_back_ = true;
    } else {
      StartRead(&response_);
    }
  }

  void OnWriteDone(bool ok) override {
    absl::MutexLock lock(&mu_);
    writing_ = false;
    if (ok) Write();
  }

  void OnDone(const grpc::Status& status) override {
    absl::MutexLock lock(&mu_);
    ended_ = status.error_code();
  }

 private:
  // A request that waits to be written: ready bytes, or those for one name.
  struct Waiting {
    std::string bytes;
  };

  void OnResponse(absl::string_view bytes) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    fleet_.responses.fetch_add(1, std::memory_order_relaxed);
    fleet_.bytes.fetch_add(bytes.size(), std::memory_order_relaxed);
    absl::string_view type_url;
    absl::string_view nonce;
    std::vector<absl::string_view> resources;
    std::vector<absl::string_view> removed;
    ForEachField(bytes, [&](int field, absl::string_view value) {
      if (field == kResources) resources.push_back(value);
      if (field == kTypeUrl) type_url = value;
      if (field == kNonce) nonce = value;
      if (field == kRemoved) removed.push_back(value);
    });
    const auto type = xds::FindResourceType(type_url);
    if (!type.has_value()) {
      std::cerr << "a response of an unknown type\n";
      std::abort();
    }
    std::vector<std::string> new_chains;
    for (const absl::string_view resource : resources) {
      absl::string_view name;
      absl::string_view version;
      absl::string_view any;
      ForEachField(resource, [&](int field, absl::string_view value) {
        if (field == kName) name = value;
        if (field == kVersion) version = value;
        if (field == kResource) any = value;
      });
      fleet_.Got(number_, *type, name, false);
      if (number_ == 0) {
        fleet_.held.versions[static_cast<size_t>(*type)][std::string(name)] =
            std::string(version);
      }
      if (fleet_.subscribe == Subscribe::kNothing ||
          fleet_.subscribe == Subscribe::kAll) {
        continue;
      }
      if (*type == ResourceType::kListener && name == "https") {
        OnListener(version, any);
      }
      if (*type == ResourceType::kFilterChain && !SeenBefore(name)) {
        new_chains.emplace_back(absl::StripPrefix(name, "domains/"));
      }
    }
    for (const absl::string_view name : removed) {
      fleet_.Got(number_, *type, name, true);
      if (number_ == 0) {
        fleet_.held.versions[static_cast<size_t>(*type)].erase(
            std::string(name));
      }
    }
    fleet_.resources.fetch_add(resources.size(), std::memory_order_relaxed);
    fleet_.removed.fetch_add(removed.size(), std::memory_order_relaxed);

    // As Envoy: what follows from a response is asked for before its answer.
    AskForParts(new_chains);
    std::string answer;
    AppendBytes(kRequestTypeUrl, type_url, &answer);
    AppendBytes(kResponseNonce, nonce, &answer);
    waiting_.push_back({std::move(answer)});
    if (!asked_listeners_ && *type == ResourceType::kCluster &&
        fleet_.subscribe != Subscribe::kNothing) {
      asked_listeners_ = true;
      Ask(ResourceType::kListener, {}, {});
    }
    const uint64_t before = num_resources_;
    num_resources_ += resources.size();
    if (before < fleet_.expect && num_resources_ >= fleet_.expect) {
      fleet_.Complete(number_);
    }
  }

  void OnListener(absl::string_view version, absl::string_view any)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    const auto chains = fleet_.ChainsOfListener(version, any);
    const bool first = chains_ == nullptr;
    const auto difference = fleet_.Compare(chains_, chains);
    chains_ = chains;
    if (number_ == 0) fleet_.held.chains = chains;
    std::vector<std::string> secrets;
    for (const std::string& name : difference->gone) {
      const size_t index = fleet_.IndexOf(name);
      if (index < seen_.size()) seen_[index] = false;
      secrets.push_back(
          absl::StrCat("bindings/", absl::StripPrefix(name, "domains/")));
    }
    Ask(ResourceType::kFilterChain, difference->added, difference->gone);
    if (!secrets.empty()) {
      Ask(ResourceType::kSecret, {}, secrets);
      Ask(ResourceType::kRouteConfiguration, {}, difference->gone);
    }
    if (first) Ask(ResourceType::kSecret, {"truststores/shared"}, {});
  }

  void AskForParts(const std::vector<std::string>& domains)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    if (domains.empty()) return;
    std::vector<std::string> secrets;
    std::vector<std::string> routes;
    for (const std::string& domain : domains) {
      secrets.push_back(absl::StrCat("bindings/", domain));
      routes.push_back(absl::StrCat("domains/", domain));
      if (fleet_.subscribe == Subscribe::kBatch) continue;
      Ask(ResourceType::kSecret, {secrets.back()}, {});
      Ask(ResourceType::kRouteConfiguration, {routes.back()}, {});
    }
    if (fleet_.subscribe != Subscribe::kBatch) return;
    Ask(ResourceType::kSecret, secrets, {});
    Ask(ResourceType::kRouteConfiguration, routes, {});
  }

  bool SeenBefore(absl::string_view chain) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    const size_t index = fleet_.IndexOf(chain);
    if (seen_.size() <= index) seen_.resize(index + 1);
    if (seen_[index]) return true;
    seen_[index] = true;
    return false;
  }

  void Ask(ResourceType type, const std::vector<std::string>& subscribe,
           const std::vector<std::string>& unsubscribe)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    std::string request;
    AppendBytes(kRequestTypeUrl, xds::TypeUrl(type), &request);
    for (const auto& name : subscribe) AppendBytes(kSubscribe, name, &request);
    for (const auto& name : unsubscribe) {
      AppendBytes(kUnsubscribe, name, &request);
    }
    waiting_.push_back({std::move(request)});
  }

  void Write() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    if (writing_ || waiting_.empty()) return;
    std::string bytes = std::move(waiting_.front().bytes);
    waiting_.pop_front();
    if (!sent_node_) {
      AppendBytes(kNode, node_, &bytes);
      sent_node_ = true;
      std::string().swap(node_);
    }
    fleet_.requests.fetch_add(1, std::memory_order_relaxed);
    fleet_.request_bytes.fetch_add(bytes.size(), std::memory_order_relaxed);
    const grpc::Slice slice(bytes);
    request_ = grpc::ByteBuffer(&slice, 1);
    writing_ = true;
    StartWrite(&request_);
  }

  const size_t number_;
  Fleet& fleet_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<grpc::GenericStub> stub_;
  grpc::ClientContext context_;
  grpc::ByteBuffer request_;
  grpc::ByteBuffer response_;

  mutable absl::Mutex mu_;
  std::string node_ ABSL_GUARDED_BY(mu_);
  bool sent_node_ ABSL_GUARDED_BY(mu_) = false;
  bool asked_listeners_ ABSL_GUARDED_BY(mu_) = false;
  bool writing_ ABSL_GUARDED_BY(mu_) = false;
  bool paused_ ABSL_GUARDED_BY(mu_) = false;
  bool held_back_ ABSL_GUARDED_BY(mu_) = false;
  std::deque<Waiting> waiting_ ABSL_GUARDED_BY(mu_);
  std::shared_ptr<const Chains> chains_ ABSL_GUARDED_BY(mu_);
  std::vector<bool> seen_ ABSL_GUARDED_BY(mu_);
  uint64_t num_resources_ ABSL_GUARDED_BY(mu_) = 0;
  absl::optional<grpc::StatusCode> ended_ ABSL_GUARDED_BY(mu_);
};

// The requests of a proxy that comes back.
std::vector<std::string> WarmRequests(const Fleet::Held& held) {
  std::vector<std::string> requests;
  for (size_t i = 0; i < kNumResourceTypes; ++i) {
    const auto type = static_cast<ResourceType>(i);
    if (held.versions[i].empty()) continue;
    std::string request;
    AppendBytes(kRequestTypeUrl, xds::TypeUrl(type), &request);
    const bool wildcard =
        type == ResourceType::kCluster || type == ResourceType::kListener;
    for (const auto& [name, version] : held.versions[i]) {
      if (!wildcard) AppendBytes(kSubscribe, name, &request);
      std::string entry;
      AppendBytes(1, name, &entry);
      AppendBytes(2, version, &entry);
      AppendBytes(kInitialVersions, entry, &request);
    }
    requests.push_back(std::move(request));
  }
  return requests;
}

class Commands {
 public:
  json Run(const json& command) {
    const std::string verb = command.begin().key();
    const json& with = command.begin().value();
    if (verb == "connect") return Connect(with);
    if (fleet_ == nullptr) return {{"error", "not connected"}};
    if (verb == "complete") return fleet_->AwaitComplete(Seconds(with));
    if (verb == "watch") {
      const auto type =
          xds::FindResourceType(with.at("type").get<std::string>());
      if (!type.has_value()) return {{"error", "no such type"}};
      fleet_->Watch(*type, with.at("name"), with.value("removed", false));
      return json::object();
    }
    if (verb == "arrived") {
      return fleet_->AwaitArrived(with.at("at"), Seconds(with));
    }
    if (verb == "pause") {
      const size_t count = with.at("count");
      for (size_t i = 0; i < std::min(count, proxies_.size()); ++i) {
        proxies_[i]->Pause();
      }
      return json::object();
    }
    if (verb == "resume") {
      for (const auto& proxy : proxies_) proxy->Resume();
      return json::object();
    }
    if (verb == "stats") return Stats();
    if (verb == "disconnect") {
      Disconnect();
      return json::object();
    }
    return {{"error", "no such command"}};
  }

  ~Commands() { Disconnect(); }

 private:
  static absl::Duration Seconds(const json& with) {
    return absl::Seconds(with.value("seconds", 60.0));
  }

  json Connect(const json& with) {
    std::vector<std::string> warm;
    std::shared_ptr<const Chains> chains;
    if (with.value("warm", false)) {
      warm = WarmRequests(held_);
      chains = held_.chains;
    }
    Disconnect();
    const size_t count = with.at("count");
    fleet_ = std::make_unique<Fleet>(count);
    fleet_->expect = with.value("expect", uint64_t{0});
    if (!warm.empty()) fleet_->held = held_;
    const std::string subscribe = with.value("subscribe", "envoy");
    fleet_->subscribe = subscribe == "envoy"   ? Subscribe::kEnvoy
                        : subscribe == "batch" ? Subscribe::kBatch
                        : subscribe == "all"   ? Subscribe::kAll
                                               : Subscribe::kNothing;
    const std::string prefix = with.value("prefix", "proxy");
    const std::string fleet = with.value("fleet", "fleet");
    const size_t node_bytes = with.value("node_bytes", size_t{61094});
    for (size_t i = 0; i < count; ++i) {
      proxies_.push_back(std::make_unique<Proxy>(
          i, with.at("address"), *fleet_,
          NodeOf(absl::StrCat(prefix, "-", i), fleet, node_bytes),
          with.value("window_bytes", kWindowBytes)));
    }
    fleet_->began = absl::GetCurrentTimeNanos();
    for (const auto& proxy : proxies_) proxy->Start(warm, chains);
    return {{"at", fleet_->began}};
  }

  json Stats() const {
    json ended = json::object();
    size_t open = 0;
    for (const auto& proxy : proxies_) {
      const auto code = proxy->ended();
      if (!code.has_value()) {
        ++open;
        continue;
      }
      const std::string name =
          absl::StatusCodeToString(static_cast<absl::StatusCode>(*code));
      ended[name] = ended.value(name, 0) + 1;
    }
    return {{"open", open},
            {"ended", ended},
            {"requests", fleet_->requests.load()},
            {"responses", fleet_->responses.load()},
            {"resources", fleet_->resources.load()},
            {"removed", fleet_->removed.load()},
            {"bytes", fleet_->bytes.load()},
            {"request_bytes", fleet_->request_bytes.load()}};
  }

  void Disconnect() {
    for (const auto& proxy : proxies_) proxy->Resume();
    for (const auto& proxy : proxies_) proxy->Cancel();
    for (const auto& proxy : proxies_) proxy->AwaitEnd();
    if (fleet_ != nullptr) held_ = fleet_->held;
    proxies_.clear();
  }

  std::unique_ptr<Fleet> fleet_;
  std::vector<std::unique_ptr<Proxy>> proxies_;
  Fleet::Held held_;
};

int Main() {
  Commands commands;
  std::string line;
  while (std::getline(std::cin, line)) {
    std::cout << commands.Run(json::parse(line)) << std::endl;
  }
  return 0;
}

}  // namespace
}  // namespace sallyport::bench

int main() { return sallyport::bench::Main(); }
