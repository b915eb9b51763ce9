// The validator's hooks as Envoy calls them, in every order it may.

#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/string_view.h"
#include "base/clock.h"
#include "filters/abi/abi.h"
#include "filters/cert_validator/connection_record.h"
#include "filters/cert_validator/test_support.h"
#include "filters/cert_validator/trust_state.h"
#include "filters/cert_validator/validator.h"
#include "filters/shim/clock.h"
#include "filters/shim/fake_envoy.h"
#include "google/protobuf/util/json_util.h"
#include "gtest/gtest.h"
#include "pki/x509/certificate.h"
#include "proto/sallyport/filter/v1/config.pb.h"

namespace sallyport::cert_validator {
namespace {

using shim::Envoy;
using shim::FakeConnection;
using shim::FakeHandshake;
using shim::LogCapture;

constexpr char kName[] = "sallyport.truststore";

// A validator in Envoy's hands.
class Loaded {
 public:
  explicit Loaded(const std::string& config, absl::string_view name = kName)
      : validator_(envoy_dynamic_module_on_cert_validator_config_new(
            nullptr, Envoy(name), Envoy(config))) {}
  Loaded(Loaded&& other) noexcept
      : validator_(std::exchange(other.validator_, nullptr)) {}
  // Envoy destroys nothing that was refused.
  ~Loaded() {
    if (validator_ != nullptr) {
      envoy_dynamic_module_on_cert_validator_config_destroy(validator_);
    }
  }
  const void* get() const { return validator_; }
  explicit operator bool() const { return validator_ != nullptr; }

 private:
  const void* validator_;
};

abi::ValidationResult Verify(const void* validator, FakeHandshake& handshake,
                             const std::vector<std::string>& chain,
                             bool is_server = true) {
  std::vector<abi::EnvoyBuffer> buffers;
  buffers.reserve(chain.size());
  for (const std::string& der : chain) buffers.push_back(Envoy(der));
  return envoy_dynamic_module_on_cert_validator_do_verify_cert_chain(
      handshake.call(), validator, buffers.data(), buffers.size(),
      Envoy("api.example.com"), is_server);
}

class ValidatorHooks : public ::testing::Test {
 public:
  ValidatorHooks() : clock_(pki::TestNow()) {
    shim::SetModuleClockForTest(&clock_);
  }
  ~ValidatorHooks() override { shim::SetModuleClockForTest(nullptr); }

 protected:
  static std::string Binary() {
    return InlineConfig(Certificates().root.pem + Certificates().partner.pem)
        .SerializeAsString();
  }

