#include "filters/cert_validator/registry.h"

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "base/text.h"
#include "filters/cert_validator/connection_record.h"
#include "filters/cert_validator/decision.h"
#include "filters/cert_validator/shared_truststore.h"
#include "filters/cert_validator/test_support.h"
#include "filters/cert_validator/validator.h"
#include "filters/shim/fake_envoy.h"
#include "gtest/gtest.h"
#include "pki/truststore/deny_list.h"
#include "pki/x509/certificate.h"

namespace sallyport::cert_validator {
namespace {

using pki::Reason;
using pki::TestNow;
using shim::LogCapture;
using Config = filter::v1::RegistryEntry;
using Loaded = std::unique_ptr<Registry::Entry>;

constexpr char kDomain[] = "api.example.com";

void SetContent(const std::string& bytes, filter::v1::Content& out) {
  // In uneven pieces, as a store may keep them.
  out.add_pieces(bytes.substr(0, bytes.size() / 3));
  out.add_pieces("");
  out.add_pieces(bytes.substr(bytes.size() / 3));
  out.set_sha256(std::string(pki::AsBytes(pki::Sha256(bytes))));
}

Config TruststoreConfig(const std::string& pem, const std::string& version,
                        const std::string& name = "partners") {
  Config config;
  auto& truststore = *config.mutable_truststore();
  truststore.set_name(name);
  truststore.set_version(version);
  truststore.set_active(true);
  SetContent(pem, *truststore.mutable_pem());
  return config;
}

Config BindingConfig(const std::vector<std::string>& truststores,
                     const std::string& domain = kDomain) {
  Config config;
  auto& binding = *config.mutable_binding();
  binding.set_domain(domain);
  for (const std::string& name : truststores) {
    binding.add_truststores()->set_name(name);
  }
  return config;
}

Config PinnedConfig(const std::string& pem, const std::string& version) {
  Config config = BindingConfig({"partners"});
  auto& reference = *config.mutable_binding()->mutable_truststores(0);
  reference.set_version(version);
  reference.set_sha256(std::string(pki::AsBytes(pki::Sha256(pem))));
  return config;
}

class RegistryTest : public testing::Test {
 protected:
  Loaded Load(const Config& config) {
    auto entry = registry_.Load(config);
    EXPECT_TRUE(entry.ok()) << entry.status();
    return entry.ok() ? *std::move(entry) : nullptr;
  }
  absl::Status Refusal(const Config& config) {
    const auto entry = registry_.Load(config);
    EXPECT_FALSE(entry.ok());
    return entry.status();
  }

  // "partners@1", "" without a trust.
  static std::string Trusts(const std::string& domain = kDomain) {
    const auto state = DomainTrust::Unserved(domain)->current();
    return state == nullptr ? "" : state->LabelText();
  }
  // What a client that sends `client` alone gets in a full handshake.
  Reason Judge(const pki::TestCertificate& client) {
    const std::vector<absl::string_view> chain = {client.der};
    return validator_->Verify(chain, TestNow()).reason;
  }
  std::string Record(const pki::TestCertificate& client) {
    const std::vector<absl::string_view> chain = {client.der};
    return validator_->Verify(chain, TestNow()).record;
  }
  // What an open connection with the record gets.
  Reason Again(const std::string& record) {
    return Decide(*domain_, record, TestNow(), Need::kVerdict).reason;
  }

  static std::shared_ptr<Validator> FromRegistry() {
    filter::v1::TruststoreValidator config;
    config.set_domain(kDomain);
    config.set_from_registry(true);
    return *Validator::Create(config, TestNow());
  }

