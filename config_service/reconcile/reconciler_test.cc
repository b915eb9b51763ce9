#include "config_service/reconcile/reconciler.h"

#include <memory>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "base/clock.h"
#include "base/secret.h"
#include "config_service/reconcile/rollouts.h"
#include "config_service/reconcile/testing/state.h"
#include "config_service/store/fleet_records.h"
#include "config_service/store/keys.h"
#include "config_service/store/memory.h"
#include "gtest/gtest.h"

namespace sallyport::reconcile {
namespace {

using xds::ResourceKey;
using xds::ResourcePtr;
using xds::ResourceType;

const std::string& Pem() {
  static const auto* const pem = new std::string(State::Certificate());
  return *pem;
}

bool Mentions(const ResourcePtr& resource, absl::string_view text) {
  return resource != nullptr && absl::StrContains(resource->message(), text);
}

class ReconcilerTest : public testing::Test {
 protected:
  ReconcilerTest()
      : store_(store::NewMemoryStore()),
        sealer_(*store::Sealer::FromKeys(Keys())),
        state_(store_.get(), sealer_.get()),
        ledger_(Clock::System(), cache_) {}

  static std::vector<Secret> Keys() {
    std::vector<Secret> keys;
    keys.push_back(Secret::CopyOf(std::string(32, 'k')));
    return keys;
  }

  void Start(absl::Duration withdrawn_for = kWithdrawnFor) {
    Reconciler::Options options;
    options.withdrawn_for = withdrawn_for;
    auto started = Reconciler::Start(store_.get(), sealer_.get(), &cache_,
                                     &ledger_, &Clock::System(), options,
                                     [this](absl::string_view line) {
                                       absl::MutexLock lock(&mu_);
                                       log_.emplace_back(line);
                                     });
    ASSERT_TRUE(started.ok()) << started.status();
    reconciler_ = *std::move(started);
  }

  // Until the last commit is wholly published.
  void Settle() {
    const auto wanted = static_cast<uint64_t>(state_.revision().value());
    const absl::Time deadline = absl::Now() + absl::Seconds(20);
    while (reconciler_->Stats().published_revision < wanted) {
      ASSERT_LT(absl::Now(), deadline) << "not published";
      absl::SleepFor(absl::Milliseconds(1));
    }
  }

  ResourcePtr Find(ResourceType type, const std::string& name,
                   const std::string& fleet = "default") {
    const auto found = cache_.FindFleet(fleet);
    return found == nullptr ? nullptr : found->Find(type, name);
  }
  bool HasSecret(const std::string& name,
                 const std::string& fleet = "default") {
    return Find(ResourceType::kSecret, name, fleet) != nullptr;
  }
  // Whether the matcher sends clients to the domain's chain.
  bool Serves(const std::string& domain, const std::string& fleet = "default") {
    return Mentions(Find(ResourceType::kListener, "https", fleet),
                    "domains/" + domain);
  }
  // Until the routes `name`, which are withdrawn, are taken away.
  void AwaitForgotten(const std::string& name) {
    const absl::Time deadline = absl::Now() + absl::Seconds(20);
    while (Find(ResourceType::kRouteConfiguration, name) != nullptr) {
      ASSERT_LT(absl::Now(), deadline) << name << " stays";
      absl::SleepFor(absl::Milliseconds(1));
    }
  }
  // Whether a carrier makes Envoy ask for the secret.
  bool Carried(const std::string& secret,
               const std::string& fleet = "default") {
    for (const auto& listener :
         cache_.FindFleet(fleet)->List(ResourceType::kListener)) {
      if (absl::StartsWith(listener->name(), "carriers/") &&
          Mentions(listener, secret)) {
        return true;
      }
    }
    return false;
  }
  // The message beside the domain, once the last problem is written there.
  std::string StoredStatus(const std::string& domain) {
    const std::string problem = reconciler_->Domain(domain)->problem;
    const std::string key = store::StatusKey("domainNames/" + domain);
    const absl::Time deadline = absl::Now() + absl::Seconds(20);
    while (absl::Now() < deadline) {
      const auto got = store_->Get(key);
      if (!got->record.has_value()) {
        if (problem.empty()) return "";
        continue;
      }
      const auto status =
          store::DecodeStatus("domainNames/" + domain, *got->record);
      if (status->domain_status == domain::DomainName::Status::kFailed &&
          absl::StartsWith(status->message, problem) && !problem.empty()) {
        return status->message;
      }
      absl::SleepFor(absl::Milliseconds(1));
    }
    return "(never)";
  }
  bool Logged(absl::string_view text) {
    absl::MutexLock lock(&mu_);
    for (const std::string& line : log_) {
      if (absl::StrContains(line, text)) return true;
    }
    return false;
  }

