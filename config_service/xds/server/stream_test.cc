#include "config_service/xds/server/stream.h"

#include <algorithm>
#include <deque>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "config_service/xds/cache/cache.h"
#include "config_service/xds/cache/limits.h"
#include "config_service/xds/server/fake_proxy.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace sallyport::xds {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

constexpr ResourceType kCluster = ResourceType::kCluster;
constexpr ResourceType kSecret = ResourceType::kSecret;
constexpr ResourceType kFilterChain = ResourceType::kFilterChain;
constexpr ResourceType kListener = ResourceType::kListener;
constexpr ResourceType kRoutes = ResourceType::kRouteConfiguration;

// Contents are "NAME=...", so that they say whose they are.
ResourcePtr Make(ResourceType type, const std::string& name,
                 const std::string& content) {
  return Resource::Make(type, name, absl::StrCat(name, "=", content)).value();
}

struct Observer : public StreamObserver {
  void OnRefused(const Refusal& refusal) override {
    refused.push_back(refusal);
  }
  void OnRecovered(const ResourceKey& resource,
                   const std::string& version) override {
    recovered.emplace_back(resource.name, version);
  }
  std::vector<Refusal> refused;
  std::vector<std::pair<std::string, std::string>> recovered;
};

// A fleet, a stream, and a proxy at the other end of it.
class Pair {
 public:
  explicit Pair(Stream::Form form = Stream::Form::kDelta,
                StreamOptions options = {})
      : proxy(form == Stream::Form::kDelta ? FakeProxy::Form::kDelta
                                           : FakeProxy::Form::kStateOfTheWorld),
        form_(form),
        options_(options) {
    Publish({});
    Connect();
  }

  void Publish(std::vector<ResourcePtr> put,
               std::vector<ResourceKey> remove = {}) {
    Publication publication;
    publication.put = std::move(put);
    publication.remove = std::move(remove);
    publication.store_revision = ++revision;
    ASSERT_TRUE(cache.Publish("fleet", publication).ok());
  }

  void Connect() {
    stream = std::make_unique<Stream>(form_, cache.FindFleet("fleet"), options_,
                                      observer);
  }

  // A new stream to a server that holds the same, perhaps after a restart.
  void Reconnect() {
    stream.reset();
    proxy.Disconnect();
    Connect();
    for (size_t i = 0; i < kNumResourceTypes; ++i) {
      const auto type = static_cast<ResourceType>(i);
      if (Asks(type)) Send(proxy.Resume(type));
    }
  }

  // Whether the proxy wants anything of a type. Without a name left, it says
  // nothing of it on a new stream: that would mean all.
  bool Asks(ResourceType type) const {
    const FakeProxy::Type& t = proxy.type(type);
    return t.requested && (t.wildcard || !t.names.empty());
  }

  absl::Status TrySend(const std::string& bytes) {
    now += absl::Milliseconds(1);
    const absl::StatusOr<Request> request = form_ == Stream::Form::kDelta
                                                ? ParseDeltaRequest(bytes)
                                                : ParseSotwRequest(bytes);
    if (!request.ok()) return request.status();
    return stream->OnRequest(*request, now).status();
  }
  void Send(const std::string& bytes) {
    const absl::Status status = TrySend(bytes);
    ASSERT_TRUE(status.ok()) << status;
  }

  std::optional<FakeProxy::Received> Next() {
    now += absl::Milliseconds(1);
    const std::optional<Response> response = stream->NextResponse(now);
    if (!response.has_value()) return std::nullopt;
    const std::string bytes = response->Bytes();
    EXPECT_EQ(bytes.size(), response->bytes);
    FakeProxy::Received received = proxy.Read(bytes);
    EXPECT_EQ(received.type, response->type);
    return received;
  }

  // Everything that is due, each accepted at once: what came, as "Type: names",
  // "-name" for removals.
  std::vector<std::string> Settle() {
    std::vector<std::string> came;
    while (const auto received = Next()) {
      came.push_back(Text(*received));
      Send(proxy.Accept(*received));
    }
    return came;
  }

  static std::string Text(const FakeProxy::Received& received) {
    std::string text = absl::StrCat(TypeName(received.type), ":");
    for (const auto& [name, held] : received.resources) {
      absl::StrAppend(&text, " ", name);
    }
    for (const auto& name : received.removed)
      absl::StrAppend(&text, " -", name);
    return text;
  }

  std::string Held(ResourceType type, const std::string& name) const {
    const auto& held = proxy.type(type).held;
    const auto found = held.find(name);
    return found == held.end() ? "" : found->second.content;
  }

  Cache cache;
  Observer observer;
  FakeProxy proxy;
  std::unique_ptr<Stream> stream;
  uint64_t revision = 0;
  absl::Time now = absl::UnixEpoch();

 private:
  const Stream::Form form_;
  const StreamOptions options_;
};

TEST(DeltaStream, AnswersAnImplicitWildcardWithEverything) {
  Pair s;
  s.Publish({Make(kCluster, "a", "1"), Make(kCluster, "b", "1")});
  s.Send(s.proxy.Ask(kCluster, {}));
  EXPECT_THAT(s.Settle(), ElementsAre("Cluster: a b"));
  s.Publish({Make(kCluster, "c", "1")});
  EXPECT_THAT(s.Settle(), ElementsAre("Cluster: c"));
  s.Publish({Make(kCluster, "a", "2")}, {{kCluster, "b"}});
  EXPECT_THAT(s.Settle(), ElementsAre("Cluster: a", "Cluster: -b"));
  EXPECT_EQ(s.Held(kCluster, "a"), "a=2");
}

TEST(DeltaStream, AnswersAWildcardAlsoWhenThereIsNothing) {
  Pair s;
  s.Send(s.proxy.Ask(kCluster, {}));
  EXPECT_THAT(s.Settle(), ElementsAre("Cluster:"));
  EXPECT_THAT(s.Settle(), IsEmpty());
}

