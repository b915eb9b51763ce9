#include "config_service/service/fleets.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "config_service/domain/violations.h"
#include "config_service/service/events.h"
#include "config_service/service/limits.h"
#include "config_service/service/server_certificates.h"
#include "config_service/service/testing/use_case_test.h"
#include "config_service/store/domain_records.h"
#include "config_service/store/fleet_records.h"
#include "config_service/store/keys.h"
#include "gtest/gtest.h"
#include "pki/testing/make_certificate.h"

namespace sallyport::service {
namespace {

using domain::FleetName;
using domain::NodeName;
using domain::Reason;
using domain::ServerCertificateName;

Reason ReasonOf(const absl::Status& status) {
  const auto error = domain::ErrorOf(status);
  EXPECT_TRUE(error.has_value()) << status;
  return error.has_value() ? error->reason : Reason::kInternal;
}

NodeView Node(const std::string& fleet, const std::string& id, bool connected,
              int64_t acknowledged = 0) {
  NodeView view;
  view.node.name = NodeName(FleetName(fleet), id);
  view.node.connected = connected;
  view.node.acknowledged_revision = acknowledged;
  return view;
}

class FleetsTest : public UseCaseTest {
 protected:
  FleetsTest()
      : UseCaseTest(Nodes::kFake),
        fleets_(context_),
        certificates_(context_),
        events_(context_) {}

  absl::StatusOr<FleetView> Create(const std::string& id) {
    return fleets_.Create(caller_, write_, {id, domain::Fleet()});
  }
  void Import(const std::string& id, const std::string& host) {
    ServerCertificates::Material material = MaterialFor(host);
    const ServerCertificateName name(id);
    if (certificates_.Get(name).ok()) {
      ServerCertificates::ImportRequest request;
      request.name = name;
      request.material = std::move(material);
      ASSERT_TRUE(certificates_.Import(caller_, write_, request).ok());
      return;
    }
    ServerCertificates::CreateRequest request;
    request.id = id;
    request.material = std::move(material);
    ASSERT_TRUE(certificates_.Create(caller_, write_, request).ok());
  }
  ServerCertificates::Material MaterialFor(const std::string& host) {
    pki::TestCertificateSpec spec = pki::TestLeafSpec(host);
    spec.alt_names = absl::StrCat("DNS:", host);
    const auto leaf =
        pki::MakeTestCertificate(spec, pki::TestKey::P256(), &ca_);
    ServerCertificates::Material out;
    out.certificate_chain_pem = leaf.pem;
    out.private_key_pem = Secret(leaf.key.Pem());
    return out;
  }
  // The events after `revision` that are there now.
  std::vector<Event> EventsAfter(int64_t revision,
                                 std::vector<std::string> resources = {},
                                 absl::Status* status = nullptr) {
    std::vector<Event> out;
    int rounds = 0;
    const absl::Status watched = events_.Watch(
        {revision, std::move(resources)}, [&] { return ++rounds > 1; },
        [&](const Event& event) {
          out.push_back(event);
          return true;
        });
    if (status != nullptr) {
      *status = watched;
    } else {
      EXPECT_TRUE(watched.ok()) << watched;
    }
    return out;
  }
  void Refer(const std::string& target, const std::string& by) {
    store::Commit commit;
    commit.puts.push_back({store::ReferenceKey(target, by), "", {}});
    ASSERT_TRUE(store_->Apply(commit).ok());
  }
  int64_t StoreRevision() { return store_->Get("x")->revision.value(); }

