// The HTTP filter's hooks as Envoy calls them, with the validator's beside
// them, because the two share the trust in force.

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "filters/abi/abi.h"
#include "filters/cert_validator/checked_chain.h"
#include "filters/cert_validator/request_record.h"
#include "filters/cert_validator/test_support.h"
#include "filters/mtls_http/hooks_test_support.h"
#include "filters/shim/clock.h"
#include "filters/shim/fake_envoy.h"
#include "gtest/gtest.h"
#include "pki/x509/certificate.h"
#include "proto/sallyport/filter/v1/config.pb.h"

namespace sallyport::mtls_http {
namespace {

TEST_F(MtlsHooks, LetATrustedClientThroughAndTellTheBackend) {
  const LoadedValidator validator(Trusting(root_));
  LoadedFilter filter(Config());
  FakeConnection connection;
  validator.Handshake(connection, client_);
  FakeStream stream(&filter.envoy, &connection);
  stream.request_headers = Headers();
  EXPECT_TRUE(Request(filter, stream));
  ASSERT_EQ(stream.Values("client-cert").size(), 1u);
  EXPECT_TRUE(absl::StartsWith(stream.Values("client-cert")[0], ":MII"));
  EXPECT_EQ(filter.Decisions("allowed", "TRUSTED"), 1u);
  // The handshake's filter state says so already.
  EXPECT_EQ(stream.metadata.count("sallyport:reason"), 0u);
}

TEST_F(MtlsHooks, CountTrustedRequestsShortlyAfter) {
  const LoadedValidator validator(Trusting(root_));
  LoadedFilter filter(Config());
  FakeConnection connection;
  validator.Handshake(connection, client_);
  constexpr uint64_t kRequests = 100;
  for (uint64_t i = 0; i < kRequests; ++i) {
    EXPECT_EQ(Answer(filter, connection), "");
  }
  // Not one by one: a wake of Envoy's main thread for what is there by then.
  std::vector<uint64_t> events;
  while ((events = filter.envoy.TakeEvents()).empty()) {
    absl::SleepFor(absl::Milliseconds(1));
  }
  EXPECT_EQ(events.size(), 1u);
  EXPECT_EQ(filter.Decisions("allowed", "TRUSTED"), kRequests);
}

TEST_F(MtlsHooks, CountWhatIsLeftWhenEnvoyGivesTheConfigurationBack) {
  const LoadedValidator validator(Trusting(root_));
  FakeHttpFilterConfig envoy;
  const std::string bytes = Config().SerializeAsString();
  const void* config = envoy_dynamic_module_on_http_filter_config_new(
      envoy.config(), Envoy("sallyport.mtls"), Envoy(bytes));
  ASSERT_NE(config, nullptr);
  FakeConnection connection;
  validator.Handshake(connection, client_);
  {
    FakeStream stream(&envoy, &connection);
    stream.request_headers = Headers();
    const void* instance =
        envoy_dynamic_module_on_http_filter_new(config, stream.filter());
    EXPECT_EQ(envoy_dynamic_module_on_http_filter_request_headers(
                  stream.filter(), instance, true),
              abi::HeadersStatus::kContinue);
    envoy_dynamic_module_on_http_filter_destroy(instance);
  }
  envoy_dynamic_module_on_http_filter_config_destroy(config);
  EXPECT_EQ(envoy.Value("decisions", {"api.example.com", "allowed", "TRUSTED"}),
            1u);
}

TEST_F(MtlsHooks, ForwardNothingWhenNothingIsAsked) {
  const LoadedValidator validator(Trusting(root_));
  auto config = Config();
  config.clear_forwarding();
  LoadedFilter filter(config);
  FakeConnection connection;
  validator.Handshake(connection, client_);
  FakeStream stream(&filter.envoy, &connection);
  stream.request_headers = Headers();
  EXPECT_TRUE(Request(filter, stream));
  EXPECT_EQ(stream.request_headers, Headers());
}

TEST_F(MtlsHooks, AnswerAnUntrustedClientAsApiGatewayDoes) {
  const LoadedValidator validator(Trusting(root_));
  LoadedFilter filter(Config());
  FakeConnection connection;
  validator.Handshake(connection, stranger_);
  FakeStream stream(&filter.envoy, &connection);
  stream.request_headers = Headers();
  EXPECT_FALSE(Request(filter, stream));
  EXPECT_EQ(stream.response->status, 403u);
  EXPECT_EQ(stream.response->body, "{\"message\":\"Forbidden\"}");
  EXPECT_EQ(stream.response->headers,
            (FakeStream::Headers{{"content-type", "application/json"},
                                 {"x-amzn-errortype", "ForbiddenException"}}));
  EXPECT_EQ(stream.response->details, "sallyport_denied{UNTRUSTED_ISSUER}");
  EXPECT_EQ(filter.Decisions("denied", "UNTRUSTED_ISSUER"), 1u);
  EXPECT_EQ(stream.metadata["sallyport:reason"], "UNTRUSTED_ISSUER");
  EXPECT_NE(stream.metadata["sallyport:detail"], "");
}

TEST_F(MtlsHooks, AnswerAGrpcClientWithPermissionDenied) {
  const LoadedValidator validator(Trusting(root_));
  LoadedFilter filter(Config());
  FakeConnection connection;
  validator.Handshake(connection, stranger_);
  for (const char* type : {"application/grpc", "application/grpc+proto"}) {
    FakeStream stream(&filter.envoy, &connection);
    stream.request_headers =
        Headers("api.example.com", {{"content-type", type}});
    EXPECT_FALSE(Request(filter, stream));
    EXPECT_EQ(stream.response->status, 403u);
    EXPECT_EQ(stream.response->headers,
              (FakeStream::Headers{{"grpc-status", "7"}}));
    EXPECT_EQ(stream.response->body, "Forbidden");
  }
  FakeStream stream(&filter.envoy, &connection);
  stream.request_headers =
      Headers("api.example.com", {{"content-type", "application/grpc-web"}});
  EXPECT_FALSE(Request(filter, stream));
  EXPECT_EQ(stream.response->body, "{\"message\":\"Forbidden\"}");
}

TEST_F(MtlsHooks, TellTheClientNothingOfTheReason) {
  const LoadedValidator validator(Trusting(root_));
  LoadedFilter filter(Config());
  std::vector<std::pair<FakeStream::Headers, std::string>> answers;
  for (const std::string& der : {stranger_, std::string("garbage")}) {
    FakeConnection connection;
    validator.Handshake(connection, der);
    FakeStream stream(&filter.envoy, &connection);
    stream.request_headers = Headers();
    EXPECT_FALSE(Request(filter, stream));
    answers.emplace_back(stream.response->headers, stream.response->body);
  }
  FakeConnection nobody;
  nobody.mtls = false;
  FakeStream stream(&filter.envoy, &nobody);
  stream.request_headers = Headers();
  EXPECT_FALSE(Request(filter, stream));
  answers.emplace_back(stream.response->headers, stream.response->body);
  for (const auto& answer : answers) EXPECT_EQ(answer, answers[0]);
}

TEST_F(MtlsHooks, RemoveWhatClientsClaim) {
  const LoadedValidator validator(Trusting(root_));
  auto config = Config();
  config.clear_forwarding();
  config.mutable_forwarding()->add_remove_headers("x-my-cert");
  LoadedFilter filter(config);
  FakeConnection connection;
  validator.Handshake(connection, client_);
  FakeStream stream(&filter.envoy, &connection);
  stream.request_headers =
      Headers("api.example.com", {{"x-forwarded-client-cert", "forged"},
                                  {"client-cert", ":forged:"},
                                  {"client-cert", ":again:"},
                                  {"client_cert", ":forged:"},
                                  {"x-amzn-mtls-clientcert-subject", "CN=x"},
                                  {"ssl-client-verify", "SUCCESS"},
                                  {"x-my-cert", "forged"},
                                  {"x_my_cert", "forged"},
                                  {"accept", "*/*"}});
  EXPECT_TRUE(Request(filter, stream));
  EXPECT_EQ(stream.request_headers,
            Headers("api.example.com", {{"accept", "*/*"}}));
}

TEST_F(MtlsHooks, LetNoClientNameIdentityHeadersInConnection) {
  const LoadedValidator validator(Trusting(root_));
  LoadedFilter filter(Config());
  FakeConnection connection;
  validator.Handshake(connection, client_);
  FakeStream stream(&filter.envoy, &connection);
  stream.request_headers = Headers(
      "api.example.com", {{"connection", "Upgrade, client-cert"},
                          {"connection", "Client_Cert-Chain ,keep-alive"},
                          {"upgrade", "websocket"}});
  EXPECT_TRUE(Request(filter, stream));
  EXPECT_EQ(stream.Values("connection"),
            std::vector<std::string>{"Upgrade, keep-alive"});
  FakeStream only(&filter.envoy, &connection);
  only.request_headers =
      Headers("api.example.com", {{"connection", "x-forwarded-client-cert"}});
  EXPECT_TRUE(Request(filter, only));
  EXPECT_FALSE(only.Has("connection"));
}

TEST_F(MtlsHooks, ReplaceAForgedHeaderByTheTrueOne) {
  const LoadedValidator validator(Trusting(root_));
  LoadedFilter filter(Config());
  FakeConnection connection;
  validator.Handshake(connection, client_);
  FakeStream stream(&filter.envoy, &connection);
  stream.request_headers =
      Headers("api.example.com",
              {{"client-cert", ":forged:"}, {"client-cert-chain", ":forged:"}});
  EXPECT_TRUE(Request(filter, stream));
  ASSERT_EQ(stream.Values("client-cert").size(), 1u);
  EXPECT_NE(stream.Values("client-cert")[0], ":forged:");
  EXPECT_FALSE(stream.Has("client-cert-chain"));
}

TEST_F(MtlsHooks, RemoveClaimsFromTrailersToo) {
  const LoadedValidator validator(Trusting(root_));
  LoadedFilter filter(Config());
  FakeConnection connection;
  validator.Handshake(connection, client_);
  FakeStream stream(&filter.envoy, &connection);
  stream.request_trailers = {{"client-cert", "forged"}, {"checksum", "1"}};
  const void* instance =
      envoy_dynamic_module_on_http_filter_new(filter.get(), stream.filter());
  EXPECT_EQ(envoy_dynamic_module_on_http_filter_request_trailers(
                stream.filter(), instance),
            abi::TrailersStatus::kContinue);
  EXPECT_EQ(stream.request_trailers, (FakeStream::Headers{{"checksum", "1"}}));
  // What cannot be cleaned does not go on.
  stream.fails_get_headers = true;
  EXPECT_EQ(envoy_dynamic_module_on_http_filter_request_trailers(
                stream.filter(), instance),
            abi::TrailersStatus::kStopIteration);
  envoy_dynamic_module_on_http_filter_destroy(instance);
}

TEST_F(MtlsHooks, RefuseAnotherHostBeforeAnythingElse) {
  const LoadedValidator validator(Trusting(root_));
  LoadedFilter filter(Config());
  FakeConnection trusted, untrusted;
  validator.Handshake(trusted, client_);
  validator.Handshake(untrusted, stranger_);
  for (FakeConnection* connection : {&trusted, &untrusted}) {
    for (const char* host : {"other.example.com", "example.com",
                             "x.api.example.com", "", "(none)"}) {
      FakeStream stream(&filter.envoy, connection);
      stream.request_headers = Headers(host, {{"client-cert", ":forged:"}});
      EXPECT_FALSE(Request(filter, stream)) << host;
      EXPECT_EQ(stream.response->status, 421u) << host;
      EXPECT_EQ(stream.response->body, "{\"message\":\"Misdirected Request\"}");
      EXPECT_EQ(stream.response->details, "sallyport_misdirected");
      const absl::string_view told =
          absl::string_view(host) == "(none)" ? "" : host;
      EXPECT_EQ(stream.metadata["sallyport:detail"],
                absl::StrCat("Host \"", told, "\" is not api.example.com"));
      EXPECT_FALSE(stream.Has("client-cert"));
    }
  }
  EXPECT_EQ(filter.envoy.Value("misdirected", {"api.example.com"}), 10u);
  EXPECT_EQ(filter.Decisions("denied", "UNTRUSTED_ISSUER"), 0u);
  for (const char* host :
       {"API.example.com", "api.example.com:443", "api.example.com."}) {
    EXPECT_EQ(Answer(filter, trusted, host), "") << host;
  }
}

TEST_F(MtlsHooks, TellOfAnotherHostInPrintableTextThatEnds) {
  const LoadedValidator validator(Trusting(root_));
  LoadedFilter filter(Config());
  FakeConnection connection;
  validator.Handshake(connection, client_);
  FakeStream stream(&filter.envoy, &connection);
  stream.request_headers =
      Headers(absl::StrCat("a\n\x1b", std::string(5000, 'x')));
  EXPECT_FALSE(Request(filter, stream));
  const std::string& detail = stream.metadata["sallyport:detail"];
  EXPECT_TRUE(absl::StartsWith(detail, "Host \"a\\x0a\\x1bxxx")) << detail;
  EXPECT_LT(detail.size(), 320u);
}

// A certificate for servers only, under EKU_WARN.
TEST_F(MtlsHooks, TellOfAnExtendedKeyUsageThatIsOnlyWarnedOf) {
  auto spec = pki::TestLeafSpec("server");
  spec.extended_key_usage = "serverAuth";
  const pki::TestCertificate server = pki::MakeTestCertificate(
      spec, pki::TestKey::P256(), &Certificates().root);
  auto trust = Trusting(root_);
  trust.set_extended_key_usage(v1::EKU_WARN);
  const LoadedValidator validator(trust);
  LoadedFilter filter(Config());
  const auto count = [&filter] {
    filter.CountGathered();
    return filter.envoy.Value("extended_key_usage_warnings",
                              {"api.example.com"});
  };
  FakeConnection usual;
  validator.Handshake(usual, client_);
  FakeStream quiet(&filter.envoy, &usual);
  quiet.request_headers = Headers();
  EXPECT_TRUE(Request(filter, quiet));
  EXPECT_EQ(quiet.metadata.count("sallyport:detail"), 0u);
  EXPECT_EQ(count(), 0u);

  constexpr char kWarning[] =
      "a certificate of the chain has an extended key usage without client "
      "authentication (EKU_WARN)";
  FakeConnection connection;
  validator.Handshake(connection, server.der);
  EXPECT_EQ(connection.filter_state["sallyport.detail"], kWarning);
  FakeConnection resumed = Resumed(server);
  for (FakeConnection* of : {&connection, &resumed}) {
    FakeStream stream(&filter.envoy, of);
    stream.request_headers =
        Headers("api.example.com", {{"x-forwarded-client-cert", Xfcc(server)}});
    EXPECT_TRUE(Request(filter, stream));
    EXPECT_EQ(stream.metadata["sallyport:detail"], kWarning);
  }
  EXPECT_EQ(count(), 2u);
  EXPECT_EQ(filter.Decisions("allowed", "TRUSTED"), 3u);

  // Without forwarding, the handshake's verdict does.
  v1::MutualTls bare;
  bare.set_domain("api.example.com");
  LoadedFilter other(bare);
  FakeStream stream(&other.envoy, &connection);
  stream.request_headers = Headers();
  EXPECT_TRUE(Request(other, stream));
  EXPECT_EQ(stream.metadata["sallyport:detail"], kWarning);
}

TEST_F(MtlsHooks, CountUpdatesOfFilesThatAreRefused) {
  cert_validator::TempDir dir;
  cert_validator::Replace(dir / "t.pem", root_);
  auto config = Trusting("");
  config.mutable_truststores(0)->set_file(dir / "t.pem");
  const LoadedValidator validator(config);
  LoadedFilter filter(Config());
  cert_validator::Replace(dir / "t.pem", root_ + Certificates().root.key.Pem());
  EXPECT_TRUE(cert_validator::WaitFor(
      [&] { return !filter.envoy.TakeEvents().empty(); }));
  filter.CountGathered();
  EXPECT_EQ(filter.envoy.Value("updates_refused", {"truststore", "content"}),
            1u);
}

TEST_F(MtlsHooks, LetNoWildcardServeADomainOfItsOwn) {
  auto wildcard = Trusting(root_);
  wildcard.set_domain("*.example.com");
  const LoadedValidator validator(wildcard);
  auto config = Config();
  config.set_domain("*.example.com");
  LoadedFilter filter(config);
  FakeConnection connection;
  validator.Handshake(connection, client_);
  EXPECT_EQ(Answer(filter, connection, "api.example.com"), "");
  {
    const LoadedValidator own(Trusting(Certificates().partner.pem));
    for (const char* host : {"api.example.com", "API.Example.com.:443"}) {
      EXPECT_EQ(Answer(filter, connection, host), "sallyport_misdirected");
    }
    EXPECT_EQ(Answer(filter, connection, "other.example.com"), "");
  }
  EXPECT_EQ(Answer(filter, connection, "api.example.com"), "");
}

TEST_F(MtlsHooks, LetAWildcardServeADomainThatIsWithdrawn) {
  auto wildcard = Trusting(root_);
  wildcard.set_domain("*.example.com");
  const LoadedValidator validator(wildcard);
  auto config = Config();
  config.set_domain("*.example.com");
  LoadedFilter filter(config);
  // The chain of the deleted domain is there until it is drained.
  const LoadedValidator own_validator(Trusting(root_));
  LoadedFilter own(Config());
  FakeConnection connection, own_connection;
  validator.Handshake(connection, client_);
  own_validator.Handshake(own_connection, client_);
  EXPECT_EQ(Answer(filter, connection, "api.example.com"),
            "sallyport_misdirected");
  EXPECT_EQ(Answer(own, own_connection), "");

  {
    const void* const route = LoadWithdrawn("API.example.com");
    ASSERT_NE(route, nullptr);
    const absl::Cleanup end = [route] {
      envoy_dynamic_module_on_http_filter_per_route_config_destroy(route);
    };
    EXPECT_EQ(Answer(filter, connection, "api.example.com"), "");
    // Who came for it gets nothing any more, whatever the Host.
    for (const char* host : {"api.example.com", "other.example.com"}) {
      FakeStream stream(&own.envoy, &own_connection);
      stream.request_headers = Headers(host);
      stream.route_config = route;
      EXPECT_FALSE(Request(own, stream)) << host;
      EXPECT_EQ(stream.response->status, 421u);
      EXPECT_EQ(stream.metadata["sallyport:detail"],
                "api.example.com is not served any more");
    }
  }
  // It is back.
  EXPECT_EQ(Answer(filter, connection, "api.example.com"),
            "sallyport_misdirected");
  EXPECT_EQ(Answer(own, own_connection), "");
}

// Two filter chains of one domain that trust different clients.
TEST_F(MtlsHooks, NeverLetAnotherFilterChainsTrustWidenAConnections) {
  auto strict_config = Trusting(root_);
  strict_config.mutable_truststores(0)->set_name("strict");
  auto lax_config = Trusting(root_ + Certificates().partner.pem);
  lax_config.mutable_truststores(0)->set_name("lax");
  const LoadedValidator strict(strict_config);
  LoadedFilter filter(Config());
  LogCapture log;
  const LoadedValidator lax(lax_config);
  EXPECT_EQ(log.Count("a new validator configuration (which truststores, or "
                      "their order)"),
            1);
  FakeConnection client, partner, partner_of_lax;
  strict.Handshake(client, client_);
  strict.Handshake(partner, Certificates().partner.der);
  lax.Handshake(partner_of_lax, Certificates().partner.der);
  EXPECT_EQ(Answer(filter, client), "");
  EXPECT_EQ(Answer(filter, partner), "sallyport_denied{UNTRUSTED_ISSUER}");
  EXPECT_EQ(Answer(filter, partner_of_lax), "");
  // By now it is no update.
  constexpr char kWarning[] =
      "Give all filter chains of the domain the same validator configuration";
  EXPECT_EQ(log.Count(kWarning), 0);
  clock_.Advance(absl::Minutes(1));
  FakeConnection later;
  strict.Handshake(later, client_);
  EXPECT_EQ(log.Count(kWarning), 1) << log.Text();
}

TEST_F(MtlsHooks, RefuseAConnectionThatWasAuthenticatedForAnotherDomain) {
  auto other = Trusting(root_);
  other.set_domain("other.example.com");
  const LoadedValidator validator(Trusting(root_)), stranger(other);
  LoadedFilter filter(Config());
  FakeConnection connection;
  stranger.Handshake(connection, client_);
  EXPECT_EQ(Answer(filter, connection),
            "sallyport_denied{CONFIGURATION_MISSING}");
}

TEST_F(MtlsHooks, RefuseAClientWithoutACertificateUnlessItIsOptional) {
  const LoadedValidator validator(Trusting(root_));
  FakeConnection connection;
  connection.mtls = false;
  LoadedFilter required(Config());
  EXPECT_EQ(Answer(required, connection), "sallyport_denied{NO_CERTIFICATE}");
  auto config = Config();
  config.set_client_certificate(v1::OPTIONAL);
  LoadedFilter optional(config);
  FakeStream stream(&optional.envoy, &connection);
  stream.request_headers =
      Headers("api.example.com", {{"client-cert", ":forged:"}});
  EXPECT_TRUE(Request(optional, stream));
  EXPECT_EQ(
      stream.request_headers,
      Headers("api.example.com", {{"x-sallyport-verdict", "NO_CERTIFICATE"}}));
  EXPECT_EQ(optional.Decisions("allowed", "NO_CERTIFICATE"), 1u);
}

TEST_F(MtlsHooks, RefuseAnUntrustedClientAlsoWhereACertificateIsOptional) {
  const LoadedValidator validator(Trusting(root_));
  auto config = Config();
  config.set_client_certificate(v1::OPTIONAL);
  LoadedFilter filter(config);
  FakeConnection connection;
  validator.Handshake(connection, stranger_);
  EXPECT_EQ(Answer(filter, connection), "sallyport_denied{UNTRUSTED_ISSUER}");
}

TEST_F(MtlsHooks, RefuseAResumedConnection) {
  const LoadedValidator validator(Trusting(root_));
  auto config = Config();
  config.set_client_certificate(v1::OPTIONAL);
  LoadedFilter filter(config);
  LogCapture log;
  FakeConnection connection;
  connection.mtls = true;  // and no filter state
  EXPECT_EQ(Answer(filter, connection),
            "sallyport_denied{CONFIGURATION_MISSING}");
  EXPECT_EQ(log.Count("resumed"), 1) << log.Text();
}

TEST_F(MtlsHooks, RefuseWhatCannotBeTold) {
  const LoadedValidator validator(Trusting(root_));
  auto config = Config();
  config.set_client_certificate(v1::OPTIONAL);
  LoadedFilter filter(config);
  FakeConnection unknown;
  unknown.mtls = absl::nullopt;
  EXPECT_EQ(Answer(filter, unknown), "sallyport_denied{CONFIGURATION_MISSING}");
  FakeConnection garbled;
  garbled.filter_state["sallyport.connection"] = "garbage";
  EXPECT_EQ(Answer(filter, garbled), "sallyport_denied{CONFIGURATION_MISSING}");
  FakeConnection empty;
  empty.filter_state["sallyport.connection"] = "";
  EXPECT_EQ(Answer(filter, empty), "sallyport_denied{CONFIGURATION_MISSING}");
}

TEST_F(MtlsHooks, NeedNoTrustWhereNoCertificateIsAskedFor) {
  auto config = Config();
  config.clear_forwarding();
  config.set_client_certificate(v1::NOT_ASKED);
  LoadedFilter filter(config);
  FakeConnection connection;
  connection.mtls = false;
  FakeStream stream(&filter.envoy, &connection);
  stream.request_headers =
      Headers("api.example.com", {{"client-cert", ":forged:"}});
  EXPECT_TRUE(Request(filter, stream));
  EXPECT_EQ(stream.request_headers, Headers("api.example.com"));
  EXPECT_EQ(Answer(filter, connection, "other.example.com"),
            "sallyport_misdirected");
  config.set_rejection(v1::PASS);
  EXPECT_EQ(LoadedFilter(config).get(), nullptr);
  config.clear_rejection();
  config.mutable_forwarding()->mutable_xfcc();
  EXPECT_EQ(LoadedFilter(config).get(), nullptr);
}

TEST_F(MtlsHooks, RefuseWhoSentACertificateWhereNoneIsAskedFor) {
  auto config = Config();
  config.clear_forwarding();
  config.set_client_certificate(v1::NOT_ASKED);
  LoadedFilter filter(config);
  // A validator is in the filter chain after all. It lets nobody through TLS
  // for a filter that refuses nobody.
  const LoadedValidator validator(Trusting(root_));
  FakeConnection untrusted, client, resumed;
  EXPECT_EQ(validator.Verify(untrusted, stranger_),
            abi::ValidationStatus::kFailed);
  validator.Handshake(client, client_);
  for (FakeConnection* connection : {&client, &resumed}) {
    FakeStream stream(&filter.envoy, connection);
    stream.request_headers = Headers();
    EXPECT_FALSE(Request(filter, stream));
    ASSERT_TRUE(stream.response.has_value());
    EXPECT_EQ(stream.response->status, 403u);
    EXPECT_EQ(stream.response->details,
              "sallyport_denied{CONFIGURATION_MISSING}");
    EXPECT_NE(stream.metadata["sallyport:detail"].find("NOT_ASKED"),
              std::string::npos);
  }
}

TEST_F(MtlsHooks, LetStrangersThroughTlsOnlyToRefuseTheirRequests) {
  const LoadedValidator validator(Trusting(root_));
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
  auto refused = Config();
  refused.set_rejection(static_cast<v1::RejectionStyle>(99));
  EXPECT_EQ(LoadedFilter(refused).get(), nullptr);
  auto other = Config();
  other.set_domain("other.example.com");
  const LoadedFilter elsewhere(other);
  EXPECT_FALSE(passes_tls());
}

TEST_F(MtlsHooks, LetNoClientNameAnotherHost) {
  const LoadedValidator validator(Trusting(root_));
  LoadedFilter filter(Config());
  FakeConnection connection;
  validator.Handshake(connection, client_);
  FakeStream stream(&filter.envoy, &connection);
  stream.request_headers =
      Headers("api.example.com", {{"x-forwarded-host", "b.example.com"},
                                  {"x_forwarded_host", "b.example.com"},
                                  {"forwarded", "for=1.2.3.4;host=b"},
                                  {"x-host", "b"},
                                  {"x-original-host", "b"},
                                  {"x-envoy-original-host", "b"},
                                  {"x-forwarded-for", "1.2.3.4"}});
  EXPECT_TRUE(Request(filter, stream));
  EXPECT_FALSE(stream.Has("x-forwarded-host"));
  EXPECT_FALSE(stream.Has("x_forwarded_host"));
  EXPECT_FALSE(stream.Has("forwarded"));
  EXPECT_FALSE(stream.Has("x-host"));
  EXPECT_FALSE(stream.Has("x-original-host"));
  EXPECT_FALSE(stream.Has("x-envoy-original-host"));
  EXPECT_TRUE(stream.Has("x-forwarded-for"));
  EXPECT_EQ(stream.route_clears, 1);
}

TEST_F(MtlsHooks, LetOnlyATrustedProxyNameAnotherHost) {
  const LoadedValidator validator(Trusting(root_ + Certificates().partner.pem));
  auto config = Config();
  config.mutable_forwarding()->mutable_xfcc();
  config.mutable_forwarding()
      ->mutable_trusted_proxy()
      ->mutable_certificate_sha256()
      ->add_sha256(Digest(Certificates().partner.der));
  LoadedFilter filter(config);
  config.mutable_forwarding()->add_remove_headers("x-host");
  LoadedFilter listed(config);
  FakeConnection proxy, client;
  validator.Handshake(proxy, Certificates().partner.der);
  validator.Handshake(client, client_);
  const auto told = [&](LoadedFilter& by, FakeConnection& connection,
                        const char* name) {
    FakeStream stream(&by.envoy, &connection);
    stream.request_headers = Headers("api.example.com", {{name, "public"}});
    stream.request_trailers = {{name, "public"}};
    EXPECT_TRUE(Request(by, stream));
    return stream.Has(name);
  };
  EXPECT_TRUE(told(filter, proxy, "x-forwarded-host"));
  EXPECT_TRUE(told(filter, proxy, "x-host"));
  EXPECT_FALSE(told(filter, client, "x-forwarded-host"));
  // What the operator lists goes, whoever sends it.
  EXPECT_FALSE(told(listed, proxy, "x-host"));
  EXPECT_TRUE(told(listed, proxy, "x-forwarded-host"));
}

// An entry of the module's registry in Envoy's hands.
class LoadedEntry {
 public:
  explicit LoadedEntry(const v1::RegistryEntry& config) {
    const std::string bytes = config.SerializeAsString();
    entry_ = envoy_dynamic_module_on_cert_validator_config_new(
        nullptr, Envoy("sallyport.registry"), Envoy(bytes));
    EXPECT_NE(entry_, nullptr);
  }
  ~LoadedEntry() {
    envoy_dynamic_module_on_cert_validator_config_destroy(entry_);
  }
  LoadedEntry(const LoadedEntry&) = delete;

