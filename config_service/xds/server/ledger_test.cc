#include "config_service/xds/server/ledger.h"

#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "base/clock.h"
#include "config_service/xds/server/fake_proxy.h"
#include "config_service/xds/server/stream.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace sallyport::xds {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr ResourceType kListener = ResourceType::kListener;
constexpr ResourceType kSecret = ResourceType::kSecret;

ResourcePtr Make(const std::string& name, const std::string& content) {
  return Resource::Make(kSecret, name, content).value();
}

// A node: a stream without a transport, and the ledger told as a server does.
class TestNode : public NodeConnection,
                 public StreamObserver,
                 public std::enable_shared_from_this<TestNode> {
 public:
  TestNode(Ledger& ledger, const std::shared_ptr<Fleet>& fleet,
           const std::string& name)
      : ledger_(ledger),
        number_(ledger.NewConnectionNumber()),
        stream_(std::make_unique<Stream>(Stream::Form::kDelta, fleet,
                                         StreamOptions(), *this)) {
    info_.name = name;
    info_.fleet = fleet->name();
  }

  void Connect() {
    ledger_.Connected(number_, shared_from_this(), info_);
    Send(proxy_.Ask(kListener, {}));
    Send(proxy_.Ask(kSecret, {"a"}));
    Settle();
  }
  void Disconnect() {
    NodeStatus status = Status();
    status.disconnect_reason = "enough";
    ledger_.Disconnected(number_, status);
    absl::MutexLock lock(&mu_);
    stream_.reset();
  }

  // What is due arrives; nothing is answered.
  std::vector<FakeProxy::Received> Receive() {
    std::vector<FakeProxy::Received> all;
    absl::MutexLock lock(&mu_);
    while (const auto response = stream_->NextResponse(absl::Now())) {
      all.push_back(proxy_.Read(response->Bytes()));
    }
    return all;
  }
  void Accept(const FakeProxy::Received& received) {
    Send(proxy_.Accept(received));
    Receive();
    ledger_.Progressed(number_, info_);
  }
  void Refuse(const FakeProxy::Received& received) {
    Send(proxy_.Refuse(received, "no"));
    Receive();
    ledger_.Progressed(number_, info_);
  }
  void Settle() {
    for (const auto& received : Receive()) Accept(received);
    ledger_.Progressed(number_, info_);
  }

  NodeStatus Status() const override {
    absl::MutexLock lock(&mu_);
    NodeStatus status;
    status.connection = number_;
    status.info = info_;
    status.connected = true;
    if (stream_ != nullptr) stream_->FillStatus(&status);
    return status;
  }
  void WithStream(
      const std::function<void(const Stream&)>& look) const override {
    absl::MutexLock lock(&mu_);
    if (stream_ != nullptr) look(*stream_);
  }
  void OnRefused(const Refusal& refusal) override {
    ledger_.Refused(number_, info_, refusal);
  }
  void OnRecovered(const ResourceKey& resource,
                   const std::string& version) override {
    ledger_.Recovered(number_, info_, resource, version);
  }
  uint64_t number() const { return number_; }

 private:
  void Send(const std::string& bytes) {
    absl::MutexLock lock(&mu_);
    const auto request = ParseDeltaRequest(bytes);
    ASSERT_TRUE(request.ok());
    ASSERT_TRUE(stream_->OnRequest(*request, absl::Now()).ok());
  }

  Ledger& ledger_;
  const uint64_t number_;
  NodeInfo info_;
  FakeProxy proxy_{FakeProxy::Form::kDelta};
  mutable absl::Mutex mu_;
  std::unique_ptr<Stream> stream_;
};

class LedgerTest : public ::testing::Test {
 protected:
  LedgerTest() { Publish({}); }

  Sequence Publish(std::vector<ResourcePtr> put) {
    Publication publication;
    publication.put = std::move(put);
    publication.store_revision = ++revision_;
    const Sequence sequence = cache_.Publish("fleet", publication).value();
    ledger_.Wake();
    return sequence;
  }
  std::shared_ptr<TestNode> Node(const std::string& name) {
    return std::make_shared<TestNode>(ledger_, cache_.FindFleet("fleet"), name);
  }
  WaitFor For(Sequence sequence, std::vector<ResourceKey> resources = {}) {
    WaitFor what;
    what.fleet = "fleet";
    what.sequence = sequence;
    what.resources = std::move(resources);
    return what;
  }
  static absl::Time Soon() { return absl::Now() + absl::Milliseconds(20); }
  static absl::Time Late() { return absl::Now() + absl::Seconds(30); }

  Cache cache_;
  Ledger ledger_{Clock::System(), cache_};
  uint64_t revision_ = 0;
};

