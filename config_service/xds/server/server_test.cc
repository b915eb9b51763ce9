// The server over real gRPC, on 127.0.0.1.

#include "config_service/xds/server/server.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/security/credentials.h>

#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "config_service/xds/server/fake_proxy.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "pki/testing/make_certificate.h"

namespace sallyport::xds {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr ResourceType kCluster = ResourceType::kCluster;
constexpr ResourceType kListener = ResourceType::kListener;
constexpr ResourceType kSecret = ResourceType::kSecret;

constexpr absl::Duration kLong = absl::Seconds(30);

ResourcePtr Make(ResourceType type, const std::string& name,
                 const std::string& content) {
  return Resource::Make(type, name, absl::StrCat(name, "=", content)).value();
}

// One call of the discovery service, driven by the test's thread.
class Call {
 public:
  Call(const std::shared_ptr<grpc::Channel>& channel, const std::string& method,
       absl::Duration deadline = absl::Minutes(5))
      : stub_(channel) {
    context_.set_deadline(absl::ToChronoTime(absl::Now() + deadline));
    stream_ = stub_.PrepareCall(&context_, method, &queue_);
    stream_->StartCall(Tag(kStart));
    ok_ = Await(kStart, kLong);
    if (ok_) {
      stream_->Read(&buffer_, Tag(kRead));
    } else {
      ended_ = true;
    }
  }
  ~Call() {
    context_.TryCancel();
    if (!finished_) Finish();
    queue_.Shutdown();
    void* tag;
    bool ok;
    while (queue_.Next(&tag, &ok)) {
    }
  }

  bool Write(const std::string& bytes) {
    if (!ok_) return false;
    const grpc::Slice slice(bytes);
    stream_->Write(grpc::ByteBuffer(&slice, 1), Tag(kWrite));
    return Await(kWrite, kLong);
  }

  // The next message; nothing when none comes within `timeout`, or the stream
  // ended (see ended()).
  std::optional<std::string> Read(absl::Duration timeout = kLong) {
    if (ended_ || !Await(kRead, timeout)) return std::nullopt;
    grpc::Slice slice;
    EXPECT_TRUE(buffer_.DumpToSingleSlice(&slice).ok());
    std::string bytes(reinterpret_cast<const char*>(slice.begin()),
                      slice.size());
    buffer_.Clear();
    done_[kRead] = std::nullopt;
    stream_->Read(&buffer_, Tag(kRead));
    return bytes;
  }
  bool ended() const { return ended_; }

  // The status that the server ended the call with.
  grpc::Status Finish() {
    if (finished_) return status_;
    finished_ = true;
    stream_->Finish(&status_, Tag(kFinish));
    Await(kFinish, kLong);
    return status_;
  }

 private:
  enum Operation { kStart, kRead, kWrite, kFinish };
  static void* Tag(Operation operation) {
    return reinterpret_cast<void*>(static_cast<intptr_t>(operation) + 1);
  }

  // Whether the operation was done, and well, within the time.
  bool Await(Operation operation, absl::Duration timeout) {
    const auto deadline = absl::ToChronoTime(absl::Now() + timeout);
    while (!done_[operation].has_value()) {
      void* tag;
      bool ok;
      if (queue_.AsyncNext(&tag, &ok, deadline) !=
          grpc::CompletionQueue::GOT_EVENT) {
        return false;
      }
      const auto which =
          static_cast<Operation>(reinterpret_cast<intptr_t>(tag) - 1);
      done_[which] = ok;
      if (which == kRead && !ok) ended_ = true;
    }
    const bool ok = *done_[operation];
    if (operation != kRead) done_[operation] = std::nullopt;
    return ok;
  }