  Fleets fleets_;
  ServerCertificates certificates_;
  Events events_;
  const pki::TestCertificate ca_ = pki::MakeTestCertificate(
      pki::TestCaSpec("Issuer"), pki::TestKey::P256(), nullptr);
};

TEST_F(FleetsTest, HasADefaultFleetFromTheStartOn) {
  ASSERT_TRUE(fleets_.EnsureDefault().ok());
  const int64_t before = StoreRevision();
  ASSERT_TRUE(fleets_.EnsureDefault().ok());
  EXPECT_EQ(StoreRevision(), before);
  const auto fleet = fleets_.Get(domain::DefaultFleet());
  ASSERT_TRUE(fleet.ok()) << fleet.status();
  EXPECT_EQ(fleet->fleet.listen_port, domain::kDefaultListenPort);
  EXPECT_EQ(
      ReasonOf(fleets_.Delete(caller_, write_, domain::DefaultFleet(), {})),
      Reason::kFleetIsDefault);
}

TEST_F(FleetsTest, NeedsACertificateForItsDefaultEndpoints) {
  Fleets::CreateRequest request;
  request.id = "edge";
  request.fleet.default_endpoint_suffix = "execute-api.example.com";
  EXPECT_EQ(ReasonOf(fleets_.Create(caller_, write_, request).status()),
            Reason::kFieldRequired);
  request.fleet.default_endpoint_certificate = ServerCertificateName("none");
  EXPECT_EQ(ReasonOf(fleets_.Create(caller_, write_, request).status()),
            Reason::kReferenceNotFound);
  Import("other", "*.example.com");
  request.fleet.default_endpoint_certificate = ServerCertificateName("other");
  EXPECT_EQ(ReasonOf(fleets_.Create(caller_, write_, request).status()),
            Reason::kCertificateDoesNotCoverDomain);
  Import("endpoints", "*.execute-api.example.com");
  request.fleet.default_endpoint_certificate =
      ServerCertificateName("endpoints");
  const auto made = fleets_.Create(caller_, write_, request);
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_EQ(domain::FindCondition(made->fleet.conditions,
                                  "DefaultEndpointCertificate")
                ->status,
            domain::Condition::Status::kTrue);
  // The certificate is in use, and the fleet says when it no longer covers.
  EXPECT_EQ(ReasonOf(certificates_.Delete(
                caller_, write_, ServerCertificateName("endpoints"), {})),
            Reason::kResourceInUse);
  Import("endpoints", "*.example.com");
  EXPECT_EQ(
      domain::FindCondition(fleets_.Get(FleetName("edge"))->fleet.conditions,
                            "DefaultEndpointCertificate")
          ->reason,
      "CERTIFICATE_DOES_NOT_COVER_DOMAIN");
}

TEST_F(FleetsTest, TakesNoSuffixThatItsDomainsAreUnder) {
  Import("endpoints", "*.exec.test");
  const auto put = [&](const std::string& id,
                       const std::vector<FleetName>& names) {
    domain::DomainName domain_name;
    domain_name.name = domain::DomainNameName(id);
    domain_name.fleets = names;
    store::Commit commit;
    commit.puts.push_back(
        {store::KeyOf(domain_name.name), store::Encode(domain_name), {}});
    ASSERT_TRUE(store_->Apply(commit).ok());
  };
  // Of the default fleet, and harmless ones of "edge".
  put("victim.exec.test", {});
  for (const char* id :
       {"exec.test", "a.victim.exec.test", "victimexec.test"}) {
    put(id, {FleetName("edge")});
  }
  Fleets::CreateRequest request;
  request.fleet.default_endpoint_suffix = "exec.test";
  request.fleet.default_endpoint_certificate =
      ServerCertificateName("endpoints");
  request.id = "default";
  const absl::Status refused =
      fleets_.Create(caller_, write_, request).status();
  EXPECT_EQ(ReasonOf(refused), Reason::kFieldsConflict);
  EXPECT_TRUE(
      absl::StrContains(domain::ErrorOf(refused)->violations[0].description,
                        "domainNames/victim.exec.test"))
      << refused;
  request.id = "edge";
  ASSERT_TRUE(fleets_.Create(caller_, write_, request).ok());

  ASSERT_TRUE(Create("late").ok());
  put("*.exec.test", {FleetName("late")});
  Fleets::UpdateRequest update;
  update.fleet = request.fleet;
  update.fleet.name = FleetName("late");
  update.mask = {"default_endpoint_suffix", "default_endpoint_certificate"};
  EXPECT_EQ(ReasonOf(fleets_.Update(caller_, write_, update).status()),
            Reason::kFieldsConflict);
  put("*.exec.test", {FleetName("edge")});
  EXPECT_TRUE(fleets_.Update(caller_, write_, update).ok());
  // One that has such a domain can be changed all the same, to be rid of it.
  update.fleet.name = FleetName("edge");
  update.fleet.metadata.description = "more";
  update.mask = {"description"};
  EXPECT_TRUE(fleets_.Update(caller_, write_, update).ok());
}

TEST_F(FleetsTest, UpdatesWhatTheMaskNames) {
  ASSERT_TRUE(Create("edge").ok());
  Fleets::UpdateRequest request;
  request.fleet.name = FleetName("edge");
  request.fleet.listen_port = 9443;
  request.fleet.listen_address = "not an address";
  request.mask = {"listen_port"};
  const auto updated = fleets_.Update(caller_, write_, request);
  ASSERT_TRUE(updated.ok()) << updated.status();
  EXPECT_EQ(updated->fleet.listen_port, 9443);
  request.mask = {"*"};
  EXPECT_EQ(ReasonOf(fleets_.Update(caller_, write_, request).status()),
            Reason::kFieldMalformed);
}

TEST_F(FleetsTest, IsNotDeletedWhileItIsUsed) {
  ASSERT_TRUE(Create("edge").ok());
  const FleetName name("edge");
  rollouts_.nodes = {Node("edge", "a", true), Node("edge", "b", false)};
  const auto view = fleets_.Get(name);
  EXPECT_EQ(view->num_nodes, 2u);
  EXPECT_EQ(view->num_connected_nodes, 1u);
  EXPECT_EQ(ReasonOf(fleets_.Delete(caller_, write_, name, {})),
            Reason::kNodeConnected);
  rollouts_.nodes[0].node.connected = false;
  Refer("fleets/edge", "domainNames/api.example.com");
  EXPECT_EQ(ReasonOf(fleets_.Delete(caller_, write_, name, {})),
            Reason::kResourceInUse);
  store::Commit commit;
  commit.deletes.push_back(
      store::ReferenceKey("fleets/edge", "domainNames/api.example.com"));
  ASSERT_TRUE(store_->Apply(commit).ok());
  EXPECT_TRUE(fleets_.Delete(caller_, write_, name, {}).ok());
}

TEST_F(FleetsTest, ListsNodesPageByPage) {
  ASSERT_TRUE(Create("edge").ok());
  rollouts_.nodes = {Node("edge", "a", true, 5), Node("edge", "b", false, 3),
                     Node("edge", "c", true, 9), Node("inner", "a", true, 9)};
  PageRequest request;
  request.page_size = 2;
  auto page = fleets_.ListNodes(FleetName("edge"), request);
  ASSERT_TRUE(page.ok()) << page.status();
  ASSERT_EQ(page->items.size(), 2u);
  EXPECT_EQ(page->items[1].node.name.id(), "b");
  // One goes meanwhile; none is left out.
  rollouts_.nodes.erase(rollouts_.nodes.begin());
  request.page_token = page->next_page_token;
  page = fleets_.ListNodes(FleetName("edge"), request);
  ASSERT_TRUE(page.ok()) << page.status();
  ASSERT_EQ(page->items.size(), 1u);
  EXPECT_EQ(page->items[0].node.name.id(), "c");
  EXPECT_EQ(page->next_page_token, "");
  EXPECT_EQ(fleets_.ListNodes(FleetName(), {})->items.size(), 3u);
  PageRequest filtered;
  filtered.filter = "connected = true AND acknowledged_revision >= 9";
  EXPECT_EQ(fleets_.ListNodes(FleetName(), filtered)->items.size(), 2u);
  EXPECT_EQ(ReasonOf(fleets_.ListNodes(FleetName("none"), {}).status()),
            Reason::kResourceNotFound);
}

TEST_F(FleetsTest, ForgetsOnlyNodesThatAreNotConnected) {
  rollouts_.nodes = {Node("edge", "a", true), Node("edge", "b", false)};
  const FleetName edge("edge");
  EXPECT_EQ(ReasonOf(fleets_.DeleteNode(write_, NodeName(edge, "a"))),
            Reason::kNodeConnected);
  write_.validate_only = true;
  EXPECT_TRUE(fleets_.DeleteNode(write_, NodeName(edge, "b")).ok());
  EXPECT_EQ(rollouts_.nodes.size(), 2u);
  write_.validate_only = false;
  EXPECT_TRUE(fleets_.DeleteNode(write_, NodeName(edge, "b")).ok());
  EXPECT_EQ(ReasonOf(fleets_.GetNode(NodeName(edge, "b")).status()),
            Reason::kResourceNotFound);
}

TEST_F(FleetsTest, WaitsForTheRevisionThatIsMeant) {
  ASSERT_TRUE(Create("edge").ok());
  const auto never = [] { return false; };
  auto rollout =
      fleets_.WaitForRollout(0, FleetName("edge"), 3, absl::Seconds(5), never);
  ASSERT_TRUE(rollout.ok()) << rollout.status();
  EXPECT_EQ(rollout->revision, StoreRevision());
  EXPECT_EQ(rollouts_.asked_fleet, FleetName("edge"));
  EXPECT_EQ(rollouts_.asked_deadline, pki::TestNow() + absl::Seconds(5));
  EXPECT_EQ(rollouts_.asked_min_nodes, 3u);
  EXPECT_EQ(ReasonOf(fleets_.GetRollout(StoreRevision() + 1, {}).status()),
            Reason::kFieldOutOfRange);
  EXPECT_EQ(ReasonOf(fleets_.GetRollout(-1, {}).status()),
            Reason::kFieldOutOfRange);
  EXPECT_TRUE(
      fleets_.WaitForRollout(1, {}, kMaxAwaitedNodes, kMaxRolloutWait, never)
          .ok());
  const auto refused = [&](int64_t min_nodes, absl::Duration timeout) {
    return ReasonOf(
        fleets_.WaitForRollout(1, {}, min_nodes, timeout, never).status());
  };
  EXPECT_EQ(refused(0, kMaxRolloutWait + absl::Seconds(1)),
            Reason::kFieldOutOfRange);
  EXPECT_EQ(refused(-1, kMaxRolloutWait), Reason::kFieldOutOfRange);
  EXPECT_EQ(refused(kMaxAwaitedNodes + 1, kMaxRolloutWait),
            Reason::kFieldOutOfRange);
}

using EventsTest = FleetsTest;

TEST_F(EventsTest, SaysWhoChangedWhat) {
  ASSERT_TRUE(Create("edge").ok());
  const int64_t before = StoreRevision();
  ASSERT_TRUE(Create("inner").ok());
  Fleets::UpdateRequest request;
  request.fleet.name = FleetName("edge");
  request.fleet.listen_port = 9443;
  request.mask = {"listen_port"};
  ASSERT_TRUE(fleets_.Update(caller_, write_, request).ok());
  ASSERT_TRUE(fleets_.Delete(caller_, write_, FleetName("edge"), {}).ok());
  const auto events = EventsAfter(before);
  ASSERT_EQ(events.size(), 3u);
  using Kind = ResourceChanged::Kind;
  const Kind kinds[] = {Kind::kCreated, Kind::kUpdated, Kind::kDeleted};
  for (int i = 0; i < 3; ++i) {
    const auto& what = absl::get<ResourceChanged>(events[i].what);
    EXPECT_EQ(what.kind, kinds[i]);
    EXPECT_EQ(what.principal, "token:alice");
    EXPECT_EQ(events[i].revision, before + 1 + i);
    EXPECT_EQ(events[i].time, pki::TestNow());
  }
  EXPECT_EQ(absl::get<ResourceChanged>(events[2].what).resource, "fleets/edge");
}

TEST_F(EventsTest, KeepsToTheResourcesThatAreAskedFor) {
  ASSERT_TRUE(Create("edge").ok());
  ASSERT_TRUE(Create("edge-2").ok());
  Import("cert", "a.example.com");
  rollouts_.events.clear();
  EXPECT_EQ(EventsAfter(0, {"fleets/edge"}).size(), 0u);
  const auto of = [&](std::vector<std::string> resources) {
    std::vector<std::string> out;
    // From the first change on.
    for (const Event& event : EventsAfter(1, std::move(resources))) {
      out.push_back(absl::get<ResourceChanged>(event.what).resource);
    }
    return out;
  };
  EXPECT_EQ(of({"fleets/edge"}), std::vector<std::string>{});
  EXPECT_EQ(of({"fleets/"}), std::vector<std::string>{"fleets/edge-2"});
  EXPECT_EQ(of({"serverCertificates/cert"}),
            (std::vector<std::string>{"serverCertificates/cert",
                                      "serverCertificates/cert/versions/1"}));
}

TEST_F(EventsTest, TellsOfConditionsThatChange) {
  const auto put = [&](domain::Condition::Status status, int64_t revision) {
    store::ResourceStatus record;
    domain::Condition condition;
    condition.type = "Programmed";
    condition.status = status;
    condition.observed_revision = revision;
    record.conditions.push_back(condition);
    store::Commit commit;
    commit.puts.push_back(
        {store::StatusKey("fleets/edge"), store::Encode(record), {}});
    ASSERT_TRUE(store_->Apply(commit).ok());
  };
  ASSERT_TRUE(Create("edge").ok());
  const int64_t before = StoreRevision();
  put(domain::Condition::Status::kUnknown, 1);
  put(domain::Condition::Status::kUnknown, 2);
  put(domain::Condition::Status::kTrue, 2);
  const auto events = EventsAfter(before);
  ASSERT_EQ(events.size(), 2u);
  const auto& last = absl::get<ConditionChanged>(events[1].what);
  EXPECT_EQ(last.resource, "fleets/edge");
  EXPECT_EQ(last.condition.status, domain::Condition::Status::kTrue);
}

TEST_F(EventsTest, PassesOnWhatHappensToNodesFromNowOn) {
  const auto event = [](uint64_t number, const std::string& fleet) {
    NodeEvent out;
    out.number = number;
    out.kind = NodeEvent::Kind::kRefused;
    out.node = NodeName(FleetName(fleet), "a");
    out.refusal.reason = "no such thing";
    return out;
  };
  rollouts_.events = {event(1, "edge")};
  std::vector<NodeEvent> seen;
  int rounds = 0;
  const absl::Status watched = events_.Watch(
      {0, {"fleets/edge"}},
      [&] {
        // After the watch has begun.
        if (rounds == 0) {
          rollouts_.events.push_back(event(2, "inner"));
          rollouts_.events.push_back(event(3, "edge"));
        }
        return ++rounds > 2;
      },
      [&](const Event& taken) {
        seen.push_back(absl::get<NodeEvent>(taken.what));
        return true;
      });
  ASSERT_TRUE(watched.ok()) << watched;
  ASSERT_EQ(seen.size(), 1u);
  EXPECT_EQ(seen[0].number, 3u);
  EXPECT_EQ(seen[0].refusal.reason, "no such thing");
}

TEST_F(EventsTest, SaysWhenEventsAreGone) {
  absl::Status status;
  rollouts_.events_lost = true;
  EventsAfter(0, {}, &status);
  EXPECT_EQ(ReasonOf(status), Reason::kRevisionCompacted);
  // Not there yet.
  rollouts_.events_lost = false;
  EventsAfter(StoreRevision() + 10, {}, &status);
  EXPECT_EQ(ReasonOf(status), Reason::kRevisionCompacted);
}

}  // namespace
}  // namespace sallyport::service
