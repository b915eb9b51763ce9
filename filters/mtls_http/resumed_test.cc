// Resumed sessions: a connection without a record whose client has a
// certificate.

#include <memory>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/text.h"
#include "filters/mtls_http/hooks_test_support.h"
#include "gtest/gtest.h"
#include "pki/x509/certificate.h"

namespace sallyport::mtls_http {
namespace {

constexpr char kXfcc[] = "x-forwarded-client-cert";
constexpr char kMissing[] = "sallyport_denied{CONFIGURATION_MISSING}";

class ResumedSession : public MtlsHooks {
 protected:
  // The answer to a request with that header; "" when it goes on.
  static std::string Ask(LoadedFilter& filter, FakeConnection& connection,
                         const std::string& xfcc,
                         std::string* detail = nullptr) {
    FakeStream stream(&filter.envoy, &connection);
    stream.request_headers = Headers("api.example.com", {{kXfcc, xfcc}});
    const bool goes_on = Request(filter, stream);
    if (detail != nullptr) *detail = stream.metadata["sallyport:detail"];
    if (goes_on) return "";
    return stream.closed ? "closed" : stream.response->details;
  }

  const pki::TestCertificate& good_ = Certificates().client;
  const pki::TestCertificate& bad_ = Certificates().stranger;
};

TEST_F(ResumedSession, IsJudgedByTheChainThatEnvoyWrote) {
  const LoadedValidator validator(Trusting(root_));
  LoadedFilter filter(Config());
  FakeConnection connection = Resumed(good_);
  FakeStream stream(&filter.envoy, &connection);
  stream.request_headers = Headers("api.example.com", {{kXfcc, Xfcc(good_)}});
  EXPECT_TRUE(Request(filter, stream));
  // The backend is told as on a full handshake, and not by Envoy's header.
  FakeConnection full;
  validator.Handshake(full, good_.der);
  FakeStream other(&filter.envoy, &full);
  other.request_headers = Headers();
  EXPECT_TRUE(Request(filter, other));
  EXPECT_EQ(stream.request_headers, other.request_headers);
  EXPECT_EQ(filter.envoy.Value("resumed", {"api.example.com"}), 1u);
  // The filter state has nobody to name.
  EXPECT_EQ(stream.metadata["sallyport:fingerprint"], Digest(good_.der));
  EXPECT_EQ(other.metadata.count("sallyport:fingerprint"), 0u);

  FakeConnection stranger = Resumed(bad_);
  EXPECT_EQ(Ask(filter, stranger, Xfcc(bad_)),
            "sallyport_denied{UNTRUSTED_ISSUER}");
}

TEST_F(ResumedSession, IsWorthNothingWithAnotherOnesCertificate) {
  const LoadedValidator validator(Trusting(root_));
  LoadedFilter filter(Config());
  FakeConnection connection = Resumed(bad_);
  FakeConnection owner = Resumed(good_);
  // The second time it is remembered, for its owner.
  for (int i = 0; i < 2; ++i) {
    std::string detail;
    EXPECT_EQ(Ask(filter, connection, Xfcc(good_), &detail), kMissing);
    EXPECT_TRUE(absl::StrContains(detail, "resumed")) << detail;
    EXPECT_FALSE(absl::StrContains(detail, Digest(good_.der)));
    EXPECT_EQ(Ask(filter, owner, Xfcc(good_)), "");
  }
}

TEST_F(ResumedSession, IsRefusedInEveryStyleWhenItsChainIsNotKnown) {
  const LoadedValidator validator(Trusting(root_));
  for (const v1::RejectionStyle style :
       {v1::FORBIDDEN, v1::HANDSHAKE, v1::BAD_REQUEST, v1::PASS}) {
    auto config = Config();
    config.set_rejection(style);
    config.set_client_certificate(v1::OPTIONAL);
    LoadedFilter filter(config);
    FakeConnection unknown;  // Envoy does not say whose it is
    EXPECT_EQ(Ask(filter, unknown, Xfcc(good_)), kMissing);
    FakeConnection connection = Resumed(good_);
    for (const std::string& xfcc :
         {std::string(), std::string("garbage"),
          absl::StrCat("Hash=", Digest(good_.der)),
          absl::StrCat(Xfcc(bad_), ",", Xfcc(good_))}) {
      std::string detail;
      EXPECT_EQ(Ask(filter, connection, xfcc, &detail), kMissing);
      EXPECT_NE(detail, "");
    }
    for (const FakeStream::Headers& headers :
         {FakeStream::Headers{},
          FakeStream::Headers{{kXfcc, Xfcc(good_)}, {kXfcc, Xfcc(good_)}}}) {
      FakeStream stream(&filter.envoy, &connection);
      stream.request_headers = Headers("api.example.com", headers);
      EXPECT_FALSE(Request(filter, stream));
      EXPECT_EQ(stream.response->status, 403u);
      EXPECT_EQ(stream.response->details, kMissing);
      EXPECT_TRUE(absl::StrContains(stream.metadata["sallyport:detail"],
                                    "SANITIZE_SET"));
    }
    EXPECT_EQ(filter.Decisions("denied", "CONFIGURATION_MISSING"), 7u);
  }
}

TEST_F(ResumedSession, FollowsTheTruststoreAndTheClock) {
  auto first = std::make_unique<LoadedValidator>(Trusting(root_));
  LoadedFilter filter(Config());
  FakeConnection connection = Resumed(good_);
  EXPECT_EQ(Ask(filter, connection, Xfcc(good_)), "");
  {
    const LoadedValidator second(Trusting(Certificates().other_root.pem));
    first.reset();
    EXPECT_EQ(Ask(filter, connection, Xfcc(good_)),
              "sallyport_denied{UNTRUSTED_ISSUER}");
    first = std::make_unique<LoadedValidator>(Trusting(root_));
  }
  EXPECT_EQ(Ask(filter, connection, Xfcc(good_)), "");

  const pki::TestCertificate& brief = Certificates().short_client;
  FakeConnection expiring = Resumed(brief);
  EXPECT_EQ(Ask(filter, expiring, Xfcc(brief)), "");
  clock_.Advance(absl::Hours(2));
  EXPECT_EQ(Ask(filter, expiring, Xfcc(brief)), "sallyport_denied{EXPIRED}");

  first.reset();
  std::string detail;
  EXPECT_EQ(Ask(filter, connection, Xfcc(good_), &detail), kMissing);
  EXPECT_TRUE(absl::StrContains(detail, "no truststore")) << detail;
}

TEST_F(ResumedSession, IsRefusedUnderStrictHandshake) {
  const LoadedValidator validator(Trusting(root_));
  auto config = Config();
  config.set_strict_handshake(true);
  LoadedFilter filter(config);
  FakeConnection connection = Resumed(good_);
  std::string detail;
  EXPECT_EQ(Ask(filter, connection, Xfcc(good_), &detail), kMissing);
  EXPECT_TRUE(absl::StrContains(detail, "strict_handshake"));
  FakeConnection full;
  validator.Handshake(full, good_.der);
  EXPECT_EQ(Answer(filter, full), "");
}

TEST_F(ResumedSession, IsClosedInTheStyleHandshakeWhenItIsNotTrusted) {
  const LoadedValidator validator(Trusting(root_));
  auto config = Config();
  config.set_rejection(v1::HANDSHAKE);
  LoadedFilter filter(config);
  FakeConnection connection = Resumed(bad_);
  EXPECT_EQ(Ask(filter, connection, Xfcc(bad_)), "closed");
  FakeConnection good = Resumed(good_);
  EXPECT_EQ(Ask(filter, good, Xfcc(good_)), "");
}

}  // namespace
}  // namespace sallyport::mtls_http
