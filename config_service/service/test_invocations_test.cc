#include "config_service/service/test_invocations.h"

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/clock.h"
#include "base/secret.h"
#include "config_service/domain/violations.h"
#include "config_service/service/apis.h"
#include "config_service/service/audit_log.h"
#include "config_service/service/client_certificates.h"
#include "config_service/service/testing/use_case_test.h"
#include "config_service/store/domain_records.h"
#include "config_service/store/fleet_records.h"
#include "config_service/store/keys.h"
#include "config_service/store/sealer.h"
#include "gtest/gtest.h"
#include "pki/testing/make_certificate.h"

namespace sallyport::service {
namespace {

using domain::ApiName;
using domain::ClientCertificateName;
using domain::FleetName;
using domain::NodeName;
using domain::Reason;
using domain::RouteName;
using domain::StageName;

Reason ReasonOf(const absl::Status& status) {
  const auto error = domain::ErrorOf(status);
  EXPECT_TRUE(error.has_value()) << status;
  return error.has_value() ? error->reason : Reason::kInternal;
}

bool HasViolation(const absl::Status& status, absl::string_view field) {
  const auto error = domain::ErrorOf(status);
  if (!error.has_value()) return false;
  for (const auto& violation : error->violations) {
    if (violation.field == field) return true;
  }
  return false;
}

// Keeps what it is asked, and answers as a backend would.
class FakeInvoker : public NodeInvoker {
 public:
  absl::StatusOr<NodeAnswer> Invoke(const NodeInvocation& invocation,
                                    absl::Time deadline,
                                    const Cancelled&) override {
    ++calls;
    node = invocation.node;
    address = invocation.address;
    certificate = invocation.stage.client_certificate;
    chain_pem = invocation.client_chain_pem;
    has_key = !invocation.client_key_pem.empty();
    method = invocation.method;
    variables = invocation.stage.variables;
    last_deadline = deadline;
    NodeAnswer out = answer;
    if (out.route.empty()) {
      out.route = invocation.deployment.routes.front().name.ToString();
    }
    return out;
  }

  int calls = 0;
  NodeName node;
  std::string address;
  ClientCertificateName certificate;
  std::string chain_pem;
  bool has_key = false;
  std::string method;
  std::map<std::string, std::string> variables;
  absl::Time last_deadline;
  NodeAnswer answer;
};

class TestInvocationsTest : public UseCaseTest {
 protected:
  TestInvocationsTest()
      : UseCaseTest(Nodes::kFake),
        apis_(context_),
        certificates_(context_),
        audit_(store_.get()),
        tests_(context_, &invoker_) {
    EXPECT_TRUE(apis_.CreateApi(caller_, write_, "orders", {}).ok());
    domain::Route route;
    route.method = "GET";
    route.path = "/orders/{id}";
    domain::HttpProxyIntegration proxy;
    proxy.uri = "https://${stageVariables.host}/v1/{id}";
    proxy.timeout = absl::Seconds(7);
    route.integration = proxy;
    EXPECT_TRUE(apis_.CreateRoute(caller_, write_, orders_, "get", route).ok());
    for (const char* id : {"old", "new"}) {
      ClientCertificates::GenerateRequest generate;
      generate.id = id;
      generate.key_kind = pki::PrivateKey::Kind::kEcP256;
      EXPECT_TRUE(certificates_.Generate(caller_, write_, generate).ok());
    }
    domain::Stage stage;
    stage.variables = {{"host", "backend.example"}};
    stage.client_certificate = ClientCertificateName("old");
    EXPECT_TRUE(
        apis_.CreateStage(caller_, write_, orders_, "prod", stage).ok());
    request_.route = RouteName(orders_, "get");
    request_.stage = StageName(orders_, "prod");
    request_.path = "/orders/7?key=secret";
    invoker_.answer.status = 200;
    invoker_.answer.body = "hello";
    AddNode("default", "edge-1", "ipv4:192.0.2.7:40001");
  }