  grpc::GenericStub stub_;
  grpc::ClientContext context_;
  grpc::CompletionQueue queue_;
  std::unique_ptr<grpc::GenericClientAsyncReaderWriter> stream_;
  grpc::ByteBuffer buffer_;
  std::optional<bool> done_[4];
  grpc::Status status_;
  bool ok_ = false;
  bool ended_ = false;
  bool finished_ = false;
};

constexpr char kDeltaMethod[] =
    "/envoy.service.discovery.v3.AggregatedDiscoveryService/"
    "DeltaAggregatedResources";
constexpr char kSotwMethod[] =
    "/envoy.service.discovery.v3.AggregatedDiscoveryService/"
    "StreamAggregatedResources";

// A node that asks and answers.
struct Client {
  Client(const std::shared_ptr<grpc::Channel>& channel, const std::string& name,
         const std::string& fleet = "fleet",
         FakeProxy::Form form = FakeProxy::Form::kDelta)
      : proxy(form),
        call(channel,
             form == FakeProxy::Form::kDelta ? kDeltaMethod : kSotwMethod) {
    proxy.SetNode(name, fleet);
  }

  void Ask(ResourceType type, const std::vector<std::string>& names) {
    call.Write(proxy.Ask(type, names));
  }
  std::optional<FakeProxy::Received> Next(absl::Duration timeout = kLong) {
    const auto bytes = call.Read(timeout);
    if (!bytes.has_value()) return std::nullopt;
    return proxy.Read(*bytes);
  }
  // The next response, accepted; its resources' names.
  std::vector<std::string> Take() {
    const auto received = Next();
    if (!received.has_value()) {
      return {absl::StrCat("ended: ", call.Finish().error_message())};
    }
    call.Write(proxy.Accept(*received));
    std::vector<std::string> names;
    for (const auto& [name, held] : received->resources) names.push_back(name);
    for (const auto& name : received->removed) names.push_back("-" + name);
    return names;
  }

  FakeProxy proxy;
  Call call;
};

class ServerTest : public ::testing::Test {
 protected:
  ~ServerTest() override {
    if (server_ != nullptr) server_->Stop(absl::Seconds(1));
  }

  void Publish(std::vector<ResourcePtr> put,
               const std::string& fleet = "fleet") {
    Publication publication;
    publication.put = std::move(put);
    publication.store_revision = ++revision_;
    ASSERT_TRUE(cache_.Publish(fleet, publication).ok());
  }

  void Start(ServerOptions options = {}) {
    Server::Config config;
    config.address = absl::StrCat("127.0.0.1:", port_);
    config.options = options;
    config.log = [this](absl::string_view line) {
      absl::MutexLock lock(&log_mu_);
      absl::StrAppend(&log_, line, "\n");
    };
    auto server = Server::Start(std::move(config), cache_, ledger_,
                                authenticator_, Clock::System());
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    port_ = server_->port();
  }

  std::shared_ptr<grpc::Channel> Channel() {
    grpc::ChannelArguments arguments;
    // Each its own connection, as proxies have.
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 100);
    arguments.SetMaxReceiveMessageSize(-1);
    return grpc::CreateCustomChannel(absl::StrCat("127.0.0.1:", port_),
                                     grpc::InsecureChannelCredentials(),
                                     arguments);
  }

  // Waits until every node of the fleet has what is published.
  bool AllHaveIt() {
    return ledger_
        .WaitForRevision("fleet", revision_, absl::Now() + kLong,
                         Ledger::AtRefusal::kGoOn)
        .done;
  }
  template <typename Condition>
  static bool Eventually(const Condition& holds) {
    const absl::Time end = absl::Now() + kLong;
    while (!holds()) {
      if (absl::Now() > end) return false;
      absl::SleepFor(absl::Milliseconds(5));
    }
    return true;
  }
  std::string log() {
    absl::MutexLock lock(&log_mu_);
    return log_;
  }

  Cache cache_;
  Ledger ledger_{Clock::System(), cache_};
  LoopbackAuthenticator authenticator_;
  int port_ = 0;
  uint64_t revision_ = 0;
  absl::Mutex log_mu_;
  std::string log_;
  std::unique_ptr<Server> server_;
};

