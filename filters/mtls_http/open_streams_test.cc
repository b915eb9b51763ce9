// end_streams_after: streams that are open when their client loses its trust.

#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "filters/mtls_http/hooks_test_support.h"
#include "gtest/gtest.h"

namespace sallyport::mtls_http {
namespace {

v1::MutualTls EndingAfter(absl::Duration after) {
  auto config = Config();
  config.mutable_end_streams_after()->set_seconds(absl::ToInt64Seconds(after));
  return config;
}

// A stream in Envoy's hands, open until told otherwise.
class OpenStream {
 public:
  OpenStream(LoadedFilter& filter, FakeConnection& connection,
             const void* route = nullptr, const std::string& xfcc = "")
      : stream(&filter.envoy, &connection) {
    stream.request_headers = Headers();
    if (!xfcc.empty()) {
      stream.request_headers.emplace_back("x-forwarded-client-cert", xfcc);
    }
    stream.route_config = route;
    instance_ =
        envoy_dynamic_module_on_http_filter_new(filter.get(), stream.filter());
    goes_on =
        envoy_dynamic_module_on_http_filter_request_headers(
            stream.filter(), instance_, false) == abi::HeadersStatus::kContinue;
  }
  ~OpenStream() { Destroy(); }
  OpenStream(const OpenStream&) = delete;

  void Complete() {
    envoy_dynamic_module_on_http_filter_stream_complete(stream.filter(),
                                                        instance_);
  }
  void Destroy() {
    if (instance_ == nullptr) return;
    envoy_dynamic_module_on_http_filter_destroy(instance_);
    instance_ = nullptr;
  }
  // Delivers an event, whether one was posted or not.
  void Deliver() {
    envoy_dynamic_module_on_http_filter_scheduled(stream.filter(), instance_,
                                                  0);
  }
  // Waits for an event and delivers it; false when none comes.
  bool DeliverNext() {
    if (!cert_validator::WaitFor(
            [&] { return !stream.TakeEvents().empty(); })) {
      return false;
    }
    Deliver();
    return true;
  }

  FakeStream stream;
  bool goes_on = false;

 private:
  const void* instance_;
};

constexpr char kLost[] = "sallyport_trust_lost{UNTRUSTED_ISSUER}";

class OpenStreams : public MtlsHooks {
 protected:
  // The old trust is gone when the new one is there.
  void Trust(const std::string& pem) {
    auto fresh = std::make_unique<LoadedValidator>(Trusting(pem));
    validator_ = std::move(fresh);
  }

  FakeConnection Connect(const std::string& der) const {
    FakeConnection connection;
    validator_->Handshake(connection, der);
    return connection;
  }

  // Trusted because of the truststore `ours`, or because of `theirs`.
  void TrustBy(bool ours) {
    auto config = Trusting(ours ? root_ : other_);
    config.mutable_truststores(0)->set_name("ours");
    *config.add_truststores() = config.truststores(0);
    config.mutable_truststores(1)->set_name("theirs");
    config.mutable_truststores(1)->set_inline_pem(ours ? other_ : root_);
    auto fresh = std::make_unique<LoadedValidator>(config);
    validator_ = std::move(fresh);
  }

