#include "filters/forwarding/xfcc_chain.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/string_view.h"
#include "base/file.h"
#include "base/text.h"
#include "filters/forwarding/test_certificate.h"
#include "gtest/gtest.h"
#include "pki/x509/certificate.h"
#include "pki/x509/pem.h"

namespace sallyport::forwarding {
namespace {

using Strings = std::vector<std::string>;

constexpr char kRecorded[] = "filters/forwarding/testdata/envoy/";

std::string Sha256Hex(absl::string_view bytes) {
  return HexLower(pki::AsBytes(pki::Sha256(bytes)));
}

std::string UrlPem(absl::string_view der) {
  return absl::StrReplaceAll(
      pki::WritePem("CERTIFICATE", der),
      {{" ", "%20"}, {"\n", "%0A"}, {"+", "%2B"}, {"/", "%2F"}, {"=", "%3D"}});
}

// The certificates, or the kind of error.
Strings Read(absl::string_view value, absl::string_view peer) {
  auto chain = ReadXfccChain(value, peer);
  if (!chain.ok()) {
    return {absl::StatusCodeToString(chain.status().code())};
  }
  // The views outlive a move.
  const XfccChain moved = *std::move(chain);
  Strings out;
  for (const absl::string_view der : moved.certificates()) {
    out.emplace_back(der);
  }
  return out;
}

const Strings kInvalid = {"INVALID_ARGUMENT"};
const Strings kNoChain = {"FAILED_PRECONDITION"};
const Strings kTooLarge = {"RESOURCE_EXHAUSTED"};

// Stand-ins for DER: bytes of every length modulo 3.
std::string Der(size_t size, char first = 'x') {
  std::string der(1, first);
  for (size_t i = 1; i < size; ++i) der.push_back(static_cast<char>(i * 7));
  return der;
}

class TwoCertificates : public ::testing::Test {
 protected:
  const std::string leaf_ = Der(700);
  const std::string issuer_ = Der(801, 'y');
  const std::string peer_ = Sha256Hex(leaf_);
  const std::string cert_ = UrlPem(leaf_);
  const std::string chain_ = UrlPem(leaf_) + UrlPem(issuer_);
  const Strings both_ = {leaf_, issuer_};