  void AddNode(const std::string& fleet, const std::string& id,
               const std::string& address, bool connected = true) {
    NodeView view;
    view.node.name = NodeName(FleetName(fleet), id);
    view.node.connected = connected;
    view.node.address = address;
    rollouts_.nodes.push_back(view);
  }
  template <typename T>
  void Put(const T& resource) {
    store::Commit commit;
    commit.puts.push_back(
        {store::KeyOf(resource.name), store::Encode(resource), {}});
    ASSERT_TRUE(store_->Apply(commit).ok());
  }
  void PutFleet(const std::string& id, const std::string& address, int port) {
    domain::Fleet fleet;
    fleet.name = FleetName(id);
    fleet.listen_address = address;
    fleet.listen_port = static_cast<uint16_t>(port);
    Put(fleet);
  }
  // A domain of that fleet maps the API.
  void MapIn(const std::string& fleet) {
    domain::DomainName domain_name;
    domain_name.name = domain::DomainNameName("api.example.com");
    domain_name.fleets = {FleetName(fleet)};
    Put(domain_name);
    store::Commit commit;
    commit.puts.push_back(
        {store::ReferenceKey("apis/orders/stages/prod",
                             "domainNames/api.example.com/apiMappings/all"),
         "",
         {}});
    ASSERT_TRUE(store_->Apply(commit).ok());
  }
  absl::StatusOr<TestInvocations::Result> Invoke() {
    return tests_.Invoke(caller_, write_, request_, [] { return false; });
  }
  absl::Status Error() { return Invoke().status(); }

