// What the state machine of an xDS stream costs, without gRPC: CPU for a change
// and its answer, and for a first synchronisation; memory of a stream. D is the
// number of domains; each has a cluster, a secret, a filter chain and a route.
//
//   bazel run //bench/xds:stream_benchmark

#include <benchmark/benchmark.h>
#include <malloc.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "config_service/xds/cache/cache.h"
#include "config_service/xds/server/request.h"
#include "config_service/xds/server/stream.h"

namespace sallyport::xds {
namespace {

constexpr ResourceType kNamed[] = {ResourceType::kSecret,
                                   ResourceType::kFilterChain,
                                   ResourceType::kRouteConfiguration};

class Nobody : public StreamObserver {
  void OnRefused(const Refusal&) override {}
  void OnRecovered(const ResourceKey&, const std::string&) override {}
};

std::string Name(int64_t domain) {
  return absl::StrCat("domain-", domain, ".example.com");
}

ResourcePtr Make(ResourceType type, int64_t domain, int64_t content) {
  std::string message = absl::StrCat(content);
  message.resize(type == ResourceType::kFilterChain ? 1850 : 370);
  return Resource::Make(type, Name(domain), message).value();
}

// A fleet with `domains`, and streams that have all of it.
class Fixture {
 public:
  explicit Fixture(int64_t domains) {
    Publication publication;
    for (int64_t d = 0; d < domains; ++d) {
      publication.put.push_back(Make(ResourceType::kCluster, d, 0));
      for (const ResourceType type : kNamed) {
        publication.put.push_back(Make(type, d, 0));
      }
      names_.push_back(Name(d));
    }
    (void)cache_.Publish("fleet", publication);
  }

  std::unique_ptr<Stream> Connect() {
    auto stream = std::make_unique<Stream>(
        Stream::Form::kDelta, cache_.FindFleet("fleet"), options_, nobody_);
    nonces_[stream.get()] = 0;
    Request request;
    request.type_url = TypeUrl(ResourceType::kCluster);
    (void)stream->OnRequest(request, now_);
    request.type_url = TypeUrl(ResourceType::kListener);
    (void)stream->OnRequest(request, now_);
    for (const ResourceType type : kNamed) {
      request.type_url = TypeUrl(type);
      request.subscribe.assign(names_.begin(), names_.end());
      (void)stream->OnRequest(request, now_);
    }
    return stream;
  }

  // Everything that is due, answered. Returns the number of bytes.
  size_t Settle(Stream& stream) {
    size_t bytes = 0;
    while (const auto response = stream.NextResponse(now_)) {
      bytes += response->bytes;
      // The nonce is the number of the response.
      const std::string nonce = absl::StrCat(++nonces_[&stream]);
      Request answer;
      answer.type_url = TypeUrl(response->type);
      answer.nonce = nonce;
      (void)stream.OnRequest(answer, now_);
    }
    return bytes;
  }

  void ChangeRoute(int64_t domain, int64_t content) {
    Publication publication;
    publication.put.push_back(
        Make(ResourceType::kRouteConfiguration, domain, content));
    (void)cache_.Publish("fleet", publication);
  }

 private:
  Cache cache_;
  Nobody nobody_;
  const StreamOptions options_;
  std::vector<std::string> names_;
  absl::flat_hash_map<const Stream*, uint64_t> nonces_;
  const absl::Time now_ = absl::UnixEpoch();
};

// One route changes, 100 streams are told and answer.
void BM_ChangeOneRoute(benchmark::State& state) {
  Fixture fixture(state.range(0));
  std::vector<std::unique_ptr<Stream>> streams;
  for (int i = 0; i < 100; ++i) {
    streams.push_back(fixture.Connect());
    fixture.Settle(*streams.back());
  }
  int64_t content = 0;
  for (auto _ : state) {
    fixture.ChangeRoute(content % state.range(0), content + 1);
    ++content;
    for (const auto& stream : streams) fixture.Settle(*stream);
  }
  state.SetItemsProcessed(state.iterations() * 100);
}
BENCHMARK(BM_ChangeOneRoute)->Arg(100)->Arg(1000)->Arg(5000);

// A proxy starts; items are resources.
void BM_FirstSynchronisation(benchmark::State& state) {
  Fixture fixture(state.range(0));
  size_t bytes = 0;
  for (auto _ : state) {
    const auto stream = fixture.Connect();
    bytes += fixture.Settle(*stream);
  }
  state.SetItemsProcessed(state.iterations() * state.range(0) * 4);
  state.SetBytesProcessed(static_cast<int64_t>(bytes));
}
BENCHMARK(BM_FirstSynchronisation)->Arg(100)->Arg(1000)->Arg(5000);

// Heap that a stream holds once it has everything.
void BM_MemoryOfAStream(benchmark::State& state) {
  Fixture fixture(state.range(0));
  double bytes = 0;
  for (auto _ : state) {
    std::vector<std::unique_ptr<Stream>> streams;
    const size_t before = mallinfo2().uordblks;
    for (int i = 0; i < 100; ++i) {
      streams.push_back(fixture.Connect());
      fixture.Settle(*streams.back());
    }
    bytes = static_cast<double>(mallinfo2().uordblks - before) / 100;
  }
  state.counters["bytes_per_stream"] = bytes;
}
BENCHMARK(BM_MemoryOfAStream)->Arg(100)->Arg(1000)->Arg(5000)->Iterations(1);

}  // namespace
}  // namespace sallyport::xds

BENCHMARK_MAIN();