  const std::string other_ = Certificates().other_root.pem;
  std::unique_ptr<LoadedValidator> validator_ =
      std::make_unique<LoadedValidator>(Trusting(root_));
};

TEST_F(OpenStreams, FinishWhenNothingIsSaid) {
  LoadedFilter filter(Config());
  FakeConnection connection = Connect(client_);
  OpenStream open(filter, connection);
  EXPECT_TRUE(open.goes_on);
  Trust(other_);
  // Nobody watches, so nothing is paid for.
  EXPECT_EQ(open.stream.scheduler, nullptr);
  open.Deliver();
  EXPECT_FALSE(open.stream.reset.has_value());
}

TEST_F(OpenStreams, EndAtOnce) {
  LoadedFilter filter(EndingAfter(absl::ZeroDuration()));
  FakeConnection connection = Connect(client_);
  OpenStream open(filter, connection);
  OpenStream second(filter, connection);
  EXPECT_TRUE(open.goes_on);
  LogCapture log;
  Trust(other_);
  for (OpenStream* stream : {&open, &second}) {
    EXPECT_TRUE(stream->DeliverNext());
    EXPECT_EQ(stream->stream.reset, kLost);
    EXPECT_EQ(stream->stream.metadata["sallyport:reason"], "UNTRUSTED_ISSUER");
    EXPECT_EQ(stream->stream.metadata["sallyport:ended"], "trust_lost");
    EXPECT_NE(stream->stream.metadata["sallyport:detail"], "");
    // Events that come late do nothing (the fake does not allow two resets).
    stream->Deliver();
  }
  EXPECT_EQ(filter.envoy.Value("streams_ended",
                               {"api.example.com", "UNTRUSTED_ISSUER"}),
            2u);
  EXPECT_EQ(log.Count("open stream of api.example.com ended"), 2);
}

TEST_F(OpenStreams, GoOnAfterAChangeThatLeavesTheirClientIn) {
  LoadedFilter filter(EndingAfter(absl::ZeroDuration()));
  FakeConnection connection = Connect(client_);
  OpenStream open(filter, connection);
  for (int i = 0; i < 3; ++i) {
    Trust(i % 2 == 0 ? root_ + other_ : root_);
    EXPECT_TRUE(open.DeliverNext());
    EXPECT_FALSE(open.stream.reset.has_value());
  }
  Trust(other_);
  EXPECT_TRUE(open.DeliverNext());
  EXPECT_EQ(open.stream.reset, kLost);
}

TEST_F(OpenStreams, EndAfterTheirTimeUnlessTheTrustComesBack) {
  LoadedFilter filter(EndingAfter(absl::Seconds(10)));
  FakeConnection connection = Connect(client_);
  OpenStream open(filter, connection);
  Trust(other_);
  EXPECT_TRUE(open.DeliverNext());
  clock_.Advance(absl::Seconds(9));
  open.Deliver();
  EXPECT_FALSE(open.stream.reset.has_value());
  Trust(root_);
  EXPECT_TRUE(open.DeliverNext());
  clock_.Advance(absl::Seconds(9));
  open.Deliver();
  EXPECT_FALSE(open.stream.reset.has_value());
  // Lost again, the whole time counts again, and not anew with each change.
  Trust(other_);
  EXPECT_TRUE(open.DeliverNext());
  clock_.Advance(absl::Seconds(9));
  Trust(Certificates().partner.pem);
  EXPECT_TRUE(open.DeliverNext());
  EXPECT_FALSE(open.stream.reset.has_value());
  // By itself, when the time comes.
  clock_.Advance(absl::Seconds(1));
  EXPECT_TRUE(open.DeliverNext());
  EXPECT_EQ(open.stream.reset, kLost);
}

TEST_F(OpenStreams, EndWhenTheCertificateDoes) {
  LoadedFilter filter(EndingAfter(absl::ZeroDuration()));
  FakeConnection connection = Connect(Certificates().short_client.der);
  OpenStream open(filter, connection);
  EXPECT_TRUE(open.goes_on);
  clock_.Advance(absl::Minutes(50));
  open.Deliver();
  EXPECT_FALSE(open.stream.reset.has_value());
  clock_.Advance(absl::Minutes(20));
  EXPECT_TRUE(open.DeliverNext());
  EXPECT_EQ(open.stream.reset, "sallyport_trust_lost{EXPIRED}");
}

TEST_F(OpenStreams, EndWhenARuleNoLongerLetsTheirClientIn) {
  auto of_domain = EndingAfter(absl::ZeroDuration());
  of_domain.mutable_allow()->mutable_truststore()->add_names("ours");
  auto of_path = EndingAfter(absl::ZeroDuration());
  of_path.add_paths()->set_prefix("/orders");
  *of_path.mutable_paths(0)->mutable_allow() = of_domain.allow();
  v1::MutualTlsRoute route;
  *route.mutable_allow() = of_domain.allow();
  TrustBy(/*ours=*/true);
  for (const auto& config :
       {of_domain, of_path, EndingAfter(absl::ZeroDuration())}) {
    LoadedFilter filter(config);
    LoadedRoute of_route(route);
    const bool by_route = !config.has_allow() && config.paths().empty();
    FakeConnection connection = Connect(client_);
    OpenStream open(filter, connection, by_route ? of_route.get() : nullptr);
    EXPECT_TRUE(open.goes_on);
    // Its configuration need not outlive the stream.
    of_route.Destroy();
    TrustBy(/*ours=*/false);
    ASSERT_TRUE(open.DeliverNext());
    EXPECT_EQ(open.stream.reset, "sallyport_trust_lost{NOT_ALLOWED}");
    EXPECT_EQ(open.stream.metadata["sallyport:reason"], "NOT_ALLOWED");
    EXPECT_NE(open.stream.metadata["sallyport:detail"], "");
    EXPECT_EQ(
        filter.envoy.Value("streams_ended", {"api.example.com", "NOT_ALLOWED"}),
        1u);
    TrustBy(/*ours=*/true);
  }
}

TEST_F(OpenStreams, OfAResumedSessionEndWhenARuleNoLongerLetsTheirClientIn) {
  auto config = EndingAfter(absl::Seconds(10));
  config.mutable_allow()->mutable_truststore()->add_names("ours");
  TrustBy(/*ours=*/true);
  LoadedFilter filter(config);
  FakeConnection connection = Resumed(Certificates().client);
  OpenStream open(filter, connection, nullptr, Xfcc(Certificates().client));
  ASSERT_TRUE(open.goes_on);
  TrustBy(/*ours=*/false);
  ASSERT_TRUE(open.DeliverNext());
  EXPECT_FALSE(open.stream.reset.has_value());
  clock_.Advance(absl::Seconds(10));
  ASSERT_TRUE(open.DeliverNext());
  EXPECT_EQ(open.stream.reset, "sallyport_trust_lost{NOT_ALLOWED}");
}

TEST_F(OpenStreams, EndWhenNothingIsLeftToJudgeBy) {
  LoadedFilter filter(EndingAfter(absl::ZeroDuration()));
  FakeConnection connection = Connect(client_);
  {
    OpenStream open(filter, connection);
    validator_.reset();
    EXPECT_TRUE(open.DeliverNext());
    EXPECT_EQ(open.stream.reset, "sallyport_trust_lost{CONFIGURATION_MISSING}");
  }
  Trust(root_);
  OpenStream open(filter, connection);
  EXPECT_TRUE(open.goes_on);
  connection.filter_state.clear();
  open.Deliver();
  EXPECT_EQ(open.stream.reset, "sallyport_trust_lost{CONFIGURATION_MISSING}");
}

TEST_F(OpenStreams, AreNotWatchedWithoutATrustThatCouldBeLost) {
  auto config = EndingAfter(absl::ZeroDuration());
  config.set_client_certificate(v1::OPTIONAL);
  config.set_rejection(v1::PASS);
  LoadedFilter filter(config);
  FakeConnection without;
  without.mtls = false;
  FakeConnection stranger = Connect(stranger_);
  for (FakeConnection* connection : {&without, &stranger}) {
    OpenStream open(filter, *connection);
    EXPECT_TRUE(open.goes_on);
    EXPECT_EQ(open.stream.scheduler, nullptr);
  }
}

TEST_F(OpenStreams, MayEndInAnyOrder) {
  auto filter = std::make_unique<LoadedFilter>(EndingAfter({}));
  FakeHttpFilterConfig counters;
  FakeConnection connection = Connect(client_);
  {
    OpenStream completed(*filter, connection);
    completed.Complete();
    Trust(other_);
    completed.Deliver();
    EXPECT_FALSE(completed.stream.reset.has_value());
    completed.Complete();
  }
  Trust(root_);
  {
    // An event is under way when the filter goes.
    OpenStream destroyed(*filter, connection);
    Trust(other_);
    destroyed.Destroy();
  }
  Trust(root_);
  {
    // The configuration goes first, on another thread.
    counters.counters = filter->envoy.counters;
    OpenStream late(*filter, connection);
    late.stream.config = &counters;
    std::thread([&] { filter.reset(); }).join();
    Trust(other_);
    EXPECT_TRUE(late.DeliverNext());
    EXPECT_EQ(late.stream.reset, kLost);
  }
  // Events for nobody.
  envoy_dynamic_module_on_http_filter_scheduled(nullptr, nullptr, 0);
  envoy_dynamic_module_on_http_filter_stream_complete(nullptr, nullptr);
}

TEST_F(OpenStreams, EndManyOnSeveralThreads) {
  LoadedFilter filter(EndingAfter(absl::ZeroDuration()));
  std::vector<std::thread> workers;
  workers.reserve(4);
  for (int i = 0; i < 4; ++i) {
    workers.emplace_back([&] {
      for (int round = 0; round < 20; ++round) {
        FakeConnection connection = Connect(client_);
        std::vector<std::unique_ptr<OpenStream>> open;
        open.reserve(20);
        for (int n = 0; n < 20; ++n) {
          open.push_back(std::make_unique<OpenStream>(filter, connection));
        }
        connection.filter_state.clear();
        for (const auto& stream : open) stream->Deliver();
        for (const auto& stream : open) {
          EXPECT_TRUE(stream->stream.reset.has_value());
        }
      }
    });
  }
  for (std::thread& worker : workers) worker.join();
}

}  // namespace
}  // namespace sallyport::mtls_http