  FakeClock clock_;
  FakeConnection connection_;
};

TEST_F(ValidatorHooks, LoadTheBinaryFormAndJson) {
  EXPECT_TRUE(Loaded(Binary()));
  std::string json;
  ASSERT_TRUE(google::protobuf::util::MessageToJsonString(
                  InlineConfig(Certificates().root.pem), &json)
                  .ok());
  EXPECT_TRUE(Loaded(json));
}

TEST_F(ValidatorHooks, RefuseABadConfigurationAndLogWhere) {
  LogCapture log;
  EXPECT_FALSE(Loaded("{\"domain\": \"a\", \"truststore\": []}"));
  EXPECT_EQ(log.Count("truststore", abi::LogLevel::kError), 1) << log.Text();
  EXPECT_FALSE(Loaded("{\"domain\": \"a\"}"));
  EXPECT_EQ(log.Count("truststores: has 0", abi::LogLevel::kError), 1);
  EXPECT_FALSE(Loaded(Binary(), "sallyport.other"));
  EXPECT_EQ(log.Count("validator_name", abi::LogLevel::kError), 1);
  EXPECT_FALSE(Loaded(""));
}

TEST_F(ValidatorHooks, NeverLogAKeyThatWasPutIntoTheWrongPlace) {
  LogCapture log;
  const std::string key = Certificates().root.key.Pem();
  auto config = InlineConfig(key);
  EXPECT_FALSE(Loaded(config.SerializeAsString()));
  config.mutable_truststores(0)->set_file(key);
  EXPECT_FALSE(Loaded(config.SerializeAsString()));
  config = InlineConfig(Certificates().root.pem);
  config.set_domain(key);
  EXPECT_FALSE(Loaded(config.SerializeAsString()));
  config.set_domain("a");
  config.mutable_truststores(0)->set_name(key);
  EXPECT_FALSE(Loaded(config.SerializeAsString()));
  EXPECT_EQ(log.Count(key.substr(30, 30)), 0) << log.Text();
  EXPECT_EQ(log.Count("refused"), 4);
}

TEST_F(ValidatorHooks, LetTheHandshakeOfATrustedClientGoOn) {
  const Loaded validator(Binary());
  FakeHandshake handshake(&connection_);
  const auto result =
      Verify(validator.get(), handshake, {Certificates().client.der});
  EXPECT_EQ(result.status, abi::ValidationStatus::kSuccessful);
  EXPECT_EQ(result.detailed_status, abi::ClientValidation::kValidated);
  EXPECT_FALSE(result.has_tls_alert);
  EXPECT_EQ(connection_.filter_state["sallyport.reason"], "TRUSTED");
  ConnectionRecord record;
  EXPECT_TRUE(
      DecodeRecord(connection_.filter_state["sallyport.connection"], record));
  // An empty detail is left out rather than set.
  EXPECT_EQ(connection_.filter_state.count("sallyport.detail"), 0u);
}

// A filter of the domain, as far as the validator sees it.
class Judge {
 public:
  explicit Judge(absl::string_view domain = "api.example.com")
      : judge_(DomainTrust::For(domain)) {}

