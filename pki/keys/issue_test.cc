#include "pki/keys/issue.h"

#include <openssl/evp.h>
#include <openssl/x509.h>

#include <cstdint>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "pki/testing/make_certificate.h"
#include "pki/x509/purpose.h"

namespace sallyport::pki {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::string TestFile(const std::string& name) {
  const absl::StatusOr<std::string> text =
      ReadFile("pki/keys/testdata/" + name, size_t{1} << 20);
  EXPECT_TRUE(text.ok()) << text.status();
  return text.value_or("");
}

NewCertificate Leaf() {
  NewCertificate out;
  out.subject = {{"O", "Example, Inc."}, {"CN", "node-1"}};
  out.not_before = TestNow();
  out.not_after = TestNow() + absl::Hours(24 * 365);
  out.client_auth = true;
  return out;
}

std::shared_ptr<const Certificate> Issued(const NewCertificate& spec,
                                          absl::string_view spki,
                                          const PrivateKey& signer,
                                          const Certificate* issuer) {
  const absl::StatusOr<std::string> der = Issue(spec, spki, signer, issuer);
  EXPECT_TRUE(der.ok()) << der.status();
  if (!der.ok()) return nullptr;
  return *Certificate::Parse(*der);
}

bool SignatureVerifies(const Certificate& certificate,
                       const Certificate& issuer) {
  const auto read = [](const Certificate& c) {
    const auto* p = reinterpret_cast<const uint8_t*>(c.der().data());
    return bssl::UniquePtr<X509>(
        d2i_X509(nullptr, &p, static_cast<long>(c.der().size())));
  };
  return X509_verify(read(certificate).get(),
                     X509_get0_pubkey(read(issuer).get())) == 1;
}

TEST(Issue, MakesASelfSignedCertificate) {
  for (const PrivateKey::Kind kind :
       {PrivateKey::Kind::kRsa2048, PrivateKey::Kind::kEcP256,
        PrivateKey::Kind::kEcP384}) {
    const auto key = PrivateKey::Generate(kind);
    const auto certificate = Issued(Leaf(), key->spki_der(), *key, nullptr);
    ASSERT_NE(certificate, nullptr);
    EXPECT_EQ(certificate->problem(), "");
    EXPECT_TRUE(certificate->IsSelfSigned());
    EXPECT_FALSE(certificate->is_ca());
    EXPECT_TRUE(key->BelongsTo(*certificate));
    EXPECT_EQ(certificate->version(), 3);
    EXPECT_EQ(certificate->Subject(), "CN=node-1,O=Example\\, Inc.");
    EXPECT_EQ(certificate->not_before(), Leaf().not_before);
    EXPECT_EQ(certificate->not_after(), Leaf().not_after);
    EXPECT_EQ(certificate->signature_strength(), SignatureStrength::kStrong);
    EXPECT_TRUE(AllowsPurpose(*certificate, Purpose::kClientAuth));
    EXPECT_FALSE(AllowsPurpose(*certificate, Purpose::kServerAuth));
  }
}

TEST(Issue, SignsWithACa) {
  const auto ca_key = PrivateKey::Generate(PrivateKey::Kind::kEcP256);
  NewCertificate ca;
  ca.subject = {{"CN", "proxies"}};
  ca.not_before = TestNow();
  ca.not_after = TestNow() + absl::Hours(24);
  ca.ca = true;
  const auto ca_certificate = Issued(ca, ca_key->spki_der(), *ca_key, nullptr);
  ASSERT_NE(ca_certificate, nullptr);
  EXPECT_TRUE(ca_certificate->is_ca());
  EXPECT_EQ(ca_certificate->problem(), "");

  const auto key = PrivateKey::Generate(PrivateKey::Kind::kEcP384);
  NewCertificate leaf = Leaf();
  leaf.server_auth = true;
  leaf.dns_names = {"node-1.example.com"};
  leaf.uris = {"sallyport://fleets/edge/nodes/node-1"};
  leaf.ips = {"127.0.0.1", "2001:db8::1"};
  const auto certificate =
      Issued(leaf, key->spki_der(), *ca_key, ca_certificate.get());
  ASSERT_NE(certificate, nullptr);
  EXPECT_EQ(certificate->problem(), "");
  EXPECT_EQ(certificate->Issuer(), "CN=proxies");
  EXPECT_TRUE(SignatureVerifies(*certificate, *ca_certificate));
  EXPECT_FALSE(SignatureVerifies(*certificate, *certificate));
  EXPECT_THAT(certificate->AltNames().dns, ElementsAre("node-1.example.com"));
  EXPECT_THAT(certificate->AltNames().uri,
              ElementsAre("sallyport://fleets/edge/nodes/node-1"));
  EXPECT_THAT(certificate->AltNames().ip,
              ElementsAre("127.0.0.1", "2001:db8::1"));
  EXPECT_TRUE(AllowsPurpose(*certificate, Purpose::kServerAuth));
}

TEST(Issue, GivesEachCertificateItsOwnSerialNumber) {
  const auto key = PrivateKey::Generate(PrivateKey::Kind::kEcP256);
  const auto a = Issued(Leaf(), key->spki_der(), *key, nullptr);
  const auto b = Issued(Leaf(), key->spki_der(), *key, nullptr);
  EXPECT_NE(a->SerialHex(), b->SerialHex());
  EXPECT_EQ(a->SerialHex().size(), 32u);
  EXPECT_NE(a->SerialHex()[0], '-');
}

TEST(Issue, TakesTextAsItIs) {
  // What OpenSSL's text form would take for a second name.
  const auto key = PrivateKey::Generate(PrivateKey::Kind::kEcP256);
  NewCertificate leaf = Leaf();
  leaf.dns_names = {"a.example,DNS:evil.example"};
  const auto certificate = Issued(leaf, key->spki_der(), *key, nullptr);
  ASSERT_NE(certificate, nullptr);
  EXPECT_THAT(certificate->AltNames().dns,
              ElementsAre("a.example,DNS:evil.example"));
}

TEST(Issue, RefusesWhatCannotBeInACertificate) {
  const auto key = PrivateKey::Generate(PrivateKey::Kind::kEcP256);
  const auto other = PrivateKey::Generate(PrivateKey::Kind::kEcP256);
  const auto refused = [&](const NewCertificate& spec, absl::string_view spki,
                           const Certificate* issuer) {
    return Issue(spec, spki, *key, issuer).status().code() ==
           absl::StatusCode::kInvalidArgument;
  };
  NewCertificate spec = Leaf();
  spec.not_after = spec.not_before - absl::Seconds(1);
  EXPECT_TRUE(refused(spec, key->spki_der(), nullptr));
  spec = Leaf();
  spec.subject = {{"CN", std::string(65, 'a')}};
  EXPECT_TRUE(refused(spec, key->spki_der(), nullptr));
  spec.subject = {{"CN", "\xff"}};
  EXPECT_TRUE(refused(spec, key->spki_der(), nullptr));
  spec.subject = {{"Nothing", "a"}};
  EXPECT_TRUE(refused(spec, key->spki_der(), nullptr));
  for (const char* name : {"", "a b", "a\nb", "\xff"}) {
    spec = Leaf();
    spec.dns_names = {name};
    EXPECT_TRUE(refused(spec, key->spki_der(), nullptr)) << name;
    spec = Leaf();
    spec.uris = {name};
    EXPECT_TRUE(refused(spec, key->spki_der(), nullptr)) << name;
  }
  spec = Leaf();
  spec.ips = {"1.2.3"};
  EXPECT_TRUE(refused(spec, key->spki_der(), nullptr));
  EXPECT_TRUE(refused(Leaf(), "no key", nullptr));
  // Another's key in a self-signed certificate, another's certificate as
  // issuer.
  EXPECT_TRUE(refused(Leaf(), other->spki_der(), nullptr));
  const auto issuer = Issued(Leaf(), other->spki_der(), *other, nullptr);
  EXPECT_TRUE(refused(Leaf(), other->spki_der(), issuer.get()));
}

TEST(Issue, TakesACommonNameOf64Characters) {
  const auto key = PrivateKey::Generate(PrivateKey::Kind::kEcP256);
  NewCertificate spec = Leaf();
  spec.subject = {{"CN", std::string(64, 'a')}};
  EXPECT_TRUE(Issue(spec, key->spki_der(), *key, nullptr).ok());
}

TEST(ReadCertificateRequest, ReturnsTheKeyAndNothingElse) {
  const auto spki = ReadCertificateRequest(TestFile("request.pem"));
  ASSERT_TRUE(spki.ok()) << spki.status();
  const auto key =
      PrivateKey::FromPem(Secret::CopyOf(TestFile("ec_p384_sec1.pem")));
  EXPECT_EQ(*spki, key.key->spki_der());
}

TEST(ReadCertificateRequest, RefusesOthers) {
  const auto problem = [](absl::string_view pem) {
    return std::string(ReadCertificateRequest(pem).status().message());
  };
  const std::string request = TestFile("request.pem");
  EXPECT_THAT(problem(""), HasSubstr("no certificate request"));
  EXPECT_THAT(problem("hello"), HasSubstr("no certificate request"));
  EXPECT_THAT(problem(request + request), HasSubstr("no certificate request"));
  EXPECT_THAT(problem(request.substr(0, 100)),
              HasSubstr("no certificate request"));
  EXPECT_THAT(problem(request + TestFile("ec_p384_sec1.pem")),
              HasSubstr("a private key must not be sent"));
  EXPECT_THAT(problem(TestFile("request_ed25519.pem")), HasSubstr("not RSA"));
  EXPECT_THAT(problem(TestFile("request_rsa1024.pem")), HasSubstr("not RSA"));
}

TEST(ReadCertificateRequest, ChecksTheSignature) {
  // Another character in the last full line of base64, which is the signature.
  std::string request = TestFile("request.pem");
  const size_t end = request.find("\n-----END");
  const size_t at = end - 12;
  request[at] = request[at] == 'A' ? 'B' : 'A';
  const absl::Status status = ReadCertificateRequest(request).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()),
              ::testing::AnyOf(HasSubstr("not signed"),
                               HasSubstr("no certificate request")));
}

TEST(Issue, MakesRequestsThatItReads) {
  for (const auto kind :
       {PrivateKey::Kind::kEcP256, PrivateKey::Kind::kRsa2048}) {
    const auto key = PrivateKey::Generate(kind);
    const absl::StatusOr<std::string> request = MakeCertificateRequest(*key);
    ASSERT_TRUE(request.ok()) << request.status();
    const absl::StatusOr<std::string> spki = ReadCertificateRequest(*request);
    ASSERT_TRUE(spki.ok()) << spki.status();
    EXPECT_EQ(*spki, key->spki_der());
  }
}

}  // namespace
}  // namespace sallyport::pki