TEST(DeltaStream, HasNoImplicitWildcardForSecrets) {
  Pair s;
  s.Publish({Make(kSecret, "a", "1")});
  s.Send(s.proxy.Ask(kSecret, {}));
  EXPECT_THAT(s.Settle(), IsEmpty());
  s.Send(s.proxy.Ask(kSecret, {"*"}));
  EXPECT_THAT(s.Settle(), ElementsAre("Secret: a"));
}

TEST(DeltaStream, SendsOnlyWhatWasAskedFor) {
  Pair s;
  s.Publish({Make(kSecret, "a", "1"), Make(kSecret, "b", "1")});
  s.Send(s.proxy.Ask(kSecret, {"a"}));
  EXPECT_THAT(s.Settle(), ElementsAre("Secret: a"));
  s.Publish({Make(kSecret, "b", "2"), Make(kSecret, "c", "1")});
  EXPECT_THAT(s.Settle(), IsEmpty());
  s.Send(s.proxy.Ask(kSecret, {}, {"a"}));
  s.Publish({Make(kSecret, "a", "2")});
  EXPECT_THAT(s.Settle(), IsEmpty());
  s.Send(s.proxy.Ask(kSecret, {"a"}));
  EXPECT_THAT(s.Settle(), ElementsAre("Secret: a"));
}

TEST(DeltaStream, SaysAtOnceWhatDoesNotExistAndSendsItWhenItDoes) {
  Pair s;
  s.Send(s.proxy.Ask(kSecret, {"later", "never"}));
  EXPECT_THAT(s.Settle(), ElementsAre("Secret: -later -never"));
  EXPECT_THAT(s.Settle(), IsEmpty());
  s.Publish({Make(kSecret, "later", "1")});
  EXPECT_THAT(s.Settle(), ElementsAre("Secret: later"));
  s.Publish({}, {{kSecret, "later"}});
  EXPECT_THAT(s.Settle(), ElementsAre("Secret: -later"));
  s.Publish({Make(kSecret, "later", "2")});
  EXPECT_THAT(s.Settle(), ElementsAre("Secret: later"));
  EXPECT_EQ(s.Held(kSecret, "later"), "later=2");
}

TEST(DeltaStream, SendsAgainWhatIsAskedForAgain) {
  Pair s;
  s.Publish({Make(kSecret, "a", "1")});
  s.Send(s.proxy.Ask(kSecret, {"a"}));
  EXPECT_THAT(s.Settle(), ElementsAre("Secret: a"));
  s.Send(s.proxy.Ask(kSecret, {"a"}));
  EXPECT_THAT(s.Settle(), ElementsAre("Secret: a"));
}

TEST(DeltaStream, KeepsNamesWhenTheWildcardEnds) {
  Pair s;
  s.Publish({Make(kCluster, "a", "1"), Make(kCluster, "b", "1")});
  s.Send(s.proxy.Ask(kCluster, {"*", "a"}));
  EXPECT_THAT(s.Settle(), ElementsAre("Cluster: a b"));
  s.Send(s.proxy.Ask(kCluster, {}, {"*"}));
  s.Publish({Make(kCluster, "a", "2"), Make(kCluster, "b", "2")});
  EXPECT_THAT(s.Settle(), ElementsAre("Cluster: a"));
  s.Send(s.proxy.Ask(kCluster, {"*"}));
  EXPECT_THAT(s.Settle(), ElementsAre("Cluster: b"));
}

// As the protocol demands: the proxy may have dropped it.
TEST(DeltaStream, SendsANameAgainThatIsDroppedButCoveredByTheWildcard) {
  Pair s;
  s.Publish({Make(kCluster, "a", "1")});
  s.Send(s.proxy.Ask(kCluster, {"*", "a", "b"}));
  EXPECT_THAT(s.Settle(), ElementsAre("Cluster: -b", "Cluster: a"));
  s.Send(s.proxy.Ask(kCluster, {}, {"a", "b"}));
  EXPECT_THAT(s.Settle(), ElementsAre("Cluster: -b", "Cluster: a"));
  EXPECT_THAT(s.Settle(), IsEmpty());
}

TEST(DeltaStream, SendsNothingToAProxyThatComesBackUnchanged) {
  Pair s;
  s.Publish({Make(kCluster, "a", "1"), Make(kListener, "l", "1"),
             Make(kSecret, "s", "1"), Make(kSecret, "t", "1")});
  s.Send(s.proxy.Ask(kCluster, {}));
  s.Send(s.proxy.Ask(kListener, {}));
  s.Send(s.proxy.Ask(kSecret, {"s", "t"}));
  s.Settle();
  s.Reconnect();
  EXPECT_THAT(s.Settle(), IsEmpty());
  EXPECT_EQ(s.stream->sequence(), s.stream->fleet().sequence());
  // It is followed as before.
  s.Publish({Make(kSecret, "t", "2")});
  EXPECT_THAT(s.Settle(), ElementsAre("Secret: t"));
}

TEST(DeltaStream, SendsWhatChangedWhileTheProxyWasAway) {
  Pair s;
  s.Publish({Make(kCluster, "a", "1"), Make(kCluster, "gone", "1"),
             Make(kSecret, "s", "1"), Make(kSecret, "t", "1"),
             Make(kSecret, "gone", "1")});
  s.Send(s.proxy.Ask(kCluster, {}));
  s.Send(s.proxy.Ask(kSecret, {"s", "t", "gone"}));
  s.Settle();
  s.stream.reset();
  s.Publish({Make(kCluster, "b", "1"), Make(kSecret, "t", "2")},
            {{kCluster, "gone"}, {kSecret, "gone"}});
  s.Reconnect();
  EXPECT_THAT(s.Settle(), UnorderedElementsAre("Cluster: -gone", "Cluster: b",
                                               "Secret: -gone", "Secret: t"));
}

