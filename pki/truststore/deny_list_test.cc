#include "pki/truststore/deny_list.h"

#include <string>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"
#include "base/limits.h"
#include "gtest/gtest.h"
#include "pki/testing/make_certificate.h"
#include "pki/x509/certificate.h"

namespace sallyport::pki {
namespace {

using Match = DenyList::Match;

std::string Hex(absl::string_view bytes) {
  return absl::BytesToHexString(bytes);
}

class DenyListTest : public ::testing::Test {
 protected:
  static std::shared_ptr<const Certificate> Parse(
      const TestCertificate& certificate) {
    return *Certificate::Parse(certificate.der);
  }
  static std::shared_ptr<const DenyList> Make(
      const DenyList::Entries& entries) {
    auto list = DenyList::Create(entries);
    EXPECT_TRUE(list.ok()) << list.status();
    return list.ok() ? *list : nullptr;
  }
  static std::string Error(const DenyList::Entries& entries) {
    const auto list = DenyList::Create(entries);
    return list.ok() ? "" : std::string(list.status().message());
  }

  static TestCertificateSpec Spec(uint64_t serial) {
    TestCertificateSpec spec = TestLeafSpec("client, Inc.");
    spec.serial = serial;
    return spec;
  }
  const TestKey key_ = TestKey::P256();
  const TestCertificate ca_ =
      MakeTestCertificate(TestCaSpec("CA, Inc."), TestKey::P256(), nullptr);
  const TestCertificate leaf_ = MakeTestCertificate(Spec(0x0a1b2c), key_, &ca_);
  const TestCertificate renewed_ =
      MakeTestCertificate(Spec(0x0a1b2d), key_, &ca_);
  const TestCertificate other_ =
      MakeTestCertificate(Spec(0x0a1b2e), TestKey::P256(), &ca_);
};

TEST_F(DenyListTest, NamesNobodyWhenEmpty) {
  const auto list = Make({});
  EXPECT_EQ(list->Find(*Parse(leaf_)), Match::kNone);
  EXPECT_EQ(list->num_entries(), 0u);
}

TEST_F(DenyListTest, NamesOneCertificateByItsDigest) {
  DenyList::Entries entries;
  std::string text =
      absl::AsciiStrToUpper(Hex(AsBytes(Parse(leaf_)->fingerprint())));
  for (size_t i = text.size() - 2; i > 0; i -= 2) text.insert(i, ":");
  entries.certificate_sha256 = {absl::StrCat(" ", text, "\n")};
  const auto list = Make(entries);
  EXPECT_EQ(list->Find(*Parse(leaf_)), Match::kCertificate);
  EXPECT_EQ(list->Find(*Parse(renewed_)), Match::kNone);
}

TEST_F(DenyListTest, NamesAnIssuerHoweverItsNameIsWritten) {
  const auto leaf = Parse(leaf_);
  const std::string issuer = leaf->Issuer();
  for (const std::string& written :
       {issuer, absl::AsciiStrToLower(issuer), absl::AsciiStrToUpper(issuer)}) {
    DenyList::Entries entries;
    entries.issuer_and_serial = {{written, leaf->SerialHex()}};
    EXPECT_EQ(Make(entries)->Find(*leaf), Match::kIssuerAndSerial) << written;
  }
}

TEST_F(DenyListTest, NamesEveryCertificateOfAKey) {
  DenyList::Entries entries;
  entries.spki_sha256 = {Hex(AsBytes(Sha256(Parse(leaf_)->spki_der())))};
  const auto list = Make(entries);
  EXPECT_EQ(list->Find(*Parse(leaf_)), Match::kKey);
  EXPECT_EQ(list->Find(*Parse(renewed_)), Match::kKey);
  EXPECT_EQ(list->Find(*Parse(other_)), Match::kNone);
}

TEST_F(DenyListTest, NamesASerialNumberOfOneIssuerAsWeTellIt) {
  const auto leaf = Parse(leaf_);
  for (const std::string& serial :
       {leaf->SerialHex(), std::string("0a:1B:2c"), std::string("a1b2c"),
        std::string("00000A1B2C")}) {
    DenyList::Entries entries;
    entries.issuer_and_serial = {{leaf->Issuer(), serial}};
    const auto list = Make(entries);
    EXPECT_EQ(list->Find(*leaf), Match::kIssuerAndSerial) << serial;
    EXPECT_EQ(list->Find(*Parse(renewed_)), Match::kNone);
  }
  DenyList::Entries entries;
  entries.issuer_and_serial = {{"CN=Another CA", leaf->SerialHex()}};
  EXPECT_EQ(Make(entries)->Find(*leaf), Match::kNone);
}

TEST_F(DenyListTest, NamesASerialNumberOfOneIssuerByItsDer) {
  const auto leaf = Parse(leaf_);
  // Another case of the name is the same name.
  const TestCertificate shouting =
      MakeTestCertificate(TestCaSpec("CA, INC."), TestKey::P256(), nullptr);
  for (const TestCertificate* issuer : {&ca_, &shouting}) {
    DenyList::Entries entries;
    entries.issuer_and_serial = {
        {absl::StrCat("der:",
                      absl::Base64Escape(Parse(*issuer)->subject_der())),
         leaf->SerialHex()}};
    EXPECT_EQ(Make(entries)->Find(*leaf), Match::kIssuerAndSerial);
  }
}

TEST_F(DenyListTest, SaysWhichEntryIsWrongAndHowToMendIt) {
  const std::string good(64, 'a');
  DenyList::Entries entries;
  entries.certificate_sha256 = {good, std::string(63, 'a')};
  EXPECT_EQ(Error(entries),
            "certificate_sha256[1]: is no SHA-256; give 64 hexadecimal "
            "digits, colons allowed");
  for (const std::string& wrong : {std::string(), std::string(65, 'a'),
                                   std::string(64, 'g'), good + good}) {
    DenyList::Entries keys;
    keys.spki_sha256 = {wrong};
    EXPECT_TRUE(absl::StartsWith(Error(keys), "spki_sha256[0]: ")) << wrong;
  }
  const auto serial = [](const std::string& issuer, const std::string& number) {
    DenyList::Entries out;
    out.issuer_and_serial = {{issuer, number}};
    return Error(out);
  };
  EXPECT_TRUE(
      absl::StartsWith(serial("CN=a", ""), "issuer_and_serial[0].serial: "));
  EXPECT_TRUE(
      absl::StartsWith(serial("CN=a", "12x"), "issuer_and_serial[0].serial: "));
  // None of these can be what a certificate's issuer is printed as, so none
  // would ever match.
  for (const char* issuer :
       {"", "Example CA", "/CN=a/O=b", "CN=a, O=b", "CN=a,", "CN=\xc3\xa4",
        "der:", "der:!", "der:AAAA", "der:MAA=x"}) {
    EXPECT_TRUE(
        absl::StartsWith(serial(issuer, "01"), "issuer_and_serial[0].issuer: "))
        << issuer;
  }
  EXPECT_EQ(serial("CN=a\\, b,O=c", "01"), "");
  EXPECT_EQ(serial("CN=a", "-01"), "");
}

TEST_F(DenyListTest, HasADigestOfWhatItHoldsNotOfHowItWasWritten) {
  DenyList::Entries one;
  one.certificate_sha256 = {std::string(64, 'a'), std::string(64, 'b')};
  one.issuer_and_serial = {{"CN=a", "01"}};
  DenyList::Entries two;
  two.certificate_sha256 = {std::string(64, 'B'), std::string(64, 'A'),
                            std::string(64, 'a')};
  two.issuer_and_serial = {{"CN=a", "1"}, {"CN=a", "0:1"}};
  EXPECT_EQ(Make(one)->digest(), Make(two)->digest());
  EXPECT_EQ(Make(two)->num_entries(), 3u);
  DenyList::Entries three;
  three.spki_sha256 = one.certificate_sha256;
  three.issuer_and_serial = one.issuer_and_serial;
  EXPECT_NE(Make(one)->digest(), Make(three)->digest());
  EXPECT_NE(Make(one)->digest(), Make({})->digest());
}

TEST_F(DenyListTest, TakesAHundredThousandEntriesAndNoMoreThanTheLimit) {
  DenyList::Entries entries;
  for (int i = 0; i < 100000; ++i) {
    entries.certificate_sha256.push_back(absl::StrFormat("%064x", i));
  }
  entries.certificate_sha256.push_back(
      Hex(AsBytes(Parse(leaf_)->fingerprint())));
  const auto list = Make(entries);
  EXPECT_EQ(list->num_entries(), 100001u);
  EXPECT_EQ(list->Find(*Parse(leaf_)), Match::kCertificate);
  EXPECT_EQ(list->Find(*Parse(other_)), Match::kNone);
  EXPECT_LT(list->ApproximateBytes(), size_t{16} << 20);

  DenyList::Entries full;
  full.issuer_and_serial.assign(limits::kMaxDenyListEntries, {"CN=a", "01"});
  EXPECT_TRUE(DenyList::Create(full).ok());
  full.spki_sha256 = {std::string(64, 'a')};
  EXPECT_TRUE(absl::IsResourceExhausted(DenyList::Create(full).status()));
}

TEST_F(DenyListTest, JoinsWhatSeveralName) {
  DenyList::Entries one, two;
  one.certificate_sha256 = {Hex(AsBytes(Sha256(leaf_.der)))};
  two.certificate_sha256 = {Hex(AsBytes(Sha256(renewed_.der)))};
  const auto first = Make(one);
  const auto second = Make(two);
  const auto joined = DenyList::Join({first, second});
  EXPECT_EQ(joined->Find(*Parse(leaf_)), Match::kCertificate);
  EXPECT_EQ(joined->Find(*Parse(renewed_)), Match::kCertificate);
  EXPECT_EQ(joined->Find(*Parse(other_)), Match::kNone);
  EXPECT_EQ(joined->num_entries(), 2u);
  EXPECT_EQ(joined->digest(), DenyList::Join({first, second})->digest());
  EXPECT_NE(joined->digest(), DenyList::Join({first})->digest());
  EXPECT_NE(joined->digest(), first->digest());
}

}  // namespace
}  // namespace sallyport::pki