TEST_F(LedgerTest, ListsNodesThatAreThereAndThatWere) {
  const auto b = Node("b");
  b->Connect();
  const auto a = Node("a");
  a->Connect();
  EXPECT_EQ(ledger_.num_connected(), 2);
  auto nodes = ledger_.Nodes("", Ledger::Departed::kLeaveOut);
  ASSERT_EQ(nodes.size(), 2);
  EXPECT_EQ(nodes[0].info.name, "a");
  EXPECT_EQ(nodes[0].behind, 0);
  EXPECT_EQ(nodes[1].info.name, "b");
  EXPECT_THAT(ledger_.Nodes("other", Ledger::Departed::kInclude), IsEmpty());

  a->Disconnect();
  EXPECT_EQ(ledger_.Nodes("fleet", Ledger::Departed::kLeaveOut).size(), 1);
  nodes = ledger_.Nodes("fleet", Ledger::Departed::kInclude);
  ASSERT_EQ(nodes.size(), 2);
  EXPECT_EQ(nodes[1].info.name, "a");
  EXPECT_FALSE(nodes[1].connected);
  EXPECT_EQ(nodes[1].disconnect_reason, "enough");
  EXPECT_FALSE(ledger_.Node("fleet", "a")->connected);

  // Back again: it is not listed twice.
  const auto again = Node("a");
  again->Connect();
  EXPECT_EQ(ledger_.Nodes("fleet", Ledger::Departed::kInclude).size(), 2);
  EXPECT_EQ(ledger_.Node("fleet", "a")->connection, again->number());
  EXPECT_EQ(ledger_.Node("fleet", "c"), std::nullopt);
}

TEST_F(LedgerTest, WaitsUntilEveryNodeHasIt) {
  const auto a = Node("a");
  a->Connect();
  const auto b = Node("b");
  b->Connect();
  const Sequence sequence = Publish({Make("a", "1")});
  WaitResult result = ledger_.Wait(For(sequence), Soon());
  EXPECT_FALSE(result.done);
  EXPECT_EQ(result.num_connected, 2);
  EXPECT_THAT(result.lagging, ElementsAre("a", "b"));

  a->Settle();
  result = ledger_.Wait(For(sequence), Soon());
  EXPECT_FALSE(result.done);
  EXPECT_THAT(result.lagging, ElementsAre("b"));

  std::thread later([&] { b->Settle(); });
  result = ledger_.Wait(For(sequence), Late());
  later.join();
  EXPECT_TRUE(result.done);
  EXPECT_EQ(result.num_lagging, 0);
}

TEST_F(LedgerTest, SkipsNodesOnlyWhileThereAreOthers) {
  const auto a = Node("a");
  a->Connect();
  const auto b = Node("b");
  b->Connect();
  WaitFor what = For(Publish({Make("a", "1")}));
  what.skipped = {"b"};
  WaitResult result = ledger_.Wait(what, Soon());
  EXPECT_FALSE(result.done);
  EXPECT_THAT(result.lagging, ElementsAre("a"));
  a->Settle();
  result = ledger_.Wait(what, Soon());
  EXPECT_TRUE(result.done);
  EXPECT_EQ(result.num_lagging, 0);
  EXPECT_EQ(result.num_connected, 2);
  what.skipped = {"a", "b"};
  result = ledger_.Wait(what, Soon());
  EXPECT_FALSE(result.done);
  EXPECT_THAT(result.lagging, ElementsAre("b"));
}

TEST_F(LedgerTest, HasNothingToWaitForWithoutNodes) {
  EXPECT_TRUE(ledger_.Wait(For(99), Soon()).done);
}

TEST_F(LedgerTest, WaitsNoLongerForANodeThatLeaves) {
  const auto a = Node("a");
  a->Connect();
  const Sequence sequence = Publish({Make("a", "1")});
  std::thread later([&] { a->Disconnect(); });
  EXPECT_TRUE(ledger_.Wait(For(sequence), Late()).done);
  later.join();
}

TEST_F(LedgerTest, WaitsAlsoForANodeThatComes) {
  const auto a = Node("a");
  a->Connect();
  const Sequence sequence = Publish({Make("a", "1")});
  std::thread later([&] {
    const auto b = Node("b");
    b->Connect();
    a->Settle();
    b->Disconnect();
  });
  EXPECT_TRUE(ledger_.Wait(For(sequence), Late()).done);
  later.join();
}

// Everything published may have been sent and answered while a node has not
// asked for the resource yet.
TEST_F(LedgerTest, WaitsForResourcesByName) {
  const auto a = Node("a");
  a->Connect();
  const Sequence sequence = Publish({Make("b", "1"), Make("a", "1")});
  a->Settle();
  EXPECT_TRUE(ledger_.Wait(For(sequence), Soon()).done);
  EXPECT_TRUE(ledger_.Wait(For(sequence, {{kSecret, "a"}}), Soon()).done);
  EXPECT_FALSE(ledger_.Wait(For(sequence, {{kSecret, "b"}}), Soon()).done);
  EXPECT_FALSE(ledger_.Wait(For(sequence, {{kSecret, "c"}}), Soon()).done);
}

