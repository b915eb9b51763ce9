// The network filter's hooks as Envoy calls them, with the validator's beside
// them, because the two share the trust in force.

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "filters/abi/abi.h"
#include "filters/cert_validator/connection_record.h"
#include "filters/cert_validator/loaded_validator.h"
#include "filters/cert_validator/test_support.h"
#include "filters/mtls_tcp/filter.h"
#include "filters/shim/clock.h"
#include "filters/shim/fake_envoy.h"
#include "gtest/gtest.h"
#include "pki/testing/make_certificate.h"
#include "proto/sallyport/filter/v1/config.pb.h"

namespace sallyport::mtls_tcp {
namespace {

namespace v1 = ::sallyport::filter::v1;
using cert_validator::Certificates;
using cert_validator::LoadedValidator;
using cert_validator::WaitFor;
using shim::Envoy;
using shim::FakeConnection;
using shim::FakeHandshake;
using shim::FakeNetworkFilterConfig;
using shim::FakeTcpConnection;
using shim::LogCapture;

constexpr char kDomain[] = "db.example.com";

v1::MutualTlsTcp Config() {
  v1::MutualTlsTcp config;
  config.set_domain(kDomain);
  return config;
}

// The filter's configuration in Envoy's hands.
class LoadedFilter {
 public:
  explicit LoadedFilter(const v1::MutualTlsTcp& config,
                        absl::string_view name = "sallyport.mtls_tcp") {
    const std::string bytes = config.SerializeAsString();
    filter_ = envoy_dynamic_module_on_network_filter_config_new(
        envoy.config(), Envoy(name), Envoy(bytes));
    envoy.frozen = true;
  }
  ~LoadedFilter() {
    if (filter_ != nullptr) {
      envoy_dynamic_module_on_network_filter_config_destroy(filter_);
    }
  }
  LoadedFilter(const LoadedFilter&) = delete;
  const void* get() const { return filter_; }

  uint64_t Value(absl::string_view counter) const {
    return envoy.Value(absl::StrCat("mtls_tcp.", kDomain, ".", counter));
  }

  FakeNetworkFilterConfig envoy;

 private:
  const void* filter_;
};

// One connection and what Envoy does with it.
class Client {
 public:
  explicit Client(LoadedFilter& filter) : tcp(&filter.envoy, &connection) {
    instance_ =
        envoy_dynamic_module_on_network_filter_new(filter.get(), tcp.filter());
    EXPECT_NE(instance_, nullptr);
    tcp.on_close = [this] { Event(abi::ConnectionEvent::kLocalClose); };
  }
  ~Client() { Destroy(); }
  Client(const Client&) = delete;

  void Destroy() {
    if (instance_ == nullptr) return;
    envoy_dynamic_module_on_network_filter_destroy(instance_);
    instance_ = nullptr;
  }
  bool Accept() {
    return envoy_dynamic_module_on_network_filter_new_connection(
               tcp.filter(), instance_) == abi::NetworkStatus::kContinue;
  }
  void Event(abi::ConnectionEvent event) {
    envoy_dynamic_module_on_network_filter_event(tcp.filter(), instance_,
                                                 event);
  }
  void Connected() { Event(abi::ConnectionEvent::kConnected); }
  // Whether the data goes on.
  bool Read(bool end = false) {
    return envoy_dynamic_module_on_network_filter_read(tcp.filter(), instance_,
                                                       4, end) ==
           abi::NetworkStatus::kContinue;
  }
  bool Write() {
    return envoy_dynamic_module_on_network_filter_write(tcp.filter(), instance_,
                                                        4, false) ==
           abi::NetworkStatus::kContinue;
  }
  void Wake() {
    envoy_dynamic_module_on_network_filter_scheduled(tcp.filter(), instance_,
                                                     1);
  }
  // Waits until the watch has asked for it, and wakes the filter.
  void WakeWhenAsked() {
    std::vector<uint64_t> events;
    ASSERT_TRUE(WaitFor([&] {
      events = tcp.TakeScheduled();
      return !events.empty();
    }));
    Wake();
  }
  // Everything up to the handshake with `der` ("" for no certificate).
  void Arrive(const LoadedValidator& validator, const std::string& der) {
    EXPECT_FALSE(Accept());
    if (der.empty()) {
      connection.mtls = false;
    } else {
      validator.Handshake(connection, der);
    }
    Connected();
  }
  bool is_in() const { return tcp.proxy_began && !tcp.closed_with.has_value(); }
  std::string ended_by() const { return tcp.closed_with.value_or("(open)"); }

  FakeConnection connection;
  FakeTcpConnection tcp;

 private:
  const void* instance_;
};

class MtlsTcpHooks : public ::testing::Test {
 public:
  MtlsTcpHooks() : clock_(cert_validator::SharedFakeClock()) {
    shim::SetModuleClockForTest(&clock_);
  }
  ~MtlsTcpHooks() override { shim::SetModuleClockForTest(nullptr); }