TEST_F(ServerTest, ServesAndFollowsADeltaClient) {
  Publish({Make(kCluster, "a", "1"), Make(kSecret, "s", "1")});
  Start();
  Client client(Channel(), "node");
  client.Ask(kCluster, {});
  EXPECT_THAT(client.Take(), ElementsAre("a"));
  client.Ask(kListener, {});
  EXPECT_TRUE(client.Take().empty());
  client.Ask(kSecret, {"s"});
  EXPECT_THAT(client.Take(), ElementsAre("s"));
  Publish({Make(kSecret, "s", "2")});
  EXPECT_THAT(client.Take(), ElementsAre("s"));
  EXPECT_EQ(client.proxy.type(kSecret).held.at("s").content, "s=2");
  EXPECT_TRUE(AllHaveIt());

  const auto node = ledger_.Node("fleet", "node");
  ASSERT_TRUE(node.has_value());
  EXPECT_TRUE(node->connected);
  EXPECT_EQ(node->info.cluster, "fleet");
  EXPECT_THAT(node->info.address, HasSubstr("127.0.0.1"));
  EXPECT_EQ(node->behind, 0);
  EXPECT_EQ(node->store_revision, revision_);
  EXPECT_EQ(node->types[static_cast<size_t>(kSecret)].num_acknowledged, 1);
}

TEST_F(ServerTest, ServesAStateOfTheWorldClient) {
  Publish({Make(kCluster, "a", "1"), Make(kSecret, "s", "1")});
  Start();
  Client client(Channel(), "node", "fleet", FakeProxy::Form::kStateOfTheWorld);
  client.Ask(kCluster, {});
  EXPECT_THAT(client.Take(), ElementsAre("a"));
  client.Ask(kSecret, {"s"});
  EXPECT_THAT(client.Take(), ElementsAre("s"));
  Publish({Make(kCluster, "b", "1")});
  EXPECT_THAT(client.Take(), ElementsAre("a", "b"));
  EXPECT_FALSE(ledger_.Node("fleet", "node")->delta);
}

TEST_F(ServerTest, SendsLargeResourcesWhole) {
  const std::string large(5 << 20, 'x');
  Publish({Make(kSecret, "large", large), Make(kSecret, "small", "1")});
  Start();
  for (const auto form :
       {FakeProxy::Form::kDelta, FakeProxy::Form::kStateOfTheWorld}) {
    Client client(Channel(), "node", "fleet", form);
    client.Ask(kSecret, {"large", "small"});
    client.Take();
    client.Take();
    EXPECT_EQ(client.proxy.type(kSecret).held.at("large").content,
              "large=" + large);
    EXPECT_EQ(client.proxy.type(kSecret).held.at("small").content, "small=1");
  }
}

TEST_F(ServerTest, ShowsARefusalAtOnce) {
  Publish({Make(kSecret, "s", "bad")});
  Start();
  Client client(Channel(), "node");
  client.Ask(kSecret, {"s"});
  client.call.Write(client.proxy.Refuse(*client.Next(), "it is bad"));
  const EventBatch batch = ledger_.Events(1, 1, absl::Now() + absl::Seconds(1));
  ASSERT_EQ(batch.events.size(), 1);
  EXPECT_EQ(batch.events[0].kind, NodeEvent::Kind::kRefused);
  EXPECT_EQ(batch.events[0].node, "node");
  EXPECT_EQ(batch.events[0].reason, "it is bad");
  EXPECT_TRUE(Eventually([&] { return ledger_.num_refused_responses() == 1; }));
  EXPECT_THAT(log(), HasSubstr("refuses Secret \"s\""));
}

