// What the tests of the HTTP filter's hooks share: the validator and the filter
// in the hands of a fake Envoy.

#ifndef SALLYPORT_FILTERS_MTLS_HTTP_HOOKS_TEST_SUPPORT_H_
#define SALLYPORT_FILTERS_MTLS_HTTP_HOOKS_TEST_SUPPORT_H_

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/string_view.h"
#include "base/clock.h"
#include "base/text.h"
#include "filters/abi/abi.h"
#include "filters/cert_validator/loaded_validator.h"
#include "filters/cert_validator/test_support.h"
#include "filters/shim/clock.h"
#include "filters/shim/fake_envoy.h"
#include "gtest/gtest.h"
#include "pki/x509/certificate.h"
#include "proto/sallyport/filter/v1/config.pb.h"

namespace sallyport::mtls_http {

namespace v1 = ::sallyport::filter::v1;
using cert_validator::Certificates;
using cert_validator::InlineConfig;
using cert_validator::LoadedValidator;
using shim::Envoy;
using shim::FakeConnection;
using shim::FakeHandshake;
using shim::FakeHttpFilterConfig;
using shim::FakeStream;
using shim::LogCapture;

inline v1::MutualTls Config() {
  v1::MutualTls config;
  config.set_domain("api.example.com");
  config.mutable_forwarding()->mutable_rfc9440();
  return config;
}

// The filter's configuration in Envoy's hands.
class LoadedFilter {
 public:
  explicit LoadedFilter(const v1::MutualTls& config,
                        absl::string_view name = "sallyport.mtls") {
    const std::string bytes = config.SerializeAsString();
    filter_ = envoy_dynamic_module_on_http_filter_config_new(
        envoy.config(), Envoy(name), Envoy(bytes));
    envoy.frozen = true;
  }
  ~LoadedFilter() {
    if (filter_ != nullptr) {
      envoy_dynamic_module_on_http_filter_config_destroy(filter_);
    }
  }
  LoadedFilter(const LoadedFilter&) = delete;
  const void* get() const { return filter_; }

  // What Envoy's main thread does when it is woken.
  void CountGathered() {
    envoy_dynamic_module_on_http_filter_config_scheduled(envoy.config(),
                                                         filter_, 0);
  }
  uint64_t Decisions(const char* verdict, const char* reason) {
    CountGathered();
    return envoy.Value("decisions", {"api.example.com", verdict, reason});
  }

  FakeHttpFilterConfig envoy;

 private:
  const void* filter_;
};

// A route's configuration in Envoy's hands.
class LoadedRoute {
 public:
  explicit LoadedRoute(const v1::MutualTlsRoute& config,
                       absl::string_view name = "sallyport.mtls") {
    const std::string bytes = config.SerializeAsString();
    route_ = envoy_dynamic_module_on_http_filter_per_route_config_new(
        Envoy(name), Envoy(bytes));
  }
  ~LoadedRoute() { Destroy(); }
  LoadedRoute(const LoadedRoute&) = delete;
  const void* get() const { return route_; }
  void Destroy() {
    if (route_ == nullptr) return;
    envoy_dynamic_module_on_http_filter_per_route_config_destroy(route_);
    route_ = nullptr;
  }

 private:
  const void* route_;
};

// That of a route of a domain that is withdrawn.
inline const void* LoadWithdrawn(absl::string_view domain) {
  return envoy_dynamic_module_on_http_filter_per_route_config_new(
      Envoy("sallyport.withdrawn"), Envoy(domain));
}

inline std::string Digest(absl::string_view der) {
  return HexLower(pki::AsBytes(pki::Sha256(der)));
}

// The connection of a client with that certificate, resumed.
inline FakeConnection Resumed(const pki::TestCertificate& certificate) {
  FakeConnection connection;
  connection.peer_sha256 = Digest(certificate.der);
  return connection;
}

// What Envoy writes for it.
inline std::string Xfcc(const pki::TestCertificate& certificate) {
  const std::string pem = absl::StrReplaceAll(
      certificate.pem,
      {{" ", "%20"}, {"\n", "%0A"}, {"+", "%2B"}, {"/", "%2F"}, {"=", "%3D"}});
  return absl::StrCat("Hash=", Digest(certificate.der), ";Cert=\"", pem,
                      "\";Chain=\"", pem, "\";Subject=\"\"");
}

inline FakeStream::Headers Headers(
    absl::string_view authority = "api.example.com",
    const FakeStream::Headers& more = {}) {
  FakeStream::Headers headers = {{":method", "GET"},
                                 {":path", "/orders?token=secret"},
                                 {":scheme", "https"}};
  if (authority != "(none)") {
    headers.emplace_back(":authority", std::string(authority));
  }
  headers.insert(headers.end(), more.begin(), more.end());
  return headers;
}

class MtlsHooks : public ::testing::Test {
 public:
  MtlsHooks() : clock_(cert_validator::SharedFakeClock()) {
    shim::SetModuleClockForTest(&clock_);
  }
  ~MtlsHooks() override { shim::SetModuleClockForTest(nullptr); }

 protected:
  static v1::TruststoreValidator Trusting(const std::string& pem) {
    return InlineConfig(pem);
  }

  // Runs the request through the filter; whether it goes on.
  static bool Request(LoadedFilter& filter, FakeStream& stream) {
    const void* instance =
        envoy_dynamic_module_on_http_filter_new(filter.get(), stream.filter());
    EXPECT_NE(instance, nullptr);
    const auto status = envoy_dynamic_module_on_http_filter_request_headers(
        stream.filter(), instance, true);
    envoy_dynamic_module_on_http_filter_stream_complete(stream.filter(),
                                                        instance);
    envoy_dynamic_module_on_http_filter_destroy(instance);
    // It goes on exactly when nothing was answered.
    EXPECT_EQ(status == abi::HeadersStatus::kContinue,
              !stream.response.has_value() && !stream.closed);
    return status == abi::HeadersStatus::kContinue;
  }

  // "" when the request goes on, the response-code details otherwise.
  static std::string Answer(LoadedFilter& filter, FakeConnection& connection,
                            absl::string_view authority = "api.example.com") {
    FakeStream stream(&filter.envoy, &connection);
    stream.request_headers = Headers(authority);
    return Request(filter, stream) ? "" : stream.response->details;
  }

  FakeClock& clock_;
  const std::string root_ = Certificates().root.pem;
  const std::string client_ = Certificates().client.der;
  const std::string stranger_ = Certificates().stranger.der;
};

}  // namespace sallyport::mtls_http

#endif  // SALLYPORT_FILTERS_MTLS_HTTP_HOOKS_TEST_SUPPORT_H_