 protected:
  FakeClock& clock_;
  const std::string root_ = Certificates().root.pem;
  const std::string client_ = Certificates().client.der;
  const std::string short_client_ = Certificates().short_client.der;
  const std::string stranger_ = Certificates().stranger.der;
};

TEST_F(MtlsTcpHooks, LetNothingGoOnBeforeTheHandshake) {
  const LoadedValidator validator(root_, kDomain);
  LoadedFilter filter(Config());
  Client client(filter);
  EXPECT_FALSE(client.Accept());
  EXPECT_FALSE(client.Read());
  EXPECT_FALSE(client.Write());
  EXPECT_FALSE(client.tcp.proxy_began);
  // Which it does not end: the handshake is still to come.
  EXPECT_EQ(client.ended_by(), "(open)");
  client.Event(abi::ConnectionEvent::kConnectedZeroRtt);
  EXPECT_FALSE(client.tcp.proxy_began);
}

TEST_F(MtlsTcpHooks, LetATrustedClientIn) {
  const LoadedValidator validator(root_, kDomain);
  LoadedFilter filter(Config());
  Client client(filter);
  client.Arrive(validator, client_);
  EXPECT_TRUE(client.is_in());
  EXPECT_TRUE(client.Read());
  EXPECT_TRUE(client.Write());
  EXPECT_EQ(client.tcp.proxied, "");
  EXPECT_EQ(filter.Value("allowed.TRUSTED"), 1u);
  EXPECT_EQ(filter.envoy.Total(), 1u);
}

TEST_F(MtlsTcpHooks, CloseTheConnectionOfAStranger) {
  const LoadedValidator validator(root_, kDomain);
  LoadedFilter filter(Config());
  Client client(filter);
  client.Arrive(validator, stranger_);
  EXPECT_EQ(client.ended_by(), "sallyport_denied{UNTRUSTED_ISSUER}");
  EXPECT_FALSE(client.tcp.proxy_began);
  EXPECT_FALSE(client.Read());
  EXPECT_FALSE(client.Write());
  EXPECT_EQ(filter.Value("denied.UNTRUSTED_ISSUER"), 1u);
  EXPECT_EQ(filter.envoy.Total(), 1u);
  // The operator learns who it was.
  EXPECT_EQ(client.tcp.metadata["sallyport:reason"], "UNTRUSTED_ISSUER");
  EXPECT_EQ(client.tcp.metadata["sallyport:subject"], "CN=stranger");
  EXPECT_NE(client.tcp.metadata["sallyport:detail"], "");
}

TEST_F(MtlsTcpHooks, CloseAConnectionWithoutACertificate) {
  const LoadedValidator validator(root_, kDomain);
  LoadedFilter filter(Config());
  Client client(filter);
  client.Arrive(validator, "");
  EXPECT_EQ(client.ended_by(), "sallyport_denied{NO_CERTIFICATE}");
  EXPECT_EQ(filter.Value("denied.NO_CERTIFICATE"), 1u);
  EXPECT_EQ(client.connection.filter_state["sallyport.reason"],
            "NO_CERTIFICATE");
}

TEST_F(MtlsTcpHooks, LetNobodyWithoutACertificatePassARule) {
  const LoadedValidator validator(root_, kDomain);
  auto config = Config();
  config.set_client_certificate(v1::OPTIONAL);
  config.mutable_allow()->mutable_subject()->add_attributes()->set_type("CN");
  config.mutable_allow()->mutable_subject()->mutable_attributes(0)->add_exact(
      "nobody");
  LoadedFilter filter(config);
  Client without(filter);
  without.Arrive(validator, "");
  EXPECT_EQ(without.ended_by(), "sallyport_denied{NO_CERTIFICATE}");
  Client with(filter);
  with.Arrive(validator, client_);
  EXPECT_EQ(with.ended_by(), "sallyport_denied{NOT_ALLOWED}");
}

TEST_F(MtlsTcpHooks, LetOneWithoutACertificateInWhereItIsOptional) {
  const LoadedValidator validator(root_, kDomain);
  auto config = Config();
  config.set_client_certificate(v1::OPTIONAL);
  LoadedFilter filter(config);
  Client client(filter);
  client.Arrive(validator, "");
  EXPECT_TRUE(client.is_in());
  EXPECT_EQ(filter.Value("allowed.NO_CERTIFICATE"), 1u);
  EXPECT_EQ(client.tcp.metadata["sallyport:reason"], "NO_CERTIFICATE");
  // One that has a certificate needs a good one.
  Client other(filter);
  other.Arrive(validator, stranger_);
  EXPECT_EQ(other.ended_by(), "sallyport_denied{UNTRUSTED_ISSUER}");
}

TEST_F(MtlsTcpHooks, CloseAResumedSession) {
  const LoadedValidator validator(root_, kDomain);
  for (const auto required : {v1::REQUIRED, v1::OPTIONAL}) {
    auto config = Config();
    config.set_client_certificate(required);
    LoadedFilter filter(config);
    Client client(filter);
    EXPECT_FALSE(client.Accept());
    client.connection.mtls = true;  // and no record
    client.Connected();
    EXPECT_EQ(client.ended_by(), "sallyport_denied{CONFIGURATION_MISSING}");
    EXPECT_EQ(filter.Value("resumed"), 1u);
    EXPECT_EQ(filter.Value("denied.CONFIGURATION_MISSING"), 1u);
    EXPECT_TRUE(
        absl::StrContains(client.tcp.metadata["sallyport:detail"], "resumed"));
  }
}

TEST_F(MtlsTcpHooks, CloseWhatCannotBeJudged) {
  const LoadedValidator validator(root_, kDomain);
  auto config = Config();
  config.set_client_certificate(v1::OPTIONAL);
  LoadedFilter filter(config);
  const auto expect_denied = [&](absl::string_view what, Client& client) {
    EXPECT_EQ(client.ended_by(), "sallyport_denied{CONFIGURATION_MISSING}")
        << what;
    EXPECT_FALSE(client.tcp.proxy_began) << what;
    EXPECT_EQ(client.tcp.metadata["sallyport:reason"], "CONFIGURATION_MISSING")
        << what;
  };
  {
    Client client(filter);
    client.tcp.is_ssl = false;
    EXPECT_FALSE(client.Accept());
    expect_denied("no TLS", client);
  }
  {
    Client client(filter);
    client.Accept();
    client.connection.mtls = absl::nullopt;
    client.Connected();
    expect_denied("Envoy does not know", client);
  }
  {
    Client client(filter);
    client.Accept();
    client.connection
        .filter_state[std::string(cert_validator::kConnectionKey)] = "garbage";
    client.Connected();
    expect_denied("an unreadable record", client);
  }
  {
    const LoadedValidator other(root_, "other.example.com");
    Client client(filter);
    client.Arrive(other, client_);
    expect_denied("another domain's record", client);
  }
}

TEST_F(MtlsTcpHooks, CloseAllWithoutATruststore) {
  auto config = Config();
  config.set_client_certificate(v1::OPTIONAL);
  LoadedFilter filter(config);
  FakeConnection kept;
  {
    const LoadedValidator validator(root_, kDomain);
    validator.Handshake(kept, client_);
  }
  Client client(filter);
  client.Accept();
  client.connection = kept;
  client.Connected();
  EXPECT_EQ(client.ended_by(), "sallyport_denied{CONFIGURATION_MISSING}");
  Client none(filter);
  none.Accept();
  none.connection.mtls = false;
  none.Connected();
  EXPECT_EQ(none.ended_by(), "sallyport_denied{CONFIGURATION_MISSING}");
}

TEST_F(MtlsTcpHooks, CloseWhenSomethingThrows) {
  const LoadedValidator validator(root_, kDomain);
  LoadedFilter filter(Config());
  const LogCapture log;
  {
    Client client(filter);
    client.tcp.throws = true;
    EXPECT_FALSE(client.Accept());
    EXPECT_EQ(client.ended_by(), "sallyport_denied{INTERNAL_ERROR}");
  }
  {
    Client client(filter);
    client.Accept();
    validator.Handshake(client.connection, client_);
    client.tcp.throws = true;
    client.Connected();
    EXPECT_EQ(client.ended_by(), "sallyport_denied{INTERNAL_ERROR}");
    EXPECT_FALSE(client.tcp.proxy_began);
  }
  {
    Client client(filter);
    client.Arrive(validator, short_client_);
    EXPECT_TRUE(client.is_in());
    client.tcp.throws = true;
    clock_.Advance(absl::Hours(2));
    EXPECT_FALSE(client.Read());
    EXPECT_EQ(client.ended_by(), "sallyport_denied{INTERNAL_ERROR}");
  }
  EXPECT_EQ(filter.Value("denied.INTERNAL_ERROR"), 2u);
  EXPECT_GE(log.Count("network_filter_", abi::LogLevel::kError), 1);
}

TEST_F(MtlsTcpHooks, CloseWhereNobodyCanBeWoken) {
  const LoadedValidator validator(root_, kDomain);
  LoadedFilter filter(Config());
  Client client(filter);
  client.tcp.has_no_worker = true;
  client.Arrive(validator, client_);
  EXPECT_EQ(client.ended_by(), "sallyport_denied{INTERNAL_ERROR}");
  EXPECT_FALSE(client.tcp.proxy_began);
}

TEST_F(MtlsTcpHooks, AnswerHooksWithoutObjectsByRefusing) {
  LoadedFilter filter(Config());
  FakeConnection connection;
  FakeTcpConnection tcp(&filter.envoy, &connection);
  EXPECT_EQ(envoy_dynamic_module_on_network_filter_new(nullptr, tcp.filter()),
            nullptr);
  EXPECT_EQ(envoy_dynamic_module_on_network_filter_new(filter.get(), nullptr),
            nullptr);
  EXPECT_EQ(envoy_dynamic_module_on_network_filter_new_connection(tcp.filter(),
                                                                  nullptr),
            abi::NetworkStatus::kStopIteration);
  EXPECT_EQ(tcp.closed_with, "sallyport_denied{INTERNAL_ERROR}");
  EXPECT_EQ(envoy_dynamic_module_on_network_filter_read(tcp.filter(), nullptr,
                                                        1, false),
            abi::NetworkStatus::kStopIteration);
  EXPECT_EQ(
      envoy_dynamic_module_on_network_filter_read(nullptr, nullptr, 1, false),
      abi::NetworkStatus::kStopIteration);
  EXPECT_EQ(envoy_dynamic_module_on_network_filter_write(tcp.filter(), nullptr,
                                                         1, false),
            abi::NetworkStatus::kStopIteration);
  envoy_dynamic_module_on_network_filter_event(
      nullptr, nullptr, abi::ConnectionEvent::kConnected);
  envoy_dynamic_module_on_network_filter_scheduled(nullptr, nullptr, 1);
  envoy_dynamic_module_on_network_filter_destroy(nullptr);
}

TEST_F(MtlsTcpHooks, SurviveEventsInAnyOrder) {
  const LoadedValidator validator(root_, kDomain);
  LoadedFilter filter(Config());
  {
    Client client(filter);  // never accepted, and gone
  }
  {
    Client client(filter);
    client.Event(abi::ConnectionEvent::kRemoteClose);
    client.Connected();  // too late
    EXPECT_FALSE(client.tcp.proxy_began);
    client.Wake();
    EXPECT_FALSE(client.Read());
  }
  {
    Client client(filter);
    client.Arrive(validator, client_);
    client.Connected();  // again
    EXPECT_EQ(filter.Value("allowed.TRUSTED"), 1u);
    client.Wake();  // for nothing
    EXPECT_TRUE(client.is_in());
    client.Event(abi::ConnectionEvent::kRemoteClose);
    client.Wake();
    client.Event(abi::ConnectionEvent::kLocalClose);
    EXPECT_FALSE(client.Read());
    client.Destroy();
    EXPECT_EQ(client.tcp.num_schedulers(), 0);
  }
  {
    // Without new_connection: the verdict still decides.
    Client client(filter);
    validator.Handshake(client.connection, stranger_);
    client.Connected();
    EXPECT_EQ(client.ended_by(), "sallyport_denied{UNTRUSTED_ISSUER}");
  }
}

TEST_F(MtlsTcpHooks, GoOnWhenTheProxyClosesAtOnce) {
  const LoadedValidator validator(root_, kDomain);
  auto config = Config();
  config.mutable_proxy_protocol();
  LoadedFilter filter(config);
  Client client(filter);
  // No healthy backend: tcp_proxy closes while it begins.
  client.tcp.on_proxy_begins = [&] {
    client.tcp.closed_with = "tcp_proxy";
    client.Event(abi::ConnectionEvent::kLocalClose);
  };
  client.Arrive(validator, client_);
  EXPECT_EQ(client.ended_by(), "tcp_proxy");
  EXPECT_FALSE(client.Read());
}

TEST_F(MtlsTcpHooks, ReadTheHandshakeWhereTheProxyDoesNotReadYet) {
  const LoadedValidator validator(root_, kDomain);
  LoadedFilter filter(Config());
  Client client(filter);
  client.tcp.ProxyDisablesReads();
  EXPECT_FALSE(client.Accept());
  EXPECT_TRUE(client.tcp.reads());
  validator.Handshake(client.connection, client_);
  bool read_when_it_began = true;
  client.tcp.on_proxy_begins = [&] { read_when_it_began = client.tcp.reads(); };
  client.Connected();
  EXPECT_TRUE(client.is_in());
  // The proxy finds things as it left them.
  EXPECT_FALSE(read_when_it_began);
  client.tcp.UpstreamConnects();
  EXPECT_TRUE(client.tcp.reads());
}

TEST_F(MtlsTcpHooks, CloseATrustedClientThatIsNotAllowed) {
  const LoadedValidator validator(
      absl::StrCat(root_, Certificates().partner.pem), kDomain);
  auto config = Config();
  config.mutable_allow()->mutable_issuer()->add_exact("CN=Root CA");
  config.mutable_proxy_protocol();
  LoadedFilter filter(config);
  Client client(filter);
  client.Arrive(validator, client_);
  EXPECT_TRUE(client.is_in());
  Client partner(filter);
  partner.Arrive(validator, Certificates().partner.der);
  EXPECT_EQ(partner.ended_by(), "sallyport_denied{NOT_ALLOWED}");
  EXPECT_FALSE(partner.tcp.proxy_began);
  EXPECT_EQ(filter.Value("denied.NOT_ALLOWED"), 1u);
  EXPECT_EQ(partner.tcp.metadata["sallyport:reason"], "NOT_ALLOWED");
  EXPECT_EQ(partner.tcp.metadata["sallyport:subject"], "CN=partner");
  // Who is not trusted stays that, whatever the rule says.
  Client stranger(filter);
  stranger.Arrive(validator, stranger_);
  EXPECT_EQ(stranger.ended_by(), "sallyport_denied{UNTRUSTED_ISSUER}");
}

// Identity.

TEST_F(MtlsTcpHooks, TellAccessLogsAndRbacWhoItIs) {
  auto spec = pki::TestLeafSpec("x");
  spec.subject = {{"O", "Customer, Inc"}, {"CN", "reporting"}};
  spec.serial = 0xabc;
  spec.alt_names =
      "URI:spiffe://example.org/reporting,DNS:a.example.org,DNS:b.example.org";
  const auto made = pki::MakeTestCertificate(spec, pki::TestKey::P256(),
                                             &Certificates().root);
  const LoadedValidator validator(root_, kDomain);
  LoadedFilter filter(Config());
  Client client(filter);
  client.Arrive(validator, made.der);
  EXPECT_TRUE(client.is_in());
  auto& metadata = client.tcp.metadata;
  EXPECT_EQ(metadata["sallyport:reason"], "TRUSTED");
  EXPECT_EQ(metadata.count("sallyport:detail"), 0u);
  EXPECT_EQ(metadata["sallyport:subject"], "CN=reporting,O=Customer\\, Inc");
  EXPECT_EQ(metadata["sallyport:issuer"], "CN=Root CA");
  EXPECT_EQ(metadata["sallyport:serial"], "0ABC");
  EXPECT_EQ(metadata["sallyport:fingerprint"].size(), 64u);
  EXPECT_EQ(metadata["sallyport:truststore"], "partners@1");
  EXPECT_EQ(metadata["sallyport:uri"], "spiffe://example.org/reporting");
  EXPECT_EQ(metadata["sallyport:dns"], "a.example.org,b.example.org");
  auto& state = client.connection.filter_state;
  EXPECT_EQ(state["sallyport.uri"], metadata["sallyport:uri"]);
  EXPECT_EQ(state["sallyport.dns"], metadata["sallyport:dns"]);
  EXPECT_EQ(state["sallyport.subject"], metadata["sallyport:subject"]);
  EXPECT_EQ(state.count("sallyport.proxy_protocol_ssl"), 0u);
}

TEST_F(MtlsTcpHooks, KeepNamesApartThatPretendToBeSeveral) {
  auto spec = pki::TestLeafSpec("x");
  // One name with a comma, one with a backslash.
  spec.extensions = {{"subjectAltName",
                      "DER:30:0e:86:05:61:3a:62:2c:63:86:05:61:3a:5c:78:32"}};
  const auto made = pki::MakeTestCertificate(spec, pki::TestKey::P256(),
                                             &Certificates().root);
  const LoadedValidator validator(root_, kDomain);
  LoadedFilter filter(Config());
  Client client(filter);
  client.Arrive(validator, made.der);
  ASSERT_TRUE(client.is_in()) << client.ended_by();
  EXPECT_EQ(client.tcp.metadata["sallyport:uri"], "a:b\\x2cc,a:\\x5cx2");
}

TEST_F(MtlsTcpHooks, CutNamesThatAreTooMany) {
  auto spec = pki::TestLeafSpec("x");
  for (int i = 0; i < 100; ++i) {
    absl::StrAppend(&spec.alt_names, i == 0 ? "" : ",",
                    "DNS:", std::string(60, 'a'), i, ".example.org");
  }
  const auto made = pki::MakeTestCertificate(spec, pki::TestKey::P256(),
                                             &Certificates().root);
  const LoadedValidator validator(root_, kDomain);
  LoadedFilter filter(Config());
  Client client(filter);
  client.Arrive(validator, made.der);
  EXPECT_TRUE(client.is_in());
  const std::string dns = client.tcp.metadata["sallyport:dns"];
  EXPECT_EQ(dns.size(), kMaxNamesBytes + 3);
  EXPECT_TRUE(absl::EndsWith(dns, "..."));
}

// The PROXY protocol.

TEST_F(MtlsTcpHooks, WriteAProxyProtocolHeaderBeforeAnythingElse) {
  const LoadedValidator validator(root_, kDomain);
  auto config = Config();
  config.mutable_proxy_protocol();
  LoadedFilter filter(config);
  Client client(filter);
  client.Arrive(validator, client_);
  EXPECT_TRUE(client.is_in());
  EXPECT_EQ(absl::BytesToHexString(client.tcp.proxied),
            "0d0a0d0a000d0a515549540a"
            "2111"
            "0038"
            "c0000207c00002019c401538"
            "02000e64622e6578616d706c652e636f6d"
            "200018"
            "07"
            "00000000"
            "210007544c5376312e33"
            "220006636c69656e74");
  // Once.
  EXPECT_TRUE(client.Read());
  EXPECT_EQ(client.tcp.proxied.size(), 16u + 0x38);
}

TEST_F(MtlsTcpHooks, PutTheCertificateIntoTheHeaderWhenAsked) {
  const LoadedValidator validator(root_, kDomain);
  auto config = Config();
  config.mutable_proxy_protocol()->set_client_certificate(true);
  LoadedFilter filter(config);
  Client client(filter);
  client.Arrive(validator, client_);
  EXPECT_TRUE(absl::StrContains(client.tcp.proxied, client_));
}

TEST_F(MtlsTcpHooks, SayInTheHeaderThatNothingWasVerified) {
  const LoadedValidator validator(root_, kDomain);
  auto config = Config();
  config.set_client_certificate(v1::OPTIONAL);
  config.mutable_proxy_protocol();
  LoadedFilter filter(config);
  Client client(filter);
  client.Arrive(validator, "");
  EXPECT_TRUE(absl::EndsWith(absl::BytesToHexString(client.tcp.proxied),
                             "20000f"
                             "01"
                             "00000001"
                             "210007544c5376312e33"));
}

TEST_F(MtlsTcpHooks, WriteNoHeaderForAStranger) {
  const LoadedValidator validator(root_, kDomain);
  auto config = Config();
  config.mutable_proxy_protocol();
  LoadedFilter filter(config);
  Client client(filter);
  client.Arrive(validator, stranger_);
  EXPECT_EQ(client.tcp.proxied, "");
  EXPECT_FALSE(client.tcp.proxy_began);
}

TEST_F(MtlsTcpHooks, RefuseAllWhereTheProxyWouldDropTheHeader) {
  const LoadedValidator validator(root_, kDomain);
  auto config = Config();
  config.mutable_proxy_protocol();
  LoadedFilter filter(config);
  const LogCapture log;
  for (int i = 0; i < 3; ++i) {
    Client client(filter);
    client.tcp.ProxyDisablesReads();
    client.Arrive(validator, client_);
    EXPECT_EQ(client.ended_by(), "sallyport_denied{CONFIGURATION_MISSING}");
    EXPECT_FALSE(client.tcp.proxy_began);
    EXPECT_TRUE(absl::StrContains(client.tcp.metadata["sallyport:detail"],
                                  "max_early_data_bytes"));
  }
  EXPECT_EQ(log.Count("max_early_data_bytes", abi::LogLevel::kError), 1);
}

TEST_F(MtlsTcpHooks, RefuseAllWhereAFilterInBetweenDropsTheHeader) {
  const LoadedValidator validator(root_, kDomain);
  auto config = Config();
  config.mutable_proxy_protocol();
  LoadedFilter filter(config);
  {
    Client client(filter);
    client.tcp.holds_back = true;
    client.Arrive(validator, client_);
    EXPECT_EQ(client.ended_by(), "sallyport_denied{CONFIGURATION_MISSING}");
    EXPECT_FALSE(client.tcp.proxy_began);
    EXPECT_FALSE(client.Read());
    EXPECT_TRUE(absl::StrContains(client.tcp.metadata["sallyport:detail"],
                                  "holds data back"));
  }
  {
    Client client(filter);
    client.tcp.has_request_id = true;
    client.Arrive(validator, client_);
    EXPECT_EQ(client.ended_by(), "sallyport_denied{CONFIGURATION_MISSING}");
    EXPECT_EQ(client.tcp.proxied, "");
  }
  EXPECT_EQ(filter.Value("denied.CONFIGURATION_MISSING"), 2u);
  EXPECT_EQ(filter.envoy.Total(), 2u);
}

TEST_F(MtlsTcpHooks, LeaveTheHeaderToEnvoyWhenAsked) {
  const LoadedValidator validator(root_, kDomain);
  auto config = Config();
  config.mutable_proxy_protocol()->set_carrier(
      v1::MutualTlsTcp::ProxyProtocol::FILTER_STATE);
  LoadedFilter filter(config);
  Client client(filter);
  client.tcp.ProxyDisablesReads();
  client.Arrive(validator, client_);
  EXPECT_TRUE(client.is_in());
  EXPECT_EQ(client.tcp.proxied, "");
  EXPECT_EQ(absl::BytesToHexString(
                client.connection.filter_state["sallyport.proxy_protocol_ssl"]),
            "0700000000210007544c5376312e33220006636c69656e74");
}

// Live trust.

TEST_F(MtlsTcpHooks, CloseWithinTheNextDataWhenTrustIsLost) {
  auto validator = std::make_unique<LoadedValidator>(root_, kDomain);
  LoadedFilter filter(Config());
  Client client(filter);
  client.Arrive(*validator, client_);
  EXPECT_TRUE(client.is_in());
  // A truststore update without the client's CA.
  const LoadedValidator fresh(Certificates().other_root.pem, kDomain);
  EXPECT_FALSE(client.Read());
  EXPECT_EQ(client.ended_by(), "sallyport_trust_lost{UNTRUSTED_ISSUER}");
  EXPECT_EQ(filter.Value("lost"), 1u);
  EXPECT_EQ(client.tcp.metadata["sallyport:reason"], "UNTRUSTED_ISSUER");
}

TEST_F(MtlsTcpHooks, CloseAnIdleConnectionWhenTrustIsLost) {
  auto validator = std::make_unique<LoadedValidator>(root_, kDomain);
  LoadedFilter filter(Config());
  Client client(filter);
  client.Arrive(*validator, client_);
  EXPECT_TRUE(client.is_in());
  EXPECT_TRUE(client.tcp.TakeScheduled().empty());
  const LoadedValidator fresh(Certificates().other_root.pem, kDomain);
  client.WakeWhenAsked();
  EXPECT_EQ(client.ended_by(), "sallyport_trust_lost{UNTRUSTED_ISSUER}");
}

TEST_F(MtlsTcpHooks, GoOnWhenAnUpdateStillTrustsTheClient) {
  auto validator = std::make_unique<LoadedValidator>(root_, kDomain);
  LoadedFilter filter(Config());
  Client client(filter);
  client.Arrive(*validator, client_);
  const LoadedValidator fresh(
      absl::StrCat(root_, Certificates().other_root.pem), kDomain);
  client.WakeWhenAsked();
  EXPECT_TRUE(client.is_in());
  EXPECT_TRUE(client.Read());
  // And the one after that is seen too.
  const LoadedValidator last(Certificates().other_root.pem, kDomain);
  client.WakeWhenAsked();
  EXPECT_EQ(client.ended_by(), "sallyport_trust_lost{UNTRUSTED_ISSUER}");
}

TEST_F(MtlsTcpHooks, CloseWhenTheCertificateExpires) {
  const LoadedValidator validator(root_, kDomain);
  LoadedFilter filter(Config());
  Client idle(filter);
  idle.Arrive(validator, short_client_);
  Client busy(filter);
  busy.Arrive(validator, short_client_);
  clock_.Advance(absl::Minutes(59));
  EXPECT_TRUE(busy.Read());
  clock_.Advance(absl::Minutes(2));
  EXPECT_FALSE(busy.Read());
  EXPECT_EQ(busy.ended_by(), "sallyport_trust_lost{EXPIRED}");
  idle.WakeWhenAsked();
  EXPECT_EQ(idle.ended_by(), "sallyport_trust_lost{EXPIRED}");
}

TEST_F(MtlsTcpHooks, LetStrangersThroughTlsOnlyToCloseTheirConnections) {
  const LoadedValidator validator(root_, kDomain);
  const auto passes_tls = [&] {
    FakeConnection connection;
    return validator.Verify(connection, stranger_) ==
           abi::ValidationStatus::kSuccessful;
  };
  EXPECT_FALSE(passes_tls());
  {
    const LoadedFilter filter(Config());
    EXPECT_TRUE(passes_tls());
  }
  EXPECT_FALSE(passes_tls());
}

TEST_F(MtlsTcpHooks, LetAConnectionEndLaterWhenToldTo) {
  auto validator = std::make_unique<LoadedValidator>(root_, kDomain);
  auto config = Config();
  config.mutable_end_after()->set_seconds(10);
  LoadedFilter filter(config);
  Client client(filter);
  client.Arrive(*validator, client_);
  const LoadedValidator fresh(Certificates().other_root.pem, kDomain);
  EXPECT_TRUE(client.Read());
  EXPECT_EQ(filter.Value("lost"), 1u);
  EXPECT_EQ(client.tcp.metadata["sallyport:reason"], "UNTRUSTED_ISSUER");
  clock_.Advance(absl::Seconds(9));
  EXPECT_TRUE(client.Read());
  EXPECT_TRUE(client.Write());
  clock_.Advance(absl::Seconds(1));
  client.WakeWhenAsked();
  EXPECT_EQ(client.ended_by(), "sallyport_trust_lost{UNTRUSTED_ISSUER}");
  EXPECT_EQ(filter.Value("lost"), 1u);
}

TEST_F(MtlsTcpHooks, KeepAConnectionThatIsTrustedAgainInTime) {
  auto validator = std::make_unique<LoadedValidator>(root_, kDomain);
  auto config = Config();
  config.mutable_end_after()->set_seconds(10);
  LoadedFilter filter(config);
  Client client(filter);
  client.Arrive(*validator, client_);
  {
    const LoadedValidator without(Certificates().other_root.pem, kDomain);
    EXPECT_TRUE(client.Read());
    EXPECT_EQ(filter.Value("lost"), 1u);
  }
  clock_.Advance(absl::Seconds(9));
  EXPECT_TRUE(client.Read());
  EXPECT_EQ(client.tcp.metadata["sallyport:reason"], "TRUSTED");
  clock_.Advance(absl::Seconds(9));
  EXPECT_TRUE(client.Read());
  EXPECT_TRUE(client.is_in());
  // Lost again, it has the whole time again.
  const LoadedValidator without(Certificates().other_root.pem, kDomain);
  EXPECT_TRUE(client.Read());
  EXPECT_EQ(filter.Value("lost"), 2u);
  clock_.Advance(absl::Seconds(11));
  EXPECT_FALSE(client.Read());
}

TEST_F(MtlsTcpHooks, LetAConnectionFinishWhenToldTo) {
  auto validator = std::make_unique<LoadedValidator>(root_, kDomain);
  auto config = Config();
  config.set_finish(true);
  LoadedFilter filter(config);
  Client client(filter);
  client.Arrive(*validator, short_client_);
  EXPECT_EQ(client.tcp.num_schedulers(), 0);
  const LoadedValidator fresh(Certificates().other_root.pem, kDomain);
  clock_.Advance(absl::Hours(2));
  EXPECT_TRUE(client.Read());
  EXPECT_TRUE(client.Write());
  // A new one does not get in.
  Client other(filter);
  other.Arrive(fresh, client_);
  EXPECT_EQ(other.ended_by(), "sallyport_denied{UNTRUSTED_ISSUER}");
}

TEST_F(MtlsTcpHooks, NoticeAChangeOfAnOlderConfigurationOfTheDomain) {
  // The connection comes in by one configuration; then another one of the
  // domain is loaded, and is in force; then the truststore of the first
  // changes. Both have to trust the client.
  const cert_validator::TempDir folder;
  cert_validator::WriteInPlace(folder / "a.pem", root_);
  v1::TruststoreValidator by_file = cert_validator::InlineConfig("");
  by_file.set_domain(kDomain);
  by_file.mutable_truststores(0)->set_file(folder / "a.pem");
  const LoadedValidator first(by_file);
  LoadedFilter filter(Config());
  Client client(filter);
  client.Arrive(first, client_);
  const LoadedValidator second(root_, kDomain);
  client.WakeWhenAsked();
  EXPECT_TRUE(client.is_in());
  cert_validator::Replace(folder / "a.pem", Certificates().other_root.pem);
  ASSERT_TRUE(WaitFor([&] {
    clock_.Advance(absl::Seconds(1));
    client.WakeWhenAsked();
    return !client.is_in();
  }));
  EXPECT_EQ(client.ended_by(), "sallyport_trust_lost{UNTRUSTED_ISSUER}");
}

TEST_F(MtlsTcpHooks, LeaveTheWorkerAloneWhenAConnectionIsGone) {
  auto validator = std::make_unique<LoadedValidator>(root_, kDomain);
  LoadedFilter filter(Config());
  Client gone(filter);
  gone.Arrive(*validator, client_);
  gone.Event(abi::ConnectionEvent::kRemoteClose);
  gone.Destroy();
  Client open(filter);
  open.Arrive(*validator, client_);
  const LoadedValidator fresh(Certificates().other_root.pem, kDomain);
  open.WakeWhenAsked();
  EXPECT_TRUE(gone.tcp.TakeScheduled().empty());
}

// Configuration.

TEST_F(MtlsTcpHooks, RefuseAConfigurationThatIsWrong) {
  const auto refused = [](const v1::MutualTlsTcp& config,
                          absl::string_view name = "sallyport.mtls_tcp") {
    const LogCapture log;
    const LoadedFilter filter(config, name);
    EXPECT_EQ(filter.get(), nullptr);
    return log.Text();
  };
  auto config = Config();
  config.clear_domain();
  EXPECT_TRUE(absl::StrContains(refused(config), "domain: "));
  config = Config();
  config.set_client_certificate(static_cast<v1::ClientCertificate>(9));
  EXPECT_TRUE(absl::StrContains(refused(config), "client_certificate: "));
  config = Config();
  config.mutable_proxy_protocol()->set_carrier(
      static_cast<v1::MutualTlsTcp::ProxyProtocol::Carrier>(9));
  EXPECT_TRUE(absl::StrContains(refused(config), "proxy_protocol.carrier: "));
  config = Config();
  config.mutable_allow()->mutable_san_dns();
  EXPECT_TRUE(absl::StrContains(refused(config), "allow.san_dns"));
  config = Config();
  config.mutable_end_after()->set_seconds(1);
  config.set_finish(true);
  EXPECT_TRUE(absl::StrContains(refused(config), "finish: "));
  for (const int64_t seconds :
       {int64_t{-1}, int64_t{86401}, int64_t{1} << 62}) {
    config = Config();
    config.mutable_end_after()->set_seconds(seconds);
    EXPECT_TRUE(absl::StrContains(refused(config), "end_after: ")) << seconds;
  }
  EXPECT_TRUE(absl::StrContains(refused(Config(), "sallyport.mtls"),
                                "use sallyport.mtls_tcp"));
}

TEST_F(MtlsTcpHooks, AcceptTheEdgesOfEndAfter) {
  for (const int seconds : {0, 86400}) {
    auto config = Config();
    config.mutable_end_after()->set_seconds(seconds);
    EXPECT_NE(LoadedFilter(config).get(), nullptr) << seconds;
  }
}

TEST_F(MtlsTcpHooks, RefuseAConfigurationWhoseCountersEnvoyRefuses) {
  const LogCapture log;
  FakeNetworkFilterConfig envoy;
  envoy.frozen = true;
  const std::string bytes = Config().SerializeAsString();
  EXPECT_EQ(envoy_dynamic_module_on_network_filter_config_new(
                envoy.config(), Envoy("sallyport.mtls_tcp"), Envoy(bytes)),
            nullptr);
  EXPECT_EQ(log.Count("did not define the counter"), 1);
}

}  // namespace
}  // namespace sallyport::mtls_tcp