TEST_F(ServerTest, SendsNothingToAnUnchangedProxyAfterARestart) {
  Publish({Make(kCluster, "a", "1"), Make(kSecret, "s", "1")});
  Start();
  Client client(Channel(), "node");
  client.Ask(kCluster, {});
  client.Take();
  client.Ask(kSecret, {"s"});
  client.Take();
  server_->Stop(absl::Seconds(1));
  EXPECT_FALSE(client.Next().has_value());
  EXPECT_EQ(client.call.Finish().error_code(), grpc::StatusCode::UNAVAILABLE);
  server_.reset();

  // Another process: another cache, with the same content.
  Cache cache;
  Ledger ledger(Clock::System(), cache);
  Publication publication;
  publication.kind = Publication::Kind::kWhole;
  publication.put = {Make(kCluster, "a", "1"), Make(kSecret, "s", "1")};
  ASSERT_TRUE(cache.Publish("fleet", publication).ok());
  Server::Config config;
  config.address = "127.0.0.1:0";
  auto server = Server::Start(std::move(config), cache, ledger, authenticator_,
                              Clock::System());
  ASSERT_TRUE(server.ok());
  port_ = (*server)->port();
  client.proxy.Disconnect();
  Call call(Channel(), kDeltaMethod);
  call.Write(client.proxy.Resume(kCluster));
  call.Write(client.proxy.Resume(kSecret));
  ASSERT_TRUE(Eventually([&] {
    const auto node = ledger.Node("fleet", "node");
    return node.has_value() && node->num_requests == 2;
  }));
  publication.put.push_back(Make(kCluster, "b", "1"));
  ASSERT_TRUE(cache.Publish("fleet", publication).ok());
  const auto received = client.proxy.Read(*call.Read());
  EXPECT_EQ(received.resources.size(), 1);
  EXPECT_EQ(received.resources.count("b"), 1);
  EXPECT_EQ(ledger.Node("fleet", "node")->num_responses, 1);
  (*server)->Stop(absl::Seconds(1));
}

TEST_F(ServerTest, SaysNothingBeforeTheFirstPublication) {
  Start();
  Client client(Channel(), "node");
  client.Ask(kSecret, {"s"});
  ASSERT_TRUE(Eventually([&] { return ledger_.num_connected() == 1; }));
  // Not even that the secret is not there.
  EXPECT_FALSE(client.Next(absl::Milliseconds(100)).has_value());
  EXPECT_FALSE(client.call.ended());
  Publish({Make(kSecret, "s", "1")});
  EXPECT_THAT(client.Take(), ElementsAre("s"));
}

TEST_F(ServerTest, KeepsFleetsApart) {
  Publish({Make(kSecret, "s", "of one")}, "one");
  Publish({}, "two");
  Start();
  Client client(Channel(), "node", "two");
  client.Ask(kSecret, {"s"});
  EXPECT_THAT(client.Take(), ElementsAre("-s"));
}

TEST_F(ServerTest, EndsStreamsThatBreakTheRules) {
  Publish({});
  Start();
  const auto channel = Channel();
  const auto ends_with = [&](Call& call) {
    EXPECT_FALSE(call.Read().has_value());
    return call.Finish().error_code();
  };
  {
    Call call(channel, "/envoy.service.discovery.v3.Other/Method");
    EXPECT_EQ(ends_with(call), grpc::StatusCode::UNIMPLEMENTED);
  }
  {
    Call call(channel, kDeltaMethod);
    call.Write("\x12\x7f");
    EXPECT_EQ(ends_with(call), grpc::StatusCode::INVALID_ARGUMENT);
  }
  {
    Call call(channel, kDeltaMethod);
    FakeProxy proxy(FakeProxy::Form::kDelta);
    call.Write(proxy.Ask(kSecret, {"s"}));  // nobody
    EXPECT_EQ(ends_with(call), grpc::StatusCode::INVALID_ARGUMENT);
  }
  {
    // Another node in the middle of the stream.
    Client client(channel, "node");
    client.Ask(kSecret, {"s"});
    client.Take();
    client.proxy.SetNode("other", "fleet");
    client.Ask(kSecret, {"s"});
    EXPECT_EQ(ends_with(client.call), grpc::StatusCode::INVALID_ARGUMENT);
  }
  EXPECT_TRUE(Eventually([&] { return ledger_.num_connected() == 0; }));
}