TEST(DeltaStream, SendsInOrderOfTypesAndRemovesInReverse) {
  Pair s;
  for (const ResourceType type :
       {kRoutes, kListener, kFilterChain, kSecret, kCluster}) {
    s.Send(s.proxy.Ask(type, {"*"}));
  }
  s.Settle();
  s.Publish({Make(kRoutes, "r", "1"), Make(kListener, "l", "1"),
             Make(kFilterChain, "f", "1"), Make(kSecret, "s", "1"),
             Make(kCluster, "c", "1")});
  EXPECT_THAT(s.Settle(),
              ElementsAre("Cluster: c", "Secret: s", "FilterChain: f",
                          "Listener: l", "RouteConfiguration: r"));
  s.Publish(
      {Make(kCluster, "d", "1"), Make(kListener, "l", "2")},
      {{kCluster, "c"}, {kSecret, "s"}, {kFilterChain, "f"}, {kRoutes, "r"}});
  EXPECT_THAT(s.Settle(),
              ElementsAre("Cluster: d", "Listener: l", "RouteConfiguration: -r",
                          "FilterChain: -f", "Secret: -s", "Cluster: -c"));
}

TEST(DeltaStream, SendsFewOfATypeWhoseRefusalsNameNothingSingly) {
  Pair s;
  s.Send(s.proxy.Ask(kSecret, {"*"}));
  s.Settle();
  s.Publish({Make(kSecret, "a", "1"), Make(kSecret, "b", "1")});
  EXPECT_THAT(s.Settle(), UnorderedElementsAre("Secret: a", "Secret: b"));
}

TEST(DeltaStream, GathersManySingleRequestsIntoOneResponse) {
  Pair s;
  std::vector<ResourcePtr> resources;
  for (int i = 0; i < 100; ++i) {
    resources.push_back(Make(kSecret, absl::StrCat(i), "1"));
  }
  s.Publish(resources);
  for (int i = 0; i < 100; ++i) s.Send(s.proxy.Ask(kSecret, {absl::StrCat(i)}));
  // As many as fit one response, then the rest.
  const StreamOptions options;
  ASSERT_LT(options.max_response_resources, 100);
  EXPECT_EQ(s.Settle().size(), 2);
  EXPECT_EQ(s.proxy.type(kSecret).held.size(), 100);
}

TEST(DeltaStream, LimitsAResponsesSizeButSendsWhatIsLargerAlone) {
  StreamOptions options;
  options.max_response_bytes = 1000;
  Pair s(Stream::Form::kDelta, options);
  s.Publish({Make(kCluster, "a", std::string(500, 'x')),
             Make(kCluster, "b", std::string(5000, 'x')),
             Make(kCluster, "c", std::string(500, 'x')),
             Make(kCluster, "d", std::string(100, 'x'))});
  s.Send(s.proxy.Ask(kCluster, {}));
  EXPECT_THAT(s.Settle(),
              ElementsAre("Cluster: a", "Cluster: b", "Cluster: c d"));
}

TEST(DeltaStream, RecordsARefusalAndDoesNotRepeatIt) {
  Pair s;
  s.Publish({Make(kSecret, "a", "1"), Make(kSecret, "b", "1")});
  s.Send(s.proxy.Ask(kSecret, {"a", "b"}));
  s.Settle();
  s.Publish({Make(kSecret, "a", "bad")});
  const auto received = s.Next();
  ASSERT_TRUE(received.has_value());
  s.Send(s.proxy.Refuse(*received, "no\nway"));
  EXPECT_THAT(s.Settle(), IsEmpty());
  ASSERT_EQ(s.observer.refused.size(), 1);
  const Refusal& refusal = s.observer.refused[0];
  EXPECT_EQ(refusal.resource, (ResourceKey{kSecret, "a"}));
  EXPECT_EQ(refusal.version, Make(kSecret, "a", "bad")->version());
  EXPECT_EQ(refusal.reason, "no\\x0away");
  EXPECT_EQ(refusal.store_revision, s.revision);
  NodeStatus status;
  s.stream->FillStatus(&status);
  EXPECT_EQ(status.num_refusals, 1);
  ASSERT_EQ(status.refusals.size(), 1);
  EXPECT_EQ(status.num_refused_responses, 1);
  EXPECT_EQ(status.types[static_cast<size_t>(kSecret)].num_refused, 1);
  EXPECT_EQ(status.types[static_cast<size_t>(kSecret)].num_acknowledged, 1);
  // It counts as answered.
  EXPECT_TRUE(s.stream->Has({kSecret, "a"}));
  EXPECT_TRUE(s.stream->Refuses({kSecret, "a"}));
  EXPECT_FALSE(s.stream->Refuses({kSecret, "b"}));

  s.Publish({Make(kSecret, "b", "2")});
  EXPECT_THAT(s.Settle(), ElementsAre("Secret: b"));
  s.Publish({Make(kSecret, "a", "good")});
  EXPECT_THAT(s.Settle(), ElementsAre("Secret: a"));
  EXPECT_FALSE(s.stream->Refuses({kSecret, "a"}));
  EXPECT_EQ(s.stream->num_refusals(), 0);
  ASSERT_EQ(s.observer.recovered.size(), 1);
  EXPECT_EQ(s.observer.recovered[0].first, "a");
}

// "name: state version reason", of the contents "1" and "2".
std::vector<std::string> ResourcesOf(const Stream& stream) {
  std::vector<std::string> all;
  for (const ResourceStatus& one : stream.Resources()) {
    std::string text = one.resource.name + ":";
    switch (one.state) {
      case ResourceStatus::State::kNotSent:
        text += " not sent";
        break;
      case ResourceStatus::State::kSent:
        text += " sent";
        break;
      case ResourceStatus::State::kAccepted:
        text += " accepted";
        break;
      case ResourceStatus::State::kRefused:
        text += " refused";
        break;
      case ResourceStatus::State::kAbsent:
        text += " absent";
        break;
    }
    for (const char* content : {"1", "2"}) {
      const auto made =
          Make(one.resource.type, one.resource.name, content)->version();
      if (one.version == made) absl::StrAppend(&text, " ", content);
    }
    if (!one.reason.empty()) absl::StrAppend(&text, " ", one.reason);
    EXPECT_EQ(one.time != absl::InfinitePast(), !one.reason.empty());
    all.push_back(std::move(text));
  }
  return all;
}

