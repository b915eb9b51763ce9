// What clients send, through the hooks as Envoy calls them: the handshake, a
// request, and a request of the same connection at another time.
//
// Input, as of tests/fuzz/chain_fuzz.cc, whose corpus it shares:
//   byte 0     which of the domains below
//   bytes 1-5  the time of the handshake and of the first request
//   then       1 N N          certificate N of pool.pem onto the chain
//              3 N N O O X    the same, with the byte at O changed by X
//              0 N N          nothing
//              2 L L BYTES    L (at most 1,000) bytes onto the chain
//
// The truststores are fixed. Invariants: what VerifyChain() says of the chain
// decides, then and later; nobody else goes on but in the style PASS, or
// without a certificate where it is optional; the backend gets printable
// headers, and none of the client's.

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/limits.h"
#include "filters/abi/abi.h"
#include "filters/shim/clock.h"
#include "filters/shim/fake_envoy.h"
#include "pki/chain/verify.h"
#include "pki/truststore/truststore.h"
#include "pki/x509/pem.h"
#include "proto/sallyport/filter/v1/config.pb.h"
#include "tests/fuzz/fuzz_check.h"

// tests/fuzz/pool.pem, by a rule in BUILD.bazel there.
extern const char kPoolPem[];

namespace sallyport {
namespace {

namespace v1 = ::sallyport::filter::v1;
using fuzz::Require;
using fuzz::RequirePrintable;
using shim::Envoy;

constexpr size_t kMaxChain = 12;
constexpr size_t kMaxRawBytes = 1000;
constexpr char kForged[] = "forged";

const std::vector<std::string>& Pool() {
  static const auto* const kPool = [] {
    auto* pool = new std::vector<std::string>();
    const pki::PemError error =
        pki::ReadPem(kPoolPem, limits::kMaxCertificateBytes,
                     [pool](const pki::PemBlock& block) {
                       pool->emplace_back(block.data);
                       return true;
                     });
    Require(error.ok() && !pool->empty(), "the pool can be read");
    return pool;
  }();
  return *kPool;
}

// One domain in Envoy's hands; kept to the end of the process.
class Domain {
 public:
  Domain(size_t number, bool any_anchor, v1::RejectionStyle style)
      : style_(style),
        optional_(number % 3 == 0),
        name_(absl::StrCat("d", number, ".example.com")) {
    std::string pem;
    for (size_t i = 0; i < Pool().size(); ++i) {
      if (number % 2 == 0 || i % 3 != 0) {
        pem += pki::WritePem("CERTIFICATE", Pool()[i]);
      }
    }
    truststore_ = pki::Truststore::Parse(pem).truststore;
    Require(truststore_ != nullptr, "the pool is a truststore");
    policy_.chain_policy = any_anchor ? pki::ChainPolicy::kAnyAnchor
                                      : pki::ChainPolicy::kCompleteChain;

    v1::TruststoreValidator validator;
    validator.set_domain(name_);
    validator.set_chain_policy(any_anchor ? v1::ANY_ANCHOR
                                          : v1::COMPLETE_CHAIN);
    validator.set_rejection(style);
    validator.add_truststores()->set_inline_pem(pem);
    const std::string validator_bytes = validator.SerializeAsString();
    validator_ = envoy_dynamic_module_on_cert_validator_config_new(
        nullptr, Envoy("sallyport.truststore"), Envoy(validator_bytes));
    Require(validator_ != nullptr, "the validator's configuration is good");

    v1::MutualTls filter;
    filter.set_domain(name_);
    filter.set_rejection(style);
    filter.set_client_certificate(optional_ ? v1::OPTIONAL : v1::REQUIRED);
    v1::Forwarding& forwarding = *filter.mutable_forwarding();
    forwarding.mutable_xfcc()->set_subject(true);
    forwarding.mutable_xfcc()->set_uri(true);
    forwarding.mutable_xfcc()->set_dns(true);
    forwarding.mutable_xfcc()->set_chain(true);
    forwarding.mutable_rfc9440()->set_chain(true);
    forwarding.mutable_alb()->set_mode(number % 2 == 0
                                           ? v1::Forwarding::Alb::VERIFY
                                           : v1::Forwarding::Alb::PASSTHROUGH);
    forwarding.mutable_ingress_nginx()->set_cert(true);
    forwarding.mutable_traefik()->set_info(true);
    forwarding.mutable_cloudflare();
    forwarding.mutable_api_gateway();
    forwarding.set_verdict(true);
    forwarding.set_truststore(true);
    const std::string filter_bytes = filter.SerializeAsString();
    filter_ = envoy_dynamic_module_on_http_filter_config_new(
        envoy_.config(), Envoy("sallyport.mtls"), Envoy(filter_bytes));
    Require(filter_ != nullptr, "the filter's configuration is good");
    envoy_.frozen = true;
  }