TEST_F(ServerTest, LimitsRequestsStreamsAndSilence) {
  Publish({});
  ServerOptions options;
  options.max_request_bytes = 10000;
  options.max_streams = 2;
  options.first_request_timeout = absl::Milliseconds(100);
  Start(options);
  {
    Client client(Channel(), "node");
    client.Ask(kSecret, {std::string(1000, 'x')});
    EXPECT_EQ(client.Take().size(), 1);
    std::vector<std::string> names;
    for (int i = 0; i < 11; ++i) {
      names.push_back(std::string(1000, static_cast<char>('a' + i)));
    }
    client.Ask(kSecret, names);
    EXPECT_FALSE(client.Next().has_value());
    EXPECT_EQ(client.call.Finish().error_code(),
              grpc::StatusCode::RESOURCE_EXHAUSTED);
  }
  {
    Call silent(Channel(), kDeltaMethod);
    EXPECT_FALSE(silent.Read().has_value());
    EXPECT_TRUE(silent.ended());
    EXPECT_EQ(silent.Finish().error_code(), grpc::StatusCode::CANCELLED);
  }
  ASSERT_TRUE(Eventually([&] { return ledger_.num_connected() == 0; }));
  Client one(Channel(), "one");
  one.Ask(kSecret, {"s"});
  one.Take();
  Client two(Channel(), "two");
  two.Ask(kSecret, {"s"});
  two.Take();
  Client three(Channel(), "three");
  EXPECT_FALSE(three.Next().has_value());
  EXPECT_EQ(three.call.Finish().error_code(),
            grpc::StatusCode::RESOURCE_EXHAUSTED);
}

TEST_F(ServerTest, LimitsTheStreamsOfOneNode) {
  Publish({});
  ServerOptions options;
  options.max_streams_of_node = 2;
  Start(options);
  std::vector<std::unique_ptr<Client>> held;
  for (int i = 0; i < 2; ++i) {
    held.push_back(std::make_unique<Client>(Channel(), "greedy"));
    held.back()->Ask(kSecret, {"s"});
    held.back()->Take();
  }
  for (int i = 0; i < 3; ++i) {
    Client more(Channel(), "greedy");
    more.Ask(kSecret, {"s"});
    EXPECT_FALSE(more.Next().has_value());
    const grpc::Status status = more.call.Finish();
    EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
    EXPECT_THAT(status.error_message(), HasSubstr("2 streams open"));
  }
  EXPECT_EQ(ledger_.num_refused_streams(), 3);
  // Said once, however often it tries.
  const std::string said = log();
  const size_t first = said.find("--node-streams");
  EXPECT_NE(first, std::string::npos) << said;
  EXPECT_EQ(said.find("--node-streams", first + 1), std::string::npos) << said;
  // Nobody else is concerned, nor a node of that name in another fleet.
  Publish({}, "other");
  for (const char* fleet : {"fleet", "other"}) {
    Client client(Channel(), fleet == std::string("fleet") ? "node" : "greedy",
                  fleet);
    client.Ask(kSecret, {"s"});
    EXPECT_THAT(client.Take(), ElementsAre("-s"));
  }
  // There is room again once one is gone.
  held.pop_back();
  EXPECT_TRUE(Eventually([&] {
    Client again(Channel(), "greedy");
    again.Ask(kSecret, {"s"});
    return again.Next().has_value();
  }));
}