TEST(DeltaStream, ListsWhereEachResourceStands) {
  Pair s;
  EXPECT_THAT(ResourcesOf(*s.stream), IsEmpty());
  s.Publish({Make(kSecret, "a", "1"), Make(kSecret, "b", "1"),
             Make(kSecret, "not asked for", "1")});
  s.Send(s.proxy.Ask(kSecret, {"a", "b", "c"}));
  EXPECT_THAT(ResourcesOf(*s.stream),
              UnorderedElementsAre("a: not sent", "b: not sent", "c: absent"));
  s.Settle();
  s.Publish({Make(kSecret, "a", "2")});
  EXPECT_THAT(
      ResourcesOf(*s.stream),
      UnorderedElementsAre("a: not sent", "b: accepted 1", "c: absent"));
  const auto received = s.Next();
  EXPECT_THAT(ResourcesOf(*s.stream),
              UnorderedElementsAre("a: sent 2", "b: accepted 1", "c: absent"));
  s.Send(s.proxy.Refuse(*received, "no"));
  EXPECT_THAT(
      ResourcesOf(*s.stream),
      UnorderedElementsAre("a: refused 2 no", "b: accepted 1", "c: absent"));
  s.Publish({Make(kSecret, "a", "1"), Make(kSecret, "c", "2")},
            {{kSecret, "b"}});
  s.Settle();
  EXPECT_THAT(
      ResourcesOf(*s.stream),
      UnorderedElementsAre("a: accepted 1", "b: absent", "c: accepted 2"));
  s.Send(s.proxy.Ask(kSecret, {}, {"a", "b", "c"}));
  EXPECT_THAT(ResourcesOf(*s.stream), IsEmpty());
}

TEST(SotwStream, ListsARefusedWholeAsRefused) {
  Pair s(Stream::Form::kStateOfTheWorld);
  s.Publish({Make(kCluster, "a", "1")});
  s.Send(s.proxy.Ask(kCluster, {}));
  s.Settle();
  EXPECT_THAT(ResourcesOf(*s.stream), ElementsAre("a: accepted 1"));
  s.Publish({Make(kCluster, "b", "1")});
  s.Send(s.proxy.Refuse(*s.Next(), "no"));
  EXPECT_THAT(ResourcesOf(*s.stream),
              UnorderedElementsAre("a: refused no", "b: refused no"));
}

TEST(DeltaStream, ForgetsARefusalWhenTheResourceGoes) {
  Pair s;
  s.Publish({Make(kSecret, "a", "bad"), Make(kSecret, "b", "bad")});
  s.Send(s.proxy.Ask(kSecret, {"a", "b"}));
  for (int i = 0; i < 2; ++i) s.Send(s.proxy.Refuse(*s.Next(), "no"));
  EXPECT_EQ(s.stream->num_refusals(), 2);
  s.Publish({}, {{kSecret, "a"}});
  s.Settle();
  EXPECT_EQ(s.stream->num_refusals(), 1);
  s.Send(s.proxy.Ask(kSecret, {}, {"b"}));
  EXPECT_EQ(s.stream->num_refusals(), 0);
}

TEST(DeltaStream, FindsTheBadOnesOfARefusedBatchAndSendsTheGoodOnes) {
  Pair s;
  std::vector<ResourcePtr> resources;
  const std::set<std::string> bad = {"17", "18", "400"};
  for (int i = 0; i < 500; ++i) {
    const std::string name = absl::StrCat(i);
    resources.push_back(Make(kSecret, name, bad.count(name) > 0 ? "bad" : ""));
  }
  s.Publish(resources);
  s.Send(s.proxy.Ask(kSecret, {"*"}));
  int responses = 0;
  while (const auto received = s.Next()) {
    ++responses;
    const bool refuse = std::any_of(
        received->resources.begin(), received->resources.end(),
        [&](const auto& entry) { return bad.count(entry.first) > 0; });
    s.Send(refuse ? s.proxy.Refuse(*received, "no")
                  : s.proxy.Accept(*received));
  }
  EXPECT_EQ(s.proxy.type(kSecret).held.size(), 497);
  std::set<std::string> named;
  for (const Refusal& refusal : s.observer.refused) {
    named.insert(refusal.resource.name);
  }
  EXPECT_EQ(named, bad);
  // 500, 63, 8, 1 at a time, three times over at most.
  EXPECT_LE(responses, 1 + 8 * 3 * 3);
  s.now += StreamOptions().startup;
  s.Settle();
  EXPECT_EQ(s.stream->sequence(), s.stream->fleet().sequence());
}

TEST(DeltaStream, KeepsFewRefusalTextsButCountsAll) {
  StreamOptions options;
  options.singly_up_to = 1000;
  Pair s(Stream::Form::kDelta, options);
  std::vector<ResourcePtr> resources;
  for (int i = 0; i < 300; ++i) {
    resources.push_back(Make(kSecret, absl::StrCat(i), "bad"));
  }
  s.Publish(resources);
  s.Send(s.proxy.Ask(kSecret, {"*"}));
  while (const auto received = s.Next()) {
    s.Send(s.proxy.Refuse(*received, std::string(10000, 'x')));
  }
  NodeStatus status;
  s.stream->FillStatus(&status);
  EXPECT_EQ(status.num_refusals, 300);
  EXPECT_EQ(status.refusals.size(), kMaxRefusalsPerNode);
  EXPECT_LE(status.refusals[0].reason.size(), kMaxRefusalTextBytes + 3);
  EXPECT_EQ(s.observer.refused.size(), kMaxRefusalsPerNode);
}

