// The rejection styles, client rules, paths and routes.

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "filters/mtls_http/hooks_test_support.h"
#include "gtest/gtest.h"

namespace sallyport::mtls_http {
namespace {

v1::MutualTls Styled(v1::RejectionStyle style) {
  auto config = Config();
  config.set_rejection(style);
  return config;
}

constexpr size_t kMaxPage = size_t{64} << 10;

// Matches nobody of these tests.
v1::ClientRule Nobody() {
  v1::ClientRule rule;
  rule.mutable_san_dns()->add_patterns("nobody.example.com");
  return rule;
}

class Rejection : public MtlsHooks {
 protected:
  struct Sent {
    bool goes_on = false;
    bool closed = false;
    FakeStream::Response response;
    FakeStream::Headers headers;  // after the filter
    std::map<std::string, std::string> metadata;
  };

  static Sent Send(LoadedFilter& filter, FakeConnection& connection,
                   const FakeStream::Headers& more = {},
                   absl::string_view path = "/", const void* route = nullptr) {
    FakeStream stream(&filter.envoy, &connection);
    stream.request_headers = Headers("api.example.com", more);
    stream.request_headers[1].second = std::string(path);
    stream.route_config = route;
    Sent sent;
    sent.goes_on = Request(filter, stream);
    sent.closed = stream.closed;
    if (stream.response.has_value()) sent.response = *stream.response;
    sent.headers = stream.request_headers;
    sent.metadata = stream.metadata;
    return sent;
  }

  static std::string Value(const FakeStream::Headers& headers,
                           absl::string_view name) {
    for (const auto& [key, value] : headers) {
      if (key == name) return value;
    }
    return "(none)";
  }

  // A connection of `der`, or without a certificate.
  static FakeConnection Connect(const LoadedValidator& validator,
                                const std::string& der) {
    FakeConnection connection;
    if (der.empty()) {
      connection.mtls = false;
    } else {
      validator.Handshake(connection, der);
    }
    return connection;
  }

  // "" when it goes on, else "closed" or the status.
  static std::string Outcome(const Sent& sent) {
    if (sent.goes_on) return "";
    return sent.closed ? "closed" : absl::StrCat(sent.response.status);
  }