  pki::Verdict Verify(const std::vector<absl::string_view>& chain,
                      absl::Time now) const {
    return pki::VerifyChain(*truststore_, chain, policy_, now);
  }

  bool Handshake(shim::FakeConnection& connection,
                 const std::vector<std::string>& chain) const {
    std::vector<abi::EnvoyBuffer> buffers;
    buffers.reserve(chain.size());
    for (const std::string& der : chain) buffers.push_back(Envoy(der));
    shim::FakeHandshake handshake(&connection);
    const abi::ValidationResult result =
        envoy_dynamic_module_on_cert_validator_do_verify_cert_chain(
            handshake.call(), validator_, buffers.data(), buffers.size(),
            Envoy(name_), true);
    RequirePrintable(handshake.error_details, "the error for the access log");
    for (const auto& [key, value] : connection.filter_state) {
      if (key != "sallyport.connection") RequirePrintable(value, key);
    }
    return result.status == abi::ValidationStatus::kSuccessful;
  }

  // `reason`: what the request must be judged as, but for a check that ended
  // at a limit: what was remembered of other checks may have saved steps, or
  // not.
  void Request(shim::FakeConnection& connection, pki::Reason reason,
               bool without_certificate) {
    shim::FakeStream stream(&envoy_, &connection);
    stream.request_headers = {{":method", "GET"},
                              {":path", "/"},
                              {":scheme", "https"},
                              {":authority", name_},
                              {"x-forwarded-client-cert", kForged},
                              {"ssl_client_verify", kForged},
                              {"x-sallyport-verdict", kForged}};
    const void* instance =
        envoy_dynamic_module_on_http_filter_new(filter_, stream.filter());
    const bool goes_on =
        envoy_dynamic_module_on_http_filter_request_headers(
            stream.filter(), instance, true) == abi::HeadersStatus::kContinue;
    envoy_dynamic_module_on_http_filter_stream_complete(stream.filter(),
                                                        instance);
    envoy_dynamic_module_on_http_filter_destroy(instance);

    // Of a trusted client's request the filter says nothing: the handshake has
    // said it.
    const auto said = stream.metadata.find("sallyport:reason");
    const std::string judged =
        said == stream.metadata.end() ? "TRUSTED" : said->second;
    for (const auto& [key, value] : stream.metadata) {
      RequirePrintable(value, key);
    }
    const std::string wanted(pki::ReasonName(reason));
    const bool ended_at_limit =
        reason == pki::Reason::kLimitExceeded || judged == "LIMIT_EXCEEDED";
    Require(judged == wanted || ended_at_limit,
            absl::StrCat("judged ", judged, " in place of ", wanted));
    const bool may_go_on = judged == "TRUSTED" || style_ == v1::PASS ||
                           (without_certificate && optional_);
    Require(goes_on == may_go_on,
            absl::StrCat(judged, goes_on ? " goes on" : " does not go on"));
    if (!goes_on) {
      const bool closes =
          style_ == v1::HANDSHAKE && !(without_certificate && optional_);
      Require(stream.closed == closes && stream.response.has_value() != closes,
              "it is answered in the domain's style");
      if (!closes) {
        Require(stream.response->status ==
                    (style_ == v1::BAD_REQUEST ? 400u : 403u),
                "the status of the style");
        Require(!absl::StrContains(stream.response->body, judged),
                "the client is not told why");
      }
      return;
    }
    for (const auto& [name, value] : stream.request_headers) {
      RequirePrintable(name, "the name of a header");
      RequirePrintable(value, name);
      Require(value != kForged, name + " is the client's own");
      Require(judged == "TRUSTED" ||
                  (name != "x-forwarded-client-cert" && name != "client-cert"),
              name + " tells of an untrusted client as of a trusted one");
    }
    if (style_ == v1::PASS || without_certificate) {
      Require(stream.Values("x-sallyport-verdict") ==
                  std::vector<std::string>{judged},
              "the backend is told the verdict");
    }
  }