TEST(DeltaStream, IgnoresAnswersToNothing) {
  Pair s;
  s.Publish({Make(kSecret, "a", "1")});
  s.Send(s.proxy.Ask(kSecret, {"a"}));
  auto received = s.Next();
  ASSERT_EQ(received->nonce, "1");
  const std::string ack = s.proxy.Accept(*received);
  const auto refuse_others = [&s, &received] {
    for (const char* nonce : {"999", "-1", "x", "99999999999999999999", " 1",
                              "1 ", "01", "+1", "0x1"}) {
      received->nonce = nonce;
      s.Send(s.proxy.Refuse(*received, "no"));
    }
  };
  refuse_others();
  EXPECT_GT(s.stream->unanswered_bytes(), 0);
  s.Send(ack);
  s.Send(ack);
  refuse_others();
  EXPECT_EQ(s.stream->num_refusals(), 0);
  EXPECT_TRUE(s.stream->Has({kSecret, "a"}));
  EXPECT_EQ(s.stream->unanswered_bytes(), 0);
}

TEST(DeltaStream, StopsWhenTooMuchIsUnanswered) {
  StreamOptions options;
  options.max_unanswered_responses = 3;
  Pair s(Stream::Form::kDelta, options);
  s.Send(s.proxy.Ask(kSecret, {"*"}));
  s.Settle();
  std::vector<ResourcePtr> resources;
  for (int i = 0; i < 10; ++i) {
    resources.push_back(Make(kSecret, absl::StrCat(i), "1"));
  }
  s.Publish(resources);
  std::deque<FakeProxy::Received> waiting;
  while (auto received = s.Next()) waiting.push_back(*received);
  EXPECT_EQ(waiting.size(), 3);
  EXPECT_FALSE(s.stream->idle());
  s.Send(s.proxy.Accept(waiting.front()));
  EXPECT_TRUE(s.Next().has_value());
  EXPECT_FALSE(s.Next().has_value());
}

TEST(DeltaStream, SendsTheNewestContentWhenItWasHeldUp) {
  StreamOptions options;
  options.max_unanswered_responses = 1;
  Pair s(Stream::Form::kDelta, options);
  s.Send(s.proxy.Ask(kSecret, {"*"}));
  s.Settle();
  s.Publish({Make(kSecret, "a", "1")});
  const auto first = s.Next();
  for (int i = 2; i < 100; ++i) {
    s.Publish({Make(kSecret, "a", absl::StrCat(i)), Make(kSecret, "b", "1")},
              {});
    s.Publish({}, {{kSecret, "b"}});
  }
  EXPECT_FALSE(s.Next().has_value());
  s.Send(s.proxy.Accept(*first));
  EXPECT_THAT(s.Settle(), ElementsAre("Secret: a"));
  EXPECT_EQ(s.Held(kSecret, "a"), "a=99");
}

// The log is cut long before the proxy answers.
TEST(DeltaStream, CatchesUpAfterALongTime) {
  StreamOptions options;
  options.max_unanswered_responses = 1;
  Pair s(Stream::Form::kDelta, options);
  s.Publish({Make(kSecret, "a", "1"), Make(kSecret, "b", "1"),
             Make(kSecret, "c", "1")});
  s.Send(s.proxy.Ask(kSecret, {"*", "b", "c", "d"}));
  s.Settle();
  s.Publish({Make(kSecret, "a", "first")});
  const auto first = s.Next();
  s.Publish({}, {{kSecret, "b"}, {kSecret, "a"}});
  for (int i = 0; i < 20000; ++i) {
    s.Publish({Make(kSecret, "c", absl::StrCat(i))});
  }
  s.Publish({Make(kSecret, "d", "1")});
  s.Send(s.proxy.Accept(*first));
  EXPECT_THAT(s.Settle(),
              UnorderedElementsAre("Secret: c", "Secret: d", "Secret: -a -b"));
  s.now += StreamOptions().startup;
  s.Settle();
  EXPECT_EQ(s.stream->sequence(), s.stream->fleet().sequence());
}

TEST(DeltaStream, SaysHowFarTheProxyIs) {
  Pair s;
  EXPECT_EQ(s.stream->sequence(), 0);
  s.Publish({Make(kCluster, "a", "1"), Make(kListener, "l", "1"),
             Make(kSecret, "s", "1")});
  s.Send(s.proxy.Ask(kCluster, {}));
  s.Settle();
  // It has not asked for listeners: it is only starting.
  EXPECT_EQ(s.stream->sequence(), 0);
  s.Send(s.proxy.Ask(kListener, {}));
  EXPECT_EQ(s.stream->sequence(), 0);
  s.Settle();
  EXPECT_EQ(s.stream->sequence(), 2);
  s.Send(s.proxy.Ask(kSecret, {"s"}));
  s.Settle();

  s.Publish({Make(kSecret, "s", "2")});
  const auto third = s.Next();
  EXPECT_FALSE(s.Next().has_value());
  s.Publish({Make(kSecret, "s", "3")});
  const auto fourth = s.Next();
  EXPECT_FALSE(s.Next().has_value());
  EXPECT_EQ(s.stream->sequence(), 2);
  EXPECT_FALSE(s.stream->Has({kSecret, "s"}));
  s.Send(s.proxy.Accept(*third));
  EXPECT_EQ(s.stream->sequence(), 3);
  EXPECT_FALSE(s.stream->Has({kSecret, "s"}));
  EXPECT_FALSE(s.stream->idle());
  s.Send(s.proxy.Accept(*fourth));
  EXPECT_EQ(s.stream->sequence(), 4);
  EXPECT_TRUE(s.stream->Has({kSecret, "s"}));
  EXPECT_FALSE(s.stream->Has({kSecret, "other"}));
  NodeStatus status;
  s.stream->FillStatus(&status);
  EXPECT_EQ(status.sequence, 4);
  EXPECT_EQ(status.store_revision, s.revision);
  EXPECT_EQ(status.behind, 0);
  EXPECT_EQ(status.types[static_cast<size_t>(kSecret)].num_acknowledged, 1);

  // What does not concern it, it has at once.
  s.Publish({Make(kSecret, "other", "1")});
  s.stream->FillStatus(&status);
  EXPECT_EQ(status.behind, 1);
  s.Settle();
  EXPECT_EQ(s.stream->sequence(), 5);
}

