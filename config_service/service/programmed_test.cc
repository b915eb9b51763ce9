#include "config_service/service/programmed.h"

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_join.h"
#include "base/clock.h"
#include "config_service/service/api_mappings.h"
#include "config_service/service/apis.h"
#include "config_service/service/testing/fake_rollouts.h"
#include "config_service/service/testing/plain_audit_format.h"
#include "config_service/store/api_records.h"
#include "config_service/store/domain_records.h"
#include "config_service/store/fleet_records.h"
#include "config_service/store/keys.h"
#include "config_service/store/memory.h"
#include "gtest/gtest.h"

namespace sallyport::service {
namespace {

using domain::Condition;
using domain::FleetName;

class ProgrammedTest : public testing::Test {
 protected:
  ProgrammedTest()
      : store_(store::NewMemoryStore()),
        context_{store_.get(), &clock_, &format_, nullptr, &rollouts_},
        apis_(context_),
        mappings_(context_) {
    stage_.name = domain::StageName(api_, "prod");
    domain::Api api;
    api.name = api_;
    Put(api);
    Put(stage_);
    AddFleet("default", "");
    AddFleet("edge", "");
    AddFleet("open", "apis.example.com");
  }

  template <typename T>
  void Put(const T& resource) {
    store::Commit commit;
    commit.puts.push_back(
        {store::KeyOf(resource.name), store::Encode(resource), {}});
    ASSERT_TRUE(store_->Apply(commit).ok());
  }
  void AddFleet(const std::string& id, const std::string& suffix) {
    domain::Fleet fleet;
    fleet.name = FleetName(id);
    fleet.default_endpoint_suffix = suffix;
    Put(fleet);
  }
  void Map(const std::string& host, const std::string& fleet) {
    domain::DomainName domain_name;
    domain_name.name = domain::DomainNameName(host);
    if (!fleet.empty()) domain_name.fleets = {FleetName(fleet)};
    Put(domain_name);
    domain::ApiMapping mapping;
    mapping.stage = stage_.name;
    const auto made =
        mappings_.Create(caller_, write_, domain_name.name, "m", mapping);
    ASSERT_TRUE(made.ok()) << made.status();
  }
  void CloseDefaultEndpoint() {
    domain::Api api;
    api.name = api_;
    api.disable_default_endpoint = true;
    Put(api);
  }
  std::string Fleets() {
    const auto fleets = FleetsOfStage(*store_, stage_);
    EXPECT_TRUE(fleets.ok()) << fleets.status();
    return absl::StrJoin(*fleets, " ", [](std::string* out, const auto& name) {
      absl::StrAppend(out, name.id());
    });
  }
  std::string OfStage(const std::string& type) {
    const auto view = apis_.GetStage(stage_.name);
    EXPECT_TRUE(view.ok()) << view.status();
    return Text(view->stage.conditions, type);
  }
  std::string OfMapping(const std::string& host) {
    const auto view = mappings_.Get(
        domain::ApiMappingName(domain::DomainNameName(host), "m"));
    EXPECT_TRUE(view.ok()) << view.status();
    return Text(view->mapping.conditions, "Programmed");
  }
  static std::string Text(const std::vector<Condition>& conditions,
                          const std::string& type) {
    const Condition* condition = domain::FindCondition(conditions, type);
    if (condition == nullptr) return "none";
    const bool known = condition->status != Condition::Status::kUnknown;
    const bool is_true = condition->status == Condition::Status::kTrue;
    return absl::StrCat(!known ? "? " : (is_true ? "yes " : "no "),
                        condition->reason);
  }

  FakeClock clock_{absl::FromUnixSeconds(1700000000)};
  PlainAuditFormat format_;
  FakeRollouts rollouts_;
  std::unique_ptr<store::Store> store_;
  Context context_;
  Apis apis_;
  ApiMappings mappings_;
  Caller caller_{"token:alice", "192.0.2.1", Role::kOperator};
  Write write_{"Test/Test", false, "", {}};
  const domain::ApiName api_{"orders"};
  domain::Stage stage_;
};

TEST_F(ProgrammedTest, KnowsWhichFleetsServeAStage) {
  EXPECT_EQ(Fleets(), "open");
  Map("a.example.com", "edge");
  EXPECT_EQ(Fleets(), "edge open");
  Map("b.example.com", "");
  EXPECT_EQ(Fleets(), "default edge open");
  CloseDefaultEndpoint();
  EXPECT_EQ(Fleets(), "default edge");
}

TEST_F(ProgrammedTest, SaysHowFarTheNodesAre) {
  CloseDefaultEndpoint();
  EXPECT_EQ(OfStage("Programmed"), "no NOT_SERVED");
  EXPECT_EQ(OfStage("ClientCertificateInForce"), "no NOT_SERVED");
  Map("a.example.com", "edge");
  EXPECT_EQ(OfStage("Programmed"), "? NO_NODES");
  rollouts_.rollout.num_connected = 2;
  EXPECT_EQ(OfStage("Programmed"), "? ON_THE_WAY");
  EXPECT_EQ(OfMapping("a.example.com"), "? ON_THE_WAY");
  EXPECT_EQ(rollouts_.asked_fleet, FleetName("edge"));
  rollouts_.rollout.complete = true;
  EXPECT_EQ(OfStage("Programmed"), "yes ACKNOWLEDGED");
  EXPECT_EQ(OfMapping("a.example.com"), "yes ACKNOWLEDGED");
  RolloutView::NodeRefusal refusal;
  refusal.node = domain::NodeName(FleetName("edge"), "one");
  refusal.refusal.cause = "domainNames/other.example.com";
  rollouts_.rollout.refusals = {refusal};
  EXPECT_EQ(OfMapping("a.example.com"), "yes ACKNOWLEDGED");
  rollouts_.rollout.refusals[0].refusal.cause = "domainNames/a.example.com";
  rollouts_.rollout.complete = false;
  EXPECT_EQ(OfMapping("a.example.com"), "no REFUSED");
}

TEST_F(ProgrammedTest, SaysWhichCertificateIsInForce) {
  Map("a.example.com", "edge");
  rollouts_.rollout.num_connected = 1;
  rollouts_.rollout.complete = true;
  EXPECT_EQ(OfStage("ClientCertificateInForce"), "no NONE_NAMED");
  stage_.client_certificate = domain::ClientCertificateName("backend");
  Put(stage_);
  EXPECT_EQ(OfStage("ClientCertificateInForce"), "yes IN_FORCE");
  const auto view = apis_.GetStage(stage_.name);
  EXPECT_EQ(
      domain::FindCondition(view->stage.conditions, "ClientCertificateInForce")
          ->message,
      "clientCertificates/backend");
  rollouts_.rollout.complete = false;
  EXPECT_EQ(OfStage("ClientCertificateInForce"), "? ON_THE_WAY");
}

}  // namespace
}  // namespace sallyport::service
