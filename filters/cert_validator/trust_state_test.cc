#include "filters/cert_validator/trust_state.h"

#include <functional>
#include <memory>
#include <set>
#include <thread>
#include <vector>

#include "filters/cert_validator/test_support.h"
#include "gtest/gtest.h"

namespace sallyport::cert_validator {
namespace {

TrustState::Spec Spec() {
  TrustState::Spec spec;
  spec.domain = "api.example.com";
  spec.active.sources.emplace_back();
  spec.active.sources[0].name = "partners";
  spec.active.sources[0].version = "1";
  spec.active.sources[0].truststore =
      *SharedTruststore::Get(Certificates().root.pem, {});
  return spec;
}

std::shared_ptr<const TrustState> StateOfVersion(const char* version) {
  TrustState::Spec spec = Spec();
  spec.active.sources[0].version = version;
  return TrustState::Intern(spec);
}

TEST(TrustState, IsTheSameObjectForTheSameSpec) {
  const auto one = TrustState::Intern(Spec());
  const auto two = TrustState::Intern(Spec());
  EXPECT_EQ(one, two);
  EXPECT_NE(one->id(), 0u);
  EXPECT_EQ(one->LabelText(), "partners@1");
}

TEST(TrustState, GetsANewIdWhenNobodyHeldTheOldOne) {
  const uint64_t id = TrustState::Intern(Spec())->id();
  EXPECT_NE(TrustState::Intern(Spec())->id(), id);
}

TEST(TrustState, HasAnotherDigestForEveryPartOfTheSpec) {
  const std::vector<std::function<void(TrustState::Spec&)>> changes = {
      [](auto&) {},
      [](auto& s) { s.domain = "b.example.com"; },
      [](auto& s) { s.active.sources[0].name = "others"; },
      [](auto& s) { s.active.sources[0].version = "2"; },
      [](auto& s) { s.active.sources[0].version = ""; },
      [](auto& s) { s.active.sources[0].source = "file:/elsewhere"; },
      [](auto& s) {
        s.active.sources[0].truststore =
            *SharedTruststore::Get(Certificates().partner.pem, {});
      },
      [](auto& s) {
        s.active.sources[0].policy.chain_policy = pki::ChainPolicy::kAnyAnchor;
      },
      [](auto& s) {
        s.active.sources[0].policy.extended_key_usage =
            pki::ExtendedKeyUsageRule::kWarn;
      },
      [](auto& s) {
        s.active.sources[0].policy.extended_key_usage =
            pki::ExtendedKeyUsageRule::kIgnore;
      },
      [](auto& s) { s.active.sources[0].policy.max_chain_length = 5; },
      [](auto& s) { s.active.sources[0].policy.pin_leaf = true; },
      [](auto& s) { s.active.sources[0].policy.max_client_certificates = 5; },
      [](auto& s) { s.active.sources[0].policy.max_client_chain_bytes = 5; },
      [](auto& s) { s.active.sources[0].policy.max_signature_checks = 5; },
      [](auto& s) { s.active.sources[0].policy.max_path_iterations = 5; },
      [](auto& s) { s.active.sources[0].policy.max_verified_paths = 5; },
      [](auto& s) { s.active.sources[0].policy.max_sent_name_checks = 5; },
  };
  std::set<pki::Sha256Digest> digests;
  for (const auto& change : changes) {
    TrustState::Spec spec = Spec();
    change(spec);
    digests.insert(TrustState::Intern(spec)->digest());
  }
  EXPECT_EQ(digests.size(), changes.size());
}

TEST(TrustState, KeepsItsLineageWhenOnlyTheContentChanges) {
  const auto lineage = [](const std::function<void(TrustState::Spec&)>& edit) {
    TrustState::Spec spec = Spec();
    edit(spec);
    return TrustState::Intern(spec)->lineage();
  };
  const uint64_t before = lineage([](auto&) {});
  EXPECT_EQ(lineage([](auto& s) { s.active.sources[0].version = "2"; }),
            before);
  EXPECT_EQ(lineage([](auto& s) {
              s.active.sources[0].truststore =
                  *SharedTruststore::Get(Certificates().partner.pem, {});
            }),
            before);
  EXPECT_NE(lineage([](auto& s) { s.active.sources[0].name = "others"; }),
            before);
  EXPECT_NE(
      lineage([](auto& s) { s.active.sources[0].source = "file:/elsewhere"; }),
      before);
  EXPECT_NE(
      lineage([](auto& s) { s.active.sources[0].policy.pin_leaf = true; }),
      before);
}

TEST(DomainTrust, KnowsWhichDomainsAreServed) {
  EXPECT_FALSE(DomainTrust::IsServed("served.example.com"));
  {
    const auto trust = DomainTrust::For("served.example.com");
    EXPECT_TRUE(DomainTrust::IsServed("served.example.com"));
  }
  EXPECT_FALSE(DomainTrust::IsServed("served.example.com"));
}

TEST(DomainTrust, IsSharedByName) {
  EXPECT_EQ(DomainTrust::For("a").get(), DomainTrust::For("a").get());
  const auto a = DomainTrust::For("a");
  EXPECT_EQ(DomainTrust::For("a"), a);
  EXPECT_NE(DomainTrust::For("b"), a);
  EXPECT_EQ(a->current_id(), 0u);
  EXPECT_EQ(a->current(), nullptr);
}

TEST(DomainTrust, FollowsTheNewestBinding) {
  const auto domain = DomainTrust::For("d");
  const auto one = StateOfVersion("1"), two = StateOfVersion("2");
  DomainTrust::Binding first(domain, one);
  EXPECT_EQ(domain->current_id(), one->id());
  {
    DomainTrust::Binding second(domain, two);
    EXPECT_EQ(domain->current(), two);
  }
  // The newer one ended first (Envoy refused the listener that had it).
  EXPECT_EQ(domain->current(), one);
  EXPECT_EQ(domain->current_id(), one->id());
}

TEST(DomainTrust, KeepsTheNewestWhenAnOlderOneEndsLateOnAnotherThread) {
  const auto domain = DomainTrust::For("d");
  const auto one = StateOfVersion("1"), two = StateOfVersion("2");
  auto first = std::make_unique<DomainTrust::Binding>(domain, one);
  auto second = std::make_unique<DomainTrust::Binding>(domain, two);
  std::thread([&] { first.reset(); }).join();
  EXPECT_EQ(domain->current(), two);
  second.reset();
  EXPECT_EQ(domain->current_id(), 0u);
  EXPECT_EQ(domain->current(), nullptr);
}

TEST(DomainTrust, KeepsABindingsPlaceWhenItsStateChanges) {
  const auto domain = DomainTrust::For("d");
  const auto one = StateOfVersion("1"), two = StateOfVersion("2"),
             three = StateOfVersion("3");
  DomainTrust::Binding first(domain, one);
  DomainTrust::Binding second(domain, two);
  first.Set(three);  // the file of the older one was replaced
  EXPECT_EQ(domain->current(), two);
}

TEST(DomainTrust, IsConsistentUnderChurn) {
  const auto domain = DomainTrust::For("d");
  const auto base = StateOfVersion("base");
  DomainTrust::Binding binding(domain, base);
  std::vector<std::thread> threads;
  threads.reserve(4);
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      const auto mine = StateOfVersion(t % 2 == 0 ? "even" : "odd");
      for (int i = 0; i < 500; ++i) {
        DomainTrust::Binding other(domain, mine);
        EXPECT_NE(domain->current(), nullptr);
        EXPECT_NE(domain->current_id(), 0u);
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(domain->current(), base);
  EXPECT_EQ(domain->current_id(), base->id());
}

}  // namespace
}  // namespace sallyport::cert_validator
