#include "filters/cert_validator/validator.h"

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/limits.h"
#include "base/text.h"
#include "filters/cert_validator/checked_chain.h"
#include "filters/cert_validator/connection_record.h"
#include "filters/cert_validator/test_support.h"
#include "filters/shim/fake_envoy.h"
#include "gtest/gtest.h"

namespace sallyport::cert_validator {
namespace {

namespace v1 = ::sallyport::filter::v1;
using pki::TestNow;

v1::TruststoreValidator Config() {
  return InlineConfig(Certificates().root.pem + Certificates().partner.pem);
}

std::shared_ptr<Validator> Make(const v1::TruststoreValidator& config) {
  auto validator = Validator::Create(config, TestNow());
  EXPECT_TRUE(validator.ok()) << validator.status();
  return *std::move(validator);
}

std::map<std::string, std::string> Verify(
    const Validator& validator, const std::vector<absl::string_view>& chain,
    absl::Time now = TestNow()) {
  std::map<std::string, std::string> out;
  const Validator::Outcome outcome = validator.Verify(chain, now);
  out[std::string(kConnectionKey)] = outcome.record;
  for (const auto& [key, value] : outcome.filter_state) {
    if (!value.empty()) out[std::string(key)] = std::string(value);
  }
  return out;
}

// A list of root's that revokes what has these serial numbers.
std::string ListOf(const std::vector<uint64_t>& serials,
                   absl::Time this_update = TestNow() - absl::Hours(1)) {
  pki::TestRevocationListSpec spec;
  spec.this_update = this_update;
  for (const uint64_t serial : serials) {
    pki::TestRevocationListSpec::Entry entry;
    entry.serial = pki::TestSerial(serial);
    spec.entries.push_back(entry);
  }
  return MakeTestRevocationList(spec, Certificates().root).pem;
}

TEST(Validator, BindsItsDomainWhileItLives) {
  const auto domain = DomainTrust::For("api.example.com");
  EXPECT_EQ(domain->current_id(), 0u);
  {
    const auto validator = Make(Config());
    EXPECT_EQ(domain->current(), validator->state());
  }
  EXPECT_EQ(domain->current_id(), 0u);
}

TEST(Validator, BindsNothingWhenItIsRefused) {
  auto config = Config();
  config.mutable_truststores(0)->set_inline_pem("nothing");
  EXPECT_FALSE(Validator::Create(config, TestNow()).ok());
  EXPECT_EQ(DomainTrust::For("api.example.com")->current_id(), 0u);
}

TEST(Validator, SharesOneTruststoreWithOthersOfTheSameContent) {
  std::vector<std::shared_ptr<Validator>> validators;
  for (int i = 0; i < 10; ++i) {
    auto config = Config();
    config.set_domain(absl::StrCat("d", i, ".example.com"));
    validators.push_back(Make(config));
  }
  EXPECT_EQ(NumSharedTruststoresForTest(), 1u);
}

TEST(Validator, FillsInDefaults) {
  auto config = Config();
  config.mutable_truststores(0)->clear_name();
  config.mutable_truststores(0)->clear_version();
  config.set_domain("API.example.com");
  const auto state = Make(config)->state();
  EXPECT_EQ(state->LabelText(), "default");
  EXPECT_EQ(state->domain(), "api.example.com");
  EXPECT_EQ(state->active().sources[0].policy.chain_policy,
            pki::ChainPolicy::kCompleteChain);
  EXPECT_EQ(state->active().sources[0].policy.max_chain_length,
            limits::kMaxChainLength);
}

TEST(Validator, TakesEverySettingOfTheConfiguration) {
  auto config = Config();
  config.set_chain_policy(v1::ANY_ANCHOR);
  config.set_extended_key_usage(v1::EKU_IGNORE);
  config.set_pin_leaf(true);
  auto* limits = config.mutable_limits();
  limits->set_max_chain_length(10);
  limits->set_max_client_certificates(11);
  limits->set_max_client_chain_bytes(12);
  limits->set_max_signature_checks(13);
  limits->set_max_path_iterations(14);
  limits->set_max_verified_paths(15);
  limits->set_max_sent_name_checks(16);
  const pki::VerifyPolicy policy =
      Make(config)->state()->active().sources[0].policy;
  EXPECT_EQ(policy.chain_policy, pki::ChainPolicy::kAnyAnchor);
  EXPECT_EQ(policy.extended_key_usage, pki::ExtendedKeyUsageRule::kIgnore);
  EXPECT_TRUE(policy.pin_leaf);
  EXPECT_EQ(policy.max_chain_length, 10u);
  EXPECT_EQ(policy.max_client_certificates, 11u);
  EXPECT_EQ(policy.max_client_chain_bytes, 12u);
  EXPECT_EQ(policy.max_signature_checks, 13u);
  EXPECT_EQ(policy.max_path_iterations, 14u);
  EXPECT_EQ(policy.max_verified_paths, 15u);
  EXPECT_EQ(policy.max_sent_name_checks, 16u);
}

TEST(Validator, RefusesABadConfigurationNamingTheField) {
  using Change = std::function<void(v1::TruststoreValidator&)>;
  const std::vector<std::pair<const char*, Change>> cases = {
      {"domain: ", [](auto& c) { c.clear_domain(); }},
      {"domain: ", [](auto& c) { c.set_domain("https://a"); }},
      {"truststores: has 0", [](auto& c) { c.clear_truststores(); }},
      {"truststores: has 33",
       [](auto& c) {
         while (c.truststores_size() < 33) {
           auto* more = c.add_truststores();
           *more = c.truststores(0);
           more->set_name(absl::StrCat("t", c.truststores_size()));
         }
       }},
      {"truststores[1]: has no source",
       [](auto& c) { c.add_truststores()->set_name("other"); }},
      {"truststores[1].name: \"partners\" is the name of another",
       [](auto& c) { *c.add_truststores() = c.truststores(0); }},
      {"truststores[0].chain_policy: ",
       [](auto& c) {
         c.mutable_truststores(0)->set_chain_policy(
             static_cast<v1::ChainPolicy>(9));
       }},
      {"rejection: ",
       [](auto& c) { c.set_rejection(static_cast<v1::RejectionStyle>(9)); }},
      {"shadow.truststores: has 0", [](auto& c) { c.mutable_shadow(); }},
      {"shadow.truststores[0].inline_pem: ",
       [](auto& c) {
         c.mutable_shadow()->add_truststores()->set_inline_pem("nothing");
       }},
      {"shadow.limits.max_chain_length: ",
       [](auto& c) {
         *c.mutable_shadow()->add_truststores() = c.truststores(0);
         c.mutable_shadow()->mutable_limits()->set_max_chain_length(11);
       }},
      {"truststores[0]: ",
       [](auto& c) { c.mutable_truststores(0)->clear_source(); }},
      {"truststores[0].name: ",
       [](auto& c) { c.mutable_truststores(0)->set_name("a b"); }},
      {"truststores[0].name: ",
       [](auto& c) {
         c.mutable_truststores(0)->set_name(std::string(129, 'a'));
       }},
      {"truststores[0].version: ",
       [](auto& c) { c.mutable_truststores(0)->set_version("1\n"); }},
      {"truststores[0].inline_pem: ",
       [](auto& c) { c.mutable_truststores(0)->set_inline_pem(""); }},
      {"truststores[0].inline_pem: ",
       [](auto& c) {
         c.mutable_truststores(0)->mutable_limits()->set_max_certificates(1);
       }},
      {"truststores[0].inline_pem: ",
       [](auto& c) {
         c.mutable_truststores(0)->mutable_limits()->set_max_bytes(10);
       }},
      {"truststores[0].file: ",
       [](auto& c) { c.mutable_truststores(0)->set_file(""); }},
      {"truststores[0].file: ",
       [](auto& c) { c.mutable_truststores(0)->set_file("t.pem"); }},
      {"truststores[0].file: ",
       [](auto& c) { c.mutable_truststores(0)->set_file("/nowhere/t.pem"); }},
      {"truststores[0].file: ",
       [](auto& c) { c.mutable_truststores(0)->set_file("/tmp/"); }},
      {"truststores[0].file: ",
       [](auto& c) {
         c.mutable_truststores(0)->set_file(Certificates().root.key.Pem());
       }},
      {"chain_policy: ",
       [](auto& c) { c.set_chain_policy(static_cast<v1::ChainPolicy>(9)); }},
      {"extended_key_usage: ",
       [](auto& c) {
         c.set_extended_key_usage(static_cast<v1::ExtendedKeyUsageRule>(9));
       }},
      {"limits.max_chain_length: ",
       [](auto& c) { c.mutable_limits()->set_max_chain_length(11); }},
      {"limits.max_client_certificates: ",
       [](auto& c) { c.mutable_limits()->set_max_client_certificates(101); }},
      {"limits.max_client_chain_bytes: ",
       [](auto& c) {
         c.mutable_limits()->set_max_client_chain_bytes((1 << 20) + 1);
       }},
      {"limits.max_signature_checks: ",
       [](auto& c) { c.mutable_limits()->set_max_signature_checks(10001); }},
      {"limits.max_path_iterations: ",
       [](auto& c) { c.mutable_limits()->set_max_path_iterations(100001); }},
      {"limits.max_verified_paths: ",
       [](auto& c) { c.mutable_limits()->set_max_verified_paths(10001); }},
      {"limits.max_sent_name_checks: ",
       [](auto& c) { c.mutable_limits()->set_max_sent_name_checks(1000001); }},
      {"truststores[0].revocation_lists[1]: has no source",
       [](auto& c) {
         auto* truststore = c.mutable_truststores(0);
         truststore->add_revocation_lists()->set_inline_pem(ListOf({}));
         truststore->add_revocation_lists();
       }},
      {"truststores[0].revocation_lists[0]: ",
       [](auto& c) {
         c.mutable_truststores(0)->add_revocation_lists()->set_inline_pem(
             Certificates().root.key.Pem());
       }},
      {"truststores[0].revocation_lists[0].file: ",
       [](auto& c) {
         c.mutable_truststores(0)->add_revocation_lists()->set_file("/no/crl");
       }},
      {"truststores[0].revocation_rule: HARD_FAIL without",
       [](auto& c) {
         c.mutable_truststores(0)->set_revocation_rule(v1::HARD_FAIL);
       }},
      {"truststores[0].revocation_scope: ",
       [](auto& c) {
         c.mutable_truststores(0)->set_revocation_scope(
             static_cast<v1::RevocationScope>(9));
       }},
      {"truststores[0].revocation_lists[0]: ",
       [](auto& c) {
         auto* truststore = c.mutable_truststores(0);
         truststore->add_revocation_lists()->set_inline_pem(ListOf({1, 2}));
         truststore->mutable_revocation_limits()->set_max_entries(1);
       }},
      {"deny.certificate_sha256[0]: ",
       [](auto& c) { c.mutable_deny()->add_certificate_sha256("12"); }},
      {"deny.file: ", [](auto& c) { c.mutable_deny()->set_file("deny"); }},
      {"shadow.deny.spki_sha256[0]: ",
       [](auto& c) {
         *c.mutable_shadow()->add_truststores() = c.truststores(0);
         c.mutable_shadow()->mutable_deny()->add_spki_sha256("x");
       }},
  };
  for (const auto& [field, change] : cases) {
    auto config = Config();
    change(config);
    const auto validator = Validator::Create(config, TestNow());
    ASSERT_FALSE(validator.ok()) << field;
    EXPECT_TRUE(absl::StartsWith(validator.status().message(), field))
        << field << " but: " << validator.status();
    EXPECT_FALSE(absl::StrContains(validator.status().message(), "PRIVATE KEY"))
        << validator.status();
  }
}

TEST(Validator, HasAnotherDigestForEverythingThatDecides) {
  using Change = std::function<void(v1::TruststoreValidator&)>;
  const std::vector<Change> changes = {
      [](auto&) {},
      [](auto& c) { c.set_domain("b.example.com"); },
      [](auto& c) {
        c.mutable_truststores(0)->set_inline_pem(Certificates().root.pem);
      },
      [](auto& c) { c.mutable_truststores(0)->set_name("n"); },
      [](auto& c) { c.mutable_truststores(0)->set_version("v"); },
      [](auto& c) {
        c.mutable_truststores(0)->mutable_limits()->set_max_bytes(100000);
      },
      [](auto& c) {
        c.mutable_truststores(0)->mutable_limits()->set_max_certificates(5);
      },
      [](auto& c) { c.set_chain_policy(v1::ANY_ANCHOR); },
      [](auto& c) { c.set_extended_key_usage(v1::EKU_WARN); },
      [](auto& c) { c.set_pin_leaf(true); },
      [](auto& c) { c.mutable_limits()->set_max_chain_length(3); },
      [](auto& c) { c.mutable_limits()->set_max_client_certificates(3); },
      [](auto& c) { c.mutable_limits()->set_max_client_chain_bytes(3); },
      [](auto& c) { c.mutable_limits()->set_max_signature_checks(3); },
      [](auto& c) { c.mutable_limits()->set_max_path_iterations(3); },
      [](auto& c) { c.mutable_limits()->set_max_verified_paths(3); },
      [](auto& c) { c.mutable_limits()->set_max_sent_name_checks(3); },
      [](auto& c) {
        c.mutable_truststores(0)->set_chain_policy(v1::ANY_ANCHOR);
        c.set_chain_policy(v1::COMPLETE_CHAIN);
        c.mutable_truststores(0)->set_name("own");
      },
      [](auto& c) { c.set_rejection(v1::HANDSHAKE); },
      [](auto& c) {
        *c.add_truststores() = c.truststores(0);
        c.mutable_truststores(1)->set_name("second");
      },
      [](auto& c) {
        *c.mutable_shadow()->add_truststores() = c.truststores(0);
      },
  };
  std::set<std::string> digests;
  for (const Change& change : changes) {
    auto config = Config();
    change(config);
    const auto validator = Make(config);
    EXPECT_EQ(validator->digest().size(), 32u);
    digests.emplace(validator->digest());
  }
  EXPECT_EQ(digests.size(), changes.size());
  // And the same one for what only spells out the defaults.
  auto config = Config();
  config.set_chain_policy(v1::COMPLETE_CHAIN);
  config.mutable_limits()->set_max_chain_length(limits::kMaxChainLength);
  EXPECT_EQ(digests.count(std::string(Make(config)->digest())), 1u);
}

TEST(Validator, DescribesATrustedClient) {
  const auto validator = Make(Config());
  const auto& client = Certificates().client;
  auto state = Verify(*validator, {client.der});
  EXPECT_EQ(state["sallyport.reason"], "TRUSTED");
  EXPECT_EQ(state["sallyport.subject"], "CN=client");
  EXPECT_EQ(state["sallyport.issuer"], "CN=Root CA");
  EXPECT_EQ(state["sallyport.serial"], "01");
  EXPECT_EQ(state["sallyport.fingerprint"].size(), 64u);
  EXPECT_EQ(state["sallyport.truststore"], "partners@1");
  ConnectionRecord record;
  ASSERT_TRUE(DecodeRecord(state["sallyport.connection"], record));
  EXPECT_EQ(record.reason, pki::Reason::kTrusted);
  EXPECT_EQ(record.state_id, validator->state()->id());
  EXPECT_EQ(record.domain, "api.example.com");
  EXPECT_EQ(record.verified_at, TestNow());
  EXPECT_GT(record.recheck_at, TestNow());
  ASSERT_EQ(record.chain.size(), 1u);
  EXPECT_EQ(record.chain[0], client.der);
}

TEST(Validator, SaysWhyAClientIsNotTrusted) {
  const auto validator = Make(Config());
  auto state = Verify(*validator, {Certificates().stranger.der});
  EXPECT_EQ(state["sallyport.reason"], "UNTRUSTED_ISSUER");
  EXPECT_NE(state["sallyport.detail"], "");
  EXPECT_EQ(state["sallyport.subject"], "CN=stranger");
  state = Verify(*validator, {Certificates().client.der},
                 TestNow() + absl::Hours(24 * 400));
  EXPECT_EQ(state["sallyport.reason"], "EXPIRED");
}

TEST(Validator, DescribesWhatIsNoCertificate) {
  const auto validator = Make(Config());
  auto state = Verify(*validator, {"garbage"});
  EXPECT_EQ(state["sallyport.reason"], "MALFORMED");
  EXPECT_EQ(state.count("sallyport.subject"), 0u);
  ConnectionRecord record;
  EXPECT_TRUE(DecodeRecord(state["sallyport.connection"], record));
  // And a chain over the limits, which is not read at all.
  const std::vector<absl::string_view> many(11, Certificates().client.der);
  state = Verify(*validator, many);
  EXPECT_EQ(state["sallyport.reason"], "LIMIT_EXCEEDED");
  EXPECT_EQ(state["sallyport.subject"], "CN=client");
}

TEST(Validator, ChecksAChainOnceUntilItsTimeRunsOutOrTheStateChanges) {
  const auto validator = Make(Config());
  const std::vector<absl::string_view> chain = {
      Certificates().short_client.der};
  const size_t before = NumChecksForTest();
  const auto checks = [&] { return NumChecksForTest() - before; };
  EXPECT_EQ(Verify(*validator, chain)["sallyport.reason"], "TRUSTED");
  EXPECT_EQ(Verify(*validator, chain)["sallyport.reason"], "TRUSTED");
  EXPECT_EQ(checks(), 1u);
  const absl::Time later = TestNow() + absl::Hours(2);
  EXPECT_EQ(Verify(*validator, chain, later)["sallyport.reason"], "EXPIRED");
  EXPECT_EQ(checks(), 2u);
  // The clock was set back: what was found out later does not hold, what was
  // found out then does.
  EXPECT_EQ(Verify(*validator, chain)["sallyport.reason"], "TRUSTED");
  EXPECT_EQ(checks(), 2u);
  EXPECT_EQ(
      Verify(*validator, chain, TestNow() - absl::Hours(1))["sallyport.reason"],
      "TRUSTED");
  EXPECT_EQ(checks(), 3u);
  const auto other = Make(InlineConfig(Certificates().partner.pem));
  EXPECT_EQ(Verify(*other, chain)["sallyport.reason"], "UNTRUSTED_ISSUER");
  EXPECT_EQ(checks(), 4u);
}

TEST(Validator, ForgetsRefusedChainsBeforeTrustedOnes) {
  const auto validator = Make(Config());
  Verify(*validator, {Certificates().client.der});
  const size_t before = NumChecksForTest();
  for (size_t round = 0; round < 2; ++round) {
    for (size_t i = 0; i < kMaxRememberedRefusals + 1; ++i) {
      const std::string garbage = absl::StrCat("garbage ", i);
      Verify(*validator, {garbage});
    }
  }
  // In this order each one was forgotten before it came again.
  EXPECT_EQ(NumChecksForTest() - before, 2 * (kMaxRememberedRefusals + 1));
  Verify(*validator, {Certificates().client.der});
  EXPECT_EQ(NumChecksForTest() - before, 2 * (kMaxRememberedRefusals + 1));
}

TEST(Validator, RemembersRefusalsLongerThanTheirCertificates) {
  const auto validator = Make(Config());
  const auto verify = [&](size_t i) {
    return Verify(*validator,
                  {Certificates().stranger.der, absl::StrCat("garbage ", i)});
  };
  const auto first = verify(0);
  EXPECT_EQ(first.at("sallyport.reason"), "UNTRUSTED_ISSUER");
  const size_t before = NumChecksForTest();
  constexpr size_t kMany = 4 * kMaxRememberedRefused;
  for (size_t round = 0; round < 3; ++round) {
    for (size_t i = 1; i <= kMany; ++i) verify(i);
  }
  EXPECT_EQ(NumChecksForTest() - before, kMany);
  auto again = verify(0);
  EXPECT_EQ(NumChecksForTest() - before, kMany);
  for (const char* key :
       {"sallyport.reason", "sallyport.detail", "sallyport.subject",
        "sallyport.issuer", "sallyport.serial", "sallyport.fingerprint",
        "sallyport.truststore"}) {
    EXPECT_EQ(again[key], first.at(key)) << key;
  }
}

TEST(Validator, FollowsItsFile) {
  TempDir dir;
  Replace(dir / "t.pem", Certificates().root.pem);
  auto config = Config();
  config.mutable_truststores(0)->set_file(dir / "t.pem");
  const auto validator = Make(config);
  const auto domain = DomainTrust::For("api.example.com");
  const std::string digest(validator->digest());
  const auto first = validator->state();
  EXPECT_EQ(Verify(*validator, {Certificates().client.der})["sallyport.reason"],
            "TRUSTED");
  Replace(dir / "t.pem", Certificates().partner.pem);
  ASSERT_TRUE(WaitFor([&] { return validator->state() != first; }));
  ASSERT_TRUE(WaitFor([&] { return domain->current() == validator->state(); }));
  EXPECT_EQ(Verify(*validator, {Certificates().client.der})["sallyport.reason"],
            "UNTRUSTED_ISSUER");
  // Envoy keeps a pointer to the digest; it must not move.
  EXPECT_EQ(validator->digest(), digest);
}

TEST(Validator, MayBeDestroyedWhileItsFileIsReplaced) {
  shim::LogCapture log(abi::LogLevel::kError);
  TempDir dir;
  Replace(dir / "t.pem", Certificates().root.pem);
  auto config = Config();
  config.mutable_truststores(0)->set_file(dir / "t.pem");
  for (int i = 0; i < 200; ++i) {
    const auto validator = Make(config);
    Replace(dir / "t.pem",
            i % 2 == 0 ? Certificates().partner.pem : Certificates().root.pem);
  }
  EXPECT_TRUE(WaitFor(
      [] { return DomainTrust::For("api.example.com")->current_id() == 0; }));
  EXPECT_EQ(log.Text(), "");
}

// A configuration with one truststore for each of these bundles.
v1::TruststoreValidator Several(const std::vector<std::string>& bundles) {
  v1::TruststoreValidator config;
  config.set_domain("api.example.com");
  for (const std::string& pem : bundles) {
    auto* truststore = config.add_truststores();
    truststore->set_name(absl::StrCat("t", config.truststores_size()));
    truststore->set_version("7");
    truststore->set_inline_pem(pem);
  }
  return config;
}

TEST(Validator, NamesTheFirstTruststoreThatTrustsTheClient) {
  const TestPki& pki = Certificates();
  const auto validator = Make(Several(
      {pki.other_root.pem, pki.root.pem, pki.root.pem + pki.partner.pem}));
  auto state = Verify(*validator, {pki.client.der});
  EXPECT_EQ(state[std::string(kReasonKey)], "TRUSTED");
  EXPECT_EQ(state[std::string(kTruststoreKey)], "t2@7");
  state = Verify(*validator, {pki.partner.der});
  EXPECT_EQ(state[std::string(kReasonKey)], "TRUSTED");
  EXPECT_EQ(state[std::string(kTruststoreKey)], "t3@7");
  state = Verify(*validator, {pki.stranger.der});
  EXPECT_EQ(state[std::string(kReasonKey)], "UNTRUSTED_ISSUER");
}

TEST(Validator, GivesTheMostTellingOfSeveralRefusals) {
  const TestPki& pki = Certificates();
  const auto validator = Make(Several({pki.other_root.pem, pki.root.pem,
                                       pki.other_root.pem + pki.partner.pem}));
  const auto state =
      Verify(*validator, {pki.short_client.der}, TestNow() + absl::Hours(2));
  EXPECT_EQ(state.at(std::string(kReasonKey)), "EXPIRED");
  EXPECT_EQ(state.at(std::string(kTruststoreKey)), "t2@7");
}

TEST(Validator, LetsATruststoreHaveAPolicyOfItsOwn) {
  const auto root = pki::MakeTestCertificate(pki::TestCaSpec("R"),
                                             pki::TestKey::P256(), nullptr);
  const auto issuing = pki::MakeTestCertificate(pki::TestCaSpec("I"),
                                                pki::TestKey::P256(), &root);
  const auto client = pki::MakeTestCertificate(pki::TestLeafSpec("c"),
                                               pki::TestKey::P256(), &issuing);
  auto config = Several({issuing.pem});
  EXPECT_EQ(Verify(*Make(config), {client.der})[std::string(kReasonKey)],
            "INCOMPLETE_CHAIN");
  config.mutable_truststores(0)->set_chain_policy(v1::ANY_ANCHOR);
  EXPECT_EQ(Verify(*Make(config), {client.der})[std::string(kReasonKey)],
            "TRUSTED");
}

TEST(Validator, RefusesHandshakesOnlyInThatStyle) {
  const TestPki& pki = Certificates();
  auto config = Config();
  const std::vector<absl::string_view> stranger = {pki.stranger.der};
  const DomainTrust::Judge judge(DomainTrust::For(config.domain()));
  EXPECT_FALSE(Make(config)->Verify(stranger, TestNow()).refuse_handshake);
  config.set_rejection(v1::HANDSHAKE);
  const auto validator = Make(config);
  const auto outcome = validator->Verify(stranger, TestNow());
  EXPECT_TRUE(outcome.refuse_handshake);
  EXPECT_TRUE(absl::StartsWith(outcome.text, "UNTRUSTED_ISSUER: "))
      << outcome.text;
  const std::vector<absl::string_view> client = {pki.client.der};
  EXPECT_FALSE(validator->Verify(client, TestNow()).refuse_handshake);
}

TEST(Validator, AsksTheShadowAndDecidesWithoutIt) {
  const TestPki& pki = Certificates();
  auto config = Config();
  auto* shadow = config.mutable_shadow()->add_truststores();
  shadow->set_name("next");
  shadow->set_inline_pem(pki.partner.pem);
  const auto validator = Make(config);
  shim::LogCapture log;
  const std::vector<absl::string_view> client = {pki.client.der};
  EXPECT_TRUE(validator->Verify(client, TestNow()).trusted);
  const auto checked =
      FindChecked(validator->state()->id(), ChainDigest(client), TestNow());
  ASSERT_NE(checked, nullptr);
  EXPECT_EQ(checked->shadow, pki::Reason::kUntrustedIssuer);
  EXPECT_EQ(log.Count("shadow of api.example.com: client \"CN=client\""), 1)
      << log.Text();
  // The same answer is not news.
  const std::vector<absl::string_view> partner = {pki.partner.der};
  EXPECT_TRUE(validator->Verify(partner, TestNow()).trusted);
  EXPECT_EQ(log.Count("shadow of"), 1) << log.Text();
}

std::string ReasonOf(const Validator& validator,
                     const pki::TestCertificate& client) {
  return Verify(validator, {client.der})[std::string(kReasonKey)];
}

TEST(Validator, RefusesWhatARevocationListNames) {
  const TestPki& pki = Certificates();
  auto config = Config();
  auto* truststore = config.mutable_truststores(0);
  truststore->add_revocation_lists()->set_inline_pem(ListOf({}));
  EXPECT_EQ(ReasonOf(*Make(config), pki.client), "TRUSTED");
  truststore->add_revocation_lists()->set_inline_pem(
      ListOf({pki.client.spec.serial}, TestNow() - absl::Minutes(1)));
  const auto validator = Make(config);
  EXPECT_EQ(ReasonOf(*validator, pki.client), "REVOKED");
  EXPECT_EQ(ReasonOf(*validator, pki.partner), "TRUSTED");
}

TEST(Validator, RefusesWhatNoListCoversUnderHardFail) {
  const TestPki& pki = Certificates();
  const auto other = pki::MakeTestCertificate(pki::TestCaSpec("Elsewhere"),
                                              pki::TestKey::P256(), nullptr);
  auto config = Config();
  auto* truststore = config.mutable_truststores(0);
  truststore->add_revocation_lists()->set_inline_pem(
      MakeTestRevocationList({}, other).pem);
  EXPECT_EQ(ReasonOf(*Make(config), pki.client), "TRUSTED");
  truststore->set_revocation_rule(v1::HARD_FAIL);
  EXPECT_EQ(ReasonOf(*Make(config), pki.client), "REVOKED");
  truststore->add_revocation_lists()->set_inline_pem(ListOf({}));
  EXPECT_EQ(ReasonOf(*Make(config), pki.client), "TRUSTED");
}

TEST(Validator, FollowsItsListsAndItsDenyFile) {
  const TestPki& pki = Certificates();
  TempDir dir;
  Replace(dir / "crl.pem", ListOf({}));
  Replace(dir / "deny.json", "{}");
  auto config = Config();
  config.mutable_truststores(0)->add_revocation_lists()->set_file(dir /
                                                                  "crl.pem");
  config.mutable_deny()->set_file(dir / "deny.json");
  const auto validator = Make(config);
  const auto becomes = [&](const pki::TestCertificate& client,
                           const std::string& reason) {
    return WaitFor([&] { return ReasonOf(*validator, client) == reason; });
  };
  EXPECT_EQ(ReasonOf(*validator, pki.client), "TRUSTED");
  Replace(dir / "crl.pem", ListOf({pki.client.spec.serial}));
  EXPECT_TRUE(becomes(pki.client, "REVOKED"));
  Replace(dir / "crl.pem", ListOf({}));
  EXPECT_TRUE(becomes(pki.client, "TRUSTED"));

  const auto partner = *pki::Certificate::Parse(pki.partner.der);
  Replace(dir / "deny.json",
          absl::StrCat("{\"certificate_sha256\": [\"",
                       HexLower(pki::AsBytes(partner->fingerprint())), "\"]}"));
  EXPECT_TRUE(becomes(pki.partner, "REVOKED"));
  // A bad content changes nothing.
  shim::LogCapture log;
  for (const char* bad : {"", "[]", "{\"certificate_sha256\": [\"12\"]}",
                          "{\"file\": \"/x\"}", "{\"certificate_sha\": []}"}) {
    const int before = log.Count("last good one stays");
    Replace(dir / "deny.json", bad);
    EXPECT_TRUE(WaitFor([&] {
      return log.Count("last good one stays") > before;
    })) << bad;
    EXPECT_EQ(ReasonOf(*validator, pki.partner), "REVOKED") << bad;
  }
  Replace(dir / "deny.json", "{}");
  EXPECT_TRUE(becomes(pki.partner, "TRUSTED"));
}

TEST(Validator, KeepsItsLineageWhenListsChange) {
  auto config = Config();
  auto* list = config.mutable_truststores(0)->add_revocation_lists();
  list->set_inline_pem(ListOf({}));
  config.mutable_deny();
  const uint64_t lineage = Make(config)->state()->lineage();
  list->set_inline_pem(ListOf({77}));
  config.mutable_deny()->add_certificate_sha256(std::string(64, 'a'));
  EXPECT_EQ(Make(config)->state()->lineage(), lineage);
  // But not when the rule changes: another filter chain may be laxer.
  config.mutable_truststores(0)->set_revocation_rule(v1::HARD_FAIL);
  EXPECT_NE(Make(config)->state()->lineage(), lineage);
  config.mutable_truststores(0)->set_revocation_rule(v1::SOFT_FAIL);
  config.clear_deny();
  EXPECT_NE(Make(config)->state()->lineage(), lineage);
}

TEST(Validator, SaysWhatItTrusts) {
  auto config = Config();
  config.mutable_truststores(0)->add_revocation_lists()->set_inline_pem(
      ListOf({1, 2}));
  config.mutable_deny()->add_certificate_sha256(std::string(64, 'a'));
  *config.add_truststores() = Config().truststores(0);
  config.mutable_truststores(1)->set_name("others");
  config.mutable_truststores(1)->set_chain_policy(v1::ANY_ANCHOR);
  EXPECT_EQ(DescribeTrust(Make(config)->state()->active()),
            "partners@1 (2 certificates, complete-chain, revocation lists with "
            "2 entries), others@1 (2 certificates, any-anchor); denies 1 "
            "entry");
}

TEST(Validator, TellsAnUpdateFromFilterChainsThatDiffer) {
  const std::vector<absl::string_view> client = {Certificates().client.der};
  shim::LogCapture log;
  auto config = Config();
  const auto before = Make(config);
  config.mutable_deny();
  config.mutable_truststores(0)->set_chain_policy(v1::ANY_ANCHOR);
  const auto after = Make(config);
  EXPECT_EQ(log.Count("a new validator configuration (the deny list, the chain "
                      "policy of truststore partners)",
                      abi::LogLevel::kInfo),
            1)
      << log.Text();
  // A handshake that began before the update.
  before->Verify(client, TestNow());
  before->Verify(client, TestNow() + Validator::kUpdateTime - absl::Seconds(1));
  after->Verify(client, TestNow() + absl::Hours(1));
  EXPECT_EQ(log.Count("", abi::LogLevel::kWarning), 0) << log.Text();
  // The older one still gets connections.
  before->Verify(client, TestNow() + Validator::kUpdateTime);
  before->Verify(client, TestNow() + absl::Hours(1));
  EXPECT_EQ(log.Count("two validator configurations that both get connections "
                      "(the deny list, the chain policy of truststore "
                      "partners)",
                      abi::LogLevel::kWarning),
            1)
      << log.Text();
}

}  // namespace
}  // namespace sallyport::cert_validator