TEST(DeltaStream, CountsAProxyWithoutListenersAfterAWhile) {
  Pair s;
  s.Send(s.proxy.Ask(kSecret, {"a"}));
  s.Settle();
  EXPECT_EQ(s.stream->sequence(), 0);
  s.now += StreamOptions().startup;
  s.Settle();
  EXPECT_EQ(s.stream->sequence(), 1);
}

TEST(DeltaStream, EndsForNamesThatAreNone) {
  for (const std::string& name :
       {std::string(), std::string("\xff\xff"),
        std::string(kMaxResourceNameBytes + 1, 'x')}) {
    Pair s;
    // The generated message would not write bytes that are no UTF-8.
    Request request;
    const std::string url(TypeUrl(kSecret));
    request.type_url = url;
    request.subscribe.push_back(name);
    const auto accepted = s.stream->OnRequest(request, s.now);
    EXPECT_EQ(accepted.status().code(), absl::StatusCode::kInvalidArgument);
  }
  Pair s;
  EXPECT_EQ(s.TrySend(s.proxy.Ask(kSecret,
                                  {std::string(kMaxResourceNameBytes, 'x')})),
            absl::OkStatus());
}

TEST(DeltaStream, EndsForTooManyNamesThatDoNotExist) {
  Pair s;
  Request request;
  const std::string url(TypeUrl(kSecret));
  request.type_url = url;
  std::vector<std::string> names;
  for (size_t i = 0; i < kMaxAbsentNamesPerStream; ++i) {
    names.push_back(absl::StrCat(i));
  }
  request.subscribe.assign(names.begin(), names.end());
  ASSERT_TRUE(s.stream->OnRequest(request, s.now).ok());
  request.subscribe = {"0", "one more"};
  EXPECT_EQ(s.stream->OnRequest(request, s.now).status().code(),
            absl::StatusCode::kResourceExhausted);
  // Nothing of it is left when the stream ends.
  s.stream.reset();
  FleetView view(*s.cache.FindFleet("fleet"));
  EXPECT_EQ(view.Find(kSecret, "0"), std::nullopt);
}

TEST(DeltaStream, EndsForNamesThatDoNotExistAndAreTooLong) {
  Pair s;
  Request request;
  const std::string url(TypeUrl(kSecret));
  request.type_url = url;
  std::vector<std::string> names;
  constexpr size_t kCount =
      kMaxAbsentNameBytesPerStream / kMaxResourceNameBytes;
  static_assert(kCount < kMaxAbsentNamesPerStream, "by number they are few");
  for (size_t i = 0; i < kCount; ++i) {
    names.push_back(absl::StrFormat("%0*d", kMaxResourceNameBytes, i));
  }
  request.subscribe.assign(names.begin(), names.end());
  ASSERT_TRUE(s.stream->OnRequest(request, s.now).ok());
  // What is given up makes room.
  request.subscribe = {"a"};
  request.unsubscribe = {names[0]};
  ASSERT_TRUE(s.stream->OnRequest(request, s.now).ok());
  request.unsubscribe.clear();
  request.subscribe = {names[0]};
  EXPECT_EQ(s.stream->OnRequest(request, s.now).status().code(),
            absl::StatusCode::kResourceExhausted);
}

TEST(DeltaStream, NeedsATypeAndIgnoresOnesThatAreNotServed) {
  Pair s;
  Request request;
  EXPECT_EQ(s.stream->OnRequest(request, s.now).status().code(),
            absl::StatusCode::kInvalidArgument);
  request.type_url = "type.googleapis.com/envoy.config.route.v3.VirtualHost";
  request.subscribe = {"x"};
  EXPECT_TRUE(s.stream->OnRequest(request, s.now).ok());
  EXPECT_FALSE(s.Next().has_value());
}

// A client that never answers must not make the stream remember more and more.
TEST(DeltaStream, StaysSmallWhenAskedForTheSameAgainAndAgain) {
  StreamOptions options;
  options.max_unanswered_responses = 1;
  Pair s(Stream::Form::kDelta, options);
  s.Publish({Make(kSecret, "a", "1"), Make(kSecret, "b", "1")});
  s.Send(s.proxy.Ask(kSecret, {"b"}));
  ASSERT_TRUE(s.Next().has_value());
  for (int i = 0; i < 10000; ++i) {
    s.Send(s.proxy.Ask(kSecret, {"a", "none"}));
    s.Send(s.proxy.Ask(kSecret, {}, {"a", "none"}));
  }
  s.Send(s.proxy.Ask(kSecret, {"a", "none"}));
  NodeStatus status;
  s.stream->FillStatus(&status);
  EXPECT_EQ(status.types[static_cast<size_t>(kSecret)].num_subscribed, 3);
  EXPECT_EQ(status.types[static_cast<size_t>(kSecret)].num_absent, 1);
}

TEST(SotwStream, SendsAllClustersWheneverOneChanges) {
  Pair s(Stream::Form::kStateOfTheWorld);
  s.Publish({Make(kCluster, "a", "1"), Make(kCluster, "b", "1")});
  s.Send(s.proxy.Ask(kCluster, {}));
  EXPECT_THAT(s.Settle(), ElementsAre("Cluster: a b"));
  s.Publish({Make(kCluster, "c", "1")}, {{kCluster, "a"}});
  EXPECT_THAT(s.Settle(), ElementsAre("Cluster: b c"));
  s.Publish({}, {{kCluster, "b"}, {kCluster, "c"}});
  EXPECT_THAT(s.Settle(), ElementsAre("Cluster:"));
}

TEST(SotwStream, SendsOnlyTheSecretsThatChange) {
  Pair s(Stream::Form::kStateOfTheWorld);
  s.Publish({Make(kSecret, "a", "1"), Make(kSecret, "b", "1"),
             Make(kSecret, "c", "1")});
  s.Send(s.proxy.Ask(kSecret, {"a", "b", "none"}));
  EXPECT_THAT(s.Settle(), UnorderedElementsAre("Secret: a", "Secret: b"));
  s.Publish({Make(kSecret, "b", "2"), Make(kSecret, "c", "2")});
  EXPECT_THAT(s.Settle(), ElementsAre("Secret: b"));
  s.Publish({Make(kSecret, "none", "1")});
  EXPECT_THAT(s.Settle(), ElementsAre("Secret: none"));
  s.Send(s.proxy.Ask(kSecret, {"c"}, {"a"}));
  EXPECT_THAT(s.Settle(), ElementsAre("Secret: c"));
  s.Publish({Make(kSecret, "a", "2")});
  EXPECT_THAT(s.Settle(), IsEmpty());
}