 private:
  const void* entry_ = nullptr;
};

v1::RegistryEntry TruststoreEntry(const std::string& pem) {
  v1::RegistryEntry config;
  config.mutable_truststore()->set_name("partners");
  config.mutable_truststore()->set_active(true);
  config.mutable_truststore()->mutable_pem()->add_pieces(pem);
  config.mutable_truststore()->mutable_pem()->set_sha256(
      std::string(pki::AsBytes(pki::Sha256(pem))));
  return config;
}

v1::RegistryEntry BindingEntry() {
  v1::RegistryEntry config;
  config.mutable_binding()->set_domain("api.example.com");
  config.mutable_binding()->add_truststores()->set_name("partners");
  return config;
}

TEST_F(MtlsHooks, Answer403InEveryStyleWhatTheRegistryLacks) {
  for (const v1::RejectionStyle style :
       {v1::FORBIDDEN, v1::HANDSHAKE, v1::BAD_REQUEST, v1::PASS}) {
    for (const v1::ClientCertificate need : {v1::REQUIRED, v1::OPTIONAL}) {
      v1::TruststoreValidator trust;
      trust.set_domain("api.example.com");
      trust.set_from_registry(true);
      trust.set_rejection(style);
      const LoadedValidator validator(trust);
      auto config = Config();
      config.set_rejection(style);
      config.set_client_certificate(need);
      LoadedFilter filter(config);
      FakeConnection client, resumed, nobody;
      validator.Handshake(client, client_);
      nobody.mtls = false;
      for (FakeConnection* connection : {&client, &resumed, &nobody}) {
        FakeStream stream(&filter.envoy, connection);
        stream.request_headers = Headers();
        EXPECT_FALSE(Request(filter, stream));
        ASSERT_TRUE(stream.response.has_value());
        EXPECT_EQ(stream.response->status, 403u);
        EXPECT_EQ(stream.response->details,
                  "sallyport_denied{CONFIGURATION_MISSING}");
      }
      // It comes while the connection is open.
      const LoadedEntry binding(BindingEntry());
      EXPECT_EQ(Answer(filter, client),
                "sallyport_denied{CONFIGURATION_MISSING}");
      const LoadedEntry truststore(TruststoreEntry(root_));
      EXPECT_EQ(Answer(filter, client), "");
    }
  }
}

TEST_F(MtlsHooks, RefuseEverybodyWithoutATruststore) {
  auto config = Config();
  config.set_client_certificate(v1::OPTIONAL);
  LoadedFilter filter(config);
  FakeConnection connection;
  {
    const LoadedValidator validator(Trusting(root_));
    validator.Handshake(connection, client_);
    EXPECT_EQ(Answer(filter, connection), "");
  }
  EXPECT_EQ(Answer(filter, connection),
            "sallyport_denied{CONFIGURATION_MISSING}");
  FakeConnection nobody;
  nobody.mtls = false;
  EXPECT_EQ(Answer(filter, nobody), "sallyport_denied{CONFIGURATION_MISSING}");
}

TEST_F(MtlsHooks, NoticeOnAnOpenConnectionThatTheCertificateExpires) {
  const LoadedValidator validator(Trusting(root_));
  for (const bool forwards : {true, false}) {
    clock_.Set(pki::TestNow());
    auto config = Config();
    if (!forwards) config.clear_forwarding();
    LoadedFilter filter(config);
    FakeConnection connection;
    validator.Handshake(connection, Certificates().short_client.der);
    EXPECT_EQ(Answer(filter, connection), "");
    clock_.Advance(absl::Hours(1));
    EXPECT_EQ(Answer(filter, connection), "");  // the last second counts
    clock_.Advance(absl::Seconds(1));
    EXPECT_EQ(Answer(filter, connection), "sallyport_denied{EXPIRED}");
    clock_.Set(pki::TestNow());
    EXPECT_EQ(Answer(filter, connection), "");
  }
}

TEST_F(MtlsHooks, LetAClientInWhoseCertificateBecomesValidOnAnOpenConnection) {
  const LoadedValidator validator(Trusting(root_));
  LoadedFilter filter(Config());
  auto spec = pki::TestLeafSpec("early");
  spec.not_before = pki::TestNow() + absl::Minutes(5);
  const auto early = pki::MakeTestCertificate(spec, pki::TestKey::P256(),
                                              &Certificates().root);
  FakeConnection connection;
  validator.Handshake(connection, early.der);
  EXPECT_EQ(Answer(filter, connection), "sallyport_denied{NOT_YET_VALID}");
  clock_.Advance(absl::Minutes(5));
  EXPECT_EQ(Answer(filter, connection), "");
}

TEST_F(MtlsHooks, FollowTheTruststoreOnAnOpenConnection) {
  for (const bool forwards : {true, false}) {
    auto config = Config();
    if (!forwards) config.clear_forwarding();
    LoadedFilter filter(config);
    FakeConnection trusted_first, untrusted_first;
    const LoadedValidator old_one(Trusting(root_));
    old_one.Handshake(trusted_first, client_);
    old_one.Handshake(untrusted_first, Certificates().partner.der);
    EXPECT_EQ(Answer(filter, trusted_first), "");
    EXPECT_NE(Answer(filter, untrusted_first), "");
    {
      const LoadedValidator new_one(Trusting(Certificates().partner.pem));
      EXPECT_EQ(Answer(filter, trusted_first),
                "sallyport_denied{UNTRUSTED_ISSUER}");
      EXPECT_EQ(Answer(filter, untrusted_first), "");
      EXPECT_EQ(filter.Decisions("denied", "UNTRUSTED_ISSUER"), 2u);
    }
    // Envoy withdrew the new one.
    EXPECT_EQ(Answer(filter, trusted_first), "");
  }
}

TEST_F(MtlsHooks, NameTheTruststoreThatVouchesNowAfterAnUpdate) {
  LoadedFilter filter(Config());
  FakeConnection connection;
  const LoadedValidator old_one(Trusting(root_));
  old_one.Handshake(connection, client_);
  const auto named = [&] {
    FakeStream stream(&filter.envoy, &connection);
    stream.request_headers = Headers();
    EXPECT_TRUE(Request(filter, stream));
    return absl::StrCat(stream.metadata["sallyport:reason"], " ",
                        stream.metadata["sallyport:truststore"]);
  };
  EXPECT_EQ(named(), " ");  // the handshake's, in the filter state
  auto config = Trusting(root_);
  config.mutable_truststores(0)->set_version("next");
  const LoadedValidator new_one(config);
  EXPECT_EQ(named(), "TRUSTED " + config.truststores(0).name() + "@next");
}

TEST_F(MtlsHooks, FollowATruststoreFileOnAnOpenConnection) {
  cert_validator::TempDir dir;
  cert_validator::Replace(dir / "t.pem", root_ + Certificates().partner.pem);
  auto config = Trusting("");
  config.mutable_truststores(0)->set_file(dir / "t.pem");
  const LoadedValidator validator(config);
  LoadedFilter filter(Config());
  FakeConnection connection;
  validator.Handshake(connection, client_);
  EXPECT_EQ(Answer(filter, connection), "");
  cert_validator::Replace(dir / "t.pem", Certificates().partner.pem);
  EXPECT_TRUE(cert_validator::WaitFor([&] {
    return Answer(filter, connection) == "sallyport_denied{UNTRUSTED_ISSUER}";
  }));
  cert_validator::Replace(dir / "t.pem", root_);
  EXPECT_TRUE(cert_validator::WaitFor(
      [&] { return Answer(filter, connection).empty(); }));
}

TEST_F(MtlsHooks, VerifyNothingAgainWhileNothingChanges) {
  const LoadedValidator validator(Trusting(root_));
  LoadedFilter filter(Config());
  FakeConnection connection;
  validator.Handshake(connection, client_);
  size_t before = cert_validator::NumChecksForTest();
  for (int i = 0; i < 10; ++i) EXPECT_EQ(Answer(filter, connection), "");
  EXPECT_EQ(cert_validator::NumChecksForTest(), before);
  // After a change: once.
  const LoadedValidator new_one(Trusting(root_ + Certificates().partner.pem));
  before = cert_validator::NumChecksForTest();
  for (int i = 0; i < 10; ++i) EXPECT_EQ(Answer(filter, connection), "");
  EXPECT_EQ(cert_validator::NumChecksForTest(), before + 1);
}

TEST_F(MtlsHooks, KeepTheVerdictWhenTheSameConfigurationIsLoadedAgain) {
  auto first = std::make_unique<LoadedValidator>(Trusting(root_));
  LoadedFilter filter(Config());
  FakeConnection connection;
  first->Handshake(connection, client_);
  const LoadedValidator again(Trusting(root_));  // the server certificate moved
  first.reset();
  const size_t before = cert_validator::NumChecksForTest();
  EXPECT_EQ(Answer(filter, connection), "");
  EXPECT_EQ(cert_validator::NumChecksForTest(), before);
}

TEST_F(MtlsHooks, GiveEachConnectionItsOwnVerdictOnEveryWorker) {
  const LoadedValidator validator(Trusting(root_));
  LoadedFilter filter(Config());
  std::vector<std::thread> workers;
  workers.reserve(4);
  for (int w = 0; w < 4; ++w) {
    workers.emplace_back([&, w] {
      // Envoy's counters are thread-safe, the fake's are not: one config each.
      FakeHttpFilterConfig envoy;
      for (int i = 0; i < 3; ++i) {
        envoy.counters.push_back(filter.envoy.counters[i]);
      }
      for (int i = 0; i < 100; ++i) {
        const bool trusted = (i + w) % 2 == 0;
        FakeConnection connection;
        validator.Handshake(connection, trusted ? client_ : stranger_);
        FakeStream stream(&envoy, &connection);
        stream.request_headers = Headers();
        EXPECT_EQ(Request(filter, stream), trusted);
        EXPECT_EQ(stream.Has("client-cert"), trusted);
      }
    });
  }
  for (auto& worker : workers) worker.join();
}

TEST_F(MtlsHooks, RefuseTheRequestOnAnException) {
  const LoadedValidator validator(Trusting(root_));
  LoadedFilter filter(Config());
  FakeConnection connection;
  validator.Handshake(connection, client_);
  LogCapture log;
  FakeStream stream(&filter.envoy, &connection);
  stream.request_headers = Headers();
  stream.throws = true;
  EXPECT_FALSE(Request(filter, stream));
  EXPECT_EQ(stream.response->status, 403u);
  EXPECT_EQ(stream.response->body, "{\"message\":\"Forbidden\"}");
  EXPECT_EQ(stream.response->details, "sallyport_denied{INTERNAL_ERROR}");
  EXPECT_EQ(log.Count("http_filter_request_headers", abi::LogLevel::kError), 1);
}

TEST_F(MtlsHooks, TellLaterFiltersWhoTheClientIsWhileOneReadsIt) {
  const LoadedValidator validator(Trusting(root_));
  LoadedFilter filter(Config());
  FakeConnection connection;
  validator.Handshake(connection, client_);
  FakeConnection resumed = Resumed(Certificates().client);
  FakeStream silent(&filter.envoy, &connection);
  silent.request_headers = Headers();
  EXPECT_TRUE(Request(filter, silent));
  EXPECT_TRUE(silent.filter_state.empty());

  const cert_validator::RequestRecordReader reader;
  for (FakeConnection* client : {&connection, &resumed}) {
    FakeStream stream(&filter.envoy, client);
    stream.request_headers =
        Headers("api.example.com",
                {{"x-forwarded-client-cert", Xfcc(Certificates().client)}});
    EXPECT_TRUE(Request(filter, stream));
    cert_validator::RequestRecord record;
    const std::string bytes = stream.filter_state.at("sallyport.request");
    ASSERT_TRUE(cert_validator::DecodeRequestRecord(bytes, record));
    EXPECT_EQ(record.reason, pki::Reason::kTrusted);
    EXPECT_EQ(record.domain, "api.example.com");
    EXPECT_EQ(record.leaf, client_);
  }
  // What does not go on leaves nothing.
  FakeConnection stranger;
  validator.Handshake(stranger, stranger_);
  FakeStream refused(&filter.envoy, &stranger);
  refused.request_headers = Headers();
  EXPECT_FALSE(Request(filter, refused));
  EXPECT_TRUE(refused.filter_state.empty());
}

TEST_F(MtlsHooks, RefuseTheRequestWhenItsHeadersCannotBeCleaned) {
  const LoadedValidator validator(Trusting(root_));
  LoadedFilter filter(Config());
  FakeConnection connection;
  validator.Handshake(connection, client_);
  FakeStream stream(&filter.envoy, &connection);
  stream.request_headers = Headers();
  stream.fails_get_headers = true;
  EXPECT_FALSE(Request(filter, stream));
  EXPECT_EQ(stream.response->details, "sallyport_denied{INTERNAL_ERROR}");
}

TEST_F(MtlsHooks, SurviveEveryOrderOfEnds) {
  const LoadedValidator validator(Trusting(root_));
  FakeConnection connection;
  validator.Handshake(connection, client_);
  // No configuration, no filter.
  FakeHttpFilterConfig envoy;
  FakeStream stream(&envoy, &connection);
  stream.request_headers = Headers();
  EXPECT_EQ(envoy_dynamic_module_on_http_filter_new(nullptr, stream.filter()),
            nullptr);
  EXPECT_EQ(envoy_dynamic_module_on_http_filter_request_headers(stream.filter(),
                                                                nullptr, true),
            abi::HeadersStatus::kStopIteration);
  EXPECT_EQ(stream.response->status, 403u);
  EXPECT_EQ(envoy_dynamic_module_on_http_filter_request_trailers(
                stream.filter(), nullptr),
            abi::TrailersStatus::kStopIteration);
  envoy_dynamic_module_on_http_filter_destroy(nullptr);
  envoy_dynamic_module_on_http_filter_config_destroy(nullptr);

  // The configuration goes before its last stream, on another thread.
  auto filter = std::make_unique<LoadedFilter>(Config());
  FakeHttpFilterConfig counters;
  counters.counters = filter->envoy.counters;
  FakeStream late(&counters, &connection);
  late.request_headers = Headers();
  const void* instance =
      envoy_dynamic_module_on_http_filter_new(filter->get(), late.filter());
  std::thread([&] { filter.reset(); }).join();
  EXPECT_EQ(envoy_dynamic_module_on_http_filter_request_headers(
                late.filter(), instance, false),
            abi::HeadersStatus::kContinue);
  EXPECT_EQ(envoy_dynamic_module_on_http_filter_request_body(late.filter(),
                                                             instance, true),
            abi::BodyStatus::kContinue);
  envoy_dynamic_module_on_http_filter_destroy(instance);

  // A filter that never saw a request.
  LoadedFilter idle(Config());
  FakeStream unused(&idle.envoy, &connection);
  envoy_dynamic_module_on_http_filter_destroy(
      envoy_dynamic_module_on_http_filter_new(idle.get(), unused.filter()));
}

TEST_F(MtlsHooks, LetResponsesAlone) {
  LoadedFilter filter(Config());
  FakeConnection connection;
  FakeStream stream(&filter.envoy, &connection);
  const void* instance =
      envoy_dynamic_module_on_http_filter_new(filter.get(), stream.filter());
  EXPECT_EQ(envoy_dynamic_module_on_http_filter_response_headers(
                stream.filter(), instance, false),
            abi::HeadersStatus::kContinue);
  EXPECT_EQ(envoy_dynamic_module_on_http_filter_response_body(stream.filter(),
                                                              instance, false),
            abi::BodyStatus::kContinue);
  EXPECT_EQ(envoy_dynamic_module_on_http_filter_response_trailers(
                stream.filter(), instance),
            abi::TrailersStatus::kContinue);
  envoy_dynamic_module_on_http_filter_destroy(instance);
}

TEST_F(MtlsHooks, RefuseABadConfigurationNamingTheField) {
  const std::vector<std::pair<const char*, std::function<void(v1::MutualTls&)>>>
      cases = {
          {"domain: ", [](auto& c) { c.clear_domain(); }},
          {"domain: ", [](auto& c) { c.set_domain("a:443"); }},
          {"client_certificate: ",
           [](auto& c) {
             c.set_client_certificate(static_cast<v1::ClientCertificate>(9));
           }},
          {"remove_headers",
           [](auto& c) {
             c.mutable_forwarding()->add_remove_headers("no header");
           }},
      };
  for (const auto& [field, change] : cases) {
    LogCapture log;
    auto config = Config();
    change(config);
    LoadedFilter filter(config);
    EXPECT_EQ(filter.get(), nullptr) << field;
    EXPECT_EQ(log.Count(field, abi::LogLevel::kError), 1) << log.Text();
  }
  LogCapture log;
  EXPECT_EQ(LoadedFilter(Config(), "sallyport.other").get(), nullptr);
  EXPECT_EQ(log.Count("filter_name", abi::LogLevel::kError), 1);
}

TEST_F(MtlsHooks, RefuseAConfigurationWhoseCountersEnvoyDoesNotTake) {
  LogCapture log;
  FakeHttpFilterConfig envoy;
  envoy.frozen = true;
  const std::string bytes = Config().SerializeAsString();
  EXPECT_EQ(envoy_dynamic_module_on_http_filter_config_new(
                envoy.config(), Envoy("sallyport.mtls"), Envoy(bytes)),
            nullptr);
}

TEST_F(MtlsHooks, KeepTwoConfigurationsApart) {
  const LoadedValidator one(Trusting(root_));
  auto other = Trusting(Certificates().partner.pem);
  other.set_domain("*.example.org");
  const LoadedValidator two(other);
  LoadedFilter first(Config());
  auto config = Config();
  config.set_domain("*.example.org");
  LoadedFilter second(config);
  FakeConnection to_first, to_second;
  one.Handshake(to_first, client_);
  two.Handshake(to_second, Certificates().partner.der);
  EXPECT_EQ(Answer(first, to_first), "");
  EXPECT_EQ(Answer(second, to_second, "x.example.org"), "");
  EXPECT_EQ(Answer(second, to_second, "example.org"), "sallyport_misdirected");
  EXPECT_EQ(Answer(second, to_first, "x.example.org"),
            "sallyport_denied{CONFIGURATION_MISSING}");
}

TEST_F(MtlsHooks, LogSubjectReasonAndPathAtDebugLevel) {
  const LoadedValidator validator(Trusting(root_));
  LoadedFilter filter(Config());
  LogCapture log(abi::LogLevel::kDebug);
  FakeConnection connection;
  validator.Handshake(connection, client_);
  EXPECT_EQ(log.Count("TRUSTED, client \"CN=client\""), 1) << log.Text();
  EXPECT_EQ(Answer(filter, connection), "");
  EXPECT_EQ(log.Count("allowed, TRUSTED, client \"CN=client\""), 1)
      << log.Text();
  FakeStream stream(&filter.envoy, &connection);
  stream.request_headers = Headers("api.example.com");
  stream.request_headers[1].second = "/a\nb";
  EXPECT_TRUE(Request(filter, stream));
  EXPECT_EQ(log.Count("/a\\x0ab"), 1) << log.Text();
}

TEST_F(MtlsHooks, TellTheSameOfARefusedClientWhateverIsForwarded) {
  const LoadedValidator validator(Trusting(root_));
  auto with_nothing = Config();
  with_nothing.clear_forwarding();
  auto with_pass = Config();
  with_pass.set_rejection(v1::PASS);
  std::vector<std::map<std::string, std::string>> told;
  for (const auto& config : {Config(), with_nothing, with_pass}) {
    LoadedFilter filter(config);
    FakeConnection connection;
    validator.Handshake(connection, stranger_);
    // Of the same handshake, on a worker that knows nothing of it.
    std::thread([&] {
      FakeStream stream(&filter.envoy, &connection);
      stream.request_headers = Headers();
      EXPECT_EQ(Request(filter, stream), config.rejection() == v1::PASS);
      told.push_back(stream.metadata);
    }).join();
  }
  for (const char* key : {"reason", "detail", "depth", "truststore", "subject",
                          "issuer", "serial", "fingerprint"}) {
    EXPECT_EQ(told[0].count(absl::StrCat("sallyport:", key)), 1u) << key;
  }
  EXPECT_EQ(told[0], told[1]);
  EXPECT_EQ(told[0], told[2]);
}

TEST_F(MtlsHooks, HaveTheRouteChosenAgainWithoutForgedHeaders) {
  const LoadedValidator validator(Trusting(root_));
  auto config = Config();
  config.clear_forwarding();
  LoadedFilter filter(config);
  FakeConnection connection;
  validator.Handshake(connection, client_);
  // Where everybody comes who forges nothing.
  v1::MutualTlsRoute told;
  told.mutable_forwarding()->mutable_rfc9440();
  told.mutable_forwarding()->add_remove_headers("x-of-the-route");
  const std::string bytes = told.SerializeAsString();
  const void* route = envoy_dynamic_module_on_http_filter_per_route_config_new(
      Envoy("sallyport.mtls"), Envoy(bytes));
  ASSERT_NE(route, nullptr);
  const auto choose = [route](const FakeStream& stream) -> const void* {
    // Envoy's own header is still there when it chooses.
    EXPECT_TRUE(stream.Has("x-forwarded-client-cert"));
    return stream.Has("x-sallyport-truststore") ? nullptr : route;
  };
  FakeStream stream(&filter.envoy, &connection);
  stream.choose_route = choose;
  stream.request_headers =
      Headers("api.example.com", {{"x-sallyport-truststore", "forged"},
                                  {"x-of-the-route", "forged"},
                                  {"x-forwarded-client-cert", "Hash=envoys"}});
  EXPECT_TRUE(Request(filter, stream));
  EXPECT_EQ(stream.route_config, route);
  EXPECT_FALSE(stream.Has("x-sallyport-truststore"));
  EXPECT_FALSE(stream.Has("x-forwarded-client-cert"));
  // The new route's own, for which the client's certificate was not at hand.
  EXPECT_FALSE(stream.Has("x-of-the-route"));
  EXPECT_TRUE(stream.Has("client-cert"));
  // Who forges nothing does not pay for it.
  FakeStream honest(&filter.envoy, &connection);
  honest.choose_route = choose;
  honest.request_headers =
      Headers("api.example.com", {{"x-forwarded-client-cert", "Hash=envoys"}});
  EXPECT_TRUE(Request(filter, honest));
  EXPECT_EQ(honest.route_clears, 0);
  envoy_dynamic_module_on_http_filter_per_route_config_destroy(route);
}

TEST_F(MtlsHooks, RemoveOtherPathsWhereThePathCounts) {
  const LoadedValidator validator(Trusting(root_));
  FakeConnection connection;
  validator.Handshake(connection, client_);
  auto with_paths = Config();
  with_paths.add_paths()->set_prefix("/admin");
  for (const bool counts : {false, true}) {
    LoadedFilter filter(counts ? with_paths : Config());
    FakeStream stream(&filter.envoy, &connection);
    stream.request_headers =
        Headers("api.example.com",
                {{"x-original-url", "/admin"}, {"x_rewrite_url", "/admin"}});
    EXPECT_TRUE(Request(filter, stream));
    EXPECT_EQ(stream.Has("x-original-url"), !counts);
    EXPECT_EQ(stream.Has("x_rewrite_url"), !counts);
  }
}

TEST_F(MtlsHooks, RefuseAProxyWhoseWordIsLost) {
  const LoadedValidator validator(Trusting(root_));
  auto config = Config();
  config.mutable_forwarding()->mutable_xfcc();
  config.mutable_forwarding()->set_max_header_bytes(512);
  config.mutable_forwarding()->clear_rfc9440();
  config.mutable_forwarding()
      ->mutable_trusted_proxy()
      ->mutable_truststore()
      ->add_names("partners");
  LoadedFilter filter(config);
  FakeConnection connection;
  validator.Handshake(connection, client_);
  const auto send = [&](const FakeStream::Headers& headers) {
    auto stream = std::make_unique<FakeStream>(&filter.envoy, &connection);
    stream->request_headers = Headers("api.example.com", headers);
    Request(filter, *stream);
    return stream;
  };
  constexpr char kSaved[] = "x-sallyport-inbound-xfcc";
  constexpr char kXfcc[] = "x-forwarded-client-cert";
  const auto good = send({{kSaved, "Hash=aa"}});
  ASSERT_FALSE(good->response.has_value());
  const std::string joined = good->Values(kXfcc)[0];
  const auto alone = send({});
  ASSERT_FALSE(alone->response.has_value());
  const std::string ours = alone->Values(kXfcc)[0];
  EXPECT_EQ(joined, absl::StrCat("Hash=aa,", ours));
  const auto malformed = send({{kSaved, "Hash=aa;Subject=\"CN=x\\\\\""}});
  ASSERT_TRUE(malformed->response.has_value());
  EXPECT_EQ(malformed->response->status, 400u);
  EXPECT_EQ(malformed->response->details, "sallyport_denied{MALFORMED}");
  EXPECT_NE(malformed->metadata["sallyport:detail"], "");
  const auto large = send({{kSaved, "Hash=" + std::string(512, 'a')}});
  ASSERT_TRUE(large->response.has_value());
  EXPECT_EQ(large->response->status, 400u);
  EXPECT_EQ(large->response->details, "sallyport_denied{LIMIT_EXCEEDED}");
  EXPECT_EQ(filter.envoy.Value("inbound_xfcc_refused", {"api.example.com"}),
            2u);
  // Envoy sends a request again with what went out the first time.
  const std::string url = "https://api.example.com/";
  for (const auto& [sent, wanted, note] :
       {std::tuple<std::string, std::string, bool>{joined, joined, false},
        {ours, ours, false},
        {"Hash=other", ours, true}}) {
    const auto again = send({{kXfcc, sent}, {"x-envoy-original-url", url}});
    ASSERT_FALSE(again->response.has_value());
    EXPECT_EQ(again->Values(kXfcc), std::vector<std::string>{wanted});
    EXPECT_EQ(again->Has("x-sallyport-forwarding"), note);
  }
  // Without that, the header is Envoy's own.
  EXPECT_EQ(send({{kXfcc, joined}})->Values(kXfcc),
            std::vector<std::string>{ours});
}

TEST_F(MtlsHooks, CountHeadersThatDidNotFit) {
  const LoadedValidator validator(Trusting(root_));
  auto config = Config();
  config.mutable_forwarding()->mutable_xfcc()->set_cert(true);
  config.mutable_forwarding()->set_max_header_bytes(128);
  LoadedFilter filter(config);
  FakeConnection connection;
  validator.Handshake(connection, client_);
  FakeStream stream(&filter.envoy, &connection);
  stream.request_headers = Headers();
  EXPECT_TRUE(Request(filter, stream));
  EXPECT_EQ(filter.envoy.Value("forwarding_truncated", {"api.example.com"}),
            1u);
  EXPECT_EQ(stream.Values("x-sallyport-forwarding"),
            std::vector<std::string>{"truncated"});
}

}  // namespace
}  // namespace sallyport::mtls_http