  bool refuses_handshakes() const { return style_ == v1::HANDSHAKE; }

 private:
  const v1::RejectionStyle style_;
  const bool optional_;
  const std::string name_;
  pki::VerifyPolicy policy_;
  std::shared_ptr<const pki::Truststore> truststore_;
  shim::FakeHttpFilterConfig envoy_;
  const void* validator_ = nullptr;
  const void* filter_ = nullptr;
};

Domain& DomainOf(uint8_t number) {
  static constexpr std::array<v1::RejectionStyle, 4> kStyles = {
      v1::FORBIDDEN, v1::HANDSHAKE, v1::BAD_REQUEST, v1::PASS};
  static auto* const kDomains = [] {
    auto* domains = new std::vector<std::unique_ptr<Domain>>();
    for (size_t i = 0; i < 2 * kStyles.size(); ++i) {
      domains->push_back(
          std::make_unique<Domain>(i, i % 2 == 1, kStyles.at(i / 2)));
    }
    return domains;
  }();
  return *(*kDomains)[number % kDomains->size()];
}

class Program {
 public:
  explicit Program(absl::string_view bytes) : bytes_(bytes) {}
  bool empty() const { return bytes_.empty(); }
  absl::string_view TakeBytes(size_t length) {
    const absl::string_view out = bytes_.substr(0, length);
    bytes_.remove_prefix(out.size());
    return out;
  }
  uint64_t Take(size_t length) {
    uint64_t out = 0;
    for (const unsigned char c : TakeBytes(length)) out = out << 8 | c;
    return out;
  }

 private:
  absl::string_view bytes_;
};

void Test(Program program) {
  static FakeClock* const clock = [] {
    auto* made = new FakeClock(absl::UnixEpoch());
    shim::SetModuleClockForTest(made);
    return made;
  }();
  const auto number = static_cast<uint8_t>(program.Take(1));
  // Up to the year 2255: FakeClock ends some years after that.
  const absl::Time now =
      absl::FromUnixSeconds(static_cast<int64_t>(program.Take(5) % 9000000000));
  std::vector<std::string> chain;
  while (!program.empty() && chain.size() < kMaxChain) {
    const uint64_t op = program.Take(1) % 4;
    if (op == 2) {
      const size_t length = program.Take(2) % (kMaxRawBytes + 1);
      chain.emplace_back(program.TakeBytes(length));
      continue;
    }
    std::string der = Pool()[program.Take(2) % Pool().size()];
    if (op == 0) continue;
    if (op == 3) {
      const size_t at = program.Take(2) % der.size();
      der[at] = static_cast<char>(der[at] ^ static_cast<char>(program.Take(1)));
    }
    chain.push_back(std::move(der));
  }

  clock->Set(now);
  Domain& domain = DomainOf(number);
  shim::FakeConnection connection;
  if (chain.empty()) {
    Require(!domain.Handshake(connection, chain), "no chain, no handshake");
    connection.filter_state.clear();
    connection.mtls = false;
    domain.Request(connection, pki::Reason::kNoCertificate, true);
    return;
  }
  const std::vector<absl::string_view> views(chain.begin(), chain.end());
  const pki::Verdict verdict = domain.Verify(views, now);
  const bool completes = domain.Handshake(connection, chain);
  if (!domain.refuses_handshakes()) {
    // A chain that is over the limits may be too large to be kept.
    Require(completes || verdict.reason == pki::Reason::kLimitExceeded,
            "the handshake completes");
  } else if (verdict.reason != pki::Reason::kLimitExceeded) {
    Require(completes == verdict.trusted(), "the handshake is the verdict's");
  }
  if (!completes) return;
  domain.Request(connection, verdict.reason, false);
  // A day, then about six years later; then an earlier time than the
  // handshake's: a clock can be set back.
  for (const absl::Duration step :
       {absl::Hours(24), absl::Hours(50000), -absl::Hours(24 * 400)}) {
    const absl::Time then = now + step;
    clock->Set(then);
    domain.Request(connection, domain.Verify(views, then).reason, false);
  }
}

}  // namespace
}  // namespace sallyport

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  sallyport::Test(sallyport::Program(
      absl::string_view(reinterpret_cast<const char*>(data), size)));
  return 0;
}
