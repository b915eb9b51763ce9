#include "pki/keys/private_key.h"

#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "base/file.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "pki/testing/make_certificate.h"

namespace sallyport::pki {
namespace {

using ::testing::HasSubstr;

std::string TestFile(const std::string& name) {
  const absl::StatusOr<std::string> text =
      ReadFile("pki/keys/testdata/" + name, size_t{1} << 20);
  EXPECT_TRUE(text.ok()) << text.status();
  return text.value_or("");
}

PrivateKey::ReadResult Read(absl::string_view pem) {
  return PrivateKey::FromPem(Secret::CopyOf(pem));
}

TEST(PrivateKey, IsReadFromEachForm) {
  for (const char* name : {"rsa_pkcs1.pem", "ec_sec1_with_parameters.pem",
                           "ec_p384_sec1.pem", "ec_p384_pkcs8.pem"}) {
    const PrivateKey::ReadResult read = Read(TestFile(name));
    ASSERT_NE(read.key, nullptr) << name << read.message;
    EXPECT_EQ(read.problem, PrivateKeyProblem::kNone);
  }
  // One key in two forms.
  EXPECT_EQ(Read(TestFile("ec_p384_sec1.pem")).key->spki_der(),
            Read(TestFile("ec_p384_pkcs8.pem")).key->spki_der());
}

TEST(PrivateKey, KnowsItsKind) {
  const auto rsa = Read(TestFile("rsa_pkcs1.pem"));
  EXPECT_EQ(rsa.key->public_key().type, KeyType::kRsa);
  EXPECT_EQ(rsa.key->public_key().bits, 2048);
  EXPECT_EQ(Read(TestFile("ec_p384_sec1.pem")).key->public_key().type,
            KeyType::kEcP384);
}

TEST(PrivateKey, IsWrittenAsPkcs8AndReadAgain) {
  for (const char* name : {"rsa_pkcs1.pem", "ec_p384_sec1.pem"}) {
    const auto key = Read(TestFile(name)).key;
    const Secret pem = key->Pem();
    EXPECT_TRUE(
        absl::StartsWith(pem.Reveal(), "-----BEGIN PRIVATE KEY-----\n"));
    const auto again = Read(pem.Reveal());
    ASSERT_NE(again.key, nullptr) << again.message;
    EXPECT_EQ(again.key->spki_der(), key->spki_der());
  }
}

TEST(PrivateKey, SaysWhenItNeedsAPassword) {
  for (const char* name :
       {"encrypted_pkcs8.pem", "encrypted_traditional.pem"}) {
    const auto read = Read(TestFile(name));
    EXPECT_EQ(read.key, nullptr);
    EXPECT_EQ(read.problem, PrivateKeyProblem::kEncrypted) << name;
    EXPECT_THAT(read.message, HasSubstr("decrypt"));
  }
}

TEST(PrivateKey, OfAnotherKindIsRefused) {
  for (const TestKey& key :
       {TestKey::Rsa(1024), TestKey::P521(), TestKey::Ed25519()}) {
    EXPECT_EQ(Read(key.Pem()).problem, PrivateKeyProblem::kUnsupported);
  }
  EXPECT_THAT(Read(TestKey::Rsa(1024).Pem()).message, HasSubstr("1024 bits"));
}

TEST(PrivateKey, IsReadFromTheSmallestRsaSizeOn) {
  EXPECT_NE(Read(TestKey::Rsa(kMinRsaKeyBits).Pem()).key, nullptr);
  EXPECT_EQ(Read(TestKey::Rsa(kMinRsaKeyBits - 8).Pem()).problem,
            PrivateKeyProblem::kUnsupported);
}

TEST(PrivateKey, IsRefusedWhenItIsNotOneKeyInPem) {
  const std::string key = TestFile("ec_p384_sec1.pem");
  const TestCertificate certificate =
      MakeTestCertificate(TestLeafSpec("a"), TestKey::P256(), nullptr);
  for (const std::string& text :
       {std::string(), std::string("hello"), key + key, certificate.pem + key,
        certificate.pem, key.substr(0, key.size() / 2),
        std::string("-----BEGIN PRIVATE KEY-----\nAAAA\n"
                    "-----END PRIVATE KEY-----\n"),
        // The contents of one form under the label of another.
        absl::StrReplaceAll(key, {{"EC PRIVATE KEY", "PRIVATE KEY"}}),
        absl::StrReplaceAll(key, {{"EC PRIVATE KEY", "RSA PRIVATE KEY"}})}) {
    const auto read = Read(text);
    EXPECT_EQ(read.key, nullptr);
    EXPECT_EQ(read.problem, PrivateKeyProblem::kMalformed);
    EXPECT_NE(read.message, "");
    // Nothing of the input is said.
    const std::string line = key.substr(key.find('\n') + 1, 20);
    EXPECT_FALSE(absl::StrContains(read.message, line));
  }
}

TEST(PrivateKey, WithTrailingBytesIsRefused) {
  // One more byte in the last line of base64: another DER after the key.
  const std::string pem = TestKey::P256().Pem();
  const auto good = Read(pem);
  ASSERT_NE(good.key, nullptr);
  const Secret again = good.key->Pem();
  std::string text(again.Reveal());
  const size_t end = text.find("-----END");
  text.insert(end, "AAAA\n");
  EXPECT_EQ(Read(text).key, nullptr);
}

TEST(PrivateKey, IsMadeOfEachKind) {
  const std::pair<PrivateKey::Kind, KeyType> kKinds[] = {
      {PrivateKey::Kind::kRsa2048, KeyType::kRsa},
      {PrivateKey::Kind::kEcP256, KeyType::kEcP256},
      {PrivateKey::Kind::kEcP384, KeyType::kEcP384},
  };
  for (const auto& [kind, type] : kKinds) {
    const auto key = PrivateKey::Generate(kind);
    EXPECT_EQ(key->public_key().type, type);
    EXPECT_NE(Read(key->Pem().Reveal()).key, nullptr);
    EXPECT_NE(PrivateKey::Generate(kind)->spki_der(), key->spki_der());
  }
}

TEST(PrivateKey, BelongsToTheCertificateThatHasItsPublicHalf) {
  for (const TestKey& key : {TestKey::P256(), TestKey::Rsa(2048)}) {
    const TestCertificate certificate =
        MakeTestCertificate(TestLeafSpec("a"), key, nullptr);
    const auto parsed = *Certificate::Parse(certificate.der);
    EXPECT_TRUE(Read(key.Pem()).key->BelongsTo(*parsed));
    EXPECT_FALSE(Read(TestKey::P384().Pem()).key->BelongsTo(*parsed));
  }
}

}  // namespace
}  // namespace sallyport::pki