TEST_F(ServerTest, IsNotHeldUpByThoseWhoDoNotAnswer) {
  ServerOptions options;
  options.stream.max_unanswered_bytes = 1 << 20;
  options.max_unanswered_bytes = 4 << 20;
  options.slow_after = absl::Seconds(1);
  Publish({});
  Start(options);
  std::vector<std::unique_ptr<Client>> slow;
  for (int i = 0; i < 8; ++i) {
    slow.push_back(std::make_unique<Client>(Channel(), absl::StrCat("s", i)));
    slow.back()->Ask(kSecret, {"*"});
  }
  Client client(Channel(), "node");
  client.Ask(kSecret, {"*"});
  client.Take();
  for (int round = 0; round < 20; ++round) {
    std::vector<ResourcePtr> resources;
    for (int i = 0; i < 4; ++i) {
      resources.push_back(Make(kSecret, absl::StrCat(i),
                               std::string(400000, 'a' + (round % 26))));
    }
    Publish(resources);
    for (int i = 0; i < 4; ++i) EXPECT_EQ(client.Take().size(), 1);
  }
  for (const NodeStatus& node :
       ledger_.Nodes("fleet", Ledger::Departed::kLeaveOut)) {
    size_t unanswered = 0;
    for (const TypeStatus& type : node.types) unanswered += type.num_unanswered;
    EXPECT_LE(unanswered, 4) << node.info.name;
  }
}