TEST_F(LedgerTest, CountsARefusalAsAnsweredAndNamesTheNode) {
  const auto a = Node("a");
  a->Connect();
  const Sequence sequence = Publish({Make("a", "bad")});
  const auto received = a->Receive();
  ASSERT_EQ(received.size(), 1);
  a->Refuse(received[0]);
  const WaitResult result =
      ledger_.Wait(For(sequence, {{kSecret, "a"}}), Late());
  EXPECT_TRUE(result.done);
  EXPECT_THAT(result.refusing, ElementsAre("a"));
  EXPECT_EQ(ledger_.Node("fleet", "a")->num_refusals, 1);
}

TEST_F(LedgerTest, EndsAWaitAtARefusalWhenAsked) {
  const auto a = Node("a");
  a->Connect();
  const auto b = Node("b");
  b->Connect();
  const Sequence sequence = Publish({Make("a", "bad")});
  std::thread later([&] { a->Refuse(a->Receive()[0]); });
  WaitFor what = For(sequence);
  what.until_refusal = true;
  const WaitResult result = ledger_.Wait(what, Late());
  later.join();
  EXPECT_FALSE(result.done);
  EXPECT_THAT(result.refusing, ElementsAre("a"));
  EXPECT_THAT(result.lagging, ElementsAre("b"));
}

TEST_F(LedgerTest, WaitsForARevisionThatIsNotPublishedYet) {
  const auto a = Node("a");
  a->Connect();
  const uint64_t next = revision_ + 1;
  EXPECT_FALSE(
      ledger_.WaitForRevision("fleet", next, Soon(), Ledger::AtRefusal::kGoOn)
          .done);
  std::thread later([&] {
    Publish({Make("a", "1")});
    a->Settle();
  });
  EXPECT_TRUE(
      ledger_.WaitForRevision("fleet", next, Late(), Ledger::AtRefusal::kGoOn)
          .done);
  later.join();
}

TEST_F(LedgerTest, EndsAWaitThatIsCancelled) {
  const auto a = Node("a");
  a->Connect();
  WaitCancel cancel;
  std::thread later([&] {
    cancel.Cancel();
    ledger_.Wake();
  });
  EXPECT_FALSE(ledger_.Wait(For(99), Late(), &cancel).done);
  EXPECT_FALSE(ledger_
                   .WaitForRevision("fleet", 99, Late(),
                                    Ledger::AtRefusal::kGoOn, &cancel)
                   .done);
  EXPECT_THAT(ledger_.Events(ledger_.last_event(), 10, Late(), &cancel).events,
              IsEmpty());
  later.join();
}

TEST_F(LedgerTest, TellsWhatHappened) {
  const auto a = Node("a");
  a->Connect();
  Publish({Make("a", "bad")});
  a->Refuse(a->Receive()[0]);
  Publish({Make("a", "good")});
  a->Settle();
  a->Disconnect();
  const EventBatch batch = ledger_.Events(0, 100, Soon());
  EXPECT_FALSE(batch.lost);
  std::vector<NodeEvent::Kind> kinds;
  for (const NodeEvent& event : batch.events) kinds.push_back(event.kind);
  EXPECT_THAT(
      kinds,
      ElementsAre(NodeEvent::Kind::kConnected, NodeEvent::Kind::kRefused,
                  NodeEvent::Kind::kRecovered, NodeEvent::Kind::kDisconnected));
  EXPECT_EQ(batch.events[1].node, "a");
  EXPECT_EQ(batch.events[1].resource, (ResourceKey{kSecret, "a"}));
  EXPECT_EQ(batch.events[1].reason, "no");
  EXPECT_EQ(batch.events[3].reason, "enough");
  EXPECT_EQ(ledger_.Events(2, 1, Soon()).events[0].number, 3);
  EXPECT_THAT(ledger_.Events(4, 1, Soon()).events, IsEmpty());
}

TEST_F(LedgerTest, DropsOldEventsAndSaysSo) {
  NodeInfo info;
  Refusal refusal;
  ledger_.Refused(1, info, refusal);
  for (size_t i = 0; i < kMaxLedgerEvents; ++i) {
    ledger_.UpToDate(1, info, i, i);
  }
  // The many of one kind do not push out the others.
  EventBatch batch = ledger_.Events(0, kMaxLedgerEvents * 2, Soon());
  EXPECT_FALSE(batch.lost);
  EXPECT_EQ(batch.events.size(), kMaxLedgerEvents + 1);
  EXPECT_EQ(batch.events[0].kind, NodeEvent::Kind::kRefused);
  ledger_.UpToDate(1, info, 0, 0);
  batch = ledger_.Events(0, kMaxLedgerEvents * 2, Soon());
  EXPECT_TRUE(batch.lost);
  EXPECT_EQ(batch.events.size(), kMaxLedgerEvents + 1);
  EXPECT_FALSE(ledger_.Events(2, 10, Soon()).lost);
}

}  // namespace
}  // namespace sallyport::xds