  const TestPki& pki_ = Certificates();
  Registry registry_;
  const std::shared_ptr<Validator> validator_ = FromRegistry();
  const std::shared_ptr<DomainTrust> domain_ = DomainTrust::For(kDomain);
};

TEST_F(RegistryTest, BindsADomainToATruststore) {
  const Loaded truststore = Load(TruststoreConfig(pki_.root.pem, "1"));
  const Loaded binding = Load(BindingConfig({"partners"}));
  EXPECT_EQ(Trusts(), "partners@1");
  EXPECT_EQ(Judge(pki_.client), Reason::kTrusted);
  EXPECT_EQ(Judge(pki_.stranger), Reason::kUntrustedIssuer);
}

TEST_F(RegistryTest, HasNoTrustForADomainThatItDoesNotKnow) {
  EXPECT_EQ(validator_->state(), nullptr);
  EXPECT_EQ(Judge(pki_.client), Reason::kConfigurationMissing);
  EXPECT_EQ(Again(Record(pki_.client)), Reason::kConfigurationMissing);
}

TEST_F(RegistryTest, LetsInWhoConnectedBeforeTheTrustCame) {
  const std::string record = Record(pki_.client);
  const Loaded truststore = Load(TruststoreConfig(pki_.root.pem, "1"));
  const Loaded binding = Load(BindingConfig({"partners"}));
  EXPECT_EQ(Again(record), Reason::kTrusted);
}

TEST_F(RegistryTest, WaitsWithABindingForItsTruststores) {
  const Loaded binding = Load(BindingConfig({"partners", "others"}));
  EXPECT_EQ(registry_.counts().waiting, 1u);
  EXPECT_EQ(Trusts(), "");
  const Loaded one = Load(TruststoreConfig(pki_.root.pem, "1"));
  EXPECT_EQ(Trusts(), "");
  EXPECT_EQ(Judge(pki_.client), Reason::kConfigurationMissing);
  const Loaded two = Load(TruststoreConfig(pki_.other_root.pem, "1", "others"));
  EXPECT_EQ(Trusts(), "partners@1, others@1");
  EXPECT_EQ(registry_.counts().waiting, 0u);
}

TEST_F(RegistryTest, SaysWhatABindingWaitsFor) {
  LogCapture log;
  const Loaded binding = Load(BindingConfig({"partners", "others"}));
  EXPECT_EQ(log.Count("the binding of api.example.com waits for truststore "
                      "partners (the active version), truststore others (the "
                      "active version); the domain has no trust yet"),
            1)
      << log.Text();
}

TEST_F(RegistryTest, KeepsTheLastBindingUntilTheNextIsComplete) {
  const Loaded truststore = Load(TruststoreConfig(pki_.root.pem, "1"));
  Loaded first = Load(BindingConfig({"partners"}));
  const Loaded second = Load(BindingConfig({"others"}));
  EXPECT_EQ(Trusts(), "partners@1");
  // Envoy lets go of the old configuration at once.
  first.reset();
  EXPECT_EQ(Trusts(), "partners@1");
  EXPECT_EQ(Judge(pki_.client), Reason::kTrusted);
  // It follows its truststore all the same.
  const Loaded next = Load(TruststoreConfig(pki_.partner.pem, "2"));
  EXPECT_EQ(Trusts(), "partners@2");
  EXPECT_EQ(Judge(pki_.client), Reason::kUntrustedIssuer);
  const Loaded others =
      Load(TruststoreConfig(pki_.other_root.pem, "1", "others"));
  EXPECT_EQ(Trusts(), "others@1");
}

TEST_F(RegistryTest, UpdatesEveryDomainWithOneTruststore) {
  Loaded truststore = Load(TruststoreConfig(pki_.root.pem, "1"));
  std::vector<Loaded> bindings;
  for (int i = 0; i < 100; ++i) {
    bindings.push_back(
        Load(BindingConfig({"partners"}, absl::StrCat("d", i, ".test"))));
  }
  EXPECT_EQ(registry_.counts().domains, 100u);
  EXPECT_EQ(registry_.counts().profiles, 1u);
  const size_t truststores = NumSharedTruststoresForTest();
  const Loaded next = Load(TruststoreConfig(pki_.partner.pem, "2"));
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(Trusts(absl::StrCat("d", i, ".test")), "partners@2");
  }
  truststore.reset();
  // The old content is gone from the process, the new one is there once.
  EXPECT_EQ(NumSharedTruststoresForTest(), truststores);
  EXPECT_EQ(Trusts("d7.test"), "partners@2");
}

TEST_F(RegistryTest, ReachesOpenConnectionsWhateverChanges) {
  const Loaded root = Load(TruststoreConfig(pki_.root.pem, "1"));
  const Loaded other = Load(TruststoreConfig(pki_.partner.pem, "1", "others"));
  Loaded binding = Load(BindingConfig({"partners"}));
  const std::string client = Record(pki_.client);
  const std::string partner = Record(pki_.partner);
  EXPECT_EQ(Again(client), Reason::kTrusted);
  EXPECT_EQ(Again(partner), Reason::kUntrustedIssuer);
  // Another list of truststores, which is another lineage where validators
  // have their trust of their own.
  const Loaded both = Load(BindingConfig({"partners", "others"}));
  binding.reset();
  EXPECT_EQ(Again(client), Reason::kTrusted);
  EXPECT_EQ(Again(partner), Reason::kTrusted);
  const Loaded others = Load(BindingConfig({"others"}));
  EXPECT_EQ(Again(client), Reason::kUntrustedIssuer);
  EXPECT_EQ(Again(partner), Reason::kTrusted);
}

TEST_F(RegistryTest, JudgesResumedSessionsByTheSameTrust) {
  const Loaded root = Load(TruststoreConfig(pki_.root.pem, "1"));
  const Loaded binding = Load(BindingConfig({"partners"}));
  const std::vector<absl::string_view> chain = {pki_.client.der};
  const auto resume = [&] {
    return DecideChain(*domain_, chain, ChainDigest(chain), TestNow()).reason;
  };
  EXPECT_EQ(resume(), Reason::kTrusted);
  const Loaded next = Load(TruststoreConfig(pki_.partner.pem, "2"));
  EXPECT_EQ(resume(), Reason::kUntrustedIssuer);
}

TEST_F(RegistryTest, CountsChangesSoThatOpenStreamsWake) {
  const Loaded root = Load(TruststoreConfig(pki_.root.pem, "1"));
  const Loaded binding = Load(BindingConfig({"partners"}));
  const uint64_t before = domain_->changes();
  const Loaded same = Load(TruststoreConfig(pki_.root.pem, "1"));
  EXPECT_EQ(domain_->changes(), before);
  const Loaded next = Load(TruststoreConfig(pki_.partner.pem, "2"));
  EXPECT_EQ(domain_->changes(), before + 1);
}

TEST_F(RegistryTest, LetsTheNewestTruststoreCountInWhateverOrderTheyEnd) {
  const Loaded binding = Load(BindingConfig({"partners"}));
  Loaded one = Load(TruststoreConfig(pki_.root.pem, "1"));
  Loaded two = Load(TruststoreConfig(pki_.root.pem, "2"));
  Loaded three = Load(TruststoreConfig(pki_.root.pem, "3"));
  EXPECT_EQ(Trusts(), "partners@3");
  one.reset();
  EXPECT_EQ(Trusts(), "partners@3");
  // Dropped although it was the newest: the update that it came with failed.
  three.reset();
  EXPECT_EQ(Trusts(), "partners@2");
  two.reset();
  EXPECT_EQ(Trusts(), "partners@2");  // still what the binding had
}

TEST_F(RegistryTest, LetsTheNewestBindingCountInWhateverOrderTheyEnd) {
  const Loaded a = Load(TruststoreConfig(pki_.root.pem, "1", "a"));
  const Loaded b = Load(TruststoreConfig(pki_.root.pem, "1", "b"));
  const Loaded c = Load(TruststoreConfig(pki_.root.pem, "1", "c"));
  Loaded one = Load(BindingConfig({"a"}));
  Loaded two = Load(BindingConfig({"b"}));
  Loaded three = Load(BindingConfig({"c"}));
  EXPECT_EQ(Trusts(), "c@1");
  one.reset();
  EXPECT_EQ(Trusts(), "c@1");
  three.reset();
  EXPECT_EQ(Trusts(), "b@1");
  two.reset();
  EXPECT_EQ(Trusts(), "");
  EXPECT_EQ(registry_.counts().domains, 0u);
  EXPECT_EQ(registry_.counts().profiles, 0u);
}

TEST_F(RegistryTest, FallsBackOnlyToWhatIsComplete) {
  const Loaded a = Load(TruststoreConfig(pki_.root.pem, "1", "a"));
  const Loaded waiting = Load(BindingConfig({"absent"}));
  Loaded newest = Load(BindingConfig({"a"}));
  EXPECT_EQ(Trusts(), "a@1");
  newest.reset();
  EXPECT_EQ(Trusts(), "");
  EXPECT_EQ(registry_.counts().waiting, 1u);
}

TEST_F(RegistryTest, KeepsWhatABindingHadWhenItsTruststoreGoes) {
  Loaded truststore = Load(TruststoreConfig(pki_.root.pem, "1"));
  const Loaded binding = Load(BindingConfig({"partners"}));
  truststore.reset();
  EXPECT_EQ(Trusts(), "partners@1");
  EXPECT_EQ(Judge(pki_.client), Reason::kTrusted);
  // A binding that comes now finds nothing.
  const Loaded late = Load(BindingConfig({"partners"}, "late.test"));
  EXPECT_EQ(Trusts("late.test"), "");
  const Loaded next = Load(TruststoreConfig(pki_.partner.pem, "2"));
  EXPECT_EQ(Trusts(), "partners@2");
  EXPECT_EQ(Trusts("late.test"), "partners@2");
}

TEST_F(RegistryTest, LeavesARefusedTruststoreOut) {
  const Loaded truststore = Load(TruststoreConfig(pki_.root.pem, "1"));
  const Loaded binding = Load(BindingConfig({"partners"}));
  const absl::Status status = Refusal(TruststoreConfig("no PEM", "2"));
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(absl::StartsWith(status.message(), "truststore.pem: ")) << status;
  EXPECT_EQ(Trusts(), "partners@1");
}

TEST_F(RegistryTest, LeavesARefusedBindingOut) {
  const Loaded truststore = Load(TruststoreConfig(pki_.root.pem, "1"));
  const Loaded binding = Load(BindingConfig({"partners"}));
  EXPECT_FALSE(Refusal(BindingConfig({})).ok());
  EXPECT_EQ(Trusts(), "partners@1");
}

TEST_F(RegistryTest, FindsAPinnedVersionByItsContent) {
  const Loaded binding = Load(PinnedConfig(pki_.root.pem, "1"));
  const Loaded active = Load(TruststoreConfig(pki_.partner.pem, "2"));
  EXPECT_EQ(Trusts(), "");
  Config old = TruststoreConfig(pki_.root.pem, "1");
  old.mutable_truststore()->set_active(false);
  const Loaded pinned = Load(old);
  EXPECT_EQ(Trusts(), "partners@1");
  EXPECT_EQ(Judge(pki_.client), Reason::kTrusted);
  // One that follows the active version does not follow the pinned one.
  const Loaded follows = Load(BindingConfig({"partners"}, "follows.test"));
  EXPECT_EQ(Trusts("follows.test"), "partners@2");
  // Nor does the pinned one follow the active one.
  const Loaded next = Load(TruststoreConfig(pki_.stranger.pem, "3"));
  EXPECT_EQ(Trusts(), "partners@1");
}

TEST_F(RegistryTest, DoesNotTakeAnotherTruststoresContentForAPin) {
  const Loaded binding = Load(PinnedConfig(pki_.root.pem, "1"));
  const Loaded others = Load(TruststoreConfig(pki_.root.pem, "1", "others"));
  EXPECT_EQ(Trusts(), "");
}

TEST_F(RegistryTest, GivesEachTruststoreItsOwnRules) {
  Config config = TruststoreConfig(pki_.root.pem, "1");
  auto& rules = *config.mutable_truststore();
  rules.set_chain_policy(filter::v1::ANY_ANCHOR);
  rules.set_extended_key_usage(filter::v1::EKU_WARN);
  rules.set_pin_leaf(true);
  rules.set_max_chain_length(7);
  const Loaded truststore = Load(config);
  const Loaded other =
      Load(TruststoreConfig(pki_.other_root.pem, "1", "others"));
  Config binding = BindingConfig({"partners", "others"});
  binding.mutable_binding()->mutable_limits()->set_max_signature_checks(9);
  binding.mutable_binding()->mutable_limits()->set_max_chain_length(3);
  binding.mutable_binding()->mutable_truststores(1)->set_extended_key_usage(
      filter::v1::EKU_IGNORE);
  const Loaded bound = Load(binding);
  const auto state = validator_->state();
  ASSERT_NE(state, nullptr);
  ASSERT_EQ(state->active().sources.size(), 2u);
  EXPECT_EQ(state->active().sources[0].policy.chain_policy,
            pki::ChainPolicy::kAnyAnchor);
  EXPECT_EQ(state->active().sources[0].policy.extended_key_usage,
            pki::ExtendedKeyUsageRule::kWarn);
  EXPECT_TRUE(state->active().sources[0].policy.pin_leaf);
  EXPECT_EQ(state->active().sources[0].policy.max_chain_length, 7u);
  EXPECT_EQ(state->active().sources[0].policy.max_signature_checks, 9u);
  EXPECT_EQ(state->active().sources[1].policy.chain_policy,
            pki::ChainPolicy::kCompleteChain);
  EXPECT_EQ(state->active().sources[1].policy.extended_key_usage,
            pki::ExtendedKeyUsageRule::kIgnore);
  EXPECT_EQ(state->active().sources[1].policy.max_chain_length, 3u);
}

TEST_F(RegistryTest, JudgesByAShadowToo) {
  Config config = TruststoreConfig(pki_.root.pem, "1");
  auto& shadow = *config.mutable_truststore()->mutable_shadow();
  shadow.set_version("2");
  shadow.set_sha256(std::string(pki::AsBytes(pki::Sha256(pki_.partner.pem))));
  const Loaded truststore = Load(config);
  const Loaded binding = Load(BindingConfig({"partners"}));
  EXPECT_EQ(Trusts(), "");  // a shadow is waited for as well
  Config candidate = TruststoreConfig(pki_.partner.pem, "2");
  candidate.mutable_truststore()->set_active(false);
  const Loaded loaded = Load(candidate);
  EXPECT_EQ(Trusts(), "partners@1");
  const std::vector<absl::string_view> chain = {pki_.client.der};
  const auto outcome = validator_->Verify(chain, TestNow());
  EXPECT_TRUE(outcome.trusted);
  EXPECT_EQ(outcome.checked->shadow, Reason::kUntrustedIssuer);
  // It becomes the active one.
  const Loaded next = Load(TruststoreConfig(pki_.partner.pem, "2"));
  EXPECT_EQ(validator_->Verify(chain, TestNow()).checked->shadow,
            absl::nullopt);
}

// A revocation list of root that names `serials`.
Config ListsConfig(const std::vector<uint64_t>& serials) {
  pki::TestRevocationListSpec spec;
  for (const uint64_t serial : serials) {
    pki::TestRevocationListSpec::Entry entry;
    entry.serial = pki::TestSerial(serial);
    spec.entries.push_back(entry);
  }
  Config config;
  config.mutable_revocation_lists()->set_name("crl");
  SetContent(MakeTestRevocationList(spec, Certificates().root).pem,
             *config.mutable_revocation_lists()->mutable_content());
  return config;
}

TEST_F(RegistryTest, FollowsRevocationLists) {
  Config config = TruststoreConfig(pki_.root.pem, "1");
  config.mutable_truststore()->add_revocation_lists("crl");
  const Loaded truststore = Load(config);
  const Loaded binding = Load(BindingConfig({"partners"}));
  EXPECT_EQ(Trusts(), "");
  const Loaded empty = Load(ListsConfig({}));
  const std::string record = Record(pki_.client);
  EXPECT_EQ(Again(record), Reason::kTrusted);
  const Loaded revokes = Load(ListsConfig({pki_.client.spec.serial}));
  EXPECT_EQ(Again(record), Reason::kRevoked);
}

TEST_F(RegistryTest, KeepsTheLastListsWhenTheNextDoNotFitTogether) {
  Config config = TruststoreConfig(pki_.root.pem, "1");
  config.mutable_truststore()->add_revocation_lists("crl");
  config.mutable_truststore()->mutable_revocation_limits()->set_max_entries(1);
  const Loaded truststore = Load(config);
  const Loaded one = Load(ListsConfig({1001}));
  const Loaded binding = Load(BindingConfig({"partners"}));
  const uint64_t before = domain_->changes();
  LogCapture log;
  const Loaded two = Load(ListsConfig({1001, 1002}));
  EXPECT_EQ(log.Count("are refused together", abi::LogLevel::kError), 1)
      << log.Text();
  EXPECT_EQ(domain_->changes(), before);
  EXPECT_EQ(Judge(pki_.client), Reason::kTrusted);
}

Config CertificateList(const std::string& name,
                       const std::vector<std::string>& ders) {
  Config config;
  config.mutable_certificate_list()->set_name(name);
  auto& entries = *config.mutable_certificate_list()->mutable_entries();
  for (const std::string& der : ders) {
    entries.add_certificate_sha256(HexLower(pki::AsBytes(pki::Sha256(der))));
  }
  return config;
}

TEST_F(RegistryTest, FollowsDenyLists) {
  const Loaded truststore =
      Load(TruststoreConfig(pki_.root.pem + pki_.partner.pem, "1"));
  Config config = BindingConfig({"partners"});
  config.mutable_binding()->add_deny_lists("everywhere");
  config.mutable_binding()->add_deny_lists("here");
  const Loaded binding = Load(config);
  const Loaded empty = Load(CertificateList("everywhere", {}));
  EXPECT_EQ(Trusts(), "");
  const Loaded here = Load(CertificateList("here", {pki_.partner.der}));
  const std::string record = Record(pki_.client);
  EXPECT_EQ(Again(record), Reason::kTrusted);
  EXPECT_EQ(Judge(pki_.partner), Reason::kRevoked);
  const Loaded all = Load(CertificateList("everywhere", {pki_.client.der}));
  EXPECT_EQ(Again(record), Reason::kRevoked);
  EXPECT_EQ(Judge(pki_.partner), Reason::kRevoked);
}

TEST_F(RegistryTest, GivesClientRulesTheirLists) {
  const Loaded truststore = Load(TruststoreConfig(pki_.root.pem, "1"));
  Config config = BindingConfig({"partners"});
  config.mutable_binding()->add_certificate_lists("vip");
  const Loaded binding = Load(config);
  EXPECT_EQ(Trusts(), "");
  const Loaded list = Load(CertificateList("vip", {pki_.client.der}));
  const std::vector<absl::string_view> chain = {pki_.client.der};
  const auto lists = [&] {
    return validator_->Verify(chain, TestNow()).checked->lists;
  };
  ASSERT_NE(lists(), nullptr);
  const auto leaf = *pki::Certificate::Parse(pki_.client.der);
  EXPECT_NE(lists()->at("vip")->Find(*leaf), pki::DenyList::Match::kNone);
  const Loaded next = Load(CertificateList("vip", {}));
  EXPECT_EQ(lists()->at("vip")->Find(*leaf), pki::DenyList::Match::kNone);
}

TEST_F(RegistryTest, DoesNotCountAsServingADomain) {
  const Loaded truststore = Load(TruststoreConfig(pki_.root.pem, "1"));
  const Loaded binding = Load(BindingConfig({"partners"}, "unserved.test"));
  EXPECT_FALSE(DomainTrust::IsServed("unserved.test"));
  {
    const auto chain = DomainTrust::For("unserved.test");
    EXPECT_EQ(chain->current()->LabelText(), "partners@1");
    EXPECT_TRUE(DomainTrust::IsServed("unserved.test"));
  }
  EXPECT_FALSE(DomainTrust::IsServed("unserved.test"));
  EXPECT_EQ(Trusts("unserved.test"), "partners@1");
}

TEST_F(RegistryTest, DemandsBothWhereAValidatorHasATrustOfItsOwn) {
  const Loaded truststore = Load(TruststoreConfig(pki_.root.pem, "1"));
  const Loaded binding = Load(BindingConfig({"partners"}));
  const std::string record = Record(pki_.client);
  EXPECT_EQ(Again(record), Reason::kTrusted);
  const auto own =
      *Validator::Create(InlineConfig(pki_.other_root.pem), TestNow());
  EXPECT_EQ(Again(record), Reason::kUntrustedIssuer);
  EXPECT_EQ(Judge(pki_.client), Reason::kTrusted);  // the handshake's part
  EXPECT_EQ(Again(Record(pki_.client)), Reason::kUntrustedIssuer);
}

TEST_F(RegistryTest, SaysWhatIsWrongWithAnEntry) {
  const std::string pem = pki_.root.pem;
  struct Case {
    Config config;
    std::string message;
  };
  const auto edit = [](Config config, const auto& change) {
    change(config);
    return config;
  };
  std::vector<Case> cases = {
      {Config(), "entry: is empty; set truststore, "},
      {edit(TruststoreConfig(pem, "1"),
            [](Config& c) { c.mutable_truststore()->clear_name(); }),
       "truststore.name: is empty"},
      {edit(TruststoreConfig(pem, "1"),
            [](Config& c) { c.mutable_truststore()->set_name("a b"); }),
       "truststore.name: must be at most 128 characters of "},
      {edit(TruststoreConfig(pem, "1"),
            [](Config& c) {
              c.mutable_truststore()->set_name(std::string(129, 'a'));
            }),
       "truststore.name: must be at most 128 characters of "},
      {edit(TruststoreConfig(pem, "1"),
            [](Config& c) {
              c.mutable_truststore()->mutable_pem()->set_sha256("short");
            }),
       "truststore.pem.sha256: has 5 bytes; a SHA-256 has 32"},
      {edit(TruststoreConfig(pem, "1"),
            [](Config& c) {
              c.mutable_truststore()->mutable_pem()->add_pieces("more");
            }),
       "truststore.pem.sha256: is not the SHA-256 of the content"},
      {edit(TruststoreConfig(pem, "1"),
            [](Config& c) {
              c.mutable_truststore()->mutable_limits()->set_max_bytes(10);
            }),
       "truststore.pem: has "},
      {edit(TruststoreConfig(pem, "1"),
            [](Config& c) {
              c.mutable_truststore()->set_revocation_rule(
                  filter::v1::HARD_FAIL);
            }),
       "truststore.revocation_rule: HARD_FAIL without"},
      {edit(TruststoreConfig(pem, "1"),
            [](Config& c) {
              for (size_t i = 0; i <= kMaxRevocationListNames; ++i) {
                c.mutable_truststore()->add_revocation_lists("a");
              }
            }),
       "truststore.revocation_lists: has 101 names; at most 100"},
      {BindingConfig({"a"}, "not a domain"), "binding.domain: "},
      {BindingConfig({}), "binding.truststores: has 0 entries; give 1 to 32"},
      {BindingConfig({"a", "b", "a"}),
       "binding.truststores[2].name: \"a\" is the name of another"},
      {edit(BindingConfig({"a"}),
            [](Config& c) {
              c.mutable_binding()->mutable_truststores(0)->set_version("1");
            }),
       "binding.truststores[0].version: needs sha256"},
      {edit(BindingConfig({"a"}),
            [](Config& c) {
              c.mutable_binding()->mutable_limits()->set_max_chain_length(11);
            }),
       "binding.limits.max_chain_length: is 11; at most 10"},
      {edit(BindingConfig({"a"}),
            [](Config& c) {
              auto& limits = *c.mutable_binding()->mutable_limits();
              limits.set_max_client_certificates(101);
            }),
       "binding.limits.max_client_certificates: is 101; at most 100"},
      {edit(BindingConfig({"a"}),
            [](Config& c) {
              for (size_t i = 0; i <= kMaxDenyListNames; ++i) {
                c.mutable_binding()->add_deny_lists("a");
              }
            }),
       "binding.deny_lists: has 101 names; at most 100"},
      {edit(
           TruststoreConfig(pem, "1"),
           [](Config& c) { c.mutable_truststore()->set_max_chain_length(11); }),
       "truststore.max_chain_length: is 11; at most 10"},
      {edit(TruststoreConfig(pem, "1"),
            [](Config& c) {
              c.mutable_truststore()->set_active(false);
              c.mutable_truststore()->mutable_shadow();
            }),
       "truststore.shadow: is for the active version only"},
  };
  Config list_file = CertificateList("d", {});
  list_file.mutable_certificate_list()->mutable_entries()->set_file("/d.json");
  cases.push_back({list_file, "certificate_list.entries.file: "});
  Config lists = ListsConfig({});
  lists.mutable_revocation_lists()->clear_content();
  SetContent("no list", *lists.mutable_revocation_lists()->mutable_content());
  cases.push_back({lists, "revocation_lists.content: "});
  for (const Case& one : cases) {
    const absl::Status status = Refusal(one.config);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_TRUE(absl::StartsWith(status.message(), one.message))
        << status << "\nwanted " << one.message;
  }
  EXPECT_EQ(registry_.counts().domains, 0u);
}

TEST_F(RegistryTest, TakesTruststoresUpToTheMostAndNoMore) {
  std::vector<std::string> names;
  std::vector<Loaded> loaded;
  for (int i = 0; i < 32; ++i) {
    names.push_back(absl::StrCat("t", i));
    loaded.push_back(Load(TruststoreConfig(pki_.root.pem, "1", names.back())));
  }
  const Loaded binding = Load(BindingConfig(names));
  EXPECT_EQ(Judge(pki_.client), Reason::kTrusted);
  names.push_back("one_more");
  EXPECT_FALSE(Refusal(BindingConfig(names)).ok());
}

TEST_F(RegistryTest, IsConsistentWhileThreadsReadAndOthersLetGo) {
  // Every version trusts the client, so whoever finds it refused saw something
  // half done; old entries end on another thread, late.
  const Loaded binding = Load(BindingConfig({"partners"}));
  Loaded current = Load(TruststoreConfig(pki_.root.pem, "0"));
  const std::string record = Record(pki_.client);
  std::atomic<bool> done{false};
  std::atomic<int> refused{0};
  std::atomic<int> asked{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i) {
    threads.emplace_back([&] {
      while (!done) {
        if (Again(record) != Reason::kTrusted) ++refused;
        if (Judge(pki_.client) != Reason::kTrusted) ++refused;
        ++asked;
      }
    });
  }
  absl::Mutex mu;
  std::vector<Loaded> old;
  threads.emplace_back([&] {
    while (!done) {
      std::vector<Loaded> mine;
      {
        absl::MutexLock lock(&mu);
        mine.swap(old);
      }
      mine.clear();
    }
  });
  for (int version = 1; version <= 300 || asked < 300; ++version) {
    Loaded next = Load(TruststoreConfig(
        version % 2 == 0 ? pki_.root.pem : pki_.root.pem + pki_.partner.pem,
        absl::StrCat(version)));
    absl::MutexLock lock(&mu);
    old.push_back(std::exchange(current, std::move(next)));
  }
  done = true;
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(refused, 0);
}

TEST_F(RegistryTest, TakesEntriesFromSeveralThreads) {
  const Loaded truststore = Load(TruststoreConfig(pki_.root.pem, "1"));
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&, i] {
      for (int round = 0; round < 100; ++round) {
        auto one = registry_.Load(
            BindingConfig({"partners"}, absl::StrCat("t", i, ".test")));
        auto shared = registry_.Load(BindingConfig({"partners"}, "all.test"));
        auto version = registry_.Load(TruststoreConfig(
            pki_.partner.pem, absl::StrCat(i, ".", round), "busy"));
        ASSERT_TRUE(one.ok() && shared.ok() && version.ok());
        ASSERT_EQ(Trusts(absl::StrCat("t", i, ".test")), "partners@1");
        ASSERT_EQ(Trusts("all.test"), "partners@1");
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(Trusts("all.test"), "");
  EXPECT_EQ(registry_.counts().domains, 0u);
}

TEST(RegistryValidator, RefusesATrustOfItsOwn) {
  auto config = InlineConfig(Certificates().root.pem);
  config.set_from_registry(true);
  const auto made = Validator::Create(config, TestNow());
  EXPECT_EQ(made.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(absl::StartsWith(made.status().message(), "from_registry: "));
}

TEST(RegistryValidator, HasADigestThatDependsOnItsDomainAndStyleAlone) {
  filter::v1::TruststoreValidator config;
  config.set_domain("a.test");
  config.set_from_registry(true);
  const auto digest = [&] {
    return std::string((*Validator::Create(config, TestNow()))->digest());
  };
  const std::string first = digest();
  EXPECT_EQ(first.size(), 32u);
  Registry registry;
  const auto truststore =
      registry.Load(TruststoreConfig(Certificates().root.pem, "1"));
  const auto binding = registry.Load(BindingConfig({"partners"}, "a.test"));
  EXPECT_EQ(digest(), first);
  config.set_rejection(filter::v1::HANDSHAKE);
  EXPECT_NE(digest(), first);
  config.set_rejection(filter::v1::FORBIDDEN);
  config.set_domain("b.test");
  EXPECT_NE(digest(), first);
}

}  // namespace
}  // namespace sallyport::cert_validator