  FakeInvoker invoker_;
  Apis apis_;
  ClientCertificates certificates_;
  AuditLog audit_;
  TestInvocations tests_;
  const ApiName orders_{"orders"};
  TestInvocations::Request request_;
};

TEST_F(TestInvocationsTest, SendsWhatTheStageHas) {
  const auto result = Invoke();
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(invoker_.certificate, ClientCertificateName("old"));
  EXPECT_TRUE(invoker_.has_key);
  EXPECT_EQ(invoker_.method, "GET");
  EXPECT_EQ(invoker_.node.ToString(), "fleets/default/nodes/edge-1");
  EXPECT_EQ(invoker_.address, "192.0.2.7:8443");
  EXPECT_EQ(invoker_.last_deadline,
            clock_.Now() + kTestSetUpTime + absl::Seconds(7));
  EXPECT_EQ(result->backend, "https://backend.example/v1/{id}");
  EXPECT_EQ(result->answer.body, "hello");
  EXPECT_EQ(result->answer.failure, "");
  EXPECT_EQ(result->client_certificate_subject, "CN=sallyport-old");
  const auto old = certificates_.Get(ClientCertificateName("old"));
  ASSERT_TRUE(old.ok());
  EXPECT_EQ(invoker_.chain_pem, old->certificate.certificate_chain_pem);
  EXPECT_TRUE(absl::StrContains(absl::StrJoin(result->log, "\n"),
                                result->client_certificate_sha256));
}

TEST_F(TestInvocationsTest, AnotherCertificateAndOtherVariablesTakeTheirPlace) {
  request_.client_certificate = ClientCertificateName("new");
  request_.stage_variables = {{"host", "other.example"}};
  const auto result = Invoke();
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->client_certificate, ClientCertificateName("new"));
  EXPECT_EQ(result->backend, "https://other.example/v1/{id}");
  // The stage is as it was.
  const auto stage = apis_.GetStage(request_.stage);
  ASSERT_TRUE(stage.ok());
  EXPECT_EQ(stage->stage.client_certificate, ClientCertificateName("old"));
  EXPECT_EQ(stage->stage.variables.at("host"), "backend.example");
}

TEST_F(TestInvocationsTest, IsInTheAuditLogWithoutWhatMayBeSecret) {
  request_.headers = {{"authorization", "Bearer token"}};
  clock_.Advance(absl::Seconds(1));  // after all that made the test's state
  ASSERT_TRUE(Invoke().ok());
  PageRequest page;
  page.page_size = 1;
  const auto entries = audit_.List(page);
  ASSERT_TRUE(entries.ok());
  ASSERT_EQ(entries->items.size(), 1u);
  const domain::AuditEntry& entry = entries->items[0];
  EXPECT_EQ(entry.principal, "token:alice");
  ASSERT_EQ(entry.changes.size(), 1u);
  EXPECT_EQ(entry.changes[0].resource, "apis/orders/routes/get");
  const std::string& json = entry.changes[0].after_json;
  EXPECT_TRUE(absl::StrContains(json, "clientCertificates/old")) << json;
  EXPECT_TRUE(absl::StrContains(json, "/orders/7")) << json;
  EXPECT_FALSE(absl::StrContains(json, "secret")) << json;
  EXPECT_FALSE(absl::StrContains(json, "Bearer")) << json;
}

TEST_F(TestInvocationsTest, SaysAllThatIsWrongWithTheRequest) {
  request_.path = "orders";
  request_.method = "get";
  request_.headers = {{"Host", "x"}, {"a b", "x"}, {"a", "x\r\ny: z"}};
  request_.body = std::string(kMaxTestBodyBytes + 1, 'x');
  request_.node_address = "localhost:1";
  request_.stage = StageName(ApiName("other"), "prod");
  const absl::Status status = Error();
  for (const char* field :
       {"path", "method", "headers[0].name", "headers[1].name",
        "headers[2].value", "body", "node_address", "stage"}) {
    EXPECT_TRUE(HasViolation(status, field)) << field << ": " << status;
  }
  EXPECT_EQ(invoker_.calls, 0);
}

TEST_F(TestInvocationsTest, TakesWhatItsLimitsAllowAndNoMore) {
  request_.body = std::string(kMaxTestBodyBytes, 'x');
  request_.path = absl::StrCat("/", std::string(kMaxTestPathBytes - 1, 'x'));
  request_.headers.assign(kMaxTestHeaders, {"a", "b"});
  request_.headers[0].value =
      std::string(kMaxTestHeaderBytes - 2 * kMaxTestHeaders + 1, 'x');
  EXPECT_TRUE(Error().ok()) << Error();
  request_.path += "x";
  EXPECT_TRUE(HasViolation(Error(), "path"));
  request_.path.pop_back();
  request_.headers[0].value += "x";
  EXPECT_TRUE(HasViolation(Error(), "headers"));
  request_.headers.assign(kMaxTestHeaders + 1, {"a", "b"});
  EXPECT_TRUE(HasViolation(Error(), "headers"));
}

TEST_F(TestInvocationsTest, WhatIsNamedMustBeThere) {
  request_.client_certificate = ClientCertificateName("none");
  EXPECT_TRUE(HasViolation(Error(), "client_certificate"));
  request_.client_certificate = {};
  request_.stage = StageName(orders_, "none");
  EXPECT_TRUE(HasViolation(Error(), "stage"));
  // Its variable is the stage's.
  request_.stage = {};
  EXPECT_TRUE(HasViolation(Error(), "stage_variables")) << Error();
  request_.stage_variables = {{"host", "a b"}};
  EXPECT_FALSE(Error().ok());
  request_.route = RouteName(orders_, "none");
  EXPECT_EQ(ReasonOf(Error()), Reason::kResourceNotFound);
  request_.route = RouteName(orders_, "get");
  request_.method = "POST";
  EXPECT_TRUE(HasViolation(Error(), "method"));
  EXPECT_EQ(invoker_.calls, 0);
}

TEST_F(TestInvocationsTest, NeedsAConnectedNode) {
  rollouts_.nodes[0].node.connected = false;
  EXPECT_EQ(ReasonOf(Error()), Reason::kNoNodeConnected);
  request_.node = NodeName(FleetName("default"), "edge-2");
  EXPECT_EQ(ReasonOf(Error()), Reason::kNoNodeConnected);
  EXPECT_EQ(invoker_.calls, 0);
}

TEST_F(TestInvocationsTest, TakesNoNodeOfAFleetThatDoesNotServeTheApi) {
  PutFleet("east", "127.0.0.1", 9001);
  MapIn("east");
  EXPECT_EQ(ReasonOf(Error()), Reason::kNoNodeConnected);
  AddNode("east", "e-1", "ipv4:127.0.0.1:1");
  ASSERT_TRUE(Error().ok()) << Error();
  EXPECT_EQ(invoker_.node, NodeName(FleetName("east"), "e-1"));
  EXPECT_EQ(invoker_.address, "127.0.0.1:9001");
  request_.node = NodeName(FleetName("default"), "edge-1");
  EXPECT_TRUE(HasViolation(Error(), "node"));
}

TEST_F(TestInvocationsTest, AsksForTheNodeWhereTheFleetIsInDoubt) {
  AddNode("east", "e-1", "ipv4:127.0.0.1:1");
  EXPECT_TRUE(HasViolation(Error(), "node"));
  request_.node = NodeName(FleetName("east"), "e-1");
  EXPECT_TRUE(Error().ok()) << Error();
}

TEST_F(TestInvocationsTest, FindsWhereTheNodeListens) {
  rollouts_.nodes[0].node.address = "ipv6:[2001:db8::1]:555";
  ASSERT_TRUE(Error().ok());
  EXPECT_EQ(invoker_.address, "[2001:db8::1]:8443");
  rollouts_.nodes[0].node.address = "ipv6:[::ffff:192.0.2.9]:555";
  ASSERT_TRUE(Error().ok());
  EXPECT_EQ(invoker_.address, "192.0.2.9:8443");
  rollouts_.nodes[0].node.address = "unix:/run/x";
  EXPECT_TRUE(HasViolation(Error(), "node_address"));
  request_.node_address = "198.51.100.1:443";
  ASSERT_TRUE(Error().ok());
  EXPECT_EQ(invoker_.address, "198.51.100.1:443");
}

TEST_F(TestInvocationsTest, LeavesAPlaceForOthers) {
  struct Slow : FakeInvoker {
    absl::StatusOr<NodeAnswer> Invoke(const NodeInvocation&, absl::Time,
                                      const Cancelled&) override {
      if (++depth <= kMaxTestInvocationsOfPrincipal) mine.push_back(again());
      if (depth == kMaxTestInvocationsOfPrincipal) others = another();
      return NodeAnswer();
    }
    int depth = 0;
    std::vector<absl::Status> mine;
    absl::Status others;
    std::function<absl::Status()> again;
    std::function<absl::Status()> another;
  } slow;
  TestInvocations tests(context_, &slow);
  const auto call = [&](const std::string& principal) {
    Caller caller = caller_;
    caller.principal = principal;
    return tests.Invoke(caller, write_, request_, [] { return false; })
        .status();
  };
  slow.again = [&] { return call("token:one"); };
  slow.another = [&] { return call("token:other"); };
  EXPECT_TRUE(slow.again().ok());
  ASSERT_EQ(slow.mine.size(),
            static_cast<size_t>(kMaxTestInvocationsOfPrincipal));
  // The innermost, made while as many were under way.
  EXPECT_EQ(domain::ErrorOf(slow.mine.front())->reason, Reason::kRateLimited);
  EXPECT_TRUE(slow.others.ok()) << slow.others;
  // Places are given back.
  EXPECT_TRUE(call("token:one").ok());
}

TEST_F(TestInvocationsTest, OnlySoManyAtOneTime) {
  struct Slow : FakeInvoker {
    absl::StatusOr<NodeAnswer> Invoke(const NodeInvocation&, absl::Time,
                                      const Cancelled&) override {
      if (++depth <= kMaxTestInvocationsAtOnce) {
        statuses.push_back(next());
      }
      return NodeAnswer();
    }
    int depth = 0;
    std::vector<absl::Status> statuses;
    std::function<absl::Status()> next;
  } slow;
  TestInvocations tests(context_, &slow);
  // Each by somebody else.
  slow.next = [&] {
    Caller caller = caller_;
    caller.principal = absl::StrCat("token:", slow.depth);
    return tests.Invoke(caller, write_, request_, [] { return false; })
        .status();
  };
  EXPECT_TRUE(slow.next().ok());
  // Each was called while those before it were under way.
  ASSERT_EQ(slow.statuses.size(),
            static_cast<size_t>(kMaxTestInvocationsAtOnce));
  EXPECT_EQ(ReasonOf(slow.statuses.front()), Reason::kRateLimited);
  for (size_t i = 1; i < slow.statuses.size(); ++i) {
    EXPECT_TRUE(slow.statuses[i].ok());
  }
  EXPECT_TRUE(slow.next().ok());
}

TEST_F(TestInvocationsTest, OnlySoManyInAMinute) {
  for (size_t i = 0; i < kMaxTestInvocationsPerMinute; ++i) {
    ASSERT_TRUE(Error().ok()) << i;
    clock_.Advance(absl::Milliseconds(500));
  }
  EXPECT_EQ(ReasonOf(Error()), Reason::kRateLimited);
  EXPECT_EQ(invoker_.calls, static_cast<int>(kMaxTestInvocationsPerMinute));
  clock_.Advance(absl::Seconds(31));
  EXPECT_TRUE(Error().ok());
}

TEST(CheckNodeAddress, TakesAddressesOfNodesOnly) {
  for (const char* good :
       {"127.0.0.1:1", "192.0.2.1:65535", "[::1]:443", "[2001:db8::1]:8443"}) {
    EXPECT_TRUE(CheckNodeAddress(good).ok()) << good;
  }
  for (const char* bad :
       {"", "127.0.0.1", "127.0.0.1:", "127.0.0.1:0", "127.0.0.1:65536",
        "localhost:1", "0.0.0.0:1", "169.254.169.254:80", "224.0.0.1:1",
        "255.255.255.255:1", "[fe80::1]:1", "[ff02::1]:1", "[::]:1", "::1:1",
        "[127.0.0.1]:1", "[::ffff:169.254.169.254]:80", "127.1:1",
        "127.0.0.1:1:1", "127.0.0.1:-1"}) {
    EXPECT_FALSE(CheckNodeAddress(bad).ok()) << bad;
  }
}

class FailureTest : public testing::Test {
 protected:
  FailureTest() {
    domain::Route route;
    route.name = RouteName(ApiName("orders"), "get");
    route.method = "GET";
    route.path = "/a";
    invocation_.deployment.routes.push_back(route);
    invocation_.method = "GET";
    invocation_.path = "/b";
    answer_.status = 503;
    answer_.route = route.name.ToString();
  }
  std::string Failure() { return TestFailure(invocation_, answer_); }