  const LoadedValidator validator_{Trusting(root_)};
  FakeConnection trusted_ = Connect(validator_, client_);
  FakeConnection untrusted_ = Connect(validator_, stranger_);
  FakeConnection without_ = Connect(validator_, "");
};

TEST_F(Rejection, ClosesWithoutAnAnswerInTheStyleHandshake) {
  LoadedFilter filter(Styled(v1::HANDSHAKE));
  for (FakeConnection* connection : {&untrusted_, &without_}) {
    const Sent sent = Send(filter, *connection);
    EXPECT_TRUE(sent.closed);
    EXPECT_EQ(sent.response.status, 0u);
    EXPECT_NE(sent.metadata.at("sallyport:reason"), "TRUSTED");
  }
  EXPECT_TRUE(Send(filter, trusted_).goes_on);
  // Another host is another matter.
  FakeStream stream(&filter.envoy, &untrusted_);
  stream.request_headers = Headers("other.example.com");
  EXPECT_FALSE(Request(filter, stream));
  EXPECT_EQ(stream.response->status, 421u);
}

TEST_F(Rejection, AnswersBadRequestWithItsPage) {
  const FakeStream::Headers grpc = {{"content-type", "application/grpc"}};
  {
    LoadedFilter filter(Styled(v1::BAD_REQUEST));
    const Sent sent = Send(filter, untrusted_);
    EXPECT_EQ(sent.response.status, 400u);
    EXPECT_TRUE(absl::StrContains(sent.response.body, "400 Bad Request"));
    EXPECT_EQ(Value(sent.response.headers, "content-type"), "text/html");
    EXPECT_EQ(sent.response.details, "sallyport_denied{UNTRUSTED_ISSUER}");
    EXPECT_EQ(
        Value(Send(filter, untrusted_, grpc).response.headers, "grpc-status"),
        "7");
    EXPECT_TRUE(Send(filter, trusted_).goes_on);
  }
  {
    auto config = Styled(v1::BAD_REQUEST);
    config.mutable_bad_request()->set_body("{}");
    config.mutable_bad_request()->set_content_type("application/problem+json");
    LoadedFilter filter(config);
    const Sent sent = Send(filter, untrusted_);
    EXPECT_EQ(sent.response.body, "{}");
    EXPECT_EQ(Value(sent.response.headers, "content-type"),
              "application/problem+json");
  }
  {
    auto config = Styled(v1::BAD_REQUEST);
    config.mutable_bad_request()->set_redirect("/help");
    LoadedFilter filter(config);
    const Sent sent = Send(filter, without_);
    EXPECT_EQ(sent.response.status, 302u);
    EXPECT_EQ(sent.response.body, "");
    EXPECT_EQ(Value(sent.response.headers, "location"), "/help");
    EXPECT_EQ(Value(Send(filter, without_, grpc).response.headers, "location"),
              "(none)");
  }
}

TEST_F(Rejection, PassesOnWithTheVerdictAndNothingThatVouches) {
  LoadedFilter filter(Styled(v1::PASS));
  const FakeStream::Headers forged = {{"x-sallyport-verdict", "TRUSTED"},
                                      {"client-cert", ":forged:"}};
  const Sent sent = Send(filter, untrusted_, forged);
  EXPECT_TRUE(sent.goes_on);
  EXPECT_EQ(Value(sent.headers, "x-sallyport-verdict"), "UNTRUSTED_ISSUER");
  EXPECT_EQ(Value(sent.headers, "client-cert"), "(none)");
  EXPECT_EQ(filter.Decisions("passed", "UNTRUSTED_ISSUER"), 1u);
  EXPECT_EQ(
      Value(Send(filter, without_, forged).headers, "x-sallyport-verdict"),
      "NO_CERTIFICATE");
  EXPECT_EQ(
      Value(Send(filter, trusted_, forged).headers, "x-sallyport-verdict"),
      "TRUSTED");
}

TEST_F(Rejection, Is403InEveryStyleForWhoMayNotComeIn) {
  for (const v1::RejectionStyle style :
       {v1::FORBIDDEN, v1::HANDSHAKE, v1::BAD_REQUEST, v1::PASS}) {
    auto config = Styled(style);
    *config.mutable_allow() = Nobody();
    LoadedFilter filter(config);
    const Sent sent = Send(filter, trusted_);
    EXPECT_EQ(sent.response.status, 403u);
    EXPECT_EQ(sent.response.details, "sallyport_denied{NOT_ALLOWED}");
    EXPECT_EQ(sent.metadata.at("sallyport:reason"), "NOT_ALLOWED");
    EXPECT_NE(sent.metadata.at("sallyport:subject"), "");
    // Who is not trusted is refused for that.
    const Sent stranger = Send(filter, untrusted_);
    EXPECT_FALSE(stranger.goes_on);
    EXPECT_EQ(stranger.metadata.at("sallyport:reason"), "UNTRUSTED_ISSUER");
    // Only PASS would have let it in but for the rule.
    EXPECT_EQ(absl::EndsWith(stranger.metadata.at("sallyport:detail"),
                             "; allow lets nobody in who is not trusted"),
              style == v1::PASS)
        << stranger.metadata.at("sallyport:detail");
    EXPECT_FALSE(Send(filter, without_).goes_on);

    FakeConnection garbled;
    garbled.filter_state["sallyport.connection"] = "garbage";
    EXPECT_EQ(Send(filter, garbled).response.details,
              "sallyport_denied{CONFIGURATION_MISSING}");
  }
}

TEST_F(Rejection, AsksWhatThePathAsks) {
  for (const v1::RejectionStyle style :
       {v1::FORBIDDEN, v1::HANDSHAKE, v1::BAD_REQUEST, v1::PASS}) {
    auto config = Styled(style);
    config.set_client_certificate(v1::OPTIONAL);
    auto* admin = config.add_paths();
    admin->set_prefix("/admin");
    admin->set_client_certificate(v1::REQUIRED);
    auto* owner = config.add_paths();
    owner->set_exact("/owner");
    *owner->mutable_allow() = Nobody();
    LoadedFilter filter(config);
    EXPECT_EQ(Outcome(Send(filter, without_, {}, "/")), "");
    // The handshake was in order, so it is not closed.
    const std::string refused = style == v1::BAD_REQUEST ? "400"
                                : style == v1::PASS      ? ""
                                                         : "403";
    EXPECT_EQ(Outcome(Send(filter, without_, {}, "/admin/x")), refused);
    EXPECT_EQ(Outcome(Send(filter, without_, {}, "/%61dmin")), refused);
    // A rule is never waived.
    const Sent kept_out = Send(filter, without_, {}, "/owner");
    EXPECT_EQ(Outcome(kept_out), style == v1::BAD_REQUEST ? "400" : "403");
    EXPECT_EQ(kept_out.metadata.at("sallyport:detail"),
              "the client sent no certificate; paths[1].allow lets nobody in "
              "who is not trusted");
    EXPECT_EQ(Outcome(Send(filter, trusted_, {}, "/owner")), "403");
    EXPECT_EQ(Outcome(Send(filter, trusted_, {}, "/admin")), "");
  }
}

TEST_F(Rejection, AsksWhatTheRouteAsks) {
  auto config = Config();
  config.mutable_forwarding()->add_remove_headers("x-of-the-domain");
  LoadedFilter filter(config);
  v1::MutualTlsRoute open;
  open.set_client_certificate(v1::OPTIONAL);
  const LoadedRoute optional(open);
  EXPECT_EQ(Outcome(Send(filter, without_, {}, "/", optional.get())), "");
  EXPECT_EQ(Outcome(Send(filter, without_)), "403");
  EXPECT_EQ(Outcome(Send(filter, untrusted_, {}, "/", optional.get())), "403");

  v1::MutualTlsRoute closed;
  closed.set_client_certificate(v1::OPTIONAL);
  *closed.mutable_allow() = Nobody();
  const LoadedRoute nobody(closed);
  EXPECT_EQ(Outcome(Send(filter, trusted_, {}, "/", nobody.get())), "403");
  EXPECT_EQ(Outcome(Send(filter, without_, {}, "/", nobody.get())), "403");

  v1::MutualTlsRoute told;
  told.mutable_forwarding()->mutable_xfcc()->set_subject(true);
  told.mutable_forwarding()->add_remove_headers("x-of-the-route");
  const LoadedRoute xfcc(told);
  const FakeStream::Headers forged = {{"x-of-the-domain", "forged"},
                                      {"x-of-the-route", "forged"}};
  const Sent sent = Send(filter, trusted_, forged, "/", xfcc.get());
  EXPECT_NE(Value(sent.headers, "x-forwarded-client-cert"), "(none)");
  EXPECT_EQ(Value(sent.headers, "client-cert"), "(none)");
  EXPECT_EQ(Value(sent.headers, "x-of-the-domain"), "(none)");
  EXPECT_EQ(Value(sent.headers, "x-of-the-route"), "(none)");
  const Sent plain = Send(filter, trusted_, forged);
  EXPECT_NE(Value(plain.headers, "client-cert"), "(none)");
  EXPECT_EQ(Value(plain.headers, "x-of-the-route"), "forged");
}

TEST_F(Rejection, LetsNoRouteWaiveWhatAPathRequires) {
  auto config = Config();
  config.set_client_certificate(v1::OPTIONAL);
  auto* admin = config.add_paths();
  admin->set_prefix("/admin");
  admin->set_client_certificate(v1::REQUIRED);
  auto* open_path = config.add_paths();
  open_path->set_prefix("/open");
  open_path->set_client_certificate(v1::OPTIONAL);
  LoadedFilter filter(config);
  v1::MutualTlsRoute open;
  open.set_client_certificate(v1::OPTIONAL);
  const LoadedRoute optional(open);
  v1::MutualTlsRoute closed;
  closed.set_client_certificate(v1::REQUIRED);
  const LoadedRoute required(closed);
  EXPECT_EQ(Outcome(Send(filter, without_, {}, "/x", optional.get())), "");
  // As Envoy matches them, these are paths below /x.
  for (const char* path : {"/admin", "/x/..%2fadmin", "/x/%2e%2e/admin"}) {
    EXPECT_EQ(Outcome(Send(filter, without_, {}, path, optional.get())), "403")
        << path;
  }
  EXPECT_EQ(Outcome(Send(filter, without_, {}, "/open", required.get())),
            "403");
}

TEST_F(Rejection, RefusesABadRouteNamingTheField) {
  std::vector<std::pair<v1::MutualTlsRoute, std::string>> bad(3);
  bad[0].first.mutable_allow();
  bad[0].second = "refused: allow";
  bad[1].first.set_client_certificate(static_cast<v1::ClientCertificate>(9));
  bad[1].second = "refused: client_certificate: ";
  bad[2].first.mutable_forwarding()->set_max_header_bytes(1);
  bad[2].second = "refused: forwarding.max_header_bytes";
  for (const auto& [config, text] : bad) {
    LogCapture log;
    EXPECT_EQ(LoadedRoute(config).get(), nullptr);
    EXPECT_EQ(log.Count(text, abi::LogLevel::kError), 1) << log.Text();
  }
  LogCapture log;
  EXPECT_EQ(LoadedRoute({}, "other").get(), nullptr);
  EXPECT_EQ(log.Count("per_route_config_name: "), 1) << log.Text();
  EXPECT_EQ(LoadWithdrawn("not a domain"), nullptr);
  EXPECT_EQ(log.Count("refused: domain: "), 1) << log.Text();
  EXPECT_EQ(LoadWithdrawn(""), nullptr);
  EXPECT_EQ(envoy_dynamic_module_on_http_filter_per_route_config_new(
                Envoy("sallyport.mtls"), Envoy("{\"alow\": {}}")),
            nullptr);
}

TEST_F(Rejection, HasLimitsAndTakesWhatIsJustWithin) {
  using Change = void (*)(v1::MutualTls&);
  const std::vector<std::pair<Change, std::string>> cases = {
      {[](v1::MutualTls& c) { c.mutable_bad_request()->set_body("x"); }, ""},
      {[](v1::MutualTls& c) {
         c.mutable_bad_request()->set_body(std::string(kMaxPage, 'x'));
       },
       ""},
      {[](v1::MutualTls& c) {
         c.mutable_bad_request()->set_body(std::string(kMaxPage + 1, 'x'));
       },
       "bad_request.body: "},
      {[](v1::MutualTls& c) {
         c.mutable_bad_request()->set_content_type("text/html\r\nx: y");
       },
       "bad_request.content_type: "},
      {[](v1::MutualTls& c) {
         c.mutable_bad_request()->set_redirect("/" + std::string(2047, 'x'));
       },
       ""},
      {[](v1::MutualTls& c) {
         c.mutable_bad_request()->set_redirect("/" + std::string(2048, 'x'));
       },
       "bad_request.redirect: "},
      {[](v1::MutualTls& c) {
         c.mutable_bad_request()->set_redirect("https://a.test/?b#c");
       },
       ""},
      {[](v1::MutualTls& c) {
         c.mutable_bad_request()->set_redirect("//evil.test");
       },
       "bad_request.redirect: "},
      {[](v1::MutualTls& c) {
         c.mutable_bad_request()->set_redirect("/\\evil.test");
       },
       "bad_request.redirect: "},
      {[](v1::MutualTls& c) {
         c.mutable_bad_request()->set_redirect("/x\r\nset-cookie: y");
       },
       "bad_request.redirect: "},
      {[](v1::MutualTls& c) {
         c.mutable_bad_request()->set_redirect("javascript:x");
       },
       "bad_request.redirect: "},
      {[](v1::MutualTls& c) {
         c.mutable_bad_request()->set_redirect("/x");
         c.mutable_bad_request()->set_body("y");
       },
       "bad_request.redirect: "},
      {[](v1::MutualTls& c) {
         c.set_rejection(v1::FORBIDDEN);
         c.mutable_bad_request();
       },
       "bad_request: "},
      {[](v1::MutualTls& c) {
         c.set_rejection(static_cast<v1::RejectionStyle>(9));
       },
       "rejection: "},
      {[](v1::MutualTls& c) {
         c.set_client_certificate(static_cast<v1::ClientCertificate>(9));
       },
       "client_certificate: "},
      {[](v1::MutualTls& c) {
         c.mutable_end_streams_after()->set_seconds(86400);
       },
       ""},
      {[](v1::MutualTls& c) {
         c.mutable_end_streams_after()->set_seconds(86400);
         c.mutable_end_streams_after()->set_nanos(1);
       },
       "end_streams_after: "},
      {[](v1::MutualTls& c) { c.mutable_end_streams_after()->set_nanos(-1); },
       "end_streams_after: "},
  };
  for (size_t i = 0; i < cases.size(); ++i) {
    auto config = Styled(v1::BAD_REQUEST);
    cases[i].first(config);
    LogCapture log;
    const LoadedFilter filter(config);
    EXPECT_EQ(filter.get() != nullptr, cases[i].second.empty()) << i;
    if (cases[i].second.empty()) continue;
    EXPECT_EQ(log.Count(absl::StrCat("refused: ", cases[i].second)), 1)
        << i << log.Text();
  }
}

TEST_F(Rejection, CountsWhatTheShadowWouldHaveDecided) {
  auto trust = Trusting(root_);
  trust.mutable_shadow()->add_truststores()->set_inline_pem(
      Certificates().stranger.pem);
  const LoadedValidator validator(trust);
  for (const bool needs_chain : {true, false}) {
    auto config = Config();
    if (!needs_chain) config.clear_forwarding();
    LoadedFilter filter(config);
    FakeConnection trusted = Connect(validator, client_);
    FakeConnection untrusted = Connect(validator, stranger_);
    for (int i = 0; i < 2; ++i) {
      EXPECT_EQ(Outcome(Send(filter, trusted)), "");
      EXPECT_EQ(Outcome(Send(filter, untrusted)), "403");
    }
    EXPECT_EQ(
        filter.envoy.Value("shadow_differences",
                           {"api.example.com", "TRUSTED", "UNTRUSTED_ISSUER"}),
        2u);
    EXPECT_EQ(
        filter.envoy.Value("shadow_differences",
                           {"api.example.com", "UNTRUSTED_ISSUER", "TRUSTED"}),
        2u);
  }
}

TEST_F(Rejection, CountsTheHandshakesThatTheValidatorRefused) {
  auto trust = Trusting(root_);
  trust.set_rejection(v1::HANDSHAKE);
  const LoadedValidator validator(trust);
  const auto refuse = [&] {
    FakeConnection connection;
    EXPECT_EQ(validator.Verify(connection, stranger_),
              abi::ValidationStatus::kFailed);
  };
  const auto counted = [](const LoadedFilter& filter) {
    return filter.envoy.Value("handshakes_refused",
                              {"api.example.com", "UNTRUSTED_ISSUER"});
  };
  // What Envoy's main thread does.
  const auto deliver = [](LoadedFilter& filter) {
    std::vector<uint64_t> events;
    while ((events = filter.envoy.TakeEvents()).empty()) {
      absl::SleepFor(absl::Milliseconds(1));
    }
    EXPECT_EQ(events.size(), 1u);
    filter.CountGathered();
  };
  refuse();
  refuse();
  LoadedFilter filter(Styled(v1::HANDSHAKE));
  // Those from before the filter was there too, all at once.
  deliver(filter);
  EXPECT_EQ(counted(filter), 2u);
  refuse();
  deliver(filter);
  EXPECT_EQ(counted(filter), 3u);

  // A newer configuration of the filter takes over.
  {
    LoadedFilter newer(Styled(v1::HANDSHAKE));
    refuse();
    deliver(newer);
    EXPECT_TRUE(filter.envoy.TakeEvents().empty());
    EXPECT_EQ(counted(newer), 1u);
  }
  refuse();
  deliver(filter);
  EXPECT_EQ(counted(filter), 4u);
  envoy_dynamic_module_on_http_filter_config_scheduled(filter.envoy.config(),
                                                       nullptr, 0);
}

TEST_F(Rejection, FollowsNoHandshakesInOtherStyles) {
  auto trust = Trusting(root_);
  trust.set_rejection(v1::HANDSHAKE);
  const LoadedValidator validator(trust);
  LoadedFilter filter(Styled(v1::FORBIDDEN));
  LogCapture log;
  for (int i = 0; i < 2; ++i) {
    FakeConnection connection;
    EXPECT_EQ(validator.Verify(connection, stranger_),
              abi::ValidationStatus::kFailed);
  }
  EXPECT_TRUE(filter.envoy.TakeEvents().empty());
  // Which is told, once.
  EXPECT_EQ(log.Count("HANDSHAKE in the validator, but not in the filter"), 1)
      << log.Text();
}

TEST_F(Rejection, SaysThatTheValidatorLacksTheStyleHandshake) {
  LogCapture log;
  LoadedFilter filter(Styled(v1::HANDSHAKE));
  EXPECT_TRUE(Send(filter, without_).closed);
  EXPECT_EQ(log.Count("rejection is HANDSHAKE in the filter"), 0);
  for (int i = 0; i < 2; ++i) EXPECT_TRUE(Send(filter, untrusted_).closed);
  EXPECT_EQ(log.Count("rejection is HANDSHAKE in the filter",
                      abi::LogLevel::kWarning),
            1)
      << log.Text();
}

TEST_F(Rejection, SaysThatARuleNamesATruststoreThatIsNotThere) {
  LogCapture log;
  auto config = Styled(v1::FORBIDDEN);
  config.mutable_allow()
      ->mutable_all()
      ->add_rules()
      ->mutable_truststore()
      ->add_names("partnrs");
  LoadedFilter filter(config);
  for (int i = 0; i < 2; ++i) EXPECT_EQ(Outcome(Send(filter, trusted_)), "403");
  EXPECT_EQ(log.Count("does not have: partnrs (it has partners)",
                      abi::LogLevel::kWarning),
            1)
      << log.Text();

  auto list = Styled(v1::FORBIDDEN);
  list.mutable_allow()->mutable_certificate_list()->add_names("vip");
  LoadedFilter other(list);
  EXPECT_EQ(Outcome(Send(other, trusted_)), "403");
  EXPECT_EQ(log.Count("the domain has no lists", abi::LogLevel::kWarning), 1)
      << log.Text();

  auto good = Styled(v1::FORBIDDEN);
  good.mutable_allow()->mutable_truststore()->add_names("partners");
  LoadedFilter third(good);
  EXPECT_EQ(Outcome(Send(third, trusted_)), "");
}

TEST_F(Rejection, SaysWhatAsksForACertificate) {
  auto config = Styled(v1::FORBIDDEN);
  config.set_client_certificate(v1::OPTIONAL);
  auto* admin = config.add_paths();
  admin->set_prefix("/admin");
  admin->set_client_certificate(v1::REQUIRED);
  LoadedFilter filter(config);
  const auto detail = [&](const std::string& path) {
    FakeStream stream(&filter.envoy, &without_);
    stream.request_headers = Headers();
    for (auto& [name, value] : stream.request_headers) {
      if (name == ":path") value = path;
    }
    return Request(filter, stream) ? "" : stream.metadata["sallyport:detail"];
  };
  EXPECT_EQ(detail("/"), "");
  EXPECT_EQ(detail("/ADMIN"),
            "the client sent no certificate; a rule of paths needs one");
  EXPECT_EQ(
      detail("/a%2fb"),
      "the client sent no certificate; a rule of paths needs one; the path "
      "is written in an unusual way, so every rule of paths counts");
}

}  // namespace
}  // namespace sallyport::mtls_http