  void Simple() {
    state_.Truststore("partners", Pem());
    state_.ServerCertificate("web", {"*.example.com"});
    state_.MockApi("orders", "one");
    state_.Put(State::Domain("api.example.com", "web", {"partners"}));
    state_.Map("api.example.com", "orders");
  }

  const std::unique_ptr<store::Store> store_;
  const std::unique_ptr<store::Sealer> sealer_;
  State state_;
  xds::Cache cache_;
  xds::Ledger ledger_;
  std::unique_ptr<Reconciler> reconciler_;
  absl::Mutex mu_;
  std::vector<std::string> log_;
};

TEST_F(ReconcilerTest, AnEmptyStoreGivesTheDefaultFleetAPortWithoutDomains) {
  Start();
  EXPECT_NE(Find(ResourceType::kListener, "https"), nullptr);
  EXPECT_EQ(cache_.FindFleet("default")->num_resources(ResourceType::kSecret),
            0u);
}

TEST_F(ReconcilerTest, ADomainComesWithAllItNeedsAndGoesWithIt) {
  Start();
  Simple();
  Settle();
  EXPECT_TRUE(Serves("api.example.com"));
  const ResourcePtr chain =
      Find(ResourceType::kFilterChain, "domains/api.example.com");
  EXPECT_TRUE(Mentions(chain, "server-certificates/web"));
  EXPECT_TRUE(Mentions(
      Find(ResourceType::kRouteConfiguration, "domains/api.example.com"),
      "one"));
  for (const char* secret : {"truststores/partners", "bindings/api.example.com",
                             "server-certificates/web", "carrier"}) {
    EXPECT_TRUE(HasSecret(secret)) << secret;
    EXPECT_TRUE(Carried(secret)) << secret;
  }
  const auto state = reconciler_->Domain("api.example.com");
  ASSERT_TRUE(state.has_value());
  EXPECT_TRUE(state->served);
  EXPECT_EQ(state->problem, "");
  EXPECT_TRUE(reconciler_->Needs(
      "api.example.com", {ResourceType::kSecret, "truststores/partners"}));
  EXPECT_FALSE(reconciler_->Needs(
      "api.example.com", {ResourceType::kSecret, "truststores/others"}));

  state_.Delete("domainNames.apiMappings/api.example.com/all");
  state_.Delete("domainNames/api.example.com");
  Settle();
  EXPECT_FALSE(Serves("api.example.com"));
  EXPECT_EQ(Find(ResourceType::kFilterChain, "domains/api.example.com"),
            nullptr);
  EXPECT_EQ(cache_.FindFleet("default")->num_resources(ResourceType::kSecret),
            0u);
  EXPECT_EQ(cache_.FindFleet("default")->num_resources(ResourceType::kListener),
            1u);
  EXPECT_FALSE(reconciler_->Domain("api.example.com").has_value());
}

TEST_F(ReconcilerTest, WhatIsDeletedIsWithdrawnOnceNobodyNewComes) {
  Start();
  Simple();
  state_.Put(State::Domain("b.example.com", "web", {"partners"}));
  Settle();
  // When the routes of a domain serve nobody, the port has it no more.
  std::vector<std::string> wrong;
  bool withdrawn = false;
  cache_.OnPublished([&](const std::shared_ptr<xds::Fleet>& fleet) {
    absl::MutexLock lock(&mu_);
    const ResourcePtr routes = fleet->Find(ResourceType::kRouteConfiguration,
                                           "domains/api.example.com");
    const bool now = Mentions(routes, "withdrawn");
    withdrawn = withdrawn || now;
    const bool served = Mentions(fleet->Find(ResourceType::kListener, "https"),
                                 "domains/api.example.com");
    if (now && served) wrong.push_back("withdrawn while it is served");
    if (routes == nullptr) wrong.push_back("no routes");
  });
  const std::string name = "domains/api.example.com";
  for (int i = 0; i < 3; ++i) {
    state_.Delete("domainNames.apiMappings/api.example.com/all");
    state_.Delete("domainNames/api.example.com");
    Settle();
    const ResourcePtr routes = Find(ResourceType::kRouteConfiguration, name);
    EXPECT_TRUE(Mentions(routes, "withdrawn"));
    // Nothing of what it was.
    EXPECT_FALSE(Mentions(routes, "one"));
    EXPECT_EQ(Find(ResourceType::kFilterChain, name), nullptr);
    EXPECT_FALSE(HasSecret("bindings/api.example.com"));
    EXPECT_FALSE(Mentions(
        Find(ResourceType::kRouteConfiguration, "domains/b.example.com"),
        "withdrawn"));
    state_.Put(State::Domain("api.example.com", "web", {"partners"}));
    state_.Map("api.example.com", "orders");
    Settle();
    EXPECT_TRUE(Mentions(Find(ResourceType::kRouteConfiguration, name), "one"));
    EXPECT_TRUE(Serves("api.example.com"));
  }
  cache_.OnPublished(nullptr);
  EXPECT_TRUE(withdrawn);
  EXPECT_TRUE(wrong.empty()) << wrong.size() << ", first: " << wrong.front();
}

TEST_F(ReconcilerTest, WhatIsWithdrawnIsForgottenAfterAWhile) {
  Start(absl::Milliseconds(20));
  Simple();
  state_.Put(State::Domain("b.example.com", "web", {"partners"}));
  Settle();
  state_.Delete("domainNames.apiMappings/api.example.com/all");
  state_.Delete("domainNames/api.example.com");
  Settle();
  AwaitForgotten("domains/api.example.com");
  EXPECT_TRUE(Serves("b.example.com"));
  EXPECT_NE(Find(ResourceType::kRouteConfiguration, "domains/b.example.com"),
            nullptr);
}

TEST_F(ReconcilerTest, ARestartPublishesTheSameVersions) {
  Simple();
  domain::Fleet fleet;
  fleet.name = domain::FleetName("edge");
  state_.Fleet(fleet);
  state_.MockApi("orders", "two");
  Start();
  std::map<std::string, std::string> versions;
  const auto collect = [&] {
    std::map<std::string, std::string> all;
    for (const std::string& name : cache_.FleetNames()) {
      for (size_t type = 0; type < xds::kNumResourceTypes; ++type) {
        for (const auto& resource :
             cache_.FindFleet(name)->List(static_cast<ResourceType>(type))) {
          all[absl::StrCat(name, " ", type, " ", resource->name())] =
              resource->version();
        }
      }
    }
    return all;
  };
  const auto before = collect();
  EXPECT_GT(before.size(), 8u);
  const xds::Sequence sequence = cache_.FindFleet("default")->sequence();
  reconciler_.reset();
  Start();
  EXPECT_EQ(collect(), before);
  // Nothing is sent to a proxy that has it.
  EXPECT_EQ(cache_.FindFleet("default")->sequence(), sequence);
}

TEST_F(ReconcilerTest, ANewTruststoreVersionIsOneResourceHoweverManyDomains) {
  state_.Truststore("partners", Pem());
  state_.ServerCertificate("web", {"*.example.com"});
  state_.MockApi("orders", "one");
  for (int i = 0; i < 200; ++i) {
    const std::string name = absl::StrCat("d", i, ".example.com");
    state_.Put(State::Domain(name, "web", {"partners"}));
    state_.Map(name, "orders");
  }
  Start();
  const uint64_t translated = reconciler_->Stats().num_translated;
  const xds::Sequence sequence = cache_.FindFleet("default")->sequence();
  state_.Truststore("partners", Pem() + "\n");
  Settle();
  EXPECT_LE(reconciler_->Stats().num_translated - translated, 2u);
  EXPECT_EQ(cache_.FindFleet("default")->sequence(), sequence + 1);

  // One more domain: the domain alone.
  const uint64_t before = reconciler_->Stats().num_translated;
  state_.Put(State::Domain("new.example.com", "web", {"partners"}));
  Settle();
  EXPECT_TRUE(Serves("new.example.com"));
  EXPECT_LE(reconciler_->Stats().num_translated - before, 3u);
}

TEST_F(ReconcilerTest, NoFleetSeesWhatIsAnothers) {
  Simple();
  domain::Fleet fleet;
  fleet.name = domain::FleetName("edge");
  state_.Fleet(fleet);
  Start();
  EXPECT_NE(Find(ResourceType::kListener, "https", "edge"), nullptr);
  EXPECT_FALSE(HasSecret("server-certificates/web", "edge"));

  state_.Truststore("others", Pem());
  state_.ServerCertificate("other", {"other.example.org"});
  domain::DomainName other =
      State::Domain("other.example.org", "other", {"others"});
  other.fleets = {domain::FleetName("edge")};
  state_.Put(other);
  Settle();
  EXPECT_TRUE(Serves("other.example.org", "edge"));
  EXPECT_FALSE(Serves("other.example.org"));
  EXPECT_FALSE(HasSecret("server-certificates/other"));
  EXPECT_FALSE(HasSecret("truststores/others"));
  EXPECT_FALSE(HasSecret("truststores/partners", "edge"));

  // It moves.
  other.fleets = {domain::DefaultFleet()};
  state_.Put(other);
  Settle();
  EXPECT_TRUE(Serves("other.example.org"));
  EXPECT_FALSE(Serves("other.example.org", "edge"));
  EXPECT_FALSE(HasSecret("server-certificates/other", "edge"));
}

TEST_F(ReconcilerTest, WhatIsMissingKeepsANewDomainOutAndSaysWhy) {
  Start();
  state_.ServerCertificate("web", {"*.example.com"});
  state_.Put(State::Domain("api.example.com", "web", {"partners"}));
  Settle();
  EXPECT_FALSE(Serves("api.example.com"));
  EXPECT_FALSE(HasSecret("server-certificates/web"));
  EXPECT_EQ(reconciler_->Domain("api.example.com")->problem,
            "truststores/partners: is not there");
  EXPECT_TRUE(Logged("domainNames/api.example.com"));
  EXPECT_EQ(StoredStatus("api.example.com"),
            "truststores/partners: is not there");
  domain::Truststore empty;
  empty.name = domain::TruststoreName("partners");
  state_.Put(empty);
  Settle();
  EXPECT_EQ(reconciler_->Domain("api.example.com")->problem,
            "truststores/partners has no active version");
  // It comes by itself once it can.
  state_.Truststore("partners", Pem());
  Settle();
  EXPECT_TRUE(Serves("api.example.com"));
  EXPECT_EQ(reconciler_->Domain("api.example.com")->problem, "");
  EXPECT_EQ(StoredStatus("api.example.com"), "");
}

TEST_F(ReconcilerTest, ADomainThatCannotBeTranslatedKeepsWhatItHad) {
  Simple();
  Start();
  const ResourcePtr chain =
      Find(ResourceType::kFilterChain, "domains/api.example.com");
  state_.Put(State::Domain("api.example.com", "none", {"partners"}));
  Settle();
  EXPECT_TRUE(Serves("api.example.com"));
  EXPECT_EQ(Find(ResourceType::kFilterChain, "domains/api.example.com"), chain);
  auto state = *reconciler_->Domain("api.example.com");
  EXPECT_TRUE(state.served);
  EXPECT_EQ(state.problem, "serverCertificates/none: is not there");
  EXPECT_EQ(reconciler_->Stats().num_problems, 2u);
  EXPECT_EQ(StoredStatus("api.example.com"),
            "serverCertificates/none: is not there; what was in force before "
            "stays");
  // A record that cannot be read, too.
  state_.PutRaw("domainNames/api.example.com", "damaged");
  Settle();
  EXPECT_TRUE(Serves("api.example.com"));
  EXPECT_NE(reconciler_->Domain("api.example.com")->problem, "");
  // Others go on meanwhile.
  state_.Put(State::Domain("b.example.com", "web", {"partners"}));
  Settle();
  EXPECT_TRUE(Serves("b.example.com"));
  // After a restart there is nothing that it had.
  reconciler_.reset();
  Start();
  EXPECT_FALSE(Serves("api.example.com"));
  EXPECT_TRUE(Serves("b.example.com"));
}

TEST_F(ReconcilerTest, ACertificateWhoseKeyIsLostStaysAndItsDomainsSaySo) {
  Simple();
  state_.Put(State::Domain("b.example.com", "web", {"partners"}));
  Start();
  const ResourcePtr shown =
      Find(ResourceType::kSecret, "server-certificates/web");
  // What is there no longer has its key: that of another installation.
  std::vector<Secret> keys;
  keys.push_back(Secret::CopyOf(std::string(32, 'x')));
  const auto other = *store::Sealer::FromKeys(std::move(keys));
  State foreign(store_.get(), other.get());
  foreign.ServerCertificate("web", {"*.example.com"});
  state_.Truststore("partners", Pem());
  Settle();
  EXPECT_EQ(Find(ResourceType::kSecret, "server-certificates/web"), shown);
  for (const char* domain : {"api.example.com", "b.example.com"}) {
    EXPECT_TRUE(Serves(domain));
    const std::string problem = reconciler_->Domain(domain)->problem;
    EXPECT_TRUE(absl::StartsWith(problem, "serverCertificates/web: "))
        << problem;
    EXPECT_EQ(StoredStatus(domain),
              absl::StrCat(problem, "; what was in force before stays"));
  }
  // A domain that comes now gets what the others have, and says so too.
  state_.Put(State::Domain("c.example.com", "web", {"partners"}));
  Settle();
  EXPECT_TRUE(Serves("c.example.com"));
  EXPECT_NE(reconciler_->Domain("c.example.com")->problem, "");
  // With its key everything is as the store has it.
  state_.ServerCertificate("web", {"*.example.com"});
  Settle();
  EXPECT_NE(Find(ResourceType::kSecret, "server-certificates/web"), shown);
  for (const char* domain : {"api.example.com", "b.example.com"}) {
    EXPECT_EQ(reconciler_->Domain(domain)->problem, "");
    EXPECT_EQ(StoredStatus(domain), "");
  }
}

TEST_F(ReconcilerTest, AKeyThatCannotBeOpenedIsNotShown) {
  std::vector<Secret> keys;
  keys.push_back(Secret::CopyOf(std::string(32, 'x')));
  const auto other = *store::Sealer::FromKeys(std::move(keys));
  State foreign(store_.get(), other.get());
  foreign.ServerCertificate("web", {"*.example.com"});
  state_.Truststore("partners", Pem());
  state_.Put(State::Domain("api.example.com", "web", {"partners"}));
  Start();
  EXPECT_FALSE(Serves("api.example.com"));
  EXPECT_NE(reconciler_->Domain("api.example.com")->problem, "");
}

TEST_F(ReconcilerTest, APinnedVersionIsCarriedForAsLongAsItIsPinned) {
  Simple();
  Start();
  domain::DomainName pinned =
      State::Domain("pinned.example.com", "web", {"partners"});
  pinned.mutual_tls->truststores[0].version =
      domain::TruststoreVersionName(domain::TruststoreName("partners"), 1);
  state_.Put(pinned);
  Settle();
  EXPECT_TRUE(Serves("pinned.example.com"));
  EXPECT_TRUE(HasSecret("truststores/partners/versions/1"));
  EXPECT_TRUE(Carried("truststores/partners/versions/1"));
  // It stays when another becomes active.
  state_.Truststore("partners", Pem() + "\n");
  Settle();
  EXPECT_TRUE(HasSecret("truststores/partners/versions/1"));
  pinned.mutual_tls->truststores[0].version =
      domain::TruststoreVersionName(domain::TruststoreName("partners"), 2);
  state_.Put(pinned);
  Settle();
  EXPECT_FALSE(HasSecret("truststores/partners/versions/1"));
  EXPECT_TRUE(HasSecret("truststores/partners/versions/2"));
  pinned.mutual_tls->truststores[0].version =
      domain::TruststoreVersionName(domain::TruststoreName("partners"), 7);
  state_.Put(pinned);
  Settle();
  EXPECT_NE(reconciler_->Domain("pinned.example.com")->problem, "");
  EXPECT_TRUE(HasSecret("truststores/partners/versions/2"));
}

TEST_F(ReconcilerTest, DenyListsOfEveryDomainReachEachBinding) {
  Simple();
  Start();
  const std::string digest(64, 'a');
  state_.CertificateList("stolen", State::ListKind::kDenyEverywhere, {digest});
  Settle();
  EXPECT_TRUE(Mentions(Find(ResourceType::kSecret, "bindings/api.example.com"),
                       "stolen"));
  EXPECT_TRUE(HasSecret("certificate-lists/stolen"));
  EXPECT_TRUE(Carried("certificate-lists/stolen"));
  // A new entry is the list alone.
  const uint64_t before = reconciler_->Stats().num_translated;
  state_.CertificateList("stolen", State::ListKind::kDenyEverywhere,
                         {digest, std::string(64, 'b')});
  Settle();
  EXPECT_TRUE(Mentions(Find(ResourceType::kSecret, "certificate-lists/stolen"),
                       std::string(64, 'b')));
  EXPECT_LE(reconciler_->Stats().num_translated - before, 2u);
}

TEST_F(ReconcilerTest, DefaultEndpointsFollowTheApis) {
  Simple();
  domain::Fleet fleet;
  fleet.name = domain::FleetName("edge");
  fleet.default_endpoint_suffix = "apis.test";
  fleet.default_endpoint_certificate = domain::ServerCertificateName("web");
  state_.Fleet(fleet);
  Start();
  EXPECT_TRUE(
      Mentions(Find(ResourceType::kListener, "https", "edge"), "*.apis.test"));
  EXPECT_NE(
      Find(ResourceType::kRouteConfiguration, "default-endpoints", "edge"),
      nullptr);
  EXPECT_TRUE(HasSecret("server-certificates/web", "edge"));
  EXPECT_EQ(Find(ResourceType::kFilterChain, "default-endpoints"), nullptr);
  state_.MockApi("later", "later");
  Settle();
  EXPECT_TRUE(Mentions(
      Find(ResourceType::kRouteConfiguration, "default-endpoints", "edge"),
      "later.apis.test"));
  fleet.default_endpoint_suffix = "";
  fleet.default_endpoint_certificate = {};
  state_.Fleet(fleet);
  Settle();
  EXPECT_EQ(Find(ResourceType::kFilterChain, "default-endpoints", "edge"),
            nullptr);
  EXPECT_FALSE(HasSecret("server-certificates/web", "edge"));
  const ResourcePtr left =
      Find(ResourceType::kRouteConfiguration, "default-endpoints", "edge");
  EXPECT_TRUE(Mentions(left, "withdrawn"));
  EXPECT_TRUE(Mentions(left, "*.apis.test"));
  EXPECT_FALSE(Mentions(left, "orders"));
}

TEST_F(ReconcilerTest, AnAccessLogIsSwitchedWithoutANewPortOrChain) {
  Simple();
  Start();
  const ResourcePtr runtime = Find(ResourceType::kRuntime, "fleet");
  ASSERT_NE(runtime, nullptr);
  const ResourcePtr port = Find(ResourceType::kListener, "https");
  const ResourcePtr chain =
      Find(ResourceType::kFilterChain, "domains/api.example.com");
  domain::Fleet fleet;
  fleet.name = domain::DefaultFleet();
  fleet.access_log.output = domain::AccessLog::Output::kOff;
  state_.Fleet(fleet);
  Settle();
  EXPECT_NE(Find(ResourceType::kRuntime, "fleet")->version(),
            runtime->version());
  EXPECT_EQ(Find(ResourceType::kListener, "https")->version(), port->version());
  EXPECT_EQ(
      Find(ResourceType::kFilterChain, "domains/api.example.com")->version(),
      chain->version());
}

TEST_F(ReconcilerTest, ABadApiDoesNotHoldUpTheDefaultEndpointsOfOthers) {
  Simple();
  domain::Fleet fleet;
  fleet.name = domain::FleetName("edge");
  fleet.default_endpoint_suffix = "apis.test";
  fleet.default_endpoint_certificate = domain::ServerCertificateName("web");
  state_.Fleet(fleet);
  state_.MockApi("good", "first");
  Start();
  const auto has = [&](const std::string& text) {
    return Mentions(
        Find(ResourceType::kRouteConfiguration, "default-endpoints", "edge"),
        text);
  };
  EXPECT_TRUE(has("first"));
  // Its backends are verified by a truststore that is not there.
  domain::HttpProxyIntegration proxy;
  proxy.uri = "https://backend.test/bad";
  proxy.tls.truststore = domain::TruststoreName("later");
  state_.Api("bad", proxy);
  Settle();
  EXPECT_TRUE(has("bad.apis.test"));
  EXPECT_FALSE(has("backend.test"));
  // The truststore that is not there, and the API.
  EXPECT_EQ(reconciler_->Stats().num_problems, 2u);
  state_.MockApi("good", "second");
  Settle();
  EXPECT_TRUE(has("second"));
  // One with more routes than fit is left out alone, too.
  domain::MockIntegration mock;
  mock.body = std::string(size_t{4} << 20, 'x');
  state_.Api("huge", mock);
  state_.MockApi("good", "third");
  Settle();
  EXPECT_TRUE(has("third"));
  EXPECT_TRUE(has("huge.apis.test"));
  EXPECT_FALSE(has("xxxxxxxx"));
  // Mended, it is served.
  state_.Truststore("later", State::Certificate());
  Settle();
  EXPECT_TRUE(has("backend.test"));
}

TEST_F(ReconcilerTest, AMappedApiHasItsDefaultEndpointWhereItsDomainsAre) {
  Simple();
  state_.MockApi("free", "free");
  domain::Fleet fleet;
  fleet.name = domain::FleetName("edge");
  fleet.default_endpoint_suffix = "apis.test";
  fleet.default_endpoint_certificate = domain::ServerCertificateName("web");
  state_.Fleet(fleet);
  fleet.name = domain::DefaultFleet();
  fleet.default_endpoint_suffix = "exec.test";
  state_.Fleet(fleet);
  Start();
  const auto has = [&](const std::string& name, const std::string& text) {
    return Mentions(
        Find(ResourceType::kRouteConfiguration, "default-endpoints", name),
        text);
  };
  const auto move = [&](const std::vector<domain::FleetName>& fleets) {
    domain::DomainName domain_name =
        State::Domain("api.example.com", "web", {"partners"});
    domain_name.fleets = fleets;
    state_.Put(domain_name);
    Settle();
  };
  EXPECT_TRUE(has("edge", "free.apis.test"));
  EXPECT_TRUE(has("default", "free.exec.test"));
  EXPECT_FALSE(has("edge", "orders.apis.test"));
  EXPECT_TRUE(has("default", "orders.exec.test"));

  move({domain::FleetName("edge")});
  EXPECT_TRUE(has("edge", "orders.apis.test"));
  EXPECT_FALSE(has("default", "orders.exec.test"));
  move({domain::FleetName("edge"), domain::DefaultFleet()});
  EXPECT_TRUE(has("edge", "orders.apis.test"));
  EXPECT_TRUE(has("default", "orders.exec.test"));
  move({});
  EXPECT_FALSE(has("edge", "orders.apis.test"));
  // Neither a record that cannot be read, nor a restart with it, shows it more.
  state_.PutRaw("domainNames/api.example.com", "damaged");
  Settle();
  EXPECT_FALSE(has("edge", "orders.apis.test"));
  reconciler_.reset();
  Start();
  EXPECT_FALSE(has("edge", "orders.apis.test"));
  EXPECT_FALSE(has("default", "orders.exec.test"));
  EXPECT_TRUE(has("default", "free.exec.test"));

  // One that no domain maps is everywhere.
  state_.Delete("domainNames.apiMappings/api.example.com/all");
  state_.Delete("domainNames/api.example.com");
  Settle();
  EXPECT_TRUE(has("edge", "orders.apis.test"));
  EXPECT_TRUE(has("default", "orders.exec.test"));
  state_.Put(State::Domain("api.example.com", "web", {"partners"}));
  Settle();
  EXPECT_TRUE(has("edge", "orders.apis.test"));
  state_.Map("api.example.com", "orders");
  Settle();
  EXPECT_FALSE(has("edge", "orders.apis.test"));
  EXPECT_TRUE(has("default", "orders.exec.test"));
}

TEST_F(ReconcilerTest, AFleetThatGoesTakesEverythingFromItsNodes) {
  domain::Fleet fleet;
  fleet.name = domain::FleetName("edge");
  state_.Fleet(fleet);
  Start();
  EXPECT_NE(Find(ResourceType::kListener, "https", "edge"), nullptr);
  state_.Delete("fleets/edge");
  Settle();
  EXPECT_EQ(Find(ResourceType::kListener, "https", "edge"), nullptr);
  // What comes after it is complete without it.
  LedgerRollouts rollouts(
      &ledger_, &cache_, &Clock::System(),
      [](const std::string&) -> std::vector<LedgerRollouts::HeldRefusal> {
        return {};
      });
  state_.MockApi("later", "body");
  Settle();
  const int64_t revision = store_->Stats()->revision.value();
  EXPECT_TRUE(rollouts.Get(revision, domain::FleetName()).complete);
  EXPECT_TRUE(rollouts
                  .Wait(revision, domain::FleetName(), 0,
                        Clock::System().Now() + absl::Seconds(20),
                        [] { return false; })
                  .complete);
  state_.Fleet(fleet);
  Settle();
  EXPECT_NE(Find(ResourceType::kListener, "https", "edge"), nullptr);
}

// After each publication, at any time: whoever is let in finds everything.
TEST_F(ReconcilerTest, RandomChangesNeverShowAPartOfADomain) {
  constexpr int kDomains = 12;
  constexpr int kOthers = 4;
  const auto domain_of = [](int i) {
    return absl::StrFormat("d%02d.example.com", i);
  };
  for (int i = 0; i < kOthers; ++i) {
    state_.Truststore(absl::StrFormat("t%02d", i), Pem());
    state_.ServerCertificate(absl::StrFormat("c%02d", i), {"*.example.com"});
    state_.MockApi(absl::StrFormat("a%02d", i), "body");
    state_.CertificateList(absl::StrFormat("l%02d", i), State::ListKind::kAllow,
                           {std::string(64, 'a')});
  }
  Start(absl::Milliseconds(10));
  int checks = 0;
  std::vector<std::string> wrong;
  cache_.OnPublished([&](const std::shared_ptr<xds::Fleet>& fleet) {
    absl::MutexLock lock(&mu_);
    ++checks;
    const ResourcePtr port = fleet->Find(ResourceType::kListener, "https");
    for (int i = 0; i < kDomains; ++i) {
      const std::string domain = domain_of(i);
      const std::string name = "domains/" + domain;
      if (!Mentions(port, name)) continue;
      const ResourcePtr chain = fleet->Find(ResourceType::kFilterChain, name);
      const ResourcePtr routes =
          fleet->Find(ResourceType::kRouteConfiguration, name);
      const ResourcePtr binding =
          fleet->Find(ResourceType::kSecret, "bindings/" + domain);
      if (chain == nullptr || routes == nullptr) {
        wrong.push_back("no chain or routes: " + domain);
        continue;
      }
      const auto need = [&](const std::string& secret, const char* why) {
        if (fleet->Find(ResourceType::kSecret, secret) == nullptr) {
          wrong.push_back(absl::StrCat(domain, ": no ", secret, " ", why));
        }
        bool carried = false;
        for (const auto& listener : fleet->List(ResourceType::kListener)) {
          carried = carried ||
                    (listener->name() != "https" && Mentions(listener, secret));
        }
        if (!carried) {
          wrong.push_back(absl::StrCat(domain, ": nobody carries ", secret));
        }
      };
      if (Mentions(chain, "envoy.tls.cert_validator")) {
        need("bindings/" + domain, "by the chain");
      }
      for (int j = 0; j < kOthers; ++j) {
        const std::string certificate =
            absl::StrFormat("server-certificates/c%02d", j);
        // The chain keeps what it has when its carrier goes ahead.
        if (Mentions(chain, certificate) &&
            fleet->Find(ResourceType::kSecret, certificate) == nullptr) {
          wrong.push_back(absl::StrCat(domain, ": no ", certificate));
        }
        const std::string truststore = absl::StrFormat("t%02d", j);
        if (Mentions(binding, truststore)) {
          need("truststores/" + truststore, "by the binding");
        }
        const std::string list = absl::StrFormat("l%02d", j);
        if (Mentions(binding, list)) {
          need("certificate-lists/" + list, "by the binding");
        }
        if (Mentions(routes, list) && !Mentions(binding, list)) {
          wrong.push_back(
              absl::StrCat(domain, ": routes ask for ", list, " in vain"));
        }
      }
    }
  });

  std::mt19937 random(7);
  const auto any = [&random](int below) {
    return static_cast<int>(random() % static_cast<unsigned>(below));
  };
  for (int step = 0; step < 400; ++step) {
    const std::string domain = domain_of(any(kDomains));
    switch (any(8)) {
      case 0:
      case 1:
      case 2: {
        std::set<std::string> truststores;
        for (int n = any(3); n > 0; --n) {
          truststores.insert(absl::StrFormat("t%02d", any(kOthers)));
        }
        state_.Put(State::Domain(domain, absl::StrFormat("c%02d", any(kOthers)),
                                 {truststores.begin(), truststores.end()}));
        break;
      }
      case 3:
      case 4: {
        std::set<std::string> lists;
        for (int n = any(3); n > 0; --n) {
          lists.insert(absl::StrFormat("l%02d", any(kOthers)));
        }
        state_.Map(domain, absl::StrFormat("a%02d", any(kOthers)),
                   {lists.begin(), lists.end()});
        break;
      }
      case 5:
        state_.Delete("domainNames.apiMappings/" + domain + "/all");
        state_.Delete("domainNames/" + domain);
        break;
      case 6:
        state_.Truststore(absl::StrFormat("t%02d", any(kOthers)),
                          absl::StrCat(Pem(), step));
        break;
      default:
        state_.ServerCertificate(absl::StrFormat("c%02d", any(kOthers)),
                                 {"*.example.com"});
    }
    if (any(4) == 0) Settle();
  }
  Settle();
  cache_.OnPublished(nullptr);
  EXPECT_GT(checks, 100);
  EXPECT_TRUE(wrong.empty()) << wrong.size() << ", first: " << wrong.front();

  // What is published is what a restart publishes.
  for (int i = 0; i < kDomains; ++i) {
    if (!Serves(domain_of(i))) AwaitForgotten("domains/" + domain_of(i));
  }
  const auto versions = [&] {
    std::set<std::string> all;
    const auto fleet = cache_.FindFleet("default");
    for (size_t type = 0; type < xds::kNumResourceTypes; ++type) {
      for (const auto& one : fleet->List(static_cast<ResourceType>(type))) {
        all.insert(one->name() + " " + one->version());
      }
    }
    return all;
  };
  const auto before = versions();
  reconciler_.reset();
  Start();
  EXPECT_EQ(versions(), before);
}

}  // namespace
}  // namespace sallyport::reconcile