TEST(SotwStream, SendsNoClustersToAProxyThatComesBackUnchanged) {
  Pair s(Stream::Form::kStateOfTheWorld);
  s.Publish({Make(kCluster, "a", "1"), Make(kListener, "l", "1")});
  s.Send(s.proxy.Ask(kCluster, {}));
  s.Send(s.proxy.Ask(kListener, {}));
  s.Settle();
  s.Reconnect();
  EXPECT_THAT(s.Settle(), IsEmpty());
  EXPECT_EQ(s.stream->sequence(), s.stream->fleet().sequence());
  s.Publish({Make(kCluster, "b", "1")});
  EXPECT_THAT(s.Settle(), ElementsAre("Cluster: a b"));
}

TEST(SotwStream, SendsOneResponseOfATypeAtATime) {
  Pair s(Stream::Form::kStateOfTheWorld);
  s.Publish({Make(kSecret, "a", "1"), Make(kSecret, "b", "1")});
  s.Send(s.proxy.Ask(kSecret, {"a", "b"}));
  const auto first = s.Next();
  ASSERT_TRUE(first.has_value());
  EXPECT_FALSE(s.Next().has_value());
  s.Send(s.proxy.Accept(*first));
  EXPECT_TRUE(s.Next().has_value());
}

TEST(SotwStream, RecordsARefusalOfClustersAsAWhole) {
  Pair s(Stream::Form::kStateOfTheWorld);
  s.Publish({Make(kCluster, "a", "1")});
  s.Send(s.proxy.Ask(kCluster, {}));
  s.Settle();
  s.Publish({Make(kCluster, "b", "bad")});
  s.Send(s.proxy.Refuse(*s.Next(), "b: no"));
  EXPECT_THAT(s.Settle(), IsEmpty());
  ASSERT_EQ(s.observer.refused.size(), 1);
  EXPECT_EQ(s.observer.refused[0].resource.name, "*");
  s.Publish({Make(kCluster, "b", "good")});
  EXPECT_THAT(s.Settle(), ElementsAre("Cluster: a b"));
  EXPECT_EQ(s.stream->num_refusals(), 0);
}

TEST(SotwStream, NamesTheBadSecret) {
  Pair s(Stream::Form::kStateOfTheWorld);
  s.Publish({Make(kSecret, "a", "bad")});
  s.Send(s.proxy.Ask(kSecret, {"a"}));
  s.Send(s.proxy.Refuse(*s.Next(), "no"));
  EXPECT_THAT(s.Settle(), IsEmpty());
  ASSERT_EQ(s.observer.refused.size(), 1);
  EXPECT_EQ(s.observer.refused[0].resource.name, "a");
}

// Random changes, requests, answers, refusals and reconnects, against a model
// of a few lines: in the end the proxy has what is published, as far as it asks
// for it and does not refuse it.
class RandomRun {
 public:
  RandomRun(Stream::Form form, uint32_t seed)
      : form_(form), random_(seed), setup_(form, Options()) {}

  void Run() {
    for (int round = 0; round < 30 && !::testing::Test::HasFailure(); ++round) {
      const int steps = Below(60);
      for (int i = 0; i < steps; ++i) Step();
      Quiesce();
      Check();
    }
  }

 private:
  StreamOptions Options() {
    StreamOptions options;
    options.singly_up_to = Below(4);
    options.max_response_bytes = 50 + Below(2000);
    options.max_response_resources = 1 + Below(20);
    options.max_unanswered_responses = 1 + Below(6);
    return options;
  }

  int Below(int n) {
    return static_cast<int>(random_() % static_cast<uint32_t>(n));
  }
  static constexpr int kNames = 12;
  std::string Name() { return absl::StrCat("n", Below(kNames)); }
  ResourceType Type() {
    constexpr ResourceType kTypes[] = {kCluster, kSecret, kFilterChain,
                                       kListener, kRoutes};
    return kTypes[Below(5)];
  }
  static bool IsWhole(ResourceType type) {
    return type == kCluster || type == kListener;
  }

  void Step() {
    switch (Below(10)) {
      case 0:
      case 1:
      case 2:
        Publish();
        break;
      case 3:
      case 4:
        Ask();
        break;
      case 5:
      case 6:
        Receive();
        break;
      case 7:
      case 8:
        Answer();
        break;
      default:
        if (Below(8) == 0) Reconnect();
        break;
    }
  }

  void Publish() {
    std::map<std::pair<ResourceType, std::string>, bool> changes;
    for (int i = 1 + Below(6); i > 0; --i) {
      changes[{Type(), Name()}] = Below(3) != 0;
    }
    std::vector<ResourcePtr> put;
    std::vector<ResourceKey> remove;
    for (const auto& [key, is_put] : changes) {
      const auto& [type, name] = key;
      if (is_put) {
        // Few contents, so that they come back; one in five is bad.
        const std::string content = Below(5) == 0
                                        ? absl::StrCat("bad", Below(2))
                                        : absl::StrCat(Below(3));
        put.push_back(Make(type, name, content));
      } else {
        remove.push_back({type, name});
      }
      ++changes_[{type, name}];
    }
    setup_.Publish(std::move(put), std::move(remove));
  }