TEST_F(ServerTest, TakesManyNodesAtOnceAgainAndAgain) {
  std::vector<ResourcePtr> resources;
  for (int i = 0; i < 50; ++i) {
    resources.push_back(Make(kSecret, absl::StrCat(i), "1"));
  }
  resources.push_back(Make(kCluster, "c", "1"));
  Publish(resources);
  Start();
  constexpr int kNodes = 100;
  for (int round = 0; round < 2; ++round) {
    std::vector<std::thread> threads;
    threads.reserve(4);
    std::vector<std::unique_ptr<Client>> clients(kNodes);
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&, t] {
        for (int i = t; i < kNodes; i += 4) {
          clients[i] =
              std::make_unique<Client>(Channel(), absl::StrCat("n", i));
          clients[i]->Ask(kCluster, {});
          clients[i]->Take();
          clients[i]->Ask(kListener, {});
          clients[i]->Take();
          // One by one, as Envoy does.
          for (int s = 0; s < 50; ++s) {
            clients[i]->Ask(kSecret, {absl::StrCat(s)});
          }
          while (clients[i]->proxy.type(kSecret).held.size() < 50) {
            clients[i]->Take();
          }
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(ledger_.num_connected(), kNodes);
    EXPECT_TRUE(AllHaveIt());
    // They asked one by one and were answered many at a time.
    const auto node = ledger_.Node("fleet", "n0");
    EXPECT_LT(node->num_responses, 40);
    Publish({Make(kSecret, "7", absl::StrCat("round ", round))});
    for (auto& client : clients) EXPECT_THAT(client->Take(), ElementsAre("7"));
    EXPECT_TRUE(AllHaveIt());
    clients.clear();
    EXPECT_TRUE(Eventually([&] { return ledger_.num_connected() == 0; }));
  }
}

TEST_F(ServerTest, RefusesToListenOpenlyBeyondThisMachine) {
  for (const char* address : {"0.0.0.0:0", "[::]:0", "192.0.2.1:0",
                              "localhost:0", "127.0.0.1.x:0", "", "9441"}) {
    Server::Config config;
    config.address = address;
    EXPECT_EQ(Server::Start(std::move(config), cache_, ledger_, authenticator_,
                            Clock::System())
                  .status()
                  .code(),
              absl::StatusCode::kInvalidArgument)
        << address;
  }
}

TEST_F(ServerTest, SaysThatItsPortIsTaken) {
  Start();
  Server::Config config;
  config.address = absl::StrCat("127.0.0.1:", port_);
  EXPECT_EQ(Server::Start(std::move(config), cache_, ledger_, authenticator_,
                          Clock::System())
                .status()
                .code(),
            absl::StatusCode::kUnavailable);
}

class TlsServerTest : public ServerTest {
 protected:
  pki::TestCertificate Certificate(pki::TestCertificateSpec spec,
                                   const pki::TestCertificate* issuer) {
    // gRPC judges by the machine's clock.
    spec.not_before = absl::Now() - absl::Hours(1);
    spec.not_after = absl::Now() + absl::Hours(1);
    return pki::MakeTestCertificate(spec, pki::TestKey::P256(), issuer);
  }
  pki::TestCertificate Node(const std::string& uri,
                            const pki::TestCertificate& issuer) {
    pki::TestCertificateSpec spec = pki::TestLeafSpec("node");
    spec.alt_names = "URI:" + uri;
    return Certificate(spec, &issuer);
  }

  void SetUp() override {
    ca_ = Certificate(pki::TestCaSpec("Proxy CA"), nullptr);
    other_ca_ = Certificate(pki::TestCaSpec("Another CA"), nullptr);
    pki::TestCertificateSpec spec = pki::TestLeafSpec("server");
    spec.alt_names = "IP:127.0.0.1";
    spec.extended_key_usage = "serverAuth";
    const pki::TestCertificate certificate = Certificate(spec, &ca_);
    Server::Config config;
    config.address = "127.0.0.1:0";
    config.tls = std::make_unique<ServerTls>();
    config.tls->certificate_chain = certificate.pem;
    config.tls->private_key = certificate.key.Pem();
    config.tls->client_roots = ca_.pem;
    auto server = Server::Start(std::move(config), cache_, ledger_, by_uri_,
                                Clock::System());
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    port_ = server_->port();
    Publish({Make(kSecret, "s", "of one")}, "one");
    Publish({Make(kSecret, "s", "of two")}, "two");
  }

  std::shared_ptr<grpc::Channel> ChannelOf(
      const pki::TestCertificate* certificate) {
    grpc::SslCredentialsOptions options;
    options.pem_root_certs = ca_.pem;
    if (certificate != nullptr) {
      options.pem_cert_chain = certificate->pem;
      options.pem_private_key = certificate->key.Pem();
    }
    return grpc::CreateChannel(absl::StrCat("127.0.0.1:", port_),
                               grpc::SslCredentials(options));
  }

  pki::TestCertificate ca_;
  pki::TestCertificate other_ca_;
  // Takes no certificate that is `revoked`.
  class ByUri final : public Authenticator {
   public:
    absl::StatusOr<NodeIdentity> Identify(
        const Peer& peer, const NodeClaim& claim) const override {
      if (peer.certificate_pem == revoked) {
        return absl::PermissionDeniedError("revoked");
      }
      return by_uri_.Identify(peer, claim);
    }
    // Set while no request is on its way.
    std::string revoked;

   private:
    CertificateAuthenticator by_uri_{"example.org"};
  };
  ByUri by_uri_;
};

TEST_F(TlsServerTest, GivesANodeWhatIsOfTheFleetInItsCertificate) {
  const auto certificate = Node("spiffe://example.org/fleets/one/nodes/n", ca_);
  Client client(ChannelOf(&certificate), "n", "one");
  client.Ask(kSecret, {"s"});
  EXPECT_THAT(client.Take(), ElementsAre("s"));
  EXPECT_EQ(client.proxy.type(kSecret).held.at("s").content, "s=of one");
  EXPECT_EQ(ledger_.Node("one", "n")->info.name, "n");
}

TEST_F(TlsServerTest, EndsTheStreamsOfANodeThatIsNotTakenAnyMore) {
  const auto one = Node("spiffe://example.org/fleets/one/nodes/a", ca_);
  const auto two = Node("spiffe://example.org/fleets/one/nodes/b", ca_);
  Client client(ChannelOf(&one), "a", "one");
  client.Ask(kSecret, {"s"});
  client.Take();
  Client other(ChannelOf(&two), "b", "one");
  other.Ask(kSecret, {"s"});
  other.Take();
  server_->Reauthenticate();
  by_uri_.revoked = one.pem;
  server_->Reauthenticate();
  EXPECT_FALSE(client.Next().has_value());
  EXPECT_EQ(client.call.Finish().error_code(),
            grpc::StatusCode::PERMISSION_DENIED);
  Client again(ChannelOf(&one), "a", "one");
  again.Ask(kSecret, {"s"});
  EXPECT_FALSE(again.Next().has_value());
  EXPECT_EQ(again.call.Finish().error_code(),
            grpc::StatusCode::PERMISSION_DENIED);
  Publish({Make(kSecret, "s", "2")}, "one");
  EXPECT_THAT(other.Take(), ElementsAre("s"));
}

TEST_F(TlsServerTest, CountsStreamsOfACertificateBeforeTheySayAnything) {
  const auto greedy = Node("spiffe://example.org/fleets/one/nodes/a", ca_);
  const auto other = Node("spiffe://example.org/fleets/one/nodes/b", ca_);
  std::vector<std::unique_ptr<Call>> held;
  for (size_t i = 0; i < ServerOptions().max_streams_of_node; ++i) {
    held.push_back(std::make_unique<Call>(ChannelOf(&greedy), kDeltaMethod));
  }
  ASSERT_TRUE(Eventually([&] {
    Call more(ChannelOf(&greedy), kDeltaMethod);
    more.Read(absl::Seconds(1));
    return more.ended() &&
           more.Finish().error_code() == grpc::StatusCode::RESOURCE_EXHAUSTED;
  }));
  Client client(ChannelOf(&other), "b", "one");
  client.Ask(kSecret, {"s"});
  EXPECT_THAT(client.Take(), ElementsAre("s"));
}

TEST_F(TlsServerTest, RefusesANodeThatAsksForAnotherFleet) {
  const auto certificate = Node("spiffe://example.org/fleets/one/nodes/n", ca_);
  Client client(ChannelOf(&certificate), "n", "two");
  client.Ask(kSecret, {"s"});
  EXPECT_FALSE(client.Next().has_value());
  const grpc::Status status = client.call.Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::PERMISSION_DENIED);
  EXPECT_EQ(status.error_message(), "The node is not accepted.");
  EXPECT_EQ(ledger_.num_connected(), 0);
}