  std::string Whole() const {
    return absl::StrCat("Hash=", peer_, ";Cert=\"", cert_, "\";Chain=\"",
                        chain_, "\";Subject=\"CN=a\";URI=spiffe://a;DNS=b");
  }
};

TEST(XfccChain, IsWhatTheClientSentInEveryValueThatEnvoyWrote) {
  for (const char* name : {"plain", "nosan", "names", "blank", "hostile",
                           "backslash", "three", "rsa", "alone", "forged"}) {
    SCOPED_TRACE(name);
    const std::string base = absl::StrCat(kRecorded, name);
    const auto value = ReadFile(base + ".xfcc", size_t{1} << 20);
    ASSERT_TRUE(value.ok());
    Strings sent;
    for (const auto& certificate : ReadChain(base + ".pem")) {
      sent.emplace_back(certificate->der());
    }
    EXPECT_EQ(Read(*value, Sha256Hex(sent[0])), sent);
  }
}

TEST_F(TwoCertificates, AreReadWhateverElseEnvoyWrites) {
  EXPECT_EQ(Read(Whole(), peer_), both_);
  EXPECT_EQ(
      Read(absl::StrCat("By=spiffe://x;By=https://a/?b=c;", Whole()), peer_),
      both_);
  EXPECT_EQ(Read(absl::StrCat("By=;", Whole()), peer_), both_);
  EXPECT_EQ(Read(absl::StrCat("Chain=\"", chain_, "\""), peer_), both_);
  EXPECT_EQ(
      Read(absl::StrCat("Hash=", peer_, ";Chain=\"", chain_, "\""), peer_),
      both_);
}

TEST_F(TwoCertificates, AreNotReadFromWhatFollowsTheSubjectOrASan) {
  const std::string forged = UrlPem(Der(500, 'z'));
  for (const char* key : {"Subject", "URI", "DNS"}) {
    for (const char* separator : {";", ","}) {
      // Nothing before it: there is no chain.
      EXPECT_EQ(Read(absl::StrCat("Hash=", peer_, ";", key, "=x", separator,
                                  "Chain=\"", chain_, "\""),
                     peer_),
                kNoChain);
      // The real one before it.
      EXPECT_EQ(Read(absl::StrCat(Whole(), separator, "Hash=00;Cert=\"", forged,
                                  "\";Chain=\"", forged, "\";", key, "=x"),
                     peer_),
                both_);
    }
  }
}

TEST_F(TwoCertificates, AreRefusedForAnotherPeer) {
  EXPECT_EQ(Read(Whole(), Sha256Hex(issuer_)), kInvalid);
  EXPECT_EQ(Read(Whole(), ""), kInvalid);
  EXPECT_EQ(Read(absl::StrCat("Chain=\"", chain_, "\""), Sha256Hex(issuer_)),
            kInvalid);
  EXPECT_EQ(Read(absl::StrCat("Chain=\"", chain_, "\""), ""), kInvalid);
  EXPECT_EQ(Read(Whole(), HexUpper(pki::AsBytes(pki::Sha256(leaf_)))),
            kInvalid);
}

TEST_F(TwoCertificates, AreRefusedWhenAFieldIsThereTwice) {
  const std::string chain = absl::StrCat("Chain=\"", chain_, "\"");
  const std::string cert = absl::StrCat("Cert=\"", cert_, "\"");
  EXPECT_EQ(Read(absl::StrCat(chain, ";", chain), peer_), kInvalid);
  EXPECT_EQ(Read(absl::StrCat(cert, ";", cert, ";", chain), peer_), kInvalid);
  EXPECT_EQ(
      Read(absl::StrCat("Hash=", peer_, ";Hash=", peer_, ";", chain), peer_),
      kInvalid);
}

TEST_F(TwoCertificates, AreRefusedInASecondElement) {
  const std::string chain = absl::StrCat("Chain=\"", chain_, "\"");
  EXPECT_EQ(Read(absl::StrCat("Hash=", peer_, ",", chain), peer_), kInvalid);
  EXPECT_EQ(Read(absl::StrCat(chain, ",Hash=", peer_), peer_), kInvalid);
  EXPECT_EQ(Read(absl::StrCat("By=a,", chain), peer_), kInvalid);
  EXPECT_EQ(Read(absl::StrCat("By=a\",\"", chain), peer_), kInvalid);
}

TEST_F(TwoCertificates, AreRefusedInAnyFormThatEnvoyDoesNotWrite) {
  const std::string whole = Whole();
  const auto with = [&](absl::string_view from, absl::string_view to) {
    const std::string changed = absl::StrReplaceAll(whole, {{from, to}});
    EXPECT_NE(changed, whole) << from;
    return Read(changed, peer_);
  };
  EXPECT_EQ(with(";Chain=", "; Chain="), kInvalid);
  EXPECT_EQ(with("Chain=", "chain="), kInvalid);
  EXPECT_EQ(with("Chain=\"", "Chain="), kInvalid);
  EXPECT_EQ(with("Chain=", "Other=1;Chain="), kInvalid);
  EXPECT_EQ(with("%0A", "%0a"), kInvalid);
  EXPECT_EQ(with("%0A", "%0D%0A"), kInvalid);
  EXPECT_EQ(with("%0A", "\n"), kInvalid);
  EXPECT_EQ(with("%0A", ""), kInvalid);
  EXPECT_EQ(with("%0A", "%0A%0A"), kInvalid);
  EXPECT_EQ(with("%2F", "/"), kInvalid);
  EXPECT_EQ(with("%20", "+"), kInvalid);
  EXPECT_EQ(with("CERTIFICATE", "TRUSTED%20CERTIFICATE"), kInvalid);
  EXPECT_EQ(with("-----END", "----END"), kInvalid);
  EXPECT_EQ(with("-----%0A\";", "-----\";"), kInvalid);
  EXPECT_EQ(Read("[{\"hash\":\"aa\"}]", peer_), kInvalid);
  EXPECT_EQ(Read("Chain=\"\"", peer_), kInvalid);
  EXPECT_EQ(Read("Chain=\"-----BEGIN%20CERTIFICATE-----%0A"
                 "-----END%20CERTIFICATE-----%0A\"",
                 peer_),
            kInvalid);
}

TEST_F(TwoCertificates, AreRefusedWhenTheHeaderIsCutAnywhereInThem) {
  const std::string whole = absl::StrCat("Hash=", peer_, ";Cert=\"", cert_,
                                         "\";Chain=\"", chain_, "\"");
  for (size_t size = 0; size < whole.size(); ++size) {
    const Strings read = Read(absl::string_view(whole).substr(0, size), peer_);
    ASSERT_TRUE(read == kInvalid || read == kNoChain) << size;
  }
  EXPECT_EQ(Read(whole, peer_), both_);
}

TEST_F(TwoCertificates, MustBeginWithCert) {
  EXPECT_EQ(Read(absl::StrCat("Cert=\"", UrlPem(issuer_), "\";Chain=\"", chain_,
                              "\""),
                 peer_),
            kInvalid);
}

TEST_F(TwoCertificates, NeedTheConnectionManagerToSendTheChain) {
  const auto status =
      ReadXfccChain(absl::StrCat("Hash=", peer_, ";Cert=\"", cert_, "\""),
                    peer_)
          .status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_TRUE(
      absl::StrContains(status.message(), "set_current_client_cert_details"));
  EXPECT_EQ(Read("", peer_), kNoChain);
}

TEST(XfccChain, ReadsEveryLengthOfLinesAndPadding) {
  for (size_t size = 1; size < 200; ++size) {
    const std::string der = Der(size);
    EXPECT_EQ(Read(absl::StrCat("Chain=\"", UrlPem(der), "\""), Sha256Hex(der)),
              Strings{der})
        << size;
  }
}

TEST(XfccChain, RefusesPaddingThatIsNotCanonical) {
  const auto block = [](absl::string_view body) {
    return absl::StrCat("Chain=\"-----BEGIN%20CERTIFICATE-----%0A", body,
                        "%0A-----END%20CERTIFICATE-----%0A\"");
  };
  EXPECT_EQ(Read(block("YQ%3D%3D"), Sha256Hex("a")), Strings{"a"});
  EXPECT_EQ(Read(block("YWI%3D"), Sha256Hex("ab")), Strings{"ab"});
  for (const char* body :
       {"YR%3D%3D", "YWJ%3D", "YQ%3D", "YQ", "Y", "YWI", "Y%3D%3D%3D",
        "YQ%3D%3D%3D", "%3D", "YWJj%3D", "YQ%3D%3DYQ%3D%3D", "YQ%3D%0A%3D",
        "YW%0AJj", "YQ%3D%3", "YQ%3D%"}) {
    EXPECT_EQ(Read(block(body), Sha256Hex("a")), kInvalid) << body;
  }
  // The second line may not follow a short one, nor be too long.
  EXPECT_EQ(Read(block(std::string(68, 'A')), ""), kInvalid);
}

TEST(XfccChain, StopsAtItsLimits) {
  const std::string leaf = Der(10);
  const auto value = [&leaf](size_t count) {
    std::string chain;
    for (size_t i = 0; i < count; ++i) chain += UrlPem(leaf);
    return absl::StrCat("Chain=\"", chain, "\"");
  };
  EXPECT_EQ(Read(value(kMaxXfccCertificates), Sha256Hex(leaf)).size(),
            kMaxXfccCertificates);
  EXPECT_EQ(Read(value(kMaxXfccCertificates + 1), Sha256Hex(leaf)), kTooLarge);

  const std::string large = Der(kMaxXfccChainBytes - leaf.size());
  const std::string at_limit = UrlPem(large) + UrlPem(leaf);
  EXPECT_EQ(
      Read(absl::StrCat("Chain=\"", at_limit, "\""), Sha256Hex(large)).size(),
      2u);
  const std::string over = UrlPem(large + "x") + UrlPem(leaf);
  EXPECT_EQ(Read(absl::StrCat("Chain=\"", over, "\""), Sha256Hex(large + "x")),
            kTooLarge);
}

}  // namespace
}  // namespace sallyport::forwarding