  NodeInvocation invocation_;
  NodeAnswer answer_;
};

TEST_F(FailureTest, IsNoneWhenTheBackendOrAMockAnswers) {
  EXPECT_EQ(Failure(), "");
  answer_.details = "via_upstream";
  EXPECT_EQ(Failure(), "");
  answer_.details = "direct_response";
  EXPECT_EQ(Failure(), "");
}

TEST_F(FailureTest, NamesTheRouteThatDoesNotMatch) {
  answer_.details = "direct_response";
  answer_.route.clear();
  EXPECT_EQ(Failure(),
            "the request is not the route's: GET /b does not match GET /a");
}

TEST_F(FailureTest, TellsWhichSideRefusesInTls) {
  answer_.details =
      "upstream_reset_before_response_started{connection_failure}";
  answer_.tls_failure =
      "TLS_error:|268435581:SSL_routines:OPENSSL_internal:"
      "CERTIFICATE_VERIFY_FAILED:TLS_error_end";
  EXPECT_TRUE(absl::StrContains(Failure(), "does not trust its certificate"));
  answer_.tls_failure =
      "TLS_error:|268436498:SSL_routines:OPENSSL_internal:"
      "SSLV3_ALERT_HANDSHAKE_FAILURE:TLS_error_end";
  EXPECT_TRUE(absl::StrContains(Failure(), "no client certificate"));
  invocation_.stage.client_certificate = ClientCertificateName("new");
  EXPECT_TRUE(absl::StrContains(Failure(), "offered clientCertificates/new"));
}

TEST_F(FailureTest, TellsOfBackendsThatCloseConnectionsOverTls) {
  for (const char* const why :
       {"remote_connection_failure", "connection_termination"}) {
    answer_.flags = "UF";
    answer_.details =
        absl::StrCat("upstream_reset_before_response_started{", why, "}");
    domain::HttpProxyIntegration proxy;
    proxy.uri = "http://b.test/a";
    invocation_.deployment.routes.front().integration = proxy;
    invocation_.stage.client_certificate = ClientCertificateName("new");
    EXPECT_FALSE(absl::StrContains(Failure(), "refused the node"));
    proxy.uri = "https://b.test/a";
    invocation_.deployment.routes.front().integration = proxy;
    EXPECT_EQ(Failure(),
              absl::StrCat("the backend closed the connection "
                           "(upstream_reset_before_response_started{",
                           why,
                           "}); it may have refused the node, which offered "
                           "clientCertificates/new"));
  }
}

TEST_F(FailureTest, ReadsEnvoysFlags) {
  answer_.details = "x";
  answer_.flags = "UT";
  EXPECT_TRUE(absl::StrContains(Failure(), "in time"));
  answer_.flags = "UF,URX";
  EXPECT_TRUE(absl::StrContains(Failure(), "cannot be reached"));
  answer_.tls_failure = "delayed_connect_error:_Connection_refused";
  EXPECT_EQ(Failure(),
            "the backend cannot be reached "
            "(delayed_connect_error:_Connection_refused)");
  answer_.tls_failure.clear();
  answer_.flags = "UH";
  EXPECT_TRUE(absl::StrContains(Failure(), "no address"));
  answer_.flags = "";
  EXPECT_EQ(Failure(), "the node answered: x");
}

}  // namespace
}  // namespace sallyport::service