TEST_F(TlsServerTest, RefusesWhoHasNoCertificateOfItsCa) {
  const auto stranger =
      Node("spiffe://example.org/fleets/one/nodes/n", other_ca_);
  for (const pki::TestCertificate* certificate :
       {static_cast<const pki::TestCertificate*>(nullptr), &stranger}) {
    // The client tries again and again: TLS 1.3 tells it late.
    Call call(ChannelOf(certificate), kDeltaMethod, absl::Seconds(1));
    FakeProxy proxy(FakeProxy::Form::kDelta);
    proxy.SetNode("n", "one");
    call.Write(proxy.Ask(kSecret, {"s"}));
    EXPECT_FALSE(call.Read().has_value());
    EXPECT_THAT(call.Finish().error_code(),
                ::testing::AnyOf(grpc::StatusCode::UNAVAILABLE,
                                 grpc::StatusCode::DEADLINE_EXCEEDED));
    EXPECT_EQ(ledger_.last_event(), 0);
  }
  const auto elsewhere = Node("spiffe://example.com/fleets/one/nodes/n", ca_);
  Client client(ChannelOf(&elsewhere), "n", "one");
  client.Ask(kSecret, {"s"});
  EXPECT_FALSE(client.Next().has_value());
  EXPECT_EQ(client.call.Finish().error_code(),
            grpc::StatusCode::UNAUTHENTICATED);
}

}  // namespace
}  // namespace sallyport::xds