 private:
  const DomainTrust::Judge judge_;
};

TEST_F(ValidatorHooks, LetTheHandshakeOfAnUntrustedClientGoOnWithItsVerdict) {
  const Judge judge;
  const Loaded validator(Binary());
  FakeHandshake handshake(&connection_);
  const auto result =
      Verify(validator.get(), handshake, {Certificates().stranger.der});
  EXPECT_EQ(result.status, abi::ValidationStatus::kSuccessful);
  EXPECT_EQ(result.detailed_status, abi::ClientValidation::kNotValidated);
  EXPECT_EQ(connection_.filter_state["sallyport.reason"], "UNTRUSTED_ISSUER");
}

TEST_F(ValidatorHooks, RefuseUntrustedClientsWhileNoFilterWouldRefuseThem) {
  constexpr uint8_t kUnknownCa = 48;
  const Loaded validator(Binary());
  const auto verify = [&](const std::string& der) {
    FakeConnection connection;
    FakeHandshake handshake(&connection);
    const auto result = Verify(validator.get(), handshake, {der});
    if (result.status == abi::ValidationStatus::kFailed) {
      EXPECT_EQ(result.detailed_status, abi::ClientValidation::kFailed);
      EXPECT_TRUE(result.has_tls_alert);
      EXPECT_EQ(result.tls_alert, kUnknownCa);
      EXPECT_TRUE(absl::StartsWith(handshake.error_details,
                                   "sallyport: UNTRUSTED_ISSUER: "));
      EXPECT_TRUE(absl::StrContains(handshake.error_details,
                                    "no filter sallyport.mtls"));
      // The listener's access log still says who it was.
      EXPECT_EQ(connection.filter_state["sallyport.subject"], "CN=stranger");
    }
    return result.status == abi::ValidationStatus::kSuccessful;
  };
  const std::string& stranger = Certificates().stranger.der;
  LogCapture log;
  constexpr char kWarning[] = "refused in TLS, because no filter";
  EXPECT_FALSE(verify(stranger));
  EXPECT_FALSE(verify(stranger));
  EXPECT_TRUE(verify(Certificates().client.der));
  // Not once for each of them.
  EXPECT_EQ(log.Count(kWarning, abi::LogLevel::kWarning), 1) << log.Text();
  {
    const Judge judge;
    EXPECT_TRUE(verify(stranger));
    auto second = std::make_unique<Judge>();
    second.reset();
    EXPECT_TRUE(verify(stranger));
  }
  const Judge of_another("other.example.com");
  EXPECT_FALSE(verify(stranger));
  EXPECT_EQ(log.Count(kWarning), 1);
  clock_.Advance(Validator::kWarnEvery);
  EXPECT_FALSE(verify(stranger));
  EXPECT_EQ(log.Count(kWarning), 2);
}

TEST_F(ValidatorHooks, RefuseEverybodyWhenNeitherTrustNorFilterIsThere) {
  // The registry has nothing for the domain: without a filter nobody would
  // answer 403, in the style HANDSHAKE neither.
  for (const auto style :
       {filter::v1::FORBIDDEN, filter::v1::HANDSHAKE, filter::v1::PASS}) {
    filter::v1::TruststoreValidator config;
    config.set_domain("api.example.com");
    config.set_from_registry(true);
    config.set_rejection(style);
    const Loaded validator(config.SerializeAsString());
    const auto verify = [&] {
      FakeConnection connection;
      FakeHandshake handshake(&connection);
      return Verify(validator.get(), handshake, {Certificates().client.der})
          .status;
    };
    EXPECT_EQ(verify(), abi::ValidationStatus::kFailed);
    const Judge judge;
    EXPECT_EQ(verify(), abi::ValidationStatus::kSuccessful);
  }
}

TEST_F(ValidatorHooks, RefuseChainsThatAreTooLargeToBeKept) {
  const Judge judge;
  auto config = InlineConfig(Certificates().root.pem);
  config.mutable_limits()->set_max_client_certificates(40);
  const Loaded validator(Binary()), larger(config.SerializeAsString());
  const auto verify = [&](const Loaded& by, size_t certificates,
                          const std::string& other) {
    FakeConnection connection;
    FakeHandshake handshake(&connection);
    std::vector<std::string> chain(certificates, other);
    chain.front() = Certificates().client.der;
    const auto result = Verify(by.get(), handshake, chain);
    EXPECT_EQ(connection.filter_state["sallyport.reason"],
              by.get() == larger.get() && certificates <= 40
                  ? "TRUSTED"
                  : "LIMIT_EXCEEDED");
    return result.status == abi::ValidationStatus::kSuccessful;
  };
  const std::string& small = Certificates().stranger.der;
  constexpr size_t kMost = Validator::kMaxKeptCertificates;
  EXPECT_TRUE(verify(validator, kMost, small));
  EXPECT_FALSE(verify(validator, kMost + 1, small));
  const size_t left =
      Validator::kMaxKeptBytes - Certificates().client.der.size();
  EXPECT_TRUE(verify(validator, 2, std::string(left, 'x')));
  EXPECT_FALSE(verify(validator, 2, std::string(left + 1, 'x')));
  // Within the domain's own limits there is no other.
  EXPECT_TRUE(verify(larger, 40, small));
  EXPECT_FALSE(verify(larger, 41, small));
}

TEST_F(ValidatorHooks, RejectTheHandshakeWhenTheVerdictCannotBeLeft) {
  const Loaded validator(Binary());
  FakeHandshake handshake(nullptr);
  const auto result =
      Verify(validator.get(), handshake, {Certificates().client.der});
  EXPECT_EQ(result.status, abi::ValidationStatus::kFailed);
  EXPECT_TRUE(result.has_tls_alert);
  EXPECT_NE(handshake.error_details, "");
}

TEST_F(ValidatorHooks, RejectTheHandshakeOnAnException) {
  LogCapture log;
  const Loaded validator(Binary());
  FakeHandshake handshake(&connection_);
  handshake.throws = true;
  const auto result =
      Verify(validator.get(), handshake, {Certificates().client.der});
  EXPECT_EQ(result.status, abi::ValidationStatus::kFailed);
  EXPECT_EQ(result.detailed_status, abi::ClientValidation::kFailed);
  EXPECT_TRUE(result.has_tls_alert);
  EXPECT_EQ(log.Count("do_verify_cert_chain", abi::LogLevel::kError), 1);
  EXPECT_TRUE(connection_.filter_state.empty());
}

TEST_F(ValidatorHooks, RejectTheHandshakeWithoutACertificate) {
  const Loaded validator(Binary());
  FakeHandshake handshake(&connection_);
  EXPECT_EQ(Verify(validator.get(), handshake, {}).status,
            abi::ValidationStatus::kFailed);
  EXPECT_EQ(
      envoy_dynamic_module_on_cert_validator_do_verify_cert_chain(
          handshake.call(), validator.get(), nullptr, 3, {nullptr, 0}, true)
          .status,
      abi::ValidationStatus::kFailed);
}

TEST_F(ValidatorHooks, RefuseToJudgeServers) {
  const Loaded validator(Binary());
  FakeHandshake handshake(&connection_);
  EXPECT_EQ(Verify(validator.get(), handshake, {Certificates().client.der},
                   /*is_server=*/false)
                .status,
            abi::ValidationStatus::kFailed);
}

TEST_F(ValidatorHooks, RejectTheHandshakeWithoutAConfiguration) {
  FakeHandshake handshake(&connection_);
  EXPECT_EQ(Verify(nullptr, handshake, {Certificates().client.der}).status,
            abi::ValidationStatus::kFailed);
  EXPECT_EQ(envoy_dynamic_module_on_cert_validator_do_verify_cert_chain(
                nullptr, nullptr, nullptr, 0, {nullptr, 0}, true)
                .status,
            abi::ValidationStatus::kFailed);
  envoy_dynamic_module_on_cert_validator_config_destroy(nullptr);
}

TEST_F(ValidatorHooks, AlwaysInstallTheVerification) {
  const Loaded validator(Binary());
  for (const bool provided : {false, true}) {
    EXPECT_NE(envoy_dynamic_module_on_cert_validator_get_ssl_verify_mode(
                  validator.get(), provided),
              0);
    EXPECT_NE(envoy_dynamic_module_on_cert_validator_get_ssl_verify_mode(
                  nullptr, provided),
              0);
  }
}

TEST_F(ValidatorHooks, GiveADigestThatDependsOnTheConfiguration) {
  const auto digest = [](const Loaded& validator) {
    abi::ModuleBuffer out{nullptr, 0};
    envoy_dynamic_module_on_cert_validator_update_digest(validator.get(), &out);
    return std::string(out.ptr, out.length);
  };
  const Loaded one(Binary()), same(Binary());
  auto config = InlineConfig(Certificates().root.pem);
  const Loaded other(config.SerializeAsString());
  EXPECT_EQ(digest(one).size(), 32u);
  EXPECT_EQ(digest(one), digest(same));
  EXPECT_NE(digest(one), digest(other));
  abi::ModuleBuffer out{nullptr, 7};
  envoy_dynamic_module_on_cert_validator_update_digest(nullptr, &out);
  EXPECT_EQ(out.length, 0u);
  envoy_dynamic_module_on_cert_validator_update_digest(one.get(), nullptr);
}

TEST_F(ValidatorHooks, KeepTheNewConfigurationWhenTheOldOneIsDestroyedLate) {
  auto config = InlineConfig(Certificates().root.pem);
  auto old_one = std::make_unique<Loaded>(config.SerializeAsString());
  config.mutable_truststores(0)->set_version("2");
  const Loaded new_one(config.SerializeAsString());
  const auto domain = DomainTrust::For("api.example.com");
  EXPECT_EQ(domain->current()->LabelText(), "partners@2");
  std::thread([&] { old_one.reset(); }).join();
  EXPECT_EQ(domain->current()->LabelText(), "partners@2");
}

TEST_F(ValidatorHooks, KeepTheLastGoodConfigurationWhenANewOneIsRefused) {
  const Loaded good(Binary());
  LogCapture log;
  auto config = InlineConfig("nothing");
  EXPECT_FALSE(Loaded(config.SerializeAsString()));
  EXPECT_EQ(DomainTrust::For("api.example.com")->current()->LabelText(),
            "partners@1");
}

TEST_F(ValidatorHooks, ServeManyWorkersAtOnce) {
  const Judge judge;
  const Loaded validator(Binary());
  std::vector<std::thread> workers;
  workers.reserve(4);
  for (int w = 0; w < 4; ++w) {
    workers.emplace_back([&, w] {
      for (int i = 0; i < 100; ++i) {
        FakeConnection connection;
        FakeHandshake handshake(&connection);
        const bool trusted = (i + w) % 2 == 0;
        const auto result = Verify(validator.get(), handshake,
                                   {trusted ? Certificates().client.der
                                            : Certificates().stranger.der});
        EXPECT_EQ(result.status, abi::ValidationStatus::kSuccessful);
        EXPECT_EQ(connection.filter_state["sallyport.subject"],
                  trusted ? "CN=client" : "CN=stranger");
        EXPECT_EQ(connection.filter_state["sallyport.reason"],
                  trusted ? "TRUSTED" : "UNTRUSTED_ISSUER");
      }
    });
  }
  for (auto& worker : workers) worker.join();
}

TEST_F(ValidatorHooks, KeepEntriesOfTheRegistry) {
  filter::v1::RegistryEntry truststore;
  truststore.mutable_truststore()->set_name("partners");
  truststore.mutable_truststore()->set_version("7");
  truststore.mutable_truststore()->set_active(true);
  const std::string pem = Certificates().root.pem;
  truststore.mutable_truststore()->mutable_pem()->add_pieces(pem);
  truststore.mutable_truststore()->mutable_pem()->set_sha256(
      std::string(pki::AsBytes(pki::Sha256(pem))));
  const std::string truststore_bytes = truststore.SerializeAsString();
  constexpr char kRegistry[] = "sallyport.registry";
  LogCapture log;
  const Loaded loaded(truststore_bytes, kRegistry);
  ASSERT_TRUE(loaded);
  EXPECT_EQ(log.Count("registry: loaded truststore partners@7, 1 certificates"),
            1)
      << log.Text();

  // It serves nobody.
  FakeHandshake handshake(&connection_);
  const auto result =
      Verify(loaded.get(), handshake, {Certificates().client.der});
  EXPECT_EQ(result.status, abi::ValidationStatus::kFailed);
  EXPECT_TRUE(connection_.filter_state.empty());
  EXPECT_EQ(handshake.error_details,
            "sallyport: sallyport.registry serves no connection");

  // A bad one is refused by name, and changes nothing.
  truststore.mutable_truststore()->set_version("8");
  truststore.mutable_truststore()->mutable_pem()->set_pieces(0, "no PEM");
  const std::string bad = truststore.SerializeAsString();
  EXPECT_FALSE(Loaded(bad, kRegistry));
  EXPECT_EQ(log.Count("sallyport.registry: truststore partners@8 refused: "
                      "truststore.pem.sha256: ",
                      abi::LogLevel::kError),
            1)
      << log.Text();
  EXPECT_FALSE(Loaded("\x01", kRegistry));
  EXPECT_FALSE(Loaded("", kRegistry));

  const auto json =
      R"({"binding": {"domain": "api.example.com", "truststores": [{"name": "partners"}]}})";
  const Loaded binding(json, kRegistry);
  ASSERT_TRUE(binding);
  EXPECT_EQ(DomainTrust::For("api.example.com")->current()->LabelText(),
            "partners@7");
}

}  // namespace
}  // namespace sallyport::cert_validator