  void Ask() {
    const ResourceType type = Type();
    const FakeProxy::Type& t = setup_.proxy.type(type);
    std::vector<std::string> subscribe;
    std::vector<std::string> unsubscribe;
    if (t.requested || !IsWhole(type) || Below(2) != 0) {
      std::set<std::string> names;
      for (int i = 1 + Below(3); i > 0; --i) names.insert(Name());
      for (const std::string& name : names) {
        if (t.names.count(name) > 0) {
          if (form_ == Stream::Form::kDelta && Below(3) == 0) {
            subscribe.push_back(name);  // once more
          } else {
            unsubscribe.push_back(name);
          }
        } else {
          subscribe.push_back(name);
        }
        ++changes_[{type, name}];
      }
      if (form_ == Stream::Form::kDelta && Below(6) == 0) {
        (t.wildcard ? unsubscribe : subscribe).push_back("*");
        for (int i = 0; i < kNames; ++i) {
          ++changes_[{type, absl::StrCat("n", i)}];
        }
      }
      // In the state of the world the last name cannot go without the meaning
      // of an empty list being in question.
      if (form_ == Stream::Form::kStateOfTheWorld && subscribe.empty()) return;
    }
    setup_.Send(setup_.proxy.Ask(type, subscribe, unsubscribe));
  }

  void Receive() {
    auto received = setup_.Next();
    if (!received.has_value()) return;
    for (const auto& [name, held] : received->resources) {
      // Nothing is sent that the proxy holds already, unless something happened
      // to it meanwhile.
      const auto key = std::make_pair(received->type, name);
      const bool whole =
          form_ == Stream::Form::kStateOfTheWorld && IsWhole(received->type);
      if (!whole && sent_.count(key) > 0) {
        EXPECT_NE(sent_[key], std::make_pair(changes_[key], held.content))
            << "sent twice: " << TypeName(received->type) << " " << name;
      }
      sent_[key] = {changes_[key], held.content};
    }
    waiting_.push_back(std::move(*received));
  }

  void Answer() {
    if (waiting_.empty()) return;
    const FakeProxy::Received received = waiting_.front();
    waiting_.pop_front();
    const bool bad =
        std::any_of(received.resources.begin(), received.resources.end(),
                    [](const auto& entry) {
                      return absl::StrContains(entry.second.content, "=bad");
                    });
    if (!bad) {
      setup_.Send(setup_.proxy.Accept(received));
      return;
    }
    if (received.resources.size() > 1) {
      // They may come again.
      for (const auto& [name, held] : received.resources) {
        sent_.erase({received.type, name});
      }
    }
    setup_.Send(setup_.proxy.Refuse(received, "bad"));
  }

  void Reconnect() {
    waiting_.clear();
    sent_.clear();
    setup_.Reconnect();
  }

  void Quiesce() {
    for (int i = 0; i < 100000; ++i) {
      const size_t before = waiting_.size();
      Receive();
      if (waiting_.size() > before) continue;
      if (waiting_.empty()) return;
      Answer();
    }
    FAIL() << "It never ends.";
  }

  void Check() {
    const std::shared_ptr<Fleet> fleet = setup_.cache.FindFleet("fleet");
    size_t refusals = 0;
    for (size_t i = 0; i < kNumResourceTypes; ++i) {
      const auto type = static_cast<ResourceType>(i);
      const FakeProxy::Type& t = setup_.proxy.type(type);
      if (!t.requested) continue;
      std::map<std::string, std::string> wanted;
      bool any_bad = false;
      for (const ResourcePtr& resource : fleet->List(type)) {
        if (!t.wildcard && t.names.count(resource->name()) == 0) continue;
        wanted[resource->name()] = std::string(resource->message());
        any_bad |= absl::StrContains(resource->message(), "=bad");
      }
      if (form_ == Stream::Form::kStateOfTheWorld && IsWhole(type)) {
        if (any_bad) {
          ++refusals;
          continue;
        }
        std::map<std::string, std::string> held;
        for (const auto& [name, h] : t.held) held[name] = h.content;
        EXPECT_EQ(held, wanted) << TypeName(type);
        continue;
      }
      for (const auto& [name, content] : wanted) {
        if (absl::StrContains(content, "=bad")) {
          ++refusals;
          EXPECT_TRUE(setup_.stream->Refuses({type, name}))
              << TypeName(type) << " " << name;
        } else {
          EXPECT_EQ(setup_.Held(type, name), content)
              << TypeName(type) << " " << name;
        }
        EXPECT_TRUE(setup_.stream->Has({type, name}));
      }
      if (form_ == Stream::Form::kDelta) {
        for (const auto& [name, held] : t.held) {
          EXPECT_EQ(wanted.count(name), 1)
              << TypeName(type) << " " << name << " was not removed";
        }
        for (const std::string& name : t.names) {
          if (wanted.count(name) > 0) continue;
          EXPECT_EQ(t.absent.count(name), 1)
              << TypeName(type) << " " << name << " was not answered";
        }
      }
    }
    NodeStatus status;
    setup_.stream->FillStatus(&status);
    std::string named;
    for (const Refusal& refusal : status.refusals) {
      absl::StrAppend(&named, " ", TypeName(refusal.resource.type), ":",
                      refusal.resource.name);
    }
    EXPECT_EQ(status.num_refusals, refusals) << named;
    EXPECT_TRUE(setup_.stream->idle());
    EXPECT_EQ(setup_.stream->unanswered_bytes(), 0);
    if (setup_.Asks(kListener)) {
      EXPECT_EQ(setup_.stream->sequence(), fleet->sequence());
    }
  }

  const Stream::Form form_;
  std::mt19937 random_;
  Pair setup_;
  std::deque<FakeProxy::Received> waiting_;
  // How often something happened to a name.
  std::map<std::pair<ResourceType, std::string>, int> changes_;
  std::map<std::pair<ResourceType, std::string>, std::pair<int, std::string>>
      sent_;
};

TEST(DeltaStream, AgreesWithTheModelInRandomRuns) {
  for (uint32_t seed = 0; seed < 100 && !HasFailure(); ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    RandomRun(Stream::Form::kDelta, seed).Run();
  }
}

TEST(SotwStream, AgreesWithTheModelInRandomRuns) {
  for (uint32_t seed = 0; seed < 100 && !HasFailure(); ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    RandomRun(Stream::Form::kStateOfTheWorld, seed).Run();
  }
}

}  // namespace
}  // namespace sallyport::xds
